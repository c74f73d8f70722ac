//! Reaching a kubelet, or through it a listener in the network of its node, which is simulated and so known to kubelets only.

use std::{io, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use mini_api::dial::failure;

use crate::peer;

/// How long to wait for a kubelet to accept.
const PATIENCE: Duration = Duration::from_secs(30);

/// A conversation with the kubelet that listens at `address`.
///
/// # Errors
/// Why there is none, in Go's words.
pub(super) async fn kubelet(address: &str) -> Result<SendRequest<Body>, String> {
    peer::dial(address, PATIENCE).await
}

/// A conversation with whoever listens at `address` in the network of a kubelet's node.
///
/// # Errors
/// Why there is none, in Go's words. A node whose kubelet is away has no network.
pub(super) async fn listener(kubelet: &str, address: &str) -> Result<SendRequest<Body>, String> {
    let lost = || failure(address, &io::ErrorKind::HostUnreachable.into());
    let mut sender = self::kubelet(kubelet).await.map_err(|_| lost())?;
    let request = Request::get(format!("/dial?address={address}"))
        .header(header::HOST, kubelet)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "tcp")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let mut answer = sender.send_request(request).await.map_err(|_| lost())?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let why = answer.into_body().collect().await.map_err(|_| lost())?.to_bytes();
        return Err(String::from_utf8_lossy(&why).trim().to_owned());
    }
    peer::converse(hyper::upgrade::on(&mut answer).await.map_err(|_| lost())?).await
}

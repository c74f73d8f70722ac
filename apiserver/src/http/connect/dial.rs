//! Reaching a kubelet, or through it a listener in the network of its node, which is simulated and so known to kubelets only.

use std::{io, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use hyper::{
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use mini_api::dial::failure;
use mini_daemon::tasks::detach;
use tokio::net::TcpStream;

/// How long to wait for a kubelet to accept.
const PATIENCE: Duration = Duration::from_secs(30);

/// A conversation with the kubelet that listens at `address`.
///
/// # Errors
/// Why there is none, in Go's words.
pub(super) async fn kubelet(address: &str) -> Result<SendRequest<Body>, String> {
    let stream = match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(failure(address, &error)),
        Err(_) => return Err(failure(address, &io::ErrorKind::TimedOut.into())),
    };
    let _ = stream.set_nodelay(true);
    converse(TokioIo::new(stream)).await
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
    converse(hyper::upgrade::on(&mut answer).await.map_err(|_| lost())?).await
}

/// HTTP/1.1 on a stream. It ends with the sender and the last answer.
async fn converse(stream: impl Read + Write + Unpin + Send + 'static) -> Result<SendRequest<Body>, String> {
    let (sender, connection) = http1::handshake(stream).await.map_err(|error| words(&error))?;
    detach("conversation", async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a conversation ended badly");
        }
    });
    Ok(sender)
}

/// What went wrong with an answer, in Go's words.
pub(super) fn words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() { "EOF".to_owned() } else { error.to_string() }
}

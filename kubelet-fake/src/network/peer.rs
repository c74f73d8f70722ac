//! Streams by way of other kubelets: `GET /dial?address=IP:PORT&from=IP`, upgraded to `tcp`.
//!
//! Must not know: why a connection leads there.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mini_api::dial::cause;
use mini_daemon::tasks::detach;
use tokio::{net::TcpStream, time::timeout};

use crate::runtime::Stream;

/// How long a kubelet may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an explanation may be.
const WORDS: usize = 4096;

/// Connects with an address on a node of another kubelet's.
///
/// # Errors
/// What that kubelet says. That it is not there is as if its node were not.
pub(super) async fn dial(kubelet: &str, to: SocketAddr, from: IpAddr) -> io::Result<Box<dyn Stream>> {
    match timeout(PATIENCE, ask(kubelet, to, from)).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => {
            tracing::debug!(kubelet, %to, %error, "a kubelet is not there");
            Err(io::ErrorKind::TimedOut.into())
        }
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// What a kubelet answers; an error is that it does not.
async fn ask(kubelet: &str, to: SocketAddr, from: IpAddr) -> anyhow::Result<io::Result<Box<dyn Stream>>> {
    let stream = TcpStream::connect(kubelet).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    detach("peer", async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a conversation with a kubelet ended badly");
        }
    });
    let request = Request::get(format!("/dial?address={to}&from={from}"))
        .header(header::HOST, kubelet)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "tcp")
        .body(Body::empty())?;
    let mut answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let why = to_bytes(Body::new(answer.into_body()), WORDS).await?;
        return Ok(Err(cause(&String::from_utf8_lossy(&why)).into()));
    }
    let upgraded = hyper::upgrade::on(&mut answer).await?;
    Ok(Ok(Box::new(TokioIo::new(upgraded))))
}

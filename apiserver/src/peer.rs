//! The one way to call another program: HTTP/1.1 on a connection of its own, for as long as one request takes. Kubelets and the
//! components beside the API server are called so.

use std::{fmt::Display, io, time::Duration};

use axum::body::Body;
use hyper::{
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use mini_api::dial::failure;
use mini_daemon::tasks::detach;
use tokio::net::{TcpStream, ToSocketAddrs};

/// A conversation with whoever listens at `address`, who gets so long to accept.
///
/// # Errors
/// Why there is none, in Go's words.
pub(crate) async fn dial(address: impl ToSocketAddrs + Display, patience: Duration) -> Result<SendRequest<Body>, String> {
    let stream = match tokio::time::timeout(patience, TcpStream::connect(&address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(failure(&address, &error)),
        Err(_) => return Err(failure(&address, &io::ErrorKind::TimedOut.into())),
    };
    let _ = stream.set_nodelay(true);
    converse(TokioIo::new(stream)).await
}

/// HTTP/1.1 on a stream. It ends with the sender and the last answer.
///
/// # Errors
/// Why there is none, in Go's words.
pub(crate) async fn converse(stream: impl Read + Write + Unpin + Send + 'static) -> Result<SendRequest<Body>, String> {
    let (sender, connection) = http1::handshake(stream).await.map_err(|error| words(&error))?;
    detach("conversation", async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a conversation ended badly");
        }
    });
    Ok(sender)
}

/// What went wrong with an answer, in Go's words.
pub(crate) fn words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() { "EOF".to_owned() } else { error.to_string() }
}

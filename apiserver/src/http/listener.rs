//! Connections: how they are accepted, how long they may be silent, and how they end when the server does.
//!
//! A client must begin its first request soon, and finish the head of a later one within the time a connection may idle. One that
//! has vanished without a word is noticed: the kernel probes connections that are silent, and HTTP/2 connections are pinged.
//!
//! The end, as upstream has it: `/readyz` fails at once. After the delay that was asked for, nobody else is let in; watches end
//! well, requests under way are finished, for at most as long as any request may take; then connections get a moment to deliver
//! what was answered. So the end takes a bounded time, and what was acknowledged is durable long before.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Result;
use axum::{body::Body, http::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use mini_daemon::tasks::detach;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    App,
    account::Caller,
    entrance::{Entrance, PROBES, Stream},
    stall::Impatient,
};

/// How long a connection may take to its first request, as upstream; less where any request must be done sooner.
const FIRST_REQUEST: Duration = Duration::from_secs(32);
/// How long a connection may idle between requests, the head of the next one included, as upstream.
const IDLE: Duration = Duration::from_secs(90);
/// How long an HTTP/2 peer may take to answer a ping.
const PONG: Duration = Duration::from_secs(15);
/// The largest head of an HTTP/2 request, as upstream.
const MOST_HEADERS: u32 = 1 << 20;
/// How long a connection gets at the end to deliver what was answered.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// When to stop, and what stops then.
pub(crate) struct Ending {
    /// Cancelled when the server is asked to stop.
    pub asked: CancellationToken,
    /// How long to go on all the same.
    pub delay: Duration,
    /// What must run until the last request is answered; it stops when this is dropped.
    pub behind: DropGuard,
}

/// Lets clients in until it is asked to stop; then finishes what is under way.
///
/// # Errors
/// Never.
pub(crate) async fn accept(entrance: Entrance, app: Arc<App>, ending: Ending) -> Result<()> {
    let connections = TaskTracker::new();
    let aborted = CancellationToken::new();
    let closing = async {
        ending.asked.cancelled().await;
        tokio::time::sleep(ending.delay).await;
    };
    tokio::pin!(closing);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = entrance.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: those who are connected go on.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut closing => break,
        };
        let caller = Arc::new(Caller::new(peer));
        detach("connection", connections.track_future(connection(stream, caller, app.clone(), aborted.clone())));
    }
    drop(entrance);
    app.stop.cancel();
    app.under_way.close();
    if tokio::time::timeout(app.limits.request_timeout, app.under_way.wait()).await.is_err() {
        tracing::warn!("requests were still under way when the server stopped");
    }
    connections.close();
    if tokio::time::timeout(LAST_WORDS, connections.wait()).await.is_err() {
        tracing::info!(connections = connections.len(), "connections were cut");
        aborted.cancel();
        connections.wait().await;
    }
    drop(ending.behind);
    Ok(())
}

async fn connection(stream: Stream, caller: Arc<Caller>, app: Arc<App>, aborted: CancellationToken) {
    let patience = app.limits.request_timeout;
    // Children, because all connections at work would else ask one lock.
    let (stopped, aborted) = (app.stop.child_token(), aborted.child_token());
    let stream = TokioIo::new(Impatient::new(stream, caller.clone(), patience));
    let service = {
        let caller = caller.clone();
        hyper::service::service_fn(move |request: Request<Incoming>| {
            let (app, caller) = (app.clone(), caller.clone());
            async move { Ok::<_, Infallible>(super::serve(&app, &caller, request.map(Body::new)).await) }
        })
    };
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(PROBES * 2).keep_alive_timeout(PONG);
    builder.http2().max_concurrent_streams(1000).max_header_list_size(MOST_HEADERS);
    let serving = builder.serve_connection_with_upgrades(stream, service);
    tokio::pin!(serving);
    let silent = tokio::time::sleep(FIRST_REQUEST.min(patience));
    tokio::pin!(silent);
    let mut leaving = false;
    let ended = loop {
        tokio::select! {
            ended = serving.as_mut() => break ended,
            () = &mut silent, if !silent.is_elapsed() => {
                if !caller.begun.load(Ordering::Relaxed) {
                    tracing::debug!(peer = %caller.peer, "a connection that asked for nothing was closed");
                    return;
                }
            }
            () = stopped.cancelled(), if !leaving => {
                serving.as_mut().graceful_shutdown();
                leaving = true;
            }
            () = aborted.cancelled() => return,
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

//! Many clients that send requests one after the other, each on a connection of its own, for a bounded time and number.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use mini_daemon::tasks::Tasks;

use crate::{
    connection::{Answer, Connection, excerpt},
    latency::Latencies,
    target::{Outgoing, Target},
};

/// How long after the end the last answers may come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent.
pub(crate) trait Load: Send + Sync + 'static {
    /// The request of this number. It is made while the clock does not run for it.
    fn request(&self, index: u64) -> Outgoing;

    /// Learns that the request of this number was answered as it should be.
    fn answered(&self, _index: u64, _answer: &Answer, _at: Instant) {}

    /// Whether an answer is as it should be.
    fn accepts(&self, answer: &Answer) -> bool {
        answer.status.is_success()
    }
}

/// How much is sent: it ends with whichever limit is reached first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Clients at once.
    pub(crate) clients: u32,
    /// Requests in all.
    pub(crate) count: u64,
    /// How long new requests are sent.
    pub(crate) time: Duration,
    /// Requests per second of all clients together; `None`: as many as are answered.
    pub(crate) rate: Option<f64>,
}

/// What became of a load.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From a request to the end of its answer.
    pub(crate) latencies: Latencies,
    /// From the first request to the last answer.
    pub(crate) wall: Duration,
}

impl Outcome {
    /// How many requests were answered.
    pub(crate) fn operations(&self) -> u64 {
        self.latencies.len() as u64
    }
}

struct Shared<L> {
    load: L,
    limits: Limits,
    next: AtomicU64,
    started: Instant,
    stop: CancellationToken,
}

/// Sends a load. The connections are made before the clock starts.
///
/// # Errors
/// With the first answer that is not as it should be, or when a connection breaks.
pub(crate) async fn drive<L: Load>(target: &Target, limits: Limits, load: L) -> Result<Outcome> {
    let mut connections = Vec::new();
    for _ in 0..limits.clients {
        connections.push(Connection::open(target).await?);
    }
    let mut tasks = Tasks::new();
    let (done, mut results) = mpsc::unbounded_channel();
    let started = Instant::now();
    let shared = Arc::new(Shared { load, limits, next: AtomicU64::new(0), started, stop: tasks.token() });
    for connection in connections {
        tasks.spawn("client", client(connection, shared.clone(), done.clone()));
    }
    drop(done);
    timeout(limits.time + PATIENCE, tasks.join()).await??;
    let wall = started.elapsed();
    let mut latencies = Latencies::default();
    while let Some(part) = results.recv().await {
        latencies.merge(part);
    }
    Ok(Outcome { latencies, wall })
}

async fn client<L: Load>(mut connection: Connection, shared: Arc<Shared<L>>, done: mpsc::UnboundedSender<Latencies>) -> Result<()> {
    let Shared { load, limits, next, started, stop } = &*shared;
    let mut latencies = Latencies::with_capacity(4096);
    while !stop.is_cancelled() && started.elapsed() < limits.time {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= limits.count {
            break;
        }
        if let Some(due) = limits.due(index) {
            sleep_until(*started + due).await;
        }
        let request = load.request(index);
        let sent = Instant::now();
        let answer = connection.call(request).await?;
        let answered = Instant::now();
        if !load.accepts(&answer) {
            bail!("request {index} was answered {}: {}", answer.status, excerpt(&answer.error));
        }
        latencies.record(answered - sent);
        load.answered(index, &answer, answered);
    }
    // The receiver is only gone when nobody wants the result any more.
    let _ = done.send(latencies);
    Ok(())
}

impl Limits {
    /// When the request of this number is to be sent, counted from the start; `None`: at once.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn due(&self, index: u64) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(index as f64 / rate))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;
    use http_body_util::Full;
    use hyper::{Response, server::conn::http1, service::service_fn};
    use hyper_util::rt::TokioIo;
    use mini_daemon::tasks::detach;
    use tokio::net::TcpListener;

    use super::*;

    struct Version(Target);

    impl Load for Version {
        fn request(&self, _index: u64) -> Outgoing {
            self.0.get("/version").unwrap()
        }
    }

    /// A server that answers every request with this status.
    async fn server(status: StatusCode) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::at(listener.local_addr().unwrap()).unwrap();
        detach("accept", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = move |_| async move {
                    let mut response = Response::new(Full::new(Bytes::from_static(b"body")));
                    *response.status_mut() = status;
                    Ok::<_, std::convert::Infallible>(response)
                };
                detach("connection", http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
            }
        });
        target
    }

    fn limits(count: u64, time: Duration) -> Limits {
        Limits { clients: 3, count, time, rate: None }
    }

    #[tokio::test]
    async fn a_load_is_bounded_in_number() {
        let target = server(StatusCode::OK).await;
        let outcome = drive(&target, limits(20, Duration::from_secs(60)), Version(target.clone())).await.unwrap();
        assert_eq!(outcome.operations(), 20);
    }

    #[tokio::test]
    async fn a_load_is_bounded_in_time() {
        let target = server(StatusCode::OK).await;
        let outcome = drive(&target, limits(u64::MAX, Duration::from_millis(20)), Version(target.clone())).await.unwrap();
        assert!(outcome.operations() > 0 && outcome.wall < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_wrong_answer_ends_it() {
        let target = server(StatusCode::CONFLICT).await;
        let error = drive(&target, limits(20, Duration::from_secs(60)), Version(target.clone())).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("was answered 409 Conflict: body"), "{text}");
    }

    #[test]
    fn a_rate_spreads_requests() {
        let spread = Limits { rate: Some(100.0), ..limits(1, Duration::ZERO) };
        assert_eq!(spread.due(250), Some(Duration::from_millis(2500)));
        assert_eq!(limits(1, Duration::ZERO).due(250), None);
    }
}

//! The kubelet's HTTP port, for the API server: logs of containers, streams to and from them, the pods, what they use, health. One port
//! serves all nodes of the process, for the path names the pod.
//!
//! Must not know: how pods are run.

mod channels;
mod exec;
mod forward;
mod spdy;
mod stats;
mod streams;
mod verdict;
mod wire;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use anyhow::Result;
use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures::TryFutureExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use mini_daemon::clock;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::stats::Spent;
use crate::{
    network::Network,
    runtime::{Container, ContainerRuntime, LogOptions, State as Doing},
    worker::Message,
};

/// Who answers.
#[derive(Clone)]
pub(crate) struct Sources {
    /// Knows the pods.
    pub(crate) worker: mpsc::Sender<Message>,
    /// Knows the logs.
    pub(crate) runtime: Arc<dyn ContainerRuntime>,
    /// Knows who listens.
    pub(crate) network: Network,
    /// The nodes that are served here.
    pub(crate) nodes: Arc<HashSet<Arc<str>>>,
    /// Remembers how much of the CPU things have used.
    pub(crate) spent: Arc<Spent>,
    /// Cancelled when all that is served is to end.
    pub(crate) stop: CancellationToken,
}

/// An answer that is not what was asked for: a code and a sentence.
type Refusal = (StatusCode, String);

/// Serves until the token is cancelled.
///
/// # Errors
/// When the listener breaks.
pub(crate) async fn serve(listener: TcpListener, sources: Sources) -> Result<()> {
    let (token, ended) = (sources.stop.clone(), sources.stop.clone());
    let server = axum::serve(listener, router(sources)).with_graceful_shutdown(async move { ended.cancelled().await });
    // A log that is followed would hold up the end for ever.
    tokio::select! {
        result = server.into_future() => Ok(result?),
        () = token.cancelled() => Ok(()),
    }
}

impl Sources {
    /// Every pod, or those of a node.
    async fn all(&self, node: Option<Arc<str>>) -> Result<Vec<Arc<Pod>>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.worker.send(Message::All(node, reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    /// A pod and the containers it has, running or not.
    async fn find(&self, namespace: &str, name: &str) -> Result<Option<(Arc<Pod>, Vec<Container>)>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.worker.send(Message::Find(namespace.to_owned(), name.to_owned(), reply)).await.map_err(|_| stopping())?;
        let Some((pod, node)) = answer.await.map_err(|_| stopping())? else { return Ok(None) };
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let listing = self.runtime.list(&node, Some(uid)).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())).await?;
        Ok(Some((pod, listing.containers)))
    }

    /// A pod and those of its containers that run.
    async fn running(&self, namespace: &str, name: &str) -> Result<Option<(Arc<Pod>, Vec<Container>)>, Refusal> {
        let found = self.find(namespace, name).await?;
        Ok(found.map(|(pod, containers)| {
            (pod, containers.into_iter().filter(|container| matches!(container.state, Doing::Running { .. })).collect())
        }))
    }
}

/// All that can be asked.
fn router(sources: Sources) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/pods", get(pods))
        .route("/stats/summary", get(stats::summary))
        .route("/metrics", get(stats::own))
        .route("/metrics/resource", get(stats::resource))
        .route("/metrics/cadvisor", get(stats::cadvisor))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(logs))
        .route("/exec/{namespace}/{pod}/{container}", any(exec::exec))
        .route("/attach/{namespace}/{pod}/{container}", any(exec::attach))
        .route("/portForward/{namespace}/{pod}", any(forward::ports))
        .route("/dial", get(forward::dial))
        .route("/run/{*rest}", any(|| async { (StatusCode::NOT_IMPLEMENTED, "run is not supported by this kubelet") }))
        .with_state(sources)
}

async fn pods(State(sources): State<Sources>) -> Result<Response, Refusal> {
    let pods = sources.all(None).await?;
    let items: Vec<&Pod> = pods.iter().map(|pod| &**pod).collect();
    let list = serde_json::json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items });
    Ok(([(header::CONTENT_TYPE, "application/json")], list.to_string()).into_response())
}

async fn logs(
    State(sources): State<Sources>,
    Path((namespace, name, container)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query: HashMap<_, _> = parameters(query.as_deref().unwrap_or_default());
    let options = options(&query, clock::now()).map_err(|message| (StatusCode::BAD_REQUEST, message))?;
    let previous = query.get("previous").is_some_and(|value| value == "true" || value == "1");
    let Some((pod, containers)) = sources.find(&namespace, &name).await? else {
        return Err((StatusCode::NOT_FOUND, format!("pod {:?} not found", format!("{name}_{namespace}"))));
    };
    let mut runs: Vec<_> = containers.iter().filter(|run| run.name == container).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.attempt));
    let Some(run) = runs.get(usize::from(previous)) else { return Err(absent(&pod, &name, &container, previous)) };
    let stream = sources.runtime.logs(&run.id, options).map_err(|error| (StatusCode::NOT_FOUND, error.to_string())).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(stream)).into_response())
}

/// Why there is no log of a container.
fn absent(pod: &Pod, name: &str, container: &str, previous: bool) -> Refusal {
    if previous {
        return (StatusCode::BAD_REQUEST, format!("previous terminated container {container:?} in pod {name:?} not found"));
    }
    let statuses = pod.status.as_ref().map(|status| status.init_container_statuses.iter().chain(&status.container_statuses).flatten());
    let reason = |status: &ContainerStatus| status.state.as_ref()?.waiting.as_ref()?.reason.clone();
    let waits = statuses.into_iter().flatten().find(|status| status.name == container).and_then(reason);
    match waits {
        Some(reason) if reason.contains("Image") => {
            let why = if reason == "ImagePullBackOff" { "trying and failing to pull image" } else { "image can't be pulled" };
            (StatusCode::BAD_REQUEST, format!("container {container:?} in pod {name:?} is waiting to start: {why}"))
        }
        Some(reason) => (StatusCode::BAD_REQUEST, format!("container {container:?} in pod {name:?} is waiting to start: {reason}")),
        None => (StatusCode::BAD_REQUEST, format!("container {container:?} in pod {name:?} is not available")),
    }
}

fn stopping() -> Refusal {
    (StatusCode::SERVICE_UNAVAILABLE, "the kubelet is stopping".to_owned())
}

/// The parameters of a query, decoded. A parameter without a value is `true`.
fn parameters<C: FromIterator<(String, String)>>(query: &str) -> C {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "true"))).map(|(key, value)| (decode(key), decode(value))).collect()
}

/// Undoes percent-encoding; what cannot be undone stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| first == b'%').and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if first == b'+' { b' ' } else { first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The part of the log that is asked for.
fn options(query: &HashMap<String, String>, now: Timestamp) -> Result<LogOptions, String> {
    let flag = |name: &str| query.get(name).is_some_and(|value| value == "true" || value == "1");
    let number = |name: &str| match query.get(name) {
        None => Ok(None),
        Some(text) => text.parse::<u32>().map(Some).map_err(|_| format!("{name}: {text:?} is not a number of 0 or more")),
    };
    let ago = number("sinceSeconds")?.map(|seconds| now - SignedDuration::from_secs(seconds.into()));
    let since = match query.get("sinceTime") {
        None => ago,
        Some(text) => Some(text.parse().map_err(|_| format!("sinceTime: {text:?} is not a time such as 2026-11-20T12:00:00Z"))?),
    };
    let count = |name: &str| number(name).map(|number| number.and_then(|number| usize::try_from(number).ok()));
    Ok(LogOptions { follow: flag("follow"), timestamps: flag("timestamps"), since, tail: count("tailLines")?, limit: count("limitBytes")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        let now = Timestamp::from_second(100).unwrap();
        let read = |query: &str| options(&parameters(query), now);
        assert_eq!(read(""), Ok(LogOptions::default()));
        let all = "follow=true&tailLines=10&timestamps=1&limitBytes=5&sinceSeconds=40";
        let since = Timestamp::from_second(60).ok();
        assert_eq!(read(all), Ok(LogOptions { follow: true, tail: Some(10), since, timestamps: true, limit: Some(5) }));
        assert_eq!(read("sinceTime=1970-01-01T00%3A01%3A00Z").map(|options| options.since), Ok(since));
        assert_eq!(read("tailLines=-1"), Err("tailLines: \"-1\" is not a number of 0 or more".to_owned()));
    }
}

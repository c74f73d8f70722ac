//! What a node, its pods and their containers use: the part of the summary that metrics servers read.
//!
//! Must not know: where the numbers come from.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use mini_daemon::clock;
use serde_json::{Value, json};

use super::{Refusal, Sources};
use crate::runtime::{Container, State as Doing, Usage};

/// What a node uses without any pod: its kubelet and its system.
const SYSTEM: Usage = Usage { cpu: 50_000_000, memory: 400 << 20 };

/// `/stats/summary`. One port serves many nodes: the name the kubelet is called by says which.
pub(super) async fn summary(State(sources): State<Sources>, headers: HeaderMap) -> Result<Response, Refusal> {
    let node =
        node(&sources, &headers).ok_or_else(|| (StatusCode::NOT_FOUND, "the Host header names none of the nodes here".to_owned()))?;
    let failed = |error: crate::runtime::RuntimeError| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let listing = sources.runtime.list(&node, None).await.map_err(failed)?;
    let mut running: HashMap<Arc<str>, Vec<Container>> = HashMap::new();
    for container in listing.containers.into_iter().filter(|one| matches!(one.state, Doing::Running { .. })) {
        running.entry(container.pod.clone()).or_default().push(container);
    }
    let now = clock::now();
    let (mut pods, mut whole) = (Vec::new(), SYSTEM);
    for pod in sources.all().await? {
        let Some(containers) = pod.metadata.uid.as_deref().and_then(|uid| running.remove(uid)) else { continue };
        let (mut told, mut used) = (Vec::new(), Usage::default());
        for container in containers {
            // One that has ended since it was listed uses nothing.
            let Ok(usage) = sources.runtime.usage(&container, &pod).await else { continue };
            used += usage;
            told.push(stats(json!({ "name": container.name, "startTime": started(&container) }), usage, now));
        }
        whole += used;
        let started = pod.status.as_ref().and_then(|status| status.start_time.clone());
        pods.push(stats(json!({ "podRef": reference(&pod), "startTime": started, "containers": told }), used, now));
    }
    let summary = json!({ "node": stats(json!({ "nodeName": &*node }), whole, now), "pods": pods });
    Ok(([(header::CONTENT_TYPE, "application/json")], summary.to_string()).into_response())
}

/// The node that is meant: by name, or the only one there is.
fn node(sources: &Sources, headers: &HeaderMap) -> Option<Arc<str>> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let only = || sources.nodes.iter().next().filter(|_| sources.nodes.len() == 1);
    sources.nodes.get(name).or_else(only).cloned()
}

fn reference(pod: &Pod) -> Value {
    json!({ "name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid })
}

fn started(container: &Container) -> Option<Timestamp> {
    match container.state {
        Doing::Running { started } => Some(started),
        Doing::Exited(_) => None,
    }
}

/// `of` with what is used.
fn stats(mut of: Value, usage: Usage, now: Timestamp) -> Value {
    of["cpu"] = json!({ "time": now, "usageNanoCores": usage.cpu });
    of["memory"] = json!({ "time": now, "usageBytes": usage.memory, "workingSetBytes": usage.memory, "rssBytes": usage.memory });
    of
}

//! What a node, its pods and their containers use, as metrics servers and Prometheus ask for it.
//!
//! Must not know: where the numbers come from.

use std::{
    collections::HashMap,
    fmt::{Display, Write as _},
    sync::Arc,
};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use mini_daemon::clock;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Refusal, Sources};
use crate::runtime::{Container, State as Doing, Usage};

/// What a node uses without any pod: its kubelet and its system.
const SYSTEM: Usage = Usage { cpu: 50_000_000, memory: 400 << 20 };
/// How long something that is not seen any more is remembered.
const MEMORY: SignedDuration = SignedDuration::from_hours(1);

/// How much CPU things have used since they began, in billionths of a second. A runtime tells only what they use at present, so
/// it is summed up whenever that is looked at.
#[derive(Default)]
pub(crate) struct Spent(Mutex<HashMap<Arc<str>, (u64, Timestamp)>>);

/// What something uses.
#[derive(Clone, Copy)]
struct Seen {
    usage: Usage,
    /// In billionths of a second, since it began.
    spent: u64,
    began: Option<Timestamp>,
}

/// A pod, and its containers.
struct SeenPod {
    pod: Arc<Pod>,
    seen: Seen,
    containers: Vec<(Container, Seen)>,
}

/// A node as it was looked at.
struct Look {
    at: Timestamp,
    node: Arc<str>,
    whole: Seen,
    /// The pods with running containers, in the order of their names.
    pods: Vec<SeenPod>,
}

impl Spent {
    /// What a thing has used in all, that has begun at `began` and uses so much at present.
    fn sum(&self, thing: &str, usage: Usage, began: Timestamp, now: Timestamp) -> u64 {
        let mut known = self.0.lock();
        let (before, since) = known.get(thing).copied().unwrap_or((0, began));
        let seconds = now.duration_since(since).as_secs_f64().max(0.0);
        // Casts saturate.
        let total = before.saturating_add((usage.cpu as f64 * seconds) as u64);
        known.insert(thing.into(), (total, now));
        total
    }

    fn forget(&self, now: Timestamp) {
        self.0.lock().retain(|_, (_, seen)| now.duration_since(*seen) < MEMORY);
    }
}

/// Looks at a node. One port serves many: the name the kubelet is called by says which.
async fn look(sources: &Sources, headers: &HeaderMap) -> Result<Look, Refusal> {
    let node = node(sources, headers).ok_or_else(|| (StatusCode::NOT_FOUND, "the Host header names none of the nodes here".to_owned()))?;
    let failed = |error: crate::runtime::RuntimeError| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let listing = sources.runtime.list(&node, None).await.map_err(failed)?;
    let mut running: HashMap<Arc<str>, Vec<Container>> = HashMap::new();
    for container in listing.containers.into_iter().filter(|one| matches!(one.state, Doing::Running { .. })) {
        running.entry(container.pod.clone()).or_default().push(container);
    }
    let (at, mut whole, mut pods) = (clock::now(), SYSTEM, Vec::new());
    let see = |thing: &str, usage, began: Option<Timestamp>| {
        let spent = sources.spent.sum(thing, usage, began.unwrap_or(at), at);
        Seen { usage, spent, began }
    };
    for pod in sources.all(Some(node.clone())).await? {
        let Some(containers) = pod.metadata.uid.as_deref().and_then(|uid| running.remove(uid)) else { continue };
        let (mut told, mut used) = (Vec::new(), Usage::default());
        for container in containers {
            // One that has ended since it was listed uses nothing.
            let Ok(usage) = sources.runtime.usage(&container, &pod).await else { continue };
            used += usage;
            let seen = see(&container.id, usage, started(&container));
            told.push((container, seen));
        }
        whole += used;
        let began = pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0);
        let seen = see(pod.metadata.uid.as_deref().unwrap_or_default(), used, began);
        pods.push(SeenPod { pod, seen, containers: told });
    }
    pods.sort_by(|one, other| names(&one.pod).cmp(&names(&other.pod)));
    let whole = see(&format!("node {node}"), whole, None);
    sources.spent.forget(at);
    Ok(Look { at, node, whole, pods })
}

impl Look {
    /// All containers, each with its pod.
    fn containers(&self) -> impl Iterator<Item = (&Pod, &Container, &Seen)> {
        self.pods.iter().flat_map(|seen| seen.containers.iter().map(|(container, used)| (&*seen.pod, container, used)))
    }
}

/// The node that is meant: by name, or the only one there is.
fn node(sources: &Sources, headers: &HeaderMap) -> Option<Arc<str>> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let only = || sources.nodes.iter().next().filter(|_| sources.nodes.len() == 1);
    sources.nodes.get(name).or_else(only).cloned()
}

fn started(container: &Container) -> Option<Timestamp> {
    match container.state {
        Doing::Running { started } => Some(started),
        Doing::Exited(_) => None,
    }
}

/// `/stats/summary`.
pub(super) async fn summary(State(sources): State<Sources>, headers: HeaderMap) -> Result<Response, Refusal> {
    let look = look(&sources, &headers).await?;
    let reference = |pod: &Pod| json!({ "name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid });
    let of_container =
        |(container, seen): &(Container, Seen)| stats(json!({ "name": container.name, "startTime": seen.began }), *seen, look.at);
    let of_pod = |SeenPod { pod, seen, containers }: &SeenPod| {
        let containers: Vec<Value> = containers.iter().map(of_container).collect();
        stats(json!({ "podRef": reference(pod), "startTime": seen.began, "containers": containers }), *seen, look.at)
    };
    let pods: Vec<Value> = look.pods.iter().map(of_pod).collect();
    let summary = json!({ "node": stats(json!({ "nodeName": &*look.node }), look.whole, look.at), "pods": pods });
    Ok(([(header::CONTENT_TYPE, "application/json")], summary.to_string()).into_response())
}

/// `of` with what is used.
fn stats(mut of: Value, seen: Seen, now: Timestamp) -> Value {
    let Seen { usage, spent, .. } = seen;
    of["cpu"] = json!({ "time": now, "usageNanoCores": usage.cpu, "usageCoreNanoSeconds": spent });
    of["memory"] = json!({ "time": now, "usageBytes": usage.memory, "workingSetBytes": usage.memory, "rssBytes": usage.memory });
    of
}

/// A page that Prometheus reads.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a family. Writing to a text cannot fail.
    fn family(&mut self, name: &str, form: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {form}");
    }

    /// One series of it, at a moment if that is to be said.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display, at: Option<Timestamp>) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let at = at.map(|at| format!(" {}", at.as_millisecond())).unwrap_or_default();
        let _ = writeln!(self.0, "{name}{labels} {value}{at}");
    }

    fn answer(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], self.0).into_response()
    }
}

/// In seconds since 1970.
fn began(seen: &Seen) -> f64 {
    seen.began.map_or(0.0, |began| began.as_millisecond() as f64 / 1e3)
}

fn seconds(spent: u64) -> f64 {
    spent as f64 / 1e9
}

fn names<'a>(pod: &'a Pod) -> [(&'static str, &'a str); 2] {
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    [("namespace", text(&pod.metadata.namespace)), ("pod", text(&pod.metadata.name))]
}

/// `/metrics/resource`: what metrics servers need.
pub(super) async fn resource(State(sources): State<Sources>, headers: HeaderMap) -> Result<Response, Refusal> {
    let look = look(&sources, &headers).await?;
    let (at, mut page) = (Some(look.at), Page::default());
    let labels = |pod, container| [&[("container", container)][..], &names(pod)].concat();
    let name = "container_cpu_usage_seconds_total";
    page.family(name, "counter", "[STABLE] Cumulative cpu time consumed by the container in core-seconds");
    look.containers().for_each(|(pod, one, seen)| page.sample(name, &labels(pod, &one.name), seconds(seen.spent), at));
    let name = "container_memory_working_set_bytes";
    page.family(name, "gauge", "[STABLE] Current working set of the container in bytes");
    look.containers().for_each(|(pod, one, seen)| page.sample(name, &labels(pod, &one.name), seen.usage.memory, at));
    let name = "container_start_time_seconds";
    page.family(name, "gauge", "[STABLE] Start time of the container since unix epoch in seconds");
    look.containers().for_each(|(pod, one, seen)| page.sample(name, &labels(pod, &one.name), began(seen), None));
    page.family("node_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the node in core-seconds");
    page.sample("node_cpu_usage_seconds_total", &[], seconds(look.whole.spent), at);
    page.family("node_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the node in bytes");
    page.sample("node_memory_working_set_bytes", &[], look.whole.usage.memory, at);
    page.family("pod_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds");
    look.pods.iter().for_each(|SeenPod { pod, seen, .. }| page.sample("pod_cpu_usage_seconds_total", &names(pod), seconds(seen.spent), at));
    page.family("pod_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the pod in bytes");
    look.pods.iter().for_each(|SeenPod { pod, seen, .. }| page.sample("pod_memory_working_set_bytes", &names(pod), seen.usage.memory, at));
    page.family("resource_scrape_error", "gauge", "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise");
    page.sample("resource_scrape_error", &[], 0, None);
    Ok(page.answer())
}

/// `/metrics/cadvisor`: what dashboards look at.
pub(super) async fn cadvisor(State(sources): State<Sources>, headers: HeaderMap) -> Result<Response, Refusal> {
    let look = look(&sources, &headers).await?;
    let (at, mut page) = (Some(look.at), Page::default());
    let mut family = |name: &str, form, help, more: &[(&str, &str)], value: &dyn Fn(&Seen) -> f64| {
        page.family(name, form, help);
        for (pod, one, seen) in look.containers() {
            let hash = one.id.rsplit('/').next().unwrap_or_default();
            let id = format!("/kubepods/pod{}/{hash}", one.pod);
            let own = [("container", one.name.as_str()), ("id", &id), ("image", &one.image.reference), ("name", hash)];
            page.sample(name, &[&own[..1], more, &own[1..], &names(pod)].concat(), value(seen), at);
        }
    };
    let cpu = [("cpu", "total")];
    family("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", &cpu, &|seen| seconds(seen.spent));
    family(
        "container_memory_usage_bytes",
        "gauge",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        &[],
        &|seen| seen.usage.memory as f64,
    );
    family("container_memory_working_set_bytes", "gauge", "Current working set in bytes.", &[], &|seen| seen.usage.memory as f64);
    family("container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds.", &[], &|seen| began(seen));
    Ok(page.answer())
}

/// `/metrics`: what the kubelet says of itself.
pub(super) async fn own(State(sources): State<Sources>, headers: HeaderMap) -> Result<Response, Refusal> {
    let look = look(&sources, &headers).await?;
    let mut page = Page::default();
    page.family("kubelet_node_name", "gauge", "[ALPHA] The node's name. The count is always 1.");
    page.sample("kubelet_node_name", &[("node", &look.node)], 1, None);
    page.family("kubelet_running_containers", "gauge", "[ALPHA] Number of containers currently running");
    let running = look.containers().count();
    page.sample("kubelet_running_containers", &[("container_state", "running")], running, None);
    page.family("kubelet_running_pods", "gauge", "[ALPHA] Number of pods that have a running pod sandbox");
    page.sample("kubelet_running_pods", &[], look.pods.len(), None);
    Ok(page.answer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_only_grows() {
        let (spent, at) = (Spent::default(), |second| Timestamp::from_second(second).unwrap());
        let cpu = |cpu| Usage { cpu, memory: 0 };
        assert_eq!(spent.sum("a", cpu(1_000_000_000), at(0), at(10)), 10_000_000_000, "one core for ten seconds");
        assert_eq!(spent.sum("a", cpu(500_000_000), at(0), at(14)), 12_000_000_000);
        assert_eq!(spent.sum("a", cpu(0), at(0), at(20)), 12_000_000_000);
        assert_eq!(spent.sum("a", cpu(1), at(0), at(15)), 12_000_000_000, "a clock that was set back");
        spent.forget(at(15 + 3600));
        assert_eq!(spent.sum("a", cpu(1), at(3615), at(3615)), 0, "it is forgotten");
    }

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.family("x_total", "counter", "Things");
        page.sample("x_total", &[("a", "b\"c"), ("d", "e")], 1.5, Timestamp::from_second(3).ok());
        page.sample("x_total", &[], 2, None);
        assert_eq!(page.0, "# HELP x_total Things\n# TYPE x_total counter\nx_total{a=\"b\\\"c\",d=\"e\"} 1.5 3000\nx_total 2\n");
    }
}

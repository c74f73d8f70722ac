//! `sched`: how many pods a second the scheduler places, alone with the API server, and what each costs beside more and more others.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum, value_parser};
use http::{HeaderValue, Method, header};
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::growth;
use crate::{
    connection::{Lines, Stream},
    latency::Latencies,
    load::{Limits, Load, drive},
    objects::{self, LABEL, ListHead},
    report::{Report, grouped},
    stage::{Server, Stage},
    target::{Outgoing, Target},
    usage::{Meter, Process, Usage},
};

/// Where the pods are.
const NAMESPACE: &str = "mini-bench-sched";
/// How many clients prepare the stage.
const CLIENTS: u32 = 16;
/// How many zones the nodes are in.
const ZONES: u64 = 10;
/// How many pods belong together, as those of one Deployment do.
const GROUP: u64 = 100;

/// Lets the scheduler place pods on nodes that have no kubelets
///
/// At each size the pods are there before the scheduler is started. The clock runs from the first binding that a watcher sees to the
/// last, so what the scheduler reads when it starts does not count. Counted are these bindings.
#[derive(Args, Debug)]
pub(crate) struct Sched {
    /// What the pods want of each other.
    #[arg(long, value_enum, default_value_t = Wish::Basic)]
    pods_with: Wish,
    /// Pods to place.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(2..=1_000_000))]
    pods: u32,
    /// Pods of the same sort that are on nodes already, in growing order. Those that were placed count.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [0])]
    existing: Vec<u32>,
    /// Nodes to create.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = value_parser!(u32).range(1..=50_000))]
    nodes: u32,
    /// Give up on one size after so long.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

/// What pods want of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wish {
    /// Nothing.
    Basic,
    /// All are spread: over zones as evenly as can be, over nodes where possible.
    Spread,
    /// Those of a group come to one zone, and no two of them to one node.
    Affinity,
}

impl Sched {
    /// Measures.
    ///
    /// # Errors
    /// When the server refuses or goes away, or not all pods are placed in time.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        if self.pods_with == Wish::Affinity && u64::from(self.nodes) < GROUP * ZONES {
            bail!("groups of {GROUP} pods, no two on a node, need zones of as many nodes: at least {} nodes", GROUP * ZONES);
        }
        let mut server = stage.apiserver().await?;
        objects::ensure_namespace(&mut server.connect().await?, &server.target, NAMESPACE).await?;
        self.create_nodes(&server).await?;
        let (mut there, mut steps, mut rates) = (0, Vec::new(), Vec::new());
        let (mut wall, mut usage) = (Duration::ZERO, Usage::default());
        for existing in &self.existing {
            let more = existing.saturating_sub(there);
            self.create_pods(&server, "placed", there, more, true).await?;
            there += more;
            let run = objects::run();
            self.create_pods(&server, &run, 0, self.pods, false).await?;
            let step = self.place(stage, &mut server, &run).await?;
            server.end_scheduler();
            there += self.pods;
            wall += step.wall;
            rates.push(grouped((f64::from(self.pods - 1) / step.wall.as_secs_f64()).round()));
            steps.push((*existing, step.usage.processes.clone()));
            usage = step.usage;
        }
        let what = format!(
            "{:?}, {} pods on {} nodes; {} pods/s{}",
            self.pods_with,
            grouped(self.pods),
            grouped(self.nodes),
            rates.join(" / "),
            growth::describe(&steps, self.pods - 1)
        );
        let placed = u64::from(self.pods - 1) * steps.len() as u64;
        Ok(Report::new("sched", what, placed, wall, Latencies::default(), Usage { server: None, own: None, ..usage }))
    }

    async fn create_nodes(&self, server: &Server) -> Result<()> {
        let target = server.target.clone();
        self.send(server, self.nodes, move |index| target.post("/api/v1/nodes", node(index).to_string().into())).await?;
        let target = server.target.clone();
        // A new node is tainted until its kubelet is ready, and there is none.
        self.send(server, self.nodes, move |index| untaint(&target, index)).await
    }

    /// Creates pods of a run, numbered from `first`; waiting for a node, or on one.
    async fn create_pods(&self, server: &Server, run: &str, first: u32, count: u32, placed: bool) -> Result<()> {
        let (target, run, path) = (server.target.clone(), run.to_owned(), objects::pods(NAMESPACE));
        let (wish, nodes) = (self.pods_with, u64::from(self.nodes));
        self.send(server, count, move |index| {
            let index = index + u64::from(first);
            let mut pod = pod(wish, &run, index);
            if placed {
                pod["spec"]["nodeName"] = node_name(index % nodes).into();
            }
            target.post(&path, pod.to_string().into())
        })
        .await
    }

    async fn send(&self, server: &Server, count: u32, make: impl Fn(u64) -> Result<Outgoing> + Send + Sync + 'static) -> Result<()> {
        let limits = Limits { clients: CLIENTS, count: count.into(), time: Duration::from_secs(self.seconds), rate: None };
        let sent = drive(&server.target, limits, Made { make, fallback: server.target.get("/version")? }).await?.operations();
        if sent < count.into() {
            bail!("{sent} of {count} objects were written after {} s", self.seconds);
        }
        Ok(())
    }

    /// Starts the scheduler, and waits until a watcher has seen all pods of a run on nodes.
    async fn place(&self, stage: &Stage, server: &mut Server, run: &str) -> Result<Step> {
        let (target, path) = (server.target.clone(), objects::pods(NAMESPACE));
        let revision = ListHead::fetch(&mut server.connect().await?, &target, &path).await?.metadata.resource_version;
        let watch = target.get(&format!("{path}?watch=1&resourceVersion={revision}&labelSelector={LABEL}%3D{run}"))?;
        let stream = server.connect().await?.stream(watch).await?;
        stage.start_scheduler(server)?;
        let processes = server.processes().to_vec();
        let mut seen = HashSet::new();
        let all = timeout(Duration::from_secs(self.seconds), async {
            tokio::select! {
                ended = watch_until(stream, self.pods as usize, &processes, &mut seen) => ended,
                failed = server.fails() => failed.map(|never| match never {}),
            }
        });
        match all.await {
            Ok(ended) => ended,
            Err(_) => bail!("{} of {} pods have a node after {} s", seen.len(), self.pods, self.seconds),
        }
    }
}

/// What placing all pods came to.
struct Step {
    wall: Duration,
    usage: Usage,
}

/// Requests that are made one by one.
struct Made<F> {
    make: F,
    /// What is sent where none can be made, which would be a defect.
    fallback: Outgoing,
}

impl<F: Fn(u64) -> Result<Outgoing> + Send + Sync + 'static> Load for Made<F> {
    fn request(&self, index: u64) -> Outgoing {
        (self.make)(index).unwrap_or_else(|_| self.fallback.clone())
    }
}

async fn watch_until(mut stream: Stream, wanted: usize, processes: &[Process], seen: &mut HashSet<String>) -> Result<Step> {
    let placed = Finder::new(r#""nodeName":""#);
    let (mut lines, mut began) = (Lines::default(), None);
    while seen.len() < wanted {
        let chunk = stream.chunk().await?.context("the server ended the watch")?;
        let mut wrong = None;
        lines.push(&chunk, |frame| {
            if let Err(error) = learn(frame, &placed, seen) {
                wrong = Some(error);
            }
        });
        if let Some(error) = wrong {
            return Err(error);
        }
        if began.is_none() && !seen.is_empty() {
            began = Some((Instant::now(), Meter::start(processes)));
        }
    }
    let (started, meter) = began.context("no pod was placed")?;
    Ok(Step { wall: started.elapsed(), usage: meter.stop() })
}

#[derive(Deserialize)]
struct Frame {
    object: Named,
}

#[derive(Deserialize)]
struct Named {
    metadata: Meta,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
}

/// Learns which pod has a node.
fn learn(frame: &[u8], placed: &Finder<'_>, seen: &mut HashSet<String>) -> Result<()> {
    if frame.starts_with(br#"{"type":"ERROR""#) {
        bail!("the server ended the watch: {}", crate::connection::excerpt(frame));
    }
    if placed.find(frame).is_some() {
        let Frame { object } = serde_json::from_slice(frame).context("read a frame of the watch")?;
        seen.insert(object.metadata.name);
    }
    Ok(())
}

fn node_name(index: u64) -> String {
    format!("bench-{index:06}")
}

fn node(index: u64) -> Value {
    let name = node_name(index);
    let labels = json!({ "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": format!("zone-{}", index % ZONES) });
    let room = json!({ "cpu": "64", "memory": "256Gi", "pods": "110" });
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels },
        "status": { "capacity": room, "allocatable": room },
    })
}

fn untaint(target: &Target, index: u64) -> Result<Outgoing> {
    let path = format!("/api/v1/nodes/{}", node_name(index)).parse()?;
    let mut request = target.request(Method::PATCH, path, Bytes::from_static(br#"{"spec":{"taints":null}}"#));
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/merge-patch+json"));
    Ok(request)
}

fn pod(wish: Wish, run: &str, index: u64) -> Value {
    let group = format!("{run}-{}", index / GROUP);
    let mut spec = objects::pod_spec();
    spec["containers"][0]["resources"] = json!({ "requests": { "cpu": "10m", "memory": "16Mi" } });
    let selector = |key: &str, value: &str| json!({ "matchLabels": { key: value } });
    match wish {
        Wish::Basic => {}
        Wish::Spread => {
            let constraint = |key: &str, when: &str| {
                let all = selector("sort", "spread");
                json!({ "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": all })
            };
            spec["topologySpreadConstraints"] = json!([
                constraint("topology.kubernetes.io/zone", "DoNotSchedule"),
                constraint("kubernetes.io/hostname", "ScheduleAnyway"),
            ]);
        }
        Wish::Affinity => {
            let term = |key: &str| json!([{ "topologyKey": key, "labelSelector": selector("group", &group) }]);
            spec["affinity"] = json!({
                "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": term("topology.kubernetes.io/zone") },
                "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": term("kubernetes.io/hostname") },
            });
        }
    }
    let sort = format!("{wish:?}").to_lowercase();
    let labels = json!({ LABEL: run, "sort": sort, "group": group });
    let metadata = json!({ "name": format!("bench-{run}-{index:07}"), "labels": labels });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_with_nodes_are_counted_once() {
        let (finder, mut seen) = (Finder::new(r#""nodeName":""#), HashSet::new());
        let frame = |name: &str, spec: &str| format!(r#"{{"type":"MODIFIED","object":{{"metadata":{{"name":"{name}"}},"spec":{{{spec}}}}}}}"#);
        let placed = r#""nodeName":"n""#;
        for text in [frame("a", ""), frame("a", placed), frame("a", placed), frame("b", placed)] {
            learn(text.as_bytes(), &finder, &mut seen).unwrap();
        }
        assert_eq!(seen.len(), 2);
        assert!(learn(br#"{"type":"ERROR","object":{}}"#, &finder, &mut seen).is_err());
    }

    #[test]
    fn groups_want_each_other() {
        let group = |index| pod(Wish::Affinity, "run", index)["metadata"]["labels"]["group"].clone();
        assert_eq!((group(0), group(99), group(100)), (json!("run-0"), json!("run-0"), json!("run-1")));
        let term = &pod(Wish::Affinity, "run", 7)["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
        assert_eq!(term["labelSelector"]["matchLabels"]["group"], "run-0");
        assert_eq!(pod(Wish::Basic, "run", 0)["spec"].get("affinity"), None);
    }
}

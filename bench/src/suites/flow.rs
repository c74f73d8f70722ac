//! `flow`: the whole way of a Deployment, from `apply` until somebody outside has seen every pod run.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result, bail};
use clap::{Args, value_parser};
use memchr::memmem::Finder;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::config_maps;
use crate::{
    connection::{Lines, Stream},
    latency::Latencies,
    objects::{self, ListHead},
    report::{Report, grouped},
    stage::{Server, Stage},
    usage::Share,
};

/// Where the Deployment is.
const NAMESPACE: &str = "mini-bench-flow";
/// How many pods a node of ours takes, as a real one does.
const NODE_PODS: u32 = 110;

/// Creates a Deployment and waits until a watcher has seen all its pods Running
///
/// Counted are pods; the median and p99 are of the time from the request that creates the Deployment until the watcher sees a pod
/// Running. A server that was named must have the nodes, a scheduler and controllers.
#[derive(Args, Debug)]
pub(crate) struct Flow {
    /// Replicas of the Deployment.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pods: u32,
    /// Nodes to start, or that must be ready.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parser!(u32).range(1..=50_000))]
    nodes: u32,
    /// Give up after so long.
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

impl Flow {
    /// Measures.
    ///
    /// # Errors
    /// When the server refuses or goes away, or not all pods run in time.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        if !stage.is_given() && self.pods > self.nodes.saturating_mul(NODE_PODS) {
            bail!("{} pods do not fit on {} nodes, each of which takes {NODE_PODS}", self.pods, self.nodes);
        }
        let mut server = stage.cluster(self.nodes).await?;
        let run = objects::run();
        let meter = server.meter();
        let rollout = roll_out(&mut server, NAMESPACE, &run, self.pods, Duration::from_secs(self.seconds)).await;
        let usage = meter.stop();
        config_maps::clean(&server, &objects::deployments(NAMESPACE), &run).await;
        let Rollout { wall, delays } = rollout?;
        let what = format!("{} pods on {} nodes{}", grouped(self.pods), grouped(self.nodes), describe(&usage.processes));
        Ok(Report::new("flow", what, self.pods.into(), wall, delays, usage))
    }
}

/// What became of a Deployment.
pub(super) struct Rollout {
    /// From the request that created it until the watcher had seen its last pod Running.
    pub(super) wall: Duration,
    /// The same of each pod.
    pub(super) delays: Latencies,
}

/// Creates the Deployment of a run and waits until a watcher has seen all its pods Running.
///
/// # Errors
/// When the server refuses or goes away, or not all pods run in time.
pub(super) async fn roll_out(server: &mut Server, namespace: &str, run: &str, pods: u32, patience: Duration) -> Result<Rollout> {
    let target = server.target.clone();
    let mut connection = server.connect().await?;
    objects::ensure_namespace(&mut connection, &target, namespace).await?;
    let path = objects::pods(namespace);
    let revision = ListHead::fetch(&mut connection, &target, &path).await?.metadata.resource_version;
    let watch = target.get(&format!("{path}?watch=1&resourceVersion={revision}&labelSelector=mini-bench%3D{run}"))?;
    let stream = server.connect().await?.stream(watch).await?;
    let started = Instant::now();
    let deployment = objects::deployment(&format!("bench-{run}"), run, pods);
    connection.fetch(target.post(&objects::deployments(namespace), deployment)?, &[]).await?;
    let mut seen = Running::default();
    let all = timeout(patience, async {
        tokio::select! {
            ended = watch_until(stream, pods as usize, started, &mut seen) => ended,
            failed = server.fails() => failed.map(|never| match never {}),
        }
    });
    match all.await {
        Ok(ended) => ended?,
        Err(_) => bail!("{} of {pods} pods are Running after {} s", seen.names.len(), patience.as_secs()),
    }
    Ok(Rollout { wall: started.elapsed(), delays: seen.delays })
}

/// Where the CPU time went.
fn describe(processes: &[Share]) -> String {
    let one = |process: &Share| format!("; {} {:.1} CPU s", process.name, process.cpu_seconds);
    processes.iter().map(one).collect()
}

async fn watch_until(mut stream: Stream, wanted: usize, started: Instant, seen: &mut Running) -> Result<()> {
    let running = Finder::new(PHASE);
    let mut lines = Lines::default();
    while seen.names.len() < wanted {
        let chunk = stream.chunk().await?.context("the server ended the watch")?;
        let after = started.elapsed();
        let mut wrong = None;
        lines.push(&chunk, |frame| {
            if let Err(error) = seen.learn(frame, &running, after) {
                wrong = Some(error);
            }
        });
        if let Some(error) = wrong {
            return Err(error);
        }
    }
    Ok(())
}

/// What a frame must contain to be worth decoding.
const PHASE: &str = r#""phase":"Running""#;

/// The pods that were seen Running.
#[derive(Debug, Default)]
struct Running {
    names: HashSet<String>,
    delays: Latencies,
}

#[derive(Deserialize)]
struct Frame {
    r#type: String,
    object: Pod,
}

#[derive(Deserialize)]
struct Pod {
    metadata: Meta,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    phase: String,
}

impl Running {
    /// Learns from a frame that came so long after the start.
    ///
    /// # Errors
    /// When the frame is the end of the watch.
    fn learn(&mut self, frame: &[u8], running: &Finder<'_>, after: Duration) -> Result<()> {
        if frame.starts_with(br#"{"type":"ERROR""#) {
            bail!("the server ended the watch: {}", crate::connection::excerpt(frame));
        }
        if running.find(frame).is_none() {
            return Ok(());
        }
        let Frame { r#type, object } = serde_json::from_slice(frame).context("read a frame of the watch")?;
        if r#type != "DELETED" && object.status.phase == "Running" && self.names.insert(object.metadata.name) {
            self.delays.record(after);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: &str, name: &str, phase: &str) -> String {
        format!(r#"{{"type":"{kind}","object":{{"metadata":{{"name":"{name}"}},"status":{{"phase":"{phase}"}}}}}}"#)
    }

    #[test]
    fn a_pod_counts_once_and_only_when_running() {
        let (finder, mut seen) = (Finder::new(PHASE), Running::default());
        for text in [
            frame("ADDED", "a", "Pending"),
            frame("MODIFIED", "a", "Running"),
            frame("MODIFIED", "a", "Running"),
            frame("DELETED", "b", "Running"),
            frame("ADDED", "c", "Running"),
        ] {
            seen.learn(text.as_bytes(), &finder, Duration::from_secs(1)).unwrap();
        }
        assert_eq!(seen.names, HashSet::from(["a".to_owned(), "c".to_owned()]));
        assert_eq!(seen.delays.len(), 2);
    }

    #[test]
    fn the_end_of_the_watch_is_an_error() {
        let gone = br#"{"type":"ERROR","object":{"kind":"Status","code":410}}"#;
        let error = Running::default().learn(gone, &Finder::new(PHASE), Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("410"));
    }
}

//! `idle`: what a cluster that does nothing uses.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, value_parser};
use tokio::time::{Instant, sleep};

use crate::{
    latency::Latencies,
    report::Report,
    stage::{Server, Stage},
    usage::{Meter, Process, Share},
};

/// The program that stands for the machines, not for the control plane.
const KUBELET: &str = "mini-kubelet";

/// Memory and CPU time of a control plane whose cluster does nothing
///
/// Counted are seconds. The program that plays the nodes is left out. Of a server that was named, the processes given as
/// --server-pid are measured as they are.
#[derive(Args, Debug)]
pub(crate) struct Idle {
    /// Nodes of the cluster that is started.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=50_000))]
    nodes: u32,
    /// How long to look on, after as long to settle.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl Idle {
    /// Measures.
    ///
    /// # Errors
    /// When the cluster does not come up, or its processes are not known.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        let server = if stage.is_given() { stage.apiserver().await? } else { stage.cluster(self.nodes).await? };
        let processes = control_plane(&server);
        if processes.is_empty() {
            bail!("idle needs to know the server's processes; name them with --server-pid");
        }
        let settle = Duration::from_secs(self.seconds);
        sleep(settle).await;
        let meter = Meter::start(&processes);
        let started = Instant::now();
        sleep(settle).await;
        let wall = started.elapsed();
        let usage = meter.stop();
        let mut report = Report::new("idle", describe(&usage.processes), self.seconds, wall, Latencies::default(), usage);
        // Seconds per second tell nothing.
        report.per_second = None;
        Ok(report)
    }
}

fn control_plane(server: &Server) -> Vec<Process> {
    server.processes().iter().filter(|process| process.name != KUBELET).cloned().collect()
}

/// Each process with its resident memory.
fn describe(processes: &[Share]) -> String {
    let one = |process: &Share| format!("{} {} MB", process.name, process.rss.div_ceil(1_000_000));
    processes.iter().map(one).collect::<Vec<_>>().join(", ")
}

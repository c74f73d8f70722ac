//! `growth`: what a pod costs each program, depending on how many pods there are already. It should not depend on it.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, value_parser};

use super::flow::{self, Rollout};
use crate::{
    latency::Latencies,
    objects,
    report::{Report, grouped},
    stage::{Server, Stage},
    usage::{Share, Usage},
};

/// Where the Deployments are.
const NAMESPACE: &str = "mini-bench-growth";
/// The pods of one Deployment of those that are there already.
const CROWD: u32 = 5_000;

/// Runs a Deployment beside more and more pods
///
/// At each size it waits until all programs rest, creates a Deployment, and waits until its pods run and all programs rest again; so
/// the CPU time is that of everything a pod brings about, its Events among it. Counted are the pods of the measured Deployments.
#[derive(Args, Debug)]
pub(crate) struct Growth {
    /// How many pods there are already, in growing order.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1_000, 10_000, 50_000])]
    existing: Vec<u32>,
    /// Replicas of the measured Deployments.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000))]
    pods: u32,
    /// Nodes to start.
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = value_parser!(u32).range(1..=50_000))]
    nodes: u32,
    /// Give up on one Deployment after so long.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

impl Growth {
    /// Measures.
    ///
    /// # Errors
    /// When the server refuses or goes away, or not all pods run in time.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        let mut server = stage.cluster(self.nodes).await?;
        let (mut there, mut steps) = (0, Vec::new());
        let (mut wall, mut delays) = (Duration::ZERO, Latencies::default());
        let mut usage = Usage::default();
        for existing in &self.existing {
            while there < *existing {
                let more = (existing - there).min(CROWD);
                self.add(&mut server, more).await?;
                there += more;
            }
            let meter = server.meter();
            let rollout = self.add(&mut server, self.pods).await?;
            there += self.pods;
            usage = meter.stop();
            wall += rollout.wall;
            delays = rollout.delays;
            steps.push((*existing, usage.processes.clone()));
        }
        let what = format!("{} more pods on {} nodes{}", grouped(self.pods), grouped(self.nodes), describe(&steps, self.pods));
        let measured = u64::from(self.pods) * steps.len() as u64;
        Ok(Report::new("growth", what, measured, wall, delays, Usage { server: None, own: None, ..usage }))
    }

    /// Adds a Deployment of so many pods, and waits for everything it brings about.
    async fn add(&self, server: &mut Server, pods: u32) -> Result<Rollout> {
        let patience = Duration::from_secs(self.seconds);
        let rollout = flow::roll_out(server, NAMESPACE, &objects::run(), pods, patience).await?;
        server.rests(patience).await?;
        Ok(rollout)
    }
}

/// What a pod cost each program at each size.
pub(super) fn describe(steps: &[(u32, Vec<Share>)], pods: u32) -> String {
    let sizes: Vec<String> = steps.iter().map(|(existing, _)| grouped(*existing)).collect();
    let mut text = format!("; CPU µs each beside {} others", sizes.join(" / "));
    for (at, share) in steps.first().map(|(_, shares)| shares.as_slice()).unwrap_or_default().iter().enumerate() {
        let cost = |(_, shares): &(u32, Vec<Share>)| {
            shares.get(at).map_or_else(|| "?".to_owned(), |share| grouped((share.cpu_seconds * 1e6 / f64::from(pods)).round()))
        };
        let costs: Vec<String> = steps.iter().map(cost).collect();
        text += &format!("; {} {}", share.name, costs.join(" / "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_told_by_program_and_size() {
        let share = |name: &str, cpu_seconds| Share { name: name.to_owned(), cpu_seconds, rss: 0 };
        let steps = [(1_000, vec![share("a", 1.0), share("b", 0.5)]), (50_000, vec![share("a", 1.1), share("b", 0.25)])];
        let want = "; CPU µs each beside 1,000 / 50,000 others; a 1,000 / 1,100; b 500 / 250";
        assert_eq!(describe(&steps, 1_000), want);
    }
}

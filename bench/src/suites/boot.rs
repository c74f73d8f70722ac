//! `boot`: from starting an API server with an empty store until it answers its first LIST.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, value_parser};
use tokio::time::Instant;

use crate::{
    latency::Latencies,
    report::Report,
    stage::Stage,
    usage::{self, Usage},
};

/// Starts API servers, one after the other, until each has answered a LIST
#[derive(Args, Debug)]
pub(crate) struct Boot {
    /// Start at most so many.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=1_000))]
    count: u32,
    /// Start new ones for at most so long.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl Boot {
    /// Measures.
    ///
    /// # Errors
    /// When a server was named, or one that was started does not answer.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        if stage.is_given() {
            bail!("boot starts its own API server; leave out --target and --kubeconfig");
        }
        let own = usage::cpu(std::process::id());
        let (mut latencies, mut cpu, mut resident) = (Latencies::default(), Some(Duration::ZERO), None);
        let started = Instant::now();
        let mut wall = Duration::ZERO;
        while latencies.len() < self.count as usize && started.elapsed() < Duration::from_secs(self.seconds) {
            let begun = Instant::now();
            let mut server = stage.spawn()?;
            server.answers("/api/v1/namespaces").await?;
            let took = begun.elapsed();
            latencies.record(took);
            wall += took;
            let pid = server.processes().first().map(|process| process.pid);
            cpu = cpu.zip(pid.and_then(usage::cpu)).map(|(sum, one)| sum + one);
            resident = pid.and_then(usage::resident);
        }
        let own = usage::cpu(std::process::id()).zip(own).map(|(now, before)| now.saturating_sub(before));
        let usage = Usage { server: cpu, own, resident_after: resident, ..Usage::default() };
        let boots = latencies.len() as u64;
        Ok(Report::new("boot", "spawn to first LIST, new store on disk".to_owned(), boots, wall, latencies, usage))
    }
}

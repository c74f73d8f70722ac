//! `create`: how many writes a second many clients get, each write durable before it is answered.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, value_parser};

use super::config_maps::{self, Creates};
use crate::{
    load::{Limits, drive},
    objects,
    report::Report,
    stage::Stage,
};

/// Many clients create ConfigMaps of 1 KB
#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Clients at once, each on a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// Create at most so many.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = value_parser!(u64).range(1..))]
    count: u64,
    /// Create for at most so long.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl Create {
    /// Measures.
    ///
    /// # Errors
    /// When the server refuses a write or goes away.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        let limits = Limits { clients: self.clients, count: self.count, time: Duration::from_secs(self.seconds), rate: None };
        measure("create", stage, limits).await
    }
}

/// The suite for any number of clients, under any name.
///
/// # Errors
/// When the server refuses a write or goes away.
pub(super) async fn measure(name: &'static str, stage: &Stage, limits: Limits) -> Result<Report> {
    let server = stage.apiserver().await?;
    let run = objects::run();
    let load = Creates::prepare(&server, &run).await?;
    let meter = server.meter();
    let outcome = drive(&server.target, limits, load).await;
    let usage = meter.stop();
    config_maps::clean(&server, &objects::config_maps(config_maps::NAMESPACE), &run).await;
    let outcome = outcome?;
    let what = config_maps::sizes(limits.clients, &outcome, "ConfigMaps of 1 KB");
    Ok(Report::new(name, what, outcome.operations(), outcome.wall, outcome.latencies, usage))
}

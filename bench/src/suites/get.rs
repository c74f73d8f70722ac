//! `get`: how many reads of single objects a second.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, value_parser};

use super::config_maps::{self, Gets};
use crate::{
    load::{Limits, drive},
    objects,
    report::Report,
    stage::Stage,
};

/// Many clients get ConfigMaps of 1 KB
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// Clients at once, each on a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// Get at most so many.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..))]
    count: u64,
    /// Get for at most so long.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// So many different ones, created beforehand.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    objects: u32,
}

impl Get {
    /// Measures.
    ///
    /// # Errors
    /// When the server does not have what it acknowledged, or goes away.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        let server = stage.apiserver().await?;
        let run = objects::run();
        let load = Gets::prepare(&server, &run, self.objects).await?;
        let limits = Limits { clients: self.clients, count: self.count, time: Duration::from_secs(self.seconds), rate: None };
        let meter = server.meter();
        let outcome = drive(&server.target, limits, load).await;
        let usage = meter.stop();
        config_maps::clean(&server, &objects::config_maps(config_maps::NAMESPACE), &run).await;
        let outcome = outcome?;
        let what = config_maps::sizes(self.clients, &outcome, "gets of 1 KB");
        Ok(Report::new("get", what, outcome.operations(), outcome.wall, outcome.latencies, usage))
    }
}

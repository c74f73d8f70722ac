//! `create1`: how long one client waits for one durable write.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, value_parser};

use super::create;
use crate::{load::Limits, report::Report, stage::Stage};

/// One client creates ConfigMaps of 1 KB, one after the other
#[derive(Args, Debug)]
pub(crate) struct Create1 {
    /// Create at most so many.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..))]
    count: u64,
    /// Create for at most so long.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl Create1 {
    /// Measures.
    ///
    /// # Errors
    /// When the server refuses a write or goes away.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        let limits = Limits { clients: 1, count: self.count, time: Duration::from_secs(self.seconds), rate: None };
        create::measure("create1", stage, limits).await
    }
}

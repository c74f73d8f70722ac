//! The measured workloads: one driver for our programs and for any other Kubernetes API server.
//!
//! A suite (one file in `suites/`) sets its stage, drives a load, and returns a [`report::Report`]. Nothing here links a server or
//! a Kubernetes client: the driver shares the machine with what it measures, so it writes bytes prepared beforehand and decodes
//! no more of an answer than it must.

mod connection;
mod latency;
mod load;
mod objects;
mod programs;
mod report;
mod stage;
mod suites;
mod target;
mod usage;

use anyhow::{Result, anyhow, bail};
use clap::{Parser, Subcommand};
use mini_daemon::{
    process::{ProcessArgs, Running},
    tasks::Tasks,
};

use crate::{
    report::Report,
    stage::{Stage, StageArgs},
    suites::Suite,
};

/// The command line of `mini-bench`.
#[derive(Parser, Debug)]
#[command(name = "mini-bench", version, about = "Measures a Kubernetes API server: ours, which it starts, or any other")]
pub struct Args {
    /// Logs and seed.
    #[command(flatten)]
    pub process: ProcessArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// Print one JSON object for each suite instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    #[command(flatten)]
    One(Suite),
    /// Every suite with its default sizes, as the table in the README
    All,
}

/// Runs what the command line asks for and prints the figures. Whatever was started has ended when this returns, also when it is
/// interrupted.
///
/// # Errors
/// When a suite cannot run, or the server answers what it should not.
pub fn run(args: Args, tasks: Tasks) -> Running {
    Box::pin(async move {
        let token = tasks.token();
        tokio::select! {
            // Dropping the work ends the programs it started.
            () = token.cancelled() => bail!("interrupted"),
            result = measure(&args) => result,
        }
    })
}

async fn measure(args: &Args) -> Result<()> {
    let stage = Stage::new(&args.stage)?;
    let (reports, failed) = match &args.command {
        Command::One(suite) => (vec![suite.run(&stage).await?], Vec::new()),
        Command::All => all(&stage).await?,
    };
    print(&reports, args.json)?;
    if failed.is_empty() { Ok(()) } else { Err(anyhow!("these suites failed: {}", failed.join(", "))) }
}

/// Runs every suite, and the others also when one fails. Returns the reports and the names of those that failed.
async fn all(stage: &Stage) -> Result<(Vec<Report>, Vec<&'static str>)> {
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    for name in Suite::NAMES {
        // Parsed rather than built, so that the sizes are those --help shows.
        let Command::One(suite) = Args::try_parse_from(["mini-bench", name])?.command else { continue };
        if stage.is_given() && !suite.takes_any_server() {
            tracing::info!(suite = name, "left out: it measures only programs that it starts itself");
            continue;
        }
        tracing::info!(suite = name, "a suite starts");
        match suite.run(stage).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                tracing::error!(suite = name, error = format!("{error:#}"), "a suite failed");
                failed.push(*name);
            }
        }
    }
    Ok((reports, failed))
}

fn print(reports: &[Report], json: bool) -> Result<()> {
    if !json {
        print!("{}", report::table(reports));
        return Ok(());
    }
    for report in reports {
        println!("{}", serde_json::to_string(report)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_suite_runs_without_options() {
        for name in Suite::NAMES {
            assert!(Args::try_parse_from(["mini-bench", name]).is_ok(), "{name}");
        }
    }

    #[test]
    fn options_of_other_suites_are_refused() {
        assert!(Args::try_parse_from(["mini-bench", "create", "--clients", "8", "--count", "10", "--seconds", "1"]).is_ok());
        assert!(Args::try_parse_from(["mini-bench", "create", "--nodes", "8"]).is_err());
        assert!(Args::try_parse_from(["mini-bench", "create", "--clients", "0"]).is_err());
        assert!(Args::try_parse_from(["mini-bench", "--target", "http://x", "--kubeconfig", "f", "get"]).is_err());
    }
}

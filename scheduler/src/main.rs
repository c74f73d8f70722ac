//! `mini-scheduler`: chooses a node for every pod that has none.

use clap::Parser;
use mini_daemon::{connect::ConnectArgs, process::ProcessArgs, process::run};

#[derive(Parser)]
#[command(version, about = "Chooses a node for every pod that has none")]
struct Args {
    #[command(flatten)]
    api: ConnectArgs,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    config: mini_scheduler::Config,
}

fn main() -> std::process::ExitCode {
    let Args { api, process, config } = Args::parse();
    run("mini-scheduler", &process, |tasks| async move { mini_scheduler::run(api.client("kube-scheduler").await?, config, tasks).await })
}

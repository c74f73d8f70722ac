//! `mini-apiserver`: the Kubernetes API over a store of its own.

use std::process::ExitCode;

use clap::Parser;
use mini_daemon::process::{self, ProcessArgs};

#[derive(Parser)]
#[command(name = "mini-apiserver", version, about = "The Kubernetes API over a store of its own")]
struct Args {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    config: mini_apiserver::Config,
}

fn main() -> ExitCode {
    let args = Args::parse();
    process::run("mini-apiserver", &args.process, |tasks| mini_apiserver::run(args.config.clone(), tasks))
}

//! `mini-apiserver`: the Kubernetes API over a store of its own.

use clap::Parser;
use mini_apiserver::Args;
use mini_daemon::process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let Args { process, config } = Args::parse();
    process::run("mini-apiserver", &process, |tasks| mini_apiserver::run(config.clone(), tasks))
}

//! `mini-bench`: measures a Kubernetes API server, ours or any other.

use clap::Parser;
use mini_daemon::process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let args = mini_bench::Args::parse();
    process::run("mini-bench", &args.process.clone(), |tasks| mini_bench::run(args, tasks))
}

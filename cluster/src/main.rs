//! `mini-cluster`: the whole of mini as one program.

use std::process::ExitCode;

use clap::Parser;
use mini_daemon::process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = mini_cluster::Args::parse();
    process::run("mini-cluster", &args.process, |tasks| mini_cluster::serve(args.clone(), tasks))
}

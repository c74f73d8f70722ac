//! `mini-scheduler`: chooses a node for every pod that has none.

use clap::Parser;
use mini_daemon::process;
use mini_scheduler::{Args, Desk};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let Args { process, connect, election, config } = Args::parse();
    let desk = Desk::default();
    process::run_with("mini-scheduler", &process, desk.clone().routes(), |tasks| {
        Box::pin(async move { mini_scheduler::lead(connect.client(mini_scheduler::AGENT).await?, election, config, desk, tasks).await })
    })
}

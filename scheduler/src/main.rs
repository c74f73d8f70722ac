//! `mini-scheduler`: chooses a node for every pod that has none.

use clap::Parser;
use mini_daemon::process;
use mini_scheduler::Args;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let Args { process, connect, election, config } = Args::parse();
    process::run("mini-scheduler", &process, |tasks| {
        Box::pin(async move { mini_scheduler::lead(connect.client(mini_scheduler::AGENT).await?, election, config, tasks).await })
    })
}

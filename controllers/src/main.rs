//! `mini-controllers`: the controllers as a program.

use clap::Parser;
use mini_controllers::Args;
use mini_daemon::process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let Args { process, connect, election, config } = Args::parse();
    process::run("mini-controllers", &process, |tasks| {
        Box::pin(async move { mini_controllers::lead(connect.client(mini_controllers::AGENT).await?, election, config, tasks).await })
    })
}

//! `mini-controllers`: the controllers as a program.

use clap::Parser;
use mini_controllers::Args;
use mini_daemon::process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let args = Args::parse();
    process::run("mini-controllers", &args.process, async |tasks| {
        let client = args.connect.client("mini-controllers").await?;
        mini_controllers::run(client, args.config.clone(), tasks).await
    })
}

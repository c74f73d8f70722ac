//! `mini-kubelet`: one node, or many in one process.

use clap::Parser;
use mini_daemon::process;
use mini_kubelet::Args;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let Args { process, connect, mut config } = Args::parse();
    process::run("mini-kubelet", &process, |tasks| {
        Box::pin(async move {
            config.api_server = Some(connect.address().await?);
            mini_kubelet::run(connect.client(mini_kubelet::AGENT).await?, config, tasks).await
        })
    })
}

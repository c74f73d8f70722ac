//! From `main` to a running program: logs, the runtime, signals, the exit code.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use clap::Args;
use futures::future::BoxFuture;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{admin, clock, tasks::Tasks};

/// A program at work. Boxed on purpose: the compiler builds an `async fn` of another crate anew in every crate that awaits it, and
/// so would build all of a program again for its `main`, and again for `mini-cluster`.
pub type Running = BoxFuture<'static, Result<()>>;

/// What this machine calls itself.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Flags of every program.
#[derive(Args, Clone, Debug)]
pub struct ProcessArgs {
    /// What to log, as tracing's filter: `info`, `debug`, `mini_scheduler=debug,info`, … The client library, which calls every
    /// refused connection an error, is silent unless asked: our own code says what matters about them.
    #[arg(long, env = "MINI_LOG", default_value = "info,kube_client=off", value_name = "FILTER")]
    pub log: String,
    /// Makes random numbers, UIDs and generated names repeatable.
    #[arg(long, env = "MINI_SEED", value_name = "N")]
    pub seed: Option<u64>,
    /// Serves /healthz, /readyz and /metrics here.
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<SocketAddr>,
}

/// As [`run_with`], for a program whose admin port has only what every program's has.
pub fn run(name: &'static str, args: &ProcessArgs, main: impl FnOnce(Tasks) -> Running) -> ExitCode {
    run_with(name, args, Router::new(), main)
}

/// Runs a program: `main` gets the root set of tasks, whose token SIGINT and SIGTERM cancel.
///
/// Its admin port, if it has one, serves these routes as well. The exit code is 0 when `main` ends well; otherwise the error is
/// printed on one line and the code is 1.
pub fn run_with(name: &'static str, args: &ProcessArgs, routes: Router, main: impl FnOnce(Tasks) -> Running) -> ExitCode {
    match start(name, args, routes, Box::new(main)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "{name} ends");
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Asks the kernel, for this thread and those it will start, not to take a core from a program that is at work when there is
/// something to do, but to wait for its turn. The components of a cluster wake each other all the time; where there are fewer cores
/// than components, each gets more done in a turn and finds its caches warm. Where a core is free nothing changes.
fn yield_politely() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
        };
        // Whoever was started nicer than usual stays so.
        if rustix::process::getpriority_process(None) != Ok(0) {
            return;
        }
        let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Os(Default::default()), batch) {
            tracing::debug!(?error, "the kernel schedules this program as any other");
        }
    }
}

fn start(name: &'static str, args: &ProcessArgs, routes: Router, main: Box<dyn FnOnce(Tasks) -> Running + '_>) -> Result<()> {
    let filter = EnvFilter::try_new(&args.log).context("read --log")?;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // A second program in the same process (as in tests) keeps the first one's logs.
    let _ = tracing_subscriber::registry().with(filter).with(fmt::layer().with_writer(std::io::stderr).with_ansi(ansi)).try_init();
    if let Some(seed) = args.seed {
        clock::seed(seed);
    }
    yield_politely();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("build the runtime")?;
    let result = runtime.block_on(async {
        let tasks = Tasks::new();
        let token = tasks.token();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut side = tasks.child();
        if let Some(address) = args.admin_listen {
            let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
            side.spawn("admin", admin::serve(listener, routes, side.token()));
        }
        let mut main = main(tasks);
        tokio::select! {
            result = &mut main => return result,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("{name} stops");
        token.cancel();
        // Whoever asks twice does not want to wait for what is under way.
        let result = tokio::select! {
            result = main => result,
            _ = interrupt.recv() => Err(anyhow!("interrupted while stopping")),
            _ = terminate.recv() => Err(anyhow!("terminated while stopping")),
        };
        side.join().await.and(result)
    });
    runtime.shutdown_background();
    result
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use thread_priority::{NormalThreadSchedulePolicy::*, ThreadSchedulePolicy::Normal, thread_schedule_policy};

    use super::*;

    #[test]
    fn a_program_and_all_its_threads_wait_for_their_turn() {
        // In a thread of its own, so that no other test does.
        let (before, after, below) = thread::spawn(|| {
            let before = thread_schedule_policy().unwrap();
            yield_politely();
            (before, thread_schedule_policy().unwrap(), thread::spawn(thread_schedule_policy).join().unwrap().unwrap())
        })
        .join()
        .unwrap();
        let wanted = if rustix::process::getpriority_process(None) == Ok(0) { Normal(Batch) } else { before };
        assert_eq!((after, below), (wanted, wanted));
    }
}

//! How a program ends, and how it complains.

use std::{fmt::Display, future::Future};

use crate::{Ctx, Errno};

/// Why a program ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// With this code; what was to be said has been said.
    Exit(i32),
    /// Its standard output failed.
    Output(Errno),
    /// Its input failed while it was read.
    Input(Errno),
}

/// What a program comes to: its exit code.
pub(crate) type Outcome = Result<i32, Stop>;

/// The name a program was called by.
pub(crate) fn name(ctx: &Ctx) -> &str {
    let called = ctx.args().first().map_or("", String::as_str);
    called.rsplit('/').next().unwrap_or(called).trim_start_matches('-')
}

/// Says what is wrong: `cat: TEXT`.
pub(crate) async fn complain(ctx: &Ctx, text: impl Display + Send) {
    let line = format!("{}: {text}\n", name(ctx));
    ctx.err(line).await;
}

/// Says what is wrong and stops with 1.
pub(crate) async fn fail(ctx: &Ctx, text: impl Display + Send) -> Stop {
    let line = format!("{}: {text}\n", name(ctx));
    ctx.err(line).await;
    Stop::Exit(1)
}

/// Runs a program to its exit code.
pub(crate) async fn end(ctx: Ctx, program: impl Future<Output = Outcome> + Send) -> i32 {
    match program.await {
        Ok(code) | Err(Stop::Exit(code)) => code,
        Err(Stop::Output(errno)) => {
            complain(&ctx, format!("write error: {errno}")).await;
            1
        }
        Err(Stop::Input(errno)) => {
            complain(&ctx, format!("read error: {errno}")).await;
            1
        }
    }
}

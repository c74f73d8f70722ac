//! `killall`: sends signals to processes by name.

use super::hand::{Outcome, Usage, complain, fail};
use crate::{Ctx, Signal, shell::builtin::kill::run};

const USAGE: Usage = Usage::operands("[-lq] [-SIG] PROCESS_NAME...");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let mut rest = ctx.args().get(1..).unwrap_or_default();
    let (mut signal, mut quiet) = (Signal::TERM, false);
    while let Some(option) = rest.first().and_then(|first| first.strip_prefix('-')) {
        match option {
            "l" => {
                ctx.out(run(&ctx, &["-l".to_owned()]).text).await.map_err(super::hand::Stop::Output)?;
                return Ok(0);
            }
            "q" => quiet = true,
            "s" if rest.len() > 1 => {
                rest = &rest[1..];
                signal = named(&ctx, &rest[0]).await?;
            }
            name => signal = named(&ctx, name).await?,
        }
        rest = &rest[1..];
    }
    if rest.is_empty() {
        return Err(USAGE.explain(&ctx).await);
    }
    let mut missing = 0;
    for name in rest {
        let named: Vec<_> = ctx.processes().into_iter().filter(|process| process.name == *name && process.pid != ctx.pid()).collect();
        if named.is_empty() {
            if !quiet {
                complain(&ctx, format!("{name}: no process killed")).await;
            }
            missing += 1;
        }
        for process in named {
            if let Err(errno) = ctx.kill(process.pid, Some(signal)) {
                complain(&ctx, format!("can't kill pid {}: {errno}", process.pid)).await;
                missing += 1;
            }
        }
    }
    Ok(missing.min(255))
}

async fn named(ctx: &Ctx, name: &str) -> Result<Signal, super::hand::Stop> {
    match Signal::parse(name) {
        Some(signal) => Ok(signal),
        None => Err(fail(ctx, format!("bad signal name '{name}'")).await),
    }
}

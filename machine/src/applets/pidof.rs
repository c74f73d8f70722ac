//! `pidof`: the numbers of processes by name.

use super::hand::{Outcome, Stop, Usage};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-s] [-o PID] [NAME]...", "so:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let left_out: Vec<i32> = given.values('o').filter_map(|pid| if pid == "%PPID" { Some(ctx.ppid()) } else { pid.parse().ok() }).collect();
    let named = |process: &crate::kernel::ProcessInfo| {
        given
            .operands
            .iter()
            .any(|name| process.name == *name || process.args.first().is_some_and(|first| super::hand::base(first) == name))
    };
    let mut pids: Vec<i32> = ctx.processes().iter().filter(|process| named(process)).map(|process| process.pid).collect();
    pids.retain(|pid| !left_out.contains(pid));
    // The youngest come first.
    pids.reverse();
    if given.has('s') {
        pids.truncate(1);
    }
    if pids.is_empty() {
        return Ok(1);
    }
    let text: Vec<String> = pids.iter().map(i32::to_string).collect();
    ctx.out(format!("{}\n", text.join(" "))).await.map_err(Stop::Output)?;
    Ok(0)
}

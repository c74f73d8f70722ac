//! `timeout`: a program, and a signal if it takes too long.

use super::hand::{Outcome, Usage, duration, fail, started};
use crate::{
    Ctx, Signal,
    kernel::{Spawn, Status, Waiting},
};

const USAGE: Usage = Usage::short("[-s SIG] [-k KILL_SECS] SECS PROG ARGS", "+s:k:pf");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 2, usize::MAX).await?;
    let signal = match given.value('s').map(Signal::parse) {
        Some(None) => return Err(fail(&ctx, format!("unknown signal '{}'", given.value('s').unwrap_or_default())).await),
        Some(Some(signal)) => signal,
        None => Signal::TERM,
    };
    let Some(limit) = duration(&given.operands[0]) else { return Err(fail(&ctx, format!("invalid number '{}'", given.operands[0])).await) };
    let hard = given.value('k').and_then(duration);
    let args = given.operands[1..].to_vec();
    let pid = started(&ctx, Spawn { file: args[0].clone(), args, ..Spawn::default() }).await?;
    let code = |status: Status| status.code();
    let waiting = ctx.wait(Waiting::Pid(pid));
    if let (false, Ok(Ok((_, status)))) = (limit.is_zero(), tokio::time::timeout(limit, waiting).await) {
        return Ok(code(status));
    }
    if limit.is_zero() {
        return Ok(ctx.wait(Waiting::Pid(pid)).await.map_or(1, |(_, status)| code(status)));
    }
    let _ = ctx.kill(pid, Some(signal));
    let ended = match hard {
        Some(hard) => match tokio::time::timeout(hard, ctx.wait(Waiting::Pid(pid))).await {
            Ok(ended) => ended,
            Err(_) => {
                let _ = ctx.kill(pid, Some(Signal::KILL));
                ctx.wait(Waiting::Pid(pid)).await
            }
        },
        None => ctx.wait(Waiting::Pid(pid)).await,
    };
    Ok(ended.map_or(1, |(_, status)| code(status)))
}

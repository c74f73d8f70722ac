//! `nohup`, `setsid`, `nice`, `ionice`, `chrt`: another program, under other circumstances.

use super::hand::{Outcome, Usage, complain, execute, name};
use crate::{Ctx, Signal, files::Open, kernel::Disposition};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let called = name(&ctx).to_owned();
    let usage = match called.as_str() {
        "nice" => Usage::short("[-n ADJUST] [PROG ARGS]", "+n:"),
        "setsid" => Usage::short("[-c] PROG ARGS", "+cw"),
        _ => Usage::short("PROG ARGS", "+"),
    };
    let given = usage.parse(&ctx).await?;
    if given.operands.is_empty() {
        if called == "nice" {
            ctx.out("0\n").await.map_err(super::hand::Stop::Output)?;
            return Ok(0);
        }
        return Err(usage.explain(&ctx).await);
    }
    match called.as_str() {
        "nohup" => {
            let _ = ctx.set_disposition(Signal::HUP, Disposition::Ignore);
            if ctx.is_terminal(0)
                && let Ok(null) = ctx.open("/dev/null", Open::READ).await
            {
                let _ = ctx.dup2(null, 0);
            }
            if ctx.is_terminal(1) {
                complain(&ctx, "appending output to nohup.out").await;
                match ctx.open("nohup.out", Open::APPEND).await {
                    Ok(fd) => _ = ctx.dup2(fd, 1),
                    Err(errno) => {
                        complain(&ctx, format!("can't open 'nohup.out': {errno}")).await;
                        return Ok(127);
                    }
                }
            }
            if ctx.is_terminal(2) {
                let _ = ctx.dup2(1, 2);
            }
        }
        "setsid" => _ = ctx.set_group(0, 0),
        _ => {}
    }
    Err(execute(&ctx, &given.operands, ctx.env().to_vec()).await)
}

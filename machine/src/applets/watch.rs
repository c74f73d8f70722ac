//! `watch`: a program again and again.

use std::time::Duration;

use super::hand::{Clock, Outcome, Stop, Usage, duration, started};
use crate::{
    Ctx,
    kernel::{Spawn, Waiting},
};

const USAGE: Usage = Usage::short("[-n SEC] [-t] PROG ARGS", "+dtn:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let pause = given.value('n').and_then(duration).unwrap_or(Duration::from_secs(2)).max(Duration::from_millis(100));
    let command = given.operands.join(" ");
    let width = ctx.size(1).map_or(80, |size| usize::from(size.columns));
    loop {
        let mut text = "\x1b[H\x1b[J".to_owned();
        if !given.has('t') {
            let time = Clock::of(&ctx).format(ctx.now(), "%Y-%m-%d %H:%M:%S");
            let left: String =
                format!("Every {:.1}s: {command}", pause.as_secs_f64()).chars().take(width.saturating_sub(time.len() + 1)).collect();
            text += &format!("{left:<gap$}{time}\n\n", gap = width.saturating_sub(time.len()));
        }
        ctx.out(text).await.map_err(Stop::Output)?;
        let args = ["sh", "-c", &command].map(str::to_owned).to_vec();
        let pid = started(&ctx, Spawn { file: "sh".to_owned(), args, ..Spawn::default() }).await?;
        let _ = ctx.wait(Waiting::Pid(pid)).await;
        let _ = ctx.sleep(pause).await;
    }
}

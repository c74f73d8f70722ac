//! `time`: how long a program takes.

use super::hand::{Outcome, Usage, started};
use crate::{
    Ctx,
    kernel::{Spawn, Waiting},
};

const USAGE: Usage = Usage::short("[-vpa] [-o FILE] PROG ARGS", "+vpao:f:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let begin = tokio::time::Instant::now();
    let args = given.operands.clone();
    let pid = started(&ctx, Spawn { file: args[0].clone(), args, ..Spawn::default() }).await?;
    let code = ctx.wait(Waiting::Pid(pid)).await.map_or(1, |(_, status)| status.code());
    let seconds = begin.elapsed().as_secs_f64();
    let own = if given.has('p') {
        format!("real {seconds:.2}\nuser 0.00\nsys 0.00\n")
    } else {
        let show = |seconds: f64| format!("{}m {:.2}s", (seconds / 60.0) as u64, seconds % 60.0);
        format!("real\t{}\nuser\t{}\nsys\t{}\n", show(seconds), show(0.0), show(0.0))
    };
    ctx.err(own).await;
    Ok(code)
}

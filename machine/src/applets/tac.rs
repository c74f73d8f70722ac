//! `tac`: the last line first.

use super::hand::{Out, Outcome, Stop, Usage, open_or_complain};
use crate::Ctx;

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = Usage::operands("[FILE]...").parse(&ctx).await?;
    let (mut out, mut code, mut lines, mut held) = (Out::new(&ctx), 0, Vec::new(), Vec::new());
    for file in given.files() {
        let Some(mut input) = open_or_complain(&ctx, &file, false).await else {
            code = 1;
            continue;
        };
        while let Some(line) = input.line().await.map_err(Stop::Input)? {
            held.push(ctx.allocate(line.len() as u64 + 24).map_err(Stop::Input)?);
            lines.push(line);
        }
    }
    for line in lines.iter().rev() {
        out.put(line).await?;
    }
    drop(held);
    out.end(code).await
}

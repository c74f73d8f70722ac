//! `unlink`, `link`: one name less or more.

use super::hand::{Outcome, Usage, fail, name};
use crate::Ctx;

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    if name(&ctx) == "link" {
        let given = Usage::operands("FILE LINK").parse_some(&ctx, 2, 2).await?;
        let (from, to) = (&given.operands[0], &given.operands[1]);
        return match ctx.link(from, to) {
            Ok(()) => Ok(0),
            Err(errno) => Err(fail(&ctx, format!("can't create link '{to}' to '{from}': {errno}")).await),
        };
    }
    let given = Usage::operands("FILE").parse_some(&ctx, 1, 1).await?;
    match ctx.unlink(&given.operands[0]) {
        Ok(()) => Ok(0),
        Err(errno) => Err(fail(&ctx, format!("can't remove file '{}': {errno}", given.operands[0])).await),
    }
}

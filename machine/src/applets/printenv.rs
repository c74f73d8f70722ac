//! `printenv`: variables of the environment.

use super::hand::{Out, Outcome, Usage};
use crate::Ctx;

const USAGE: Usage = Usage::operands("[VARIABLE]...");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let (mut out, mut code) = (Out::new(&ctx), 0);
    if given.operands.is_empty() {
        for (name, value) in ctx.env() {
            out.line(format!("{name}={value}")).await?;
        }
    }
    for name in &given.operands {
        match ctx.var(name) {
            Some(value) => out.line(value).await?,
            None => code = 1,
        }
    }
    out.end(code).await
}

//! `yes`: the same line, again and again.

use super::hand::{Out, Outcome};
use crate::Ctx;

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let words = ctx.args().get(1..).unwrap_or_default();
    let line = if words.is_empty() { "y".to_owned() } else { words.join(" ") };
    let mut out = Out::new(&ctx);
    loop {
        out.line(&line).await?;
        ctx.step(1).await;
    }
}

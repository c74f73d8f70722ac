//! `sleep`: waits.

use std::time::Duration;

use super::hand::{Outcome, Usage, duration, fail};
use crate::Ctx;

const USAGE: Usage = Usage::operands("[N]...");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let mut all = Duration::ZERO;
    for text in &given.operands {
        let Some(time) = duration(text) else { return Err(fail(&ctx, format!("invalid number '{text}'")).await) };
        all = all.saturating_add(time);
    }
    let _ = ctx.sleep(all).await;
    Ok(0)
}

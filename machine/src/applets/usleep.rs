//! `usleep`: waits microseconds.

use std::time::Duration;

use super::hand::{Outcome, Usage, fail};
use crate::Ctx;

const USAGE: Usage = Usage::operands("N");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, 1).await?;
    let Ok(time) = given.operands[0].parse::<u32>() else {
        return Err(fail(&ctx, format!("invalid number '{}'", given.operands[0])).await);
    };
    let _ = ctx.sleep(Duration::from_micros(time.into())).await;
    Ok(0)
}

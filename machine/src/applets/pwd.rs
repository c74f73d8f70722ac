//! `pwd`: where it is.

use super::hand::{Outcome, Stop};
use crate::Ctx;

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    ctx.out(format!("{}\n", ctx.cwd())).await.map_err(Stop::Output)?;
    Ok(0)
}

//! `nproc`: how many processors there are: one.

use super::hand::{Outcome, Stop};
use crate::Ctx;

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    ctx.out("1\n").await.map_err(Stop::Output)?;
    Ok(0)
}

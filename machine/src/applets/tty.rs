//! `tty`: which terminal it is.

use super::hand::{Outcome, Stop, Usage};
use crate::Ctx;

const USAGE: Usage = Usage::short("", "s");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let is = ctx.is_terminal(0);
    if !given.has('s') {
        ctx.out(if is { "/dev/pts/0\n" } else { "not a tty\n" }).await.map_err(Stop::Output)?;
    }
    Ok(i32::from(!is))
}

//! `dirname`: a path without its last part.

use super::hand::{Out, Outcome, Usage, parent};
use crate::Ctx;

const USAGE: Usage = Usage::operands("FILENAME");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, 1).await?;
    let mut out = Out::new(&ctx);
    out.line(parent(&given.operands[0])).await?;
    out.end(0).await
}

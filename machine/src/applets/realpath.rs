//! `realpath`: paths without symlinks.

use super::hand::{Out, Outcome, Usage, complain};
use crate::Ctx;

const USAGE: Usage = Usage::operands("FILE...");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in &given.operands {
        match ctx.canonical(file) {
            Ok(path) => out.line(path).await?,
            Err(errno) => {
                complain(&ctx, format!("{file}: {errno}")).await;
                code = 1;
            }
        }
    }
    out.end(code).await
}

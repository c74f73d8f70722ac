//! `readlink`: where symlinks lead.

use super::hand::{Outcome, Stop, Usage};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-fnv] FILE", "fnvsqem");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let mut code = 0;
    for file in &given.operands {
        let found = if given.has('e') {
            ctx.stat(file).and_then(|_| ctx.canonical(file))
        } else if given.has('f') || given.has('m') {
            ctx.canonical(file)
        } else {
            ctx.readlink(file)
        };
        match found {
            Ok(path) => ctx.out(format!("{path}{}", if given.has('n') { "" } else { "\n" })).await.map_err(Stop::Output)?,
            Err(errno) => {
                if given.has('v') {
                    super::hand::complain(&ctx, format!("{file}: {errno}")).await;
                }
                code = 1;
            }
        }
    }
    Ok(code)
}

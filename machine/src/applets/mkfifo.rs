//! `mkfifo`: makes named pipes.

use super::hand::{Outcome, Usage, apply_mode, complain, fail};
use crate::Ctx;

const USAGE: Usage = Usage::short("[-m MODE] NAME", "m:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let mode = match given.value('m') {
        Some(text) => match apply_mode(text, 0o666, false, 0) {
            Some(mode) => mode,
            None => return Err(fail(&ctx, format!("invalid mode '{text}'")).await),
        },
        None => 0o666,
    };
    let mut code = 0;
    for path in &given.operands {
        if let Err(errno) = ctx.mkfifo(path, mode) {
            complain(&ctx, format!("{path}: {errno}")).await;
            code = 1;
        }
    }
    Ok(code)
}

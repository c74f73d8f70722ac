//! `truncate`: makes files shorter or longer.

use super::hand::{Outcome, Usage, complain, fail, suffixed};
use crate::{Ctx, files::Open};

const USAGE: Usage = Usage::short("[-c] -s SIZE FILE...", "cs:");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let Some(text) = given.value('s') else { return Err(USAGE.explain(&ctx).await) };
    let (sign, digits) = if text.starts_with(['+', '-']) { text.split_at(1) } else { ("", text) };
    let Some(size) = suffixed(digits) else { return Err(fail(&ctx, format!("invalid number '{text}'")).await) };
    let mut code = 0;
    for file in &given.operands {
        let before = ctx.stat(file).ok().map(|stat| stat.size);
        if before.is_none() {
            if given.has('c') {
                continue;
            }
            match ctx.open(file, Open { truncate: false, ..Open::WRITE }).await {
                Ok(fd) => _ = ctx.close(fd),
                Err(errno) => {
                    complain(&ctx, format!("{file}: open: {errno}")).await;
                    code = 1;
                    continue;
                }
            }
        }
        let before = before.unwrap_or(0);
        let size = match sign {
            "+" => before.saturating_add(size),
            "-" => before.saturating_sub(size),
            _ => size,
        };
        if let Err(errno) = ctx.truncate(file, size) {
            complain(&ctx, format!("{file}: truncate: {errno}")).await;
            code = 1;
        }
    }
    Ok(code)
}

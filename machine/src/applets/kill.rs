//! `kill`: sends signals, as the shell's own does.

use super::hand::{Outcome, Stop, complain};
use crate::{Ctx, shell::builtin::kill::run};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let killed = run(&ctx, ctx.args().get(1..).unwrap_or_default());
    ctx.out(killed.text).await.map_err(Stop::Output)?;
    for complaint in killed.complaints {
        complain(&ctx, complaint).await;
    }
    Ok(killed.status)
}

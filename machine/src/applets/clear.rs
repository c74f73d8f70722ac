//! `clear`, `reset`: an empty screen.

use super::hand::{Outcome, Stop, name};
use crate::{Ctx, kernel::Modes};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    if name(&ctx) == "reset" {
        let _ = ctx.set_modes(0, Modes::COOKED);
        ctx.out("\x1bc\x1b(B\x1b[m\x1b[J\x1b[?25h").await.map_err(Stop::Output)?;
    } else {
        ctx.out("\x1b[H\x1b[J").await.map_err(Stop::Output)?;
    }
    Ok(0)
}

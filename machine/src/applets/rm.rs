//! `rm`: removes files.

use super::hand::{Follow, Found, Outcome, Usage, Visit, Walk, base, complain, confirmed};
use crate::{Ctx, Errno};

const USAGE: Usage = Usage { syntax: "[-irf] FILE...", short: "firRd", long: &[("force", 'f'), ("recursive", 'r'), ("interactive", 'i')] };

#[derive(Clone, Copy)]
struct How {
    force: bool,
    ask: bool,
    recursive: bool,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let how =
        How { force: given.last_of("fi") == Some('f'), ask: given.last_of("fi") == Some('i'), recursive: given.has('r') || given.has('R') };
    if given.operands.is_empty() {
        return if how.force { Ok(0) } else { Err(USAGE.explain(&ctx).await) };
    }
    let mut fine = true;
    for file in &given.operands {
        if matches!(base(file), "." | "..") {
            complain(&ctx, "can't remove '.' or '..'").await;
            fine = false;
            continue;
        }
        fine &= remove(&ctx, file, how).await;
    }
    Ok(i32::from(!fine))
}

async fn remove(ctx: &Ctx, path: &str, how: How) -> bool {
    let mut walk = Walk::new(ctx, path, Follow::Never);
    let mut fine = true;
    while let Some(visit) = walk.next().await {
        match visit {
            Visit::Lost(_, Errno::ENOENT) if how.force => {}
            Visit::Lost(path, errno) => {
                complain(ctx, format!("can't remove '{path}': {errno}")).await;
                fine = false;
            }
            Visit::Closed(found, errno) => {
                // An empty one that cannot be read can be removed all the same.
                if ctx.rmdir(&found.path).is_err() {
                    complain(ctx, format!("can't open '{}': {errno}", found.path)).await;
                    fine = false;
                }
            }
            Visit::Before(found) if found.is_directory() => {
                if !how.recursive {
                    complain(ctx, format!("'{}' is a directory", found.path)).await;
                    return false;
                }
                if asks(ctx, &found, how) && !confirmed(ctx, &format!("descend into directory '{}'? ", found.path)).await {
                    walk.skip();
                }
            }
            Visit::Before(found) => {
                if !asks(ctx, &found, how) || confirmed(ctx, &format!("remove '{}'? ", found.path)).await {
                    fine &= gone(ctx, &found.path, ctx.unlink(&found.path)).await;
                }
            }
            Visit::After(found) => {
                if !how.ask || confirmed(ctx, &format!("remove directory '{}'? ", found.path)).await {
                    fine &= gone(ctx, &found.path, ctx.rmdir(&found.path)).await;
                }
            }
        }
    }
    fine
}

/// Whether it is asked first: with `-i`, and before what may not be written is removed by somebody at a terminal.
fn asks(ctx: &Ctx, found: &Found, how: How) -> bool {
    how.ask || !how.force && ctx.is_terminal(0) && ctx.access(&found.path, 2).is_err() && ctx.readlink(&found.path).is_err()
}

async fn gone(ctx: &Ctx, path: &str, removed: Result<(), Errno>) -> bool {
    if let Err(errno) = removed {
        complain(ctx, format!("can't remove '{path}': {errno}")).await;
    }
    removed.is_ok()
}

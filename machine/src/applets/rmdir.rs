//! `rmdir`: removes empty directories.

use super::hand::{Outcome, Usage, complain, parent};
use crate::{Ctx, Errno};

const USAGE: Usage = Usage { syntax: "[-p] DIRECTORY...", short: "pi", long: &[("parents", 'p'), ("ignore-fail-on-non-empty", 'i')] };

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let mut code = 0;
    for directory in &given.operands {
        let mut path = directory.as_str();
        loop {
            match ctx.rmdir(path) {
                Err(Errno::ENOTEMPTY) if given.has('i') => break,
                Err(errno) => {
                    complain(&ctx, format!("'{path}': {errno}")).await;
                    code = 1;
                    break;
                }
                Ok(()) => {}
            }
            let above = parent(path);
            if !given.has('p') || above == "." || above == "/" {
                break;
            }
            path = above;
        }
    }
    Ok(code)
}

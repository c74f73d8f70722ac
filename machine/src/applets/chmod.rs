//! `chmod`: changes permission bits.

use super::hand::{Follow, Outcome, Stop, Usage, Visit, Walk, apply_mode, complain, fail};
use crate::{Ctx, files::Kind};

const USAGE: Usage = Usage::short("[-Rcvf] MODE[,MODE]... FILE...", "Rvcf");

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    // `-x` and the like are modes.
    let args = ctx.args();
    let mode_at = args
        .iter()
        .skip(1)
        .position(|arg| !arg.starts_with('-') || arg.len() > 1 && arg[1..].starts_with(['r', 'w', 'x', 'X', 's', 't']) && arg != "-R");
    let mut split = args.to_vec();
    if let Some(at) = mode_at
        && args[at + 1].starts_with('-')
    {
        split.insert(at + 1, "--".to_owned());
    }
    let ctx = ctx.with_args(split);
    let given = USAGE.parse_some(&ctx, 2, usize::MAX).await?;
    let (mode, files) = (&given.operands[0], &given.operands[1..]);
    if apply_mode(mode, 0, false, 0).is_none() {
        return Err(fail(&ctx, format!("invalid mode '{mode}'")).await);
    }
    let mut code = 0;
    for file in files {
        let mut walk = Walk::new(&ctx, file, Follow::Named);
        while let Some(visit) = walk.next().await {
            let found = match visit {
                Visit::Before(found) => found,
                Visit::After(_) => continue,
                Visit::Lost(path, errno) => {
                    complain(&ctx, format!("{path}: {errno}")).await;
                    code = 1;
                    continue;
                }
                Visit::Closed(found, errno) => {
                    complain(&ctx, format!("can't open '{}': {errno}", found.path)).await;
                    code = 1;
                    continue;
                }
            };
            if !given.has('R') {
                walk.skip();
            }
            if found.stat.kind == Kind::Symlink && found.depth > 0 {
                continue;
            }
            let new = apply_mode(mode, found.stat.mode, found.is_directory(), ctx.umask()).unwrap_or(found.stat.mode);
            if let Err(errno) = ctx.chmod(&found.path, new) {
                if !given.has('f') {
                    complain(&ctx, format!("{}: {errno}", found.path)).await;
                }
                code = 1;
            } else if given.has('v') || given.has('c') && new != found.stat.mode {
                let letters = &super::hand::mode_letters(Kind::File, new)[1..];
                ctx.out(format!("mode of '{}' changed to {new:04o} ({letters})\n", found.path)).await.map_err(Stop::Output)?;
            }
        }
    }
    Ok(code)
}

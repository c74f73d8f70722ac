//! `ln`: gives files more names.

use super::hand::{Outcome, Stop, Usage, base, complain, join};
use crate::{Ctx, files::Kind};

const USAGE: Usage = Usage {
    syntax: "[-sfnbtv] [-S SUF] TARGET... LINK|DIR",
    short: "sfnbS:vTt:r",
    long: &[
        ("symbolic", 's'),
        ("force", 'f'),
        ("no-dereference", 'n'),
        ("no-target-directory", 'T'),
        ("target-directory", 't'),
        ("verbose", 'v'),
    ],
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let (targets, last) = match given.operands.split_last() {
        _ if given.has('t') => (given.operands.as_slice(), given.value('t').unwrap_or_default().to_owned()),
        Some((last, [])) => (std::slice::from_ref(last), base(last).to_owned()),
        Some((last, targets)) => (targets, last.clone()),
        None => return Ok(1),
    };
    let there = if given.has('n') { ctx.lstat(&last) } else { ctx.stat(&last) };
    let into = there.is_ok_and(|stat| stat.kind == Kind::Directory) && !given.has('T');
    let mut code = 0;
    for target in targets {
        let link = if into { join(&last, base(target)) } else { last.clone() };
        if !given.has('s')
            && let Err(errno) = ctx.stat(target)
        {
            complain(&ctx, format!("{target}: {errno}")).await;
            code = 1;
            continue;
        }
        if given.has('f') {
            // What cannot be removed is in the way, which is told next.
            let _ = ctx.unlink(&link);
        } else if given.has('b') && ctx.lstat(&link).is_ok() {
            let _ = ctx.rename(&link, &format!("{link}{}", given.value('S').unwrap_or("~")));
        }
        let made = if given.has('s') { ctx.symlink(target, &link) } else { ctx.link(target, &link) };
        match made {
            Ok(()) if given.has('v') => ctx.out(format!("'{link}' -> '{target}'\n")).await.map_err(Stop::Output)?,
            Ok(()) => {}
            Err(errno) => {
                complain(&ctx, format!("{link}: {errno}")).await;
                code = 1;
            }
        }
    }
    Ok(code)
}

//! `mv`: gives files other names.

use super::hand::{Copying, Follow, Outcome, Stop, Usage, Visit, Walk, complain, confirmed, copy, into_directory};
use crate::{Ctx, Errno, files::Kind};

const USAGE: Usage = Usage {
    syntax: "[-finT] SOURCE DEST\nor: mv [-fin] SOURCE... { -t DIRECTORY | DIRECTORY }",
    short: "finTt:v",
    long: &[
        ("force", 'f'),
        ("interactive", 'i'),
        ("no-clobber", 'n'),
        ("no-target-directory", 'T'),
        ("target-directory", 't'),
        ("verbose", 'v'),
    ],
};

const ACROSS: Copying = Copying {
    recursive: true,
    follow: Follow::Never,
    preserve: true,
    force: true,
    ask: false,
    keep: false,
    newer: false,
    link: false,
    symlink: false,
    verbose: false,
};

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse(&ctx).await?;
    let (sources, last) = match (given.value('t'), given.operands.split_last()) {
        (Some(last), _) if !given.operands.is_empty() => (given.operands.as_slice(), last.to_owned()),
        (None, Some((last, sources))) if !sources.is_empty() => (sources, last.clone()),
        _ => return Err(USAGE.explain(&ctx).await),
    };
    let mut fine = true;
    for source in sources {
        let inside = if given.has('T') { None } else { into_directory(&ctx, source, &last) };
        if inside.is_none() && sources.len() > 1 {
            complain(&ctx, format!("can't rename '{source}': {}", Errno::ENOTDIR)).await;
            fine = false;
            continue;
        }
        let to = inside.unwrap_or_else(|| last.clone());
        if ctx.lstat(&to).is_ok() {
            match given.last_of("fin") {
                Some('n') => continue,
                Some('i') if !confirmed(&ctx, &format!("overwrite '{to}'? ")).await => continue,
                None if ctx.is_terminal(0) && ctx.access(&to, 2).is_err() && !confirmed(&ctx, &format!("overwrite '{to}'? ")).await => {
                    continue;
                }
                _ => {}
            }
        }
        let moved = rename(&ctx, source, &to).await?;
        if moved && given.has('v') {
            ctx.out(format!("'{source}' -> '{to}'\n")).await.map_err(Stop::Output)?;
        }
        fine &= moved;
    }
    Ok(i32::from(!fine))
}

async fn rename(ctx: &Ctx, from: &str, to: &str) -> Result<bool, Stop> {
    match ctx.rename(from, to) {
        Ok(()) => Ok(true),
        Err(Errno::EXDEV) => across(ctx, from, to).await,
        Err(errno) => {
            complain(ctx, format!("can't rename '{from}': {errno}")).await;
            Ok(false)
        }
    }
}

/// From one file system to another: copied, and removed where it was.
async fn across(ctx: &Ctx, from: &str, to: &str) -> Result<bool, Stop> {
    if let (Ok(there), Ok(here)) = (ctx.lstat(to), ctx.lstat(from)) {
        let removed = match (there.kind == Kind::Directory, here.kind == Kind::Directory) {
            (true, false) => Err("cannot overwrite directory with non-directory".to_owned()),
            (false, true) => Err("cannot overwrite non-directory with directory".to_owned()),
            (true, true) => ctx.rmdir(to).map_err(|errno| format!("cannot remove '{to}': {errno}")),
            (false, false) => ctx.unlink(to).map_err(|errno| format!("cannot remove '{to}': {errno}")),
        };
        if let Err(why) = removed {
            complain(ctx, why).await;
            return Ok(false);
        }
    }
    if !copy(ctx, from, to, ACROSS).await? {
        return Ok(false);
    }
    let mut walk = Walk::new(ctx, from, Follow::Never);
    let mut fine = true;
    while let Some(visit) = walk.next().await {
        let (path, removed) = match visit {
            Visit::Before(found) if found.is_directory() => continue,
            Visit::Before(found) => (found.path.clone(), ctx.unlink(&found.path)),
            Visit::After(found) => (found.path.clone(), ctx.rmdir(&found.path)),
            Visit::Lost(path, errno) => (path, Err(errno)),
            Visit::Closed(found, errno) => (found.path, Err(errno)),
        };
        if let Err(errno) = removed {
            complain(ctx, format!("can't remove '{path}': {errno}")).await;
            fine = false;
        }
    }
    Ok(fine)
}

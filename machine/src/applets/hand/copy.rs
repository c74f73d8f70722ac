//! Copying files and directories, for `cp`, and for `mv` from one file system to another.

use super::{Follow, Found, Input, Stop, Visit, Walk, base, complain, confirmed};
use crate::{
    Ctx, Errno,
    files::{Kind, Open},
};

/// How things are copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copying {
    /// Directories with all that is in them.
    pub(crate) recursive: bool,
    /// Which symlinks are followed.
    pub(crate) follow: Follow,
    /// Mode, owner and time are kept.
    pub(crate) preserve: bool,
    /// What cannot be opened is removed first.
    pub(crate) force: bool,
    /// It is asked before something is written over.
    pub(crate) ask: bool,
    /// Nothing is written over.
    pub(crate) keep: bool,
    /// Only what is newer is written over.
    pub(crate) newer: bool,
    /// Names are linked instead of copied.
    pub(crate) link: bool,
    /// Symlinks are made instead.
    pub(crate) symlink: bool,
    /// What is done is told.
    pub(crate) verbose: bool,
}

/// Copies one path to another; whether all of it could be.
pub(crate) async fn copy(ctx: &Ctx, from: &str, to: &str, how: Copying) -> Result<bool, Stop> {
    let mut walk = Walk::new(ctx, from, how.follow);
    let mut fine = true;
    while let Some(visit) = walk.next().await {
        match visit {
            Visit::Lost(path, errno) => {
                complain(ctx, format!("can't stat '{path}': {errno}")).await;
                fine = false;
            }
            Visit::Closed(found, errno) => {
                complain(ctx, format!("can't open '{}': {errno}", found.path)).await;
                fine = false;
            }
            Visit::Before(found) => {
                let there = format!("{to}{}", &found.path[from.len().min(found.path.len())..]);
                if found.is_directory() {
                    if !directory(ctx, &found, &there, to, how).await? {
                        walk.skip();
                        fine = false;
                    }
                } else {
                    fine &= file(ctx, &found, &there, how).await?;
                }
            }
            Visit::After(found) => {
                let there = format!("{to}{}", &found.path[from.len().min(found.path.len())..]);
                fine &= keep_what_it_was(ctx, &found, &there, how).await;
            }
        }
    }
    Ok(fine)
}

/// Begins with a directory; whether what is in it can be copied.
async fn directory(ctx: &Ctx, found: &Found, there: &str, to: &str, how: Copying) -> Result<bool, Stop> {
    if !how.recursive {
        complain(ctx, format!("omitting directory '{}'", found.path)).await;
        return Ok(false);
    }
    // What is copied into itself would never end.
    if let (Ok(inside), Ok(outside)) = (ctx.canonical(to), ctx.canonical(&found.path))
        && found.depth > 0
        && inside == outside
    {
        complain(ctx, format!("recursion detected, omitting directory '{}'", found.path)).await;
        return Ok(false);
    }
    match ctx.stat(there) {
        Ok(stat) if stat.kind == Kind::Directory => {}
        Ok(_) => {
            complain(ctx, format!("target '{there}' is not a directory")).await;
            return Ok(false);
        }
        Err(_) => {
            if let Err(errno) = ctx.mkdir(there, found.stat.mode | 0o700) {
                complain(ctx, format!("can't create directory '{there}': {errno}")).await;
                return Ok(false);
            }
        }
    }
    if how.verbose {
        ctx.out(format!("'{}' -> '{there}'\n", found.path)).await.map_err(Stop::Output)?;
    }
    Ok(true)
}

async fn file(ctx: &Ctx, found: &Found, there: &str, how: Copying) -> Result<bool, Stop> {
    let path = &found.path;
    if let Ok(stat) = ctx.lstat(there) {
        let target = ctx.stat(there).unwrap_or_else(|_| stat.clone());
        if (target.device, target.inode) == (found.stat.device, found.stat.inode) && target.device != 0 {
            complain(ctx, format!("'{path}' and '{there}' are the same file")).await;
            return Ok(false);
        }
        if how.keep || how.newer && target.modified >= found.stat.modified {
            return Ok(true);
        }
        if how.ask && !confirmed(ctx, &format!("overwrite '{there}'? ")).await {
            return Ok(true);
        }
        if (how.link || how.symlink || found.stat.kind == Kind::Symlink) && ctx.unlink(there).is_err() {
            complain(ctx, format!("can't remove '{there}'")).await;
            return Ok(false);
        }
    }
    let made = match found.stat.kind {
        _ if how.link => ctx.link(path, there),
        _ if how.symlink => ctx.symlink(path, there),
        Kind::Symlink => match ctx.readlink(path) {
            Ok(target) => ctx.symlink(&target, there),
            Err(errno) => Err(errno),
        },
        Kind::Fifo if how.recursive => ctx.mkfifo(there, found.stat.mode),
        Kind::Device(_) if how.recursive => Err(Errno::EPERM),
        _ => {
            if !bytes(ctx, found, there, how).await? {
                return Ok(false);
            }
            Ok(())
        }
    };
    if let Err(errno) = made {
        complain(ctx, format!("can't create '{there}': {errno}")).await;
        return Ok(false);
    }
    if how.verbose {
        ctx.out(format!("'{path}' -> '{there}'\n")).await.map_err(Stop::Output)?;
    }
    Ok(how.link || how.symlink || found.stat.kind == Kind::Symlink || keep_what_it_was(ctx, found, there, how).await)
}

async fn bytes(ctx: &Ctx, found: &Found, there: &str, how: Copying) -> Result<bool, Stop> {
    let mut from = match Input::open(ctx, &if found.path == "-" { "./-".to_owned() } else { found.path.clone() }).await {
        Ok(from) => from,
        Err(errno) => {
            complain(ctx, format!("can't open '{}': {errno}", found.path)).await;
            return Ok(false);
        }
    };
    let open = Open { create: Some(found.stat.mode & 0o777), ..Open::WRITE };
    let mut opened = ctx.open(there, open).await;
    if opened.is_err() && how.force && ctx.unlink(there).is_ok() {
        opened = ctx.open(there, open).await;
    }
    let to = match opened {
        Ok(to) => to,
        Err(errno) => {
            complain(ctx, format!("can't create '{there}': {errno}")).await;
            return Ok(false);
        }
    };
    let copied = pour(ctx, &mut from, to).await;
    let _ = ctx.close(to);
    match copied {
        Ok(()) => Ok(true),
        Err(stop) => {
            let (word, errno) = if let Stop::Input(errno) = stop {
                ("read", errno)
            } else if let Stop::Output(errno) = stop {
                ("write", errno)
            } else {
                return Err(stop);
            };
            complain(ctx, format!("{word} error: {errno}")).await;
            Ok(false)
        }
    }
}

/// Writes all that comes to a descriptor.
pub(crate) async fn pour(ctx: &Ctx, from: &mut Input, to: crate::kernel::Fd) -> Result<(), Stop> {
    loop {
        let piece = from.piece(64 << 10).await.map_err(Stop::Input)?;
        if piece.is_empty() {
            return Ok(());
        }
        ctx.write_all(to, &piece).await.map_err(Stop::Output)?;
    }
}

/// Gives what was copied the mode, owner and time it had.
async fn keep_what_it_was(ctx: &Ctx, found: &Found, there: &str, how: Copying) -> bool {
    if !how.preserve {
        return !found.is_directory() || ctx.chmod(there, found.stat.mode & !ctx.umask()).is_ok();
    }
    let mode =
        if ctx.chown(there, Some(found.stat.uid), Some(found.stat.gid), true).is_ok() { found.stat.mode } else { found.stat.mode & 0o1777 };
    let done = ctx.chmod(there, mode).and_then(|()| ctx.touch(there, found.stat.modified));
    if let Err(errno) = done {
        complain(ctx, format!("can't preserve attributes of '{there}': {errno}")).await;
    }
    done.is_ok()
}

/// Where something goes if what is named last is a directory.
pub(crate) fn into_directory(ctx: &Ctx, from: &str, last: &str) -> Option<String> {
    ctx.stat(last).is_ok_and(|stat| stat.kind == Kind::Directory).then(|| super::join(last, base(from)))
}

//! The way through a directory and all below it, without recursion: how deep it is was somebody else's choice.

use crate::{
    Ctx, Errno,
    files::{Kind, Stat},
};

/// Which symlinks are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// None.
    Never,
    /// Those that were named.
    Named,
    /// All.
    Always,
}

/// Something on the way.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its path, as it was reached.
    pub(crate) path: String,
    /// How many directories below the one named.
    pub(crate) depth: usize,
    /// What it is.
    pub(crate) stat: Stat,
}

impl Found {
    /// Whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        self.stat.kind == Kind::Directory
    }

    /// The last part of its path.
    pub(crate) fn name(&self) -> &str {
        let path = self.path.trim_end_matches('/');
        if path.is_empty() { "/" } else { path.rsplit('/').next().unwrap_or(path) }
    }
}

/// A step of the way.
#[derive(Clone, Debug)]
pub(crate) enum Visit {
    /// Something, a directory before what is in it.
    Before(Found),
    /// A directory after what was in it.
    After(Found),
    /// It is not there, or cannot be looked at.
    Lost(String, Errno),
    /// A directory that cannot be read.
    Closed(Found, Errno),
}

enum Task {
    Look(String, usize),
    Open(Found),
    Leave(Found),
}

/// The way.
pub(crate) struct Walk {
    ctx: Ctx,
    follow: Follow,
    tasks: Vec<Task>,
}

impl Walk {
    /// Begins at a path.
    pub(crate) fn new(ctx: &Ctx, path: &str, follow: Follow) -> Self {
        Self { ctx: ctx.clone(), follow, tasks: vec![Task::Look(path.to_owned(), 0)] }
    }

    /// Leaves out what is in the directory that was visited last, before which it was; nor will it be left.
    pub(crate) fn skip(&mut self) {
        if matches!(self.tasks.last(), Some(Task::Open(_))) {
            self.tasks.pop();
        }
    }

    /// The next step.
    pub(crate) async fn next(&mut self) -> Option<Visit> {
        loop {
            self.ctx.step(1).await;
            match self.tasks.pop()? {
                Task::Look(path, depth) => {
                    let follow = self.follow == Follow::Always || self.follow == Follow::Named && depth == 0;
                    // A symlink that leads nowhere is itself.
                    let stat = if follow { self.ctx.stat(&path).or_else(|_| self.ctx.lstat(&path)) } else { self.ctx.lstat(&path) };
                    let found = match stat {
                        Ok(stat) => Found { path, depth, stat },
                        Err(errno) => return Some(Visit::Lost(path, errno)),
                    };
                    if found.is_directory() {
                        self.tasks.push(Task::Open(found.clone()));
                    }
                    return Some(Visit::Before(found));
                }
                Task::Open(found) => match self.ctx.list(&found.path) {
                    Ok(entries) => {
                        let (base, depth) = (found.path.clone(), found.depth + 1);
                        let slash = if base.ends_with('/') { "" } else { "/" };
                        self.tasks.push(Task::Leave(found));
                        self.tasks.extend(entries.iter().rev().map(|entry| Task::Look(format!("{base}{slash}{}", entry.name), depth)));
                    }
                    Err(errno) => return Some(Visit::Closed(found, errno)),
                },
                Task::Leave(found) => return Some(Visit::After(found)),
            }
        }
    }
}

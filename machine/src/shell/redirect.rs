//! Where descriptors lead while a command runs.

use super::{
    Flow, Shell,
    syntax::{Redirect, To},
};
use crate::{
    Errno,
    files::{Kind, Open},
    kernel::{Fd, Group},
};

/// The lowest descriptor that the shell uses for itself.
const OWN: Fd = 10;

/// How much a here-document may hold without a process that writes it.
const PIPE_SIZE: usize = 4096;

/// Where descriptors led before: each with a copy of what it was, if it was open.
#[derive(Debug, Default)]
pub(super) struct Saved(Vec<(Fd, Option<Fd>)>);

impl Shell {
    /// Moves descriptors. If one cannot be moved, all are as they were, and it has been said.
    pub(super) async fn redirect(&mut self, redirects: &[Redirect]) -> Result<Saved, Flow> {
        let mut saved = Saved::default();
        for redirect in redirects {
            if let Err(flow) = self.redirect_one(redirect, &mut saved).await {
                self.restore(saved);
                return Err(flow);
            }
        }
        Ok(saved)
    }

    /// Puts descriptors where they were.
    pub(super) fn restore(&mut self, saved: Saved) {
        for (fd, before) in saved.0.into_iter().rev() {
            match before {
                Some(before) => {
                    let _ = self.ctx.dup2(before, fd);
                    let _ = self.ctx.close(before);
                }
                None => {
                    let _ = self.ctx.close(fd);
                }
            }
        }
    }

    /// Leaves descriptors where they are now for good.
    pub(super) fn keep(&mut self, saved: Saved) {
        for (_, before) in saved.0 {
            let _ = before.map(|before| self.ctx.close(before));
        }
    }

    /// Says why a redirection cannot be made.
    async fn refuse(&mut self, message: &str) -> Flow {
        self.raise(1, message).await;
        Flow::Refused
    }

    /// Remembers where a descriptor leads.
    fn save(&mut self, fd: Fd, saved: &mut Saved) -> Result<(), Errno> {
        if saved.0.iter().any(|(known, _)| *known == fd) {
            return Ok(());
        }
        let before = match self.ctx.dup(fd, OWN) {
            Ok(before) => {
                self.ctx.set_close_on_exec(before, true)?;
                Some(before)
            }
            Err(Errno::EBADF) => None,
            Err(errno) => return Err(errno),
        };
        saved.0.push((fd, before));
        Ok(())
    }

    async fn redirect_one(&mut self, redirect: &Redirect, saved: &mut Saved) -> Result<(), Flow> {
        let word = if redirect.to == To::Here { String::new() } else { self.expand_text(&redirect.word).await? };
        let (from, error_too) = match redirect.to {
            To::Here => (self.here(redirect).await?, false),
            To::Duplicate(both) => match self.duplicate(&word, both, redirect.fd).await? {
                Some(from) => from,
                None => {
                    // `>&-`
                    if let Err(errno) = self.save(redirect.fd, saved) {
                        return Err(self.refuse(&format!("{}: {errno}", redirect.fd)).await);
                    }
                    let _ = self.ctx.close(redirect.fd);
                    return Ok(());
                }
            },
            to => (Source::Opened(self.open(&word, to).await?), false),
        };
        let moved =
            self.lead(from, redirect.fd, saved).and_then(|()| if error_too { self.lead(Source::Copied(1), 2, saved) } else { Ok(()) });
        match moved {
            Ok(()) => Ok(()),
            Err(errno) => {
                Err(self.refuse(&format!("{}: {errno}", if matches!(from, Source::Copied(_)) { from.fd() } else { redirect.fd })).await)
            }
        }
    }

    /// Makes a descriptor lead where another does.
    fn lead(&mut self, from: Source, fd: Fd, saved: &mut Saved) -> Result<(), Errno> {
        let known = saved.0.iter().any(|(_, before)| *before == Some(from.fd()));
        let moved = if known && matches!(from, Source::Copied(_)) {
            Err(Errno::EBADF)
        } else if from.fd() == fd {
            // It was closed, and what was opened came to be there.
            if matches!(from, Source::Opened(_)) && saved.0.iter().all(|(known, _)| *known != fd) {
                saved.0.push((fd, None));
            }
            return Ok(());
        } else {
            self.save(fd, saved).and_then(|()| self.ctx.dup2(from.fd(), fd))
        };
        if let Source::Opened(opened) = from {
            let _ = self.ctx.close(opened);
        }
        moved
    }

    /// What `<&` and `>&` name; `None`: nothing, the descriptor is closed.
    async fn duplicate(&mut self, word: &str, both: bool, fd: Fd) -> Result<Option<(Source, bool)>, Flow> {
        if word == "-" {
            return Ok(None);
        }
        if let Some(from) = word.parse::<Fd>().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit())) {
            if self.ctx.fstat(from).is_err() {
                return Err(self.refuse(&format!("{from}: {}", Errno::EBADF)).await);
            }
            return Ok(Some((Source::Copied(from), false)));
        }
        if both && fd == 1 {
            return Ok(Some((Source::Opened(self.open(word, To::Write).await?), true)));
        }
        Err(self.raise(2, "syntax error: bad fd number").await)
    }

    async fn open(&mut self, path: &str, to: To) -> Result<Fd, Flow> {
        let how = match to {
            To::Read => Open::READ,
            To::Append => Open::APPEND,
            To::ReadWrite => Open::READ_WRITE,
            To::Write if self.options.noclobber && self.ctx.stat(path).is_ok_and(|stat| stat.kind == Kind::File) => Open::NEW,
            _ => Open::WRITE,
        };
        match self.ctx.open(path, how).await {
            Ok(fd) => Ok(fd),
            Err(errno) => {
                // ash has words of its own for what is not there.
                let message = match (how.write, errno) {
                    (true, Errno::ENOENT) => format!("can't create {path}: nonexistent directory"),
                    (true, errno) => format!("can't create {path}: {errno}"),
                    (false, Errno::ENOENT) => format!("can't open {path}: no such file"),
                    (false, errno) => format!("can't open {path}: {errno}"),
                };
                Err(self.refuse(&message).await)
            }
        }
    }

    /// A descriptor from which the text of a here-document is read.
    async fn here(&mut self, redirect: &Redirect) -> Result<Source, Flow> {
        let text = self.expand_text(&redirect.word).await?;
        let (read, write) = match self.ctx.pipe() {
            Ok(ends) => ends,
            Err(errno) => return Err(self.raise(2, &format!("can't create pipe: {errno}")).await),
        };
        let written = if text.len() <= PIPE_SIZE {
            self.ctx.write_all(write, text.as_bytes()).await.map(|()| 0)
        } else {
            // Nobody asks for this child: it is reaped with whatever ends.
            self.ctx.fork(Group::Same, move |ctx| async move {
                let _ = ctx.close(read);
                i32::from(ctx.write_all(write, text.as_bytes()).await.is_err())
            })
        };
        let _ = self.ctx.close(write);
        match written {
            Ok(_) => Ok(Source::Opened(read)),
            Err(errno) => {
                let _ = self.ctx.close(read);
                Err(self.raise(2, &format!("can't fork: {errno}")).await)
            }
        }
    }
}

/// Where a descriptor shall lead.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A descriptor that is only for this.
    Opened(Fd),
    /// Where another leads.
    Copied(Fd),
}

impl Source {
    fn fd(self) -> Fd {
        match self {
            Self::Opened(fd) | Self::Copied(fd) => fd,
        }
    }
}

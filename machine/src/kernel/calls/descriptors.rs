//! Calls about open files and terminals.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use crate::{
    Ctx, Errno, Signal,
    files::{Device, Open, Stat, deeds::Opened},
    kernel::{
        Fd, Modes, Pid, Seek, Size,
        descriptor::{OpenFile, Target},
        terminal::Terminal,
    },
    pipe::{Pipe, Reader, Writer},
};

/// Descriptors.
impl Ctx {
    pub(crate) fn file(&self, fd: Fd) -> Result<Arc<OpenFile>, Errno> {
        self.process.descriptors.lock().get(fd).cloned()
    }

    pub(crate) fn add(&self, file: Arc<OpenFile>, least: Fd) -> Result<Fd, Errno> {
        self.process.descriptors.lock().add(file, least, self.core().budget.limits.descriptors)
    }

    /// Opens a file at the lowest free descriptor. A named pipe waits for its other end.
    pub async fn open(&self, path: &str, how: Open) -> Result<Fd, Errno> {
        self.step(3).await;
        let umask = self.umask();
        let target = match self.asking(|asker| self.core().view.open(asker, path, how, umask))? {
            Opened::File(file) => Target::File(file),
            Opened::Directory(place) => Target::Directory(place),
            Opened::Made(bytes) => Target::Made(bytes),
            Opened::Device(Device::Terminal) => Target::Terminal(self.process.terminal.clone().ok_or(Errno::ENXIO)?),
            Opened::Device(device) => Target::Device(device),
            Opened::Fifo(tree, ino) => open_fifo(&tree.fifo(ino, &self.core().budget.heap), how).await,
            Opened::Descriptor(pid, fd) => return self.add(self.others_file(pid, fd, how)?, 0),
        };
        self.add(OpenFile::new(target, how.read, how.write, how.append), 0)
    }

    /// What another process has open.
    fn others_file(&self, pid: Pid, fd: Fd, how: Open) -> Result<Arc<OpenFile>, Errno> {
        let other = self.core().namespace.lock().get(pid).ok_or(Errno::ENOENT)?.process.clone();
        let (own, theirs) = (self.credentials().uid, other.own.lock().who.uid);
        if own != 0 && own != theirs {
            return Err(Errno::EACCES);
        }
        let file = other.descriptors.lock().get(fd).map_err(|_| Errno::ENOENT)?.clone();
        if file.allows(how.read, how.write) { Ok(file) } else { Err(Errno::EACCES) }
    }

    /// Closes a descriptor.
    pub fn close(&self, fd: Fd) -> Result<(), Errno> {
        // What closing does is done after the lock.
        let closed = self.process.descriptors.lock().take(fd);
        closed.map(drop)
    }

    /// Another descriptor of the same open file: the lowest that is free and at least `least`. Not close-on-exec.
    pub fn dup(&self, fd: Fd, least: Fd) -> Result<Fd, Errno> {
        self.add(self.file(fd)?, least)
    }

    /// Makes `to` another descriptor of the same open file, closing what it was. Not close-on-exec, except that it is left alone if it is `fd`.
    pub fn dup2(&self, fd: Fd, to: Fd) -> Result<(), Errno> {
        let file = self.file(fd)?;
        if fd == to {
            return Ok(());
        }
        let closed = self.process.descriptors.lock().set(to, file, self.core().budget.limits.descriptors);
        closed.map(drop)
    }

    /// Whether [`Ctx::exec`] closes it.
    pub fn set_close_on_exec(&self, fd: Fd, close: bool) -> Result<(), Errno> {
        self.process.descriptors.lock().slot_mut(fd)?.close_on_exec = close;
        Ok(())
    }

    /// What is open.
    pub fn descriptors(&self) -> Vec<Fd> {
        self.process.descriptors.lock().numbers()
    }

    /// A pipe: the end to read, the end to write.
    pub fn pipe(&self) -> Result<(Fd, Fd), Errno> {
        let pipe = Pipe::new(self.core().budget.heap.clone());
        let read = self.add(OpenFile::reading(Target::Reader(Reader::new(&pipe))), 0)?;
        let write = self.add(OpenFile::writing(Target::Writer(Writer::new(&pipe))), 0);
        if write.is_err() {
            self.close(read)?;
        }
        Ok((read, write?))
    }

    /// What an open file is.
    pub fn fstat(&self, fd: Fd) -> Result<Stat, Errno> {
        self.file(fd)?.stat(self.now())
    }

    /// Moves the position of an open file; answers where it is then.
    pub fn seek(&self, fd: Fd, to: Seek) -> Result<u64, Errno> {
        let file = self.file(fd)?;
        let position = file.seek(to)?;
        if let Target::File(file) = &file.target {
            // What is skipped will be filled by who writes next.
            self.charge_zeros(position.saturating_sub(file.tree().stat(file.ino())?.size));
        }
        Ok(position)
    }

    /// Reads what is there, at most `most` bytes, waiting for the first; empty: the end.
    pub async fn read(&self, fd: Fd, most: usize) -> Result<Vec<u8>, Errno> {
        self.read_some(fd, most, false).await
    }

    async fn read_some(&self, fd: Fd, most: usize, line: bool) -> Result<Vec<u8>, Errno> {
        self.step(1).await;
        let file = self.file(fd)?;
        let random = || self.random();
        let bytes = poll_fn(|cx| {
            if let Some(terminal) = file.terminal() {
                ready!(terminal.poll_foreground(cx, self.pgid()));
            }
            file.poll_read(cx, most, line, &random)
        })
        .await?;
        self.step(u32::try_from(bytes.len() / 4096).unwrap_or(u32::MAX)).await;
        Ok(bytes)
    }

    /// Reads until a new line, which is included, and no byte further; without it: the end came first. At most `most` bytes.
    pub async fn read_line(&self, fd: Fd, most: usize) -> Result<Vec<u8>, Errno> {
        let mut line = Vec::new();
        while line.len() < most && line.last() != Some(&b'\n') {
            let more = self.read_some(fd, most - line.len(), true).await?;
            if more.is_empty() {
                break;
            }
            line.extend(more);
        }
        Ok(line)
    }

    /// Reads to the end, whose length is accounted while it is collected; ENOMEM beyond what the container may hold.
    pub async fn read_all(&self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let (mut all, mut held) = (Vec::new(), Vec::new());
        loop {
            let more = self.read(fd, 64 << 10).await?;
            if more.is_empty() {
                return Ok(all);
            }
            held.push(self.allocate(more.len() as u64)?);
            all.extend(more);
        }
    }

    /// Writes some of the bytes; answers how many. A pipe that nobody reads raises SIGPIPE, and if that does not kill: EPIPE.
    pub async fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
        self.step(1).await;
        let file = self.file(fd)?;
        let written = poll_fn(|cx| file.poll_write(cx, bytes)).await;
        if written == Err(Errno::EPIPE) {
            self.core().namespace.raise(self.pid(), Signal::PIPE);
        }
        if matches!(file.target, Target::Writer(_) | Target::Both(..)) {
            self.core().check_memory();
        }
        self.step(u32::try_from(bytes.len() / 4096).unwrap_or(u32::MAX)).await;
        written
    }

    /// Writes all of the bytes.
    pub async fn write_all(&self, fd: Fd, bytes: &[u8]) -> Result<(), Errno> {
        let mut left = bytes;
        while !left.is_empty() {
            let count = self.write(fd, left).await?;
            left = &left[count..];
        }
        Ok(())
    }

    /// Writes to the standard output.
    pub async fn out(&self, text: impl AsRef<[u8]> + Send) -> Result<(), Errno> {
        self.write_all(1, text.as_ref()).await
    }

    /// Writes to the standard error output, where failing concerns nobody.
    pub async fn err(&self, text: impl AsRef<[u8]> + Send) {
        let _ = self.write_all(2, text.as_ref()).await;
    }
}

async fn open_fifo(pipe: &Arc<Pipe>, how: Open) -> Target {
    match (how.read, how.write) {
        (true, true) => Target::Both(Reader::new(pipe), Writer::new(pipe)),
        (false, true) => {
            let end = Writer::new(pipe);
            let before = end.readers_so_far();
            poll_fn(|cx: &mut Context<'_>| -> Poll<()> { end.poll_reader(cx, before) }).await;
            Target::Writer(end)
        }
        _ => {
            let end = Reader::new(pipe);
            let before = end.writers_so_far();
            poll_fn(|cx: &mut Context<'_>| -> Poll<()> { end.poll_writer(cx, before) }).await;
            Target::Reader(end)
        }
    }
}

/// Terminals. ENOTTY: the descriptor is none.
impl Ctx {
    fn terminal(&self, fd: Fd) -> Result<Arc<Terminal>, Errno> {
        self.file(fd)?.terminal().cloned().ok_or(Errno::ENOTTY)
    }

    /// Whether a descriptor is a terminal.
    pub fn is_terminal(&self, fd: Fd) -> bool {
        self.terminal(fd).is_ok()
    }

    /// What its line discipline does.
    pub fn modes(&self, fd: Fd) -> Result<Modes, Errno> {
        Ok(self.terminal(fd)?.modes())
    }

    /// Changes that.
    pub fn set_modes(&self, fd: Fd, modes: Modes) -> Result<(), Errno> {
        self.terminal(fd)?.set_modes(modes);
        Ok(())
    }

    /// How large it is.
    pub fn size(&self, fd: Fd) -> Result<Size, Errno> {
        Ok(self.terminal(fd)?.size())
    }

    /// Which group ^C goes to.
    pub fn foreground(&self, fd: Fd) -> Result<Pid, Errno> {
        Ok(self.terminal(fd)?.foreground())
    }

    /// Makes a group the one that ^C goes to, and that may read.
    pub fn set_foreground(&self, fd: Fd, group: Pid) -> Result<(), Errno> {
        self.terminal(fd)?.set_foreground(group);
        Ok(())
    }
}

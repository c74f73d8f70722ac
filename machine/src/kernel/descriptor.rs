//! Open files: what a descriptor leads to, and reading and writing it.
//!
//! Knows nothing of processes. Nothing here waits: who asks is told to come again and is woken then.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Seek, terminal::Terminal};
use crate::{
    Errno,
    files::{Device, Handle, Kind, Stat, view::Place},
    net::Queue,
    pipe,
    wakers::Wakers,
};

/// How much is read from outside at once.
const CHUNK: usize = 16 << 10;
/// How much one read gives at most.
const MOST: usize = 64 << 10;

/// What is open.
pub(crate) enum Target {
    File(Handle),
    Directory(Place),
    Device(Device),
    /// A file whose content was made when it was opened.
    Made(Bytes),
    Reader(pipe::Reader),
    Writer(pipe::Writer),
    /// A named pipe open both ways.
    Both(pipe::Reader, pipe::Writer),
    Terminal(Arc<Terminal>),
    /// A stream of the owner, or a connection.
    Stream(Box<Stream>),
    /// Where connections come in.
    Listener(Arc<Queue>),
}

/// An open file: several descriptors of several processes may share it, with its position.
pub(crate) struct OpenFile {
    pub(crate) target: Target,
    read: bool,
    write: bool,
    append: bool,
    position: Mutex<u64>,
}

impl OpenFile {
    pub(crate) fn new(target: Target, read: bool, write: bool, append: bool) -> Arc<Self> {
        Arc::new(Self { target, read, write, append, position: Mutex::default() })
    }

    /// Something open for reading.
    pub(crate) fn reading(target: Target) -> Arc<Self> {
        Self::new(target, true, false, false)
    }

    /// Something open for writing.
    pub(crate) fn writing(target: Target) -> Arc<Self> {
        Self::new(target, false, true, false)
    }

    /// Something open both ways.
    pub(crate) fn both(target: Target) -> Arc<Self> {
        Self::new(target, true, true, false)
    }

    /// Whether it is open at least so.
    pub(crate) fn allows(&self, read: bool, write: bool) -> bool {
        (self.read || !read) && (self.write || !write)
    }

    pub(crate) fn terminal(&self) -> Option<&Arc<Terminal>> {
        match &self.target {
            Target::Terminal(terminal) => Some(terminal),
            _ => None,
        }
    }

    /// What is there, at most `most` bytes, with `line` at most through a new line. Empty: the end. `random` makes random bytes.
    pub(crate) fn poll_read(&self, cx: &Context<'_>, most: usize, line: bool, random: &dyn Fn() -> u64) -> Poll<Result<Vec<u8>, Errno>> {
        if !self.read {
            return Poll::Ready(Err(Errno::EBADF));
        }
        let most = most.min(MOST);
        if most == 0 {
            return Poll::Ready(Ok(Vec::new()));
        }
        match &self.target {
            Target::File(file) => {
                let mut position = self.position.lock();
                let read = file.tree().read_at(file.ino(), *position, most).map(|bytes| first_line(bytes, line));
                *position += read.as_ref().map_or(0, Vec::len) as u64;
                Poll::Ready(read)
            }
            Target::Made(bytes) => {
                let mut position = self.position.lock();
                let at = usize::try_from(*position).unwrap_or(usize::MAX).min(bytes.len());
                let read = first_line(bytes[at..bytes.len().min(at + most)].to_vec(), line);
                *position += read.len() as u64;
                Poll::Ready(Ok(read))
            }
            Target::Directory(_) => Poll::Ready(Err(Errno::EISDIR)),
            Target::Device(Device::Null) => Poll::Ready(Ok(Vec::new())),
            Target::Device(Device::Zero | Device::Full) => Poll::Ready(Ok(vec![0; most])),
            Target::Device(Device::Random) => {
                let bytes: Vec<u8> = std::iter::repeat_with(random).flat_map(u64::to_le_bytes).take(most).collect();
                Poll::Ready(Ok(first_line(bytes, line)))
            }
            Target::Device(Device::Terminal) => Poll::Ready(Err(Errno::ENXIO)),
            Target::Reader(reader) | Target::Both(reader, _) => reader.poll_read(cx, most, line).map(Ok),
            Target::Writer(_) => Poll::Ready(Err(Errno::EBADF)),
            Target::Listener(_) => Poll::Ready(Err(Errno::ENOTCONN)),
            Target::Terminal(terminal) => terminal.poll_read(cx, most, line).map(Ok),
            Target::Stream(stream) => stream.poll_read(cx, most, line),
        }
    }

    /// Writes some of the bytes.
    pub(crate) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Errno>> {
        if !self.write {
            return Poll::Ready(Err(Errno::EBADF));
        }
        let bytes = &bytes[..bytes.len().min(MOST)];
        match &self.target {
            Target::File(file) => {
                let mut position = self.position.lock();
                let at = (!self.append).then_some(*position);
                Poll::Ready(file.tree().write_at(file.ino(), at, bytes).map(|(end, count)| {
                    *position = end;
                    count
                }))
            }
            Target::Device(Device::Full) => Poll::Ready(Err(Errno::ENOSPC)),
            Target::Device(Device::Terminal) => Poll::Ready(Err(Errno::ENXIO)),
            Target::Device(_) => Poll::Ready(Ok(bytes.len())),
            Target::Directory(_) | Target::Made(_) | Target::Reader(_) => Poll::Ready(Err(Errno::EBADF)),
            Target::Listener(_) => Poll::Ready(Err(Errno::ENOTCONN)),
            Target::Writer(writer) | Target::Both(_, writer) => writer.poll_write(cx, bytes),
            Target::Terminal(terminal) => terminal.poll_write(cx, bytes),
            Target::Stream(stream) => stream.poll_write(cx, bytes),
        }
    }

    /// Moves the position.
    pub(crate) fn seek(&self, to: Seek) -> Result<u64, Errno> {
        let size = match &self.target {
            Target::File(file) => file.tree().stat(file.ino())?.size,
            Target::Made(bytes) => bytes.len() as u64,
            Target::Directory(_) | Target::Device(_) => 0,
            _ => return Err(Errno::ESPIPE),
        };
        let mut position = self.position.lock();
        let new = match to {
            Seek::Start(at) => Some(at),
            Seek::End(by) => size.checked_add_signed(by),
            Seek::Current(by) => position.checked_add_signed(by),
        };
        *position = new.ok_or(Errno::EINVAL)?;
        Ok(*position)
    }

    pub(crate) fn stat(&self, now: Timestamp) -> Result<Stat, Errno> {
        let made = |kind, mode, size| Stat {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size,
            links: 1,
            modified: now,
            device: 0,
            inode: std::ptr::from_ref(self).addr() as u64,
        };
        match &self.target {
            Target::File(file) => file.tree().stat(file.ino()),
            Target::Directory(place) => place.stat(),
            Target::Device(device) => Ok(made(Kind::Device(*device), 0o666, 0)),
            Target::Made(_) => Ok(made(Kind::File, 0o444, 0)),
            Target::Reader(reader) | Target::Both(reader, _) => Ok(made(Kind::Pipe, 0o600, reader.pipe().len() as u64)),
            Target::Writer(writer) => Ok(made(Kind::Pipe, 0o600, writer.pipe().len() as u64)),
            Target::Terminal(_) => Ok(made(Kind::Device(Device::Terminal), 0o620, 0)),
            Target::Stream(_) | Target::Listener(_) => Ok(made(Kind::Pipe, 0o600, 0)),
        }
    }
}

/// The bytes through the first new line, or all.
fn first_line(mut bytes: Vec<u8>, line: bool) -> Vec<u8> {
    if line && let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
        bytes.truncate(at + 1);
    }
    bytes
}

/// Something that can be read, as it comes from outside.
pub type Input = Pin<Box<dyn AsyncRead + Send>>;
/// Something that can be written, as it comes from outside.
pub type Output = Pin<Box<dyn AsyncWrite + Send>>;

/// Bytes from and to somewhere outside, shared by all who have it open.
pub(crate) struct Stream {
    input: Option<Mutex<Incoming>>,
    output: Option<Mutex<Option<Output>>>,
    readers: Arc<Wakers>,
    writers: Arc<Wakers>,
}

struct Incoming {
    from: Input,
    /// What was read and not yet asked for.
    kept: Vec<u8>,
    ended: bool,
}

impl Stream {
    pub(crate) fn new(input: Option<Input>, output: Option<Output>) -> Self {
        let input = input.map(|from| Mutex::new(Incoming { from, kept: Vec::new(), ended: false }));
        Self { input, output: output.map(|to| Mutex::new(Some(to))), readers: Arc::default(), writers: Arc::default() }
    }

    fn poll_read(&self, cx: &Context<'_>, most: usize, line: bool) -> Poll<Result<Vec<u8>, Errno>> {
        let Some(input) = &self.input else { return Poll::Ready(Err(Errno::EBADF)) };
        self.readers.add(cx.waker());
        let mut input = input.lock();
        if input.kept.is_empty() && !input.ended {
            let waker = Waker::from(self.readers.clone());
            let mut space = vec![0; CHUNK];
            let mut buffer = ReadBuf::new(&mut space);
            match input.from.as_mut().poll_read(&mut Context::from_waker(&waker), &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => {
                    input.ended = true;
                    return Poll::Ready(Err(error.into()));
                }
                Poll::Ready(Ok(())) => {
                    let filled = buffer.filled().len();
                    input.ended = filled == 0;
                    space.truncate(filled);
                    input.kept = space;
                }
            }
        }
        let most = most.min(input.kept.len());
        let newline = input.kept[..most].iter().position(|byte| line && *byte == b'\n');
        let count = newline.map_or(most, |at| at + 1);
        let rest = input.kept.split_off(count);
        let taken = std::mem::replace(&mut input.kept, rest);
        if !input.kept.is_empty() || input.ended {
            // Others who wait may take what is left.
            self.readers.wake();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Errno>> {
        let Some(output) = &self.output else { return Poll::Ready(Err(Errno::EBADF)) };
        self.writers.add(cx.waker());
        let mut output = output.lock();
        let Some(to) = output.as_mut() else { return Poll::Ready(Err(Errno::EPIPE)) };
        let waker = Waker::from(self.writers.clone());
        match to.as_mut().poll_write(&mut Context::from_waker(&waker), bytes) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) if !bytes.is_empty() => Poll::Ready(Err(Errno::EPIPE)),
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(count)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
        }
    }

    /// Says that nothing more will be written.
    pub(crate) fn poll_shutdown(&self, cx: &Context<'_>) -> Poll<Result<(), Errno>> {
        let Some(output) = &self.output else { return Poll::Ready(Err(Errno::ENOTCONN)) };
        self.writers.add(cx.waker());
        let mut output = output.lock();
        let Some(to) = output.as_mut() else { return Poll::Ready(Ok(())) };
        let waker = Waker::from(self.writers.clone());
        let done = to.as_mut().poll_shutdown(&mut Context::from_waker(&waker));
        if done.is_ready() {
            *output = None;
        }
        done.map(|_| Ok(()))
    }
}

/// A descriptor.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) file: Arc<OpenFile>,
    pub(crate) close_on_exec: bool,
}

/// The descriptors of a process.
#[derive(Clone, Default)]
pub(crate) struct Descriptors(Vec<Option<Slot>>);

impl Descriptors {
    pub(crate) fn get(&self, fd: u32) -> Result<&Arc<OpenFile>, Errno> {
        self.0.get(fd as usize).and_then(Option::as_ref).map(|slot| &slot.file).ok_or(Errno::EBADF)
    }

    /// Puts an open file at the lowest free number from `least` on, below `limit`.
    pub(crate) fn add(&mut self, file: Arc<OpenFile>, least: u32, limit: u32) -> Result<u32, Errno> {
        let free = (least..limit).find(|fd| self.get(*fd).is_err()).ok_or(Errno::EMFILE)?;
        self.set(free, file, limit)?;
        Ok(free)
    }

    /// Puts an open file at a number; answers what was there.
    pub(crate) fn set(&mut self, fd: u32, file: Arc<OpenFile>, limit: u32) -> Result<Option<Slot>, Errno> {
        if fd >= limit {
            return Err(Errno::EBADF);
        }
        let at = fd as usize;
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        Ok(self.0[at].replace(Slot { file, close_on_exec: false }))
    }

    /// Takes away a descriptor.
    pub(crate) fn take(&mut self, fd: u32) -> Result<Slot, Errno> {
        self.0.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::EBADF)
    }

    pub(crate) fn slot_mut(&mut self, fd: u32) -> Result<&mut Slot, Errno> {
        self.0.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    /// Bytes that wait in the pipes of these.
    pub(crate) fn in_pipes(&self) -> u64 {
        let held = |slot: &Slot| match &slot.file.target {
            Target::Reader(reader) | Target::Both(reader, _) => reader.pipe().len(),
            Target::Writer(writer) => writer.pipe().len(),
            _ => 0,
        };
        self.0.iter().flatten().map(held).sum::<usize>() as u64
    }

    /// Those that are open.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        (0..).zip(&self.0).filter(|(_, slot)| slot.is_some()).map(|(fd, _)| fd).collect()
    }

    /// Takes away what an exec closes.
    pub(crate) fn take_close_on_exec(&mut self) -> Vec<Slot> {
        self.0.iter_mut().filter_map(|slot| slot.take_if(|slot| slot.close_on_exec)).collect()
    }
}

//! Pipes: bytes in order, as many as fit, from those who write to those who read.
//!
//! Knows nothing of processes or files. A pipe is bounded, so that who writes waits for who reads.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use parking_lot::Mutex;

use crate::{Errno, wakers::Wakers};

/// How much a pipe holds, as on Linux.
pub(crate) const CAPACITY: usize = 64 << 10;
/// What is written at once up to this size is not mixed with what others write.
const WHOLE: usize = 4096;

/// A pipe.
pub(crate) struct Pipe {
    state: Mutex<State>,
    readers: Wakers,
    writers: Wakers,
    /// Where the bytes it holds are accounted.
    held: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    readers: usize,
    writers: usize,
    /// How many have ever opened it, so that who waits for a writer notices one that is gone already.
    ever_read: u64,
    ever_written: u64,
}

impl Pipe {
    /// An empty one without ends, which accounts the bytes it holds in `held`.
    pub(crate) fn new(held: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), readers: Wakers::default(), writers: Wakers::default(), held })
    }

    /// How many bytes wait in it.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().bytes.len()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.held.fetch_sub(self.state.get_mut().bytes.len() as u64, Ordering::Relaxed);
    }
}

/// The end to read.
pub(crate) struct Reader(Arc<Pipe>);

/// The end to write.
pub(crate) struct Writer(Arc<Pipe>);

impl Reader {
    pub(crate) fn new(pipe: &Arc<Pipe>) -> Self {
        let mut state = pipe.state.lock();
        state.readers += 1;
        state.ever_read += 1;
        drop(state);
        pipe.writers.wake();
        Self(pipe.clone())
    }

    pub(crate) fn pipe(&self) -> &Arc<Pipe> {
        &self.0
    }

    /// How many have ever opened the other end.
    pub(crate) fn writers_so_far(&self) -> u64 {
        self.0.state.lock().ever_written
    }

    /// Waits until somebody has the other end, or has had it since there were `before`.
    pub(crate) fn poll_writer(&self, cx: &Context<'_>, before: u64) -> Poll<()> {
        self.0.readers.add(cx.waker());
        let state = self.0.state.lock();
        if state.writers > 0 || state.ever_written > before { Poll::Ready(()) } else { Poll::Pending }
    }

    /// What is there, at most `most` bytes, and with `line` at most through the next new line. Empty: nobody writes any more.
    pub(crate) fn poll_read(&self, cx: &Context<'_>, most: usize, line: bool) -> Poll<Vec<u8>> {
        self.0.readers.add(cx.waker());
        let mut state = self.0.state.lock();
        if state.bytes.is_empty() {
            return if state.writers == 0 { Poll::Ready(Vec::new()) } else { Poll::Pending };
        }
        let most = most.min(state.bytes.len());
        let count = if line { state.bytes.iter().take(most).position(|byte| *byte == b'\n').map_or(most, |at| at + 1) } else { most };
        let taken: Vec<u8> = state.bytes.drain(..count).collect();
        // An idle pipe shall not keep what a full one needed.
        if state.bytes.is_empty() {
            state.bytes = VecDeque::new();
        }
        drop(state);
        self.0.held.fetch_sub(count as u64, Ordering::Relaxed);
        self.0.writers.wake();
        Poll::Ready(taken)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.state.lock().readers -= 1;
        self.0.writers.wake();
    }
}

impl Writer {
    pub(crate) fn new(pipe: &Arc<Pipe>) -> Self {
        let mut state = pipe.state.lock();
        state.writers += 1;
        state.ever_written += 1;
        drop(state);
        pipe.readers.wake();
        Self(pipe.clone())
    }

    pub(crate) fn pipe(&self) -> &Arc<Pipe> {
        &self.0
    }

    /// How many have ever opened the other end.
    pub(crate) fn readers_so_far(&self) -> u64 {
        self.0.state.lock().ever_read
    }

    /// Waits until somebody has the other end, or has had it since there were `before`.
    pub(crate) fn poll_reader(&self, cx: &Context<'_>, before: u64) -> Poll<()> {
        self.0.writers.add(cx.waker());
        let state = self.0.state.lock();
        if state.readers > 0 || state.ever_read > before { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Writes what fits, and little only as a whole; EPIPE: nobody reads.
    pub(crate) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Errno>> {
        self.0.writers.add(cx.waker());
        let mut state = self.0.state.lock();
        if state.readers == 0 {
            return Poll::Ready(Err(Errno::EPIPE));
        }
        let room = CAPACITY - state.bytes.len();
        if room == 0 && !bytes.is_empty() || bytes.len() <= WHOLE && room < bytes.len() {
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        state.bytes.extend(&bytes[..count]);
        drop(state);
        self.0.held.fetch_add(count as u64, Ordering::Relaxed);
        self.0.readers.wake();
        Poll::Ready(Ok(count))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.state.lock().writers -= 1;
        self.0.readers.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn it_is_bounded_whole_and_ends() {
        let cx = Context::from_waker(Waker::noop());
        let held = Arc::<AtomicU64>::default();
        let pipe = Pipe::new(held.clone());
        let (reader, writer) = (Reader::new(&pipe), Writer::new(&pipe));
        assert_eq!(reader.poll_read(&cx, 10, false), Poll::Pending);
        assert_eq!(writer.poll_write(&cx, b"one\ntwo"), Poll::Ready(Ok(7)));
        assert_eq!(reader.poll_read(&cx, 10, true), Poll::Ready(b"one\n".to_vec()));
        assert_eq!(reader.poll_read(&cx, 2, true), Poll::Ready(b"tw".to_vec()));
        assert_eq!(reader.poll_read(&cx, 10, true), Poll::Ready(b"o".to_vec()));
        assert_eq!(writer.poll_write(&cx, &vec![0; CAPACITY + 1]), Poll::Ready(Ok(CAPACITY)));
        assert_eq!(held.load(Ordering::Relaxed), CAPACITY as u64);
        assert_eq!(writer.poll_write(&cx, b"x"), Poll::Pending);
        assert_eq!(reader.poll_read(&cx, 10, false).map(|bytes| bytes.len()), Poll::Ready(10));
        assert_eq!(writer.poll_write(&cx, &[1; 11]), Poll::Pending, "little is written as a whole");
        assert_eq!(writer.poll_write(&cx, &vec![1; WHOLE + 1]), Poll::Ready(Ok(10)), "much in parts");
        drop(writer);
        assert_eq!(reader.poll_read(&cx, CAPACITY, false).map(|bytes| bytes.len()), Poll::Ready(CAPACITY));
        assert_eq!(reader.poll_read(&cx, 1, false), Poll::Ready(Vec::new()), "nobody writes any more");
        let writer = Writer::new(&pipe);
        drop(reader);
        assert_eq!(writer.poll_write(&cx, b"x"), Poll::Ready(Err(Errno::EPIPE)));
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }
}

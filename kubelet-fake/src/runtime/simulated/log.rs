//! What a container writes, kept by line as a runtime keeps it in a file: with times, bounded, and given out.
//!
//! When it gets too long the oldest lines go, as they do when a kubelet rotates logs. Whoever is attached gets the bytes as they are
//! written. Must not know: who asks, what writes.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    io::AsyncWrite,
    sync::{mpsc, watch},
};

use super::super::{FALLBACK_LIMIT, FALLBACK_LINES, LogOptions, LogStream, Now};

/// How many bytes of lines are kept.
const MOST: usize = 1 << 20;
/// A line is cut after so many bytes, as containerd cuts it.
const LONGEST_LINE: usize = 16 << 10;
/// How many pieces may wait for somebody who is attached and does not read.
const BACKLOG: usize = 256;

/// Which of its two outputs a container writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// A piece of what a container wrote, as it wrote it.
pub(super) type Piece = (Output, Bytes);

/// What a container wrote.
pub(super) struct Log {
    written: Mutex<Written>,
    /// Moves when there is more to read; made when somebody waits for that.
    moved: watch::Sender<()>,
    now: Now,
}

#[derive(Default)]
struct Written {
    lines: VecDeque<Line>,
    /// The bytes of all lines.
    size: usize,
    /// How many lines were here before the first.
    gone: usize,
    /// What was written of the line to come, by output.
    open: [Option<Line>; 2],
    attached: Vec<mpsc::Sender<Piece>>,
    complete: bool,
}

/// A line, with the end it had.
#[derive(Clone, Debug)]
struct Line {
    at: Timestamp,
    bytes: BytesMut,
}

impl Log {
    /// An empty log, written by this clock.
    pub(super) fn new(now: Now) -> Arc<Self> {
        Arc::new(Self { written: Mutex::default(), moved: watch::Sender::new(()), now })
    }

    /// Takes what the container writes.
    fn write(&self, output: Output, bytes: &[u8]) {
        let at = (self.now)();
        let mut written = self.written.lock();
        if !written.attached.is_empty() {
            let piece = Bytes::copy_from_slice(bytes);
            written.attached.retain(|attached| attached.try_send((output, piece.clone())).is_ok());
        }
        let more = written.take(output, bytes, at);
        drop(written);
        if more {
            self.moved.send_replace(());
        }
    }

    /// There will be no more.
    pub(super) fn end(&self) {
        let mut written = self.written.lock();
        for output in [Output::Stdout, Output::Stderr] {
            if let Some(line) = written.open[output as usize].take() {
                written.keep(line);
            }
        }
        written.complete = true;
        written.attached.clear();
        drop(written);
        self.moved.send_replace(());
    }

    /// What the container writes to one of its outputs.
    pub(super) fn writer(self: &Arc<Self>, output: Output) -> Writer {
        Writer { log: self.clone(), output }
    }

    /// What is written from now on. It ends with the container, and early for whoever does not read.
    pub(super) fn attach(&self) -> mpsc::Receiver<Piece> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let mut written = self.written.lock();
        if !written.complete {
            written.attached.push(sender);
        }
        receiver
    }

    /// The wanted part of the log.
    pub(super) fn read(self: &Arc<Self>, options: &LogOptions) -> LogStream {
        let moved = self.moved.subscribe();
        let (first, next, complete) = self.written.lock().select(options);
        let left = options.limit.map(|limit| limit.saturating_sub(first.len()));
        let head = stream::once(async { Ok(first) });
        if complete || !options.follow || left == Some(0) {
            return head.boxed();
        }
        let rest = Rest { log: self.clone(), moved, next, left, options: LogOptions { tail: None, ..options.clone() } };
        head.chain(stream::unfold(rest, |mut rest| async { rest.next().await.map(|bytes| (Ok(bytes), rest)) })).boxed()
    }

    /// The end of the log, as it serves as the last word of a container that failed.
    pub(super) fn last_words(&self) -> Vec<u8> {
        let options = LogOptions { tail: Some(FALLBACK_LINES), ..LogOptions::default() };
        let (text, ..) = self.written.lock().select(&options);
        text[text.len().saturating_sub(FALLBACK_LIMIT)..].to_vec()
    }
}

impl Written {
    /// Whether that completed a line.
    fn take(&mut self, output: Output, mut bytes: &[u8], at: Timestamp) -> bool {
        let mut completed = false;
        while !bytes.is_empty() {
            let open = self.open[output as usize].get_or_insert_with(|| Line { at, bytes: BytesMut::new() });
            let room = LONGEST_LINE.saturating_sub(open.bytes.len()).min(bytes.len());
            let end = memchr::memchr(b'\n', &bytes[..room]).map(|end| end + 1);
            let taken = end.unwrap_or(room);
            open.bytes.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            // A line that is cut goes on in the next one, so it has no end.
            if (end.is_some() || open.bytes.len() >= LONGEST_LINE)
                && let Some(line) = self.open[output as usize].take()
            {
                self.keep(line);
                completed = true;
            }
        }
        completed
    }

    fn keep(&mut self, line: Line) {
        self.size += line.bytes.len();
        self.lines.push_back(line);
        while self.size > MOST
            && let Some(oldest) = self.lines.pop_front()
        {
            self.size -= oldest.bytes.len();
            self.gone += 1;
        }
    }

    /// The wanted lines of those that are complete, the number of the line to come, and whether none will.
    fn select(&self, options: &LogOptions) -> (Bytes, usize, bool) {
        let text = self.text(self.gone, options);
        (text, self.gone + self.lines.len(), self.complete)
    }

    /// The wanted lines from this number on.
    fn text(&self, from: usize, options: &LogOptions) -> Bytes {
        let new = self.lines.iter().skip(from.saturating_sub(self.gone));
        let wanted: Vec<&Line> = new.filter(|line| options.since.is_none_or(|since| line.at >= since)).collect();
        let skip = options.tail.map_or(0, |tail| wanted.len().saturating_sub(tail));
        let mut text = BytesMut::new();
        for line in &wanted[skip..] {
            if options.timestamps {
                text.extend_from_slice(format!("{:.9} ", line.at).as_bytes());
            }
            text.extend_from_slice(&line.bytes);
        }
        text.truncate(options.limit.unwrap_or(usize::MAX));
        text.freeze()
    }
}

/// A log that is being followed.
struct Rest {
    log: Arc<Log>,
    moved: watch::Receiver<()>,
    next: usize,
    /// How many bytes may still be given out.
    left: Option<usize>,
    options: LogOptions,
}

impl Rest {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let (text, complete) = {
                let written = self.log.written.lock();
                let text = written.text(self.next, &LogOptions { limit: self.left, ..self.options.clone() });
                self.next = written.gone + written.lines.len();
                (text, written.complete)
            };
            if !text.is_empty() {
                self.left = self.left.map(|left| left.saturating_sub(text.len()));
                return Some(text);
            }
            if complete || self.left == Some(0) {
                return None;
            }
            self.moved.changed().await.ok()?;
        }
    }
}

/// One of the outputs of a container.
pub(super) struct Writer {
    log: Arc<Log>,
    output: Output,
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.log.write(self.output, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Arc<Log> {
        let began = tokio::time::Instant::now();
        Log::new(Arc::new(move || Timestamp::UNIX_EPOCH + began.elapsed()))
    }

    async fn text(log: &Arc<Log>, options: LogOptions) -> String {
        let chunks: Vec<_> = log.read(&options).map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()).collect().await;
        chunks.concat()
    }

    async fn pause() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_chosen() {
        let log = log();
        for line in ["a\n", "b\nhalf", " c\n"] {
            pause().await;
            log.write(Output::Stdout, line.as_bytes());
        }
        log.write(Output::Stderr, b"no end");
        let at = |second| Timestamp::from_second(second).unwrap();
        let all = LogOptions::default;
        assert_eq!(text(&log, all()).await, "a\nb\nhalf c\n");
        assert_eq!(text(&log, LogOptions { tail: Some(1), ..all() }).await, "half c\n");
        assert_eq!(text(&log, LogOptions { since: Some(at(2)), ..all() }).await, "b\nhalf c\n");
        assert_eq!(text(&log, LogOptions { limit: Some(3), ..all() }).await, "a\nb");
        let stamped = LogOptions { tail: Some(1), timestamps: true, ..all() };
        assert_eq!(text(&log, stamped).await, "1970-01-01T00:00:02.000000000Z half c\n", "the time is that of its first byte");
        log.end();
        assert_eq!(text(&log, all()).await, "a\nb\nhalf c\nno end");
        assert_eq!(String::from_utf8(log.last_words()).unwrap(), "a\nb\nhalf c\nno end");
    }

    #[tokio::test(start_paused = true)]
    async fn who_follows_sees_the_rest_and_the_end() {
        let log = log();
        log.write(Output::Stdout, b"before\n");
        let followed = tokio::join!(text(&log, LogOptions { follow: true, tail: Some(0), ..LogOptions::default() }), async {
            pause().await;
            log.write(Output::Stdout, b"after\n");
            log.write(Output::Stderr, b"wrong\n");
            pause().await;
            log.end();
        });
        assert_eq!(followed.0, "after\nwrong\n");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded() {
        let log = log();
        let mut lazy = log.attach();
        for number in 0..200_000 {
            log.write(Output::Stdout, format!("line {number}\n").as_bytes());
        }
        let kept = text(&log, LogOptions::default()).await;
        assert!(kept.len() <= MOST && kept.ends_with("line 199999\n"), "{}", kept.len());
        log.write(Output::Stdout, &vec![b'x'; 3 * LONGEST_LINE]);
        log.end();
        let mut pieces = 0;
        while lazy.recv().await.is_some() {
            pieces += 1;
        }
        assert_eq!(pieces, BACKLOG, "who does not read is let go");
    }
}

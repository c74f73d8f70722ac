//! Several streams in one connection, as those see them who use them: readers and writers. What becomes of them on the wire is
//! up to an [`Ear`] and a [`Mouth`], of which each protocol has its own.
//!
//! What a client says faster than it is wanted stays within [`BUDGET`]; then the connection is not read any more until something
//! is. So a stream that nobody reads holds up its neighbours, as it does upstream: neither protocol has a window.
//!
//! Must not know: how frames look, what the streams are for.

use std::{
    collections::HashMap,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_util::sync::PollSender;

/// As much as is carried at once, in bytes.
pub(super) const CHUNK: usize = 32 * 1024;
/// As much as is kept of what a client said and nobody has read yet, in bytes.
const BUDGET: usize = 1 << 20;
/// What a chunk costs besides its bytes.
const OVERHEAD: usize = 128;
/// How many chunks wait to be said.
const QUEUE: usize = 16;
/// How many streams a client may have open. Ports are forwarded with two for each connection.
const MOST_STREAMS: usize = 1024;
/// How long a client may take to hang up once everything is said: a connection with unread input would be reset.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// There is a new stream.
    Open(u32, Headers),
    /// Bytes on a stream, no more than [`CHUNK`] and not none.
    Data(u32, Bytes),
    /// No more bytes will come on a stream.
    End(u32),
    /// A stream is given up.
    Reset(u32),
    /// An answer is wanted.
    Ping(u32),
}

/// What is said to the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// A new stream is welcome.
    Accept(u32),
    /// A new stream is not.
    Refuse(u32),
    /// Bytes on a stream.
    Data(u32, Bytes),
    /// No more bytes will come on a stream.
    End(u32),
    /// The answer to a ping.
    Pong(u32),
}

/// Understands a client.
pub(super) trait Ear: Send {
    /// The next thing it says; `None` when it has left.
    ///
    /// # Errors
    /// When the connection broke, or what was said makes no sense: it is over then.
    fn hear(&mut self) -> impl Future<Output = io::Result<Option<Heard>>> + Send;
}

/// Speaks to a client.
pub(super) trait Mouth: Send {
    /// Says one thing.
    ///
    /// # Errors
    /// When the connection broke.
    fn say(&mut self, what: Say) -> impl Future<Output = io::Result<()>> + Send;

    /// Says that this was all.
    ///
    /// # Errors
    /// When the connection broke.
    fn leave(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// What a client says of a stream when it opens it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers(pub(super) Vec<(String, String)>);

impl Headers {
    /// The value of a header, whose name is in small letters; empty where it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

/// The streams of a connection.
pub(super) struct Connection {
    says: mpsc::Sender<Say>,
    table: Arc<Table>,
    opened: mpsc::Receiver<(u32, Headers)>,
}

/// A stream that a client has opened and that is not accepted yet.
pub(super) struct Opened {
    pub(super) id: u32,
    pub(super) headers: Headers,
    says: mpsc::Sender<Say>,
    table: Arc<Table>,
}

/// Both sides of an open stream, or one of them.
#[derive(Default)]
struct Table(Mutex<HashMap<u32, Entry>>);

struct Entry {
    /// Whoever reads it. `None` once the client has ended it.
    feed: Option<mpsc::UnboundedSender<Piece>>,
    /// Taken by whoever accepts the stream.
    reader: Option<mpsc::UnboundedReceiver<Piece>>,
    /// Whether there may still be something to say.
    speaks: bool,
}

enum Piece {
    Data(Bytes, OwnedSemaphorePermit),
    Reset,
}

impl Table {
    /// A new stream; `false` where there are too many.
    fn open(&self, id: u32) -> bool {
        let mut streams = self.0.lock();
        let (feed, reader) = mpsc::unbounded_channel();
        let room = streams.len() < MOST_STREAMS && !streams.contains_key(&id);
        if room {
            streams.insert(id, Entry { feed: Some(feed), reader: Some(reader), speaks: true });
        }
        room
    }

    fn feed(&self, id: u32) -> Option<mpsc::UnboundedSender<Piece>> {
        self.0.lock().get(&id)?.feed.clone()
    }

    /// The client says no more.
    fn end_theirs(&self, id: u32) {
        let mut streams = self.0.lock();
        if let Some(entry) = streams.get_mut(&id) {
            entry.feed = None;
            if !entry.speaks {
                streams.remove(&id);
            }
        }
    }

    /// Nothing more is to be said.
    fn end_ours(&self, id: u32) {
        let mut streams = self.0.lock();
        if let Some(entry) = streams.get_mut(&id) {
            entry.speaks = false;
            if entry.feed.is_none() {
                streams.remove(&id);
            }
        }
    }

    /// The client gives it up, which whoever reads it is told, even those who accept it only then.
    fn reset(&self, id: u32) {
        let mut streams = self.0.lock();
        if let Some(entry) = streams.get_mut(&id) {
            if let Some(feed) = entry.feed.take() {
                let _ = feed.send(Piece::Reset);
            }
            entry.speaks = false;
            if entry.reader.is_none() {
                streams.remove(&id);
            }
        }
    }

    fn forget(&self, id: u32) {
        self.0.lock().remove(&id);
    }

    /// The ends of a stream. What is not read is thrown away.
    fn ends(self: &Arc<Self>, id: u32, says: &mpsc::Sender<Say>) -> (Reader, Writer) {
        let mut streams = self.0.lock();
        let feed = streams.get_mut(&id).and_then(|entry| entry.reader.take());
        if streams.get(&id).is_some_and(|entry| entry.feed.is_none() && !entry.speaks) {
            streams.remove(&id);
        }
        let reader = Reader { feed: feed.unwrap_or_else(|| mpsc::unbounded_channel().1), current: None };
        (reader, Writer { id, says: PollSender::new(says.clone()), table: self.clone() })
    }
}

impl Connection {
    /// A stream that is there without having been opened.
    pub(super) fn stream(&self, id: u32) -> (Reader, Writer) {
        self.table.open(id);
        self.table.ends(id, &self.says)
    }

    /// Says nothing on a stream, so that the client knows that it has begun.
    pub(super) async fn greet(&self, id: u32) {
        let _ = self.says.send(Say::Data(id, Bytes::new())).await;
    }

    /// The next stream that the client opens.
    pub(super) async fn opened(&mut self) -> Option<Opened> {
        let (id, headers) = self.opened.recv().await?;
        Some(Opened { id, headers, says: self.says.clone(), table: self.table.clone() })
    }
}

impl Opened {
    /// Tells the client that its stream is welcome.
    pub(super) async fn accept(self) -> (Reader, Writer) {
        let ends = self.table.ends(self.id, &self.says);
        // Whoever has left hears nothing; the ends tell.
        let _ = self.says.send(Say::Accept(self.id)).await;
        ends
    }

    /// Tells the client that its stream is not.
    pub(super) async fn refuse(self) {
        self.table.forget(self.id);
        let _ = self.says.send(Say::Refuse(self.id)).await;
    }
}

/// What a client says on a stream, to its end. It is an error when the client gives the stream up.
pub(super) struct Reader {
    feed: mpsc::UnboundedReceiver<Piece>,
    current: Option<(Bytes, OwnedSemaphorePermit)>,
}

impl AsyncRead for Reader {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.current.as_ref().is_none_or(|(bytes, _)| bytes.is_empty()) {
            self.current = None;
            match ready!(self.feed.poll_recv(context)) {
                None => return Poll::Ready(Ok(())),
                Some(Piece::Reset) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Some(Piece::Data(bytes, permit)) => self.current = Some((bytes, permit)),
            }
        }
        if let Some((bytes, _)) = &mut self.current {
            let count = bytes.len().min(into.remaining());
            into.put_slice(&bytes[..count]);
            bytes.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

/// What is said to a client on a stream. Shutting it down is its end.
pub(super) struct Writer {
    id: u32,
    says: PollSender<Say>,
    table: Arc<Table>,
}

impl Writer {
    fn poll_say(&mut self, context: &mut Context<'_>, what: impl FnOnce(u32) -> Say) -> Poll<io::Result<()>> {
        let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.says.poll_reserve(context)).map_err(|_| lost())?;
        let what = what(self.id);
        Poll::Ready(self.says.send_item(what).map_err(|_| lost()))
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(CHUNK)];
        if !bytes.is_empty() {
            ready!(self.poll_say(context, |id| Say::Data(id, Bytes::copy_from_slice(bytes))))?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_say(context, Say::End))?;
        self.table.end_ours(self.id);
        Poll::Ready(Ok(()))
    }
}

/// Carries what is said both ways while `talk` goes on; then says goodbye. When the client leaves, `talk` is given up.
pub(super) async fn converse<F>(ear: impl Ear, mut mouth: impl Mouth, talk: impl FnOnce(Connection) -> F)
where
    F: Future<Output = ()>,
{
    let table = Arc::new(Table::default());
    let (says, mut queue) = mpsc::channel(QUEUE);
    let (door, opened) = mpsc::channel(QUEUE);
    let answers = says.downgrade();
    let talking = talk(Connection { says, table: table.clone(), opened });
    // Ends when nobody is left who could say something.
    let speaking = async {
        while let Some(what) = queue.recv().await {
            mouth.say(what).await?;
        }
        mouth.leave().await
    };
    let ending = async {
        if let ((), Ok(())) = tokio::join!(talking, speaking) {
            tokio::time::sleep(FAREWELL).await;
        }
    };
    tokio::select! {
        // The talk comes first: it takes the streams that are there without having been opened, before anything is heard on them.
        biased;
        () = ending => {}
        heard = listen(ear, &table, &door, &answers) => {
            if let Err(error) = heard {
                tracing::debug!(%error, "a client was not understood");
            }
        }
    }
}

/// Takes what the client says to where it belongs, until it has left.
async fn listen(mut ear: impl Ear, table: &Table, door: &mpsc::Sender<(u32, Headers)>, answers: &mpsc::WeakSender<Say>) -> io::Result<()> {
    let budget = Arc::new(Semaphore::new(BUDGET));
    let answer = async |what| {
        if let Some(says) = answers.upgrade() {
            let _ = says.send(what).await;
        }
    };
    while let Some(heard) = ear.hear().await? {
        match heard {
            Heard::Open(id, headers) => {
                if !table.open(id) {
                    answer(Say::Refuse(id)).await;
                } else if door.send((id, headers)).await.is_err() {
                    table.forget(id);
                    answer(Say::Refuse(id)).await;
                }
            }
            Heard::Data(id, bytes) => {
                let Some(feed) = table.feed(id).filter(|feed| !feed.is_closed()) else { continue };
                let cost = u32::try_from((bytes.len() + OVERHEAD).min(BUDGET)).unwrap_or(u32::MAX);
                let room = tokio::select! {
                    room = budget.clone().acquire_many_owned(cost) => room,
                    // Nobody wants it any more.
                    () = feed.closed() => continue,
                };
                if let Ok(permit) = room {
                    let _ = feed.send(Piece::Data(bytes, permit));
                }
            }
            Heard::End(id) => table.end_theirs(id),
            Heard::Reset(id) => table.reset(id),
            Heard::Ping(id) => answer(Say::Pong(id)).await,
        }
    }
    Ok(())
}

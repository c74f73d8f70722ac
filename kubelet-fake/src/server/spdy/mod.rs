//! SPDY/3.1, as far as Go's clients of Kubernetes speak it: a client opens streams, both sides send bytes on them, and windows
//! are ignored. It is carried by a connection of its own, or by the messages of a WebSocket.
//!
//! What makes no sense ends the connection. Source: the draft of SPDY/3, and what moby/spdystream does.
//!
//! Must not know: what the streams carry.

mod headers;

use std::io;

use axum::extract::ws::{Message, WebSocket};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{
    SinkExt, Stream, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio_util::io::StreamReader;

use self::headers::Inflater;
use super::streams::{CHUNK, Ear, Heard, Mouth, Say};

/// The first half of a control frame's first word: that it is one, and the version.
const CONTROL: u16 = 0x8003;
/// The longest a control frame may be, in bytes.
const MOST_CONTROL: usize = 16 * 1024;
/// The flag of a frame after which no more comes on its stream.
const FIN: u8 = 1;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const SETTINGS: u16 = 4;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
const WINDOW_UPDATE: u16 = 9;

/// Why a stream is reset: it is refused.
const REFUSED: u32 = 3;

/// Reads frames.
pub(super) struct Frames<R> {
    bytes: BufReader<R>,
    headers: Inflater,
    /// The newest stream of the client.
    newest: u32,
    /// A data frame that is being read: the stream, how many bytes of it are to come, and whether it is the last.
    data: Option<(u32, usize, bool)>,
    /// A stream that is known already to end at once.
    ended: Option<u32>,
}

/// Writes frames.
pub(super) struct Voice {
    out: Out,
    /// Whether any headers were sent.
    opened: bool,
    /// The newest stream that was accepted.
    newest: u32,
}

enum Out {
    Connection(Box<dyn AsyncWrite + Send + Unpin>),
    WebSocket(SplitSink<WebSocket, Message>),
}

/// SPDY on a connection of its own.
pub(super) fn on_connection(connection: Upgraded) -> (impl Ear, impl Mouth) {
    let (read, write) = split(TokioIo::new(connection));
    (Frames::new(read), Voice { out: Out::Connection(Box::new(write)), opened: false, newest: 0 })
}

/// SPDY in the messages of a WebSocket, which begin and end anywhere in it.
pub(super) fn in_web_socket(socket: WebSocket) -> (impl Ear, impl Mouth) {
    let (sink, source) = socket.split();
    (Frames::new(StreamReader::new(bytes(source))), Voice { out: Out::WebSocket(sink), opened: false, newest: 0 })
}

/// What a WebSocket carries. Text is no bytes.
fn bytes(source: SplitStream<WebSocket>) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin {
    let heard = source.map(|message| match message {
        Ok(Message::Binary(bytes)) => Ok(bytes),
        Ok(Message::Text(_)) => Err(nonsense("text")),
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => Ok(Bytes::new()),
        Err(error) => Err(io::Error::other(error)),
    });
    // A reader takes what is empty for the end.
    heard.filter(|bytes| futures::future::ready(!matches!(bytes, Ok(bytes) if bytes.is_empty())))
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is no SPDY: {what}"))
}

impl<R: AsyncRead + Send + Unpin> Frames<R> {
    fn new(bytes: R) -> Self {
        Self { bytes: BufReader::with_capacity(CHUNK, bytes), headers: Inflater::new(), newest: 0, data: None, ended: None }
    }

    /// The next bytes of the data frame that is being read.
    async fn data(&mut self, (stream, left, last): (u32, usize, bool)) -> io::Result<Option<Heard>> {
        if left == 0 {
            return Ok(last.then_some(Heard::End(stream)));
        }
        let mut chunk = BytesMut::with_capacity(left.min(CHUNK));
        let count = self.bytes.read_buf(&mut (&mut chunk).limit(left.min(CHUNK))).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.data = Some((stream, left - count, last));
        Ok(Some(Heard::Data(stream, chunk.freeze())))
    }

    /// What a control frame says, if anything.
    fn control(&mut self, kind: u16, flags: u8, body: &[u8]) -> io::Result<Option<Heard>> {
        let word = |at: usize| {
            let bytes = body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_be_bytes).ok_or_else(|| nonsense("a frame that is too short"))
        };
        match kind {
            SYN_STREAM => {
                let stream = word(0)?;
                let headers = self.headers.block(body.get(10..).unwrap_or_default())?;
                if stream % 2 == 0 || stream > i32::MAX.cast_unsigned() || stream <= self.newest {
                    return Err(nonsense("a stream that cannot be new"));
                }
                self.newest = stream;
                self.ended = (flags & FIN != 0).then_some(stream);
                Ok(Some(Heard::Open(stream, headers)))
            }
            RST_STREAM => Ok(Some(Heard::Reset(word(0)?))),
            // Those with even numbers answer pings of ours, and there are none.
            PING => Ok(Some(word(0)?).filter(|id| id % 2 == 1).map(Heard::Ping)),
            HEADERS => {
                // The blocks after it can only be read if it was.
                self.headers.block(body.get(4..).unwrap_or_default())?;
                Ok(None)
            }
            SETTINGS | WINDOW_UPDATE | GOAWAY => Ok(None),
            _ => Err(nonsense("a frame that no client sends")),
        }
    }
}

impl<R: AsyncRead + Send + Unpin> Ear for Frames<R> {
    async fn hear(&mut self) -> io::Result<Option<Heard>> {
        loop {
            if let Some(stream) = self.ended.take() {
                return Ok(Some(Heard::End(stream)));
            }
            if let Some(data) = self.data.take() {
                match self.data(data).await? {
                    None => continue,
                    heard => return Ok(heard),
                }
            }
            let mut head = [0; 8];
            match self.bytes.read(&mut head[..1]).await? {
                0 => return Ok(None),
                _ => self.bytes.read_exact(&mut head[1..]).await?,
            };
            let [a, b, c, d, flags, lengths @ ..] = head;
            let length = lengths.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            if a & 0x80 == 0 {
                self.data = Some((u32::from_be_bytes([a, b, c, d]), length, flags & FIN != 0));
                continue;
            }
            if u16::from_be_bytes([a, b]) != CONTROL {
                return Err(nonsense("another version"));
            }
            if length > MOST_CONTROL {
                return Err(nonsense("a frame that is too long"));
            }
            let mut body = vec![0; length];
            self.bytes.read_exact(&mut body).await?;
            if let Some(heard) = self.control(u16::from_be_bytes([c, d]), flags, &body)? {
                return Ok(Some(heard));
            }
        }
    }
}

/// A control frame.
fn control(kind: u16, words: &[u32], rest: &[u8]) -> Bytes {
    let length = words.len() * 4 + rest.len();
    let mut frame = BytesMut::with_capacity(8 + length);
    frame.put_u16(CONTROL);
    frame.put_u16(kind);
    frame.put_u32(u32::try_from(length).unwrap_or_default());
    words.iter().for_each(|word| frame.put_u32(*word));
    frame.put_slice(rest);
    frame.freeze()
}

/// A data frame.
fn data(stream: u32, flags: u8, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(8 + bytes.len());
    frame.put_u32(stream);
    frame.put_u32(u32::from(flags) << 24 | u32::try_from(bytes.len()).unwrap_or_default());
    frame.put_slice(bytes);
    frame.freeze()
}

impl Voice {
    async fn send(&mut self, frame: Bytes) -> io::Result<()> {
        match &mut self.out {
            Out::Connection(connection) => connection.write_all(&frame).await,
            Out::WebSocket(socket) => socket.send(Message::Binary(frame)).await.map_err(io::Error::other),
        }
    }
}

impl Mouth for Voice {
    async fn say(&mut self, what: Say) -> io::Result<()> {
        let frame = match what {
            Say::Accept(stream) => {
                self.newest = stream;
                let opening = if std::mem::replace(&mut self.opened, true) { &[][..] } else { &headers::OPENING };
                control(SYN_REPLY, &[stream], &[opening, &headers::NONE].concat())
            }
            Say::Refuse(stream) => control(RST_STREAM, &[stream, REFUSED], &[]),
            Say::Data(stream, bytes) => data(stream, 0, &bytes),
            Say::End(stream) => data(stream, FIN, &[]),
            Say::Pong(id) => control(PING, &[id], &[]),
        };
        self.send(frame).await
    }

    async fn leave(&mut self) -> io::Result<()> {
        // It is for the client to hang up: one that finds the connection closed forgets what it has not read yet.
        self.send(control(GOAWAY, &[self.newest, 0], &[])).await
    }
}

#[cfg(test)]
mod tests;

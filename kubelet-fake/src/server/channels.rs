//! The channel protocol: several streams in one WebSocket. Each message begins with the number of its channel.
//!
//! `v4.channel.k8s.io` ends all streams at once, with the WebSocket; `v5.channel.k8s.io` has a message that ends one of them.
//!
//! Must not know: what the streams carry.

use std::io;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};

use super::streams::{CHUNK, Ear, Heard, Mouth, Say};

/// Streams end together.
pub(super) const V4: &str = "v4.channel.k8s.io";
/// Each stream can end by itself.
pub(super) const V5: &str = "v5.channel.k8s.io";

/// What a process reads.
pub(super) const STDIN: u32 = 0;
/// What it writes.
pub(super) const STDOUT: u32 = 1;
/// What it complains about.
pub(super) const STDERR: u32 = 2;
/// How it ended, as a Status.
pub(super) const ERROR: u32 = 3;
/// How big the terminal is.
pub(super) const RESIZE: u32 = 4;
/// v5: the other byte of this message is a channel that ends.
const CLOSE: u32 = 255;

/// Reads messages.
pub(super) struct Messages {
    socket: SplitStream<WebSocket>,
    closes: bool,
    /// What is left of a long message.
    rest: Option<(u32, Bytes)>,
}

/// Writes messages.
pub(super) struct Voice(SplitSink<WebSocket, Message>);

/// The channels of a WebSocket, each of which ends by itself if it `closes`.
pub(super) fn in_web_socket(socket: WebSocket, closes: bool) -> (impl Ear, impl Mouth) {
    let (sink, source) = socket.split();
    (Messages { socket: source, closes, rest: None }, Voice(sink))
}

impl Ear for Messages {
    async fn hear(&mut self) -> io::Result<Option<Heard>> {
        loop {
            if let Some((channel, rest)) = &mut self.rest {
                let (channel, chunk) = (*channel, rest.split_to(rest.len().min(CHUNK)));
                self.rest = self.rest.take().filter(|(_, rest)| !rest.is_empty());
                return Ok(Some(Heard::Data(channel, chunk)));
            }
            let Some(message) = self.socket.next().await else { return Ok(None) };
            match read(message.map_err(io::Error::other)?, self.closes) {
                Some(Heard::Data(channel, bytes)) => self.rest = Some((channel, bytes)),
                None => {}
                heard => return Ok(heard),
            }
        }
    }
}

impl Mouth for Voice {
    async fn say(&mut self, what: Say) -> io::Result<()> {
        match what {
            Say::Data(channel, bytes) => self.0.send(frame(channel, &bytes)).await.map_err(io::Error::other),
            // A server ends its channels together, and none are opened.
            Say::End(_) | Say::Accept(_) | Say::Refuse(_) | Say::Pong(_) => Ok(()),
        }
    }

    async fn leave(&mut self) -> io::Result<()> {
        self.0.send(close()).await.map_err(io::Error::other)
    }
}

/// Reads a message; `None` where it says nothing. Clients send bytes as text too.
fn read(message: Message, closes: bool) -> Option<Heard> {
    let mut bytes = match message {
        Message::Binary(bytes) => bytes,
        Message::Text(text) => text.into(),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return None,
    };
    let channel = u32::from(*bytes.first()?);
    let data = bytes.split_off(1);
    match data.first() {
        Some(ended) if closes && channel == CLOSE => Some(Heard::End((*ended).into())),
        Some(_) => Some(Heard::Data(channel, data)),
        None => None,
    }
}

/// A message for a channel.
pub(super) fn frame(channel: u32, data: &[u8]) -> Message {
    let mut bytes = BytesMut::with_capacity(1 + data.len());
    bytes.put_u8(u8::try_from(channel).unwrap_or(u8::MAX));
    bytes.put_slice(data);
    Message::Binary(bytes.freeze())
}

/// The end of everything. Go's clients take an end without a code for a failure.
pub(super) fn close() -> Message {
    Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let binary = |bytes: &'static [u8]| Message::Binary(Bytes::from_static(bytes));
        let data = |channel, bytes: &'static [u8]| Some(Heard::Data(channel, Bytes::from_static(bytes)));
        assert_eq!(read(binary(b"\x00ls\n"), true), data(STDIN, b"ls\n"));
        assert_eq!(read(Message::Text("\u{4}{}".into()), true), data(RESIZE, b"{}"), "clients send text as well");
        assert_eq!(read(binary(b"\xff\x00"), true), Some(Heard::End(STDIN)));
        assert_eq!(read(binary(b"\xff\x00"), false), data(CLOSE, b"\x00"), "v4 has no end of one stream");
        assert_eq!(read(binary(b"\x00"), true), None);
        assert_eq!(read(binary(b""), true), None);
        assert_eq!(read(Message::Ping(Bytes::new()), true), None);
        assert_eq!(frame(STDERR, b"no"), binary(b"\x02no"));
    }
}

//! The channel protocol: several streams in one WebSocket. Each message begins with the number of its channel.
//!
//! `v4.channel.k8s.io` ends all streams at once, with the WebSocket; `v5.channel.k8s.io` has a message that ends one of them.
//!
//! Must not know: what the streams carry.

use std::time::Duration;

use axum::{
    extract::ws::{CloseFrame, Message, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Refusal;

/// Streams end together.
pub(super) const V4: &str = "v4.channel.k8s.io";
/// Each stream can end by itself.
pub(super) const V5: &str = "v5.channel.k8s.io";

/// What a process reads.
pub(super) const STDIN: u8 = 0;
/// What it writes.
pub(super) const STDOUT: u8 = 1;
/// What it complains about.
pub(super) const STDERR: u8 = 2;
/// How it ended, as a Status.
pub(super) const ERROR: u8 = 3;
/// How big the terminal is.
pub(super) const RESIZE: u8 = 4;
/// v5: the other byte of this message is a channel that ends.
const CLOSE: u8 = 255;

/// How long a client may take to hang up once everything is said.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// As much as is read of a stream at once.
const CHUNK: usize = 32 * 1024;

/// What the client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Bytes for a channel.
    Data(u8, Bytes),
    /// A channel ends.
    End(u8),
}

/// Reads a message; `None` where it says nothing. Clients send bytes as text too.
pub(super) fn read(message: Message, closes: bool) -> Option<Said> {
    let mut bytes = match message {
        Message::Binary(bytes) => bytes,
        Message::Text(text) => text.into(),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return None,
    };
    let channel = *bytes.first()?;
    let data = bytes.split_off(1);
    match data.first() {
        Some(ended) if closes && channel == CLOSE => Some(Said::End(*ended)),
        _ => Some(Said::Data(channel, data)),
    }
}

/// A message for a channel.
pub(super) fn frame(channel: u8, data: &[u8]) -> Message {
    let mut bytes = BytesMut::with_capacity(1 + data.len());
    bytes.put_u8(channel);
    bytes.put_slice(data);
    Message::Binary(bytes.freeze())
}

/// The end of everything. Go's clients take an end without a code for a failure.
pub(super) fn close() -> Message {
    Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))
}

/// The next bytes of a stream as a message for a channel; `None` at its end. Nothing is lost when it is given up.
pub(super) async fn next(channel: u8, stream: &mut (impl AsyncRead + Unpin)) -> Option<Message> {
    let mut bytes = BytesMut::with_capacity(1 + CHUNK);
    bytes.put_u8(channel);
    match stream.read_buf(&mut bytes).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(Message::Binary(bytes.freeze())),
    }
}

/// The upgrade, once both sides have agreed on one of `protocols`, which are in order of preference.
///
/// # Errors
/// What is said to those who want none, another protocol, or SPDY.
pub(super) fn agree(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    headers: &HeaderMap,
    protocols: &[&'static str],
) -> Result<WebSocketUpgrade, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wanted = text(header::UPGRADE).to_ascii_lowercase();
    if wanted.starts_with("spdy/") {
        // No colon: kubectl would read it as YAML, find an empty Status and print nothing.
        let why = "SPDY is not supported by this kubelet, only WebSocket, which kubectl before 1.31 and port-forward do not speak";
        return Err((StatusCode::NOT_IMPLEMENTED, why.to_owned()));
    }
    let refused = |why: String| (StatusCode::BAD_REQUEST, format!("unable to upgrade: {why}"));
    let upgrade = upgrade.map_err(|error| match wanted.as_str() {
        "" => refused("missing upgrade headers in request".to_owned()),
        _ => refused(error.to_string()),
    })?;
    let upgrade = upgrade.protocols(protocols.iter().copied());
    if upgrade.selected_protocol().is_some() {
        return Ok(upgrade);
    }
    let (offered, known) = (text(header::SEC_WEBSOCKET_PROTOCOL).replace(',', ""), protocols.join(" "));
    let why = format!("unable to upgrade: unable to negotiate protocol: client supports [{offered}], server accepts [{known}]");
    Err((StatusCode::FORBIDDEN, why))
}

/// Whether v5 was agreed on.
pub(super) fn closes(upgrade: &WebSocketUpgrade) -> bool {
    upgrade.selected_protocol().is_some_and(|protocol| protocol == V5)
}

/// Accepts, to say one thing and close. It is how upstream refuses those who speak v5.
pub(super) fn tell(upgrade: WebSocketUpgrade, status: &Value) -> Response {
    let message = frame(ERROR, status.to_string().as_bytes());
    upgrade.on_upgrade(async move |mut socket| {
        // Whoever has left need not be told.
        if socket.send(message).await.is_ok() && socket.send(close()).await.is_ok() {
            drop(socket.recv().await);
        }
    })
}

/// The Status of a command that ended well.
pub(super) fn success() -> Value {
    json!({ "metadata": {}, "status": "Success" })
}

/// The Status of a command that ended with another code than 0.
pub(super) fn exited(command: &[String], code: i32) -> Value {
    let command = command.join(" ");
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: error executing command [{command}], exit code {code}"),
        "reason": "NonZeroExitCode",
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}

/// The Status of what did not come about.
pub(super) fn failed(why: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("Internal error occurred: {why}"),
        "reason": "InternalError",
        "details": { "causes": [{ "message": why }] },
        "code": 500,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let binary = |bytes: &'static [u8]| Message::Binary(Bytes::from_static(bytes));
        let data = |channel, bytes: &'static [u8]| Some(Said::Data(channel, Bytes::from_static(bytes)));
        assert_eq!(read(binary(b"\x00ls\n"), true), data(STDIN, b"ls\n"));
        assert_eq!(read(Message::Text("\u{4}{}".into()), true), data(RESIZE, b"{}"), "clients send text as well");
        assert_eq!(read(binary(b"\xff\x00"), true), Some(Said::End(STDIN)));
        assert_eq!(read(binary(b"\xff\x00"), false), data(CLOSE, b"\x00"), "v4 has no end of one stream");
        assert_eq!(read(binary(b"\x00"), true), data(STDIN, b""));
        assert_eq!(read(binary(b""), true), None);
        assert_eq!(read(Message::Ping(Bytes::new()), true), None);
        assert_eq!(frame(STDERR, b"no"), binary(b"\x02no"));
    }

    #[tokio::test]
    async fn a_stream_becomes_messages_until_it_ends() {
        let long = vec![b'x'; CHUNK + 10];
        let mut stream = &long[..];
        let mut lengths = Vec::new();
        while let Some(Message::Binary(bytes)) = next(STDOUT, &mut stream).await {
            assert_eq!(bytes[0], STDOUT);
            lengths.push(bytes.len() - 1);
        }
        assert_eq!(lengths.iter().sum::<usize>(), long.len());
        assert!(lengths.iter().all(|length| *length <= CHUNK), "{lengths:?}");
    }
}

//! Talking with a process in a container: what it reads and writes are the channels of one WebSocket.
//!
//! It knows the channels and how a process says that it has ended, and no verb.

use std::io;

use futures::{
    SinkExt, StreamExt,
    stream::{self, BoxStream, SplitSink},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    error::{Error, Result, usage},
    pods,
    server::{Server, Socket, escape},
    terminal::Size,
    value::{list, text},
};

/// What is spoken: each stream ends by itself, or all end together.
pub(crate) const PROTOCOLS: &str = "v5.channel.k8s.io, v4.channel.k8s.io";
/// The one of them in which each stream ends by itself.
pub(crate) const ENDS: &str = "v5.channel.k8s.io";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// The other byte of this message is a channel that ends.
const CLOSE: u8 = 255;

/// What is wanted of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) stdin: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
}

/// What a process reads and writes.
pub(crate) struct Io<'a> {
    /// To its end.
    pub(crate) input: Option<mpsc::Receiver<Vec<u8>>>,
    pub(crate) out: &'a mut (dyn AsyncWrite + Send + Unpin),
    pub(crate) err: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// How big the terminal is, whenever that changes.
    pub(crate) sizes: BoxStream<'static, Size>,
}

impl Wanted {
    /// The path at which a container of a pod is asked for this; `what` is `exec` or `attach`.
    pub(crate) fn path(self, pod: &Value, what: &str, container: &str, command: &[String]) -> String {
        let mut path = pods::path(pod, &format!("/{what}?container={}", escape(container)));
        for word in command {
            path.push_str("&command=");
            path.push_str(&escape(word));
        }
        for (name, is) in [("stdin", self.stdin), ("stdout", true), ("stderr", self.stderr), ("tty", self.tty)] {
            path.push_str(&format!("&{name}={is}"));
        }
        path
    }
}

/// Talks with a process until it has ended.
///
/// # Errors
/// That it ended with another code than 0, that it did not come about, or that the server is gone.
pub(crate) async fn talk(server: &Server, path: &str, io: Io<'_>) -> Result<()> {
    let (socket, protocol) = server.web_socket(path, PROTOCOLS).await?;
    let (sink, mut source) = socket.split();
    let Io { input, out, err, sizes } = io;
    let speaking = speak(sink, input, sizes, protocol == ENDS);
    let listening = async {
        while let Some(message) = source.next().await {
            let message = message.map_err(|error| usage(format!("error reading from error stream: {error}")))?;
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Close(_) => break,
                _ => continue,
            };
            match bytes.split_first() {
                Some((&STDOUT, said)) => write(out, said).await?,
                Some((&STDERR, said)) => write(err, said).await?,
                Some((&STATUS, said)) if !said.is_empty() => return verdict(said),
                _ => {}
            }
        }
        Err(usage("the connection was closed before it was said how the command ended"))
    };
    tokio::select! {
        ended = listening => ended,
        () = speaking => Ok(()),
    }
}

/// Passes on what is typed and how big the terminal is, for ever. That the server hears no more is noticed by who listens to it.
async fn speak(mut sink: SplitSink<Socket, Message>, input: Option<mpsc::Receiver<Vec<u8>>>, sizes: BoxStream<'static, Size>, ends: bool) {
    let closing = frame(CLOSE, &[STDIN]);
    let typed = input.map(|input| {
        let typed = stream::unfold(input, |mut input| async { input.recv().await.map(|bytes| (frame(STDIN, &bytes), input)) });
        typed.chain(stream::iter(ends.then_some(closing)))
    });
    let typed = typed.map_or_else(|| stream::empty().boxed(), StreamExt::boxed);
    let sizes = sizes.map(|(width, height)| frame(RESIZE, json!({ "Width": width, "Height": height }).to_string().as_bytes()));
    let mut all = stream::select(typed, sizes);
    while let Some(message) = all.next().await {
        if sink.send(message).await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    Message::Binary([&[channel], bytes].concat().into())
}

async fn write(to: &mut (dyn AsyncWrite + Send + Unpin), bytes: &[u8]) -> Result<()> {
    let written = async {
        to.write_all(bytes).await?;
        to.flush().await
    };
    written.await.map_err(|error| match error.kind() {
        // Whoever read it does not want more.
        io::ErrorKind::BrokenPipe => Error::Silent,
        _ => usage(format!("write the output: {error}")),
    })
}

/// What a Status says of how a process ended.
fn verdict(status: &[u8]) -> Result<()> {
    let status: Value = serde_json::from_slice(status).map_err(|_| usage(String::from_utf8_lossy(status).trim()))?;
    if status["status"] == "Success" {
        return Ok(());
    }
    let code = list(&status["details"]["causes"]).iter().find(|cause| cause["reason"] == "ExitCode").map(|cause| text(&cause["message"]));
    match code.filter(|_| status["reason"] == "NonZeroExitCode") {
        // What the system keeps of a code is its last byte.
        Some(code) => Err(match code.parse::<i32>() {
            Ok(number) => {
                let message = format!("command terminated with exit code {number}");
                Error::Exit { code: u8::try_from(number & 0xff).unwrap_or(1), message }
            }
            Err(_) => usage(format!("error stream protocol error: invalid exit code value {code:?}")),
        }),
        None => Err(usage(text(&status["message"]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_an_exit_code() {
        let ended = |status: Value| verdict(status.to_string().as_bytes());
        assert!(ended(json!({"status": "Success"})).is_ok());
        let exited = json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "long", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}});
        let error = ended(exited).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (3, "command terminated with exit code 3"));
        let failed = ended(json!({"status": "Failure", "reason": "InternalError", "message": "Internal error occurred: no"})).unwrap_err();
        assert_eq!((failed.code(), failed.to_string().as_str()), (1, "error: Internal error occurred: no"));
    }

    #[test]
    fn a_path_says_what_is_wanted() {
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}});
        let wanted = Wanted { stdin: true, stderr: false, tty: true };
        let path = wanted.path(&pod, "exec", "c", &["sh".into(), "-c".into(), String::new(), "a b".into()]);
        let expected = "/api/v1/namespaces/n/pods/p/exec?container=c&command=sh&command=-c&command=&command=a%20b\
                        &stdin=true&stdout=true&stderr=false&tty=true";
        assert_eq!(path, expected);
    }
}

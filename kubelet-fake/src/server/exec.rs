//! Talking with a process in a container, one that is there or one that is started for it.
//!
//! Must not know: how messages are framed, how processes are run.

use std::{future::Future, sync::Arc};

use axum::{
    extract::{
        Path, RawQuery, State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    sync::watch,
};

use super::{
    Refusal, Sources,
    channels::{self, ERROR, FAREWELL, RESIZE, STDERR, STDIN, STDOUT, Said, V4, V5},
    parameters,
};
use crate::runtime::{Container, Process, RuntimeError, Size};

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;
/// Namespace, pod and container.
type Names = Path<(String, String, String)>;

/// Which streams the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
}

/// `/exec/NAMESPACE/POD/CONTAINER`: starts a command and talks with it.
pub(super) async fn exec(
    State(sources): State<Sources>,
    Path(names): Names,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let query: Vec<(String, String)> = parameters(query.as_deref().unwrap_or_default());
    let command: Vec<String> = query.iter().filter(|(key, _)| key == "command").map(|(_, value)| value.clone()).collect();
    let found = async {
        let wanted = Wanted::read(&query)?;
        let (_, container) = find(&sources, &names).await?.map_err(|name| server_error(format!("container not found ({name:?})")))?;
        Ok((wanted, container))
    };
    let (wanted, container) = match found.await {
        Ok(found) => found,
        Err(refusal) => return refuse(upgrade, &headers, refusal),
    };
    let start = {
        let (runtime, command) = (sources.runtime.clone(), command.clone());
        async move { runtime.exec(&container.id, &command, wanted.tty).await }
    };
    let verdict = move |ended: Result<i32, RuntimeError>| match ended {
        Ok(0) => channels::success(),
        Ok(code) => channels::exited(&command, code),
        Err(error) => channels::failed(&format!("error executing command in container: {error}")),
    };
    accept(upgrade, &headers, sources, wanted, start, verdict)
}

/// `/attach/NAMESPACE/POD/CONTAINER`: talks with the container's own process.
pub(super) async fn attach(
    State(sources): State<Sources>,
    Path(names): Names,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    let query: Vec<(String, String)> = parameters(query.as_deref().unwrap_or_default());
    let found = async {
        let wanted = Wanted::read(&query)?;
        let pod = format!("{}_{}", names.1, names.0);
        let (pod, container) =
            find(&sources, &names).await?.map_err(|name| server_error(format!("container {name} not found in pod {pod}")))?;
        // A terminal cannot be given to a process that is there already.
        Ok((Wanted { tty: has_terminal(&pod, &container.name), ..wanted }, container))
    };
    let (wanted, container) = match found.await {
        Ok(found) => found,
        Err(refusal) => return refuse(upgrade, &headers, refusal),
    };
    let runtime = sources.runtime.clone();
    let start = async move { runtime.attach(&container.id).await };
    let verdict = |ended: Result<i32, RuntimeError>| match ended {
        Ok(_) => channels::success(),
        Err(error) => channels::failed(&format!("error attaching to container: {error}")),
    };
    accept(upgrade, &headers, sources, wanted, start, verdict)
}

impl Wanted {
    fn read(query: &[(String, String)]) -> Result<Self, Refusal> {
        let flag = |name: &str| query.iter().any(|(key, value)| key == name && (value == "1" || value == "true"));
        let wanted = Self { stdin: flag("input"), stdout: flag("output"), stderr: flag("error"), tty: flag("tty") };
        if wanted.stdin || wanted.stdout || wanted.stderr {
            Ok(wanted)
        } else {
            Err((StatusCode::BAD_REQUEST, "you must specify at least 1 of stdin, stdout, stderr".to_owned()))
        }
    }
}

fn server_error(why: String) -> Refusal {
    (StatusCode::INTERNAL_SERVER_ERROR, why)
}

/// The running container that is named; its name where there is none.
async fn find(
    sources: &Sources,
    (namespace, pod, container): &(String, String, String),
) -> Result<Result<(Arc<Pod>, Container), String>, Refusal> {
    let Some((pod, running)) = sources.running(namespace, pod).await? else {
        return Err((StatusCode::NOT_FOUND, "pod does not exist".to_owned()));
    };
    let found = running.into_iter().find(|running| running.name == *container);
    Ok(found.map(|found| (pod, found)).ok_or_else(|| container.clone()))
}

fn has_terminal(pod: &Pod, container: &str) -> bool {
    let spec = pod.spec.iter();
    let mut containers = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    containers.any(|found| found.name == container && found.tty == Some(true))
}

/// Refuses: on the error channel those who speak v5, as upstream does, and with a plain answer all others.
fn refuse(upgrade: Upgrade, headers: &HeaderMap, refusal: Refusal) -> Response {
    match channels::agree(upgrade, headers, &[V5, V4]) {
        Ok(upgrade) if channels::closes(&upgrade) => {
            channels::tell(upgrade, &channels::failed(&format!("unable to upgrade connection: {}", refusal.1)))
        }
        _ => refusal.into_response(),
    }
}

/// Upgrades, starts, and talks until it is over.
fn accept(
    upgrade: Upgrade,
    headers: &HeaderMap,
    sources: Sources,
    wanted: Wanted,
    start: impl Future<Output = Result<Process, RuntimeError>> + Send + 'static,
    verdict: impl FnOnce(Result<i32, RuntimeError>) -> Value + Send + 'static,
) -> Response {
    let upgrade = match channels::agree(upgrade, headers, &[V5, V4]) {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.into_response(),
    };
    let closes = channels::closes(&upgrade);
    upgrade.on_upgrade(async move |socket| {
        let talk = async {
            match start.await {
                Ok(process) => talk(socket, closes, wanted, process, verdict).await,
                Err(error) => {
                    let (mut sink, mut source) = socket.split();
                    conclude(&mut sink, &mut source, &verdict(Err(error))).await;
                }
            }
        };
        tokio::select! {
            () = talk => {}
            () = sources.stop.cancelled() => {}
        }
    })
}

/// Carries both directions until the process has ended or the client has gone; then the process is let go.
async fn talk(socket: WebSocket, closes: bool, wanted: Wanted, process: Process, verdict: impl FnOnce(Result<i32, RuntimeError>) -> Value) {
    let (mut sink, mut source) = socket.split();
    let Process { stdin, stdout, stderr, resize, exit } = process;
    let stdin = wanted.stdin.then_some(stdin);
    // Both at once: a client that does not read while it writes must not bring everything to a halt.
    let status = tokio::select! {
        () = listen(&mut source, closes, stdin, &resize) => return,
        told = speak(&mut sink, wanted, stdout, stderr) => match told {
            Ok(()) => verdict(exit.await),
            Err(_) => return,
        },
    };
    conclude(&mut sink, &mut source, &status).await;
}

/// Passes on what the client says, until it leaves.
async fn listen(
    source: &mut SplitStream<WebSocket>,
    closes: bool,
    mut stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    resize: &watch::Sender<Size>,
) {
    while let Some(Ok(message)) = source.next().await {
        match channels::read(message, closes) {
            Some(Said::Data(STDIN, data)) => {
                if let Some(input) = &mut stdin
                    && input.write_all(&data).await.is_err()
                {
                    // It reads no more; what else it has to say is still wanted.
                    stdin = None;
                }
            }
            Some(Said::End(STDIN)) => {
                if let Some(mut input) = stdin.take() {
                    let _ = input.shutdown().await;
                }
            }
            Some(Said::Data(RESIZE, data)) => {
                if let Some(size) = size(&data) {
                    resize.send_replace(size);
                }
            }
            _ => {}
        }
    }
}

/// Passes on what the process says, until it has said everything.
async fn speak(
    sink: &mut SplitSink<WebSocket, Message>,
    wanted: Wanted,
    stdout: Box<dyn AsyncRead + Send + Unpin>,
    stderr: Box<dyn AsyncRead + Send + Unpin>,
) -> Result<(), axum::Error> {
    let first = match wanted {
        Wanted { stdout: true, .. } => STDOUT,
        Wanted { stderr: true, .. } => STDERR,
        _ => ERROR,
    };
    // An empty message says that it has begun.
    sink.send(channels::frame(first, b"")).await?;
    let (mut stdout, mut stderr) = (Some(stdout), Some(stderr));
    loop {
        let (message, told) = tokio::select! {
            message = next(STDOUT, &mut stdout), if stdout.is_some() => (message, wanted.stdout),
            message = next(STDERR, &mut stderr), if stderr.is_some() => (message, wanted.stderr),
            else => return Ok(()),
        };
        // A process is not held up by what nobody wants to hear.
        if let Some(message) = message.filter(|_| told) {
            sink.send(message).await?;
        }
    }
}

/// The next message of a stream, which is given up at its end.
async fn next(channel: u8, stream: &mut Option<Box<dyn AsyncRead + Send + Unpin>>) -> Option<Message> {
    let message = match stream {
        Some(open) => channels::next(channel, open).await,
        None => None,
    };
    if message.is_none() {
        *stream = None;
    }
    message
}

/// Says how it ended, and waits until the client has heard it: a connection with unread input would be reset.
async fn conclude(sink: &mut SplitSink<WebSocket, Message>, source: &mut SplitStream<WebSocket>, status: &Value) {
    let farewell = async {
        sink.send(channels::frame(ERROR, status.to_string().as_bytes())).await?;
        sink.send(channels::close()).await?;
        while let Some(Ok(_)) = source.next().await {}
        Ok::<_, axum::Error>(())
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// `{"Width": 80, "Height": 24}`.
fn size(data: &[u8]) -> Option<Size> {
    let size: Value = serde_json::from_slice(data).ok()?;
    let number = |name: &str| u16::try_from(size[name].as_u64()?).ok();
    Some(Size { width: number("Width")?, height: number("Height")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size(br#"{"Width":80,"Height":24}"#), Some(Size { width: 80, height: 24 }));
        assert_eq!(size(br#"{"Width":80}"#), None);
        assert_eq!(size(b"large"), None);
    }

    #[test]
    fn at_least_one_stream_is_wanted() {
        let read = |query: &str| Wanted::read(&parameters::<Vec<_>>(query));
        assert_eq!(read("input=1&output=1&tty=1"), Ok(Wanted { stdin: true, stdout: true, stderr: false, tty: true }));
        assert!(read("tty=1&command=ls").is_err());
    }
}

//! Talking with a process in a container, one that is there or one that is started for it.
//!
//! Must not know: how what is said is carried, how processes are run.

use std::{future::Future, time::Duration};

use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink},
    sync::watch,
};

use super::{
    Refusal, Sources,
    channels::{ERROR, RESIZE, STDERR, STDIN, STDOUT, V4, V5},
    parameters,
    streams::{Connection, Reader, Writer},
    verdict,
    wire::{Asked, Offer, Streams},
};
use crate::runtime::{Container, Process, RuntimeError, Size};

/// What is spoken with processes.
const OFFER: Offer = Offer { channels: &[V5, V4], streams: &[V5, V4], tunnelled: &[] };
/// How long a client may take to open its streams.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a runtime takes to start a process. That much `kubectl` up to 1.32 relies on: it listens before it has set up its
/// channels, and drops what comes meanwhile.
const STARTING: Duration = Duration::from_millis(20);
/// The longest size of a terminal, in bytes.
const MOST_SIZE: usize = 1024;

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

/// The streams of one talk, those that are wanted.
#[derive(Default)]
struct Ends {
    stdin: Option<Reader>,
    stdout: Option<Writer>,
    stderr: Option<Writer>,
    error: Option<Writer>,
    resize: Option<Reader>,
}

/// `/exec/NAMESPACE/POD/CONTAINER`: starts a command and talks with it.
pub(super) async fn exec(State(sources): State<Sources>, Path(names): Names, RawQuery(query): RawQuery, asked: Asked) -> Response {
    let query: Vec<(String, String)> = parameters(query.as_deref().unwrap_or_default());
    let command: Vec<String> = query.iter().filter(|(key, _)| key == "command").map(|(_, value)| value.clone()).collect();
    let found = async {
        let wanted = Wanted::read(&query)?;
        let container = find(&sources, &names).await?.map_err(|name| server_error(format!("container not found ({name:?})")))?;
        Ok((wanted, container))
    };
    let (wanted, container) = match found.await {
        Ok(found) => found,
        Err(refusal) => return refuse(asked, refusal),
    };
    let start = {
        let (runtime, command) = (sources.runtime.clone(), command.clone());
        async move {
            let mut process = runtime.exec(&container.id, &command, wanted.tty).await?;
            if !wanted.stdin {
                // It finds nothing to read. One that is attached to may still have other input.
                let _ = process.stdin.shutdown().await;
            }
            Ok(process)
        }
    };
    let verdict = move |ended: Result<i32, RuntimeError>| match ended {
        Ok(0) => verdict::success(),
        Ok(code) => verdict::exited(&command, code),
        Err(error) => verdict::failed(&format!("error executing command in container: {error}")),
    };
    match asked.agree(&OFFER) {
        Ok(wire) => wire.open(sources.stop, move |connection, streams| meet(connection, streams, wanted, start, verdict)),
        Err(refusal) => refusal.into_response(),
    }
}

/// `/attach/NAMESPACE/POD/CONTAINER`: talks with the container's own process.
pub(super) async fn attach(State(sources): State<Sources>, Path(names): Names, RawQuery(query): RawQuery, asked: Asked) -> Response {
    let query: Vec<(String, String)> = parameters(query.as_deref().unwrap_or_default());
    let found = async {
        let wanted = Wanted::read(&query)?;
        let pod = format!("{}_{}", names.1, names.0);
        let container = find(&sources, &names).await?.map_err(|name| server_error(format!("container {name} not found in pod {pod}")))?;
        Ok((wanted, container))
    };
    let (wanted, container) = match found.await {
        Ok(found) => found,
        Err(refusal) => return refuse(asked, refusal),
    };
    let runtime = sources.runtime.clone();
    let start = async move { runtime.attach(&container.id).await };
    let verdict = |ended: Result<i32, RuntimeError>| match ended {
        Ok(_) => verdict::success(),
        Err(error) => verdict::failed(&format!("error attaching to container: {error}")),
    };
    match asked.agree(&OFFER) {
        Ok(wire) => wire.open(sources.stop, move |connection, streams| meet(connection, streams, wanted, start, verdict)),
        Err(refusal) => refusal.into_response(),
    }
}

impl Wanted {
    fn read(query: &[(String, String)]) -> Result<Self, Refusal> {
        let flag = |name: &str| query.iter().any(|(key, value)| key == name && (value == "1" || value == "true"));
        let tty = flag("tty");
        // A terminal has only one stream for what is written.
        let wanted = Self { stdin: flag("input"), stdout: flag("output"), stderr: flag("error") && !tty, tty };
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

/// Refuses: on the error channel those who can be told there, and with a plain answer all others.
fn refuse(asked: Asked, refusal: Refusal) -> Response {
    match asked.agree(&OFFER) {
        Ok(wire) => wire.refuse(refusal, |why| verdict::failed(&format!("unable to upgrade connection: {why}"))),
        Err(_) => refusal.into_response(),
    }
}

/// The running container that is named; its name where there is none.
async fn find(sources: &Sources, (namespace, pod, container): &(String, String, String)) -> Result<Result<Container, String>, Refusal> {
    let Some((_, running)) = sources.running(namespace, pod).await? else {
        return Err((StatusCode::NOT_FOUND, "pod does not exist".to_owned()));
    };
    let found = running.into_iter().find(|running| running.name == *container);
    Ok(found.ok_or_else(|| container.clone()))
}

/// Waits for the streams, starts, and talks until it is over.
async fn meet(
    connection: Connection,
    streams: Streams,
    wanted: Wanted,
    start: impl Future<Output = Result<Process, RuntimeError>>,
    verdict: impl FnOnce(Result<i32, RuntimeError>) -> Value,
) {
    let ends = match streams {
        Streams::Numbered => {
            let ends = Ends::numbered(connection, wanted).await;
            tokio::time::sleep(STARTING).await;
            Some(ends)
        }
        Streams::Opened => tokio::time::timeout(PATIENCE, Ends::opened(connection, wanted)).await.ok().flatten(),
    };
    let Some(mut ends) = ends else { return };
    let error = ends.error.take();
    let ended = match start.await {
        Ok(process) => talk(ends, process).await,
        Err(error) => {
            end(ends.stdout.take()).await;
            end(ends.stderr.take()).await;
            Err(error)
        }
    };
    if let Some(mut error) = error {
        // Whoever has left need not be told.
        let _ = error.write_all(verdict(ended).to_string().as_bytes()).await;
        end(Some(error)).await;
    }
}

impl Ends {
    /// Channels, which are there.
    async fn numbered(connection: Connection, wanted: Wanted) -> Self {
        let reader = |id, wanted: bool| wanted.then(|| connection.stream(id).0);
        let writer = |id, wanted: bool| wanted.then(|| connection.stream(id).1);
        // An empty message on the first of them says that it has begun.
        let first = if wanted.stdout {
            STDOUT
        } else if wanted.stderr {
            STDERR
        } else {
            ERROR
        };
        let ends = Self {
            stdin: reader(STDIN, wanted.stdin),
            stdout: writer(STDOUT, wanted.stdout),
            stderr: writer(STDERR, wanted.stderr),
            error: writer(ERROR, true),
            resize: reader(RESIZE, wanted.tty),
        };
        connection.greet(first).await;
        ends
    }

    /// Streams, once the client has opened all that it wants. `None` when it leaves before.
    async fn opened(mut connection: Connection, wanted: Wanted) -> Option<Self> {
        let mut ends = Self::default();
        while !ends.are(wanted) {
            let opened = connection.opened().await?;
            match opened.headers.get("streamtype") {
                "error" => ends.error = Some(opened.accept().await.1),
                "stdin" => ends.stdin = Some(opened.accept().await.0),
                "stdout" => ends.stdout = Some(opened.accept().await.1),
                "stderr" => ends.stderr = Some(opened.accept().await.1),
                "resize" => ends.resize = Some(opened.accept().await.0),
                _ => opened.refuse().await,
            }
        }
        Some(ends)
    }

    fn are(&self, wanted: Wanted) -> bool {
        self.error.is_some()
            && self.stdin.is_some() >= wanted.stdin
            && self.stdout.is_some() >= wanted.stdout
            && self.stderr.is_some() >= wanted.stderr
            && self.resize.is_some() >= wanted.tty
    }
}

/// Carries all streams until the process has said everything and ended.
async fn talk(ends: Ends, process: Process) -> Result<i32, RuntimeError> {
    let Process { stdin, stdout, stderr, resize, exit } = process;
    // Both at once: a client that does not read while it writes must not bring everything to a halt.
    let listening = async {
        tokio::join!(pass(ends.stdin, stdin), sizes(ends.resize, &resize));
        std::future::pending().await
    };
    let telling = async {
        tokio::join!(tell(stdout, ends.stdout), tell(stderr, ends.stderr));
        exit.await
    };
    tokio::select! {
        ended = listening => ended,
        ended = telling => ended,
    }
}

/// Passes on what the client says to a process, and that it says no more.
async fn pass(from: Option<Reader>, mut to: Box<dyn AsyncWrite + Send + Unpin>) {
    let Some(mut from) = from else { return };
    // The process may read no more, or the client may have given up; what else there is to say is still wanted.
    if copy(&mut from, &mut to).await.is_ok() {
        let _ = to.shutdown().await;
    }
}

/// Passes on what a process says, until it has said everything. It is not held up by what nobody wants to hear.
async fn tell(mut from: Box<dyn AsyncRead + Send + Unpin>, to: Option<Writer>) {
    match to {
        Some(mut to) => {
            let _ = copy(&mut from, &mut to).await;
            end(Some(to)).await;
        }
        None => {
            let _ = copy(&mut from, &mut sink()).await;
        }
    }
}

async fn end(stream: Option<Writer>) {
    if let Some(mut stream) = stream {
        let _ = stream.shutdown().await;
    }
}

/// Tells a process each size of the client's terminal.
async fn sizes(from: Option<Reader>, to: &watch::Sender<Size>) {
    let Some(mut from) = from else { return };
    let mut said = Vec::new();
    while let Ok(1..) = from.read_buf(&mut said).await {
        for size in complete(&mut said) {
            to.send_replace(size);
        }
        if said.len() > MOST_SIZE {
            return;
        }
    }
}

/// Takes the sizes that are complete: `{"Width":80,"Height":24}`, one after the other.
fn complete(said: &mut Vec<u8>) -> Vec<Size> {
    let mut values = serde_json::Deserializer::from_slice(said).into_iter::<Value>();
    let mut sizes = Vec::new();
    while let Some(Ok(value)) = values.next() {
        let number = |name: &str| u16::try_from(value[name].as_u64()?).ok();
        sizes.extend(number("Width").zip(number("Height")).map(|(width, height)| Size { width, height }));
    }
    let taken = values.byte_offset();
    said.drain(..taken);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let read = |said: &str| {
            let mut said = said.as_bytes().to_vec();
            let sizes: Vec<_> = complete(&mut said).into_iter().map(|size| (size.width, size.height)).collect();
            (sizes, String::from_utf8(said).unwrap())
        };
        assert_eq!(read(r#"{"Width":80,"Height":24}"#), (vec![(80, 24)], String::new()));
        assert_eq!(read("{\"Width\":80,\"Height\":24}\n{\"Width\":132,\"Hei").0, [(80, 24)]);
        assert_eq!(read(r#"{"Width":80,"Hei"#), (vec![], r#"{"Width":80,"Hei"#.to_owned()));
        assert_eq!(read(r#"{"Width":80}"#), (vec![], String::new()));
        assert_eq!(read("large").0, []);
    }

    #[test]
    fn at_least_one_stream_is_wanted() {
        let read = |query: &str| Wanted::read(&parameters::<Vec<_>>(query));
        assert_eq!(read("input=1&output=1&tty=1"), Ok(Wanted { stdin: true, stdout: true, stderr: false, tty: true }));
        assert_eq!(read("output=1&error=1&tty=1"), Ok(Wanted { stdin: false, stdout: true, stderr: false, tty: true }));
        assert!(read("tty=1&command=ls").is_err());
    }
}

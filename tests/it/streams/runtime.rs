//! A runtime for these tests: simulated containers in which a few commands run, in a network where a few ports answer.

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use hyper::{Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use mini_daemon::tasks::detach;
use mini_kubelet::network::Network;
use mini_kubelet::runtime::{
    Container, ContainerRuntime, Hints, Image, Listing, LogOptions, LogStream, Now, Process, RuntimeError, StartRequest, Stream, Usage,
    simulated::Simulated,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex, empty, sink},
    process::Command,
    sync::watch,
};

/// Sends back what it gets, until that ends.
pub(crate) const ECHO: u16 = 7;
/// Speaks HTTP.
pub(crate) const HTTP: u16 = 80;
/// How much fits into a pipe: less than what is sent through it, so that both sides must wait for each other.
const PIPE: usize = 4096;

/// How many commands and connections there are.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<AtomicUsize>);

/// One of them.
struct Life(Arc<AtomicUsize>);

impl Alive {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn begin(&self) -> Life {
        self.0.fetch_add(1, Ordering::SeqCst);
        Life(self.0.clone())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The runtime.
pub(crate) struct Scripted {
    containers: Simulated,
    alive: Alive,
    /// The file system of all containers.
    root: TempDir,
}

impl Scripted {
    pub(crate) fn new(hints: Hints, now: Now, alive: Alive) -> Self {
        // What listens is scripted: nobody is to be found in the network of the nodes.
        let network = Network::new(Arc::default(), None);
        Self {
            containers: Simulated::new(hints, now, network, Duration::ZERO, Duration::ZERO),
            alive,
            root: TempDir::new().expect("a folder"),
        }
    }

    /// The system's tar, in the containers' file system. It says what that of busybox says.
    fn tar(&self, words: &[&str], life: Life) -> Process {
        let root = self.root.path();
        let (packs, says) = match words {
            ["cf", "-", path] => {
                (vec!["-C".into(), root.into(), "-cf".into(), "-".into(), path.trim_start_matches('/').into()], path.starts_with('/'))
            }
            [flags @ .., "-C", to] => {
                let to = root.join(to.trim_start_matches('/'));
                std::fs::create_dir_all(&to).expect("a folder");
                (flags.iter().map(OsString::from).chain(["-C".into(), to.into()]).collect(), false)
            }
            _ => panic!("{words:?}"),
        };
        let mut tar = Command::new("tar");
        let mut child = tar.args(packs).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tar starts");
        let said = if says { "tar: removing leading '/' from member names\n" } else { "" };
        let (stdin, stdout, stderr) =
            (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"), child.stderr.take().expect("stderr"));
        process(stdin, stdout, said.as_bytes().chain(stderr), async move {
            let _life = life;
            child.wait().await.ok().and_then(|status| status.code()).unwrap_or(-1)
        })
    }
}

#[async_trait::async_trait]
impl ContainerRuntime for Scripted {
    async fn pull(&self, node: &str, image: &str, pod: &Pod) -> Result<Image, RuntimeError> {
        self.containers.pull(node, image, pod).await
    }
    async fn start(&self, request: StartRequest) -> Result<Arc<str>, RuntimeError> {
        self.containers.start(request).await
    }
    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        self.containers.stop(id, grace).await
    }
    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        self.containers.remove(id).await
    }
    async fn list(&self, node: &str, pod: Option<&str>) -> Result<Listing, RuntimeError> {
        self.containers.list(node, pod).await
    }
    async fn logs(&self, id: &str, options: LogOptions) -> Result<LogStream, RuntimeError> {
        self.containers.logs(id, options).await
    }
    async fn attach(&self, id: &str) -> Result<Process, RuntimeError> {
        self.containers.attach(id).await
    }

    async fn exec(&self, id: &str, command: &[String], tty: bool) -> Result<Process, RuntimeError> {
        let life = self.alive.begin();
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words[..] {
            // Writes what it reads.
            ["cat"] => {
                let (stdin, input) = duplex(PIPE);
                let (stdout, output) = duplex(PIPE);
                let work = detach("cat", async move {
                    let _life = life;
                    echo(input, output).await
                });
                Ok(process(stdin, stdout, empty(), async move { work.await.is_ok() }.map(|well| i32::from(!well))))
            }
            // Complains and ends with the code it was given.
            ["fail", code] => {
                let code: i32 = code.parse().unwrap_or(1);
                let complaint = io::Cursor::new(b"no\n".to_vec());
                Ok(process(sink(), empty(), complaint, async move { code }.inspect(move |_| drop(life))))
            }
            // Tells whether it has a terminal.
            ["tty"] => {
                let told = io::Cursor::new(format!("tty={tty}\n").into_bytes());
                Ok(process(sink(), told, empty(), async { 0 }.inspect(move |_| drop(life))))
            }
            ["test", "-d", path] => {
                let is = self.root.path().join(path.trim_start_matches('/')).is_dir();
                Ok(process(sink(), empty(), empty(), async move { i32::from(!is) }.inspect(move |_| drop(life))))
            }
            ["tar", ref words @ ..] => Ok(self.tar(words, life)),
            // Tells how big its terminal is, whenever that changes.
            ["size"] => {
                let (resize, mut sizes) = watch::channel(Default::default());
                let (stdout, mut output) = duplex(PIPE);
                detach("size", async move {
                    let _life = life;
                    while sizes.changed().await.is_ok() {
                        let size: mini_kubelet::runtime::Size = *sizes.borrow_and_update();
                        let told = format!("{}x{} tty={tty}\n", size.width, size.height);
                        if output.write_all(told.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
                Ok(Process { resize, ..process(sink(), stdout, empty(), async { 0 }) })
            }
            _ => self.containers.exec(id, command, tty).await,
        }
    }

    async fn usage(&self, container: &Container, pod: &Pod) -> Result<Usage, RuntimeError> {
        self.containers.usage(container, pod).await
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let (ours, theirs) = duplex(PIPE);
        let life = self.alive.begin();
        match address.port() {
            ECHO => detach("echo", async move {
                let _life = life;
                let (input, output) = tokio::io::split(theirs);
                echo(input, output).await;
            }),
            HTTP => detach("http", async move {
                let life = Arc::new(life);
                let service = service_fn(|request| serve(request, life.clone()));
                let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(theirs), service);
                let _ = serving.with_upgrades().await;
            }),
            _ => return self.containers.dial(address).await,
        };
        Ok(Box::new(ours))
    }
}

fn process(
    stdin: impl tokio::io::AsyncWrite + Send + Unpin + 'static,
    stdout: impl tokio::io::AsyncRead + Send + Unpin + 'static,
    stderr: impl tokio::io::AsyncRead + Send + Unpin + 'static,
    exit: impl Future<Output = i32> + Send + 'static,
) -> Process {
    Process {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
        resize: watch::Sender::default(),
        exit: exit.map(Ok).boxed(),
    }
}

/// Sends back what comes until it ends, and then ends too.
async fn echo(mut input: impl tokio::io::AsyncRead + Unpin, mut output: impl tokio::io::AsyncWrite + Unpin) {
    let _ = tokio::io::copy(&mut input, &mut output).await;
    let _ = output.shutdown().await;
}

/// A small web server: it says what it was asked, and what it got.
async fn serve(mut request: Request<Incoming>, life: Arc<Life>) -> Result<Response<String>, hyper::Error> {
    use http_body_util::BodyExt;
    let header = |request: &Request<Incoming>, name: &str| {
        request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned()
    };
    let mut response = Response::new(String::new());
    match request.uri().path() {
        "/login" => {
            *response.status_mut() = StatusCode::FOUND;
            response.headers_mut().insert("location", hyper::header::HeaderValue::from_static("/welcome?from=login"));
        }
        "/echo" if request.headers().contains_key("upgrade") => {
            let upgrade = hyper::upgrade::on(&mut request);
            detach("upgraded", async move {
                let _life = life;
                if let Ok(upgraded) = upgrade.await {
                    let (input, output) = tokio::io::split(TokioIo::new(upgraded));
                    echo(input, output).await;
                }
            });
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            for (name, value) in [("connection", "upgrade"), ("upgrade", "echo")] {
                response.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
            }
        }
        "/echo" => *response.body_mut() = String::from_utf8_lossy(&request.into_body().collect().await?.to_bytes()).into_owned(),
        _ => {
            let (uri, authorization) = (header(&request, "x-forwarded-uri"), header(&request, "authorization"));
            response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("text/plain"));
            response.headers_mut().insert("keep-alive", hyper::header::HeaderValue::from_static("timeout=5"));
            *response.body_mut() = format!("{} {} as {uri}, {authorization}", request.method(), request.uri());
        }
    }
    Ok(response)
}

/// Reads a stream to its end.
pub(crate) async fn read_all(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("it can be read");
    bytes
}

//! A runtime that does what a story says, on tokio's paused clock, and an API server that only writes down what it is told.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    fmt::Write as _,
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::FutureExt;
use http::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, client::Body};
use mini_daemon::tasks::detach;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use crate::runtime::*;

/// Something that happens in a story.
#[derive(Clone, Debug)]
pub(super) enum Do {
    /// From now on this container ends so many seconds after its start, with this code.
    Ends(&'static str, u64, i32),
    /// From now on this container runs until told otherwise.
    Runs(&'static str),
    /// This container ends now, with this code and these last words.
    Exit(&'static str, i32, &'static str),
    /// This container uses too much memory.
    Oom(&'static str),
    /// From now on this container cannot be started, or created, for this reason.
    Unstartable(&'static str, &'static str),
    Uncreatable(&'static str, &'static str),
    /// From now on this container takes so many seconds to end after SIGTERM, with this code.
    Term(&'static str, u64, i32),
    /// From now on this command takes so many seconds, and ends with this code and output.
    Exec(&'static str, u64, i32, &'static str),
    /// From now on somebody listens at this port.
    Port(u16, Listener),
    /// Nobody does any more.
    Closed(u16),
    /// From now on there is no such image, or there is.
    Missing(&'static str),
    Found(&'static str),
    /// An object is created or changed.
    Object(Value),
    /// The pod is changed: a merge patch.
    Change(Value),
    /// The pod is deleted with this grace period.
    Delete(i64),
    /// The node has this annotation that says what it runs out of.
    Pressure(&'static str),
}

/// Who listens at a port.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listener {
    /// Answers with this code.
    Http(u16),
    /// Sends whoever asks for `/` to this place.
    Redirect(&'static str),
    /// A server of gRPC's health protocol, with this state.
    Grpc(u8),
    /// Never says a word.
    Silent,
}

/// What was said and done, with its time.
#[derive(Clone)]
pub(super) struct Log {
    began: tokio::time::Instant,
    text: Arc<Mutex<String>>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { began: tokio::time::Instant::now(), text: Arc::default() }
    }

    pub(super) fn write(&self, what: &str) {
        let elapsed = self.began.elapsed();
        let tenths = elapsed.subsec_millis() / 100;
        let second = if tenths == 0 { elapsed.as_secs().to_string() } else { format!("{}.{tenths}", elapsed.as_secs()) };
        let _ = writeln!(self.text.lock(), "{second:<5} {what}");
    }

    pub(super) fn take(&self) -> String {
        std::mem::take(&mut self.text.lock())
    }

    /// The client of an API server that writes down Events.
    pub(super) fn client(&self) -> Client {
        let log = self.clone();
        let known: Arc<Mutex<HashMap<String, Value>>> = Arc::default();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (log, known) = (log.clone(), known.clone());
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let body: Value = serde_json::from_slice(&request.into_body().collect_bytes().await?).map_err(io::Error::other)?;
                let name = if method == Method::POST { body["metadata"]["name"].clone() } else { path.rsplit('/').next().into() };
                let event = {
                    let mut known = known.lock();
                    let event = known.entry(name.to_string()).or_default();
                    json_patch::merge(event, &body);
                    event.clone()
                };
                let text = |field: &str| event[field].as_str().unwrap_or_default().replace('\n', "\\n");
                let count = event["count"].as_i64().filter(|count| *count > 1).map(|count| format!(" (x{count})")).unwrap_or_default();
                log.write(&format!("{} {} {}{count}", text("type"), text("reason"), text("message")));
                let answer = event.to_string().into_bytes();
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(Body::from(answer)))
            }
        });
        Client::new(service, "default")
    }
}

/// What the story has said so far.
#[derive(Default)]
struct Table {
    containers: Vec<Container>,
    images: Images,
    ends: HashMap<&'static str, (u64, i32)>,
    failing: HashMap<&'static str, RuntimeError>,
    terms: HashMap<&'static str, (u64, i32)>,
    commands: HashMap<&'static str, (u64, i32, &'static str)>,
    ports: HashMap<u16, Listener>,
    missing: HashSet<&'static str>,
}

#[derive(Clone)]
pub(super) struct Scripted {
    table: Arc<Mutex<Table>>,
    hints: Hints,
    now: Now,
    log: Log,
}

impl Scripted {
    pub(super) fn new(hints: Hints, now: Now, log: Log) -> Self {
        Self { table: Arc::default(), hints, now, log }
    }

    /// Does what is for the runtime to do.
    pub(super) fn follow(&self, what: &Do) {
        let mut table = self.table.lock();
        match *what {
            Do::Ends(name, after, code) => drop(table.ends.insert(name, (after, code))),
            Do::Runs(name) => {
                table.ends.remove(name);
                table.failing.remove(name);
            }
            Do::Unstartable(name, why) => drop(table.failing.insert(name, RuntimeError::Start(why.to_owned()))),
            Do::Uncreatable(name, why) => drop(table.failing.insert(name, RuntimeError::Create(why.to_owned()))),
            Do::Term(name, after, code) => drop(table.terms.insert(name, (after, code))),
            Do::Exec(command, takes, code, output) => drop(table.commands.insert(command, (takes, code, output))),
            Do::Port(port, listener) => drop(table.ports.insert(port, listener)),
            Do::Closed(port) => drop(table.ports.remove(&port)),
            Do::Missing(image) => drop(table.missing.insert(image)),
            Do::Found(image) => drop(table.missing.remove(image)),
            Do::Exit(name, code, words) => {
                drop(table);
                self.end(|run| run.name == name, |exit| Exit { message: (!words.is_empty()).then(|| words.into()), ..exit }, code);
            }
            Do::Oom(name) => {
                drop(table);
                self.end(|run| run.name == name, |exit| Exit { reason: OOM_KILLED, ..exit }, 137);
            }
            Do::Object(_) | Do::Change(_) | Do::Delete(_) | Do::Pressure(_) => {}
        }
    }

    /// Ends the chosen containers that run.
    fn end(&self, chosen: impl Fn(&Container) -> bool, how: impl Fn(Exit) -> Exit, code: i32) {
        let now = (self.now)();
        let mut table = self.table.lock();
        for run in table.containers.iter_mut().filter(|run| chosen(run)) {
            if let State::Running { started } = run.state {
                run.state = State::Exited(how(Exit::new(code, started, now)));
                let _ = self.hints.send(run.pod.clone());
            }
        }
    }

    fn name(&self, id: &str) -> Option<(String, bool)> {
        let table = self.table.lock();
        let run = table.containers.iter().find(|run| *run.id == *id)?;
        Some((run.name.clone(), matches!(run.state, State::Running { .. })))
    }
}

#[async_trait]
impl ContainerRuntime for Scripted {
    async fn pull(&self, _node: &str, image: &str, _pod: &Pod) -> Result<Image, RuntimeError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut table = self.table.lock();
        if table.missing.contains(image) {
            return Err(RuntimeError::Image(format!("{image}: not found")));
        }
        let found = Image { reference: format!("docker.io/library/{image}"), id: "sha256:1".into(), size: 54321 };
        Arc::make_mut(&mut table.images).insert(image.to_owned(), found.clone());
        Ok(found)
    }

    async fn start(&self, request: StartRequest) -> Result<Arc<str>, RuntimeError> {
        let mut table = self.table.lock();
        let now = (self.now)();
        let name = request.container.as_str();
        let failing = table.failing.get(name).cloned();
        if let Some(RuntimeError::Create(why)) = failing {
            return Err(RuntimeError::Create(why));
        }
        let state = match &failing {
            Some(RuntimeError::Start(why)) => State::Exited(Exit::not_started(why, now)),
            _ => State::Running { started: now },
        };
        let id: Arc<str> = format!("mini://{name}-{}", request.attempt).into();
        let asked = request.spec().and_then(|spec| spec.image.clone()).unwrap_or_default();
        let pod: Arc<str> = request.pod.metadata.uid.as_deref().unwrap_or_default().into();
        let run = Container { id: id.clone(), pod, name: name.to_owned(), attempt: request.attempt, image: request.image, asked, state };
        table.containers.push(run);
        if let Some(error) = failing {
            return Err(error);
        }
        if let Some((after, code)) = table.ends.get(name).copied() {
            let (runtime, id) = (self.clone(), id.clone());
            detach("a process of a story", async move {
                tokio::time::sleep(Duration::from_secs(after)).await;
                runtime.end(|run| run.id == id, |exit| exit, code);
            });
        }
        Ok(id)
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let (name, runs) = self.name(id).ok_or_else(|| RuntimeError::NotFound(id.to_owned()))?;
        if !runs {
            return Ok(());
        }
        self.log.write(&format!("> SIGTERM {name}, {}s", grace.as_secs()));
        let (after, code) = self.table.lock().terms.get(name.as_str()).copied().unwrap_or((1, 0));
        let after = Duration::from_secs(after);
        tokio::time::sleep(after.min(grace)).await;
        let killed = after > grace;
        if killed && self.name(id).is_some_and(|(_, runs)| runs) {
            self.log.write(&format!("> SIGKILL {name}"));
        }
        self.end(|run| *run.id == *id, |exit| exit, if killed { 137 } else { code });
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        self.table.lock().containers.retain(|run| *run.id != *id);
        Ok(())
    }

    async fn list(&self, _node: &str, pod: Option<&str>) -> Result<Listing, RuntimeError> {
        let table = self.table.lock();
        let containers = table.containers.iter().filter(|run| pod.is_none_or(|pod| *run.pod == *pod)).cloned().collect();
        Ok(Listing { containers, images: table.images.clone() })
    }

    async fn logs(&self, id: &str, _options: LogOptions) -> Result<LogStream, RuntimeError> {
        Err(RuntimeError::NotFound(id.to_owned()))
    }

    async fn exec(&self, id: &str, command: &[String], _tty: bool) -> Result<Process, RuntimeError> {
        let runs = self.name(id).is_some_and(|(_, runs)| runs);
        if !runs {
            return Err(RuntimeError::NotFound(id.to_owned()));
        }
        let found = self.table.lock().commands.get(command.join(" ").as_str()).copied();
        let (takes, code, output) =
            found.ok_or_else(|| RuntimeError::Exec(format!("exec: {:?}: executable file not found in $PATH", command[0])))?;
        let exit = async move {
            tokio::time::sleep(Duration::from_secs(takes)).await;
            Ok(code)
        };
        Ok(Process {
            stdin: Box::new(tokio::io::sink()),
            stdout: Box::new(tokio::io::empty()),
            stderr: Box::new(output.as_bytes()),
            resize: watch::Sender::default(),
            exit: exit.boxed(),
        })
    }

    async fn attach(&self, id: &str) -> Result<Process, RuntimeError> {
        Err(RuntimeError::NotFound(id.to_owned()))
    }

    async fn usage(&self, _container: &Container, _pod: &Pod) -> Result<Usage, RuntimeError> {
        Ok(Usage { cpu: 1_000_000, memory: 8 << 20 })
    }

    async fn dial(&self, address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let listener = self.table.lock().ports.get(&address.port()).copied();
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (ours, theirs) = tokio::io::duplex(4096);
        drop(detach("a server of a story", serve(listener, theirs)));
        Ok(Box::new(ours))
    }
}

/// Answers on one connection.
async fn serve(listener: Listener, stream: tokio::io::DuplexStream) {
    let respond = move |request: Request<hyper::body::Incoming>| async move {
        let mut response = Response::new(axum::body::Body::from("hello"));
        match listener {
            Listener::Http(code) => *response.status_mut() = http::StatusCode::from_u16(code).unwrap(),
            Listener::Redirect(place) if request.uri().path() == "/" => {
                *response.status_mut() = http::StatusCode::FOUND;
                response.headers_mut().insert("location", place.parse().unwrap());
            }
            Listener::Grpc(state) => {
                assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                let headers = response.headers_mut();
                headers.insert("content-type", "application/grpc".parse().unwrap());
                headers.insert("grpc-status", "0".parse().unwrap());
                *response.body_mut() = axum::body::Body::from(vec![0, 0, 0, 0, 2, 8, state]);
            }
            Listener::Redirect(_) | Listener::Silent => {}
        }
        Ok::<_, Infallible>(response)
    };
    let service = hyper::service::service_fn(respond);
    let stream = TokioIo::new(stream);
    match listener {
        Listener::Silent => {
            let _held = stream;
            std::future::pending::<()>().await;
        }
        Listener::Grpc(_) => {
            drop(hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new()).serve_connection(stream, service).await)
        }
        _ => drop(hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await),
    }
}

/// A clock that starts at 0 and follows tokio's.
pub(super) fn clock() -> Now {
    let origin = tokio::time::Instant::now();
    Arc::new(move || Timestamp::UNIX_EPOCH + origin.elapsed())
}

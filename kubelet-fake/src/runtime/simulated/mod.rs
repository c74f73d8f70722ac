//! A runtime without processes: containers are entries in a table and run until told otherwise.
//!
//! What a container shall do besides running is read from annotations of its pod (`<c>` is a container's name):
//!
//! | annotation | effect |
//! |---|---|
//! | `mini.dev/exit-after.<c>: "5s"` | it ends by itself after that time, with code 0 unless the next line says otherwise |
//! | `mini.dev/exit-code.<c>: "1"` | the code it ends with; without `exit-after` it ends at once |
//! | `mini.dev/ignore-sigterm.<c>: "true"` | it runs on until the grace period is over and ends with 137 |
//! | `mini.dev/cpu.<c>: "250m"` | the CPU it uses, at most its limit; may be changed while it runs |
//! | `mini.dev/memory.<c>: "64Mi"` | the same of memory |
//! | `mini.dev/cpu`, `mini.dev/memory` | the same of every container of the pod that has none of its own |
//! | `mini.dev/pull-seconds: "30"` | what a pull of the pod's images takes, instead of the flag's time |
//! | `mini.dev/image-missing: "true"` | the pod's images cannot be found |
//!
//! Without annotations `echo`, `date`, `true`, `false` and `sleep` end as they do anywhere; other programs run on. A container of
//! whose usage nothing is said is idle: it uses a thousandth of a core and 8 MiB.
//!
//! Images exist, unless their tag is `no-such-tag` or their repository begins with `nosuch/`. A container costs a
//! table entry; only one that ends by itself costs a timer.
//!
//! Must not know: the API server, pod status, restart policies.

mod behaviour;
mod image;
mod log;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use mini_daemon::{clock, tasks};
use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::io::StreamReader;

use self::behaviour::Behaviour;
use super::{
    Container, ContainerRuntime, Exit, Hints, Image, Images, Listing, LogOptions, LogStream, Now, Process, RuntimeError, StartRequest,
    State, Stream, Usage,
};

/// Asking the registry whether an image that is present is the latest takes this part of a pull.
const CHECK: u32 = 10;
/// The exit code of a process that was killed (128 + SIGKILL).
const KILLED: i32 = 137;

/// Containers that are only entries in a table. Cheap to clone; all clones are the same runtime.
#[derive(Clone)]
pub struct Simulated {
    shared: Arc<Shared>,
}

struct Shared {
    table: Mutex<Table>,
    /// Moves whenever a container ends or goes, for those who follow logs.
    ended: watch::Sender<()>,
    hints: Hints,
    now: Now,
    pull_time: Duration,
    start_time: Duration,
}

#[derive(Default)]
struct Table {
    containers: HashMap<Arc<str>, Record>,
    pods: HashMap<Arc<str>, Vec<Arc<str>>>,
    nodes: HashMap<Arc<str>, Node>,
}

#[derive(Default)]
struct Node {
    images: Images,
    pods: BTreeMap<Arc<str>, ()>,
}

struct Record {
    container: Container,
    node: Arc<str>,
    started: Timestamp,
    command: Vec<String>,
    ignores_sigterm: bool,
    /// Ends the container by itself; aborted when something else ends it.
    timer: Option<JoinHandle<()>>,
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}

impl Simulated {
    /// A runtime without containers. `pull_time` is what the first pull of an image on a node takes.
    #[must_use]
    pub fn new(hints: Hints, now: Now, pull_time: Duration, start_time: Duration) -> Self {
        let shared = Shared { table: Mutex::default(), ended: watch::Sender::new(()), hints, now, pull_time, start_time };
        Self { shared: Arc::new(shared) }
    }
}

impl Shared {
    /// Ends a running container and tells the kubelet and the followers of its log.
    fn end(&self, id: &str, code: i32) {
        let mut table = self.table.lock();
        let Some(record) = table.containers.get_mut(id) else { return };
        let State::Running { started } = record.container.state else { return };
        record.container.state = State::Exited(Exit { code, started, finished: (self.now)().max(started) });
        let pod = record.container.pod.clone();
        drop(table);
        self.ended.send_replace(());
        // Nobody listens any more when the kubelet is stopping.
        let _ = self.hints.send(pod);
    }

    /// Whether it runs; no other can be talked with.
    fn running(&self, id: &str) -> Result<(), RuntimeError> {
        let table = self.table.lock();
        let runs = |record: &&Record| matches!(record.container.state, State::Running { .. });
        table.containers.get(id).filter(runs).map(|_| ()).ok_or_else(|| RuntimeError::NotFound(id.to_owned()))
    }

    /// The lines a container wrote so far, and whether there will be no more.
    fn lines(&self, id: &str) -> Option<(Vec<log::Line>, bool)> {
        let table = self.table.lock();
        let record = table.containers.get(id)?;
        let mut lines = vec![log::started(record.started, &record.container.image.reference, &record.command)];
        if let State::Exited(exit) = &record.container.state {
            lines.push(log::ended(exit));
            return Some((lines, true));
        }
        Some((lines, false))
    }
}

impl Table {
    fn insert(&mut self, record: Record) {
        let (id, pod) = (record.container.id.clone(), record.container.pod.clone());
        self.nodes.entry(record.node.clone()).or_default().pods.insert(pod.clone(), ());
        self.pods.entry(pod).or_default().push(id.clone());
        self.containers.insert(id, record);
    }

    fn remove(&mut self, id: &str) -> Option<Record> {
        let record = self.containers.remove(id)?;
        let pod = &record.container.pod;
        if let Some(ids) = self.pods.get_mut(pod) {
            ids.retain(|other| **other != *id);
            if ids.is_empty() {
                self.pods.remove(pod);
                if let Some(node) = self.nodes.get_mut(&record.node) {
                    node.pods.remove(pod);
                }
            }
        }
        Some(record)
    }

    fn of_pod<'a>(&'a self, pod: &str) -> impl Iterator<Item = Container> + 'a {
        self.pods.get(pod).into_iter().flatten().filter_map(|id| self.containers.get(id)).map(|record| record.container.clone())
    }
}

#[async_trait]
impl ContainerRuntime for Simulated {
    async fn pull(&self, node: &str, name: &str, pod: &Pod) -> Result<Image, RuntimeError> {
        let wish = behaviour::pull(pod);
        let present = self.shared.table.lock().nodes.get(node).is_some_and(|node| node.images.contains_key(name));
        let took = wish.takes.unwrap_or(if present { self.shared.pull_time / CHECK } else { self.shared.pull_time });
        if !took.is_zero() {
            tokio::time::sleep(took).await;
        }
        if wish.missing || image::is_missing(name) {
            return Err(RuntimeError::Image(image::not_found(name)));
        }
        let image = image::resolve(name);
        let mut table = self.shared.table.lock();
        Arc::make_mut(&mut table.nodes.entry(node.into()).or_default().images).insert(name.to_owned(), image.clone());
        Ok(image)
    }

    async fn start(&self, request: StartRequest) -> Result<Arc<str>, RuntimeError> {
        if !self.shared.start_time.is_zero() {
            tokio::time::sleep(self.shared.start_time).await;
        }
        let Behaviour { ends, ignores_sigterm, command, image } = Behaviour::of(&request.pod, &request.container);
        let id: Arc<str> = format!("mini://{}", hexadecimal()).into();
        let started = (self.shared.now)();
        let state = match ends {
            Some((after, code)) if after.is_zero() => State::Exited(Exit { code, started, finished: started }),
            _ => State::Running { started },
        };
        let timer = ends.filter(|(after, _)| !after.is_zero()).map(|(after, code)| {
            let (shared, id) = (Arc::downgrade(&self.shared), id.clone());
            tasks::detach("a simulated process", async move {
                tokio::time::sleep(after).await;
                if let Some(shared) = shared.upgrade() {
                    shared.end(&id, code);
                }
            })
        });
        let container = Container {
            id: id.clone(),
            pod: request.pod.metadata.uid.as_deref().unwrap_or_default().into(),
            name: request.container,
            attempt: request.attempt,
            image: request.image,
            asked: image,
            state,
        };
        self.shared.table.lock().insert(Record { container, node: request.node, started, command, ignores_sigterm, timer });
        Ok(id)
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let ignores = match self.shared.table.lock().containers.get(id) {
            None => return Err(RuntimeError::NotFound(id.to_owned())),
            Some(record) if matches!(record.container.state, State::Exited(_)) => return Ok(()),
            Some(record) => record.ignores_sigterm,
        };
        if ignores {
            tokio::time::sleep(grace).await;
        }
        self.shared.end(id, if ignores { KILLED } else { 0 });
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let record = self.shared.table.lock().remove(id);
        self.shared.ended.send_replace(());
        record.map(|_| ()).ok_or_else(|| RuntimeError::NotFound(id.to_owned()))
    }

    async fn list(&self, node: &str, pod: Option<&str>) -> Result<Listing, RuntimeError> {
        let table = self.shared.table.lock();
        let Some(found) = table.nodes.get(node) else { return Ok(Listing::default()) };
        let containers = match pod {
            Some(pod) => table.of_pod(pod).collect(),
            None => found.pods.keys().flat_map(|pod| table.of_pod(pod)).collect(),
        };
        Ok(Listing { containers, images: found.images.clone() })
    }

    async fn logs(&self, id: &str, options: LogOptions) -> Result<LogStream, RuntimeError> {
        let ended = self.shared.ended.subscribe();
        let (lines, complete) = self.shared.lines(id).ok_or_else(|| RuntimeError::NotFound(id.to_owned()))?;
        let first = log::select(&lines, &options);
        if complete || !options.follow || options.limit.is_some_and(|limit| first.len() >= limit) {
            return Ok(stream::once(async { Ok(first) }).boxed());
        }
        let rest = LogOptions { tail: None, limit: options.limit.map(|limit| limit - first.len()), ..options };
        let (shared, id, known) = (self.shared.clone(), id.to_owned(), lines.len());
        let last = stream::once(follow(shared, id, ended, known, rest)).filter_map(|bytes| async { bytes.map(Ok) });
        Ok(stream::once(async { Ok(first) }).chain(last).boxed())
    }

    async fn exec(&self, id: &str, command: &[String], _tty: bool) -> Result<Process, RuntimeError> {
        self.shared.running(id)?;
        Err(RuntimeError::Exec(no_executable(command)))
    }

    async fn attach(&self, id: &str) -> Result<Process, RuntimeError> {
        self.shared.running(id)?;
        let output = self.logs(id, LogOptions { follow: true, tail: Some(0), ..LogOptions::default() }).await?;
        Ok(Process {
            stdin: Box::new(tokio::io::sink()),
            stdout: Box::new(StreamReader::new(output)),
            stderr: Box::new(tokio::io::empty()),
            resize: watch::Sender::default(),
            exit: async { Ok(0) }.boxed(),
        })
    }

    async fn usage(&self, container: &Container, pod: &Pod) -> Result<Usage, RuntimeError> {
        self.shared.running(&container.id).map(|()| behaviour::usage(pod, &container.name))
    }

    async fn dial(&self, _address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        // Nothing listens in containers that are only entries in a table.
        Err(io::ErrorKind::ConnectionRefused.into())
    }
}

/// An id such as runtimes give, 64 hexadecimal digits.
fn hexadecimal() -> String {
    format!("{:016x}{:016x}{:016x}{:016x}", clock::random(), clock::random(), clock::random(), clock::random())
}

/// What a runtime says of a command that is not in the container's file system, where nothing is.
fn no_executable(command: &[String]) -> String {
    let program = command.first().map(String::as_str).unwrap_or_default();
    let why = if program.contains('/') {
        format!("exec: {program:?}: stat {program}: no such file or directory")
    } else {
        format!("exec: {program:?}: executable file not found in $PATH")
    };
    let id = hexadecimal();
    format!(
        "failed to exec in container: failed to start exec {id:?}: OCI runtime exec failed: exec failed: unable to start container process: {why}: unknown"
    )
}

/// Waits until the container has ended and returns what it wrote after the first `known` lines.
async fn follow(
    shared: Arc<Shared>,
    id: String,
    mut ended: watch::Receiver<()>,
    known: usize,
    options: LogOptions,
) -> Option<bytes::Bytes> {
    loop {
        ended.changed().await.ok()?;
        let (lines, complete) = shared.lines(&id)?;
        if complete {
            return Some(log::select(&lines[known..], &options));
        }
    }
}

#[cfg(test)]
mod tests;

//! What a suite is run against: the server that was named, or programs of our own, started for one suite and ended with it.

use std::{
    convert::Infallible,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    connection::Connection,
    programs::{self, Program},
    target::Target,
    usage::{self, Meter, Process},
};

/// How long a server may take to answer for the first time.
const BOOT: Duration = Duration::from_secs(30);
/// How long nodes may take to become ready.
const NODES: Duration = Duration::from_secs(120);
/// The program that chooses nodes.
const SCHEDULER: &str = "mini-scheduler";
/// How often it is looked whether they are, and whether programs still run.
const POLL: Duration = Duration::from_millis(100);
/// For how long programs are looked at to see whether they rest.
const REST: Duration = Duration::from_secs(1);
/// The share of a core below which all of them together count as resting: above what the heartbeats of a thousand nodes take.
const RESTING: f64 = 0.3;

/// The flags that say what to measure.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StageArgs {
    /// The server to measure, such as http://127.0.0.1:6443. Without one, programs beside this one are started and measured.
    #[arg(long, global = true, value_name = "URL")]
    target: Option<String>,
    /// Measure the server of this kubeconfig's current context.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "target")]
    kubeconfig: Option<PathBuf>,
    /// Processes of the named server on this machine, whose CPU time and memory to tell.
    #[arg(long, global = true, value_name = "PID", value_delimiter = ',')]
    server_pid: Vec<u32>,
    /// Where programs that are started keep their data, in a folder of their own that is removed. It should be on a disk.
    #[arg(long, global = true, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// Sets up what suites are run against.
#[derive(Debug)]
pub(crate) struct Stage {
    given: Option<Target>,
    pids: Vec<u32>,
    folder: PathBuf,
    scratch: PathBuf,
}

/// A server, with the other programs of its cluster if it has any. What was started for it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) target: Target,
    processes: Vec<Process>,
    /// The last one first, for they end in this order; and before their data are removed.
    started: Vec<Program>,
    scratch: Option<TempDir>,
}

impl Stage {
    /// Reads the flags.
    ///
    /// # Errors
    /// When they name no usable server, or processes that are not there.
    pub(crate) fn new(args: &StageArgs) -> Result<Self> {
        let given = match (&args.target, &args.kubeconfig) {
            (Some(url), _) => Some(Target::parse(url)?),
            (None, Some(file)) => Some(Target::from_kubeconfig(file)?),
            (None, None) => None,
        };
        if given.is_none() && !args.server_pid.is_empty() {
            bail!("--server-pid is about a server named with --target or --kubeconfig");
        }
        let gone = args.server_pid.iter().find(|pid| usage::cpu(**pid).is_none());
        if let Some(pid) = gone {
            bail!("--server-pid {pid}: /proc knows no such process");
        }
        let folder = programs::folder()?;
        let scratch = args.scratch.clone().unwrap_or_else(|| on_disk(std::env::temp_dir(), &folder));
        Ok(Self { given, pids: args.server_pid.clone(), folder, scratch })
    }

    /// Whether a server was named, so that none is started.
    pub(crate) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// The server that was named, or a new API server alone.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) async fn apiserver(&self) -> Result<Server> {
        let Some(target) = &self.given else { return self.start().await };
        let named = |pid: &u32| Process { name: usage::name(*pid).unwrap_or_default(), pid: *pid };
        Ok(Server { target: target.clone(), processes: self.pids.iter().map(named).collect(), started: Vec::new(), scratch: None })
    }

    /// The cluster of the server that was named, or a new one of ours, once so many of its nodes are ready.
    ///
    /// # Errors
    /// When it does not come up, or has fewer nodes.
    pub(crate) async fn cluster(&self, nodes: u32) -> Result<Server> {
        let mut server = self.apiserver().await?;
        if !self.is_given() {
            self.start_scheduler(&mut server)?;
            self.add(&mut server, "mini-controllers", &[])?;
            self.add(&mut server, "mini-kubelet", &["--nodes", &nodes.to_string()])?;
        }
        server.nodes_ready(nodes).await?;
        Ok(server)
    }

    /// Starts a scheduler for a server of ours.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start_scheduler(&self, server: &mut Server) -> Result<()> {
        self.add(server, SCHEDULER, &[])
    }

    /// A new API server that may not answer yet, whatever server was named.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn spawn(&self) -> Result<Server> {
        let scratch = tempfile::Builder::new()
            .prefix("mini-bench-")
            .tempdir_in(&self.scratch)
            .with_context(|| format!("create a folder in {}", self.scratch.display()))?;
        let (program, target) = programs::apiserver(&self.folder, scratch.path())?;
        let mut server = Server { target, processes: Vec::new(), started: Vec::new(), scratch: Some(scratch) };
        server.keep(program);
        Ok(server)
    }

    async fn start(&self) -> Result<Server> {
        let mut server = self.spawn()?;
        server.answers("/readyz").await?;
        Ok(server)
    }

    fn add(&self, server: &mut Server, name: &'static str, arguments: &[&str]) -> Result<()> {
        if let Some(scratch) = &server.scratch {
            let mut all = programs::connect(scratch.path(), &server.target);
            all.extend(arguments.iter().map(OsString::from));
            let program = Program::start(&self.folder, scratch.path(), name, &all)?;
            server.keep(program);
        }
        Ok(())
    }
}

impl Server {
    fn keep(&mut self, program: Program) {
        self.processes.push(Process { name: program.name.to_owned(), pid: program.pid() });
        self.started.insert(0, program);
    }

    /// Ends the scheduler that was started.
    pub(crate) fn end_scheduler(&mut self) {
        self.processes.retain(|process| process.name != SCHEDULER);
        self.started.retain(|program| program.name != SCHEDULER);
    }

    /// Whether it was started for this suite, and ends with it.
    pub(crate) fn is_ours(&self) -> bool {
        !self.started.is_empty()
    }

    /// The processes that count as the server.
    pub(crate) fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// Starts to measure what all its processes use.
    pub(crate) fn meter(&self) -> Meter {
        Meter::start(&self.processes)
    }

    /// Waits until its processes have hardly anything left to do.
    ///
    /// # Errors
    /// When they take too long.
    pub(crate) async fn rests(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let meter = self.meter();
            sleep(REST).await;
            let used = meter.stop().server.context("what the programs use is not known here")?;
            if used < REST.mul_f64(RESTING) {
                return Ok(());
            }
            self.check()?;
            if Instant::now() > deadline {
                bail!("the programs still use {used:?} of {REST:?} after {patience:?}");
            }
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::open(&self.target).await
    }

    /// Asks for `path` until the API server that was started answers it with 200.
    ///
    /// # Errors
    /// When it ends instead, or takes too long.
    pub(crate) async fn answers(&mut self, path: &str) -> Result<()> {
        let program = self.started.last_mut().context("only a server that was started is waited for")?;
        programs::answers(program, &self.target, path, BOOT).await
    }

    /// Waits for as long as all the programs that were started run.
    ///
    /// # Errors
    /// When one has ended.
    pub(crate) async fn fails(&mut self) -> Result<Infallible> {
        loop {
            self.check()?;
            sleep(POLL).await;
        }
    }

    fn check(&mut self) -> Result<()> {
        self.started.iter_mut().try_for_each(Program::check)
    }

    async fn nodes_ready(&mut self, wanted: u32) -> Result<()> {
        let mut connection = self.connect().await?;
        let deadline = Instant::now() + NODES;
        loop {
            let ready = ready(&connection.fetch(self.target.get("/api/v1/nodes")?, &[]).await?)?;
            if ready >= wanted as usize {
                return Ok(());
            }
            self.check()?;
            if !self.is_ours() || Instant::now() > deadline {
                bail!("{ready} of {wanted} nodes are ready; --nodes says how many are needed");
            }
            sleep(POLL).await;
        }
    }
}

/// The system's folder for temporary files, or `other` if that one is in memory: durable writes are to be measured as such.
fn on_disk(temporary: PathBuf, other: &Path) -> PathBuf {
    if in_memory(&temporary) { other.to_owned() } else { temporary }
}

#[cfg(target_os = "linux")]
fn in_memory(folder: &Path) -> bool {
    /// What Linux says of a tmpfs (statfs(2)).
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::statfs(folder).is_ok_and(|stat| u64::try_from(stat.f_type).is_ok_and(|kind| kind == TMPFS))
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_folder: &Path) -> bool {
    false
}

#[derive(Deserialize)]
struct Nodes {
    items: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Default, Deserialize)]
struct NodeStatus {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

/// How many nodes of a NodeList are ready.
fn ready(list: &[u8]) -> Result<usize> {
    let nodes: Nodes = serde_json::from_slice(list).context("read the list of nodes")?;
    let is_ready = |node: &&Node| node.status.conditions.iter().any(|it| it.r#type == "Ready" && it.status == "True");
    Ok(nodes.items.iter().filter(is_ready).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_nodes_are_counted() {
        let list = r#"{"kind":"NodeList","items":[
            {"status":{"conditions":[{"type":"MemoryPressure","status":"False"},{"type":"Ready","status":"True"}]}},
            {"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}},
            {"metadata":{"name":"new"}}]}"#;
        assert_eq!(ready(list.as_bytes()).unwrap(), 1);
        assert!(ready(b"{}").is_err());
    }

    #[test]
    fn memory_is_not_a_disk() {
        assert_eq!(on_disk("/nowhere".into(), Path::new("/other")), Path::new("/nowhere"));
        if in_memory(Path::new("/dev/shm")) {
            assert_eq!(on_disk("/dev/shm".into(), Path::new("/other")), Path::new("/other"));
        }
    }

    #[test]
    fn process_ids_need_a_server() {
        let args = StageArgs { server_pid: vec![1], ..StageArgs::default() };
        assert!(Stage::new(&args).unwrap_err().to_string().contains("--target"));
    }
}

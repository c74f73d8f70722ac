//! A container in the hands of its owner: how it is made, started, signalled, looked at and ended.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    Fd, Group, Limits, Pid, Size, Status,
    budget::Budget,
    core::Core,
    ctx::{Ctx, ProcessInfo},
    descriptor::{Descriptors, Input, OpenFile, Output, Stream, Target},
    load::Loaded,
    process::{Birth, Own, Process, Start},
    procfs::Proc,
    sandbox::Sandbox,
    table::Namespace,
    terminal::Terminal,
};
use crate::{
    Errno, Signal,
    files::{
        Credentials, Device, Files, Kind, Tree, Trouble,
        view::{Asker, Last, Source, View},
    },
};

/// Something mounted into a container.
#[derive(Clone)]
pub struct Mount {
    /// Where; it must be there, a directory for a directory and a file for a file.
    pub path: String,
    /// What.
    pub tree: Arc<Tree>,
    /// Which path of it, from its root: `/` is all of it.
    pub inner: String,
    /// Whether it cannot be written here.
    pub read_only: bool,
    /// What `/proc/mounts` calls the kind of file system: `tmpfs`, `ext4`.
    pub kind: &'static str,
    /// What `/proc/mounts` calls the device.
    pub device: String,
}

/// What a container is made of.
pub struct ContainerSpec {
    /// Its root.
    pub root: Arc<Tree>,
    /// Whether the root cannot be written.
    pub read_only: bool,
    /// What is mounted, in order. `/proc` is mounted by itself if there is such a directory.
    pub mounts: Vec<Mount>,
    /// What it may use.
    pub limits: Limits,
}

/// One simulated userland. Dropped, it ends all its processes.
pub struct Container {
    pub(super) core: Arc<Core>,
}

/// What is run, and how.
#[derive(Default)]
pub struct Command {
    /// The program, a path or a name to be found in `PATH`, and its arguments.
    pub args: Vec<String>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Where it begins.
    pub cwd: String,
    /// As whom.
    pub who: Credentials,
    /// Whether it has a terminal, and how large. `stdin` is then what is typed, `stdout` what is shown, and `stderr` is not used.
    pub terminal: Option<Size>,
    /// What it reads; `None`: nothing.
    pub stdin: Option<Input>,
    /// Where it writes; `None`: nowhere.
    pub stdout: Option<Output>,
    /// Where it complains; `None`: nowhere.
    pub stderr: Option<Output>,
}

/// Why something could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is nothing to be run.
    #[error("no command")]
    NoCommand,
    /// A name without a slash is in none of the directories as something that may be executed.
    #[error("{0}: executable file not found in $PATH")]
    NotInPath(String),
    /// The file cannot be executed: ENOENT (also the interpreter of a script), EACCES, EISDIR, ENOEXEC.
    #[error("{path}: {errno}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// It cannot begin there.
    #[error("chdir to {path}: {errno}")]
    Cwd {
        /// Where.
        path: String,
        /// Why.
        #[source]
        errno: Errno,
    },
    /// The container has been started before (`start`), or is not running (`exec`).
    #[error("the container is not in the state for this")]
    State,
    /// There are too many processes.
    #[error("can't fork: {0}")]
    Fork(#[source] Errno),
}

/// How something that ran has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// How.
    pub status: Status,
    /// Whether it was killed because its container held too much memory.
    pub out_of_memory: bool,
}

/// What a container has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// How long it has computed, where a full budget is one processor.
    pub cpu: Duration,
    /// Bytes its processes seem to hold.
    pub memory: u64,
    /// Bytes it has written to its root.
    pub disk: u64,
    /// Processes.
    pub processes: usize,
}

/// Something that runs.
#[derive(Clone)]
pub struct Running {
    process: Arc<Process>,
}

impl Container {
    /// A container of a sandbox.
    pub fn new(sandbox: &Arc<Sandbox>, spec: ContainerSpec) -> Result<Self, Trouble> {
        Self::within(sandbox, sandbox.namespace(), spec)
    }

    /// A container among the processes of another one, whose end is its end.
    pub fn beside(other: &Self, spec: ContainerSpec) -> Result<Self, Trouble> {
        Self::within(&other.core.sandbox, other.core.namespace.clone(), spec)
    }

    fn within(sandbox: &Arc<Sandbox>, namespace: Arc<Namespace>, spec: ContainerSpec) -> Result<Self, Trouble> {
        let mut view = View::new(spec.root, spec.read_only);
        for mount in spec.mounts {
            view.mount(&mount.path, Source::Tree(mount.tree), &mount.inner, mount.read_only, (mount.kind, &mount.device))
                .map_err(|errno| Trouble { path: mount.path, errno })?;
        }
        let core = Arc::new_cyclic(|core| {
            // Without the directory there is no /proc, as told.
            let _ = view.mount("/proc", Source::Generated(Arc::new(Proc::new(core.clone()))), "/", false, ("proc", "proc"));
            Core::new(sandbox.clone(), namespace, Arc::new(view), Budget::new(spec.limits))
        });
        Ok(Self { core })
    }

    /// Its files, in its owner's hands.
    pub fn files(&self) -> Files {
        Files::new(self.core.view.clone())
    }

    /// Starts what the container is for: it ends with it. Once only.
    pub fn start(&self, command: Command) -> Result<Running, StartError> {
        if !self.core.begin() {
            return Err(StartError::State);
        }
        self.launch(command, true).inspect_err(|_| self.core.take_back())
    }

    /// Runs something beside it.
    pub fn exec(&self, command: Command) -> Result<Running, StartError> {
        if self.core.is_running() { self.launch(command, false) } else { Err(StartError::State) }
    }

    fn launch(&self, command: Command, is_main: bool) -> Result<Running, StartError> {
        let core = &self.core;
        let Command { args, env, cwd, who, terminal, stdin, stdout, stderr } = command;
        let wanted = args.first().ok_or(StartError::NoCommand)?.clone();
        let cwd = if cwd.is_empty() { "/".to_owned() } else { cwd };
        let outside = Asker { who: &who, cwd: "/", pid: 0, work: None };
        core.view.enter(outside, &cwd).map_err(|errno| StartError::Cwd { path: cwd.clone(), errno })?;
        let asker = Asker { cwd: &cwd, ..outside };
        let path = env.iter().rev().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, path)| path);
        let file = core.find(asker, &wanted, path).map_err(|_| StartError::NotInPath(wanted.clone()))?;
        let Loaded { program, args, name, size } = core.load(asker, &file, args, &env).map_err(|errno| {
            let is_directory = core.view.find(asker, &file, Last::Follow).and_then(|place| place.kind()) == Ok(Kind::Directory);
            StartError::File { path: file.clone(), errno: if is_directory { Errno::EISDIR } else { errno } }
        })?;
        let start = Arc::new(Start { args, env: Arc::new(env), name });
        let terminal = terminal.map(|size| Arc::new(Terminal::new(size)));
        let (descriptors, ends) = standard(terminal.as_ref(), stdin, stdout, stderr);
        let own = Own { cwd: cwd.into(), umask: 0o022, who: Arc::new(who), start: start.clone() };
        let birth = Birth { core: core.clone(), is_main, terminal: terminal.clone(), own, descriptors };
        let process = core.namespace.add(0, Group::New, birth).map_err(StartError::Fork)?;
        if let Some(terminal) = terminal {
            terminal.set_foreground(process.pid);
            core.run_carrier(super::carrier::carry(process.clone(), terminal, ends));
        }
        core.charge_start(&process, size);
        core.run_program(&process, program(Ctx::new(process.clone(), start)));
        Ok(Running { process })
    }

    /// Ends all its processes at once.
    pub fn kill_all(&self) {
        self.core.end();
        self.core.namespace.end_all(Arc::as_ptr(&self.core));
    }

    /// Its processes; those of its sandbox if they are shared.
    pub fn processes(&self) -> Vec<ProcessInfo> {
        self.core.processes()
    }

    /// What it has used.
    pub fn usage(&self) -> Usage {
        Usage {
            cpu: self.core.cpu(),
            memory: self.core.memory(),
            disk: self.core.view.root().used().bytes,
            processes: self.core.budget.processes.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill_all();
    }
}

/// Where programs are found if nothing is said.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The three descriptors of a new process, and what is left for who carries a terminal's bytes.
fn standard(
    terminal: Option<&Arc<Terminal>>,
    stdin: Option<Input>,
    stdout: Option<Output>,
    stderr: Option<Output>,
) -> (Descriptors, (Option<Input>, Option<Output>)) {
    let null = || Target::Device(Device::Null);
    let (files, ends) = match terminal {
        Some(terminal) => {
            let file = OpenFile::both(Target::Terminal(terminal.clone()));
            ([file.clone(), file.clone(), file], (stdin, stdout))
        }
        None => {
            let input = stdin.map_or_else(null, |input| Target::Stream(Box::new(Stream::new(Some(input), None))));
            let output = |output: Option<Output>| {
                OpenFile::writing(output.map_or_else(null, |output| Target::Stream(Box::new(Stream::new(None, Some(output))))))
            };
            ([OpenFile::reading(input), output(stdout), output(stderr)], (None, None))
        }
    };
    let mut descriptors = Descriptors::default();
    for (fd, file) in (0 as Fd..).zip(files) {
        // There is always room for the first three.
        let _ = descriptors.set(fd, file, Fd::MAX);
    }
    (descriptors, ends)
}

impl Running {
    /// Its number in its namespace.
    pub fn pid(&self) -> Pid {
        self.process.pid
    }

    /// Sends it a signal, from outside the namespace: KILL ends even its first process, which others that it does not catch do not.
    pub fn signal(&self, signal: Signal) {
        self.process.core.namespace.signal_from_outside(self.process.pid, signal);
    }

    /// Waits until it has ended, and what it wrote to its terminal has been shown.
    pub async fn wait(&self) -> Exit {
        let status = std::future::poll_fn(|cx| self.process.poll_ended(cx)).await;
        if let Some(terminal) = &self.process.terminal {
            std::future::poll_fn(|cx| terminal.poll_carried(cx)).await;
        }
        Exit { status, out_of_memory: self.process.out_of_memory.load(Ordering::Relaxed) }
    }

    /// Waits until it is a [resident](super::Resident), or has ended.
    pub async fn settled(&self) {
        std::future::poll_fn(|cx| match self.process.poll_ended(cx) {
            std::task::Poll::Pending if !self.process.core.namespace.resides(self.process.pid) => std::task::Poll::Pending,
            _ => std::task::Poll::Ready(()),
        })
        .await;
    }

    /// How it has ended, if it has.
    pub fn ended(&self) -> Option<Exit> {
        self.process.ended().map(|status| Exit { status, out_of_memory: self.process.out_of_memory.load(Ordering::Relaxed) })
    }

    /// Its terminal has another size.
    pub fn resize(&self, size: Size) {
        if let Some(terminal) = &self.process.terminal
            && terminal.resize(size)
        {
            self.process.core.namespace.signal_group(terminal.foreground(), Signal::WINCH);
        }
    }

    /// Nobody looks at its terminal any more: it is hung up, and who is in the foreground is told.
    pub fn hang_up(&self) {
        if let Some(terminal) = &self.process.terminal {
            terminal.hang_up();
            let namespace = &self.process.core.namespace;
            namespace.signal_group(terminal.foreground(), Signal::HUP);
            namespace.signal_from_outside(self.process.pid, Signal::HUP);
        }
    }
}

//! What a program holds: the door to the kernel for one process. What goes through it is in `calls`.

use std::{cell::Cell, fmt, sync::Arc, time::Duration};

use super::{
    Fd, Pid,
    core::Core,
    process::{Process, Start},
};
use crate::files::{Credentials, view::Asker};

/// How many names of paths are gone through in a step.
const NAMES_A_STEP: u32 = 8;

/// What a process does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// What the signal does by itself; as pid 1 nothing.
    Default,
    /// Nothing.
    Ignore,
    /// It is kept until the program asks ([`Ctx::take_signal`]), and interrupts [`Ctx::sleep`] and [`Ctx::wait`].
    Catch,
}

/// The process group of a new process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// Its parent's.
    #[default]
    Same,
    /// Its own, with its pid as number.
    New,
    /// This one, which must be there.
    Join(Pid),
}

/// For which children a process waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Any.
    Any,
    /// This one.
    Pid(Pid),
    /// Any of this group.
    Group(Pid),
}

/// From where a position is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The beginning.
    Start(u64),
    /// The end.
    End(i64),
    /// Where it is.
    Current(i64),
}

/// A process to be started from an executable file, in one call.
#[derive(Clone, Debug, Default)]
pub struct Spawn {
    /// The file; a path with a slash, or a name to be found in `PATH` of `env`.
    pub file: String,
    /// Its arguments, its own name first.
    pub args: Vec<String>,
    /// Its environment; `None`: its parent's.
    pub env: Option<Vec<(String, String)>>,
    /// Where it starts; `None`: where its parent is.
    pub cwd: Option<String>,
    /// `(theirs, ours)`: what becomes its descriptors, after which it also has all others of its parent that are not close-on-exec.
    pub descriptors: Vec<(Fd, Fd)>,
    /// Its group.
    pub group: Group,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// `R`
    Running,
    /// `S`
    Sleeping,
    /// `T`
    Stopped,
    /// `Z`
    Zombie,
}

impl ProcessState {
    /// As `ps` shows it.
    pub fn letter(self) -> char {
        match self {
            Self::Running => 'R',
            Self::Sleeping => 'S',
            Self::Stopped => 'T',
            Self::Zombie => 'Z',
        }
    }
}

/// A process as `ps` shows it.
#[derive(Clone, Debug)]
pub struct ProcessInfo {
    /// Its number.
    pub pid: Pid,
    /// Its parent; 0: none in this namespace.
    pub ppid: Pid,
    /// Its group.
    pub pgid: Pid,
    /// Its session.
    pub session: Pid,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// Its arguments; none of a zombie.
    pub args: Vec<String>,
    /// What it does.
    pub state: ProcessState,
    /// How long ago it started.
    pub age: Duration,
    /// How long it has computed.
    pub cpu: Duration,
    /// Bytes it seems to hold.
    pub memory: u64,
    /// Whether it has a terminal.
    pub terminal: bool,
}

/// Memory that a program holds; given back when dropped.
pub struct Memory {
    pub(crate) process: Arc<Process>,
    pub(crate) bytes: u64,
    pub(crate) real: bool,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.process.give_back(self.bytes, if self.real { self.bytes } else { 0 });
    }
}

/// What a program holds: the door to the kernel for one process. A clone is another handle of the same process.
///
/// A future that waits here is dropped when its process dies, so a program needs no code for that.
#[derive(Clone)]
pub struct Ctx {
    pub(crate) process: Arc<Process>,
    pub(crate) start: Arc<Start>,
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ctx({} {:?})", self.process.pid, self.start.args)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({})", self.bytes)
    }
}

impl Ctx {
    pub(crate) fn new(process: Arc<Process>, start: Arc<Start>) -> Self {
        Self { process, start }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.process.core
    }

    /// Does something that asks who it is and where.
    pub(crate) fn asking<T>(&self, ask: impl FnOnce(Asker<'_>) -> T) -> T {
        let (cwd, who): (Arc<str>, Arc<Credentials>) = {
            let own = self.process.own.lock();
            (own.cwd.clone(), own.who.clone())
        };
        let work = Cell::new(0);
        let answer = ask(Asker { who: &who, cwd: &cwd, pid: self.process.pid, work: Some(&work) });
        self.charge_steps(1 + work.get() / NAMES_A_STEP);
        answer
    }
}

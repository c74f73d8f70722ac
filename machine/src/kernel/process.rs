//! A process: what it holds by itself. Its place among others is in the table.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Pid, Status, core::Core, descriptor::Descriptors, terminal::Terminal};
use crate::{
    Errno,
    files::{Credentials, Mode},
    wakers::Wakers,
};

/// How many steps a process makes before others of its container may.
pub(crate) const QUANTUM: u32 = 128;
/// What every process seems to hold, whatever it is.
pub(crate) const BASE_MEMORY: u64 = 512 << 10;

const ALIVE: u8 = 0;
const STOPPED: u8 = 1;
const DEAD: u8 = 2;

/// What a process becomes.
pub(crate) enum Next {
    /// Another program.
    Program(BoxFuture<'static, i32>),
    /// An entry in the table without one.
    Resident,
}

/// What a program was started with.
pub(crate) struct Start {
    pub(crate) args: Vec<String>,
    pub(crate) env: Arc<Vec<(String, String)>>,
    /// At most 15 bytes.
    pub(crate) name: String,
}

/// The most that arguments and environment may take, and the most that one of them may, as on Linux.
const MOST_START: usize = 2 << 20;
const LONGEST_START: usize = 128 << 10;

/// How much arguments and environment take. E2BIG: too much.
pub(crate) fn start_size(args: &[String], env: &[(String, String)]) -> Result<u64, Errno> {
    let sizes = args.iter().map(String::len).chain(env.iter().map(|(name, value)| name.len() + value.len() + 1));
    let (total, longest) = sizes.fold((0, 0), |(total, longest), size| (total + size + size_of::<String>(), longest.max(size)));
    if total > MOST_START || longest >= LONGEST_START { Err(Errno::E2BIG) } else { Ok(total as u64) }
}

/// What a process may change of itself.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) cwd: Arc<str>,
    pub(crate) umask: Mode,
    pub(crate) who: Arc<Credentials>,
    pub(crate) start: Arc<Start>,
}

/// A process.
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) core: Arc<Core>,
    /// Whether the container ends with it.
    pub(crate) is_main: bool,
    pub(crate) began: Instant,
    pub(crate) terminal: Option<Arc<Terminal>>,
    pub(crate) own: Mutex<Own>,
    pub(crate) descriptors: Mutex<Descriptors>,
    /// Whoever waits for anything about it.
    pub(crate) wakers: Wakers,
    /// What it becomes at its next poll.
    pub(crate) next: Mutex<Option<Next>>,
    pub(crate) steps: AtomicU64,
    /// Steps until it gives way.
    quantum: AtomicU32,
    /// Bytes it seems to hold beyond the base.
    pub(crate) memory: AtomicU64,
    /// Bytes it really holds; part of the former.
    pub(crate) heap: AtomicU64,
    /// Bytes of its arguments and environment; part of the former.
    pub(crate) start_size: AtomicU64,
    pub(crate) depth: AtomicU32,
    pub(crate) group: AtomicI32,
    state: AtomicU8,
    /// Whether it was killed for its memory.
    pub(crate) out_of_memory: AtomicBool,
    ended: Mutex<Option<Status>>,
}

/// What a new process is made of.
pub(crate) struct Birth {
    pub(crate) core: Arc<Core>,
    pub(crate) is_main: bool,
    pub(crate) terminal: Option<Arc<Terminal>>,
    pub(crate) own: Own,
    pub(crate) descriptors: Descriptors,
}

impl Process {
    pub(crate) fn new(pid: Pid, group: Pid, birth: Birth) -> Arc<Self> {
        Arc::new(Self {
            pid,
            core: birth.core,
            is_main: birth.is_main,
            began: Instant::now(),
            terminal: birth.terminal,
            own: Mutex::new(birth.own),
            descriptors: Mutex::new(birth.descriptors),
            wakers: Wakers::default(),
            next: Mutex::default(),
            steps: AtomicU64::default(),
            quantum: AtomicU32::new(QUANTUM),
            memory: AtomicU64::default(),
            heap: AtomicU64::default(),
            start_size: AtomicU64::default(),
            depth: AtomicU32::default(),
            group: AtomicI32::new(group),
            state: AtomicU8::new(ALIVE),
            out_of_memory: AtomicBool::default(),
            ended: Mutex::default(),
        })
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.load(Ordering::Acquire) == DEAD
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state.load(Ordering::Acquire) == STOPPED
    }

    /// Stops it, or lets it go on; nothing if it is dead.
    pub(crate) fn stop(&self, stop: bool) {
        let (from, to) = if stop { (ALIVE, STOPPED) } else { (STOPPED, ALIVE) };
        if self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.wakers.wake();
        }
    }

    /// It is dead from now on. Who waits is not yet woken: see [`bury`](Self::bury).
    pub(crate) fn die(&self, status: Status) {
        self.ended.lock().get_or_insert(status);
        self.state.store(DEAD, Ordering::Release);
        // Its future, which holds all that, will be dropped before anything else of its container runs.
        self.give_back(u64::MAX, u64::MAX);
    }

    /// Accounts memory as free, at most what there is.
    pub(crate) fn give_back(&self, memory: u64, heap: u64) {
        let take = |from: &AtomicU64, most: u64| {
            let before = from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| Some(held.saturating_sub(most)));
            before.map_or(0, |held| held.min(most))
        };
        self.core.budget.memory.fetch_sub(take(&self.memory, memory), Ordering::Relaxed);
        self.core.budget.heap.fetch_sub(take(&self.heap, heap), Ordering::Relaxed);
    }

    /// Closes what a dead process had open, and tells who waits for its end. Not to be called with the table locked.
    pub(crate) fn bury(&self) {
        let descriptors = std::mem::take(&mut *self.descriptors.lock());
        drop(descriptors);
        self.wakers.wake();
    }

    pub(crate) fn ended(&self) -> Option<Status> {
        *self.ended.lock()
    }

    /// Waits until it is dead.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Status> {
        self.wakers.add(cx.waker());
        self.ended().map_or(Poll::Pending, Poll::Ready)
    }

    /// Accounts steps of a call that cannot give way.
    pub(crate) fn owe(&self, steps: u32) {
        self.steps.fetch_add(u64::from(steps), Ordering::Relaxed);
        self.core.budget.spend(steps);
        let left = self.quantum.load(Ordering::Relaxed).saturating_sub(steps);
        self.quantum.store(left, Ordering::Relaxed);
    }

    /// Accounts steps; whether it shall give way now.
    pub(crate) fn spend(&self, steps: u32) -> bool {
        self.owe(steps);
        let gives_way = self.quantum.load(Ordering::Relaxed) == 0 || !self.core.budget.has_steps();
        if gives_way {
            self.quantum.store(QUANTUM, Ordering::Relaxed);
        }
        gives_way
    }

    /// Bytes it seems to hold.
    pub(crate) fn seems_to_hold(&self) -> u64 {
        BASE_MEMORY + self.memory.load(Ordering::Relaxed)
    }
}

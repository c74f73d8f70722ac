//! A container as its processes know it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    budget::Budget,
    process::{BASE_MEMORY, Process},
    runner::Runner,
    sandbox::Sandbox,
    table::Namespace,
};
use crate::{Errno, files::view::View};

/// Whether a container has been started, and has ended.
const NEW: u8 = 0;
const STARTED: u8 = 1;
const ENDED: u8 = 2;

/// A container as its processes know it.
pub(crate) struct Core {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) view: Arc<View>,
    pub(crate) budget: Budget,
    pub(crate) runner: Runner,
    pub(crate) began: Instant,
    stage: AtomicU8,
}

impl Core {
    pub(crate) fn new(sandbox: Arc<Sandbox>, namespace: Arc<Namespace>, view: Arc<View>, budget: Budget) -> Self {
        Self { sandbox, namespace, view, budget, runner: Runner::default(), began: Instant::now(), stage: AtomicU8::new(NEW) }
    }

    /// It is being started; whether that is the first time.
    pub(crate) fn begin(&self) -> bool {
        self.stage.compare_exchange(NEW, STARTED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// It could not be started after all.
    pub(crate) fn take_back(&self) {
        self.stage.store(NEW, Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.stage.store(ENDED, Ordering::Release);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.stage.load(Ordering::Acquire) == STARTED
    }

    /// Bytes its processes seem to hold.
    pub(crate) fn memory(&self) -> u64 {
        let processes = self.budget.processes.load(Ordering::Relaxed) as u64;
        self.budget.memory.load(Ordering::Relaxed) + processes * BASE_MEMORY
    }

    /// How long it has computed.
    pub(crate) fn cpu(&self) -> Duration {
        self.budget.time(self.budget.used())
    }

    /// Accounts memory that a process takes, `real` if it is not only pretended. ENOMEM: the process is dead, for that or before.
    pub(crate) fn charge(&self, process: &Process, bytes: u64, real: bool) -> Result<(), Errno> {
        process.memory.fetch_add(bytes, Ordering::Relaxed);
        self.budget.memory.fetch_add(bytes, Ordering::Relaxed);
        if real {
            process.heap.fetch_add(bytes, Ordering::Relaxed);
            self.budget.heap.fetch_add(bytes, Ordering::Relaxed);
        }
        self.check_memory();
        if process.is_dead() {
            process.give_back(u64::MAX, u64::MAX);
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Accounts the arguments and environment of a process in place of those it had. Who is killed for it needs no answer.
    pub(crate) fn charge_start(&self, process: &Process, size: u64) {
        let old = process.start_size.swap(size, Ordering::Relaxed);
        process.give_back(old, old);
        let _ = self.charge(process, size, true);
    }

    /// Kills if more is held than there is.
    pub(crate) fn check_memory(&self) {
        let limits = &self.budget.limits;
        let is_over = self.memory() > limits.memory;
        if is_over || self.budget.heap.load(Ordering::Relaxed) > limits.heap {
            self.namespace.end_largest(self, is_over && limits.kill_all);
        }
    }
}

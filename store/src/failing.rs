//! The failing twin: a log that does what another does until it is told to fail, so that the error paths are tested
//! through the same doors as the good ones. Tests only.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::committer::{Loaded, Log};
use crate::{Change, Entry, Error, Result};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// `apply` writes half of the batch and fails.
    Apply,
    /// `apply` works, `sync` fails.
    Sync,
    /// `apply` panics.
    Panic,
}

/// A log with a [`Switch`].
pub(crate) struct Failing<L> {
    log: L,
    switch: Arc<Switch>,
}

/// Outside the log, decides what happens inside.
pub(crate) struct Switch {
    fault: Mutex<Fault>,
    /// Held by `sync` while it runs, and by a test that wants it to wait.
    gate: Mutex<()>,
    syncs: Mutex<u64>,
    reached: Condvar,
}

impl<L: Log> Failing<L> {
    pub(crate) fn new(log: L) -> Self {
        let switch = Switch { fault: Mutex::new(Fault::None), gate: Mutex::default(), syncs: Mutex::default(), reached: Condvar::new() };
        Self { log, switch: Arc::new(switch) }
    }

    pub(crate) fn switch(&self) -> Arc<Switch> {
        Arc::clone(&self.switch)
    }
}

impl Switch {
    pub(crate) fn fail(&self, fault: Fault) {
        *self.fault.lock() = fault;
    }

    /// Until the guard is dropped, no sync returns.
    pub(crate) fn hold_sync(&self) -> MutexGuard<'_, ()> {
        self.gate.lock()
    }

    /// Blocks until a sync has been begun (since the log was made).
    pub(crate) fn await_sync(&self) {
        let mut syncs = self.syncs.lock();
        while *syncs == 0 {
            self.reached.wait(&mut syncs);
        }
    }

    fn trip(&self, fault: Fault) -> Result<()> {
        if *self.fault.lock() != fault {
            return Ok(());
        }
        Err(Error::io("committing", std::io::Error::other(format!("injected: {fault:?}"))))
    }
}

impl<L: Log> Log for Failing<L> {
    fn load(&self) -> Result<Loaded> {
        self.log.load()
    }

    fn apply(&self, batch: &[Change]) -> Result<()> {
        assert_ne!(*self.switch.fault.lock(), Fault::Panic, "injected");
        if let Err(error) = self.switch.trip(Fault::Apply) {
            self.log.apply(&batch[..batch.len() / 2])?;
            return Err(error);
        }
        self.log.apply(batch)
    }

    fn sync(&self) -> Result<()> {
        *self.switch.syncs.lock() += 1;
        self.switch.reached.notify_all();
        let _held = self.switch.gate.lock();
        self.switch.trip(Fault::Sync)?;
        self.log.sync()
    }

    fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.log.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<Entry>> {
        self.log.scan(prefix)
    }
}

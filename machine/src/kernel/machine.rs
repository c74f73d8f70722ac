//! What all sandboxes of one owner share: the programs, the wall clock, and how tasks are started.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::Ctx;

/// A program: it runs until the future is done, and that is its exit code (taken modulo 256).
pub type Program = fn(Ctx) -> BoxFuture<'static, i32>;

/// The programs that executable files may name.
#[derive(Clone, Default)]
pub struct Programs {
    known: BTreeMap<&'static str, Program>,
}

impl Programs {
    /// Adds programs, by name.
    #[must_use]
    pub fn with(mut self, programs: &[(&'static str, Program)]) -> Self {
        self.known.extend(programs.iter().copied());
        self
    }

    /// The program of a name.
    pub fn get(&self, name: &str) -> Option<Program> {
        self.known.get(name).copied()
    }
}

/// What an executable file begins with.
pub(crate) const MAGIC: &[u8] = b"\x7fELF\x02\x01\x01\0mini:";

/// The bytes of an executable file that is the program of this name.
pub fn executable(program: &str) -> Vec<u8> {
    [MAGIC, program.as_bytes(), b"\n"].concat()
}

/// Starts a task that has a name; its owner drives it.
pub type Spawner = Arc<dyn Fn(&'static str, BoxFuture<'static, ()>) + Send + Sync>;

/// Tells the time of day.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What all sandboxes of one owner share.
pub struct Machine {
    /// What executable files may name.
    pub programs: Programs,
    /// How the task of a container is started.
    pub spawn: Spawner,
    /// The wall clock.
    pub now: Now,
}

//! Processes that are no program: an entry in the table that says how it takes signals.
//!
//! So an idle server costs no task and no future, and yet is seen, signalled and waited for. What it serves
//! ([`Ctx::serve`](super::Ctx::serve)) runs only while somebody is connected.

use std::sync::Arc;

use crate::Signal;

/// What a resident does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum React {
    /// What the signal does by itself; as pid 1 nothing.
    Default,
    /// Nothing.
    Nothing,
    /// It exits with this code.
    Exit(u8),
}

/// Says what a resident does about each signal. It is asked while the process table is locked: it must not call this room.
pub type Reaction = Arc<dyn Fn(Signal) -> React + Send + Sync>;

/// How a process lives on without its program: see [`Ctx::reside`](super::Ctx::reside).
#[derive(Clone)]
pub struct Resident {
    /// Its arguments as `ps` shows them from now on.
    pub args: Vec<String>,
    /// Its user from now on; `None`: as before.
    pub uid: Option<u32>,
    /// Bytes it seems to hold.
    pub memory: u64,
    /// How it takes signals.
    pub reacts: Reaction,
    /// Its children. They end when it ends.
    pub children: Vec<Self>,
}

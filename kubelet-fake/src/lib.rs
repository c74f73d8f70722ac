//! HANDS: nodes that behave like nodes.
//!
//! One process is one node (`--node-name`) or a fleet of them (`--nodes`). It registers Node objects, keeps their
//! Leases and status fresh, and does with the pods bound to them what a kubelet does: admit, pull, create, start,
//! probe, restart with back-off, stop with grace, and tell it all in pod status and Events.
//!
//! How a pod event travels: [`fleet`] watches pods once for all nodes and routes them to the [`worker`], which owns the
//! state of every pod. It asks the pure [`pod::next`] what to do, lets [`relist`] do it with the container
//! [`runtime`] and look at the result, and hands what is to be told to [`status`]. [`server`] answers `logs`,
//! `exec` and the other streams. [`network`] is what pods reach each other by.
//!
//! It must not know: the store, the scheduler, controllers, or how the API server works inside. It never sets
//! `spec.nodeName` and touches nothing of a pod but its status and, at the end, its existence.

mod ask;
mod config;
mod fleet;
mod heartbeat;
mod hook;
pub mod network;
mod node;
mod objects;
mod pod;
mod probe;
mod relist;
mod resolve;
mod resting;
pub mod runtime;
mod server;
mod slot;
mod status;
mod timers;
mod worker;

pub use config::{Args, Config};
pub use fleet::{MakeRuntime, run, run_on};

/// What it calls itself to the API server: upstream's name, for it is the manager of the fields it writes.
pub const AGENT: &str = "kubelet";

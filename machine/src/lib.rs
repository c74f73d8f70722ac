//! A simulated machine: files, processes, a shell, a seam to a network.
//!
//! Each [`Container`] is one small Linux userland inside this process: its files live in memory, its processes are futures that
//! one task polls, and an executable file is a few bytes that name a program of this crate. It must not know what
//! Kubernetes is, and it touches nothing of the host: no file, no process, no socket. Time is waited for with `tokio::time`,
//! the wall clock, randomness, tasks and the network are passed in by its owner.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod applets;
mod errno;
pub mod files;
pub mod images;
pub mod kernel;
pub mod net;
mod pipe;
pub mod shell;
mod signal;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tidy;
mod wakers;

pub use errno::Errno;
pub use kernel::{Container, Ctx, Machine, Sandbox};
pub use signal::{DefaultAction, Signal, SignalSet};

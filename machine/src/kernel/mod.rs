//! Processes: how they start, wait, are signalled and end, what they hold open, and what bounds them.
//!
//! Knows nothing of what any program does: programs are given to it by name.

mod budget;
mod calls;
mod carrier;
mod container;
mod core;
mod ctx;
mod descriptor;
mod limits;
mod load;
mod machine;
mod process;
mod procfs;
mod resident;
mod runner;
mod sandbox;
mod status;
mod table;
mod terminal;
#[cfg(test)]
mod tests;

pub(crate) use calls::on_enough_stack;
pub use container::{Command, Container, ContainerSpec, Exit, Mount, Running, StartError, Usage};
pub use ctx::{Ctx, Disposition, Group, Memory, ProcessInfo, ProcessState, Seek, Spawn, Waiting};
pub use descriptor::{Input, Output};
pub use limits::Limits;
pub use machine::{Machine, Now, Program, Programs, Spawner, executable};
pub(crate) use process::Process;
pub use procfs::{RELEASE, TOTAL_MEMORY};
pub use resident::{React, Reaction, Resident};
pub use sandbox::{Sandbox, SandboxSpec};
pub use status::Status;
pub use terminal::{Modes, Size};

/// The number of a process or of a group.
pub type Pid = i32;
/// The number of an open file.
pub type Fd = u32;

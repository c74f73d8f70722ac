//! What every long-running program of mini does before its own work: logs, flags, named tasks, the clock, the admin port,
//! the client of the API server, leader election and the recorder of Events. It knows no room and no kind.

pub mod admin;
pub mod clock;
pub mod connect;
pub mod events;
pub mod flags;
pub mod lean;
pub mod lease;
pub mod process;
pub mod tasks;
pub mod write;

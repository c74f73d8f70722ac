//! The system calls of a program, by what they are about.

mod descriptors;
mod identity;
mod network;
mod paths;
mod processes;
mod work;

pub(crate) use work::on_enough_stack;

//! How a process ended.

use crate::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It returned this code, 0 to 255.
    Exited(u8),
    /// A signal ended it.
    Killed(Signal),
}

impl Status {
    /// What a shell's `$?` shows: the code, or 128 and the signal's number.
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => i32::from(code),
            Self::Killed(signal) => 128 + signal.number(),
        }
    }
}

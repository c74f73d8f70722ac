//! The files of a container: shared layers of images, what was written over them, and volumes mounted into the tree.
//!
//! Knows nothing of processes. Everything is in memory and bounded.

pub(crate) mod access;
pub(crate) mod deeds;
pub(crate) mod generated;
mod node;
mod owner;
#[cfg(test)]
mod tests;
mod tree;
pub(crate) mod view;

use jiff::Timestamp;

pub use node::Image;
pub use owner::{Files, Item, Trouble, What};
pub(crate) use tree::Handle;
pub use tree::{Space, Tree};

/// Permission bits with setuid, setgid and sticky: `0o7777` at most.
pub type Mode = u16;

/// Who asks, as permissions are decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user; 0 may everything.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
}

/// A device that has no content of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `/dev/null`.
    Null,
    /// `/dev/zero`.
    Zero,
    /// `/dev/full`.
    Full,
    /// `/dev/urandom`, `/dev/random`.
    Random,
    /// `/dev/tty`: the terminal of who opens it.
    Terminal,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    File,
    /// Names.
    Directory,
    /// Another path.
    Symlink,
    /// A character device.
    Device(Device),
    /// A named pipe.
    Fifo,
    /// An end of a pipe without a name, or of a connection: only of an open descriptor.
    Pipe,
}

/// What `stat` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes; of a symlink the length of its target.
    pub size: u64,
    /// Names that lead to it.
    pub links: u32,
    /// When its content changed.
    pub modified: Timestamp,
    /// The file system it is on: the same for two files exactly if they can be linked.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its number.
    pub inode: u64,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// To be read.
    pub read: bool,
    /// To be written.
    pub write: bool,
    /// Each write goes to the end.
    pub append: bool,
    /// Emptied at once.
    pub truncate: bool,
    /// Made if it is not there, with this mode less the umask.
    pub create: Option<Mode>,
    /// It must not be there (with `create`).
    pub exclusive: bool,
    /// It must be a directory.
    pub directory: bool,
    /// A symlink at the end is not followed but refused (ELOOP).
    pub no_follow: bool,
}

impl Open {
    /// `<`
    pub const READ: Self = Self {
        read: true,
        write: false,
        append: false,
        truncate: false,
        create: None,
        exclusive: false,
        directory: false,
        no_follow: false,
    };
    /// `>`
    pub const WRITE: Self = Self { read: false, write: true, truncate: true, create: Some(0o666), ..Self::READ };
    /// `>>`
    pub const APPEND: Self = Self { read: false, write: true, append: true, create: Some(0o666), ..Self::READ };
    /// `<>`
    pub const READ_WRITE: Self = Self { write: true, create: Some(0o666), ..Self::READ };
    /// `>` with `set -C`
    pub const NEW: Self = Self { exclusive: true, ..Self::WRITE };
}

//! Files whose content is made when they are opened, such as `/proc`.

use crate::kernel::Pid;

/// What a path below a generated mount stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// A directory with these names.
    Directory(Vec<String>),
    /// A file with this content now.
    File(Vec<u8>),
    /// A symlink.
    Link(String),
    /// What a process has open: opened, it is the same open file.
    Descriptor(Pid, u32),
}

/// Makes files. It is asked for one thing at a time and keeps nothing.
pub(crate) trait Generated: Send + Sync {
    /// What a path stands for; `path` is empty for the root and else has no leading slash. `asker` is the process that asks, 0: none.
    fn make(&self, asker: Pid, path: &str) -> Option<Made>;
}

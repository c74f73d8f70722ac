//! What a container may use, so that no script harms its neighbours or the process that simulates it.

/// What a container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps a second, in the long run.
    pub steps: u64,
    /// Steps that may be saved up and used at once.
    pub burst: u64,
    /// Processes, zombies included.
    pub processes: usize,
    /// Open files of one process.
    pub descriptors: u32,
    /// Bytes of memory as its programs pretend to need; beyond it the largest process is killed. A cgroup's limit.
    pub memory: u64,
    /// Whether all its processes are killed then, and not the largest alone (`memory.oom.group` of cgroup v2).
    pub kill_all: bool,
    /// Bytes that it may really take from the process that simulates it: pipes, variables.
    pub heap: u64,
    /// How deep programs may nest calls within one process, such as functions of a shell.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 20_000,
            burst: 200_000,
            processes: 256,
            descriptors: 256,
            memory: u64::MAX,
            kill_all: false,
            heap: 16 << 20,
            depth: 200,
        }
    }
}

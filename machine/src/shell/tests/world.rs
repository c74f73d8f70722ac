//! A container with a shell and little else.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use crate::{
    Signal,
    applets::APPLETS,
    files::{Device, Image, Item, Space, Tree},
    kernel::{Command, Container, ContainerSpec, Limits, Machine, Programs, Running, Sandbox, SandboxSpec, Size, executable},
    net,
    shell::SHELL,
};

/// What a program wrote, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) code: i32,
}

/// What is written, kept.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

impl AsyncWrite for Kept {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A text to be read.
struct Given(Vec<u8>);

impl AsyncRead for Given {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = buffer.remaining().min(self.0.len());
        buffer.put_slice(&self.0[..count]);
        self.0.drain(..count);
        Poll::Ready(Ok(()))
    }
}

/// A container.
pub(super) struct World {
    container: Container,
}

/// What runs in a world, with what it writes.
pub(super) struct Process {
    pub(super) running: Running,
    pub(super) out: Kept,
    pub(super) err: Kept,
}

impl Process {
    /// Waits for its end.
    pub(super) async fn end(self) -> Found {
        let exit = self.running.wait().await;
        Found { out: self.out.text(), err: self.err.text(), code: exit.status.code() }
    }

    /// Waits until it has written something.
    pub(super) async fn says(&self, what: &str) {
        for _ in 0..10_000 {
            if self.out.text().contains(what) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never said {what:?}, but {:?} and {:?}", self.out.text(), self.err.text());
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::within(Limits { steps: 10_000_000, burst: 10_000_000, ..Limits::default() })
    }

    pub(super) fn within(limits: Limits) -> Self {
        let mut programs = Programs::default();
        let mut names = Vec::new();
        for list in APPLETS.iter().copied().chain([SHELL]) {
            programs = programs.with(list);
            names.extend(list.iter().map(|(name, _)| *name));
        }
        #[allow(clippy::disallowed_methods, reason = "here a test is the owner, and ends the task with its container")]
        let spawn = Arc::new(|_: &'static str, task| drop(tokio::spawn(task)));
        let now: crate::kernel::Now = Arc::new(|| Timestamp::UNIX_EPOCH);
        let machine = Arc::new(Machine { programs, spawn, now: now.clone() });
        let items = [
            Item::directory("/tmp", 0o1777),
            Item::directory("/root", 0o700),
            Item::directory("/usr/bin", 0o755),
            Item::directory("/proc", 0o555),
            Item::device("/dev/null", 0o666, Device::Null),
            Item::device("/dev/zero", 0o666, Device::Zero),
            Item::device("/dev/full", 0o666, Device::Full),
            Item::file("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\n"),
            Item::file("/etc/script", 0o755, "echo \"$0 $1 $#\"; exit 3\n"),
            Item::file("/etc/hash", 0o755, "#!/bin/sh -e\necho \"$0 $1 $-\"\n"),
        ];
        names.sort_unstable();
        names.dedup();
        let files = names.iter().map(|name| Item::file(format!("/bin/{name}"), 0o755, executable(name)));
        let image = Image::build(items.into_iter().chain(files), Timestamp::UNIX_EPOCH).unwrap();
        let root = Tree::new(image, Space { bytes: 8 << 20, inodes: 10_000 }, now);
        let network: Arc<dyn net::Network> = Arc::new(net::Alone);
        let sandbox = Sandbox::new(SandboxSpec { machine, hostname: "box.example".into(), network, seed: 1 });
        let container = Container::new(&sandbox, ContainerSpec { root, read_only: false, mounts: Vec::new(), limits }).unwrap();
        Self { container }
    }

    fn command(args: &[&str]) -> Command {
        Command {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: vec![("PATH".into(), "/bin:/usr/bin".into()), ("HOME".into(), "/root".into())],
            cwd: "/".into(),
            ..Command::default()
        }
    }

    /// Starts something as the first process.
    pub(super) fn start(&self, args: &[&str], input: &str) -> Process {
        let (out, err) = (Kept::default(), Kept::default());
        let command = Command {
            stdin: Some(Box::pin(Given(input.into()))),
            stdout: Some(Box::pin(out.clone())),
            stderr: Some(Box::pin(err.clone())),
            ..Self::command(args)
        };
        Process { running: self.container.start(command).unwrap(), out, err }
    }

    /// Runs something to its end, as another than the first process, whose signals are usual.
    pub(super) async fn run(&self, args: &[&str], input: &str) -> Found {
        let first = self.start(&["sleep", "1000000"], "");
        let (out, err) = (Kept::default(), Kept::default());
        let command = Command {
            stdin: Some(Box::pin(Given(input.into()))),
            stdout: Some(Box::pin(out.clone())),
            stderr: Some(Box::pin(err.clone())),
            ..Self::command(args)
        };
        let running = self.container.exec(command).unwrap();
        let found = Process { running, out, err }.end().await;
        first.running.signal(Signal::KILL);
        found
    }

    /// Runs a script from a file to its end, which may be longer than an argument.
    pub(super) async fn run_file(&self, script: &str) -> Found {
        self.container.files().put([Item::file("/tmp/script", 0o644, script.to_owned())]).unwrap();
        self.run(&["sh", "/tmp/script"], "").await
    }

    /// Starts something with a terminal; answers where a person types.
    pub(super) fn talk(&self, args: &[&str]) -> (Process, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(4096);
        let out = Kept::default();
        let command = Command {
            terminal: Some(Size { rows: 24, columns: 80 }),
            stdin: Some(Box::pin(theirs)),
            stdout: Some(Box::pin(out.clone())),
            ..Self::command(args)
        };
        (Process { running: self.container.start(command).unwrap(), out, err: Kept::default() }, ours)
    }

    /// Whether there is a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.container.files().stat(path).is_ok()
    }

    /// What its processes are, each by its arguments.
    pub(super) fn processes(&self) -> Vec<String> {
        self.container.processes().into_iter().map(|process| process.args.join(" ")).collect()
    }
}

/// Types something.
pub(super) async fn types(keyboard: &mut DuplexStream, text: &str) {
    keyboard.write_all(text.as_bytes()).await.unwrap();
}

//! A small machine to try programs on.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;

use crate::{
    Container, Machine, Sandbox,
    applets::APPLETS,
    files::{Credentials, Device, Image, Item, Space, Tree},
    kernel::{Command, ContainerSpec, Exit, Limits, Now, Program, Programs, Running, SandboxSpec, Size, executable},
    net::{Alone, Network},
};

/// 2024-01-02 03:04:05 UTC, where the clock of the tests begins.
pub(crate) const BEGINNING: i64 = 1_704_164_645;

/// What was written, for all to see.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    /// What was written so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

impl AsyncWrite for Sink {
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

/// What a program wrote and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
    pub(crate) out_of_memory: bool,
}

/// A sandbox and what its containers are made of.
pub(crate) struct World {
    pub(crate) sandbox: Arc<Sandbox>,
    image: Arc<Image>,
    now: Now,
}

/// The clock of the tests: it goes with tokio's.
pub(crate) fn now() -> Now {
    let begin = tokio::time::Instant::now();
    Arc::new(move || {
        Timestamp::from_second(BEGINNING).unwrap_or_default() + jiff::SignedDuration::try_from(begin.elapsed()).unwrap_or_default()
    })
}

impl World {
    /// A world with all applets and these programs.
    pub(crate) fn new(more: &[(&'static str, Program)]) -> Self {
        Self::with_network(more, Arc::new(Alone))
    }

    pub(crate) fn with_network(more: &[(&'static str, Program)], network: Arc<dyn Network>) -> Self {
        let now = now();
        let all: Vec<(&'static str, Program)> = APPLETS.iter().copied().flatten().chain(more).copied().collect();
        #[allow(clippy::disallowed_methods, reason = "a test owns its tasks")]
        let spawn = |_: &'static str, future| drop(tokio::spawn(future));
        let machine = Machine { programs: Programs::default().with(&all), spawn: Arc::new(spawn), now: now.clone() };
        let sandbox = Sandbox::new(SandboxSpec { machine: Arc::new(machine), hostname: "box".into(), network, seed: 7 });
        let programs = all.iter().map(|(name, _)| Item::file(format!("/bin/{name}"), 0o755, executable(name)));
        let rest = [
            Item::directory("/proc", 0o555),
            Item::directory("/tmp", 0o1777),
            Item::directory("/root", 0o700),
            Item::device("/dev/null", 0o666, Device::Null),
            Item::device("/dev/zero", 0o666, Device::Zero),
            Item::device("/dev/full", 0o666, Device::Full),
            Item::device("/dev/urandom", 0o666, Device::Random),
            Item::device("/dev/tty", 0o666, Device::Terminal),
            Item::symlink("/dev/stdin", "/proc/self/fd/0"),
            Item::symlink("/dev/stdout", "/proc/self/fd/1"),
            Item::symlink("/dev/stderr", "/proc/self/fd/2"),
            Item::file("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
            Item::file("/etc/group", 0o644, "root:x:0:\nnobody:x:65534:\n"),
        ];
        let image = Image::build(programs.chain(rest), now()).unwrap();
        Self { sandbox, image, now }
    }

    /// A container with these limits.
    pub(crate) fn container(&self, limits: Limits) -> Container {
        Container::new(&self.sandbox, self.spec(limits)).unwrap()
    }

    /// What such a container is made of.
    pub(crate) fn spec(&self, limits: Limits) -> ContainerSpec {
        let root = Tree::new(self.image.clone(), Space::default(), self.now.clone());
        ContainerSpec { root, read_only: false, mounts: Vec::new(), limits }
    }

    /// Runs a command in a container of its own.
    pub(crate) async fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(args, "", Limits::default()).await
    }

    /// The same with what it reads.
    pub(crate) async fn run_with(&self, args: &[&str], input: &str, limits: Limits) -> Outcome {
        let container = self.container(limits);
        let job = Job::of(command(args), input);
        let running = container.start(job.command).unwrap();
        job.seen.outcome(running.wait().await)
    }
}

/// A command as root in `/`, with an ordinary environment and no streams.
pub(crate) fn command(args: &[&str]) -> Command {
    Command {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec![("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into()), ("HOME".into(), "/root".into())],
        cwd: "/".into(),
        who: Credentials::default(),
        ..Command::default()
    }
}

/// A command whose output is collected.
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) seen: Seen,
}

/// What a command has written.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) out: Sink,
    pub(crate) err: Sink,
}

impl Seen {
    pub(crate) fn outcome(&self, exit: Exit) -> Outcome {
        Outcome { out: self.out.text(), err: self.err.text(), code: exit.status.code(), out_of_memory: exit.out_of_memory }
    }
}

impl Job {
    pub(crate) fn of(command: Command, input: &str) -> Self {
        let seen = Seen::default();
        let command = Command {
            stdin: Some(Box::pin(io::Cursor::new(input.as_bytes().to_vec()))),
            stdout: Some(Box::pin(seen.out.clone())),
            stderr: Some(Box::pin(seen.err.clone())),
            ..command
        };
        Self { command, seen }
    }
}

/// Somebody at a terminal.
pub(crate) struct Person {
    keys: tokio::io::DuplexStream,
    screen: Sink,
    pub(crate) running: Running,
}

impl Person {
    /// Sits down at a command.
    pub(crate) fn at(container: &Container, command: Command) -> Self {
        let (keys, typed) = tokio::io::duplex(4096);
        let screen = Sink::default();
        let command = Command {
            terminal: Some(Size { rows: 24, columns: 80 }),
            stdin: Some(Box::pin(typed)),
            stdout: Some(Box::pin(screen.clone())),
            ..command
        };
        Self { keys, screen, running: container.start(command).unwrap() }
    }

    /// Types.
    pub(crate) async fn types(&mut self, text: &str) {
        tokio::io::AsyncWriteExt::write_all(&mut self.keys, text.as_bytes()).await.unwrap();
    }

    /// Waits until the screen ends with a text, and answers all of it.
    pub(crate) async fn sees(&self, end: &str) -> String {
        let seen = async {
            while !self.screen.text().ends_with(end) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), seen).await;
        assert!(waited.is_ok(), "{end:?} is not the end of {:?}", self.screen.text());
        self.screen.text()
    }
}

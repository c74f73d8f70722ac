//! A container that has come to life: a simulated userland made from an image, the pod's volumes and what the API says of it, with its
//! main process, and others beside it.
//!
//! Must not know: the runtime's table, the API.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::core::v1 as api;
use mini_daemon::tasks;
use mini_machine::{
    Errno, Signal,
    files::{Credentials, Item, Space, Tree},
    images::{Image, devices},
    kernel::{self, Command, ContainerSpec, Limits, Running, Sandbox, StartError},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncWrite, DuplexStream, duplex},
    sync::watch,
    time::Instant,
};
use tokio_util::io::StreamReader;

use super::{
    super::{COMPLETED, ERROR, Exit, FALLBACK_LIMIT, MESSAGE_LIMIT, Now, OOM_KILLED, Process, RuntimeError, Size, StartRequest, Usage},
    behaviour,
    log::{Log, Output},
    volumes::{PodVolumes, Stores},
};

/// How much a container may write into its root.
const ROOT: Space = Space { bytes: 256 << 20, inodes: 100_000 };
/// How many bytes wait between a process and who talks with it.
const BUFFER: usize = 64 << 10;
/// Where programs are found if nothing is said.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How often the use of the processor is looked at, at most.
const SAMPLE: Duration = Duration::from_secs(5);

/// A container that runs.
pub(super) struct Life {
    container: kernel::Container,
    main: Running,
    log: Arc<Log>,
    /// The environment of whatever runs in it.
    env: Vec<(String, String)>,
    cwd: String,
    who: Credentials,
    stop_signal: Signal,
    /// What reads in front of its main process; taken by who is attached.
    stdin: Mutex<Option<DuplexStream>>,
    stdin_once: bool,
    message: Message,
    sampled: Mutex<Sampled>,
}

/// Where a container's last words are.
struct Message {
    path: String,
    falls_back: bool,
}

/// How much of the processor was used up to a moment, and what that came to.
struct Sampled {
    at: Instant,
    used: Duration,
    rate: u64,
}

/// Where a container is to live.
pub(super) struct Home<'h> {
    pub(super) sandbox: &'h Arc<Sandbox>,
    /// The container whose processes it is to see.
    pub(super) target: Option<Arc<Life>>,
    pub(super) volumes: &'h PodVolumes,
    /// The files of the pod that every container has: hosts, hostname, resolv.conf, and shared memory.
    pub(super) common: &'h [kernel::Mount],
    pub(super) stores: Stores<'h>,
}

impl Life {
    /// Makes a container and starts its main process.
    ///
    /// # Errors
    /// [`RuntimeError::Create`] and [`RuntimeError::Start`], in the words of containerd and runc.
    pub(super) async fn begin(request: &StartRequest, entry: &Image, home: &Home<'_>, log: Arc<Log>) -> Result<Self, RuntimeError> {
        let spec = request.spec().ok_or_else(|| RuntimeError::Create(format!("container {:?} is not in the pod", request.container)))?;
        let args = arguments(request, entry);
        if args.is_empty() {
            return Err(RuntimeError::Create(
                "failed to generate container spec: failed to generate spec: no command specified".to_owned(),
            ));
        }
        let now = home.stores.now;
        let root = Tree::new(entry.files.clone(), ROOT, now.clone());
        let message = Message::of(&spec);
        let mut mounts = vec![message.mount(now)?];
        mounts.extend(home.common.iter().cloned());
        for mount in &request.mounts {
            // What the pod mounts hides what every container has there.
            mounts.retain(|other| other.path.trim_end_matches('/') != mount.path.trim_end_matches('/'));
            mounts.push(home.volumes.mount(mount, &request.node, &home.stores).await?);
        }
        let cwd = spec.working_dir.clone().filter(|dir| !dir.is_empty()).unwrap_or_else(|| entry.cwd.clone());
        prepare(&root, &mounts, &cwd)?;
        let who = credentials(request, &spec, entry, &root);
        let env = environment(request, entry, &spec, home.sandbox, &who);
        let read_only = spec.security_context.as_ref().and_then(|context| context.read_only_root_filesystem) == Some(true);
        let made = ContainerSpec { root, read_only, mounts, limits: limits(&spec) };
        let container = match &home.target {
            Some(target) => kernel::Container::beside(&target.container, made)?,
            None => kernel::Container::new(home.sandbox, made)?,
        };
        let (stdin, theirs) = if spec.stdin == Some(true) { Some(duplex(BUFFER)).unzip() } else { (None, None) };
        let command = Command {
            args,
            env: env.clone(),
            cwd: cwd.clone(),
            who: who.clone(),
            terminal: (spec.tty == Some(true)).then(kernel::Size::default),
            stdin: theirs.map(|theirs| Box::pin(theirs) as kernel::Input),
            stdout: Some(Box::pin(log.writer(Output::Stdout))),
            stderr: Some(Box::pin(log.writer(Output::Stderr))),
        };
        let main = container.start(command).map_err(|error| not_started(&error))?;
        Ok(Self {
            container,
            main,
            log,
            env,
            cwd,
            who,
            stop_signal: entry.stop_signal,
            stdin: Mutex::new(stdin),
            stdin_once: spec.stdin_once == Some(true),
            message,
            sampled: Mutex::new(Sampled { at: Instant::now(), used: Duration::ZERO, rate: 0 }),
        })
    }

    /// What it writes.
    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Waits until its main process has come to rest, serving whoever comes, or has ended.
    pub(super) async fn settled(&self) {
        self.main.settled().await;
    }

    /// Waits until its main process has ended, and with it the container. Returns how, but for the times.
    pub(super) async fn ended(&self) -> Exit {
        let exit = self.main.wait().await;
        self.container.kill_all();
        self.log.end();
        let epoch = jiff::Timestamp::UNIX_EPOCH;
        let code = exit.status.code();
        let reason = match code {
            _ if exit.out_of_memory => OOM_KILLED,
            0 => COMPLETED,
            _ => ERROR,
        };
        Exit { reason, message: self.last_words(code), ..Exit::new(code, epoch, epoch) }
    }

    fn last_words(&self, code: i32) -> Option<Arc<str>> {
        let mut bytes = self.container.files().read(&self.message.path).map(|bytes| bytes.to_vec()).unwrap_or_default();
        bytes.truncate(MESSAGE_LIMIT);
        if bytes.is_empty() && code != 0 && self.message.falls_back {
            bytes = self.log.last_words();
            debug_assert!(bytes.len() <= FALLBACK_LIMIT);
        }
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into())
    }

    /// Asks its main process to end, and makes it after a while. Returns when it has ended.
    pub(super) async fn stop(&self, grace: Duration, asks: bool) {
        if asks {
            self.main.signal(self.stop_signal);
        }
        if tokio::time::timeout(grace, self.main.wait()).await.is_err() {
            self.main.signal(Signal::KILL);
            self.container.kill_all();
            self.main.wait().await;
        }
    }

    /// Ends everything in it at once.
    pub(super) fn kill(&self) {
        self.main.signal(Signal::KILL);
        self.container.kill_all();
    }

    /// What it uses.
    pub(super) fn usage(&self) -> Usage {
        let usage = self.container.usage();
        let mut sampled = self.sampled.lock();
        let passed = sampled.at.elapsed();
        if passed >= SAMPLE || sampled.used.is_zero() {
            let used = usage.cpu.saturating_sub(sampled.used).as_nanos() * 1_000_000_000 / passed.as_nanos().max(1);
            *sampled = Sampled { at: Instant::now(), used: usage.cpu, rate: u64::try_from(used).unwrap_or(u64::MAX) };
        }
        Usage { cpu: sampled.rate, memory: usage.memory }
    }

    /// Runs a command beside its main process.
    pub(super) fn exec(&self, command: &[String], tty: bool) -> Result<Process, StartError> {
        let (stdin, their_stdin) = duplex(BUFFER);
        let (their_stdout, stdout) = duplex(BUFFER);
        let (their_stderr, stderr) = duplex(BUFFER);
        let mut env = self.env.clone();
        if tty {
            env.push(("TERM".to_owned(), "xterm".to_owned()));
        }
        let running = self.container.exec(Command {
            args: command.to_vec(),
            env,
            cwd: self.cwd.clone(),
            who: self.who.clone(),
            terminal: tty.then(kernel::Size::default),
            stdin: Some(Box::pin(their_stdin)),
            stdout: Some(Box::pin(their_stdout)),
            stderr: Some(Box::pin(their_stderr)),
        })?;
        let running = Held(Arc::new(running));
        let resize = resizing(running.0.clone());
        let exit = async move {
            let exit = running.0.wait().await;
            Ok(exit.status.code())
        };
        Ok(Process { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: Box::new(stderr), resize, exit: exit.boxed() })
    }

    /// Joins its main process.
    pub(super) fn attach(self: &Arc<Self>) -> Process {
        let pieces = self.log.attach();
        let (outs, errs) = split(pieces);
        let stdin = Attached { life: self.clone(), stdin: self.stdin.lock().take() };
        let (life, resize) = (self.clone(), watch::Sender::new(Size::default()));
        let mut sizes = resize.subscribe();
        tasks::detach("the size of a terminal", async move {
            while sizes.changed().await.is_ok() {
                let Size { width, height } = *sizes.borrow_and_update();
                life.main.resize(kernel::Size { columns: width, rows: height });
            }
        });
        let life = self.clone();
        let exit = async move { Ok(life.main.wait().await.status.code()) };
        Process { stdin: Box::new(stdin), stdout: outs, stderr: errs, resize, exit: exit.boxed() }
    }
}

/// A process that goes when nobody talks with it any more.
struct Held(Arc<Running>);

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.ended().is_none() {
            self.0.hang_up();
            self.0.signal(Signal::KILL);
        }
    }
}

fn resizing(running: Arc<Running>) -> watch::Sender<Size> {
    let resize = watch::Sender::new(Size::default());
    let mut sizes = resize.subscribe();
    tasks::detach("the size of a terminal", async move {
        while sizes.changed().await.is_ok() {
            let Size { width, height } = *sizes.borrow_and_update();
            running.resize(kernel::Size { columns: width, rows: height });
        }
    });
    resize
}

type Reader = Box<dyn tokio::io::AsyncRead + Send + Unpin>;

/// What is written from now on, by output.
fn split(mut pieces: tokio::sync::mpsc::Receiver<super::log::Piece>) -> (Reader, Reader) {
    let (out, outs) = tokio::sync::mpsc::channel::<Bytes>(16);
    let (err, errs) = tokio::sync::mpsc::channel::<Bytes>(16);
    tasks::detach("attached", async move {
        while let Some((output, bytes)) = pieces.recv().await {
            let taken = match output {
                Output::Stdout => out.send(bytes).await,
                Output::Stderr => err.send(bytes).await,
            };
            if taken.is_err() {
                return;
            }
        }
    });
    let reader = |pieces| -> Reader {
        let next = |mut pieces: tokio::sync::mpsc::Receiver<Bytes>| async move {
            pieces.recv().await.map(|bytes| (io::Result::Ok(bytes), pieces))
        };
        Box::new(StreamReader::new(stream::unfold(pieces, next).boxed()))
    };
    (reader(outs), reader(errs))
}

/// The input of a container, while somebody is attached.
struct Attached {
    life: Arc<Life>,
    stdin: Option<DuplexStream>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        if !self.life.stdin_once
            && let Some(stdin) = self.stdin.take()
        {
            *self.life.stdin.lock() = Some(stdin);
        }
    }
}

impl AsyncWrite for Attached {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, bytes),
            // A container without an input reads nothing of it.
            None => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Who goes away leaves the input open for the next, unless there is to be only one.
        if self.life.stdin_once {
            self.stdin = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// What is run: the pod's command and arguments, or else the image's; a command without arguments has none.
fn arguments(request: &StartRequest, entry: &Image) -> Vec<String> {
    let own = |own: &[String], image: &[String]| if own.is_empty() { image.to_vec() } else { own.to_vec() };
    if request.command.is_empty() {
        [entry.entrypoint.clone(), own(&request.args, &entry.cmd)].concat()
    } else {
        [request.command.clone(), request.args.clone()].concat()
    }
}

/// Makes what is to be mounted upon, and where to begin.
fn prepare(root: &Arc<Tree>, mounts: &[kernel::Mount], cwd: &str) -> Result<(), RuntimeError> {
    let files = root.files();
    files.put(devices())?;
    files.put([Item::directory("/proc", 0o555), Item::directory("/sys", 0o555)])?;
    for mount in mounts {
        // Below another mount it is that one's business.
        let below = mounts
            .iter()
            .any(|other| mount.path != other.path && mount.path.starts_with(&format!("{}/", other.path.trim_end_matches('/'))));
        if below || files.stat(&mount.path).is_ok() {
            continue;
        }
        let is_file = mount.tree.files().stat(&mount.inner).is_ok_and(|stat| stat.kind == mini_machine::files::Kind::File);
        files.put([if is_file { Item::file(&mount.path, 0o644, Bytes::new()) } else { Item::directory(&mount.path, 0o755) }])?;
    }
    if files.stat(cwd).is_err() {
        files.put([Item::directory(cwd, 0o755)])?;
    }
    Ok(())
}

/// As whom a container runs.
fn credentials(request: &StartRequest, spec: &api::Container, entry: &Image, root: &Arc<Tree>) -> Credentials {
    let pod = request.pod.spec.as_ref().and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let own = spec.security_context.clone().unwrap_or_default();
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    let image = entry.user.as_deref().and_then(|user| named(root, user)).unwrap_or_default();
    let uid = number(own.run_as_user.or(pod.run_as_user)).unwrap_or(image.0);
    let gid = number(own.run_as_group.or(pod.run_as_group)).unwrap_or(image.1);
    let groups = pod.supplemental_groups.into_iter().flatten().chain(pod.fs_group).filter_map(|group| u32::try_from(group).ok()).collect();
    Credentials { uid, gid, groups }
}

/// The numbers of a user of an image, by name or number.
fn named(root: &Arc<Tree>, user: &str) -> Option<(u32, u32)> {
    let (user, group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let passwd = root.files().read("/etc/passwd").ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let line = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&user) || fields.get(2) == Some(&user));
    let field = |at: usize| line.as_ref()?.get(at)?.parse().ok();
    let uid = user.parse().ok().or_else(|| field(2))?;
    Some((uid, group.and_then(|group| group.parse().ok()).or_else(|| field(3)).unwrap_or(0)))
}

/// The environment of a container: what every one has, the image's, the pod's.
fn environment(
    request: &StartRequest,
    entry: &Image,
    spec: &api::Container,
    sandbox: &Sandbox,
    who: &Credentials,
) -> Vec<(String, String)> {
    let home = if who.uid == 0 { "/root" } else { "/" };
    let mut env: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| match env.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => value.clone_into(old),
        None => env.push((name.to_owned(), value.to_owned())),
    };
    set("PATH", PATH);
    set("HOSTNAME", &sandbox.hostname());
    if spec.tty == Some(true) {
        set("TERM", "xterm");
    }
    entry.env.iter().for_each(|(name, value)| set(name, value));
    request.environment.iter().for_each(|(name, value)| set(name, value));
    if !env.iter().any(|(name, _)| name == "HOME") {
        env.push(("HOME".to_owned(), home.to_owned()));
    }
    env
}

fn limits(spec: &api::Container) -> Limits {
    let memory = behaviour::limit(spec, "memory").and_then(|limit| u64::try_from(limit.value()).ok()).filter(|limit| *limit > 0);
    // As a kubelet on cgroup v2 has it, a container dies of its memory as a whole.
    Limits { memory: memory.unwrap_or(u64::MAX), kill_all: true, ..Limits::default() }
}

impl Message {
    fn of(spec: &api::Container) -> Self {
        let path = spec.termination_message_path.clone().filter(|path| !path.is_empty());
        let falls_back = spec.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        Self { path: path.unwrap_or_else(|| "/dev/termination-log".to_owned()), falls_back }
    }

    fn mount(&self, now: &Now) -> Result<kernel::Mount, RuntimeError> {
        let tree = Tree::new(mini_machine::files::Image::empty(), Space { bytes: 1 << 20, inodes: 4 }, now.clone());
        tree.files().put([Item::file("/message", 0o666, Bytes::new())])?;
        Ok(kernel::Mount {
            path: self.path.clone(),
            tree,
            inner: "/message".to_owned(),
            read_only: false,
            kind: "ext4",
            device: "/dev/vda1".to_owned(),
        })
    }
}

/// What runc says of a command that is not to be executed.
pub(super) fn refusal(error: &StartError) -> String {
    let exec = |path: &str, errno: Errno| match errno {
        Errno::EACCES => format!("exec: {path:?}: permission denied"),
        Errno::EISDIR => format!("exec: {path:?}: is a directory"),
        Errno::ENOEXEC => format!("exec {path}: exec format error"),
        errno => format!("exec: {path:?}: stat {path}: {}", errno.to_string().to_lowercase()),
    };
    match error {
        StartError::NotInPath(name) if name.contains('/') => exec(name, Errno::ENOENT),
        StartError::NotInPath(name) => format!("exec: {name:?}: executable file not found in $PATH"),
        StartError::File { path, errno } => exec(path, *errno),
        StartError::Cwd { path, errno } => {
            format!("chdir to cwd ({path:?}) set in config.json failed: {}", errno.to_string().to_lowercase())
        }
        other => other.to_string(),
    }
}

fn not_started(error: &StartError) -> RuntimeError {
    RuntimeError::Start(format!(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container \
         process: error during container init: {}",
        refusal(error)
    ))
}

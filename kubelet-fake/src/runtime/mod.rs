//! The container runtime as the kubelet sees it: ten verbs, and the words they are said with.
//!
//! A runtime is the truth about containers: the kubelet believes [`ContainerRuntime::list`] and not its own memory of
//! what it asked for. Besides the verbs a runtime is given, when it is made, a [`Hints`] sender: "something changed in
//! this pod, look again". A lost or superfluous hint does no harm.
//!
//! Must not know: Kubernetes status, back-off, restart policies, Events.

mod request;
pub mod simulated;

use std::{collections::BTreeMap, io, net::SocketAddr, ops::AddAssign, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

pub use request::{Content, Environment, File, Files, Mount, Network, Source, StartRequest, Token, find, ordinary_form};

/// Tells the kubelet the UID of a pod whose containers changed by themselves.
pub type Hints = tokio::sync::mpsc::UnboundedSender<Arc<str>>;

/// Where the present moment comes from; tests pass one that follows tokio's paused clock.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The bytes of a log, as they come.
pub type LogStream = BoxStream<'static, std::io::Result<Bytes>>;

/// The images present on a node, by the name they were asked for.
pub type Images = Arc<BTreeMap<String, Image>>;

/// An image that is present on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The canonical reference, such as `docker.io/library/nginx:1.7.9`.
    pub reference: String,
    /// The digest it resolved to, such as `docker.io/library/nginx@sha256:…`.
    pub id: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A container the runtime has, running or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// The runtime's name and the container's, such as `mini://4f…`.
    pub id: Arc<str>,
    /// The UID of its pod.
    pub pod: Arc<str>,
    /// Its name in the pod.
    pub name: String,
    /// How many containers of this name the pod had before.
    pub attempt: u32,
    /// What it was made from.
    pub image: Image,
    /// The image's name as the pod had it then.
    pub asked: String,
    /// What it is doing.
    pub state: State,
}

/// What a container is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It runs.
    Running {
        /// Since when.
        started: Timestamp,
    },
    /// It has ended.
    Exited(Exit),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Exit {
    /// The exit code: 0 for success, 128 and the signal's number for what was killed, 128 for what could not be started.
    pub code: i32,
    /// When it had started; 1970 if it never has.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// One word: one of [`COMPLETED`], [`ERROR`], [`OOM_KILLED`] and [`START_ERROR`].
    pub reason: &'static str,
    /// What it left to say: the file at its `terminationMessagePath`, at most [`MESSAGE_LIMIT`] bytes of it. If that is empty, the
    /// code is not 0 and its `terminationMessagePolicy` is `FallbackToLogsOnError`, the end of its log: at most [`FALLBACK_LINES`] lines
    /// and [`FALLBACK_LIMIT`] bytes. For what could not be started, why.
    pub message: Option<Arc<str>>,
}

/// A container has done its work.
pub const COMPLETED: &str = "Completed";
/// A container has ended with another code than 0.
pub const ERROR: &str = "Error";
/// A container has used more memory than it may.
pub const OOM_KILLED: &str = "OOMKilled";
/// A container's process could not be started.
pub const START_ERROR: &str = "StartError";
/// The exit code of a container whose process could not be started.
pub const NOT_STARTED: i32 = 128;
/// How much of the file at `terminationMessagePath` is read, in bytes.
pub const MESSAGE_LIMIT: usize = 4096;
/// How many lines of a log serve as a message.
pub const FALLBACK_LINES: usize = 80;
/// How many bytes of a log serve as a message.
pub const FALLBACK_LIMIT: usize = 2048;

impl Exit {
    /// An end of which nothing is known but its code and its times.
    #[must_use]
    pub fn new(code: i32, started: Timestamp, finished: Timestamp) -> Self {
        Self { code, started, finished, reason: if code == 0 { COMPLETED } else { ERROR }, message: None }
    }

    /// The end of what was never started, for this reason.
    #[must_use]
    pub fn not_started(why: &str, at: Timestamp) -> Self {
        Self { reason: START_ERROR, message: Some(why.into()), ..Self::new(NOT_STARTED, Timestamp::UNIX_EPOCH, at) }
    }
}

/// What something uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the CPU, in billionths of a core.
    pub cpu: u64,
    /// Of the memory, in bytes.
    pub memory: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        self.cpu = self.cpu.saturating_add(more.cpu);
        self.memory = self.memory.saturating_add(more.memory);
    }
}

/// What is on a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The containers asked for.
    pub containers: Vec<Container>,
    /// All images of the node.
    pub images: Images,
}

/// Which part of a log is wanted, as the query of `pods/log` says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogOptions {
    /// Keep going until the container ends.
    pub follow: bool,
    /// Only so many lines from the end.
    pub tail: Option<usize>,
    /// Only lines from this moment on.
    pub since: Option<Timestamp>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Not more than so many bytes.
    pub limit: Option<usize>,
}

/// What went wrong in a runtime.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum RuntimeError {
    /// The image cannot be had; the text is for the user.
    #[error("{0}")]
    Image(String),
    /// A container cannot be created; the text is for the user. Nothing is left behind.
    #[error("{0}")]
    Create(String),
    /// A container was created and cannot be started; the text is for the user. It is there and has ended, as [`Exit::not_started`] says.
    #[error("{0}")]
    Start(String),
    /// There is no such container.
    #[error("container {0:?} not found")]
    NotFound(String),
    /// A command cannot be started; the text is for the user.
    #[error("{0}")]
    Exec(String),
}

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How big a terminal is, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// A process one can talk with. Dropping it lets go of it: a command that was executed ends, a container runs on.
pub struct Process {
    /// What it reads. Shutting it down is the end of its input.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// What it writes, until it has ended. With a terminal, all of it.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// What it complains about.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// Tells its terminal how big the user's is.
    pub resize: watch::Sender<Size>,
    /// Its exit code, once it has ended.
    pub exit: BoxFuture<'static, Result<i32, RuntimeError>>,
}

/// What runs containers.
#[async_trait]
pub trait ContainerRuntime: Send + Sync {
    /// Makes an image present on the pod's node. Takes as long as it takes; dropping the future gives up.
    ///
    /// # Errors
    /// [`RuntimeError::Image`] with the reason for the user.
    async fn pull(&self, node: &str, image: &str, pod: &Pod) -> Result<Image, RuntimeError>;

    /// Creates and starts a container; returns its id. The pod's network and volumes are there when its first container is, and go
    /// with its last.
    ///
    /// # Errors
    /// [`RuntimeError::Create`] or [`RuntimeError::Start`], with the reason for the user.
    async fn start(&self, request: StartRequest) -> Result<Arc<str>, RuntimeError>;

    /// Asks a container to end (SIGTERM), makes it end (SIGKILL) after `grace`, and returns once it has ended.
    ///
    /// # Errors
    /// When there is no such container. One that has ended already is no error.
    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError>;

    /// Forgets an ended container and its log.
    ///
    /// # Errors
    /// When there is no such container.
    async fn remove(&self, id: &str) -> Result<(), RuntimeError>;

    /// What there is on a node; with `pod`, only that pod's containers.
    ///
    /// # Errors
    /// When the runtime cannot be asked.
    async fn list(&self, node: &str, pod: Option<&str>) -> Result<Listing, RuntimeError>;

    /// What a container wrote.
    ///
    /// # Errors
    /// When there is no such container.
    async fn logs(&self, id: &str, options: LogOptions) -> Result<LogStream, RuntimeError>;

    /// Starts a command in a running container, with a terminal if `tty`.
    ///
    /// # Errors
    /// When there is no such running container, or the command cannot be started.
    async fn exec(&self, id: &str, command: &[String], tty: bool) -> Result<Process, RuntimeError>;

    /// Joins a running container: what it writes from now on, what it reads.
    ///
    /// # Errors
    /// When there is no such running container.
    async fn attach(&self, id: &str) -> Result<Process, RuntimeError>;

    /// What a running container uses at present. `pod` is its pod as it is now.
    ///
    /// # Errors
    /// When there is no such running container.
    async fn usage(&self, container: &Container, pod: &Pod) -> Result<Usage, RuntimeError>;

    /// Connects to whoever listens at an address in the network of the pods.
    ///
    /// # Errors
    /// As the network says it: nobody listens, or there is no such address.
    async fn dial(&self, address: SocketAddr) -> io::Result<Box<dyn Stream>>;
}

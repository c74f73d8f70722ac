//! Where clients come in: an address, and a Unix socket beside it for those on this machine who were told of it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::Instant,
};
use tokio_util::either::Either;

/// How long a killed predecessor may take to let go of its address.
const REBIND_PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection is silent before it is probed, and how often it is then.
pub(super) const PROBES: Duration = Duration::from_secs(15);
/// Probes without an answer after which a peer is gone.
const LOST_PROBES: u32 = 4;

/// A connection, whichever way it came.
pub(super) type Stream = Either<TcpStream, UnixStream>;

/// What clients connect to, as long as this lives.
pub(crate) struct Entrance {
    listener: TcpListener,
    socket: Option<Socket>,
}

struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Entrance {
    /// Listens. What is taken may be a predecessor's who has just been killed, so it gets a moment.
    ///
    /// # Errors
    /// When it stays taken, or cannot be listened on.
    pub(crate) async fn open(address: SocketAddr, socket: Option<&Path>) -> Result<Self> {
        let deadline = Instant::now() + REBIND_PATIENCE;
        let listener = loop {
            match TcpListener::bind(address).await {
                Err(error) if is_taken(&error) && Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(20)).await,
                bound => break bound.with_context(|| format!("listen on {address}"))?,
            }
        };
        let socket = match socket {
            Some(path) => Some(Socket::open(path, deadline).await.with_context(|| format!("listen on {}", path.display()))?),
            None => None,
        };
        Ok(Self { listener, socket })
    }

    /// The address.
    ///
    /// # Errors
    /// As the system's.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection, and who is at its other end.
    ///
    /// # Errors
    /// As the system's: out of file descriptors, most likely.
    pub(super) async fn accept(&self) -> io::Result<(Stream, IpAddr)> {
        let socket = async {
            match &self.socket {
                Some(socket) => socket.listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = self.listener.accept() => {
                let (stream, peer) = accepted?;
                probe(&stream);
                Ok((Either::Left(stream), peer.ip()))
            }
            accepted = socket => Ok((Either::Right(accepted?.0), Ipv4Addr::LOCALHOST.into())),
        }
    }
}

impl Socket {
    async fn open(path: &Path, deadline: Instant) -> io::Result<Self> {
        loop {
            match UnixListener::bind(path) {
                Ok(listener) => return Ok(Self { listener, path: path.to_owned() }),
                Err(error) if !is_taken(&error) => return Err(error),
                Err(error) if !std::fs::symlink_metadata(path)?.file_type().is_socket() => return Err(error),
                Err(error) => match UnixStream::connect(path).await {
                    // It is left of one that was killed.
                    Err(refusal) if refusal.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
                    _ if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(20)).await,
                    _ => return Err(error),
                },
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "the socket stays");
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Has the kernel look after a peer that is silent, which may have vanished without a word.
fn probe(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let probing = TcpKeepalive::new().with_time(PROBES).with_interval(PROBES).with_retries(LOST_PROBES);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&probing) {
        tracing::debug!(%error, "a connection will not be probed");
    }
}

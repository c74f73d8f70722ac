//! The seam to a network: what a machine asks of it, and what it has of its own: the ports that its programs listen on.
//!
//! Knows no Service, no pod and no cluster: names are asked of a server and connections go to an address; who answers is the owner's.

mod ports;
mod resolver;
#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Errno;

pub(crate) use ports::{Listener, Ports, Queue};
pub use resolver::{Found, Hosts, ResolvConf};

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A connection.
pub struct Connection {
    /// Its bytes.
    pub stream: Box<dyn Stream>,
    /// The other side.
    pub peer: SocketAddr,
    /// This side.
    pub local: SocketAddr,
}

/// What is asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// Another name.
    Cname,
    /// The name of an address.
    Ptr,
    /// Where a service is.
    Srv,
    /// Text.
    Txt,
}

/// One answer about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An address.
    Address(IpAddr),
    /// Another name.
    Name(String),
    /// Where a service is.
    Service {
        /// Lower is asked first.
        priority: u16,
        /// More is asked more often.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its host.
        target: String,
    },
    /// Text.
    Text(String),
}

/// Why a name was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such name.
    #[error("NXDOMAIN")]
    NoName,
    /// The server could not.
    #[error("SERVFAIL")]
    Server,
    /// The server would not.
    #[error("REFUSED")]
    Refused,
    /// There was no server, or it did not answer.
    #[error("connection timed out; no servers could be reached")]
    Timeout,
}

/// The network of a sandbox.
#[async_trait]
pub trait Network: Send + Sync {
    /// The sandbox's own addresses, loopback apart.
    fn addresses(&self) -> Vec<IpAddr>;

    /// Asks a server about a name, which is whole (a dot at the end is not needed). An empty answer: the name is there, the record is not.
    async fn resolve(&self, server: SocketAddr, name: &str, record: Record) -> Result<Vec<Answer>, Failure>;

    /// Connects. ECONNREFUSED: nobody listens; EHOSTUNREACH, ENETUNREACH: no way; ETIMEDOUT: no answer, after as long as that takes.
    async fn connect(&self, to: SocketAddr) -> Result<Connection, Errno>;

    /// Asks a host for an echo; how long it took. `None`: no answer.
    async fn ping(&self, to: IpAddr) -> Result<Option<Duration>, Errno>;
}

/// No network: nothing but loopback.
pub struct Alone;

#[async_trait]
impl Network for Alone {
    fn addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }

    async fn resolve(&self, _: SocketAddr, _: &str, _: Record) -> Result<Vec<Answer>, Failure> {
        Err(Failure::Timeout)
    }

    async fn connect(&self, _: SocketAddr) -> Result<Connection, Errno> {
        Err(Errno::ENETUNREACH)
    }

    async fn ping(&self, _: IpAddr) -> Result<Option<Duration>, Errno> {
        Err(Errno::ENETUNREACH)
    }
}

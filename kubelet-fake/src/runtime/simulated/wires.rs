//! The network as a sandbox sees it, and the sandbox as the network sees it.
//!
//! Must not know: containers, names of pods.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Weak,
    time::Duration,
};

use async_trait::async_trait;
use mini_machine::{
    Errno,
    net::{self, Answer, Connection, Failure, Record},
};
use tokio::time::Instant;

use super::{
    super::{RuntimeError, Stream},
    Shared,
};
use crate::network::{
    Host, Network, Source,
    dns::{self, Data},
};

/// The port that names are asked at.
const DNS: u16 = 53;
/// How long a server is waited for that does not answer, as resolvers do: twice five seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The network of one pod.
pub(super) struct PodNetwork {
    pub(super) network: Network,
    pub(super) source: Source,
    /// The server of the cluster's names.
    pub(super) dns: Option<IpAddr>,
}

#[async_trait]
impl net::Network for PodNetwork {
    fn addresses(&self) -> Vec<IpAddr> {
        vec![self.source.ip]
    }

    async fn resolve(&self, server: SocketAddr, name: &str, record: Record) -> Result<Vec<Answer>, Failure> {
        if self.dns != Some(server.ip()) || server.port() != DNS {
            tokio::time::sleep(PATIENCE).await;
            return Err(Failure::Timeout);
        }
        let kind = match record {
            Record::A => dns::Kind::A,
            Record::Aaaa => dns::Kind::Aaaa,
            Record::Cname => dns::Kind::Cname,
            Record::Ptr => dns::Kind::Ptr,
            Record::Srv => dns::Kind::Srv,
            Record::Txt => dns::Kind::Txt,
        };
        let dns::Answer { nxdomain, records, .. } = self.network.resolve(name, kind).await;
        if nxdomain { Err(Failure::NoName) } else { Ok(records.into_iter().map(|record| answer(record.data)).collect()) }
    }

    async fn connect(&self, to: SocketAddr) -> Result<Connection, Errno> {
        let stream = self.network.connect(&self.source, to).await.map_err(|error| errno(&error))?;
        Ok(Connection { stream: Box::new(stream), peer: to, local: SocketAddr::new(self.source.ip, self.network.client_port()) })
    }

    async fn ping(&self, to: IpAddr) -> Result<Option<Duration>, Errno> {
        let began = Instant::now();
        match self.network.ping(to).await {
            Ok(()) => Ok(Some(began.elapsed())),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(None),
            Err(error) => Err(errno(&error)),
        }
    }
}

fn answer(data: Data) -> Answer {
    match data {
        Data::A(ip) => Answer::Address(ip.into()),
        Data::Aaaa(ip) => Answer::Address(ip.into()),
        Data::Cname(name) | Data::Ptr(name) => Answer::Name(name),
        Data::Srv { weight, port, target } => Answer::Service { priority: 0, weight, port, target },
        Data::Txt(text) => Answer::Text(text),
    }
}

/// What a system call says of what went wrong.
fn errno(error: &io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Errno::ECONNREFUSED,
        io::ErrorKind::HostUnreachable => Errno::EHOSTUNREACH,
        io::ErrorKind::NetworkUnreachable => Errno::ENETUNREACH,
        _ => Errno::ETIMEDOUT,
    }
}

/// A pod as the network finds it.
pub(super) struct Door {
    pub(super) shared: Weak<Shared>,
    /// The UID of the pod.
    pub(super) pod: std::sync::Arc<str>,
}

#[async_trait]
impl Host for Door {
    async fn accept(&self, port: u16, from: SocketAddr, stream: Box<dyn Stream>) -> io::Result<()> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let sandbox = self.shared.upgrade().ok_or_else(refused)?.awake(&self.pod).await.ok_or_else(refused)?;
        let connection = Connection { stream: Box::new(stream), peer: from, local: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port) };
        sandbox.accept(port, connection).map_err(|_| refused())
    }
}

impl From<mini_machine::files::Trouble> for RuntimeError {
    fn from(trouble: mini_machine::files::Trouble) -> Self {
        Self::Create(trouble.to_string())
    }
}

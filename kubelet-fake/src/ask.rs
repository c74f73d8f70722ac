//! Asking a container something, for a probe or a hook: by a command in it, or over its network.
//!
//! Must not know: what the answer means for the pod, when something is asked.

pub(crate) mod grpc;
pub(crate) mod http;

use std::{net::IpAddr, net::SocketAddr, sync::Arc};

use hyper::rt::Executor;
use k8s_openapi::{
    api::core::v1::{Container, HTTPGetAction, Pod},
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_daemon::tasks::detach;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::runtime::{ContainerRuntime, RuntimeError};

/// How much of an answer is kept, in bytes: upstream's 10 KiB.
pub(crate) const MOST: usize = 10 << 10;

/// Whom something is asked.
#[derive(Clone)]
pub(crate) struct Subject {
    /// What runs it.
    pub(crate) runtime: Arc<dyn ContainerRuntime>,
    /// Its pod.
    pub(crate) pod: Arc<Pod>,
    /// The pod's IP.
    pub(crate) ip: Option<IpAddr>,
    /// Its specification.
    pub(crate) container: Arc<Container>,
    /// The runtime's id of it.
    pub(crate) id: Arc<str>,
}

impl Subject {
    /// The container of this name in a pod, if there is one.
    pub(crate) fn of(runtime: &Arc<dyn ContainerRuntime>, pod: &Arc<Pod>, ip: Option<IpAddr>, name: &str, id: &Arc<str>) -> Option<Self> {
        let spec = pod.spec.as_ref()?;
        let container = Arc::new(crate::runtime::find(spec, name)?.into_owned());
        Some(Self { runtime: runtime.clone(), pod: pod.clone(), ip, container, id: id.clone() })
    }

    /// The number of a port that may have a name.
    ///
    /// # Errors
    /// Go's words, when no port has the name.
    pub(crate) fn port(&self, port: &IntOrString) -> Result<u16, String> {
        let number = match port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => {
                let ports = self.container.ports.iter().flatten();
                let named = ports.filter(|port| port.name.as_ref() == Some(name)).map(|port| port.container_port).next();
                let parsed = || name.parse().map_err(|_| format!("strconv.Atoi: parsing {name:?}: invalid syntax"));
                named.map_or_else(parsed, Ok)?
            }
        };
        u16::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| format!("invalid port number: {number}"))
    }

    /// The address of a host, by default the pod.
    ///
    /// # Errors
    /// Go's words, when the host is no address: the node's own names are the only ones it knows.
    pub(crate) fn address(&self, host: Option<&str>, port: u16) -> Result<SocketAddr, String> {
        let ip = match host.filter(|host| !host.is_empty()) {
            None => self.ip.ok_or_else(|| "the pod has no IP".to_owned())?,
            Some("localhost") => IpAddr::from([127, 0, 0, 1]),
            Some(host) => host.parse().map_err(|_| format!("dial tcp: lookup {host}: no such host"))?,
        };
        Ok(SocketAddr::new(ip, port))
    }

    /// What a `httpGet` asks for.
    ///
    /// # Errors
    /// When its port has a name that no port has.
    pub(crate) fn get(&self, action: &HTTPGetAction) -> Result<http::Get, String> {
        let port = self.port(&action.port)?;
        let own = self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let path = action.path.as_deref().unwrap_or("/");
        Ok(http::Get {
            secure: action.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
            host: action.host.clone().filter(|host| !host.is_empty()).unwrap_or(own),
            port,
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
            headers: action.http_headers.iter().flatten().map(|header| (header.name.clone(), header.value.clone())).collect(),
        })
    }

    /// Runs a command and returns its exit code, what it wrote to both outputs, and what it wrote to the second.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn exec(&self, command: &[String]) -> Result<(i32, String, String), RuntimeError> {
        let process = self.runtime.exec(&self.id, command, false).await?;
        drop(process.stdin);
        let (all, complaints) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let (one, both) = ([&all], [&all, &complaints]);
        let ((), (), exit) = tokio::join!(listen(process.stdout, &one), listen(process.stderr, &both), process.exit);
        let text = |bytes: Mutex<Vec<u8>>| String::from_utf8_lossy(&bytes.into_inner()).into_owned();
        Ok((exit?, text(all), text(complaints)))
    }
}

/// Reads a stream to its end; the buffers get the beginning of it.
async fn listen(mut stream: impl AsyncRead + Unpin, into: &[&Mutex<Vec<u8>>]) {
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        for buffer in into {
            let mut buffer = buffer.lock();
            let room = MOST.saturating_sub(buffer.len()).min(read);
            buffer.extend_from_slice(&chunk[..room]);
        }
    }
}

/// Where a connection's own work is done.
#[derive(Clone, Copy)]
struct Background;

impl<F: Future<Output: Send + 'static> + Send + 'static> Executor<F> for Background {
    fn execute(&self, work: F) {
        drop(detach("a question to a container", work));
    }
}

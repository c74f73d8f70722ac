//! The network of the pods: names, Services, and connections between whoever is on this or any other node.
//!
//! There are no packets. A connection is a pair of pipes: one end for who connects, the other is handed to the [`Host`] that is
//! registered for the address. Where that is another kubelet's, it carries the stream ([`peer`]). Where a connection leads is decided by
//! pure functions ([`route`], [`dns`], [`ingress`]) over one [`index`], which is filled when the first name or connection is asked for:
//! nodes of idle pods pay nothing. Only TCP is known.
//!
//! Must not know: what runs in pods.

mod balance;
pub mod dns;
mod gateway;
mod index;
mod ingress;
mod listeners;
mod peer;
mod route;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mini_api::proxy::{PortName, usable};
use parking_lot::{Mutex, RwLock};
use tokio::{io::duplex, net::TcpStream, sync::watch as channel, time::Instant};

pub use self::listeners::NetworkArgs;
use self::{
    balance::Turns,
    index::Index,
    route::{Aim, Balanced, Caller, Spot},
};
pub(crate) use self::{listeners::listen, watch::keep};
use crate::runtime::{ContainerRuntime, Stream};

/// How many bytes a connection holds that nobody has read yet, each way.
const BUFFER: usize = 16 * 1024;
/// How long it takes until a neighbour who is asked for in vain counts as absent: three requests, one a second.
const ABSENCE: Duration = Duration::from_secs(3);
/// When a system gives up that is never answered: Linux' six repetitions, the first four a second apart.
const SILENCE: Duration = Duration::from_secs(131);
/// The ports that clients have, from here on.
const EPHEMERAL: u16 = 32_768;
/// How many kinds of objects the index is made of.
const KINDS: usize = 6;

/// Who listens at an address of the network: a pod.
#[async_trait]
pub trait Host: Send + Sync {
    /// Takes a connection to one of its ports. `from` is who seems to connect.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] where nobody listens.
    async fn accept(&self, port: u16, from: SocketAddr, stream: Box<dyn Stream>) -> io::Result<()>;
}

/// Who connects: his address, which is the node's where he has none of his own, and his node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// His address.
    pub ip: IpAddr,
    /// The name of his node.
    pub node: Arc<str>,
}

/// Somebody at an address, with the number of his registration.
type Registered = (u64, Arc<dyn Host>);

/// The network as one kubelet process knows it. Cheap to clone.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    index: RwLock<Index>,
    /// Moves with the index.
    changed: channel::Sender<()>,
    /// How many kinds are complete.
    synced: channel::Sender<usize>,
    /// Whether anybody has asked for anything.
    wanted: channel::Sender<bool>,
    turns: Mutex<HashMap<PortName, Turns>>,
    hosts: Mutex<HashMap<IpAddr, Vec<Registered>>>,
    /// The nodes of this process.
    ours: Arc<HashSet<Arc<str>>>,
    /// Where the API server can really be reached.
    api_server: Option<String>,
    /// Answers for addresses that nobody registered.
    runtime: OnceLock<Weak<dyn ContainerRuntime>>,
    registered: AtomicU64,
    client_port: AtomicU16,
}

/// Keeps a [`Host`] at its address. When it is dropped nobody is there any more.
#[must_use]
pub struct Registration {
    network: Network,
    ip: IpAddr,
    number: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut hosts = self.network.0.hosts.lock();
        if let Some(there) = hosts.get_mut(&self.ip) {
            there.retain(|(number, _)| *number != self.number);
            if there.is_empty() {
                hosts.remove(&self.ip);
            }
        }
    }
}

/// Where a connection goes, when all is decided.
enum Way {
    /// To an address, where it seems to come from another.
    To(SocketAddr, IpAddr),
    Gateway,
    Refused,
    Dropped,
}

/// Who has an address.
enum Holder {
    Us,
    /// The kubelet that can be reached here.
    Peer(String),
    /// Somebody of the real network.
    Real(String),
    Nobody,
}

impl Network {
    /// The network around the nodes of this process, empty. `api_server` is where the API server can really be reached.
    #[must_use]
    pub fn new(ours: Arc<HashSet<Arc<str>>>, api_server: Option<String>) -> Self {
        Self(Arc::new(Inner {
            index: RwLock::default(),
            changed: channel::Sender::new(()),
            synced: channel::Sender::new(0),
            wanted: channel::Sender::new(false),
            turns: Mutex::default(),
            hosts: Mutex::default(),
            ours,
            api_server,
            runtime: OnceLock::new(),
            registered: AtomicU64::new(0),
            client_port: AtomicU16::new(EPHEMERAL),
        }))
    }

    /// Has the runtime answer for addresses that nobody registered.
    pub(crate) fn leave_rest_to(&self, runtime: &Arc<dyn ContainerRuntime>) {
        // It is said once, when both are made.
        let _ = self.0.runtime.set(Arc::downgrade(runtime));
    }

    /// Puts somebody at an address. Several may be at one, as pods of the node's network are: each has the ports that the ones before
    /// it refuse.
    pub fn register(&self, ip: IpAddr, host: Arc<dyn Host>) -> Registration {
        let number = self.0.registered.fetch_add(1, Ordering::Relaxed);
        self.0.hosts.lock().entry(ip).or_default().push((number, host));
        Registration { network: self.clone(), ip, number }
    }

    /// Waits until it is known what there is. Whoever asks first has it found out.
    async fn ready(&self) {
        self.0.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
        // It cannot fail: the sender is ours.
        let _ = self.0.synced.subscribe().wait_for(|synced| *synced >= KINDS).await;
    }

    /// What the cluster's DNS answers about a whole name.
    pub async fn resolve(&self, name: &str, kind: dns::Kind) -> dns::Answer {
        self.ready().await;
        dns::answer(&self.0.index.read(), name, kind)
    }

    /// The IPv4 addresses of a name as a pod of a namespace writes it, and the whole name under which they were found. None if there is
    /// no such name.
    pub async fn lookup(&self, name: &str, namespace: &str) -> Option<(String, Vec<IpAddr>)> {
        self.ready().await;
        let index = self.0.index.read();
        dns::search(name, namespace).into_iter().find_map(|name| {
            let found: Vec<IpAddr> = dns::answer(&index, &name, dns::Kind::A).addresses().collect();
            (!found.is_empty()).then_some((name, found))
        })
    }

    /// Connects somebody of the cluster with whoever is at an address.
    ///
    /// # Errors
    /// As a real network's, and as late: refused at once, unreachable after a while, timed out after a long one. Dropping the future
    /// gives up earlier.
    pub async fn connect(&self, from: &Source, to: SocketAddr) -> io::Result<Box<dyn Stream>> {
        self.ready().await;
        match self.decide(from, to) {
            Way::To(to, seen) => self.reach(to, seen).await,
            Way::Gateway => Ok(gateway::open(self.clone(), from.ip)),
            Way::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
            Way::Dropped => Err(unheard(SILENCE, io::ErrorKind::TimedOut).await),
        }
    }

    /// Asks whoever has an address for an echo. Addresses of Services answer none: there is nobody, only rules about ports.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] at once where no answer would come, [`io::ErrorKind::HostUnreachable`] where nobody is.
    pub async fn ping(&self, to: IpAddr) -> io::Result<()> {
        self.ready().await;
        let index = self.0.index.read();
        if index.met_at(to).next().is_some() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let ours = |name: &str| self.0.ours.contains(name);
        let there = index.node_with_ip(to).is_some()
            || self.0.hosts.lock().contains_key(&to)
            || index.node_of_pod(to).is_some_and(|(node, _)| !ours(node));
        if there { Ok(()) } else { Err(io::ErrorKind::HostUnreachable.into()) }
    }

    fn decide(&self, from: &Source, to: SocketAddr) -> Way {
        let index = self.0.index.read();
        match route::aim(&index, Caller { ip: from.ip, node: &from.node }, to) {
            Aim::Straight(to) => Way::To(to, from.ip),
            Aim::Balanced(balanced) => self.choose(&index, &balanced, from.ip),
            Aim::Gateway => Way::Gateway,
            Aim::Refused => Way::Refused,
            Aim::Dropped => Way::Dropped,
        }
    }

    /// Takes one of several endpoints.
    fn choose(&self, index: &Index, balanced: &Balanced<'_>, client: IpAddr) -> Way {
        let mut turns = self.0.turns.lock();
        // What is remembered of ports that are gone is forgotten now and then.
        if turns.len() > 2 * index.services().count() + 64 {
            let exists = |port: &PortName| index.services().any(|(_, known)| known.ports.iter().any(|there| there.name == *port));
            turns.retain(|port, _| exists(port));
        }
        let affinity = balanced.port.affinity.map(|seconds| Duration::from_secs(seconds.into()));
        let turns = turns.entry(balanced.port.name.clone()).or_default();
        let Some(to) = turns.choose(&balanced.among, client, affinity, Instant::now()) else { return Way::Refused };
        // Who reaches himself by way of a Service is hidden, or he would answer himself past it.
        let hidden_by = if to.ip() == client { index.node_of_pod(client).map(|(node, _)| node) } else { balanced.masked_by };
        let seen = hidden_by.and_then(|node| index.node(node)?.ip).unwrap_or(client);
        Way::To(to, seen)
    }

    /// Takes an endpoint for somebody who comes to the nodes of this process from outside of the cluster.
    fn admit(&self, port: &PortName, client: IpAddr) -> Way {
        let index = self.0.index.read();
        let known = index.services().flat_map(|(_, known)| &known.ports).find(|known| known.name == *port);
        let Some(known) = known else { return Way::Refused };
        let usable = usable(known, index.endpoints(port), |node| self.0.ours.contains(node));
        let (among, masked_by) =
            if known.external_local { (usable.local, None) } else { (usable.cluster, self.0.ours.iter().min().map(|node| &**node)) };
        self.choose(&index, &Balanced { port: known, among, masked_by }, client)
    }

    /// Connects somebody from outside of the cluster with a port of a Service.
    async fn enter(&self, port: &PortName, client: IpAddr) -> io::Result<Box<dyn Stream>> {
        self.ready().await;
        match self.admit(port, client) {
            Way::To(to, seen) => self.reach(to, seen).await,
            _ => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    /// Connects the gateway with a port of a Service, whatever its policies are; nothing if it has no endpoints.
    async fn enter_from(&self, port: &PortName, ip: IpAddr) -> io::Result<Option<Box<dyn Stream>>> {
        let way = {
            let index = self.0.index.read();
            let among: Vec<_> = index.endpoints(port).iter().filter(|endpoint| endpoint.ready).collect();
            let known = index.services().flat_map(|(_, known)| &known.ports).find(|known| known.name == *port);
            known.filter(|_| !among.is_empty()).map(|port| self.choose(&index, &Balanced { port, among, masked_by: None }, ip))
        };
        match way {
            Some(Way::To(to, seen)) => self.reach(to, seen).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Connects with an address that is no Service's.
    async fn reach(&self, to: SocketAddr, seen: IpAddr) -> io::Result<Box<dyn Stream>> {
        let reached = match self.holder(to) {
            Holder::Us => self.deliver(to, seen).await,
            Holder::Peer(kubelet) => peer::dial(&kubelet, to, seen).await,
            Holder::Real(address) => TcpStream::connect(&address).await.map(|stream| Box::new(stream) as Box<dyn Stream>),
            Holder::Nobody => Err(io::ErrorKind::TimedOut.into()),
        };
        match reached {
            Err(error) if error.kind() == io::ErrorKind::HostUnreachable => Err(unheard(ABSENCE, error.kind()).await),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(unheard(SILENCE, error.kind()).await),
            other => other,
        }
    }

    fn holder(&self, to: SocketAddr) -> Holder {
        let index = self.0.index.read();
        let kubelet = |name: &str| index.node(name).and_then(|machine| machine.kubelet.clone());
        match route::spot(&index, to) {
            Spot::Node(name) if self.0.ours.contains(name) => Holder::Us,
            Spot::Node(name) => kubelet(name).map_or(Holder::Nobody, Holder::Peer),
            Spot::Kubelet(name) => kubelet(name).map_or(Holder::Nobody, Holder::Real),
            Spot::ApiServer => self.0.api_server.clone().map_or(Holder::Nobody, Holder::Real),
            Spot::Outside => Holder::Nobody,
        }
    }

    /// Connects with whoever has this address on the nodes of this process. `seen` is who seems to connect.
    ///
    /// # Errors
    /// As the network says it, but at once: nobody listens, or nobody has the address.
    pub(crate) async fn deliver(&self, to: SocketAddr, seen: IpAddr) -> io::Result<Box<dyn Stream>> {
        match self.0.runtime.get().and_then(Weak::upgrade) {
            Some(runtime) if !self.0.hosts.lock().contains_key(&to.ip()) => runtime.dial(to).await,
            _ => self.knock(to, seen).await,
        }
    }

    /// Connects with a [`Host`] that is registered here. `seen` is who seems to connect.
    ///
    /// # Errors
    /// Nobody listens, or nobody is registered for the address.
    pub(crate) async fn knock(&self, to: SocketAddr, seen: IpAddr) -> io::Result<Box<dyn Stream>> {
        let there: Vec<Arc<dyn Host>> = self.0.hosts.lock().get(&to.ip()).into_iter().flatten().map(|(_, host)| host.clone()).collect();
        if there.is_empty() {
            // A node of ours is there even if nobody listens on it.
            let is_node = self.0.index.read().node_with_ip(to.ip()).is_some_and(|(node, _)| self.0.ours.contains(node));
            return Err(if is_node { io::ErrorKind::ConnectionRefused } else { io::ErrorKind::HostUnreachable }.into());
        }
        let from = SocketAddr::new(seen, self.client_port());
        for host in there {
            let (ours, theirs) = duplex(BUFFER);
            match host.accept(to.port(), from, Box::new(theirs)).await {
                Ok(()) => return Ok(Box::new(ours)),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    /// The next port that a client seems to have.
    pub(crate) fn client_port(&self) -> u16 {
        let number = self.0.client_port.fetch_add(1, Ordering::Relaxed);
        EPHEMERAL | number
    }

    /// Who connects in the name of this process: its first node.
    fn own_ip(&self) -> IpAddr {
        let index = self.0.index.read();
        let first = self.0.ours.iter().min().and_then(|node| index.node(node)?.ip);
        first.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Changes the index, and tells those who follow it.
    fn change(&self, change: impl FnOnce(&mut Index)) {
        change(&mut self.0.index.write());
        self.0.changed.send_replace(());
    }
}

/// What is known after waiting for so long.
async fn unheard(patience: Duration, kind: io::ErrorKind) -> io::Error {
    tokio::time::sleep(patience).await;
    kind.into()
}

#[cfg(test)]
mod tests;

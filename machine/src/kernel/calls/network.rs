//! Calls about the network: connections are descriptors, names are asked as `/etc/hosts` and `/etc/resolv.conf` say.

use std::{
    future::poll_fn,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;

use crate::{
    Ctx, Errno,
    files::{Open, deeds::Opened},
    kernel::{
        Fd,
        descriptor::{OpenFile, Stream, Target},
    },
    net::{Answer, Connection, Failure, Found, Hosts, Listener, Queue, Record, ResolvConf},
};

/// How much a connection within a sandbox holds.
const LOCAL_BUFFER: usize = 64 << 10;

/// How much of a file that says how names are found is read in a step.
const BYTES_A_STEP: usize = 128;

/// The network.
impl Ctx {
    /// Connects to an address; the descriptor reads and writes.
    pub async fn connect(&self, to: SocketAddr) -> Result<Fd, Errno> {
        self.step(10).await;
        let sandbox = &self.core().sandbox;
        let to = if to.ip().is_unspecified() { SocketAddr::new(Ipv4Addr::LOCALHOST.into(), to.port()) } else { to };
        let connection = if to.ip().is_loopback() { self.connect_here(to)? } else { sandbox.network.connect(to).await? };
        self.add_connection(connection)
    }

    fn connect_here(&self, to: SocketAddr) -> Result<Connection, Errno> {
        let port = 32_768 + u16::try_from(self.random() % 28_000).unwrap_or_default();
        let from = SocketAddr::new(to.ip(), port);
        let (ours, theirs) = tokio::io::duplex(LOCAL_BUFFER);
        self.core().sandbox.ports.accept(to.port(), Connection { stream: Box::new(theirs), peer: from, local: to })?;
        Ok(Connection { stream: Box::new(ours), peer: to, local: from })
    }

    /// Makes a connection a descriptor.
    pub fn add_connection(&self, connection: Connection) -> Result<Fd, Errno> {
        let (input, output) = tokio::io::split(Box::into_pin(connection.stream));
        self.add(OpenFile::both(Target::Stream(Box::new(Stream::new(Some(Box::pin(input)), Some(Box::pin(output)))))), 0)
    }

    /// Says to the other side of a connection that nothing more will be written.
    pub async fn shutdown(&self, fd: Fd) -> Result<(), Errno> {
        let file = self.file(fd)?;
        let Target::Stream(stream) = &file.target else { return Err(Errno::ENOTCONN) };
        poll_fn(|cx| stream.poll_shutdown(cx)).await
    }

    /// Listens on an address, of which only loopback and not loopback are told apart; port 0: any. EADDRINUSE: somebody else does.
    pub fn listen(&self, address: SocketAddr) -> Result<Fd, Errno> {
        self.may_listen(address)?;
        let queue = Arc::<Queue>::default();
        let port = self.core().sandbox.ports.bind(address, Listener::Queue(Arc::downgrade(&queue)))?;
        *queue.address.lock() = Some(SocketAddr::new(address.ip(), port));
        self.add(OpenFile::both(Target::Listener(queue)), 0)
    }

    fn may_listen(&self, address: SocketAddr) -> Result<(), Errno> {
        // Containers may use low ports whoever they are: runtimes set net.ipv4.ip_unprivileged_port_start to 0.
        let ours = || self.core().sandbox.network.addresses().contains(&address.ip());
        if address.ip().is_unspecified() || address.ip().is_loopback() || ours() { Ok(()) } else { Err(Errno::EADDRNOTAVAIL) }
    }

    /// Where a listening descriptor listens.
    pub fn listening_address(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        match &self.file(fd)?.target {
            Target::Listener(queue) => (*queue.address.lock()).ok_or(Errno::EINVAL),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The next connection to where a descriptor listens, and who is there.
    pub async fn accept(&self, fd: Fd) -> Result<(Fd, SocketAddr), Errno> {
        self.step(10).await;
        let file = self.file(fd)?;
        let Target::Listener(queue) = &file.target else { return Err(Errno::EINVAL) };
        let connection = poll_fn(|cx| queue.poll_accept(cx)).await;
        let peer = connection.peer;
        Ok((self.add_connection(connection)?, peer))
    }

    /// Serves each connection to an address with a future of its own, beside the program and as long as the process lives, also as a
    /// [resident](Ctx::reside).
    pub fn serve<F>(&self, address: SocketAddr, service: F) -> Result<(), Errno>
    where
        F: Fn(Ctx, Connection) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        self.may_listen(address)?;
        let listener = Listener::Service(Arc::downgrade(&self.process), Arc::new(service));
        self.core().sandbox.ports.bind(address, listener).map(drop)
    }

    /// Runs a future beside the program; it goes with the process.
    pub fn beside(&self, future: BoxFuture<'static, ()>) {
        self.core().run_beside(&self.process, future);
    }

    /// The ports that are listened on in its sandbox, and whether only for loopback.
    pub fn listening(&self) -> Vec<(u16, bool)> {
        self.core().sandbox.ports.list()
    }

    /// The sandbox's own addresses, loopback apart.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.core().sandbox.network.addresses()
    }

    /// What `/etc/resolv.conf` says.
    pub fn resolv_conf(&self) -> ResolvConf {
        ResolvConf::parse(&self.text("/etc/resolv.conf"))
    }

    fn text(&self, path: &str) -> String {
        let opened = self.asking(|asker| self.core().view.open(asker, path, Open::READ, 0));
        let bytes = match opened {
            Ok(Opened::File(file)) => file.tree().read_whole(file.ino()).unwrap_or_default(),
            _ => Default::default(),
        };
        self.charge_steps(u32::try_from(bytes.len() / BYTES_A_STEP).unwrap_or(u32::MAX));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The addresses of a host: it is one, or `/etc/hosts` or a name server knows it. IPv6 is asked for only where there is no IPv4.
    pub async fn resolve(&self, host: &str) -> Result<Found, Failure> {
        self.step(10).await;
        if let Ok(address) = host.parse() {
            return Ok(Found { name: host.to_owned(), addresses: vec![address], server: None });
        }
        let addresses = Hosts::parse(&self.text("/etc/hosts")).addresses(host);
        if !addresses.is_empty() {
            return Ok(Found { name: host.to_owned(), addresses, server: None });
        }
        let conf = self.resolv_conf();
        let mut failure = Failure::NoName;
        for name in conf.candidates(host) {
            for record in [Record::A, Record::Aaaa] {
                match self.ask_all(&conf, &name, record).await {
                    Ok((server, answers)) => {
                        let addresses: Vec<IpAddr> = answers
                            .into_iter()
                            .filter_map(|answer| if let Answer::Address(address) = answer { Some(address) } else { None })
                            .collect();
                        if !addresses.is_empty() {
                            return Ok(Found { name, addresses, server: Some(server) });
                        }
                    }
                    Err(Failure::NoName) => break,
                    Err(other) => {
                        failure = other;
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    /// Asks the servers one after the other until one answers.
    async fn ask_all(&self, conf: &ResolvConf, name: &str, record: Record) -> Result<(SocketAddr, Vec<Answer>), Failure> {
        let mut failure = Failure::Timeout;
        for server in &conf.servers {
            match self.ask(*server, name, record).await {
                Ok(answers) => return Ok((*server, answers)),
                Err(Failure::NoName) => return Err(Failure::NoName),
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }

    /// Asks one server about one whole name.
    pub async fn ask(&self, server: SocketAddr, name: &str, record: Record) -> Result<Vec<Answer>, Failure> {
        self.step(10).await;
        self.core().sandbox.network.resolve(server, name, record).await
    }

    /// Asks a host for an echo; how long it took. `None`: no answer.
    pub async fn ping(&self, to: IpAddr) -> Result<Option<Duration>, Errno> {
        self.step(10).await;
        if to.is_loopback() || self.addresses().contains(&to) {
            return Ok(Some(Duration::from_micros(50)));
        }
        self.core().sandbox.network.ping(to).await
    }
}

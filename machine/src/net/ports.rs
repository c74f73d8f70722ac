//! The ports that programs of a sandbox listen on.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use parking_lot::Mutex;

use super::Connection;
use crate::{Ctx, Errno, kernel::Process, wakers::Wakers};

/// How many connections may wait to be accepted.
const BACKLOG: usize = 128;
/// Ports that are given to who does not choose, as on Linux.
const ANY: std::ops::Range<u16> = 32_768..61_000;

/// What is run for each connection.
pub(crate) type Service = Arc<dyn Fn(Ctx, Connection) -> BoxFuture<'static, ()> + Send + Sync>;

/// Who gets the connections to a port.
pub(crate) enum Listener {
    /// A program, when it asks.
    Queue(Weak<Queue>),
    /// Something that is run for each, beside a process.
    Service(Weak<Process>, Service),
}

struct Bound {
    port: u16,
    /// Whether only loopback leads here.
    local: bool,
    listener: Listener,
}

/// The ports of a sandbox.
#[derive(Default)]
pub(crate) struct Ports(Mutex<Vec<Bound>>);

/// Connections that wait to be accepted.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<Connection>>,
    wakers: Wakers,
    pub(crate) address: Mutex<Option<SocketAddr>>,
}

impl Queue {
    pub(crate) fn poll_accept(&self, cx: &Context<'_>) -> Poll<Connection> {
        self.wakers.add(cx.waker());
        self.waiting.lock().pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    fn offer(&self, connection: Connection) -> Result<(), Errno> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= BACKLOG {
            return Err(Errno::ECONNREFUSED);
        }
        waiting.push_back(connection);
        drop(waiting);
        self.wakers.wake();
        Ok(())
    }
}

impl Bound {
    /// Whether who listens is still there.
    fn lives(&self) -> bool {
        match &self.listener {
            Listener::Queue(queue) => queue.strong_count() > 0,
            Listener::Service(process, _) => process.upgrade().is_some_and(|process| !process.is_dead()),
        }
    }
}

impl Ports {
    /// Listens on an address, whose port 0 means any that is free; answers the port. EADDRINUSE: somebody else does.
    pub(crate) fn bind(&self, address: SocketAddr, listener: Listener) -> Result<u16, Errno> {
        let mut ports = self.0.lock();
        ports.retain(Bound::lives);
        let is_taken = |port: u16| ports.iter().any(|bound| bound.port == port);
        let port = match address.port() {
            0 => ANY.into_iter().find(|port| !is_taken(*port)).ok_or(Errno::EADDRINUSE)?,
            port => port,
        };
        if is_taken(port) {
            return Err(Errno::EADDRINUSE);
        }
        ports.reserve_exact(1);
        ports.push(Bound { port, local: address.ip().is_loopback(), listener });
        Ok(port)
    }

    /// The ports that are listened on, and whether only for loopback.
    pub(crate) fn list(&self) -> Vec<(u16, bool)> {
        self.0.lock().iter().filter(|bound| bound.lives()).map(|bound| (bound.port, bound.local)).collect()
    }

    /// Whether somebody listens for connections from there.
    pub(crate) fn listens(&self, port: u16, from_loopback: bool) -> bool {
        self.0.lock().iter().any(|bound| bound.port == port && bound.lives() && (from_loopback || !bound.local))
    }

    /// Gives a connection to who listens.
    pub(crate) fn accept(&self, port: u16, connection: Connection) -> Result<(), Errno> {
        let ports = self.0.lock();
        let near = connection.peer.ip().is_loopback();
        let bound = ports.iter().find(|bound| bound.port == port && bound.lives() && (near || !bound.local)).ok_or(Errno::ECONNREFUSED)?;
        match &bound.listener {
            Listener::Queue(queue) => queue.upgrade().ok_or(Errno::ECONNREFUSED)?.offer(connection),
            Listener::Service(process, service) => {
                let process = process.upgrade().filter(|process| !process.is_dead()).ok_or(Errno::ECONNREFUSED)?;
                let service = service.clone();
                drop(ports);
                let start = process.own.lock().start.clone();
                process.core.run_beside(&process, service(Ctx::new(process.clone(), start), connection));
                Ok(())
            }
        }
    }
}

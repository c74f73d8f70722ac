//! What programs write for what is asked of them, each in a machine of its own under a clock that stands still.

mod fetching;
mod files;
mod hostile;
mod more;
mod processes;
mod text;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    Errno,
    kernel::Limits,
    net::{Answer, Connection, Failure, Network, Record},
    shell::SHELL,
    testing::{Outcome, World},
};

/// A script, what it writes, what it complains of, and its exit code.
type Case<'a> = (&'a str, &'a str, &'a str, i32);

/// What of the outcomes is not as expected, all of it.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, script: &str, got: &Outcome, expected: &Outcome) {
        if got != expected {
            self.0.push(format!("{script}\n  got      {got:?}\n  expected {expected:?}\n"));
        }
    }
}

impl Drop for Differences {
    fn drop(&mut self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

/// Tries scripts, each in a container of its own.
async fn try_in(world: &World, setup: &str, cases: &[Case<'_>]) {
    let mut differences = Differences::default();
    for (script, out, err, code) in cases {
        let got = world.run(&["sh", "-c", &format!("{setup}{script}")]).await;
        let expected = Outcome { out: (*out).to_owned(), err: (*err).to_owned(), code: *code, out_of_memory: false };
        differences.compare(script, &got, &expected);
    }
}

async fn try_all(cases: &[Case<'_>]) {
    try_in(&World::new(SHELL), "", cases).await;
}

/// The same, with text to read.
async fn try_with_input(cases: &[(&str, &str, &str)]) {
    let world = World::new(SHELL);
    let mut differences = Differences::default();
    for (script, input, out) in cases {
        let got = world.run_with(&["sh", "-c", script], input, Limits::default()).await;
        let expected = Outcome { out: (*out).to_owned(), code: got.code, err: String::new(), out_of_memory: false };
        differences.compare(script, &got, &expected);
    }
}

/// A network with a name server that knows one service, and nobody who listens.
struct Small;

const SERVER: &str = "10.96.0.10:53";

#[async_trait]
impl Network for Small {
    fn addresses(&self) -> Vec<IpAddr> {
        vec!["10.244.0.5".parse().unwrap()]
    }

    async fn resolve(&self, server: SocketAddr, name: &str, record: Record) -> Result<Vec<Answer>, Failure> {
        if server.to_string() != SERVER {
            return Err(Failure::Timeout);
        }
        let known: BTreeMap<&str, &str> = BTreeMap::from([("web.default.svc.cluster.local", "10.254.1.2")]);
        match (known.get(name), record) {
            (Some(address), Record::A) => Ok(vec![Answer::Address(address.parse().unwrap())]),
            (Some(_), _) => Ok(Vec::new()),
            (None, Record::Ptr) if name == "2.1.254.10.in-addr.arpa" => Ok(vec![Answer::Name("web.default.svc.cluster.local".to_owned())]),
            (None, _) => Err(Failure::NoName),
        }
    }

    async fn connect(&self, to: SocketAddr) -> Result<Connection, Errno> {
        if to.port() == 9999 {
            std::future::pending::<()>().await;
        }
        Err(Errno::ECONNREFUSED)
    }

    async fn ping(&self, to: IpAddr) -> Result<Option<Duration>, Errno> {
        Ok(to.to_string().starts_with("10.").then_some(Duration::from_micros(123)))
    }
}

/// Tries scripts where there is a network.
async fn try_on_network(cases: &[Case<'_>]) {
    let setup = "echo 'nameserver 10.96.0.10' > /etc/resolv.conf; echo 'search default.svc.cluster.local svc.cluster.local' >> /etc/resolv.conf; echo 'options ndots:5' >> /etc/resolv.conf; ";
    try_in(&World::with_network(SHELL, Arc::new(Small)), setup, cases).await;
}

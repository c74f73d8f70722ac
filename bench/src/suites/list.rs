//! `list`: how long one answer with very many pods takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use bytes::Bytes;
use clap::{Args, value_parser};
use http::{Method, StatusCode, Uri};
use tokio::time::Instant;

use crate::{
    connection::Answer,
    load::{Limits, Load, drive},
    objects::{self, ListHead},
    report::{Report, grouped},
    stage::{Server, Stage},
    target::{Outgoing, Target},
};

/// Where the pods are. They stay there for the next time.
const NAMESPACE: &str = "mini-bench-list";

/// Lists very many pods as JSON, without a limit
///
/// Pods that are missing are created first; no scheduler looks after them, so they need no node. On a server that was named they
/// stay for the next time, in the namespace mini-bench-list.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// How many pods there are, at least.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pods: u32,
    /// Clients at once, each on a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// List at most so often.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u64).range(1..))]
    count: u64,
    /// List for at most so long.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl List {
    /// Measures.
    ///
    /// # Errors
    /// When the server refuses or goes away.
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Report> {
        let server = stage.apiserver().await?;
        let found = self.fill(&server).await?;
        let load = Lists { target: server.target.clone(), path: objects::pods(NAMESPACE).parse()?, length: Arc::default() };
        let length = load.length.clone();
        let limits = Limits { clients: self.clients, count: self.count, time: Duration::from_secs(self.seconds), rate: None };
        let meter = server.meter();
        let outcome = drive(&server.target, limits, load).await?;
        let usage = meter.stop();
        let kilobytes = length.load(Ordering::Relaxed) / 1000;
        let what = format!("{} pods, {} KB of JSON", grouped(found), grouped(kilobytes));
        Ok(Report::new("list", what, outcome.operations(), outcome.wall, outcome.latencies, usage))
    }

    /// Creates the pods that are missing and tells how many there are.
    async fn fill(&self, server: &Server) -> Result<u64> {
        let (target, path) = (&server.target, objects::pods(NAMESPACE));
        let mut connection = server.connect().await?;
        objects::ensure_namespace(&mut connection, target, NAMESPACE).await?;
        let wanted = u64::from(self.pods);
        if ListHead::fetch(&mut connection, target, &path).await?.total() < wanted {
            let limits = Limits { clients: 50, count: wanted, time: Duration::from_secs(900), rate: None };
            drive(target, limits, Pods { target: target.clone(), path: path.parse()? }).await?;
        }
        let found = ListHead::fetch(&mut connection, target, &path).await?.total();
        if found < wanted {
            bail!("only {found} of {wanted} pods could be created in time");
        }
        Ok(found)
    }
}

/// Creates pods, or finds them there.
struct Pods {
    target: Target,
    path: Uri,
}

impl Load for Pods {
    fn request(&self, index: u64) -> Outgoing {
        self.target.request(Method::POST, self.path.clone(), objects::idle_pod(index))
    }

    fn accepts(&self, answer: &Answer) -> bool {
        answer.status.is_success() || answer.status == StatusCode::CONFLICT
    }
}

struct Lists {
    target: Target,
    path: Uri,
    /// How long the last answer was, in bytes.
    length: Arc<AtomicUsize>,
}

impl Load for Lists {
    fn request(&self, _index: u64) -> Outgoing {
        self.target.request(Method::GET, self.path.clone(), Bytes::new())
    }

    fn answered(&self, _index: u64, answer: &Answer, _at: Instant) {
        self.length.store(answer.length, Ordering::Relaxed);
    }
}

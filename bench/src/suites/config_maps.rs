//! What the suites that write ConfigMaps share: their namespace, their load, and leaving no traces on a server that is not ours.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Uri};

use crate::{
    load::{Limits, Load, Outcome, drive},
    objects::{self, ConfigMaps},
    report,
    stage::Server,
    target::{Outgoing, Target},
};

/// Where they are written.
pub(super) const NAMESPACE: &str = "mini-bench";

/// Creates ConfigMaps, each request another one.
pub(super) struct Creates {
    target: Target,
    path: Uri,
    maps: ConfigMaps,
}

impl Creates {
    /// Makes the namespace and prepares the load of one run.
    ///
    /// # Errors
    /// When the server refuses.
    pub(super) async fn prepare(server: &Server, run: &str) -> Result<Self> {
        let target = server.target.clone();
        objects::ensure_namespace(&mut server.connect().await?, &target, NAMESPACE).await?;
        Ok(Self { target, path: objects::config_maps(NAMESPACE).parse()?, maps: ConfigMaps::new(run) })
    }
}

impl Load for Creates {
    fn request(&self, index: u64) -> Outgoing {
        self.target.request(Method::POST, self.path.clone(), self.maps.body(index))
    }
}

/// Gets the ConfigMaps of a run in turn.
pub(super) struct Gets {
    target: Target,
    paths: Vec<Uri>,
}

impl Gets {
    /// Creates `objects` ConfigMaps to get.
    ///
    /// # Errors
    /// When the server refuses.
    pub(super) async fn prepare(server: &Server, run: &str, objects: u32) -> Result<Self> {
        let limits = Limits { clients: 50, count: objects.into(), time: Duration::from_secs(120), rate: None };
        drive(&server.target, limits, Creates::prepare(server, run).await?).await?;
        let (all, maps) = (objects::config_maps(NAMESPACE), ConfigMaps::new(run));
        let paths: Result<_, _> = (0..objects).map(|index| format!("{all}/{}", maps.name(index.into())).parse()).collect();
        Ok(Self { target: server.target.clone(), paths: paths? })
    }
}

impl Load for Gets {
    fn request(&self, index: u64) -> Outgoing {
        let turn = usize::try_from(index).unwrap_or_default() % self.paths.len();
        self.target.request(Method::GET, self.paths[turn].clone(), Bytes::new())
    }
}

/// Removes what a run wrote, unless the server goes away anyhow. What cannot be removed is told, and is no error.
pub(super) async fn clean(server: &Server, path: &str, run: &str) {
    if server.is_ours() {
        return;
    }
    let removal = async {
        let request = objects::deletion(&server.target, path, run)?;
        server.connect().await?.fetch(request, &[]).await
    };
    if let Err(error) = removal.await {
        tracing::warn!(error = format!("{error:#}"), path, label = format!("mini-bench={run}"), "what this run wrote is still there");
    }
}

/// The sizes of a closed loop, in words.
pub(super) fn sizes(clients: u32, outcome: &Outcome, done: &str) -> String {
    let plural = if clients == 1 { "" } else { "s" };
    format!("{clients} client{plural}, {} {done}", report::grouped(outcome.operations()))
}

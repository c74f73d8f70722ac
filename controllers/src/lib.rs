//! Loops that make spec true: each reads the shared caches, decides with a pure `plan`, and writes through the API server.
//!
//! Adding a controller is one file and one word in the list below. This room must not know how objects are stored or what a
//! node does with its pods; it knows the API and nothing else, and keeps no state that is not there.

mod address_pool;
mod cache;
mod config;
mod controller;
mod freshness;
mod history;
mod ownership;
mod pods;
mod protection;
mod queue;
mod reflectors;
mod resources;
mod services;
mod writes;
mod zones;

use std::sync::Arc;

use anyhow::{Result, bail};
use kube::Client;
use mini_daemon::{
    lease::{Candidate, ElectionArgs},
    process::Running,
    tasks::Tasks,
};

pub use address_pool::AddressPool;
pub use config::{Args, Config};
use controller::{Controller, Shared, start};
use reflectors::Reflectors;

/// How a controller is started.
type Start = fn(&Arc<Shared>, &mut Tasks);

/// Declares the module of each controller and the list of them: one word does both.
macro_rules! controllers {
    ($($module:ident),+ $(,)?) => {
        $(mod $module;)+

        /// Every controller: its name, and how it is started.
        const CONTROLLERS: &[(&str, Start)] = &[$((<$module::Reconciler as Controller>::NAME, start::<$module::Reconciler>)),+];
    };
}

controllers! {
    deployment,
    replicaset,
    statefulset,
    daemonset,
    replicationcontroller,
    job,
    ttl_after_finished,
    cronjob,
    garbage_collector,
    namespace,
    node_lifecycle,
    taint_eviction,
    pod_gc,
    disruption,
    endpointslice,
    endpointslicemirroring,
    endpoints,
    service_lb,
    ingress,
    horizontal_pod_autoscaler,
    serviceaccount,
    root_ca,
    resource_quota,
    volume_binder,
    hostpath_provisioner,
    ephemeral_volume,
    pvc_protection,
    pv_protection,
    vac_protection,
    ttl,
}

/// What it calls itself to the API server: upstream's name, for it is the manager of the fields it writes.
pub const AGENT: &str = "kube-controller-manager";

/// Runs the controllers while this copy is the leader, until `tasks` is asked to stop.
///
/// # Errors
/// As [`run`], and when another copy works in this one's place.
pub fn lead(client: Client, election: ElectionArgs, config: Config, tasks: Tasks) -> Running {
    Box::pin(async move {
        check(&config)?;
        let candidate = Candidate { lease: AGENT, component: AGENT };
        election.lead(client.clone(), candidate, tasks, move |tasks| run(client.clone(), config.clone(), tasks)).await
    })
}

/// Runs the controllers that `config` names until `tasks` is asked to stop.
///
/// # Errors
/// When `config` names a controller that does not exist, and when a task dies.
pub fn run(client: Client, config: Config, tasks: Tasks) -> Running {
    Box::pin(work(client, config, tasks))
}

fn check(config: &Config) -> Result<()> {
    for name in config.controllers.iter().map(|entry| entry.trim_start_matches('-')) {
        if name != "*" && !CONTROLLERS.iter().any(|(known, _)| *known == name) {
            let known: Vec<_> = CONTROLLERS.iter().map(|(known, _)| *known).collect();
            bail!("there is no controller {name:?} among {}", known.join(", "));
        }
    }
    Ok(())
}

async fn work(client: Client, config: Config, mut tasks: Tasks) -> Result<()> {
    check(&config)?;
    let (reflectors, watches) = Reflectors::new(client.clone());
    let shared = Arc::new(Shared { client, reflectors, config });
    for (name, start) in CONTROLLERS.iter().filter(|(name, _)| shared.config.enables(name)) {
        tracing::debug!(controller = name, "start");
        start(&shared, &mut tasks);
    }
    let token = tasks.token();
    tasks.spawn("watches", async move { token.run_until_cancelled(watches.run()).await.unwrap_or(Ok(())) });
    tasks.join().await
}

//! A whole cluster in one process: API server, scheduler, controllers and nodes, on a port of its own. For Rust tests, and for
//! whoever wants one program instead of five.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use k8s_openapi::api::core::v1::Node;
//! use kube::Api;
//! use mini_cluster::Cluster;
//!
//! let cluster = Cluster::start().await?;
//! let nodes: Api<Node> = Api::all(cluster.client());
//! assert_eq!(nodes.list(&Default::default()).await?.items.len(), 3);
//! cluster.stop().await?;
//! # Ok(())
//! # }
//! ```

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use futures::{StreamExt, future::BoxFuture, pin_mut};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{
    Api, Client, Config,
    runtime::{WatchStreamExt, watcher},
};
use mini_apiserver::{Server, components::Component};
use mini_daemon::{connect, process::Running, tasks::Tasks};
use mini_scheduler::Desk;
use tokio::{net::TcpListener, task::JoinHandle};

/// How long a cluster may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a cluster is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// The API server's flags.
    pub apiserver: mini_apiserver::Config,
    /// The scheduler's, if there is to be one.
    pub scheduler: Option<mini_scheduler::Config>,
    /// The controllers', if there are to be any.
    pub controllers: Option<mini_controllers::Config>,
    /// The nodes', if there are to be any.
    pub kubelet: Option<mini_kubelet::Config>,
}

impl Default for Options {
    /// Three nodes, everything in memory, on a free port.
    fn default() -> Self {
        Self {
            apiserver: mini_apiserver::Config::on_free_port("memory:"),
            scheduler: Some(mini_scheduler::Config::default()),
            controllers: Some(mini_controllers::Config::default()),
            kubelet: Some(mini_kubelet::Config::fleet(3)),
        }
    }
}

impl Options {
    /// Keeps everything in `directory` instead of memory.
    #[must_use]
    pub fn on_disk(mut self, directory: &Path) -> Self {
        self.apiserver.store = Some(format!("sled:{}", directory.display()));
        self
    }

    /// With so many nodes.
    #[must_use]
    pub fn nodes(mut self, count: u32) -> Self {
        self.kubelet = (count > 0).then(|| mini_kubelet::Config::fleet(count));
        self
    }

    /// Starts it and waits until it is ready: every node Ready, and pods welcome in the namespace `default`.
    ///
    /// # Errors
    /// When a part cannot start, or it is not ready within a minute.
    pub fn start(self) -> BoxFuture<'static, Result<Cluster>> {
        Box::pin(self.begin())
    }

    async fn begin(self) -> Result<Cluster> {
        let tasks = Tasks::new();
        let token = tasks.token();
        let (scheduler, controllers) = (AdminPort::open(&self.scheduler).await?, AdminPort::open(&self.controllers).await?);
        let mut apiserver = self.apiserver.clone();
        controllers.tell("controller-manager", &mut apiserver.components);
        scheduler.tell("scheduler", &mut apiserver.components);
        let server = Server::start(&apiserver, tasks.child()).await?;
        let address = server.address();
        let running = mini_daemon::tasks::detach("cluster", run(tasks, server, self.clone(), [scheduler, controllers]));
        let cluster = Cluster { address, client: client(address, "mini-cluster")?, token, running };
        match tokio::time::timeout(PATIENCE, cluster.ready(&self)).await {
            Ok(ready) => ready?,
            Err(_) => return Err(anyhow!("the cluster was not ready within {PATIENCE:?}")),
        }
        Ok(cluster)
    }
}

/// A running cluster. Dropping it stops it without waiting for its end; [`Cluster::stop`] waits.
pub struct Cluster {
    address: SocketAddr,
    client: Client,
    token: tokio_util::sync::CancellationToken,
    running: JoinHandle<Result<()>>,
}

impl Cluster {
    /// Starts a cluster of three nodes in memory.
    ///
    /// # Errors
    /// As [`Options::start`].
    pub async fn start() -> Result<Self> {
        Options::default().start().await
    }

    /// A client of its API server.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where its API server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig for it, as text.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        kubeconfig(self.address)
    }

    /// Waits until it ends by itself, which it does only when a part of it dies.
    ///
    /// # Errors
    /// What the part died of.
    pub async fn join(&mut self) -> Result<()> {
        (&mut self.running).await.context("the cluster died")?
    }

    /// Stops it and waits for its end.
    ///
    /// # Errors
    /// What went wrong in one of its parts, now or before.
    pub async fn stop(mut self) -> Result<()> {
        self.token.cancel();
        self.join().await
    }

    async fn ready(&self, options: &Options) -> Result<()> {
        if options.controllers.is_some() {
            let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), "default");
            seen(accounts, watcher::Config::default().fields("metadata.name=default"), 1, |_| true).await?;
        }
        if let Some(kubelet) = &options.kubelet {
            let count = if kubelet.node_name.is_some() { 1 } else { kubelet.nodes as usize };
            seen(Api::<Node>::all(self.client()), watcher::Config::default(), count, node_ready).await?;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// Whether a node is Ready and takes pods.
fn node_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let tainted = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten()).any(|taint| taint.key == "node.kubernetes.io/not-ready");
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") && !tainted
}

/// Waits until a watcher has seen so many objects that are as wanted.
async fn seen<K>(api: Api<K>, config: watcher::Config, count: usize, wanted: fn(&K) -> bool) -> Result<()>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let events = watcher(api, config).default_backoff().applied_objects();
    pin_mut!(events);
    let mut names = std::collections::HashSet::new();
    while names.len() < count {
        let object = events.next().await.ok_or_else(|| anyhow!("the watch ended"))??;
        let name = object.meta().name.clone().unwrap_or_default();
        if wanted(&object) {
            names.insert(name)
        } else {
            names.remove(&name)
        };
    }
    Ok(())
}

fn client(address: SocketAddr, agent: &str) -> Result<Client> {
    connect::client(Config::new(format!("http://{address}").parse()?), agent)
}

/// A kubeconfig for the API server at `address`.
#[must_use]
pub fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: mini\n  cluster:\n    server: http://{address}\nusers:\n- name: mini\n  user: {{}}\n\
         contexts:\n- name: mini\n  context:\n    cluster: mini\n    user: mini\ncurrent-context: mini\n"
    )
}

/// Where a part has its admin endpoints, if there is such a part: a free port of the loopback address.
struct AdminPort(Option<TcpListener>);

impl AdminPort {
    async fn open<P>(part: &Option<P>) -> Result<Self> {
        Ok(Self(if part.is_some() { Some(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?) } else { None }))
    }

    /// Tells it to the API server, instead of any other component of that name.
    fn tell(&self, name: &str, components: &mut Vec<Component>) {
        if let Some(address) = self.0.as_ref().and_then(|listener| listener.local_addr().ok()) {
            components.retain(|component| component.name != name);
            components.push(Component { name: name.to_owned(), address: address.to_string() });
        }
    }

    /// Serves them, and these routes.
    fn serve(self, name: &str, routes: Router, tasks: &mut Tasks) {
        if let Some(listener) = self.0 {
            tasks.spawn(format!("admin port of the {name}"), mini_daemon::admin::serve(listener, routes, tasks.token()));
        }
    }
}

/// Runs every part until one dies or the set is asked to stop. The API server goes last, so that the others can finish.
async fn run(mut tasks: Tasks, server: Server, options: Options, [of_scheduler, of_controllers]: [AdminPort; 2]) -> Result<()> {
    let address = server.address();
    let (scheduler, controllers, kubelet) = (options.scheduler, options.controllers, options.kubelet);
    let desk = Desk::default();
    of_scheduler.serve("scheduler", desk.clone().routes(), &mut tasks);
    of_controllers.serve("controllers", Router::new(), &mut tasks);
    if let Some(config) = scheduler {
        tasks.spawn("scheduler", mini_scheduler::run(client(address, mini_scheduler::AGENT)?, config, desk, tasks.child()));
    }
    if let Some(config) = controllers {
        tasks.spawn("controllers", mini_controllers::run(client(address, mini_controllers::AGENT)?, config, tasks.child()));
    }
    if let Some(mut config) = kubelet {
        config.api_server = Some(address.to_string());
        tasks.spawn("kubelet", mini_kubelet::run(client(address, mini_kubelet::AGENT)?, config, tasks.child()));
    }
    tasks.spawn("apiserver", server.serve());
    tasks.join().await
}

/// The flags of `mini-cluster`.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "mini-cluster", version, about = "A whole cluster in one process")]
pub struct Args {
    /// What every program can be told.
    #[command(flatten)]
    pub process: mini_daemon::process::ProcessArgs,
    /// What the API server can be told.
    #[command(flatten)]
    pub apiserver: mini_apiserver::Config,
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub nodes: u32,
    /// How the cluster can be reached from this machine.
    #[command(flatten)]
    pub network: mini_kubelet::network::NetworkArgs,
}

/// Runs a cluster until `tasks` is asked to stop.
///
/// # Errors
/// As [`Options::start`], and when a part dies later.
pub fn serve(args: Args, tasks: Tasks) -> Running {
    Box::pin(async move {
        let mut options = Options { apiserver: args.apiserver, ..Options::default() }.nodes(args.nodes);
        if let Some(kubelet) = &mut options.kubelet {
            kubelet.network = args.network;
        }
        let mut cluster = options.start().await?;
        tracing::info!(server = format!("http://{}", cluster.address()), nodes = args.nodes, "the cluster is ready");
        tokio::select! {
            ended = cluster.join() => ended,
            () = tasks.token().cancelled_owned() => cluster.stop().await,
        }
    })
}

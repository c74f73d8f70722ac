//! The API server: the only door to the store. It speaks the Kubernetes API so that kubectl and client libraries cannot tell.
//!
//! http → {deeds, registry}; deeds → registry → {kinds, admission, cache, store}; cache → store; kinds → api. `http`, `registry` and `cache` name no kind.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use axum::{body::Body, http::Request, response::Response};
use futures::future::BoxFuture;
use mini_daemon::{connect, process::Running, tasks::Tasks};
use mini_store::Store;
use tokio_util::sync::{CancellationToken, DropGuard};

pub mod admission;
mod bootstrap;
pub mod cache;
pub mod components;
mod config;
pub mod deeds;
pub mod error;
pub mod http;
pub mod kinds;
mod measure;
mod peer;
pub mod registry;
pub mod schema;
pub mod stats;
pub mod tokens;

pub use config::{Admission, Args, Config};

use crate::{
    http::{App, Furnishing, audit, entrance::Entrance, listener},
    measure::store::Timed,
    registry::Registry,
};

/// Somewhere else, to learn from where this machine calls others: an address of documentation, to which nothing is sent.
const ELSEWHERE: &str = "192.0.2.1:9";

/// A server that is ready to be asked, on an address of its own.
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    entrance: Entrance,
    delay: std::time::Duration,
    /// Stops the cache's feed, without which no request could be answered.
    behind: DropGuard,
    tasks: Tasks,
}

impl Server {
    /// Opens the store, fills the cache and listens. `tasks` owns all that runs from here on.
    ///
    /// # Errors
    /// When the store cannot be opened, or the address is taken.
    pub fn start(config: &Config, tasks: Tasks) -> BoxFuture<'_, Result<Self>> {
        Box::pin(Self::begin(config, tasks))
    }

    async fn begin(config: &Config, mut tasks: Tasks) -> Result<Self> {
        let entrance = Entrance::open(config.listen, config.socket.as_deref()).await?;
        let address = entrance.address()?;
        let timed = Arc::new(Timed::new(mini_store::open(&config.store())?, &config.store()));
        let store: Arc<dyn Store> = timed.clone();
        let table: Arc<[kinds::Kind]> = kinds::table().into();
        let cache = Arc::new(cache::feed::load(&*store, &table).await?);
        let behind = CancellationToken::new();
        tasks.spawn("cache feed", cache::feed::follow(store.clone(), cache.clone(), table.clone(), behind.clone()));
        let tokens = tokens::Tokens::of(&*store).await?;
        let steps = admission::steps(&config.admission);
        let registry = Registry::new(table, cache, store, steps, tokens, config.components.clone());
        let usual = connect::own_address(ELSEWHERE).await.ok();
        bootstrap::bootstrap(&registry, &config.advertised(address.ip(), usual), address.port())
            .await
            .context("create what every cluster has")?;
        let audit = config.audit_log_path.as_deref().map(|path| {
            let (log, writer) = audit::log(path);
            tasks.spawn("audit log", writer.run());
            log
        });
        let furnishing = Furnishing { registry, store: timed, address: address.to_string(), stopping: tasks.token(), audit };
        let app = Arc::new(App::new(furnishing, &config.limits));
        Ok(Self { address, app, entrance, delay: config.shutdown_delay_duration, behind: behind.drop_guard(), tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers a request of this process, without a network.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        http::answer_locally(&self.app, request).await
    }

    /// Serves until its tasks are asked to stop; then finishes what is under way.
    ///
    /// # Errors
    /// When a task dies.
    pub fn serve(mut self) -> Running {
        Box::pin(async move {
            tracing::info!(address = %self.address, "the API server listens");
            let ending = listener::Ending { asked: self.tasks.token(), delay: self.delay, behind: self.behind };
            self.tasks.spawn("accept", listener::accept(self.entrance, self.app, ending));
            self.tasks.join().await
        })
    }
}

/// Runs an API server until `tasks` is asked to stop.
///
/// # Errors
/// When it cannot start, or one of its tasks dies.
pub fn run(config: Config, tasks: Tasks) -> Running {
    Box::pin(async move { Server::start(&config, tasks).await?.serve().await })
}

//! The API server: the only door to the store. It speaks the Kubernetes API so that kubectl and client libraries cannot tell.
//!
//! http → registry → {kinds, admission, cache, store}; cache → store; kinds → api. `http`, `registry` and `cache` name no kind.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use axum::Router;
use futures::future::BoxFuture;
use mini_daemon::{
    process::Running,
    tasks::{Tasks, detach},
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub mod admission;
mod bootstrap;
pub mod cache;
mod config;
pub mod deeds;
pub mod error;
pub mod http;
pub mod kinds;
pub mod registry;
pub mod schema;
pub mod tokens;

pub use config::{Args, Config};

use crate::{http::App, registry::Registry};

/// How long a killed predecessor may take to let go of its address.
const REBIND_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// A server that is ready to be asked, on an address of its own.
pub struct Server {
    address: SocketAddr,
    router: Router,
    listener: TcpListener,
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
        let listener = listen(config.listen).await.with_context(|| format!("listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let store = mini_store::open(&config.store())?;
        let table: Arc<[kinds::Kind]> = kinds::table().into();
        let cache = Arc::new(cache::feed::load(&*store, &table).await?);
        tasks.spawn("cache feed", cache::feed::follow(store.clone(), cache.clone(), table.clone(), tasks.token()));
        let tokens = tokens::Tokens::of(&*store).await?;
        let registry = Registry::new(table, cache, store, tokens);
        bootstrap::bootstrap(&registry, &config.advertised(address.ip()), address.port()).await.context("create what every cluster has")?;
        let app = App::new(registry, address.to_string(), tasks.token());
        Ok(Self { address, router: http::router(Arc::new(app)), listener, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API as a service, to be called in process.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until its tasks are asked to stop; then finishes what is under way.
    ///
    /// # Errors
    /// When a task dies.
    pub fn serve(mut self) -> Running {
        Box::pin(async move {
            tracing::info!(address = %self.address, "the API server listens");
            let token = self.tasks.token();
            self.tasks.spawn("accept", accept(self.listener, self.router, token));
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

/// Listens on the address. One that is taken may be that of a predecessor which has just been killed, so it gets a moment.
async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let deadline = tokio::time::Instant::now() + REBIND_PATIENCE;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            bound => return bound,
        }
    }
}

async fn accept(listener: TcpListener, router: Router, token: CancellationToken) -> Result<()> {
    let connections = TaskTracker::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: those who are connected go on.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = token.cancelled() => break,
        };
        let _ = stream.set_nodelay(true);
        let (router, token) = (router.clone(), token.clone());
        detach("connection", connections.track_future(connection(stream, router, token)));
    }
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn connection(stream: tokio::net::TcpStream, router: Router, token: CancellationToken) {
    let service = hyper_util::service::TowerToHyperService::new(router);
    let mut builder = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
    builder.http2().max_concurrent_streams(1000);
    let serving = builder.serve_connection_with_upgrades(hyper_util::rt::TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = token.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

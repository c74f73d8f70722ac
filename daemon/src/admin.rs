//! The admin port of a component: /healthz, /readyz and /metrics, and what the component itself has to say.

use std::sync::{Arc, LazyLock};

use anyhow::Result;
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

static METRICS: LazyLock<Arc<Mutex<Registry>>> = LazyLock::new(Arc::default);

/// The registry whose metrics this process's admin port shows.
#[must_use]
pub fn metrics() -> Arc<Mutex<Registry>> {
    METRICS.clone()
}

/// The admin endpoints, ready to be served or tested.
pub fn app(registry: Arc<Mutex<Registry>>) -> Router {
    let metrics = move || {
        let mut text = String::new();
        let result = encode(&mut text, &registry.lock());
        async move {
            result.map_err(|error| error.to_string())?;
            Ok::<_, String>(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text))
        }
    };
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(|| async { "ok" })).route("/metrics", get(metrics))
}

/// Serves the admin endpoints, and a program's own routes beside them, until the token is cancelled.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, routes: Router, token: CancellationToken) -> Result<()> {
    axum::serve(listener, app(metrics()).merge(routes)).with_graceful_shutdown(token.cancelled_owned()).await?;
    Ok(())
}

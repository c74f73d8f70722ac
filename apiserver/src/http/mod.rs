//! The wire: paths, parameters, encodings, verbs. It names no kind and keeps no state beyond counters.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Method, Request, StatusCode, header},
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioExecutor};
use mini_daemon::clock;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub mod discovery;
mod documents;
pub mod encoding;
pub mod list;
mod metrics;
pub mod openapi;
mod proxy;
pub mod query;
pub mod request;
pub mod table;
mod verbs;
pub mod watch;

use self::{
    documents::Documents,
    metrics::Metrics,
    request::{Routes, Target},
    verbs::{Ask, reply, text},
};
use crate::{
    error::{ApiError, Result},
    registry::Registry,
};

/// The largest body, in bytes, as upstream has it.
const MOST_BODY: usize = 3 * 1024 * 1024;
/// Reading requests under way at once, as upstream has it.
const READING: usize = 400;
/// Writing requests under way at once, as upstream has it.
const MUTATING: usize = 200;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// Everything a request can reach.
pub struct App {
    registry: Registry,
    routes: Routes,
    address: String,
    reading: Semaphore,
    mutating: Semaphore,
    stop: CancellationToken,
    kubelets: hyper_util::client::legacy::Client<HttpConnector, Body>,
    documents: OnceLock<Documents>,
    metrics: Metrics,
}

impl App {
    /// The API of a registry. `address` is what clients are told to use; watches end when `stop` is cancelled.
    #[must_use]
    pub fn new(registry: Registry, address: String, stop: CancellationToken) -> Self {
        let routes = Routes::new(registry.table());
        Self {
            registry,
            routes,
            address,
            reading: Semaphore::new(READING),
            mutating: Semaphore::new(MUTATING),
            stop,
            kubelets: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http(),
            documents: OnceLock::new(),
            metrics: Metrics::default(),
        }
    }

    /// What it serves.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn documents(&self) -> &Documents {
        self.documents.get_or_init(|| Documents::of(self.registry.table()))
    }
}

/// The API as a service, ready to be served or called in process.
pub fn router(app: Arc<App>) -> Router {
    Router::new().fallback(handle).with_state(app)
}

async fn handle(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let started = tokio::time::Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = answer(&app, request).await.unwrap_or_else(|error| failure(&error));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&clock::uuid()) {
        headers.insert("audit-id", id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    app.metrics.count(&method, response.status().as_u16());
    tracing::debug!(%method, path, code = response.status().as_u16(), took = ?started.elapsed(), "answered");
    response
}

async fn answer(app: &App, request: Request<Body>) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    if let Some(response) = fixed(app, &parts.method, path, query, &parts.headers)? {
        return Ok(response);
    }
    let target = match app.routes.find(path) {
        Target::Resource(target) => target,
        Target::Version(api_version) => {
            only_get(&parts.method)?;
            return Ok(json(&discovery::resources(app.registry.table(), &api_version)));
        }
        Target::Unknown => return Err(ApiError::no_resource()),
        Target::Nowhere => return Ok(no_page()),
    };
    let long = parts.method == Method::GET && (query::Params::parse(query)?.watch || target.subresource.is_some());
    let limit = if parts.method == Method::GET { &app.reading } else { &app.mutating };
    // Requests that last do not count, as upstream has it.
    let _place = if long { None } else { Some(limit.try_acquire().map_err(|_| ApiError::too_many_requests())?) };
    let body = if parts.method == Method::GET { Bytes::new() } else { read(body).await? };
    verbs::answer(app, Ask { target, method: parts.method.clone(), query, headers: &parts.headers, body }).await
}

async fn read(body: Body) -> Result<Bytes> {
    let reading = Limited::new(body, MOST_BODY).collect();
    match tokio::time::timeout(BODY_PATIENCE, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::too_large(MOST_BODY)),
        Ok(Err(error)) => Err(ApiError::bad_request(format!("read the body: {error}"))),
        Err(_) => Err(ApiError::timeout("the body did not come in time")),
    }
}

/// Paths that are about the server, not about objects.
fn fixed(app: &App, method: &Method, path: &str, query: &str, headers: &header::HeaderMap) -> Result<Option<Response>> {
    let table = app.registry.table();
    let aggregated = text(headers, &header::ACCEPT).is_some_and(|accept| accept.contains("as=APIGroupDiscoveryList"));
    let response = match path.trim_end_matches('/') {
        "/api" if aggregated => aggregated_answer(&discovery::aggregated(table, true)),
        "/apis" if aggregated => aggregated_answer(&discovery::aggregated(table, false)),
        "/api" => json(&discovery::core(&app.address)),
        "/apis" => json(&discovery::named(table)),
        "/version" => json(&discovery::version()),
        "/healthz" | "/livez" | "/readyz" => health(path, query),
        "/metrics" => reply(StatusCode::OK, "text/plain; version=0.0.4", Body::from(app.metrics.text(&app.registry))),
        "/openapi/v2" => app.documents().v2(table, text(headers, &header::ACCEPT)),
        "/openapi/v3" => app.documents().index(),
        other if other.starts_with("/openapi/v3/") => app.documents().v3(&other["/openapi/v3/".len()..]).unwrap_or_else(no_page),
        other => match other.strip_prefix("/apis/").filter(|group| !group.contains('/')) {
            Some(group) => discovery::group(table, group).map_or_else(no_page, |group| json(&group)),
            None => return Ok(None),
        },
    };
    only_get(method)?;
    Ok(Some(response))
}

fn only_get(method: &Method) -> Result<()> {
    if matches!(*method, Method::GET | Method::HEAD) { Ok(()) } else { Err(ApiError::method_not_allowed()) }
}

fn json(value: &Value) -> Response {
    reply(StatusCode::OK, "application/json", Body::from(value.to_string()))
}

fn aggregated_answer(value: &Value) -> Response {
    reply(StatusCode::OK, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", Body::from(value.to_string()))
}

/// The server answers only once its cache is filled, so what it can say here is that it is well.
fn health(path: &str, query: &str) -> Response {
    let name = path.trim_matches('/');
    let verbose = query::pairs(query).any(|(key, _)| key == "verbose");
    let text =
        if verbose { format!("[+]ping ok\n[+]store ok\n[+]cache-sync ok\n[+]shutdown ok\n{name} check passed\n") } else { "ok".to_owned() };
    reply(StatusCode::OK, "text/plain; charset=utf-8", Body::from(text))
}

fn no_page() -> Response {
    reply(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", Body::from("404 page not found\n"))
}

fn failure(error: &ApiError) -> Response {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(code, "application/json", Body::from(error.status().to_string()));
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

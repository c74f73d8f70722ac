//! The wire: paths, parameters, encodings, verbs. It names no kind and keeps no state beyond counters.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Method, Request, StatusCode, header, request::Parts},
    response::Response,
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

mod account;
pub(crate) mod audit;
mod changes;
mod compression;
mod connect;
mod dashboard;
pub mod discovery;
mod documents;
pub mod encoding;
pub(crate) mod entrance;
mod health;
mod info;
mod limits;
pub mod list;
pub(crate) mod listener;
mod metrics;
pub mod openapi;
pub mod query;
pub mod request;
mod stall;
pub mod table;
mod verbs;
pub mod watch;

use self::{
    account::{Account, Caller},
    documents::Documents,
    info::Info,
    limits::Limits,
    metrics::Metrics,
    request::{Routes, Target},
    verbs::{Ask, reply, text},
};
use crate::{
    config,
    error::{ApiError, Result},
    kinds::Kind,
    measure::store::Timed,
    registry::Registry,
};

/// Everything a request can reach.
pub struct App {
    registry: Registry,
    routes: Routes,
    address: String,
    limits: Limits,
    /// Cancelled when the server is asked to stop.
    stopping: CancellationToken,
    /// Cancelled when it does: watches end.
    stop: CancellationToken,
    /// Requests that must be answered before it does.
    under_way: TaskTracker,
    /// With the number of kinds they are about: where that changes, they are made anew.
    documents: Mutex<Option<(usize, Arc<Documents>)>>,
    metrics: Metrics,
    store: Arc<Timed>,
    audit: Option<audit::Log>,
}

/// What an [`App`] is given.
pub(crate) struct Furnishing {
    pub registry: Registry,
    pub store: Arc<Timed>,
    /// What clients are told to use.
    pub address: String,
    pub stopping: CancellationToken,
    pub audit: Option<audit::Log>,
}

impl App {
    /// The API of a registry, within these limits.
    pub(crate) fn new(parts: Furnishing, limits: &config::Limits) -> Self {
        let routes = Routes::new(parts.registry.table());
        Self {
            registry: parts.registry,
            routes,
            address: parts.address,
            limits: Limits::new(limits),
            stopping: parts.stopping,
            stop: CancellationToken::new(),
            under_way: TaskTracker::new(),
            documents: Mutex::default(),
            metrics: Metrics::default(),
            store: parts.store,
            audit: parts.audit,
        }
    }

    /// What it serves.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn served(&self) -> Vec<&Kind> {
        self.registry.served().collect()
    }

    fn documents(&self) -> Arc<Documents> {
        let (served, mut documents) = (self.served(), self.documents.lock());
        match &*documents {
            Some((about, known)) if *about == served.len() => known.clone(),
            _ => documents.insert((served.len(), Arc::new(Documents::of(&served)))).1.clone(),
        }
    }

    /// Where a path leads, among what is served now.
    fn target(&self, path: &str) -> Target {
        let found = self.routes.find(path);
        let lost = match &found {
            Target::Resource(resource) => !self.registry.serves(&self.registry.table()[resource.kind]),
            Target::Version(wanted) => {
                !self.registry.served().flat_map(|kind| &kind.versions).any(|version| version.api_version == *wanted)
            }
            Target::Unknown | Target::Nowhere => false,
        };
        if lost { Target::Nowhere } else { found }
    }
}

/// Answers a request that came without a connection.
pub(crate) async fn answer_locally(app: &Arc<App>, request: Request<Body>) -> Response {
    serve(app, &Arc::new(Caller::new(std::net::Ipv4Addr::LOCALHOST.into())), request).await
}

/// Answers one request of a connection.
async fn serve(app: &Arc<App>, caller: &Arc<Caller>, request: Request<Body>) -> Response {
    caller.begun.store(true, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let id = audit::id(&parts.headers);
    let gzip = compression::accepted(&parts.headers);
    let info = Info::of(app, &parts);
    let mut account = Account::open(app, caller, &parts, &info, &id);
    let mut response = match bounded(app, parts, body, info, &mut account).await {
        Ok(response) => response,
        Err(error) => {
            let response = failure(&error);
            account.failed(error);
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(audit::AUDIT_ID, id);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    let response = account.answered(response);
    if gzip { compression::compress(response) } else { response }
}

/// Answers within the limits: if there is a place for the request, and in time.
async fn bounded(app: &App, parts: Parts, body: Body, info: Info, account: &mut Account) -> Result<Response> {
    if info.lasting {
        return answer(app, parts, body, info.target, account).await;
    }
    let patience = app.limits.patience(parts.uri.query().unwrap_or_default())?;
    let slots = if info.mutating { &app.limits.mutating } else { &app.limits.reading };
    let place = match &info.target {
        Target::Resource(_) => match slots.take() {
            Some(place) => Some(place),
            None => {
                account.terminated(StatusCode::TOO_MANY_REQUESTS);
                return Ok(limits::too_many());
            }
        },
        _ => None,
    };
    let answering = answer(app, parts, body, info.target, account);
    let Ok(answered) = tokio::time::timeout(patience, answering).await else {
        account.terminated(StatusCode::GATEWAY_TIMEOUT);
        return Err(ApiError::timeout("request did not complete within the allotted timeout"));
    };
    // An answer in pieces holds memory until the client has taken it, so it holds the place as well.
    if let Some(place) = place.filter(|_| answered.as_ref().is_ok_and(in_pieces)) {
        place.forget();
        account.keep_place(info.mutating);
    }
    answered
}

fn in_pieces(response: &Response) -> bool {
    axum::body::HttpBody::size_hint(response.body()).exact().is_none()
}

async fn answer(app: &App, parts: Parts, body: Body, target: Target, account: &mut Account) -> Result<Response> {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    if let Some(response) = fixed(app, &parts.method, path, query, &parts.headers)? {
        return Ok(response);
    }
    let target = match target {
        Target::Resource(target) => target,
        Target::Version(api_version) => {
            only_get(&parts.method)?;
            return Ok(json(&discovery::resources(&app.served(), &api_version)));
        }
        Target::Unknown => return Err(ApiError::no_resource()),
        Target::Nowhere => {
            if let Some(asked) = connect::component::asked(path) {
                return asked.answer(app, &parts, body).await;
            }
            let Some(asked) = health::asked(path) else { return Ok(no_page()) };
            only_get(&parts.method)?;
            return Ok(asked.answer(app, query).await);
        }
    };
    if let Some(row) = connect::row(app, &target) {
        // These last: their bodies are not read here.
        return connect::answer(app, &target, row, Request::from_parts(parts, body)).await;
    }
    let body = if parts.method == Method::GET { Bytes::new() } else { limits::read(body).await? };
    if let Some(event) = account.event() {
        event.name(&body);
    }
    verbs::answer(app, Ask { target, method: parts.method.clone(), query, headers: &parts.headers, body }).await
}

/// Paths that are about the server, not about objects.
fn fixed(app: &App, method: &Method, path: &str, query: &str, headers: &header::HeaderMap) -> Result<Option<Response>> {
    let aggregated = text(headers, &header::ACCEPT).is_some_and(encoding::wants_aggregated);
    let response = match path.trim_end_matches('/') {
        "/api" if aggregated => documents::aggregated(&discovery::aggregated(&app.served(), true), headers),
        "/apis" if aggregated => documents::aggregated(&discovery::aggregated(&app.served(), false), headers),
        "/api" => json(&discovery::core(&app.address)),
        "/apis" => json(&discovery::named(&app.served())),
        "/version" => json(&discovery::version()),
        "/metrics" => {
            reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", Body::from(metrics::page(app)))
        }
        changes::PATH => changes::answer(app, query),
        "/openapi/v2" => app.documents().v2(&app.served(), headers),
        "/openapi/v3" => app.documents().index(headers),
        other if other.starts_with("/openapi/v3/") => {
            app.documents().v3(&other["/openapi/v3/".len()..], query, headers).unwrap_or_else(no_page)
        }
        other if other.starts_with("/dashboard") => match dashboard::file(other) {
            Some(file) => file,
            None => return Ok(None),
        },
        other => match other.strip_prefix("/apis/").filter(|group| !group.contains('/')) {
            Some(group) => discovery::group(&app.served(), group).map_or_else(no_page, |group| json(&group)),
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

fn no_page() -> Response {
    reply(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", Body::from("404 page not found\n"))
}

fn failure(error: &ApiError) -> Response {
    let code = StatusCode::from_u16(error.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(code, "application/json", Body::from(error.status().to_string()));
    verbs::warn(&mut response, error.warnings());
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

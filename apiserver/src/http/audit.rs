//! Who asked for what, when, and what became of it: upstream's audit events at level Metadata, one JSON object a line.
//!
//! No request waits for the log. Events go through a bounded queue to the one task that writes them; what finds the queue full is
//! dropped, counted and told.

use std::{
    borrow::Cow,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use jiff::Timestamp;
use mini_daemon::clock;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
};

use super::{info::Info, request::Target, verbs::text};
use crate::{error::ApiError, kinds::Kind, measure::Number};

/// The header that names a request through all logs.
pub(super) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
/// Events that may wait to be written, as upstream has it.
const QUEUE: usize = 10_000;
/// Events written at once.
const BATCH: usize = 400;
/// How much of a `User-Agent` is kept, as upstream has it.
const MOST_AGENT: usize = 1024;

/// The id of a request: the client's, as it is, or a fresh one.
pub(super) fn id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(&AUDIT_ID).filter(|id| !id.is_empty()).cloned();
    given.unwrap_or_else(|| HeaderValue::from_str(&clock::uuid()).unwrap_or(HeaderValue::from_static("")))
}

/// One audit event.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    kind: &'static str,
    api_version: &'static str,
    level: &'static str,
    #[serde(rename = "auditID")]
    audit_id: String,
    stage: Stage,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: Cow<'static, str>,
    user: User,
    #[serde(rename = "sourceIPs")]
    source_ips: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_ref: Option<ObjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status: Option<Value>,
    request_received_timestamp: String,
    stage_timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Stage {
    /// It was read.
    RequestReceived,
    /// The head of an answer that lasts was sent.
    ResponseStarted,
    /// The answer is whole.
    ResponseComplete,
}

#[derive(Clone, Debug, Serialize)]
struct User {
    username: &'static str,
    groups: [&'static str; 1],
}

/// Whoever asks, until there are users.
const ANONYMOUS: User = User { username: "system:anonymous", groups: ["system:unauthenticated"] };

#[derive(Clone, Debug, Serialize)]
struct Annotations {
    #[serde(rename = "authorization.k8s.io/decision")]
    decision: &'static str,
    #[serde(rename = "authorization.k8s.io/reason")]
    reason: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    api_group: String,
    api_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subresource: Option<String>,
}

impl Event {
    /// What a request's head tells.
    pub(super) fn of(table: &[Kind], parts: &Parts, info: &Info, id: &HeaderValue, peer: IpAddr) -> Self {
        let agent = text(&parts.headers, &header::USER_AGENT).unwrap_or_default();
        let user_agent = match agent.get(..MOST_AGENT) {
            Some(beginning) if agent.len() > MOST_AGENT => format!("{beginning}...TRUNCATED"),
            _ => agent.to_owned(),
        };
        let now = moment(clock::now());
        Self {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level: "Metadata",
            audit_id: String::from_utf8_lossy(id.as_bytes()).into_owned(),
            stage: Stage::RequestReceived,
            request_uri: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            verb: info.verb.clone(),
            user: ANONYMOUS,
            source_ips: source_ips(&parts.headers, peer),
            user_agent,
            object_ref: object_ref(table, &info.target),
            response_status: None,
            request_received_timestamp: now.clone(),
            stage_timestamp: now,
            annotations: None,
        }
    }

    /// The same request at a later stage, answered so.
    pub(super) fn at(&self, stage: Stage, code: u16, error: Option<&ApiError>) -> Self {
        let mut status = error.map_or_else(|| json!({ "metadata": {}, "code": code }), ApiError::status);
        if let Some(status) = status.as_object_mut() {
            status.retain(|field, _| !matches!(field.as_str(), "kind" | "apiVersion"));
        }
        Self {
            stage,
            response_status: Some(status),
            stage_timestamp: moment(clock::now()),
            // Whoever asks may do everything.
            annotations: Some(Annotations { decision: "allow", reason: "" }),
            ..self.clone()
        }
    }

    /// Tells the name of an object whose path has none, which only its creation lacks.
    pub(super) fn name(&mut self, body: &[u8]) {
        #[derive(serde::Deserialize)]
        struct Named {
            metadata: Metadata,
        }
        #[derive(serde::Deserialize)]
        struct Metadata {
            name: Option<String>,
        }
        let Some(object) = self.object_ref.as_mut().filter(|object| object.name.is_none()) else { return };
        object.name = serde_json::from_slice::<Named>(body).ok().and_then(|named| named.metadata.name);
    }
}

/// A moment as upstream's MicroTime.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Where a request came from: first what proxies tell, then who is connected.
fn source_ips(headers: &HeaderMap, peer: IpAddr) -> Vec<String> {
    let told = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let address = |text: &str| text.trim().parse::<IpAddr>().ok();
    let mut all: Vec<IpAddr> = told("x-forwarded-for").split(',').filter_map(address).collect();
    all.extend(address(told("x-real-ip")).filter(|ip| !all.contains(ip)));
    if all.last() != Some(&peer) {
        all.push(peer);
    }
    all.iter().map(ToString::to_string).collect()
}

fn object_ref(table: &[Kind], target: &Target) -> Option<ObjectRef> {
    let Target::Resource(resource) = target else { return None };
    let kind = &table[resource.kind];
    let version = &kind.versions[resource.version];
    // As upstream: a namespace lies in itself.
    let own = resource.name.clone().filter(|_| kind.plural == "namespaces");
    Some(ObjectRef {
        resource: kind.plural.to_owned(),
        namespace: resource.namespace.clone().or(own),
        name: resource.name.clone(),
        api_group: version.group.to_owned(),
        api_version: version.version.to_owned(),
        subresource: resource.subresource.clone(),
    })
}

/// What was counted of the log.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Events there were.
    pub(super) events: Number,
    /// Events that were lost.
    pub(super) lost: Number,
}

/// The end of the queue at which requests are.
#[derive(Clone)]
pub(crate) struct Log {
    queue: mpsc::Sender<Event>,
    counts: Arc<Counts>,
}

/// The other end, and where to write to.
pub(crate) struct Writer {
    queue: mpsc::Receiver<Event>,
    counts: Arc<Counts>,
    path: PathBuf,
}

/// A log to this file, or to standard output if it is `-`.
pub(crate) fn log(path: &Path) -> (Log, Writer) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let counts = Arc::<Counts>::default();
    (Log { queue: sender, counts: counts.clone() }, Writer { queue: receiver, counts, path: path.to_owned() })
}

impl Log {
    /// Has an event written, unless too many wait.
    pub(super) fn write(&self, event: Event) {
        self.counts.events.add(1);
        if self.queue.try_send(event).is_err() {
            self.counts.lost.add(1);
        }
    }

    /// What was counted.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Writer {
    /// Writes until nobody is left to ask for it.
    ///
    /// # Errors
    /// When the file cannot be opened. What cannot be written later is counted as lost, and told.
    pub(crate) async fn run(self) -> Result<()> {
        if self.path.as_os_str() == "-" {
            self.write(tokio::io::stdout()).await;
            return Ok(());
        }
        let file = tokio::fs::OpenOptions::new().create(true).append(true).open(&self.path).await;
        let file = file.with_context(|| format!("open the audit log {}", self.path.display()))?;
        self.write(file).await;
        Ok(())
    }

    async fn write(mut self, mut to: impl AsyncWrite + Unpin) {
        let (mut batch, mut told) = (Vec::new(), 0);
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            let mut lines = Vec::new();
            let count = batch.len();
            for event in batch.drain(..) {
                // What derives Serialize and holds only texts can be written.
                let _ = serde_json::to_writer(&mut lines, &event);
                lines.push(b'\n');
            }
            let written = match to.write_all(&lines).await {
                Ok(()) => to.flush().await,
                failed => failed,
            };
            if let Err(error) = written {
                tracing::error!(%error, "audit events could not be written");
                self.counts.lost.add(count as u64);
            }
            let lost = self.counts.lost.get();
            if lost > told {
                tracing::warn!(lost = lost - told, "audit events were lost");
                told = lost;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let (parts, ()) = axum::http::Request::get("/version").body(()).unwrap().into_parts();
        let info = Info { target: Target::Nowhere, verb: "get".into(), labels: None, lasting: false, mutating: false };
        Event::of(&[], &parts, &info, &HeaderValue::from_static("x"), IpAddr::from([10, 0, 0, 1]))
    }

    #[tokio::test]
    async fn what_finds_the_queue_full_is_dropped_and_counted() {
        let (log, writer) = log(Path::new("-"));
        for _ in 0..QUEUE + 7 {
            log.write(event());
        }
        assert_eq!((log.counts().events.get(), log.counts().lost.get()), (QUEUE as u64 + 7, 7));
        drop(log);
        let mut lines = Vec::new();
        writer.write(&mut lines).await;
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), QUEUE);
    }

    #[test]
    fn proxies_are_told_before_the_peer() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1, nonsense,10.0.0.9"));
        headers.insert("x-real-ip", HeaderValue::from_static("192.0.2.1"));
        assert_eq!(source_ips(&headers, IpAddr::from([10, 0, 0, 9])), ["192.0.2.1", "10.0.0.9"]);
        assert_eq!(source_ips(&HeaderMap::new(), IpAddr::from([10, 0, 0, 9])), ["10.0.0.9"]);
    }
}

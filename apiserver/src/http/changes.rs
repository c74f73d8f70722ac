//! `/components/apiserver/changes`: which changes are remembered, and when each became visible. A path of ours, for who wants to tell a
//! story afterwards: what an object was at a revision, any watch tells; that it was at 12:00:00.042, nothing else does.

use axum::{body::Body, http::StatusCode, response::Response};
use serde::Serialize;

use super::{App, query, verbs::reply};

/// Where it is.
pub(super) const PATH: &str = "/components/apiserver/changes";

/// One change of one object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    revision: u64,
    /// Microseconds since 1970.
    at: i64,
    api_version: &'a str,
    resource: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
    /// As a watch calls it.
    #[serde(rename = "type")]
    what: &'static str,
}

/// All that is remembered, in the order of revisions; of one namespace, and after a revision, if the query names them.
pub(super) fn answer(app: &App, query: &str) -> Response {
    let asked = |wanted: &str| query::pairs(query).find(|(key, value)| key == wanted && !value.is_empty()).map(|(_, value)| value);
    let (namespace, after) = (asked("namespace"), asked("after").and_then(|after| after.parse().ok()).unwrap_or(0));
    let table = app.registry.table();
    let events = (0..table.len()).flat_map(|kind| {
        let events = app.registry.cache().remembered(kind, after, namespace.as_deref());
        events.into_iter().map(move |event| (kind, event))
    });
    let mut events: Vec<_> = events.collect();
    events.sort_by_key(|(_, event)| event.revision());
    let changes = events.iter().map(|(kind, event)| Change {
        revision: event.revision(),
        at: event.at.as_microsecond(),
        api_version: &table[*kind].versions[0].api_version,
        resource: table[*kind].plural,
        namespace: event.item.namespace(),
        name: event.item.name(),
        what: match (&event.before, event.deleted) {
            (_, true) => "DELETED",
            (None, false) => "ADDED",
            (Some(_), false) => "MODIFIED",
        },
    });
    let changes: Vec<Change<'_>> = changes.collect();
    let body = serde_json::json!({ "kind": "Changes", "items": changes });
    reply(StatusCode::OK, "application/json", Body::from(body.to_string()))
}

//! What a server says about itself in whole documents, which clients keep until the tag changes: OpenAPI, generated when first
//! asked for and then kept, and aggregated discovery.

use std::sync::OnceLock;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::{Timestamp, ToSpan, fmt::rfc2822, tz::TimeZone};
use mini_daemon::clock;
use serde_json::Value;

use super::{
    openapi::{self, Document, Resource, Subresource},
    query,
    verbs::{reply, text},
};
use crate::kinds::{
    Kind,
    connect::{Carry, Connect},
    subresource::Action,
};

/// The media type of aggregated discovery.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// What kubectl before 1.27 asks for.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The documents of one server.
pub(super) struct Documents {
    /// By name, such as `apis/apps/v1`.
    groups: Vec<(String, Document)>,
    index: Document,
    v2: OnceLock<Document>,
    v2_protobuf: OnceLock<Document>,
}

impl Documents {
    /// Generates the documents of every group-version.
    #[must_use]
    pub(super) fn of(table: &[&Kind]) -> Self {
        let resources = resources(table);
        let mut groups: Vec<(String, Document)> = Vec::new();
        for resource in &resources {
            let name = openapi::document_name(resource.group, resource.version);
            if !groups.iter().any(|(known, _)| *known == name) {
                groups.push((name, openapi::v3_document(&resources, resource.group, resource.version)));
            }
        }
        let index = openapi::v3_index(groups.iter().map(|(name, document)| (name.as_str(), document.hash.as_str())));
        Self { groups, index, v2: OnceLock::new(), v2_protobuf: OnceLock::new() }
    }

    /// `/openapi/v3`.
    pub(super) fn index(&self, headers: &HeaderMap) -> Response {
        answer(&self.index, "application/json", headers)
    }

    /// `/openapi/v3/NAME`. Whoever names the document's hash, as the index does, may keep it for ever; whoever names another one
    /// is led to the present one.
    pub(super) fn v3(&self, name: &str, query: &str, headers: &HeaderMap) -> Option<Response> {
        let (_, document) = self.groups.iter().find(|(known, _)| known == name)?;
        let Some((_, hash)) = query::pairs(query).find(|(key, value)| key == "hash" && !value.is_empty()) else {
            return Some(answer(document, "application/json", headers));
        };
        if hash != document.hash {
            return Some(moved(&openapi::document_url(name, &document.hash)));
        }
        let mut response = answer(document, "application/json", headers);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        if let Some(expires) = in_a_year(clock::now()).and_then(|date| HeaderValue::from_str(&date).ok()) {
            response.headers_mut().insert(header::EXPIRES, expires);
        }
        Some(response)
    }

    /// `/openapi/v2`, in the form that is accepted.
    pub(super) fn v2(&self, table: &[&Kind], headers: &HeaderMap) -> Response {
        // Old kubectl writes a literal @ where the media type has a dot.
        if text(headers, &header::ACCEPT).is_some_and(|accept| accept.contains("proto-openapi")) {
            return answer(self.v2_protobuf.get_or_init(|| openapi::v2_protobuf(&resources(table))), PROTOBUF, headers);
        }
        answer(self.v2.get_or_init(|| openapi::v2_document(&resources(table))), "application/json", headers)
    }
}

/// Aggregated discovery, which is small enough to be made each time.
pub(super) fn aggregated(list: &Value, headers: &HeaderMap) -> Response {
    let mut response = answer(&Document::json(list), AGGREGATED, headers);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public"));
    response
}

/// The document, or 304 for whoever has it.
fn answer(document: &Document, media_type: &'static str, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", document.hash);
    let known = text(headers, &header::IF_NONE_MATCH)
        .is_some_and(|tags| tags.split(',').any(|known| matches!(known.trim(), "*") || known.trim() == tag));
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        reply(StatusCode::OK, media_type, Body::from(document.body.clone()))
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn moved(url: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(url) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response
}

/// A year from `now`, as headers write dates.
fn in_a_year(now: Timestamp) -> Option<String> {
    let then = now.to_zoned(TimeZone::UTC).checked_add(1.year()).ok()?;
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then.timestamp()).ok()
}

fn resources<'a>(table: &[&'a Kind]) -> Vec<Resource<'a>> {
    let versions = table.iter().copied().flat_map(|kind| kind.versions.iter().map(move |version| (kind, version)));
    versions
        .map(|(kind, version)| Resource {
            group: version.group,
            version: version.version,
            kind: kind.name,
            plural: kind.plural,
            namespaced: kind.namespaced,
            verbs: kind.verbs,
            subresources: subresources(kind, version.group, version.version),
            optional: version.conversion.optional,
            json_schema: (version.json_schema)(),
        })
        .collect()
}

fn subresources<'k>(kind: &'k Kind, group: &'k str, version: &'k str) -> Vec<Subresource<'k>> {
    const PART: &[&str] = &["get", "patch", "update"];
    let mut list = Vec::new();
    if kind.status {
        list.push(Subresource { name: "status", group, version, kind: kind.name, verbs: PART, connects: None });
    }
    if kind.scale.is_some() {
        list.push(Subresource { name: "scale", group: "autoscaling", version: "v1", kind: "Scale", verbs: PART, connects: None });
    }
    list.extend(kind.subresources.iter().map(|sub| {
        let (own_group, own_version, name) = sub.kind;
        let (group, version) = if own_version.is_empty() { (group, version) } else { (own_group, own_version) };
        let connects = match sub.action {
            Action::Connect(Connect { carry: Carry::Tunnel, .. }) => Some(false),
            Action::Connect(Connect { carry: Carry::Whole, .. }) => Some(true),
            _ => None,
        };
        Subresource { name: sub.name, group, version, kind: name, verbs: sub.verbs, connects }
    }));
    list
}

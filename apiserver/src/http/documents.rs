//! The OpenAPI documents of a table: generated when first asked for, then kept.

use std::sync::OnceLock;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;

use super::{
    openapi::{self, Document, Resource, Subresource},
    verbs::reply,
};
use crate::kinds::Kind;

/// What kubectl before 1.27 asks for.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The documents of one server.
pub(super) struct Documents {
    /// By name, such as `apis/apps/v1`.
    groups: Vec<(String, Document)>,
    index: Bytes,
    v2: OnceLock<Document>,
    v2_protobuf: OnceLock<Document>,
}

impl Documents {
    /// Generates the documents of every group-version.
    #[must_use]
    pub(super) fn of(table: &[Kind]) -> Self {
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
    pub(super) fn index(&self) -> Response {
        reply(StatusCode::OK, "application/json", Body::from(self.index.clone()))
    }

    /// `/openapi/v3/NAME`.
    pub(super) fn v3(&self, name: &str) -> Option<Response> {
        let (_, document) = self.groups.iter().find(|(known, _)| known == name)?;
        Some(answer(document, "application/json"))
    }

    /// `/openapi/v2`, in the form that is accepted.
    pub(super) fn v2(&self, table: &[Kind], accept: Option<&str>) -> Response {
        // Old kubectl writes a literal @ where the media type has a dot.
        if accept.is_some_and(|accept| accept.contains("proto-openapi")) {
            return answer(self.v2_protobuf.get_or_init(|| openapi::v2_protobuf(&resources(table))), PROTOBUF);
        }
        answer(self.v2.get_or_init(|| openapi::v2_document(&resources(table))), "application/json")
    }
}

fn answer(document: &Document, media_type: &'static str) -> Response {
    let mut response = reply(StatusCode::OK, media_type, Body::from(document.body.clone()));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", document.hash)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn resources(table: &[Kind]) -> Vec<Resource<'_>> {
    let versions = table.iter().flat_map(|kind| kind.versions.iter().map(move |version| (kind, version)));
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
        list.push(Subresource { name: "status", group, version, kind: kind.name, verbs: PART });
    }
    if kind.scale.is_some() {
        list.push(Subresource { name: "scale", group: "autoscaling", version: "v1", kind: "Scale", verbs: PART });
    }
    list.extend(kind.subresources.iter().map(|sub| {
        let (own_group, own_version, name) = sub.kind;
        let (group, version) = if own_version.is_empty() { (group, version) } else { (own_group, own_version) };
        Subresource { name: sub.name, group, version, kind: name, verbs: sub.verbs }
    }));
    list
}

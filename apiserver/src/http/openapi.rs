//! OpenAPI documents, generated from the kinds' own types.
//!
//! Pure: a list of resources in, JSON out; whoever serves them calls once and keeps the bytes. `kubectl` depends on
//! them more than it looks: apply reads how lists merge, explain reads descriptions, and strict validation is only
//! asked of a server whose PATCH operations list the parameter `fieldValidation`.

mod definitions;
mod gnostic;
mod paths;

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// What the documents need to know of one resource in one version.
pub struct Resource<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// For example `v1`.
    pub version: &'a str,
    /// For example `Deployment`.
    pub kind: &'a str,
    /// The name in paths: `deployments`.
    pub plural: &'a str,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// As in discovery: `create`, `delete`, `deletecollection`, `get`, `list`, `patch`, `update`, `watch`.
    pub verbs: &'a [&'a str],
    /// Paths below an object.
    pub subresources: Vec<Subresource<'a>>,
    /// Fields of its spec that this version does not require, though the type does.
    pub optional: &'a [&'a str],
    /// The root schema of the type, made with `SchemaSettings::openapi3()`.
    pub json_schema: schemars::Schema,
}

/// A path below an object, such as `status`.
pub struct Subresource<'a> {
    /// The last segment of the path.
    pub name: &'a str,
    /// The group of what is sent and answered.
    pub group: &'a str,
    /// The version of what is sent and answered.
    pub version: &'a str,
    /// The kind of what is sent and answered.
    pub kind: &'a str,
    /// As in discovery.
    pub verbs: &'a [&'a str],
    /// Where it leads out of the API server: whether to paths below, too.
    pub connects: Option<bool>,
}

/// A document, ready to be sent.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its bytes.
    pub body: Bytes,
    /// Changes whenever the bytes do: for ETags, and for the index of version 3.
    pub hash: String,
}

impl Document {
    fn new(body: Vec<u8>) -> Document {
        // FNV-1a: it must be stable, it need not resist anybody.
        let hash = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
        Document { body: Bytes::from(body), hash: format!("{hash:016X}") }
    }

    /// The document of a JSON value.
    pub(super) fn json(value: &Value) -> Document {
        Document::new(value.to_string().into_bytes())
    }
}

/// Which of the two forms a part is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V3,
}

/// The group-version as version 3 names its documents: `api/v1`, `apis/apps/v1`.
pub fn document_name(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3`: the documents there are. `documents` are names ([`document_name`]) and hashes.
pub fn v3_index<'a>(documents: impl IntoIterator<Item = (&'a str, &'a str)>) -> Document {
    let paths: Map<String, Value> =
        documents.into_iter().map(|(name, hash)| (name.to_owned(), json!({"serverRelativeURL": document_url(name, hash)}))).collect();
    Document::json(&json!({"paths": paths}))
}

/// Where a document of version 3 is, and as what.
pub fn document_url(name: &str, hash: &str) -> String {
    format!("/openapi/v3/{name}?hash={hash}")
}

/// `/openapi/v3/<name>`: the document of one group-version. Resources of others are passed over.
pub fn v3_document(resources: &[Resource<'_>], group: &str, version: &str) -> Document {
    let of_group: Vec<_> = resources.iter().filter(|r| r.group == group && r.version == version).collect();
    let schemas = definitions::all(&of_group, Form::V3);
    let paths = paths::all(&of_group, &schemas, Form::V3);
    Document::json(&json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// `/openapi/v2` as JSON: everything in one document.
pub fn v2_document(resources: &[Resource<'_>]) -> Document {
    Document::json(&v2(resources))
}

/// `/openapi/v2` in gnostic's protobuf form (`application/com.github.proto-openapi.spec.v2.v1.0+protobuf`), which
/// older clients insist on.
pub fn v2_protobuf(resources: &[Resource<'_>]) -> Document {
    Document::new(gnostic::encode(&v2(resources)))
}

fn v2(resources: &[Resource<'_>]) -> Value {
    let all: Vec<_> = resources.iter().collect();
    let definitions = definitions::all(&all, Form::V2);
    let paths = paths::all(&all, &definitions, Form::V2);
    json!({"swagger": "2.0", "info": info(), "paths": paths, "definitions": definitions})
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "v1.36.0"})
}

#[cfg(test)]
mod tests;

//! Tables: what `kubectl get` prints, made by the server.

use bytes::Bytes;
use mini_daemon::clock;
use serde_json::{Value, json};

use super::encoding;
use crate::{
    error::{ApiError, Result},
    kinds::{
        Kind,
        field::{Errors, Path},
    },
};

/// How much of the object a row carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// What `includeObject` says.
    ///
    /// # Errors
    /// 400 when it says something else.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            "Metadata" | "" => Ok(Self::Metadata),
            other => {
                let mut errors = Errors::new();
                errors.invalid(&Path::new("includeObject"), other, "must be 'Metadata', 'Object', 'None', or empty");
                Err(ApiError::bad_request(format!("Unable to convert to Table as requested: {errors}")))
            }
        }
    }
}

/// A Table of objects in their stored JSON.
///
/// # Errors
/// 500 when what is stored cannot be read.
pub fn of<'a>(kind: &Kind, objects: impl Iterator<Item = &'a [u8]>, metadata: &Value, include: Include) -> Result<Bytes> {
    table(kind, objects, metadata, include, true)
}

/// A Table without headings, as the later events of a watch carry it.
///
/// # Errors
/// 500 when what is stored cannot be read.
pub fn row(kind: &Kind, json: &[u8], include: Include, headings: bool) -> Result<Bytes> {
    let revision = crate::registry::codec::revision(json);
    table(kind, std::iter::once(json), &json!({ "resourceVersion": revision }), include, headings)
}

fn table<'a>(kind: &Kind, objects: impl Iterator<Item = &'a [u8]>, metadata: &Value, include: Include, headings: bool) -> Result<Bytes> {
    let wrong = |error: serde_json::Error| ApiError::internal(format!("write a table: {error}"));
    let now = clock::now();
    let mut out = Vec::with_capacity(4096);
    out.extend_from_slice(br#"{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":"#);
    serde_json::to_writer(&mut out, metadata).map_err(wrong)?;
    out.extend_from_slice(br#","columnDefinitions":"#);
    let columns: Vec<Value> = if headings { definitions(kind) } else { Vec::new() };
    if headings {
        serde_json::to_writer(&mut out, &columns).map_err(wrong)?
    } else {
        out.extend_from_slice(b"null")
    }
    out.extend_from_slice(br#","rows":["#);
    for (index, json) in objects.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let object = kind.behaviour.decode(json).map_err(wrong)?;
        out.extend_from_slice(br#"{"cells":"#);
        serde_json::to_writer(&mut out, &kind.behaviour.cells(&*object, now)).map_err(wrong)?;
        let carried = match include {
            Include::None => None,
            Include::Metadata => Some(encoding::metadata(json)?),
            Include::Object => Some(encoding::object(kind, 0, json, encoding::Shape::Object)?),
        };
        out.extend_from_slice(br#","object":"#);
        out.extend_from_slice(carried.as_deref().unwrap_or(b"null"));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Ok(Bytes::from(out))
}

fn definitions(kind: &Kind) -> Vec<Value> {
    let definition = |heading: crate::kinds::rules::Heading| {
        json!({
            "name": heading.name, "type": heading.kind, "format": heading.format,
            "description": heading.description, "priority": heading.priority,
        })
    };
    kind.behaviour.headings().into_iter().map(definition).collect()
}

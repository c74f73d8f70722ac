//! The forms an answer can take, and how an object gets from its stored JSON into each.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};

use super::table::{self, Include};
use crate::{
    cache::item::Item,
    error::{ApiError, Result},
    kinds::{Kind, Version},
    registry::codec,
    schema::{Schema, decode, protobuf},
};

/// What shape the client wants objects in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As they are.
    #[default]
    Object,
    /// As rows of a Table, which carry this much of them.
    Table(Include),
    /// Only their metadata.
    Metadata,
}

/// What the client accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// The shape of objects.
    pub shape: Shape,
    /// Whether the answer is YAML instead of JSON.
    pub yaml: bool,
}

impl Accept {
    /// The most wanted of the accepted forms that can be had.
    ///
    /// # Errors
    /// 406 when none can.
    pub fn parse(header: Option<&str>) -> Result<Self> {
        let Some(header) = header.filter(|header| !header.trim().is_empty()) else { return Ok(Self::default()) };
        let ranges = Range::all(header);
        if !ranges.iter().any(Range::routed) {
            return Err(ApiError::no_representation());
        }
        ranges.iter().find_map(Range::form).ok_or_else(ApiError::not_acceptable)
    }

    /// The same, with rows that carry as much as the parameter `includeObject` says.
    ///
    /// # Errors
    /// 400 when it says something else.
    pub fn including(self, include_object: &str) -> Result<Self> {
        match self.shape {
            Shape::Table(_) => Ok(Self { shape: Shape::Table(Include::parse(include_object)?), ..self }),
            _ => Ok(self),
        }
    }
}

/// Whether the client wants discovery as one aggregated list, and in a version that is to be had: there was another, which clients
/// of its time ask for besides plain JSON.
#[must_use]
pub fn wants_aggregated(header: &str) -> bool {
    let aggregated = |range: &Range<'_>| {
        let asked = ["g", "v", "as"].map(|name| range.parameter(name));
        match asked {
            [_, _, None] => range.form().map(|_| false),
            [Some("apidiscovery.k8s.io"), Some("v2"), Some("APIGroupDiscoveryList")] => Some(true),
            _ => None,
        }
    };
    Range::all(header).iter().find_map(aggregated).unwrap_or(false)
}

/// One of the forms a client accepts: `application/json;as=Table;v=v1;g=meta.k8s.io;q=0.9`.
struct Range<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// How much it is wanted.
    quality: f32,
}

impl<'a> Range<'a> {
    /// The ranges of a header, what is wanted most first.
    fn all(header: &'a str) -> Vec<Self> {
        let mut ranges: Vec<Self> = header.split(',').map(Self::parse).collect();
        ranges.sort_by(Self::order);
        ranges
    }

    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts.filter_map(|parameter| parameter.split_once('=')).collect();
        let quality = parameters.iter().find(|(name, _)| *name == "q").and_then(|(_, value)| value.parse().ok()).unwrap_or(1.0);
        Self { media_type, parameters, quality }
    }

    /// Whether a request for it gets as far as to be negotiated. Upstream's routes know no `application/*`.
    fn routed(&self) -> bool {
        matches!(self.media_type, "application/json" | "application/yaml" | "*/*")
    }

    /// What is wanted most comes first, and of equals what is said more exactly.
    fn order(a: &Self, b: &Self) -> std::cmp::Ordering {
        let vague = |range: &Self| range.media_type.matches('*').count();
        b.quality.total_cmp(&a.quality).then_with(|| vague(a).cmp(&vague(b)))
    }

    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
    }

    fn form(&self) -> Option<Accept> {
        let yaml = match self.media_type {
            "application/json" | "*/*" | "application/*" => false,
            "application/yaml" => true,
            _ => return None,
        };
        let shape = match self.parameter("as") {
            None => return Some(Accept { shape: Shape::Object, yaml }),
            Some("Table") => Shape::Table(Include::Metadata),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Shape::Metadata,
            Some(_) => return None,
        };
        let known = self.parameter("g") == Some("meta.k8s.io") && matches!(self.parameter("v"), Some("v1" | "v1beta1"));
        known.then_some(Accept { shape, yaml })
    }
}

/// The beginning of a single object, up to its metadata.
fn head(kind: &str, api_version: &str) -> String {
    format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",")
}

/// One object by itself, in a version and shape.
///
/// # Errors
/// 500 when what is stored cannot be read.
pub fn object(kind: &Kind, version: usize, json: &[u8], shape: Shape) -> Result<Bytes> {
    let mut out = Vec::new();
    write(kind, version, json, shape, &mut out)?;
    Ok(Bytes::from(out))
}

/// The same, behind what is there already.
///
/// # Errors
/// As [`object`].
pub fn write(kind: &Kind, version: usize, json: &[u8], shape: Shape, out: &mut Vec<u8>) -> Result<()> {
    let row = &kind.versions[version];
    match shape {
        Shape::Object => {
            let (head, body) = (head(kind.name, &row.api_version), convert(row, version, json)?);
            out.reserve(head.len() + body.len());
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(&body[1..]);
        }
        Shape::Metadata => out.extend_from_slice(&metadata(json)?),
        Shape::Table(include) => {
            let meta = json!({ "resourceVersion": codec::revision(json) });
            out.extend_from_slice(&table::of(kind, std::iter::once(json), &meta, include)?);
        }
    }
    Ok(())
}

/// An object's metadata by itself.
///
/// # Errors
/// 500 when what is stored cannot be read.
pub fn metadata(json: &[u8]) -> Result<Bytes> {
    let meta = codec::metadata(json).map_err(|error| ApiError::internal(format!("read a stored object: {error}")))?;
    Ok(Bytes::from(format!("{}\"metadata\":{meta}}}", head("PartialObjectMetadata", "meta.k8s.io/v1"))))
}

/// One object as an item of a list: as [`object`], but without kind and apiVersion where the list tells them.
///
/// # Errors
/// 500 when what is stored cannot be read.
pub fn item(kind: &Kind, version: usize, item: &Item, shape: Shape) -> Result<Bytes> {
    match shape {
        Shape::Object if version == 0 => Ok(item.json.clone()),
        Shape::Object => Ok(convert(&kind.versions[version], version, &item.json)?.into_owned().into()),
        Shape::Metadata => metadata(&item.json),
        Shape::Table(_) => Err(ApiError::internal("tables have rows, not items")),
    }
}

/// Stored JSON in another version. The stored version costs nothing.
fn convert<'a>(row: &Version, version: usize, json: &'a [u8]) -> Result<Cow<'a, [u8]>> {
    if version == 0 {
        return Ok(Cow::Borrowed(json));
    }
    let wrong = |error: serde_json::Error| ApiError::internal(format!("convert a stored object: {error}"));
    let mut value: Value = serde_json::from_slice(json).map_err(wrong)?;
    (row.conversion.downgrade)(&mut value);
    if let Some(map) = value.as_object_mut() {
        map.remove("kind");
        map.remove("apiVersion");
    }
    serde_json::to_vec(&value).map(Cow::Owned).map_err(wrong)
}

/// JSON as YAML.
///
/// # Errors
/// 500 when the YAML writer refuses.
pub fn yaml(json: &[u8]) -> Result<Bytes> {
    let wrong = |error: String| ApiError::internal(format!("write YAML: {error}"));
    let value: Value = serde_json::from_slice(json).map_err(|error| wrong(error.to_string()))?;
    serde_yaml::to_string(&value).map(Bytes::from).map_err(|error| wrong(error.to_string()))
}

/// YAML as JSON.
///
/// # Errors
/// 400 when it is no YAML.
pub fn from_yaml(body: &[u8]) -> Result<Bytes> {
    let wrong = |why: &dyn std::fmt::Display| ApiError::bad_request(format!("error converting YAML to JSON: yaml: {why}"));
    let text = std::str::from_utf8(body).map_err(|error| wrong(&error))?;
    // In one line: the client has the text itself.
    let value: Value = serde_yaml::from_str(text).map_err(|error| wrong(error.without_snippet()))?;
    serde_json::to_vec(&value).map(Bytes::from).map_err(|error| wrong(&error))
}

/// Protobuf as JSON.
///
/// # Errors
/// 400 when it is no object of `schema`.
pub fn from_protobuf(schema: &Schema, body: &[u8]) -> Result<Bytes> {
    let (version, wanted) = schema.as_struct().and_then(|of| of.qualified_name().split_once('.')).unwrap_or_default();
    let value = protobuf::read(schema, body).map_err(|refusal| match refusal {
        protobuf::Refusal::Unrecognized(why) => {
            let shown = decode::dump(body);
            ApiError::bad_request(format!("the object provided is unrecognized (must be of type {wanted}): {why} ({shown})"))
        }
        protobuf::Refusal::Malformed { said, fault } => {
            let kind = if said.kind.is_empty() { wanted } else { &said.kind };
            let version = said.api_version.rsplit('/').next().filter(|text| !text.is_empty()).unwrap_or(version);
            ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {wanted}: {fault}"))
        }
    })?;
    serde_json::to_vec(&value).map(Bytes::from).map_err(|error| ApiError::internal(format!("write JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_acceptable_form_wins() {
        let parse = |text| Accept::parse(Some(text)).map(|accept| (accept.shape, accept.yaml)).ok();
        let table = Shape::Table(Include::Metadata);
        assert_eq!(parse("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), Some((table, false)));
        assert_eq!(parse("application/json, application/json;as=Table;v=v1;g=meta.k8s.io"), Some((Shape::Object, false)));
        assert_eq!(parse("application/json;q=0.5, application/yaml"), Some((Shape::Object, true)));
        assert_eq!(parse("*/*, application/yaml"), Some((Shape::Object, true)));
        assert_eq!(parse("application/json;as=Table;v=v1"), None);
        assert_eq!(parse("application/json;as=Table;v=v9;g=meta.k8s.io, application/json"), Some((Shape::Object, false)));
        assert_eq!(parse("application/vnd.kubernetes.protobuf, application/yaml"), Some((Shape::Object, true)));
        assert_eq!(parse("text/html"), None);
        assert_eq!(Accept::parse(None).ok(), Some(Accept::default()));
    }
}

//! From a request's JSON to an object, and from an object to what is stored.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use bytes::Bytes;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

use super::{Call, FieldValidation, managed};
use crate::{
    cache::item::{self, HEAD},
    error::{ApiError, Result},
    kinds::{
        Kind, Version,
        field::{Errors, Path},
        nulls::Nulls,
        rules::Object,
    },
    schema::decode::{self, DecodeError, Decoded},
};

/// Reads a request's body as an object of `version`, checks it against the schema, and turns it into the stored version.
///
/// The result has neither `kind` nor `apiVersion`.
///
/// # Errors
/// 400 in upstream's words when the body is no such object.
pub fn read(kind: &Kind, version: &Version, body: &[u8], call: &mut Call) -> Result<Value> {
    let mut decoded = decode::decode(&(version.schema)(), body).map_err(|error| refusal(kind, version, &error, body))?;
    in_order(&mut decoded.unknown, body);
    admit(kind, version, decoded, call)
}

/// The same for what a patch made of an object.
///
/// `live` says who owned what, which is part of what is quoted.
///
/// # Errors
/// 400 as [`read`]; 422 for unknown fields under strict validation, as upstream has it for patches.
pub fn reread(kind: &Kind, version: &Version, value: Value, live: &[managed::Entry], call: &mut Call) -> Result<Value> {
    let patched = if call.validation == FieldValidation::Strict { value.clone() } else { Value::Null };
    let decoded = decode::decode_from_value(&(version.schema)(), value).map_err(|error| refusal(kind, version, &error, b""))?;
    if call.validation == FieldValidation::Strict && !(decoded.unknown.is_empty() && decoded.duplicate.is_empty()) {
        let mut errors = Errors::new();
        errors.invalid(&Path::new("patch"), quoted(patched, live)?, &format!("strict decoding error: {}", strict(&decoded)));
        return Err(ApiError::invalid("", "", "", &errors));
    }
    admit(kind, version, decoded, call)
}

/// An object in full, as text.
fn quoted(mut object: Value, live: &[managed::Entry]) -> Result<String> {
    if let Some(managed) = managed::encode(live)? {
        object["metadata"]["managedFields"] = super::tree(managed.as_bytes())?;
    }
    Ok(object.to_string())
}

fn admit(kind: &Kind, version: &Version, decoded: Decoded, call: &mut Call) -> Result<Value> {
    match call.validation {
        FieldValidation::Strict if !(decoded.unknown.is_empty() && decoded.duplicate.is_empty()) => {
            return Err(cannot(kind, version, &format!("strict decoding error: {}", strict(&decoded))));
        }
        FieldValidation::Warn => {
            call.warnings.extend(decoded.unknown.iter().map(|path| format!("unknown field {path:?}")));
            call.warnings.extend(decoded.duplicate.iter().map(|path| format!("duplicate field {path:?}")));
        }
        _ => {}
    }
    let mut value = decoded.value;
    type_check(kind, version, &value)?;
    (version.conversion.upgrade)(&mut value);
    if let Some(map) = value.as_object_mut() {
        map.remove("kind");
        map.remove("apiVersion");
    }
    Ok(value)
}

/// Orders paths as upstream meets them: by the field of the object they begin with, in the order of the body.
fn in_order(paths: &mut [String], body: &[u8]) {
    if paths.len() < 2 {
        return;
    }
    let fields: Vec<&str> = parts(body).unwrap_or_default().into_iter().map(|(key, _)| key).collect();
    paths.sort_by_key(|path| fields.iter().position(|field| path.split(['.', '[']).next() == Some(field)));
}

fn strict(decoded: &Decoded) -> String {
    let unknown = decoded.unknown.iter().map(|path| format!("unknown field {path:?}"));
    let duplicate = decoded.duplicate.iter().map(|path| format!("duplicate field {path:?}"));
    unknown.chain(duplicate).collect::<Vec<_>>().join(", ")
}

/// Refuses a body that says it is something else than the path says.
fn type_check(kind: &Kind, version: &Version, value: &Value) -> Result<()> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let said_version = text("apiVersion").unwrap_or(&version.api_version);
    let said_kind = text("kind").unwrap_or(kind.name);
    if said_version == version.api_version && said_kind == kind.name {
        return Ok(());
    }
    let short = said_version.rsplit_once('/').map_or(said_version, |(_, version)| version);
    let why = if said_version == version.api_version && said_kind != kind.name {
        format!("converting ({short}.{said_kind}) to ({}.{}): unknown conversion", internal(version.group), kind.name)
    } else {
        format!("no kind {said_kind:?} is registered for version {said_version:?} in scheme \"<source>\"")
    };
    Err(ApiError::bad_request(format!("{said_kind} in version {short:?} cannot be handled as a {}: {why}", kind.name)))
}

fn internal(group: &str) -> &str {
    if group.is_empty() { "core" } else { group.split('.').next().unwrap_or(group) }
}

fn cannot(kind: &Kind, version: &Version, why: &str) -> ApiError {
    ApiError::bad_request(format!("{name} in version {:?} cannot be handled as a {name}: {why}", version.version, name = kind.name))
}

fn refusal(kind: &Kind, version: &Version, error: &DecodeError, body: &[u8]) -> ApiError {
    match error {
        DecodeError::Type { message } => cannot(kind, version, message),
        other => {
            let shown = decode::dump(body);
            let name = kind.name;
            ApiError::bad_request(format!(
                "the object provided is unrecognized (must be of type {name}): couldn't get version/kind; json parse error: {other} ({shown})"
            ))
        }
    }
}

/// The object of a tree that [`read`] or [`reread`] returned.
///
/// # Errors
/// 400 when a value does not fit its field after all.
pub fn object(kind: &Kind, value: &Value) -> Result<Box<dyn Object>> {
    let json = serde_json::to_vec(value).map_err(|error| ApiError::internal(error.to_string()))?;
    kind.behaviour.decode(&json).map_err(|error| cannot(kind, &kind.versions[0], &error.to_string()))
}

/// Stored JSON, and the managedFields that were in it: they are most of what decoding an object would cost, and few need them.
pub struct Split<'a> {
    /// The object without managedFields.
    pub object: Cow<'a, [u8]>,
    /// The managedFields, unread.
    pub managed: Option<&'a str>,
}

/// Takes the managedFields out of JSON that [`stored`] made, `resourceVersion` spliced in or not.
#[must_use]
pub fn split(json: &[u8]) -> Split<'_> {
    const FIELD: &[u8] = b"\"managedFields\":";
    let start = json.len() - item::after_revision(json).len();
    let Some(list) = json[start..].strip_prefix(FIELD) else { return Split { object: Cow::Borrowed(json), managed: None } };
    let Ok(text) = text(list) else { return Split { object: Cow::Borrowed(json), managed: None } };
    let mut reader = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let Some(Ok(managed)) = reader.next() else { return Split { object: Cow::Borrowed(json), managed: None } };
    let tail = &list[reader.byte_offset()..];
    let object = [&json[..start], tail.strip_prefix(b",").unwrap_or(tail)].concat();
    Split { object: Cow::Owned(object), managed: Some(managed.get()) }
}

/// The object of JSON that [`stored`] made, without its managedFields.
///
/// # Errors
/// When it is no object of the kind.
pub fn stored_object(kind: &Kind, json: &[u8]) -> serde_json::Result<Box<dyn Object>> {
    kind.behaviour.decode(&split(json).object)
}

/// What is stored for an object: metadata first and in it managedFields, without `kind`, `apiVersion` and `resourceVersion`.
/// `managed` are the managedFields as JSON; those of the object itself do not count.
///
/// # Errors
/// 400 when a value cannot be written as JSON.
pub fn stored(kind: &Kind, object: &mut dyn Object, managed: Option<&str>) -> Result<Bytes> {
    let wrong = |error| ApiError::internal(format!("encode an object: {error}"));
    reorder(&json(kind, object)?, managed).map_err(wrong)
}

/// The JSON of an object as its type writes it, but for what is never stored of its metadata.
fn json(kind: &Kind, object: &mut dyn Object) -> Result<Vec<u8>> {
    object.meta_mut().resource_version = None;
    object.meta_mut().managed_fields = None;
    let json = object.json().map_err(|error| ApiError::bad_request(error.to_string()))?;
    if kind.nulls.fields.is_empty() {
        return Ok(json);
    }
    with_nulls(&json, &kind.nulls).map_err(|error| ApiError::internal(format!("encode an object: {error}")))
}

/// The same object with null where nothing is in a field that is always written.
fn with_nulls(json: &[u8], nulls: &Nulls) -> serde_json::Result<Vec<u8>> {
    let given = parts(json)?;
    let mut out = Vec::with_capacity(json.len() + 64);
    if !nulls.of.is_empty() {
        for (key, raw) in given {
            if key == nulls.of {
                let below = with_nulls(raw.get().as_bytes(), &Nulls { of: "", ..*nulls })?;
                append(&mut out, key, &below);
            } else {
                append(&mut out, key, raw.get().as_bytes());
            }
        }
    } else {
        let is_null = |key: &str| nulls.fields.contains(&key);
        for (key, raw) in given.iter().filter(|(key, raw)| !(is_null(key) && raw.get() == "[]")) {
            append(&mut out, key, raw.get().as_bytes());
        }
        for field in nulls.fields.iter().filter(|field| given.iter().all(|(key, raw)| key != *field || raw.get() == "[]")) {
            append(&mut out, field, b"null");
        }
    }
    out.push(b'}');
    Ok(out)
}

/// Puts metadata first and drops `kind` and `apiVersion`. The rest keeps its order, so equal objects give equal bytes.
fn reorder(json: &[u8], managed: Option<&str>) -> serde_json::Result<Bytes> {
    let parts = parts(json)?;
    let mut out = begin(&parts, managed, json.len());
    for (key, raw) in parts.iter().filter(|(key, _)| !matches!(*key, "metadata" | "kind" | "apiVersion")) {
        append(&mut out, key, raw.get().as_bytes());
    }
    out.push(b'}');
    Ok(Bytes::from(out))
}

/// The beginning of the stored form: the metadata, with managedFields. About `more` bytes will follow.
fn begin(parts: &[(&str, &RawValue)], managed: Option<&str>, more: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(more + managed.map_or(0, |managed| managed.len() + 20));
    let metadata = field(parts, "metadata").map_or("{}", RawValue::get);
    let metadata = &metadata.as_bytes()[1..];
    out.extend_from_slice(HEAD.as_bytes());
    if let Some(managed) = managed {
        out.extend_from_slice(b"\"managedFields\":");
        out.extend_from_slice(managed.as_bytes());
        out.extend_from_slice(if metadata == b"}" { b"" } else { b"," });
    }
    out.extend_from_slice(metadata);
    out
}

/// One of the fields of an object.
fn field<'a>(parts: &[(&str, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    parts.iter().find(|(key, _)| *key == name).map(|(_, raw)| *raw)
}

/// Whether two stored objects differ in anything but metadata and status, which is what `generation` counts.
///
/// # Errors
/// When one of them is no object.
pub fn spec_differs(new: &[u8], old: &[u8]) -> serde_json::Result<bool> {
    let body = |json| -> serde_json::Result<BTreeMap<&str, &str>> {
        let parts = parts(json)?.into_iter().filter(|(key, _)| !matches!(*key, "metadata" | "status"));
        Ok(parts.map(|(key, raw)| (key, raw.get())).collect())
    };
    Ok(body(new)? != body(old)?)
}

/// What is stored for an object of which only one part and the metadata changed since `before` was stored: the rest is taken
/// from there, unread.
///
/// # Errors
/// As [`stored`].
pub fn stored_part(kind: &Kind, object: &mut dyn Object, part: &str, managed: Option<&str>, before: &[u8]) -> Result<Bytes> {
    let mut shell = kind.behaviour.blank();
    let mut exchange = |shell: &mut dyn Object| {
        std::mem::swap(shell.meta_mut(), object.meta_mut());
        kind.behaviour.swap(part, shell, object);
    };
    exchange(&mut *shell);
    let own = json(kind, &mut *shell);
    exchange(&mut *shell);
    graft(&own?, managed, part, before).map_err(|error| ApiError::internal(format!("encode a part of an object: {error}")))
}

/// Writes one more field, or the first.
fn append(out: &mut Vec<u8>, key: &str, raw: &[u8]) {
    out.extend_from_slice(if out.is_empty() { b"{\"" } else { b",\"" });
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(raw);
}

/// `before`, which is of the stored form, with the metadata and one part of `own`.
fn graft(own: &[u8], managed: Option<&str>, part: &str, before: &[u8]) -> serde_json::Result<Bytes> {
    let size = own.len() + before.len();
    let (own, before) = (parts(own)?, parts(before)?);
    let mut out = begin(&own, managed, size);
    let now = field(&own, part);
    let is_new = field(&before, part).is_none();
    let kept = before.into_iter().filter(|(key, _)| *key != "metadata");
    let changed = kept.filter_map(|(key, raw)| if key == part { now.map(|now| (key, now)) } else { Some((key, raw)) });
    for (key, raw) in changed.chain(now.filter(|_| is_new).map(|now| (part, now))) {
        append(&mut out, key, raw.get().as_bytes());
    }
    out.push(b'}');
    Ok(Bytes::from(out))
}

/// What of the metadata counts in a write of a part: who is meant, and what may come with it.
const VIEWED: [&str; 5] = ["name", "namespace", "uid", "resourceVersion", "annotations"];

/// One field of stored JSON as a tree, and of its metadata what counts; the rest stays unread.
///
/// # Errors
/// When it is no object.
pub fn view(json: &[u8], field: &str) -> serde_json::Result<Value> {
    let mut view = Map::new();
    for (key, raw) in parts(json)? {
        if key == "metadata" {
            let counts = parts(raw.get().as_bytes())?.into_iter().filter(|(key, _)| VIEWED.contains(key));
            let metadata: serde_json::Result<Map<_, _>> =
                counts.map(|(key, raw)| Ok((key.to_owned(), serde_json::from_str(raw.get())?))).collect();
            view.insert(key.to_owned(), Value::Object(metadata?));
        } else if key == field {
            view.insert(key.to_owned(), serde_json::from_str(raw.get())?);
        }
    }
    Ok(Value::Object(view))
}

/// The metadata of JSON of the stored form, unread, as is what follows.
///
/// # Errors
/// When it does not begin with its metadata.
pub fn metadata(json: &[u8]) -> serde_json::Result<&str> {
    let metadata = json.starts_with(HEAD.as_bytes()).then(|| &json[HEAD.len() - 1..]);
    let mut reader = serde_json::Deserializer::from_str(text(metadata.unwrap_or_default())?).into_iter::<&RawValue>();
    reader.next().ok_or_else(|| serde_json::Error::custom("a stored object begins with its metadata"))?.map(RawValue::get)
}

/// The revision that [`crate::cache::item::with_revision`] spliced into stored JSON.
#[must_use]
pub fn revision(json: &[u8]) -> &str {
    let text = json.get(HEAD.len()..).and_then(|rest| rest.strip_prefix(item::REVISION)).unwrap_or_default();
    let end = memchr::memchr(b'"', text).unwrap_or(0);
    std::str::from_utf8(&text[..end]).unwrap_or_default()
}

/// JSON as text: checked once, and not again string by string.
pub(super) fn text(json: &[u8]) -> serde_json::Result<&str> {
    std::str::from_utf8(json).map_err(serde_json::Error::custom)
}

/// The fields of an object, their values unread.
fn parts(json: &[u8]) -> serde_json::Result<Vec<(&str, &RawValue)>> {
    struct Parts;
    impl<'de> Visitor<'de> for Parts {
        type Value = Vec<(&'de str, &'de RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut parts = Vec::with_capacity(6);
            while let Some(entry) = map.next_entry()? {
                parts.push(entry);
            }
            Ok(parts)
        }
    }
    serde_json::Deserializer::from_str(text(json)?).deserialize_map(Parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_begins_with_metadata() {
        let json = br#"{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"\"metadata\":{"},"metadata":{"name":"x"}}"#;
        assert_eq!(reorder(json, None).unwrap(), r#"{"metadata":{"name":"x"},"data":{"a":"\"metadata\":{"}}"#);
    }

    #[test]
    fn metadata_is_found_and_nothing_else_is_read() {
        assert_eq!(metadata(br#"{"metadata":{"name":"x","labels":{}},"spec":no"#).unwrap(), r#"{"name":"x","labels":{}}"#);
        assert!(metadata(br#"{"spec":{},"metadata":{}}"#).is_err());
        assert!(metadata(b"").is_err());
    }

    #[test]
    fn managed_fields_are_put_in_and_taken_out() {
        let with = reorder(br#"{"kind":"x","metadata":{"name":"x"},"spec":1}"#, Some(r#"[{"manager":"me"}]"#)).unwrap();
        assert_eq!(with, r#"{"metadata":{"managedFields":[{"manager":"me"}],"name":"x"},"spec":1}"#);
        let without = split(&with);
        assert_eq!((&*without.object, without.managed), (&br#"{"metadata":{"name":"x"},"spec":1}"#[..], Some(r#"[{"manager":"me"}]"#)));
        let revised = crate::cache::item::with_revision(&with, 7);
        assert_eq!(&*split(&revised).object, br#"{"metadata":{"resourceVersion":"7","name":"x"},"spec":1}"#);
        assert!(split(br#"{"metadata":{"name":"x"}}"#).managed.is_none());
    }

    #[test]
    fn nothing_is_written_as_null() {
        let nulls = Nulls { of: "spec", fields: &["a", "b"] };
        let with = |json: &str, nulls: &Nulls| String::from_utf8(with_nulls(json.as_bytes(), nulls).unwrap()).unwrap();
        assert_eq!(with(r#"{"spec":{"b":[]},"x":[]}"#, &nulls), r#"{"spec":{"a":null,"b":null},"x":[]}"#);
        assert_eq!(with(r#"{"spec":{}}"#, &nulls), r#"{"spec":{"a":null,"b":null}}"#);
        assert_eq!(with(r#"{"x":1}"#, &nulls), r#"{"x":1}"#);
        assert_eq!(with(r#"{"b":[1]}"#, &Nulls { of: "", ..nulls }), r#"{"b":[1],"a":null}"#);
    }

    #[test]
    fn only_the_body_counts_for_generation() {
        let old = br#"{"metadata":{"a":"1"},"spec":{"b":1},"status":{"c":1}}"#;
        assert!(!spec_differs(br#"{"metadata":{},"spec":{"b":1},"status":{"c":2}}"#, old).unwrap());
        assert!(spec_differs(br#"{"metadata":{},"spec":{"b":2},"status":{"c":1}}"#, old).unwrap());
    }
}

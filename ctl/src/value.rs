//! Reading decoded JSON without ceremony: what is missing, or of another type, reads as empty. It knows no field's name.

use serde_json::{Map, Value};

/// The string, or `""`.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The string if there is one that is not empty.
pub(crate) fn some_text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// The integer, or 0.
pub(crate) fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// The list, or an empty one.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The entries of a map of strings, in the order of their keys.
pub(crate) fn strings(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), text(value)))
}

/// A scalar as a human writes it: strings without quotes, everything else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The map, made one first if it is something else.
pub(crate) fn map_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object just now")
}

/// The name in `metadata`.
pub(crate) fn name(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// The namespace in `metadata`, if any.
pub(crate) fn namespace(object: &Value) -> Option<&str> {
    some_text(&object["metadata"]["namespace"])
}

/// How long ago a moment was, in few letters, as columns show it.
pub(crate) fn age(moment: &Value) -> String {
    match moment.as_str().and_then(|moment| moment.parse::<jiff::Timestamp>().ok()) {
        Some(moment) => mini_api::age::human(mini_daemon::clock::now().duration_since(moment).as_secs()),
        None => "<unknown>".to_owned(),
    }
}

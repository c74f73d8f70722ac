//! What `apply` sends: the difference between what the file says, what it said last time, and what is there now.
//!
//! A field is removed only if the last applied file had it and the new one has not; a field is set if it differs from what is
//! there; what others set is left alone. Lists of the server's built-in kinds are merged by the keys of its OpenAPI document
//! (strategic merge patch), others as a whole (JSON merge patch). Source: kubectl's `apply` and `strategicpatch`.
//! It knows no kind: the merge keys come from the [`Schema`].

mod applied;
mod schema;

use serde_json::{Map, Value, json};

use self::schema::Strategy;
pub(crate) use self::{
    applied::{json_patched, merged, strategically},
    schema::Schema,
};
use crate::value::map_mut;

/// Where a file's last state is kept, as JSON.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// `object` with its own text as the annotation [`LAST_APPLIED`], byte for byte as kubectl writes it.
pub(crate) fn with_last_applied(object: &Value) -> Value {
    let mut bare = without_last_applied(object);
    bare["metadata"]["annotations"][LAST_APPLIED] = (go_json(&bare) + "\n").into();
    bare
}

/// `object` without that annotation, but with a place for it, as it stands in the text.
pub(crate) fn without_last_applied(object: &Value) -> Value {
    let mut bare = object.clone();
    let annotations = map_mut(&mut map_mut(&mut bare)["metadata"]).entry("annotations").or_insert_with(|| json!({}));
    map_mut(annotations).remove(LAST_APPLIED);
    bare
}

/// What the annotation of a live object says was applied last; `None` if there is no (readable) annotation.
pub(crate) fn last_applied(live: &Value) -> Option<Value> {
    serde_json::from_str(live["metadata"]["annotations"][LAST_APPLIED].as_str()?).ok()
}

/// JSON as Go encodes it: sorted keys, three characters escaped for the sake of HTML.
pub(crate) fn go_json(value: &Value) -> String {
    let text = value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// What a comparison of two states is to notice.
#[derive(Clone, Copy)]
struct Notice {
    deletions: bool,
    changes: bool,
}

/// The three-way strategic merge patch that brings `current` to `modified`, given that `original` was applied last.
/// An empty map means that there is nothing to do.
pub(crate) fn strategic(original: Option<&Value>, modified: &Value, current: &Value, schema: &Schema<'_>) -> Value {
    let nothing = json!({});
    let changes = diff_maps(current, modified, schema, Notice { deletions: false, changes: true }, false);
    let deletions = diff_maps(original.unwrap_or(&nothing), modified, schema, Notice { deletions: true, changes: false }, false);
    Value::Object(merge(deletions, changes, schema))
}

/// The patch that makes `after` of `before`.
pub(crate) fn two_way(before: &Value, after: &Value, schema: &Schema<'_>) -> Value {
    Value::Object(diff_maps(before, after, schema, Notice { deletions: true, changes: true }, false))
}

/// The three-way JSON merge patch of the same meaning: lists are replaced as a whole.
pub(crate) fn json_merge(original: Option<&Value>, modified: &Value, current: &Value) -> Value {
    strategic(original, modified, current, &Schema::unknown())
}

fn diff_maps(from: &Value, to: &Value, schema: &Schema<'_>, notice: Notice, retain_keys: bool) -> Map<String, Value> {
    let empty = Map::new();
    let (from, to) = (from.as_object().unwrap_or(&empty), to.as_object().unwrap_or(&empty));
    let mut patch = Map::new();
    for (key, old) in from {
        match to.get(key) {
            None if notice.deletions => {
                patch.insert(key.clone(), Value::Null);
            }
            None => {}
            Some(new) => diff_field(key, old, new, schema, notice, &mut patch),
        }
    }
    if notice.changes {
        patch.extend(
            to.iter().filter(|(key, value)| !from.contains_key(*key) && !value.is_null()).map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    let drops_something = || from.iter().any(|(key, value)| !value.is_null() && !to.contains_key(key));
    if retain_keys && !to.is_empty() && (!patch.is_empty() || drops_something()) {
        patch.insert("$retainKeys".into(), to.keys().cloned().collect::<Vec<_>>().into());
    }
    patch
}

fn diff_field(key: &str, old: &Value, new: &Value, schema: &Schema<'_>, notice: Notice, patch: &mut Map<String, Value>) {
    let (field, strategy) = schema.field(key);
    match (old, new) {
        (Value::Object(_), Value::Object(_)) if !strategy.replaces => {
            let inner = diff_maps(old, new, &field, notice, strategy.retain_keys);
            if !inner.is_empty() {
                patch.insert(key.into(), inner.into());
            }
        }
        (Value::Array(old), Value::Array(new)) if strategy.merges && mergeable(old, new, &strategy) => match &strategy.merge_key {
            Some(merge_key) => diff_list_of_maps(key, old, new, merge_key, &field.items(), &strategy, notice, patch),
            None => diff_list_of_scalars(key, old, new, notice, patch),
        },
        _ => {
            if notice.changes && !same(old, new) {
                patch.insert(key.into(), new.clone());
            }
        }
    }
}

/// Whether every element has what merging needs: the key, or being a scalar.
fn mergeable(old: &[Value], new: &[Value], strategy: &Strategy) -> bool {
    old.iter().chain(new).all(|element| match &strategy.merge_key {
        Some(key) => element.get(key).is_some_and(|value| !value.is_null()),
        None => !element.is_object() && !element.is_array(),
    })
}

#[expect(clippy::too_many_arguments, reason = "one step of a recursion; a struct would only rename the arguments")]
fn diff_list_of_maps(
    field: &str,
    old: &[Value],
    new: &[Value],
    key: &str,
    schema: &Schema<'_>,
    strategy: &Strategy,
    notice: Notice,
    patch: &mut Map<String, Value>,
) {
    let find = |list: &[Value], wanted: &Value| list.iter().find(|element| element[key] == *wanted).cloned();
    let mut changes = Vec::new();
    for element in new {
        match find(old, &element[key]) {
            Some(before) => {
                let mut inner = diff_maps(&before, element, schema, notice, strategy.retain_keys);
                if !inner.is_empty() {
                    inner.insert(key.into(), element[key].clone());
                    changes.push(Value::Object(inner));
                }
            }
            None if notice.changes => changes.push(element.clone()),
            None => {}
        }
    }
    if notice.deletions {
        let gone = old.iter().filter(|element| find(new, &element[key]).is_none());
        changes.extend(gone.map(|element| json!({"$patch": "delete", key: element[key]})));
    }
    let keys = |list: &[Value]| list.iter().map(|element| element[key].clone()).collect::<Vec<_>>();
    // An order only matters when something is sent anyway, or when it is the file's order that has changed.
    if (notice.changes && !changes.is_empty()) || (notice.deletions && !old.is_empty() && keys(old) != keys(new)) {
        let order: Vec<Value> = new.iter().map(|element| json!({key: element[key]})).collect();
        patch.insert(format!("$setElementOrder/{field}"), order.into());
    }
    if !changes.is_empty() {
        patch.insert(field.into(), changes.into());
    }
}

fn diff_list_of_scalars(field: &str, old: &[Value], new: &[Value], notice: Notice, patch: &mut Map<String, Value>) {
    let added: Vec<Value> = new.iter().filter(|value| notice.changes && !old.contains(value)).cloned().collect();
    let removed: Vec<Value> = old.iter().filter(|value| notice.deletions && !new.contains(value)).cloned().collect();
    if !added.is_empty() || !removed.is_empty() || (notice.deletions && !old.is_empty() && old != new) {
        patch.insert(format!("$setElementOrder/{field}"), new.into());
    }
    if !added.is_empty() {
        patch.insert(field.into(), added.into());
    }
    if !removed.is_empty() {
        patch.insert(format!("$deleteFromPrimitiveList/{field}"), removed.into());
    }
}

/// Puts the changes over the deletions; both are patches from different states to the same one, so they never contradict.
fn merge(mut deletions: Map<String, Value>, changes: Map<String, Value>, schema: &Schema<'_>) -> Map<String, Value> {
    for (key, change) in changes {
        let merged = match (deletions.remove(&key), change) {
            (Some(Value::Object(deletion)), Value::Object(change)) => Value::Object(merge(deletion, change, &schema.field(&key).0)),
            (Some(Value::Array(deletion)), Value::Array(change)) if !key.starts_with('$') => {
                let (field, strategy) = schema.field(&key);
                Value::Array(merge_lists(deletion, change, &field.items(), strategy.merge_key.as_deref()))
            }
            (_, change) => change,
        };
        deletions.insert(key, merged);
    }
    deletions
}

/// Elements about the same key become one; deletions come last.
fn merge_lists(deletions: Vec<Value>, changes: Vec<Value>, schema: &Schema<'_>, key: Option<&str>) -> Vec<Value> {
    let Some(key) = key else { return changes };
    let mut merged = changes;
    for deletion in deletions {
        let same = merged.iter_mut().find(|element| element[key] == deletion[key]);
        match (same, deletion) {
            (Some(Value::Object(change)), Value::Object(deletion)) => *change = merge(deletion, std::mem::take(change), schema),
            (_, deletion) => merged.push(deletion),
        }
    }
    merged
}

/// Whether two scalars or atomic lists mean the same; `1` and `1.0` do.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests;

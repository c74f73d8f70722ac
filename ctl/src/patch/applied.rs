//! What becomes of an object when a patch is applied to it here and not by the server: for `--local`, for dry runs that send nothing,
//! and for the patches of a kustomization. Source: `strategicpatch.StrategicMergePatch`, RFC 7386 and RFC 6902.

use serde_json::{Map, Value};

use super::{Schema, schema::Strategy};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER: &str = "$setElementOrder/";

/// The object after a JSON patch.
///
/// # Errors
/// When it is no list of operations, or one of them cannot be done.
pub(crate) fn json_patched(object: &Value, patch: &Value) -> Result<Value, String> {
    let operations: json_patch::Patch = serde_json::from_value(patch.clone()).map_err(|error| error.to_string())?;
    let mut patched = object.clone();
    json_patch::patch(&mut patched, &operations).map_err(|error| error.to_string())?;
    Ok(patched)
}

/// The object after a JSON merge patch.
pub(crate) fn merged(object: &Value, patch: &Value) -> Value {
    let mut patched = object.clone();
    json_patch::merge(&mut patched, patch);
    patched
}

/// The object after a strategic merge patch; `None` when the patch deletes it.
pub(crate) fn strategically(object: &Value, patch: &Value, schema: &Schema<'_>) -> Option<Value> {
    match (object, patch) {
        (_, Value::Object(fields)) if fields.get(DIRECTIVE).is_some_and(|how| how == "delete") => None,
        (Value::Object(old), Value::Object(fields)) => Some(Value::Object(into_map(old.clone(), fields.clone(), schema))),
        _ => plain(patch.clone()),
    }
}

fn into_map(mut old: Map<String, Value>, mut patch: Map<String, Value>, schema: &Schema<'_>) -> Map<String, Value> {
    match patch.remove(DIRECTIVE).as_ref().and_then(Value::as_str) {
        Some("replace") => return patch,
        Some("delete") => return Map::new(),
        _ => {}
    }
    if let Some(Value::Array(kept)) = patch.remove(RETAIN_KEYS) {
        old.retain(|key, _| kept.iter().any(|kept| kept == key));
    }
    let orders: Map<String, Value> =
        patch.iter().filter_map(|(key, order)| Some((key.strip_prefix(ELEMENT_ORDER)?.to_owned(), order.clone()))).collect();
    patch.retain(|key, _| !key.starts_with(ELEMENT_ORDER));
    for (key, change) in patch {
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            if let (Some(Value::Array(elements)), Value::Array(gone)) = (old.get_mut(list), &change) {
                elements.retain(|element| !gone.contains(element));
            }
            continue;
        }
        let (field, strategy) = schema.field(&key);
        let new = match (old.remove(&key), change) {
            (_, Value::Null) => None,
            (Some(Value::Object(old)), Value::Object(change)) if !strategy.replaces => Some(Value::Object(into_map(old, change, &field))),
            (Some(Value::Array(old)), Value::Array(change)) if strategy.merges => {
                Some(Value::Array(into_list(old, change, &field.items(), &strategy)))
            }
            (_, change) => plain(change),
        };
        old.extend(new.map(|new| (key, new)));
    }
    for (key, order) in orders {
        let by = schema.field(&key).1.merge_key;
        if let (Some(Value::Array(elements)), Value::Array(order)) = (old.get_mut(&key), &order) {
            *elements = arranged(std::mem::take(elements), order, by.as_deref());
        }
    }
    old
}

fn into_list(mut old: Vec<Value>, patch: Vec<Value>, schema: &Schema<'_>, strategy: &Strategy) -> Vec<Value> {
    let by = strategy.merge_key.as_deref();
    let same = |a: &Value, b: &Value| alike(a, b, by);
    if patch.iter().any(|element| element[DIRECTIVE] == "replace") {
        return patch.into_iter().filter(|element| element[DIRECTIVE] != "replace").filter_map(plain).collect();
    }
    let order: Vec<Value> = patch.iter().filter(|element| element[DIRECTIVE] != "delete").cloned().collect();
    let before = old.clone();
    for change in patch {
        let at = old.iter().position(|element| same(element, &change));
        match (at, &change[DIRECTIVE] == "delete") {
            (Some(_), true) => old.retain(|element| !same(element, &change)),
            (None, true) => {}
            (Some(at), false) => old[at] = strategically(&old[at], &change, schema).unwrap_or_default(),
            (None, false) => old.extend(plain(change)),
        }
    }
    woven(old, &order, &before, by)
}

/// Whether two elements of a list are the same one.
fn alike(a: &Value, b: &Value, by: Option<&str>) -> bool {
    match by {
        Some(key) => !a[key].is_null() && a[key] == b[key],
        None => a == b,
    }
}

/// The patch's elements in the patch's order; each of the others before the first of those that it stood before.
fn woven(elements: Vec<Value>, order: &[Value], before: &[Value], by: Option<&str>) -> Vec<Value> {
    let place = |list: &[Value], wanted: &Value| list.iter().position(|element| alike(element, wanted, by));
    let (mut named, rest): (Vec<Value>, Vec<Value>) = elements.into_iter().partition(|element| place(order, element).is_some());
    named.sort_by_key(|element| place(order, element));
    let mut rest = rest.into_iter().peekable();
    let mut all = Vec::new();
    for element in named {
        let stood = place(before, &element);
        while let Some(earlier) = rest.next_if(|other| place(before, other) < stood) {
            all.push(earlier);
        }
        all.push(element);
    }
    all.extend(rest);
    all
}

/// The elements that an order names in that order, with the others after the one they followed.
fn arranged(elements: Vec<Value>, order: &[Value], by: Option<&str>) -> Vec<Value> {
    let before = elements.clone();
    woven(elements, order, &before, by)
}

/// A value that meets nothing to be merged with: directives and nulls mean nothing there.
fn plain(value: Value) -> Option<Value> {
    Some(match value {
        Value::Object(fields) if fields.get(DIRECTIVE).is_some_and(|how| how == "delete") => return None,
        Value::Object(fields) => {
            let is_directive =
                |key: &str| key == DIRECTIVE || key == RETAIN_KEYS || key.starts_with(DELETE_FROM) || key.starts_with(ELEMENT_ORDER);
            let kept = fields.into_iter().filter(|(key, value)| !is_directive(key) && !value.is_null());
            Value::Object(kept.filter_map(|(key, value)| Some((key, plain(value)?))).collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().filter_map(plain).collect()),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Compared with `kubectl patch --local` of the real kubectl 1.32.
    #[test]
    fn lists_are_merged_by_their_keys() {
        let pod = |containers: Value| json!({"spec": {"containers": containers, "finalizers": ["a", "b"]}});
        let containers = json!([{"name": "a", "image": "x", "ports": [{"containerPort": 80}]}, {"name": "b"}]);
        for (patch, expected) in [
            (
                json!([{"name": "b", "image": "y"}]),
                json!([{"name": "a", "image": "x", "ports": [{"containerPort": 80}]}, {"name": "b", "image": "y"}]),
            ),
            (json!([{"name": "c"}]), json!([{"name": "c"}, {"name": "a", "image": "x", "ports": [{"containerPort": 80}]}, {"name": "b"}])),
            (json!([{"name": "a", "$patch": "delete"}]), json!([{"name": "b"}])),
            (json!([{"name": "c"}, {"$patch": "replace"}]), json!([{"name": "c"}])),
            (
                json!([{"name": "a", "image": null, "ports": [{"containerPort": 81}]}]),
                json!([{"name": "a", "ports": [{"containerPort": 81}, {"containerPort": 80}]}, {"name": "b"}]),
            ),
        ] {
            let patched = strategically(&pod(containers.clone()), &json!({"spec": {"containers": patch}}), &Schema::well_known());
            assert_eq!(patched, Some(pod(expected)));
        }
    }

    #[test]
    fn directives_say_what_a_merge_cannot() {
        let object = json!({"metadata": {"finalizers": ["a", "b"], "labels": {"x": "y"}}});
        for (patch, expected) in [
            (
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
                Some(json!({"metadata": {"finalizers": ["b"], "labels": {"x": "y"}}})),
            ),
            (
                json!({"metadata": {"finalizers": ["c"], "$setElementOrder/finalizers": ["b", "c", "a"]}}),
                Some(json!({"metadata": {"finalizers": ["b", "c", "a"], "labels": {"x": "y"}}})),
            ),
            (json!({"metadata": {"$retainKeys": ["labels"]}}), Some(json!({"metadata": {"labels": {"x": "y"}}}))),
            (
                json!({"metadata": {"labels": {"$patch": "replace", "a": "b"}}}),
                Some(json!({"metadata": {"finalizers": ["a", "b"], "labels": {"a": "b"}}})),
            ),
            (json!({"metadata": {"labels": {"$patch": "delete"}}}), Some(json!({"metadata": {"finalizers": ["a", "b"], "labels": {}}}))),
            (json!({"$patch": "delete"}), None),
        ] {
            assert_eq!(strategically(&object, &patch, &Schema::well_known()), expected, "{patch}");
        }
    }

    #[test]
    fn operations_are_done_in_order_or_not_at_all() {
        let object = json!({"a": {"b": 1}});
        let done = json_patched(&object, &json!([{"op": "add", "path": "/a/c", "value": 2}, {"op": "remove", "path": "/a/b"}]));
        assert_eq!(done, Ok(json!({"a": {"c": 2}})));
        assert!(json_patched(&object, &json!([{"op": "test", "path": "/a/b", "value": 2}])).is_err());
        assert!(json_patched(&object, &json!({"op": "remove"})).is_err());
    }
}

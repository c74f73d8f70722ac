//! Kubernetes' own patch: a merge patch that knows from the schema which lists are merged item by item.
//!
//! Directives inside the patch say what a merge cannot: `$patch: replace|delete`, `$retainKeys`,
//! `$deleteFromPrimitiveList/<list>` and `$setElementOrder/<list>`. The order of merged lists is upstream's: items
//! of the patch in the patch's order, the others woven in between as they stood.

use serde_json::{Map, Value};

use super::{PatchError, go_kind, object};
use crate::schema::{ListPatch, ObjectPatch, Schema};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const ELEMENT_ORDER: &str = "$setElementOrder";

type Object = Map<String, Value>;

/// Applies a strategic merge patch to an object of the type `schema`.
///
/// # Errors
/// [`PatchError::BadRequest`] if the patch is no object or a directive is malformed, [`PatchError::Internal`] if
/// a list cannot be merged (an item lacks its merge key).
pub fn strategic(schema: &Schema, target: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let patch = object(patch, "")?;
    let original = target.as_object().cloned().unwrap_or_default();
    merge_objects(schema, original, patch).map(Value::Object)
}

fn merge_objects(schema: &Schema, mut original: Object, mut patch: Object) -> Result<Object, PatchError> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Object::new()),
            _ => {
                let directive = go_text(&directive);
                patch.insert(DIRECTIVE.to_owned(), Value::String(directive.clone()));
                let patch = go_text(&Value::Object(patch));
                Err(PatchError::Internal(format!("unknown patch type: {directive} in map: {patch}")))
            }
        };
    }
    retain_keys(&mut original, &mut patch)?;
    merge_ordered_lists(schema, &mut original, &mut patch)?;
    for (key, patch) in patch {
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            let list = list.strip_prefix('/').ok_or_else(|| bad_list_directive("primitive list"))?;
            delete_from(&mut original, list, &patch);
            continue;
        }
        match (original.remove(&key), patch) {
            (_, Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(patch)) => {
                let merged = merge_field(schema, &key, old, patch)?;
                original.insert(key, Value::Object(merged));
            }
            (Some(Value::Array(old)), Value::Array(patch)) => {
                let merged = merge_lists(schema.field(&key), old, patch)?;
                original.insert(key, Value::Array(merged));
            }
            (_, patch) => {
                if let Some(value) = without_directives(patch) {
                    original.insert(key, value);
                }
            }
        }
    }
    Ok(original)
}

fn merge_field(schema: &Schema, key: &str, old: Object, patch: Object) -> Result<Object, PatchError> {
    let field = schema.as_struct().and_then(|s| s.field(key));
    if field.is_some_and(|f| f.patch == ObjectPatch::Replace) {
        return Ok(patch);
    }
    merge_objects(schema.field(key).unwrap_or(&Schema::Any), old, patch)
}

/// `$retainKeys`: fields of the original that are not listed go.
fn retain_keys(original: &mut Object, patch: &mut Object) -> Result<(), PatchError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let malformed = || PatchError::BadRequest("invalid patch format of retainKeys".to_owned());
    let keys: Vec<&str> = keys.as_array().ok_or_else(malformed)?.iter().filter_map(Value::as_str).collect();
    let is_directive = |key: &str| key.starts_with(DELETE_FROM) || key.starts_with(ELEMENT_ORDER);
    if patch.iter().any(|(key, value)| !value.is_null() && !is_directive(key) && !keys.contains(&key.as_str())) {
        return Err(malformed());
    }
    original.retain(|key, _| keys.contains(&key.as_str()));
    Ok(())
}

/// `$deleteFromPrimitiveList/<list>`
fn delete_from(original: &mut Object, list: &str, patch: &Value) {
    if let (Some(Value::Array(items)), Value::Array(gone)) = (original.get_mut(list), patch) {
        items.retain(|item| !gone.contains(item));
    }
}

fn bad_list_directive(what: &str) -> PatchError {
    PatchError::BadRequest(format!("invalid patch format of {what}"))
}

/// `$setElementOrder/<list>`: merges these lists (taking them out of the patch) and puts them into that order.
fn merge_ordered_lists(schema: &Schema, original: &mut Object, patch: &mut Object) -> Result<(), PatchError> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
    for directive in directives {
        let order = patch.remove(&directive).unwrap_or_default();
        let malformed = || bad_list_directive("setElementOrder list");
        let key = directive[ELEMENT_ORDER.len()..].strip_prefix('/').ok_or_else(malformed)?.to_owned();
        let list = |value: Option<Value>| match value {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(bad_type(&other)),
        };
        let Some(order) = list(Some(order))? else { continue };
        let patch_items = list(patch.remove(&key).filter(|v| !v.is_null()))?;
        let old_items = list(original.remove(&key))?;
        let of = schema.field(&key);
        let by = merge_key(of);
        if let Some(items) = &patch_items {
            check_order(items, &order, by)?;
        }
        let server = names(old_items.as_deref().unwrap_or_default(), by);
        let merged = match (old_items, patch_items) {
            (None, None) => continue,
            (Some(old), None) => old,
            (Some(old), Some(patch)) => merge_lists(of, old, patch)?,
            (None, Some(patch)) => patch.into_iter().filter_map(without_directives).collect(),
        };
        original.insert(key, Value::Array(arrange(merged, &names(&order, by), &server, by)));
    }
    Ok(())
}

fn bad_type(found: &Value) -> PatchError {
    PatchError::Internal(format!("expected a []interface {{}}, but received a {}", go_kind(found)))
}

/// Items of the patch must stand in `$setElementOrder`, in that order.
fn check_order(items: &[Value], order: &[Value], by: Option<&str>) -> Result<(), PatchError> {
    let mut rest = order.iter();
    let kept = items.iter().filter(|item| item.get(DIRECTIVE).is_none());
    for item in kept {
        if !rest.any(|o| same(o, item, by)) {
            let [items, order] = [items, order].map(|list| go_text(&Value::Array(list.to_vec())));
            return Err(PatchError::Internal(format!(
                "The order in patch list:\n{items}\n doesn't match {ELEMENT_ORDER} list:\n{order}\n"
            )));
        }
    }
    Ok(())
}

fn merge_key(schema: Option<&Schema>) -> Option<&str> {
    match &schema?.as_list()?.patch {
        ListPatch::MergeBy(key) => Some(key),
        _ => None,
    }
}

/// Merges two lists as their type says.
fn merge_lists(schema: Option<&Schema>, old: Vec<Value>, patch: Vec<Value>) -> Result<Vec<Value>, PatchError> {
    let Some(list) = schema.and_then(Schema::as_list) else { return Ok(patch) };
    match &list.patch {
        ListPatch::Replace => Ok(patch),
        ListPatch::Merge => {
            let mut merged: Vec<Value> = Vec::with_capacity(old.len() + patch.len());
            for item in old.iter().chain(&patch) {
                if !merged.contains(item) {
                    merged.push(item.clone());
                }
            }
            Ok(arrange(merged, &names(&patch, None), &names(&old, None), None))
        }
        ListPatch::MergeBy(key) => merge_keyed(&list.elem, key, old, patch),
    }
}

/// Merges two lists of objects, told apart by the field `key`.
fn merge_keyed(elem: &Schema, key: &str, old: Vec<Value>, patch: Vec<Value>) -> Result<Vec<Value>, PatchError> {
    let (mut merged, patch) = carry_out_directives(key, old, patch)?;
    let (server, order) = (names(&merged, Some(key)), names(&patch, Some(key)));
    for item in patch {
        let value = match &item {
            Value::Object(fields) => fields.get(key).ok_or_else(|| no_merge_key(&item, key))?,
            other => return Err(bad_type(other)),
        };
        match (merged.iter_mut().find(|m| m.get(key) == Some(value)), item) {
            (Some(found), Value::Object(fields)) => {
                let before = match found.take() {
                    Value::Object(before) => before,
                    other => return Err(bad_type(&other)),
                };
                *found = Value::Object(merge_objects(elem, before, fields)?);
            }
            (_, item) => merged.extend(without_directives(item)),
        }
    }
    Ok(arrange(merged, &order, &server, Some(key)))
}

/// Removes `$patch: delete` items with what they delete, and everything if there is a `$patch: replace` item.
fn carry_out_directives(key: &str, mut old: Vec<Value>, patch: Vec<Value>) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut rest = Vec::with_capacity(patch.len());
    let mut replace = false;
    for item in patch {
        match item.get(DIRECTIVE).map(|d| d.as_str().unwrap_or_default()) {
            None => rest.push(item),
            Some("delete") => {
                let value = item.get(key).ok_or_else(|| no_merge_key(&item, key))?;
                old.retain(|o| o.get(key) != Some(value));
            }
            Some("replace") => replace = true,
            Some("merge") => {
                return Err(PatchError::Internal("merging lists cannot yet be specified in the patch".to_owned()));
            }
            Some(directive) => {
                let message = format!("unknown patch type: {directive} in map: {}", go_text(&item));
                return Err(PatchError::Internal(message));
            }
        }
    }
    Ok(if replace { (rest, Vec::new()) } else { (old, rest) })
}

fn no_merge_key(item: &Value, key: &str) -> PatchError {
    PatchError::Internal(format!("map: {} does not contain declared merge key: {key}", go_text(item)))
}

/// What tells an item apart, if anything does: the value of the merge key, or else the item itself.
fn name<'v>(item: &'v Value, by: Option<&str>) -> Option<&'v Value> {
    by.map_or(Some(item), |key| item.get(key))
}

/// The names of the items of a list, for when the items themselves are gone.
fn names(items: &[Value], by: Option<&str>) -> Vec<Option<Value>> {
    items.iter().map(|item| name(item, by).cloned()).collect()
}

/// Whether two items are the same one.
fn same(a: &Value, b: &Value, by: Option<&str>) -> bool {
    name(a, by).is_some_and(|name_of_a| name(b, by) == Some(name_of_a))
}

/// Puts a merged list into order: what stands in `patch` as it stands there, the rest as in `server`, each of the
/// rest before the first item that came after it in `server`. Both are names.
fn arrange(merged: Vec<Value>, patch: &[Option<Value>], server: &[Option<Value>], by: Option<&str>) -> Vec<Value> {
    let place = |order: &[Option<Value>], item: &Value| {
        let name = name(item, by)?;
        order.iter().position(|other| other.as_ref() == Some(name))
    };
    let mut in_patch = Vec::new();
    let mut rest = Vec::new();
    for item in merged {
        match place(patch, &item) {
            Some(at) => in_patch.push((at, item)),
            None => rest.push((place(server, &item), item)),
        }
    }
    in_patch.sort_by_key(|(at, _)| *at);
    rest.sort_by_key(|(at, _)| at.unwrap_or(usize::MAX));
    let mut all = Vec::with_capacity(in_patch.len() + rest.len());
    let mut rest = rest.into_iter().peekable();
    for (_, item) in in_patch {
        let at = place(server, &item);
        while let Some((_, before)) = rest.next_if(|(r, _)| matches!((r, at), (Some(r), Some(at)) if *r < at)) {
            all.push(before);
        }
        all.push(item);
    }
    all.extend(rest.map(|(_, item)| item));
    all
}

/// A value of the patch that meets nothing to merge with: directives have no meaning there. `None` if it deletes.
fn without_directives(value: Value) -> Option<Value> {
    Some(match value {
        Value::Object(mut object) => {
            match object.remove(DIRECTIVE) {
                Some(Value::String(directive)) if directive == "delete" => return None,
                _ => {}
            }
            let is_directive = |key: &str| key == RETAIN_KEYS || key.starts_with(DELETE_FROM) || key.starts_with(ELEMENT_ORDER);
            object.retain(|key, value| !is_directive(key) && !value.is_null());
            Value::Object(object.into_iter().filter_map(|(k, v)| Some((k, without_directives(v)?))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().filter_map(without_directives).collect()),
        other => other,
    })
}

/// A value as Go's `%v` prints it.
fn go_text(value: &Value) -> String {
    let join = |parts: Vec<String>| parts.join(" ");
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", join(items.iter().map(go_text).collect())),
        Value::Object(map) => {
            format!("map[{}]", join(map.iter().map(|(k, v)| format!("{k}:{}", go_text(v))).collect()))
        }
        other => other.to_string(),
    }
}

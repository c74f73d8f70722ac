//! What an applier once wanted and does not want any more goes, unless somebody owns it.

use serde_json::{Map, Value};

use super::{
    super::{
        fieldset::{FieldSet, PathElement},
        managed::compare::element,
    },
    sets::{Below, named, set_of},
};
use crate::schema::{ListKind, Schema};

/// Takes from `merged` what was in `last` and is not in `owned`. A field of which nothing owned is left goes as a whole, with
/// the defaults it had.
pub(super) fn prune(schema: &Schema, merged: Value, last: &FieldSet, owned: &FieldSet) -> Value {
    let (last, owned) = (named(schema, last), named(schema, owned));
    let all = named(schema, &set_of(schema, &merged));
    let kept = named(schema, &set_of(schema, &remove(schema, &merged, &last).unwrap_or_default()));
    // Owned by somebody, or never the applier's: both stay. Of the rest, what was the applier's goes.
    let back = remove(schema, &merged, &all.clone().difference(&kept.union(&owned))).unwrap_or_default();
    let back = named(schema, &set_of(schema, &back));
    let gone = all.difference(&back).intersection(&last);
    if gone.is_empty() { merged } else { remove(schema, &merged, &gone).unwrap_or_else(|| Value::Object(Map::new())) }
}

/// A value without what is in the set; `None` if nothing is left.
fn remove(schema: &Schema, value: &Value, set: &FieldSet) -> Option<Value> {
    if set.is_empty() {
        return Some(value.clone());
    }
    match (schema, value) {
        (Schema::Struct(_) | Schema::Map(_), Value::Object(object)) => {
            let mut out = Map::new();
            for (key, value) in object {
                let below = Below::key(schema, key);
                let left = match set.get(&PathElement::Field(key.as_str().into())) {
                    Some(node) if node.member => None,
                    Some(node) if !below.atomic => remove(below.schema, value, &node.children),
                    _ => Some(value.clone()),
                };
                out.extend(left.map(|left| (key.clone(), left)));
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
        (Schema::List(of), Value::Array(items)) if of.kind != ListKind::Atomic => {
            let left = items.iter().filter_map(|item| match set.get(&element(of, item)) {
                Some(node) if node.member => None,
                Some(node) => remove(&of.elem, item, &node.children),
                None => Some(item.clone()),
            });
            let left: Vec<Value> = left.collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        _ => Some(value.clone()),
    }
}

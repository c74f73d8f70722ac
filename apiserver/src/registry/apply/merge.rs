//! A configuration laid over an object: what it mentions wins, what it does not mention stays.

use serde_json::{Map, Value};

use super::{
    super::{fieldset::PathElement, managed::compare::element},
    sets::Below,
};
use crate::schema::{ListKind, ListType, Schema};

/// Lays `config` over `live`.
pub(super) fn merge(schema: &Schema, live: &Value, config: &Value) -> Value {
    lay(schema, schema.is_atomic(), live, config)
}

fn lay(schema: &Schema, atomic: bool, live: &Value, config: &Value) -> Value {
    match (schema, live, config) {
        (Schema::Struct(_) | Schema::Map(_), Value::Object(live), Value::Object(config)) if !atomic => {
            let mut out: Map<String, Value> = live.clone();
            for (key, value) in config {
                let below = Below::key(schema, key);
                let laid = live.get(key).map(|old| lay(below.schema, below.atomic, old, value));
                out.insert(key.clone(), laid.unwrap_or_else(|| value.clone()));
            }
            Value::Object(out)
        }
        (Schema::List(of), Value::Array(live), Value::Array(config)) if !atomic && of.kind != ListKind::Atomic => {
            Value::Array(lists(of, live, config))
        }
        _ => config.clone(),
    }
}

/// Items of both in the configuration's order; the others stay where they were among those they followed.
fn lists(of: &ListType, live: &[Value], config: &[Value]) -> Vec<Value> {
    let keyed = |items: &[Value]| -> Vec<PathElement> { items.iter().map(|item| element(of, item)).collect() };
    let (old, new) = (keyed(live), keyed(config));
    let mut shared = new.iter().filter(|key| old.contains(key)).peekable();
    let mut taken = vec![false; new.len()];
    let mut out = Vec::with_capacity(live.len().max(config.len()));
    let (mut left, mut right) = (0, 0);
    while left < old.len() || right < new.len() {
        let in_config = old.get(left).and_then(|key| new.iter().position(|other| other == key));
        match (left < old.len(), in_config) {
            // Only the object has it.
            (true, None) => {
                out.push(live[left].clone());
                left += 1;
                continue;
            }
            // Already merged, or another shared item comes first.
            (true, Some(at))
                if taken[at] || (right < new.len() && at != right && shared.peek().is_some_and(|next| **next != old[left])) =>
            {
                left += 1;
                continue;
            }
            _ => {}
        }
        let Some(key) = new.get(right) else { continue };
        let before = old.iter().position(|other| other == key);
        out.push(before.map_or_else(|| config[right].clone(), |at| lay(&of.elem, of.elem.is_atomic(), &live[at], &config[right])));
        taken[right] = true;
        shared.next_if(|next| *next == key);
        left += usize::from(left < old.len() && old[left] == *key);
        right += 1;
    }
    out
}

//! A patch that says what is already there changes nothing, one that is applied twice changes nothing more, and none makes an
//! object larger than its text can.

use mini_apiserver::{
    registry::patch,
    schema::{ListPatch, Schema},
};
use serde_json::{Map, Value, json};

use super::{dice::Dice, objects};

/// What a patch may add to an object beyond its own size: JSON patch may copy, but not more than this.
const MOST_COPIED: usize = 4 * 1024 * 1024;

pub(super) fn run(input: &[u8]) {
    let mut dice = Dice::of(input);
    let made = objects::strange(&mut dice);
    let schema = (made.version().schema)();
    let object = made.value;
    let text = object.to_string();
    by_itself(&schema, &object);
    let changed = change(&mut dice, &object);
    let bytes = changed.to_string().into_bytes();
    if let Ok(once) = patch::merge(&object, &bytes) {
        assert_eq!(patch::merge(&once, &bytes), Ok(once.clone()), "{changed} twice on {text}");
    }
    if let Ok(patched) = patch::strategic(&schema, &object, &bytes) {
        assert!(patched.to_string().len() <= 2 * (text.len() + bytes.len()), "{changed} on {text}");
    }
    let operations = operations(&mut dice, &object).to_string();
    if let Ok(patched) = patch::json(&object, operations.as_bytes()) {
        assert!(patched.to_string().len() <= text.len() + operations.len() + MOST_COPIED, "{operations} on {text}");
    }
}

/// An object patched by what it is, and by operations that only look.
fn by_itself(schema: &Schema, object: &Value) {
    if !has_null(object) {
        assert_eq!(patch::merge(object, object.to_string().as_bytes()), Ok(object.clone()));
        if keyed(schema, object) {
            let patched = patch::strategic(schema, object, object.to_string().as_bytes());
            assert_eq!(patched, Ok(object.clone()), "{object} by itself");
        }
    }
    let same = json!([{ "op": "test", "path": "", "value": object }, { "op": "replace", "path": "", "value": object }]);
    assert_eq!(patch::json(object, same.to_string().as_bytes()), Ok(object.clone()));
    assert_eq!(patch::strategic(schema, object, b"{}").as_ref(), Ok(object));
}

/// A null is no value in a merge patch, but a removal.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

/// Whether every list that is merged item by item can be: its items are of the right type and their keys differ.
pub(super) fn keyed(schema: &Schema, value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().all(|(name, value)| schema.field(name).is_none_or(|schema| keyed(schema, value))),
        Value::Array(items) => {
            let Schema::List(list) = schema else { return false };
            let keys: Vec<Option<&Value>> = match &list.patch {
                ListPatch::Replace => return true,
                ListPatch::Merge => items.iter().map(|item| Some(item).filter(|item| item.is_string())).collect(),
                ListPatch::MergeBy(key) => {
                    items.iter().map(|item| item.get(&**key).filter(|key| !key.is_object() && !key.is_array())).collect()
                }
            };
            let distinct = (0..keys.len()).all(|at| keys[at].is_some() && !keys[..at].contains(&keys[at]));
            distinct && items.iter().all(|item| keyed(&list.elem, item))
        }
        // Of a type that is no list or object although the schema says so: it is replaced.
        _ => true,
    }
}

/// Words of patches.
const WORDS: [&str; 9] =
    ["a", "name", "spec", "metadata", "$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/args", "c"];

/// A patch of some of the fields of an object, with directives here and there.
fn change(dice: &mut Dice<'_>, object: &Value) -> Value {
    match object {
        Value::Object(fields) => {
            let mut patch = Map::new();
            for (name, value) in fields {
                match dice.below(4) {
                    1 => _ = patch.insert(name.clone(), change(dice, value)),
                    2 if dice.chance(1, 4) => _ = patch.insert(name.clone(), Value::Null),
                    _ => {}
                }
            }
            if dice.chance(1, 4) {
                let values = [json!("replace"), json!("delete"), json!(["a", "name"]), json!({}), json!(null), json!([{ "name": "c" }])];
                patch.insert((*dice.pick(&WORDS)).to_owned(), dice.pick(&values).clone());
            }
            Value::Object(patch)
        }
        Value::Array(items) => {
            let kept: Vec<&Value> = items.iter().filter(|_| dice.chance(2, 3)).collect();
            kept.into_iter().map(|item| change(dice, item)).collect()
        }
        other if dice.chance(1, 4) => {
            if other.is_string() {
                json!(1)
            } else {
                json!("a")
            }
        }
        other => other.clone(),
    }
}

/// Operations on places that are there, or nearly.
fn operations(dice: &mut Dice<'_>, object: &Value) -> Value {
    let mut places = vec![String::new()];
    collect(object, "", &mut places);
    let place = |dice: &mut Dice<'_>| {
        let place = dice.pick(&places).clone();
        if dice.chance(1, 4) { place + *dice.pick(&["/-", "/0", "/a~1b", "~2", "/", "/18446744073709551616", "x"]) } else { place }
    };
    let many = dice.below(6);
    (0..many)
        .map(|_| {
            let op = dice.pick(&["add", "remove", "replace", "move", "copy", "test", "nope"]);
            json!({ "op": op, "path": place(dice), "from": place(dice), "value": dice.pick(&[json!(1), json!("a"), json!({}), json!(null), json!([])]) })
        })
        .collect()
}

fn collect(value: &Value, path: &str, places: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => return,
    };
    for (name, value) in below {
        let path = format!("{path}/{name}");
        collect(value, &path, places);
        places.push(path);
    }
}

//! Whether a tree is already what decoding would make of it, found out without making it once more: most patches of canonical
//! objects give such trees.

use serde_json::{Number, Value};

use super::{is_zero, scalar};
use crate::schema::{Int, Schema, Struct, Zero};

/// Whether decoding this tree gives the same tree, and nothing to complain about.
pub(super) fn is_canonical(schema: &Schema, value: &Value) -> bool {
    match (schema, value) {
        (_, Value::Null) => false,
        (Schema::Any, _) | (Schema::Boolean, Value::Bool(_)) | (Schema::String | Schema::IntOrString, Value::String(_)) => true,
        (schema, Value::Number(number)) => fits(schema, number),
        (Schema::Quantity, Value::String(text)) => is_same(scalar::quantity(text), text),
        (Schema::Bytes, Value::String(text)) => is_same(scalar::base64(text), text),
        (Schema::Time, Value::String(text)) => is_same(scalar::time(text), text),
        (Schema::MicroTime, Value::String(text)) => is_same(scalar::micro_time(text), text),
        (Schema::List(list), Value::Array(items)) => items.iter().all(|item| is_canonical(&list.elem, item)),
        (Schema::Map(map), Value::Object(object)) => object.values().all(|value| is_canonical(&map.elem, value)),
        (Schema::Struct(of), Value::Object(object)) => {
            let is_said = |(name, value): (&String, &Value)| is_field(of, name, value);
            let is_there = |name: &str| object.contains_key(name);
            object.iter().all(is_said) && of.always().all(|field| is_there(&field.name) || field.schema.zero().is_none())
        }
        _ => false,
    }
}

fn is_field(of: &Struct, name: &str, value: &Value) -> bool {
    of.field(name).is_some_and(|field| is_canonical(&field.schema, value) && (field.zero != Zero::Drop || !is_zero(value)))
}

fn fits(schema: &Schema, number: &Number) -> bool {
    match schema {
        Schema::Integer(Int::I64) => number.is_i64(),
        Schema::Integer(Int::I32) | Schema::IntOrString => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Schema::Number => true,
        _ => false,
    }
}

fn is_same(canonical: Result<String, String>, text: &str) -> bool {
    canonical.is_ok_and(|canonical| canonical == text)
}

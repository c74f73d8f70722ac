//! Which fields an object mentions, and which of them carry a name.

use serde_json::Value;

use super::super::{
    fieldset::{FieldSet, PathElement, Tree},
    managed::compare::element,
};
use crate::schema::{ListKind, Schema};

/// How to look at what lies one step below a value.
pub(super) struct Below<'s> {
    pub(super) schema: &'s Schema,
    pub(super) atomic: bool,
    /// Whether it is a field that its type declares.
    pub(super) declared: bool,
}

impl<'s> Below<'s> {
    /// What is at a field or key of an object of `schema`.
    pub(super) fn key(schema: &'s Schema, key: &str) -> Self {
        match schema {
            Schema::Struct(of) => match of.field(key) {
                Some(field) => Self { schema: &field.schema, atomic: field.atomic, declared: true },
                None => Self { schema: &Schema::Any, atomic: true, declared: false },
            },
            Schema::Map(of) => Self { schema: &of.elem, atomic: of.elem.is_atomic(), declared: false },
            _ => Self { schema: &Schema::Any, atomic: true, declared: false },
        }
    }
}

/// The paths of what an object mentions: scalars, atomic values, items, and what is given but empty.
#[must_use]
pub fn set_of(schema: &Schema, object: &Value) -> FieldSet {
    tree_of(schema, schema.is_atomic(), object).children
}

fn tree_of(schema: &Schema, atomic: bool, value: &Value) -> Tree {
    let mut tree = Tree::default();
    match (schema, value) {
        (Schema::Struct(_) | Schema::Map(_), Value::Object(object)) if !atomic => {
            for (key, value) in object {
                let below = Below::key(schema, key);
                let mut node = tree_of(below.schema, below.atomic, value);
                node.member |= !below.declared || value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                tree.children.insert(PathElement::Field(key.as_str().into()), node);
            }
        }
        (Schema::List(of), Value::Array(items)) if !atomic && of.kind != ListKind::Atomic => {
            for item in items {
                let mut node = tree_of(&of.elem, of.elem.is_atomic(), item);
                node.member = true;
                tree.children.insert(element(of, item), node);
            }
        }
        (Schema::Struct(_) | Schema::Map(_) | Schema::List(_), Value::Null) if !atomic => {}
        _ => tree.member = true,
    }
    tree
}

/// The same set with every declared field on the way to a path in it. (Keys of maps stay out.)
pub(super) fn named(schema: &Schema, set: &FieldSet) -> FieldSet {
    let mut out = FieldSet::default();
    for (step, node) in set.iter() {
        let (below, declared) = match (step, schema) {
            (PathElement::Field(name), _) => {
                let below = Below::key(schema, name);
                (below.schema, below.declared)
            }
            (_, Schema::List(of)) => (&of.elem, false),
            _ => (&Schema::Any, false),
        };
        let children = named(below, &node.children);
        out.insert(step.clone(), Tree { member: node.member || declared, children });
    }
    out
}

/// The first list of an object in which two items share their key, with that key.
#[must_use]
pub fn duplicate(schema: &Schema, object: &Value) -> Option<String> {
    fn walk(schema: &Schema, atomic: bool, value: &Value, path: &str) -> Option<String> {
        match (schema, value) {
            (Schema::Struct(_) | Schema::Map(_), Value::Object(object)) if !atomic => object.iter().find_map(|(key, value)| {
                let below = Below::key(schema, key);
                walk(below.schema, below.atomic, value, &format!("{path}.{key}"))
            }),
            (Schema::List(of), Value::Array(items)) if !atomic && of.kind != ListKind::Atomic => {
                let mut seen = Vec::with_capacity(items.len());
                for item in items {
                    let key = element(of, item);
                    if seen.contains(&key) {
                        return Some(format!("{path}: duplicate entries for key {key}"));
                    }
                    if let Some(found) = walk(&of.elem, of.elem.is_atomic(), item, &format!("{path}{key}")) {
                        return Some(found);
                    }
                    seen.push(key);
                }
                None
            }
            _ => None,
        }
    }
    walk(schema, schema.is_atomic(), object, "")
}

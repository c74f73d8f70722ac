//! Fields that an object shows as null where nothing is in them.
//!
//! Upstream's types write them always, for they have no `omitempty`: times, pointers and lists. And its store, which is not JSON,
//! cannot tell an empty list from none. The types of `k8s-openapi` leave out what is not given.

use serde_json::{Map, Value};

/// Such fields of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Nulls {
    /// The field of the object they are in; empty for the object itself.
    pub of: &'static str,
    /// Their names.
    pub fields: &'static [&'static str],
}

impl Nulls {
    /// What most kinds have.
    pub const NONE: Self = Self { of: "", fields: &[] };

    /// Sets those that hold nothing.
    pub fn fill(&self, object: &mut Value) {
        let Some(parent) = self.parent(object) else { return };
        for field in self.fields {
            let value = parent.entry(*field).or_insert(Value::Null);
            if value.as_array().is_some_and(Vec::is_empty) {
                *value = Value::Null;
            }
        }
    }

    /// Removes those that hold nothing.
    pub fn strip(&self, object: &mut Value) {
        if let Some(parent) = self.parent(object) {
            parent.retain(|field, value| !(value.is_null() && self.fields.contains(&field.as_str())));
        }
    }

    fn parent<'a>(&self, object: &'a mut Value) -> Option<&'a mut Map<String, Value>> {
        if self.of.is_empty() { object } else { object.get_mut(self.of)? }.as_object_mut()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_null() {
        let nulls = Nulls { of: "spec", fields: &["a", "b", "c"] };
        let mut object = json!({"spec": {"b": [], "c": [1], "d": []}});
        nulls.fill(&mut object);
        assert_eq!(object, json!({"spec": {"a": null, "b": null, "c": [1], "d": []}}));
        nulls.strip(&mut object);
        assert_eq!(object, json!({"spec": {"c": [1], "d": []}}));
        for mut odd in [json!({}), json!({"spec": 1}), json!([])] {
            let before = odd.clone();
            nulls.fill(&mut odd);
            nulls.strip(&mut odd);
            assert_eq!(odd, before);
        }
    }
}

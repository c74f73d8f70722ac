//! What versions of workloads that upstream has dropped left out, and what it then was.

use serde_json::{Map, Value, json};

use super::Conversion;

/// The first version of a workload with an `updateStrategy`: the labels of the template are the selector, and pods stay until
/// somebody deletes them.
pub(super) const fn first(warning: &'static str) -> Conversion {
    Conversion {
        upgrade: |object| {
            selector_from_template(object);
            update_on_delete(object);
        },
        downgrade: |_| {},
        warning: Some(warning),
        optional: &["selector"],
        shown: true,
    }
}

/// Old versions needed no selector: the labels of the template did, also as labels of the object.
pub(super) fn selector_from_template(object: &mut Value) {
    let Some(labels) = object.pointer("/spec/template/metadata/labels").filter(|labels| labels.is_object()).cloned() else { return };
    default(&mut object["spec"], "selector", json!({ "matchLabels": labels }));
    let is_unlabelled = object.pointer("/metadata/labels").is_none_or(|labels| labels.as_object().is_none_or(Map::is_empty));
    if is_unlabelled && object.get("metadata").is_none_or(Value::is_object) {
        object["metadata"]["labels"] = labels;
    }
}

/// The first update strategies had to be asked for: pods were replaced only when somebody deleted them.
fn update_on_delete(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) else { return };
    default(spec, "updateStrategy", json!({}));
    default(&mut spec["updateStrategy"], "type", json!("OnDelete"));
}

/// Sets a field that is absent or null. What is no object is left to be refused later.
pub(super) fn default(object: &mut Value, field: &str, value: Value) {
    if let Some(object) = object.as_object_mut()
        && object.get(field).is_none_or(Value::is_null)
    {
        object.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays() {
        let mut object = json!({"metadata": {"labels": {"x": "y"}}, "spec": {
            "selector": {"matchLabels": {"a": "b"}}, "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": {"a": "b", "c": "d"}}},
        }});
        let before = object.clone();
        selector_from_template(&mut object);
        update_on_delete(&mut object);
        assert_eq!(object, before);
    }

    #[test]
    fn what_is_no_object_stays() {
        for mut object in [json!({}), json!({"spec": 1}), json!([])] {
            let before = object.clone();
            selector_from_template(&mut object);
            update_on_delete(&mut object);
            assert_eq!(object, before);
        }
    }
}

//! IPAddresses: which address of a Service is taken, and by whom.

use k8s_openapi::api::networking::v1::{IPAddress, ParentReference};
use mini_api::name;
use serde::Serialize;
use serde_json::Value;

use super::{
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::text,
};

/// What is special about an IPAddress.
pub(super) const RULES: Rules<IPAddress> = Rules {
    validate,
    validate_update,
    columns: &[Column::name(), column("ParentRef", |address: &IPAddress, _| Value::from(parent_cell(&address.spec.parent_ref)))],
    ..Rules::NONE
};

fn validate(address: &IPAddress, errors: &mut Errors) {
    let path = Path::new("spec");
    let path = path.child("parentRef");
    let parent = &address.spec.parent_ref;
    // The type cannot tell an empty parent from none.
    if *parent == ParentReference::default() {
        return errors.required(&path, "");
    }
    let group = text(&parent.group);
    if !group.is_empty() {
        errors.invalid_all(&path.child("group"), group, name::dns1123_subdomain(group));
    }
    for (field, value) in [("resource", &parent.resource), ("name", &parent.name)] {
        if value.is_empty() {
            errors.required(&path.child(field), "");
        } else {
            errors.invalid_all(&path.child(field), value, name::path_segment(value));
        }
    }
    let namespace = text(&parent.namespace);
    if !namespace.is_empty() {
        errors.invalid_all(&path.child("namespace"), namespace, name::path_segment(namespace));
    }
}

fn validate_update(new: &IPAddress, old: &IPAddress, errors: &mut Errors) {
    /// The parent as messages show it.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown<'a> {
        group: &'a str,
        resource: &'a str,
        namespace: &'a str,
        name: &'a str,
    }
    let parent = &new.spec.parent_ref;
    if *parent != old.spec.parent_ref {
        let shown =
            Shown { group: text(&parent.group), resource: &parent.resource, namespace: text(&parent.namespace), name: &parent.name };
        let path = Path::new("spec");
        errors.invalid(&path.child("parentRef"), shown, "field is immutable");
    }
}

/// Such as `services/default/kubernetes`.
fn parent_cell(parent: &ParentReference) -> String {
    if *parent == ParentReference::default() {
        return "<none>".to_owned();
    }
    let group = text(&parent.group);
    let resource = if group.is_empty() { parent.resource.clone() } else { format!("{}.{group}", parent.resource) };
    let namespace = text(&parent.namespace);
    let owner = if namespace.is_empty() { parent.name.clone() } else { format!("{namespace}/{}", parent.name) };
    format!("{}/{owner}", resource.to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(parent: Value) -> IPAddress {
        serde_json::from_value(json!({"spec": {"parentRef": parent}})).unwrap()
    }

    #[test]
    fn an_address_has_a_parent() {
        for (parent, want) in [
            (json!({"resource": "services", "namespace": "default", "name": "kubernetes"}), ""),
            (json!({}), "spec.parentRef: Required value"),
            (json!({"resource": "services", "name": ""}), "spec.parentRef.name: Required value"),
        ] {
            let mut errors = Errors::new();
            validate(&of(parent), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn the_parent_stays() {
        let mut errors = Errors::new();
        validate_update(&of(json!({"resource": "services", "name": "b"})), &of(json!({"resource": "services", "name": "a"})), &mut errors);
        assert_eq!(
            errors.to_string(),
            "spec.parentRef: Invalid value: {\"Group\":\"\",\"Resource\":\"services\",\"Namespace\":\"\",\"Name\":\"b\"}: field is immutable"
        );
    }

    #[test]
    fn parents_are_shown_as_paths() {
        let shown = |parent| parent_cell(&of(parent).spec.parent_ref);
        assert_eq!(shown(json!({"resource": "services", "namespace": "default", "name": "k"})), "services/default/k");
        assert_eq!(shown(json!({"resource": "gateways", "group": "x.y", "name": "k"})), "gateways.x.y/k");
    }
}

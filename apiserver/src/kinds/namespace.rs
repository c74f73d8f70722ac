//! Namespaces: where names live. A namespace goes only when nothing is left in it.

use k8s_openapi::api::core::v1::{Namespace, NamespaceStatus};
use mini_api::name;
use serde_json::Value;

use super::{
    Field, field,
    field::{Errors, Path},
    rules::{Column, Rules, column, parts},
    unset::{list, text},
};

/// What lists of Namespaces can be selected by.
pub(super) const FIELDS: &[Field] = &[field("status.phase", &["/status/phase"])];

/// The label by which network policies and others select a namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Who has to empty a namespace before it goes.
const EMPTIER: &str = "kubernetes";

/// What is special about a Namespace.
pub(super) const RULES: Rules<Namespace> = Rules {
    defaults,
    on_create,
    on_update: |new, old| new.spec.clone_from(&old.spec),
    validate,
    validate_status,
    columns: &[
        Column::name(),
        column("Status", |namespace: &Namespace, _| {
            Value::from(namespace.status.as_ref().map(|status| text(&status.phase)).unwrap_or_default())
        })
        .about("The status of the namespace"),
        Column::age(),
    ],
    held: |namespace| namespace.spec.as_ref().is_some_and(|spec| !list(&spec.finalizers).is_empty()),
    on_delete: |namespace| namespace.status.get_or_insert_default().phase = Some("Terminating".to_owned()),
    parts: parts![spec, status],
    ..Rules::NONE
};

fn defaults(namespace: &mut Namespace) {
    namespace.spec.get_or_insert_default();
    namespace.status.get_or_insert_default();
    if let Some(name) = namespace.metadata.name.clone().filter(|name| !name.is_empty()) {
        namespace.metadata.labels.get_or_insert_default().insert(NAME_LABEL.to_owned(), name);
    }
}

fn on_create(namespace: &mut Namespace) {
    // Again: by now a generated name is known.
    defaults(namespace);
    namespace.status = Some(NamespaceStatus { phase: Some("Active".to_owned()), ..NamespaceStatus::default() });
    let finalizers = namespace.spec.get_or_insert_default().finalizers.get_or_insert_default();
    if !finalizers.iter().any(|finalizer| finalizer == EMPTIER) {
        finalizers.push(EMPTIER.to_owned());
    }
}

fn validate(namespace: &Namespace, errors: &mut Errors) {
    let spec = Path::new("spec");
    let path = spec.child("finalizers");
    for finalizer in namespace.spec.iter().flat_map(|spec| list(&spec.finalizers)) {
        errors.invalid_all(&path, finalizer, name::qualified_name(finalizer));
        if !finalizer.contains('/') && !matches!(finalizer.as_str(), "kubernetes" | "orphan" | "foregroundDeletion") {
            errors.invalid(&path, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
        }
    }
}

fn validate_status(new: &Namespace, _: &Namespace, errors: &mut Errors) {
    let phase = new.status.as_ref().map(|status| text(&status.phase)).unwrap_or_default();
    let status = Path::new("status");
    let path = status.child("Phase");
    let is_going = new.metadata.deletion_timestamp.is_some();
    if !is_going && phase != "Active" {
        errors.invalid(&path, phase, "may only be 'Active' if `deletionTimestamp` is empty");
    }
    if is_going && phase != "Terminating" {
        errors.invalid(&path, phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_one() {
        let mut namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": "n"}})).unwrap();
        defaults(&mut namespace);
        on_create(&mut namespace);
        assert_eq!(
            serde_json::to_value(&namespace).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}},
                "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
            })
        );
        assert!((RULES.held)(&namespace));
        (RULES.on_delete)(&mut namespace);
        let mut errors = Errors::new();
        validate_status(&namespace, &namespace, &mut errors);
        assert_eq!(
            errors.to_string(),
            "status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"
        );
    }
}

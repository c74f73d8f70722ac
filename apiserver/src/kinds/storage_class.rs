//! StorageClasses: kinds of storage, and what makes volumes of them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{
    core::v1::{TopologySelectorLabelRequirement, TopologySelectorTerm},
    storage::v1::StorageClass,
};
use mini_api::name;
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    pod::warnings::old_node_label,
    rules::{Column, Rules, column},
    storage_name::{parameters, provisioner},
    unset::{default_text, flag, list, text},
};

/// The annotations that make a class the one claims get when they name none.
const DEFAULT: [&str; 2] = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some("storage.k8s.io/v1beta1 StorageClass is deprecated in v1.19+, unavailable in v1.22+; use storage.k8s.io/v1 StorageClass"),
    ..Conversion::NONE
};

/// What is special about a StorageClass.
pub(super) const RULES: Rules<StorageClass> = Rules {
    defaults: |class| {
        default_text(&mut class.reclaim_policy, "Delete");
        default_text(&mut class.volume_binding_mode, "Immediate");
    },
    validate,
    validate_update,
    warnings,
    columns: &[
        Column {
            cell: |class, _| {
                let name = class.metadata.name.clone().unwrap_or_default();
                Value::from(if is_default(class) { name + " (default)" } else { name })
            },
            ..Column::name()
        },
        column("Provisioner", |class: &StorageClass, _| Value::from(class.provisioner.clone()))
            .about("provisioner indicates the type of the provisioner."),
        column("ReclaimPolicy", |class: &StorageClass, _| Value::from(text(&class.reclaim_policy))),
        column("VolumeBindingMode", |class: &StorageClass, _| Value::from(text(&class.volume_binding_mode))),
        column("AllowVolumeExpansion", |class: &StorageClass, _| Value::from(flag(class.allow_volume_expansion)))
            .about("allowVolumeExpansion shows whether the storage class allow volume expand."),
        Column::age(),
    ],
    ..Rules::NONE
};

/// Whether it is what claims get that name no class.
pub(crate) fn is_default(class: &StorageClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    DEFAULT.iter().any(|key| annotations.and_then(|annotations| annotations.get(*key)).is_some_and(|value| value == "true"))
}

fn validate(class: &StorageClass, errors: &mut Errors) {
    provisioner(&class.provisioner, &Path::new("provisioner"), errors);
    parameters(class.parameters.as_ref(), &Path::new("parameters"), errors);
    for (field, value, known) in [
        ("reclaimPolicy", text(&class.reclaim_policy), ["Delete", "Retain"]),
        ("volumeBindingMode", text(&class.volume_binding_mode), ["Immediate", "WaitForFirstConsumer"]),
    ] {
        if !known.contains(&value) {
            errors.unsupported(&Path::new(field), value, &known);
        }
    }
    topologies(list(&class.allowed_topologies), &Path::new("allowedTopologies"), errors);
}

type Values<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn topologies(terms: &[TopologySelectorTerm], path: &Path<'_>, errors: &mut Errors) {
    // Upstream's list of what it has seen begins with an empty one for each, so an empty one is always there already.
    let mut seen: Vec<Values<'_>> = vec![Values::new(); terms.len()];
    for (index, term) in terms.iter().enumerate() {
        let path = path.index(index);
        let path = path.child("matchLabelExpressions");
        let mut values = Values::new();
        for (index, requirement) in list(&term.match_label_expressions).iter().enumerate() {
            let path = path.index(index);
            let wanted = requirement_values(requirement, &path, errors);
            if values.insert(&requirement.key, wanted).is_some() {
                errors.duplicate(&path.child("key"), &requirement.key);
            }
        }
        for _ in seen.iter().filter(|other| **other == values) {
            errors.duplicate(&path, "");
        }
        seen.push(values);
    }
}

fn requirement_values<'a>(requirement: &'a TopologySelectorLabelRequirement, path: &Path<'_>, errors: &mut Errors) -> BTreeSet<&'a str> {
    let values_path = path.child("values");
    let mut seen = BTreeSet::new();
    if requirement.values.is_empty() {
        errors.required(&values_path, "");
    }
    for (index, value) in requirement.values.iter().enumerate() {
        if !seen.insert(value.as_str()) {
            errors.duplicate(&values_path.index(index), value);
        }
    }
    errors.invalid_all(&path.child("key"), &requirement.key, name::qualified_name(&requirement.key));
    seen
}

fn validate_update(new: &StorageClass, old: &StorageClass, errors: &mut Errors) {
    if new.parameters.clone().unwrap_or_default() != old.parameters.clone().unwrap_or_default() {
        errors.forbidden(&Path::new("parameters"), "updates to parameters are forbidden.");
    }
    if new.provisioner != old.provisioner {
        errors.forbidden(&Path::new("provisioner"), "updates to provisioner are forbidden.");
    }
    if new.reclaim_policy != old.reclaim_policy {
        errors.forbidden(&Path::new("reclaimPolicy"), "updates to reclaimPolicy are forbidden.");
    }
    if new.volume_binding_mode != old.volume_binding_mode {
        errors.invalid(&Path::new("volumeBindingMode"), &new.volume_binding_mode, "field is immutable");
    }
}

fn warnings(class: &StorageClass) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, term) in list(&class.allowed_topologies).iter().enumerate() {
        for (place, requirement) in list(&term.match_label_expressions).iter().enumerate() {
            if let Some(why) = old_node_label(&requirement.key) {
                warnings.push(format!("allowedTopologies[{index}].matchLabelExpressions[{place}]: {why}"));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(json: Value) -> StorageClass {
        let mut class: StorageClass = serde_json::from_value(json).unwrap();
        (RULES.defaults)(&mut class);
        class
    }

    #[test]
    fn what_is_wrong() {
        for (json, want) in [
            (json!({"provisioner": ""}), "provisioner: Required value"),
            (
                json!({"provisioner": "p", "reclaimPolicy": "Recycle"}),
                "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"",
            ),
            (
                json!({"provisioner": "p", "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["a", "a"]}]}]}),
                "allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: \"a\"",
            ),
            (json!({"provisioner": "p", "allowedTopologies": [{}]}), "allowedTopologies[0].matchLabelExpressions: Duplicate value: \"\""),
            (json!({"provisioner": "p", "parameters": {"": "x"}}), "parameters: Invalid value: \"\": field can not be empty."),
        ] {
            let mut errors = Errors::new();
            validate(&class(json), &mut errors);
            assert_eq!(errors.to_string(), want);
        }
    }

    #[test]
    fn little_changes() {
        let mut errors = Errors::new();
        let new = class(json!({"provisioner": "q", "reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer"}));
        validate_update(&new, &class(json!({"provisioner": "p"})), &mut errors);
        assert_eq!(
            errors.to_string(),
            "[provisioner: Forbidden: updates to provisioner are forbidden., reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden., volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable]"
        );
    }
}

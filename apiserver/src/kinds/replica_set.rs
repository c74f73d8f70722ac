//! ReplicaSets: so many pods of one template; and the versions of ReplicaSet that old files still use.

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use serde_json::Value;

use super::{
    Conversion, Field,
    count::{none_above, none_negative, not_negative},
    field,
    field::{Errors, Path},
    old_version::selector_from_template,
    pod_template,
    rules::{Column, Rules, column, parts},
    selector,
};

/// What lists of ReplicaSets can be selected by.
pub(super) const FIELDS: &[Field] = &[Field { absent: "0", ..field("status.replicas", &["/status/replicas"]) }];

/// The version of the first ReplicaSets: the labels of the template are the selector.
pub(super) const EXTENSIONS_V1BETA1: Conversion = Conversion {
    upgrade: selector_from_template,
    downgrade: |_| {},
    warning: Some("extensions/v1beta1 ReplicaSet is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 ReplicaSet"),
    optional: &["selector"],
    shown: true,
};

/// The last version before v1, and no different.
pub(super) const APPS_V1BETA2: Conversion = Conversion {
    warning: Some("apps/v1beta2 ReplicaSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 ReplicaSet"),
    ..Conversion::NONE
};

/// What is special about a ReplicaSet.
pub(super) const RULES: Rules<ReplicaSet> = Rules {
    decode: |json| selector::decode(json, |object: &mut ReplicaSet| &mut object.spec.get_or_insert_default().selector),
    defaults,
    on_create: |replica_set| replica_set.status = Some(ReplicaSetStatus::default()),
    validate,
    validate_update: |new, old, errors| {
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            selector::immutable(&new.selector, &old.selector, errors);
        }
    },
    validate_status: |new, _, errors| validate_status(new, errors),
    warnings: |replica_set| {
        let template = replica_set.spec.as_ref().and_then(|spec| spec.template.as_ref());
        template.map(pod_template::warnings).unwrap_or_default()
    },
    columns: COLUMNS,
    parts: parts![spec, status],
    ..Rules::NONE
};

fn defaults(replica_set: &mut ReplicaSet) {
    replica_set.status.get_or_insert_default();
    let spec = replica_set.spec.get_or_insert_default();
    spec.replicas.get_or_insert(1);
    pod_template::defaults(spec.template.get_or_insert_default());
}

fn validate(replica_set: &ReplicaSet, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &replica_set.spec else { return errors.required(&path, "") };
    not_negative(spec.replicas, &path.child("replicas"), errors);
    not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    if let (Ok(selector), Some(template)) =
        (selector::required(&spec.selector, &path.child("selector"), "deployment", "invalid label selector", errors), &spec.template)
    {
        pod_template::validate_replicated(template, selector.as_ref(), &path.child("template"), errors);
    }
}

fn validate_status(replica_set: &ReplicaSet, errors: &mut Errors) {
    let Some(status) = &replica_set.status else { return };
    let path = Path::new("status");
    let parts = [
        ("fullyLabeledReplicas", status.fully_labeled_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
    ];
    not_negative(Some(status.replicas), &path.child("replicas"), errors);
    none_negative(&parts, &path, errors);
    not_negative(status.terminating_replicas, &path.child("terminatingReplicas"), errors);
    not_negative(status.observed_generation, &path.child("observedGeneration"), errors);
    none_above(&parts, status.replicas, "status.replicas", &path, errors);
    none_above(&parts[2..], status.ready_replicas.unwrap_or_default(), "readyReplicas", &path, errors);
}

const COLUMNS: &[Column<ReplicaSet>] = &[
    Column::name(),
    column("Desired", |replica_set: &ReplicaSet, _| {
        Value::from(replica_set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default())
    })
    .integer(),
    column("Current", |replica_set: &ReplicaSet, _| Value::from(replica_set.status.as_ref().map_or(0, |status| status.replicas))).integer(),
    column("Ready", |replica_set: &ReplicaSet, _| {
        Value::from(replica_set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default())
    })
    .integer(),
    Column::age(),
    column("Containers", |replica_set: &ReplicaSet, _| {
        Value::from(pod_template::containers_cell(replica_set.spec.as_ref().and_then(|spec| spec.template.as_ref())))
    })
    .wide(),
    column("Images", |replica_set: &ReplicaSet, _| {
        Value::from(pod_template::images_cell(replica_set.spec.as_ref().and_then(|spec| spec.template.as_ref())))
    })
    .wide(),
    column("Selector", |replica_set: &ReplicaSet, _| {
        Value::from(replica_set.spec.as_ref().map(|spec| selector::cell(&spec.selector)).unwrap_or_default())
    })
    .wide(),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_must_add_up() {
        let replica_set: ReplicaSet =
            serde_json::from_value(json!({"status": {"replicas": 1, "readyReplicas": 2, "availableReplicas": -1}})).unwrap();
        let mut errors = Errors::new();
        validate_status(&replica_set, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[status.availableReplicas: Invalid value: -1: must be greater than or equal to 0, status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas]"
        );
    }

    #[test]
    fn a_minimal_one() {
        let json = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
        let mut object = (RULES.decode)(&json.to_string()).unwrap();
        defaults(&mut object);
        let mut errors = Errors::new();
        validate(&object, &mut errors);
        assert!(errors.is_empty(), "{errors}");
        assert_eq!(object.spec.unwrap().replicas, Some(1));
        assert_eq!(serde_json::to_value(object.status).unwrap(), json!({"replicas": 0}));
    }
}

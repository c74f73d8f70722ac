//! StatefulSets: pods with names and volumes that outlive them; and the versions of StatefulSet that old files still use.

use k8s_openapi::{
    api::{
        apps::v1::{RollingUpdateStatefulSetStrategy, StatefulSet, StatefulSetSpec, StatefulSetStatus, StatefulSetUpdateStrategy},
        core::v1::{PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, PodTemplateSpec, Volume},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_api::{name, selector::Selector};
use serde::Serialize;
use serde_json::Value;

use super::{
    Conversion,
    count::{at_most_all, count_or_percent, figure, none_above, none_negative, not_decremented, not_negative},
    field::{Errors, Path},
    old_version, pod_template,
    rules::{Column, Rules, column, parts},
    selector,
    unset::{default_text, list, list_mut, text},
};

/// The first version: the labels of the template are the selector, and pods stay until somebody deletes them.
pub(super) const APPS_V1BETA1: Conversion =
    old_version::first("apps/v1beta1 StatefulSet is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 StatefulSet");

/// The last version before v1, and no different.
pub(super) const APPS_V1BETA2: Conversion = Conversion {
    warning: Some("apps/v1beta2 StatefulSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 StatefulSet"),
    ..Conversion::NONE
};

/// What is special about a StatefulSet.
pub(super) const RULES: Rules<StatefulSet> = Rules {
    decode: |json| selector::decode(json, |object: &mut StatefulSet| &mut object.spec.get_or_insert_default().selector),
    defaults,
    on_create: |set| set.status = Some(StatefulSetStatus { available_replicas: Some(0), ..StatefulSetStatus::default() }),
    validate,
    validate_update,
    validate_status,
    warnings: |set| set.spec.as_ref().map(|spec| pod_template::warnings(&spec.template)).unwrap_or_default(),
    columns: COLUMNS,
    parts: parts![spec, status],
    ..Rules::NONE
};

fn defaults(set: &mut StatefulSet) {
    set.status.get_or_insert_default().available_replicas.get_or_insert(0);
    let spec = set.spec.get_or_insert_default();
    pod_template::defaults(&mut spec.template);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    default_text(&mut spec.pod_management_policy, "OrderedReady");
    let strategy = spec.update_strategy.get_or_insert_default();
    default_text(&mut strategy.type_, "RollingUpdate");
    if text(&strategy.type_) == "RollingUpdate" {
        strategy.rolling_update.get_or_insert_default().partition.get_or_insert(0);
    }
    let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
    default_text(&mut retention.when_deleted, "Retain");
    default_text(&mut retention.when_scaled, "Retain");
    for claim in list_mut(&mut spec.volume_claim_templates) {
        claim.metadata.creation_timestamp = None;
        default_text(&mut claim.status.get_or_insert_default().phase, "Pending");
        default_text(&mut claim.spec.get_or_insert_default().volume_mode, "Filesystem");
    }
}

fn validate(set: &StatefulSet, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &set.spec else { return errors.required(&path, "") };
    match text(&spec.pod_management_policy) {
        "OrderedReady" | "Parallel" => {}
        policy => errors.invalid(&path.child("podManagementPolicy"), policy, "must be 'OrderedReady' or 'Parallel'"),
    }
    if let Some(strategy) = &spec.update_strategy {
        validate_strategy(strategy, &path.child("updateStrategy"), errors);
    }
    let retention_path = path.child("persistentVolumeClaimRetentionPolicy");
    if let Some(retention) = &spec.persistent_volume_claim_retention_policy {
        for (field, policy) in [("whenDeleted", &retention.when_deleted), ("whenScaled", &retention.when_scaled)] {
            if !matches!(text(policy), "Retain" | "Delete") {
                errors.unsupported(&retention_path.child(field), text(policy), &["Retain", "Delete"]);
            }
        }
    }
    not_negative(spec.replicas, &path.child("replicas"), errors);
    not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    not_negative(spec.ordinals.as_ref().and_then(|ordinals| ordinals.start), &path.child("ordinals.start"), errors);
    let service = text(&spec.service_name);
    if !service.is_empty() {
        errors.invalid_all(&path.child("serviceName"), service, name::dns1123_label(service));
    }
    let template = path.child("template");
    if let Ok(selector) = selector::required(&spec.selector, &path.child("selector"), "statefulset", "", errors) {
        validate_template(spec, selector.as_ref(), &template, errors);
    }
    pod_template::endless(&spec.template, "StatefulSet", &template, errors);
}

/// The template may use the volumes that the pods will have of their claims.
fn validate_template(spec: &StatefulSetSpec, selector: Option<&Selector>, path: &Path<'_>, errors: &mut Errors) {
    pod_template::found(&spec.template, selector, path, errors);
    let claims = list(&spec.volume_claim_templates);
    if claims.is_empty() {
        pod_template::validate(&spec.template, path, errors);
    } else {
        pod_template::validate(&with_claims(&spec.template, claims), path, errors);
    }
}

fn with_claims(template: &PodTemplateSpec, claims: &[PersistentVolumeClaim]) -> PodTemplateSpec {
    let mut template = template.clone();
    let volumes = template.spec.get_or_insert_default().volumes.get_or_insert_default();
    let names: Vec<&str> = claims.iter().map(|claim| text(&claim.metadata.name)).collect();
    volumes.retain(|volume| !names.contains(&volume.name.as_str()));
    volumes.extend(names.iter().map(|name| Volume {
        name: (*name).to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name: (*name).to_owned(), read_only: None }),
        ..Volume::default()
    }));
    template
}

fn validate_strategy(strategy: &StatefulSetUpdateStrategy, path: &Path<'_>, errors: &mut Errors) {
    /// The strategy as messages show it.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown<'a> {
        r#type: &'a str,
        rolling_update: Option<ShownRolling<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct ShownRolling<'a> {
        partition: i32,
        max_unavailable: &'a Option<IntOrString>,
    }
    let rolling = path.child("rollingUpdate");
    let shown = |update: &'_ RollingUpdateStatefulSetStrategy| update.partition.unwrap_or_default();
    match (text(&strategy.type_), &strategy.rolling_update) {
        ("OnDelete", None) | ("RollingUpdate", None) => {}
        ("RollingUpdate", Some(update)) => validate_rolling(update, &rolling, errors),
        ("OnDelete", Some(update)) => {
            let value = ShownRolling { partition: shown(update), max_unavailable: &update.max_unavailable };
            errors.invalid(&rolling, value, "only allowed for updateStrategy 'RollingUpdate'");
        }
        (kind, update) => {
            let update = update.as_ref();
            let rolling_update = update.map(|update| ShownRolling { partition: shown(update), max_unavailable: &update.max_unavailable });
            errors.invalid(path, Shown { r#type: kind, rolling_update }, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

fn validate_rolling(update: &RollingUpdateStatefulSetStrategy, path: &Path<'_>, errors: &mut Errors) {
    not_negative(update.partition, &path.child("partition"), errors);
    let Some(unavailable) = &update.max_unavailable else { return };
    let path = path.child("maxUnavailable");
    count_or_percent(unavailable, &path, errors);
    if figure(unavailable) == 0 {
        errors.invalid(&path, unavailable, "cannot be 0");
    }
    at_most_all(unavailable, &path, errors);
}

/// Pods keep their names and volumes, so what those come from does not change.
fn validate_update(new: &StatefulSet, old: &StatefulSet, errors: &mut Errors) {
    let fixed = |set: &StatefulSet| {
        let spec = set.spec.clone().unwrap_or_default();
        let mut selector = spec.selector;
        selector.match_labels.get_or_insert_default();
        selector.match_expressions.get_or_insert_default();
        let claims = spec.volume_claim_templates.unwrap_or_default();
        (selector, spec.service_name.unwrap_or_default(), spec.pod_management_policy, claims)
    };
    if fixed(new) != fixed(old) {
        let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
                      'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        errors.forbidden(&Path::new("spec"), detail);
    }
}

fn validate_status(new: &StatefulSet, old: &StatefulSet, errors: &mut Errors) {
    let path = Path::new("status");
    let Some(status) = &new.status else { return };
    let parts = [
        ("readyReplicas", status.ready_replicas),
        ("currentReplicas", status.current_replicas),
        ("updatedReplicas", status.updated_replicas),
        ("availableReplicas", status.available_replicas),
    ];
    none_negative(&[("replicas", Some(status.replicas))], &path, errors);
    none_negative(&parts, &path, errors);
    not_negative(status.observed_generation, &path.child("observedGeneration"), errors);
    not_negative(status.collision_count, &path.child("collisionCount"), errors);
    none_above(&parts, status.replicas, "status.replicas", &path, errors);
    none_above(&parts[3..], status.ready_replicas.unwrap_or_default(), "status.readyReplicas", &path, errors);
    let before = old.status.as_ref().and_then(|status| status.collision_count);
    not_decremented(status.collision_count, before, &path.child("collisionCount"), errors);
}

const COLUMNS: &[Column<StatefulSet>] = &[
    Column::name(),
    column("Ready", |set: &StatefulSet, _| {
        let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
        let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
        Value::from(format!("{ready}/{wanted}"))
    })
    .about("Number of the pod with ready state"),
    Column::age(),
    column("Containers", |set: &StatefulSet, _| Value::from(pod_template::containers_cell(set.spec.as_ref().map(|spec| &spec.template))))
        .wide(),
    column("Images", |set: &StatefulSet, _| Value::from(pod_template::images_cell(set.spec.as_ref().map(|spec| &spec.template)))).wide(),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stateful_set(extra: Value) -> StatefulSet {
        let mut json = json!({"metadata": {"name": "s"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
                {"name": "c", "image": "i", "volumeMounts": [{"name": "d", "mountPath": "/d"}]},
            ]}},
            "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
        }});
        json["spec"].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut object = (RULES.decode)(&json.to_string()).unwrap();
        defaults(&mut object);
        let once = object.clone();
        defaults(&mut object);
        assert_eq!(object, once, "defaults are idempotent");
        object
    }

    #[test]
    fn specs() {
        for (extra, want) in [
            (json!({}), ""),
            (json!({"volumeClaimTemplates": []}), "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"d\""),
            (json!({"selector": {}}), "spec.selector: Invalid value: {}: empty selector is invalid for statefulset"),
            (
                json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}}),
                "spec.updateStrategy.rollingUpdate: Invalid value: {\"Partition\":1,\"MaxUnavailable\":null}: only allowed for updateStrategy 'RollingUpdate'",
            ),
            (
                json!({"updateStrategy": {"type": "Foo"}}),
                "spec.updateStrategy: Invalid value: {\"Type\":\"Foo\",\"RollingUpdate\":null}: must be 'RollingUpdate' or 'OnDelete'",
            ),
            (
                json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}}),
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
            ),
            (
                json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"}}),
                "spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: \"Keep\": supported values: \"Retain\", \"Delete\"",
            ),
            (json!({"ordinals": {"start": -1}}), "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"),
        ] {
            let mut errors = Errors::new();
            validate(&stateful_set(extra), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn what_may_change() {
        let old = stateful_set(json!({}));
        for (extra, is_fine) in [
            (json!({"replicas": 3, "minReadySeconds": 2, "revisionHistoryLimit": 1, "ordinals": {"start": 1}}), true),
            (json!({"serviceName": "x"}), false),
            (json!({"podManagementPolicy": "Parallel"}), false),
            (json!({"volumeClaimTemplates": []}), false),
        ] {
            let mut errors = Errors::new();
            validate_update(&stateful_set(extra), &old, &mut errors);
            assert_eq!(errors.is_empty(), is_fine, "{errors}");
        }
    }

    #[test]
    fn counts_must_add_up() {
        let mut new = StatefulSet::default();
        new.status = serde_json::from_value(json!({"replicas": 1, "readyReplicas": 0, "availableReplicas": 1})).unwrap();
        let mut errors = Errors::new();
        validate_status(&new, &new, &mut errors);
        assert_eq!(errors.to_string(), "status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas");
    }

    #[test]
    fn the_first_version() {
        let mut old = json!({"spec": {"serviceName": "s", "template": {"metadata": {"labels": {"a": "b"}}}}});
        (APPS_V1BETA1.upgrade)(&mut old);
        assert_eq!(old["spec"]["selector"], json!({"matchLabels": {"a": "b"}}));
        assert_eq!(old["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    }
}

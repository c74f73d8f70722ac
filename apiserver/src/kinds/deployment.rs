//! Deployments: pods that are replaced by newer ones, step by step.

mod old;

use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, RollingUpdateDeployment},
    apimachinery::pkg::util::intstr::IntOrString,
};
use serde::Serialize;
use serde_json::Value;

pub(super) use self::old::{APPS_V1BETA1, APPS_V1BETA2, Deployment as OldDeployment, EXTENSIONS_V1BETA1};
use super::count::not_negative;
use super::{
    Scale,
    count::{at_most_all, count_or_percent, figure, none_above, none_negative, not_decremented},
    field::{Errors, Path},
    pod_template,
    rules::{Column, Rules, column, parts},
    selector,
    unset::{default_text, text},
};

/// Where the scale of Deployments and ReplicaSets is.
pub(super) const SCALE: Scale = Scale { replicas: "/spec/replicas", observed: "/status/replicas", selector: "/spec/selector" };

/// What is special about a Deployment.
pub(super) const RULES: Rules<Deployment> = Rules {
    decode: |json| selector::decode(json, |object: &mut Deployment| &mut object.spec.get_or_insert_default().selector),
    defaults,
    on_create: |deployment| deployment.status = Some(DeploymentStatus::default()),
    validate,
    validate_update: |new, old, errors| {
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            selector::immutable(&new.selector, &old.selector, errors);
        }
    },
    validate_status,
    warnings: |deployment| deployment.spec.as_ref().map(|spec| pod_template::warnings(&spec.template)).unwrap_or_default(),
    columns: COLUMNS,
    parts: parts![spec, status],
    ..Rules::NONE
};

fn defaults(deployment: &mut Deployment) {
    deployment.status.get_or_insert_default();
    let spec = deployment.spec.get_or_insert_default();
    pod_template::defaults(&mut spec.template);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    spec.progress_deadline_seconds.get_or_insert(600);
    let strategy = spec.strategy.get_or_insert_default();
    default_text(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert_with(|| IntOrString::String("25%".to_owned()));
        rolling.max_surge.get_or_insert_with(|| IntOrString::String("25%".to_owned()));
    }
}

fn validate(deployment: &Deployment, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &deployment.spec else { return errors.required(&path, "") };
    not_negative(spec.replicas, &path.child("replicas"), errors);
    if let Ok(selector) = selector::required(&spec.selector, &path.child("selector"), "deployment", "invalid label selector", errors) {
        pod_template::validate_replicated(&spec.template, selector.as_ref(), &path.child("template"), errors);
    }
    if let Some(strategy) = &spec.strategy {
        validate_strategy(strategy, &path.child("strategy"), errors);
    }
    not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    not_negative(spec.revision_history_limit, &path.child("revisionHistoryLimit"), errors);
    validate_deadline(spec, &path.child("progressDeadlineSeconds"), errors);
    not_negative(old::rollback(&deployment.metadata), &path.child("rollback").child("version"), errors);
}

fn validate_deadline(spec: &DeploymentSpec, path: &Path<'_>, errors: &mut Errors) {
    not_negative(spec.progress_deadline_seconds, path, errors);
    if let Some(seconds) = spec.progress_deadline_seconds
        && seconds <= spec.min_ready_seconds.unwrap_or_default()
    {
        errors.invalid(path, seconds, "must be greater than minReadySeconds");
    }
}

fn validate_strategy(strategy: &DeploymentStrategy, path: &Path<'_>, errors: &mut Errors) {
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
        max_unavailable: &'a Option<IntOrString>,
        max_surge: &'a Option<IntOrString>,
    }
    let rolling = path.child("rollingUpdate");
    match (text(&strategy.type_), &strategy.rolling_update) {
        ("Recreate", Some(_)) => errors.forbidden(&rolling, "may not be specified when strategy `type` is 'Recreate'"),
        ("RollingUpdate", Some(update)) => validate_rolling(update, &rolling, errors),
        ("RollingUpdate", None) => errors.required(&rolling, "this should be defaulted and never be nil"),
        ("Recreate", None) => {}
        (kind, update) => {
            let update =
                update.as_ref().map(|update| ShownRolling { max_unavailable: &update.max_unavailable, max_surge: &update.max_surge });
            errors.unsupported(path, Shown { r#type: kind, rolling_update: update }, &["Recreate", "RollingUpdate"]);
        }
    }
}

fn validate_rolling(update: &RollingUpdateDeployment, path: &Path<'_>, errors: &mut Errors) {
    let zero = IntOrString::Int(0);
    let unavailable = update.max_unavailable.as_ref().unwrap_or(&zero);
    let surge = update.max_surge.as_ref().unwrap_or(&zero);
    let unavailable_path = path.child("maxUnavailable");
    count_or_percent(unavailable, &unavailable_path, errors);
    count_or_percent(surge, &path.child("maxSurge"), errors);
    if figure(unavailable) == 0 && figure(surge) == 0 {
        errors.invalid(&unavailable_path, unavailable, "may not be 0 when `maxSurge` is 0");
    }
    at_most_all(unavailable, &unavailable_path, errors);
}

fn validate_status(new: &Deployment, old: &Deployment, errors: &mut Errors) {
    let path = Path::new("status");
    let empty = DeploymentStatus::default();
    let (status, before) = (new.status.as_ref().unwrap_or(&empty), old.status.as_ref().unwrap_or(&empty));
    not_negative(status.observed_generation, &path.child("observedGeneration"), errors);
    let parts = [
        ("updatedReplicas", status.updated_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
    ];
    none_negative(&[("replicas", status.replicas)], &path, errors);
    none_negative(&parts, &path, errors);
    let others = [("unavailableReplicas", status.unavailable_replicas), ("terminatingReplicas", status.terminating_replicas)];
    none_negative(&others, &path, errors);
    not_negative(status.collision_count, &path.child("collisionCount"), errors);
    none_above(&parts, status.replicas.unwrap_or_default(), "status.replicas", &path, errors);
    none_above(&parts[2..], status.ready_replicas.unwrap_or_default(), "readyReplicas", &path, errors);
    not_decremented(status.collision_count, before.collision_count, &path.child("collisionCount"), errors);
}

const COLUMNS: &[Column<Deployment>] = &[
    Column::name(),
    column("Ready", |deployment: &Deployment, _| {
        let ready = number(deployment, |status| status.ready_replicas);
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
        Value::from(format!("{ready}/{wanted}"))
    })
    .about("Number of the pod with ready state"),
    column("Up-to-date", |deployment: &Deployment, _| Value::from(number(deployment, |status| status.updated_replicas)))
        .about("Total number of non-terminated pods targeted by this deployment that have the desired template spec."),
    column("Available", |deployment: &Deployment, _| Value::from(number(deployment, |status| status.available_replicas)))
        .about("Total number of available pods (ready for at least minReadySeconds) targeted by this deployment."),
    Column::age(),
    column("Containers", |deployment: &Deployment, _| {
        Value::from(pod_template::containers_cell(deployment.spec.as_ref().map(|spec| &spec.template)))
    })
    .wide(),
    column("Images", |deployment: &Deployment, _| {
        Value::from(pod_template::images_cell(deployment.spec.as_ref().map(|spec| &spec.template)))
    })
    .wide(),
    column("Selector", |deployment: &Deployment, _| {
        Value::from(deployment.spec.as_ref().map(|spec| selector::cell(&spec.selector)).unwrap_or_default())
    })
    .wide(),
];

fn number(deployment: &Deployment, field: fn(&DeploymentStatus) -> Option<i32>) -> i32 {
    deployment.status.as_ref().and_then(field).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(extra: Value) -> Value {
        let mut json = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }});
        let spec = json["spec"].as_object_mut().unwrap();
        for (field, value) in extra.as_object().unwrap() {
            spec.insert(field.clone(), value.clone());
            spec.retain(|_, value| !value.is_null());
        }
        json
    }

    fn said(extra: Value) -> String {
        let mut object = (RULES.decode)(&deployment(extra).to_string()).unwrap();
        defaults(&mut object);
        let once = object.clone();
        defaults(&mut object);
        assert_eq!(object, once, "defaults are idempotent");
        let mut errors = Errors::new();
        validate(&object, &mut errors);
        if errors.is_empty() { String::new() } else { errors.to_string() }
    }

    #[test]
    fn specs() {
        for (extra, want) in [
            (json!({}), ""),
            (
                json!({"selector": null}),
                "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`]",
            ),
            (json!({"selector": {}}), "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
            (
                json!({"selector": {"matchLabels": {"x": "y"}}}),
                "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
            ),
            (
                json!({"selector": {"matchExpressions": [{"key": "a", "operator": "Foo"}]}}),
                "[spec.selector.matchExpressions[0].operator: Invalid value: \"Foo\": not a valid selector operator, spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Foo\"}]}: invalid label selector]",
            ),
            (json!({"replicas": -1}), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
            (
                json!({"strategy": {"type": "Foo"}}),
                "spec.strategy: Unsupported value: {\"Type\":\"Foo\",\"RollingUpdate\":null}: supported values: \"Recreate\", \"RollingUpdate\"",
            ),
            (
                json!({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}),
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
            ),
            (
                json!({"strategy": {"rollingUpdate": {"maxUnavailable": "150%"}}}),
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"150%\": must not be greater than 100%",
            ),
            (json!({"minReadySeconds": 700}), "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"),
        ] {
            assert_eq!(said(extra), want);
        }
    }
}

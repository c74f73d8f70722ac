//! What is wrong with an autoscaler.

use k8s_openapi::api::autoscaling::v2::{CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler};
use mini_api::{name, quantity};

use super::{
    super::{
        count::none_negative,
        field::{Errors, Path},
        unset::{list, text},
    },
    metric,
};

/// The longest time, in seconds, over which past wishes count.
const MOST_WINDOW: i32 = 3600;
/// The longest time, in seconds, a step is measured by.
const MOST_PERIOD: i32 = 1800;

pub(super) fn autoscaler(autoscaler: &HorizontalPodAutoscaler, errors: &mut Errors) {
    let (path, spec) = (Path::new("spec"), &autoscaler.spec);
    let least = spec.min_replicas.unwrap_or(1);
    if least < 1 {
        errors.invalid(&path.child("minReplicas"), least, "must be greater than or equal to 1");
    }
    let most_path = path.child("maxReplicas");
    match spec.max_replicas {
        0 => errors.required(&most_path, "must be set and greater than 0"),
        most if most < 0 => errors.invalid(&most_path, most, "must be greater than 0"),
        _ => {}
    }
    if spec.max_replicas < least {
        errors.invalid(&most_path, spec.max_replicas, "must be greater than or equal to `minReplicas`");
    }
    let target = &spec.scale_target_ref;
    reference(target, target.kind == "ReplicationController", &path.child("scaleTargetRef"), errors);
    let metrics_path = path.child("metrics");
    for (index, metric) in list(&spec.metrics).iter().enumerate() {
        metric::validate(metric, &metrics_path.index(index), errors);
    }
    let says_more = |kind: &str| matches!(kind, "Object" | "External");
    if spec.min_replicas == Some(0) && !list(&spec.metrics).iter().any(|metric| says_more(&metric.type_)) {
        errors.forbidden(&metrics_path, "must specify at least one Object or External metric to support scaling to zero replicas");
    }
    let behavior_path = path.child("behavior");
    if let Some(behavior) = &spec.behavior {
        for (field, rules) in [("scaleUp", &behavior.scale_up), ("scaleDown", &behavior.scale_down)] {
            if let Some(rules) = rules {
                self::rules(rules, &behavior_path.child(field), errors);
            }
        }
    }
}

pub(super) fn status(autoscaler: &HorizontalPodAutoscaler, errors: &mut Errors) {
    let Some(status) = &autoscaler.status else { return };
    let counts = [("currentReplicas", status.current_replicas), ("desiredReplicas", Some(status.desired_replicas))];
    none_negative(&counts, &Path::new("status"), errors);
}

/// What is wrong with a reference to an object, whose group may have to be named.
pub(super) fn reference(object: &CrossVersionObjectReference, may_be_core: bool, path: &Path<'_>, errors: &mut Errors) {
    for (field, value) in [("kind", &object.kind), ("name", &object.name)] {
        if value.is_empty() {
            errors.required(&path.child(field), "");
        } else {
            errors.invalid_all(&path.child(field), value, name::path_segment(value));
        }
    }
    let version = text(&object.api_version);
    let version_path = path.child("apiVersion");
    match version.matches('/').count() {
        0 if !may_be_core => errors.invalid(&version_path, version, "apiVersion must specify API group"),
        1 if version.starts_with('/') && !may_be_core => errors.invalid(&version_path, version, "apiVersion must specify API group"),
        0 | 1 => {}
        _ => errors.invalid(&version_path, version, &format!("unexpected GroupVersion string: {version}")),
    }
}

/// What is wrong with how fast the number of pods may change.
fn rules(rules: &HPAScalingRules, path: &Path<'_>, errors: &mut Errors) {
    let window_path = path.child("stabilizationWindowSeconds");
    match rules.stabilization_window_seconds {
        Some(window) if window < 0 => errors.invalid(&window_path, window, "must be greater than or equal to zero"),
        Some(window) if window > MOST_WINDOW => {
            errors.invalid(&window_path, window, &format!("must be less than or equal to {MOST_WINDOW}"));
        }
        _ => {}
    }
    let select = rules.select_policy.as_deref();
    if let Some(select) = select.filter(|select| !matches!(*select, "Max" | "Min" | "Disabled")) {
        errors.unsupported(&path.child("selectPolicy"), select, &["Disabled", "Max", "Min"]);
    }
    if let Some(tolerance) = rules.tolerance.as_ref().filter(|tolerance| quantity::of(tolerance).signum() < 0) {
        errors.invalid(&path.child("tolerance"), &tolerance.0, "must be greater than or equal to zero");
    }
    let policies_path = path.child("policies");
    if list(&rules.policies).is_empty() {
        errors.required(&policies_path, "must specify at least one Policy");
    }
    for (index, policy) in list(&rules.policies).iter().enumerate() {
        self::policy(policy, &policies_path.index(index), errors);
    }
}

fn policy(policy: &HPAScalingPolicy, path: &Path<'_>, errors: &mut Errors) {
    if !matches!(policy.type_.as_str(), "Pods" | "Percent") {
        errors.unsupported(&path.child("type"), &policy.type_, &["Percent", "Pods"]);
    }
    for (field, number) in [("value", policy.value), ("periodSeconds", policy.period_seconds)] {
        if number <= 0 {
            errors.invalid(&path.child(field), number, "must be greater than zero");
        }
    }
    if policy.period_seconds > MOST_PERIOD {
        let detail = format!("must be less than or equal to {MOST_PERIOD}");
        errors.invalid(&path.child("periodSeconds"), policy.period_seconds, &detail);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn specs() {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"});
        for (extra, want) in [
            (json!({}), ""),
            (json!({"minReplicas": 4}), "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"),
            (
                json!({"minReplicas": 0}),
                "[spec.minReplicas: Invalid value: 0: must be greater than or equal to 1, \
                 spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas]",
            ),
            (json!({"scaleTargetRef": {"apiVersion": "v1", "kind": "ReplicationController", "name": "r"}}), ""),
            (
                json!({"scaleTargetRef": {"apiVersion": "a/b/c", "kind": "K", "name": ""}}),
                "[spec.scaleTargetRef.name: Required value, spec.scaleTargetRef.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c]",
            ),
            (
                json!({"behavior": {"scaleUp": {"selectPolicy": "Foo", "policies": [{"type": "Pods", "value": 0, "periodSeconds": 1801}]}}}),
                "[spec.behavior.scaleUp.selectPolicy: Unsupported value: \"Foo\": supported values: \"Disabled\", \"Max\", \"Min\", \
                 spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero, \
                 spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800]",
            ),
        ] {
            let mut spec: Value = json!({"maxReplicas": 3, "scaleTargetRef": deployment});
            spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let object: HorizontalPodAutoscaler = serde_json::from_value(json!({"spec": spec})).unwrap();
            let mut errors = Errors::new();
            autoscaler(&object, &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }
}

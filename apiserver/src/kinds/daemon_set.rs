//! DaemonSets: one pod on each node; and the versions of DaemonSet that old files still use.

use k8s_openapi::{
    api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy, RollingUpdateDaemonSet},
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_api::selector::Selector;
use serde::Serialize;
use serde_json::Value;

use super::{
    Conversion,
    count::{at_most_all, count_or_percent, figure, none_negative, not_decremented, not_negative},
    field::{Errors, Path},
    old_version, pod_template,
    rules::{Column, Rules, column, parts},
    selector,
    unset::{default_text, text},
};

/// Counts the templates a DaemonSet has had. It was a field once and is kept as an annotation since.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// The version of the first DaemonSets: the labels of the template are the selector, and pods stay until somebody deletes them.
pub(super) const EXTENSIONS_V1BETA1: Conversion =
    old_version::first("extensions/v1beta1 DaemonSet is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 DaemonSet");

/// The last version before v1, and no different.
pub(super) const APPS_V1BETA2: Conversion = Conversion {
    warning: Some("apps/v1beta2 DaemonSet is deprecated in v1.9+, unavailable in v1.16+; use apps/v1 DaemonSet"),
    ..Conversion::NONE
};

/// What is special about a DaemonSet.
pub(super) const RULES: Rules<DaemonSet> = Rules {
    decode: |json| selector::decode(json, |object: &mut DaemonSet| &mut object.spec.get_or_insert_default().selector),
    defaults,
    on_create: |daemon_set| {
        daemon_set.status = Some(DaemonSetStatus::default());
        let generation = template_generation(daemon_set).max(1);
        set_template_generation(daemon_set, generation);
    },
    on_update: |new, old| {
        let template = |daemon_set: &DaemonSet| daemon_set.spec.as_ref().map(|spec| spec.template.clone());
        let is_changed = template(new) != template(old);
        set_template_generation(new, template_generation(old) + i64::from(is_changed));
    },
    validate,
    validate_update: |new, old, errors| {
        if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
            selector::immutable(&new.selector, &old.selector, errors);
        }
    },
    validate_status,
    warnings: |daemon_set| daemon_set.spec.as_ref().map(|spec| pod_template::warnings(&spec.template)).unwrap_or_default(),
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn template_generation(daemon_set: &DaemonSet) -> i64 {
    let annotation = daemon_set.metadata.annotations.as_ref().and_then(|annotations| annotations.get(TEMPLATE_GENERATION));
    annotation.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn set_template_generation(daemon_set: &mut DaemonSet, generation: i64) {
    daemon_set.metadata.annotations.get_or_insert_default().insert(TEMPLATE_GENERATION.to_owned(), generation.to_string());
}

fn defaults(daemon_set: &mut DaemonSet) {
    let generation = template_generation(daemon_set);
    set_template_generation(daemon_set, generation);
    daemon_set.status.get_or_insert_default();
    let spec = daemon_set.spec.get_or_insert_default();
    pod_template::defaults(&mut spec.template);
    spec.revision_history_limit.get_or_insert(10);
    let strategy = spec.update_strategy.get_or_insert_default();
    default_text(&mut strategy.type_, "RollingUpdate");
    if text(&strategy.type_) == "RollingUpdate" {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
}

fn validate(daemon_set: &DaemonSet, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &daemon_set.spec else { return errors.required(&path, "") };
    let template = path.child("template");
    validate_selector(spec, &path, errors);
    pod_template::validate(&spec.template, &template, errors);
    pod_template::endless(&spec.template, "DaemonSet", &template, errors);
    not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    if let Some(strategy) = &spec.update_strategy {
        validate_strategy(strategy, &path.child("updateStrategy"), errors);
    }
    not_negative(spec.revision_history_limit, &path.child("revisionHistoryLimit"), errors);
}

/// A selector that is not given finds nothing, which is all that is said of it.
fn validate_selector(spec: &DaemonSetSpec, path: &Path<'_>, errors: &mut Errors) {
    let selector_path = path.child("selector");
    let is_given = spec.selector.match_labels.is_some() || spec.selector.match_expressions.is_some();
    selector::label_selector(&spec.selector, &selector_path, errors);
    if let Ok(selector) = Selector::from_label_selector(&spec.selector) {
        pod_template::found(&spec.template, is_given.then_some(&selector), &path.child("template"), errors);
    }
    if is_given && selector::is_empty(&spec.selector) {
        errors.invalid(&selector_path, selector::Shown(&spec.selector), "empty selector is invalid for daemonset");
    }
}

fn validate_strategy(strategy: &DaemonSetUpdateStrategy, path: &Path<'_>, errors: &mut Errors) {
    /// The strategy as messages show it.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown<'a> {
        r#type: &'a str,
        rolling_update: Option<ShownRolling>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct ShownRolling {
        max_unavailable: IntOrString,
        max_surge: IntOrString,
    }
    let rolling = path.child("rollingUpdate");
    match (text(&strategy.type_), &strategy.rolling_update) {
        ("OnDelete", _) => {}
        ("RollingUpdate", Some(update)) => validate_rolling(update, &rolling, errors),
        ("RollingUpdate", None) => errors.required(&rolling, ""),
        (kind, update) => {
            let number = |value: &Option<IntOrString>| value.clone().unwrap_or(IntOrString::Int(0));
            let shown = |update: &RollingUpdateDaemonSet| ShownRolling {
                max_unavailable: number(&update.max_unavailable),
                max_surge: number(&update.max_surge),
            };
            errors.unsupported(path, Shown { r#type: kind, rolling_update: update.as_ref().map(shown) }, &["OnDelete", "RollingUpdate"]);
        }
    }
}

/// Either some pods may be missing or some may be extra: there is one place for a pod on a node, or there are two.
fn validate_rolling(update: &RollingUpdateDaemonSet, path: &Path<'_>, errors: &mut Errors) {
    let zero = IntOrString::Int(0);
    let unavailable = update.max_unavailable.as_ref().unwrap_or(&zero);
    let surge = update.max_surge.as_ref().unwrap_or(&zero);
    let (unavailable_path, surge_path) = (path.child("maxUnavailable"), path.child("maxSurge"));
    count_or_percent(unavailable, &unavailable_path, errors);
    count_or_percent(surge, &surge_path, errors);
    at_most_all(unavailable, &unavailable_path, errors);
    at_most_all(surge, &surge_path, errors);
    match (figure(unavailable) != 0, figure(surge) != 0) {
        (true, true) => errors.invalid(&surge_path, surge, "may not be set when maxUnavailable is non-zero"),
        (false, false) => errors.required(&unavailable_path, "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

fn validate_status(new: &DaemonSet, old: &DaemonSet, errors: &mut Errors) {
    let path = Path::new("status");
    let Some(status) = &new.status else { return };
    let counts = [
        ("currentNumberScheduled", Some(status.current_number_scheduled)),
        ("numberMisscheduled", Some(status.number_misscheduled)),
        ("desiredNumberScheduled", Some(status.desired_number_scheduled)),
        ("numberReady", Some(status.number_ready)),
    ];
    none_negative(&counts, &path, errors);
    not_negative(status.observed_generation, &path.child("observedGeneration"), errors);
    let counts = [
        ("updatedNumberScheduled", status.updated_number_scheduled),
        ("numberAvailable", status.number_available),
        ("numberUnavailable", status.number_unavailable),
        ("collisionCount", status.collision_count),
    ];
    none_negative(&counts, &path, errors);
    let before = old.status.as_ref().and_then(|status| status.collision_count);
    not_decremented(status.collision_count, before, &path.child("collisionCount"), errors);
}

const COLUMNS: &[Column<DaemonSet>] = &[
    Column::name(),
    column("Desired", |set: &DaemonSet, _| number(set, |status| status.desired_number_scheduled))
        .integer()
        .about("The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon pod)."),
    column("Current", |set: &DaemonSet, _| number(set, |status| status.current_number_scheduled))
        .integer()
        .about("The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod."),
    column("Ready", |set: &DaemonSet, _| number(set, |status| status.number_ready)).integer(),
    column("Up-to-date", |set: &DaemonSet, _| number(set, |status| status.updated_number_scheduled.unwrap_or_default()))
        .integer()
        .about("The total number of nodes that are running updated daemon pod"),
    column("Available", |set: &DaemonSet, _| number(set, |status| status.number_available.unwrap_or_default())).integer(),
    column("Node Selector", |set: &DaemonSet, _| {
        let spec = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        Value::from(selector::labels_cell(spec.and_then(|spec| spec.node_selector.as_ref())))
    }),
    Column::age(),
    column("Containers", |set: &DaemonSet, _| Value::from(pod_template::containers_cell(set.spec.as_ref().map(|spec| &spec.template))))
        .wide(),
    column("Images", |set: &DaemonSet, _| Value::from(pod_template::images_cell(set.spec.as_ref().map(|spec| &spec.template)))).wide(),
    column("Selector", |set: &DaemonSet, _| Value::from(set.spec.as_ref().map(|spec| selector::cell(&spec.selector)).unwrap_or_default()))
        .wide(),
];

fn number(daemon_set: &DaemonSet, field: fn(&DaemonSetStatus) -> i32) -> Value {
    Value::from(daemon_set.status.as_ref().map_or(0, field))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn daemon_set(extra: Value) -> DaemonSet {
        let mut json = json!({"metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        }});
        json["spec"].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json["spec"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
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
            (
                json!({"selector": null}),
                "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
            ),
            (json!({"selector": {}}), "spec.selector: Invalid value: {}: empty selector is invalid for daemonset"),
            (
                json!({"updateStrategy": {"type": "Foo"}}),
                "spec.updateStrategy: Unsupported value: {\"Type\":\"Foo\",\"RollingUpdate\":null}: supported values: \"OnDelete\", \"RollingUpdate\"",
            ),
            (
                json!({"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}),
                "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
            ),
            (
                json!({"updateStrategy": {"rollingUpdate": {"maxUnavailable": "0%"}}}),
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
            ),
            (json!({"revisionHistoryLimit": -1}), "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0"),
        ] {
            let mut errors = Errors::new();
            validate(&daemon_set(extra), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn templates_are_counted() {
        let mut old = daemon_set(json!({}));
        (RULES.on_create)(&mut old);
        assert_eq!(template_generation(&old), 1);
        let mut new = daemon_set(json!({"minReadySeconds": 3}));
        (RULES.on_update)(&mut new, &old);
        assert_eq!(template_generation(&new), 1);
        new.spec.as_mut().unwrap().template.spec.as_mut().unwrap().containers[0].image = Some("j".to_owned());
        (RULES.on_update)(&mut new, &old);
        assert_eq!(template_generation(&new), 2);
    }

    #[test]
    fn the_first_version() {
        let mut old =
            json!({"metadata": {"name": "d"}, "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}}});
        (EXTENSIONS_V1BETA1.upgrade)(&mut old);
        let once = old.clone();
        (EXTENSIONS_V1BETA1.upgrade)(&mut old);
        assert_eq!(old, once);
        assert_eq!(old["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(old["spec"]["selector"], json!({"matchLabels": {"a": "b"}}));
        assert_eq!(old["spec"]["updateStrategy"], json!({"type": "OnDelete"}));
    }
}

//! ReplicationControllers: so many pods of one template, found by labels that are all it asks for.

use k8s_openapi::api::core::v1::{ReplicationController, ReplicationControllerStatus};
use mini_api::selector::Selector;
use serde_json::Value;

use super::{
    Field, Scale,
    count::{none_above, none_negative, not_negative},
    field,
    field::{Errors, Path},
    pod_template,
    rules::{Column, Rules, column, parts},
    selector,
};

/// Where a ReplicationController's `scale` finds things: its selector is a map of labels.
pub(super) const SCALE: Scale = Scale { replicas: "/spec/replicas", observed: "/status/replicas", selector: "/spec/selector" };

/// What lists of ReplicationControllers can be selected by.
pub(super) const FIELDS: &[Field] = &[Field { absent: "0", ..field("status.replicas", &["/status/replicas"]) }];

/// What is special about a ReplicationController.
pub(super) const RULES: Rules<ReplicationController> = Rules {
    defaults,
    on_create: |controller| controller.status = Some(ReplicationControllerStatus::default()),
    validate,
    validate_status: |new, _, errors| validate_status(new, errors),
    warnings: |controller| {
        let template = controller.spec.as_ref().and_then(|spec| spec.template.as_ref());
        let mut warnings: Vec<String> = pod_template::name_warning(controller.metadata.name.as_ref()).into_iter().collect();
        warnings.extend(template.map(pod_template::warnings).unwrap_or_default());
        warnings
    },
    columns: COLUMNS,
    parts: parts![spec, status],
    ..Rules::NONE
};

/// The labels of the template are the selector, and the labels of the controller, where nothing else is said.
fn defaults(controller: &mut ReplicationController) {
    controller.status.get_or_insert_default();
    let spec = controller.spec.get_or_insert_default();
    spec.replicas.get_or_insert(1);
    let Some(template) = &mut spec.template else { return };
    pod_template::defaults(template);
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref()).filter(|labels| !labels.is_empty());
    if let Some(labels) = labels {
        for place in [&mut spec.selector, &mut controller.metadata.labels] {
            if place.as_ref().is_none_or(|place| place.is_empty()) {
                *place = Some(labels.clone());
            }
        }
    }
}

fn validate(controller: &ReplicationController, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &controller.spec else { return errors.required(&path, "") };
    not_negative(spec.min_ready_seconds, &path.child("minReadySeconds"), errors);
    let labels = spec.selector.clone().unwrap_or_default();
    if labels.is_empty() {
        errors.required(&path.child("selector"), "");
    }
    not_negative(spec.replicas, &path.child("replicas"), errors);
    let template_path = path.child("template");
    let Some(template) = &spec.template else { return errors.required(&template_path, "") };
    pod_template::found(template, Some(&Selector::from_labels(&labels)), &template_path, errors);
    pod_template::validate(template, &template_path, errors);
    pod_template::endless(template, "ReplicationController", &template_path, errors);
}

fn validate_status(controller: &ReplicationController, errors: &mut Errors) {
    let Some(status) = &controller.status else { return };
    let path = Path::new("status");
    let parts = [
        ("fullyLabeledReplicas", status.fully_labeled_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
    ];
    none_negative(&[("replicas", Some(status.replicas))], &path, errors);
    none_negative(&parts, &path, errors);
    not_negative(status.observed_generation, &path.child("observedGeneration"), errors);
    none_above(&parts, status.replicas, "status.replicas", &path, errors);
    none_above(&parts[2..], status.ready_replicas.unwrap_or_default(), "readyReplicas", &path, errors);
}

const COLUMNS: &[Column<ReplicationController>] = &[
    Column::name(),
    column("Desired", |controller: &ReplicationController, _| {
        Value::from(controller.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default())
    })
    .integer(),
    column("Current", |controller: &ReplicationController, _| Value::from(controller.status.as_ref().map_or(0, |status| status.replicas)))
        .integer(),
    column("Ready", |controller: &ReplicationController, _| {
        Value::from(controller.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default())
    })
    .integer(),
    Column::age(),
    column("Containers", |controller: &ReplicationController, _| {
        Value::from(pod_template::containers_cell(controller.spec.as_ref().and_then(|spec| spec.template.as_ref())))
    })
    .wide(),
    column("Images", |controller: &ReplicationController, _| {
        Value::from(pod_template::images_cell(controller.spec.as_ref().and_then(|spec| spec.template.as_ref())))
    })
    .wide(),
    column("Selector", |controller: &ReplicationController, _| {
        Value::from(selector::labels_cell(controller.spec.as_ref().and_then(|spec| spec.selector.as_ref())))
    })
    .wide(),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: Value) -> String {
        let mut object = (RULES.decode)(&json!({"metadata": {"name": "r"}, "spec": spec}).to_string()).unwrap();
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
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        for (spec, want) in [
            (json!({"template": template}), ""),
            (json!({"selector": {"a": "b"}}), "spec.template: Required value"),
            (
                json!({"selector": {"a": "c"}, "template": template}),
                "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
            ),
            (json!({"replicas": -1, "template": template}), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
            (json!({"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}), "spec.selector: Required value"),
        ] {
            assert_eq!(said(spec), want);
        }
    }
}

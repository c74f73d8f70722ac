//! Pod templates: what every kind that makes pods shares, and the kind that is nothing else. A template lets pass a little that a pod does not, as it always did.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplate, PodTemplateSpec};
use mini_api::{name, selector::Selector};
use serde_json::Value;

use super::{
    field::{Errors, Path},
    pod::{self, warnings},
    rules::{Column, Rules, column},
    selector,
    unset::{list, text},
};

/// What is special about a PodTemplate.
pub(super) const RULES: Rules<PodTemplate> = Rules {
    defaults: |object| defaults(object.template.get_or_insert_default()),
    validate: |object, errors| {
        if let Some(template) = &object.template {
            validate(template, &Path::new("template"), errors);
        }
    },
    warnings: |object| object.template.as_ref().map(|template| warnings_at(template, "template")).unwrap_or_default(),
    columns: &[
        Column::name(),
        column("Containers", |object: &PodTemplate, _| Value::from(containers_cell(object.template.as_ref())))
            .about("Names of each container in the template."),
        column("Images", |object: &PodTemplate, _| Value::from(images_cell(object.template.as_ref())))
            .about("Images referenced by each container in the template."),
        column("Pod Labels", |object: &PodTemplate, _| {
            let metadata = object.template.as_ref().and_then(|template| template.metadata.as_ref());
            Value::from(selector::labels_cell(metadata.and_then(|metadata| metadata.labels.as_ref())))
        })
        .about("The labels for the pod template."),
    ],
    ..Rules::NONE
};

/// Fills in what the user left out.
pub(super) fn defaults(template: &mut PodTemplateSpec) {
    let metadata = template.metadata.get_or_insert_default();
    // Clients write a null here; it means nothing.
    metadata.creation_timestamp = None;
    pod::defaults::spec(template.spec.get_or_insert_default());
}

/// What is wrong with a template.
pub(super) fn validate(template: &PodTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    if let Some(metadata) = &template.metadata {
        selector::labels(metadata.labels.as_ref(), &path.child("labels"), errors);
        annotations(metadata.annotations.as_ref(), &path.child("annotations"), errors);
    }
    let spec_path = path.child("spec");
    let empty = PodSpec::default();
    let spec = template.spec.as_ref().unwrap_or(&empty);
    pod::validate::spec(spec, None, &spec_path, errors);
    if !list(&spec.ephemeral_containers).is_empty() {
        errors.forbidden(&spec_path.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
    }
}

/// What is wrong with a template whose pods are replaced as long as `selector` finds too few: it must find them, and they must
/// not end. A selector that is not there finds nothing.
pub(super) fn validate_replicated(template: &PodTemplateSpec, selector: Option<&Selector>, path: &Path<'_>, errors: &mut Errors) {
    found(template, selector, path, errors);
    validate(template, path, errors);
    endless(template, "ReplicaSet", path, errors);
}

/// The pods of a template must be found by the selector of their owner. A selector that is not there finds nothing.
pub(super) fn found(template: &PodTemplateSpec, selector: Option<&Selector>, path: &Path<'_>, errors: &mut Errors) {
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    if !selector.is_some_and(|selector| selector.is_empty() || selector.matches_labels(labels)) {
        let metadata = path.child("metadata");
        errors.invalid(&metadata.child("labels"), labels, "`selector` does not match template `labels`");
    }
}

/// Pods that `kind` replaces whenever they end must not end by themselves.
pub(super) fn endless(template: &PodTemplateSpec, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("spec");
    let Some(spec) = &template.spec else { return };
    if text(&spec.restart_policy) != "Always" {
        errors.unsupported(&path.child("restartPolicy"), text(&spec.restart_policy), &["Always"]);
    }
    if spec.active_deadline_seconds.is_some() {
        errors.forbidden(&path.child("activeDeadlineSeconds"), &format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}

fn annotations(annotations: Option<&BTreeMap<String, String>>, path: &Path<'_>, errors: &mut Errors) {
    let mut size = 0;
    for (key, value) in annotations.into_iter().flatten() {
        errors.invalid_all(path, key, name::qualified_name(&key.to_lowercase()));
        size += key.len() + value.len();
    }
    if size > 256 * 1024 {
        errors.too_long(path, 256 * 1024);
    }
}

/// What the user should know about a template that is accepted.
pub(super) fn warnings(template: &PodTemplateSpec) -> Vec<String> {
    warnings_at(template, "spec.template")
}

/// [`warnings`] about a template at another place than most.
pub(super) fn warnings_at(template: &PodTemplateSpec, path: &str) -> Vec<String> {
    template.spec.as_ref().map(|spec| warnings::spec(spec, &format!("{path}.spec"))).unwrap_or_default()
}

/// Names of pods and hosts begin with the name of their owner, which may thus make them odd.
pub(super) fn name_warning(name: Option<&String>) -> Option<String> {
    let wrong = name::dns1123_label(name?);
    (!wrong.is_empty()).then(|| {
        let wrong = wrong.join(" ");
        format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [{wrong}]"
        )
    })
}

/// The names of the containers as tables show them.
pub(super) fn containers_cell(template: Option<&PodTemplateSpec>) -> String {
    join(template, |container| &container.name)
}

/// The images of the containers as tables show them.
pub(super) fn images_cell(template: Option<&PodTemplateSpec>) -> String {
    join(template, |container| text(&container.image))
}

fn join(template: Option<&PodTemplateSpec>, part: fn(&k8s_openapi::api::core::v1::Container) -> &str) -> String {
    let spec = template.and_then(|template| template.spec.as_ref());
    spec.map(|spec| spec.containers.iter().map(part).collect::<Vec<_>>().join(",")).unwrap_or_default()
}

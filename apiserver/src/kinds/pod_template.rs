//! Pod templates: what every kind that makes pods shares. A template lets pass a little that a pod does not, as it always did.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use mini_api::{name, selector::Selector};

use super::{
    field::{Errors, Path},
    pod::{self, warnings},
    selector,
    unset::{list, text},
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
    let labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    let empty = BTreeMap::new();
    if !selector.is_some_and(|selector| selector.is_empty() || selector.matches(labels.unwrap_or(&empty))) {
        let metadata = path.child("metadata");
        errors.invalid(&metadata.child("labels"), labels, "`selector` does not match template `labels`");
    }
    validate(template, path, errors);
    let path = path.child("spec");
    let Some(spec) = &template.spec else { return };
    if text(&spec.restart_policy) != "Always" {
        errors.unsupported(&path.child("restartPolicy"), text(&spec.restart_policy), &["Always"]);
    }
    if spec.active_deadline_seconds.is_some() {
        errors.forbidden(&path.child("activeDeadlineSeconds"), "activeDeadlineSeconds in ReplicaSet is not Supported");
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
    template.spec.as_ref().map(|spec| warnings::spec(spec, "spec.template.spec")).unwrap_or_default()
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

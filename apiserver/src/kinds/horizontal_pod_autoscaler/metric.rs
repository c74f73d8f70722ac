//! What is wrong with a metric of an autoscaler, and with what is wanted of it.

use k8s_openapi::api::autoscaling::v2::{MetricIdentifier, MetricSpec, MetricTarget};
use mini_api::{name, quantity};

use super::{
    super::{
        field::{Errors, Path},
        pod::resources::container_resource,
    },
    validate::reference,
};

/// The types of metrics.
const TYPES: &[&str] = &["ContainerResource", "External", "Object", "Pods", "Resource"];
/// Why a resource needs a target.
const NO_TARGET: &str = "must set either a target raw value or a target utilization";
/// Why it needs only one.
const TWO_TARGETS: &str = "may not set both a target raw value and a target utilization";

/// A metric must have the source its type names, and no other.
pub(super) fn validate(metric: &MetricSpec, path: &Path<'_>, errors: &mut Errors) {
    let type_path = path.child("type");
    if metric.type_.is_empty() {
        errors.required(&type_path, "must specify a metric source type");
    }
    if !TYPES.contains(&metric.type_.as_str()) {
        errors.unsupported(&type_path, &metric.type_, TYPES);
    }
    let sources = [
        ("object", "Object", metric.object.is_some()),
        ("external", "External", metric.external.is_some()),
        ("pods", "Pods", metric.pods.is_some()),
        ("resource", "Resource", metric.resource.is_some()),
        ("containerResource", "ContainerResource", metric.container_resource.is_some()),
    ];
    let given: Vec<&str> = sources.iter().filter(|(_, _, is_given)| *is_given).map(|(field, ..)| *field).collect();
    if let Some(first) = given.first() {
        source(metric, first, &path.child(first), errors);
    }
    let wanted = sources.iter().find(|(_, kind, _)| *kind == metric.type_);
    if let Some((field, _, false)) = wanted {
        errors.required(&path.child(field), "must populate information for the given metric source");
    }
    if given.len() != 1 {
        for field in given.iter().filter(|field| wanted.is_none_or(|(wanted, ..)| wanted != *field)) {
            errors.forbidden(&path.child(field), "must populate the given metric source only");
        }
    }
}

fn source(metric: &MetricSpec, field: &str, path: &Path<'_>, errors: &mut Errors) {
    match field {
        "object" => {
            let Some(source) = &metric.object else { return };
            reference(&source.described_object, true, &path.child("describedObject"), errors);
            let target = measured(&source.metric, &source.target, path, errors);
            if !(target.value || target.average) {
                errors.required(&path.child("target").child("averageValue"), "must set either a target value or averageValue");
            }
        }
        "external" => {
            let Some(source) = &metric.external else { return };
            let target = measured(&source.metric, &source.target, path, errors);
            let target_path = path.child("target");
            if !(target.value || target.average) {
                let detail = "must set either a target value for metric or a per-pod target";
                errors.required(&target_path.child("averageValue"), detail);
            }
            if target.value && target.average {
                errors.forbidden(&target_path.child("value"), "may not set both a target value for metric and a per-pod target");
            }
        }
        "pods" => {
            let Some(source) = &metric.pods else { return };
            if !measured(&source.metric, &source.target, path, errors).average {
                errors.required(&path.child("target").child("averageValue"), "must specify a positive target averageValue");
            }
        }
        "resource" => {
            let Some(source) = &metric.resource else { return };
            if source.name.is_empty() {
                errors.required(&path.child("name"), "must specify a resource name");
            }
            share(&source.target, &path.child("target"), errors);
        }
        _ => {
            let Some(source) = &metric.container_resource else { return };
            let (name_path, container_path) = (path.child("name"), path.child("container"));
            match source.name.as_str() {
                "" => errors.required(&name_path, "must specify a resource name"),
                name => container_resource(name, &name_path, errors),
            }
            match source.container.as_str() {
                "" => errors.required(&container_path, "must specify a container"),
                container => errors.invalid_all(&container_path, container, name::dns1123_label(container)),
            }
            share(&source.target, &path.child("target"), errors);
        }
    }
}

/// Which targets are set.
struct Set {
    value: bool,
    average: bool,
}

/// What is wrong with what is measured and wanted outside of what pods ask for.
fn measured(metric: &MetricIdentifier, target: &MetricTarget, path: &Path<'_>, errors: &mut Errors) -> Set {
    let metric_path = path.child("metric");
    let name_path = metric_path.child("name");
    match metric.name.as_str() {
        "" => errors.required(&name_path, "must specify a metric name"),
        name => errors.invalid_all(&name_path, name, name::path_segment(name)),
    }
    self::target(target, &path.child("target"), errors);
    Set { value: target.value.is_some(), average: target.average_value.is_some() }
}

/// What is wrong with what is wanted of a resource: an amount or a share.
fn share(target: &MetricTarget, path: &Path<'_>, errors: &mut Errors) {
    self::target(target, path, errors);
    match (target.average_utilization, &target.average_value) {
        (None, None) => errors.required(&path.child("averageUtilization"), NO_TARGET),
        (Some(_), Some(_)) => errors.forbidden(&path.child("averageValue"), TWO_TARGETS),
        _ => {}
    }
}

fn target(target: &MetricTarget, path: &Path<'_>, errors: &mut Errors) {
    let type_path = path.child("type");
    if target.type_.is_empty() {
        errors.required(&type_path, "must specify a metric target type");
    }
    if !matches!(target.type_.as_str(), "Utilization" | "Value" | "AverageValue") {
        errors.invalid(&type_path, &target.type_, "must be either Utilization, Value, or AverageValue");
    }
    for (field, value) in [("value", &target.value), ("averageValue", &target.average_value)] {
        if let Some(value) = value.as_ref().filter(|value| quantity::of(value).signum() <= 0) {
            errors.invalid(&path.child(field), &value.0, "must be positive");
        }
    }
    if let Some(share) = target.average_utilization.filter(|share| *share < 1) {
        errors.invalid(&path.child("averageUtilization"), share, "must be greater than 0");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metrics() {
        let average = json!({"type": "AverageValue", "averageValue": "5"});
        for (metric, want) in [
            (json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": average}}), ""),
            (
                json!({"type": "Foo"}),
                "m.type: Unsupported value: \"Foo\": supported values: \"ContainerResource\", \"External\", \"Object\", \"Pods\", \"Resource\"",
            ),
            (json!({"type": "Pods"}), "m.pods: Required value: must populate information for the given metric source"),
            (
                json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": average}, "resource": {"name": "cpu", "target": average}}),
                "m.resource: Forbidden: must populate the given metric source only",
            ),
            (
                json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}),
                "m.resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization",
            ),
            (
                json!({"type": "External", "external": {"metric": {"name": "a/b"}, "target": {"type": "Value", "value": "0"}}}),
                "[m.external.metric.name: Invalid value: \"a/b\": may not contain '/', m.external.target.value: Invalid value: \"0\": must be positive]",
            ),
            (
                json!({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "", "target": average}}),
                "m.containerResource.container: Required value: must specify a container",
            ),
        ] {
            let mut errors = Errors::new();
            validate(&serde_json::from_value(metric).unwrap(), &Path::new("m"), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }
}

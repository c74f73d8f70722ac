//! Requests and limits: which resources there are, and how much of them may be asked for.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
pub(in super::super) use mini_api::pod::{is_huge_page, is_native};
use mini_api::{
    name,
    pod::is_extended,
    quantity::{self, Quantity},
};

use super::{
    super::{
        field::{Errors, Path},
        unset::list,
    },
    defaults::pod_level,
};

/// Resources that have a meaning though they have no prefix.
const STANDARD: &[&str] = &[
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
];
/// Resources that come in whole pieces only.
const WHOLE: &[&str] = &[
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];

/// Whether more of it may be promised than there is.
pub(in super::super) fn is_overcommittable(resource: &str) -> bool {
    is_native(resource) && !is_huge_page(resource)
}

/// What is wrong with an amount of a resource.
pub(in super::super) fn amount(resource: &str, quantity: &ApiQuantity, path: &Path<'_>, errors: &mut Errors) {
    let amount = quantity::of(quantity);
    if amount.signum() < 0 {
        errors.invalid(path, &quantity.0, "must be greater than or equal to 0");
    }
    if (WHOLE.contains(&resource) || is_extended(resource)) && amount.milli() % 1000 != 0 {
        errors.invalid(path, &quantity.0, "must be an integer");
    }
}

/// What is wrong with the name of any compute resource; whether nothing is.
pub(in super::super) fn resource_name(resource: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let wrong = name::qualified_name(resource);
    if !wrong.is_empty() {
        errors.invalid_all(path, resource, wrong);
        return false;
    }
    if !resource.contains('/') && !STANDARD.contains(&resource) && !is_huge_page(resource) && !resource.starts_with("requests.hugepages-") {
        errors.invalid(path, resource, "must be a standard resource type or fully qualified");
        return false;
    }
    true
}

/// What is wrong with the name of a resource that containers ask for.
pub(in super::super) fn container_resource(resource: &str, path: &Path<'_>, errors: &mut Errors) {
    resource_name(resource, path, errors);
    if !resource.contains('/') {
        if !matches!(resource, "cpu" | "memory" | "ephemeral-storage") && !is_huge_page(resource) {
            errors.invalid(path, resource, "must be a standard resource for containers");
        }
    } else if !is_native(resource) && !is_extended(resource) {
        errors.invalid(path, resource, "doesn't follow extended resource name standard");
    }
}

fn pod_resource(resource: &str, path: &Path<'_>, errors: &mut Errors) {
    if resource_name(resource, path, errors) && !pod_level(resource) {
        errors.unsupported(path, resource, &["cpu", "hugepages-", "memory"]);
    }
}

/// What is wrong with the resources of a container; `claims` are those of its pod.
pub(super) fn of_container(resources: &ResourceRequirements, claims: &[&str], path: &Path<'_>, errors: &mut Errors) {
    requirements(resources, container_resource, path, errors);
    let path = path.child("claims");
    let mut seen: Vec<&str> = Vec::new();
    for (index, claim) in list(&resources.claims).iter().enumerate() {
        let path = path.index(index);
        let name = claim.name.as_str();
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if seen.contains(&name) {
            errors.duplicate(&path, name);
        }
        seen.push(name);
        if !claims.contains(&name) {
            errors.not_found(&path, name);
            let known = if claims.is_empty() { " which is empty".to_owned() } else { format!(": {}", claims.join(", ")) };
            errors.explain(&format!("must be one of the names in pod.spec.resourceClaims{known}"));
        }
    }
}

/// What is wrong with the resources of a pod as a whole.
pub(super) fn of_pod(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(resources) = &spec.resources else { return };
    if resources.claims.is_some() {
        errors.forbidden(&path.child("claims"), "claims may not be set for Resources at pod-level");
    }
    requirements(resources, pod_resource, path, errors);
    let of_containers = mini_api::pod::requests(&PodSpec { resources: None, overhead: None, ..spec.clone() });
    let requests = path.child("requests");
    for (name, sum) in &of_containers {
        if let Some(request) = resources.requests.as_ref().and_then(|requests| requests.get(name))
            && *sum > quantity::of(request)
        {
            let detail = format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.invalid(&requests.key(name), &request.0, &detail);
        }
    }
    let containers = path.child("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        let container_path = containers.index(index);
        for (name, limit) in container.resources.iter().flat_map(|resources| resources.limits.iter().flatten()) {
            if let Some(most) = resources.limits.as_ref().and_then(|limits| limits.get(name))
                && quantity::of(limit) > quantity::of(most)
            {
                let detail = format!("must be less than or equal to pod limits of {}", most.0);
                errors.invalid(&container_path.key(name).child("limits"), &limit.0, &detail);
            }
        }
    }
}

type NameRule = fn(&str, &Path<'_>, &mut Errors);

fn requirements(resources: &ResourceRequirements, check_name: NameRule, path: &Path<'_>, errors: &mut Errors) {
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    let empty = BTreeMap::new();
    let limits = resources.limits.as_ref().unwrap_or(&empty);
    let requests = resources.requests.as_ref().unwrap_or(&empty);
    for (name, limit) in limits {
        one(name, limit, check_name, &limits_path.key(name), errors);
    }
    for (name, request) in requests {
        one(name, request, check_name, &requests_path.key(name), errors);
        let (requested, limit) = (quantity::of(request), limits.get(name));
        match limit.map(quantity::of) {
            Some(most) if requested != most && !is_overcommittable(name) => {
                let detail = format!("must be equal to {name} limit of {most}");
                errors.invalid(&requests_path, &request.0, &detail);
            }
            Some(most) if requested > most => {
                let detail = format!("must be less than or equal to {name} limit of {most}");
                errors.invalid(&requests_path, &request.0, &detail);
            }
            None if !is_overcommittable(name) => {
                errors.required(&limits_path, "Limit must be set for non overcommitable resources");
            }
            Some(_) | None => {}
        }
    }
    let mut names = limits.keys().chain(requests.keys());
    if names.clone().any(|name| is_huge_page(name)) && !names.any(|name| matches!(name.as_str(), "cpu" | "memory")) {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
}

fn one(name: &str, quantity: &ApiQuantity, check_name: NameRule, path: &Path<'_>, errors: &mut Errors) {
    check_name(name, path, errors);
    amount(name, quantity, path, errors);
    if let Some(size) = name.strip_prefix("hugepages-").and_then(|size| Quantity::parse(size).ok()) {
        let pages = quantity::of(quantity).value();
        if size.value() <= 0 || pages <= 0 || pages % size.value() != 0 {
            errors.invalid(path, &quantity.0, &format!("{} is not positive integer multiple of {name}", quantity.0));
        }
    }
}

/// What is wrong with what a runtime adds to the requests of a pod.
pub(in super::super) fn overhead(overhead: &BTreeMap<String, ApiQuantity>, path: &Path<'_>, errors: &mut Errors) {
    for (name, quantity) in overhead {
        one(name, quantity, container_resource, &path.child("limits").key(name), errors);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(json: Value) -> String {
        let resources: ResourceRequirements = serde_json::from_value(json).unwrap();
        let mut errors = Errors::new();
        of_container(&resources, &[], &Path::new("r"), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn requests_and_limits() {
        for (json, want) in [
            (json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}), ""),
            (
                json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
                "r.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            ),
            (json!({"requests": {"cpu": "-1"}}), "r.requests[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"),
            (
                json!({"requests": {"foo": "1"}}),
                "r.requests[foo]: Invalid value: \"foo\": must be a standard resource type or fully qualified; r.requests[foo]: Invalid value: \"foo\": must be a standard resource for containers",
            ),
            (json!({"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}), ""),
            (json!({"requests": {"nvidia.com/gpu": "1"}}), "r.limits: Required value: Limit must be set for non overcommitable resources"),
            (json!({"limits": {"nvidia.com/gpu": "1500m"}}), "r.limits[nvidia.com/gpu]: Invalid value: \"1500m\": must be an integer"),
            (json!({"limits": {"hugepages-2Mi": "4Mi"}}), "r: Forbidden: HugePages require cpu or memory"),
            (
                json!({"claims": [{"name": "x"}]}),
                "r.claims[0]: Not found: \"x\": must be one of the names in pod.spec.resourceClaims which is empty",
            ),
        ] {
            assert_eq!(said(json), want);
        }
    }
}

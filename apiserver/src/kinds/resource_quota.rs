//! ResourceQuotas: how much of everything there may be in a namespace.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{ResourceQuota, ResourceQuotaSpec, ResourceQuotaStatus, ScopeSelector, ScopedResourceSelectorRequirement},
    apimachinery::pkg::api::resource::Quantity,
};
use mini_api::quota::{COMPUTE, FLAGS};
use serde::Serialize;
use serde_json::Value;

use super::{
    field::{Errors, Path},
    pod::resources::{amount, is_huge_page, resource_name},
    rules::{Column, Rules, column, parts},
    unset::list,
};

/// What else can be limited without naming a vendor.
const STANDARD: &[&str] = &[
    "ephemeral-storage",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
/// Scopes that say opposite things.
const OPPOSITES: [(&str, &str); 2] = [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")];

/// What is special about a ResourceQuota.
pub(super) const RULES: Rules<ResourceQuota> = Rules {
    defaults: |quota| {
        quota.spec.get_or_insert_default();
        quota.status.get_or_insert_default();
    },
    on_create: |quota| quota.status = Some(ResourceQuotaStatus::default()),
    validate,
    validate_update,
    validate_status: |new, _, errors| {
        let Some(status) = &new.status else { return };
        let path = Path::new("status");
        amounts(status.hard.as_ref(), &path.child("hard"), errors);
        amounts(status.used.as_ref(), &path.child("used"), errors);
    },
    columns: &[
        Column::name(),
        column("Request", |quota: &ResourceQuota, _| Value::from(used(quota, |resource| !resource.starts_with("limits."))))
            .about("Request represents a minimum amount of cpu/memory that a container may consume."),
        column("Limit", |quota: &ResourceQuota, _| Value::from(used(quota, |resource| resource.starts_with("limits."))))
            .about("Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."),
        Column::age(),
    ],
    parts: parts![status],
    ..Rules::NONE
};

fn is_standard(resource: &str) -> bool {
    COMPUTE.contains(&resource) || STANDARD.contains(&resource) || is_huge_page(resource) || resource.starts_with("requests.hugepages-")
}

/// Whether a scope can narrow what counts against a resource.
fn fits(scope: &str, resource: &str) -> bool {
    match scope {
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        scope if FLAGS.contains(&scope) || scope == "PriorityClass" => resource == "pods" || COMPUTE.contains(&resource),
        _ => true,
    }
}

fn is_scope(scope: &str) -> bool {
    FLAGS.contains(&scope) || matches!(scope, "PriorityClass" | "VolumeAttributesClass")
}

fn validate(quota: &ResourceQuota, errors: &mut Errors) {
    let Some(spec) = &quota.spec else { return };
    let path = Path::new("spec");
    amounts(spec.hard.as_ref(), &path.child("hard"), errors);
    scopes(spec, &path.child("scopes"), errors);
    if let Some(selector) = &spec.scope_selector {
        scope_selector(spec, selector, &path.child("scopeSelector").child("matchExpressions"), errors);
    }
}

fn amounts(quantities: Option<&BTreeMap<String, Quantity>>, path: &Path<'_>, errors: &mut Errors) {
    for (resource, quantity) in quantities.into_iter().flatten() {
        let path = path.key(resource);
        resource_name(resource, &path, errors);
        if !resource.contains('/') && !is_standard(resource) {
            errors.invalid(&path, resource, "must be a standard resource for quota");
        }
        amount(resource, quantity, &path, errors);
    }
}

fn limited(spec: &ResourceQuotaSpec) -> impl Iterator<Item = &str> {
    spec.hard.iter().flat_map(BTreeMap::keys).map(String::as_str).filter(|resource| is_standard(resource))
}

fn scopes(spec: &ResourceQuotaSpec, path: &Path<'_>, errors: &mut Errors) {
    let scopes = list(&spec.scopes);
    for scope in scopes {
        if !is_scope(scope) {
            errors.invalid(path, scopes, "unsupported scope");
        }
        for _ in limited(spec).filter(|resource| !fits(scope, resource)) {
            errors.invalid(path, scopes, "unsupported scope applied to resource");
        }
    }
    opposites(&scopes.iter().map(String::as_str).collect(), spec, path, errors);
}

fn opposites(seen: &BTreeSet<&str>, spec: &ResourceQuotaSpec, path: &Path<'_>, errors: &mut Errors) {
    for (one, other) in OPPOSITES {
        if seen.contains(one) && seen.contains(other) {
            // Upstream shows the list of scopes even where the selector is wrong.
            errors.invalid(path, &spec.scopes, "conflicting scopes");
        }
    }
}

/// A scope selector as messages show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    match_expressions: Vec<ShownRequirement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownRequirement<'a> {
    scope_name: &'a str,
    operator: &'a str,
    values: &'a Option<Vec<String>>,
}

impl<'a> From<&'a ScopeSelector> for Shown<'a> {
    fn from(selector: &'a ScopeSelector) -> Self {
        let shown = |one: &'a ScopedResourceSelectorRequirement| ShownRequirement {
            scope_name: &one.scope_name,
            operator: &one.operator,
            values: &one.values,
        };
        Self { match_expressions: list(&selector.match_expressions).iter().map(shown).collect() }
    }
}

fn scope_selector(spec: &ResourceQuotaSpec, selector: &ScopeSelector, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for requirement in list(&selector.match_expressions) {
        let scope = requirement.scope_name.as_str();
        if !is_scope(scope) {
            errors.invalid(&path.child("scopeName"), scope, "unsupported scope");
        }
        for _ in limited(spec).filter(|resource| !fits(scope, resource)) {
            errors.invalid(path, Shown::from(selector), "unsupported scope applied to resource");
        }
        scope_requirement(requirement, path, errors);
        seen.insert(scope);
    }
    opposites(&seen, spec, path, errors);
}

fn scope_requirement(requirement: &ScopedResourceSelectorRequirement, path: &Path<'_>, errors: &mut Errors) {
    let (operator, values) = (requirement.operator.as_str(), list(&requirement.values));
    let operator_path = path.child("operator");
    if FLAGS.contains(&requirement.scope_name.as_str()) && operator != "Exists" {
        let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
        errors.invalid(&operator_path, operator, detail);
    }
    let path = path.child("values");
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            errors.required(&path, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            errors.invalid(&path, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        operator => errors.invalid(&operator_path, operator, "not a valid selector operator"),
    }
}

fn validate_update(new: &ResourceQuota, old: &ResourceQuota, errors: &mut Errors) {
    let scopes = |quota: &ResourceQuota| -> BTreeSet<String> { quota.spec.iter().flat_map(|spec| list(&spec.scopes)).cloned().collect() };
    if scopes(new) != scopes(old) {
        let spec = Path::new("spec");
        errors.invalid(&spec.child("scopes"), new.spec.as_ref().and_then(|spec| spec.scopes.as_ref()), "field is immutable");
    }
}

/// `pods: 1/5, requests.cpu: 100m/2`: what is used of what there may be.
fn used(quota: &ResourceQuota, wanted: fn(&str) -> bool) -> String {
    let Some(status) = &quota.status else { return String::new() };
    let amount = |resource: &str| status.used.as_ref().and_then(|used| used.get(resource)).map_or("0", |used| used.0.as_str());
    let hard = status.hard.iter().flatten().filter(|(resource, _)| wanted(resource));
    hard.map(|(resource, hard)| format!("{resource}: {}/{}", amount(resource), hard.0)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: Value) -> String {
        let mut errors = Errors::new();
        validate(&serde_json::from_value(json!({ "spec": spec })).unwrap(), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_can_be_limited() {
        for (spec, want) in [
            (json!({"hard": {"count/deployments.apps": "2", "requests.nvidia.com/gpu": "4", "pods": "1"}}), ""),
            (json!({"hard": {"pods": "1500m"}}), "spec.hard[pods]: Invalid value: \"1500m\": must be an integer"),
            (
                json!({"hard": {"apples": "1"}}),
                "spec.hard[apples]: Invalid value: \"apples\": must be a standard resource type or fully qualified; spec.hard[apples]: Invalid value: \"apples\": must be a standard resource for quota",
            ),
        ] {
            assert_eq!(said(spec), want);
        }
    }

    #[test]
    fn which_scopes_fit() {
        for (spec, want) in [
            (json!({"hard": {"pods": "1"}, "scopes": ["BestEffort"]}), ""),
            (json!({"scopes": ["Odd"]}), "spec.scopes: Invalid value: [\"Odd\"]: unsupported scope"),
            (
                json!({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}),
                "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource",
            ),
            (
                json!({"scopes": ["Terminating", "NotTerminating"]}),
                "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: conflicting scopes",
            ),
            (
                json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}}),
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            ),
        ] {
            assert_eq!(said(spec), want);
        }
    }

    #[test]
    fn cells() {
        let quota = serde_json::from_value(json!({
            "status": {"hard": {"pods": "5", "limits.cpu": "2", "requests.cpu": "1"}, "used": {"pods": "1"}},
        }))
        .unwrap();
        let cells: Vec<Value> = RULES.columns[1..3].iter().map(|column| (column.cell)(&quota, jiff::Timestamp::UNIX_EPOCH)).collect();
        assert_eq!(cells, ["pods: 1/5, requests.cpu: 0/1", "limits.cpu: 0/2"]);
    }
}

//! Webhooks and policies of admission: which writes they are about, and what both have in common.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{MatchCondition, MatchResources, NamedRuleWithOperations, RuleWithOperations};
use mini_api::name;

use super::{
    field::{Errors, Path},
    selector,
    unset::{list, list_mut, text},
};

pub(super) mod binding;
pub(super) mod policy;
pub(super) mod webhook;

const FAILURE_POLICIES: &[&str] = &["Fail", "Ignore"];
const MATCH_POLICIES: &[&str] = &["Equivalent", "Exact"];
const OPERATIONS: &[&str] = &["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: &[&str] = &["*", "Cluster", "Namespaced"];
/// How many conditions one webhook or policy may have.
const MOST_CONDITIONS: usize = 64;

/// A rule, whichever type it is written in.
struct Rule<'a> {
    operations: &'a [String],
    groups: &'a [String],
    versions: &'a [String],
    resources: &'a [String],
    scope: Option<&'a str>,
}

impl<'a> From<&'a RuleWithOperations> for Rule<'a> {
    fn from(rule: &'a RuleWithOperations) -> Self {
        Rule {
            operations: list(&rule.operations),
            groups: list(&rule.api_groups),
            versions: list(&rule.api_versions),
            resources: list(&rule.resources),
            scope: rule.scope.as_deref(),
        }
    }
}

impl<'a> From<&'a NamedRuleWithOperations> for Rule<'a> {
    fn from(rule: &'a NamedRuleWithOperations) -> Self {
        Rule {
            operations: list(&rule.operations),
            groups: list(&rule.api_groups),
            versions: list(&rule.api_versions),
            resources: list(&rule.resources),
            scope: rule.scope.as_deref(),
        }
    }
}

fn default_scope(scope: &mut Option<String>) {
    scope.get_or_insert_with(|| "*".to_owned());
}

fn default_match(resources: &mut MatchResources) {
    resources.match_policy.get_or_insert_with(|| "Equivalent".to_owned());
    resources.namespace_selector.get_or_insert_default();
    resources.object_selector.get_or_insert_default();
    let rules = list_mut(&mut resources.resource_rules).iter_mut().chain(list_mut(&mut resources.exclude_resource_rules));
    rules.for_each(|rule| default_scope(&mut rule.scope));
}

/// One of some words.
fn one_of(word: &str, known: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if !known.contains(&word) {
        errors.unsupported(path, word, known);
    }
}

fn validate_match(resources: &MatchResources, path: &Path<'_>, errors: &mut Errors) {
    one_of(text(&resources.match_policy), MATCH_POLICIES, &path.child("matchPolicy"), errors);
    for (field, chosen) in [("namespaceSelector", &resources.namespace_selector), ("objectSelector", &resources.object_selector)] {
        if let Some(chosen) = chosen {
            selector::label_selector(chosen, &path.child(field), errors);
        }
    }
    for (field, rules) in [("resourceRules", &resources.resource_rules), ("excludeResourceRules", &resources.exclude_resource_rules)] {
        let path = path.child(field);
        for (index, rule) in list(rules).iter().enumerate() {
            let path = path.index(index);
            validate_names(list(&rule.resource_names), &path.child("resourceNames"), errors);
            validate_rule(&Rule::from(rule), &path, errors);
        }
    }
}

fn validate_names(names: &[String], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, one) in names.iter().enumerate() {
        let path = path.index(index);
        errors.invalid_all(&path, one, name::path_segment(one));
        if !seen.insert(one) {
            errors.duplicate(&path, one);
        }
    }
}

fn validate_rule(rule: &Rule<'_>, path: &Path<'_>, errors: &mut Errors) {
    let at_operations = path.child("operations");
    wildcard_or_some(rule.operations, "operations", &at_operations, errors);
    for (index, operation) in rule.operations.iter().enumerate() {
        one_of(operation, OPERATIONS, &at_operations.index(index), errors);
    }
    wildcard_or_some(rule.groups, "API groups", &path.child("apiGroups"), errors);
    let at_versions = path.child("apiVersions");
    wildcard_or_some(rule.versions, "API versions", &at_versions, errors);
    for (index, _) in rule.versions.iter().enumerate().filter(|(_, version)| version.is_empty()) {
        errors.required(&at_versions.index(index), "");
    }
    validate_resources(rule.resources, &path.child("resources"), errors);
    if let Some(scope) = rule.scope {
        one_of(scope, SCOPES, &path.child("scope"), errors);
    }
}

/// There is something, and nothing besides `*`.
fn wildcard_or_some(values: &[String], what: &str, path: &Path<'_>, errors: &mut Errors) {
    if values.is_empty() {
        errors.required(path, "");
    }
    if values.len() > 1 && values.iter().any(|value| value == "*") {
        errors.invalid(path, values, &format!("if '*' is present, must not specify other {what}"));
    }
}

/// Resources with or without a subresource, either of which may be `*`.
fn validate_resources(resources: &[String], path: &Path<'_>, errors: &mut Errors) {
    if resources.is_empty() {
        errors.required(path, "");
    }
    let (mut with_any_part, mut parts_of_any) = (BTreeSet::new(), BTreeSet::new());
    // As upstream: the last resource without a subresource decides.
    let mut is_named = false;
    for (index, resource) in resources.iter().enumerate() {
        let path = path.index(index);
        if resource.is_empty() {
            errors.required(&path, "");
            continue;
        }
        let Some((whole, part)) = resource.split_once('/') else {
            is_named = resource != "*";
            continue;
        };
        if with_any_part.contains(whole) {
            errors.invalid(&path, resource, &format!("if '{whole}/*' is present, must not specify {resource}"));
        }
        if parts_of_any.contains(part) {
            errors.invalid(&path, resource, &format!("if '*/{part}' is present, must not specify {resource}"));
        }
        if part == "*" {
            with_any_part.insert(whole);
        }
        if whole == "*" {
            parts_of_any.insert(part);
        }
    }
    let has = |wanted: &str| resources.iter().any(|resource| resource == wanted);
    if resources.len() > 1 && has("*/*") {
        errors.invalid(path, resources, "if '*/*' is present, must not specify other resources");
    }
    if has("*") && is_named {
        errors.invalid(path, resources, "if '*' is present, must not specify other resources without subresources");
    }
}

/// The conditions under which a webhook or a policy is asked. That their expressions mean something is not checked.
fn validate_conditions(conditions: &[MatchCondition], path: &Path<'_>, errors: &mut Errors) {
    if conditions.len() > MOST_CONDITIONS {
        errors.too_many(path, conditions.len(), MOST_CONDITIONS);
    }
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let path = path.index(index);
        if condition.expression.trim().is_empty() {
            errors.required(&path.child("expression"), "");
        }
        let path = path.child("name");
        if condition.name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        errors.invalid_all(&path, &condition.name, name::qualified_name(&condition.name));
        if !seen.insert(&condition.name) {
            errors.duplicate(&path, &condition.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(rule: Value) -> String {
        let rule: RuleWithOperations = serde_json::from_value(rule).unwrap();
        let mut errors = Errors::new();
        validate_rule(&Rule::from(&rule), &Path::new("r"), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_rule_says_what_it_is_about() {
        assert_eq!(said(json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["v1"], "resources": ["*/*"], "scope": "*"})), "");
        assert_eq!(
            said(json!({})),
            "r.operations: Required value; r.apiGroups: Required value; r.apiVersions: Required value; r.resources: Required value"
        );
        assert_eq!(
            said(json!({"operations": ["*", "READ"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "All"})),
            "r.operations: Invalid value: [\"*\",\"READ\"]: if '*' is present, must not specify other operations; \
             r.operations[1]: Unsupported value: \"READ\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\"; \
             r.scope: Unsupported value: \"All\": supported values: \"*\", \"Cluster\", \"Namespaced\""
        );
    }

    #[test]
    fn wildcards_stand_alone() {
        let of = |resources: Value| said(json!({"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": resources}));
        assert_eq!(of(json!(["pods/*", "nodes/status", "*/scale"])), "");
        assert_eq!(
            of(json!(["pods/*", "pods/log"])),
            "r.resources[1]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify pods/log"
        );
        assert_eq!(
            of(json!(["*", "pods"])),
            "r.resources: Invalid value: [\"*\",\"pods\"]: if '*' is present, must not specify other resources without subresources"
        );
    }
}

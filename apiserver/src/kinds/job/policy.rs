//! When a Job fails or succeeds before all its pods have ended.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{
    JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
    SuccessPolicy, SuccessPolicyRule,
};
use mini_api::{indexes::Indexes, name};

use super::super::{
    count::not_negative,
    field::{Errors, Path},
    unset::{list, text},
};

/// The most rules, and the most patterns of a rule.
const MOST_RULES: usize = 20;
/// The most exit codes of a rule.
const MOST_CODES: usize = 255;
/// The most bytes a set of indexes may take.
const MOST_INDEXES: usize = 64 * 1024;

/// A word must be there and be one of those known.
fn word(value: &str, known: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        let known: Vec<String> = known.iter().map(|known| format!("{known:?}")).collect();
        errors.required(path, &format!("valid values: [{}]", known.join(" ")));
    } else if !known.contains(&value) {
        errors.unsupported(path, value, known);
    }
}

/// What is wrong with the rules for pods that fail.
pub(super) fn failure(policy: &PodFailurePolicy, spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("rules");
    if policy.rules.len() > MOST_RULES {
        errors.too_many(&path, policy.rules.len(), MOST_RULES);
    }
    let pod = spec.template.spec.as_ref();
    let containers = pod.iter().flat_map(|pod| pod.containers.iter().chain(list(&pod.init_containers)));
    let names: BTreeSet<&str> = containers.map(|container| container.name.as_str()).collect();
    for (index, rule) in policy.rules.iter().enumerate() {
        failure_rule(rule, spec, &names, &path.index(index), errors);
    }
}

fn failure_rule(rule: &PodFailurePolicyRule, spec: &JobSpec, containers: &BTreeSet<&str>, path: &Path<'_>, errors: &mut Errors) {
    let action = path.child("action");
    if rule.action == "FailIndex" {
        if spec.backoff_limit_per_index.is_none() {
            errors.invalid(&action, &rule.action, "requires the backoffLimitPerIndex to be set");
        }
    } else {
        word(&rule.action, &["Count", "FailIndex", "FailJob", "Ignore"], &action, errors);
    }
    let conditions = list(&rule.on_pod_conditions);
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(codes, containers, &path.child("onExitCodes"), errors);
    }
    pod_conditions(conditions, &path.child("onPodConditions"), errors);
    match (&rule.on_exit_codes, conditions.is_empty()) {
        (Some(_), false) => errors.invalid_as_a_whole(path, "specifying both OnExitCodes and OnPodConditions is not supported"),
        (None, true) => errors.invalid_as_a_whole(path, "specifying one of OnExitCodes and OnPodConditions is required"),
        _ => {}
    }
}

fn pod_conditions(conditions: &[PodFailurePolicyOnPodConditionsPattern], path: &Path<'_>, errors: &mut Errors) {
    if conditions.len() > MOST_RULES {
        errors.too_many(path, conditions.len(), MOST_RULES);
    }
    for (index, pattern) in conditions.iter().enumerate() {
        let path = path.index(index);
        errors.invalid_all(&path.child("type"), &pattern.type_, name::qualified_name(&pattern.type_));
        word(text(&pattern.status), &["False", "True", "Unknown"], &path.child("status"), errors);
    }
}

fn exit_codes(codes: &PodFailurePolicyOnExitCodesRequirement, containers: &BTreeSet<&str>, path: &Path<'_>, errors: &mut Errors) {
    word(&codes.operator, &["In", "NotIn"], &path.child("operator"), errors);
    if let Some(container) = codes.container_name.as_deref().filter(|name| !containers.contains(name)) {
        let detail = "must be one of the container or initContainer names in the pod template";
        errors.invalid(&path.child("containerName"), container, detail);
    }
    let path = path.child("values");
    if codes.values.is_empty() {
        errors.invalid(&path, &codes.values, "at least one value is required");
    } else if codes.values.len() > MOST_CODES {
        errors.too_many(&path, codes.values.len(), MOST_CODES);
    }
    let mut seen = BTreeSet::new();
    for (index, code) in codes.values.iter().enumerate() {
        let path = path.index(index);
        if codes.operator == "In" && *code == 0 {
            errors.invalid(&path, code, "must not be 0 for the In operator");
        }
        if !seen.insert(code) {
            errors.duplicate(&path, code);
        }
    }
    if !codes.values.is_sorted() {
        errors.invalid(&path, &codes.values, "must be ordered");
    }
}

/// What is wrong with the rules for succeeding early.
pub(super) fn success(policy: &SuccessPolicy, completions: i32, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("rules");
    if policy.rules.is_empty() {
        errors.required(&path, "at least one rules must be specified when the successPolicy is specified");
    }
    if policy.rules.len() > MOST_RULES {
        errors.too_many(&path, policy.rules.len(), MOST_RULES);
    }
    for (index, rule) in policy.rules.iter().enumerate() {
        success_rule(rule, completions, &path.index(index), errors);
    }
}

fn success_rule(rule: &SuccessPolicyRule, completions: i32, path: &Path<'_>, errors: &mut Errors) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        errors.required(path, "at least one of succeededCount or succeededIndexes must be specified");
    }
    let mut total = 0;
    if let Some(text) = &rule.succeeded_indexes {
        let path = path.child("succeededIndexes");
        if text.len() > MOST_INDEXES {
            errors.too_long(&path, MOST_INDEXES);
        }
        match Indexes::parse(text, completions) {
            Ok(indexes) => total = indexes.count(),
            Err(error) => errors.invalid(&path, text, &format!("error parsing succeededIndexes: {error}")),
        }
    }
    let Some(count) = rule.succeeded_count else { return };
    let path = path.child("succeededCount");
    not_negative(Some(count), &path, errors);
    if count > completions {
        errors.invalid(&path, count, &format!("must be less than or equal to {completions} (the number of specified completions)"));
    }
    if rule.succeeded_indexes.is_some() && count > total {
        let of = "the number of indexes in the specified succeededIndexes field";
        errors.invalid(&path, count, &format!("must be less than or equal to {total} ({of})"));
    }
}

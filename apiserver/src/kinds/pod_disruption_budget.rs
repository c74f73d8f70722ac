//! PodDisruptionBudgets: how many pods of an application must stay while nodes are emptied.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    count::{at_most_all, count_or_percent, none_negative},
    field::{Errors, Path},
    rules::{Column, Rules, column, parts},
    selector,
};

/// What is special about a PodDisruptionBudget.
pub(super) const RULES: Rules<PodDisruptionBudget> = Rules {
    defaults: |budget| {
        budget.spec.get_or_insert_default();
        count_all(budget.status.get_or_insert_default());
    },
    on_create: |budget| {
        budget.status = None;
        count_all(budget.status.get_or_insert_default());
    },
    validate,
    validate_status: |new, _, errors| {
        if let Some(status) = &new.status {
            let counts = [
                ("disruptionsAllowed", status.disruptions_allowed),
                ("currentHealthy", status.current_healthy),
                ("desiredHealthy", status.desired_healthy),
                ("expectedPods", status.expected_pods),
            ];
            none_negative(&counts, &Path::new("status"), errors);
        }
    },
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

/// Counts are there even where they are zero.
fn count_all(status: &mut PodDisruptionBudgetStatus) {
    let counts = [&mut status.disruptions_allowed, &mut status.current_healthy, &mut status.desired_healthy, &mut status.expected_pods];
    for count in counts {
        count.get_or_insert(0);
    }
}

fn validate(budget: &PodDisruptionBudget, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &budget.spec else { return };
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        errors.invalid(&path, Shown::new(spec), "minAvailable and maxUnavailable cannot be both set");
    }
    for (field, value) in [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)] {
        if let Some(value) = value {
            count_or_percent(value, &path.child(field), errors);
            at_most_all(value, &path.child(field), errors);
        }
    }
    if let Some(policy) =
        spec.unhealthy_pod_eviction_policy.as_deref().filter(|policy| !matches!(*policy, "AlwaysAllow" | "IfHealthyBudget"))
    {
        errors.unsupported(&path.child("unhealthyPodEvictionPolicy"), policy, &["AlwaysAllow", "IfHealthyBudget"]);
    }
    if let Some(selector) = &spec.selector {
        selector::label_selector(selector, &path.child("selector"), errors);
    }
}

/// A spec as messages show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    min_available: &'a Option<IntOrString>,
    selector: Option<selector::Shown<'a>>,
    max_unavailable: &'a Option<IntOrString>,
    unhealthy_pod_eviction_policy: &'a Option<String>,
}

impl<'a> Shown<'a> {
    fn new(spec: &'a PodDisruptionBudgetSpec) -> Self {
        let selector: Option<&LabelSelector> = spec.selector.as_ref();
        Self {
            min_available: &spec.min_available,
            selector: selector.map(selector::Shown),
            max_unavailable: &spec.max_unavailable,
            unhealthy_pod_eviction_policy: &spec.unhealthy_pod_eviction_policy,
        }
    }
}

const COLUMNS: &[Column<PodDisruptionBudget>] = &[
    Column::name(),
    column("Min Available", |budget: &PodDisruptionBudget, _| share(budget, |spec| spec.min_available.as_ref()))
        .about("The minimum number of pods that must be available."),
    column("Max Unavailable", |budget: &PodDisruptionBudget, _| share(budget, |spec| spec.max_unavailable.as_ref()))
        .about("The maximum number of pods that may be unavailable."),
    column("Allowed Disruptions", |budget: &PodDisruptionBudget, _| {
        Value::from(budget.status.as_ref().and_then(|status| status.disruptions_allowed).unwrap_or_default())
    })
    .integer()
    .about("Calculated number of pods that may be disrupted at this time."),
    Column::age(),
];

fn share(budget: &PodDisruptionBudget, field: fn(&PodDisruptionBudgetSpec) -> Option<&IntOrString>) -> Value {
    match budget.spec.as_ref().and_then(field) {
        Some(IntOrString::Int(number)) => Value::from(number.to_string()),
        Some(IntOrString::String(text)) => Value::from(text.as_str()),
        None => Value::from("N/A"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn specs() {
        for (spec, want) in [
            (json!({"minAvailable": "50%"}), ""),
            (json!({}), ""),
            (json!({"minAvailable": "150%"}), "spec.minAvailable: Invalid value: \"150%\": must not be greater than 100%"),
            (json!({"maxUnavailable": -1}), "spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0"),
            (
                json!({"unhealthyPodEvictionPolicy": "Foo"}),
                "spec.unhealthyPodEvictionPolicy: Unsupported value: \"Foo\": supported values: \"AlwaysAllow\", \"IfHealthyBudget\"",
            ),
        ] {
            let budget: PodDisruptionBudget = serde_json::from_value(json!({"spec": spec})).unwrap();
            let mut errors = Errors::new();
            validate(&budget, &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn cells() {
        let budget: PodDisruptionBudget = serde_json::from_value(json!({"spec": {"minAvailable": 2}})).unwrap();
        assert_eq!(share(&budget, |spec| spec.min_available.as_ref()), "2");
        assert_eq!(share(&budget, |spec| spec.max_unavailable.as_ref()), "N/A");
    }
}

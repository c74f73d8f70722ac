//! Where a pod wants to run and where it may: node and pod affinity, spreading, tolerations.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, PodSpec, Toleration,
        TopologySpreadConstraint, WeightedPodAffinityTerm,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
};
use mini_api::name;

use super::{
    super::{
        field::{Errors, Path},
        selector::label_selector,
        unset::{list, list_mut, text},
    },
    security::one_of,
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// What is wrong with the affinities of a pod.
pub(super) fn affinity(affinity: &Affinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(node) = &affinity.node_affinity {
        node_affinity(node, &path.child("nodeAffinity"), errors);
    }
    if let Some(pod) = &affinity.pod_affinity {
        let (required, preferred) =
            (&pod.required_during_scheduling_ignored_during_execution, &pod.preferred_during_scheduling_ignored_during_execution);
        pod_affinity(list(required), list(preferred), &path.child("podAffinity"), errors);
    }
    if let Some(pod) = &affinity.pod_anti_affinity {
        let (required, preferred) =
            (&pod.required_during_scheduling_ignored_during_execution, &pod.preferred_during_scheduling_ignored_during_execution);
        pod_affinity(list(required), list(preferred), &path.child("podAntiAffinity"), errors);
    }
}

fn node_affinity(affinity: &NodeAffinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(selector) = &affinity.required_during_scheduling_ignored_during_execution {
        node_selector(selector, &path.child(REQUIRED), errors);
    }
    let preferred = path.child(PREFERRED);
    for (index, term) in list(&affinity.preferred_during_scheduling_ignored_during_execution).iter().enumerate() {
        let path = preferred.index(index);
        weight(term.weight, &path, errors);
        // A preference that no label can meet does no harm, so its values are not checked.
        node_term(&term.preference, false, &path.child("preference"), errors);
    }
}

/// What is wrong with a choice of nodes by their labels.
pub(in super::super) fn node_selector(selector: &NodeSelector, path: &Path<'_>, errors: &mut Errors) {
    let terms = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.required(&terms, "must have at least one node selector term");
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        node_term(term, true, &terms.index(index), errors);
    }
}

fn weight(weight: i32, path: &Path<'_>, errors: &mut Errors) {
    if !(1..=100).contains(&weight) {
        errors.invalid(&path.child("weight"), weight, "must be in the range 1-100");
    }
}

fn node_term(term: &NodeSelectorTerm, check_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let expressions = path.child("matchExpressions");
    for (index, requirement) in list(&term.match_expressions).iter().enumerate() {
        node_requirement(requirement, check_values, &expressions.index(index), errors);
    }
    let fields = path.child("matchFields");
    for (index, requirement) in list(&term.match_fields).iter().enumerate() {
        node_field(requirement, &fields.index(index), errors);
    }
}

fn node_requirement(requirement: &NodeSelectorRequirement, check_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let values = list(&requirement.values);
    match (requirement.operator.as_str(), values) {
        ("In" | "NotIn", []) => errors.required(&path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'"),
        ("Exists" | "DoesNotExist", [_, ..]) => {
            errors.forbidden(&path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        ("Gt" | "Lt", [_]) | ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {}
        ("Gt" | "Lt", _) => errors.required(&path.child("values"), "must be specified single value when `operator` is 'Lt' or 'Gt'"),
        (operator, _) => errors.invalid(&path.child("operator"), operator, "not a valid selector operator"),
    }
    errors.invalid_all(&path.child("key"), &requirement.key, name::qualified_name(&requirement.key));
    if check_values {
        let path = path.child("values");
        for (index, value) in values.iter().enumerate() {
            errors.invalid_all(&path.index(index), value, name::label_value(value));
        }
    }
}

fn node_field(requirement: &NodeSelectorRequirement, path: &Path<'_>, errors: &mut Errors) {
    let values = path.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if list(&requirement.values).len() != 1 => {
            errors.required(&values, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
        }
        "In" | "NotIn" => {}
        operator => errors.invalid(&path.child("operator"), operator, "not a valid selector operator"),
    }
    if requirement.key == "metadata.name" {
        for (index, value) in list(&requirement.values).iter().enumerate() {
            errors.invalid_all(&values.index(index), value, name::dns1123_subdomain(value));
        }
    } else {
        errors.invalid(&path.child("key"), &requirement.key, "not a valid field selector key");
    }
}

fn pod_affinity(required: &[PodAffinityTerm], preferred: &[WeightedPodAffinityTerm], path: &Path<'_>, errors: &mut Errors) {
    let here = path.child(REQUIRED);
    for (index, term) in required.iter().enumerate() {
        pod_term(term, &here.index(index), errors);
    }
    let here = path.child(PREFERRED);
    for (index, term) in preferred.iter().enumerate() {
        let path = here.index(index);
        weight(term.weight, &path, errors);
        pod_term(&term.pod_affinity_term, &path.child("podAffinityTerm"), errors);
    }
}

fn pod_term(term: &PodAffinityTerm, path: &Path<'_>, errors: &mut Errors) {
    for (field, selector) in [("labelSelector", &term.label_selector), ("namespaceSelector", &term.namespace_selector)] {
        if let Some(selector) = selector {
            label_selector(selector, &path.child(field), errors);
        }
    }
    for namespace in list(&term.namespaces) {
        errors.invalid_all(&path.child("namespace"), namespace, name::dns1123_label(namespace));
    }
    let (matching, mismatching) = (list(&term.match_label_keys), list(&term.mismatch_label_keys));
    label_keys(matching, term.label_selector.as_ref(), &path.child("matchLabelKeys"), errors);
    label_keys(mismatching, term.label_selector.as_ref(), &path.child("mismatchLabelKeys"), errors);
    let keys = path.child("matchLabelKeys");
    for (index, key) in matching.iter().enumerate().filter(|(_, key)| mismatching.contains(key)) {
        errors.invalid(&keys.index(index), key, "exists in both matchLabelKeys and mismatchLabelKeys");
    }
    let topology = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.required(&topology, "can not be empty");
    }
    errors.invalid_all(&topology, &term.topology_key, name::qualified_name(&term.topology_key));
}

fn label_keys(keys: &[String], selector: Option<&LabelSelector>, path: &Path<'_>, errors: &mut Errors) {
    if !keys.is_empty() && selector.is_none() {
        return errors.forbidden(path, "must not be specified when labelSelector is not set");
    }
    for (index, key) in keys.iter().enumerate() {
        errors.invalid_all(&path.index(index), key, name::qualified_name(key));
    }
}

/// What is wrong with how a pod wants its likes to be spread.
pub(super) fn spread(constraints: &[TopologySpreadConstraint], path: &Path<'_>, errors: &mut Errors) {
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        if constraint.max_skew <= 0 {
            errors.invalid(&path.child("maxSkew"), constraint.max_skew, "must be greater than zero");
        }
        if constraint.topology_key.is_empty() {
            errors.required(&path.child("topologyKey"), "can not be empty");
        }
        let action = constraint.when_unsatisfiable.as_str();
        if !matches!(action, "DoNotSchedule" | "ScheduleAnyway") {
            errors.unsupported(&path.child("whenUnsatisfiable"), action, &["DoNotSchedule", "ScheduleAnyway"]);
        }
        let is_same =
            |other: &&TopologySpreadConstraint| other.topology_key == constraint.topology_key && other.when_unsatisfiable == action;
        if constraints[index + 1..].iter().find(is_same).is_some() {
            errors.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), format!("{{{}, {action}}}", constraint.topology_key));
        }
        if let Some(domains) = constraint.min_domains {
            let path = path.child("minDomains");
            if domains <= 0 {
                errors.invalid(&path, domains, "must be greater than zero");
            }
            if action != "DoNotSchedule" {
                let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
                errors.invalid(&path, domains, &detail);
            }
        }
        one_of(&constraint.node_affinity_policy, &["Honor", "Ignore"], &path.child("nodeAffinityPolicy"), errors);
        one_of(&constraint.node_taints_policy, &["Honor", "Ignore"], &path.child("nodeTaintsPolicy"), errors);
        let keys = list(&constraint.match_label_keys);
        label_keys(keys, constraint.label_selector.as_ref(), &path.child("matchLabelKeys"), errors);
        if let Some(selector) = &constraint.label_selector {
            label_selector(selector, &path.child("labelSelector"), errors);
        }
    }
}

/// What is wrong with the tolerations of a pod.
pub(in super::super) fn tolerations(tolerations: &[Toleration], path: &Path<'_>, errors: &mut Errors) {
    for (index, toleration) in tolerations.iter().enumerate() {
        self::toleration(toleration, &path.index(index), errors);
    }
}

fn toleration(toleration: &Toleration, path: &Path<'_>, errors: &mut Errors) {
    let (key, operator, value, effect) =
        (text(&toleration.key), text(&toleration.operator), text(&toleration.value), text(&toleration.effect));
    let operator_path = path.child("operator");
    if !key.is_empty() {
        errors.invalid_all(&path.child("key"), key, name::qualified_name(key));
    } else if operator != "Exists" {
        errors.invalid(
            &operator_path,
            operator,
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        errors.invalid(&path.child("effect"), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
    match operator {
        "Equal" | "" => {
            let wrong = name::label_value(value);
            if !wrong.is_empty() {
                errors.invalid(&operator_path, value, &wrong.join(";"));
            }
        }
        "Exists" if !value.is_empty() => errors.invalid(&operator_path, value, "value must be empty when `operator` is 'Exists'"),
        "Exists" => {}
        operator => errors.unsupported(&operator_path, operator, &["Equal", "Exists"]),
    }
    if !effect.is_empty() {
        taint_effect(effect, &path.child("effect"), errors);
    }
}

/// What a taint does must be known.
pub(in super::super) fn taint_effect(effect: &str, path: &Path<'_>, errors: &mut Errors) {
    match effect {
        "NoSchedule" | "PreferNoSchedule" | "NoExecute" => {}
        "" => errors.required(path, ""),
        effect => errors.unsupported(path, effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    }
}

/// Writes out `matchLabelKeys` and `mismatchLabelKeys` of a new pod: the scheduler reads only the selectors.
pub(super) fn expand_label_keys(spec: &mut PodSpec, labels: Option<&BTreeMap<String, String>>) {
    let Some(labels) = labels else { return };
    if let Some(affinity) = &mut spec.affinity {
        let (near, far) = (affinity.pod_affinity.as_mut(), affinity.pod_anti_affinity.as_mut());
        let near = near.into_iter().flat_map(|a| {
            let (required, preferred) =
                (&mut a.required_during_scheduling_ignored_during_execution, &mut a.preferred_during_scheduling_ignored_during_execution);
            list_mut(required).iter_mut().chain(list_mut(preferred).iter_mut().map(|term| &mut term.pod_affinity_term))
        });
        let far = far.into_iter().flat_map(|a| {
            let (required, preferred) =
                (&mut a.required_during_scheduling_ignored_during_execution, &mut a.preferred_during_scheduling_ignored_during_execution);
            list_mut(required).iter_mut().chain(list_mut(preferred).iter_mut().map(|term| &mut term.pod_affinity_term))
        });
        for term in near.chain(far) {
            expand(&mut term.label_selector, list(&term.match_label_keys), "In", labels);
            expand(&mut term.label_selector, list(&term.mismatch_label_keys), "NotIn", labels);
        }
    }
    for constraint in list_mut(&mut spec.topology_spread_constraints) {
        expand(&mut constraint.label_selector, list(&constraint.match_label_keys), "In", labels);
    }
}

fn expand(selector: &mut Option<LabelSelector>, keys: &[String], operator: &str, labels: &BTreeMap<String, String>) {
    let Some(selector) = selector else { return };
    for key in keys {
        if let Some(value) = labels.get(key) {
            selector.match_expressions.get_or_insert_default().push(LabelSelectorRequirement {
                key: key.clone(),
                operator: operator.to_owned(),
                values: Some(vec![value.clone()]),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(json: Value) -> String {
        let list: Vec<Toleration> = serde_json::from_value(json).unwrap();
        let mut errors = Errors::new();
        tolerations(&list, &Path::new("t"), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn of_tolerations() {
        for (json, want) in [
            (json!([{"operator": "Exists"}]), ""),
            (
                json!([{"key": "a", "operator": "Foo"}]),
                "t[0].operator: Unsupported value: \"Foo\": supported values: \"Equal\", \"Exists\"",
            ),
            (
                json!([{"key": "a", "operator": "Exists", "value": "x"}]),
                "t[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
            ),
            (
                json!([{"value": "x"}]),
                "t[0].operator: Invalid value: \"\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            ),
            (
                json!([{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 3}]),
                "t[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set",
            ),
        ] {
            assert_eq!(said(json), want);
        }
    }

    #[test]
    fn label_keys_become_requirements() {
        let mut spec: PodSpec = serde_json::from_value(json!({
            "containers": [],
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["hash"], "labelSelector": {}}],
        }))
        .unwrap();
        expand_label_keys(&mut spec, Some(&BTreeMap::from([("hash".to_owned(), "1".to_owned())])));
        let selector = spec.topology_spread_constraints.unwrap()[0].label_selector.clone().unwrap();
        assert_eq!(
            serde_json::to_value(selector).unwrap(),
            json!({"matchExpressions": [{"key": "hash", "operator": "In", "values": ["1"]}]})
        );
    }

    #[test]
    fn label_keys_of_affinity_become_requirements() {
        let term = json!({
            "topologyKey": "z", "labelSelector": {"matchLabels": {"app": "a"}},
            "matchLabelKeys": ["hash", "lacking"], "mismatchLabelKeys": ["tenant", "absent"],
        });
        let terms = json!({REQUIRED: [term], PREFERRED: [{"weight": 1, "podAffinityTerm": term}]});
        let mut spec: PodSpec =
            serde_json::from_value(json!({"containers": [], "affinity": {"podAffinity": terms, "podAntiAffinity": terms}})).unwrap();
        let labels = BTreeMap::from([("hash".to_owned(), "1".to_owned()), ("tenant".to_owned(), "t".to_owned())]);
        expand_label_keys(&mut spec, Some(&labels));
        let affinity = serde_json::to_value(&spec.affinity).unwrap();
        let want = json!({"matchLabels": {"app": "a"}, "matchExpressions": [
            {"key": "hash", "operator": "In", "values": ["1"]}, {"key": "tenant", "operator": "NotIn", "values": ["t"]}]});
        for kind in ["podAffinity", "podAntiAffinity"] {
            assert_eq!(affinity[kind][REQUIRED][0]["labelSelector"], want, "{kind}");
            assert_eq!(affinity[kind][PREFERRED][0]["podAffinityTerm"]["labelSelector"], want, "{kind}");
        }
    }
}

//! Which nodes a pod allows: by `spec.nodeSelector`, and by the required terms of its node affinity.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, PodSpec};

/// The only field of a node that terms can ask for.
pub const NAME_FIELD: &str = "metadata.name";

/// What terms look at of a node.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// `metadata.name`.
    pub name: &'a str,
    /// `metadata.labels`.
    pub labels: &'a BTreeMap<String, String>,
}

/// Whether both the node selector and the required node affinity of a pod allow the node.
pub fn allows(pod: &PodSpec, node: Subject<'_>) -> bool {
    let selected = pod.node_selector.iter().flatten().all(|(key, value)| node.labels.get(key) == Some(value));
    selected && required_terms(pod).is_none_or(|terms| any_matches(terms, node))
}

/// The terms of which one must match; `None` when the pod asks for nothing.
pub fn required_terms(pod: &PodSpec) -> Option<&[NodeSelectorTerm]> {
    let affinity = pod.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    Some(&required.node_selector_terms)
}

/// Whether one of the terms matches. No terms match nothing.
pub fn any_matches(terms: &[NodeSelectorTerm], node: Subject<'_>) -> bool {
    terms.iter().any(|term| term_matches(term, node))
}

/// Whether all of a term's requirements hold; an empty term matches nothing.
pub fn term_matches(term: &NodeSelectorTerm, node: Subject<'_>) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    (!expressions.is_empty() || !fields.is_empty())
        && expressions.iter().all(|wanted| holds(wanted, node.labels.get(&wanted.key).map(String::as_str)))
        && fields.iter().all(|wanted| holds(wanted, (wanted.key == NAME_FIELD).then_some(node.name)))
}

fn holds(wanted: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = wanted.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|one| one == value));
    match wanted.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers(value, values).is_some_and(|(value, limit)| value > limit),
        "Lt" => numbers(value, values).is_some_and(|(value, limit)| value < limit),
        _ => false,
    }
}

fn numbers(value: Option<&str>, values: &[String]) -> Option<(i64, i64)> {
    let [limit] = values else { return None };
    Some((value?.parse().ok()?, limit.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Affinity, NodeAffinity, NodeSelector};

    use super::*;

    fn requirement(key: &str, operator: &str, values: &[&str]) -> NodeSelectorRequirement {
        let values = Some(values.iter().map(|value| (*value).to_owned()).collect());
        NodeSelectorRequirement { key: key.into(), operator: operator.into(), values }
    }

    fn labels(expressions: &[NodeSelectorRequirement]) -> NodeSelectorTerm {
        NodeSelectorTerm { match_expressions: Some(expressions.to_vec()), match_fields: None }
    }

    fn fields(fields: &[NodeSelectorRequirement]) -> NodeSelectorTerm {
        NodeSelectorTerm { match_expressions: None, match_fields: Some(fields.to_vec()) }
    }

    fn node_labels() -> BTreeMap<String, String> {
        [("zone".into(), "a".into()), ("cores".into(), "8".into())].into()
    }

    #[test]
    fn requirements() {
        for (key, operator, values, want) in [
            ("zone", "In", &["a", "b"][..], true),
            ("zone", "In", &["b"], false),
            ("none", "In", &["b"], false),
            ("zone", "NotIn", &["a"], false),
            ("none", "NotIn", &["a"], true),
            ("zone", "Exists", &[], true),
            ("none", "Exists", &[], false),
            ("none", "DoesNotExist", &[], true),
            ("zone", "DoesNotExist", &[], false),
            ("cores", "Gt", &["7"], true),
            ("cores", "Gt", &["8"], false),
            ("cores", "Lt", &["9"], true),
            ("zone", "Lt", &["9"], false),
            ("none", "Gt", &["1"], false),
            ("zone", "Like", &["a"], false),
        ] {
            let term = labels(&[requirement(key, operator, values)]);
            assert_eq!(term_matches(&term, Subject { name: "n", labels: &node_labels() }), want, "{key} {operator} {values:?}");
        }
    }

    #[test]
    fn selector_and_one_of_the_terms_must_match() {
        let (yes, no) = (labels(&[requirement("zone", "Exists", &[])]), labels(&[requirement("none", "Exists", &[])]));
        for (zone, required, want) in [
            (None, None, true),
            (Some("a"), None, true),
            (Some("b"), None, false),
            (None, Some(vec![no.clone(), yes.clone()]), true),
            (None, Some(vec![no.clone()]), false),
            (Some("b"), Some(vec![yes.clone()]), false),
            (None, Some(vec![NodeSelectorTerm::default()]), false),
            (None, Some(vec![]), false),
            (None, Some(vec![fields(&[requirement(NAME_FIELD, "In", &["n"])])]), true),
            (None, Some(vec![fields(&[requirement(NAME_FIELD, "NotIn", &["n"])])]), false),
        ] {
            let affinity = required.map(|node_selector_terms| Affinity {
                node_affinity: Some(NodeAffinity {
                    required_during_scheduling_ignored_during_execution: Some(NodeSelector { node_selector_terms }),
                    ..NodeAffinity::default()
                }),
                ..Affinity::default()
            });
            let node_selector = zone.map(|zone| [("zone".to_owned(), zone.to_owned())].into());
            let pod = PodSpec { affinity, node_selector, ..PodSpec::default() };
            assert_eq!(allows(&pod, Subject { name: "n", labels: &node_labels() }), want, "{pod:?}");
        }
    }
}

//! NodeAffinity: `spec.nodeSelector` and required affinity must match the node; preferred affinity adds to its score.

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};

use crate::{
    framework::{Plugin, Refusal, scale},
    node::NodeInfo,
    pod::PodInfo,
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeAffinity;

struct NodeAffinity;

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    /// When every required term names its nodes, as those of DaemonSet pods do.
    fn narrow<'p>(&self, pod: &'p PodInfo) -> Option<Vec<&'p str>> {
        let mut names = Vec::new();
        for term in pod.wants.required.as_ref()? {
            let mut of_term: Option<Vec<&str>> = None;
            for field in term.match_fields.iter().flatten().filter(|field| field.key == "metadata.name" && field.operator == "In") {
                let values: Vec<&str> = field.values.iter().flatten().map(String::as_str).collect();
                of_term = Some(match of_term {
                    None => values,
                    Some(before) => before.into_iter().filter(|name| values.contains(name)).collect(),
                });
            }
            names.extend(of_term?);
        }
        names.sort_unstable();
        names.dedup();
        Some(names)
    }

    fn filters(&self, pod: &PodInfo) -> bool {
        !pod.wants.selector.is_empty() || pod.wants.required.is_some()
    }

    fn filter(&self, pod: &PodInfo, node: NodeRef<'_>) -> Result<(), Refusal> {
        let (wants, node) = (&pod.wants, node.info());
        let selected = wants.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
        if selected && wants.required.as_ref().is_none_or(|terms| terms.iter().any(|term| term_matches(term, node))) {
            return Ok(());
        }
        Err(Refusal::unresolvable("node(s) didn't match Pod's node affinity/selector"))
    }

    fn weight(&self, pod: &PodInfo) -> i64 {
        if pod.wants.preferred.is_empty() { 0 } else { 2 }
    }

    /// The weights of the preferences that match.
    fn score(&self, pod: &PodInfo, node: NodeRef<'_>) -> i64 {
        let matching = pod.wants.preferred.iter().filter(|preferred| term_matches(&preferred.preference, node.info()));
        matching.map(|preferred| i64::from(preferred.weight)).sum()
    }

    fn normalize(&self, scores: &mut [i64]) {
        scale(scores, false);
    }
}

/// All of a term's requirements hold; an empty term matches nothing.
fn term_matches(term: &NodeSelectorTerm, node: &NodeInfo) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    (!expressions.is_empty() || !fields.is_empty())
        && expressions.iter().all(|wanted| holds(wanted, node.labels.get(&wanted.key).map(String::as_str)))
        && fields.iter().all(|wanted| holds(wanted, (wanted.key == "metadata.name").then_some(&*node.name)))
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
    use k8s_openapi::api::core::v1::PreferredSchedulingTerm;

    use super::*;
    use crate::framework::testing::{node, pod, refusal, table};

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

    fn labelled() -> NodeInfo {
        let mut node = node("n");
        node.labels = [("zone".into(), "a".into()), ("cores".into(), "8".into())].into();
        node
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
            assert_eq!(term_matches(&term, &labelled()), want, "{key} {operator} {values:?}");
        }
    }

    #[test]
    fn selector_and_one_of_the_terms_must_match() {
        let (yes, no) = (labels(&[requirement("zone", "Exists", &[])]), labels(&[requirement("none", "Exists", &[])]));
        let refused = "node(s) didn't match Pod's node affinity/selector";
        for (zone, required, want) in [
            (None, None, ""),
            (Some("a"), None, ""),
            (Some("b"), None, refused),
            (None, Some(vec![no.clone(), yes.clone()]), ""),
            (None, Some(vec![no.clone()]), refused),
            (Some("b"), Some(vec![yes.clone()]), refused),
            (None, Some(vec![NodeSelectorTerm::default()]), refused),
            (None, Some(vec![fields(&[requirement("metadata.name", "In", &["n"])])]), ""),
            (None, Some(vec![fields(&[requirement("metadata.name", "NotIn", &["n"])])]), refused),
        ] {
            let mut pod = pod("p");
            pod.wants.selector = zone.map(|zone| ("zone".to_owned(), zone.to_owned())).into_iter().collect();
            pod.wants.required = required;
            assert_eq!(refusal(PLUGIN, &pod, &table(labelled(), [])), want);
        }
    }

    #[test]
    fn terms_that_all_name_nodes_narrow_the_search() {
        let named = |names: &[&str]| fields(&[requirement("metadata.name", "In", names)]);
        let twice = fields(&[requirement("metadata.name", "In", &["a", "b"]), requirement("metadata.name", "In", &["b", "c"])]);
        for (terms, want) in [
            (vec![named(&["b"]), named(&["a", "b"])], Some(vec!["a", "b"])),
            (vec![named(&["b"]), labels(&[requirement("zone", "Exists", &[])])], None),
            (vec![twice], Some(vec!["b"])),
        ] {
            let mut pod = pod("p");
            pod.wants.required = Some(terms);
            assert_eq!(PLUGIN.narrow(&pod), want);
        }
        assert_eq!(PLUGIN.narrow(&pod("p")), None);
    }

    #[test]
    fn preferences_that_match_add_up() {
        let mut pod = pod("p");
        let prefer = |weight, key| PreferredSchedulingTerm { weight, preference: labels(&[requirement(key, "Exists", &[])]) };
        pod.wants.preferred = vec![prefer(10, "zone"), prefer(5, "cores"), prefer(80, "none")];
        assert_eq!((PLUGIN.weight(&pod), PLUGIN.score(&pod, table(labelled(), []).node(0))), (2, 15));
    }
}

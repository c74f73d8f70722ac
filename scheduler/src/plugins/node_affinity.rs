//! NodeAffinity: `spec.nodeSelector` and required affinity must match the node; preferred affinity adds to its score.

use k8s_openapi::api::core::v1::{NodeAffinity as Affinity, NodeSelectorTerm};
use mini_api::node_selector::{NAME_FIELD, Subject, any_matches, term_matches};

use crate::{
    framework::{Case, Filter, Plugin, Refusal, Score},
    node::NodeInfo,
    pod::Wants,
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeAffinity;

struct NodeAffinity;

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let (wants, added) = (&case.pod.wants, added(case).and_then(|added| added.required_during_scheduling_ignored_during_execution.as_ref()));
        if wants.selector.is_empty() && wants.required.is_none() && added.is_none() {
            return Filter::Nothing;
        }
        let look = move |node: NodeRef<'_>| {
            if added.is_some_and(|added| !any_matches(&added.node_selector_terms, subject(node.info()))) {
                return Err(Refusal::unresolvable("node(s) didn't match scheduler-enforced node affinity"));
            }
            if wants.allow(node.info()) {
                return Ok(());
            }
            Err(Refusal::unresolvable("node(s) didn't match Pod's node affinity/selector"))
        };
        match wants.required.as_deref().and_then(named) {
            Some(names) if names.is_empty() => Filter::All(Refusal::unresolvable("pod affinity terms conflict")),
            Some(names) => Filter::Among(names, Box::new(look)),
            None => Filter::each_row(look),
        }
    }

    fn remedy(&self, case: Case<'_>, node: NodeRef<'_>) -> Option<String> {
        let (wants, labels) = (&case.pod.wants, &node.info().labels);
        let missing = wants.selector.iter().filter(|(key, value)| labels.get(*key) != Some(value));
        let missing: Vec<String> = missing.map(|(key, value)| format!("{key}={value}")).collect();
        if let Some(names) = wants.required.as_deref().and_then(named).filter(|names| !names.contains(&&*node.info().name)) {
            return Some(format!("nothing: the pod asks for {}", names.join(" or ")));
        }
        if missing.is_empty() {
            return Some("labels that match the pod's node affinity".to_owned());
        }
        Some(format!("label the node {}", missing.join(" ")))
    }

    fn weight(&self) -> i64 {
        2
    }

    /// The weights of the preferences that match.
    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let added = added(case).and_then(|added| added.preferred_during_scheduling_ignored_during_execution.as_deref());
        let preferred = [case.pod.wants.preferred.as_slice(), added.unwrap_or_default()];
        let sum = move |node: NodeRef<'_>| {
            let matching = preferred.into_iter().flatten().filter(|preferred| term_matches(&preferred.preference, subject(node.info())));
            matching.map(|preferred| i64::from(preferred.weight)).sum()
        };
        preferred.iter().any(|preferred| !preferred.is_empty()).then(|| Score::scaled(sum, false).of_row())
    }
}

/// What the profile demands of nodes for all pods.
fn added(case: Case<'_>) -> Option<&Affinity> {
    case.profile.args.added_affinity.as_ref()
}

impl Wants {
    /// Whether `spec.nodeSelector` and the required node affinity allow this node.
    pub(crate) fn allow(&self, node: &NodeInfo) -> bool {
        self.selector.iter().all(|(key, value)| node.labels.get(key) == Some(value))
            && self.required.as_ref().is_none_or(|terms| any_matches(terms, subject(node)))
    }
}

/// The nodes that are named, when every required term names its nodes, as those of DaemonSet pods do.
fn named(required: &[NodeSelectorTerm]) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for term in required {
        let mut of_term: Option<Vec<&str>> = None;
        for field in term.match_fields.iter().flatten().filter(|field| field.key == NAME_FIELD && field.operator == "In") {
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

/// A node as terms look at it.
fn subject(node: &NodeInfo) -> Subject<'_> {
    Subject { name: &node.name, labels: &node.labels }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, PreferredSchedulingTerm};

    use super::*;
    use crate::{
        framework::{
            Change,
            testing::{cluster, node, pod, refusal, score},
        },
        profile::{PluginArgs, Profile},
    };

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
            assert_eq!(refusal(PLUGIN, &pod, &cluster(labelled(), [])), want);
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
            assert_eq!(super::named(&terms), want);
        }
        let mut torn = pod("p");
        let only = |name: &str| requirement("metadata.name", "In", &[name]);
        torn.wants.required = Some(vec![fields(&[only("a"), only("b")])]);
        assert!(matches!(PLUGIN.filter(Case::new(&torn, &cluster(labelled(), []))), Filter::All(_)));
        assert_eq!(refusal(PLUGIN, &torn, &cluster(labelled(), [])), "pod affinity terms conflict");
    }

    #[test]
    fn a_profile_can_demand_and_prefer_more() {
        let in_zone = |zone: &str| labels(&[requirement("zone", "In", &[zone])]);
        let affinity = |zone: &str| Affinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector { node_selector_terms: vec![in_zone(zone)] }),
            preferred_during_scheduling_ignored_during_execution: Some(vec![PreferredSchedulingTerm { weight: 7, preference: in_zone(zone) }]),
        };
        let (pod, cluster) = (pod("p"), cluster(labelled(), []));
        for (zone, refused, weight) in [("a", None, 7), ("b", Some("node(s) didn't match scheduler-enforced node affinity"), 0)] {
            let args = PluginArgs { added_affinity: Some(affinity(zone)), ..PluginArgs::default() };
            let profile = Profile { args, ..Profile::default() };
            let case = Case { profile: &profile, ..Case::new(&pod, &cluster) };
            let answer = PLUGIN.filter(case).look(cluster.nodes.node(0));
            assert_eq!(answer.err().map(|refusal| refusal.reasons.join(", ")).as_deref(), refused);
            assert_eq!((PLUGIN.score(case, &[0]).unwrap().look)(cluster.nodes.node(0)), weight);
        }
    }

    #[test]
    fn preferences_that_match_add_up() {
        let mut pod = pod("p");
        let prefer = |weight, key| PreferredSchedulingTerm { weight, preference: labels(&[requirement(key, "Exists", &[])]) };
        pod.wants.preferred = vec![prefer(10, "zone"), prefer(5, "cores"), prefer(80, "none")];
        assert_eq!(score(PLUGIN, &pod, &cluster(labelled(), [])), Some(15));
    }

    #[test]
    fn a_node_helps_once_it_matches() {
        let named = |name: &str| Some(vec![fields(&[requirement("metadata.name", "In", &[name])])]);
        let with = |key: &str| Some(vec![labels(&[requirement(key, "Exists", &[])])]);
        let cluster = cluster(labelled(), []);
        let change = Change::Node(cluster.nodes.node(0));
        assert!(PLUGIN.minds(change));
        for (zone, required, want) in [
            (Some("a"), None, true),
            (Some("b"), None, false),
            (None, with("zone"), true),
            (None, with("none"), false),
            (None, named("n"), true),
            (None, named("other"), false),
            (Some("b"), with("zone"), false),
        ] {
            let mut pod = pod("p");
            pod.wants.selector = zone.map(|zone| ("zone".to_owned(), zone.to_owned())).into_iter().collect();
            pod.wants.required = required;
            assert_eq!(PLUGIN.helped_by(Case::new(&pod, &cluster), change), want, "{zone:?} {:?}", pod.wants.required);
        }
    }
}

//! What a pod wants of the pods near it: affinity, anti-affinity and topology spread, compiled once when the pod arrives.

use k8s_openapi::{
    api::core::v1::{PodAffinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use mini_api::selector::Selector;

use crate::census::{Bond, Demand, Namespaces, Selection, Term};

/// The `whenUnsatisfiable` of a constraint that must hold.
pub(crate) const REQUIRED: &str = "DoNotSchedule";

/// All of a pod's wishes about other pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// `spec.affinity.podAffinity` and `podAntiAffinity`.
    pub bonds: Vec<Bond>,
    /// `spec.topologySpreadConstraints`.
    pub spread: Vec<Constraint>,
}

/// A topology spread constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// How many more of the pods one domain may have than another.
    pub max_skew: i32,
    /// The label whose values are the domains.
    pub topology_key: String,
    /// A node that would break it is refused; otherwise it is only worse.
    pub required: bool,
    /// With fewer domains than this, the emptiest counts as empty.
    pub min_domains: usize,
    /// Nodes that the pod's own node selector and affinity forbid are no part of any domain.
    pub honors_affinity: bool,
    /// Nodes whose taints the pod does not tolerate are no part of any domain.
    pub honors_taints: bool,
    /// The pods that are spread.
    pub selection: Selection,
}

impl Relations {
    /// Compiles them. Nothing for a pod that has none.
    pub(crate) fn new(
        namespace: &str,
        near: Option<PodAffinity>,
        apart: Option<PodAntiAffinity>,
        spread: Vec<TopologySpreadConstraint>,
    ) -> Option<Box<Self>> {
        let mut bonds = Vec::new();
        let mut bind = |term, demand| bonds.push(Bond { term: compile(term, namespace), demand });
        if let Some(near) = near {
            let required = near.required_during_scheduling_ignored_during_execution;
            required.into_iter().flatten().for_each(|term| bind(term, Demand::Need));
            let preferred = near.preferred_during_scheduling_ignored_during_execution;
            preferred.into_iter().flatten().for_each(|term| bind(term.pod_affinity_term, Demand::Prefer(term.weight)));
        }
        if let Some(apart) = apart {
            let required = apart.required_during_scheduling_ignored_during_execution;
            required.into_iter().flatten().for_each(|term| bind(term, Demand::Refuse));
            let preferred = apart.preferred_during_scheduling_ignored_during_execution;
            preferred.into_iter().flatten().for_each(|term| bind(term.pod_affinity_term, Demand::Prefer(-term.weight)));
        }
        let spread: Vec<_> = spread
            .into_iter()
            .map(|view| {
                let namespaces = Namespaces::These(vec![namespace.to_owned()]);
                let labels = read(view.label_selector.as_ref());
                Constraint::new(&view, Selection::Labelled { namespaces, labels, living: true })
            })
            .collect();
        (!bonds.is_empty() || !spread.is_empty()).then(|| Box::new(Self { bonds, spread }))
    }
}

impl Constraint {
    /// Such a constraint, for these pods.
    pub(crate) fn new(view: &TopologySpreadConstraint, selection: Selection) -> Self {
        Self {
            max_skew: view.max_skew,
            topology_key: view.topology_key.clone(),
            required: view.when_unsatisfiable == REQUIRED,
            min_domains: view.min_domains.and_then(|domains| usize::try_from(domains).ok()).unwrap_or(1),
            honors_affinity: view.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: view.node_taints_policy.as_deref() == Some("Honor"),
            selection,
        }
    }
}

/// Without any word about namespaces, the pod's own is meant.
fn compile(view: PodAffinityTerm, namespace: &str) -> Term {
    let mut namespaces = view.namespaces.unwrap_or_default();
    if namespaces.is_empty() && view.namespace_selector.is_none() {
        namespaces.push(namespace.to_owned());
    }
    namespaces.sort_unstable();
    Term {
        namespaces,
        namespace_labels: read(view.namespace_selector.as_ref()),
        labels: read(view.label_selector.as_ref()),
        topology_key: view.topology_key,
    }
}

/// An absent selector means nothing. So does one that cannot be read: the API server refuses those.
fn read(selector: Option<&LabelSelector>) -> Selector {
    selector.and_then(|selector| Selector::from_label_selector(selector).ok()).unwrap_or_else(Selector::nothing)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn bonds(near: Value, apart: Value) -> String {
        let (near, apart) = (serde_json::from_value(near).unwrap(), serde_json::from_value(apart).unwrap());
        let relations = Relations::new("own", near, apart, Vec::new());
        let bonds = relations.iter().flat_map(|relations| &relations.bonds);
        let words =
            bonds.map(|Bond { term, demand }| format!("{demand:?} {} in {:?} by {}", term.labels, term.namespaces, term.topology_key));
        words.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn affinity_is_compiled() {
        let term = |app: &str| json!({"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": app}}});
        let near = json!({
            "requiredDuringSchedulingIgnoredDuringExecution": [term("a")],
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "podAffinityTerm": term("b")}],
        });
        let apart = json!({
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "host", "namespaces": ["z", "y"], "labelSelector": {}}, {"topologyKey": "host", "namespaceSelector": {}}],
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 3, "podAffinityTerm": term("c")}],
        });
        let want = r#"Need app=a in ["own"] by zone; Prefer(7) app=b in ["own"] by zone; Refuse  in ["y", "z"] by host; Refuse  in [] by host; Prefer(-3) app=c in ["own"] by zone"#;
        assert_eq!(bonds(near, apart), want);
        assert_eq!(bonds(Value::Null, json!({})), "");
    }

    #[test]
    fn spread_has_defaults() {
        let view = |view: Value| Constraint::new(&serde_json::from_value(view).unwrap(), Selection::MadeBy("rs".into()));
        let plain = view(json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}));
        assert!(plain.required && plain.honors_affinity && !plain.honors_taints);
        assert_eq!(plain.min_domains, 1);
        let other = view(json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 3,
            "nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor"}));
        assert!(!other.required && !other.honors_affinity && other.honors_taints);
        assert_eq!(other.min_domains, 3);
    }
}

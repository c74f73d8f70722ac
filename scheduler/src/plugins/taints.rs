//! TaintToleration: hard taints repel pods that do not tolerate them; among the rest, nodes with fewer soft ones are better.

use mini_api::taint::{self, NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE};

use crate::{
    framework::{Case, Filter, Plugin, Refusal, Score},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &TaintToleration;

struct TaintToleration;

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let tolerations = &case.pod.wants.tolerations;
        Filter::each_row(move |node| match taint::find_untolerated(&node.info().taints, tolerations, &[NO_SCHEDULE, NO_EXECUTE]) {
            None => Ok(()),
            Some(_) => Err(Refusal::unresolvable("node(s) had untolerated taint(s)")),
        })
    }

    fn remedy(&self, case: Case<'_>, node: NodeRef<'_>) -> Option<String> {
        let taint = taint::find_untolerated(&node.info().taints, &case.pod.wants.tolerations, &[NO_SCHEDULE, NO_EXECUTE])?;
        let value = taint.value.as_deref().filter(|value| !value.is_empty()).map(|value| format!("={value}")).unwrap_or_default();
        Some(format!("tolerate {}{value}:{}, or take the taint off", taint.key, taint.effect))
    }

    fn weight(&self) -> i64 {
        3
    }

    /// How many soft taints are not tolerated.
    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let tolerations = &case.pod.wants.tolerations;
        let count = move |node: NodeRef<'_>| {
            let soft = node.info().taints.iter().filter(|taint| taint.effect == PREFER_NO_SCHEDULE);
            soft.filter(|taint| !taint::tolerates(tolerations, taint)).count() as i64
        };
        Some(Score::scaled(count, true).of_row())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Taint, Toleration};

    use super::*;
    use crate::framework::{
        Change,
        testing::{cluster, node, pod, refusal, score},
    };

    fn taint(key: &str, effect: &str) -> Taint {
        Taint { key: key.into(), effect: effect.into(), ..Taint::default() }
    }

    #[test]
    fn hard_taints_repel_and_soft_ones_count() {
        let tolerates_a = Toleration { key: Some("a".into()), operator: Some("Exists".into()), ..Toleration::default() };
        let refused = "node(s) had untolerated taint(s)";
        for (taints, want, soft) in [
            (vec![], "", 0),
            (vec![taint("a", NO_SCHEDULE)], "", 0),
            (vec![taint("b", NO_SCHEDULE)], refused, 0),
            (vec![taint("b", NO_EXECUTE)], refused, 0),
            (vec![taint("a", PREFER_NO_SCHEDULE), taint("b", PREFER_NO_SCHEDULE), taint("c", PREFER_NO_SCHEDULE)], "", 2),
        ] {
            let mut pod = pod("p");
            pod.wants.tolerations = vec![tolerates_a.clone()];
            let mut node = node("n");
            node.taints = taints;
            let cluster = cluster(node, []);
            assert_eq!((refusal(PLUGIN, &pod, &cluster).as_str(), score(PLUGIN, &pod, &cluster)), (want, Some(soft)));
        }
    }

    #[test]
    fn a_node_helps_once_no_taint_of_it_repels() {
        let mut waiting = pod("p");
        waiting.wants.tolerations = vec![Toleration { key: Some("a".into()), operator: Some("Exists".into()), ..Toleration::default() }];
        for (taints, want) in [
            (vec![], true),
            (vec![taint("a", NO_EXECUTE)], true),
            (vec![taint("b", PREFER_NO_SCHEDULE)], true),
            (vec![taint("b", NO_SCHEDULE)], false),
            (vec![taint("b", NO_EXECUTE)], false),
        ] {
            let mut node = node("n");
            node.taints = taints;
            let cluster = cluster(node, []);
            let change = Change::Node(cluster.nodes.node(0));
            assert!(PLUGIN.minds(change));
            assert_eq!(PLUGIN.helped_by(Case::new(&waiting, &cluster), change), want, "{:?}", cluster.nodes.node(0).info().taints);
        }
    }
}

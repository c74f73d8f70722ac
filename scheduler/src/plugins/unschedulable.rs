//! NodeUnschedulable: a cordoned node takes no pods, except those that tolerate being there.

use k8s_openapi::api::core::v1::Taint;
use mini_api::taint::{self, NO_SCHEDULE};

use crate::{
    framework::{Case, Filter, Plugin, Refusal},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeUnschedulable;

struct NodeUnschedulable;

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let tolerations = &case.pod.wants.tolerations;
        Filter::each_row(move |node| {
            if !node.info().unschedulable || taint::tolerates(tolerations, &cordon()) {
                return Ok(());
            }
            Err(Refusal::unresolvable("node(s) were unschedulable"))
        })
    }

    fn remedy(&self, _case: Case<'_>, node: NodeRef<'_>) -> Option<String> {
        Some(format!("kubectl uncordon {}", node.info().name))
    }
}

/// The taint that stands for `spec.unschedulable`, present or not.
fn cordon() -> Taint {
    Taint { key: "node.kubernetes.io/unschedulable".to_owned(), effect: NO_SCHEDULE.to_owned(), ..Taint::default() }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Toleration;

    use super::*;
    use crate::framework::{
        Change,
        testing::{cluster, node, pod, refusal},
    };

    #[test]
    fn cordoned_nodes_are_refused_unless_tolerated() {
        let toleration = Toleration { operator: Some("Exists".into()), ..Toleration::default() };
        for (unschedulable, tolerations, want) in
            [(false, vec![], ""), (true, vec![], "node(s) were unschedulable"), (true, vec![toleration], "")]
        {
            let mut pod = pod("p");
            pod.wants.tolerations = tolerations;
            let mut node = node("n");
            node.unschedulable = unschedulable;
            assert_eq!(refusal(PLUGIN, &pod, &cluster(node, [])), want);
        }
    }

    #[test]
    fn a_node_helps_once_it_is_not_cordoned() {
        let waiting = pod("p");
        for (unschedulable, want) in [(false, true), (true, false)] {
            let mut node = node("n");
            node.unschedulable = unschedulable;
            let cluster = cluster(node, []);
            let change = Change::Node(cluster.nodes.node(0));
            assert!(PLUGIN.minds(change));
            assert_eq!(PLUGIN.helped_by(Case::new(&waiting, &cluster), change), want, "{unschedulable}");
        }
    }
}

//! NodeName: a pod that names its node runs there or nowhere.

use crate::{
    framework::{Case, Filter, Plugin, Refusal},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeName;

struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let Some(name) = &case.pod.node else { return Filter::Nothing };
        Filter::each(move |node| {
            if *name == node.info().name {
                return Ok(());
            }
            Err(Refusal::unresolvable("node(s) didn't match the requested node name"))
        })
    }

    fn remedy(&self, case: Case<'_>, _node: NodeRef<'_>) -> Option<String> {
        case.pod.node.as_ref().map(|name| format!("nothing: the pod asks for {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::{
        Change,
        testing::{cluster, node, pod, refusal},
    };

    #[test]
    fn only_the_named_node_will_do() {
        for (name, want) in [(None, ""), (Some("n"), ""), (Some("other"), "node(s) didn't match the requested node name")] {
            let mut pod = pod("p");
            pod.node = name.map(Into::into);
            assert_eq!(refusal(PLUGIN, &pod, &cluster(node("n"), [])), want);
        }
    }

    #[test]
    fn only_the_named_node_helps() {
        let cluster = cluster(node("n"), []);
        let change = Change::Node(cluster.nodes.node(0));
        assert!(PLUGIN.minds(change));
        for (name, want) in [("n", true), ("other", false)] {
            let mut pod = pod("p");
            pod.node = Some(name.into());
            assert_eq!(PLUGIN.helped_by(Case::new(&pod, &cluster), change), want, "{name}");
        }
    }
}

//! NodeName: a pod that names its node runs there or nowhere.

use crate::{
    framework::{Plugin, Refusal},
    pod::PodInfo,
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeName;

struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn filters(&self, pod: &PodInfo) -> bool {
        pod.node.is_some()
    }

    fn filter(&self, pod: &PodInfo, node: NodeRef<'_>) -> Result<(), Refusal> {
        if pod.node.as_ref().is_none_or(|name| *name == node.info().name) {
            return Ok(());
        }
        Err(Refusal::unresolvable("node(s) didn't match the requested node name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::testing::{node, pod, refusal, table};

    #[test]
    fn only_the_named_node_will_do() {
        for (name, want) in [(None, ""), (Some("n"), ""), (Some("other"), "node(s) didn't match the requested node name")] {
            let mut pod = pod("p");
            pod.node = name.map(Into::into);
            assert_eq!(refusal(PLUGIN, &pod, &table(node("n"), [])), want);
        }
    }
}

//! NodePorts: a host port can be taken only once on a node.

use crate::{
    framework::{Change, Plugin, Refusal},
    pod::PodInfo,
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodePorts;

struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn filters(&self, pod: &PodInfo) -> bool {
        !pod.wants.ports.is_empty()
    }

    fn filter(&self, pod: &PodInfo, node: NodeRef<'_>) -> Result<(), Refusal> {
        if !pod.wants.ports.iter().any(|wanted| node.ports().iter().any(|taken| taken.conflicts(wanted))) {
            return Ok(());
        }
        Err(Refusal::resolvable("node(s) didn't have free ports for the requested pod ports"))
    }

    /// A pod that is gone may have given the port back.
    fn helped_by(&self, pod: &PodInfo, change: Change<'_>) -> bool {
        self.filter(pod, change.node).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        framework::{
            What,
            testing::{node, pod, refusal, table},
        },
        pod::HostPort,
    };

    fn with_port(name: &str, port: u16) -> PodInfo {
        let mut pod = pod(name);
        pod.wants.ports = vec![HostPort { ip: "0.0.0.0".into(), protocol: "TCP".into(), port }];
        pod
    }

    #[test]
    fn a_port_is_taken_once() {
        let busy = table(node("n"), [with_port("a", 80)]);
        let refused = "node(s) didn't have free ports for the requested pod ports";
        for (port, want) in [(80, refused), (81, "")] {
            assert_eq!(refusal(PLUGIN, &with_port("p", port), &busy), want);
        }
    }

    #[test]
    fn a_pod_that_goes_helps_when_it_had_the_port() {
        let mut table = table(node("n"), [with_port("a", 80), with_port("b", 81)]);
        let helped =
            |table: &crate::snapshot::Snapshot| PLUGIN.helped_by(&with_port("p", 80), Change { what: What::PodGone, node: table.node(0) });
        table.remove_pod(&"b".into());
        assert!(!helped(&table));
        table.remove_pod(&"a".into());
        assert!(helped(&table));
    }
}

//! NodePorts: a host port can be taken only once on a node.

use std::sync::Arc;

use crate::{
    framework::{Case, Change, Filter, Plugin, Refusal},
    pod::PodInfo,
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodePorts;

struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let wanted = &case.pod.wants.ports;
        if wanted.is_empty() {
            return Filter::Nothing;
        }
        Filter::each_row(move |node| {
            if !wanted.iter().any(|wanted| node.ports().iter().any(|taken| taken.conflicts(wanted))) {
                return Ok(());
            }
            Err(Refusal::resolvable("node(s) didn't have free ports for the requested pod ports"))
        })
    }

    fn remedy(&self, case: Case<'_>, node: NodeRef<'_>) -> Option<String> {
        case.pod.wants.ports.iter().find_map(|wanted| {
            let has = |pod: &&Arc<PodInfo>| pod.wants.ports.iter().any(|taken| taken.conflicts(wanted));
            let holder = node.pods().iter().find(has)?;
            Some(format!("port {}/{} free: pod {holder} has it", wanted.port, wanted.protocol))
        })
    }

    /// A pod that is gone may have given the port back.
    fn minds(&self, change: Change<'_>) -> bool {
        matches!(change, Change::Node(_) | Change::PodGone(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        framework::testing::{cluster, node, pod, refusal},
        pod::HostPort,
    };

    fn with_port(name: &str, port: u16) -> PodInfo {
        let mut pod = pod(name);
        pod.wants.ports = vec![HostPort { ip: "0.0.0.0".into(), protocol: "TCP".into(), port }];
        pod
    }

    #[test]
    fn a_port_is_taken_once() {
        let busy = cluster(node("n"), [with_port("a", 80)]);
        let refused = "node(s) didn't have free ports for the requested pod ports";
        for (port, want) in [(80, refused), (81, "")] {
            assert_eq!(refusal(PLUGIN, &with_port("p", port), &busy), want);
        }
    }

    #[test]
    fn a_pod_that_goes_helps_when_it_had_the_port() {
        let (mut cluster, waiting) = (cluster(node("n"), [with_port("a", 80), with_port("b", 81)]), with_port("p", 80));
        for (gone, want) in [("b", false), ("a", true)] {
            let pod = cluster.nodes.remove_pod(&gone.into()).unwrap().pod;
            let case = Case::new(&waiting, &cluster);
            assert_eq!(PLUGIN.helped_by(case, Change::PodGone(cluster.nodes.node(0), &pod)), want);
        }
    }
}

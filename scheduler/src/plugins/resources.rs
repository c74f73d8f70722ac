//! NodeResourcesFit: the requests of a node's pods stay within what it can allocate; the emptier the node, the better.

use crate::{
    amounts::{Amounts, Load},
    framework::{Case, Change, Filter, MAX_SCORE, Plugin, Reason, Refusal, Score},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeResourcesFit;

struct NodeResourcesFit;

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let wanted = &case.pod.wants.amounts;
        Filter::each(move |node| fits(wanted, node))
    }

    /// Upstream's LeastAllocated: the mean of what stays free of cpu and of memory.
    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let wanted = case.pod.wants.load;
        Some(Score::plain(move |node: NodeRef<'_>| {
            let Load { cpu, memory } = node.load() + wanted;
            let there = &node.info().allocatable;
            let free = [(cpu, there.cpu), (memory, there.memory)];
            let (sum, count) = free.into_iter().filter(|(_, there)| *there > 0).fold((0, 0), |(sum, count), (taken, there)| {
                let score = if taken > there { 0 } else { scaled(there - taken, there) };
                (sum + score, count + 1)
            });
            if count == 0 { 0 } else { sum / count }
        }))
    }

    /// A pod that is gone has given room back.
    fn minds(&self, change: Change<'_>) -> bool {
        matches!(change, Change::Node(_) | Change::PodGone(..))
    }
}

/// Whether a node has room for a pod.
fn fits(wanted: &Amounts, node: NodeRef<'_>) -> Result<(), Refusal> {
    let mut refusal = Refusal { reasons: Vec::new(), resolvable: true };
    let (taken, there) = (node.requested(), &node.info().allocatable);
        if taken.pods + wanted.pods > there.pods {
            refusal.reasons.push("Too many pods".into());
        }
        let fixed = [
            ("cpu", wanted.cpu, taken.cpu, there.cpu),
            ("memory", wanted.memory, taken.memory, there.memory),
            ("ephemeral-storage", wanted.ephemeral_storage, taken.ephemeral_storage, there.ephemeral_storage),
        ];
        let extended = wanted.extended.iter().map(|(name, wanted)| (&**name, *wanted, taken.of_extended(name), there.of_extended(name)));
        for (name, wanted, taken, there) in fixed.into_iter().chain(extended) {
            if wanted > 0 && wanted > there - taken {
                refusal.reasons.push(insufficient(name));
                // What exceeds the whole node is refused for good: no victim could make room.
                refusal.resolvable &= wanted <= there;
            }
        }
        if refusal.reasons.is_empty() { Ok(()) } else { Err(refusal) }
}

/// The usual ones cost no memory: a full cluster says them thousands of times.
fn insufficient(name: &str) -> Reason {
    match name {
        "cpu" => "Insufficient cpu".into(),
        "memory" => "Insufficient memory".into(),
        _ => format!("Insufficient {name}").into(),
    }
}

/// `part` of `whole`, as a score. Bytes times the scale would overflow 64 bits for nodes beyond 80 TiB, and wider divisions are slow.
fn scaled(part: i64, whole: i64) -> i64 {
    (part as f64 * MAX_SCORE as f64 / whole as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        framework::testing::{cluster, node, pod, refusal, score},
        pod::PodInfo,
    };

    fn wanting(name: &str, cpu: i64, memory: i64) -> PodInfo {
        let mut pod = pod(name);
        (pod.wants.amounts.cpu, pod.wants.amounts.memory) = (cpu, memory);
        pod.wants.load = Load { cpu, memory };
        pod
    }

    #[test]
    fn each_resource_has_its_reason() {
        let gib = 1 << 30;
        let busy = cluster(node("n"), [wanting("a", 3000, 6 * gib)]);
        for (cpu, memory, want, resolvable) in [
            (1000, 2 * gib, "", true),
            (0, 0, "", true),
            (1001, gib, "Insufficient cpu", true),
            (1000, 3 * gib, "Insufficient memory", true),
            (2000, 3 * gib, "Insufficient cpu, Insufficient memory", true),
            (5000, 3 * gib, "Insufficient cpu, Insufficient memory", false),
        ] {
            let pod = wanting("p", cpu, memory);
            assert_eq!(refusal(PLUGIN, &pod, &busy), want);
            let refused = fits(&pod.wants.amounts, busy.nodes.node(0)).err();
            assert!(refused.is_none_or(|refusal| refusal.resolvable == resolvable), "{cpu} {memory}");
        }
    }

    #[test]
    fn pods_storage_and_devices_are_counted_too() {
        let mut small = node("n");
        small.allocatable.pods = 1;
        let mut pod = pod("p");
        pod.wants.amounts.ephemeral_storage = 1;
        pod.wants.amounts.extended = vec![("nvidia.com/gpu".into(), 1)];
        let want = "Too many pods, Insufficient ephemeral-storage, Insufficient nvidia.com/gpu";
        assert_eq!(refusal(PLUGIN, &pod, &cluster(small, [wanting("a", 0, 0)])), want);
    }

    #[test]
    fn emptier_nodes_score_higher() {
        for (cpu, memory, want) in [(0, 0, 100_000), (2000, 4 << 30, 50_000), (4000, 0, 50_000), (9000, 9 << 30, 0), (100, 0, 98_750)] {
            assert_eq!(score(PLUGIN, &pod("p"), &cluster(node("n"), [wanting("a", cpu, memory)])), Some(want), "{cpu} {memory}");
        }
        let mut nothing = node("n");
        nothing.allocatable = Default::default();
        assert_eq!(score(PLUGIN, &pod("p"), &cluster(nothing, [])), Some(0));
    }

    #[test]
    fn a_pod_that_goes_helps_when_it_made_room_enough() {
        let mut cluster = cluster(node("n"), [wanting("a", 1000, 0), wanting("b", 2500, 0)]);
        let waiting = wanting("p", 2000, 0);
        for (gone, want) in [("a", false), ("b", true)] {
            let pod = cluster.nodes.remove_pod(&gone.into()).unwrap().pod;
            let case = Case::new(&waiting, &cluster);
            assert_eq!(PLUGIN.helped_by(case, Change::PodGone(cluster.nodes.node(0), &pod)), want);
        }
    }
}

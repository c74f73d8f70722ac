//! NodeResourcesBalancedAllocation: the more evenly cpu and memory of a node are used, the better.

use crate::{
    framework::{Case, MAX_SCORE, Plugin, Score},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeResourcesBalancedAllocation;

struct NodeResourcesBalancedAllocation;

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    /// The used fractions' distance from each other; a node without one of the resources is balanced, and a pod without requests
    /// changes no balance.
    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let wanted = &case.pod.wants.amounts;
        if wanted.cpu == 0 && wanted.memory == 0 {
            return None;
        }
        let fraction = |taken: i64, there: i64| (taken as f64 / there as f64).min(1.0);
        Some(Score::plain(move |node: NodeRef<'_>| {
            let (taken, there) = (node.requested(), &node.info().allocatable);
            if there.cpu <= 0 || there.memory <= 0 {
                return MAX_SCORE;
            }
            let distance = fraction(taken.cpu + wanted.cpu, there.cpu) - fraction(taken.memory + wanted.memory, there.memory);
            // Half of it is the standard deviation of two values.
            ((1.0 - (distance / 2.0).abs()) * MAX_SCORE as f64) as i64
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::testing::{cluster, node, pod, score};

    #[test]
    fn even_use_scores_higher() {
        let gib = 1 << 30;
        for (cpu, memory, want) in [(2000, 4 * gib, 100_000), (2000, 0, 75_000), (0, 8 * gib, 50_000), (9000, 8 * gib, 100_000)] {
            let mut pod = pod("p");
            (pod.wants.amounts.cpu, pod.wants.amounts.memory) = (cpu, memory);
            assert_eq!(score(PLUGIN, &pod, &cluster(node("n"), [])), Some(want), "{cpu} {memory}");
        }
        assert_eq!(score(PLUGIN, &pod("p"), &cluster(node("n"), [])), None);
    }
}

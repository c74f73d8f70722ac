//! NodeResourcesBalancedAllocation: the more evenly cpu and memory of a node are used, the better.

use crate::{
    framework::{Case, MAX_SCORE, Plugin, Score},
    snapshot::NodeRef,
    utilization::Counted,
};

pub(super) const PLUGIN: &dyn Plugin = &NodeResourcesBalancedAllocation;

struct NodeResourcesBalancedAllocation;

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    /// How far the used fractions are from each other; a node that has but one of the resources is balanced, and a pod without
    /// requests changes no balance.
    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let counted = Counted::requested(&case.pod.wants, &case.profile.args.balanced);
        counted.any().then(|| {
            Score::plain(move |node: NodeRef<'_>| {
                let fractions = || counted.on(node).map(|one| (one.taken as f64 / one.there as f64).min(1.0));
                ((1.0 - deviation(fractions)) * MAX_SCORE as f64) as i64
            })
            .of_row()
        })
    }
}

/// The standard deviation.
fn deviation<I: Iterator<Item = f64>>(values: impl Fn() -> I) -> f64 {
    let (sum, count) = values().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count == 0.0 {
        return 0.0;
    }
    let mean = sum / count;
    (values().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt()
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

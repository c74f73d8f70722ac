//! Which of upstream's plugins extend which extension points: facts that configurations are checked against.

/// An extension point at which plugins can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Whether a pod may be queued.
    PreEnqueue,
    /// Whose turn it is.
    QueueSort,
    /// What is worked out once before nodes are filtered.
    PreFilter,
    /// Which nodes will do.
    Filter,
    /// What is done when none will do.
    PostFilter,
    /// What is worked out once before nodes are scored.
    PreScore,
    /// Which nodes are better.
    Score,
    /// How the choice is stored.
    Bind,
}

use Point::{Bind, Filter, PostFilter, PreEnqueue, PreFilter, PreScore, QueueSort, Score};

/// Upstream's plugins, and the points they extend.
const UPSTREAM: &[(&str, &[Point])] = &[
    ("SchedulingGates", &[PreEnqueue]),
    ("PrioritySort", &[QueueSort]),
    ("NodeUnschedulable", &[Filter]),
    ("NodeName", &[Filter]),
    ("TaintToleration", &[Filter, PreScore, Score]),
    ("NodeAffinity", &[PreFilter, Filter, PreScore, Score]),
    ("NodePorts", &[PreFilter, Filter]),
    ("NodeResourcesFit", &[PreFilter, Filter, PreScore, Score]),
    ("VolumeRestrictions", &[PreFilter, Filter]),
    ("NodeVolumeLimits", &[PreFilter, Filter]),
    ("VolumeBinding", &[PreFilter, Filter, PreScore, Score]),
    ("VolumeZone", &[PreFilter, Filter]),
    ("PodTopologySpread", &[PreFilter, Filter, PreScore, Score]),
    ("InterPodAffinity", &[PreFilter, Filter, PreScore, Score]),
    ("DynamicResources", &[PreEnqueue, PreFilter, Filter, PostFilter, Score]),
    ("DefaultPreemption", &[PreEnqueue, PostFilter]),
    ("NodeResourcesBalancedAllocation", &[PreScore, Score]),
    ("ImageLocality", &[Score]),
    ("DefaultBinder", &[Bind]),
    ("NodeDeclaredFeatures", &[PreFilter, Filter]),
    ("GangScheduling", &[PreEnqueue]),
];

/// The points that a plugin of upstream's extends; nothing when upstream has no such plugin.
#[must_use]
pub fn points(name: &str) -> Option<&'static [Point]> {
    UPSTREAM.iter().find(|(known, _)| *known == name).map(|(_, points)| *points)
}

/// Whether a plugin of upstream's extends a point.
#[must_use]
pub fn extends(name: &str, point: Point) -> bool {
    points(name).is_some_and(|points| points.contains(&point))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::PLUGINS;

    #[test]
    fn every_plugin_is_one_of_upstreams() {
        for plugin in PLUGINS {
            assert!(points(plugin.name()).is_some(), "{}", plugin.name());
        }
    }
}

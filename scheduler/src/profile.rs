//! A profile: how pods of one `spec.schedulerName` are scheduled. Which plugins filter and score, how much each score counts, and
//! what the plugins are told. Decodes nothing.

use std::{sync::LazyLock, time::Duration};

use k8s_openapi::api::core::v1::{NodeAffinity, TopologySpreadConstraint};

use crate::{
    extension::{Point, extends},
    plugins::PLUGINS,
};

/// How pods of one scheduler name are scheduled.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The pods it is for are those with this `spec.schedulerName`; also the source of their Events.
    pub scheduler_name: String,
    /// The plugins that filter, by their place in [`PLUGINS`], in the order in which they are asked.
    pub filters: Vec<usize>,
    /// The plugins that score, by their place in [`PLUGINS`], and how much their score counts.
    pub scorers: Vec<(usize, i64)>,
    /// Whether pods that fit nowhere may evict others.
    pub preempts: bool,
    /// Of how many nodes the feasible ones are scored; 0 leaves it to the size of the cluster.
    pub percentage_of_nodes_to_score: usize,
    /// What the plugins are told.
    pub args: PluginArgs,
}

impl Profile {
    /// The name of the profile of pods that name none.
    pub const DEFAULT_NAME: &'static str = "default-scheduler";

    /// Upstream's defaults under another name.
    #[must_use]
    pub fn named(scheduler_name: &str) -> Self {
        Self { scheduler_name: scheduler_name.to_owned(), ..Self::default() }
    }

    /// Upstream's defaults.
    #[must_use]
    pub fn standard() -> &'static Self {
        static STANDARD: LazyLock<Profile> = LazyLock::new(Profile::default);
        &STANDARD
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            scheduler_name: Self::DEFAULT_NAME.to_owned(),
            filters: extending(Point::Filter).collect(),
            scorers: extending(Point::Score).map(|index| (index, PLUGINS[index].weight())).collect(),
            preempts: true,
            percentage_of_nodes_to_score: 0,
            args: PluginArgs::default(),
        }
    }
}

/// The plugins that take part at a point by default, by their place.
fn extending(point: Point) -> impl Iterator<Item = usize> {
    (0..PLUGINS.len()).filter(move |index| extends(PLUGINS[*index].name(), point))
}

/// What a profile tells its plugins, by plugin. The defaults are upstream's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginArgs {
    /// For DefaultPreemption.
    pub preemption: PreemptionArgs,
    /// For InterPodAffinity.
    pub inter_pod_affinity: InterPodAffinityArgs,
    /// For NodeAffinity: nodes must satisfy this as well, whatever the pod says.
    pub added_affinity: Option<NodeAffinity>,
    /// For NodeResourcesFit.
    pub fit: FitArgs,
    /// For NodeResourcesBalancedAllocation: what is to be used evenly.
    pub balanced: Resources,
    /// For PodTopologySpread: how to spread pods that do not say it themselves.
    pub default_constraints: DefaultConstraints,
    /// For VolumeBinding.
    pub volume_binding: VolumeBindingArgs,
}

/// How VolumeBinding binds volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeBindingArgs {
    /// How long the volumes of a pod may take.
    pub bind_timeout: Duration,
}

impl Default for VolumeBindingArgs {
    fn default() -> Self {
        Self { bind_timeout: Duration::from_mins(10) }
    }
}

/// How DefaultPreemption looks for nodes: among at least so many of those where it could help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreemptionArgs {
    /// In percent.
    pub min_candidate_nodes_percentage: usize,
    /// As a number.
    pub min_candidate_nodes_absolute: usize,
}

impl Default for PreemptionArgs {
    fn default() -> Self {
        Self { min_candidate_nodes_percentage: 10, min_candidate_nodes_absolute: 100 }
    }
}

/// How InterPodAffinity scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterPodAffinityArgs {
    /// What the required affinity of a pod that is there already counts.
    pub hard_pod_affinity_weight: i32,
    /// Whether preferences of pods that are there count only for pods that have inter-pod affinity themselves.
    pub ignore_preferred_terms_of_existing_pods: bool,
}

impl Default for InterPodAffinityArgs {
    fn default() -> Self {
        Self { hard_pod_affinity_weight: 1, ignore_preferred_terms_of_existing_pods: false }
    }
}

/// How NodeResourcesFit filters and scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FitArgs {
    /// Extended resources that its filter does not look at.
    pub ignored_resources: Vec<String>,
    /// What stands before the `/` of extended resources that its filter does not look at.
    pub ignored_resource_groups: Vec<String>,
    /// Which nodes it prefers.
    pub strategy: Strategy,
    /// What counts when it scores.
    pub resources: Resources,
}

impl FitArgs {
    /// Whether the filter does not look at a resource.
    #[must_use]
    pub fn ignores(&self, resource: &str) -> bool {
        self.ignored_resources.iter().any(|ignored| ignored == resource)
            || resource.split_once('/').is_some_and(|(group, _)| self.ignored_resource_groups.iter().any(|ignored| ignored == group))
    }
}

/// Which nodes NodeResourcesFit prefers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The emptier ones.
    #[default]
    LeastAllocated,
    /// The fuller ones.
    MostAllocated,
    /// Those whose utilization in percent has the higher score from 0 to 10 on the line through these points.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

/// Resources, and how much each counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources(pub Vec<(String, i64)>);

impl Default for Resources {
    /// Cpu and memory alike.
    fn default() -> Self {
        Self(vec![("cpu".to_owned(), 1), ("memory".to_owned(), 1)])
    }
}

/// How pods are spread that have no constraints of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DefaultConstraints {
    /// Over nodes and zones, where that is possible.
    #[default]
    System,
    /// As these say, which have no selectors.
    List(Vec<TopologySpreadConstraint>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plugin_takes_part_by_default() {
        let profile = Profile::standard();
        let taking_part = |index| profile.filters.contains(&index) || profile.scorers.iter().any(|(other, _)| *other == index);
        assert!((0..PLUGINS.len()).all(taking_part));
        let weight = |name| profile.scorers.iter().find(|(index, _)| PLUGINS[*index].name() == name).map(|(_, weight)| *weight);
        assert_eq!((weight("TaintToleration"), weight("NodeAffinity"), weight("NodeResourcesFit")), (Some(3), Some(2), Some(1)));
    }

    #[test]
    fn resources_are_ignored_by_name_or_by_group() {
        let args =
            FitArgs { ignored_resources: vec!["a.com/x".into()], ignored_resource_groups: vec!["b.com".into()], ..FitArgs::default() };
        let ignored = ["a.com/x", "a.com/y", "b.com/x", "cpu"].map(|resource| args.ignores(resource));
        assert_eq!(ignored, [true, false, true, false]);
    }
}

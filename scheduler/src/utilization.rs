//! How full a node would be with a pod, resource by resource, and what a scoring strategy makes of that. Shared by the plugins that
//! score resources; the arithmetic is upstream's, on a finer scale.

use crate::{
    framework::MAX_SCORE,
    pod::Wants,
    profile::{Resources, Strategy},
    snapshot::NodeRef,
};

/// A resource, found without comparing names where it is a usual one.
#[derive(Clone, Copy, Debug)]
enum Resource<'r> {
    Cpu,
    Memory,
    EphemeralStorage,
    Extended(&'r str),
}

/// How much of a resource would be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// By the pods of the node, and the pod in question.
    pub(crate) taken: i64,
    /// Of so much. Never 0.
    pub(crate) there: i64,
    /// How much the resource counts.
    pub(crate) weight: i64,
}

/// The resources that count for a pod.
pub(crate) struct Counted<'c> {
    wants: &'c Wants,
    resources: Vec<(Resource<'c>, i64)>,
    weighed: bool,
}

impl<'c> Counted<'c> {
    /// What containers without requests weigh counts, too.
    pub(crate) fn weighed(wants: &'c Wants, resources: &'c Resources) -> Self {
        Self::new(wants, resources, true)
    }

    /// Only requests count.
    pub(crate) fn requested(wants: &'c Wants, resources: &'c Resources) -> Self {
        Self::new(wants, resources, false)
    }

    fn new(wants: &'c Wants, resources: &'c Resources, weighed: bool) -> Self {
        let known = |(name, weight): &'c (String, i64)| {
            let resource = match name.as_str() {
                "cpu" => Resource::Cpu,
                "memory" => Resource::Memory,
                "ephemeral-storage" => Resource::EphemeralStorage,
                name => Resource::Extended(name),
            };
            (resource, *weight)
        };
        let counts = |(resource, _): &(Resource<'_>, i64)| match resource {
            // Who does not want a device is not scored by how many are free.
            Resource::Extended(name) => wants.amounts.of_extended(name) > 0,
            _ => true,
        };
        Self { wants, resources: resources.0.iter().map(known).filter(counts).collect(), weighed }
    }

    /// Whether the pod requests any of them.
    pub(crate) fn any(&self) -> bool {
        self.resources.iter().any(|(resource, _)| match resource {
            Resource::Cpu => self.wants.amounts.cpu > 0,
            Resource::Memory => self.wants.amounts.memory > 0,
            Resource::EphemeralStorage => self.wants.amounts.ephemeral_storage > 0,
            Resource::Extended(_) => true,
        })
    }

    /// What would be taken of those that the node has.
    pub(crate) fn on<'n>(&'n self, node: NodeRef<'n>) -> impl Iterator<Item = Use> {
        let (wanted, requested, there) = (&self.wants.amounts, node.requested(), &node.info().allocatable);
        let load = node.load() + self.wants.load;
        let uses = self.resources.iter().map(move |(resource, weight)| {
            let (taken, there) = match resource {
                Resource::Cpu if self.weighed => (load.cpu, there.cpu),
                Resource::Memory if self.weighed => (load.memory, there.memory),
                Resource::Cpu => (requested.cpu + wanted.cpu, there.cpu),
                Resource::Memory => (requested.memory + wanted.memory, there.memory),
                Resource::EphemeralStorage => (requested.ephemeral_storage + wanted.ephemeral_storage, there.ephemeral_storage),
                Resource::Extended(name) => (requested.of_extended(name) + wanted.of_extended(name), there.of_extended(name)),
            };
            Use { taken, there, weight: *weight }
        });
        uses.filter(|one| one.there > 0)
    }
}

/// How good a node is that would be used so.
pub(crate) fn score(strategy: &Strategy, uses: impl Iterator<Item = Use>) -> i64 {
    let (mut sum, mut weights) = (0, 0);
    for Use { taken, there, weight } in uses {
        let score = match strategy {
            Strategy::LeastAllocated if taken > there => 0,
            Strategy::LeastAllocated => scaled(there - taken, there),
            Strategy::MostAllocated => scaled(taken.min(there), there),
            Strategy::RequestedToCapacityRatio(shape) => match on_shape(shape, taken.min(there) as f64 * 100.0 / there as f64) {
                // As upstream has it, what scores nothing does not count at all.
                0 => continue,
                score => score,
            },
        };
        sum += score * weight;
        weights += weight;
    }
    if weights == 0 { 0 } else { sum / weights }
}

/// The score on the line through the points at this utilization in percent.
fn on_shape(shape: &[(i64, i64)], utilization: f64) -> i64 {
    let scale = |score: f64| (score * MAX_SCORE as f64 / 10.0) as i64;
    let mut before: Option<(f64, f64)> = None;
    for (x, y) in shape.iter().map(|(x, y)| (*x as f64, *y as f64)) {
        match before {
            _ if utilization > x => before = Some((x, y)),
            None => return scale(y),
            Some((left, low)) => return scale(low + (y - low) * (utilization - left) / (x - left)),
        }
    }
    before.map_or(0, |(_, last)| scale(last))
}

/// `part` of `whole`, as a score. Bytes times the scale would overflow 64 bits for nodes beyond 80 TiB, and wider divisions are slow.
fn scaled(part: i64, whole: i64) -> i64 {
    (part as f64 * MAX_SCORE as f64 / whole as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::testing::{cluster, node, pod};

    #[test]
    fn strategies_prefer_what_their_names_say() {
        let half_and_most = [Use { taken: 50, there: 100, weight: 1 }, Use { taken: 90, there: 100, weight: 3 }];
        let shape = |points: &[(i64, i64)]| Strategy::RequestedToCapacityRatio(points.to_vec());
        for (strategy, want) in [
            (Strategy::LeastAllocated, 20_000),
            (Strategy::MostAllocated, 80_000),
            (shape(&[(0, 0), (100, 10)]), 80_000),
            (shape(&[(0, 10), (100, 0)]), 20_000),
            (shape(&[(50, 0), (100, 10)]), 80_000),
            (shape(&[(0, 5)]), 50_000),
        ] {
            assert_eq!(score(&strategy, half_and_most.into_iter()), want, "{strategy:?}");
        }
        let over = [Use { taken: 300, there: 100, weight: 1 }];
        assert_eq!(score(&Strategy::LeastAllocated, over.into_iter()), 0);
        assert_eq!(score(&Strategy::MostAllocated, over.into_iter()), MAX_SCORE);
        assert_eq!(score(&Strategy::LeastAllocated, std::iter::empty()), 0);
    }

    #[test]
    fn devices_count_only_for_those_who_want_them() {
        let mut with_devices = node("n");
        with_devices.allocatable.extended = vec![("a.com/gpu".into(), 4)];
        let cluster = cluster(with_devices, []);
        let resources = Resources(vec![("a.com/gpu".into(), 1), ("none.com/x".into(), 1), ("ephemeral-storage".into(), 1)]);
        let mut pod = pod("p");
        for (wanted, want) in [(0, vec![]), (1, vec![Use { taken: 1, there: 4, weight: 1 }])] {
            pod.wants.amounts.extended = vec![("a.com/gpu".into(), wanted)];
            let counted = Counted::requested(&pod.wants, &resources);
            assert_eq!(counted.on(cluster.nodes.node(0)).collect::<Vec<_>>(), want);
            assert_eq!(counted.any(), wanted > 0);
        }
    }
}

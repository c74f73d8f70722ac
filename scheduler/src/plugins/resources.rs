//! NodeResourcesFit: the requests of a node's pods stay within what it can allocate; the emptier the node, the better.

use std::sync::Arc;

use mini_api::quantity::{Format, Quantity};

use crate::{
    amounts::Amounts,
    framework::{Case, Change, Filter, Plugin, Reason, Refusal, Score},
    pod::PodInfo,
    profile::FitArgs,
    snapshot::NodeRef,
    utilization::{self, Counted},
};

pub(super) const PLUGIN: &dyn Plugin = &NodeResourcesFit;

struct NodeResourcesFit;

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let (wanted, args) = (&case.pod.wants.amounts, &case.profile.args.fit);
        Filter::each_row(move |node| fits(wanted, args, node.requested(), &node.info().allocatable))
    }

    fn remedy(&self, case: Case<'_>, node: NodeRef<'_>) -> Option<String> {
        let (wanted, taken, there) = (&case.pod.wants.amounts, node.requested(), &node.info().allocatable);
        let short = |name: &str, format: Format, wanted: i64, taken: i64, there: i64| {
            let words = |milli: i64| Quantity::from_milli(i128::from(milli), format);
            if wanted <= 0 || wanted <= there - taken {
                None
            } else if wanted > there {
                Some(format!("a node with {} {name}: this one has {}", words(wanted), words(there)))
            } else {
                Some(format!("{} more {name}: {} of {} are free", words(wanted - (there - taken)), words((there - taken).max(0)), words(there)))
            }
        };
        let whole = |name: &str, format: Format, wanted: i64, taken: i64, there: i64| {
            short(name, format, wanted.saturating_mul(1000), taken.saturating_mul(1000), there.saturating_mul(1000))
        };
        let fixed = [
            whole("pods", Format::DecimalSi, wanted.pods, taken.pods, there.pods),
            short("cpu", Format::DecimalSi, wanted.cpu, taken.cpu, there.cpu),
            whole("memory", Format::BinarySi, wanted.memory, taken.memory, there.memory),
            whole("ephemeral-storage", Format::BinarySi, wanted.ephemeral_storage, taken.ephemeral_storage, there.ephemeral_storage),
        ];
        let extended = wanted.extended.iter().map(|(name, wanted)| {
            whole(name, Format::DecimalSi, *wanted, taken.of_extended(name), there.of_extended(name))
        });
        let all: Vec<String> = fixed.into_iter().chain(extended).flatten().collect();
        Some(all.join("; ")).filter(|all| !all.is_empty())
    }

    /// Which nodes are better, the profile says: by default those of which more stays free.
    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let args = &case.profile.args.fit;
        let counted = Counted::weighed(&case.pod.wants, &args.resources);
        Some(Score::plain(move |node: NodeRef<'_>| utilization::score(&args.strategy, counted.on(node))).of_row())
    }

    /// A pod that is gone has given room back.
    fn minds(&self, change: Change<'_>) -> bool {
        matches!(change, Change::Node(_) | Change::PodGone(..))
    }

    /// There is room now; or there would be, if those left that may be made to. Those that are leaving already will be a change of their own.
    fn helped_by(&self, case: Case<'_>, change: Change<'_>) -> bool {
        let (Change::Node(node) | Change::PodGone(node, _)) = change else { return true };
        let (wants, args, there) = (&case.pod.wants, &case.profile.args.fit, &node.info().allocatable);
        if fits(&wants.amounts, args, node.requested(), there).is_ok() {
            return true;
        }
        let may_be_made_to_leave = |other: &&Arc<PodInfo>| other.wants.priority < wants.priority && !other.terminating;
        let mut lesser = node.pods().iter().filter(may_be_made_to_leave).peekable();
        if lesser.peek().is_none() || wants.never_preempts || !case.profile.preempts {
            return false;
        }
        let mut left = node.requested().clone();
        lesser.for_each(|other| left.subtract(&other.wants.amounts));
        fits(&wants.amounts, args, &left, there).is_ok()
    }
}

/// Whether there is room for a pod, where so much is taken of what is there.
fn fits(wanted: &Amounts, args: &FitArgs, taken: &Amounts, there: &Amounts) -> Result<(), Refusal> {
    let mut refusal = Refusal { reasons: Vec::new(), resolvable: true };
        if taken.pods + wanted.pods > there.pods {
            refusal.reasons.push("Too many pods".into());
        }
        let fixed = [
            ("cpu", wanted.cpu, taken.cpu, there.cpu),
            ("memory", wanted.memory, taken.memory, there.memory),
            ("ephemeral-storage", wanted.ephemeral_storage, taken.ephemeral_storage, there.ephemeral_storage),
        ];
        let looked_at = wanted.extended.iter().filter(|(name, _)| !args.ignores(name));
        let extended = looked_at.map(|(name, wanted)| (&**name, *wanted, taken.of_extended(name), there.of_extended(name)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        amounts::Load,
        framework::testing::{cluster, node, pod, refusal, score},
        profile::{PluginArgs, Profile},
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
            let node = busy.nodes.node(0);
            let refused = fits(&pod.wants.amounts, &FitArgs::default(), node.requested(), &node.info().allocatable).err();
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
    fn a_profile_can_have_resources_ignored() {
        let profile = Profile { args: PluginArgs { fit: ignoring("nvidia.com"), ..PluginArgs::default() }, ..Profile::default() };
        let (cluster, mut pod) = (cluster(node("n"), []), pod("p"));
        pod.wants.amounts.extended = vec![("nvidia.com/gpu".into(), 1)];
        let case = Case { profile: &profile, ..Case::new(&pod, &cluster) };
        assert!(PLUGIN.filter(case).look(cluster.nodes.node(0)).is_ok());
        assert_eq!(refusal(PLUGIN, &pod, &cluster), "Insufficient nvidia.com/gpu");
    }

    fn ignoring(group: &str) -> FitArgs {
        FitArgs { ignored_resource_groups: vec![group.into()], ..FitArgs::default() }
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
    #[test]
    fn a_pod_that_goes_helps_too_where_it_stood_between_the_pod_and_those_that_must_yield() {
        let ranked = |name: &str, cpu, priority| {
            let mut pod = wanting(name, cpu, 0);
            pod.wants.priority = priority;
            pod
        };
        let never = |mut pod: PodInfo| {
            pod.wants.never_preempts = true;
            pod
        };
        let leaving = |pod: PodInfo| PodInfo { terminating: true, ..pod };
        for (waiting, lesser, want) in [
            (ranked("p", 3000, 9), ranked("l", 2000, 1), true),
            (ranked("p", 3000, 1), ranked("l", 2000, 1), false),
            (ranked("p", 5000, 9), ranked("l", 2000, 1), false),
            (never(ranked("p", 3000, 9)), ranked("l", 2000, 1), false),
            (ranked("p", 3000, 9), leaving(ranked("l", 2000, 1)), false),
        ] {
            let mut cluster = cluster(node("n"), [ranked("e", 2000, 9), lesser]);
            let gone = cluster.nodes.remove_pod(&"e".into()).unwrap().pod;
            assert_eq!(PLUGIN.helped_by(Case::new(&waiting, &cluster), Change::PodGone(cluster.nodes.node(0), &gone)), want, "{waiting:?}");
        }
        let meek = Profile { preempts: false, ..Profile::default() };
        let (cluster, waiting) = (cluster(node("n"), [ranked("l", 2000, 1)]), ranked("p", 3000, 9));
        let case = Case { profile: &meek, ..Case::new(&waiting, &cluster) };
        assert!(!PLUGIN.helped_by(case, Change::Node(cluster.nodes.node(0))));
    }
}

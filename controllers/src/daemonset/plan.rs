//! What to do for one DaemonSet, decided from the nodes and its pods.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, DaemonSetStatus},
    core::v1::{Node, Pod, PodSpec},
};
use mini_api::pod;

use super::{
    nodes::{self, Fit},
    rolling, template,
};
use crate::pods;

/// What there is.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) set: &'a DaemonSet,
    /// The current revision.
    pub(super) hash: &'a str,
    /// The pod as it would be on any node.
    pub(super) spec: &'a PodSpec,
    pub(super) nodes: &'a [Arc<Node>],
    pub(super) pods: &'a [Arc<Pod>],
    /// How long a failed pod on this node is left lying, if at all.
    pub(super) pause: &'a dyn Fn(&str) -> Option<Duration>,
    pub(super) now: Timestamp,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The nodes that get a pod.
    pub(super) create: Vec<String>,
    pub(super) delete: Vec<Arc<Pod>>,
    /// Those among the deleted that have ended, and their nodes.
    pub(super) ended: Vec<(Arc<Pod>, String)>,
    /// As the pods are before any of this is done.
    pub(super) status: DaemonSetStatus,
    /// When to look again even if nothing changes.
    pub(super) next: Option<Duration>,
}

/// Decides the next steps: first that there is a pod where there must be one, and when there is, that it is of the current revision.
pub(super) fn plan(world: &World<'_>) -> Plan {
    let places = Places::of(world);
    let mut plan = Plan::default();
    for (node, fit) in &places.nodes {
        places.manage(node, *fit, &mut plan);
    }
    // A pod for a node that is gone before it came there is nobody's but ours.
    let gone = places.pods.iter().filter(|(node, _)| !places.nodes.contains_key(*node)).flat_map(|(_, pods)| pods);
    plan.delete.extend(gone.filter(|pod| pod::node_name(pod).is_none() && !pod::is_terminating(pod)).cloned());
    if plan.create.is_empty() && plan.delete.is_empty() {
        (plan.create, plan.delete) = rolling::plan(&places);
    }
    plan.status = places.status();
    plan.next = plan.next.into_iter().chain(pods::next_available(world.pods, places.min_ready(), world.now)).min();
    plan
}

/// The nodes, and the pods by the nodes they are on or are for.
pub(super) struct Places<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) nodes: BTreeMap<&'a str, Fit>,
    /// Those that came to the node first, before the others. Nodes without pods are not in it.
    pub(super) pods: BTreeMap<&'a str, Vec<Arc<Pod>>>,
}

impl<'a> Places<'a> {
    fn of(world: &'a World<'a>) -> Self {
        let name = |node: &'a Arc<Node>| node.metadata.name.as_deref().unwrap_or_default();
        let nodes = world.nodes.iter().map(|node| (name(node), nodes::fit(world.spec, node))).collect();
        let mut pods: BTreeMap<&str, Vec<Arc<Pod>>> = BTreeMap::new();
        // One that has ended and is being deleted is as good as gone.
        for pod in world.pods.iter().filter(|pod| !(pod::is_terminal(pod) && pod::is_terminating(pod))) {
            if let Some(node) = template::node_of(pod) {
                pods.entry(node).or_default().push(pod.clone());
            }
        }
        for pods in pods.values_mut() {
            pods.sort_by_cached_key(|pod| {
                let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
                (pod::node_name(pod).is_none(), created, pod.metadata.name.clone())
            });
        }
        Self { world, nodes, pods }
    }

    pub(super) fn is_new(&self, pod: &Pod) -> bool {
        template::hash(pod) == Some(self.world.hash)
    }

    pub(super) fn is_available(&self, pod: &Pod) -> bool {
        pod::is_available(pod, self.min_ready(), self.world.now)
    }

    fn min_ready(&self) -> i32 {
        self.world.set.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0)
    }

    /// Sees that there is a pod on a node, and not too many.
    fn manage(&self, node: &str, fit: Fit, plan: &mut Plan) {
        let there = self.pods.get(node);
        let pods = there.into_iter().flatten().filter(|pod| !pod::is_terminating(pod));
        match fit {
            Fit::Run if there.is_none() => plan.create.push(node.to_owned()),
            Fit::Leave => plan.delete.extend(pods.cloned()),
            Fit::Run | Fit::Stay => {
                let (ended, alive): (Vec<_>, Vec<_>) = pods.cloned().partition(|pod| pod::is_terminal(pod));
                for pod in ended {
                    let pause = (self.world.pause)(node).filter(|_| pod::phase(&pod) == pod::FAILED);
                    match pause {
                        Some(pause) => plan.next = plan.next.into_iter().chain([pause]).min(),
                        None => {
                            plan.delete.push(pod.clone());
                            plan.ended.push((pod, node.to_owned()));
                        }
                    }
                }
                if !rolling::surges(self.world.set) {
                    plan.delete.extend(alive.into_iter().skip(1));
                } else if alive.is_empty() && fit == Fit::Run {
                    plan.create.push(node.to_owned());
                } else if alive.len() > 1 {
                    plan.delete.extend(self.crowd(alive));
                }
            }
        }
    }

    /// Who has to leave a node with several pods while an update surges: there may be an old one that is ready and a new one that is
    /// not available yet.
    fn crowd(&self, alive: Vec<Arc<Pod>>) -> Vec<Arc<Pod>> {
        let (new, old): (Vec<_>, Vec<_>) = alive.into_iter().partition(|pod| self.is_new(pod));
        let replaced = match (new.first(), old.first()) {
            (Some(new), Some(old)) => !pod::is_ready(old) || self.is_available(new),
            _ => false,
        };
        let others = new.into_iter().skip(1).chain(old.iter().skip(1).cloned());
        others.chain(old.first().filter(|_| replaced).cloned()).collect()
    }

    fn status(&self) -> DaemonSetStatus {
        let set = self.world.set;
        let (mut desired, mut current, mut misscheduled, mut ready, mut available, mut updated) = (0, 0, 0, 0, 0, 0);
        for (node, fit) in &self.nodes {
            let first = self.pods.get(node).and_then(|pods| pods.first());
            if *fit != Fit::Run {
                misscheduled += i32::from(first.is_some());
                continue;
            }
            desired += 1;
            if let Some(pod) = first {
                current += 1;
                ready += i32::from(pod::is_ready(pod));
                available += i32::from(self.is_available(pod));
                updated += i32::from(self.is_new(pod));
            }
        }
        let some = |number: i32| Some(number).filter(|number| *number != 0);
        DaemonSetStatus {
            desired_number_scheduled: desired,
            current_number_scheduled: current,
            number_misscheduled: misscheduled,
            number_ready: ready,
            updated_number_scheduled: some(updated),
            number_available: some(available),
            number_unavailable: some(desired - available),
            observed_generation: set.metadata.generation,
            ..set.status.clone().unwrap_or_default()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use k8s_openapi::{
        api::{
            apps::v1::{DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet},
            core::v1::{NodeSpec, PodCondition, PodStatus, Taint},
        },
        apimachinery::pkg::{
            apis::meta::v1::{LabelSelector, ObjectMeta, Time},
            util::intstr::IntOrString,
        },
    };

    use super::*;
    use crate::history::tests::pod_template;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    pub(in crate::daemonset) fn set() -> DaemonSet {
        let labels = Some([("app".to_owned(), "web".to_owned())].into());
        DaemonSet {
            metadata: ObjectMeta {
                name: Some("agent".to_owned()),
                namespace: Some("default".to_owned()),
                uid: Some("uid-agent".to_owned()),
                generation: Some(2),
                ..ObjectMeta::default()
            },
            spec: Some(DaemonSetSpec {
                selector: LabelSelector { match_labels: labels, match_expressions: None },
                template: pod_template("nginx:1"),
                update_strategy: Some(strategy("RollingUpdate", "1", "0")),
                ..DaemonSetSpec::default()
            }),
            status: None,
        }
    }

    fn strategy(kind: &str, unavailable: &str, surge: &str) -> DaemonSetUpdateStrategy {
        let number = |text: &str| Some(text.parse().map_or_else(|_| IntOrString::String(text.to_owned()), IntOrString::Int));
        let rolling_update = Some(RollingUpdateDaemonSet { max_unavailable: number(unavailable), max_surge: number(surge) });
        DaemonSetUpdateStrategy { type_: Some(kind.to_owned()), rolling_update }
    }

    pub(in crate::daemonset) fn node(name: &str) -> Node {
        Node { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..Node::default() }
    }

    /// `state`: p(ending and not bound), u(nready), r(eady since second 100), t(erminating), g(one: terminating and failed), f(ailed), s(ucceeded).
    fn pod(name: &str, node: &str, hash: &str, state: char) -> Arc<Pod> {
        let mut pod = template::make(&set(), &template::of(&set(), hash), node);
        pod.metadata.name = Some(name.to_owned());
        pod.metadata.deletion_timestamp = matches!(state, 't' | 'g').then(|| Time(at(1)));
        pod.spec.as_mut().unwrap().node_name = (state != 'p').then(|| node.to_owned());
        let phase = match state {
            'p' => "Pending",
            'f' | 'g' => "Failed",
            's' => "Succeeded",
            _ => "Running",
        };
        let ready = PodCondition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Some(Time(at(100))),
            ..PodCondition::default()
        };
        let conditions = (state == 'r').then(|| vec![ready]);
        pod.status = Some(PodStatus { phase: Some(phase.to_owned()), conditions, ..PodStatus::default() });
        Arc::new(pod)
    }

    /// The plan of a world told in words, one a node: `n1:1r,2u` is a node with two pods, of revision 1 and 2 in these states;
    /// `n1!` has a taint that keeps pods away, `n1?` one that drives them out, `n1-` is no node any more. The current revision is 2.
    fn play(set: &DaemonSet, told: &str) -> (String, Plan) {
        let (mut nodes, mut pods) = (Vec::new(), Vec::new());
        for word in told.split_whitespace() {
            let (place, there) = word.split_once(':').unwrap_or((word, ""));
            let name = place.trim_end_matches(['!', '?', '-']);
            let mut new = node(name);
            let effect = if place.ends_with('!') { "NoSchedule" } else { "NoExecute" };
            let taint = Taint { key: "t".to_owned(), effect: effect.to_owned(), ..Taint::default() };
            new.spec = place.ends_with(['!', '?']).then(|| NodeSpec { taints: Some(vec![taint]), ..NodeSpec::default() });
            if !place.ends_with('-') {
                nodes.push(Arc::new(new));
            }
            for one in there.split(',').filter(|one| !one.is_empty()) {
                pods.push(pod(&format!("{name}-{one}"), name, &one[..1], one[1..].chars().next().unwrap()));
            }
        }
        let spec = template::of(set, "2").spec.unwrap();
        let pause = |node: &str| (node == "slow").then_some(Duration::from_secs(7));
        let world = World { set, hash: "2", spec: &spec, nodes: &nodes, pods: &pods, pause: &pause, now: at(200) };
        let plan = plan(&world);
        let create = plan.create.iter().map(|node| format!("+{node}"));
        let delete = plan.delete.iter().map(|pod| format!("-{}", pod.metadata.name.as_deref().unwrap()));
        (create.chain(delete).collect::<Vec<_>>().join(" "), plan)
    }

    fn updating(kind: &str, unavailable: &str, surge: &str) -> DaemonSet {
        let mut set = set();
        set.spec.as_mut().unwrap().update_strategy = Some(strategy(kind, unavailable, surge));
        set
    }

    #[test]
    fn one_on_each_node() {
        for (world, want) in [
            ("n1 n2:2r n3", "+n1 +n3"),
            ("n1:2p n2:2t", ""),
            ("n1:2g", "+n1"),
            ("n1:2r,2u", "-n1-2u"),
            // Nodes with taints.
            ("n1! n2?", ""),
            ("n1!:2r n2?:2r", "-n2-2r"),
            // What has ended is replaced, sooner or later.
            ("n1:2f n2:2s slow:2f", "-n1-2f -n2-2s"),
            ("slow:2s", "-slow-2s"),
            // A node goes before its pod is bound; bound ones are the pod garbage collector's.
            ("n1-:2p n2-:2r", "-n1-2p"),
        ] {
            assert_eq!(play(&set(), world).0, want, "{world}");
        }
        assert_eq!(play(&set(), "slow:2f").1.next, Some(Duration::from_secs(7)));
    }

    #[test]
    fn old_pods_make_room() {
        for (unavailable, world, want) in [
            ("1", "n1:1r n2:1r n3:1r", "-n1-1r"),
            ("1", "n1:1t n2:1r n3:1r", ""),
            ("1", "n1:2u n2:1r n3:1r", ""),
            ("1", "n1:2r n2:1r n3:1r", "-n2-1r"),
            ("2", "n1:2u n2:1r n3:1r", "-n2-1r"),
            ("50%", "n1:1r n2:1r n3:1r", "-n1-1r -n2-1r"),
            ("100%", "n1:1r n2:1r n3:1r", "-n1-1r -n2-1r -n3-1r"),
            // What is down anyway is replaced at once.
            ("1", "n1:1r n2:1u n3:1u", "-n2-1u -n3-1u"),
        ] {
            assert_eq!(play(&updating("RollingUpdate", unavailable, "0"), world).0, want, "{unavailable} of {world}");
        }
        assert_eq!(play(&updating("OnDelete", "1", "0"), "n1:1r n2:1u").0, "");
    }

    #[test]
    fn new_pods_come_first_where_there_may_be_more() {
        for (surge, world, want) in [
            ("1", "n1:1r n2:1r", "+n1"),
            ("1", "n1:1r,2u n2:1r", ""),
            ("1", "n1:1r,2r n2:1r", "-n1-1r"),
            ("1", "n1:1u,2u n2:1r", "-n1-1u"),
            ("2", "n1:1r,2u n2:1r n3:1r", "+n2"),
            ("50%", "n1:1r n2:1r n3:1r", "+n1 +n2"),
            ("1", "n1:1u n2:1r", "+n1 +n2"),
            ("1", "n1:1t n2:1r", "+n1"),
            ("1", "n1:2r,2u,1r,1u", "-n1-2u -n1-1u -n1-1r"),
            // Where it may not come any more, a pod waits until there are enough elsewhere.
            ("1", "n1!:1r n2:2u", ""),
            ("1", "n1!:1r n2:2r", "-n1-1r"),
            ("1", "n1!:1u n2:2u", "-n1-1u"),
        ] {
            assert_eq!(play(&updating("RollingUpdate", "0", surge), world).0, want, "{surge} of {world}");
        }
    }

    #[test]
    fn the_status_counts_nodes() {
        let (_, plan) = play(&set(), "n1:2r n2:1r n3:2u n4 n5!:1r");
        expect_test::expect![[r#"{"currentNumberScheduled":3,"desiredNumberScheduled":4,"numberAvailable":2,"numberMisscheduled":1,"numberReady":2,"numberUnavailable":2,"observedGeneration":2,"updatedNumberScheduled":2}"#]]
            .assert_eq(&serde_json::to_string(&plan.status).unwrap());
    }

    #[test]
    fn a_pod_must_be_ready_for_a_while() {
        let mut set = updating("RollingUpdate", "1", "0");
        set.spec.as_mut().unwrap().min_ready_seconds = Some(130);
        let (told, plan) = play(&set, "n1:2r n2:2r");
        assert_eq!((told.as_str(), plan.status.number_ready, plan.status.number_available), ("", 2, None));
        assert_eq!(plan.next, Some(Duration::from_millis(30_001)));
    }
}

//! The life of nodes: one that falls silent is lost, what is wrong with one shows as taints, and its pods are no longer ready.
//!
//! Silence is measured by our own clock, from the moment we saw the last sign of life: the node's may be wrong. And before a
//! node is called lost the API server is asked for its Lease, so that an outage of ours is not taken for one of all nodes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Node, NodeCondition, Pod, Taint},
    },
    apimachinery::pkg::apis::meta::v1::{MicroTime, Time},
};
use mini_api::{
    condition::{self, FALSE, TRUE, UNKNOWN},
    pod,
    taint::{NO_EXECUTE, NO_SCHEDULE},
};
use mini_daemon::{clock, events, events::Recorder};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Config,
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    pods::together,
    taint_eviction::{BY_NODE, node_terms},
    writes::{Result, Writes},
    zones::Zones,
};

/// Where nodes have their Leases.
const LEASES: &str = "kube-node-lease";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Conditions that are bad when they are true, and their taints.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
];
/// The conditions only a kubelet can answer for.
const ANSWERED_BY_KUBELET: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// Judges nodes. Its keys are their names.
pub(crate) struct Reconciler {
    nodes: Arc<Cache<Node>>,
    leases: Arc<Cache<Lease>>,
    pods: Arc<Cache<Pod>>,
    recorder: Recorder,
    config: Config,
    known: Mutex<HashMap<String, Known>>,
    zones: Arc<Mutex<Zones>>,
}

/// What is remembered of a node. After a restart it is seen for the first time again, which only delays a judgement.
#[derive(Clone)]
struct Known {
    node: Arc<Node>,
    /// The last sign of life, and when we saw it.
    sign: Sign,
    seen: Instant,
}

/// What a living kubelet changes: its Lease, or the heartbeat in its status.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sign {
    lease: Option<MicroTime>,
    heartbeat: Option<Time>,
}

impl Sign {
    fn of(node: &Node, lease: Option<&Lease>) -> Self {
        let ready = node.status.as_ref().and_then(|status| condition::node(status, "Ready"));
        // What we wrote ourselves is no sign of life: it keeps the heartbeat.
        Self {
            lease: lease.and_then(|lease| lease.spec.as_ref()?.renew_time.clone()),
            heartbeat: ready.and_then(|ready| ready.last_heartbeat_time.clone()),
        }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Controller for Reconciler {
    const NAME: &'static str = "node-lifecycle-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let zones = Arc::new(Mutex::new(Zones::new(setup.config().zone_limits())));
        let counted = zones.clone();
        let nodes = setup.watch(move |change: &Change<Node>| {
            counted.lock().note(change.old.as_deref(), change.new.as_deref());
            [change.key()]
        });
        let leases = setup.watch(|change: &Change<Lease>| {
            let key = change.key();
            (key.namespace == LEASES).then(|| Key::cluster(&key.name))
        });
        let pods = setup.read::<Pod>();
        pods.index(BY_NODE, node_terms);
        let (recorder, config) = (setup.recorder("node-controller"), setup.config().clone());
        Self { nodes, leases, pods, recorder, config, known: Mutex::default(), zones }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(node) = self.nodes.get(key) else {
            if let Some(known) = self.known.lock().remove(&key.name) {
                let message = format!("Node {0} event: Removing Node {0} from Controller", key.name);
                self.recorder.normal(&events::reference(&*known.node), "RemovingNode", message);
            }
            return Ok(Next::Changed);
        };
        let silent = self.silence(&node, writes).await?;
        let grace = if silent.ever { self.config.node_monitor_grace_period } else { self.config.node_startup_grace_period };
        let now = clock::now();
        let new = if silent.since >= grace { lost(&node, now) } else { (*node).clone() };
        if new != *node {
            tracing::info!(node = key.name, "lost");
            writes.update_status(&*node, &new).await?;
            // The taints follow when the cache has the conditions.
            return Ok(Next::Changed);
        }
        let (emptying, patience) = self.emptying(&node);
        let taints = taints(&node, emptying, now);
        if taints != node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default() {
            tracing::info!(node = key.name, taints = ?taints.iter().map(|taint| &taint.key).collect::<Vec<_>>(), "taint");
            let resource = kube::api::ApiResource::erase::<Node>(&());
            let list = if taints.is_empty() { json!(null) } else { json!(taints) };
            writes.patch(&resource, &node.metadata, None, json!({ "spec": { "taints": list } })).await?;
        }
        if is_bad(&node) {
            self.mark_pods(&node, writes).await?;
        }
        // A node that speaks is looked at when it would have been silent too long; a lost one again and again.
        let wait = grace.saturating_sub(silent.since);
        let wait = if wait.is_zero() { self.config.node_monitor_period } else { wait };
        Ok(Next::After(patience.map_or(wait, |patience| patience.min(wait))))
    }
}

/// How long a node has said nothing.
struct Silence {
    since: Duration,
    /// Whether it ever said anything.
    ever: bool,
}

impl Reconciler {
    /// Whether the pods of a node may be driven out of it, and if not yet, when to ask again.
    fn emptying(&self, node: &Node) -> (Emptying, Option<Duration>) {
        let period = self.config.node_monitor_period;
        let mut zones = self.zones.lock();
        if !is_bad(node) {
            return (Emptying::May, None);
        }
        if zones.all_dark() {
            return (Emptying::Stop, Some(period));
        }
        if is_emptied(node) {
            return (Emptying::May, None);
        }
        match zones.empty_one(node, Instant::now()) {
            Ok(()) => (Emptying::May, None),
            Err(wait) => (Emptying::NotYet, Some(wait.map_or(period, |wait| wait.min(period)))),
        }
    }

    async fn silence(&self, node: &Arc<Node>, writes: &Writes) -> Result<Silence> {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        let lease = Key::new(LEASES, name);
        let mut sign = Sign::of(node, self.leases.get(&lease).as_deref());
        let since = self.notice(name, node, &sign);
        if since >= self.config.node_monitor_grace_period && !is_unknown(node) {
            match writes.live::<Lease>(&lease).await {
                Ok(live) => sign.lease = live.and_then(|lease| lease.spec?.renew_time),
                Err(error) => {
                    // Who cannot hear does not know who is silent: everyone gets a new chance.
                    if let Some(known) = self.known.lock().get_mut(name) {
                        known.seen = Instant::now();
                    }
                    return Err(error);
                }
            }
        }
        Ok(Silence { since: self.notice(name, node, &sign), ever: !sign.is_none() })
    }

    /// Remembers a sign of life; says how long ago the last new one was seen.
    fn notice(&self, name: &str, node: &Arc<Node>, sign: &Sign) -> Duration {
        let now = Instant::now();
        let mut all = self.known.lock();
        let known = all.entry(name.to_owned()).or_insert_with(|| {
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            self.recorder.normal(&events::reference(&**node), "RegisteredNode", message);
            Known { node: node.clone(), sign: sign.clone(), seen: now }
        });
        if known.node.metadata.uid != node.metadata.uid || known.sign != *sign {
            (known.sign, known.seen) = (sign.clone(), now);
        }
        if condition_of(&known.node, "Ready") == TRUE && condition_of(node, "Ready") != TRUE {
            self.recorder.normal(&events::reference(&**node), "NodeNotReady", format!("Node {name} status is now: NodeNotReady"));
        }
        known.node = node.clone();
        now - known.seen
    }

    /// Pods on a node that does not answer are not ready, whatever they said last.
    async fn mark_pods(&self, node: &Node, writes: &Writes) -> Result<()> {
        let pods = self.pods.indexed(BY_NODE, node.metadata.name.as_deref().unwrap_or_default());
        let marked = pods.into_iter().filter(|pod| pod::is_ready(pod)).map(|pod| async move {
            let mut new = (*pod).clone();
            let conditions = new.status.iter_mut().flat_map(|status| status.conditions.iter_mut().flatten());
            for ready in conditions.filter(|condition| condition.type_ == "Ready") {
                ready.status = FALSE.to_owned();
                ready.last_transition_time = Some(Time(clock::now()));
            }
            match writes.update_status(&*pod, &new).await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => self.recorder.warning(&events::reference(&*pod), "NodeNotReady", "Node is not ready"),
            }
            Ok(())
        });
        together(marked.collect()).await
    }
}

fn condition_of<'a>(node: &'a Node, kind: &str) -> &'a str {
    let found = node.status.as_ref().and_then(|status| condition::node(status, kind));
    found.map_or("", |condition| &condition.status)
}

fn is_unknown(node: &Node) -> bool {
    condition_of(node, "Ready") == UNKNOWN
}

fn is_bad(node: &Node) -> bool {
    is_unknown(node) || condition_of(node, "Ready") == FALSE
}

/// The node as it is when nobody has heard from its kubelet for too long.
fn lost(node: &Node, now: Timestamp) -> Node {
    let mut new = node.clone();
    let conditions = new.status.get_or_insert_default().conditions.get_or_insert_default();
    for kind in ANSWERED_BY_KUBELET {
        match conditions.iter_mut().find(|condition| condition.type_ == kind) {
            Some(condition) if condition.status != UNKNOWN => {
                condition.status = UNKNOWN.to_owned();
                condition.reason = Some("NodeStatusUnknown".to_owned());
                condition.message = Some("Kubelet stopped posting node status.".to_owned());
                condition.last_transition_time = Some(Time(now));
            }
            Some(_) => {}
            None => conditions.push(NodeCondition {
                type_: kind.to_owned(),
                status: UNKNOWN.to_owned(),
                reason: Some("NodeStatusNeverUpdated".to_owned()),
                message: Some("Kubelet never posted node status.".to_owned()),
                last_heartbeat_time: node.metadata.creation_timestamp.clone(),
                last_transition_time: Some(Time(now)),
            }),
        }
    }
    new
}

/// Whether pods may be driven out of a node that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emptying {
    May,
    /// Others are, at the moment.
    NotYet,
    /// And those that are on their way may stay.
    Stop,
}

/// Whether pods are driven out of a node because of its conditions.
fn is_emptied(node: &Node) -> bool {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.into_iter().any(|taint| taint.effect == NO_EXECUTE && [NOT_READY, UNREACHABLE].contains(&taint.key.as_str()))
}

/// The taints a node should have: those others gave it, and ours as its conditions are.
fn taints(node: &Node, emptying: Emptying, now: Timestamp) -> Vec<Taint> {
    let (mut schedule, mut execute) = (Vec::new(), None);
    match condition_of(node, "Ready") {
        FALSE => (schedule, execute) = (vec![NOT_READY], Some(NOT_READY)),
        UNKNOWN => (schedule, execute) = (vec![UNREACHABLE], Some(UNREACHABLE)),
        // As long as its kubelet has said nothing, nothing is known against it either: the taint it was created with goes.
        _ => {}
    }
    if emptying != Emptying::May {
        execute = None;
    }
    schedule.extend(PRESSURES.iter().filter(|(kind, _)| condition_of(node, kind) == TRUE).map(|(_, key)| *key));
    let spec = node.spec.clone().unwrap_or_default();
    if spec.unschedulable == Some(true) {
        schedule.push(UNSCHEDULABLE);
    }
    let wanted = |taint: &Taint| match taint.effect.as_str() {
        NO_SCHEDULE => schedule.contains(&taint.key.as_str()),
        NO_EXECUTE => execute == Some(taint.key.as_str()),
        _ => false,
    };
    let ours = |taint: &Taint| match taint.effect.as_str() {
        NO_SCHEDULE => {
            let key = taint.key.as_str();
            [NOT_READY, UNREACHABLE, UNSCHEDULABLE].contains(&key) || PRESSURES.iter().any(|(_, pressure)| *pressure == key)
        }
        NO_EXECUTE => [NOT_READY, UNREACHABLE].contains(&taint.key.as_str()),
        _ => false,
    };
    let mut taints = spec.taints.unwrap_or_default();
    taints.retain(|taint| !ours(taint) || wanted(taint));
    let due = schedule.iter().map(|key| (*key, NO_SCHEDULE)).chain(execute.map(|key| (key, NO_EXECUTE)));
    for (key, effect) in due {
        if !taints.iter().any(|taint| taint.key == key && taint.effect == effect) {
            taints.push(Taint { key: key.to_owned(), effect: effect.to_owned(), time_added: Some(Time(now)), value: None });
        }
    }
    taints
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{NodeSpec, NodeStatus};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn node(conditions: &[(&str, &str)], taints: &[(&str, &str)]) -> Node {
        let condition = |(kind, status): &(&str, &str)| NodeCondition {
            type_: (*kind).to_owned(),
            status: (*status).to_owned(),
            ..NodeCondition::default()
        };
        let taint = |(key, effect): &(&str, &str)| Taint { key: (*key).to_owned(), effect: (*effect).to_owned(), ..Taint::default() };
        Node {
            status: Some(NodeStatus { conditions: Some(conditions.iter().map(condition).collect()), ..NodeStatus::default() }),
            spec: Some(NodeSpec { taints: Some(taints.iter().map(taint).collect()), ..NodeSpec::default() }),
            ..Node::default()
        }
    }

    #[test]
    fn taints_are_as_the_conditions() {
        let foreign = ("example.com/gpu", "NoSchedule");
        for (conditions, before, after) in [
            (vec![], vec![(NOT_READY, NO_SCHEDULE)], vec![]),
            (vec![("Ready", "True")], vec![(NOT_READY, NO_SCHEDULE), foreign], vec![foreign]),
            (vec![("Ready", "False")], vec![], vec![(NOT_READY, NO_SCHEDULE), (NOT_READY, NO_EXECUTE)]),
            (
                vec![("Ready", "Unknown")],
                vec![(NOT_READY, NO_SCHEDULE), (NOT_READY, NO_EXECUTE), foreign],
                vec![foreign, (UNREACHABLE, NO_SCHEDULE), (UNREACHABLE, NO_EXECUTE)],
            ),
            (
                vec![("Ready", "True"), ("MemoryPressure", "True"), ("DiskPressure", "False")],
                vec![("node.kubernetes.io/disk-pressure", NO_SCHEDULE)],
                vec![("node.kubernetes.io/memory-pressure", NO_SCHEDULE)],
            ),
        ] {
            let taints = taints(&node(&conditions, &before), Emptying::May, at(1));
            let taints: Vec<_> = taints.iter().map(|taint| (taint.key.as_str(), taint.effect.as_str())).collect();
            assert_eq!(taints, after, "{conditions:?}");
        }
        let mut cordoned = node(&[("Ready", "True")], &[]);
        cordoned.spec.as_mut().unwrap().unschedulable = Some(true);
        assert_eq!(taints(&cordoned, Emptying::May, at(1))[0].key, UNSCHEDULABLE);
    }

    #[test]
    fn a_lost_node_is_not_emptied_before_it_may_be() {
        let tainted = node(&[("Ready", "Unknown")], &[(UNREACHABLE, NO_EXECUTE)]);
        assert!(is_emptied(&tainted) && !is_emptied(&node(&[("Ready", "Unknown")], &[(UNREACHABLE, NO_SCHEDULE)])));
        for (emptying, after) in [(Emptying::May, 2), (Emptying::NotYet, 1), (Emptying::Stop, 1)] {
            assert_eq!(taints(&node(&[("Ready", "Unknown")], &[]), emptying, at(1)).len(), after, "{emptying:?}");
        }
        assert_eq!(taints(&tainted, Emptying::Stop, at(1)).iter().filter(|taint| taint.effect == NO_EXECUTE).count(), 0);
    }

    #[test]
    fn a_lost_node_is_unknown_and_stays_as_it_is() {
        let lost_node = lost(&node(&[("Ready", "True"), ("DiskPressure", "False")], &[]), at(100));
        let conditions = lost_node.status.as_ref().unwrap().conditions.as_ref().unwrap();
        let text: Vec<_> = conditions.iter().map(|c| format!("{} {}", c.type_, c.reason.as_deref().unwrap())).collect();
        assert_eq!(
            text,
            [
                "Ready NodeStatusUnknown",
                "DiskPressure NodeStatusUnknown",
                "MemoryPressure NodeStatusNeverUpdated",
                "PIDPressure NodeStatusNeverUpdated"
            ]
        );
        assert_eq!(lost(&lost_node, at(200)), lost_node);
    }
}

//! Pod garbage: pods whose node is gone, pods no kubelet will ever finish, and old finished ones.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::{Node, Pod, PodCondition},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::api::DeleteParams;
use mini_api::{condition, pod};
use mini_daemon::clock;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    cache::{Cache, Change, Key, Source},
    controller::{Controller, Next, Setup},
    writes::{Result, Writes},
};

/// How often all pods are looked at.
const PERIOD: Duration = Duration::from_secs(20);
/// How long a node has to be missing before its pods are.
const QUARANTINE: Duration = Duration::from_secs(40);
/// The taint by which an operator says that a node is off and its pods may be given up.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Deletes pods by force. It has one key: all pods together.
pub(crate) struct Reconciler {
    pods: Arc<Cache<Pod>>,
    nodes: Arc<Cache<Node>>,
    threshold: usize,
    /// Since when a node with pods has been missing. A restart only begins the quarantine anew.
    missing: Mutex<HashMap<String, Instant>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "pod-garbage-collector-controller";
    type Key = ();

    fn new(setup: &mut Setup<'_, ()>) -> Self {
        setup.queue().add(());
        let pods = setup.read::<Pod>();
        let nodes = setup.watch(|change: &Change<Node>| change.new.is_none().then_some(()));
        let threshold = setup.config().terminated_pod_gc_threshold;
        Self { pods, nodes, threshold, missing: Mutex::default() }
    }

    async fn reconcile(&self, (): &(), writes: &Writes) -> Result<Next> {
        let (pods, nodes) = (self.pods.all(), self.nodes.all());
        let nodes: HashMap<_, _> = nodes.iter().filter_map(|node| Some((node.metadata.name.as_deref()?, &**node))).collect();
        let lost = self.quarantine(&pods, &nodes, Instant::now());
        for Removal { pod, why } in plan(&pods, &nodes, &lost, self.threshold) {
            // Of a node that the cache misses, the API server must say so too.
            let node = node_of(&pod).unwrap_or_default();
            if why == Why::NodeGone && writes.live_metadata(&resource(), &Key::cluster(node)).await?.is_some() {
                continue;
            }
            remove(&pod, why, writes).await?;
        }
        Ok(Next::After(PERIOD))
    }
}

fn resource() -> kube::api::ApiResource {
    kube::api::ApiResource::erase::<Node>(&())
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

impl Reconciler {
    /// The nodes that pods name and that have been missing long enough.
    fn quarantine(&self, pods: &[Arc<Pod>], nodes: &HashMap<&str, &Node>, now: Instant) -> HashSet<String> {
        debug_assert!(self.nodes.synced(), "no node is missing from a cache that is not complete");
        let named: HashSet<_> = pods.iter().filter_map(|pod| node_of(pod)).filter(|name| !nodes.contains_key(name)).collect();
        let mut missing = self.missing.lock();
        missing.retain(|name, _| named.contains(name.as_str()));
        for name in named {
            missing.entry(name.to_owned()).or_insert(now);
        }
        missing.iter().filter(|(_, since)| now - **since >= QUARANTINE).map(|(name, _)| name.clone()).collect()
    }
}

/// Why a pod is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It is bound to a node that does not exist.
    NodeGone,
    /// It is being deleted, but was never given to a kubelet.
    Unscheduled,
    /// It is being deleted on a node that is out of service.
    OutOfService,
    /// There are too many finished pods.
    Finished,
}

#[derive(Debug)]
struct Removal {
    pod: Arc<Pod>,
    why: Why,
}

/// Decides which pods go, and why.
fn plan(pods: &[Arc<Pod>], nodes: &HashMap<&str, &Node>, lost: &HashSet<String>, threshold: usize) -> Vec<Removal> {
    let mut removals = Vec::new();
    let mut finished = Vec::new();
    for pod in pods {
        let terminating = pod.metadata.deletion_timestamp.is_some();
        let why = match node_of(pod) {
            None if terminating => Some(Why::Unscheduled),
            None => None,
            Some(name) if lost.contains(name) => Some(Why::NodeGone),
            Some(name) => nodes.get(name).filter(|node| terminating && is_out_of_service(node)).map(|_| Why::OutOfService),
        };
        match why {
            Some(why) => removals.push(Removal { pod: pod.clone(), why }),
            None if pod::is_terminal(pod) && !terminating => finished.push(pod.clone()),
            None => {}
        }
    }
    if threshold > 0 && finished.len() > threshold {
        // The evicted go first: of what ended by itself more can be learned.
        finished.sort_by_key(|pod| (!is_evicted(pod), pod.metadata.creation_timestamp.clone(), pod.metadata.name.clone()));
        let surplus = finished.len() - threshold;
        removals.extend(finished.into_iter().take(surplus).map(|pod| Removal { pod, why: Why::Finished }));
    }
    removals
}

/// Whether a kubelet has ended the pod for want of room.
fn is_evicted(pod: &Pod) -> bool {
    let reason = pod.status.as_ref().and_then(|status| status.reason.as_deref());
    pod::phase(pod) == pod::FAILED && reason == Some("Evicted")
}

fn is_out_of_service(node: &Node) -> bool {
    let ready = node.status.as_ref().is_some_and(|status| condition::is_true(&status.conditions, "Ready"));
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    !ready && taints.into_iter().flatten().any(|taint| taint.key == OUT_OF_SERVICE)
}

async fn remove(pod: &Pod, why: Why, writes: &Writes) -> Result<()> {
    match writes.update_status(pod, &failed(pod, why)).await {
        Err(error) if !error.is_not_found() => return Err(error),
        _ => {}
    }
    tracing::info!(pod = %Key::of(&pod.metadata), ?why, "delete by force");
    writes.delete(pod, DeleteParams::default().grace_period(0)).await
}

/// The pod as its kubelet would have left it, had there been one: ended, so that whoever counts it (a Job) lets it go, and disrupted if its
/// node is gone. What has ended already stays as it is.
fn failed(pod: &Pod, why: Why) -> Pod {
    let mut new = pod.clone();
    if pod::is_terminal(pod) {
        return new;
    }
    let status = new.status.get_or_insert_default();
    status.phase = Some("Failed".to_owned());
    if why == Why::NodeGone {
        let disrupted = PodCondition {
            type_: "DisruptionTarget".to_owned(),
            status: condition::TRUE.to_owned(),
            reason: Some("DeletionByPodGC".to_owned()),
            message: Some("PodGC: node no longer exists".to_owned()),
            last_transition_time: Some(Time(clock::now())),
            ..PodCondition::default()
        };
        condition::set_pod(status, disrupted);
    }
    new
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{NodeSpec, PodSpec, PodStatus, Taint};

    use super::*;
    use crate::cache::tests::{filled, pod as named};

    fn pod(name: &str, node: &str, terminating: bool, phase: &str) -> Arc<Pod> {
        let mut pod = named(name, 1, None);
        pod.metadata.deletion_timestamp = terminating.then_some(Time(jiff::Timestamp::UNIX_EPOCH));
        pod.spec = Some(PodSpec { node_name: Some(node.to_owned()), ..PodSpec::default() });
        pod.status = Some(PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() });
        Arc::new(pod)
    }

    #[test]
    fn pods_without_a_kubelet_go() {
        let here = Node::default();
        let taint = Taint { key: OUT_OF_SERVICE.to_owned(), effect: "NoExecute".to_owned(), ..Taint::default() };
        let off = Node { spec: Some(NodeSpec { taints: Some(vec![taint]), ..NodeSpec::default() }), ..Node::default() };
        let nodes = HashMap::from([("here", &here), ("off", &off)]);
        let mut evicted = (*pod("evicted", "here", false, "Failed")).clone();
        evicted.status.as_mut().unwrap().reason = Some("Evicted".to_owned());
        let pods = [
            pod("fine", "here", false, "Running"),
            pod("leaving", "here", true, "Running"),
            pod("lost", "gone", false, "Running"),
            pod("suspect", "missing", false, "Running"),
            pod("unbound", "", true, "Pending"),
            pod("stays", "off", false, "Running"),
            pod("given-up", "off", true, "Running"),
            pod("done-1", "here", false, "Succeeded"),
            pod("done-2", "here", false, "Failed"),
            Arc::new(evicted),
        ];
        let removals = plan(&pods, &nodes, &HashSet::from(["gone".to_owned()]), 1);
        let text: Vec<_> = removals.iter().map(|r| format!("{} {:?}", r.pod.metadata.name.as_deref().unwrap(), r.why)).collect();
        assert_eq!(text, ["lost NodeGone", "unbound Unscheduled", "given-up OutOfService", "evicted Finished", "done-1 Finished"]);
        for (pod, why, phase, conditions) in [
            (&pods[2], Why::NodeGone, "Failed", 1),
            (&pods[4], Why::Unscheduled, "Failed", 0),
            (&pods[6], Why::OutOfService, "Failed", 0),
            (&pods[7], Why::Finished, "Succeeded", 0),
            (&pods[7], Why::NodeGone, "Succeeded", 0),
            (&pods[8], Why::NodeGone, "Failed", 0),
        ] {
            let status = failed(pod, why).status.unwrap();
            assert_eq!((status.phase.as_deref(), status.conditions.unwrap_or_default().len()), (Some(phase), conditions), "{why:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_node_is_waited_for() {
        let pods = [pod("lost", "gone", false, "Running")];
        let reconciler = Reconciler { pods: filled([]), nodes: filled([]), threshold: 0, missing: Mutex::default() };
        let nodes = HashMap::new();
        let start = Instant::now();
        assert!(reconciler.quarantine(&pods, &nodes, start).is_empty());
        assert!(reconciler.quarantine(&pods, &nodes, start + QUARANTINE / 2).is_empty());
        assert!(reconciler.quarantine(&pods, &nodes, start + QUARANTINE).contains("gone"));
        assert!(reconciler.quarantine(&[], &nodes, start + QUARANTINE).is_empty());
        assert!(reconciler.quarantine(&pods, &nodes, start + QUARANTINE).is_empty(), "it was back in between");
    }
}

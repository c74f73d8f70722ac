//! Eviction by taint: a pod leaves a node whose NoExecute taints it does not tolerate, or not for so long.
//!
//! The moment is computed from what the API says (when the taint was added, when the pod came), so that it is the same after a
//! restart.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::{Node, ObjectReference, Pod, PodCondition, Taint, Toleration},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::api::DeleteParams;
use mini_api::{condition, taint};
use mini_daemon::{clock, events::Recorder};
use parking_lot::Mutex;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    writes::{Result, Writes},
};

/// The index of pods by the node they are bound to.
pub(crate) const BY_NODE: &str = "node";

/// The terms of [`BY_NODE`].
pub(crate) fn node_terms(pod: &Pod) -> Vec<String> {
    pod.spec.iter().filter_map(|spec| spec.node_name.clone()).filter(|name| !name.is_empty()).collect()
}

/// Evicts pods.
pub(crate) struct Reconciler {
    pods: Arc<Cache<Pod>>,
    nodes: Arc<Cache<Node>>,
    recorder: Recorder,
    /// The pods that are to leave.
    marked: Arc<Mutex<HashMap<Key, Mark>>>,
}

/// What is known of a pod that is to leave.
#[derive(Clone, Copy)]
struct Mark {
    /// When this was first seen: a taint that has no time counts from then.
    seen: Timestamp,
    /// When it is to leave.
    at: Timestamp,
}

impl Controller for Reconciler {
    const NAME: &'static str = "taint-eviction-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let nodes = setup.read::<Node>();
        let tainted = nodes.clone();
        let marked: Arc<Mutex<HashMap<Key, Mark>>> = Arc::default();
        let waiting = marked.clone();
        let pods = setup.watch(move |change: &Change<Pod>| {
            let Some(pod) = &change.new else {
                return Some(change.key()).filter(|key| waiting.lock().contains_key(key));
            };
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).map(Key::cluster);
            let node = node.and_then(|key| tainted.get(&key));
            node.filter(|node| !no_execute(node).is_empty()).map(|_| change.key())
        });
        pods.index(BY_NODE, node_terms);
        let all = pods.clone();
        setup.watch(move |change: &Change<Node>| {
            let taints = |side: &Option<Arc<Node>>| side.as_ref().map(|node| no_execute(node)).unwrap_or_default();
            let pods = if taints(&change.old) == taints(&change.new) { Vec::new() } else { all.indexed(BY_NODE, &change.key().name) };
            pods.into_iter().map(|pod| Key::of(&pod.metadata))
        });
        Self { pods, nodes, recorder: setup.recorder(Self::NAME), marked }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let now = clock::now();
        let mark = self.marked.lock().get(key).copied();
        let seen = mark.map_or(now, |mark| mark.seen);
        let Some(pod) = self.pods.get(key) else {
            self.forget(key, mark, &Eviction::Never, now);
            return Ok(Next::Changed);
        };
        let spec = pod.spec.clone().unwrap_or_default();
        let node = spec.node_name.as_deref().and_then(|name| self.nodes.get(&Key::cluster(name)));
        // Where there is no node there are no taints, but nothing is called off either: its pods will be collected.
        let Some(node) = node else { return Ok(Next::Changed) };
        let eviction = plan(&no_execute(&node), &spec.tolerations.unwrap_or_default(), arrival(&pod), seen, now);
        match eviction {
            Eviction::At(at) if at > now => {
                // One that is leaving anyway is not marked anew.
                if mark.is_some() || pod.metadata.deletion_timestamp.is_none() {
                    self.marked.lock().insert(key.clone(), Mark { seen, at });
                }
                Ok(Next::After(Duration::try_from(at.duration_since(now)).unwrap_or_default()))
            }
            Eviction::At(at) if pod.metadata.deletion_timestamp.is_none() => {
                self.forget(key, mark, &eviction, now);
                // Should it fail, there is nothing more to be called off.
                self.marked.lock().insert(key.clone(), Mark { seen, at });
                self.evict(&pod, writes).await?;
                self.marked.lock().remove(key);
                Ok(Next::Changed)
            }
            _ => {
                self.forget(key, mark, &eviction, now);
                Ok(Next::Changed)
            }
        }
    }
}

impl Reconciler {
    /// Takes the mark off a pod, and says so if it was to leave at another time than it does now.
    fn forget(&self, key: &Key, mark: Option<Mark>, eviction: &Eviction, now: Timestamp) {
        self.marked.lock().remove(key);
        if is_cancelled(mark.map(|mark| mark.at), eviction, now) {
            self.recorder.normal(&about(key), "TaintManagerEviction", format!("Cancelling deletion of Pod {key}"));
        }
    }

    async fn evict(&self, pod: &Pod, writes: &Writes) -> Result<()> {
        let mut new = pod.clone();
        let disrupted = PodCondition {
            type_: "DisruptionTarget".to_owned(),
            status: condition::TRUE.to_owned(),
            reason: Some("DeletionByTaintManager".to_owned()),
            message: Some("Taint manager: deleting due to NoExecute taint".to_owned()),
            last_transition_time: Some(Time(clock::now())),
            ..PodCondition::default()
        };
        condition::set_pod(new.status.get_or_insert_default(), disrupted);
        writes.update_status(pod, &new).await?;
        let key = Key::of(&pod.metadata);
        self.recorder.normal(&about(&key), "TaintManagerEviction", format!("Marking for deletion Pod {key}"));
        writes.delete(pod, DeleteParams::default()).await
    }
}

/// What the Events are about. Like upstream's they name no UID, so that `kubectl describe pod` does not show them.
fn about(key: &Key) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(key.name.clone()),
        namespace: Some(key.namespace.clone()),
        ..ObjectReference::default()
    }
}

fn no_execute(node: &Node) -> Vec<Taint> {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    taints.into_iter().flatten().filter(|taint| taint.effect == taint::NO_EXECUTE).cloned().collect()
}

/// When the pod came to its node.
fn arrival(pod: &Pod) -> Timestamp {
    let scheduled = pod.status.as_ref().and_then(|status| condition::pod(status, "PodScheduled"));
    let time = scheduled.and_then(|scheduled| scheduled.last_transition_time.as_ref());
    time.or(pod.metadata.creation_timestamp.as_ref()).map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// Whether and when a pod has to leave.
#[derive(Debug, PartialEq, Eq)]
enum Eviction {
    Never,
    At(Timestamp),
}

/// Decides for one pod: `arrival` is when it came to the node, `seen` when a taint that has no time was first seen to matter.
fn plan(taints: &[Taint], tolerations: &[Toleration], arrival: Timestamp, seen: Timestamp, now: Timestamp) -> Eviction {
    if taints.is_empty() || pod_tolerates_for_ever(taints, tolerations) {
        return Eviction::Never;
    }
    let mut leave: Option<Timestamp> = None;
    for taint in taints {
        let used: Vec<_> = tolerations.iter().filter(|toleration| taint::tolerates_one(toleration, taint)).collect();
        // The shortest of the tolerations that match counts; one that matches without a limit is no limit.
        let at = match used.iter().filter_map(|toleration| toleration.toleration_seconds).min() {
            _ if used.is_empty() => now,
            None => continue,
            Some(seconds) => {
                let since = taint.time_added.as_ref().map_or(seen, |added| added.0).max(arrival);
                since.saturating_add(SignedDuration::from_secs(seconds.max(0))).unwrap_or(Timestamp::MAX)
            }
        };
        leave = Some(leave.map_or(at, |leave| leave.min(at)));
    }
    leave.map_or(Eviction::Never, Eviction::At)
}

/// Whether an eviction that was still to come at `scheduled` does not come, or comes at once instead. One that comes later than it was to
/// is the same.
fn is_cancelled(scheduled: Option<Timestamp>, eviction: &Eviction, now: Timestamp) -> bool {
    let still_comes = matches!(eviction, Eviction::At(at) if *at > now);
    scheduled.is_some_and(|at| at > now) && !still_comes
}

fn pod_tolerates_for_ever(taints: &[Taint], tolerations: &[Toleration]) -> bool {
    let for_ever: Vec<_> = tolerations.iter().filter(|toleration| toleration.toleration_seconds.is_none()).cloned().collect();
    let limited = |taint: &Taint| {
        tolerations.iter().any(|toleration| toleration.toleration_seconds.is_some() && taint::tolerates_one(toleration, taint))
    };
    taints.iter().all(|taint| taint::tolerates(&for_ever, taint) && !limited(taint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn taint(key: &str, added: Option<i64>) -> Taint {
        Taint { key: key.to_owned(), effect: "NoExecute".to_owned(), time_added: added.map(|second| Time(at(second))), ..Taint::default() }
    }

    fn toleration(key: &str, seconds: Option<i64>) -> Toleration {
        Toleration { key: Some(key.to_owned()), operator: Some("Exists".to_owned()), toleration_seconds: seconds, ..Toleration::default() }
    }

    #[test]
    fn who_leaves_and_when() {
        let lost = || taint("lost", Some(1000));
        for (taints, tolerations, expected) in [
            (vec![], vec![], Eviction::Never),
            (vec![lost()], vec![], Eviction::At(at(1100))),
            (vec![lost()], vec![toleration("lost", None)], Eviction::Never),
            (vec![lost()], vec![toleration("lost", Some(300))], Eviction::At(at(1300))),
            (vec![lost()], vec![toleration("lost", Some(300)), toleration("lost", Some(10))], Eviction::At(at(1010))),
            (vec![lost()], vec![toleration("lost", Some(0))], Eviction::At(at(1000))),
            (vec![lost()], vec![toleration("lost", Some(-5))], Eviction::At(at(1000))),
            (vec![lost(), taint("bad", None)], vec![toleration("lost", Some(300))], Eviction::At(at(1100))),
            (vec![taint("bad", None)], vec![toleration("bad", Some(60))], Eviction::At(at(1110))),
        ] {
            assert_eq!(plan(&taints, &tolerations, at(500), at(1050), at(1100)), expected, "{taints:?} {tolerations:?}");
        }
        let late = plan(&[lost()], &[toleration("lost", Some(300))], at(1040), at(1050), at(1100));
        assert_eq!(late, Eviction::At(at(1340)), "the time of a pod that came later begins when it came");
    }

    #[test]
    fn what_is_called_off_is_told() {
        for (scheduled, eviction, want) in [
            (None, Eviction::Never, false),
            (None, Eviction::At(at(1100)), false),
            // The taint or the pod is gone, or it is tolerated for ever.
            (Some(1300), Eviction::Never, true),
            // Another taint is not tolerated at all.
            (Some(1300), Eviction::At(at(1100)), true),
            (Some(1300), Eviction::At(at(1300)), false),
            (Some(1300), Eviction::At(at(1400)), false),
            // Its time has come.
            (Some(1100), Eviction::At(at(1100)), false),
            (Some(1090), Eviction::At(at(1090)), false),
            (Some(1090), Eviction::Never, false),
        ] {
            assert_eq!(is_cancelled(scheduled.map(at), &eviction, at(1100)), want, "{scheduled:?} {eviction:?}");
        }
        let about = about(&Key::new("default", "web"));
        assert_eq!((about.name.as_deref(), about.namespace.as_deref(), about.uid), (Some("web"), Some("default"), None));
    }
}

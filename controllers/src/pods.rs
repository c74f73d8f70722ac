//! What controllers of pods have in common: how a pod is made, which one to give up first, how many are made at a time.

use std::{cmp::Ordering, collections::HashMap, future::Future, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Pod, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use mini_api::{condition, pod};
use mini_daemon::write::AT_ONCE;

/// The annotation that says how costly it is to lose a pod; the cheapest go first.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Active: neither finished nor being deleted.
pub(crate) fn is_active(pod: &Pod) -> bool {
    !pod::is_terminal(pod) && !pod::is_terminating(pod)
}

/// A pod of `template`, as the controller with the reference `owner` creates it.
pub(crate) fn from_template(template: &PodTemplateSpec, owner: OwnerReference, namespace: &str) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", owner.name)),
            namespace: Some(namespace.to_owned()),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// How long until the next of the pods that are ready will have been so for `min_ready` seconds, if one will.
pub(crate) fn next_available(pods: &[Arc<Pod>], min_ready: i32, now: Timestamp) -> Option<Duration> {
    let moments = pods.iter().filter_map(|pod| pod::available_at(pod, min_ready)).filter(|at| *at > now);
    // A little later, so that the clock's grain does not cost a second look.
    moments.min().map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default() + Duration::from_millis(1))
}

/// The pods to give up first when there are too many: upstream's order, the first criterion that differs decides.
///
/// `related` are the pods of all siblings: a pod on a node that has more of them goes before one that is alone there.
pub(crate) fn rank_for_deletion(mut pods: Vec<Arc<Pod>>, related: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
    let mut on_node: HashMap<&str, usize> = HashMap::new();
    for node in related.iter().filter(|pod| is_active(pod)).filter_map(|pod| node(pod)) {
        *on_node.entry(node).or_default() += 1;
    }
    let crowd = |pod: &Pod| node(pod).and_then(|node| on_node.get(node)).copied().unwrap_or(0);
    pods.sort_by(|a, b| {
        let ready = (pod::is_ready(a), pod::is_ready(b));
        node(a)
            .is_some()
            .cmp(&node(b).is_some())
            .then_with(|| phase_rank(a).cmp(&phase_rank(b)))
            .then_with(|| ready.0.cmp(&ready.1))
            .then_with(|| deletion_cost(a).cmp(&deletion_cost(b)))
            .then_with(|| crowd(b).cmp(&crowd(a)))
            .then_with(|| if ready == (true, true) { ready_since(b).cmp(&ready_since(a)) } else { Ordering::Equal })
            .then_with(|| restarts(b).cmp(&restarts(a)))
            .then_with(|| b.metadata.creation_timestamp.cmp(&a.metadata.creation_timestamp))
    });
    pods
}

fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
}

fn phase_rank(pod: &Pod) -> u8 {
    match pod.status.as_ref().and_then(|status| status.phase.as_deref()) {
        None | Some("Pending") => 0,
        Some("Unknown") => 1,
        _ => 2,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(DELETION_COST)).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = condition::pod(pod.status.as_ref()?, "Ready")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

fn restarts(pod: &Pod) -> i32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    statuses.into_iter().flatten().map(|status| status.restart_count).max().unwrap_or(0)
}

/// Does `count` pieces of work in batches of 1, 2, 4, …: when something is wrong with all of them, few are tried in vain.
///
/// Returns the first error. What was done before it stays done.
pub(crate) async fn in_growing_batches<E, F: Future<Output = Result<(), E>>>(count: usize, work: impl Fn(usize) -> F) -> Result<(), E> {
    let (mut next, mut batch) = (0, 1);
    while next < count {
        let end = count.min(next + batch);
        let mut results = stream::iter(next..end).map(&work).buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some(result) = results.next().await {
            failed = failed.or(result.err());
        }
        if let Some(error) = failed {
            return Err(error);
        }
        (next, batch) = (end, batch * 2);
    }
    Ok(())
}

/// Does all of `work`, some at a time, and returns the first error.
pub(crate) async fn together<E, F: Future<Output = Result<(), E>>>(work: Vec<F>) -> Result<(), E> {
    let mut results = stream::iter(work).buffer_unordered(AT_ONCE);
    let mut failed = None;
    while let Some(result) = results.next().await {
        failed = failed.or(result.err());
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::{ContainerStatus, PodCondition, PodSpec, PodStatus},
        apimachinery::pkg::apis::meta::v1::Time,
    };
    use parking_lot::Mutex;

    use super::*;

    fn pod(name: &str, node: &str, phase: &str) -> Pod {
        Pod {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            spec: Some(PodSpec { node_name: Some(node.to_owned()), ..PodSpec::default() }),
            status: Some(PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() }),
        }
    }

    fn ready(mut pod: Pod, second: i64) -> Pod {
        let condition = PodCondition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Some(Time(Timestamp::from_second(second).unwrap())),
            ..PodCondition::default()
        };
        pod.status.as_mut().unwrap().conditions = Some(vec![condition]);
        pod
    }

    fn restarted(mut pod: Pod, times: i32) -> Pod {
        let status = ContainerStatus { restart_count: times, ..ContainerStatus::default() };
        pod.status.as_mut().unwrap().container_statuses = Some(vec![status]);
        pod
    }

    #[test]
    fn the_least_useful_pods_go_first() {
        let mut cheap = ready(pod("cheap", "n1", "Running"), 100);
        cheap.metadata.annotations = Some([(DELETION_COST.to_owned(), "-5".to_owned())].into());
        let pods = [
            ready(pod("old", "n3", "Running"), 100),
            ready(pod("crowded", "n2", "Running"), 100),
            ready(pod("late", "n4", "Running"), 200),
            pod("unready", "n1", "Running"),
            restarted(ready(pod("restarted", "n5", "Running"), 100), 3),
            pod("pending", "n1", "Pending"),
            pod("unknown", "n1", "Unknown"),
            cheap,
            pod("unassigned", "", "Pending"),
        ];
        let pods: Vec<_> = pods.into_iter().map(Arc::new).collect();
        let mut related = pods.clone();
        related.push(Arc::new(pod("sibling", "n2", "Running")));
        let ranked = rank_for_deletion(pods, &related);
        let names: Vec<_> = ranked.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect();
        let expected = ["unassigned", "pending", "unknown", "unready", "cheap", "crowded", "late", "restarted", "old"];
        assert_eq!(names, expected);
    }

    #[tokio::test]
    async fn batches_grow_and_stop_at_the_first_error() {
        let tried = Mutex::new(Vec::new());
        let work = |index: usize| {
            tried.lock().push(index);
            async move { if index == 4 { Err("no") } else { Ok(()) } }
        };
        assert_eq!(in_growing_batches(100, work).await, Err("no"));
        assert_eq!(tried.lock().len(), 1 + 2 + 4, "the batch the error was in is finished, the next is not begun");
    }
}

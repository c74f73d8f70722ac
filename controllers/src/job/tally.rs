//! What the pods of a Job come to, together with what its status has counted already.
//!
//! A pod counts once: it carries a finalizer until it is counted, and while its finalizer is being taken off its UID stands in the status
//! (or its index does, which is as good). So whoever stops in between finds out what was done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::{
    batch::v1::{JobSpec, JobStatus},
    core::v1::Pod,
};
use mini_api::indexes::Indexes;

use super::{
    failure_policy::{self, Action},
    pod, verdict,
};
use crate::pods;

/// What there is.
pub(super) struct Tally {
    /// Pods that run or will.
    pub(super) active: Vec<Arc<Pod>>,
    /// How many of those are ready.
    pub(super) ready: i32,
    /// How many are on their way out.
    pub(super) going: i32,
    /// Pods that have ended since the status was written.
    pub(super) new_succeeded: Vec<Arc<Pod>>,
    pub(super) new_failed: Vec<Arc<Pod>>,
    /// All that have succeeded, and all whose failure counts.
    pub(super) succeeded: i32,
    pub(super) failed: i32,
    /// Of a Job whose pods have indexes.
    pub(super) indexed: Option<Indexed>,
}

/// What became of the indexes.
pub(super) struct Indexed {
    pub(super) succeeded: Indexes,
    /// Where indexes have limits of their own.
    pub(super) failed: Option<Indexes>,
    /// Failed pods that stay until there is another of their index: it goes on counting where they stopped.
    pub(super) awaiting: BTreeMap<i32, Arc<Pod>>,
}

impl Tally {
    pub(super) fn of(spec: &JobSpec, status: &JobStatus, pods: &[Arc<Pod>]) -> Self {
        let book = status.uncounted_terminated_pods.clone().unwrap_or_default();
        let (booked_succeeded, booked_failed) = (book.succeeded.unwrap_or_default(), book.failed.unwrap_or_default());
        let active: Vec<_> = pods.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
        let new = |booked: &[String], has_ended: &dyn Fn(&Pod) -> bool| -> Vec<Arc<Pod>> {
            let booked: BTreeSet<&str> = booked.iter().map(String::as_str).collect();
            let is_booked = |pod: &Pod| pod.metadata.uid.as_deref().is_some_and(|uid| booked.contains(uid));
            let countable = pods.iter().filter(|pod| pod::is_tracked(pod) && pod::has_place(pod, spec) && !is_booked(pod));
            countable.filter(|pod| has_ended(pod)).cloned().collect()
        };
        let new_succeeded = new(&booked_succeeded, &|pod| pod::has_succeeded(pod));
        let new_failed = new(&booked_failed, &|pod| pod::has_failed(pod, spec));
        let indexed = pod::is_indexed(spec).then(|| Indexed::of(spec, status, pods, &active));
        let all = |counted: Option<i32>, booked: usize, new: usize| counted.unwrap_or(0) + number(booked) + number(new);
        let counting = new_failed.iter().filter(|pod| failure_policy::counts(spec, pod)).count();
        Self {
            ready: number(active.iter().filter(|pod| mini_api::pod::is_ready(pod)).count()),
            going: number(pods.iter().filter(|pod| pod::is_going(pod)).count()),
            succeeded: match &indexed {
                Some(indexed) => indexed.succeeded.count(),
                None => all(status.succeeded, booked_succeeded.len(), new_succeeded.len()),
            },
            failed: all(status.failed, booked_failed.len(), counting),
            active,
            new_succeeded,
            new_failed,
            indexed,
        }
    }
}

impl Indexed {
    fn of(spec: &JobSpec, status: &JobStatus, pods: &[Arc<Pod>], active: &[Arc<Pod>]) -> Self {
        let completions = spec.completions.unwrap_or(0);
        let countable = || pods.iter().filter(|pod| pod::is_tracked(pod) && pod::has_place(pod, spec));
        // When it has been said how the Job ends, what becomes of the rest no longer counts.
        let is_over = verdict::told(status).is_some();
        let now = |has: &dyn Fn(&Pod) -> bool| {
            countable().filter(|pod| !is_over && has(pod)).filter_map(|pod| pod::index(pod)).collect::<Indexes>()
        };
        let before = |text: &Option<String>| Indexes::below(text.as_deref().unwrap_or_default(), completions);
        let succeeded = before(&status.completed_indexes).union(&now(&|pod| pod::has_succeeded(pod)));
        let Some(limit) = spec.backoff_limit_per_index else {
            return Self { succeeded, failed: None, awaiting: BTreeMap::new() };
        };
        let failed = before(&status.failed_indexes).union(&now(&|pod| has_index_failed(pod, spec, limit)));
        let active: Indexes = active.iter().filter_map(|pod| pod::index(pod)).collect();
        let mut awaiting: BTreeMap<i32, Arc<Pod>> = BTreeMap::new();
        for pod in countable().filter(|pod| pod::has_failed(pod, spec)) {
            let Some(index) = pod::index(pod).filter(|index| ![&succeeded, &failed, &active].iter().any(|set| set.has(*index))) else {
                continue;
            };
            let rank = |pod: &Pod| (pod::all_failures(pod), pod::ended_at(pod));
            if awaiting.get(&index).is_none_or(|other| rank(other) <= rank(pod)) {
                awaiting.insert(index, pod.clone());
            }
        }
        Self { succeeded, failed: Some(failed), awaiting }
    }
}

/// Whether with this pod its whole index has failed.
fn has_index_failed(pod: &Pod, spec: &JobSpec, limit: i32) -> bool {
    pod::has_failed(pod, spec)
        && match failure_policy::judge(spec, pod) {
            Action::FailIndex => true,
            Action::Ignore => false,
            Action::Count | Action::FailJob(_) => pod::failures(pod) >= limit,
        }
}

/// How many there are, as statuses say it.
pub(super) fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

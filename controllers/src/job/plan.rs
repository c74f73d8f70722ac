//! What to do for one Job, decided from the Job and its pods alone.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec, JobStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::indexes::Indexes;

use super::{
    backoff::{self, Backoff},
    failure_policy, pod,
    tally::{Tally, number},
    verdict::{self, Verdict, ensure, verdict},
};
use crate::pods;

/// Pods made or deleted in one run; then the status is written and the next run begins.
const BURST: usize = 500;
/// Pods that are taken into the status in one run: their UIDs must fit there.
const MOST_UNCOUNTED: usize = 500;

/// What is to be done, in this order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Pods to be made.
    pub(super) create: Vec<Pod>,
    /// Pods that are too many. They are no failures: their finalizers go first.
    pub(super) surplus: Vec<Arc<Pod>>,
    /// The new status, as it is when all of the above is done.
    pub(super) status: JobStatus,
    /// What is to be said once the status says it.
    pub(super) remarks: Vec<Remark>,
    /// Pods of a Job that has come to its end, which are deleted and then counted.
    pub(super) doomed: Vec<Arc<Pod>>,
    /// Pods whose finalizers may go, for the status has them.
    pub(super) release: Vec<Arc<Pod>>,
    /// What is to be remembered once the status is written.
    pub(super) backoff: Backoff,
    /// When to look again even if nothing changes.
    pub(super) next: Vec<Duration>,
}

impl Plan {
    /// Corrects the status when so many pods could not be made, and so many not be given up.
    pub(super) fn correct(&mut self, missing: i32, too_many: i32) {
        self.status.active = some(self.status.active.unwrap_or(0) - missing + too_many);
        self.status.terminating = self.status.terminating.map(|going| going - too_many);
    }
}

/// An Event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) is_warning: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Remark {
    fn normal(reason: &str, message: &str) -> Self {
        Self { is_warning: false, reason: reason.to_owned(), message: message.to_owned() }
    }

    fn warning(reason: &str, message: &str) -> Self {
        Self { is_warning: true, ..Self::normal(reason, message) }
    }
}

/// Decides the next step of a Job that has not ended. `memory` is what was remembered of its failures.
pub(super) fn plan(job: &Job, pods: &[Arc<Pod>], memory: Option<&Backoff>, now: Timestamp) -> Plan {
    let spec = &job.spec.clone().unwrap_or_default();
    let mut status = job.status.clone().unwrap_or_default();
    status.uncounted_terminated_pods.get_or_insert_default();
    if status.start_time.is_none() && !is_suspended(spec) {
        status.start_time = Some(Time(now));
    }
    let tally = Tally::of(spec, &status, pods);
    let backoff = match memory {
        Some(memory) => memory.after(&tally.new_succeeded, &tally.new_failed),
        None => Backoff::recall(spec, pods),
    };
    let verdict = verdict(spec, &status, &tally, pods, now);
    let plan = Plan { status, backoff, ..Plan::default() };
    let mut step = Step { job, spec, pods, tally, verdict, now, plan };
    step.take();
    step.plan
}

fn is_suspended(spec: &JobSpec) -> bool {
    spec.suspend == Some(true)
}

/// A plan in the making.
struct Step<'a> {
    job: &'a Job,
    spec: &'a JobSpec,
    pods: &'a [Arc<Pod>],
    tally: Tally,
    verdict: Option<Verdict>,
    now: Timestamp,
    plan: Plan,
}

impl Step<'_> {
    fn take(&mut self) {
        let is_deleted = self.job.metadata.deletion_timestamp.is_some();
        if self.verdict.is_some() {
            self.plan.doomed.clone_from(&self.tally.active);
        } else {
            if !is_deleted {
                self.manage();
            }
            if self.is_complete() {
                self.verdict = Some(Verdict::complete());
            } else if !is_deleted {
                self.note_suspension();
            }
        }
        if self.verdict.is_none() {
            self.plan.next.extend(verdict::deadline_in(self.spec, &self.plan.status, self.now));
        }
        self.count();
        self.conclude();
    }

    /// Active pods as there will be when the plan is carried out.
    fn active(&self) -> i32 {
        let leaving = self.plan.surplus.len() + self.plan.doomed.len();
        number(self.tally.active.len()) - number(leaving) + number(self.plan.create.len())
    }

    /// Without a number of completions the first success is the last, but what runs may end.
    fn is_complete(&self) -> bool {
        let enough = match self.spec.completions {
            Some(completions) => self.tally.succeeded >= completions,
            None => self.tally.succeeded > 0,
        };
        enough && self.active() == 0
    }

    /// Sees to it that the right number of pods runs. What is too much goes before anything new comes.
    fn manage(&mut self) {
        let active = self.tally.active.len();
        if is_suspended(self.spec) {
            self.plan.surplus = self.surplus(active);
            return;
        }
        let wanted = self.wanted();
        self.plan.surplus = self.surplus(active.saturating_sub(wanted));
        self.plan.surplus.truncate(BURST);
        if !self.plan.surplus.is_empty() {
            return;
        }
        let going = if pod::replaces_failed_only(self.spec) { usize::try_from(self.tally.going).unwrap_or(0) } else { 0 };
        let missing = wanted.saturating_sub(active + going).min(BURST);
        if missing == 0 {
            return;
        }
        let wait = if self.spec.backoff_limit_per_index.is_some() { Duration::ZERO } else { self.plan.backoff.left(self.now) };
        if !wait.is_zero() {
            return self.plan.next.push(wait);
        }
        self.create(missing);
    }

    /// How many pods should run.
    fn wanted(&self) -> usize {
        let parallelism = self.spec.parallelism.unwrap_or(1);
        let wanted = match self.spec.completions {
            Some(completions) => (completions - self.tally.succeeded).min(parallelism),
            None if self.tally.succeeded > 0 => return self.tally.active.len(),
            None => parallelism,
        };
        usize::try_from(wanted).unwrap_or(0)
    }

    /// The pods to give up: all whose index is none or another's, and of the others the least useful until they are so many.
    fn surplus(&self, at_least: usize) -> Vec<Arc<Pod>> {
        let (mut surplus, mut left) = (Vec::new(), pods::rank_for_deletion(self.tally.active.clone(), &[]));
        if pod::is_indexed(self.spec) {
            // The last of each index is the most useful.
            let mut taken = BTreeSet::new();
            let is_kept = |pod: &Arc<Pod>| pod::has_place(pod, self.spec) && taken.insert(pod::index(pod));
            let (mut kept, rest): (Vec<_>, Vec<_>) = left.into_iter().rev().partition(is_kept);
            kept.reverse();
            (surplus, left) = (rest, kept);
        }
        let more = at_least.saturating_sub(surplus.len());
        surplus.extend(left.into_iter().take(more));
        surplus
    }

    fn create(&mut self, missing: usize) {
        let Some(indexed) = &self.tally.indexed else {
            self.plan.create = (0..missing).map(|_| pod::create(self.job, self.spec, None, None)).collect();
            return;
        };
        let completions = self.spec.completions.unwrap_or(0);
        for index in self.taken().missing(completions).take(missing) {
            let before = indexed.awaiting.get(&index);
            let wait = before.map_or(Duration::ZERO, |pod| {
                let failures = u32::try_from(pod::all_failures(pod)).unwrap_or(0).saturating_add(1);
                backoff::left(failures, pod::ended_at(pod), self.now)
            });
            if wait.is_zero() {
                self.plan.create.push(pod::create(self.job, self.spec, Some(index), before.map(|pod| &**pod)));
            } else {
                self.plan.next.push(wait);
            }
        }
    }

    /// The indexes that need no pod now.
    fn taken(&self) -> Indexes {
        let Some(indexed) = &self.tally.indexed else { return Indexes::default() };
        let wait_for_end = pod::replaces_failed_only(self.spec);
        let holds = |pod: &Arc<Pod>| pods::is_active(pod) || (wait_for_end && pod::is_going(pod));
        let running: Indexes = self.pods.iter().filter(|pod| holds(pod)).filter_map(|pod| pod::index(pod)).collect();
        let taken = indexed.succeeded.union(&running);
        indexed.failed.as_ref().map_or_else(|| taken.clone(), |failed| taken.union(failed))
    }

    fn note_suspension(&mut self) {
        let (status, now) = (&mut self.plan.status, self.now);
        if is_suspended(self.spec) {
            if ensure(&mut status.conditions, "Suspended", true, "JobSuspended", "Job suspended", now) {
                // What counts against the deadline begins anew.
                status.start_time = None;
                self.plan.remarks.push(Remark::normal("Suspended", "Job suspended"));
            }
        } else if ensure(&mut status.conditions, "Suspended", false, "JobResumed", "Job resumed", now) {
            status.start_time = Some(Time(now));
            self.plan.remarks.push(Remark::normal("Resumed", "Job resumed"));
        }
    }

    /// Takes pods that have ended into the status, and out of it those whose finalizers are gone: these have been counted.
    fn count(&mut self) {
        self.plan.release = self.released();
        let status = &mut self.plan.status;
        let uid = |pod: &Arc<Pod>| pod.metadata.uid.clone().unwrap_or_default();
        let tracked: BTreeSet<String> = self.pods.iter().filter(|pod| pod::is_tracked(pod)).map(uid).collect();
        let book = status.uncounted_terminated_pods.get_or_insert_default();
        let (mut succeeded, mut failed) = (book.succeeded.take().unwrap_or_default(), book.failed.take().unwrap_or_default());
        let settle = |uids: &mut Vec<String>, count: &mut Option<i32>| {
            let before = uids.len();
            uids.retain(|uid| tracked.contains(uid));
            *count = some(count.unwrap_or(0) + number(before - uids.len()));
        };
        settle(&mut succeeded, &mut status.succeeded);
        settle(&mut failed, &mut status.failed);

        let known: BTreeSet<String> = succeeded.iter().chain(&failed).cloned().collect();
        let (failing, has_succeeded) = match &self.verdict {
            Some(verdict) => (!verdict.success, verdict.success && verdict.is_told),
            None => (false, false),
        };
        // Of a Job that fails all that still runs has failed; of one that has succeeded nothing more fails.
        let doomed = self.plan.doomed.iter().filter(|pod| failing && pod::is_tracked(pod));
        let ended = self.plan.release.iter().chain(doomed).take(MOST_UNCOUNTED);
        for pod in ended.filter(|pod| !known.contains(&uid(pod))) {
            if pod::has_succeeded(pod) {
                // The index says as much as the UID would.
                succeeded.extend(self.tally.indexed.is_none().then(|| uid(pod)));
            } else if !has_succeeded && (failing || pod::has_failed(pod, self.spec)) && pod::has_place(pod, self.spec) {
                failed.extend(failure_policy::counts(self.spec, pod).then(|| uid(pod)));
            }
        }
        book.succeeded = Some(succeeded).filter(|uids| !uids.is_empty());
        book.failed = Some(failed).filter(|uids| !uids.is_empty());
    }

    /// The pods whose finalizers may go once the status is written.
    fn released(&self) -> Vec<Arc<Pod>> {
        // What is deleted in this run is looked at again when it is seen to be on its way out.
        let leaving: HashSet<*const Pod> = self.plan.surplus.iter().chain(&self.plan.doomed).map(Arc::as_ptr).collect();
        let awaiting = self.tally.indexed.iter().flat_map(|indexed| indexed.awaiting.values());
        let awaiting: HashSet<*const Pod> = awaiting.map(Arc::as_ptr).collect();
        let is_over = self.job.metadata.deletion_timestamp.is_some() || self.verdict.is_some();
        let may_go = |pod: &Arc<Pod>| {
            let failed = || pod::has_failed(pod, self.spec) && !awaiting.contains(&Arc::as_ptr(pod));
            is_over || pod::has_succeeded(pod) || failed()
        };
        let tracked = self.pods.iter().filter(|pod| pod::is_tracked(pod) && !leaving.contains(&Arc::as_ptr(pod)));
        tracked.filter(|pod| may_go(pod)).take(MOST_UNCOUNTED).cloned().collect()
    }

    /// Puts together the status.
    fn conclude(&mut self) {
        let (active, leaving) = (self.active(), || self.plan.surplus.iter().chain(&self.plan.doomed));
        let ready = self.tally.ready - number(leaving().filter(|pod| mini_api::pod::is_ready(pod)).count());
        let going = self.tally.going + number(leaving().count());
        let is_settled = {
            let book = self.plan.status.uncounted_terminated_pods.clone().unwrap_or_default();
            book.succeeded.is_none() && book.failed.is_none() && self.plan.release.is_empty() && going == 0
        };
        let status = &mut self.plan.status;
        status.active = some(active);
        status.ready = Some(ready);
        status.terminating = Some(going);
        if let Some(indexed) = &self.tally.indexed {
            status.succeeded = some(indexed.succeeded.count());
            status.completed_indexes = Some(indexed.succeeded.to_string()).filter(|text| !text.is_empty());
            status.failed_indexes = indexed.failed.as_ref().map(ToString::to_string);
        }
        let Some(verdict) = &self.verdict else { return };
        verdict.announce(status, self.now);
        // Only what all can know is final: that the Job has ended is said when it has been said how it will.
        if !verdict.is_told || !is_settled {
            return;
        }
        if status.start_time.is_none() && self.spec.completions != Some(0) {
            // It ended while it was suspended. What has ended has begun.
            status.start_time = Some(Time(self.now));
        }
        verdict.finish(status, self.now);
        if !verdict.success {
            return self.plan.remarks.push(Remark::warning(&verdict.reason, &verdict.message));
        }
        if self.spec.completions.is_some_and(|completions| status.succeeded.unwrap_or(0) > completions) {
            let message = "Too many succeeded pods running after completion count reached";
            self.plan.remarks.push(Remark::warning("TooManySucceededPods", message));
        }
        self.plan.remarks.push(Remark::normal("Completed", "Job completed"));
    }
}

/// A count as upstream writes it: none for zero.
fn some(count: i32) -> Option<i32> {
    Some(count).filter(|count| *count != 0)
}

#[cfg(test)]
mod tests;

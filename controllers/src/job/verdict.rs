//! Whether a Job has ended, and how: first it is said how it will end, and when nothing of it is left, that it has.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobCondition, JobSpec, JobStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::{condition, indexes::Indexes, pod as pod_state};

use super::{
    failure_policy::{self, Action},
    pod,
    tally::Tally,
};

const COMPLETE: &str = "Complete";
const FAILED: &str = "Failed";
const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";
const FAILURE_TARGET: &str = "FailureTarget";

/// How a Job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) success: bool,
    pub(super) reason: String,
    pub(super) message: String,
    /// Whether the stored status says so already.
    pub(super) is_told: bool,
}

impl Verdict {
    fn failure(reason: &str, message: impl Into<String>) -> Self {
        Self { success: false, reason: reason.to_owned(), message: message.into(), is_told: false }
    }

    fn success(reason: &str, message: impl Into<String>) -> Self {
        Self { success: true, ..Self::failure(reason, message) }
    }

    /// All the pods that were wanted have succeeded.
    pub(super) fn complete() -> Self {
        Self::success("CompletionsReached", "Reached expected number of succeeded pods")
    }

    /// The condition that says how the Job will end.
    fn target(&self) -> &'static str {
        if self.success { SUCCESS_CRITERIA_MET } else { FAILURE_TARGET }
    }

    /// Says how the Job will end.
    pub(super) fn announce(&self, status: &mut JobStatus, now: Timestamp) {
        ensure(&mut status.conditions, self.target(), true, &self.reason, &self.message, now);
    }

    /// Says that the Job has ended.
    pub(super) fn finish(&self, status: &mut JobStatus, now: Timestamp) {
        let kind = if self.success { COMPLETE } else { FAILED };
        ensure(&mut status.conditions, kind, true, &self.reason, &self.message, now);
        status.completion_time = self.success.then_some(Time(now));
    }
}

/// When the Job ended, and whether well, if it did.
pub(crate) fn finished(job: &Job) -> Option<(bool, Option<Timestamp>)> {
    let conditions = &job.status.as_ref()?.conditions;
    let ended = [COMPLETE, FAILED].map(|kind| condition::find(conditions, kind).filter(|condition| condition.status == condition::TRUE));
    let at = |condition: &JobCondition| condition.last_transition_time.as_ref().map(|time| time.0);
    match ended {
        [Some(complete), _] => Some((true, at(complete))),
        [None, Some(failed)] => Some((false, at(failed))),
        [None, None] => None,
    }
}

/// How the Job ends, if it is time that it does, all its wanted pods having succeeded aside.
pub(super) fn verdict(spec: &JobSpec, status: &JobStatus, tally: &Tally, pods: &[Arc<Pod>], now: Timestamp) -> Option<Verdict> {
    told(status)
        .or_else(|| by_failure_policy(spec, pods))
        .or_else(|| by_limits(spec, status, tally, pods, now))
        .or_else(|| by_indexes(spec, tally))
        .or_else(|| by_success_policy(spec, tally))
}

/// What was said of how the Job ends: it stays true.
pub(super) fn told(status: &JobStatus) -> Option<Verdict> {
    let is_true = |kind| condition::find(&status.conditions, kind).filter(|condition| condition.status == condition::TRUE);
    let condition = is_true(SUCCESS_CRITERIA_MET).or_else(|| is_true(FAILURE_TARGET))?;
    Some(Verdict {
        success: condition.type_ == SUCCESS_CRITERIA_MET,
        reason: condition.reason.clone().unwrap_or_default(),
        message: condition.message.clone().unwrap_or_default(),
        is_told: true,
    })
}

fn by_failure_policy(spec: &JobSpec, pods: &[Arc<Pod>]) -> Option<Verdict> {
    let failed = pods.iter().filter(|pod| pod::has_failed(pod, spec));
    failed.map(|pod| failure_policy::judge(spec, pod)).find_map(|action| match action {
        Action::FailJob(message) => Some(Verdict::failure("PodFailurePolicy", message)),
        _ => None,
    })
}

fn by_limits(spec: &JobSpec, status: &JobStatus, tally: &Tally, pods: &[Arc<Pod>], now: Timestamp) -> Option<Verdict> {
    let limit = spec.backoff_limit.unwrap_or(6);
    if tally.failed > limit || has_restarted_too_often(spec, limit, pods) {
        return Some(Verdict::failure("BackoffLimitExceeded", "Job has reached the specified backoff limit"));
    }
    let is_late = deadline(spec, status, now).is_some_and(|left| left <= SignedDuration::ZERO);
    is_late.then(|| Verdict::failure("DeadlineExceeded", "Job was active longer than specified deadline"))
}

/// Where containers are started again in their pods, it is the starts that count.
fn has_restarted_too_often(spec: &JobSpec, limit: i32, pods: &[Arc<Pod>]) -> bool {
    if spec.template.spec.as_ref().and_then(|pod| pod.restart_policy.as_deref()) != Some("OnFailure") {
        return false;
    }
    let alive = pods.iter().filter(|pod| matches!(pod_state::phase(pod), pod_state::RUNNING | pod_state::PENDING));
    let statuses = alive.filter_map(|pod| pod.status.as_ref());
    let containers = statuses.flat_map(|status| [&status.init_container_statuses, &status.container_statuses]).flatten().flatten();
    let restarts: i32 = containers.map(|container| container.restart_count).sum();
    restarts >= limit.max(1)
}

/// The time until the Job has been active too long. While it is suspended it is not.
fn deadline(spec: &JobSpec, status: &JobStatus, now: Timestamp) -> Option<SignedDuration> {
    let start = status.start_time.as_ref().filter(|_| spec.suspend != Some(true))?;
    Some(SignedDuration::from_secs(spec.active_deadline_seconds?) - now.duration_since(start.0))
}

/// When to look whether the Job has been active too long.
pub(super) fn deadline_in(spec: &JobSpec, status: &JobStatus, now: Timestamp) -> Option<Duration> {
    deadline(spec, status, now).and_then(|left| Duration::try_from(left).ok())
}

fn by_indexes(spec: &JobSpec, tally: &Tally) -> Option<Verdict> {
    let indexed = tally.indexed.as_ref()?;
    let failed = indexed.failed.as_ref()?.count();
    if spec.max_failed_indexes.is_some_and(|most| failed > most) {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        return Some(Verdict::failure("MaxFailedIndexesExceeded", message));
    }
    let all_ended = failed > 0 && failed + indexed.succeeded.count() >= spec.completions.unwrap_or(0);
    all_ended.then(|| Verdict::failure("FailedIndexes", "Job has failed indexes"))
}

fn by_success_policy(spec: &JobSpec, tally: &Tally) -> Option<Verdict> {
    let succeeded = &tally.indexed.as_ref()?.succeeded;
    if succeeded.is_empty() {
        return None;
    }
    let rules = &spec.success_policy.as_ref()?.rules;
    let at = rules.iter().position(|rule| match (&rule.succeeded_indexes, rule.succeeded_count) {
        (Some(required), count) => {
            let required = Indexes::below(required, spec.completions.unwrap_or(0));
            let have = required.common(succeeded).count();
            !required.is_empty() && (have == required.count() || count.is_some_and(|count| have >= count))
        }
        (None, Some(count)) => succeeded.count() >= count,
        (None, None) => false,
    })?;
    Some(Verdict::success("SuccessPolicy", format!("Matched rules at index {at}")))
}

/// Sets a condition as upstream does: what was never true is not said to be false. Says whether anything changed.
pub(super) fn ensure(
    conditions: &mut Option<Vec<JobCondition>>,
    kind: &str,
    holds: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let status = if holds { condition::TRUE } else { condition::FALSE };
    let old = condition::find(conditions, kind);
    let same = |old: &JobCondition| {
        old.status == status && old.reason.as_deref() == Some(reason) && old.message.as_deref() == Some(message)
    };
    if old.map_or(!holds, same) {
        return false;
    }
    let new = JobCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    };
    let all = conditions.get_or_insert_default();
    match all.iter_mut().find(|old| old.type_ == kind) {
        Some(old) => *old = new,
        None => all.push(new),
    }
    true
}

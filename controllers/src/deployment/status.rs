//! The status of a Deployment: counts, and the conditions Available, Progressing and ReplicaFailure with upstream's reasons.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSetStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::condition::{self, FALSE, TRUE, UNKNOWN};

use super::rollout::{Draft, Limits};

pub(super) const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";
const REPLICA_FAILURE: &str = "ReplicaFailure";
pub(super) const REPLICA_SET_CREATE_ERROR: &str = "ReplicaSetCreateError";
const NEW_AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
/// Upstream's way to say that there is no deadline: the largest number a deadline could be.
const NO_DEADLINE: i32 = i32::MAX;

/// Sets a condition as upstream does: equal status and reason change nothing, not even the message; a change goes to the end.
pub(super) fn set_condition(
    conditions: &mut Option<Vec<DeploymentCondition>>,
    kind: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) {
    let old = condition::find(conditions, kind);
    if old.is_some_and(|old| old.status == status && old.reason.as_deref() == Some(reason)) {
        return;
    }
    let unchanged = old.filter(|old| old.status == status).and_then(|old| old.last_transition_time.clone());
    let new = DeploymentCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: Some(unchanged.unwrap_or(Time(now))),
        last_update_time: Some(Time(now)),
    };
    condition::remove(conditions, kind);
    conditions.get_or_insert_default().push(new);
}

/// The time within which a rollout must move, if there is a limit.
pub(super) fn deadline(deployment: &Deployment) -> Option<SignedDuration> {
    let seconds = deployment.spec.as_ref()?.progress_deadline_seconds.filter(|seconds| *seconds != NO_DEADLINE)?;
    Some(SignedDuration::from_secs(seconds.into()))
}

/// Notes that the rollout was paused or resumed, so that the time it stood still does not count.
pub(super) fn note_pause(deployment: &mut Deployment, now: Timestamp) {
    if deadline(deployment).is_none() {
        return;
    }
    let paused = deployment.spec.as_ref().and_then(|spec| spec.paused).unwrap_or(false);
    let conditions = &mut deployment.status.get_or_insert_default().conditions;
    let reason = condition::find(conditions, PROGRESSING).and_then(|progressing| progressing.reason.clone());
    match (paused, reason.as_deref()) {
        (_, Some(TIMED_OUT)) => {}
        (true, reason) if reason != Some(PAUSED) => {
            set_condition(conditions, PROGRESSING, UNKNOWN, PAUSED, "Deployment is paused".to_owned(), now);
        }
        (false, Some(PAUSED)) => {
            set_condition(conditions, PROGRESSING, UNKNOWN, "DeploymentResumed", "Deployment is resumed".to_owned(), now);
        }
        _ => {}
    }
}

/// Notes that the new ReplicaSet is being created, or that one of this template was there already.
pub(super) fn note_new(deployment: &mut Deployment, name: &str, created: bool, now: Timestamp) {
    if deadline(deployment).is_none() {
        return;
    }
    let conditions = &mut deployment.status.get_or_insert_default().conditions;
    if created {
        let message = format!("Created new replica set {name:?}");
        set_condition(conditions, PROGRESSING, TRUE, "NewReplicaSetCreated", message, now);
    } else if condition::find(conditions, PROGRESSING).is_none() {
        let message = format!("Found new replica set {name:?}");
        set_condition(conditions, PROGRESSING, TRUE, "FoundNewReplicaSet", message, now);
    }
}

/// Notes that the new ReplicaSet could not be created.
pub(super) fn note_failure(deployment: &mut Deployment, message: String, now: Timestamp) {
    if deadline(deployment).is_some() {
        let conditions = &mut deployment.status.get_or_insert_default().conditions;
        set_condition(conditions, PROGRESSING, FALSE, REPLICA_SET_CREATE_ERROR, message, now);
    }
}

/// How many pods are on their way out; unknown when a ReplicaSet that was seen to does not tell.
fn terminating(statuses: &[&ReplicaSetStatus]) -> Option<i32> {
    let of = |status: &&ReplicaSetStatus| status.terminating_replicas.or_else(|| status.observed_generation.is_none().then_some(0));
    statuses.iter().map(of).sum()
}

/// The counts and the condition Available.
pub(super) fn calculate(deployment: &Deployment, new: Option<&Draft>, old: &[Draft], limits: &Limits, now: Timestamp) -> DeploymentStatus {
    let none = ReplicaSetStatus::default();
    let statuses: Vec<_> = old.iter().chain(new).map(|draft| draft.set.status.as_ref().unwrap_or(&none)).collect();
    let sum = |count: fn(&ReplicaSetStatus) -> i32| statuses.iter().map(|status| count(status)).sum::<i32>();
    let some = |count: i32| Some(count).filter(|count| *count != 0);

    let available = sum(|status| status.available_replicas.unwrap_or(0));
    let asked: i32 = old.iter().chain(new).map(Draft::size).sum();
    let before = deployment.status.clone().unwrap_or_default();
    let mut status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: some(sum(|status| status.replicas)),
        updated_replicas: some(new.and_then(|new| new.set.status.as_ref()).map_or(0, |status| status.replicas)),
        ready_replicas: some(sum(|status| status.ready_replicas.unwrap_or(0))),
        available_replicas: some(available),
        unavailable_replicas: some((asked - available).max(0)),
        terminating_replicas: terminating(&statuses),
        collision_count: before.collision_count,
        conditions: before.conditions,
    };
    let (value, reason, message) = if available >= limits.least_available() {
        (TRUE, "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        (FALSE, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    set_condition(&mut status.conditions, AVAILABLE, value, reason, message.to_owned(), now);
    status
}

/// Adds to a calculated status how the rollout goes: the conditions Progressing and ReplicaFailure.
pub(super) fn judge_progress(deployment: &Deployment, status: &mut DeploymentStatus, new: Option<&Draft>, old: &[Draft], now: Timestamp) {
    let before = deployment.status.clone().unwrap_or_default();
    let current = condition::find(&before.conditions, PROGRESSING).cloned();
    let reason = current.as_ref().and_then(|current| current.reason.as_deref());
    let settled = status.replicas == status.updated_replicas && reason == Some(NEW_AVAILABLE);
    let subject = match new.and_then(|new| new.set.metadata.name.as_deref()) {
        Some(name) => format!("ReplicaSet {name:?}"),
        None => format!("Deployment {:?}", deployment.metadata.name.as_deref().unwrap_or_default()),
    };
    match deadline(deployment) {
        None => {
            condition::remove(&mut status.conditions, PROGRESSING);
        }
        Some(_) if settled => {}
        Some(deadline) => {
            let conditions = &mut status.conditions.clone();
            if is_complete(deployment, status) {
                let message = format!("{subject} has successfully progressed.");
                set_condition(conditions, PROGRESSING, TRUE, NEW_AVAILABLE, message, now);
            } else if moved(&before, status) {
                // Taken out first: every step restarts the clock of the deadline, though neither status nor reason changes.
                condition::remove(conditions, PROGRESSING);
                set_condition(conditions, PROGRESSING, TRUE, "ReplicaSetUpdated", format!("{subject} is progressing."), now);
                let since = current.filter(|current| current.status == TRUE).and_then(|current| current.last_transition_time);
                if let (Some(since), Some(new)) = (since, conditions.as_mut().and_then(|all| all.last_mut())) {
                    new.last_transition_time = Some(since);
                }
            } else if left(conditions, deadline, now).is_some_and(|left| left.is_negative()) {
                let message = format!("{subject} has timed out progressing.");
                set_condition(conditions, PROGRESSING, FALSE, TIMED_OUT, message, now);
            }
            status.conditions.clone_from(conditions);
        }
    }
    let failure = |draft: &Draft| condition::find(&draft.set.status.as_ref()?.conditions, REPLICA_FAILURE).cloned();
    match new.into_iter().chain(old).find_map(failure) {
        Some(failure) => {
            let (reason, message) = (failure.reason.unwrap_or_default(), failure.message.unwrap_or_default());
            let since = failure.last_transition_time.map_or(now, |time| time.0);
            set_condition(&mut status.conditions, REPLICA_FAILURE, &failure.status, &reason, message, since);
        }
        None => {
            condition::remove(&mut status.conditions, REPLICA_FAILURE);
        }
    }
}

/// All pods are of the new template and available, and the API knows.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let desired = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    [status.updated_replicas, status.replicas, status.available_replicas].iter().all(|count| count.unwrap_or(0) == desired)
        && status.observed_generation >= deployment.metadata.generation
}

/// Whether anything is better than before: more new, ready or available pods, or fewer old ones.
fn moved(before: &DeploymentStatus, now: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let old = |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(now.updated_replicas) > count(before.updated_replicas)
        || old(now) < old(before)
        || count(now.ready_replicas) > count(before.ready_replicas)
        || count(now.available_replicas) > count(before.available_replicas)
}

/// The time until the rollout has stood still too long; nothing when it is done or already too late.
fn left(conditions: &Option<Vec<DeploymentCondition>>, deadline: SignedDuration, now: Timestamp) -> Option<SignedDuration> {
    let progressing = condition::find(conditions, PROGRESSING)?;
    if matches!(progressing.reason.as_deref(), Some(NEW_AVAILABLE | TIMED_OUT)) {
        return None;
    }
    Some(deadline - now.duration_since(progressing.last_update_time.as_ref()?.0))
}

/// When to look whether the deadline has passed.
pub(super) fn next_look(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> Option<Duration> {
    let left = left(&status.conditions, deadline(deployment)?, now)?;
    Some(Duration::try_from(left).unwrap_or_default() + Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DeploymentSpec;

    use super::*;

    #[test]
    fn a_failure_to_create_is_told_only_where_progress_is_judged() {
        let now = Timestamp::from_second(5).unwrap();
        for (deadline, told) in [(Some(600), true), (Some(NO_DEADLINE), false), (None, false)] {
            let spec = DeploymentSpec { progress_deadline_seconds: deadline, ..DeploymentSpec::default() };
            let mut deployment = Deployment { spec: Some(spec), ..Deployment::default() };
            note_failure(&mut deployment, "forbidden".to_owned(), now);
            let conditions = deployment.status.unwrap_or_default().conditions;
            let said = condition::find(&conditions, PROGRESSING).map(|said| (said.status.as_str(), said.reason.as_deref()));
            assert_eq!(said, told.then_some((FALSE, Some(REPLICA_SET_CREATE_ERROR))));
        }
    }

    #[test]
    fn a_condition_changes_with_its_status_or_reason_alone() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut conditions = None;
        let mut set = |status: &str, reason: &str, message: &str, second| {
            set_condition(&mut conditions, "X", status, reason, message.to_owned(), at(second));
            let found = condition::find(&conditions, "X").unwrap().clone();
            let seconds = |time: Option<Time>| time.map_or(0, |time| time.0.as_second());
            (found.message.unwrap(), seconds(found.last_transition_time), seconds(found.last_update_time))
        };
        assert_eq!(set(TRUE, "A", "one", 1), ("one".to_owned(), 1, 1));
        assert_eq!(set(TRUE, "A", "two", 2), ("one".to_owned(), 1, 1), "a new message alone is no news");
        assert_eq!(set(TRUE, "B", "three", 3), ("three".to_owned(), 1, 3));
        assert_eq!(set(FALSE, "B", "four", 4), ("four".to_owned(), 4, 4));
    }
}

//! What is wrong with a change of a Job's status: the book must add up, what is final stays, and what has ended stays ended.
//!
//! What was wrong before may stay wrong: most is asked only of what has changed.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use mini_api::indexes::Indexes;

use super::{
    super::{
        count::none_negative,
        field::{Errors, Path},
        unset::{flag, list, text},
    },
    has, is_indexed,
};

/// Both sides of a change, and where it is.
struct Change<'a> {
    spec: &'a JobSpec,
    new: &'a JobStatus,
    old: &'a JobStatus,
    path: Path<'a>,
}

impl Change<'_> {
    /// Whether a condition is true on one side only.
    fn turned(&self, condition: &str) -> bool {
        has(self.new, condition) != has(self.old, condition)
    }

    fn is_finished(status: &JobStatus) -> bool {
        has(status, "Complete") || has(status, "Failed")
    }

    fn refuse(&self, field: &str, detail: &str, errors: &mut Errors) {
        errors.invalid_as_a_whole(&self.path.child(field), detail);
    }
}

pub(super) fn validate(new: &Job, old: &Job, errors: &mut Errors) {
    let (no_spec, no_status) = (JobSpec::default(), JobStatus::default());
    let change = Change {
        spec: new.spec.as_ref().unwrap_or(&no_spec),
        new: new.status.as_ref().unwrap_or(&no_status),
        old: old.status.as_ref().unwrap_or(&no_status),
        path: Path::new("status"),
    };
    let status = change.new;
    let counts = [
        ("active", status.active),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("ready", status.ready),
        ("terminating", status.terminating),
    ];
    none_negative(&counts, &change.path, errors);
    uncounted(&change, errors);
    completion(&change, errors);
    verdict(&change, errors);
    finished(&change, errors);
    book(&change, errors);
    criteria(&change, errors);
    kept(&change, errors);
}

/// Pods that have ended but are not yet in the book: each once.
fn uncounted(change: &Change<'_>, errors: &mut Errors) {
    let Some(pods) = &change.new.uncounted_terminated_pods else { return };
    let path = change.path.child("uncountedTerminatedPods");
    let mut seen = BTreeSet::new();
    for (field, uids) in [("succeeded", list(&pods.succeeded)), ("failed", list(&pods.failed))] {
        let path = path.child(field);
        for (index, uid) in uids.iter().enumerate() {
            if uid.is_empty() {
                errors.invalid(&path.index(index), uid, "must not be empty");
            } else if !seen.insert(uid) {
                errors.duplicate(&path.index(index), uid);
            }
        }
    }
}

/// A Job has a completion time when it is complete, and not before it started.
fn completion(change: &Change<'_>, errors: &mut Errors) {
    let Change { new, old, .. } = change;
    if change.turned("Complete") || change.turned("Failed") {
        refuse_both(change, "Complete", "Failed", "cannot set Complete=True and Failed=true conditions", errors);
    }
    if change.turned("Complete") || change.turned("FailureTarget") {
        refuse_both(change, "Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions", errors);
    }
    let path = change.path.child("completionTime");
    let is_moved = new.completion_time != old.completion_time;
    if change.turned("Complete") || is_moved {
        match (&new.completion_time, has(new, "Complete")) {
            (Some(time), false) => errors.invalid(&path, time, "cannot set completionTime when there is no Complete=True condition"),
            (None, true) => errors.required(&path, "completionTime is required for Complete jobs"),
            _ => {}
        }
    }
    if (is_moved || new.start_time != old.start_time)
        && let (Some(start), Some(end)) = (&new.start_time, &new.completion_time)
        && end.0 < start.0
    {
        errors.invalid(&path, end, "completionTime cannot be set before startTime");
    }
}

fn refuse_both(change: &Change<'_>, one: &str, other: &str, detail: &str, errors: &mut Errors) {
    if has(change.new, one) && has(change.new, other) {
        change.refuse("conditions", detail, errors);
    }
}

/// Before a Job is said to have ended it is said how it will.
fn verdict(change: &Change<'_>, errors: &mut Errors) {
    let status = change.new;
    let is_failed = has(status, "Failed") && !has(status, "FailureTarget");
    if is_failed && (change.turned("Failed") || change.new.failed_indexes != change.old.failed_indexes) {
        change.refuse("conditions", "cannot set Failed=True condition without the FailureTarget=true condition", errors);
    }
    let is_complete = has(status, "Complete") && !has(status, "SuccessCriteriaMet");
    if is_complete && (change.turned("Complete") || change.turned("SuccessCriteriaMet")) {
        change.refuse("conditions", "cannot set Complete=True condition without the SuccessCriteriaMet=true condition", errors);
    }
}

/// A Job that has ended has started, and no pods are left.
fn finished(change: &Change<'_>, errors: &mut Errors) {
    let Change { spec, new, old, path } = change;
    if !Change::is_finished(new) {
        return;
    }
    let has_ended = !Change::is_finished(old);
    let active = new.active.unwrap_or_default();
    if active > 0 && (has_ended || new.active != old.active) {
        errors.invalid(&path.child("active"), active, "active>0 is invalid for finished job");
    }
    let never_runs = flag(spec.suspend) && spec.completions == Some(0);
    if new.start_time.is_none() && !never_runs && (has_ended || new.start_time != old.start_time) {
        errors.required(&path.child("startTime"), "startTime is required for finished job");
    }
    if let Some(pods) = &new.uncounted_terminated_pods
        && !(list(&pods.succeeded).is_empty() && list(&pods.failed).is_empty())
        && (has_ended || new.uncounted_terminated_pods != old.uncounted_terminated_pods)
    {
        let path = path.child("uncountedTerminatedPods");
        errors.invalid(&path, pods, "uncountedTerminatedPods needs to be empty for finished job");
    }
    let terminating = new.terminating.unwrap_or_default();
    if terminating > 0 && (has_ended || new.terminating != old.terminating) {
        errors.invalid(&path.child("terminating"), terminating, "terminating>0 is invalid for finished job");
    }
}

/// The book of indexes: which are complete, and which have failed.
fn book(change: &Change<'_>, errors: &mut Errors) {
    let Change { spec, new, old, path } = change;
    let (completed_path, failed_path) = (path.child("completedIndexes"), path.child("failedIndexes"));
    let limit = spec.completions.unwrap_or(i32::MAX);
    let completed_text = text(&new.completed_indexes);
    let completed = Indexes::parse(completed_text, limit);
    let failed = new.failed_indexes.as_deref().map(|text| (text, Indexes::parse(text, limit)));
    let (is_completed_new, is_failed_new) = (new.completed_indexes != old.completed_indexes, new.failed_indexes != old.failed_indexes);
    if is_completed_new {
        if let Err(error) = &completed {
            errors.invalid(&completed_path, completed_text, &format!("error parsing completedIndexes: {error}"));
        }
        if !completed_text.is_empty() && !is_indexed(spec) {
            let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
            errors.invalid(&completed_path, completed_text, detail);
        }
    }
    if let Some((text, failed)) = &failed {
        match failed {
            _ if is_failed_new && spec.backoff_limit_per_index.is_none() => {
                errors.invalid(&failed_path, text, "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
            }
            Err(error) if is_failed_new => errors.invalid(&failed_path, text, &format!("error parsing failedIndexes: {error}")),
            _ => {}
        }
        if let (Ok(completed), Ok(failed)) = (&completed, failed)
            && let Some(index) = completed.common(failed).first()
            && (is_completed_new || is_failed_new)
        {
            errors.invalid(&failed_path, text, &format!("failedIndexes and completedIndexes overlap at index: {index}"));
        }
    }
    let ready = new.ready.unwrap_or_default();
    if ready > new.active.unwrap_or_default() && (new.ready != old.ready || new.active != old.active) {
        errors.invalid(&path.child("ready"), ready, "cannot set more ready pods than active");
    }
}

/// Success excludes failure.
fn criteria(change: &Change<'_>, errors: &mut Errors) {
    let conditions = "cannot set SuccessCriteriaMet=True and Failed=true conditions";
    refuse_both(change, "SuccessCriteriaMet", "Failed", conditions, errors);
    let conditions = "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions";
    refuse_both(change, "SuccessCriteriaMet", "FailureTarget", conditions, errors);
    if change.spec.success_policy.is_some() && has(change.new, "Complete") && !has(change.new, "SuccessCriteriaMet") {
        let detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
        change.refuse("conditions", detail, errors);
    }
}

/// What is final stays, and counters do not go back.
fn kept(change: &Change<'_>, errors: &mut Errors) {
    let Change { spec, new, old, path } = change;
    for condition in ["Failed", "Complete", "FailureTarget"] {
        if has(old, condition) && !has(new, condition) {
            change.refuse("conditions", &format!("cannot disable the terminal {condition}=True condition"), errors);
        }
    }
    let count = |count: Option<i32>| count.unwrap_or_default();
    if count(new.failed) < count(old.failed) {
        errors.invalid(&path.child("failed"), count(new.failed), "cannot decrease the failed counter");
    }
    // An indexed Job that runs all its pods at once can be made smaller.
    let may_shrink = is_indexed(spec) && spec.completions == spec.parallelism;
    if count(new.succeeded) < count(old.succeeded) && !may_shrink {
        errors.invalid(&path.child("succeeded"), count(new.succeeded), "cannot decrease the succeeded counter");
    }
    if let (Some(time), Some(before)) = (&new.completion_time, &old.completion_time)
        && time != before
    {
        errors.invalid(&path.child("completionTime"), time, "completionTime cannot be mutated");
    }
    if old.start_time.is_some() && new.start_time != old.start_time && !flag(spec.suspend) {
        errors.required(&path.child("startTime"), "startTime cannot be removed for unsuspended job");
    }
    let met = "SuccessCriteriaMet";
    if has(old, met) && !has(new, met) {
        change.refuse("conditions", "cannot disable the SuccessCriteriaMet=True condition", errors);
    }
    if has(old, "Complete") && !has(old, met) && has(new, met) {
        let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        change.refuse("conditions", detail, errors);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(spec: Value, old: Value, new: Value) -> String {
        let job = |status: Value| -> Job { serde_json::from_value(json!({"spec": spec.clone(), "status": status})).unwrap() };
        let mut errors = Errors::new();
        validate(&job(new), &job(old), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_controllers_write() {
        let pods = json!({"template": {}});
        let running = json!({"active": 1, "ready": 1, "startTime": "2026-01-01T00:00:00Z"});
        let condition = |kind: &str| json!({"type": kind, "status": "True"});
        let met = json!({"startTime": "2026-01-01T00:00:00Z", "succeeded": 1, "conditions": [condition("SuccessCriteriaMet")]});
        let done = json!({
            "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:01Z", "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
        });
        let mut soon = done.clone();
        soon["completionTime"] = json!("2025-01-01T00:00:01Z");
        for (old, new, want) in [
            (json!({}), running.clone(), ""),
            (running.clone(), met.clone(), ""),
            (met.clone(), done.clone(), ""),
            (
                met.clone(),
                soon,
                "status.completionTime: Invalid value: \"2025-01-01T00:00:01Z\": completionTime cannot be set before startTime",
            ),
            (
                done.clone(),
                running,
                "status.conditions: Invalid value: cannot disable the terminal Complete=True condition; \
                 status.succeeded: Invalid value: 0: cannot decrease the succeeded counter; \
                 status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
            ),
            (
                json!({}),
                json!({"conditions": [condition("Failed")]}),
                "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition; \
                 status.startTime: Required value: startTime is required for finished job",
            ),
            (json!({}), json!({"ready": 1}), "status.ready: Invalid value: 1: cannot set more ready pods than active"),
        ] {
            assert_eq!(said(pods.clone(), old, new), want);
        }
    }

    #[test]
    fn the_book() {
        let spec = json!({"template": {}, "completionMode": "Indexed", "completions": 4, "backoffLimitPerIndex": 1});
        assert_eq!(said(spec.clone(), json!({}), json!({"completedIndexes": "0,2-3", "failedIndexes": "1"})), "");
        assert_eq!(
            said(spec, json!({}), json!({"completedIndexes": "0-4", "failedIndexes": "1"})),
            "status.completedIndexes: Invalid value: \"0-4\": error parsing completedIndexes: too large index: \"4\""
        );
    }
}

//! Jobs: pods that run to an end, as many as are wanted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use serde_json::Value;

use super::{
    Field, field, pod_template,
    rules::{Column, Rules, column, parts},
    selector,
    unset::{default_text, flag, list, list_mut, text},
};

mod policy;
mod status;
pub(super) mod validate;

/// What lists of Jobs can be selected by.
pub(super) const FIELDS: &[Field] = &[Field { absent: "0", ..field("status.successful", &["/status/succeeded"]) }];

/// What is special about a Job.
pub(super) const RULES: Rules<Job> = Rules {
    defaults,
    on_create,
    validate: validate::job,
    validate_update: validate::update,
    validate_status: status::validate,
    warnings,
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

/// The labels by which the pods of a Job are known, and under which a Job selects its pods.
const UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
const NAME_LABEL: &str = "batch.kubernetes.io/job-name";
/// The same before labels had prefixes.
const OLD_UID_LABEL: &str = "controller-uid";
const OLD_NAME_LABEL: &str = "job-name";

/// Above so many completions it is hard to keep book of them.
const MANY_COMPLETIONS: i32 = 100_000;
/// So many pods at once are then too many.
const MANY_AT_ONCE: i32 = 10_000;

fn is_indexed(spec: &JobSpec) -> bool {
    text(&spec.completion_mode) == "Indexed"
}

fn defaults(job: &mut Job) {
    job.status.get_or_insert_default();
    let spec = job.spec.get_or_insert_default();
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    spec.backoff_limit.get_or_insert(if spec.backoff_limit_per_index.is_some() { i32::MAX } else { 6 });
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".to_owned());
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    let replacement = if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.pod_replacement_policy.get_or_insert_with(|| replacement.to_owned());
    spec_defaults(spec);
    label(job);
}

/// What is filled in of the spec of a Job and of one that is only planned.
pub(super) fn spec_defaults(spec: &mut JobSpec) {
    pod_template::defaults(&mut spec.template);
    let rules = spec.pod_failure_policy.iter_mut().flat_map(|policy| &mut policy.rules);
    for pattern in rules.flat_map(|rule| list_mut(&mut rule.on_pod_conditions)) {
        default_text(&mut pattern.status, "True");
    }
}

/// A Job without labels has those of its template.
fn label(job: &mut Job) {
    let template = job.spec.as_ref().and_then(|spec| spec.template.metadata.as_ref());
    let labels = template.and_then(|metadata| metadata.labels.as_ref()).filter(|labels| !labels.is_empty());
    if job.metadata.labels.as_ref().is_none_or(BTreeMap::is_empty)
        && let Some(labels) = labels
    {
        job.metadata.labels = Some(labels.clone());
    }
}

/// Unless the user selects the pods, they are those that carry the UID of the Job.
fn on_create(job: &mut Job) {
    job.status = Some(JobStatus::default());
    let (uid, name) = (job.metadata.uid.clone().unwrap_or_default(), job.metadata.name.clone().unwrap_or_default());
    let spec = job.spec.get_or_insert_default();
    if flag(spec.manual_selector) {
        return;
    }
    let labels = spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    for (key, value) in [(OLD_NAME_LABEL, &name), (NAME_LABEL, &name), (OLD_UID_LABEL, &uid), (UID_LABEL, &uid)] {
        labels.entry(key.to_owned()).or_insert_with(|| value.clone());
    }
    let selected = spec.selector.get_or_insert_default().match_labels.get_or_insert_default();
    selected.entry(UID_LABEL.to_owned()).or_insert(uid);
    label(job);
}

fn warnings(job: &Job) -> Vec<String> {
    let mut warnings: Vec<String> = pod_template::name_warning(job.metadata.name.as_ref()).into_iter().collect();
    if let Some(spec) = &job.spec {
        warnings.extend(spec_warnings(spec));
        warnings.extend(pod_template::warnings(&spec.template));
    }
    warnings
}

fn spec_warnings(spec: &JobSpec) -> Option<String> {
    let is_large = spec.completions.unwrap_or_default() > MANY_COMPLETIONS && spec.parallelism.unwrap_or_default() > MANY_AT_ONCE;
    let warning = "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be \
                   able to track completedIndexes when a big number of indexes fail";
    (is_indexed(spec) && is_large).then(|| warning.to_owned())
}

const COLUMNS: &[Column<Job>] = &[
    Column::name(),
    column("Status", |job: &Job, _| Value::from(state(job))).about("Status of the job."),
    column("Completions", |job: &Job, _| Value::from(completions(job))),
    column("Duration", |job: &Job, now| Value::from(duration(job, now))).about("Time required to complete the job."),
    Column::age(),
    column("Containers", |job: &Job, _| Value::from(pod_template::containers_cell(job.spec.as_ref().map(|spec| &spec.template)))).wide(),
    column("Images", |job: &Job, _| Value::from(pod_template::images_cell(job.spec.as_ref().map(|spec| &spec.template)))).wide(),
    column("Selector", |job: &Job, _| {
        let selector = job.spec.as_ref().and_then(|spec| spec.selector.as_ref());
        Value::from(selector.map_or_else(|| "<none>".to_owned(), selector::cell))
    })
    .wide(),
];

/// Whether a condition of that type is true.
fn has(status: &JobStatus, kind: &str) -> bool {
    list(&status.conditions).iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

fn state(job: &Job) -> &'static str {
    let has = |kind: &str| job.status.as_ref().is_some_and(|status| has(status, kind));
    if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if job.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else if has("FailureTarget") {
        "FailureTarget"
    } else if has("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Job) -> String {
    let succeeded = job.status.as_ref().and_then(|status| status.succeeded).unwrap_or_default();
    let spec = job.spec.as_ref();
    match (spec.and_then(|spec| spec.completions), spec.and_then(|spec| spec.parallelism).unwrap_or_default()) {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn duration(job: &Job, now: Timestamp) -> String {
    let status = job.status.as_ref();
    let Some(start) = status.and_then(|status| status.start_time.as_ref()) else { return String::new() };
    let end = status.and_then(|status| status.completion_time.as_ref()).map_or(now, |end| end.0);
    mini_api::age::human(end.duration_since(start.0).as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(json: Value) -> Job {
        let mut job = (RULES.decode)(&json.to_string()).unwrap();
        defaults(&mut job);
        let once = job.clone();
        defaults(&mut job);
        assert_eq!(job, once, "defaults are idempotent");
        job
    }

    #[test]
    fn how_many() {
        for (spec, want) in [
            (json!({}), (Some(1), Some(1), Some(6))),
            (json!({"completions": 3}), (Some(3), Some(1), Some(6))),
            (json!({"parallelism": 3}), (None, Some(3), Some(6))),
            (json!({"completions": 2, "backoffLimitPerIndex": 1}), (Some(2), Some(1), Some(i32::MAX))),
        ] {
            let spec = job(json!({"spec": spec})).spec.unwrap();
            assert_eq!((spec.completions, spec.parallelism, spec.backoff_limit), want);
        }
    }

    #[test]
    fn pods_carry_the_uid() {
        let mut manual = job(json!({"metadata": {"name": "j", "uid": "u"}, "spec": {"manualSelector": true}}));
        on_create(&mut manual);
        assert_eq!(manual.spec.unwrap().selector, None);
        let mut labelled = job(json!({"metadata": {"name": "j", "uid": "u"}, "spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}));
        assert_eq!(serde_json::to_value(&labelled.metadata.labels).unwrap(), json!({"a": "b"}));
        on_create(&mut labelled);
        assert_eq!(serde_json::to_value(&labelled.metadata.labels).unwrap(), json!({"a": "b"}));
        let spec = serde_json::to_value(&labelled.spec).unwrap();
        assert_eq!(spec["selector"], json!({"matchLabels": {UID_LABEL: "u"}}));
        assert_eq!(
            spec["template"]["metadata"]["labels"],
            json!({"a": "b", UID_LABEL: "u", NAME_LABEL: "j", OLD_UID_LABEL: "u", OLD_NAME_LABEL: "j"})
        );
    }

    #[test]
    fn cells() {
        let at = |second: &str| format!("2026-01-01T00:00:{second}Z");
        let done = job(json!({"spec": {"completions": 2}, "status": {
            "succeeded": 1, "startTime": at("01"), "completionTime": at("09"), "conditions": [{"type": "Failed", "status": "True"}],
        }}));
        assert_eq!((state(&done), completions(&done), duration(&done, Timestamp::MAX)), ("Failed", "1/2".to_owned(), "8s".to_owned()));
        let new = job(json!({"spec": {"parallelism": 2}}));
        assert_eq!((state(&new), completions(&new), duration(&new, Timestamp::MAX)), ("Running", "0/1 of 2".to_owned(), String::new()));
    }
}

//! CronJobs: Jobs that are made again and again, at the times of a schedule; and the versions of CronJob that old files still use.

use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, CronJobStatus, JobTemplateSpec};
use mini_api::{cron::Schedule, name};
use serde_json::Value;

use super::{
    Conversion,
    count::not_negative,
    field::{Errors, Path},
    job, pod_template,
    rules::{Column, Rules, column, parts},
    selector,
    unset::{default_text, flag, list, text},
};

/// The longest name of a CronJob: its Jobs' names end in a hyphen and ten digits.
const MOST_NAME: usize = 52;

/// The version before v1, and no different.
pub(super) const BATCH_V1BETA1: Conversion = Conversion {
    warning: Some("batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob"),
    ..Conversion::NONE
};

/// The first version, which only its name distinguishes.
pub(super) const BATCH_V2ALPHA1: Conversion = Conversion {
    warning: Some("batch/v2alpha1 CronJob is deprecated in v1.8+, unavailable in v1.21+; use batch/v1 CronJob"),
    ..Conversion::NONE
};

/// What is special about a CronJob.
pub(super) const RULES: Rules<CronJob> = Rules {
    defaults,
    on_create: |cron_job| cron_job.status = Some(CronJobStatus::default()),
    validate,
    warnings: |cron_job| {
        let mut warnings: Vec<String> = pod_template::name_warning(cron_job.metadata.name.as_ref()).into_iter().collect();
        if let Some(job) = cron_job.spec.job_template.spec.as_ref() {
            warnings.extend(pod_template::warnings_at(&job.template, "spec.jobTemplate.spec.template"));
        }
        warnings
    },
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

/// What is wrong with the name of a CronJob.
pub(super) fn named(value: &str) -> Vec<String> {
    let mut wrong = name::dns1123_subdomain(value);
    if value.len() > MOST_NAME {
        wrong.push(format!("must be no more than {MOST_NAME} characters"));
    }
    wrong
}

fn defaults(cron_job: &mut CronJob) {
    cron_job.status.get_or_insert_default();
    let spec = &mut cron_job.spec;
    default_text(&mut spec.concurrency_policy, "Allow");
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit.get_or_insert(3);
    spec.failed_jobs_history_limit.get_or_insert(1);
    spec.job_template.metadata.get_or_insert_default().creation_timestamp = None;
    job::spec_defaults(spec.job_template.spec.get_or_insert_default());
}

fn validate(cron_job: &CronJob, errors: &mut Errors) {
    let path = Path::new("spec");
    let spec = &cron_job.spec;
    validate_schedule(spec, &path.child("schedule"), errors);
    not_negative(spec.starting_deadline_seconds, &path.child("startingDeadlineSeconds"), errors);
    if let Some(zone) = &spec.time_zone {
        validate_zone(zone, &path.child("timeZone"), errors);
    }
    let policy = text(&spec.concurrency_policy);
    if !matches!(policy, "Allow" | "Forbid" | "Replace") {
        errors.unsupported(&path.child("concurrencyPolicy"), policy, &["Allow", "Forbid", "Replace"]);
    }
    validate_template(&spec.job_template, &path.child("jobTemplate"), errors);
    not_negative(spec.successful_jobs_history_limit, &path.child("successfulJobsHistoryLimit"), errors);
    not_negative(spec.failed_jobs_history_limit, &path.child("failedJobsHistoryLimit"), errors);
}

fn validate_schedule(spec: &CronJobSpec, path: &Path<'_>, errors: &mut Errors) {
    let schedule = &spec.schedule;
    if schedule.is_empty() {
        return errors.required(path, "");
    }
    if let Err(error) = Schedule::parse(schedule) {
        errors.invalid(path, schedule, &error.to_string());
    }
    if schedule.contains("TZ") {
        errors.invalid(path, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    }
}

fn validate_zone(zone: &str, path: &Path<'_>, errors: &mut Errors) {
    if zone.is_empty() {
        return errors.invalid(path, zone, "timeZone must be nil or non-empty string");
    }
    let unknown = format!("unknown time zone {zone}");
    if !zone.split('/').all(is_zone_part) {
        return errors.invalid(path, zone, &unknown);
    }
    if zone.eq_ignore_ascii_case("Local") {
        errors.invalid(path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
    }
    if zone != "Local" && !is_zone(zone) {
        errors.invalid(path, zone, &unknown);
    }
}

fn is_zone_part(part: &str) -> bool {
    let is_plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte));
    is_plain && (1..=14).contains(&part.len()) && !matches!(part, "." | "..") && !part.starts_with('-')
}

/// Whether the time zone is known by exactly this name.
fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok_and(|zone| zone.iana_name() == Some(name))
}

/// The Jobs to come select their own pods.
fn validate_template(template: &JobTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(job) = &template.spec else { return };
    let path = path.child("spec");
    job::validate::spec(job, &path, errors);
    if let Some(selector) = &job.selector {
        errors.invalid(&path.child("selector"), selector::Shown(selector), "`selector` will be auto-generated");
    }
    if flag(job.manual_selector) {
        errors.unsupported(&path.child("manualSelector"), true, &["nil", "false"]);
    }
}

const COLUMNS: &[Column<CronJob>] = &[
    Column::name(),
    column("Schedule", |cron_job: &CronJob, _| Value::from(cron_job.spec.schedule.as_str()))
        .about("The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron."),
    column("Timezone", |cron_job: &CronJob, _| {
        let zone = cron_job.spec.time_zone.as_deref();
        Value::from(zone.unwrap_or("<none>"))
    })
    .about("The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones."),
    column("Suspend", |cron_job: &CronJob, _| {
        Value::from(match cron_job.spec.suspend {
            Some(true) => "True",
            Some(false) => "False",
            None => "<unset>",
        })
    })
    .boolean(),
    column("Active", |cron_job: &CronJob, _| Value::from(cron_job.status.as_ref().map_or(0, |status| list(&status.active).len())))
        .integer(),
    column("Last Schedule", |cron_job: &CronJob, now| {
        let last = cron_job.status.as_ref().and_then(|status| status.last_schedule_time.as_ref());
        Value::from(last.map_or_else(|| "<none>".to_owned(), |_| super::age(last, now)))
    }),
    Column::age(),
    column("Containers", |cron_job: &CronJob, _| Value::from(pod_template::containers_cell(pods(cron_job)))).wide(),
    column("Images", |cron_job: &CronJob, _| Value::from(pod_template::images_cell(pods(cron_job)))).wide(),
    column("Selector", |cron_job: &CronJob, _| {
        let job = cron_job.spec.job_template.spec.as_ref();
        Value::from(job.and_then(|job| job.selector.as_ref()).map_or_else(|| "<none>".to_owned(), selector::cell))
    })
    .wide(),
];

fn pods(cron_job: &CronJob) -> Option<&k8s_openapi::api::core::v1::PodTemplateSpec> {
    cron_job.spec.job_template.spec.as_ref().map(|job| &job.template)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn specs() {
        let job = json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}});
        for (extra, want) in [
            (json!({}), ""),
            (json!({"timeZone": "Europe/Berlin"}), ""),
            (json!({"timeZone": "UTC"}), ""),
            (json!({"timeZone": "europe/berlin"}), "spec.timeZone: Invalid value: \"europe/berlin\": unknown time zone europe/berlin"),
            (json!({"timeZone": ""}), "spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string"),
            (
                json!({"timeZone": "Local"}),
                "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
            ),
            (json!({"startingDeadlineSeconds": -1}), "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"),
            (
                json!({"jobTemplate": {"spec": {"manualSelector": true, "selector": {}, "template": job["template"]}}}),
                "[spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated, \
                 spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\"]",
            ),
        ] {
            let mut spec = json!({"schedule": "@hourly", "jobTemplate": {"spec": job}});
            spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let mut object = (RULES.decode)(&json!({"metadata": {"name": "c"}, "spec": spec}).to_string()).unwrap();
            defaults(&mut object);
            let once = object.clone();
            defaults(&mut object);
            assert_eq!(object, once, "defaults are idempotent");
            let mut errors = Errors::new();
            validate(&object, &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn names() {
        assert_eq!(named(&"a".repeat(52)), Vec::<String>::new());
        assert_eq!(named(&"a".repeat(53)), ["must be no more than 52 characters"]);
    }
}

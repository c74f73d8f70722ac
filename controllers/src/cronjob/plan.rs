//! What to do for one CronJob, decided from its Jobs and the time.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, fmt::strtime, tz::TimeZone};
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobStatus, Job},
        core::v1::ObjectReference,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use mini_api::{cron::Schedule, owner};

use super::due;
use crate::job::finished;

/// Says of a Job for which time it was made.
const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// What is to be done, in this order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is to be said.
    pub(super) remarks: Vec<Remark>,
    /// Jobs that have ended and are beyond the history.
    pub(super) expired: Vec<Arc<Job>>,
    /// Jobs that run and are to be replaced.
    pub(super) replaced: Vec<ObjectReference>,
    /// The Job that is due, and the time it is due for.
    pub(super) create: Option<(Box<Job>, Timestamp)>,
    /// The new status, but for the Job that is yet to be made.
    pub(super) status: CronJobStatus,
    /// When to look again even if nothing changes.
    pub(super) next: Option<Duration>,
}

/// An Event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub(super) is_warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Decides what to do.
///
/// `missing` are the UIDs of active Jobs that are gone, as the API server itself says.
pub(super) fn plan(cron_job: &CronJob, jobs: &[Arc<Job>], missing: &BTreeSet<String>, now: Timestamp) -> Plan {
    let plan = Plan { status: cron_job.status.clone().unwrap_or_default(), ..Plan::default() };
    let mut step = Step { cron_job, jobs, now, plan };
    step.expire();
    step.look_after(missing);
    if cron_job.metadata.deletion_timestamp.is_none() {
        step.start();
    }
    let active = &mut step.plan.status.active;
    *active = active.take().filter(|active| !active.is_empty());
    step.plan
}

/// A plan in the making.
struct Step<'a> {
    cron_job: &'a CronJob,
    jobs: &'a [Arc<Job>],
    now: Timestamp,
    plan: Plan,
}

impl Step<'_> {
    fn say(&mut self, is_warning: bool, reason: &'static str, message: String) {
        self.plan.remarks.push(Remark { is_warning, reason, message });
    }

    fn active(&mut self) -> &mut Vec<ObjectReference> {
        self.plan.status.active.get_or_insert_default()
    }

    /// Lets the oldest go of those that have ended, well or not.
    fn expire(&mut self) {
        let spec = &self.cron_job.spec;
        for (success, limit) in [(true, spec.successful_jobs_history_limit), (false, spec.failed_jobs_history_limit)] {
            let Some(limit) = limit else { continue };
            let mut ended: Vec<_> = self.jobs.iter().filter(|job| finished(job).is_some_and(|(well, _)| well == success)).cloned().collect();
            let begun = |job: &Job| {
                let start = job.status.as_ref().and_then(|status| status.start_time.as_ref());
                (start.is_none(), start.or(job.metadata.creation_timestamp.as_ref()).map(|time| time.0))
            };
            ended.sort_by_cached_key(|job| (begun(job), job.metadata.name.clone()));
            let too_many = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
            for job in ended.into_iter().take(too_many) {
                self.active().retain(|active| active.uid != job.metadata.uid);
                self.plan.expired.push(job);
            }
        }
    }

    /// Keeps book of the Jobs that run, and of the last success.
    fn look_after(&mut self, missing: &BTreeSet<String>) {
        for job in self.jobs {
            let name = job.metadata.name.as_deref().unwrap_or_default();
            // What is beyond the history is no longer among them, and nothing is said of its end.
            let is_active = self.active().iter().any(|active| active.uid == job.metadata.uid);
            let Some((success, at)) = finished(job) else {
                if !is_active {
                    let message = format!("Saw a job that the controller did not create or forgot: {name}");
                    self.say(true, "UnexpectedJob", message);
                }
                continue;
            };
            if is_active {
                self.active().retain(|active| active.uid != job.metadata.uid);
                let condition = if success { "Complete" } else { "Failed" };
                self.say(false, "SawCompletedJob", format!("Saw completed job: {name}, condition: {condition}"));
            }
            let last = &mut self.plan.status.last_successful_time;
            let at = job.status.as_ref().and_then(|status| status.completion_time.as_ref()).map(|time| time.0).or(at);
            if let Some(at) = at.filter(|at| success && last.as_ref().is_none_or(|last| last.0 < *at)) {
                *last = Some(Time(at));
            }
        }
        let is_missing = |active: &ObjectReference| active.uid.as_ref().is_some_and(|uid| missing.contains(uid));
        let (gone, here): (Vec<_>, Vec<_>) = std::mem::take(self.active()).into_iter().partition(is_missing);
        *self.active() = here;
        for gone in gone {
            self.say(false, "MissingJob", format!("Active job went missing: {}", gone.name.unwrap_or_default()));
        }
    }

    /// Starts the Job that is due, unless something speaks against it.
    fn start(&mut self) {
        let (spec, now) = (&self.cron_job.spec, self.now);
        let zone = match spec.time_zone.as_deref().map(|name| (name, TimeZone::get(name))) {
            None => TimeZone::UTC,
            Some((_, Ok(zone))) => zone,
            Some((name, Err(_))) => {
                return self.say(true, "UnknownTimeZone", format!("invalid timeZone: {name:?}: unknown time zone {name}"));
            }
        };
        if spec.suspend == Some(true) {
            return;
        }
        let schedule = match Schedule::parse(&spec.schedule) {
            // A schedule that names a zone is of old, and goes by that.
            Ok(schedule) if spec.schedule.contains("TZ") => schedule,
            Ok(schedule) => schedule.in_zone(zone.clone()),
            Err(error) => {
                return self.say(true, "UnparseableSchedule", format!("unparseable schedule: {:?} : {error}", spec.schedule));
            }
        };
        let at = match due::last(self.cron_job, &schedule, spec.starting_deadline_seconds, now) {
            Ok(due) => {
                if due.too_many {
                    let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
                    self.say(true, "TooManyMissedTimes", message.to_owned());
                }
                due.at
            }
            Err(never) => {
                return self.say(true, "InvalidSchedule", format!("invalid schedule: {} : {never}", spec.schedule));
            }
        };
        self.plan.next = due::next(self.cron_job, &schedule, now);
        let Some(at) = at else { return };
        let deadline = spec.starting_deadline_seconds.map(SignedDuration::from_secs);
        if deadline.is_some_and(|deadline| now.duration_since(at) > deadline) {
            let time = strtime::format("%a, %d %b %Y %H:%M:%S %z", &at.to_zoned(TimeZone::UTC)).unwrap_or_default();
            return self.say(true, "MissSchedule", format!("Missed scheduled time to start a job: {time}"));
        }
        let job = self.job(at, &zone);
        let is_done = self.plan.status.last_schedule_time.as_ref().is_some_and(|last| last.0 == at);
        if is_done || self.active().iter().any(|active| active.name == job.metadata.name) {
            return;
        }
        match spec.concurrency_policy.as_deref() {
            Some("Forbid") if !self.active().is_empty() => {
                let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
                return self.say(false, "JobAlreadyActive", message.to_owned());
            }
            Some("Replace") => self.plan.replaced = std::mem::take(self.active()),
            _ => {}
        }
        self.plan.create = Some((Box::new(job), at));
    }

    /// The Job of a time. Its name is always the same, so that it is made once.
    fn job(&self, at: Timestamp, zone: &TimeZone) -> Job {
        let (meta, template) = (&self.cron_job.metadata, &self.cron_job.spec.job_template);
        let theirs = template.metadata.clone().unwrap_or_default();
        let shown = strtime::format("%Y-%m-%dT%H:%M:%S%:z", &at.to_zoned(zone.clone())).unwrap_or_default();
        let shown = shown.strip_suffix("+00:00").map_or_else(|| shown.clone(), |time| format!("{time}Z"));
        let mut annotations = theirs.annotations.unwrap_or_default();
        annotations.insert(SCHEDULED_AT.to_owned(), shown);
        Job {
            metadata: ObjectMeta {
                name: Some(format!("{}-{}", meta.name.as_deref().unwrap_or_default(), at.as_second() / 60)),
                namespace: meta.namespace.clone(),
                labels: theirs.labels,
                annotations: Some(annotations),
                owner_references: Some(vec![owner::controller_ref(self.cron_job)]),
                ..ObjectMeta::default()
            },
            spec: template.spec.clone(),
            status: None,
        }
    }
}

/// The Jobs that the status calls active and that are not among `jobs`.
pub(super) fn unseen<'a>(cron_job: &'a CronJob, jobs: &[Arc<Job>]) -> Vec<&'a ObjectReference> {
    let seen: HashMap<_, _> = jobs.iter().map(|job| (job.metadata.uid.as_deref(), ())).collect();
    let active = cron_job.status.iter().flat_map(|status| status.active.iter().flatten());
    active.filter(|active| !seen.contains_key(&active.uid.as_deref())).collect()
}

#[cfg(test)]
mod tests;

//! Jobs and CronJobs: each ends as it should, with as many successes as it asked for.

use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    Churn, Wanted,
    dump::{Dump, Id, condition, folder, is_terminal, items, number, path, text},
    workloads::template,
};

/// How many of each there may be at once.
const MOST: usize = 5;
const MOST_SCHEDULES: usize = 3;
/// How many ended Jobs of each sort a CronJob keeps.
const KEPT: u64 = 1;

/// What is wanted of a Job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    completions: u64,
    indexed: bool,
    /// Its pods fail, whatever it tries.
    hopeless: bool,
    /// Nothing runs in the place of a pod until that has ended: so there cannot be too many.
    exact: bool,
    /// It goes when it has ended.
    fleeting: bool,
    suspended: bool,
}

/// What is wanted of a CronJob.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    suspended: bool,
}

/// The pods of a Job, which end by themselves.
fn pods(after: u64, code: u64, restarts: bool) -> Value {
    let annotations = json!({ "mini.dev/exit-after.c": format!("{after}ms"), "mini.dev/exit-code.c": code.to_string() });
    template(&json!({ "role": "job" }), &annotations, &json!({ "restartPolicy": if restarts { "OnFailure" } else { "Never" } }))
}

impl Churn {
    pub(super) async fn create_job(&mut self) {
        if self.wanted.jobs.len() >= MOST {
            return;
        }
        let (id, hopeless) = (self.new_id("j"), self.dice.random_bool(0.15));
        let job = Job {
            completions: self.dice.random_range(1..7),
            indexed: self.dice.random_bool(0.4),
            hopeless,
            exact: self.dice.random_bool(0.5),
            fleeting: self.dice.random_bool(0.2),
            suspended: self.dice.random_bool(0.2),
        };
        let parallelism = self.dice.random_range(1..4);
        let after = self.dice.random_range(100..3000);
        let restarts = !hopeless && !job.exact && self.dice.random_bool(0.4);
        let mut spec = json!({
            "completions": job.completions, "parallelism": parallelism, "completionMode": if job.indexed { "Indexed" } else { "NonIndexed" },
            "suspend": job.suspended, "backoffLimit": if hopeless { 0 } else { 1000 },
            "template": pods(after, u64::from(hopeless), restarts),
        });
        if job.exact {
            spec["podReplacementPolicy"] = json!("Failed");
        }
        if job.fleeting {
            spec["ttlSecondsAfterFinished"] = json!(1);
        }
        self.made(&folder("jobs", &id.namespace), &json!({ "metadata": { "name": id.name }, "spec": spec })).await;
        self.log(format!("create job {id}, {parallelism} at a time for {after} ms: {job:?}"));
        self.wanted.jobs.insert(id, job);
    }

    fn pick_job(&mut self) -> Option<Id> {
        let ids: Vec<_> = self.wanted.jobs.keys().cloned().collect();
        ids.choose(&mut self.dice).cloned()
    }

    async fn change(&mut self, id: &Id, patch: &Value) {
        let answer = self.http.patch(&path("jobs", id), "merge", patch).await;
        let gone = answer.code == 404 && self.wanted.jobs[id].fleeting;
        assert!(answer.code == 200 || gone, "{}", answer.text());
        self.log(format!("job {id}: {patch}"));
    }

    /// More or fewer at a time, or none for a while.
    pub(super) async fn change_job(&mut self) {
        let Some(id) = self.pick_job() else { return };
        if self.dice.random_bool(0.5) {
            let parallelism = self.dice.random_range(1..4);
            self.change(&id, &json!({ "spec": { "parallelism": parallelism } })).await;
        } else {
            let suspended = !self.wanted.jobs[&id].suspended;
            self.change(&id, &json!({ "spec": { "suspend": suspended } })).await;
            self.wanted.jobs.get_mut(&id).expect("it is wanted").suspended = suspended;
        }
    }

    pub(super) async fn delete_job(&mut self) {
        let Some(id) = self.pick_job() else { return };
        let policy = *["Background", "Foreground"].choose(&mut self.dice).expect("there are some");
        let answer = self.http.delete(&format!("{}?propagationPolicy={policy}", path("jobs", &id))).await;
        let gone = answer.code == 404 && self.wanted.jobs[&id].fleeting;
        assert!(answer.code == 200 || gone, "{}", answer.text());
        self.wanted.jobs.remove(&id);
        self.log(format!("delete job {id} in the {policy}"));
    }

    pub(super) async fn create_schedule(&mut self) {
        if self.wanted.schedules.len() >= MOST_SCHEDULES {
            return;
        }
        let id = self.new_id("c");
        let policy = *["Allow", "Forbid", "Replace"].choose(&mut self.dice).expect("there are some");
        let (after, code) = (self.dice.random_range(100..3000), u64::from(self.dice.random_bool(0.3)));
        let job = json!({ "spec": { "backoffLimit": 0, "template": pods(after, code, false) } });
        let spec = json!({
            "schedule": "* * * * *", "concurrencyPolicy": policy, "jobTemplate": job,
            "successfulJobsHistoryLimit": KEPT, "failedJobsHistoryLimit": KEPT,
        });
        self.made(&folder("cronjobs", &id.namespace), &json!({ "metadata": { "name": id.name }, "spec": spec })).await;
        self.log(format!("create cronjob {id}: {policy}"));
        self.wanted.schedules.insert(id, Schedule { suspended: false });
    }

    fn pick_schedule(&mut self) -> Option<Id> {
        let ids: Vec<_> = self.wanted.schedules.keys().cloned().collect();
        ids.choose(&mut self.dice).cloned()
    }

    /// Has a CronJob believe that it last ran an hour ago.
    pub(super) async fn fire(&mut self) {
        let Some(id) = self.pick_schedule() else { return };
        let patch = json!({ "status": { "lastScheduleTime": "2026-01-01T00:00:00Z" } });
        self.changed(&format!("{}/status", path("cronjobs", &id)), "merge", &patch).await;
        self.log(format!("fire cronjob {id}"));
    }

    async fn suspend(&mut self, id: &Id, suspended: bool) {
        self.changed(&path("cronjobs", id), "merge", &json!({ "spec": { "suspend": suspended } })).await;
        self.log(format!("suspend cronjob {id}: {suspended}"));
        self.wanted.schedules.get_mut(id).expect("it is wanted").suspended = suspended;
    }

    pub(super) async fn change_schedule(&mut self) {
        let Some(id) = self.pick_schedule() else { return };
        let suspended = self.wanted.schedules[&id].suspended;
        self.suspend(&id, !suspended).await;
    }

    pub(super) async fn delete_schedule(&mut self) {
        let Some(id) = self.pick_schedule() else { return };
        self.gone(&path("cronjobs", &id)).await;
        self.wanted.schedules.remove(&id);
        self.log(format!("delete cronjob {id}"));
    }

    /// Has all Jobs run to their ends, and no more be begun.
    pub(super) async fn finish_jobs(&mut self) {
        for id in self.wanted.schedules.keys().cloned().collect::<Vec<_>>() {
            self.suspend(&id, true).await;
        }
        let suspended = self.wanted.jobs.iter().filter(|(_, job)| job.suspended);
        for id in suspended.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.change(&id, &json!({ "spec": { "suspend": false } })).await;
        }
    }
}

pub(super) fn wrong(dump: &Dump, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, job) in &wanted.jobs {
        match dump.find("jobs", id) {
            None if job.fleeting => {}
            None => wrong.push(format!("job {id} is not there")),
            Some(_) if job.fleeting => wrong.push(format!("job {id} should have ended and gone")),
            Some(object) => wrong.extend(job_amiss(dump, id, job, object)),
        }
    }
    for job in dump.all("jobs") {
        let left = dump.owned("pods", job).into_iter().filter(|pod| !is_terminal(pod)).count();
        if left > 0 {
            wrong.push(format!("{left} pods of job {} have not ended; status {}", Id::of(job), job["status"]));
        }
    }
    for id in wanted.schedules.keys() {
        let Some(object) = dump.find("cronjobs", id) else {
            wrong.push(format!("cronjob {id} is not there"));
            continue;
        };
        let jobs = dump.owned("jobs", object);
        for end in ["Complete", "Failed"] {
            let kept = jobs.iter().filter(|job| condition(job, end).is_some()).count() as u64;
            if kept > KEPT {
                wrong.push(format!("cronjob {id} keeps {kept} Jobs that are {end}"));
            }
        }
        let active = items(&object["status"]["active"]);
        let running = jobs.iter().filter(|job| condition(job, "Complete").is_none() && condition(job, "Failed").is_none()).count();
        if active.len() != running || running > 0 {
            wrong.push(format!("cronjob {id} tells of {active:?}, and {running} run"));
        }
    }
    wrong
}

fn job_amiss(dump: &Dump, id: &Id, job: &Job, object: &Value) -> Vec<String> {
    let mut amiss = Vec::new();
    let status = &object["status"];
    let (complete, failed) = (condition(object, "Complete"), condition(object, "Failed"));
    let ended = if job.hopeless { failed == Some("BackoffLimitExceeded") } else { complete == Some("CompletionsReached") };
    if !ended || complete.is_some() == failed.is_some() {
        amiss.push("it has not ended as it should".to_owned());
    }
    let succeeded = number(&status["succeeded"]);
    let right = match job {
        Job { hopeless: true, .. } => succeeded == 0 && number(&status["failed"]) > 0,
        Job { indexed: true, .. } | Job { exact: true, .. } => succeeded == job.completions,
        _ => succeeded >= job.completions,
    };
    let indexes = match job {
        Job { indexed: true, hopeless: false, completions: 1, .. } => "0".to_owned(),
        Job { indexed: true, hopeless: false, completions, .. } => format!("0-{}", completions - 1),
        _ => String::new(),
    };
    // "0,1" is how two that follow each other are written.
    let indexes = if indexes == "0-1" { "0,1".to_owned() } else { indexes };
    if !right || text(&status["completedIndexes"]) != indexes {
        amiss.push("it has not counted right".to_owned());
    }
    let rest = ["active", "ready", "terminating"].iter().any(|field| number(&status[*field]) > 0);
    let uncounted = status["uncountedTerminatedPods"].as_object().is_some_and(|uncounted| !uncounted.is_empty());
    if rest || uncounted {
        amiss.push("it is still counting".to_owned());
    }
    let pods = dump.owned("pods", object);
    let good = pods.iter().filter(|pod| pod["status"]["phase"] == "Succeeded").count() as u64;
    if good > succeeded {
        amiss.push(format!("{good} pods have succeeded"));
    }
    (!amiss.is_empty()).then(|| format!("job {id}: {}; wanted {job:?}, status {status}", amiss.join("; "))).into_iter().collect()
}

//! CronJobs played through hours, without a cluster.

use serde_json::{Value, json};

use super::*;

/// A CronJob, its Jobs, and a clock.
struct World {
    cron_job: CronJob,
    jobs: Vec<Job>,
    now: Timestamp,
    said: Vec<String>,
}

impl World {
    fn new(spec: Value) -> Self {
        let mut all = json!({
            "schedule": "*/5 * * * *", "concurrencyPolicy": "Allow", "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"labels": {"app": "tick"}}, "spec": {"template": {}}},
        });
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let meta = json!({"name": "tick", "namespace": "default", "uid": "cron", "creationTimestamp": "2026-01-01T10:00:30Z"});
        let cron_job = serde_json::from_value(json!({"metadata": meta, "spec": all})).unwrap();
        Self { cron_job, jobs: Vec::new(), now: "2026-01-01T10:00:30Z".parse().unwrap(), said: Vec::new() }
    }

    fn run(&mut self) -> Option<Duration> {
        let jobs: Vec<_> = self.jobs.iter().cloned().map(Arc::new).collect();
        let missing = unseen(&self.cron_job, &jobs).into_iter().filter_map(|job| job.uid.clone()).collect();
        let mut plan = plan(&self.cron_job, &jobs, &missing, self.now);
        self.said.extend(plan.remarks.into_iter().map(|remark| format!("{} {}: {}", clock(self.now), remark.reason, remark.message)));
        for uid in plan.expired.iter().map(|job| &job.metadata.uid).chain(plan.replaced.iter().map(|job| &job.uid)) {
            self.jobs.retain(|job| job.metadata.uid != *uid);
            self.said.push(format!("{} deleted {}", clock(self.now), uid.clone().unwrap()));
        }
        if let Some((mut job, at)) = plan.create {
            let name = job.metadata.name.clone().unwrap();
            self.said.push(format!("{} created {name} for {}", clock(self.now), clock(at)));
            job.metadata.uid = Some(name.clone());
            let active = ObjectReference { name: Some(name.clone()), uid: Some(name), ..ObjectReference::default() };
            plan.status.active.get_or_insert_default().push(active);
            plan.status.last_schedule_time = Some(Time(at));
            self.jobs.push(*job);
        }
        self.cron_job.status = Some(plan.status);
        plan.next
    }

    /// Runs whenever it wants to, for so many minutes.
    fn play(&mut self, minutes: i64) {
        let end = self.now + SignedDuration::from_mins(minutes);
        while self.now < end {
            let next = self.run().map(|next| SignedDuration::try_from(next).unwrap());
            self.now = next.map_or(end, |next| self.now + next).min(end);
        }
    }

    /// Ends the oldest Job that runs.
    fn end(&mut self, success: bool) {
        let now = self.now.to_string();
        let job = self.jobs.iter_mut().find(|job| finished(job).is_none()).unwrap();
        let kind = if success { "Complete" } else { "Failed" };
        let status = json!({
            "startTime": now, "completionTime": success.then_some(&now), "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now}],
        });
        job.status = serde_json::from_value(status).unwrap();
    }

    fn active(&self) -> usize {
        self.cron_job.status.iter().flat_map(|status| status.active.iter().flatten()).count()
    }
}

fn clock(at: Timestamp) -> String {
    at.to_string()[11..16].to_owned()
}

#[test]
fn a_job_each_time() {
    let mut world = World::new(json!({}));
    world.play(13);
    assert_eq!(world.said, ["10:05 created tick-29454365 for 10:05", "10:10 created tick-29454370 for 10:10"]);
    assert_eq!(world.active(), 2);
    let job = serde_json::to_value(&world.jobs[0].metadata).unwrap();
    let expected = expect_test::expect![[
        r#"{"annotations":{"batch.kubernetes.io/cronjob-scheduled-timestamp":"2026-01-01T10:05:00Z"},"labels":{"app":"tick"},"name":"tick-29454365","namespace":"default","ownerReferences":[{"apiVersion":"batch/v1","blockOwnerDeletion":true,"controller":true,"kind":"CronJob","name":"tick","uid":"cron"}],"uid":"tick-29454365"}"#
    ]];
    expected.assert_eq(&job.to_string());
}

#[test]
fn the_history_is_kept_short() {
    let mut world = World::new(json!({"successfulJobsHistoryLimit": 2}));
    for success in [true, true, false, true, false] {
        world.play(5);
        world.end(success);
    }
    world.run();
    assert_eq!(world.active(), 0);
    let left: Vec<_> = world.jobs.iter().filter_map(|job| job.metadata.name.as_deref()).collect();
    assert_eq!(left, ["tick-29454370", "tick-29454380", "tick-29454385"]);
    let seen = world.said.iter().filter(|said| said.contains("SawCompletedJob")).cloned().collect::<Vec<_>>();
    assert_eq!(seen.first().map(String::as_str), Some("10:05 SawCompletedJob: Saw completed job: tick-29454365, condition: Complete"));
    assert_eq!(seen.len(), 5);
    let last = world.cron_job.status.unwrap().last_successful_time.unwrap().0;
    assert_eq!(clock(last), "10:20");
}

#[test]
fn of_what_is_cleared_away_at_once_no_end_is_told() {
    for (success, limit, want) in [
        (true, 0, "10:05 deleted tick-29454365"),
        (true, 1, "10:05 SawCompletedJob: Saw completed job: tick-29454365, condition: Complete"),
        (false, 0, "10:05 deleted tick-29454365"),
        (false, 1, "10:05 SawCompletedJob: Saw completed job: tick-29454365, condition: Failed"),
    ] {
        let mut world = World::new(json!({"successfulJobsHistoryLimit": limit, "failedJobsHistoryLimit": limit}));
        world.play(5);
        world.end(success);
        world.run();
        assert_eq!(world.said, ["10:05 created tick-29454365 for 10:05", want], "{success} {limit}");
        assert_eq!(world.active(), 0);
        assert_eq!(world.cron_job.status.unwrap().last_successful_time.is_some(), success, "what is cleared away counts");
    }
}

#[test]
fn only_one_at_a_time() {
    for (policy, active, want) in [
        ("Allow", 2, "10:10 created tick-29454370 for 10:10"),
        (
            "Forbid",
            1,
            "10:10 JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid",
        ),
        ("Replace", 1, "10:10 created tick-29454370 for 10:10"),
    ] {
        let mut world = World::new(json!({"concurrencyPolicy": policy}));
        world.play(12);
        assert_eq!((world.active(), world.said.last().map(String::as_str)), (active, Some(want)), "{policy}");
        assert_eq!(world.said.contains(&"10:10 deleted tick-29454365".to_owned()), policy == "Replace");
    }
    let mut world = World::new(json!({"concurrencyPolicy": "Forbid"}));
    world.play(12);
    world.end(true);
    world.run();
    assert_eq!(world.said.last().map(String::as_str), Some("10:12 created tick-29454370 for 10:10"), "it is made up for");
}

#[test]
fn suspended_it_does_nothing_and_then_the_last_thing() {
    let mut world = World::new(json!({"suspend": true}));
    world.play(33);
    assert_eq!((world.said.len(), world.jobs.len()), (0, 0));
    world.cron_job.spec.suspend = Some(false);
    world.run();
    assert_eq!(world.said, ["10:33 created tick-29454390 for 10:30"]);
}

#[test]
fn what_comes_too_late_is_left_out() {
    let mut world = World::new(json!({"startingDeadlineSeconds": 100, "suspend": true}));
    world.play(33);
    world.cron_job.spec.suspend = Some(false);
    let next = world.run();
    assert_eq!((world.said.len(), next), (0, Some(Duration::from_millis(90_100))), "10:30 is more than 100 seconds ago");
    world.play(2);
    assert_eq!(world.said, ["10:35 created tick-29454395 for 10:35"]);
}

#[test]
fn many_missed_times_are_worth_a_warning() {
    let mut world = World::new(json!({"suspend": true, "schedule": "* * * * *"}));
    world.play(200);
    world.cron_job.spec.suspend = Some(false);
    world.run();
    let warning = "13:20 TooManyMissedTimes: too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
    assert_eq!(world.said, [warning, "13:20 created tick-29454560 for 13:20"]);
}

#[test]
fn by_the_clocks_of_another_zone() {
    let mut world = World::new(json!({"schedule": "30 16 * * *", "timeZone": "Asia/Kolkata"}));
    world.play(120);
    assert_eq!(world.said, ["11:00 created tick-29454420 for 11:00"]);
    let annotations = world.jobs[0].metadata.annotations.clone().unwrap();
    assert_eq!(annotations[SCHEDULED_AT], "2026-01-01T16:30:00+05:30");
    for (spec, want) in [
        (json!({"timeZone": "Mars/Base"}), "10:00 UnknownTimeZone: invalid timeZone: \"Mars/Base\": unknown time zone Mars/Base"),
        (json!({"schedule": "x"}), "10:00 UnparseableSchedule: unparseable schedule: \"x\" : expected exactly 5 fields, found 1: [x]"),
        (
            json!({"schedule": "0 0 31 2 *"}),
            "10:00 InvalidSchedule: invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second",
        ),
    ] {
        let mut world = World::new(spec);
        assert_eq!(world.run(), None);
        assert_eq!(world.said, [want]);
    }
}

#[test]
fn jobs_that_come_and_go_unasked() {
    let mut world = World::new(json!({}));
    world.play(6);
    world.jobs[0].metadata.uid = Some("other".to_owned());
    world.run();
    assert_eq!(world.active(), 0);
    let said = [
        "10:06 UnexpectedJob: Saw a job that the controller did not create or forgot: tick-29454365",
        "10:06 MissingJob: Active job went missing: tick-29454365",
    ];
    assert_eq!(world.said[1..], said);
    world.cron_job.metadata.deletion_timestamp = Some(Time(world.now));
    world.play(20);
    assert!(!world.said.iter().any(|said| said.contains("created tick-29454370")), "what is deleted starts nothing");
}

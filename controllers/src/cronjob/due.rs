//! Which of the times of a schedule is the one to act on now, and when to look again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::CronJob;
use mini_api::cron::Schedule;

/// A little after the time itself, so that clocks may differ a little.
const MARGIN: Duration = Duration::from_millis(100);
/// To have missed more times than this is worth a warning.
const MANY: i64 = 100;

/// What there is to say of the past.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The last time at which it was due, if there is one since it was last acted on.
    pub(super) at: Option<Timestamp>,
    /// Whether it was due so often that something must be wrong.
    pub(super) too_many: bool,
    /// Since when the past was looked at.
    since: Timestamp,
    /// Whether it was due at all; the exact time may be unknown.
    missed: bool,
}

/// The schedule is never due, or time and again at the same moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Never;

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("time difference between two schedules is less than 1 second")
    }
}

/// The last time at which it was due since it was last acted on, and, if there is a `deadline`, no longer ago than that.
pub(super) fn last(cron_job: &CronJob, schedule: &Schedule, deadline: Option<i64>, now: Timestamp) -> Result<Due, Never> {
    let since = cron_job.status.as_ref().and_then(|status| status.last_schedule_time.as_ref());
    let since = since.or(cron_job.metadata.creation_timestamp.as_ref()).map_or(now, |time| time.0);
    let limit = deadline.and_then(|seconds| now.checked_sub(SignedDuration::from_secs(seconds)).ok());
    let since = limit.map_or(since, |limit| since.max(limit));
    let due = |at, missed, too_many| Ok(Due { at, too_many, since, missed });

    let (Some(first), Some(second)) = (schedule.next(since), schedule.next(since).and_then(|first| schedule.next(first))) else {
        return Err(Never);
    };
    if now < first {
        return due(None, false, false);
    }
    if now < second {
        return due(Some(first), false, false);
    }
    // The times need not be equally far apart, so this is a guess: from one before it, the rest is looked for step by step.
    let apart = second.duration_since(first).as_secs().max(1);
    let missed = now.duration_since(first).as_secs() / apart + 1;
    let from = first.checked_add(SignedDuration::from_secs((missed - 2) * apart)).unwrap_or(first);
    let times = std::iter::successors(schedule.next(from), |at| schedule.next(*at));
    due(times.take_while(|at| *at <= now).last(), true, missed > MANY)
}

/// How long until it is due again; nothing if it never is.
pub(super) fn next(cron_job: &CronJob, schedule: &Schedule, now: Timestamp) -> Option<Duration> {
    let from = match last(cron_job, schedule, None, now) {
        Ok(Due { at: Some(at), .. }) => at,
        Ok(Due { missed: false, since, .. }) => since,
        Ok(_) | Err(Never) => now,
    };
    let left = schedule.next(from)?.duration_since(now);
    Some(Duration::try_from(left).unwrap_or_default() + MARGIN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cron_job(last: Option<&str>) -> CronJob {
        serde_json::from_value(json!({
            "metadata": {"name": "tick", "creationTimestamp": "2026-01-01T10:00:30Z"},
            "spec": {"schedule": "", "jobTemplate": {}},
            "status": {"lastScheduleTime": last},
        }))
        .unwrap()
    }

    #[test]
    fn the_last_time_it_was_due() {
        for (schedule, acted, deadline, now, want, too_many) in [
            ("* * * * *", None, None, "10:00:59", None, false),
            ("* * * * *", None, None, "10:01:00", Some("10:01:00"), false),
            ("* * * * *", Some("10:01:00"), None, "10:01:30", None, false),
            ("* * * * *", Some("10:01:00"), None, "10:05:30", Some("10:05:00"), false),
            ("* * * * *", Some("10:01:00"), None, "12:05:30", Some("12:05:00"), true),
            ("* * * * *", Some("10:01:00"), Some(200), "12:05:30", Some("12:05:00"), false),
            ("0 * * * *", None, Some(10), "11:00:30", None, false),
            // Not equally far apart: the guess may go beyond the last time, and then there is none; as upstream.
            ("5,10,50 * * * *", None, None, "10:14:00", Some("10:10:00"), false),
            ("5,10,50 * * * *", None, None, "10:40:00", None, false),
            ("@every 7m", Some("10:01:00"), None, "10:31:00", Some("10:29:00"), false),
        ] {
            let time = |text: &str| format!("2026-01-01T{text}Z").parse::<Timestamp>().unwrap();
            let acted = acted.map(|text| time(text).to_string());
            let due = last(&cron_job(acted.as_deref()), &Schedule::parse(schedule).unwrap(), deadline, time(now)).unwrap();
            assert_eq!((due.at, due.too_many), (want.map(time), too_many), "{schedule} at {now}");
        }
        let never = Schedule::parse("0 0 31 2 *").unwrap();
        assert_eq!(last(&cron_job(None), &never, None, Timestamp::UNIX_EPOCH), Err(Never));
    }

    #[test]
    fn when_to_look_again() {
        let hourly = Schedule::parse("@hourly").unwrap();
        for (acted, now, want) in [
            (None, "2026-01-01T10:30:00Z", Some(1800)),
            (Some("2026-01-01T11:00:00Z"), "2026-01-01T11:00:00Z", Some(3600)),
            (Some("2026-01-01T11:00:00Z"), "2026-01-01T13:10:00Z", Some(3000)),
        ] {
            let next = next(&cron_job(acted), &hourly, now.parse().unwrap());
            assert_eq!(next, want.map(|seconds| Duration::from_secs(seconds) + MARGIN));
        }
        assert_eq!(next(&cron_job(None), &Schedule::parse("0 0 31 2 *").unwrap(), Timestamp::UNIX_EPOCH), None);
    }
}

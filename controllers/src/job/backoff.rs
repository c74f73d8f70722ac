//! How long a Job waits before it makes a pod in the place of one that failed: 10 seconds, then twice as long each time, 10 minutes at most.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{batch::v1::JobSpec, core::v1::Pod};

use super::pod;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(10);
/// However many failed.
const LONGEST: Duration = Duration::from_secs(600);

/// What failed since something last succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
    last: Option<Timestamp>,
}

impl Backoff {
    /// Goes on from what is remembered, by the pods that have ended since.
    pub(super) fn after(&self, succeeded: &[Arc<Pod>], failed: &[Arc<Pod>]) -> Self {
        let success = succeeded.iter().map(|pod| pod::ended_at(pod)).max();
        let failures = failed.iter().map(|pod| pod::ended_at(pod));
        let failures: Vec<_> = failures.filter(|at| success.is_none_or(|success| *at > success)).collect();
        let before = if success.is_some() { Self::default() } else { self.clone() };
        let new = u32::try_from(failures.len()).unwrap_or(u32::MAX);
        Self { failures: before.failures.saturating_add(new), last: failures.into_iter().max().or(before.last) }
    }

    /// What can be told of a Job nothing is remembered of, such as after a restart, from the pods that are still there.
    pub(super) fn recall(spec: &JobSpec, pods: &[Arc<Pod>]) -> Self {
        let (succeeded, rest): (Vec<_>, Vec<_>) = pods.iter().cloned().partition(|pod| pod::has_succeeded(pod));
        let has_failed = |pod: &Arc<Pod>| mini_api::pod::is_terminal(pod) || (pod::is_tracked(pod) && pod::has_failed(pod, spec));
        Self::default().after(&succeeded, &rest.into_iter().filter(has_failed).collect::<Vec<_>>())
    }

    /// How long the next pod has to wait.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        self.last.map_or(Duration::ZERO, |last| left(self.failures, last, now))
    }
}

/// How long the next pod has to wait after so many failures, the last of them at `last`.
pub(super) fn left(failures: u32, last: Timestamp, now: Timestamp) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let wait = FIRST.checked_mul(2_u32.saturating_pow(doublings)).unwrap_or(LONGEST).min(LONGEST);
    let left = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX) - now.duration_since(last);
    Duration::try_from(left).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ended(seconds: &[i64], phase: &str) -> Vec<Arc<Pod>> {
        let pod = |second: &i64| {
            let terminated = json!({"exitCode": 1, "finishedAt": at(*second).to_string()});
            let containers = json!([{"name": "c", "state": {"terminated": terminated}}]);
            Arc::new(serde_json::from_value(json!({"status": {"phase": phase, "containerStatuses": containers}})).unwrap())
        };
        seconds.iter().map(pod).collect()
    }

    #[test]
    fn twice_as_long_each_time() {
        let waits = |failures| left(failures, at(0), at(0)).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 8, 90].map(waits), [0, 10, 20, 40, 320, 600, 600, 600]);
        assert_eq!(left(1, at(0), at(4)), Duration::from_secs(6));
        assert_eq!(left(1, at(0), at(40)), Duration::ZERO);
    }

    #[test]
    fn success_is_a_new_beginning() {
        for (remembered, succeeded, failed, want) in [
            (0, &[][..], &[][..], (0, None)),
            (2, &[], &[], (2, Some(at(100)))),
            (2, &[], &[103, 104], (4, Some(at(104)))),
            (2, &[105], &[103, 104], (0, None)),
            (2, &[103], &[102, 104], (1, Some(at(104)))),
            (2, &[105], &[], (0, None)),
        ] {
            let memory = Backoff { failures: remembered, last: (remembered > 0).then(|| at(100)) };
            let next = memory.after(&ended(succeeded, "Succeeded"), &ended(failed, "Failed"));
            assert_eq!((next.failures, next.last), want, "{remembered} {succeeded:?} {failed:?}");
        }
        let pods = [ended(&[101], "Succeeded"), ended(&[100, 102, 103], "Failed"), ended(&[104], "Running")].concat();
        assert_eq!(Backoff::recall(&JobSpec::default(), &pods), Backoff { failures: 2, last: Some(at(103)) });
    }
}

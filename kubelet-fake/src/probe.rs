//! When a container counts as started and as ready, given its probes.
//!
//! A simulated process answers every probe it is asked, so only the times count: the first probe runs after
//! `initialDelaySeconds`, further ones every `periodSeconds`, and `successThreshold` of them are needed.
//!
//! Must not know: pods, the runtime, the clock.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Probe};

/// What the probes of a running container say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// The startup probe, if any, has succeeded.
    pub(crate) started: bool,
    /// The readiness probe, if any, has succeeded.
    pub(crate) ready: bool,
    /// When the next probe changes the answer.
    pub(crate) changes: Option<Timestamp>,
}

/// The health of a container that runs since `since`.
pub(crate) fn health(container: &Container, since: Timestamp, now: Timestamp) -> Health {
    let started_at = container.startup_probe.as_ref().map_or(since, |probe| success(probe, since, since));
    let ready_at = container.readiness_probe.as_ref().map_or(started_at, |probe| success(probe, since, started_at));
    let next = if started_at > now { Some(started_at) } else { Some(ready_at) };
    Health { started: started_at <= now, ready: ready_at <= now, changes: next.filter(|at| *at > now) }
}

/// When enough probes have succeeded, the first of them run not before `earliest`.
fn success(probe: &Probe, since: Timestamp, earliest: Timestamp) -> Timestamp {
    let seconds = |value: i32| SignedDuration::from_secs(i64::from(value.max(0)));
    let first = (since + seconds(probe.initial_delay_seconds.unwrap_or(0))).max(earliest);
    let more = probe.success_threshold.unwrap_or(1).max(1) - 1;
    first + seconds(more.saturating_mul(probe.period_seconds.unwrap_or(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seen(container: &Container, second: i64) -> (bool, bool, Option<Timestamp>) {
        let health = health(container, at(100), at(second));
        (health.started, health.ready, health.changes)
    }

    #[test]
    fn without_probes_running_is_ready() {
        assert_eq!(seen(&Container::default(), 100), (true, true, None));
    }

    #[test]
    fn probes_take_their_time() {
        let probe = |delay, threshold| {
            Some(Probe {
                initial_delay_seconds: Some(delay),
                success_threshold: Some(threshold),
                period_seconds: Some(5),
                ..Probe::default()
            })
        };
        let container = Container { startup_probe: probe(10, 1), readiness_probe: probe(2, 3), ..Container::default() };
        assert_eq!(seen(&container, 109), (false, false, Some(at(110))));
        assert_eq!(seen(&container, 110), (true, false, Some(at(120))));
        assert_eq!(seen(&container, 120), (true, true, None));
    }
}

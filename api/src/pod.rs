//! What is true of a pod: its life cycle and readiness, what it asks for, and how it is summed up in one word.

mod display;
mod resources;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Pod, PodStatus};

pub use display::{display_status, ready_count, restarts, restarts_text};
pub use resources::{
    BEST_EFFORT, BURSTABLE, GUARANTEED, Resources, is_extended, is_huge_page, is_native, limits, qos, requests, states_totals,
};

use crate::condition;

/// Accepted, but not all containers have started.
pub const PENDING: &str = "Pending";
/// Bound to a node, and at least one container runs or is about to be restarted.
pub const RUNNING: &str = "Running";
/// All containers have ended well and will not be restarted.
pub const SUCCEEDED: &str = "Succeeded";
/// All containers have ended, at least one of them badly.
pub const FAILED: &str = "Failed";
/// The condition that says a pod can be sent requests.
pub const READY: &str = "Ready";
/// The condition that says a node has been found.
pub const SCHEDULED: &str = "PodScheduled";
/// The condition that says all init containers have done their work.
pub const INITIALIZED: &str = "Initialized";

/// The pod's phase; empty if nobody has told yet.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Whether the pod can be sent requests, as its kubelet says.
pub fn is_ready(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(is_status_ready)
}

fn is_status_ready(status: &PodStatus) -> bool {
    condition::is_true(&status.conditions, READY)
}

/// Whether the pod has been ready for `min_ready_seconds`, without a break, until `now`.
pub fn is_available(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> bool {
    is_ready(pod) && (min_ready_seconds <= 0 || available_at(pod, min_ready_seconds).is_some_and(|at| at <= now))
}

/// When a pod that is ready now will be (or was) available. `None` while it is not ready.
pub fn available_at(pod: &Pod, min_ready_seconds: i32) -> Option<Timestamp> {
    let ready = condition::pod(pod.status.as_ref()?, READY).filter(|ready| ready.status == condition::TRUE)?;
    let since = ready.last_transition_time.as_ref()?.0;
    since.checked_add(SignedDuration::from_secs(min_ready_seconds.into())).ok()
}

/// Whether all containers have ended for good. Nothing brings such a pod back.
pub fn is_terminal(pod: &Pod) -> bool {
    is_terminal_phase(phase(pod))
}

fn is_terminal_phase(phase: &str) -> bool {
    matches!(phase, SUCCEEDED | FAILED)
}

/// Whether somebody has asked for the pod to go.
pub fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether the pod counts: neither ended nor going.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && !is_terminating(pod)
}

/// The node the pod is bound to; `None` before that.
pub fn node_name(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

/// Whether an init container keeps running beside the main ones (a "sidecar").
pub fn is_restartable_init(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{PodCondition, PodSpec};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn pod(phase: &str, ready_since: Option<i64>) -> Pod {
        let ready = |second| PodCondition {
            type_: READY.into(),
            status: "True".into(),
            last_transition_time: Some(Time(Timestamp::from_second(second).unwrap())),
            ..Default::default()
        };
        let status =
            PodStatus { phase: Some(phase.into()), conditions: ready_since.map(|second| vec![ready(second)]), ..Default::default() };
        Pod { status: Some(status), ..Default::default() }
    }

    #[test]
    fn available_after_the_wait() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let ready = pod(RUNNING, Some(100));
        assert!(is_available(&ready, 0, at(0)));
        assert!(!is_available(&ready, 10, at(109)));
        assert!(is_available(&ready, 10, at(110)));
        assert_eq!(available_at(&ready, 10), Some(at(110)));
        assert!(!is_available(&pod(RUNNING, None), 0, at(1000)));
        assert_eq!(available_at(&pod(RUNNING, None), 0), None);
    }

    #[test]
    fn life_cycle() {
        assert!(is_terminal(&pod(SUCCEEDED, None)) && is_terminal(&pod(FAILED, None)));
        assert!(is_active(&pod(PENDING, None)) && is_active(&pod(RUNNING, None)) && is_active(&Pod::default()));
        let mut going = pod(RUNNING, Some(1));
        going.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(is_terminating(&going) && !is_active(&going) && !is_terminal(&going));
    }

    #[test]
    fn an_empty_node_name_is_none() {
        let on = |name: Option<&str>| Pod {
            spec: Some(PodSpec { node_name: name.map(Into::into), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(node_name(&on(Some("n"))), Some("n"));
        assert_eq!(node_name(&on(Some(""))), None);
        assert_eq!(node_name(&on(None)), None);
    }
}

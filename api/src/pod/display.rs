//! A pod in one line: the READY, STATUS and RESTARTS columns, as upstream's printer works them out.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{INITIALIZED, SCHEDULED, is_restartable_init, is_status_ready, is_terminal, is_terminating};
use crate::{age, condition};

/// The STATUS column: the phase, unless something more telling is known (`CrashLoopBackOff`, `Init:0/1`, `Completed`,
/// `ExitCode:3`, `Terminating`, ...).
pub fn display_status(pod: &Pod) -> String {
    Summary::of(pod).status
}

/// The READY column: how many containers (sidecars included) are ready, and how many there are.
pub fn ready_count(pod: &Pod) -> (usize, usize) {
    let summary = Summary::of(pod);
    (summary.ready, summary.total)
}

/// How often containers were restarted: while initializing the init containers, afterwards the others.
pub fn restarts(pod: &Pod) -> i32 {
    Summary::of(pod).restarts.count
}

/// The RESTARTS column: the count and, if known, when the last one was: `3 (5m ago)`.
pub fn restarts_text(pod: &Pod, now: Timestamp) -> String {
    match Summary::of(pod).restarts {
        Restarts { count, last: Some(last) } if count != 0 => {
            format!("{count} ({} ago)", age::since(Some(&last), now))
        }
        Restarts { count, .. } => count.to_string(),
    }
}

struct Summary {
    status: String,
    ready: usize,
    total: usize,
    restarts: Restarts,
}

#[derive(Default)]
struct Restarts {
    count: i32,
    /// When the container that ended last did so, restarted or not.
    last: Option<Time>,
}

impl Restarts {
    fn add(&mut self, container: &ContainerStatus) {
        self.count += container.restart_count;
        let ended = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        if let Some(at) = ended.and_then(|ended| ended.finished_at.clone())
            && self.last.as_ref().is_none_or(|last| *last < at)
        {
            self.last = Some(at);
        }
    }
}

impl Summary {
    fn of(pod: &Pod) -> Self {
        let nothing = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&nothing);
        let inits = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
        let mains = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
        let sidecars = inits.iter().filter(|container| is_restartable_init(container)).count();

        let mut summary = Self { status: first_word(status), ready: 0, total: mains + sidecars, restarts: Restarts::default() };
        let sidecar_restarts = summary.initialize(status, inits);
        if sidecar_restarts.initialized || condition::is_true(&status.conditions, INITIALIZED) {
            summary.restarts = sidecar_restarts.restarts;
            summary.run(status);
        }
        if is_terminating(pod) {
            if status.reason.as_deref() == Some("NodeLost") {
                summary.status = "Unknown".to_owned();
            } else if !is_terminal(pod) {
                summary.status = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Follows the init containers to the first that has not done its work.
    fn initialize(&mut self, status: &PodStatus, inits: &[Container]) -> Sidecars {
        let mut sidecars = Sidecars { initialized: true, restarts: Restarts::default() };
        for (index, container) in status.init_container_statuses.iter().flatten().enumerate() {
            let restartable = inits.iter().any(|init| init.name == container.name && is_restartable_init(init));
            self.restarts.add(container);
            if restartable {
                sidecars.restarts.add(container);
            }
            let terminated = terminated(container);
            if terminated.is_some_and(|ended| ended.exit_code == 0) {
                continue;
            }
            if restartable && container.started == Some(true) {
                self.ready += usize::from(container.ready);
                continue;
            }
            self.status = match (terminated, waiting_reason(container)) {
                (Some(ended), _) => format!("Init:{}", ending(ended)),
                (None, Some(reason)) if reason != "PodInitializing" => format!("Init:{reason}"),
                _ => format!("Init:{index}/{}", inits.len()),
            };
            sidecars.initialized = false;
            break;
        }
        sidecars
    }

    /// Looks at the main containers; of several with something to tell, the first in order wins.
    fn run(&mut self, status: &PodStatus) {
        let mut running = false;
        for container in status.container_statuses.iter().flatten().rev() {
            self.restarts.add(container);
            let is_running = container.state.as_ref().is_some_and(|state| state.running.is_some());
            if let Some(reason) = waiting_reason(container) {
                self.status = reason.to_owned();
            } else if let Some(ended) = terminated(container) {
                self.status = ending(ended);
            } else if container.ready && is_running {
                running = true;
                self.ready += 1;
            }
        }
        if running && self.status == "Completed" {
            self.status = if is_status_ready(status) { "Running" } else { "NotReady" }.to_owned();
        }
    }
}

/// What the init containers leave for the main ones to start from.
struct Sidecars {
    initialized: bool,
    restarts: Restarts,
}

/// What can be said before looking at containers.
fn first_word(status: &PodStatus) -> String {
    let gated = |scheduled: &&str| *scheduled == "SchedulingGated";
    let scheduled = condition::pod(status, SCHEDULED).and_then(|scheduled| scheduled.reason.as_deref());
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty());
    scheduled.filter(gated).or(reason).or(status.phase.as_deref()).unwrap_or_default().to_owned()
}

/// How a container ended, in one word.
fn ending(ended: &ContainerStateTerminated) -> String {
    match (ended.reason.as_deref(), ended.signal) {
        (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
        (_, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", ended.exit_code),
    }
}

fn terminated(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    container.state.as_ref()?.terminated.as_ref()
}

fn waiting_reason(container: &ContainerStatus) -> Option<&str> {
    container.state.as_ref()?.waiting.as_ref()?.reason.as_deref().filter(|reason| !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A pod with main containers `a`, `b`, ..., one for each state, in this phase.
    fn pod(phase: &str, mains: Value, status: Value) -> Pod {
        pod_with_inits(phase, json!([]), json!([]), mains, status)
    }

    fn pod_with_inits(phase: &str, inits: Value, init_statuses: Value, mains: Value, status: Value) -> Pod {
        let names = ["a", "b", "c"];
        let count = mains.as_array().unwrap().len();
        let mut pod = json!({
            "spec": {
                "containers": names[..count].iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
                "initContainers": inits,
            },
            "status": {"phase": phase, "containerStatuses": mains, "initContainerStatuses": init_statuses},
        });
        pod["status"].as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        serde_json::from_value(pod).unwrap()
    }

    fn container(name: &str, state: Value) -> Value {
        let ready = state.get("running").is_some();
        json!({"name": name, "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": state})
    }

    fn waiting(reason: &str) -> Value {
        container("a", json!({"waiting": {"reason": reason}}))
    }

    fn ended(code: i32, reason: &str) -> Value {
        container("a", json!({"terminated": {"exitCode": code, "reason": reason}}))
    }

    fn running() -> Value {
        container("a", json!({"running": {}}))
    }

    fn check(pod: &Pod, status: &str, ready: (usize, usize)) {
        assert_eq!((display_status(pod).as_str(), ready_count(pod)), (status, ready));
    }

    #[test]
    fn main_containers() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let signal = container("a", json!({"terminated": {"exitCode": 137, "signal": 9}}));
        for (phase, mains, status, want, count) in [
            ("Pending", json!([]), json!({}), "Pending", (0, 0)),
            ("Pending", json!([waiting("ContainerCreating")]), json!({}), "ContainerCreating", (0, 1)),
            ("Pending", json!([waiting("ErrImagePull"), waiting("ContainerCreating")]), json!({}), "ErrImagePull", (0, 2)),
            ("Pending", json!([waiting("")]), json!({}), "Pending", (0, 1)),
            ("Running", json!([running(), running()]), ready.clone(), "Running", (2, 2)),
            ("Running", json!([waiting("CrashLoopBackOff"), running()]), json!({}), "CrashLoopBackOff", (1, 2)),
            ("Running", json!([ended(0, "Completed"), running()]), ready.clone(), "Running", (1, 2)),
            ("Running", json!([ended(0, "Completed"), running()]), json!({}), "NotReady", (1, 2)),
            ("Succeeded", json!([ended(0, "Completed")]), json!({}), "Completed", (0, 1)),
            ("Failed", json!([ended(1, "Error")]), json!({}), "Error", (0, 1)),
            ("Failed", json!([ended(3, "")]), json!({}), "ExitCode:3", (0, 1)),
            ("Failed", json!([signal]), json!({}), "Signal:9", (0, 1)),
            ("Failed", json!([]), json!({"reason": "Evicted"}), "Evicted", (0, 0)),
            (
                "Pending",
                json!([]),
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
                "SchedulingGated",
                (0, 0),
            ),
        ] {
            check(&pod(phase, mains, status), want, count);
        }
    }

    #[test]
    fn init_containers() {
        let two = json!([{"name": "x"}, {"name": "y"}]);
        let init = |name: &str, state: Value| container(name, state);
        let done = |name: &str| init(name, json!({"terminated": {"exitCode": 0, "reason": "Completed"}}));
        let initializing = waiting("PodInitializing");
        for (statuses, want) in [
            (json!([init("x", json!({"waiting": {"reason": "PodInitializing"}}))]), "Init:0/2"),
            (json!([init("x", json!({"running": {}}))]), "Init:0/2"),
            (json!([done("x"), init("y", json!({"running": {}}))]), "Init:1/2"),
            (json!([init("x", json!({"waiting": {"reason": "CrashLoopBackOff"}}))]), "Init:CrashLoopBackOff"),
            (json!([init("x", json!({"terminated": {"exitCode": 1, "reason": "Error"}}))]), "Init:Error"),
            (json!([init("x", json!({"terminated": {"exitCode": 4}}))]), "Init:ExitCode:4"),
            (json!([init("x", json!({"terminated": {"exitCode": 4, "signal": 2}}))]), "Init:Signal:2"),
            (json!([done("x"), done("y")]), "PodInitializing"),
        ] {
            let pod = pod_with_inits("Pending", two.clone(), statuses, json!([initializing]), json!({}));
            check(&pod, want, (0, 1));
        }
    }

    #[test]
    fn sidecars_count_as_containers() {
        let inits = json!([{"name": "s", "restartPolicy": "Always"}]);
        let mut sidecar = container("s", json!({"running": {}}));
        let starting = pod_with_inits("Pending", inits.clone(), json!([sidecar]), json!([waiting("")]), json!({}));
        check(&starting, "Init:0/1", (0, 2));
        sidecar["started"] = json!(true);
        sidecar["restartCount"] = json!(2);
        let started = pod_with_inits("Running", inits, json!([sidecar]), json!([running()]), json!({}));
        check(&started, "Running", (2, 2));
        assert_eq!(restarts(&started), 2);
    }

    #[test]
    fn going_pods() {
        let going = |phase: &str, mains: Value, status: Value| {
            let mut pod = pod(phase, mains, status);
            pod.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
            pod
        };
        check(&going("Running", json!([running()]), json!({})), "Terminating", (1, 1));
        check(&going("Running", json!([]), json!({"reason": "NodeLost"})), "Unknown", (0, 0));
        check(&going("Succeeded", json!([ended(0, "Completed")]), json!({})), "Completed", (0, 1));
    }

    #[test]
    fn restarts_of_the_current_stage() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        let mut main = running();
        assert_eq!(restarts_text(&pod("Running", json!([main]), json!({})), now), "0");
        main["restartCount"] = json!(3);
        assert_eq!(restarts_text(&pod("Running", json!([main]), json!({})), now), "3");
        main["lastState"] = json!({"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:05:00Z"}});
        assert_eq!(restarts_text(&pod("Running", json!([main]), json!({})), now), "3 (5m ago)");

        let mut init = container("x", json!({"terminated": {"exitCode": 0, "reason": "Completed"}}));
        init["restartCount"] = json!(7);
        let initialized = pod_with_inits("Running", json!([{"name": "x"}]), json!([init]), json!([running()]), json!({}));
        assert_eq!(restarts(&initialized), 0, "init containers no longer count");
    }
}

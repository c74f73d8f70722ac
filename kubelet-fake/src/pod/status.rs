//! The status of a pod, from what the runtime has of it and what was told before.
//!
//! Must not know: how it is sent, what is done next.

use k8s_openapi::{
    api::core::v1::{
        Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, HostIP,
        PodCondition, PodIP, PodStatus, VolumeMountStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::condition;

use super::{Scene, Verdict, Waiting, is_over, is_sidecar};
use crate::{
    probe,
    runtime::{self, Exit, State},
};

/// The conditions a kubelet sets. Others belong to others and are left alone.
pub(crate) const OWN_CONDITIONS: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// The status of a container as told before.
pub(super) fn told<'a>(status: &'a PodStatus, name: &str) -> Option<&'a ContainerStatus> {
    all(status).find(|container| container.name == name)
}

/// Whether two statuses say the same about every container.
pub(super) fn same_containers(one: &PodStatus, other: &PodStatus) -> bool {
    one.phase == other.phase
        && one.container_statuses == other.container_statuses
        && one.init_container_statuses == other.init_container_statuses
}

/// The status of the pod as it is.
pub(super) fn compute(scene: &Scene<'_>, waiting: &Waiting, verdict: Option<&Verdict>) -> PodStatus {
    let mut status = scene.memory.told.clone();
    if is_over(&status) && scene.observed.containers.is_empty() {
        // It ended in an earlier life of the kubelet, or before anything ran.
        return status;
    }
    status.start_time.get_or_insert(Time(scene.now));
    status.observed_generation = scene.pod.metadata.generation;
    if status.qos_class.is_none() {
        status.qos_class = scene.pod.spec.as_ref().map(|spec| mini_api::pod::qos(spec).to_owned());
    }
    if let Some(verdict) = verdict.filter(|verdict| verdict.rejected) {
        return fail(status, verdict);
    }
    let host = scene.host_ip.to_string();
    status.host_ips = Some(vec![HostIP { ip: host.clone() }]);
    status.host_ip = Some(host);
    if let Some(ip) = scene.memory.ip.map(|ip| ip.to_string()) {
        status.pod_ips = Some(vec![PodIP { ip: ip.clone() }]);
        status.pod_ip = Some(ip);
    }
    let Some(spec) = scene.spec() else { return status };
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    let default = if inits.is_empty() { "ContainerCreating" } else { "PodInitializing" };
    let containers = |list: &[Container]| list.iter().map(|spec| container(scene, spec, default, waiting)).collect::<Vec<_>>();
    status.init_container_statuses = (!inits.is_empty()).then(|| containers(inits));
    status.container_statuses = Some(containers(&spec.containers));
    if !is_over(&scene.memory.told) {
        status.phase = Some(phase(scene, &status).to_owned());
    }
    if let Some(verdict) = verdict.filter(|_| scene.running().next().is_none()) {
        status = fail(status, verdict);
    }
    conditions(scene, &mut status);
    status
}

fn fail(status: PodStatus, verdict: &Verdict) -> PodStatus {
    let (reason, message) = (Some(verdict.reason.clone()), Some(verdict.message.clone()));
    PodStatus { phase: Some("Failed".to_owned()), reason, message, ..status }
}

fn all(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    status.init_container_statuses.iter().chain(&status.container_statuses).flatten()
}

/// The status of one container.
fn container(scene: &Scene<'_>, spec: &Container, default: &'static str, waiting: &Waiting) -> ContainerStatus {
    let old = told(&scene.memory.told, &spec.name);
    let runs = scene.runs(&spec.name);
    let mut status = match old {
        Some(old) => old.clone(),
        None => ContainerStatus { name: spec.name.clone(), ..ContainerStatus::default() },
    };
    (status.ready, status.started) = (false, Some(false));
    if status.image.is_empty() {
        status.image = spec.image.clone().unwrap_or_default();
    }
    let old_state = status.state.take().unwrap_or_default();
    let state = match runs.first() {
        Some(newest) => {
            identify(&mut status, spec, newest);
            if let Some(State::Exited(exit)) = runs.get(1).map(|previous| &previous.state) {
                status.last_state = Some(terminated(&runs[1].id, exit));
            }
            match &newest.state {
                State::Running { started } => {
                    let health = probe::health(spec, *started, scene.now);
                    (status.ready, status.started) = (health.ready, Some(health.started));
                    ContainerState { running: Some(ContainerStateRunning { started_at: Some(Time(*started)) }), ..Default::default() }
                }
                State::Exited(exit) => {
                    let ended = terminated(&newest.id, exit);
                    // Until the next run begins, a back-off stays what was told.
                    let waits = old_state.waiting.is_some() && old.is_some_and(|old| old.last_state.as_ref() == Some(&ended));
                    match waiting.get(&spec.name).map(|(reason, message)| wait(reason, Some(message))) {
                        Some(state) => {
                            status.last_state = Some(ended);
                            state
                        }
                        None if waits => {
                            status.last_state = Some(ended);
                            old_state
                        }
                        None => {
                            status.ready = exit.code == 0 && !is_sidecar(spec) && scene.is_init(&spec.name);
                            ended
                        }
                    }
                }
            }
        }
        None => match waiting.get(&spec.name) {
            Some((reason, message)) => {
                if old_state.terminated.is_some() {
                    status.last_state = Some(old_state);
                }
                wait(reason, Some(message))
            }
            None if old_state.terminated.is_some() || old_state.waiting.is_some() => {
                status.ready = old.is_some_and(|old| old.ready);
                old_state
            }
            None => wait(default, None),
        },
    };
    status.state = Some(state);
    status
}

/// What is known of a container once it was created.
fn identify(status: &mut ContainerStatus, spec: &Container, container: &runtime::Container) {
    status.container_id = Some(container.id.to_string());
    status.image.clone_from(&container.image.reference);
    status.image_id.clone_from(&container.image.id);
    status.restart_count = container.attempt.try_into().unwrap_or(i32::MAX);
    status.resources.clone_from(&spec.resources);
    status.allocated_resources = spec.resources.as_ref().and_then(|resources| resources.requests.clone());
    let mounts = spec.volume_mounts.iter().flatten().map(|mount| VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: mount.read_only.filter(|only| *only),
        recursive_read_only: mount.read_only.filter(|only| *only).map(|_| "Disabled".to_owned()),
        ..VolumeMountStatus::default()
    });
    status.volume_mounts = Some(mounts.collect::<Vec<_>>()).filter(|mounts| !mounts.is_empty());
}

fn wait(reason: &str, message: Option<&String>) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message: message.cloned() };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

fn terminated(id: &str, exit: &Exit) -> ContainerState {
    let terminated = ContainerStateTerminated {
        container_id: Some(id.to_owned()),
        exit_code: exit.code,
        reason: Some(if exit.code == 0 { "Completed" } else { "Error" }.to_owned()),
        started_at: Some(Time(exit.started)),
        finished_at: Some(Time(exit.finished)),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// Upstream's rules for the phase.
fn phase(scene: &Scene<'_>, status: &PodStatus) -> &'static str {
    let policy = scene.spec().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let ended = |container: &ContainerStatus| container.state.as_ref().and_then(|state| state.terminated.as_ref()).map(|end| end.exit_code);
    let mains = status.container_statuses.as_deref().unwrap_or_default();
    let began = mains.iter().any(|main| main.container_id.is_some());
    let plain = |container: &&ContainerStatus| !scene.is_sidecar(&container.name);
    for init in status.init_container_statuses.iter().flatten().filter(plain) {
        match ended(init) {
            Some(0) => {}
            Some(_) if policy == "Never" => return "Failed",
            _ if began => {}
            _ => return "Pending",
        }
    }
    let (mut running, mut waiting, mut stopped, mut succeeded) = (0, 0, 0, 0);
    for main in mains {
        let state = main.state.clone().unwrap_or_default();
        if state.running.is_some() {
            running += 1;
        } else if let Some(code) = ended(main) {
            stopped += 1;
            succeeded += usize::from(code == 0);
        } else if main.last_state.as_ref().is_some_and(|last| last.terminated.is_some()) {
            stopped += 1;
        } else {
            waiting += 1;
        }
    }
    let final_stop = scene.is_terminating() && stopped > 0 && waiting == 0;
    match policy {
        _ if waiting > 0 => "Pending",
        _ if running > 0 => "Running",
        _ if stopped == succeeded && (policy != "Always" || final_stop) => "Succeeded",
        "Never" => "Failed",
        _ if final_stop => "Failed",
        _ => "Running",
    }
}

/// Sets the kubelet's conditions, each with the time of its last true transition, and keeps those of others.
fn conditions(scene: &Scene<'_>, status: &mut PodStatus) {
    let generation = scene.pod.metadata.generation;
    let mut old = status.conditions.take();
    let scheduled = condition::find(&old, "PodScheduled").cloned();
    let over = is_over(status);
    let network = if scene.memory.ip.is_some() && !over { condition::TRUE } else { condition::FALSE };
    let containers = containers_ready(status);
    let answers = [
        (OWN_CONDITIONS[0], Answer { status: network, reason: None, message: None }),
        (OWN_CONDITIONS[1], initialized(scene, status)),
        (OWN_CONDITIONS[2], ready(scene, containers.clone())),
        (OWN_CONDITIONS[3], containers),
    ];
    for (kind, answer) in answers {
        let new = PodCondition {
            type_: kind.to_owned(),
            status: answer.status.to_owned(),
            reason: answer.reason.map(str::to_owned),
            message: answer.message,
            observed_generation: generation,
            last_transition_time: Some(Time(scene.now)),
            ..PodCondition::default()
        };
        condition::set(&mut old, new);
    }
    if scheduled.is_none_or(|scheduled| scheduled.status != condition::TRUE) {
        let new = PodCondition {
            type_: OWN_CONDITIONS[4].to_owned(),
            status: condition::TRUE.to_owned(),
            observed_generation: generation,
            last_transition_time: Some(Time(scene.now)),
            ..PodCondition::default()
        };
        condition::set(&mut old, new);
    }
    let place = |kind: &str| OWN_CONDITIONS.iter().position(|own| *own == kind).unwrap_or(OWN_CONDITIONS.len());
    if let Some(conditions) = &mut old {
        conditions.sort_by_key(|condition| place(&condition.type_));
    }
    status.conditions = old;
}

/// A condition without its times.
#[derive(Clone)]
struct Answer {
    status: &'static str,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Answer {
    const YES: Self = Self { status: condition::TRUE, reason: None, message: None };

    fn no(reason: &'static str, message: Option<String>) -> Self {
        Self { status: condition::FALSE, reason: Some(reason), message }
    }
}

fn initialized(scene: &Scene<'_>, status: &PodStatus) -> Answer {
    if status.phase.as_deref() == Some("Succeeded") {
        return Answer { reason: Some("PodCompleted"), ..Answer::YES };
    }
    let began = status.container_statuses.iter().flatten().any(|main| main.container_id.is_some());
    let done = |init: &&ContainerStatus| began || init.ready || (scene.is_sidecar(&init.name) && init.started == Some(true));
    let incomplete: Vec<_> =
        status.init_container_statuses.iter().flatten().filter(|init| !done(init)).map(|init| init.name.as_str()).collect();
    if incomplete.is_empty() {
        return Answer::YES;
    }
    Answer::no("ContainersNotInitialized", Some(format!("containers with incomplete status: [{}]", incomplete.join(" "))))
}

fn containers_ready(status: &PodStatus) -> Answer {
    match status.phase.as_deref() {
        Some("Succeeded") => return Answer::no("PodCompleted", None),
        Some("Failed") => return Answer::no("PodFailed", None),
        _ => {}
    }
    let unready: Vec<_> = status.container_statuses.iter().flatten().filter(|main| !main.ready).map(|main| main.name.as_str()).collect();
    if unready.is_empty() {
        return Answer::YES;
    }
    Answer::no("ContainersNotReady", Some(format!("containers with unready status: [{}]", unready.join(" "))))
}

/// Containers and readiness gates together.
fn ready(scene: &Scene<'_>, containers: Answer) -> Answer {
    let gates = scene.spec().and_then(|spec| spec.readiness_gates.as_deref()).unwrap_or_default();
    if containers.status != condition::TRUE || gates.is_empty() {
        return containers;
    }
    let none = None;
    let live = scene.pod.status.as_ref().map_or(&none, |status| &status.conditions);
    let closed = gates.iter().filter_map(|gate| {
        let kind = &gate.condition_type;
        match condition::find(live, kind) {
            None => Some(format!("corresponding condition of pod readiness gate {kind:?} does not exist.")),
            Some(found) if found.status != condition::TRUE => {
                Some(format!("the status of pod readiness gate {kind:?} is not \"True\", but {}", found.status))
            }
            Some(_) => None,
        }
    });
    let messages: Vec<_> = closed.collect();
    if messages.is_empty() { Answer::YES } else { Answer::no("ReadinessGatesNotReady", Some(messages.join(", "))) }
}

impl Scene<'_> {
    fn is_init(&self, name: &str) -> bool {
        self.spec().is_some_and(|spec| spec.init_containers.iter().flatten().any(|init| init.name == name))
    }

    fn is_sidecar(&self, name: &str) -> bool {
        self.spec().is_some_and(|spec| spec.init_containers.iter().flatten().any(|init| init.name == name && is_sidecar(init)))
    }
}

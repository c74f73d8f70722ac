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

use super::{Scene, Verdict, Waiting, is_over, is_sidecar, prober, restart};
use crate::runtime::{self, Exit, State, ordinary_form};

/// The condition of a pod that is ended for its node's sake. Others set it too; the reason says who.
pub(crate) const DISRUPTED: &str = "DisruptionTarget";
/// The reason a kubelet gives for it.
pub(crate) const TERMINATED: &str = "TerminationByKubelet";
/// How many bytes the messages of all containers of a pod may have together.
const MESSAGES: usize = 12 * 1024;

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
        && one.ephemeral_container_statuses == other.ephemeral_container_statuses
}

/// What the probes made of each container.
pub(super) fn readiness(status: &PodStatus) -> Vec<(bool, Option<bool>)> {
    all(status).map(|container| (container.ready, container.started)).collect()
}

/// The status of the pod as it is.
pub(super) fn compute(scene: &Scene<'_>, waiting: &Waiting, verdict: Option<&Verdict>) -> PodStatus {
    let mut status = PodStatus::clone(&scene.memory.told);
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
    if let Some(list) = &spec.ephemeral_containers {
        let list: Vec<_> = list.iter().map(ordinary_form).collect();
        let ephemeral = containers(&list).into_iter().map(|status| ContainerStatus { ready: false, started: None, ..status });
        status.ephemeral_container_statuses = Some(ephemeral.collect());
    }
    if !is_over(&scene.memory.told) {
        status.phase = Some(phase(scene, &status).to_owned());
    }
    if let Some(verdict) = verdict.filter(|_| scene.running().next().is_none()) {
        status = fail(status, verdict);
    }
    if let Some(verdict) = verdict.filter(|verdict| verdict.disrupted) {
        let new = PodCondition {
            type_: DISRUPTED.to_owned(),
            status: condition::TRUE.to_owned(),
            reason: Some(TERMINATED.to_owned()),
            message: Some(verdict.message.clone()),
            observed_generation: scene.pod.metadata.generation,
            last_transition_time: Some(Time(scene.now)),
            ..PodCondition::default()
        };
        condition::set_pod(&mut status, new);
    }
    if scene.is_terminating() && scene.running().next().is_none() && !is_over(&scene.memory.told) {
        give_up(&mut status);
    }
    conditions(scene, &mut status);
    status
}

/// A status of a pod that will have ended once nothing runs any more: until then its phase is what it was.
pub(super) fn not_yet(status: PodStatus, told: &PodStatus) -> PodStatus {
    let phase = told.phase.clone().or(Some("Pending".to_owned()));
    PodStatus { phase, conditions: told.conditions.clone(), ..status }
}

/// A pod that goes has ended, even if nothing of it ever ran: whoever waits for its end must not wait for ever.
fn give_up(status: &mut PodStatus) {
    if !is_over(status) {
        status.phase = Some("Failed".to_owned());
    }
    let initialized = status.init_container_statuses.iter().flatten().all(|init| init.ready);
    for main in status.container_statuses.iter_mut().flatten().filter(|_| initialized) {
        if main.state.as_ref().is_none_or(|state| state.terminated.is_none()) {
            // What waited to be started again has ended as it did last.
            let last = main.last_state.take().filter(|last| last.terminated.is_some());
            main.state = last.or_else(|| Some(unknown("The container could not be located when the pod was terminated")));
        }
    }
}

/// The state of a container of which nobody knows how it ended.
pub(super) fn unknown(message: &str) -> ContainerState {
    let terminated = ContainerStateTerminated {
        reason: Some("ContainerStatusUnknown".to_owned()),
        message: Some(message.to_owned()),
        exit_code: 137,
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

fn fail(status: PodStatus, verdict: &Verdict) -> PodStatus {
    let (reason, message) = (Some(verdict.reason.clone()), Some(verdict.message.clone()));
    PodStatus { phase: Some("Failed".to_owned()), reason, message, ..status }
}

fn all(status: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let main = status.init_container_statuses.iter().chain(&status.container_statuses);
    main.chain(&status.ephemeral_container_statuses).flatten()
}

/// The status of one container.
fn container(scene: &Scene<'_>, spec: &Container, default: &'static str, waiting: &Waiting) -> ContainerStatus {
    let old = told(&scene.memory.told, &spec.name);
    let mut runs = scene.runs(&spec.name);
    let mut status = match old {
        Some(old) => old.clone(),
        None => ContainerStatus { name: spec.name.clone(), ..ContainerStatus::default() },
    };
    if let (Some(old), Some(newest)) = (old, runs.first())
        && scene.is_replaced(newest)
        && !waiting.contains_key(&spec.name)
    {
        // Its next run tells of both.
        return old.clone();
    }
    if runs.first().is_some_and(|newest| scene.is_starting(newest)) {
        runs.remove(0);
    }
    (status.ready, status.started) = (false, Some(false));
    if status.image.is_empty() {
        status.image = spec.image.clone().unwrap_or_default();
    }
    let old_state = status.state.take().unwrap_or_default();
    let state = match runs.first() {
        Some(newest) => {
            identify(&mut status, spec, newest);
            if let Some(State::Exited(exit)) = runs.get(1).map(|previous| &previous.state) {
                status.last_state = Some(terminated(scene, &runs[1].id, exit));
            }
            match &newest.state {
                State::Running { started } => {
                    let health = prober::health(scene.memory, spec, &newest.id);
                    let main = is_sidecar(spec) || !scene.is_init(&spec.name);
                    (status.ready, status.started) = (health.ready && main, Some(health.started));
                    ContainerState { running: Some(ContainerStateRunning { started_at: Some(Time(*started)) }), ..Default::default() }
                }
                State::Exited(exit) => {
                    let ended = terminated(scene, &newest.id, exit);
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

fn terminated(scene: &Scene<'_>, id: &str, exit: &Exit) -> ContainerState {
    let count = scene.spec().map_or(1, |spec| {
        let more = spec.init_containers.as_ref().map_or(0, Vec::len) + spec.ephemeral_containers.as_ref().map_or(0, Vec::len);
        spec.containers.len() + more
    });
    let message = exit.message.as_deref().map(|message| message[..message.floor_char_boundary(MESSAGES / count.max(1))].to_owned());
    let terminated = ContainerStateTerminated {
        container_id: Some(id.to_owned()),
        exit_code: exit.code,
        reason: Some(exit.reason.to_owned()),
        message,
        started_at: Some(Time(exit.started)),
        finished_at: Some(Time(exit.finished)),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// Upstream's rules for the phase.
fn phase(scene: &Scene<'_>, status: &PodStatus) -> &'static str {
    let Some(spec) = scene.spec() else { return "Pending" };
    let code = |container: &ContainerStatus| container.state.as_ref()?.terminated.as_ref().map(|end| end.exit_code);
    let last = |container: &ContainerStatus| container.last_state.as_ref()?.terminated.as_ref().map(|end| end.exit_code);
    let runs = |container: &ContainerStatus| container.state.as_ref().is_some_and(|state| state.running.is_some());
    let mains = status.container_statuses.as_deref().unwrap_or_default();
    let began = mains.iter().any(|main| main.container_id.is_some());
    let (mut running, mut waiting, mut stopped, mut succeeded, mut pending, mut returning) = (0, 0, 0, 0, 0, 0);
    let inits = spec.init_containers.iter().flatten().zip(status.init_container_statuses.iter().flatten());
    for (init, told) in inits {
        if is_sidecar(init) {
            pending += usize::from(!began && if runs(told) { told.started != Some(true) } else { code(told).or(last(told)).is_none() });
            running += usize::from(runs(told));
        } else {
            match code(told) {
                Some(0) => {}
                Some(code) if !restart::is_due(spec, init, true, code) => return "Failed",
                _ if began => {}
                _ => pending += 1,
            }
        }
    }
    for (main, told) in spec.containers.iter().zip(mains) {
        match (runs(told), code(told), last(told)) {
            (true, ..) => running += 1,
            (_, Some(code), _) => {
                stopped += 1;
                succeeded += usize::from(code == 0);
                returning += usize::from(restart::is_due(spec, main, false, code));
            }
            (_, None, Some(code)) => {
                stopped += 1;
                returning += usize::from(restart::is_due(spec, main, false, code));
            }
            _ => waiting += 1,
        }
    }
    match () {
        () if pending > 0 || waiting > 0 => "Pending",
        () if running > 0 => "Running",
        () if stopped == 0 => "Pending",
        () if returning > 0 && !scene.is_terminating() => "Running",
        () if stopped == succeeded => "Succeeded",
        () => "Failed",
    }
}

/// Sets the kubelet's conditions, each with the time of its last true transition, and keeps those of others.
fn conditions(scene: &Scene<'_>, status: &mut PodStatus) {
    let generation = scene.pod.metadata.generation;
    let mut old = status.conditions.take();
    let scheduled = condition::find(&old, "PodScheduled").cloned();
    let over = is_over(status);
    let network = if scene.memory.ip.is_some() && !over { condition::TRUE } else { condition::FALSE };
    let containers = containers_ready(scene, status);
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

fn containers_ready(scene: &Scene<'_>, status: &PodStatus) -> Answer {
    match status.phase.as_deref() {
        Some("Succeeded") => return Answer::no("PodCompleted", None),
        Some("Failed") => return Answer::no("PodFailed", None),
        _ => {}
    }
    let sidecars = status.init_container_statuses.iter().flatten().filter(|init| scene.is_sidecar(&init.name));
    let relevant = sidecars.chain(status.container_statuses.iter().flatten());
    let unready: Vec<_> = relevant.filter(|one| !one.ready).map(|one| one.name.as_str()).collect();
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

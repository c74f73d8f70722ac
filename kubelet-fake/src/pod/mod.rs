//! What to do next with a pod: [`next`], a pure function of the pod, what the runtime has of it, and a little memory.
//!
//! It is called whenever anything may have changed and as often as one likes. It never waits: what takes time is an
//! [`Action`], whose outcome [`Memory::learn`] takes in before the next look. One start of a pod is, as upstream's,
//! Pulling, Pulled, Created, Started, and two statuses: ContainerCreating, then Running.
//!
//! Must not know: how actions are done, the API server, the clock.

pub(crate) mod admission;
mod backoff;
pub(crate) mod eviction;
mod memory;
pub(crate) mod prober;
mod remark;
mod restart;
mod run;
mod status;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodStatus};

pub(crate) use self::{
    memory::{Memory, Outcome, Unmounted, Unstarted, Verdict},
    remark::Remark,
    status::{DISRUPTED, OWN_CONDITIONS, TERMINATED},
};
use crate::runtime::{self, Exit, Image, Listing, State};

/// Upstream never gives a container less time than this to stop, in seconds.
const LEAST_GRACE: u64 = 2;

/// Everything [`next`] looks at.
pub(crate) struct Scene<'a> {
    /// The pod as the API server has it.
    pub(crate) pod: &'a Pod,
    /// The node's IP.
    pub(crate) host_ip: IpAddr,
    /// What the runtime has of it.
    pub(crate) observed: &'a Listing,
    /// What is remembered of it.
    pub(crate) memory: &'a Memory,
    /// The present moment.
    pub(crate) now: Timestamp,
}

/// What [`next`] decides.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// To be done in this order, before the next look.
    pub(crate) actions: Vec<Action>,
    /// To be asked meanwhile.
    pub(crate) probes: Vec<prober::Due>,
    /// To be said now, in this order.
    pub(crate) remarks: Vec<Remark>,
    /// The status to tell. `None`: nothing new, or a next step will tell it at once.
    pub(crate) status: Option<PodStatus>,
    /// When to look again even if nothing happens.
    pub(crate) wake: Option<Timestamp>,
    /// Everything has stopped and the pod is to be deleted: once the status is told, the object may go.
    pub(crate) release: bool,
    verdict: Option<Verdict>,
    marks: Vec<Mark>,
    probing: Vec<prober::Probing>,
}

/// Something to do that takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Make the volumes ready.
    Mount,
    /// Give the pod an IP.
    Network,
    /// Make the image present.
    Pull { container: String, image: String },
    /// Create and start a container; `after` is when the one before it had ended, `hook` whether a hook follows.
    Start { container: String, attempt: u32, image: Image, after: Option<Timestamp>, hook: bool },
    /// Run the hook of a container that was started.
    PostStart { container: String, id: Arc<str> },
    /// Run the hook of a container, wait until all with an earlier `turn` have stopped, and stop it; all within `grace`.
    Stop { container: String, id: Arc<str>, grace: Duration, turn: usize },
    /// Forget an ended container.
    Remove { id: Arc<str> },
}

/// Something to remember of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    /// Said about a subject.
    Said(String, String),
    /// A container is stopped only to be started again.
    Replacing { container: String, id: Arc<str> },
}

/// What to do next with a pod.
pub(crate) fn next(scene: &Scene<'_>) -> Step {
    let mut plan = Plan::default();
    let over = is_over(&scene.memory.told);
    let verdict = scene.memory.verdict.clone().or_else(|| scene.overdue(&mut plan));
    if scene.is_terminating() || over || verdict.is_some() {
        scene.wind_down(&mut plan, verdict.as_ref());
    } else {
        scene.run(&mut plan);
    }
    let mut status = status::compute(scene, &plan.waiting, verdict.as_ref());
    if is_over(&status) && !over && scene.running().next().is_some() {
        // It has ended for good once nothing runs any more.
        scene.wind_down(&mut plan, verdict.as_ref());
        status = status::not_yet(status, &scene.memory.told);
    }
    // A start is told by its result. Only when the containers look different already is there a story in between.
    let at_once = plan.actions.iter().any(|action| matches!(action, Action::Start { .. } | Action::Pull { .. } | Action::PostStart { .. }));
    let told = &*scene.memory.told;
    let news = if at_once { !status::same_containers(&status, told) } else { status != *told };
    let prober::Plan { probing, due, wake } = prober::advance(scene, is_over(&status));
    plan.wake(wake);
    Step {
        status: (news || !scene.memory.spoke).then_some(status),
        release: scene.is_terminating() && scene.running().next().is_none() && !scene.memory.released,
        verdict,
        actions: plan.actions,
        probes: due,
        remarks: plan.remarks,
        wake: plan.wake,
        marks: plan.marks,
        probing,
    }
}

/// What is to be asked and told of a pod while something is done with it: only its probes go on.
pub(crate) fn meanwhile(scene: &Scene<'_>) -> Step {
    let verdict = scene.memory.verdict.clone();
    let status = status::compute(scene, &Waiting::new(), verdict.as_ref());
    let told = &scene.memory.told;
    let over = is_over(&status);
    let prober::Plan { probing, due, wake } = prober::advance(scene, over);
    let news = !over && status::readiness(&status) != status::readiness(told);
    Step { status: news.then_some(status), verdict, probes: due, wake, probing, ..Step::default() }
}

/// What is left to do for a pod whose object is gone: stop and forget its containers.
pub(crate) fn clear(pod: &Pod, observed: &Listing) -> (Vec<Action>, Vec<Remark>) {
    let grace = grace(pod);
    let running = || observed.containers.iter().filter(|container| matches!(container.state, State::Running { .. }));
    let stop =
        |run: &runtime::Container| Action::Stop { container: run.name.clone(), id: run.id.clone(), grace, turn: turn(pod, &run.name) };
    let removals = observed.containers.iter().map(|container| Action::Remove { id: container.id.clone() });
    (running().map(stop).chain(removals).collect(), running().map(|container| Remark::killing(&container.name)).collect())
}

/// Whether a pod with this status has ended for good.
pub(crate) fn is_over(status: &PodStatus) -> bool {
    matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
}

/// Whether an init container keeps running beside the others.
fn is_sidecar(container: &Container) -> bool {
    mini_api::pod::is_restartable_init(container)
}

/// How long the containers of a pod may take to stop.
fn grace(pod: &Pod) -> Duration {
    let own = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let seconds = pod.metadata.deletion_grace_period_seconds.or(own).unwrap_or(30);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(LEAST_GRACE))
}

/// When a container is stopped among those of its pod: the sidecars last, the last of them first.
fn turn(pod: &Pod, name: &str) -> usize {
    let sidecars = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten()).filter(|init| is_sidecar(init));
    sidecars.rev().position(|sidecar| sidecar.name == name).map_or(0, |place| place + 1)
}

/// `NAME_NAMESPACE(UID)`, as upstream's messages name a pod.
pub(crate) fn full_name(pod: &Pod) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let meta = &pod.metadata;
    format!("{}_{}({})", text(&meta.name), text(&meta.namespace), text(&meta.uid))
}

/// The reason and message of a container that waits.
type Waiting = BTreeMap<String, (&'static str, String)>;

/// A step in the making.
#[derive(Default)]
struct Plan {
    actions: Vec<Action>,
    remarks: Vec<Remark>,
    waiting: Waiting,
    wake: Option<Timestamp>,
    marks: Vec<Mark>,
}

impl Plan {
    fn wake(&mut self, at: Option<Timestamp>) {
        self.wake = [self.wake, at].into_iter().flatten().min();
    }

    fn wait(&mut self, container: &str, reason: &'static str, message: String) {
        self.waiting.insert(container.to_owned(), (reason, message));
    }

    /// Whether what comes after must wait for what is planned: containers are started one after the other.
    fn is_held_up(&self) -> bool {
        self.actions
            .iter()
            .any(|action| matches!(action, Action::Pull { .. } | Action::PostStart { .. } | Action::Start { hook: true, .. }))
    }
}

/// The last run of a container.
enum Past<'a> {
    Never,
    Running(&'a runtime::Container),
    Ended { code: i32, finished: Option<Timestamp>, attempt: u32 },
}

impl<'a> Scene<'a> {
    fn spec(&self) -> Option<&'a PodSpec> {
        self.pod.spec.as_ref()
    }

    fn is_terminating(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }

    /// The containers of this name that the runtime has, newest first.
    fn runs(&self, name: &str) -> Vec<&'a runtime::Container> {
        let mut runs: Vec<_> = self.observed.containers.iter().filter(|container| container.name == name).collect();
        runs.sort_by_key(|container| std::cmp::Reverse(container.attempt));
        runs
    }

    fn running(&self) -> impl Iterator<Item = &'a runtime::Container> {
        self.observed.containers.iter().filter(|container| matches!(container.state, State::Running { .. }))
    }

    /// The container of this name that runs, if it is the newest.
    fn live(&self, name: &str) -> Option<(&'a runtime::Container, Timestamp)> {
        let newest =
            self.observed.containers.iter().filter(|container| container.name == name).max_by_key(|container| container.attempt)?;
        match newest.state {
            State::Running { started } => Some((newest, started)),
            State::Exited(_) => None,
        }
    }

    fn past(&self, name: &str) -> Past<'a> {
        if let Some(container) = self.runs(name).first() {
            return match &container.state {
                State::Running { .. } => Past::Running(container),
                State::Exited(Exit { code, finished, .. }) => {
                    Past::Ended { code: *code, finished: Some(*finished), attempt: container.attempt }
                }
            };
        }
        let told = status::told(&self.memory.told, name);
        match told.and_then(|told| Some((told.restart_count, told.state.as_ref()?.terminated.as_ref()?))) {
            Some((restarts, ended)) => Past::Ended { code: ended.exit_code, finished: None, attempt: restarts.unsigned_abs() },
            None => Past::Never,
        }
    }

    /// The verdict on a pod that has run longer than it may.
    fn overdue(&self, plan: &mut Plan) -> Option<Verdict> {
        let seconds = self.spec()?.active_deadline_seconds?;
        let start = self.memory.told.start_time.as_ref()?.0;
        let deadline = start.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        if self.now < deadline {
            plan.wake(Some(deadline));
            return None;
        }
        let message = "Pod was active on the node longer than the specified deadline".to_owned();
        self.once(plan, "", "deadline", || vec![Remark::pod(false, "DeadlineExceeded", &message)]);
        Some(Verdict { reason: "DeadlineExceeded".to_owned(), message, ..Verdict::default() })
    }

    /// Makes remarks about something unless they were made about the same before.
    fn once(&self, plan: &mut Plan, subject: &str, about: &str, remarks: impl FnOnce() -> Vec<Remark>) {
        if self.memory.said.get(subject).is_none_or(|said| said != about) {
            plan.marks.push(Mark::Said(subject.to_owned(), about.to_owned()));
            plan.remarks.extend(remarks());
        }
    }

    /// Stops all that runs.
    fn wind_down(&self, plan: &mut Plan, verdict: Option<&Verdict>) {
        let grace = verdict.and_then(|verdict| verdict.grace).unwrap_or_else(|| grace(self.pod));
        for container in self.running() {
            let turn = turn(self.pod, &container.name);
            let stop = Action::Stop { container: container.name.clone(), id: container.id.clone(), grace, turn };
            if !plan.actions.contains(&stop) {
                plan.actions.push(stop);
                let subject = format!("{}/Killing", container.name);
                self.once(plan, &subject, &container.id, || vec![Remark::killing(&container.name)]);
            }
        }
    }
}

#[cfg(test)]
mod tests;

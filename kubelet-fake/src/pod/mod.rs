//! What to do next with a pod: [`next`], a pure function of the pod, what the runtime has of it, and a little memory.
//!
//! It is called whenever anything may have changed and as often as one likes. It never waits: what takes time is an
//! [`Action`], whose outcome [`Memory::learn`] takes in before the next look. One start of a pod is, as upstream's,
//! Pulling, Pulled, Created, Started, and two statuses: ContainerCreating, then Running.
//!
//! Must not know: how actions are done, the API server, the clock.

pub(crate) mod admission;
mod backoff;
mod memory;
mod remark;
mod status;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::{Container, Pod, PodSpec, PodStatus},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

pub(crate) use self::{
    backoff::Backoff,
    memory::{Memory, Outcome, Verdict},
    remark::Remark,
    status::OWN_CONDITIONS,
};
use self::{
    backoff::go_seconds,
    memory::{Attempts, Pull},
};
use crate::{
    probe,
    runtime::{self, Exit, Image, Listing, State},
};

/// How long a failed pull is called ErrImagePull before it is called ImagePullBackOff.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

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
    /// To be said now, in this order.
    pub(crate) remarks: Vec<Remark>,
    /// The status to tell. `None`: nothing new, or a next step will tell it at once.
    pub(crate) status: Option<PodStatus>,
    /// When to look again even if nothing happens.
    pub(crate) wake: Option<Timestamp>,
    /// Everything has stopped and the pod is to be deleted: once the status is told, the object may go.
    pub(crate) release: bool,
    verdict: Option<Verdict>,
    said: Vec<(String, String)>,
}

/// Something to do that takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Give the pod an IP.
    Network,
    /// Make the image present.
    Pull { container: String, image: String },
    /// Create and start a container; `after` is when the one before it had ended.
    Start { container: String, attempt: u32, image: Image, after: Option<Timestamp> },
    /// Stop a container within `grace`.
    Stop { id: Arc<str>, grace: Duration },
    /// Forget an ended container.
    Remove { id: Arc<str> },
}

/// What to do next with a pod.
pub(crate) fn next(scene: &Scene<'_>) -> Step {
    let mut plan = Plan::default();
    let over = is_over(&scene.memory.told);
    let verdict = scene.memory.verdict.clone().or_else(|| scene.overdue(&mut plan));
    if scene.is_terminating() || over || verdict.is_some() {
        scene.wind_down(&mut plan);
    } else {
        scene.run(&mut plan);
    }
    let status = status::compute(scene, &plan.waiting, verdict.as_ref());
    if is_over(&status) && !over {
        scene.wind_down(&mut plan);
    }
    // A start is told by its result. Only when the containers look different already is there a story in between.
    let at_once = plan.actions.iter().any(|action| matches!(action, Action::Start { .. } | Action::Pull { .. }));
    let told = &scene.memory.told;
    let news = if at_once { !status::same_containers(&status, told) } else { status != *told };
    Step {
        status: (news || !scene.memory.spoke).then_some(status),
        release: scene.is_terminating() && scene.running().next().is_none() && !scene.memory.released,
        verdict,
        actions: plan.actions,
        remarks: plan.remarks,
        wake: plan.wake,
        said: plan.said,
    }
}

/// What is left to do for a pod whose object is gone: stop and forget its containers.
pub(crate) fn clear(pod: &Pod, observed: &Listing) -> (Vec<Action>, Vec<Remark>) {
    let grace = grace(pod);
    let running = || observed.containers.iter().filter(|container| matches!(container.state, State::Running { .. }));
    let stops = running().map(|container| Action::Stop { id: container.id.clone(), grace });
    let removals = observed.containers.iter().map(|container| Action::Remove { id: container.id.clone() });
    (stops.chain(removals).collect(), running().map(|container| Remark::killing(&container.name)).collect())
}

/// Whether a pod with this status has ended for good.
pub(crate) fn is_over(status: &PodStatus) -> bool {
    matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"))
}

/// Whether anything that [`next`] looks at may differ between two versions of a pod, but for its status.
pub(crate) fn differs(old: &ObjectMeta, new: &ObjectMeta) -> bool {
    // The generation moves with the spec. Who has none is not trusted to.
    new.generation.is_none()
        || old.generation != new.generation
        || old.deletion_timestamp != new.deletion_timestamp
        || old.deletion_grace_period_seconds != new.deletion_grace_period_seconds
        || old.annotations != new.annotations
}

/// Whether an init container keeps running beside the others.
fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// How long the containers of a pod may take to stop.
fn grace(pod: &Pod) -> Duration {
    let own = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let seconds = pod.metadata.deletion_grace_period_seconds.or(own).unwrap_or(30);
    Duration::from_secs(seconds.try_into().unwrap_or(0))
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
    said: Vec<(String, String)>,
}

impl Plan {
    fn wake(&mut self, at: Option<Timestamp>) {
        self.wake = [self.wake, at].into_iter().flatten().min();
    }

    fn wait(&mut self, container: &str, reason: &'static str, message: String) {
        self.waiting.insert(container.to_owned(), (reason, message));
    }
}

/// The last run of a container.
enum Past {
    Never,
    Running(Timestamp),
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

    fn past(&self, name: &str) -> Past {
        if let Some(container) = self.runs(name).first() {
            return match &container.state {
                State::Running { started } => Past::Running(*started),
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
        Some(Verdict { reason: "DeadlineExceeded".to_owned(), message, rejected: false })
    }

    /// Makes remarks about something unless they were made about the same before.
    fn once(&self, plan: &mut Plan, subject: &str, about: &str, remarks: impl FnOnce() -> Vec<Remark>) {
        if self.memory.said.get(subject).is_none_or(|said| said != about) {
            plan.said.push((subject.to_owned(), about.to_owned()));
            plan.remarks.extend(remarks());
        }
    }

    fn wind_down(&self, plan: &mut Plan) {
        let grace = grace(self.pod);
        for container in self.running() {
            let stop = Action::Stop { id: container.id.clone(), grace };
            if !plan.actions.contains(&stop) {
                plan.actions.push(stop);
                let subject = format!("{}/Killing", container.name);
                self.once(plan, &subject, &container.id, || vec![Remark::killing(&container.name)]);
            }
        }
    }

    fn run(&self, plan: &mut Plan) {
        let Some(spec) = self.spec() else { return };
        if self.memory.lost {
            let message = "Pod sandbox changed, it will be killed and re-created.";
            self.once(plan, "SandboxChanged", "", || vec![Remark::pod(false, "SandboxChanged", message)]);
        }
        if self.memory.ip.is_none() {
            plan.actions.push(Action::Network);
        }
        let policy = spec.restart_policy.as_deref().unwrap_or("Always");
        if self.initialize(spec, policy, plan) {
            for container in &spec.containers {
                let policy = container.restart_policy.as_deref().unwrap_or(policy);
                match self.past(&container.name) {
                    Past::Running(_) if policy != "Never" && self.changed(container) => self.replace(container, plan),
                    Past::Running(since) => plan.wake(probe::health(container, since, self.now).changes),
                    Past::Ended { code, .. } if policy == "Never" || (policy == "OnFailure" && code == 0) => {}
                    past => self.bring_up(container, &past, plan),
                }
            }
        }
        for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
            for old in self.runs(&container.name).into_iter().skip(2) {
                plan.actions.push(Action::Remove { id: old.id.clone() });
            }
        }
    }

    /// Whether a container runs from another image than the pod has now.
    fn changed(&self, container: &Container) -> bool {
        self.runs(&container.name).first().is_some_and(|run| container.image.as_ref() != Some(&run.asked))
    }

    /// Stops a container so that it is started again as the pod has it now.
    fn replace(&self, container: &Container, plan: &mut Plan) {
        let name = &container.name;
        if let Some(run) = self.runs(name).first() {
            plan.actions.push(Action::Stop { id: run.id.clone(), grace: grace(self.pod) });
            let message = format!("Container {name} definition changed, will be restarted");
            self.once(plan, &format!("{name}/Killing"), &run.id, || vec![Remark::normal(name, "Killing", message)]);
        }
    }

    /// Brings the init containers forward. Returns whether the main containers may run.
    fn initialize(&self, spec: &PodSpec, policy: &str, plan: &mut Plan) -> bool {
        let began = spec.containers.iter().any(|container| !self.runs(&container.name).is_empty());
        for container in spec.init_containers.iter().flatten() {
            let past = self.past(&container.name);
            if is_sidecar(container) {
                let started = if let Past::Running(since) = past {
                    let health = probe::health(container, since, self.now);
                    plan.wake(health.changes);
                    health.started
                } else {
                    self.bring_up(container, &past, plan);
                    false
                };
                if !started && !began {
                    return false;
                }
                continue;
            }
            match past {
                _ if began => {}
                Past::Ended { code: 0, .. } => {}
                Past::Running(_) => return false,
                Past::Ended { .. } if policy == "Never" => return false,
                past => {
                    self.bring_up(container, &past, plan);
                    return false;
                }
            }
        }
        true
    }

    /// Takes the next step towards a running container: wait, pull or start.
    fn bring_up(&self, container: &Container, past: &Past, plan: &mut Plan) {
        let name = &container.name;
        if plan.actions.iter().any(|action| matches!(action, Action::Pull { .. })) {
            return;
        }
        let fresh = Attempts::default();
        let attempts = self.memory.containers.get(name).unwrap_or(&fresh);
        if self.must_wait(name, attempts, past, plan) {
            return;
        }
        let Some(image) = self.image(container, attempts, plan) else { return };
        let (attempt, after) = match past {
            Past::Ended { attempt, finished, .. } => (attempt + 1, *finished),
            _ => (status::told(&self.memory.told, name).map_or(0, |told| told.restart_count.unsigned_abs()), None),
        };
        plan.actions.push(Action::Start { container: name.clone(), attempt, image, after });
    }

    /// Whether a back-off holds up the start of a container; says so in the plan.
    fn must_wait(&self, name: &str, attempts: &Attempts, past: &Past, plan: &mut Plan) -> bool {
        let Some(backoff) = attempts.crash else { return false };
        let (since, failure) = match (&attempts.failure, past) {
            (Some((message, at)), _) => (*at, Some(message)),
            (None, Past::Ended { finished: Some(finished), .. }) => (*finished, None),
            _ => return false,
        };
        let Some(until) = backoff.until(since).filter(|until| *until > self.now) else { return false };
        plan.wake(Some(until));
        if let Some(message) = failure {
            plan.wait(name, "CreateContainerError", message.clone());
            return true;
        }
        let meta = &self.pod.metadata;
        let text = |value: &'a Option<String>| value.as_deref().unwrap_or_default();
        let pod = format!("{}_{}({})", text(&meta.name), text(&meta.namespace), text(&meta.uid));
        let wait = go_seconds(backoff.wait);
        plan.wait(name, "CrashLoopBackOff", format!("back-off {wait} restarting failed container={name} pod={pod}"));
        self.once(plan, &format!("{name}/BackOff"), &since.to_string(), || {
            vec![Remark::warning(name, "BackOff", format!("Back-off restarting failed container {name} in pod {pod}"))]
        });
        true
    }

    /// The image to start a container from. `None`: it must be pulled first, or waited for; the plan says which.
    fn image(&self, container: &Container, attempts: &Attempts, plan: &mut Plan) -> Option<Image> {
        let name = &container.name;
        let image = container.image.as_deref().unwrap_or_default();
        match &attempts.pull {
            Pull::Done(found) => return Some(found.clone()),
            Pull::Failed { message, at } => {
                let until = attempts.pull_backoff.and_then(|backoff| backoff.until(*at)).filter(|until| *until > self.now);
                if let Some(until) = until {
                    if self.now < *at + FRESH {
                        plan.wait(name, "ErrImagePull", message.clone());
                        plan.wake(Some(*at + FRESH));
                    } else {
                        plan.wait(name, "ImagePullBackOff", format!("Back-off pulling image {image:?}: ErrImagePull: {message}"));
                        plan.wake(Some(until));
                        self.once(plan, &format!("{name}/ImagePullBackOff"), &at.to_string(), || Remark::pull_backoff(name, image));
                    }
                    return None;
                }
            }
            Pull::Open => {
                let present = self.observed.images.get(image);
                match (container.image_pull_policy.as_deref(), present) {
                    (Some("Always"), _) => {}
                    (_, Some(found)) => {
                        plan.remarks.push(Remark::present(name, image));
                        return Some(found.clone());
                    }
                    (Some("Never"), None) => {
                        let message = format!("Container image {image:?} is not present with pull policy of Never");
                        self.once(plan, &format!("{name}/ErrImageNeverPull"), image, || Remark::never_pull(name, &message));
                        plan.wait(name, "ErrImageNeverPull", message);
                        return None;
                    }
                    (_, None) => {}
                }
            }
        }
        plan.remarks.push(Remark::pulling(name, image));
        plan.actions.push(Action::Pull { container: name.clone(), image: image.to_owned() });
        None
    }
}

#[cfg(test)]
mod tests;

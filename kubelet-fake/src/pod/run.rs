//! Bringing the containers of a pod up and keeping them so, in upstream's order: volumes, network, ephemeral containers, init containers
//! one after the other, then all others.
//!
//! Must not know: how a pod is ended.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::{
    Action, Mark, Past, Plan, Remark, Scene,
    backoff::go_seconds,
    full_name, grace, is_sidecar,
    memory::{Attempts, Hook, Pull},
    prober::{self, Kind},
    restart, status, turn,
};
use crate::runtime::{self, Image, State, ordinary_form};

/// How long a failure is called by its name before it is called a back-off.
const FRESH: SignedDuration = SignedDuration::from_secs(1);

impl<'a> Scene<'a> {
    pub(super) fn run(&self, plan: &mut Plan) {
        let Some(spec) = self.spec() else { return };
        if self.is_done(spec) {
            // What runs beside the main containers ends after them.
            return self.wind_down(plan, None);
        }
        if !self.is_mounted(plan) {
            return;
        }
        if self.memory.lost {
            let message = "Pod sandbox changed, it will be killed and re-created.";
            self.once(plan, "SandboxChanged", "", || vec![Remark::pod(false, "SandboxChanged", message)]);
        }
        if self.memory.ip.is_none() {
            plan.actions.push(Action::Network);
        }
        for container in spec.ephemeral_containers.iter().flatten() {
            if matches!(self.past(&container.name), Past::Never) {
                self.bring_up(&ordinary_form(container), &Past::Never, plan);
            }
        }
        if self.initialize(spec, plan) {
            for container in &spec.containers {
                match self.past(&container.name) {
                    Past::Running(run) => {
                        self.attend(spec, container, run, false, plan);
                    }
                    Past::Ended { code, .. } if !restart::is_due(spec, container, false, code) => {}
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

    /// Whether the volumes are there; if not, the plan says what is done about it.
    fn is_mounted(&self, plan: &mut Plan) -> bool {
        if self.memory.mounted || self.spec().is_none_or(|spec| spec.volumes.as_ref().is_none_or(Vec::is_empty)) {
            return true;
        }
        match self.memory.unmounted.as_ref().map(|unmounted| unmounted.again) {
            Some(again) if again > self.now => plan.wake(Some(again)),
            _ => plan.actions.push(Action::Mount),
        }
        false
    }

    /// Brings the init containers forward. Returns whether the main containers may run.
    fn initialize(&self, spec: &'a PodSpec, plan: &mut Plan) -> bool {
        let began = spec.containers.iter().any(|container| !self.runs(&container.name).is_empty());
        for container in spec.init_containers.iter().flatten() {
            let past = self.past(&container.name);
            if is_sidecar(container) {
                let started = if let Past::Running(run) = past {
                    self.attend(spec, container, run, true, plan) && prober::health(self.memory, container, &run.id).started
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
                Past::Running(run) => {
                    self.attend(spec, container, run, true, plan);
                    return false;
                }
                Past::Ended { code: 0, .. } => {}
                Past::Ended { code, .. } if !restart::is_due(spec, container, true, code) => return false,
                past => {
                    self.bring_up(container, &past, plan);
                    return false;
                }
            }
        }
        true
    }

    /// Whether all main containers have ended for good.
    fn is_done(&self, spec: &PodSpec) -> bool {
        let ended = |container: &Container| match self.past(&container.name) {
            Past::Ended { code, .. } => !restart::is_due(spec, container, false, code),
            _ => false,
        };
        !spec.containers.is_empty() && spec.containers.iter().all(ended)
    }

    /// Looks after a container that runs. Returns whether it may go on running.
    fn attend(&self, spec: &PodSpec, container: &Container, run: &runtime::Container, init: bool, plan: &mut Plan) -> bool {
        let name = &container.name;
        let attempts = self.memory.containers.get(name);
        match attempts.map(|attempts| &attempts.hook) {
            Some(Hook::Pending(id)) if *id == run.id => {
                if !plan.is_held_up() {
                    plan.actions.push(Action::PostStart { container: name.clone(), id: run.id.clone() });
                }
                return false;
            }
            Some(Hook::Failed(id)) if *id == run.id => {
                self.replace(container, run, None, "FailedPostStartHook".to_owned(), false, plan);
                return false;
            }
            _ => {}
        }
        // Killed, it would end with 137.
        let again = restart::is_due(spec, container, init, 137);
        let (kind, mut message) = if again && container.image.as_ref() != Some(&run.asked) {
            (None, format!("Container {name} definition changed"))
        } else if let Some(kind) = prober::fatal(self.memory, &run.id) {
            (Some(kind), format!("Container {name} failed {} probe", kind.word()))
        } else {
            return true;
        };
        if again {
            message += ", will be restarted";
        }
        self.replace(container, run, kind, message, again, plan);
        false
    }

    /// Stops a container; `again` says that it is started once more.
    fn replace(&self, container: &Container, run: &runtime::Container, kind: Option<Kind>, why: String, again: bool, plan: &mut Plan) {
        let name = &container.name;
        let own = kind.and_then(|kind| kind.of(container)?.termination_grace_period_seconds);
        let grace = own.map_or_else(|| grace(self.pod), |seconds| std::time::Duration::from_secs(seconds.try_into().unwrap_or(0)));
        plan.actions.push(Action::Stop { container: name.clone(), id: run.id.clone(), grace, turn: turn(self.pod, name) });
        self.once(plan, &format!("{name}/Killing"), &run.id, || vec![Remark::normal(name, "Killing", why)]);
        if again {
            plan.marks.push(Mark::Replacing { container: name.clone(), id: run.id.clone() });
        }
    }

    /// Takes the next step towards a running container: wait, pull or start.
    fn bring_up(&self, container: &Container, past: &Past<'_>, plan: &mut Plan) {
        let name = &container.name;
        if plan.is_held_up() {
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
        let hook = container.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.post_start.is_some());
        plan.actions.push(Action::Start { container: name.clone(), attempt, image, after, hook });
    }

    /// Whether a back-off holds up the start of a container; says so in the plan.
    fn must_wait(&self, name: &str, attempts: &Attempts, past: &Past<'_>, plan: &mut Plan) -> bool {
        let failure = attempts.failure.as_ref();
        let say = |plan: &mut Plan| {
            if let Some(failure) = failure {
                plan.wait(name, failure.reason, failure.message.clone());
            }
        };
        if let Some(again) = failure.and_then(|failure| failure.again) {
            // There is no container: it is tried again after a while.
            say(plan);
            plan.wake(Some(again).filter(|again| *again > self.now));
            return again > self.now;
        }
        let Past::Ended { finished: Some(since), .. } = past else { return false };
        let Some((backoff, until)) = attempts.crash.and_then(|backoff| Some((backoff, backoff.until(*since)?))) else {
            say(plan);
            return false;
        };
        if until <= self.now {
            // Until the next start is told, it is what it was: a back-off.
            return false;
        }
        let pod = full_name(self.pod);
        let fresh = *since + FRESH;
        if self.now < fresh {
            say(plan);
            plan.wake(Some(fresh.min(until)));
        } else {
            let wait = go_seconds(backoff.wait);
            plan.wait(name, "CrashLoopBackOff", format!("back-off {wait} restarting failed container={name} pod={pod}"));
            plan.wake(Some(until));
        }
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

    /// Whether the newest container of this name is not to be seen yet: the hook that belongs to its start has not ended well.
    pub(super) fn is_starting(&self, newest: &runtime::Container) -> bool {
        let hook = self.memory.containers.get(&newest.name).map(|attempts| &attempts.hook);
        let waits = matches!(hook, Some(Hook::Pending(id) | Hook::Failed(id)) if *id == newest.id);
        waits && matches!(newest.state, State::Running { .. })
    }

    /// Whether this container was stopped only to be started again.
    pub(super) fn is_replaced(&self, newest: &runtime::Container) -> bool {
        self.memory.containers.get(&newest.name).is_some_and(|attempts| attempts.replacing.as_ref() == Some(&newest.id))
    }
}

/// When something that failed without leaving a container is tried again: 10 to 15 seconds later, as upstream's kubelet does, spread by name.
pub(super) fn retry(container: &str, at: Timestamp) -> Timestamp {
    let spread =
        container.bytes().fold(u64::from(at.subsec_nanosecond().unsigned_abs()), |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    at + SignedDuration::from_millis(10_000 + i64::try_from(spread % 5000).unwrap_or(0))
}

//! What the kubelet remembers of a pod between two looks at it, and how it learns.
//!
//! It is small on purpose: containers are looked up in the runtime, never here. What is here the runtime cannot know:
//! what was told to the API server, back-offs, the outcome of pulls, the IP.
//!
//! Must not know: the runtime, the API server, the clock.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStateWaiting, ContainerStatus, Pod, PodStatus};

use super::{
    Mark, Remark, Step,
    backoff::Backoff,
    is_over, is_sidecar,
    prober::{self, Answer, Due, Probing},
    run::retry,
};
use crate::runtime::{self, Image, Listing, RuntimeError, State};

/// For how long volumes are waited for before that is complained about: upstream's 2 minutes and 3 seconds.
const PATIENCE: SignedDuration = SignedDuration::from_secs(123);
/// When volumes that are not there are tried again, at first and at last.
const FIRST_RETRY: SignedDuration = SignedDuration::from_millis(500);
const LAST_RETRY: SignedDuration = SignedDuration::from_secs(122);

/// What is remembered of one pod.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The status last decided on; at first what the API server had, corrected for lost containers.
    pub(crate) told: Arc<PodStatus>,
    /// The pod's IP once it has a network.
    pub(crate) ip: Option<IpAddr>,
    /// Why the pod must fail, whatever its containers do.
    pub(crate) verdict: Option<Verdict>,
    /// By container name.
    pub(super) containers: BTreeMap<String, Attempts>,
    /// The probes of those that run.
    pub(super) probing: Vec<Probing>,
    /// Random bits, and those of the containers with probes that ran before this life of the kubelet.
    pub(super) inherited: Option<Box<(u64, Vec<Arc<str>>)>>,
    /// Whether the volumes are there.
    pub(super) mounted: bool,
    /// Why they are not.
    pub(super) unmounted: Option<Box<Waited>>,
    /// Whether a status has been decided on in this life of the kubelet.
    pub(super) spoke: bool,
    /// Whether containers that shall run are gone: the node rebooted, so to say.
    pub(super) lost: bool,
    /// Whether the object was released.
    pub(super) released: bool,
    /// Remarks that are made once, by subject, and what they were about the last time.
    pub(super) said: BTreeMap<String, String>,
}

/// Why a pod must fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `NodeAffinity`, `OutOfcpu`, `DeadlineExceeded`, …
    pub(crate) reason: String,
    /// The sentence for the user.
    pub(crate) message: String,
    /// The pod was never accepted on the node.
    pub(crate) rejected: bool,
    /// The kubelet ends it for the node's sake, which its conditions tell.
    pub(crate) disrupted: bool,
    /// How long its containers may take to stop, if not as long as the pod says.
    pub(crate) grace: Option<Duration>,
}

/// What happened so far while bringing up one container.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    pub(super) pull: Pull,
    pub(super) pull_backoff: Option<Backoff>,
    pub(super) crash: Option<Backoff>,
    /// How the last start failed.
    pub(super) failure: Option<Box<Failure>>,
    /// The hook that belongs to the last start.
    pub(super) hook: Hook,
    /// The container that was stopped only to be started again.
    pub(super) replacing: Option<Arc<str>>,
}

/// How a start failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// What the container's state says.
    pub(super) reason: &'static str,
    /// The sentence for the user.
    pub(super) message: String,
    /// When it is tried again. `None`: a container was left behind, whose end decides.
    pub(super) again: Option<Timestamp>,
}

/// The image for the next start.
#[derive(Clone, Debug, Default)]
pub(super) enum Pull {
    /// Nothing is known: the pull policy decides.
    #[default]
    Open,
    /// It was pulled for this start.
    Done(Image),
    /// It could not be pulled.
    Failed { message: String, at: Timestamp },
}

/// The hook of a container that was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Hook {
    /// There is none, or it has ended well.
    #[default]
    None,
    /// It is to be run.
    Pending(Arc<str>),
    /// It failed, so the container must go.
    Failed(Arc<str>),
}

/// How long volumes have been waited for.
#[derive(Clone, Debug)]
pub(super) struct Waited {
    /// When they are tried again.
    pub(super) again: Timestamp,
    pause: SignedDuration,
    /// When that is complained about.
    complain: Timestamp,
}

/// A volume that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmounted {
    /// Its name in the pod.
    pub(crate) volume: String,
    /// Why.
    pub(crate) why: String,
    /// It is not even known what it is: its claim is missing or not bound.
    pub(crate) unknown: bool,
}

/// Why a container was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unstarted {
    /// What it needs of the API is not there.
    Config(String),
    /// The runtime says so.
    Runtime(RuntimeError),
}

/// What became of an [`Action`](super::Action).
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The volumes are there, or not.
    Mounted(Vec<Unmounted>),
    /// The pod has a network.
    Networked(IpAddr),
    /// A pull has ended.
    Pulled { container: String, image: String, result: Result<Image, RuntimeError>, took: Duration },
    /// A container was started, or not; `after` is when the one before it had ended, `hook` whether a hook follows.
    Started { container: String, after: Option<Timestamp>, hook: bool, result: Result<Arc<str>, Unstarted> },
    /// The hook of a container that was started has ended.
    Hooked { container: String, id: Arc<str>, result: Result<(), String> },
}

impl Memory {
    /// The memory of a kubelet that sees a pod for the first time, together with what the runtime has of it.
    ///
    /// Containers that ran, as the API server knows, but are not there any more have ended in an unknown way. `seed` spreads the probes of
    /// those that are.
    pub(crate) fn adopt(pod: &Pod, observed: &Listing, seed: u64) -> Self {
        let mut told = pod.status.clone().unwrap_or_default();
        let ip = told.pod_ip.as_deref().and_then(|ip| ip.parse().ok());
        let mut lost = false;
        if !is_over(&told) {
            let spec = pod.spec.as_ref();
            let never = spec.and_then(|spec| spec.restart_policy.as_deref()) == Some("Never");
            let forever = never || pod.metadata.deletion_timestamp.is_some();
            let sidecar =
                |name: &str| spec.is_some_and(|spec| spec.init_containers.iter().flatten().any(|c| c.name == name && is_sidecar(c)));
            let missing = |status: &ContainerStatus| !observed.containers.iter().any(|container| container.name == status.name);
            for status in told.ephemeral_container_statuses.iter_mut().flatten().filter(|status| missing(status)) {
                lose(status, true);
            }
            let (inits, mains) = (&mut told.init_container_statuses, &mut told.container_statuses);
            for status in inits.iter_mut().chain(mains).flatten().filter(|status| missing(status)) {
                lost |= lose(status, forever) && !forever;
            }
            // A new sandbox begins with the init containers.
            for status in inits.iter_mut().flatten().filter(|status| lost && missing(status) && !sidecar(&status.name)) {
                begin_again(status);
            }
        }
        let running = |run: &&runtime::Container| matches!(run.state, State::Running { .. });
        let inherited: Vec<_> = observed.containers.iter().filter(running).map(|run| run.id.clone()).collect();
        let inherited = (!inherited.is_empty() && prober::any(pod)).then(|| Box::new((seed, inherited)));
        Self { told: Arc::new(told), ip, lost, inherited, ..Self::default() }
    }

    /// Keeps what a step decided. Returns the status if there is a new one to be told.
    pub(crate) fn keep(&mut self, step: &mut Step) -> Option<Arc<PodStatus>> {
        let news = step.status.take().map(Arc::new);
        if let Some(status) = &news {
            self.told = status.clone();
            self.spoke = true;
        }
        self.verdict.clone_from(&step.verdict);
        self.released |= step.release;
        self.probing = std::mem::take(&mut step.probing);
        for mark in step.marks.drain(..) {
            match mark {
                Mark::Said(subject, about) => drop(self.said.insert(subject, about)),
                Mark::Replacing { container, id } => self.containers.entry(container).or_default().replacing = Some(id),
            }
        }
        news
    }

    /// Whether there are probes to be asked.
    pub(crate) fn is_probed(&self) -> bool {
        !self.probing.is_empty()
    }

    /// Takes in what a probe answered, and returns what is to be said about it.
    pub(crate) fn probed(&mut self, container: &Container, due: &Due, answer: &Answer, now: Timestamp) -> Vec<Remark> {
        prober::learn(self, container, due, answer, now)
    }

    /// Takes in what became of an action, and returns what is to be said about it.
    pub(crate) fn learn(&mut self, outcome: Outcome, now: Timestamp) -> Vec<Remark> {
        match outcome {
            Outcome::Mounted(missing) => self.mount(&missing, now),
            Outcome::Networked(ip) => {
                self.ip = Some(ip);
                Vec::new()
            }
            Outcome::Pulled { container, image, result, took } => {
                let attempts = self.containers.entry(container.clone()).or_default();
                match result {
                    Ok(found) => {
                        let remark = Remark::pulled(&container, &image, found.size, took);
                        attempts.pull = Pull::Done(found);
                        attempts.pull_backoff = None;
                        vec![remark]
                    }
                    Err(error) => {
                        let message = error.to_string();
                        attempts.pull_backoff = Some(Backoff::after(attempts.pull_backoff, now));
                        let remarks = Remark::pull_failed(&container, &image, &message);
                        attempts.pull = Pull::Failed { message, at: now };
                        remarks
                    }
                }
            }
            Outcome::Started { container, after, hook, result } => self.started(container, after, hook, result, now),
            Outcome::Hooked { container, id, result } => {
                let attempts = self.containers.entry(container.clone()).or_default();
                match result {
                    Ok(()) => {
                        attempts.hook = Hook::None;
                        Vec::new()
                    }
                    Err(message) => {
                        attempts.hook = Hook::Failed(id);
                        attempts.failure = Some(Box::new(Failure { reason: "PostStartHookError", message, again: None }));
                        vec![Remark::warning(&container, "FailedPostStartHook", "PostStartHook failed".to_owned())]
                    }
                }
            }
        }
    }

    fn started(
        &mut self,
        container: String,
        after: Option<Timestamp>,
        hook: bool,
        result: Result<Arc<str>, Unstarted>,
        now: Timestamp,
    ) -> Vec<Remark> {
        let idle = !hook && after.is_none() && result.is_ok() && !self.containers.contains_key(&container);
        if idle {
            // Nothing to remember of a container that simply runs.
            return Remark::started(&container);
        }
        let attempts = self.containers.entry(container.clone()).or_default();
        attempts.pull = Pull::Open;
        (attempts.hook, attempts.failure, attempts.replacing) = (Hook::None, None, None);
        let made = matches!(result, Ok(_) | Err(Unstarted::Runtime(RuntimeError::Start(_))));
        if let Some(after) = after.filter(|_| made) {
            attempts.crash = Some(Backoff::after(attempts.crash, after));
        }
        let (reason, message) = match result {
            Ok(id) => {
                if hook {
                    attempts.hook = Hook::Pending(id);
                }
                let is_empty = attempts.crash.is_none() && attempts.pull_backoff.is_none() && attempts.hook == Hook::None;
                if is_empty {
                    self.containers.remove(&container);
                    if self.containers.is_empty() {
                        // An empty map may keep room for many.
                        self.containers = BTreeMap::new();
                    }
                }
                return Remark::started(&container);
            }
            Err(Unstarted::Config(message)) => ("CreateContainerConfigError", message),
            Err(Unstarted::Runtime(RuntimeError::Start(message))) => ("RunContainerError", message),
            Err(Unstarted::Runtime(error)) => ("CreateContainerError", error.to_string()),
        };
        let mut remarks = vec![Remark::warning(&container, "Failed", format!("Error: {message}"))];
        if made {
            remarks.insert(0, Remark::created(&container));
        }
        let again = (!made).then(|| retry(&container, now));
        attempts.failure = Some(Box::new(Failure { reason, message, again }));
        remarks
    }

    /// Takes in which volumes are missing.
    fn mount(&mut self, missing: &[Unmounted], now: Timestamp) -> Vec<Remark> {
        self.mounted = missing.is_empty();
        if missing.is_empty() {
            self.unmounted = None;
            return Vec::new();
        }
        let first = Waited { again: now, pause: FIRST_RETRY, complain: now + PATIENCE };
        let mut waited = self.unmounted.take().map_or(first, |waited| *waited);
        waited.again = now + waited.pause;
        waited.pause = (waited.pause * 2).min(LAST_RETRY);
        let setup = |one: &Unmounted| format!("MountVolume.SetUp failed for volume {:?} : {}", one.volume, one.why);
        let mut messages: Vec<_> = missing.iter().filter(|one| !one.unknown).map(setup).collect();
        let names = |wanted: &dyn Fn(&Unmounted) -> bool| {
            missing.iter().filter(|one| wanted(one)).map(|one| one.volume.as_str()).collect::<Vec<_>>().join(" ")
        };
        let (all, unknown) = (names(&|_| true), names(&|one| one.unknown));
        let complain = |why: &str| {
            format!(
                "Unable to attach or mount volumes: unmounted volumes=[{all}], unattached volumes=[], failed to process volumes=[{unknown}]: {why}"
            )
        };
        let strange: Vec<_> = missing.iter().filter(|one| one.unknown).map(|one| one.why.as_str()).collect();
        if !strange.is_empty() {
            messages.push(complain(&strange.join("; ")));
        } else if now >= waited.complain {
            messages.push(complain("context deadline exceeded"));
            waited.complain = now + PATIENCE;
        }
        self.unmounted = Some(Box::new(waited));
        messages.iter().map(|message| Remark::pod(true, "FailedMount", message)).collect()
    }
}

/// Corrects the status of a container that is not there. Returns whether it ran.
fn lose(status: &mut ContainerStatus, forever: bool) -> bool {
    let state = status.state.get_or_insert_default();
    if state.running.is_none() {
        // The back-off of a crash loop is forgotten with the kubelet's memory; its next run still is a further one.
        if state.waiting.is_some() && status.last_state.as_ref().is_some_and(|last| last.terminated.is_some()) {
            status.restart_count += 1;
        }
        return false;
    }
    let unknown = super::status::unknown("The container could not be located when the pod was deleted.  The container used to be Running");
    if forever {
        *state = unknown;
    } else {
        *state = waiting("ContainerCreating");
        status.last_state = Some(unknown);
        status.restart_count += 1;
    }
    status.ready = false;
    status.started = Some(false);
    true
}

fn begin_again(status: &mut ContainerStatus) {
    if status.state.as_ref().is_some_and(|state| state.terminated.is_some()) {
        status.last_state = status.state.replace(waiting("PodInitializing"));
        status.restart_count += 1;
        status.ready = false;
    }
}

fn waiting(reason: &str) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message: None };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

//! What the kubelet remembers of a pod between two looks at it, and how it learns.
//!
//! It is small on purpose: containers are looked up in the runtime, never here. What is here the runtime cannot know:
//! what was told to the API server, back-offs, the outcome of pulls, the IP.
//!
//! Must not know: the runtime, the API server, the clock.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod, PodStatus};

use super::{Backoff, Remark, Step, is_over, is_sidecar};
use crate::runtime::{Image, Listing, RuntimeError};

/// What is remembered of one pod.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The status last decided on; at first what the API server had, corrected for lost containers.
    pub(crate) told: PodStatus,
    /// The pod's IP once it has a network.
    pub(crate) ip: Option<IpAddr>,
    /// Why the pod must fail, whatever its containers do.
    pub(crate) verdict: Option<Verdict>,
    /// By container name.
    pub(super) containers: BTreeMap<String, Attempts>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `NodeAffinity`, `OutOfcpu`, `DeadlineExceeded`, …
    pub(crate) reason: String,
    /// The sentence for the user.
    pub(crate) message: String,
    /// The pod was never accepted on the node.
    pub(crate) rejected: bool,
}

/// What happened so far while bringing up one container.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    pub(super) pull: Pull,
    pub(super) pull_backoff: Option<Backoff>,
    pub(super) crash: Option<Backoff>,
    /// The last start failed with this message at this moment.
    pub(super) failure: Option<(String, Timestamp)>,
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

/// What became of an [`Action`](super::Action).
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The pod has a network.
    Networked(IpAddr),
    /// A pull has ended.
    Pulled { container: String, image: String, result: Result<Image, RuntimeError>, took: Duration },
    /// A container was started, or not; `after` is when the one before it had ended.
    Started { container: String, after: Option<Timestamp>, result: Result<(), RuntimeError> },
}

impl Memory {
    /// The memory of a kubelet that sees a pod for the first time, together with what the runtime has of it.
    ///
    /// Containers that ran, as the API server knows, but are not there any more have ended in an unknown way.
    pub(crate) fn adopt(pod: &Pod, observed: &Listing) -> Self {
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
            let (inits, mains) = (&mut told.init_container_statuses, &mut told.container_statuses);
            for status in inits.iter_mut().chain(mains).flatten().filter(|status| missing(status)) {
                lost |= lose(status, forever) && !forever;
            }
            // A new sandbox begins with the init containers.
            for status in inits.iter_mut().flatten().filter(|status| lost && missing(status) && !sidecar(&status.name)) {
                begin_again(status);
            }
        }
        Self { told, ip, lost, ..Self::default() }
    }

    /// Keeps what a step decided.
    pub(crate) fn keep(&mut self, step: &Step) {
        if let Some(status) = &step.status {
            self.told = status.clone();
            self.spoke = true;
        }
        self.verdict.clone_from(&step.verdict);
        self.released |= step.release;
        self.said.extend(step.said.iter().cloned());
    }

    /// Takes in what became of an action, and returns what is to be said about it.
    pub(crate) fn learn(&mut self, outcome: Outcome, now: Timestamp) -> Vec<Remark> {
        match outcome {
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
            Outcome::Started { container, after, result } => {
                let attempts = self.containers.entry(container.clone()).or_default();
                attempts.pull = Pull::Open;
                match result {
                    Ok(()) => {
                        attempts.failure = None;
                        if let Some(after) = after {
                            attempts.crash = Some(Backoff::after(attempts.crash, after));
                        }
                        Remark::started(&container)
                    }
                    Err(error) => {
                        attempts.crash = Some(Backoff::after(attempts.crash, now));
                        attempts.failure = Some((error.to_string(), now));
                        vec![Remark::warning(&container, "Failed", format!("Error: {error}"))]
                    }
                }
            }
        }
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
    let unknown = ContainerState {
        terminated: Some(ContainerStateTerminated {
            reason: Some("ContainerStatusUnknown".to_owned()),
            message: Some("The container could not be located when the pod was deleted.  The container used to be Running".to_owned()),
            exit_code: 137,
            ..ContainerStateTerminated::default()
        }),
        ..ContainerState::default()
    };
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

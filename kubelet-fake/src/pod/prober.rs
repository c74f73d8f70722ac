//! When which probe of a pod is asked, and what follows from the answers: upstream's rules of thresholds, of the startup probe that holds
//! the others off, and of what is not asked any more.
//!
//! A container without probes costs nothing here: it is started and ready while it runs.
//!
//! Must not know: how a probe is asked, what is done about a container that fails.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Pod, Probe};

use super::{Memory, Remark, Scene};
use crate::runtime;

/// Upstream's defaults, for pods that no API server has completed.
const PERIOD: i32 = 10;
const FAILURES: i32 = 3;

/// The three probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Holds the others off until it succeeds.
    Startup,
    /// Says whether requests can be sent.
    Readiness,
    /// Says whether it must be restarted.
    Liveness,
}

/// In the order they are asked.
const KINDS: [Kind; 3] = [Kind::Startup, Kind::Readiness, Kind::Liveness];

impl Kind {
    /// As messages about kills say it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }

    /// As messages about answers begin.
    fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }

    /// This probe of a container.
    pub(crate) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
        }
    }
}

/// One probe of one running container.
#[derive(Clone, Debug)]
pub(crate) struct Probing {
    id: Arc<str>,
    kind: Kind,
    /// What it says, once a threshold is reached.
    result: Option<bool>,
    /// The last answer and how often it came in a row.
    last: (bool, i32),
    /// When it is asked next.
    next: Timestamp,
    /// It is being asked.
    busy: bool,
}

/// A probe to ask now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The container's name.
    pub(crate) container: String,
    /// The runtime's id of it.
    pub(crate) id: Arc<str>,
    /// Which of its probes.
    pub(crate) kind: Kind,
}

/// What a probe answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All is well.
    Success,
    /// All is well, but for this.
    Warning(String),
    /// It is not, for this reason.
    Failure(String),
    /// It could not be asked; that says nothing about the container.
    Error(String),
}

/// What the probes of a running container say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Health {
    /// The startup probe, if any, has succeeded.
    pub(super) started: bool,
    /// The readiness probe, if any, has succeeded, and so has the startup probe.
    pub(super) ready: bool,
}

/// What is decided about the probes of a pod.
#[derive(Default)]
pub(super) struct Plan {
    /// What is to be remembered.
    pub(super) probing: Vec<Probing>,
    /// What is to be asked.
    pub(super) due: Vec<Due>,
    /// When something else is to be asked.
    pub(super) wake: Option<Timestamp>,
}

/// The health of the container with this id.
pub(super) fn health(memory: &Memory, container: &Container, id: &str) -> Health {
    let known = |kind: Kind| memory.probing.iter().any(|probing| probing.kind == kind && *probing.id == *id);
    let said = |kind: Kind| if known(kind) { result(memory, id, kind) } else { believed(memory, &container.name, id, kind) };
    let passed = |kind: Kind| kind.of(container).is_none() || said(kind) == Some(true);
    let started = passed(Kind::Startup);
    Health { started, ready: started && passed(Kind::Readiness) }
}

/// Whether a pod has probes at all.
pub(super) fn any(pod: &Pod) -> bool {
    let mut containers = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    containers.any(|container| KINDS.iter().any(|kind| kind.of(container).is_some()))
}

/// The probe for which the container with this id must be restarted.
pub(super) fn fatal(memory: &Memory, id: &str) -> Option<Kind> {
    [Kind::Liveness, Kind::Startup].into_iter().find(|kind| result(memory, id, *kind) == Some(false))
}

fn result(memory: &Memory, id: &str, kind: Kind) -> Option<bool> {
    memory.probing.iter().find(|probing| probing.kind == kind && *probing.id == *id).and_then(|probing| probing.result)
}

/// Says what to ask now, of those containers that run.
pub(super) fn advance(scene: &Scene<'_>, over: bool) -> Plan {
    let mut plan = Plan::default();
    let Some(spec) = scene.spec().filter(|_| !over) else { return plan };
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        if KINDS.iter().all(|kind| kind.of(container).is_none()) {
            continue;
        }
        let Some((run, started)) = scene.live(&container.name).filter(|(run, _)| !scene.is_starting(run)) else { continue };
        let health = health(scene.memory, container, &run.id);
        for kind in KINDS {
            let Some(probe) = kind.of(container) else { continue };
            let known = scene.memory.probing.iter().find(|probing| probing.kind == kind && probing.id == run.id);
            let mut probing = known.cloned().unwrap_or_else(|| begin(scene, run, kind, probe, started));
            let asked = (kind == Kind::Startup) != health.started && (kind == Kind::Readiness || !scene.is_terminating());
            // Who failed for good is left alone until it has gone.
            let failed = kind != Kind::Readiness && probing.result == Some(false);
            if asked && !failed && !probing.busy {
                if probing.next <= scene.now {
                    probing.next = scene.now + period(probe);
                    probing.busy = true;
                    plan.due.push(Due { container: container.name.clone(), id: run.id.clone(), kind });
                } else {
                    plan.wake = Some(plan.wake.map_or(probing.next, |wake| wake.min(probing.next)));
                }
            }
            plan.probing.push(probing);
        }
    }
    plan
}

/// A probe that was not asked yet. Of a container that ran before the kubelet did, what was told is believed, and the first question is
/// put off by a part of the period, so that not all are asked at once.
fn begin(scene: &Scene<'_>, run: &runtime::Container, kind: Kind, probe: &Probe, started: Timestamp) -> Probing {
    let first = started + seconds(probe.initial_delay_seconds.unwrap_or(0));
    let fresh = Probing { id: run.id.clone(), kind, result: None, last: (true, 0), next: first, busy: false };
    let Some((seed, _)) = scene.memory.inherited.as_deref().filter(|(_, ids)| ids.contains(&run.id)) else { return fresh };
    let part = run.id.bytes().fold(*seed, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % 1000;
    let put_off = period(probe).as_millis() * i128::from(part) / 1000;
    let next = first.max(scene.now + SignedDuration::from_millis(i64::try_from(put_off).unwrap_or(0)));
    Probing { result: believed(scene.memory, &run.name, &run.id, kind), next, ..fresh }
}

/// What a probe of a container that ran before the kubelet did said then, if it was well.
fn believed(memory: &Memory, name: &str, id: &str, kind: Kind) -> Option<bool> {
    memory.inherited.as_deref().filter(|(_, ids)| ids.iter().any(|other| **other == *id))?;
    let told = super::status::told(&memory.told, name)?;
    let well = match kind {
        Kind::Startup => told.started?,
        Kind::Readiness => told.ready,
        Kind::Liveness => return None,
    };
    well.then_some(true)
}

fn period(probe: &Probe) -> SignedDuration {
    seconds(probe.period_seconds.unwrap_or(PERIOD).max(1))
}

fn seconds(value: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(value.max(0)))
}

/// Takes in what a probe answered, and returns what is to be said about it.
pub(super) fn learn(memory: &mut Memory, container: &Container, due: &Due, answer: &Answer, now: Timestamp) -> Vec<Remark> {
    let Due { id, kind, .. } = due;
    let Some(probe) = kind.of(container) else { return Vec::new() };
    let Some(probing) = memory.probing.iter_mut().find(|probing| probing.kind == *kind && probing.id == *id) else { return Vec::new() };
    probing.busy = false;
    let title = kind.title();
    let name = &container.name;
    let (well, remark) = match answer {
        Answer::Success => (true, None),
        Answer::Warning(what) => (true, Some(Remark::warning(name, "ProbeWarning", format!("{title} probe warning: {what}")))),
        Answer::Failure(why) => (false, Some(Remark::warning(name, "Unhealthy", format!("{title} probe failed: {why}")))),
        Answer::Error(why) => {
            let message = format!("{title} probe errored and resulted in unknown state: {why}");
            return vec![Remark::warning(name, "Unhealthy", message)];
        }
    };
    let (last, times) = &mut probing.last;
    *times = if *last == well { times.saturating_add(1) } else { 1 };
    *last = well;
    let enough = if well { probe.success_threshold.unwrap_or(1) } else { probe.failure_threshold.unwrap_or(FAILURES) };
    if *times >= enough {
        probing.result = Some(well);
        if *kind == Kind::Startup && well {
            // What it has held off is asked at once.
            for held in memory.probing.iter_mut().filter(|held| held.id == *id && held.kind != Kind::Startup) {
                held.next = held.next.min(now);
            }
        }
    }
    remark.into_iter().collect()
}

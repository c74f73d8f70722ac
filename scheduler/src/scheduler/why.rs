//! What the scheduler can say about a pod that somebody asks about: what it remembers of its choice where the pod has a node, and
//! a fresh look at all nodes where it waits, or does not exist.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Scheduler, profile_of};
use crate::{
    explain::{Basis, Explanation, State, Story, explain, recall},
    framework::Case,
    pod::PodInfo,
    queue::{Past, Place},
    record::Record,
};

/// Said of a pod whose choice is not remembered.
const UNRECORDED: &str = "how the node was chosen is not known here: somebody else chose it, or it was before this scheduler began, or long ago; \
                          the other nodes are shown as they would be judged now, if the pod had none";

/// What somebody wants to have explained.
#[derive(Debug)]
pub(crate) enum Question {
    /// The pod of this namespace and name.
    Pod(String, String),
    /// A pod that does not exist.
    WhatIf(Box<PodInfo>),
}

/// The moment of asking: on the scheduler's clock and on everybody's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) elapsed: Duration,
    pub(crate) time: Timestamp,
}

impl Moment {
    /// When it was, or will be, so long after the scheduler began.
    fn at(self, elapsed: Duration) -> Option<Timestamp> {
        if elapsed > self.elapsed {
            self.time.checked_add(elapsed - self.elapsed).ok()
        } else {
            self.time.checked_sub(self.elapsed - elapsed).ok()
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The cluster is not known yet.
    NotReady,
    /// No such pod is known here.
    Unknown(String),
    /// The pod is for another scheduler.
    NotMine(String),
}

impl Scheduler {
    /// Explains what somebody asks about. Nothing changes by it.
    ///
    /// # Errors
    /// When there is nothing to explain.
    pub(crate) fn explain(&mut self, question: Question, now: Moment) -> Result<Explanation, Unanswered> {
        if !(self.nodes.synced && self.pods.synced && self.cluster.synced()) {
            return Err(Unanswered::NotReady);
        }
        match question {
            Question::WhatIf(pod) => self.anew(&pod),
            Question::Pod(namespace, name) => self.explain_pod(&namespace, &name, now),
        }
    }

    fn explain_pod(&mut self, namespace: &str, name: &str, now: Moment) -> Result<Explanation, Unanswered> {
        if let Some((pod, past, place)) = self.queue.named(namespace, name) {
            return Ok(waiting(self.anew(pod)?, past, place, now));
        }
        if let Some(record) = self.records.named(namespace, name) {
            return Ok(self.placed(record, now));
        }
        let held = self.cluster.nodes.pod_named(namespace, name).map(|(pod, node)| (pod.clone(), node.clone()));
        let (pod, node) = held.ok_or_else(|| Unanswered::Unknown(name.to_owned()))?;
        self.as_if_loose(&pod, &node)
    }

    /// Looks at all nodes as they are now.
    fn anew(&self, pod: &PodInfo) -> Result<Explanation, Unanswered> {
        let profile = profile_of(&self.profiles, pod).ok_or_else(|| Unanswered::NotMine(pod.scheduler.clone()))?;
        Ok(explain(Case { pod, cluster: &self.cluster, profile }))
    }

    fn placed(&self, record: &Record, now: Moment) -> Explanation {
        let mut told = recall(&record.pod, &record.account, &record.node);
        told.state = if self.binding.contains_key(&record.pod.uid) { State::Binding } else { State::Scheduled };
        told.story = Story {
            attempts: record.attempts,
            woken_by: record.woken_by.as_deref().map(str::to_owned),
            created_at: now.at(record.since),
            decided_at: now.at(record.at),
            next_attempt_at: None,
            waited_seconds: Some((record.at.saturating_sub(record.since)).as_secs_f64()),
        };
        told
    }

    /// Looks at the nodes as if the pod had none. Its own place is free for as long as that takes.
    fn as_if_loose(&mut self, pod: &Arc<PodInfo>, node: &Arc<str>) -> Result<Explanation, Unanswered> {
        let loose = PodInfo { node: None, ..PodInfo::clone(pod) };
        self.cluster.nodes.remove_pod(&pod.uid);
        let told = self.anew(&loose);
        self.cluster.nodes.place(pod.clone(), node);
        let mut told = told?;
        (told.state, told.node_name, told.note) = (State::Scheduled, Some(node.to_string()), Some(UNRECORDED.to_owned()));
        Ok(told)
    }
}

fn waiting(mut told: Explanation, past: &Past, place: &Place, now: Moment) -> Explanation {
    told.basis = Basis::Live;
    let (state, next) = match place {
        Place::Active(_) => (State::Active, None),
        Place::Backoff(due) => (State::Backoff, Some(*due)),
        Place::Unschedulable(due) => (State::Unschedulable, Some(*due)),
        Place::Gated => (State::Gated, None),
    };
    told.state = state;
    told.story = Story {
        attempts: past.attempts,
        woken_by: past.woken_by.as_deref().map(str::to_owned),
        created_at: now.at(past.since),
        decided_at: (past.attempts > 0).then(|| now.at(past.failed_at)).flatten(),
        next_attempt_at: next.and_then(|due| now.at(due)),
        waited_seconds: Some(now.elapsed.saturating_sub(past.since).as_secs_f64()),
    };
    if state == State::Gated {
        told.note = Some(
            "Scheduling is blocked due to non-empty scheduling gates; the nodes are shown as they would be judged without them".to_owned(),
        );
    }
    told
}

//! What the worker has of one pod, and how it rests: a pod that has nothing to do is kept as JSON, and so is what was told of it.
//!
//! Must not know: what is done with pods.

use std::{net::IpAddr, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use tokio_util::sync::CancellationToken;

use super::Worker;
use crate::{
    pod::Memory,
    resolve::Volumes,
    resting::{self, PodCell, Stamp},
    runtime::Listing,
    status::Word,
};

/// How long a pod must have had nothing to do before it rests: while a large rollout lasts, all have better to do than that.
const QUIET: SignedDuration = SignedDuration::from_secs(10);

/// How many may have nothing to do and not rest: some hundred megabytes of them.
const CROWD: usize = 10_000;

/// Everything about one pod.
pub(super) struct Entry {
    pub(super) pod: Arc<PodCell>,
    pub(super) node: Arc<str>,
    /// Its volumes, once they are to be mounted.
    pub(super) volumes: Option<Arc<Volumes>>,
    /// `None` until the runtime was asked for the first time.
    pub(super) known: Option<Box<(Memory, Listing)>>,
    /// What was told of it, while it rests.
    told: Option<Arc<[u8]>>,
    /// Cancels the job under way.
    pub(super) job: Option<CancellationToken>,
    /// Something happened while a job was under way.
    pub(super) again: bool,
    /// The object is gone; what runs must go too.
    pub(super) gone: bool,
    /// The last list it was in.
    pub(super) listed: u64,
    /// Since when its node seems not to be what it wants.
    pub(super) doubted: Option<Timestamp>,
    /// Since when it has nothing to do.
    pub(super) idle: Option<Timestamp>,
    /// What of the object was a reason to act the last time.
    pub(super) stamp: Stamp,
}

impl Entry {
    /// A pod that nothing is known of but its object.
    pub(super) fn new(pod: Arc<Pod>, node: Arc<str>, listed: u64) -> Self {
        let stamp = Stamp::of(&pod);
        Self {
            pod: Arc::new(PodCell::new(pod)),
            node,
            volumes: None,
            known: None,
            told: None,
            job: None,
            again: false,
            gone: false,
            listed,
            doubted: None,
            idle: None,
            stamp,
        }
    }

    /// The pod's IP.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.known.as_deref().and_then(|(memory, _)| memory.ip)
    }

    /// The object has changed. Who rests, rests on.
    pub(super) fn set(&self, pod: Arc<Pod>) {
        self.pod.set(pod);
        if self.told.is_some() {
            self.pod.rest();
        }
    }

    /// Ends its rest.
    pub(super) fn wake(&mut self) -> Arc<Pod> {
        if let Some(told) = self.told.take()
            && let Some((memory, _)) = self.known.as_deref_mut()
        {
            memory.told = Arc::new(resting::unpack(&told));
        }
        self.pod.wake()
    }

    /// Lets it rest. Returns what was told of it, if it was awake.
    fn rest(&mut self) -> Option<Arc<[u8]>> {
        let (memory, _) = self.known.as_deref_mut().filter(|_| self.told.is_none())?;
        self.told = Some(resting::pack(&*memory.told).into());
        memory.told = resting::empty();
        self.pod.rest();
        self.told.clone()
    }

    /// The object, with the status that was last told.
    pub(super) fn whole(&self) -> Pod {
        let pod = Pod::clone(&self.pod.get());
        let awake = || self.known.as_deref().map(|(memory, _)| PodStatus::clone(&memory.told)).or_else(|| pod.status.clone());
        let told = self.told.as_deref().map(resting::unpack).or_else(awake);
        Pod { status: told, ..pod }
    }
}

impl Worker {
    /// Lets those rest that have had nothing to do for a while, and sooner where they are many.
    pub(super) fn doze(&mut self) {
        let now = (self.links.now)();
        while let Some((since, uid)) = self.idle.pop_front() {
            if since + QUIET > now && self.idle.len() < CROWD {
                self.idle.push_front((since, uid));
                return;
            }
            if let Some(entry) = self.pods.get_mut(&uid).filter(|entry| entry.idle == Some(since)) {
                entry.idle = None;
                if let Some(told) = entry.rest() {
                    self.tell(Word::Rest(uid, told));
                }
            }
        }
    }

    /// Whether so many have nothing to do that they cannot wait for their rest.
    pub(super) fn is_crowded(&self) -> bool {
        self.idle.len() > CROWD
    }
}

//! What the runtime has: containers, their pods, the images of the nodes.
//!
//! Must not know: what containers do.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as api;
use tokio::task::JoinHandle;

use super::{
    super::{Container, Exit, Images, Listing, Now, StartRequest, State, find},
    life::Life,
    log::Log,
    pod::Pod,
};

/// Everything there is.
#[derive(Default)]
pub(super) struct Table {
    pub(super) containers: HashMap<Arc<str>, Record>,
    pods: HashMap<Arc<str>, Here>,
    nodes: HashMap<Arc<str>, Node>,
}

/// A pod that has containers, or is about to.
struct Here {
    pod: Arc<Pod>,
    ids: Vec<Arc<str>>,
}

#[derive(Default)]
struct Node {
    images: Images,
    pods: BTreeMap<Arc<str>, ()>,
}

/// A container.
pub(super) struct Record {
    pub(super) container: Container,
    node: Arc<str>,
    /// What one that is idle is brought to life from.
    pub(super) waiting: Option<Waiting>,
    pub(super) pod: Arc<Pod>,
    /// Nothing of one that is idle, or has ended.
    pub(super) life: Option<Arc<Life>>,
    log: Option<Arc<Log>>,
    /// Held by who wakes it.
    pub(super) waking: Arc<tokio::sync::Mutex<()>>,
    /// The code it ends with when it is asked to while it is idle; nothing of one that never is.
    pub(super) rests: Option<i32>,
    pub(super) ignores_sigterm: bool,
    /// Ends the container by itself; aborted when something else ends it.
    pub(super) timer: Option<JoinHandle<()>>,
}

/// What a container is started from once somebody asks for it. Many wait, so it has no decoded pod.
pub(super) struct Waiting(StartRequest);

impl Waiting {
    fn new(request: &StartRequest) -> Self {
        static NONE: LazyLock<Arc<api::Pod>> = LazyLock::new(Arc::default);
        Self(StartRequest { pod: NONE.clone(), ..request.clone() })
    }

    /// With the pod as it is now.
    pub(super) fn request(&self) -> StartRequest {
        StartRequest { pod: self.0.cell.get(), ..self.0.clone() }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}

impl Record {
    /// A container that runs from now on.
    pub(super) fn new(
        id: Arc<str>,
        request: &StartRequest,
        pod: Arc<Pod>,
        started: Timestamp,
        rests: Option<i32>,
        ignores_sigterm: bool,
    ) -> Self {
        let asked = request.pod.spec.as_ref().and_then(|spec| find(spec, &request.container)?.image.clone());
        let container = Container {
            id,
            pod: pod.uid.clone(),
            name: request.container.clone(),
            attempt: request.attempt,
            image: request.image.clone(),
            asked: asked.unwrap_or_default(),
            state: State::Running { started },
        };
        let (node, waiting) = (request.node.clone(), rests.map(|_| Waiting::new(request)));
        Self { container, node, waiting, pod, life: None, log: None, waking: Arc::default(), rests, ignores_sigterm, timer: None }
    }

    /// What it writes.
    pub(super) fn log(&mut self, now: &Now) -> Arc<Log> {
        self.log.get_or_insert_with(|| Log::new(now.clone())).clone()
    }

    /// Notes how it ended, if it runs.
    pub(super) fn finish(&mut self, exit: Exit, finished: Timestamp) -> bool {
        let State::Running { started } = self.container.state else { return false };
        self.container.state = State::Exited(Exit { started, finished: finished.max(started), ..exit });
        if let Some(life) = self.life.take() {
            life.kill();
        }
        if let Some(log) = &self.log {
            log.end();
        }
        if let Some(timer) = self.timer.take() {
            timer.abort();
        }
        true
    }
}

impl Table {
    pub(super) fn images(&mut self, node: &str) -> &mut Images {
        &mut self.nodes.entry(node.into()).or_default().images
    }

    /// The pod of this UID, new if it had no containers.
    pub(super) fn pod(&mut self, uid: &Arc<str>, make: impl FnOnce() -> Arc<Pod>) -> Arc<Pod> {
        self.pods.entry(uid.clone()).or_insert_with(|| Here { pod: make(), ids: Vec::new() }).pod.clone()
    }

    /// Forgets a pod if it has no containers after all.
    pub(super) fn drop_pod(&mut self, uid: &str) {
        if self.pods.get(uid).is_some_and(|here| here.ids.is_empty()) {
            self.pods.remove(uid);
        }
    }

    pub(super) fn insert(&mut self, record: Record) {
        let (id, uid) = (record.container.id.clone(), record.pod.uid.clone());
        self.nodes.entry(record.node.clone()).or_default().pods.insert(uid.clone(), ());
        self.pods.entry(uid).or_insert_with(|| Here { pod: record.pod.clone(), ids: Vec::new() }).ids.push(id.clone());
        self.containers.insert(id, record);
    }

    /// A container that runs.
    pub(super) fn running(&mut self, id: &str) -> Option<&mut Record> {
        self.containers.get_mut(id).filter(|record| matches!(record.container.state, State::Running { .. }))
    }

    /// Notes the end of a container, if it runs; returns the UID of its pod then.
    pub(super) fn end(&mut self, id: &str, exit: Exit, finished: Timestamp) -> Option<Arc<str>> {
        let record = self.containers.get_mut(id)?;
        record.finish(exit, finished).then(|| record.container.pod.clone())
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Record> {
        let record = self.containers.remove(id)?;
        let uid = &record.container.pod;
        if let Some(here) = self.pods.get_mut(uid) {
            here.ids.retain(|other| **other != *id);
            if here.ids.is_empty() {
                self.pods.remove(uid);
                if let Some(node) = self.nodes.get_mut(&record.node) {
                    node.pods.remove(uid);
                }
            }
        }
        Some(record)
    }

    /// What is on a node, or only what a pod has there.
    pub(super) fn list(&self, node: &str, pod: Option<&str>) -> Listing {
        let Some(found) = self.nodes.get(node) else { return Listing::default() };
        let mut containers: Vec<_> = match pod {
            Some(pod) => self.of_pod(pod).collect(),
            None => found.pods.keys().flat_map(|pod| self.of_pod(pod)).collect(),
        };
        // It is kept, and room was made for more than there are.
        containers.shrink_to_fit();
        Listing { containers, images: found.images.clone() }
    }

    fn of_pod<'a>(&'a self, pod: &str) -> impl Iterator<Item = Container> + 'a {
        let ids = self.pods.get(pod).into_iter().flat_map(|here| &here.ids);
        ids.filter_map(|id| self.containers.get(id)).map(|record| record.container.clone())
    }

    /// The running container of a pod that has this name.
    pub(super) fn named(&self, pod: &str, name: &str) -> Option<Arc<str>> {
        let running = |one: &Container| one.name == name && matches!(one.state, State::Running { .. });
        self.of_pod(pod).find(running).map(|one| one.id)
    }

    /// A pod, and those of its containers that are idle.
    pub(super) fn idle(&self, pod: &str) -> Option<(Arc<Pod>, Vec<Arc<str>>)> {
        let here = self.pods.get(pod)?;
        let idle = |id: &&Arc<str>| {
            self.containers.get(*id).is_some_and(|record| record.life.is_none() && matches!(record.container.state, State::Running { .. }))
        };
        Some((here.pod.clone(), here.ids.iter().filter(idle).cloned().collect()))
    }

    /// The pods in which anything lives.
    pub(super) fn living_pods(&self) -> Vec<Arc<Pod>> {
        self.pods.values().filter(|here| here.pod.awake().is_some()).map(|here| here.pod.clone()).collect()
    }
}

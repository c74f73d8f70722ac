//! The state of every pod of the fleet, moved on by events, reports and timers: one loop, and no task for an idle pod.
//!
//! The loop only carries: what to do is decided by [`pod::next`], done by [`relist`], told by [`status`](crate::status).
//!
//! Must not know: HTTP, what containers are made of.

mod entry;
mod pressure;
mod probing;

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};
use mini_daemon::{
    clock,
    events::{self, Recorder},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    node::Facts,
    objects::Objects,
    pod::{self, Action, Memory, Outcome, Remark, Scene, admission},
    relist::{self, Hands, Job, Report},
    resolve::Volumes,
    resting::Stamp,
    runtime::{ContainerRuntime, Listing, Network, Now},
    slot::Slot,
    status::Word,
    timers::Timers,
    worker::{entry::Entry, probing::Probed},
};

/// How often everything the runtime has is looked at, in case a hint was lost.
const SWEEP: Duration = Duration::from_secs(60);
/// How often pods are looked for that may rest.
const DOZE: Duration = Duration::from_secs(1);
/// How often a node that runs out of something sends a pod away.
const RELIEF: Duration = Duration::from_secs(10);
/// When a pod that got no IP is tried again.
const NETWORK_RETRY: SignedDuration = SignedDuration::from_secs(10);
/// For how long a node must lack what a pod selects it by before that is believed.
const DOUBT: SignedDuration = SignedDuration::from_secs(1);
/// The longest sleep without a look at the clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// A pod's UID.
type Uid = Arc<str>;

/// What the worker is told or asked.
#[derive(Debug)]
pub(crate) enum Message {
    /// A list of all pods begins.
    Listing,
    /// A pod is new, changed or listed.
    Pod(Box<Pod>),
    /// The list is complete: what was not in it is gone.
    Listed,
    /// A pod's object is gone.
    Gone(Uid),
    /// A node of ours changed.
    Node(Box<Node>),
    /// Which pod has this namespace and name, and on which node?
    Find(String, String, oneshot::Sender<Option<(Arc<Pod>, Arc<str>)>>),
    /// Which pods are there, or are on this node?
    All(Option<Arc<str>>, oneshot::Sender<Vec<Arc<Pod>>>),
}

/// Where the worker's words go and its facts come from.
pub(crate) struct Links {
    /// What runs containers.
    pub(crate) runtime: Arc<dyn ContainerRuntime>,
    /// What pods refer to.
    pub(crate) objects: Arc<Objects>,
    /// The server of the cluster's DNS and the domain it serves.
    pub(crate) dns: Arc<(IpAddr, String)>,
    /// Who tells the API server.
    pub(crate) words: mpsc::UnboundedSender<Word>,
    /// Who sends Events.
    pub(crate) recorder: Recorder,
    /// The present moment.
    pub(crate) now: Now,
}

/// The loop's state.
pub(crate) struct Worker {
    links: Links,
    nodes: HashMap<Arc<str>, Slot>,
    pods: HashMap<Uid, Entry>,
    names: HashMap<(String, String), Uid>,
    timers: Timers<Uid>,
    jobs: FuturesUnordered<BoxFuture<'static, Report>>,
    probes: FuturesUnordered<BoxFuture<'static, Probed>>,
    hands: Hands,
    /// Pods that have nothing to do, and since when.
    idle: VecDeque<(Timestamp, Uid)>,
    /// What jobs say while they are under way.
    said: mpsc::UnboundedReceiver<(Uid, Remark)>,
    /// Random bits, to spread what would else happen at once.
    seed: u64,
    lists: u64,
    /// Whether there was a complete list yet.
    complete: bool,
}

impl Worker {
    /// A worker for these nodes, without pods.
    pub(crate) fn new(links: Links, nodes: impl IntoIterator<Item = (Arc<Facts>, Node)>) -> Self {
        let slot = |(facts, node): (Arc<Facts>, Node)| {
            let recorder = links.recorder.on_host(&facts.name);
            (facts.name.clone(), Slot::new(facts, node, recorder))
        };
        let nodes = nodes.into_iter().map(slot).collect();
        let (sender, said) = mpsc::unbounded_channel();
        let hands = Hands { runtime: links.runtime.clone(), objects: links.objects.clone(), said: sender };
        Self {
            links,
            nodes,
            pods: HashMap::new(),
            names: HashMap::new(),
            timers: Timers::default(),
            jobs: FuturesUnordered::new(),
            probes: FuturesUnordered::new(),
            hands,
            idle: VecDeque::new(),
            said,
            seed: clock::random(),
            lists: 0,
            complete: false,
        }
    }

    /// Works until the token is cancelled or nobody sends messages any more.
    ///
    /// # Errors
    /// Never.
    pub(crate) async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        mut hints: mpsc::UnboundedReceiver<Uid>,
        token: CancellationToken,
    ) -> Result<()> {
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut relief = interval(RELIEF);
        relief.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut doze = interval(DOZE);
        doze.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let pause = self.timers.next().map(|at| until(at, &self.links.now));
            // What others send comes last: it may never end, and all else does.
            tokio::select! {
                biased;
                () = token.cancelled() => return Ok(()),
                Some(report) = self.jobs.next(), if !self.jobs.is_empty() => self.report(report),
                Some(probed) = self.probes.next(), if !self.probes.is_empty() => self.probed(probed),
                Some((uid, remark)) = self.said.recv() => self.say(&uid, &[remark]),
                Some(uid) = hints.recv() => self.look(&uid),
                _ = sweep.tick() => self.sweep().await,
                _ = relief.tick(), if self.is_pressed() => self.relieve().await,
                _ = doze.tick(), if !self.idle.is_empty() => self.doze(),
                () = sleep(pause.unwrap_or(LONGEST_SLEEP)) => {}
                message = messages.recv() => match message {
                    Some(message) => self.take(message),
                    None => return Ok(()),
                },
            }
            let now = (self.links.now)();
            while let Some(uid) = self.timers.due(now) {
                self.step(&uid);
            }
            if self.is_crowded() {
                self.doze();
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Listing => self.lists += 1,
            Message::Pod(pod) => self.update(*pod),
            Message::Listed => {
                self.complete = true;
                let absent = |(uid, entry): (&Uid, &Entry)| (entry.listed < self.lists && !entry.gone).then(|| uid.clone());
                let absent: Vec<_> = self.pods.iter().filter_map(absent).collect();
                for uid in absent {
                    self.leave(&uid);
                }
            }
            Message::Gone(uid) => self.leave(&uid),
            Message::Node(node) => {
                if let Some(slot) = node.metadata.name.as_deref().and_then(|name| self.nodes.get_mut(name)) {
                    slot.update(*node);
                }
            }
            // Whoever asked may have gone away meanwhile.
            Message::Find(namespace, name, reply) => {
                let entry = self.names.get(&(namespace, name)).and_then(|uid| self.pods.get(uid));
                let _ = reply.send(entry.map(|entry| (Arc::new(entry.whole()), entry.node.clone())));
            }
            Message::All(node, reply) => {
                let wanted = |entry: &&Entry| !entry.gone && node.as_ref().is_none_or(|node| entry.node == *node);
                let _ = reply.send(self.pods.values().filter(wanted).map(|entry| Arc::new(entry.whole())).collect());
            }
        }
    }

    /// A pod is new or changed.
    fn update(&mut self, mut pod: Pod) {
        pod.metadata.managed_fields = None;
        let Some(uid) = pod.metadata.uid.as_deref().map(Uid::from) else { return };
        let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).filter(|node| self.nodes.contains_key(*node)) else {
            return;
        };
        let node: Arc<str> = node.into();
        let name = (pod.metadata.namespace.clone().unwrap_or_default(), pod.metadata.name.clone().unwrap_or_default());
        let pod = Arc::new(pod);
        let Some(entry) = self.pods.get_mut(&uid) else {
            tracing::debug!(pod = name.1, namespace = name.0, %node, "pod is new here");
            self.pods.insert(uid.clone(), Entry::new(pod, node, self.lists));
            self.names.insert(name, uid.clone());
            self.look(&uid);
            return;
        };
        entry.listed = self.lists;
        if entry.gone {
            return;
        }
        let stamp = Stamp::of(&pod);
        let old = std::mem::replace(&mut entry.stamp, stamp.clone());
        if stamp.ends_sooner(&old)
            && let Some(job) = &entry.job
        {
            job.cancel();
        }
        entry.set(pod.clone());
        self.tell(Word::Seen(pod));
        // Our own writes come back too: only what others may change is a reason to act.
        if stamp.is_news(&old) {
            self.resize(&uid);
            self.step(&uid);
        }
    }

    /// A pod may ask for more or less than before.
    fn resize(&mut self, uid: &Uid) {
        let Some(entry) = self.pods.get_mut(uid) else { return };
        let pod = entry.wake();
        let accepted = |memory: &Memory| memory.verdict.is_none() && !pod::is_over(&memory.told);
        if let Some((memory, _)) = entry.known.as_deref_mut().filter(|(memory, _)| accepted(memory))
            && let Some(slot) = self.nodes.get_mut(&entry.node)
        {
            memory.ip = slot.reserve(uid, admission::requests(&pod), memory.ip);
        }
    }

    /// A pod's object is gone.
    fn leave(&mut self, uid: &Uid) {
        let Some(entry) = self.pods.get_mut(uid) else { return };
        entry.gone = true;
        if let Some(job) = &entry.job {
            job.cancel();
        }
        let pod = entry.pod.get();
        let meta = &pod.metadata;
        let name = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
        if self.names.get(&name) == Some(uid) {
            self.names.remove(&name);
        }
        self.tell(Word::Forget(uid.clone()));
        self.step(uid);
    }

    /// Asks the runtime about a pod.
    fn look(&mut self, uid: &Uid) {
        self.start(uid, Vec::new());
    }

    fn start(&mut self, uid: &Uid, actions: Vec<Action>) {
        let Some(entry) = self.pods.get_mut(uid) else { return };
        if entry.job.is_some() {
            entry.again = true;
            return;
        }
        let Some(slot) = self.nodes.get(&entry.node) else { return };
        let cancel = CancellationToken::new();
        entry.job = Some(cancel.clone());
        entry.idle = None;
        let network = Network { ip: entry.ip(), host_ip: Some(IpAddr::V4(slot.facts.ip)), dns: Some(self.links.dns.clone()) };
        let (pod, cell, uid) = (entry.wake(), entry.pod.clone(), uid.clone());
        let (facts, volumes) = (slot.facts.clone(), entry.volumes.clone());
        let job = Job { pod, cell, uid, facts, network, volumes, actions, cancel };
        self.jobs.push(Box::pin(relist::perform(self.hands.clone(), job)));
    }

    /// A job has ended.
    fn report(&mut self, report: Report) {
        let Report { uid, outcomes, listing } = report;
        let Some(entry) = self.pods.get_mut(&uid) else { return };
        entry.job = None;
        let again = std::mem::take(&mut entry.again);
        match (listing, entry.known.as_deref_mut()) {
            (Ok(listing), Some((memory, observed))) => {
                *observed = listing;
                let now = (self.links.now)();
                let remarks: Vec<_> = outcomes.into_iter().flat_map(|outcome| memory.learn(outcome, now)).collect();
                self.say(&uid, &remarks);
            }
            (Ok(listing), None) => {
                if !self.admit(&uid, listing) {
                    return;
                }
            }
            (Err(error), _) => {
                tracing::warn!(pod = %uid, %error, "the container runtime does not answer");
                self.timers.set(&uid, Some((self.links.now)() + NETWORK_RETRY));
                return;
            }
        }
        if again { self.look(&uid) } else { self.step(&uid) }
    }

    /// The first look at a pod has ended: take it in. Says whether that is settled.
    fn admit(&mut self, uid: &Uid, listing: Listing) -> bool {
        let Some(entry) = self.pods.get_mut(uid) else { return true };
        let Some(slot) = self.nodes.get_mut(&entry.node) else { return true };
        let pod = entry.wake();
        let mut memory = Memory::adopt(&pod, &listing, self.seed);
        let mut refused = None;
        if !pod::is_over(&memory.told) && !entry.gone {
            // One that was accepted before stays accepted.
            let accepted = memory.told.start_time.is_some();
            match admission::admit(&pod, &slot.node, slot.used()) {
                Err(verdict) if !accepted && pod.metadata.deletion_timestamp.is_none() => {
                    // The scheduler may know the node's labels earlier: pods and nodes come by different watches.
                    let now = (self.links.now)();
                    let believed = now >= *entry.doubted.get_or_insert(now) + DOUBT;
                    if verdict.reason == admission::NODE_AFFINITY && !believed {
                        self.timers.set(uid, Some(now + DOUBT / 4));
                        return false;
                    }
                    refused = Some(Remark::pod(true, verdict.reason.clone(), &verdict.message));
                    let message = format!("Pod was rejected: {}", verdict.message);
                    memory.verdict = Some(pod::Verdict { message, ..verdict });
                }
                // Pods are taken in one after the other, and a new one may have come before.
                _ => memory.ip = slot.reserve(uid, admission::requests(&pod), memory.ip),
            }
        }
        entry.known = Some(Box::new((memory, listing)));
        self.say(uid, refused.as_slice());
        true
    }

    /// Decides what to do next with a pod, and has it done.
    fn step(&mut self, uid: &Uid) {
        let Some(entry) = self.pods.get_mut(uid) else { return };
        if entry.job.is_some() {
            entry.again = true;
            return self.meanwhile(uid);
        }
        let pod = entry.wake();
        let Some((memory, observed)) = entry.known.as_deref_mut() else { return self.look(uid) };
        if entry.gone {
            let (actions, remarks) = pod::clear(&pod, observed);
            self.timers.set(uid, None);
            self.say(uid, &remarks);
            if actions.is_empty() {
                self.drop(uid)
            } else {
                self.start(uid, actions)
            }
            return;
        }
        let Some(slot) = self.nodes.get_mut(&entry.node) else { return };
        let now = (self.links.now)();
        let mut step = pod::next(&Scene { pod: &pod, host_ip: IpAddr::V4(slot.facts.ip), observed, memory, now });
        let news = memory.keep(&mut step);
        if pod::is_over(&memory.told) && step.actions.is_empty() {
            slot.release(uid);
        }
        let mut wake = step.wake;
        let mut actions = std::mem::take(&mut step.actions);
        let mut once_more = false;
        if actions.first() == Some(&Action::Mount) {
            let volumes = entry.volumes.take().or_else(|| Volumes::of(&entry.pod, &slot.facts, &self.links.objects));
            entry.volumes = volumes.clone();
            // What is known already needs no waiting.
            let missing = volumes.map_or(Some(Vec::new()), |volumes| volumes.missing().now_or_never());
            if let Some(missing) = missing {
                step.remarks.extend(memory.learn(Outcome::Mounted(missing), now));
                actions.clear();
                once_more = true;
            }
        }
        if actions.first() == Some(&Action::Network) {
            let host_network = pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true));
            match slot.connect(uid, host_network) {
                Some(ip) => {
                    memory.learn(Outcome::Networked(ip), now);
                    actions.remove(0);
                    once_more = actions.is_empty();
                }
                None => {
                    let message = format!("Failed to create pod sandbox: no IP addresses available in range {}", slot.facts.pod_cidr);
                    step.remarks = vec![Remark::pod(true, "FailedCreatePodSandBox", &message)];
                    actions.clear();
                    wake = Some(now + NETWORK_RETRY);
                }
            }
        }
        self.timers.set(uid, wake);
        // Whoever has nothing to do and nothing to wait for may rest after a while.
        entry.idle = (wake.is_none() && actions.is_empty() && !once_more && !memory.is_probed()).then_some(now);
        if entry.idle.is_some() {
            self.idle.push_back((now, uid.clone()));
        }
        if let Some(status) = news {
            self.tell(Word::Status { pod: pod.clone(), status });
        }
        if step.release {
            self.tell(Word::Release(pod));
        }
        self.say(uid, &step.remarks);
        self.ask(uid, step.probes);
        if once_more {
            self.step(uid);
        } else if !actions.is_empty() {
            self.start(uid, actions);
        }
    }

    /// Goes on asking the probes of a pod that something is done with.
    fn meanwhile(&mut self, uid: &Uid) {
        let Some(entry) = self.pods.get_mut(uid).filter(|entry| !entry.gone) else { return };
        let Some(slot) = self.nodes.get(&entry.node) else { return };
        let pod = entry.wake();
        let Some((memory, observed)) = entry.known.as_deref_mut().filter(|(memory, _)| memory.is_probed()) else { return };
        let now = (self.links.now)();
        let mut step = pod::meanwhile(&Scene { pod: &pod, host_ip: IpAddr::V4(slot.facts.ip), observed, memory, now });
        let news = memory.keep(&mut step);
        self.timers.set(uid, step.wake);
        if let Some(status) = news {
            self.tell(Word::Status { pod, status });
        }
        self.ask(uid, step.probes);
    }

    /// Nothing is left of a pod.
    fn drop(&mut self, uid: &Uid) {
        if let Some(entry) = self.pods.remove(uid)
            && let Some(slot) = self.nodes.get_mut(&entry.node)
        {
            slot.release(uid);
        }
    }

    fn tell(&self, word: Word) {
        // The words of a process that is ending are not missed.
        let _ = self.links.words.send(word);
    }

    fn say(&self, uid: &Uid, remarks: &[Remark]) {
        let Some(entry) = self.pods.get(uid).filter(|_| !remarks.is_empty()) else { return };
        let Some(slot) = self.nodes.get(&entry.node) else { return };
        let pod = entry.pod.get();
        let mut about = events::reference(&*pod);
        for remark in remarks {
            about.field_path = remark.container.as_deref().map(|name| field_path(&pod, name));
            if remark.warning {
                slot.recorder.warning(&about, &remark.reason, remark.message.as_str());
            } else {
                slot.recorder.normal(&about, &remark.reason, remark.message.as_str());
            }
        }
    }

    /// Compares what the runtime has with what is known, and looks again where they differ.
    async fn sweep(&mut self) {
        let mut strange: Vec<(Uid, Arc<str>)> = Vec::new();
        for node in self.nodes.keys() {
            let Ok(listing) = self.links.runtime.list(node, None).await else { continue };
            for container in &listing.containers {
                let known = self.pods.get(&container.pod).is_some_and(|entry| {
                    entry.job.is_some() || entry.known.as_deref().is_some_and(|(_, observed)| observed.containers.contains(container))
                });
                if !known {
                    strange.push((container.pod.clone(), node.clone()));
                }
            }
        }
        for (uid, node) in strange {
            // Before the first complete list every pod is unknown.
            if !self.pods.contains_key(&uid) && self.complete {
                let mut pod = Pod::default();
                pod.metadata.uid = Some(uid.to_string());
                let mut stray = Entry::new(Arc::new(pod), node, self.lists);
                stray.gone = true;
                self.pods.insert(uid.clone(), stray);
            }
            self.look(&uid);
        }
    }
}

/// How long it is until `at`.
fn until(at: jiff::Timestamp, now: &Now) -> Duration {
    Duration::try_from(at.duration_since(now())).unwrap_or_default().min(LONGEST_SLEEP)
}

fn field_path(pod: &Pod, container: &str) -> String {
    let init = pod.spec.as_ref().is_some_and(|spec| spec.init_containers.iter().flatten().any(|init| init.name == container));
    let main = pod.spec.as_ref().is_none_or(|spec| spec.containers.iter().any(|main| main.name == container));
    let list = match (init, main) {
        (true, _) => "initContainers",
        (_, true) => "containers",
        _ => "ephemeralContainers",
    };
    format!("spec.{list}{{{container}}}")
}

#[cfg(test)]
pub(crate) use tests::nowhere;

#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;

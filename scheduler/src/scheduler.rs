//! The scheduler without its wires: takes in what happened, gives out what is to be done. It has the queue, the node table, and
//! the bindings that are on their way; it knows neither client nor clock, so whole stories can be played in a test.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use kube::runtime::watcher::Event;

use crate::{
    account::{Account, Extent},
    bind::{Binding, Report},
    cluster::{Cluster, Key, Kind},
    configuration::Configuration,
    cycle::{Decision, Draw},
    diagnosis::Preemption,
    evict::Eviction,
    framework::{Case, Change, PluginSet},
    memo::Memo,
    node::NodeInfo,
    nomination,
    pod::{PodInfo, Uid},
    preempt::{Candidate, preempt},
    profile::Profile,
    queue::{Attempt, Queue},
    record::{Record, Records},
    snapshot::{Gone, NodeRef},
};

mod why;

pub(crate) use self::why::{Moment, Question, Unanswered};

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The watch of nodes says so.
    Node(Event<NodeInfo>),
    /// The watch of pods says so.
    Pod(Event<Arc<PodInfo>>),
    /// The watch of another kind says so, of one object if it has a name.
    Other(Kind, Option<Key>, Update),
    /// A binding was stored.
    Bound(Uid),
    /// A binding was not stored, as far as one can know.
    BindFailed(Uid),
    /// A pod could not be told why it waits, because it has changed since.
    ReportOutdated(Uid),
    /// Not all pods could be made to leave for this one.
    PreemptFailed(Uid),
}

/// Takes something into the copy of its kind, and says whether that changes anything.
pub(crate) struct Update(pub(crate) Box<dyn FnOnce(&mut Cluster) -> bool + Send>);

impl std::fmt::Debug for Update {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Update")
    }
}

/// Something to be done.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Put the pod on the node.
    Bind(Binding),
    /// Tell the pod why it waits, and make room for it if that was decided.
    Report(Report),
}

/// The whole state of scheduling; rebuilt from the watches after a restart.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    /// How the pods it looks after are scheduled.
    profiles: Vec<Profile>,
    queue: Queue,
    cluster: Cluster,
    /// Pods whose binding is on its way.
    binding: HashMap<Uid, Attempt>,
    /// What plugins said of nodes as they are.
    memo: Memo,
    /// What was decided about pods that were placed.
    records: Records,
    /// The row at which the next cycle begins.
    start: usize,
    nodes: Relist<Arc<str>>,
    pods: Relist<Uid>,
}

/// What a watch has listed, while it lists.
#[derive(Debug)]
struct Relist<T> {
    seen: HashSet<T>,
    /// It was complete at least once.
    synced: bool,
}

impl<T> Default for Relist<T> {
    fn default() -> Self {
        Self { seen: HashSet::new(), synced: false }
    }
}

impl Scheduler {
    pub(crate) fn new(configuration: Configuration) -> Self {
        let Configuration { profiles, backoff } = configuration;
        Self { profiles, queue: Queue::new(backoff), ..Self::default() }
    }

    /// Whether there is a pod to choose a node for, and the cluster is known.
    pub(crate) fn is_ready(&self) -> bool {
        self.nodes.synced && self.pods.synced && self.cluster.synced() && self.queue.is_ready()
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.queue.next_due()
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Duration) {
        self.queue.tick(now);
    }

    /// Takes in something that happened.
    pub(crate) fn apply(&mut self, input: Input, now: Duration) {
        match input {
            Input::Node(event) => self.node_event(event, now),
            Input::Pod(event) => self.pod_event(event, now),
            Input::Other(kind, one, update) => {
                if (update.0)(&mut self.cluster) {
                    wake(&mut self.queue, &self.cluster, &self.profiles, Change::Other(kind, one.as_ref()), now);
                }
            }
            Input::Bound(uid) => drop(self.binding.remove(&uid)),
            Input::BindFailed(uid) => self.bind_failed(&uid, now),
            Input::ReportOutdated(uid) => self.queue.look_again(&uid, now),
            Input::PreemptFailed(uid) => {
                self.cluster.nominations.victims_stay(&uid);
                self.queue.retry(&uid, now);
            }
        }
    }

    /// Chooses a node for the next pod.
    pub(crate) fn schedule_one(&mut self, now: Duration, random: u64) -> Option<Work> {
        let attempt = self.queue.pop()?;
        let pod = attempt.pod.clone();
        let profile = profile_of(&self.profiles, &pod)?;
        self.cluster.prepare(&pod, profile);
        let outcome = nomination::schedule(&mut self.cluster, &pod, profile, Draw { random, start: self.start }, &mut self.memo);
        self.start = outcome.search.next_start;
        let [active, backoff, unschedulable, _] = self.queue.counts();
        match outcome.decision {
            Decision::Place(placement) => {
                let node = self.cluster.nodes.node(placement.row).info().name.clone();
                let account = Account::of(&self.cluster, &outcome.search, &outcome.scores, Some(placement.row), Extent::KEPT);
                self.records.keep(Record::of(&attempt, &node, now, account));
                tracing::debug!(
                    %pod, attempt = attempt.number, %node, score = placement.score, feasible = placement.feasible,
                    evaluated = placement.evaluated, nodes = self.cluster.nodes.len(), active, backoff, unschedulable, "chosen"
                );
                let bind_timeout = profile.args.volume_binding.bind_timeout;
                self.cluster.nodes.assume(pod.clone(), &node);
                self.cluster.nominations.remove(&pod.uid);
                self.binding.insert(pod.uid.clone(), attempt);
                self.wake_at(&node, now, |row| Change::PodHere(row, &pod));
                Some(Work::Bind(Binding { pod, node, bind_timeout }))
            }
            Decision::Refuse(mut diagnosis) => {
                let candidate = preempt(&mut self.cluster, &pod, profile, &mut diagnosis, random);
                let message = diagnosis.to_string();
                tracing::debug!(%pod, attempt = attempt.number, message, active, backoff, unschedulable, "refused");
                if matches!(diagnosis.preemption, Preemption::Useless(_)) {
                    self.cluster.nominations.remove(&pod.uid);
                }
                let eviction = candidate.map(|candidate| self.nominate(&pod, candidate, now));
                self.queue.refused(attempt, diagnosis.refused_by, now);
                let nominated = self.cluster.nominations.node_of(&pod.uid).cloned();
                Some(Work::Report(Report { pod, message, nominated, eviction }))
            }
        }
    }

    /// Promises a pod the room that is to be made for it. Less important pods that were promised room there look for another place.
    fn nominate(&mut self, pod: &Arc<PodInfo>, candidate: Candidate, now: Duration) -> Eviction {
        let outranked: Vec<_> = self.cluster.nominations.below(pod, &candidate.node).cloned().collect();
        for other in &outranked {
            self.cluster.nominations.remove(&other.uid);
            self.queue.retry(&other.uid, now);
        }
        let victims = candidate.victims.iter().map(|victim| victim.uid.clone()).collect();
        self.cluster.nominations.nominate(pod.clone(), candidate.node.clone(), victims);
        Eviction { candidate, outranked }
    }

    fn node_event(&mut self, event: Event<NodeInfo>, now: Duration) {
        match event {
            Event::Init => self.nodes.seen.clear(),
            Event::InitApply(node) => {
                self.nodes.seen.insert(node.name.clone());
                self.node_applied(node, now);
            }
            Event::InitDone => {
                let seen = std::mem::take(&mut self.nodes.seen);
                let gone: Vec<_> = self.cluster.nodes.node_names().filter(|name| !seen.contains(*name)).cloned().collect();
                gone.iter().for_each(|name| self.node_gone(name, now));
                self.nodes.synced = true;
            }
            Event::Apply(node) => self.node_applied(node, now),
            Event::Delete(node) => self.node_gone(&node.name, now),
        }
    }

    fn node_gone(&mut self, name: &str, now: Duration) {
        if let Some(node) = self.cluster.nodes.remove_node(name) {
            wake(&mut self.queue, &self.cluster, &self.profiles, Change::NodeGone(&node), now);
        }
    }

    fn node_applied(&mut self, node: NodeInfo, now: Duration) {
        let name = node.name.clone();
        if self.cluster.nodes.apply_node(node) {
            self.wake_at(&name, now, Change::Node);
        }
    }

    fn pod_event(&mut self, event: Event<Arc<PodInfo>>, now: Duration) {
        match event {
            Event::Init => self.pods.seen.clear(),
            Event::InitApply(pod) => {
                self.pods.seen.insert(pod.uid.clone());
                self.pod_applied(pod, now);
            }
            Event::InitDone => {
                let seen = std::mem::take(&mut self.pods.seen);
                let known = self.queue.uids().chain(self.cluster.nodes.uids()).chain(self.records.uids());
                let gone: HashSet<_> = known.filter(|uid| !seen.contains(*uid)).cloned().collect();
                for uid in &gone {
                    self.records.forget(uid);
                    self.pod_gone(uid, now);
                }
                self.pods.synced = true;
            }
            Event::Apply(pod) => self.pod_applied(pod, now),
            Event::Delete(pod) => {
                self.records.forget(&pod.uid);
                self.pod_gone(&pod.uid, now);
            }
        }
    }

    fn pod_applied(&mut self, pod: Arc<PodInfo>, now: Duration) {
        if pod.finished || (pod.node.is_none() && (pod.terminating || profile_of(&self.profiles, &pod).is_none())) {
            self.pod_gone(&pod.uid, now);
            return;
        }
        if let Some(node) = &pod.node {
            self.queue.remove(&pod.uid);
            self.binding.remove(&pod.uid);
            self.release(&pod.uid, now);
            let news = !self.cluster.nodes.confirms(&pod, node);
            if let Some(gone) = self.cluster.nodes.place(pod.clone(), node) {
                self.wake_gone(&gone, now);
            }
            if news {
                self.wake_at(node, now, |row| Change::PodHere(row, &pod));
            }
        } else if let Some(attempt) = self.binding.get_mut(&pod.uid) {
            attempt.pod = pod;
        } else if !self.cluster.nodes.holds(&pod.uid) {
            self.cluster.nominations.apply(&pod);
            self.queue.offer(pod, now);
        }
    }

    fn pod_gone(&mut self, uid: &Uid, now: Duration) {
        self.queue.remove(uid);
        self.binding.remove(uid);
        self.release(uid, now);
        if let Some(gone) = self.cluster.nodes.remove_pod(uid) {
            self.wake_gone(&gone, now);
        }
    }

    /// Gives others the room that was promised to a pod which does not need it any more.
    fn release(&mut self, uid: &Uid, now: Duration) {
        if let Some(gone) = self.cluster.nominations.remove(uid) {
            self.wake_gone(&gone, now);
        }
    }

    /// A binding that the watch has confirmed, or whose pod is gone, is not on its way any more: then there is nothing to do.
    fn bind_failed(&mut self, uid: &Uid, now: Duration) {
        let Some(attempt) = self.binding.remove(uid) else { return };
        if let Some(gone) = self.cluster.nodes.forget(uid) {
            self.cluster.nominations.apply(&attempt.pod);
            self.queue.failed(attempt, now);
            self.wake_gone(&gone, now);
        }
    }

    fn wake_gone(&mut self, gone: &Gone, now: Duration) {
        self.wake_at(&gone.node, now, |node| Change::PodGone(node, &gone.pod));
    }

    /// Wakes the pods that a change at this node helps.
    fn wake_at<'a>(&'a mut self, node: &str, now: Duration, change: impl FnOnce(NodeRef<'a>) -> Change<'a>) {
        let Self { queue, cluster, profiles, .. } = self;
        if let Some(node) = cluster.nodes.named(node) {
            wake(queue, cluster, profiles, change(node), now);
        }
    }
}

/// Wakes the pods that a change helps.
fn wake(queue: &mut Queue, cluster: &Cluster, profiles: &[Profile], change: Change<'_>, now: Duration) {
    queue.wake(
        now,
        PluginSet::minding(change),
        || change.to_string(),
        |pod, asked| profile_of(profiles, pod).is_some_and(|profile| asked.helped_by(Case { pod, cluster, profile }, change)),
    );
}

/// How a pod is scheduled, if that is our business.
fn profile_of<'p>(profiles: &'p [Profile], pod: &PodInfo) -> Option<&'p Profile> {
    profiles.iter().find(|profile| profile.scheduler_name == pod.scheduler)
}

#[cfg(test)]
mod tests {
    use mini_api::selector::Selector;

    use super::*;
    use crate::{
        census::{Bond, Demand, Term},
        framework::testing,
        relations::Relations,
    };

    const NOW: Duration = Duration::ZERO;
    const LATER: Duration = Duration::from_secs(60);

    /// A synced scheduler with these nodes.
    fn scheduler(nodes: &[&str]) -> Scheduler {
        let mut scheduler = Scheduler::new(Configuration::default());
        scheduler.apply(Input::Node(Event::Init), NOW);
        for name in nodes {
            scheduler.apply(Input::Node(Event::InitApply(testing::node(name))), NOW);
        }
        scheduler.apply(Input::Node(Event::InitDone), NOW);
        scheduler.apply(Input::Pod(Event::Init), NOW);
        scheduler.apply(Input::Pod(Event::InitDone), NOW);
        scheduler.cluster.complete();
        scheduler
    }

    fn apply(scheduler: &mut Scheduler, pod: &PodInfo, now: Duration) {
        scheduler.apply(Input::Pod(Event::Apply(Arc::new(pod.clone()))), now);
    }

    fn wanting(name: &str, cpu: i64) -> PodInfo {
        let mut pod = testing::pod(name);
        pod.wants.amounts.cpu = cpu;
        pod
    }

    fn assigned(pod: &PodInfo, node: &str) -> PodInfo {
        PodInfo { node: Some(node.into()), ..pod.clone() }
    }

    /// All that can be done now, in words.
    fn work(scheduler: &mut Scheduler, now: Duration) -> String {
        scheduler.tick(now);
        let works = std::iter::from_fn(|| scheduler.is_ready().then(|| scheduler.schedule_one(now, 0)).flatten());
        let words = works.map(|work| match work {
            Work::Bind(Binding { pod, node, .. }) => format!("{} to {node}", pod.name),
            Work::Report(report) => format!("{}: {}", report.pod.name, report.message.split(". ").next().unwrap_or_default()),
        });
        words.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn nothing_is_scheduled_before_the_cluster_is_known() {
        let mut scheduler = Scheduler::new(Configuration::default());
        scheduler.apply(Input::Node(Event::Init), NOW);
        scheduler.apply(Input::Node(Event::InitDone), NOW);
        scheduler.apply(Input::Pod(Event::Init), NOW);
        scheduler.apply(Input::Pod(Event::InitApply(testing::pod("a").into())), NOW);
        assert!(!scheduler.is_ready());
        scheduler.apply(Input::Pod(Event::InitDone), NOW);
        assert!(!scheduler.is_ready());
        scheduler.cluster.complete();
        assert_eq!(work(&mut scheduler, NOW), "a: no nodes available to schedule pods");
    }

    #[test]
    fn a_decision_holds_resources_before_it_is_confirmed() {
        let mut scheduler = scheduler(&["n"]);
        for name in ["a", "b"] {
            apply(&mut scheduler, &wanting(name, 3000), NOW);
        }
        assert_eq!(work(&mut scheduler, NOW), "a to n; b: 0/1 nodes are available: 1 Insufficient cpu");
    }

    #[test]
    fn a_failed_binding_gives_the_resources_back_and_is_tried_again() {
        let mut scheduler = scheduler(&["n"]);
        apply(&mut scheduler, &wanting("a", 3000), NOW);
        work(&mut scheduler, NOW);
        apply(&mut scheduler, &wanting("b", 3000), NOW);
        work(&mut scheduler, NOW);
        scheduler.apply(Input::BindFailed("a".into()), NOW);
        // Whoever is helped by that need not wait; whoever failed must.
        assert_eq!(work(&mut scheduler, NOW), "b to n");
        assert_eq!(work(&mut scheduler, LATER), "a: 0/1 nodes are available: 1 Insufficient cpu");
    }

    #[test]
    fn a_binding_that_succeeded_without_an_answer_is_not_repeated() {
        let mut scheduler = scheduler(&["n"]);
        let pod = testing::pod("a");
        apply(&mut scheduler, &pod, NOW);
        work(&mut scheduler, NOW);
        apply(&mut scheduler, &assigned(&pod, "n"), NOW);
        scheduler.apply(Input::BindFailed("a".into()), NOW);
        assert_eq!(work(&mut scheduler, LATER), "");
        assert!(scheduler.cluster.nodes.holds(&"a".into()));
    }

    #[test]
    fn old_news_of_a_bound_pod_does_not_queue_it_again() {
        let mut scheduler = scheduler(&["n"]);
        let pod = testing::pod("a");
        apply(&mut scheduler, &pod, NOW);
        work(&mut scheduler, NOW);
        apply(&mut scheduler, &pod, NOW);
        scheduler.apply(Input::Bound("a".into()), NOW);
        apply(&mut scheduler, &pod, NOW);
        assert_eq!(work(&mut scheduler, LATER), "");
    }

    #[test]
    fn a_pod_deleted_while_it_is_bound_is_forgotten() {
        let mut scheduler = scheduler(&["n"]);
        let pod = testing::pod("a");
        apply(&mut scheduler, &pod, NOW);
        work(&mut scheduler, NOW);
        scheduler.apply(Input::Pod(Event::Delete(pod.into())), NOW);
        scheduler.apply(Input::BindFailed("a".into()), NOW);
        assert_eq!((work(&mut scheduler, LATER).as_str(), scheduler.cluster.nodes.holds(&"a".into())), ("", false));
    }

    #[test]
    fn changes_that_help_wake_and_others_do_not() {
        let mut scheduler = scheduler(&["n"]);
        apply(&mut scheduler, &assigned(&wanting("big", 3000), "n"), NOW);
        apply(&mut scheduler, &assigned(&wanting("small", 500), "n"), NOW);
        apply(&mut scheduler, &wanting("a", 2000), NOW);
        assert_eq!(work(&mut scheduler, NOW), "a: 0/1 nodes are available: 1 Insufficient cpu");
        scheduler.apply(Input::Pod(Event::Delete(wanting("small", 500).into())), LATER);
        assert_eq!(work(&mut scheduler, LATER), "");
        apply(&mut scheduler, &PodInfo { finished: true, ..assigned(&wanting("big", 3000), "n") }, LATER);
        assert_eq!(work(&mut scheduler, LATER), "a to n");
    }

    #[test]
    fn a_new_or_uncordoned_node_wakes() {
        let mut scheduler = scheduler(&[]);
        apply(&mut scheduler, &testing::pod("a"), NOW);
        assert_eq!(work(&mut scheduler, NOW), "a: no nodes available to schedule pods");
        let mut node = testing::node("n");
        node.unschedulable = true;
        scheduler.apply(Input::Node(Event::Apply(node)), LATER);
        assert_eq!(work(&mut scheduler, LATER), "a: 0/1 nodes are available: 1 node(s) were unschedulable");
        // Nobody else waits, so it is tried at once, however often it has failed.
        scheduler.apply(Input::Node(Event::Apply(testing::node("n"))), LATER);
        assert_eq!(work(&mut scheduler, LATER), "a to n");
    }

    #[test]
    fn others_gated_and_dying_pods_are_left_alone() {
        let mut scheduler = scheduler(&["n"]);
        apply(&mut scheduler, &PodInfo { scheduler: "mine".into(), ..testing::pod("a") }, NOW);
        apply(&mut scheduler, &PodInfo { terminating: true, ..testing::pod("b") }, NOW);
        apply(&mut scheduler, &PodInfo { gated: true, ..testing::pod("c") }, NOW);
        assert_eq!(work(&mut scheduler, LATER), "");
        apply(&mut scheduler, &testing::pod("c"), LATER);
        assert_eq!(work(&mut scheduler, LATER), "c to n");
    }

    #[test]
    fn a_new_list_replaces_what_was_known() {
        let mut scheduler = scheduler(&["gone", "n"]);
        apply(&mut scheduler, &assigned(&wanting("old", 4000), "n"), NOW);
        apply(&mut scheduler, &PodInfo { gated: true, ..testing::pod("queued") }, NOW);
        scheduler.apply(Input::Node(Event::Init), NOW);
        scheduler.apply(Input::Node(Event::InitApply(testing::node("n"))), NOW);
        scheduler.apply(Input::Node(Event::InitDone), NOW);
        scheduler.apply(Input::Pod(Event::Init), NOW);
        scheduler.apply(Input::Pod(Event::InitApply(wanting("new", 4000).into())), NOW);
        scheduler.apply(Input::Pod(Event::InitDone), NOW);
        assert_eq!((scheduler.cluster.nodes.len(), scheduler.queue.len()), (1, 1));
        assert_eq!(work(&mut scheduler, NOW), "new to n");
    }

    fn important(name: &str, cpu: i64) -> PodInfo {
        let mut pod = wanting(name, cpu);
        pod.wants.priority = 9;
        pod
    }

    /// The next work, which has to be an eviction: where, whom, and whose nomination is taken back.
    fn eviction(scheduler: &mut Scheduler, now: Duration) -> String {
        scheduler.tick(now);
        let Some(Work::Report(report)) = scheduler.schedule_one(now, 0) else { panic!("no report") };
        let Some(Eviction { candidate, outranked }) = report.eviction else { panic!("{}", report.message) };
        assert_eq!(report.nominated.as_ref(), Some(&candidate.node));
        let names = |pods: &[Arc<PodInfo>]| pods.iter().map(|pod| pod.name.clone()).collect::<Vec<_>>().join(" ");
        format!("{} evicts {} from {}, outranks [{}]", report.pod.name, names(&candidate.victims), candidate.node, names(&outranked))
    }

    #[test]
    fn an_important_pod_takes_the_room_of_others_when_they_have_left() {
        let mut scheduler = scheduler(&["n"]);
        for name in ["small", "big"] {
            apply(&mut scheduler, &assigned(&wanting(name, if name == "big" { 3000 } else { 1000 }), "n"), NOW);
        }
        apply(&mut scheduler, &important("vip", 3000), NOW);
        assert_eq!(eviction(&mut scheduler, NOW), "vip evicts big from n, outranks []");
        // Less important ones get none of it, neither before nor after.
        apply(&mut scheduler, &wanting("late", 2000), NOW);
        assert_eq!(work(&mut scheduler, NOW), "late: 0/1 nodes are available: 1 Insufficient cpu");
        scheduler.apply(Input::ReportOutdated("vip".into()), LATER);
        assert_eq!(work(&mut scheduler, LATER), "vip: 0/1 nodes are available: 1 Insufficient cpu");
        scheduler.apply(Input::Pod(Event::Delete(wanting("big", 3000).into())), 2 * LATER);
        assert_eq!(work(&mut scheduler, 2 * LATER), "vip to n; late: 0/1 nodes are available: 1 Insufficient cpu");
        assert!(scheduler.cluster.nominations.node_of(&"vip".into()).is_none());
    }

    #[test]
    fn whoever_is_outranked_looks_for_another_place() {
        let mut scheduler = scheduler(&["n"]);
        apply(&mut scheduler, &assigned(&wanting("x", 4000), "n"), NOW);
        let mut middle = wanting("middle", 4000);
        middle.wants.priority = 5;
        apply(&mut scheduler, &middle, NOW);
        assert_eq!(eviction(&mut scheduler, NOW), "middle evicts x from n, outranks []");
        apply(&mut scheduler, &important("vip", 4000), NOW);
        assert_eq!(eviction(&mut scheduler, NOW), "vip evicts x from n, outranks [middle]");
        assert_eq!(work(&mut scheduler, LATER), "middle: 0/1 nodes are available: 1 Insufficient cpu");
    }

    #[test]
    fn evictions_that_fail_are_tried_again() {
        let mut scheduler = scheduler(&["n"]);
        apply(&mut scheduler, &assigned(&wanting("x", 4000), "n"), NOW);
        apply(&mut scheduler, &important("vip", 4000), NOW);
        assert_eq!(eviction(&mut scheduler, NOW), "vip evicts x from n, outranks []");
        scheduler.apply(Input::PreemptFailed("vip".into()), NOW);
        assert_eq!(eviction(&mut scheduler, LATER), "vip evicts x from n, outranks []");
    }

    #[test]
    fn when_a_nominated_pod_is_gone_its_room_is_free() {
        let mut scheduler = scheduler(&["n"]);
        let told = PodInfo { nominated: Some("n".into()), ..important("vip", 4000) };
        let mut other = wanting("other", 1000);
        other.wants.priority = 9;
        scheduler.cluster.nominations.apply(&Arc::new(told.clone()));
        apply(&mut scheduler, &other, NOW);
        assert!(work(&mut scheduler, NOW).starts_with("other: 0/1"));
        scheduler.apply(Input::Pod(Event::Delete(told.into())), LATER);
        assert_eq!(work(&mut scheduler, LATER), "other to n");
    }

    #[test]
    fn each_pod_is_scheduled_by_its_profile() {
        let mut scheduler = scheduler(&["n"]);
        scheduler.profiles.push(Profile { filters: Vec::new(), ..Profile::named("careless") });
        for name in ["default-scheduler", "careless", "nobody"] {
            apply(&mut scheduler, &PodInfo { scheduler: name.into(), ..wanting(name, 9000) }, NOW);
        }
        assert_eq!(work(&mut scheduler, NOW), "default-scheduler: 0/1 nodes are available: 1 Insufficient cpu; careless to n");
    }

    #[test]
    fn a_pod_that_is_needed_wakes_those_that_need_it_as_soon_as_its_node_is_chosen() {
        let mut scheduler = scheduler(&["n"]);
        let labelled = |name: &str| PodInfo { labels: [("app".into(), name.into())].into(), ..testing::pod(name) };
        let term = Term {
            namespaces: vec!["default".into()],
            namespace_labels: Selector::nothing(),
            labels: "app=db".parse().unwrap(),
            topology_key: "host".into(),
        };
        let bonds = vec![Bond { term, demand: Demand::Need }];
        let mut web = labelled("web");
        web.wants.relations = Some(Box::new(Relations { bonds, spread: Vec::new() }));
        let mut node = testing::node("n");
        node.labels.insert("host".into(), "n".into());
        scheduler.apply(Input::Node(Event::Apply(node)), NOW);
        apply(&mut scheduler, &web, NOW);
        assert_eq!(work(&mut scheduler, NOW), "web: 0/1 nodes are available: 1 node(s) didn't match pod affinity rules");
        apply(&mut scheduler, &labelled("other"), LATER);
        assert_eq!(work(&mut scheduler, LATER), "other to n");
        apply(&mut scheduler, &labelled("db"), LATER);
        assert_eq!(work(&mut scheduler, LATER), "db to n; web to n");
    }

    #[test]
    fn a_node_that_goes_wakes_those_that_its_pods_kept_away() {
        let mut scheduler = scheduler(&[]);
        for (name, zone) in [("a", "1"), ("b", "1")] {
            let mut node = testing::node(name);
            node.labels.insert("zone".into(), zone.into());
            scheduler.apply(Input::Node(Event::Apply(node)), NOW);
        }
        let term = Term {
            namespaces: vec!["default".into()],
            namespace_labels: Selector::nothing(),
            labels: "app=lonely".parse().unwrap(),
            topology_key: "zone".into(),
        };
        let bonds = vec![Bond { term, demand: Demand::Refuse }];
        let mut lonely = PodInfo { labels: [("app".into(), "lonely".into())].into(), ..testing::pod("lonely") };
        lonely.wants.relations = Some(Box::new(Relations { bonds, spread: Vec::new() }));
        apply(&mut scheduler, &assigned(&PodInfo { uid: "there".into(), ..lonely.clone() }, "a"), NOW);
        apply(&mut scheduler, &lonely, NOW);
        let refused = "lonely: 0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules";
        assert_eq!(work(&mut scheduler, NOW), refused);
        scheduler.apply(Input::Node(Event::Delete(testing::node("a"))), LATER);
        assert_eq!(work(&mut scheduler, LATER), "lonely to b");
    }

    #[test]
    fn an_outdated_report_is_made_again() {
        let mut scheduler = scheduler(&[]);
        apply(&mut scheduler, &testing::pod("a"), NOW);
        work(&mut scheduler, NOW);
        scheduler.apply(Input::ReportOutdated("a".into()), NOW);
        assert_eq!(work(&mut scheduler, NOW), "a: no nodes available to schedule pods");
    }
}

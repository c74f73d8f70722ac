//! The pods that wait for a node: those whose turn it is, those that failed a moment ago, those that only a change in the
//! cluster can help, and those that are gated. Time is an argument: how long the scheduler has been running.
//!
//! Who failed a moment ago gives way to others, for longer each time. If there are no others, a pod that was helped meanwhile need
//! not wait any longer; but one for which something went wrong must, or it would do so again and again.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use crate::{
    framework::PluginSet,
    pod::{PodInfo, Uid},
};

/// How long pods wait at least that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Once.
    pub initial: Duration,
    /// Often.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), max: Duration::from_secs(10) }
    }
}

/// How long a pod stays unschedulable, if nothing happens, before it is tried anyway.
pub const FLUSH_AFTER: Duration = Duration::from_mins(5);

/// All pods that wait.
#[derive(Debug, Default)]
pub struct Queue {
    entries: HashMap<Uid, Entry>,
    /// In the order in which it is their turn.
    active: BTreeSet<Turn>,
    /// By when they become active at the latest: when it is nobody's turn, it is theirs.
    backoff: BTreeSet<(Duration, Uid)>,
    /// By when they become active.
    penalty: BTreeSet<(Duration, Uid)>,
    /// By when they are tried although nothing has happened.
    unschedulable: BTreeSet<(Duration, Uid)>,
    /// The same, by who refused them: a change is held against those only that may be helped by it.
    refused: BTreeMap<PluginSet, BTreeSet<(Duration, Uid)>>,
    arrivals: u64,
    patience: Backoff,
}

/// Higher priority first, then whoever came first.
pub type Turn = (Reverse<i32>, u64, Uid);

#[derive(Debug)]
struct Entry {
    pod: Arc<PodInfo>,
    past: Past,
    refused_by: PluginSet,
    place: Place,
}

/// What a pod that waits has been through.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// When it came.
    pub since: Duration,
    /// How often a node was looked for.
    pub attempts: u32,
    /// When the last attempt failed; when it came, if there was none.
    pub failed_at: Duration,
    /// What has made it be looked at once more: words for people.
    pub woken_by: Option<Arc<str>>,
}

/// In which way a pod waits.
#[derive(Clone, Debug)]
pub enum Place {
    /// It is its turn.
    Active(Turn),
    /// It failed a moment ago and may have been helped since: it is tried again at this time, or as soon as it is nobody's turn.
    Backoff(Duration),
    /// Something went wrong for it a moment ago: it is tried again at this time.
    Penalty(Duration),
    /// Only a change can help it; at this time it is tried anyway.
    Unschedulable(Duration),
    /// Its scheduling gates keep it out.
    Gated,
}

/// Why a pod that failed is to be tried again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Something has changed.
    Change,
    /// Something went wrong.
    Error,
}

/// A pod whose turn it is. It is out of the queue until it is given back.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The pod.
    pub pod: Arc<PodInfo>,
    /// The how manieth attempt this is, from 1.
    pub number: u32,
    /// When the pod came.
    pub since: Duration,
    /// What has led to this attempt, if it is not the first.
    pub woken_by: Option<Arc<str>>,
}

impl Attempt {
    /// What the pod has been through when this attempt has failed, too.
    fn failed(&self, now: Duration) -> Past {
        Past { since: self.since, attempts: self.number, failed_at: now, woken_by: self.woken_by.clone() }
    }
}

impl Queue {
    /// An empty queue in which failed pods wait so long.
    #[must_use]
    pub fn new(patience: Backoff) -> Self {
        Self { patience, ..Self::default() }
    }

    /// How many pods wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no pod waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether it is some pod's turn.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.active.is_empty() || !self.backoff.is_empty()
    }

    /// The pods that wait.
    pub fn uids(&self) -> impl Iterator<Item = &Uid> {
        self.entries.keys()
    }

    /// Takes in a pod, or its new state. A change of what it wants, or of its labels, may help it; other changes do not move it.
    pub fn offer(&mut self, pod: Arc<PodInfo>, now: Duration) {
        let Some(entry) = self.entries.get_mut(&pod.uid) else {
            return self.insert(pod, Past { since: now, failed_at: now, ..Past::default() }, Cause::Change, now);
        };
        let (before, after) = (&entry.pod, &pod);
        let moves = before.wants != after.wants || before.labels != after.labels || before.gated != after.gated;
        entry.pod = pod;
        if moves {
            entry.past.woken_by = Some("a change of the pod".into());
            let uid = entry.pod.uid.clone();
            self.insert_again(&uid, Cause::Change, now);
        }
    }

    /// Removes a pod that is gone or scheduled. Says whether it was waiting.
    pub fn remove(&mut self, uid: &Uid) -> bool {
        self.take(uid).is_some()
    }

    /// The pod whose turn it is.
    pub fn pop(&mut self) -> Option<Attempt> {
        let active = self.active.pop_first().map(|(.., uid)| uid);
        let uid = active.or_else(|| self.backoff.pop_first().map(|(_, uid)| uid))?;
        let entry = self.entries.remove(&uid)?;
        let Past { since, attempts, woken_by, .. } = entry.past;
        Some(Attempt { pod: entry.pod, number: attempts + 1, since, woken_by })
    }

    /// The waiting pod of this name, what it has been through, and how it waits. It is looked for among all.
    #[must_use]
    pub fn named(&self, namespace: &str, name: &str) -> Option<(&Arc<PodInfo>, &Past, &Place)> {
        let entry = self.entries.values().find(|entry| entry.pod.name == name && entry.pod.namespace == namespace)?;
        Some((&entry.pod, &entry.past, &entry.place))
    }

    /// Gives back a pod that no node wanted: it waits for a change that can help it.
    pub fn refused(&mut self, attempt: Attempt, refused_by: PluginSet, now: Duration) {
        let due = now + FLUSH_AFTER;
        self.unschedulable.insert((due, attempt.pod.uid.clone()));
        self.refused.entry(refused_by).or_default().insert((due, attempt.pod.uid.clone()));
        let place = Place::Unschedulable(due);
        let entry = Entry { past: attempt.failed(now), pod: attempt.pod, refused_by, place };
        self.entries.insert(entry.pod.uid.clone(), entry);
    }

    /// Gives back a pod for which something went wrong that is not the pod's fault: it is tried again soon.
    pub fn failed(&mut self, attempt: Attempt, now: Duration) {
        let past = Past { woken_by: Some("a binding that failed".into()), ..attempt.failed(now) };
        self.insert(attempt.pod, past, Cause::Error, now);
    }

    /// Has another look at one unschedulable pod for which something went wrong, when its backoff is over.
    pub fn retry(&mut self, uid: &Uid, now: Duration) {
        self.move_on(uid, Cause::Error, now);
    }

    /// Has another look at one unschedulable pod that has changed.
    pub fn look_again(&mut self, uid: &Uid, now: Duration) {
        self.move_on(uid, Cause::Change, now);
    }

    fn move_on(&mut self, uid: &Uid, cause: Cause, now: Duration) {
        if self.entries.get(uid).is_some_and(|entry| matches!(entry.place, Place::Unschedulable(_))) {
            self.insert_again(uid, cause, now);
        }
    }

    /// Has another look at the unschedulable pods that a change can help, after those whose turn it is: those that nobody
    /// refused (there were no nodes), and of those that the `minding` plugins refused the ones that it `helps`. `what` tells the change in words.
    pub fn wake(&mut self, now: Duration, minding: PluginSet, what: impl FnOnce() -> String, helps: impl Fn(&PodInfo, PluginSet) -> bool) {
        let asked = self.refused.iter().filter(|(by, _)| by.is_empty() || !by.and(minding).is_empty());
        let helped =
            |by: PluginSet, uid: &Uid| by.is_empty() || self.entries.get(uid).is_some_and(|entry| helps(&entry.pod, by.and(minding)));
        let mut woken: Vec<_> = asked.flat_map(|(by, pods)| pods.iter().filter(|(_, uid)| helped(*by, uid))).cloned().collect();
        if woken.is_empty() {
            return;
        }
        // Who has waited for longer comes first, whoever refused it.
        woken.sort_unstable();
        let what: Arc<str> = what().into();
        for (_, uid) in woken {
            if let Some(entry) = self.entries.get_mut(&uid) {
                entry.past.woken_by = Some(what.clone());
            }
            self.look_again(&uid, now);
        }
    }

    /// Makes the pods active whose time has come.
    pub fn tick(&mut self, now: Duration) {
        for waiting in [&mut self.backoff, &mut self.penalty, &mut self.unschedulable] {
            while waiting.first().is_some_and(|(due, _)| *due <= now)
                && let Some((due, uid)) = waiting.pop_first()
            {
                if let Some(entry) = self.entries.get_mut(&uid) {
                    if matches!(entry.place, Place::Unschedulable(_)) {
                        no_longer_refused(&mut self.refused, entry.refused_by, due, &uid);
                        entry.past.woken_by = Some("the time: nothing that could help has happened".into());
                    }
                    self.arrivals += 1;
                    let turn = (Reverse(entry.pod.wants.priority), self.arrivals, uid);
                    entry.place = Place::Active(turn.clone());
                    self.active.insert(turn);
                }
            }
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        [&self.backoff, &self.penalty, &self.unschedulable].into_iter().filter_map(|waiting| waiting.first()).map(|(due, _)| *due).min()
    }

    /// How many wait in which way: active, backoff, unschedulable, gated.
    #[must_use]
    pub fn counts(&self) -> [usize; 4] {
        let [active, backoff, unschedulable] = [self.active.len(), self.backoff.len() + self.penalty.len(), self.unschedulable.len()];
        [active, backoff, unschedulable, self.len() - active - backoff - unschedulable]
    }

    /// Puts a pod where it belongs: behind its gates, into backoff, or straight into its turn.
    fn insert(&mut self, pod: Arc<PodInfo>, past: Past, cause: Cause, now: Duration) {
        let uid = pod.uid.clone();
        let due = past.failed_at + self.patience.after(past.attempts);
        let place = if pod.gated {
            Place::Gated
        } else if due > now && cause == Cause::Error {
            self.penalty.insert((due, uid.clone()));
            Place::Penalty(due)
        } else if due > now {
            self.backoff.insert((due, uid.clone()));
            Place::Backoff(due)
        } else {
            self.arrivals += 1;
            let turn = (Reverse(pod.wants.priority), self.arrivals, uid.clone());
            self.active.insert(turn.clone());
            Place::Active(turn)
        };
        self.entries.insert(uid, Entry { pod, past, refused_by: PluginSet::default(), place });
    }

    fn insert_again(&mut self, uid: &Uid, cause: Cause, now: Duration) {
        if let Some(Entry { pod, past, .. }) = self.take(uid) {
            self.insert(pod, past, cause, now);
        }
    }

    fn take(&mut self, uid: &Uid) -> Option<Entry> {
        let entry = self.entries.remove(uid)?;
        match &entry.place {
            Place::Active(turn) => drop(self.active.remove(turn)),
            Place::Backoff(due) => drop(self.backoff.remove(&(*due, uid.clone()))),
            Place::Penalty(due) => drop(self.penalty.remove(&(*due, uid.clone()))),
            Place::Unschedulable(due) => {
                self.unschedulable.remove(&(*due, uid.clone()));
                no_longer_refused(&mut self.refused, entry.refused_by, *due, uid);
            }
            Place::Gated => {}
        }
        Some(entry)
    }
}

fn no_longer_refused(refused: &mut BTreeMap<PluginSet, BTreeSet<(Duration, Uid)>>, by: PluginSet, due: Duration, uid: &Uid) {
    if let Some(pods) = refused.get_mut(&by) {
        pods.remove(&(due, uid.clone()));
        if pods.is_empty() {
            refused.remove(&by);
        }
    }
}

impl Backoff {
    /// How long to wait after so many failures.
    fn after(self, attempts: u32) -> Duration {
        match attempts.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => self.initial.saturating_mul(2_u32.saturating_pow(doublings)).min(self.max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::testing;

    const START: Duration = Duration::ZERO;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn pod(name: &str, priority: i32) -> Arc<PodInfo> {
        let mut pod = testing::pod(name);
        pod.wants.priority = priority;
        Arc::new(pod)
    }

    fn queue(names: &[&str]) -> Queue {
        let mut queue = Queue::default();
        names.iter().for_each(|name| queue.offer(pod(name, 0), START));
        queue
    }

    fn by(plugin: usize) -> PluginSet {
        let mut set = PluginSet::default();
        set.insert(plugin);
        set
    }

    fn drain(queue: &mut Queue) -> String {
        std::iter::from_fn(|| queue.pop()).map(|attempt| attempt.pod.name.clone()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn higher_priority_first_then_whoever_came_first() {
        let mut queue = queue(&["a", "b"]);
        queue.offer(pod("c", 5), START);
        queue.offer(pod("b", 0), START);
        assert_eq!(drain(&mut queue), "c a b");
        assert!(queue.is_empty());
    }

    #[test]
    fn failures_double_the_wait_up_to_ten_seconds() {
        let mut queue = queue(&["a"]);
        let mut now = START;
        for wait in [1, 2, 4, 8, 10, 10] {
            let attempt = queue.pop().unwrap();
            queue.failed(attempt, now);
            assert_eq!(queue.next_due(), Some(now + seconds(wait)));
            queue.tick(now + seconds(wait) - Duration::from_millis(1));
            assert!(!queue.is_ready());
            now += seconds(wait);
            queue.tick(now);
            assert!(queue.is_ready());
        }
    }

    #[test]
    fn unschedulable_pods_wait_for_a_change_that_helps() {
        let mut queue = queue(&["a", "b"]);
        for plugin in [1, 2] {
            let attempt = queue.pop().unwrap();
            queue.refused(attempt, by(plugin), START);
        }
        queue.wake(seconds(30), by(2), || "a change".into(), |_, refused_by| refused_by.contains(2));
        assert_eq!(queue.counts(), [1, 0, 1, 0]);
        let (_, past, _) = queue.named("default", "b").unwrap();
        assert_eq!((past.attempts, past.woken_by.as_deref()), (1, Some("a change")));
        assert_eq!(drain(&mut queue), "b");
    }

    #[test]
    fn a_change_is_held_against_those_only_whose_refuser_minds() {
        let mut queue = queue(&["a", "b", "c"]);
        for plugin in [1, 2, 1] {
            let attempt = queue.pop().unwrap();
            queue.refused(attempt, by(plugin), START);
        }
        let asked = std::cell::RefCell::new(Vec::new());
        queue.wake(seconds(30), by(1), String::new, |pod, _| {
            asked.borrow_mut().push(pod.name.clone());
            pod.name == "c"
        });
        assert_eq!(asked.take(), ["a", "c"]);
        queue.wake(seconds(30), by(3), String::new, |_, _| true);
        assert_eq!(queue.counts(), [1, 0, 2, 0]);
        queue.tick(seconds(300));
        assert!(queue.refused.is_empty());
        assert_eq!(drain(&mut queue), "c a b");
    }

    #[test]
    fn who_is_helped_gives_way_to_others_until_the_backoff_is_over() {
        for (later, want) in [(seconds(0), "c d a b"), (seconds(1), "c a b d")] {
            let mut queue = queue(&["a", "b", "c"]);
            for _ in 0..2 {
                let attempt = queue.pop().unwrap();
                queue.refused(attempt, by(1), START);
            }
            queue.wake(Duration::from_millis(300), by(1), || "a change".into(), |_, _| true);
            assert_eq!((queue.counts(), queue.next_due()), ([1, 2, 0, 0], Some(seconds(1))));
            queue.tick(later);
            queue.offer(pod("d", 0), later);
            assert_eq!(drain(&mut queue), want);
        }
    }

    #[test]
    fn who_is_helped_is_tried_at_once_when_nobody_else_waits() {
        let mut queue = queue(&["a"]);
        let attempt = queue.pop().unwrap();
        queue.refused(attempt, by(1), START);
        assert!(!queue.is_ready());
        queue.wake(START, by(1), || "a change".into(), |_, _| true);
        assert!(queue.is_ready());
        let attempt = queue.pop().unwrap();
        assert_eq!((attempt.number, attempt.woken_by.as_deref()), (2, Some("a change")));
        // What goes wrong must not do so again and again.
        queue.failed(attempt, START);
        assert_eq!((queue.is_ready(), queue.pop().is_none(), queue.next_due()), (false, true, Some(seconds(2))));
        queue.tick(seconds(2));
        let attempt = queue.pop().unwrap();
        queue.refused(attempt, by(1), seconds(2));
        queue.retry(&"a".into(), seconds(2));
        assert_eq!((queue.is_ready(), queue.next_due()), (false, Some(seconds(6))));
    }

    #[test]
    fn after_five_minutes_without_a_change_it_is_tried_anyway() {
        let mut queue = queue(&["a"]);
        let attempt = queue.pop().unwrap();
        queue.refused(attempt, by(1), seconds(7));
        assert_eq!(queue.next_due(), Some(seconds(307)));
        queue.tick(seconds(307));
        assert_eq!(drain(&mut queue), "a");
    }

    #[test]
    fn gates_keep_a_pod_out_until_they_are_gone() {
        let mut gated = testing::pod("a");
        gated.gated = true;
        let mut queue = Queue::default();
        queue.offer(Arc::new(gated), START);
        assert_eq!((queue.counts(), queue.next_due(), queue.is_ready()), ([0, 0, 0, 1], None, false));
        queue.offer(pod("a", 0), START);
        assert_eq!(drain(&mut queue), "a");
    }

    #[test]
    fn only_a_change_of_wants_moves_an_unschedulable_pod() {
        let mut queue = queue(&["a"]);
        let attempt = queue.pop().unwrap();
        queue.refused(attempt, by(1), START);
        let mut same = testing::pod("a");
        same.resource_version = "9".into();
        queue.offer(Arc::new(same), seconds(20));
        assert_eq!(queue.counts(), [0, 0, 1, 0]);
        queue.offer(pod("a", 3), seconds(20));
        assert_eq!(queue.counts(), [1, 0, 0, 0]);
    }

    #[test]
    fn removed_pods_leave_nothing_behind() {
        let mut queue = queue(&["a", "b", "c"]);
        let (a, b) = (queue.pop().unwrap(), queue.pop().unwrap());
        queue.refused(a, by(1), START);
        queue.failed(b, START);
        for name in ["a", "b", "c"] {
            assert!(queue.remove(&name.into()));
        }
        assert!(queue.refused.is_empty());
        assert_eq!((queue.counts(), queue.next_due(), queue.remove(&"a".into())), ([0; 4], None, false));
    }
}

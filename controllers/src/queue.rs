//! The work queue of one controller: keys that want to run, each at most once, none twice at the same time.
//!
//! It knows when a key may run and nothing of what running means. A key that just ran rests before it runs again, in
//! proportion to what it cost: an object with 5,000 children hears of 5,000 changes but looks at its children a few dozen times.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Failures are retried after 5 ms, then twice as long each time.
const FIRST_RETRY: Duration = Duration::from_millis(5);
/// Retries never wait longer. Upstream's 1,000 s makes sense only where a retry is expensive.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// A key rests this many times as long as its run took …
const REST_FACTOR: u32 = 4;
/// … but never longer than this, so that a run that waited for others costs nobody anything.
const LONGEST_REST: Duration = Duration::from_millis(25);

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing more to do until something changes.
    Done,
    /// Look again after this long, whatever happens.
    After(Duration),
    /// It did not work; retry with growing pauses.
    Failed,
    /// It was not tried, and is to be after this long. Says nothing about earlier failures.
    Postponed(Duration),
}

/// The queue. All its users share one.
pub(crate) struct Queue<K> {
    inner: Mutex<Inner<K>>,
    news: Notify,
}

struct Inner<K> {
    slots: HashMap<K, Slot>,
    /// Keys that are waiting, by the moment they may run; the number keeps those of one moment in order.
    schedule: BTreeMap<(Instant, u64), K>,
    number: u64,
}

#[derive(Debug)]
struct Slot {
    /// When the key wants to run.
    due: Option<Instant>,
    /// Its place in the schedule.
    place: Option<(Instant, u64)>,
    rested: Instant,
    running: bool,
    failures: u32,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { slots: HashMap::new(), schedule: BTreeMap::new(), number: 0 }), news: Notify::new() }
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// Asks for a run as soon as may be.
    pub(crate) fn add(&self, key: K) {
        self.add_after(key, Duration::ZERO);
    }

    /// Asks for a run after `delay`. An earlier wish for the same key stands.
    pub(crate) fn add_after(&self, key: K, delay: Duration) {
        self.inner.lock().want(key, Instant::now() + delay);
        self.news.notify_one();
    }

    /// Waits for the next key. It is the caller's until [`Queue::done`].
    pub(crate) async fn next(&self) -> K {
        loop {
            // Registered before looking, so that no news falls between looking and waiting.
            let news = self.news.notified();
            let wake = {
                let mut inner = self.inner.lock();
                match inner.pop(Instant::now()) {
                    Ok(key) => {
                        // One notification may stand for many keys: pass it on.
                        if !inner.schedule.is_empty() {
                            self.news.notify_one();
                        }
                        return key;
                    }
                    Err(wake) => wake,
                }
            };
            match wake {
                Some(at) => tokio::select! { () = news => {} () = sleep_until(at) => {} },
                None => news.await,
            }
        }
    }

    /// Gives a key back after a run that took `cost`.
    pub(crate) fn done(&self, key: &K, verdict: Verdict, cost: Duration) {
        self.inner.lock().finish(key, verdict, cost);
        self.news.notify_one();
    }

    /// How many keys wait to run.
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().schedule.len()
    }
}

impl<K: Clone + Eq + Hash> Inner<K> {
    fn want(&mut self, key: K, at: Instant) {
        let fresh = Slot { due: None, place: None, rested: Instant::now(), running: false, failures: 0 };
        let slot = self.slots.entry(key.clone()).or_insert(fresh);
        if slot.due.is_some_and(|due| due <= at) {
            return;
        }
        slot.due = Some(at);
        if slot.running {
            return;
        }
        if let Some(place) = slot.place.take() {
            self.schedule.remove(&place);
        }
        self.number += 1;
        let place = (at.max(slot.rested), self.number);
        slot.place = Some(place);
        self.schedule.insert(place, key);
    }

    /// The next key that may run at `now`, or the moment to look again.
    fn pop(&mut self, now: Instant) -> Result<K, Option<Instant>> {
        let Some(entry) = self.schedule.first_entry() else { return Err(None) };
        let (at, _) = *entry.key();
        if at > now {
            return Err(Some(at));
        }
        let key = entry.remove();
        if let Some(slot) = self.slots.get_mut(&key) {
            (slot.due, slot.place, slot.running) = (None, None, true);
        }
        Ok(key)
    }

    fn finish(&mut self, key: &K, verdict: Verdict, cost: Duration) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let now = Instant::now();
        slot.running = false;
        slot.rested = now + (cost * REST_FACTOR).min(LONGEST_REST);
        let again = match verdict {
            Verdict::Done => None,
            Verdict::After(delay) | Verdict::Postponed(delay) => Some(now + delay),
            Verdict::Failed => {
                let delay = FIRST_RETRY.saturating_mul(1 << slot.failures.min(20)).min(LAST_RETRY);
                Some(now + delay)
            }
        };
        slot.failures = match verdict {
            Verdict::Failed => slot.failures + 1,
            Verdict::Postponed(_) => slot.failures,
            Verdict::Done | Verdict::After(_) => 0,
        };
        let wish = slot.due.take();
        match wish.into_iter().chain(again).min() {
            Some(at) => self.want(key.clone(), at),
            // Nobody remembers a key that rests: its next wish makes a new slot. One that is asked for at once may
            // therefore run a rest early, so keep it if it was expensive.
            None if slot.rested <= now => {
                self.slots.remove(key);
            }
            None => {}
        }
        self.forget_rested(now);
    }

    /// Drops idle slots now and then, so that the map is as large as the work, not as the history.
    fn forget_rested(&mut self, now: Instant) {
        if self.slots.len() > 64 && self.slots.len() > 4 * self.schedule.len() {
            self.slots.retain(|_, slot| slot.running || slot.place.is_some() || slot.rested > now || slot.failures > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;

    fn waiting(queue: &Queue<&'static str>) -> Vec<&'static str> {
        queue.inner.lock().schedule.values().copied().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_runs_alone() {
        let queue = Queue::default();
        for key in ["a", "b", "a"] {
            queue.add(key);
        }
        assert_eq!(waiting(&queue), ["a", "b"]);
        assert_eq!(queue.next().await, "a");
        queue.add("a");
        assert_eq!(waiting(&queue), ["b"], "a is running");
        queue.done(&"a", Verdict::Done, NO_TIME);
        assert_eq!(waiting(&queue), ["b", "a"], "what was asked for meanwhile is not lost");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_up_to_the_limit_and_success_forgets() {
        let queue = Queue::default();
        queue.add("a");
        let mut pauses = Vec::new();
        for _ in 0..15 {
            let before = Instant::now();
            queue.next().await;
            pauses.push(before.elapsed().as_millis());
            queue.done(&"a", Verdict::Failed, NO_TIME);
        }
        assert_eq!(pauses, [0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 30000]);
        queue.next().await;
        queue.done(&"a", Verdict::After(Duration::from_secs(1)), NO_TIME);
        queue.next().await;
        queue.done(&"a", Verdict::Failed, NO_TIME);
        let before = Instant::now();
        queue.next().await;
        assert_eq!(before.elapsed(), FIRST_RETRY);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_wish_wins() {
        let queue = Queue::default();
        queue.add_after("a", Duration::from_secs(60));
        queue.add_after("a", Duration::from_secs(9));
        queue.add_after("a", Duration::from_secs(30));
        let before = Instant::now();
        queue.next().await;
        assert_eq!(before.elapsed(), Duration::from_secs(9));
        queue.done(&"a", Verdict::Done, NO_TIME);
        assert_eq!(queue.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expensive_key_rests_and_a_cheap_one_does_not_wait_for_it() {
        let queue = Queue::default();
        queue.add("large");
        queue.next().await;
        queue.done(&"large", Verdict::Done, Duration::from_millis(3));
        queue.add("large");
        queue.add("small");
        let before = Instant::now();
        assert_eq!(queue.next().await, "small");
        assert_eq!(before.elapsed(), NO_TIME);
        assert_eq!(queue.next().await, "large");
        assert_eq!(before.elapsed(), Duration::from_millis(12));
        queue.done(&"large", Verdict::After(NO_TIME), Duration::from_secs(5));
        queue.next().await;
        assert_eq!(before.elapsed(), Duration::from_millis(12) + LONGEST_REST);
    }

    #[tokio::test(start_paused = true)]
    async fn many_workers_share_the_work() {
        let queue = std::sync::Arc::new(Queue::default());
        let worker = |queue: std::sync::Arc<Queue<usize>>| async move {
            let mut ran = 0;
            while let Ok(key) = tokio::time::timeout(Duration::from_secs(1), queue.next()).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
                queue.done(&key, Verdict::Done, NO_TIME);
                ran += 1;
            }
            ran
        };
        (0..100).for_each(|key| queue.add(key));
        let ran = futures::future::join_all((0..4).map(|_| worker(queue.clone()))).await;
        assert_eq!(ran, [25; 4]);
        assert!(queue.inner.lock().slots.len() <= 64);
    }
}

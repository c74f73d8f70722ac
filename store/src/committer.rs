//! The one writer. Every back end is five verbs ([`Log`]); what they mean together is decided here, once.
//!
//! A put or delete queues its write and waits. The committer takes what queued up while it was busy (natural group
//! commit: no timer, a lone writer never waits for company), then, for the whole batch:
//!
//! 1. [`decide`]: check every precondition, give out revisions — in queue order, later writes seeing earlier ones;
//! 2. `apply` and `sync` the changes: from here on they are durable;
//! 3. publish them to the hub, then move `revision()`;
//! 4. acknowledge.
//!
//! **What readers see.** Engines show a write as soon as it is applied, before it is durable. So a commit (1–3) holds
//! the state lock for writing and every read holds it for reading: a read sees all of a batch, durable, or nothing of
//! it. No second copy of the values is kept for that; a read may wait for one sync. Reads are rare: the API server
//! answers from its own cache. The lock is handed over fairly, so neither side starves the other.
//!
//! **What is in memory.** Key → revision, for the preconditions: about 100 bytes per key besides the key.
//!
//! **When a commit fails** nobody can know how much of it is on disk. Every write of the batch gets the error, nothing
//! is published, and the store does nothing more ([`Error::Broken`]) until it is opened anew.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockWriteGuard};
use tokio::sync::oneshot;

use crate::hub::{Hub, Limits};
use crate::{Change, Entry, Error, Expect, MAX_KEY, MAX_VALUE, Result, Revision, Store, Watch};

/// A batch takes at most so many writes, and stops growing at so many bytes of values.
const BATCH_WRITES: usize = 1024;
const BATCH_BYTES: usize = 8 << 20;

/// Where every live key was last written.
pub(crate) type Index = HashMap<Arc<str>, Revision>;

/// What a back end found when it was opened.
pub(crate) struct Loaded {
    /// No revision above this one has ever been acknowledged.
    pub(crate) revision: Revision,
    /// Every key that exists.
    pub(crate) index: Index,
}

/// What a back end does. `load`, `apply` and `sync` are called one at a time; `get` and `scan` not while `load` or `apply` runs, but
/// they may overlap each other and `sync`.
pub(crate) trait Log: Send + Sync + 'static {
    /// Reads what is there. Called once, first.
    fn load(&self) -> Result<Loaded>;
    /// Writes the changes, in this order. They need not survive a crash yet; if there is one, any prefix of the
    /// batch may survive it, but never half a value, and never a revision lower than an acknowledged one.
    fn apply(&self, batch: &[Change]) -> Result<()>;
    /// Returns once everything applied survives a crash and a power cut.
    fn sync(&self) -> Result<()>;
    /// What a key holds.
    fn get(&self, key: &str) -> Result<Option<Entry>>;
    /// What every key with that prefix holds, in key order.
    fn scan(&self, prefix: &str) -> Result<Vec<Entry>>;
}

/// A write that wants to happen.
struct Write {
    key: Arc<str>,
    /// `None` deletes.
    value: Option<Bytes>,
    expect: Expect,
}

/// What shall become of a batch of writes.
#[derive(Debug)]
struct Plan {
    /// What happens, in revision order.
    changes: Vec<Change>,
    /// The answer to each write, true as soon as `changes` are durable.
    answers: Vec<Result<Revision>>,
}

/// Which of `writes` happen, and at which revisions, in a store that holds `index` and is at `revision`.
fn decide(index: &Index, mut revision: Revision, writes: Vec<Write>) -> Plan {
    let mut touched: HashMap<Arc<str>, Option<Revision>> = HashMap::new();
    let mut plan = Plan { changes: Vec::with_capacity(writes.len()), answers: Vec::with_capacity(writes.len()) };
    for Write { key, value, expect } in writes {
        let actual = touched.get(&key).copied().unwrap_or_else(|| index.get(&key).copied());
        let holds = match expect {
            Expect::Absent => actual.is_none() && value.is_some(),
            Expect::At(expected) => actual == Some(expected),
        };
        if !holds {
            plan.answers.push(Err(Error::Conflict { key, actual }));
            continue;
        }
        revision += 1;
        touched.insert(Arc::clone(&key), value.is_some().then_some(revision));
        plan.changes.push(Change { key, revision, value, created: actual.is_none() });
        plan.answers.push(Ok(revision));
    }
    plan
}

/// A write and who waits for it.
struct Pending {
    write: Write,
    answer: oneshot::Sender<Result<Revision>>,
}

/// A [`Store`] made of a [`Log`].
pub(crate) struct Committer<L: Log> {
    core: Arc<Core<L>>,
    /// The writer's thread; without one, commits run on the caller's.
    thread: Option<JoinHandle<()>>,
}

struct Core<L> {
    queue: Queue,
    state: RwLock<State>,
    hub: Arc<Hub>,
    log: L,
}

/// What is durable; and why nothing more will be, if so.
struct State {
    revision: Revision,
    index: Index,
    broken: Option<Arc<Error>>,
}

impl<L: Log> Committer<L> {
    /// For a log that never waits: commits and reads run on the caller's thread.
    pub(crate) fn inline(log: L) -> Result<Self> {
        Ok(Self { core: Arc::new(Core::load(log)?), thread: None })
    }

    /// For a log that waits for a disk: commits run on one thread of their own, reads on the runtime's blocking pool.
    pub(crate) fn threaded(log: L) -> Result<Self> {
        let core = Arc::new(Core::load(log)?);
        let thread = thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn({
                let core = Arc::clone(&core);
                move || core.run()
            })
            .map_err(|source| Error::io("starting the committer thread", source))?;
        Ok(Self { core, thread: Some(thread) })
    }

    async fn write(&self, key: &str, value: Option<Bytes>, expect: Expect) -> Result<Revision> {
        let size = value.as_ref().map_or(0, Bytes::len);
        fits("key", key.len(), MAX_KEY)?;
        fits("value", size, MAX_VALUE)?;
        let (answer, answered) = oneshot::channel();
        let pending = Pending { write: Write { key: key.into(), value, expect }, answer };
        match self.thread {
            Some(_) => self.core.queue.push(pending),
            None => self.core.commit(vec![pending]),
        }
        // An answer is lost only if the committer died; it has left word why.
        answered.await.unwrap_or_else(|_| Err(self.core.state.read().alive().err().unwrap_or(Error::Closed)))
    }

    async fn read<T: Send + 'static>(&self, look: impl FnOnce(&L, Revision) -> Result<T> + Send + 'static) -> Result<T> {
        let core = Arc::clone(&self.core);
        let look = move || {
            let state = core.state.read();
            state.alive()?;
            look(&core.log, state.revision)
        };
        if self.thread.is_none() {
            return look();
        }
        match tokio::task::spawn_blocking(look).await {
            Ok(answer) => answer,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Err(Error::Closed),
            },
        }
    }
}

fn fits(what: &'static str, size: usize, limit: usize) -> Result<()> {
    if size > limit { Err(Error::TooLarge { what, size, limit }) } else { Ok(()) }
}

#[async_trait]
impl<L: Log> Store for Committer<L> {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let key = key.to_owned();
        self.read(move |log, _| log.get(&key)).await
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision)> {
        let prefix = prefix.to_owned();
        self.read(move |log, revision| Ok((log.scan(&prefix)?, revision))).await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision> {
        self.write(key, Some(value), expect).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<Revision> {
        self.write(key, None, expect).await
    }

    fn watch(&self, after: Revision) -> Result<Watch> {
        self.core.hub.watch(after)
    }

    fn revision(&self) -> Revision {
        self.core.hub.revision()
    }
}

impl<L: Log> Drop for Committer<L> {
    fn drop(&mut self) {
        self.core.queue.close();
        if let Some(thread) = self.thread.take() {
            // It panicked only if the log did; then every caller has been told already.
            let _ = thread.join();
        }
        self.core.hub.end(Error::Closed);
    }
}

impl<L: Log> Core<L> {
    fn load(log: L) -> Result<Self> {
        let Loaded { revision, index } = log.load()?;
        tracing::info!(revision, keys = index.len(), "store opened");
        Ok(Self {
            queue: Queue::default(),
            state: RwLock::new(State { revision, index, broken: None }),
            hub: Hub::new(revision, Limits::default()),
            log,
        })
    }

    /// The committer's life: until the store is closed and the queue is empty.
    fn run(&self) {
        while let Some(batch) = self.queue.take() {
            self.commit(batch);
        }
    }

    /// One batch, from decision to acknowledgement.
    fn commit(&self, batch: Vec<Pending>) {
        let (writes, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|p| (p.write, p.answer)).unzip();
        // Before the lock, so that after it: a panic releases the lock, leaves word, and only then drops the waiting.
        let _obituary = Obituary(self);
        let mut state = self.state.write();
        let outcome = self.make_durable(&mut state, writes);
        RwLockWriteGuard::unlock_fair(state);
        // Whoever stopped waiting has its write all the same.
        match outcome {
            Ok(answers) => waiting.into_iter().zip(answers).for_each(|(waiter, answer)| drop(waiter.send(answer))),
            Err(error) => waiting.into_iter().for_each(|waiter| drop(waiter.send(Err(error.clone())))),
        }
    }

    fn make_durable(&self, state: &mut State, writes: Vec<Write>) -> Result<Vec<Result<Revision>>> {
        state.alive()?;
        let plan = decide(&state.index, state.revision, writes);
        if plan.changes.is_empty() {
            return Ok(plan.answers);
        }
        if let Err(error) = self.log.apply(&plan.changes).and_then(|()| self.log.sync()) {
            self.fail(state, error.clone());
            return Err(error);
        }
        state.absorb(&plan.changes);
        self.hub.publish(plan.changes);
        Ok(plan.answers)
    }

    fn fail(&self, state: &mut State, error: Error) {
        tracing::error!(%error, source = ?std::error::Error::source(&error), "commit failed; the store stops");
        let source = Arc::new(error);
        state.broken = Some(Arc::clone(&source));
        self.hub.end(Error::Broken { source });
    }
}

impl State {
    fn alive(&self) -> Result<()> {
        self.broken.clone().map_or(Ok(()), |source| Err(Error::Broken { source }))
    }

    fn absorb(&mut self, changes: &[Change]) {
        for change in changes {
            match change.value {
                Some(_) => self.index.insert(Arc::clone(&change.key), change.revision),
                None => self.index.remove(&change.key),
            };
            self.revision = change.revision;
        }
    }
}

/// If a commit ends in a panic (engines assert), tells everybody.
struct Obituary<'a, L: Log>(&'a Core<L>);

impl<L: Log> Drop for Obituary<'_, L> {
    fn drop(&mut self) {
        if thread::panicking() {
            let cause = std::io::Error::other("the commit panicked");
            self.0.fail(&mut self.0.state.write(), Error::io("committing", cause));
            self.0.queue.abandon();
        }
    }
}

/// Writes that wait for the committer.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    writes: VecDeque<Pending>,
    closed: bool,
}

impl Queue {
    /// Queues a write; drops it if the queue is closed, from which its writer learns that there is no answer.
    fn push(&self, pending: Pending) {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return;
        }
        waiting.writes.push_back(pending);
        drop(waiting);
        self.wake.notify_one();
    }

    /// The next batch, as soon as there is one; `None` once closed and empty.
    fn take(&self) -> Option<Vec<Pending>> {
        let mut waiting = self.waiting.lock();
        while waiting.writes.is_empty() {
            if waiting.closed {
                return None;
            }
            self.wake.wait(&mut waiting);
        }
        MutexGuard::unlocked(&mut waiting, || self.gather());
        let size = |pending: &Pending| pending.write.value.as_ref().map_or(0, Bytes::len);
        let fits = |total: &mut usize, pending: &Pending| {
            *total += size(pending);
            (*total <= BATCH_BYTES).then_some(())
        };
        let count = waiting.writes.iter().take(BATCH_WRITES).scan(0, fits).count().max(1);
        Some(waiting.writes.drain(..count).collect())
    }

    /// Where every core is busy, lets those who are about to write come before the disk does: each sync then serves more of
    /// them. A lone writer waits for nobody, and while a core is free this takes no time.
    fn gather(&self) {
        let mut seen = 1;
        loop {
            let waiting = self.waiting.lock().writes.len();
            if waiting <= seen || waiting >= BATCH_WRITES {
                return;
            }
            seen = waiting;
            thread::yield_now();
        }
    }

    /// No more writes are taken; those that wait still count.
    fn close(&self) {
        self.waiting.lock().closed = true;
        self.wake.notify_one();
    }

    /// There is no committer any more: no more writes are taken, and the writers of those that wait learn that there is
    /// no answer.
    fn abandon(&self) {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        waiting.writes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failing::{Failing, Fault};
    use crate::memory::Memory;
    use futures::FutureExt;
    use futures::future::join_all;

    fn write(key: &str, value: Option<&'static str>, expect: Expect) -> Write {
        Write { key: key.into(), value: value.map(Bytes::from), expect }
    }

    /// Decides over a store at revision 9 in which `a` was written at 5; one line per write.
    fn decided(writes: Vec<Write>) -> Vec<String> {
        let index = Index::from([("a".into(), 5)]);
        let plan = decide(&index, 9, writes);
        let mut changes = plan.changes.iter();
        let mut line = |answer: &Result<Revision>| match answer {
            Ok(revision) => {
                let change = changes.next().unwrap();
                assert_eq!(change.revision, *revision);
                let verb = match (&change.value, change.created) {
                    (Some(_), true) => "create",
                    (Some(_), false) => "update",
                    (None, _) => "delete",
                };
                format!("{verb} {} {revision}", change.key)
            }
            Err(Error::Conflict { key, actual }) => format!("conflict {key} {actual:?}"),
            Err(other) => panic!("{other}"),
        };
        let lines = plan.answers.iter().map(&mut line).collect();
        assert_eq!(changes.next(), None);
        lines
    }

    #[test]
    fn preconditions_are_checked_against_what_is_there() {
        use Expect::{Absent, At};
        let cases = [
            (write("b", Some("v"), Absent), "create b 10"),
            (write("a", Some("v"), At(5)), "update a 10"),
            (write("a", None, At(5)), "delete a 10"),
            (write("a", Some("v"), Absent), "conflict a Some(5)"),
            (write("a", Some("v"), At(4)), "conflict a Some(5)"),
            (write("a", None, Absent), "conflict a Some(5)"),
            (write("b", Some("v"), At(9)), "conflict b None"),
            (write("b", None, Absent), "conflict b None"),
            (write("b", None, At(1)), "conflict b None"),
        ];
        for (write, expected) in cases {
            assert_eq!(decided(vec![write]), [expected]);
        }
    }

    #[test]
    fn within_a_batch_later_writes_see_earlier_ones() {
        use Expect::{Absent, At};
        let batch = vec![
            write("a", Some("v"), At(5)),
            write("a", Some("v"), At(5)),
            write("a", None, At(10)),
            write("a", Some("v"), At(10)),
            write("a", Some("v"), Absent),
            write("b", Some("v"), Absent),
            write("b", Some("v"), Absent),
        ];
        let expected =
            ["update a 10", "conflict a Some(10)", "delete a 11", "conflict a None", "create a 12", "create b 13", "conflict b Some(13)"];
        assert_eq!(decided(batch), expected);
    }

    #[test]
    fn a_batch_is_bounded_and_never_empty() {
        let queue = Queue::default();
        let mut answers = Vec::new();
        let mut push = |size: usize| {
            let (answer, answered) = oneshot::channel();
            let value = Some(vec![0; size].into());
            queue.push(Pending { write: Write { key: "k".into(), value, expect: Expect::Absent }, answer });
            answers.push(answered);
        };
        (0..BATCH_WRITES + 1).for_each(|_| push(1));
        push(BATCH_BYTES + 1);
        push(BATCH_BYTES);
        push(1);
        let sizes: Vec<_> = (0..4).map(|_| queue.take().unwrap().len()).collect();
        assert_eq!(sizes, [BATCH_WRITES, 1, 1, 1]);
        queue.close();
        assert_eq!(queue.take().unwrap().len(), 1, "what was queued before the end still counts");
        assert!(queue.take().is_none());
    }

    /// Puts `keys` at once, so that most of them meet in one batch.
    async fn put_all<L: Log>(store: &Committer<L>, keys: std::ops::Range<u32>) -> Vec<Result<Revision>> {
        let keys: Vec<_> = keys.map(|key| key.to_string()).collect();
        join_all(keys.iter().map(|key| store.put(key, "v".into(), Expect::Absent))).await
    }

    #[tokio::test]
    async fn a_failed_commit_answers_its_batch_publishes_nothing_and_stops_the_store() {
        for (fault, threaded) in [(Fault::Apply, false), (Fault::Sync, false), (Fault::Apply, true), (Fault::Sync, true)] {
            let log = Failing::new(Memory::default());
            let switch = log.switch();
            let make = if threaded { Committer::threaded } else { Committer::inline };
            let store = make(log).unwrap();
            assert_eq!(store.put("a", "v".into(), Expect::Absent).await.unwrap(), 2);
            let mut watch = store.watch(1).unwrap();

            switch.fail(fault);
            let answers = put_all(&store, 0..50).await;
            for answer in &answers {
                assert!(matches!(answer, Err(Error::Io { .. } | Error::Broken { .. })), "{answer:?}");
            }
            assert!(matches!(answers[0], Err(Error::Io { .. })), "the batch hears the cause itself");

            // The disk is well again; the store cannot know what is on it.
            switch.fail(Fault::None);
            assert!(matches!(store.put("b", "v".into(), Expect::Absent).await, Err(Error::Broken { .. })));
            assert!(matches!(store.get("a").await, Err(Error::Broken { .. })));
            assert!(matches!(store.list("").await, Err(Error::Broken { .. })));
            assert_eq!(store.revision(), 2);
            assert_eq!(watch.next().await.unwrap().len(), 1);
            assert!(matches!(watch.next().await, Err(Error::Broken { .. })));
        }
    }

    #[tokio::test]
    async fn a_panicking_log_leaves_word() {
        let log = Failing::new(Memory::default());
        let switch = log.switch();
        let store = Committer::threaded(log).unwrap();
        switch.fail(Fault::Panic);
        for answer in put_all(&store, 0..3).await {
            assert!(matches!(answer, Err(Error::Broken { .. })), "{answer:?}");
        }
        let answer = store.put("late", "v".into(), Expect::Absent).await;
        assert!(matches!(answer, Err(Error::Broken { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn nothing_is_seen_or_acknowledged_before_the_sync_returns() {
        let log = Failing::new(Memory::default());
        let switch = log.switch();
        let store = Committer::threaded(log).unwrap();
        let mut watch = store.watch(1).unwrap();
        let hold = switch.hold_sync();
        let mut put = store.put("a", "v".into(), Expect::Absent);
        assert!(put.as_mut().now_or_never().is_none());
        switch.await_sync();
        assert!(put.as_mut().now_or_never().is_none());
        assert!(watch.next().now_or_never().is_none());
        assert_eq!(store.revision(), 1);
        drop(hold);
        assert_eq!(put.await.unwrap(), 2);
        assert_eq!(store.revision(), 2);
        assert_eq!(watch.next().await.unwrap()[0].revision, 2);
    }

    #[tokio::test]
    async fn what_is_queued_when_the_store_is_dropped_is_still_committed() {
        let log = Failing::new(Memory::default());
        let switch = log.switch();
        let store = Committer::threaded(log).unwrap();
        let mut watch = store.watch(1).unwrap();
        let hold = switch.hold_sync();
        for key in ["a", "b", "c"] {
            assert!(store.put(key, "v".into(), Expect::Absent).now_or_never().is_none());
        }
        drop(hold);
        drop(store);
        let mut keys = Vec::new();
        let end = loop {
            match watch.next().await {
                Ok(batch) => keys.extend(batch.into_iter().map(|change| change.key)),
                Err(end) => break end,
            }
        };
        assert_eq!(keys.iter().map(|key| &**key).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(matches!(end, Error::Closed));
    }
}

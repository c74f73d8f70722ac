//! Fan-out: what became durable goes to every watcher, and stays here for a while so that a watcher may start in the
//! past or fall behind.
//!
//! Watchers pull: each reads the history at its own pace and the committer never waits for one. Who falls behind the
//! oldest batch kept is told [`Error::Compacted`] and lists again. The history is in memory only; after a restart it
//! is empty and reaches back to the revision the store was opened at.
//!
//! Must not know where changes come from, nor how they were made durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Change, Error, Result, Revision};

/// How much history is kept. Values are shared with whoever else holds them, so the bytes are an upper bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// At most so many changes,
    pub(crate) changes: usize,
    /// and so many bytes of keys and values. (The newest batch is always kept.)
    pub(crate) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { changes: 64 << 10, bytes: 32 << 20 }
    }
}

/// The published past of one store.
pub(crate) struct Hub {
    history: Mutex<History>,
    revision: AtomicU64,
    /// Rung after `history` has changed.
    bell: watch::Sender<()>,
}

/// Whole batches, oldest first. Revisions rise without a hole from `floor + 1` to `head`.
struct History {
    batches: VecDeque<Arc<[Change]>>,
    floor: Revision,
    head: Revision,
    changes: usize,
    bytes: usize,
    limits: Limits,
    ended: Option<Error>,
}

impl Hub {
    /// An empty history that begins after `revision`.
    pub(crate) fn new(revision: Revision, limits: Limits) -> Arc<Self> {
        let history = History { batches: VecDeque::new(), floor: revision, head: revision, changes: 0, bytes: 0, limits, ended: None };
        Arc::new(Self { history: Mutex::new(history), revision: AtomicU64::new(revision), bell: watch::Sender::new(()) })
    }

    /// The newest published revision.
    pub(crate) fn revision(&self) -> Revision {
        self.revision.load(Ordering::Acquire)
    }

    /// Makes one durable batch visible, all of it at once. `changes` continue the history without a hole.
    pub(crate) fn publish(&self, changes: Vec<Change>) {
        let Some(last) = changes.last().map(|change| change.revision) else { return };
        self.history.lock().push(changes.into());
        self.bell.send_replace(());
        self.revision.store(last, Ordering::Release);
    }

    /// Nothing will be published any more; watchers hear `why` once they have read the rest.
    pub(crate) fn end(&self, why: Error) {
        self.history.lock().ended.get_or_insert(why);
        self.bell.send_replace(());
    }

    /// Follows the history from just after `after`.
    pub(crate) fn watch(self: &Arc<Self>, after: Revision) -> Result<Watch> {
        self.history.lock().check(after)?;
        Ok(Watch { hub: Arc::clone(self), after, bell: self.bell.subscribe() })
    }
}

impl History {
    fn push(&mut self, batch: Arc<[Change]>) {
        let last = batch.last().map_or(self.head, |change| change.revision);
        debug_assert_eq!(batch.first().map(|change| change.revision), Some(self.head + 1), "a hole in the history");
        self.head = last;
        self.changes += batch.len();
        self.bytes += weight(&batch);
        self.batches.push_back(batch);
        while self.batches.len() > 1 && (self.changes > self.limits.changes || self.bytes > self.limits.bytes) {
            let Some(old) = self.batches.pop_front() else { break };
            self.changes -= old.len();
            self.bytes -= weight(&old);
            self.floor = old.last().map_or(self.floor, |change| change.revision);
        }
    }

    fn check(&self, after: Revision) -> Result<()> {
        if after > self.head {
            return Err(Error::Future { requested: after, current: self.head });
        }
        if after < self.floor {
            return Err(Error::Compacted { oldest: self.floor });
        }
        Ok(())
    }

    /// What is left of the first batch that goes beyond `after`; `None` if nothing does yet.
    fn next(&self, after: Revision) -> Result<Option<Vec<Change>>> {
        self.check(after)?;
        let ends_by = |batch: &Arc<[Change]>| batch.last().is_none_or(|change| change.revision <= after);
        match self.batches.get(self.batches.partition_point(ends_by)) {
            Some(batch) => {
                let seen = batch.partition_point(|change| change.revision <= after);
                Ok(Some(batch[seen..].to_vec()))
            }
            None => self.ended.clone().map_or(Ok(None), Err),
        }
    }
}

fn weight(batch: &[Change]) -> usize {
    batch.iter().map(|change| change.key.len() + change.value.as_ref().map_or(0, bytes::Bytes::len)).sum()
}

/// A reader of the store's history, from [`Store::watch`](crate::Store::watch).
pub struct Watch {
    hub: Arc<Hub>,
    after: Revision,
    bell: watch::Receiver<()>,
}

impl Watch {
    /// The next batch: the changes that became visible together, in revision order, following the previous batch
    /// without a gap. Waits until there is one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Final, all of them: [`Error::Compacted`] if this watch fell behind what is kept; [`Error::Closed`] or
    /// [`Error::Broken`] if the store ended and everything published has been read.
    pub async fn next(&mut self) -> Result<Vec<Change>> {
        loop {
            // Marked as heard before looking: a batch published in between rings again.
            self.bell.borrow_and_update();
            let ready = self.hub.history.lock().next(self.after)?;
            if let Some(changes) = ready {
                self.after = changes.last().map_or(self.after, |change| change.revision);
                return Ok(changes);
            }
            if self.bell.changed().await.is_err() {
                return Err(Error::Closed);
            }
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("after", &self.after).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn batch(revisions: std::ops::RangeInclusive<Revision>, size: usize) -> Vec<Change> {
        let change = |revision| Change { key: "k".into(), revision, value: Some(vec![0; size].into()), created: false };
        revisions.map(change).collect()
    }

    fn revisions(changes: &[Change]) -> Vec<Revision> {
        changes.iter().map(|change| change.revision).collect()
    }

    fn hub(limits: Limits) -> Arc<Hub> {
        Hub::new(1, limits)
    }

    #[tokio::test]
    async fn replays_whole_batches_and_cuts_only_the_one_it_starts_in() {
        let hub = hub(Limits::default());
        hub.publish(batch(2..=4, 1));
        hub.publish(batch(5..=6, 1));
        let mut watch = hub.watch(3).unwrap();
        assert_eq!(revisions(&watch.next().await.unwrap()), [4]);
        assert_eq!(revisions(&watch.next().await.unwrap()), [5, 6]);
        assert!(watch.next().now_or_never().is_none());
        hub.publish(batch(7..=7, 1));
        assert_eq!(revisions(&watch.next().now_or_never().unwrap().unwrap()), [7]);
    }

    #[tokio::test]
    async fn a_waiting_watch_is_woken() {
        let hub = hub(Limits::default());
        let mut watch = hub.watch(1).unwrap();
        let (seen, ()) = tokio::join!(watch.next(), async { hub.publish(batch(2..=3, 1)) });
        assert_eq!(revisions(&seen.unwrap()), [2, 3]);
        assert_eq!(hub.revision(), 3);
    }

    #[tokio::test]
    async fn a_slow_watch_is_told_compacted_and_holds_up_nobody() {
        for limits in [Limits { changes: 4, bytes: usize::MAX }, Limits { changes: usize::MAX, bytes: 4 * 11 }] {
            let hub = hub(limits);
            let mut slow = hub.watch(1).unwrap();
            for first in [2, 4, 6] {
                hub.publish(batch(first..=first + 1, 10));
            }
            assert!(matches!(slow.next().await, Err(Error::Compacted { oldest: 3 })), "{limits:?}");
            assert!(matches!(hub.watch(2), Err(Error::Compacted { oldest: 3 })));
            let mut fresh = hub.watch(3).unwrap();
            assert_eq!(revisions(&fresh.next().await.unwrap()), [4, 5]);
        }
    }

    #[tokio::test]
    async fn the_newest_batch_is_kept_whatever_its_size() {
        let hub = hub(Limits { changes: 1, bytes: 1 });
        hub.publish(batch(2..=9, 10));
        let mut watch = hub.watch(1).unwrap();
        assert_eq!(watch.next().await.unwrap().len(), 8);
    }

    #[tokio::test]
    async fn the_future_is_refused_and_the_end_is_told_after_the_rest() {
        let hub = hub(Limits::default());
        assert!(matches!(hub.watch(2), Err(Error::Future { requested: 2, current: 1 })));
        let mut watch = hub.watch(1).unwrap();
        hub.publish(batch(2..=2, 1));
        hub.end(Error::Closed);
        assert_eq!(revisions(&watch.next().await.unwrap()), [2]);
        assert!(matches!(watch.next().await, Err(Error::Closed)));
    }
}

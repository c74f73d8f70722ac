//! The recent changes of one kind, kept so that watchers can resume and slow ones can catch up.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;

use super::item::Item;

/// Changes kept at most.
const MOST: usize = 65_536;
/// Bytes of JSON kept at most.
const MOST_BYTES: usize = 64 << 20;

/// One change of one object.
#[derive(Debug)]
pub struct Event {
    /// The object after the change; a deleted one as it was, at the revision of its deletion.
    pub item: Arc<Item>,
    /// The object before the change.
    pub before: Option<Arc<Item>>,
    /// Whether the change was its deletion.
    pub deleted: bool,
    /// When it became visible.
    pub at: Timestamp,
}

impl Event {
    /// The revision of the change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.item.revision
    }
}

/// A ring of events in revision order.
#[derive(Debug)]
pub struct Window {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// Every change after this revision is still here.
    complete_after: u64,
}

/// The changes asked for are no longer all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// Every change after this revision is.
    pub complete_after: u64,
}

impl Window {
    /// An empty window that knows everything after `revision`.
    #[must_use]
    pub fn new(revision: u64) -> Self {
        Self { events: VecDeque::new(), bytes: 0, complete_after: revision }
    }

    /// Adds the newest change and drops the oldest ones that no longer fit.
    pub fn push(&mut self, event: Arc<Event>) {
        self.bytes += event.item.json.len();
        self.events.push_back(event);
        while self.events.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.item.json.len();
            self.complete_after = oldest.revision();
        }
    }

    /// Every change after this revision is here.
    #[must_use]
    pub fn complete_after(&self) -> u64 {
        self.complete_after
    }

    /// The changes after `revision`, oldest first.
    ///
    /// # Errors
    /// When some of them are gone.
    pub fn after(&self, revision: u64) -> Result<impl DoubleEndedIterator<Item = &Arc<Event>> + ExactSizeIterator, TooOld> {
        if revision < self.complete_after {
            return Err(TooOld { complete_after: self.complete_after });
        }
        let start = self.events.partition_point(|event| event.revision() <= revision);
        Ok(self.events.range(start..))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn event(revision: u64, size: usize) -> Arc<Event> {
        let item = Item { key: "k".into(), revision, json: Bytes::from(vec![0; size]), labels: Default::default(), fields: Box::default() };
        Arc::new(Event { item: Arc::new(item), before: None, deleted: false, at: Timestamp::UNIX_EPOCH })
    }

    fn revisions(window: &Window, after: u64) -> Result<Vec<u64>, TooOld> {
        Ok(window.after(after)?.map(|event| event.revision()).collect())
    }

    #[test]
    fn it_replays_from_any_revision_it_still_has() {
        let mut window = Window::new(5);
        for revision in [7, 9, 12] {
            window.push(event(revision, 1));
        }
        assert_eq!(revisions(&window, 5), Ok(vec![7, 9, 12]));
        assert_eq!(revisions(&window, 8), Ok(vec![9, 12]));
        assert_eq!(revisions(&window, 12), Ok(vec![]));
        assert_eq!(revisions(&window, 4), Err(TooOld { complete_after: 5 }));
    }

    #[test]
    fn what_no_longer_fits_is_dropped_and_admitted() {
        let mut window = Window::new(0);
        window.push(event(1, MOST_BYTES / 2));
        window.push(event(2, MOST_BYTES / 2));
        window.push(event(3, 1));
        assert_eq!(revisions(&window, 0), Err(TooOld { complete_after: 1 }));
        assert_eq!(revisions(&window, 1), Ok(vec![2, 3]));
    }
}

//! Watchers: each holds a cursor into the window and is woken only for changes that may concern it.
//!
//! A watcher that is slow stays where it is and replays from the window later; if the window has moved on by then it is told
//! so. It never holds up the feed or another watcher.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    Cache,
    item::Item,
    select::Select,
    window::{Event, TooOld},
};
use crate::kinds::Field;

/// Changes a watcher takes at once.
const BATCH: usize = 512;
/// Bytes of objects after which it takes no more at once: who is sent them may not be reading.
const BATCH_BYTES: usize = 128 * 1024;

/// The watchers of one kind, by what they are interested in.
pub struct Subscribers {
    fields: &'static [Field],
    interests: Mutex<HashMap<Interest, Vec<Arc<Notify>>>>,
}

/// The narrowest thing a watcher is known to want.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Interest {
    Everything,
    Namespace(Box<str>),
    Name(Box<str>),
    Field(usize, Box<str>),
}

impl Subscribers {
    /// No watchers yet, of a kind with these selectable fields.
    #[must_use]
    pub fn new(fields: &'static [Field]) -> Self {
        Self { fields, interests: Mutex::default() }
    }

    fn interest(&self, namespace: Option<&str>, select: &Select) -> Interest {
        if let Some(name) = select.name() {
            return Interest::Name(name.into());
        }
        let indexed = self.fields.iter().enumerate().filter(|(_, field)| field.indexed);
        let field = indexed.filter_map(|(index, _)| select.field(index).map(|value| Interest::Field(index, value.into()))).next();
        field.or_else(|| namespace.map(|namespace| Interest::Namespace(namespace.into()))).unwrap_or(Interest::Everything)
    }

    /// Wakes whoever these changes may concern.
    pub fn wake<'a>(&self, events: impl Iterator<Item = &'a Arc<Event>>) {
        let interests = self.interests.lock();
        if interests.is_empty() {
            return;
        }
        let wake = |interest: &Interest| interests.get(interest).into_iter().flatten().for_each(|watcher| watcher.notify_one());
        wake(&Interest::Everything);
        if interests.len() == 1 && interests.contains_key(&Interest::Everything) {
            return;
        }
        for event in events {
            wake(&Interest::Name(event.item.name().into()));
            wake(&Interest::Namespace(event.item.namespace().into()));
            for (index, _) in self.fields.iter().enumerate().filter(|(_, field)| field.indexed) {
                let mut values: Vec<&Item> = vec![&event.item];
                values.extend(event.before.as_deref().filter(|before| before.fields[index] != event.item.fields[index]));
                values.iter().for_each(|item| wake(&Interest::Field(index, item.fields[index].clone())));
            }
        }
    }
}

/// What a change is to one watcher, whose selection an object may enter and leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It came, or came to be selected.
    Added,
    /// It changed.
    Modified,
    /// It went, or is no longer selected.
    Deleted,
}

/// One watcher's place in the changes of one kind. Dropping it ends it.
pub struct Subscription {
    cache: Arc<Cache>,
    kind: usize,
    namespace: Option<String>,
    select: Select,
    cursor: u64,
    interest: Interest,
    wake: Arc<Notify>,
}

impl Subscription {
    /// A watcher of what comes after `revision`.
    #[must_use]
    pub fn new(cache: Arc<Cache>, kind: usize, namespace: Option<String>, select: Select, revision: u64) -> Self {
        let wake = Arc::new(Notify::new());
        let subscribers = &cache.kinds[kind].subscribers;
        let interest = subscribers.interest(namespace.as_deref(), &select);
        subscribers.interests.lock().entry(interest.clone()).or_default().push(wake.clone());
        Self { cache, kind, namespace, select, cursor: revision, interest, wake }
    }

    /// The revision up to which this watcher has seen everything.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Waits until there may be something new.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// What is new to this watcher, oldest first; empty if nothing is.
    ///
    /// # Errors
    /// When it was too slow, or began too early: some of it is gone.
    pub fn take(&mut self) -> Result<Vec<(Change, Arc<Event>)>, TooOld> {
        let published = self.cache.revision();
        let state = self.cache.kinds[self.kind].state.read();
        let mut news = Vec::new();
        let (mut scanned, mut bytes) = (None, 0);
        for event in state.window.after(self.cursor)? {
            scanned = Some(event.revision());
            if let Some(change) = self.concerns(event) {
                news.push((change, event.clone()));
                bytes += event.item.json.len();
                if news.len() == BATCH || bytes >= BATCH_BYTES {
                    // There may be more: come back without being woken.
                    self.wake.notify_one();
                    self.cursor = event.revision();
                    return Ok(news);
                }
            }
        }
        self.cursor = self.cursor.max(published).max(scanned.unwrap_or(0));
        Ok(news)
    }

    fn concerns(&self, event: &Event) -> Option<Change> {
        if self.namespace.as_deref().is_some_and(|namespace| namespace != event.item.namespace()) {
            return None;
        }
        let now = !event.deleted && self.select.wants(&event.item);
        let before = event.before.as_ref().is_some_and(|before| self.select.wants(before));
        match (before, now) {
            (false, true) => Some(Change::Added),
            (true, true) => Some(Change::Modified),
            (true, false) => Some(Change::Deleted),
            (false, false) => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut interests = self.cache.kinds[self.kind].subscribers.interests.lock();
        if let Some(watchers) = interests.get_mut(&self.interest) {
            watchers.retain(|watcher| !Arc::ptr_eq(watcher, &self.wake));
            if watchers.is_empty() {
                interests.remove(&self.interest);
            }
        }
    }
}

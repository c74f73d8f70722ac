//! The live copy of the store, per kind, with the window of recent changes: what every read and every watch is answered from.
//!
//! It learns of changes only through its feed (one watch of the store), own writes included, and so knows no request. It names
//! no kind. A batch of changes becomes visible in every kind before [`Cache::revision`] moves past it.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use parking_lot::RwLock;
use tokio::sync::watch;

pub mod feed;
pub mod item;
pub mod select;
pub mod subscriber;
pub mod window;

use self::{
    item::Item,
    select::Select,
    subscriber::Subscribers,
    window::{Event, TooOld, Window},
};
use crate::kinds::Kind;

/// The live copy of everything.
pub struct Cache {
    kinds: Vec<KindCache>,
    revision: watch::Sender<u64>,
}

/// The live copy of one kind.
struct KindCache {
    state: RwLock<State>,
    subscribers: Subscribers,
}

struct State {
    objects: BTreeMap<Arc<str>, Arc<Item>>,
    window: Window,
    /// What `objects` and `window` hold is everything up to this revision, and nothing after it.
    revision: u64,
}

/// What a list is to hold.
#[derive(Clone, Debug, Default)]
pub struct Range {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only what follows this key.
    pub after: Option<String>,
    /// No more than this many.
    pub limit: Option<usize>,
}

/// A list as it was at one revision.
#[derive(Debug)]
pub struct Listing {
    /// The objects, in key order.
    pub items: Vec<Arc<Item>>,
    /// The revision at which this was the truth.
    pub revision: u64,
    /// How many more there are beyond the limit; known only where nothing but the range selects.
    pub remaining: usize,
    /// The key after which to go on.
    pub next: Option<Arc<str>>,
}

impl Cache {
    /// An empty cache for the kinds of the table, at the revision the store was read at.
    #[must_use]
    pub fn new(table: &[Kind], revision: u64) -> Self {
        let kind = |kind: &Kind| KindCache {
            state: RwLock::new(State { objects: BTreeMap::new(), window: Window::new(revision), revision }),
            subscribers: Subscribers::new(kind.fields),
        };
        Self { kinds: table.iter().map(kind).collect(), revision: watch::Sender::new(revision) }
    }

    /// The revision up to which everything is visible.
    #[must_use]
    pub fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// Waits until everything up to `revision` is visible.
    pub async fn reached(&self, revision: u64) {
        if self.revision() >= revision {
            return;
        }
        let mut seen = self.revision.subscribe();
        // It cannot fail: the sender lives as long as the cache.
        let _ = seen.wait_for(|now| *now >= revision).await;
    }

    /// Waits until anything changes after `revision`.
    pub async fn moved(&self, revision: u64) {
        self.reached(revision + 1).await;
    }

    /// One object.
    #[must_use]
    pub fn get(&self, kind: usize, key: &str) -> Option<Arc<Item>> {
        self.kinds[kind].state.read().objects.get(key).cloned()
    }

    /// How many objects of a kind there are.
    #[must_use]
    pub fn count(&self, kind: usize) -> usize {
        self.kinds[kind].state.read().objects.len()
    }

    /// The objects of a kind within `range` that `select` wants, now.
    #[must_use]
    pub fn list(&self, kind: usize, range: &Range, select: &Select) -> Listing {
        let published = self.revision();
        let state = self.kinds[kind].state.read();
        let revision = state.revision.max(published);
        let lower = lower(range);
        let items = state.objects.range::<str, _>((lower.as_ref().map(String::as_str), Bound::Unbounded)).map(|(_, item)| item);
        gather(items, range, select, revision)
    }

    /// The changes of a kind after a revision that are remembered, in one namespace if one is given, oldest first.
    #[must_use]
    pub fn remembered(&self, kind: usize, after: u64, namespace: Option<&str>) -> Vec<Arc<Event>> {
        let state = self.kinds[kind].state.read();
        let all = state.window.after(after.max(state.window.complete_after())).into_iter().flatten();
        all.filter(|event| namespace.is_none_or(|namespace| event.item.namespace() == namespace)).cloned().collect()
    }

    /// The same as it was at an earlier `revision`.
    ///
    /// # Errors
    /// When the window does not reach back that far.
    pub fn list_at(&self, kind: usize, range: &Range, select: &Select, revision: u64) -> Result<Listing, TooOld> {
        let state = self.kinds[kind].state.read();
        if revision >= state.revision {
            drop(state);
            return Ok(Listing { revision, ..self.list(kind, range, select) });
        }
        // What has changed since, as it was then: the oldest change after the revision tells.
        let mut changed: BTreeMap<Arc<str>, Option<Arc<Item>>> = BTreeMap::new();
        for event in state.window.after(revision)?.rev() {
            changed.insert(event.item.key.clone(), event.before.clone());
        }
        let mut then: BTreeMap<&str, &Arc<Item>> = state.objects.iter().map(|(key, item)| (&**key, item)).collect();
        for (key, before) in &changed {
            match before {
                Some(item) => then.insert(key, item),
                None => then.remove(&**key),
            };
        }
        let lower = lower(range);
        let items = then.range::<str, _>((lower.as_ref().map(String::as_str), Bound::Unbounded)).map(|(_, item)| *item);
        Ok(gather(items, range, select, revision))
    }
}

fn lower(range: &Range) -> Bound<String> {
    match (&range.after, &range.namespace) {
        (Some(key), _) => Bound::Excluded(key.clone()),
        (None, Some(namespace)) => Bound::Included(format!("{namespace}/")),
        (None, None) => Bound::Unbounded,
    }
}

fn gather<'a>(items: impl Iterator<Item = &'a Arc<Item>>, range: &Range, select: &Select, revision: u64) -> Listing {
    let prefix = range.namespace.as_ref().map(|namespace| format!("{namespace}/"));
    let inside = items.take_while(|item| prefix.as_ref().is_none_or(|prefix| item.key.starts_with(prefix.as_str())));
    let mut wanted = inside.filter(|item| select.wants(item));
    let Some(limit) = range.limit else {
        return Listing { items: wanted.cloned().collect(), revision, remaining: 0, next: None };
    };
    let items: Vec<_> = wanted.by_ref().take(limit).cloned().collect();
    let remaining = wanted.count();
    let next = items.last().filter(|_| remaining > 0).map(|item| item.key.clone());
    Listing { items, revision, remaining, next }
}

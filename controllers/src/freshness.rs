//! A reconciler does not act on a cache older than its own last write.
//!
//! After each run the marks of what it wrote are kept for its key; the key runs again only when the caches show them. This does
//! what upstream's expectations do, without counting: the API server's revisions are one counter, so "has seen revision n" says
//! it all, for creations and updates; a deletion, which may be answered without a revision, is seen when the object is gone.
//!
//! A creation whose answer was lost is a doubt: before the key runs again, the API server is asked what there is.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
};

use kube::api::ApiResource;
use parking_lot::Mutex;

use crate::cache::{Mark, Source};

/// What one run wrote: per cache, what must be seen there.
#[derive(Default)]
pub(crate) struct Marks {
    /// By the address of the cache: many writes to one kind are one revision to wait for.
    by_source: BTreeMap<usize, Seen>,
    doubts: Vec<Doubt>,
}

/// A kind and a namespace in which something may have been created: the API server went away before it answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Doubt {
    pub(crate) resource: ApiResource,
    pub(crate) namespace: String,
}

struct Seen {
    source: Arc<dyn Source>,
    revision: u64,
    gone: Vec<(Mark, u64)>,
    /// The list that had begun when the revision was answered.
    begun: u64,
}

impl Marks {
    /// Notes a write whose kind `source` caches.
    pub(crate) fn note(&mut self, source: Arc<dyn Source>, mark: Mark) {
        let begun = source.begun();
        let address = Arc::as_ptr(&source).cast::<()>().addr();
        let seen = self.by_source.entry(address).or_insert_with(|| Seen { source, revision: 0, gone: Vec::new(), begun });
        match mark {
            Mark::Revision(revision) if revision > seen.revision => (seen.revision, seen.begun) = (revision, begun),
            Mark::Revision(_) => {}
            gone @ Mark::Gone(..) => seen.gone.push((gone, begun)),
        }
    }

    /// Notes a creation whose answer did not come.
    pub(crate) fn doubt(&mut self, doubt: Doubt) {
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_source.is_empty() && self.doubts.is_empty()
    }

    /// Forgets what the caches show by now; true when that is all.
    fn settle(&mut self) -> bool {
        self.by_source.retain(|_, seen| {
            seen.gone.retain(|(mark, begun)| !seen.source.has_seen(mark, *begun));
            !seen.gone.is_empty() || !seen.source.has_seen(&Mark::Revision(seen.revision), seen.begun)
        });
        self.is_empty()
    }
}

/// The marks of all keys of one controller.
pub(crate) struct Freshness<K> {
    pending: Mutex<HashMap<K, Marks>>,
}

impl<K> Default for Freshness<K> {
    fn default() -> Self {
        Self { pending: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Freshness<K> {
    /// Remembers what a run of `key` wrote.
    pub(crate) fn record(&self, key: &K, marks: Marks) {
        if !marks.is_empty() {
            self.pending.lock().insert(key.clone(), marks);
        }
    }

    /// Replaces the doubts of `key` by what was found out.
    pub(crate) fn clear_doubts(&self, key: &K, found: Marks) {
        let mut pending = self.pending.lock();
        let marks = pending.entry(key.clone()).or_default();
        marks.doubts.clear();
        for Seen { source, revision, .. } in found.by_source.into_values() {
            marks.note(source, Mark::Revision(revision));
        }
    }

    /// What is to be found out before `key` may run.
    pub(crate) fn doubts(&self, key: &K) -> Vec<Doubt> {
        self.pending.lock().get(key).map(|marks| marks.doubts.clone()).unwrap_or_default()
    }

    /// Whether the caches show everything that earlier runs of `key` wrote.
    pub(crate) fn is_fresh(&self, key: &K) -> bool {
        let mut pending = self.pending.lock();
        let fresh = pending.get_mut(key).is_none_or(Marks::settle);
        if fresh {
            pending.remove(key);
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::Pod;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::cache::{
        Key,
        tests::{filled, pod},
    };

    #[test]
    fn a_key_waits_for_its_own_writes_only() {
        let cache = filled([pod("a", 3, None)]);
        let freshness = Freshness::default();
        let mut marks = Marks::default();
        marks.note(cache.clone(), Mark::Revision(7));
        marks.note(cache.clone(), Mark::Revision(5));
        marks.note(cache.clone(), Mark::Gone(Key::new("default", "a"), "uid-a".to_owned()));
        freshness.record(&"rs", marks);
        assert!(!freshness.is_fresh(&"rs"));
        assert!(freshness.is_fresh(&"other"));

        let mut incoming = BTreeMap::new();
        cache.take(Event::Apply(pod("b", 5, None)), &mut incoming);
        assert!(!freshness.is_fresh(&"rs"), "the last of its creations is still missing");
        cache.take(Event::Apply(pod("c", 7, None)), &mut incoming);
        assert!(!freshness.is_fresh(&"rs"), "the pod it deleted is still there");
        cache.take(Event::Delete(pod("a", 8, None)), &mut incoming);
        assert!(freshness.is_fresh(&"rs"));
        assert!(freshness.pending.lock().is_empty());
    }

    #[test]
    fn a_doubt_becomes_something_to_wait_for() {
        let cache = filled([pod("a", 3, None)]);
        let freshness = Freshness::default();
        let doubt = Doubt { resource: ApiResource::erase::<Pod>(&()), namespace: "default".to_owned() };
        let mut marks = Marks::default();
        marks.note(cache.clone(), Mark::Gone(Key::new("default", "a"), "uid-a".to_owned()));
        (0..3).for_each(|_| marks.doubt(doubt.clone()));
        freshness.record(&"rs", marks);
        assert_eq!(freshness.doubts(&"rs"), [doubt]);

        let mut found = Marks::default();
        found.note(cache.clone(), Mark::Revision(5));
        freshness.clear_doubts(&"rs", found);
        assert!(freshness.doubts(&"rs").is_empty());
        let mut incoming = BTreeMap::new();
        cache.take(Event::Apply(pod("b", 5, None)), &mut incoming);
        assert!(!freshness.is_fresh(&"rs"), "what was known before still counts");
        cache.take(Event::Delete(pod("a", 6, None)), &mut incoming);
        assert!(freshness.is_fresh(&"rs"));
    }
}

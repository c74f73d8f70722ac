//! The live copy of one kind, with the indexes that reconcilers look things up by.
//!
//! kube's own `Store` has no secondary index and tells nobody which keys a change touches, so only its watch protocol is used.
//! This room knows no kind and no controller: it takes watch events and hands changes to whoever listens.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, runtime::watcher::Event};
use mini_api::owner;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

/// What can be cached: every Kubernetes type, and metadata-only objects.
pub(crate) trait Object: Resource + Clone + fmt::Debug + Send + Sync + 'static {}
impl<K: Resource + Clone + fmt::Debug + Send + Sync + 'static> Object for K {}

/// Names an object among those of its kind. The namespace of a cluster-wide object is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of a cluster-wide object.
    pub(crate) fn cluster(name: &str) -> Self {
        Self::new("", name)
    }

    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// One object before and after. At least one side is there; both when it was modified (or replaced by a namesake).
pub(crate) struct Change<K> {
    pub(crate) old: Option<Arc<K>>,
    pub(crate) new: Option<Arc<K>>,
}

impl<K> Change<K> {
    /// Both sides, the older first: what mapped to a key before the change must hear of it as much as what does now.
    pub(crate) fn sides(&self) -> impl Iterator<Item = &Arc<K>> {
        self.old.iter().chain(self.new.iter())
    }
}

impl<K: Resource> Change<K> {
    /// The key of the object that changed.
    pub(crate) fn key(&self) -> Key {
        self.sides().next().map(|object| Key::of(object.meta())).unwrap_or_default()
    }
}

/// Something the cache must have seen before one of our own writes is in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    /// A write that was answered with this revision.
    Revision(u64),
    /// A deletion: the object with this UID is gone, or at least marked as terminating.
    Gone(Key, String),
}

/// How far the cache has come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The highest revision among the events seen.
    revision: u64,
    /// How many times a list of everything was begun, and which of these was the last to be finished.
    begun: u64,
    finished: u64,
}

/// What can be asked of a cache without knowing its kind.
pub(crate) trait Source: Send + Sync {
    /// True once the first list is complete.
    fn synced(&self) -> bool;
    /// The number of the list that was begun last; see [`Source::has_seen`].
    fn begun(&self) -> u64;
    /// Whether `mark`, which was made when `begun` was the number of the last list, is in the cache.
    fn has_seen(&self, mark: &Mark, begun: u64) -> bool;
    /// A receiver that changes whenever the cache moves.
    fn moves(&self) -> watch::Receiver<()>;
    /// Tells `listener` the metadata of everything here and, from then on, of every change (before, after).
    fn listen_metadata(&self, listener: MetadataListener);
    /// The cache itself, to be downcast to its type.
    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

type Listener<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;
pub(crate) type MetadataListener = Box<dyn Fn(Option<&ObjectMeta>, Option<&ObjectMeta>) + Send + Sync>;

/// The live copy of one kind.
pub(crate) struct Cache<K> {
    table: RwLock<Table<K>>,
    /// Held while a change is made and told, so that a new listener misses nothing and hears nothing twice.
    listeners: Mutex<Vec<Listener<K>>>,
    progress: RwLock<Progress>,
    moved: watch::Sender<()>,
}

struct Table<K> {
    /// Ordered by namespace, then name: a namespace is a range.
    objects: BTreeMap<Key, Arc<K>>,
    indexes: Vec<Index<K>>,
}

struct Index<K> {
    name: &'static str,
    terms: fn(&K) -> Vec<String>,
    /// The objects themselves: a reconciler that asks for ten thousand does not look each of them up.
    under: HashMap<String, BTreeMap<Key, Arc<K>>>,
}

/// The index every cache has: by the controller's UID, and the orphans by `/namespace`.
const CONTROLLER: &str = "controller";

fn controller_terms<K: Resource>(object: &K) -> Vec<String> {
    let meta = object.meta();
    match owner::controller_of(meta) {
        Some(owner) => vec![owner.uid.clone()],
        None => vec![format!("/{}", meta.namespace.as_deref().unwrap_or_default())],
    }
}

impl<K: Object> Default for Cache<K> {
    fn default() -> Self {
        let by_controller = Index { name: CONTROLLER, terms: controller_terms::<K>, under: HashMap::new() };
        Self {
            table: RwLock::new(Table { objects: BTreeMap::new(), indexes: vec![by_controller] }),
            listeners: Mutex::default(),
            progress: RwLock::default(),
            moved: watch::Sender::default(),
        }
    }
}

impl<K: Object> Cache<K> {
    /// The object, if there is one.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.table.read().objects.get(key).cloned()
    }

    /// Everything, ordered by namespace and name.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.table.read().objects.values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.table.read().objects.len()
    }

    /// Everything in a namespace, ordered by name.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let table = self.table.read();
        let from = table.objects.range(Key::new(namespace, "")..);
        from.take_while(|(key, _)| key.namespace == namespace).map(|(_, object)| object.clone()).collect()
    }

    /// Everything whose controller has this UID.
    pub(crate) fn controlled_by(&self, uid: &str) -> Vec<Arc<K>> {
        self.indexed(CONTROLLER, uid)
    }

    /// Everything in a namespace that has no controller.
    pub(crate) fn orphans(&self, namespace: &str) -> Vec<Arc<K>> {
        self.indexed(CONTROLLER, &format!("/{namespace}"))
    }

    /// What an index added by [`Cache::index`] has under `term`.
    pub(crate) fn indexed(&self, index: &'static str, term: &str) -> Vec<Arc<K>> {
        let table = self.table.read();
        let found = table.indexes.iter().find(|candidate| candidate.name == index).and_then(|index| index.under.get(term));
        found.into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// Adds an index by the terms of each object. Adding one again changes nothing.
    pub(crate) fn index(&self, name: &'static str, terms: fn(&K) -> Vec<String>) {
        let mut table = self.table.write();
        if table.indexes.iter().any(|index| index.name == name) {
            return;
        }
        let mut index = Index { name, terms, under: HashMap::new() };
        for (key, object) in &table.objects {
            index.change(key, None, Some(object));
        }
        table.indexes.push(index);
    }

    /// Tells `listener` everything that is here and, from then on, every change.
    pub(crate) fn listen(&self, listener: impl Fn(&Change<K>) + Send + Sync + 'static) {
        let mut listeners = self.listeners.lock();
        for object in self.all() {
            listener(&Change { old: None, new: Some(object) });
        }
        listeners.push(Box::new(listener));
    }

    /// Takes in one event of the watch. `incoming` holds a list that is not complete yet.
    pub(crate) fn take(&self, event: Event<K>, incoming: &mut BTreeMap<Key, Arc<K>>) {
        let listeners = self.listeners.lock();
        let tell = |change: &Change<K>| listeners.iter().for_each(|listener| listener(change));
        match event {
            Event::Init => {
                incoming.clear();
                self.progress.write().begun += 1;
            }
            Event::InitApply(object) => {
                incoming.insert(Key::of(object.meta()), Arc::new(object));
            }
            Event::InitDone => {
                let revision = incoming.values().map(|object| revision(object.meta())).max();
                let changes = self.table.write().replace(std::mem::take(incoming));
                let mut progress = self.progress.write();
                progress.finished = progress.begun;
                progress.revision = revision.unwrap_or(0);
                drop(progress);
                changes.iter().for_each(tell);
            }
            Event::Apply(object) => {
                let (key, revision) = (Key::of(object.meta()), revision(object.meta()));
                let change = self.table.write().set(key, Some(Arc::new(object)));
                self.advance(revision);
                tell(&change);
            }
            Event::Delete(object) => {
                let change = self.table.write().set(Key::of(object.meta()), None);
                self.advance(revision(object.meta()));
                if change.old.is_some() {
                    tell(&change);
                }
            }
        }
        drop(listeners);
        self.moved.send_replace(());
    }

    fn advance(&self, revision: u64) {
        let mut progress = self.progress.write();
        progress.revision = progress.revision.max(revision);
    }
}

impl<K: Object> Source for Cache<K> {
    fn synced(&self) -> bool {
        self.progress.read().finished > 0
    }

    fn begun(&self) -> u64 {
        self.progress.read().begun
    }

    fn has_seen(&self, mark: &Mark, begun: u64) -> bool {
        let progress = *self.progress.read();
        // A list that was asked for after the write shows it, whatever the numbers say (the store may have been replaced).
        if progress.finished > begun {
            return true;
        }
        match mark {
            Mark::Revision(revision) => progress.revision >= *revision,
            Mark::Gone(key, uid) => self.get(key).is_none_or(|object| {
                let meta = object.meta();
                meta.uid.as_ref() != Some(uid) || meta.deletion_timestamp.is_some()
            }),
        }
    }

    fn moves(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    fn listen_metadata(&self, listener: MetadataListener) {
        self.listen(move |change| {
            listener(change.old.as_ref().map(|old| old.meta()), change.new.as_ref().map(|new| new.meta()));
        });
    }

    fn any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl<K: Object> Table<K> {
    fn set(&mut self, key: Key, new: Option<Arc<K>>) -> Change<K> {
        let old = match &new {
            Some(new) => self.objects.insert(key.clone(), new.clone()),
            None => self.objects.remove(&key),
        };
        for index in &mut self.indexes {
            index.change(&key, old.as_ref(), new.as_ref());
        }
        Change { old, new }
    }

    /// Makes the table equal to a complete list; says what that changed.
    fn replace(&mut self, objects: BTreeMap<Key, Arc<K>>) -> Vec<Change<K>> {
        let gone: Vec<Key> = self.objects.keys().filter(|key| !objects.contains_key(key)).cloned().collect();
        let mut changes: Vec<_> = gone.into_iter().map(|key| self.set(key, None)).collect();
        for (key, object) in objects {
            let same = |old: &Arc<K>| old.meta().resource_version == object.meta().resource_version && old.meta().uid == object.meta().uid;
            if !self.objects.get(&key).is_some_and(same) {
                changes.push(self.set(key, Some(object)));
            }
        }
        changes
    }
}

impl<K> Index<K> {
    fn change(&mut self, key: &Key, old: Option<&Arc<K>>, new: Option<&Arc<K>>) {
        let terms = |object: Option<&Arc<K>>| object.map_or_else(Vec::new, |object| (self.terms)(object));
        let (before, after) = (terms(old), terms(new));
        for term in before.iter().filter(|term| !after.contains(term)) {
            if let Some(objects) = self.under.get_mut(term) {
                objects.remove(key);
                if objects.is_empty() {
                    self.under.remove(term);
                }
            }
        }
        for (term, new) in after.into_iter().filter_map(|term| Some((term, new?))) {
            // Most changes leave an object where it is.
            match self.under.get_mut(&term).and_then(|objects| objects.get_mut(key)) {
                Some(place) => *place = new.clone(),
                None => drop(self.under.entry(term).or_default().insert(key.clone(), new.clone())),
            }
        }
    }
}

/// The revision an object was written at; 0 when it says none. Revisions are one counter for the whole cluster.
pub(crate) fn revision(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::OwnerReference};

    use super::*;

    pub(crate) fn pod(name: &str, revision: u64, owner: Option<&str>) -> Pod {
        let controller = |uid: &str| vec![OwnerReference { uid: uid.to_owned(), controller: Some(true), ..OwnerReference::default() }];
        Pod {
            metadata: ObjectMeta {
                namespace: Some("default".to_owned()),
                name: Some(name.to_owned()),
                uid: Some(format!("uid-{name}")),
                resource_version: Some(revision.to_string()),
                owner_references: owner.map(controller),
                ..ObjectMeta::default()
            },
            ..Pod::default()
        }
    }

    /// A synced cache of `objects`.
    pub(crate) fn filled<K: Object>(objects: impl IntoIterator<Item = K>) -> Arc<Cache<K>> {
        let (cache, mut incoming) = (Arc::new(Cache::default()), BTreeMap::new());
        cache.take(Event::Init, &mut incoming);
        for object in objects {
            cache.take(Event::InitApply(object), &mut incoming);
        }
        cache.take(Event::InitDone, &mut incoming);
        cache
    }

    fn names(pods: &[Arc<Pod>]) -> Vec<&str> {
        pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect()
    }

    #[test]
    fn objects_are_found_by_controller_and_namespace() {
        let cache = filled([pod("a", 1, Some("rs-1")), pod("b", 2, None), pod("c", 3, Some("rs-1"))]);
        assert_eq!(names(&cache.controlled_by("rs-1")), ["a", "c"]);
        assert_eq!(names(&cache.orphans("default")), ["b"]);
        assert_eq!(names(&cache.in_namespace("default")), ["a", "b", "c"]);
        assert!(cache.in_namespace("defaul").is_empty());

        let mut incoming = BTreeMap::new();
        cache.take(Event::Apply(pod("c", 4, Some("rs-2"))), &mut incoming);
        cache.take(Event::Delete(pod("a", 5, Some("rs-1"))), &mut incoming);
        assert!(cache.controlled_by("rs-1").is_empty());
        assert_eq!(names(&cache.controlled_by("rs-2")), ["c"]);
    }

    #[test]
    fn a_new_list_tells_only_what_is_different() {
        let cache = filled([pod("a", 1, None), pod("b", 2, None), pod("c", 3, None)]);
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        cache.listen(move |change| {
            let text = |side: &Option<Arc<Pod>>| side.as_ref().map(|pod| revision(&pod.metadata));
            heard.lock().push((change.key().name, text(&change.old), text(&change.new)));
        });
        assert_eq!(told.lock().len(), 3, "a late listener hears what is there");
        told.lock().clear();

        let mut incoming = BTreeMap::new();
        cache.take(Event::Init, &mut incoming);
        for pod in [pod("a", 1, None), pod("b", 7, None), pod("d", 6, None)] {
            cache.take(Event::InitApply(pod), &mut incoming);
        }
        assert!(told.lock().is_empty(), "half a list is no news");
        cache.take(Event::InitDone, &mut incoming);
        let expected = [("c", Some(3), None), ("b", Some(2), Some(7)), ("d", None, Some(6))];
        let expected: Vec<_> = expected.into_iter().map(|(name, old, new)| (name.to_owned(), old, new)).collect();
        assert_eq!(*told.lock(), expected);
    }

    #[test]
    fn a_mark_is_seen_by_event_or_by_a_later_list() {
        let cache = filled([pod("a", 4, None)]);
        let begun = cache.begun();
        let mut incoming = BTreeMap::new();
        let gone = Mark::Gone(Key::new("default", "a"), "uid-a".to_owned());
        assert!(cache.has_seen(&Mark::Revision(4), begun));
        assert!(!cache.has_seen(&Mark::Revision(9), begun));
        assert!(!cache.has_seen(&gone, begun));

        cache.take(Event::Delete(pod("a", 9, None)), &mut incoming);
        assert!(cache.has_seen(&Mark::Revision(9), begun) && cache.has_seen(&gone, begun));

        cache.take(Event::Init, &mut incoming);
        assert!(!cache.has_seen(&Mark::Revision(50), begun), "the list is not complete");
        cache.take(Event::InitDone, &mut incoming);
        assert!(cache.has_seen(&Mark::Revision(50), begun), "the store was replaced by an emptier one");
        assert!(!cache.has_seen(&Mark::Revision(50), cache.begun()), "but not for a write made since");
    }
}

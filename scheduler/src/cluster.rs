//! Everything a decision may depend on: the node table, and copies of the other objects that plugins look at. Each of those is
//! a [`Mirror`]: one field here, one word in [`Kind`], and one line in [`mirrors`](crate::watch::mirrors).

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use kube::runtime::watcher::Event;

use crate::{
    budget::BudgetInfo, framework::Case, namespace::NamespaceInfo, nomination::Nominations, plugins::PLUGINS, pod::PodInfo,
    profile::Profile, service::ServiceInfo, snapshot::Snapshot, storage::Storage,
};

/// The cluster as the scheduler knows it.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// The nodes, and the pods on them.
    pub nodes: Snapshot,
    /// The pods for which room is being made.
    pub nominations: Nominations,
    /// The namespaces, whose labels select pods by theirs.
    pub namespaces: Mirror<NamespaceInfo>,
    /// Claims, volumes and their classes, and what drivers say of nodes.
    pub storage: Storage,
    /// The PodDisruptionBudgets, which preemption respects where it can.
    pub budgets: Mirror<BudgetInfo>,
    /// The Services, whose pods are spread.
    pub services: Mirror<ServiceInfo>,
}

impl Cluster {
    /// Whether all copies beside the node table were complete at least once.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.namespaces.synced() && self.storage.synced() && self.budgets.synced() && self.services.synced()
    }

    /// Makes all copies complete, as they are.
    #[cfg(test)]
    pub(crate) fn complete(&mut self) {
        self.namespaces.apply(Event::InitDone);
        self.budgets.apply(Event::InitDone);
        self.services.apply(Event::InitDone);
        self.storage.complete();
    }

    /// Gets ready for a decision about a pod, and for others like it. That makes decisions quick and changes none.
    pub fn prepare(&mut self, pod: &PodInfo, profile: &Profile) {
        let needs: Vec<_> = PLUGINS.iter().flat_map(|plugin| plugin.needs(Case { pod, cluster: self, profile })).collect();
        needs.into_iter().for_each(|need| self.nodes.keep(need));
    }
}

/// A kind of object, beside nodes and pods, that decisions depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Namespace.
    Namespace,
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// A PersistentVolume.
    PersistentVolume,
    /// A StorageClass.
    StorageClass,
    /// A CSINode.
    CSINode,
    /// A CSIDriver.
    CSIDriver,
    /// A CSIStorageCapacity.
    CSIStorageCapacity,
    /// A PodDisruptionBudget.
    PodDisruptionBudget,
    /// A Service.
    Service,
}

/// `metadata.namespace` (empty where there is none) and `metadata.name`.
pub type Key = (String, String);

/// What a copy of an object is found by.
pub trait Keyed {
    /// Its namespace and name.
    fn key(&self) -> Key;
}

/// The live copy of all objects of a kind, of which only what scheduling looks at is kept.
#[derive(Clone, Debug)]
pub struct Mirror<T> {
    objects: BTreeMap<Key, Arc<T>>,
    /// What the list under way has named so far.
    seen: HashSet<Key>,
    synced: bool,
}

impl<T> Default for Mirror<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), seen: HashSet::new(), synced: false }
    }
}

impl<T: Keyed + PartialEq> Mirror<T> {
    /// The object of this name.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<T>> {
        self.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Those of a namespace, by name.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<T>> {
        let range = self.objects.range((namespace.to_owned(), String::new())..);
        range.take_while(move |((of, _), _)| of == namespace).map(|(_, object)| object)
    }

    /// All of them, by namespace and name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.objects.values()
    }

    /// Whether it was complete at least once.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.synced
    }

    /// Takes in what its watch says. Says whether that changes anything.
    pub fn apply(&mut self, event: Event<T>) -> bool {
        match event {
            Event::Init => {
                self.seen.clear();
                false
            }
            Event::InitApply(object) => {
                self.seen.insert(object.key());
                self.put(object)
            }
            Event::InitDone => {
                let (seen, before) = (std::mem::take(&mut self.seen), self.objects.len());
                self.objects.retain(|key, _| seen.contains(key));
                !std::mem::replace(&mut self.synced, true) || self.objects.len() < before
            }
            Event::Apply(object) => self.put(object),
            Event::Delete(object) => self.objects.remove(&object.key()).is_some(),
        }
    }

    fn put(&mut self, object: T) -> bool {
        let key = object.key();
        let changed = self.objects.get(&key).is_none_or(|before| **before != object);
        if changed {
            self.objects.insert(key, Arc::new(object));
        }
        changed
    }
}

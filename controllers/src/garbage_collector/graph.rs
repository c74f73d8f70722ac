//! Who owns whom, as far as the watches have told. Pure: it is told of changes and says which objects to look at.
//!
//! An owner that is not in the graph may be gone, or not have been seen yet; which of the two, only the API server knows.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::resources::Found;

/// An object's UID.
pub(super) type Uid = String;

/// Deletes the dependents first.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// Keeps the dependents.
pub(super) const ORPHAN: &str = "orphan";

/// An object that exists.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) found: Arc<Found>,
    pub(super) meta: Arc<ObjectMeta>,
}

/// The objects and their dependents.
#[derive(Default)]
pub(super) struct Graph {
    nodes: HashMap<Uid, Node>,
    /// By owner, seen or not.
    dependents: HashMap<Uid, BTreeSet<Uid>>,
}

/// Whether the object waits, to be deleted, for what `finalizer` stands for.
pub(super) fn waits_for(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.deletion_timestamp.is_some() && meta.finalizers.iter().flatten().any(|one| one == finalizer)
}

fn owners(meta: &ObjectMeta) -> impl Iterator<Item = &OwnerReference> {
    meta.owner_references.iter().flatten()
}

/// What the graph needs of the metadata; the rest is most of it.
fn essence(meta: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        deletion_timestamp: meta.deletion_timestamp.clone(),
        finalizers: meta.finalizers.clone(),
        owner_references: meta.owner_references.clone(),
        ..ObjectMeta::default()
    }
}

impl Graph {
    pub(super) fn node(&self, uid: &str) -> Option<Node> {
        self.nodes.get(uid).cloned()
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Node> {
        self.dependents.get(uid).into_iter().flatten().filter_map(|uid| self.node(uid)).collect()
    }

    /// Takes in a change; returns what is to be looked at because of it.
    pub(super) fn observe(&mut self, found: &Arc<Found>, old: Option<&ObjectMeta>, new: Option<&ObjectMeta>) -> HashSet<Uid> {
        let mut look = HashSet::new();
        let uid = |meta: Option<&ObjectMeta>| meta.and_then(|meta| meta.uid.clone());
        if let Some(gone) = uid(old).filter(|old| uid(new).as_ref() != Some(old)) {
            self.remove(&gone, &mut look);
        }
        if let (Some(new), Some(uid)) = (new, uid(new)) {
            self.set(&uid, found, new, &mut look);
        }
        look
    }

    fn remove(&mut self, uid: &str, look: &mut HashSet<Uid>) {
        let Some(node) = self.nodes.remove(uid) else { return };
        look.extend(self.dependents.get(uid).into_iter().flatten().cloned());
        for owner in owners(&node.meta) {
            self.unlink(&owner.uid, uid, look);
        }
    }

    fn set(&mut self, uid: &str, found: &Arc<Found>, meta: &ObjectMeta, look: &mut HashSet<Uid>) {
        let node = Node { found: found.clone(), meta: Arc::new(essence(meta)) };
        let before = self.nodes.insert(uid.to_owned(), node);
        let before = before.map(|node| node.meta);
        let kept: HashSet<_> = owners(meta).map(|owner| owner.uid.as_str()).collect();
        for owner in before.iter().flat_map(|meta| owners(meta)).filter(|owner| !kept.contains(owner.uid.as_str())) {
            self.unlink(&owner.uid, uid, look);
        }
        for owner in owners(meta) {
            self.dependents.entry(owner.uid.clone()).or_default().insert(uid.to_owned());
            match self.nodes.get(&owner.uid) {
                None => {
                    look.insert(uid.to_owned());
                }
                Some(node) if waits_for(&node.meta, FOREGROUND) => {
                    // The dependent has to go; and should it no longer block, the owner need not wait.
                    look.extend([uid.to_owned(), owner.uid.clone()]);
                }
                Some(_) => {}
            }
        }
        if waits_for(meta, ORPHAN) || waits_for(meta, FOREGROUND) {
            look.insert(uid.to_owned());
        }
        if waits_for(meta, FOREGROUND) && !before.is_some_and(|before| waits_for(&before, FOREGROUND)) {
            look.extend(self.dependents.get(uid).into_iter().flatten().cloned());
        }
    }

    /// Takes a dependent from an owner, which may have waited for that.
    fn unlink(&mut self, owner: &str, dependent: &str, look: &mut HashSet<Uid>) {
        if let Some(dependents) = self.dependents.get_mut(owner) {
            dependents.remove(dependent);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
        if self.nodes.get(owner).is_some_and(|owner| waits_for(&owner.meta, FOREGROUND)) {
            look.insert(owner.to_owned());
        }
    }
}

/// What an owner is to its dependent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// There, and it stays.
    Solid,
    /// Gone.
    Dangling,
    /// Being deleted, and waiting for its dependents to go first.
    Waiting,
}

/// What is to be done about an object that is not being deleted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Nothing,
    /// These owner references are left.
    KeepOwners(Vec<OwnerReference>),
    /// Its own dependents go first. They may not block it any more, where they themselves wait for theirs.
    DeleteForeground {
        unblock: bool,
    },
    /// As its finalizers say, or in the background.
    Delete,
}

/// Decides from what each owner reference points to, and from the object's own dependents.
pub(super) fn decide(owners: &[(OwnerReference, Owner)], dependents: &[Node]) -> Action {
    let any = |kind| owners.iter().any(|(_, owner)| *owner == kind);
    if owners.is_empty() || !any(Owner::Dangling) && !any(Owner::Waiting) {
        return Action::Nothing;
    }
    if any(Owner::Solid) {
        let kept = owners.iter().filter(|(_, owner)| *owner == Owner::Solid);
        return Action::KeepOwners(kept.map(|(reference, _)| reference.clone()).collect());
    }
    if any(Owner::Waiting) && !dependents.is_empty() {
        // A circle of objects that wait for each other would never end.
        let unblock = dependents.iter().any(|dependent| waits_for(&dependent.meta, FOREGROUND));
        return Action::DeleteForeground { unblock };
    }
    Action::Delete
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use kube::api::ApiResource;

    use super::*;

    fn found() -> Arc<Found> {
        Arc::new(Found { resource: ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&()), namespaced: true })
    }

    fn object(uid: &str, owners: &[&str]) -> ObjectMeta {
        let reference = |uid: &&str| OwnerReference { uid: (*uid).to_owned(), ..OwnerReference::default() };
        ObjectMeta {
            uid: Some(uid.to_owned()),
            owner_references: (!owners.is_empty()).then(|| owners.iter().map(reference).collect()),
            ..ObjectMeta::default()
        }
    }

    fn deleted(mut meta: ObjectMeta, finalizer: &str) -> ObjectMeta {
        meta.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        meta.finalizers = Some(vec![finalizer.to_owned()]);
        meta
    }

    fn sorted(look: HashSet<Uid>) -> Vec<Uid> {
        look.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
    }

    #[test]
    fn only_what_may_have_to_go_is_looked_at() {
        let (mut graph, found) = (Graph::default(), found());
        let mut add = |meta: &ObjectMeta| sorted(graph.observe(&found, None, Some(meta)));
        assert!(add(&object("deployment", &[])).is_empty());
        assert!(add(&object("set", &["deployment"])).is_empty());
        assert!(add(&object("pod", &["set"])).is_empty());
        assert_eq!(add(&object("lost", &["nobody"])), ["lost"]);

        let gone = graph.observe(&found, Some(&object("set", &["deployment"])), None);
        assert_eq!(sorted(gone), ["pod"]);
        let replaced = graph.observe(&found, Some(&object("deployment", &[])), Some(&object("namesake", &[])));
        assert!(replaced.is_empty(), "its dependent is gone already");
    }

    #[test]
    fn foreground_deletion_goes_down_and_comes_back() {
        let (mut graph, found) = (Graph::default(), found());
        let set = object("set", &[]);
        graph.observe(&found, None, Some(&set));
        graph.observe(&found, None, Some(&object("pod", &["set"])));
        let dying = deleted(set.clone(), FOREGROUND);
        assert_eq!(sorted(graph.observe(&found, Some(&set), Some(&dying))), ["pod", "set"]);
        assert_eq!(graph.dependents("set").len(), 1);
        let gone = graph.observe(&found, Some(&object("pod", &["set"])), None);
        assert_eq!(sorted(gone), ["set"], "it need not wait any more");
        assert!(graph.dependents("set").is_empty());
    }

    #[test]
    fn decisions() {
        use Owner::{Dangling, Solid, Waiting};
        let reference = |uid: &str| OwnerReference { uid: uid.to_owned(), ..OwnerReference::default() };
        let plain = Node { found: found(), meta: Arc::new(object("d", &[])) };
        let waiting = Node { found: found(), meta: Arc::new(deleted(object("d", &[]), FOREGROUND)) };
        let keep = Action::KeepOwners(vec![reference("0")]);
        for (owners, dependents, expected) in [
            (vec![], vec![], Action::Nothing),
            (vec![Solid], vec![], Action::Nothing),
            (vec![Dangling], vec![], Action::Delete),
            (vec![Dangling], vec![plain.clone()], Action::Delete),
            (vec![Solid, Dangling], vec![], keep.clone()),
            (vec![Solid, Waiting], vec![plain.clone()], keep),
            (vec![Waiting], vec![], Action::Delete),
            (vec![Waiting, Dangling], vec![plain], Action::DeleteForeground { unblock: false }),
            (vec![Waiting], vec![waiting], Action::DeleteForeground { unblock: true }),
        ] {
            let owners: Vec<_> = owners.into_iter().enumerate().map(|(n, owner)| (reference(&n.to_string()), owner)).collect();
            assert_eq!(decide(&owners, &dependents), expected, "{owners:?}");
        }
    }
}

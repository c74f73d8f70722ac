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

impl Node {
    /// Whether this is the object the reference in an object of `namespace` means: an owner lives where its dependent does, or in no namespace.
    pub(super) fn is_meant_by(&self, reference: &OwnerReference, namespace: Option<&str>) -> bool {
        let group = |version: &str| version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
        let resource = &self.found.resource;
        self.is_in_reach_of(namespace)
            && self.meta.name.as_deref() == Some(&*reference.name)
            && resource.kind == reference.kind
            && resource.group == group(&reference.api_version)
    }

    /// Whether its references to the owner of this UID mean that one.
    fn means(&self, uid: &str, owner: &Node) -> bool {
        owners(&self.meta).filter(|reference| reference.uid == uid).all(|reference| owner.is_meant_by(reference, self.meta.namespace.as_deref()))
    }

    /// Whether an object of this namespace may have it as its owner.
    pub(super) fn is_in_reach_of(&self, namespace: Option<&str>) -> bool {
        !self.found.namespaced || self.meta.namespace.as_deref() == namespace
    }
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
        if let (Some(new), Some(uid)) = (new, uid(new))
            && !self.is_same(&uid, old, new)
        {
            self.set(&uid, found, new, &mut look);
        }
        look
    }

    /// Whether nothing has changed that the graph is about, as with most changes of what lives on; the revision is noted.
    fn is_same(&mut self, uid: &str, old: Option<&ObjectMeta>, new: &ObjectMeta) -> bool {
        let same = new.deletion_timestamp.is_none()
            && old.is_some_and(|old| old.uid == new.uid && old.finalizers == new.finalizers && old.owner_references == new.owner_references)
            && owners(new).all(|owner| self.nodes.contains_key(&owner.uid));
        let Some(node) = self.nodes.get_mut(uid).filter(|_| same) else { return false };
        Arc::make_mut(&mut node.meta).resource_version.clone_from(&new.resource_version);
        true
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
        let before = self.nodes.insert(uid.to_owned(), node.clone());
        let before = before.map(|node| node.meta);
        if before.is_none() {
            // They were there first, and have to be looked at again if they mean somebody else.
            let mistaken = self.dependents(uid).into_iter().filter(|dependent| !dependent.means(uid, &node));
            look.extend(mistaken.filter_map(|dependent| dependent.meta.uid.clone()));
        }
        let kept: HashSet<_> = owners(meta).map(|owner| owner.uid.as_str()).collect();
        for owner in before.iter().flat_map(|meta| owners(meta)).filter(|owner| !kept.contains(owner.uid.as_str())) {
            self.unlink(&owner.uid, uid, look);
        }
        let had: HashSet<_> = before.iter().flat_map(|meta| owners(meta)).map(|owner| owner.uid.as_str()).collect();
        for owner in owners(meta) {
            if !had.contains(owner.uid.as_str()) {
                self.dependents.entry(owner.uid.clone()).or_default().insert(uid.to_owned());
            }
            match self.nodes.get(&owner.uid) {
                None => {
                    look.insert(uid.to_owned());
                }
                Some(node) if waits_for(&node.meta, FOREGROUND) => {
                    // The dependent has to go; and should it no longer block, the owner need not wait.
                    look.extend([uid.to_owned(), owner.uid.clone()]);
                }
                Some(node) if !node.is_meant_by(owner, meta.namespace.as_deref()) => {
                    look.insert(uid.to_owned());
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
    /// Nobody can say, as its kind is not served, or as nothing in a namespace can own what is in none.
    Unknown,
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
    if any(Owner::Unknown) || !any(Owner::Dangling) && !any(Owner::Waiting) {
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

    fn reference(kind: &str, name: &str, uid: &str) -> OwnerReference {
        let (api_version, kind, name, uid) = ("v1".to_owned(), kind.to_owned(), name.to_owned(), uid.to_owned());
        OwnerReference { api_version, kind, name, uid, ..OwnerReference::default() }
    }

    /// A pod whose name is its UID, with owners of that form.
    fn object(uid: &str, owners: &[&str]) -> ObjectMeta {
        ObjectMeta {
            uid: Some(uid.to_owned()),
            name: Some(uid.to_owned()),
            owner_references: (!owners.is_empty()).then(|| owners.iter().map(|uid| reference("Pod", uid, uid)).collect()),
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
    fn a_change_of_something_else_moves_only_the_revision() {
        let (mut graph, found) = (Graph::default(), found());
        let at = |mut meta: ObjectMeta, revision: &str| {
            meta.resource_version = Some(revision.to_owned());
            meta
        };
        let (owner, mut pod) = (object("owner", &[]), at(object("pod", &["owner"]), "1"));
        graph.observe(&found, None, Some(&owner));
        graph.observe(&found, None, Some(&pod));
        let mut change = |next: ObjectMeta| {
            let look = sorted(graph.observe(&found, Some(&pod), Some(&next)));
            pod = next;
            (look, graph.node("pod").unwrap().meta.resource_version.clone().unwrap(), graph.dependents("owner").len())
        };
        assert_eq!(change(at(object("pod", &["owner"]), "2")), (vec![], "2".to_owned(), 1));
        assert_eq!(change(at(object("pod", &["nobody"]), "3")), (vec!["pod".to_owned()], "3".to_owned(), 0));
        assert_eq!(change(at(object("pod", &["nobody"]), "4")), (vec!["pod".to_owned()], "4".to_owned(), 0));
        assert_eq!(change(at(object("pod", &["owner"]), "5")), (vec![], "5".to_owned(), 1));
        assert_eq!(change(at(deleted(object("pod", &["owner"]), FOREGROUND), "6")), (vec!["pod".to_owned()], "6".to_owned(), 1));
        assert_eq!(change(at(deleted(object("pod", &["owner"]), FOREGROUND), "7")), (vec!["pod".to_owned()], "7".to_owned(), 1));
    }

    #[test]
    fn an_owner_is_meant_by_name_and_kind_and_place() {
        let named = |kind: &str, name: &str| reference(kind, name, "o");
        let of_apps = OwnerReference { api_version: "apps/v1".to_owned(), ..named("Pod", "owner") };
        let in_namespace = |mut meta: ObjectMeta, namespace: &str| {
            meta.namespace = Some(namespace.to_owned());
            meta
        };
        let owner = ObjectMeta { name: Some("owner".to_owned()), ..in_namespace(object("o", &[]), "here") };
        for (reference, namespace, meant) in [
            (named("Pod", "owner"), "here", true),
            (named("Pod", "owner"), "there", false),
            (named("Pod", "other"), "here", false),
            (named("Node", "owner"), "here", false),
            (of_apps, "here", false),
        ] {
            let dependent = ObjectMeta { owner_references: Some(vec![reference]), ..in_namespace(object("d", &[]), namespace) };
            // Whichever is seen first.
            for order in [[&owner, &dependent], [&dependent, &owner]] {
                let (mut graph, found) = (Graph::default(), found());
                graph.observe(&found, None, Some(order[0]));
                let look = graph.observe(&found, None, Some(order[1]));
                assert_eq!(look.contains("d"), !meant, "{dependent:?}");
            }
        }
        let cluster = Node { found: Arc::new(Found { namespaced: false, ..(*found()).clone() }), meta: Arc::new(object("o", &[])) };
        assert!(cluster.is_in_reach_of(Some("here")) && cluster.is_in_reach_of(None));
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
        use Owner::{Dangling, Solid, Unknown, Waiting};
        let reference = |uid: &str| reference("Pod", uid, uid);
        let plain = Node { found: found(), meta: Arc::new(object("d", &[])) };
        let waiting = Node { found: found(), meta: Arc::new(deleted(object("d", &[]), FOREGROUND)) };
        let keep = Action::KeepOwners(vec![reference("0")]);
        for (owners, dependents, expected) in [
            (vec![], vec![], Action::Nothing),
            (vec![Solid], vec![], Action::Nothing),
            (vec![Dangling], vec![], Action::Delete),
            (vec![Dangling], vec![plain.clone()], Action::Delete),
            (vec![Unknown, Dangling], vec![], Action::Nothing),
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

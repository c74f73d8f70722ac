//! The garbage collector: what lives for an owner goes with it. It names no kind: discovery tells which there are, and only
//! metadata is read.
//!
//! That an owner is gone is never concluded from a cache: before anything is deleted for it, the API server is asked.

mod graph;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::ObjectReference,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{
    Client,
    api::{DeleteParams, Preconditions, PropagationPolicy},
};
use mini_daemon::events::Recorder;
use parking_lot::Mutex;
use serde_json::json;

use self::graph::{Action, FOREGROUND, Graph, Node, ORPHAN, Owner, Uid, decide, waits_for};
use crate::{
    cache::{Key, Source},
    controller::{Controller, Next, Setup},
    pods::together,
    queue::Queue,
    reflectors::Reflectors,
    resources::{Found, collectable},
    writes::{Error, Result, Writes, unchanged},
};

/// How often discovery is asked whether there are new kinds.
const DISCOVERY_PERIOD: Duration = Duration::from_secs(30);
/// How long an object waits for a kind whose first list is on its way.
const SYNC_RETRY: Duration = Duration::from_millis(50);
/// Owners known to be gone. One never comes back, so forgetting costs a request and nothing else.
const ABSENT_LIMIT: usize = 4096;

/// What is worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// The kinds there are.
    Kinds,
    /// An object.
    Object(Uid),
}

/// A kind and where its objects are seen.
type Followed = (Arc<Found>, Arc<dyn Source>);

/// Deletes what nobody owns any more.
pub(crate) struct Reconciler {
    client: Client,
    reflectors: Arc<Reflectors>,
    queue: Arc<Queue<Target>>,
    graph: Arc<Mutex<Graph>>,
    /// By group and plural.
    kinds: Mutex<BTreeMap<(String, String), Followed>>,
    absent: Mutex<HashSet<Meant>>,
    recorder: Recorder,
}

/// Whom an owner reference means: there, of this name and kind, and with this UID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Meant {
    namespace: String,
    api_version: String,
    kind: String,
    name: String,
    uid: Uid,
}

impl Meant {
    fn by(reference: &OwnerReference, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            api_version: reference.api_version.clone(),
            kind: reference.kind.clone(),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
        }
    }
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, api_version, kind, name, uid } = self;
        write!(f, "[{api_version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}]")
    }
}

impl Controller for Reconciler {
    const NAME: &'static str = "garbage-collector-controller";
    type Key = Target;

    fn new(setup: &mut Setup<'_, Target>) -> Self {
        let queue = setup.queue();
        queue.add(Target::Kinds);
        Self {
            client: setup.client(),
            reflectors: setup.reflectors(),
            queue,
            graph: Arc::default(),
            kinds: Mutex::default(),
            absent: Mutex::default(),
            recorder: setup.recorder(Self::NAME),
        }
    }

    async fn reconcile(&self, target: &Target, writes: &Writes) -> Result<Next> {
        match target {
            Target::Kinds => self.discover().await,
            // An object of a kind that is not listed yet may be a dependent somebody waits for.
            Target::Object(_) if !self.is_synced() => Ok(Next::After(SYNC_RETRY)),
            Target::Object(uid) => self.collect(uid, writes).await,
        }
    }
}

impl Reconciler {
    async fn discover(&self) -> Result<Next> {
        let found = collectable(&self.client).await;
        let found = found.map_err(|error| Error::Request { doing: "discover kinds".to_owned(), source: Box::new(error) })?;
        let mut kinds = self.kinds.lock();
        for found in found {
            let kind = (found.resource.group.clone(), found.resource.plural.clone());
            kinds.entry(kind).or_insert_with(|| {
                let source = self.reflectors.metadata(&found.resource);
                let found = Arc::new(found);
                let (graph, queue, kind) = (self.graph.clone(), self.queue.clone(), found.clone());
                source.listen_metadata(Box::new(move |old, new| {
                    let look = graph.lock().observe(&kind, old, new);
                    look.into_iter().for_each(|uid| queue.add(Target::Object(uid)));
                }));
                (found, source)
            });
        }
        Ok(Next::After(DISCOVERY_PERIOD))
    }

    fn is_synced(&self) -> bool {
        let kinds = self.kinds.lock();
        !kinds.is_empty() && kinds.values().all(|(_, source)| source.synced())
    }

    async fn collect(&self, uid: &str, writes: &Writes) -> Result<Next> {
        let (node, dependents) = {
            let graph = self.graph.lock();
            let Some(node) = graph.node(uid) else { return Ok(Next::Changed) };
            (node, graph.dependents(uid))
        };
        let meta = &node.meta;
        if waits_for(meta, ORPHAN) {
            let orphaned = dependents.iter().map(|dependent| async move {
                let owners = owners(&dependent.meta).filter(|owner| owner.uid != uid).cloned().collect();
                set_owners(dependent, owners, writes).await
            });
            together(orphaned.collect()).await?;
            drop_finalizer(&node, ORPHAN, writes).await?;
        } else if waits_for(meta, FOREGROUND) {
            let blocks = |node: &&Node| owners(&node.meta).any(|owner| owner.uid == uid && owner.block_owner_deletion == Some(true));
            let blocking: Vec<_> = dependents.iter().filter(blocks).collect();
            if blocking.is_empty() {
                drop_finalizer(&node, FOREGROUND, writes).await?;
            }
            let idle = blocking.into_iter().filter(|dependent| dependent.meta.deletion_timestamp.is_none());
            idle.filter_map(|node| node.meta.uid.clone()).for_each(|uid| self.queue.add(Target::Object(uid)));
        } else if meta.deletion_timestamp.is_none() {
            let mut states = Vec::new();
            for reference in owners(meta) {
                states.push((reference.clone(), self.look_at(reference, &node, writes).await?));
            }
            act(&node, decide(&states, &dependents), writes).await?;
        }
        Ok(Next::Changed)
    }

    /// What an owner is, according to the graph when it knows the owner, and to the API server when not.
    async fn look_at(&self, reference: &OwnerReference, dependent: &Node, writes: &Writes) -> Result<Owner> {
        let state = |meta: &ObjectMeta| if waits_for(meta, FOREGROUND) { Owner::Waiting } else { Owner::Solid };
        let home = dependent.meta.namespace.as_deref();
        let known = self.graph.lock().node(&reference.uid);
        match known {
            Some(owner) if owner.is_meant_by(reference, home) => return Ok(state(&owner.meta)),
            Some(owner) if !owner.is_in_reach_of(home) => self.tell_of_wrong_namespace(reference, dependent),
            _ => {}
        }
        let Some(found) = self.kind_of(reference) else {
            tracing::debug!(kind = reference.kind, api_version = reference.api_version, "an owner of an unknown kind");
            return Ok(Owner::Unknown);
        };
        if found.namespaced && home.is_none() {
            return Ok(Owner::Unknown);
        }
        let namespace = home.filter(|_| found.namespaced).unwrap_or_default();
        let meant = Meant::by(reference, namespace);
        if self.absent.lock().contains(&meant) {
            return Ok(Owner::Dangling);
        }
        match writes.live_metadata(&found.resource, &Key::new(namespace, &reference.name)).await? {
            Some(live) if live.uid.as_ref() == Some(&reference.uid) => Ok(state(&live)),
            _ => {
                let mut absent = self.absent.lock();
                if absent.len() >= ABSENT_LIMIT {
                    absent.clear();
                }
                absent.insert(meant);
                Ok(Owner::Dangling)
            }
        }
    }

    /// An owner in another namespace is none: whoever wrote that should learn why the dependent goes.
    fn tell_of_wrong_namespace(&self, reference: &OwnerReference, dependent: &Node) {
        let (resource, meta) = (&dependent.found.resource, &dependent.meta);
        let about = ObjectReference {
            api_version: Some(resource.api_version.clone()),
            kind: Some(resource.kind.clone()),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            ..ObjectReference::default()
        };
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let message = format!("ownerRef {} does not exist in namespace {namespace:?}", Meant::by(reference, namespace));
        self.recorder.warning(&about, "OwnerRefInvalidNamespace", message);
    }

    fn kind_of(&self, reference: &OwnerReference) -> Option<Arc<Found>> {
        let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
        let kinds = self.kinds.lock();
        let mut of_group = kinds.iter().filter(|((of, _), _)| of == group).map(|(_, (found, _))| found);
        of_group.find(|found| found.resource.kind == reference.kind).cloned()
    }
}

fn owners(meta: &ObjectMeta) -> impl Iterator<Item = &OwnerReference> {
    meta.owner_references.iter().flatten()
}

async fn act(node: &Node, action: Action, writes: &Writes) -> Result<()> {
    let meta = &node.meta;
    match action {
        Action::Nothing => Ok(()),
        Action::KeepOwners(owners) => set_owners(node, owners, writes).await,
        Action::DeleteForeground { unblock } => {
            if unblock {
                let free = |owner: &OwnerReference| OwnerReference { block_owner_deletion: Some(false), ..owner.clone() };
                set_owners(node, owners(meta).map(free).collect(), writes).await?;
            }
            // Only the UID: the revision that was judged is not the present one any more when it was unblocked.
            let this = Preconditions { uid: meta.uid.clone(), resource_version: None };
            delete(node, PropagationPolicy::Foreground, this, writes).await
        }
        Action::Delete => {
            let has = |finalizer: &str| meta.finalizers.iter().flatten().any(|one| one == finalizer);
            let policy = match () {
                () if has(ORPHAN) => PropagationPolicy::Orphan,
                () if has(FOREGROUND) => PropagationPolicy::Foreground,
                () => PropagationPolicy::Background,
            };
            // Exactly the object that was judged: should it have found a new owner meanwhile, this is a conflict.
            delete(node, policy, unchanged(meta), writes).await
        }
    }
}

async fn delete(node: &Node, policy: PropagationPolicy, only: Preconditions, writes: &Writes) -> Result<()> {
    let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
    writes.delete_at(&node.found.resource, &node.meta, params.preconditions(only)).await
}

async fn set_owners(node: &Node, owners: Vec<OwnerReference>, writes: &Writes) -> Result<()> {
    let owners = if owners.is_empty() { json!(null) } else { json!(owners) };
    let patch = json!({ "metadata": { "ownerReferences": owners } });
    gone_is_fine(writes.patch(&node.found.resource, &node.meta, None, patch).await)
}

async fn drop_finalizer(node: &Node, finalizer: &str, writes: &Writes) -> Result<()> {
    let left: Vec<_> = node.meta.finalizers.iter().flatten().filter(|one| *one != finalizer).collect();
    let left = if left.is_empty() { json!(null) } else { json!(left) };
    let patch = json!({ "metadata": { "finalizers": left } });
    gone_is_fine(writes.patch(&node.found.resource, &node.meta, None, patch).await)
}

fn gone_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

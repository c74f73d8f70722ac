//! DaemonSets: one pod on each node that fits. The controller says which node a pod is for; that it is bound there is the scheduler's.
//!
//! What to do is decided in `plan`; here it is done.

mod backoff;
mod nodes;
mod plan;
mod rolling;
mod template;

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, DaemonSet, DaemonSetStatus},
        core::v1::{Node, ObjectReference, Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use kube::api::{ApiResource, DeleteParams};
use mini_api::{hash, owner, pod};
use mini_daemon::{clock, events, events::Recorder};
use serde_json::{Value, json};

use self::{
    backoff::{Backoff, Place},
    plan::{Plan, World, plan},
};
use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    history::{self, REVISION_LABEL},
    ownership, pods,
    writes::{Error, Result, Writes, encode},
};

/// Pods created or deleted in one run; then the status is written and the next run begins.
const BURST: usize = 250;

/// Makes pods come to nodes and go from them.
pub(crate) struct Reconciler {
    sets: Arc<Cache<DaemonSet>>,
    pods: Arc<Cache<Pod>>,
    revisions: Arc<Cache<ControllerRevision>>,
    nodes: Arc<Cache<Node>>,
    backoff: Backoff,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "daemonset-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let sets = setup.watch(|change: &Change<DaemonSet>| [change.key()]);
        let owners = sets.clone();
        let pods = setup.watch(move |change: &Change<Pod>| ownership::owners(change.sides(), &owners, selector));
        let owners = sets.clone();
        let revisions = setup.watch(move |change: &Change<ControllerRevision>| ownership::owners(change.sides(), &owners, selector));
        let all = sets.clone();
        let nodes = setup.watch(move |change: &Change<Node>| {
            let sets = if concerns_daemons(change) { all.all() } else { Vec::new() };
            sets.into_iter().map(|set| Key::of(&set.metadata))
        });
        Self { sets, pods, revisions, nodes, backoff: Backoff::default(), recorder: setup.recorder(Self::NAME) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(set) = self.sets.get(key) else { return Ok(Next::Changed) };
        let about = events::reference(&*set);
        let Some(selector) = selector(&set).filter(|selector| **selector != LabelSelector::default()) else {
            let text = "This daemon set is selecting all pods. A non-empty selector is required.";
            self.recorder.warning(&about, "SelectingAll", text);
            return Ok(Next::Changed);
        };
        // Its revisions may be gone already, so nothing can be said of its pods.
        if set.metadata.deletion_timestamp.is_some() {
            return Ok(Next::Changed);
        }
        let mut revisions = ownership::children(&*set, Some(selector), &self.revisions, writes).await?;
        history::sort(&mut revisions);
        let pods = ownership::children(&*set, Some(selector), &self.pods, writes).await?;
        match self.advance(&set, &pods, &revisions, about, writes).await {
            Err(error) if error.is_namespace_terminating() => Ok(Next::Changed),
            result => result,
        }
    }
}

fn selector(set: &DaemonSet) -> Option<&LabelSelector> {
    set.spec.as_ref().map(|spec| &spec.selector)
}

/// Whether daemons may have to come or go because of what changed about a node.
fn concerns_daemons(change: &Change<Node>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return true };
    let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    old.metadata.labels != new.metadata.labels || taints(old) != taints(new)
}

impl Reconciler {
    /// Takes the next steps with what there is.
    async fn advance(
        &self,
        set: &DaemonSet,
        pods: &[Arc<Pod>],
        revisions: &[Arc<ControllerRevision>],
        about: ObjectReference,
        writes: &Writes,
    ) -> Result<Next> {
        let data = history::data(&set.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default())?;
        let before = set.status.as_ref().and_then(|status| status.collision_count);
        let make = |number, collisions| snapshot(set, &data, number, collisions);
        let current = history::ensure(history::plan(revisions, &data), before, make, writes).await?;
        let hash = hash_of(&current.revision);
        self.merge_twins(pods, revisions, &data, &current.revision, writes).await?;

        let template = template::of(set, hash);
        let (nodes, now) = (self.nodes.all(), clock::now());
        let plan = plan(&World {
            set,
            hash,
            spec: template.spec.as_ref().unwrap_or(&Default::default()),
            nodes: &nodes,
            pods,
            pause: &|node| self.backoff.left(&place(set, node), now),
            now,
        });
        let result = self.act(set, &template, &plan, &about, writes).await;
        let mut new = set.clone();
        new.status = Some(DaemonSetStatus { collision_count: current.collisions, ..plan.status });
        writes.update_status(set, &new).await?;
        result?;
        history::delete(expired(set, revisions, &data, pods), writes).await?;
        Ok(Next::soonest(plan.next))
    }

    async fn act(&self, set: &DaemonSet, template: &PodTemplateSpec, plan: &Plan, about: &ObjectReference, writes: &Writes) -> Result<()> {
        for (pod, node) in &plan.ended {
            self.tell_ended(set, pod, node, about);
        }
        let acting = Acting { set, template, about, recorder: &self.recorder, writes };
        let create = plan.create.get(..BURST).unwrap_or(&plan.create);
        let created = pods::in_growing_batches(create.len(), |index| acting.create(create.get(index))).await;
        let deletions = plan.delete.iter().take(BURST).map(|pod| acting.delete(pod));
        let deleted = pods::together(deletions.collect()).await;
        created.and(deleted)
    }

    /// Says that a pod has ended which is to run for ever, and notes that it is replaced.
    fn tell_ended(&self, set: &DaemonSet, pod: &Pod, node: &str, about: &ObjectReference) {
        let name = Key::of(&pod.metadata);
        if pod::phase(pod) == pod::FAILED {
            self.backoff.note(place(set, node), clock::now());
            let message = format!("Found failed daemon pod {name} on node {node}, will try to kill it");
            self.recorder.warning(about, "FailedDaemonPod", message);
        } else {
            let message = format!("Found succeeded daemon pod {name} on node {node}, will try to delete it");
            self.recorder.normal(about, "SucceededDaemonPod", message);
        }
    }

    /// Of several revisions with the current template the others are dropped, and their pods become those of the one that stays.
    async fn merge_twins(
        &self,
        pods: &[Arc<Pod>],
        revisions: &[Arc<ControllerRevision>],
        data: &Value,
        current: &ControllerRevision,
        writes: &Writes,
    ) -> Result<()> {
        let is_twin = |revision: &&Arc<ControllerRevision>| {
            history::keeps(revision, data) && revision.metadata.name != current.metadata.name
        };
        let twins: Vec<_> = revisions.iter().filter(is_twin).cloned().collect();
        let hashes: BTreeSet<_> = twins.iter().map(|twin| hash_of(twin)).collect();
        let theirs = pods.iter().filter(|pod| template::hash(pod).is_some_and(|hash| hashes.contains(hash)));
        let resource = &ApiResource::erase::<Pod>(&());
        let relabelled = theirs.map(|pod| {
            let patch = json!({ "metadata": { "labels": { REVISION_LABEL: hash_of(current) } } });
            writes.patch(resource, &pod.metadata, None, patch)
        });
        pods::together(relabelled.collect()).await?;
        history::delete(twins, writes).await
    }
}

fn place(set: &DaemonSet, node: &str) -> Place {
    let generation = set.status.as_ref().and_then(|status| status.observed_generation).unwrap_or(0);
    (set.metadata.uid.clone().unwrap_or_default(), generation, node.to_owned())
}

/// The hash in a revision's label; one that lost it is known by its name.
fn hash_of(revision: &ControllerRevision) -> &str {
    let label = revision.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION_LABEL));
    label.or(revision.metadata.name.as_ref()).map(String::as_str).unwrap_or_default()
}

/// A revision as it is to be created.
fn snapshot(set: &DaemonSet, data: &Value, number: i64, collisions: Option<i32>) -> ControllerRevision {
    let template = set.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let hash = hash::template_hash(&template, collisions);
    let mut labels = template.metadata.and_then(|meta| meta.labels).unwrap_or_default();
    labels.insert(REVISION_LABEL.to_owned(), hash.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(history::name(set.metadata.name.as_deref().unwrap_or_default(), &hash)),
            namespace: set.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: set.metadata.annotations.clone(),
            owner_references: Some(vec![owner::controller_ref(set)]),
            ..ObjectMeta::default()
        },
        data: history::raw(data.clone()),
        revision: number,
    }
}

/// The oldest of the old revisions that no pod is of, as many as there are beyond the limit.
fn expired(set: &DaemonSet, revisions: &[Arc<ControllerRevision>], data: &Value, pods: &[Arc<Pod>]) -> Vec<Arc<ControllerRevision>> {
    let limit = set.spec.as_ref().and_then(|spec| spec.revision_history_limit).and_then(|limit| usize::try_from(limit).ok());
    let live: BTreeSet<_> = pods.iter().filter_map(|pod| template::hash(pod)).collect();
    let old: Vec<_> = revisions.iter().filter(|revision| !history::keeps(revision, data)).collect();
    let surplus = limit.map_or(0, |limit| old.len().saturating_sub(limit));
    old.into_iter().filter(|revision| !live.contains(hash_of(revision))).take(surplus).cloned().collect()
}

/// Takes actions for one set, and tells of them.
#[derive(Clone, Copy)]
struct Acting<'a> {
    set: &'a DaemonSet,
    template: &'a PodTemplateSpec,
    about: &'a ObjectReference,
    recorder: &'a Recorder,
    writes: &'a Writes,
}

impl Acting<'_> {
    async fn create(self, node: Option<&String>) -> Result<()> {
        let Some(node) = node else { return Ok(()) };
        let pod = template::make(self.set, self.template, node);
        let namespace = self.set.metadata.namespace.as_deref().unwrap_or_default();
        let created = self.writes.create_encoded::<Pod>(namespace, encode(&pod)?).await;
        let pod = created.inspect_err(|error: &Error| {
            if !error.is_namespace_terminating() {
                self.recorder.warning(self.about, "FailedCreate", format!("Error creating: {}", error.message()));
            }
        })?;
        self.recorder.normal(self.about, "SuccessfulCreate", format!("Created pod: {}", pod.name));
        Ok(())
    }

    async fn delete(self, pod: &Pod) -> Result<()> {
        let deleted = self.writes.delete(pod, DeleteParams::default()).await;
        let deleted = deleted.inspect_err(|error| {
            self.recorder.warning(self.about, "FailedDelete", format!("Error deleting: {}", error.message()));
        });
        deleted?;
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        self.recorder.normal(self.about, "SuccessfulDelete", format!("Deleted pod: {name}"));
        Ok(())
    }
}

//! Deployments: moves pods from one template to the next through ReplicaSets, and keeps the old ones to go back to.
//!
//! What to do is decided in `plan`; here it is done.

mod plan;
mod revision;
mod rollback;
mod rollout;
mod status;

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{ObjectReference, Pod},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::api::DeleteParams;
use mini_api::{owner, pod};
use mini_daemon::{clock, events, events::Recorder};

use self::plan::{Action, Plan, plan};
use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    ownership,
    writes::{Error, Result, Writes},
};

/// Makes ReplicaSets come, grow, shrink and go.
pub(crate) struct Reconciler {
    deployments: Arc<Cache<Deployment>>,
    replica_sets: Arc<Cache<ReplicaSet>>,
    pods: Arc<Cache<Pod>>,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "deployment-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let deployments = setup.watch(|change: &Change<Deployment>| [change.key()]);
        let owners = deployments.clone();
        let replica_sets = setup.watch(move |change: &Change<ReplicaSet>| ownership::owners(change.sides(), &owners, selector));
        let (owners, sets) = (deployments.clone(), replica_sets.clone());
        let pods = setup.watch(move |change: &Change<Pod>| waits_for_last_pod(change, &sets, &owners));
        Self { deployments, replica_sets, pods, recorder: setup.recorder(Self::NAME) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(deployment) = self.deployments.get(key) else { return Ok(Next::Changed) };
        let about = events::reference(&*deployment);
        let Some(selector) = selector(&deployment).filter(|selector| **selector != LabelSelector::default()) else {
            let text = "This deployment is selecting all pods. A non-empty selector is required.";
            self.recorder.warning(&about, "SelectingAll", text);
            let mut new = (*deployment).clone();
            new.status.get_or_insert_default().observed_generation = new.metadata.generation;
            writes.update_status(&*deployment, &new).await?;
            return Ok(Next::Changed);
        };
        let children = ownership::children(&*deployment, Some(selector), &self.replica_sets, writes).await?;
        let plan = plan(&deployment, &children, &self.with_pods(&deployment, &children), clock::now());
        self.act(&deployment, plan, &about, writes).await
    }
}

fn selector(deployment: &Deployment) -> Option<&LabelSelector> {
    deployment.spec.as_ref().map(|spec| &spec.selector)
}

fn recreates(deployment: &Deployment) -> bool {
    let strategy = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref());
    strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate")
}

/// The Deployment of a pod that is gone or finished, if it waits for that before it makes new ones.
fn waits_for_last_pod(change: &Change<Pod>, replica_sets: &Cache<ReplicaSet>, deployments: &Cache<Deployment>) -> Option<Key> {
    if change.new.as_ref().is_some_and(|pod| !pod::is_terminal(pod)) {
        return None;
    }
    let meta = &change.old.as_ref()?.metadata;
    let namespace = meta.namespace.as_deref()?;
    let set = replica_sets.get(&Key::new(namespace, &owner::controller_of(meta)?.name))?;
    let key = Key::new(namespace, &owner::controller_of(&set.metadata)?.name);
    deployments.get(&key).filter(|deployment| recreates(deployment)).map(|_| key)
}

impl Reconciler {
    /// The UIDs of the ReplicaSets that still have pods which run or may; only who recreates asks.
    fn with_pods(&self, deployment: &Deployment, children: &[Arc<ReplicaSet>]) -> BTreeSet<String> {
        let uids = children.iter().filter(|_| recreates(deployment)).filter_map(|set| set.metadata.uid.clone());
        uids.filter(|uid| self.pods.controlled_by(uid).iter().any(|pod| !pod::is_terminal(pod))).collect()
    }

    async fn act(&self, deployment: &Deployment, plan: Plan, about: &ObjectReference, writes: &Writes) -> Result<Next> {
        for action in &plan.actions {
            match action {
                Action::Create(set) => match writes.create(&**set).await {
                    Err(error) if error.is_namespace_terminating() => return Ok(Next::Changed),
                    Err(error) => return self.not_created(deployment, set, error, about, writes).await,
                    Ok(_) => {}
                },
                Action::Update(old, new) => writes.update(&**old, &**new).await?,
                Action::Delete(set) => writes.delete(&**set, DeleteParams::background()).await?,
            }
            if let Some(message) = action.event() {
                self.recorder.normal(about, "ScalingReplicaSet", message);
            }
        }
        if let Some(rollback) = plan.rollback {
            writes.update(deployment, &rollback.deployment).await?;
            let tell = if rollback.done { Recorder::normal } else { Recorder::warning };
            tell(&self.recorder, about, rollback.reason, rollback.message);
            return Ok(Next::Changed);
        }
        writes.update_status(deployment, &plan.deployment).await?;
        Ok(Next::soonest(plan.next))
    }

    /// The new ReplicaSet could not be made: its name is taken (by one of other content: hash anew), or it is refused.
    async fn not_created(
        &self,
        deployment: &Deployment,
        set: &ReplicaSet,
        error: Error,
        about: &ObjectReference,
        writes: &Writes,
    ) -> Result<Next> {
        let mut new = deployment.clone();
        let status = new.status.get_or_insert_default();
        let name = set.metadata.name.as_deref().unwrap_or_default();
        if error.is_already_exists() {
            let live: Option<ReplicaSet> = writes.live(&Key::of(&set.metadata)).await?;
            let ours = live.is_some_and(|live| {
                owner::is_controlled_by(&live.metadata, deployment.metadata.uid.as_deref().unwrap_or_default())
                    && revision::same_template(&live, deployment)
            });
            if !ours {
                status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
                writes.update_status(deployment, &new).await?;
            }
            return Err(error);
        }
        let message = format!("Failed to create new replica set {name:?}: {}", error.message());
        self.recorder.warning(about, status::REPLICA_SET_CREATE_ERROR, message.clone());
        status::note_failure(&mut new, message, clock::now());
        writes.update_status(deployment, &new).await?;
        Err(error)
    }
}

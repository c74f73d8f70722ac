//! StatefulSets: pods that keep their names and volumes, made, updated and given up in the order of their ordinals.
//!
//! What to do is decided in `plan`; here it is done.

mod claims;
mod identity;
mod plan;
mod status;

use std::sync::Arc;

use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, StatefulSet},
        core::v1::{ObjectReference, PersistentVolumeClaim, Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference},
};
use kube::api::DeleteParams;
use mini_api::{hash, owner};
use mini_daemon::{clock, events, events::Recorder};
use serde_json::Value;

use self::plan::{Action, Revision, World, plan};
use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    history, ownership, pods,
    writes::{Error, Result, Writes},
};

/// The label of a revision that tells the hash of its contents.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// Makes pods and their claims come, and pods go.
pub(crate) struct Reconciler {
    sets: Arc<Cache<StatefulSet>>,
    pods: Arc<Cache<Pod>>,
    revisions: Arc<Cache<ControllerRevision>>,
    claims: Arc<Cache<PersistentVolumeClaim>>,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "statefulset-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let sets = setup.watch(|change: &Change<StatefulSet>| [change.key()]);
        let owners = sets.clone();
        let pods = setup.watch(move |change: &Change<Pod>| ownership::owners(change.sides(), &owners, selector));
        let owners = sets.clone();
        let revisions = setup.watch(move |change: &Change<ControllerRevision>| ownership::owners(change.sides(), &owners, selector));
        let owners = sets.clone();
        let claims = setup.watch(move |change: &Change<PersistentVolumeClaim>| waits_for_claim(change, &owners));
        Self { sets, pods, revisions, claims, recorder: setup.recorder(Self::NAME) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(set) = self.sets.get(key) else { return Ok(Next::Changed) };
        let belongs = |pod: &Pod| identity::ordinal(&set, pod).is_some();
        let pods = ownership::members(&*set, selector(&set), belongs, &self.pods, writes).await?;
        let mut revisions = ownership::children(&*set, selector(&set), &self.revisions, writes).await?;
        history::sort(&mut revisions);
        match self.advance(&set, &pods, &revisions, writes).await {
            Err(error) if error.is_namespace_terminating() => Ok(Next::Changed),
            result => result,
        }
    }
}

fn selector(set: &StatefulSet) -> Option<&LabelSelector> {
    set.spec.as_ref().map(|spec| &spec.selector)
}

/// The sets that may make a claim anew which is gone.
fn waits_for_claim(change: &Change<PersistentVolumeClaim>, sets: &Cache<StatefulSet>) -> Vec<Key> {
    if change.new.is_some() {
        return Vec::new();
    }
    let key = change.key();
    let sets = sets.in_namespace(&key.namespace).into_iter().filter(|set| claims::is_name_of(set, &key.name));
    sets.map(|set| Key::of(&set.metadata)).collect()
}

impl Reconciler {
    /// Takes the next steps with what there is.
    async fn advance(
        &self,
        set: &StatefulSet,
        pods: &[Arc<Pod>],
        revisions: &[Arc<ControllerRevision>],
        writes: &Writes,
    ) -> Result<Next> {
        let template = set.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
        let (update, collisions) = update_revision(set, &template, revisions, writes).await?;
        let before = set.status.as_ref().and_then(|status| status.current_revision.as_ref());
        let current = revisions.iter().find(|revision| revision.metadata.name.as_ref() == before).unwrap_or(&update);
        let current_template = history::template(current, &template);
        let name = |revision: &Arc<ControllerRevision>| revision.metadata.name.clone().unwrap_or_default();
        let (current_name, update_name) = (name(current), name(&update));
        let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
        let plan = plan(&World {
            set,
            current: Revision { name: &current_name, template: &current_template },
            update: Revision { name: &update_name, template: &template },
            pods,
            claim: &|name| self.claims.get(&Key::new(namespace, name)),
            now: clock::now(),
        });

        let result = self.act(set, plan.stages, writes).await;
        let mut new = set.clone();
        new.status = Some(plan.status);
        new.status.get_or_insert_default().collision_count = collisions;
        writes.update_status(set, &new).await?;
        history::delete(expired(set, revisions, pods, &[current_name, update_name]), writes).await?;
        result.map(|()| Next::soonest(plan.next))
    }

    async fn act(&self, set: &StatefulSet, stages: Vec<Vec<Action>>, writes: &Writes) -> Result<()> {
        let acting = Acting { set, about: events::reference(set), recorder: &self.recorder, writes };
        for stage in &stages {
            let (acting, stage) = (&acting, stage);
            pods::in_growing_batches(stage.len(), |index| async move {
                match stage.get(index) {
                    Some(action) => acting.take(action).await,
                    None => Ok(()),
                }
            })
            .await?;
        }
        Ok(())
    }
}

/// The revision of the current template, which is made if it is not there, and the new count of collisions.
async fn update_revision(
    set: &StatefulSet,
    template: &PodTemplateSpec,
    revisions: &[Arc<ControllerRevision>],
    writes: &Writes,
) -> Result<(Arc<ControllerRevision>, Option<i32>)> {
    let data = history::data(template)?;
    let collisions = set.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
    let make = |number: i64, collisions: Option<i32>| snapshot(set, template, &data, number, collisions.unwrap_or(0));
    let current = history::ensure(history::plan(revisions, &data), Some(collisions), make, writes).await?;
    Ok((current.revision, current.collisions))
}

/// A revision as it is to be created.
fn snapshot(set: &StatefulSet, template: &PodTemplateSpec, data: &Value, number: i64, collisions: i32) -> ControllerRevision {
    let hash = hash::revision_hash(data, collisions);
    let mut labels = template.metadata.as_ref().and_then(|meta| meta.labels.clone()).unwrap_or_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
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

/// The oldest of the revisions that nothing is of any more, beyond the limit.
fn expired(set: &StatefulSet, revisions: &[Arc<ControllerRevision>], pods: &[Arc<Pod>], live: &[String]) -> Vec<Arc<ControllerRevision>> {
    let limit = set.spec.as_ref().and_then(|spec| spec.revision_history_limit).and_then(|limit| usize::try_from(limit).ok());
    let is_live = |name: &str| live.iter().any(|live| live == name) || pods.iter().any(|pod| identity::revision(pod) == Some(name));
    let dead = revisions.iter().filter(|revision| !is_live(revision.metadata.name.as_deref().unwrap_or_default()));
    let dead: Vec<_> = dead.cloned().collect();
    let surplus = limit.map_or(0, |limit| dead.len().saturating_sub(limit));
    dead.into_iter().take(surplus).collect()
}

/// Takes actions for one set, and tells of them.
struct Acting<'a> {
    set: &'a StatefulSet,
    about: ObjectReference,
    recorder: &'a Recorder,
    writes: &'a Writes,
}

impl Acting<'_> {
    async fn take(&self, action: &Action) -> Result<()> {
        match action {
            Action::Create(pod, claims) => match self.claim(pod, claims).await {
                Ok(()) => match self.writes.create(&**pod).await.map(|_| ()) {
                    Err(error) if error.is_already_exists() => Err(error),
                    result => self.tell("Create", pod, result),
                },
                failed => self.tell("Create", pod, failed),
            },
            Action::Claim(pod, claims) => self.claim(pod, claims).await,
            Action::Wait(pod, claim) => self.tell("Create", pod, Err(Error::Waiting(format!("pvc {claim} is being deleted")))),
            Action::Repair(pod) => self.repair(pod).await,
            Action::Own(claim, owners) => self.own(claim, owners).await,
            Action::Disown(claim, owners) => {
                let name = claim.metadata.name.as_deref().unwrap_or_default();
                let message = format!(
                    "PersistentVolumeClaim {name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is \
                     ignored for this claim"
                );
                self.recorder.warning(&self.about, "ConflictingController", message);
                self.own(claim, owners).await
            }
            Action::Delete(pod) => {
                let deleted = self.writes.delete(&**pod, DeleteParams::default()).await;
                self.tell("Delete", pod, deleted)
            }
        }
    }

    /// Gives a pod what it lacks. The cache leaves out much of a pod, so that it is done to the one that the API server has.
    async fn repair(&self, pod: &Pod) -> Result<()> {
        let live = self.writes.live::<Pod>(&Key::of(&pod.metadata)).await?;
        let Some(live) = live.filter(|live| live.metadata.uid == pod.metadata.uid) else { return Ok(()) };
        let repaired = identity::ordinal(self.set, &live).and_then(|ordinal| identity::repaired(self.set, &live, ordinal));
        match repaired {
            Some(repaired) => self.tell("Update", pod, self.writes.update(&live, &repaired).await),
            None => Ok(()),
        }
    }

    /// Creates claims of a pod, as many as can be.
    async fn claim(&self, pod: &Pod, claims: &[PersistentVolumeClaim]) -> Result<()> {
        let (pod, set) = (name(&pod.metadata), name(&self.set.metadata));
        let mut failures = Vec::new();
        for claim in claims {
            let created = self.writes.create(claim).await;
            let claim = name(&claim.metadata);
            match created {
                Ok(_) => {
                    let message = format!("Create Claim {claim} Pod {pod} in StatefulSet {set} success");
                    self.recorder.normal(&self.about, "SuccessfulCreate", message);
                }
                Err(error) if error.is_namespace_terminating() => return Err(error),
                Err(error) => {
                    let said = error.message();
                    if !error.is_already_exists() {
                        let message = format!("Create Claim {claim} for Pod {pod} in StatefulSet {set} failed error: {said}");
                        self.recorder.warning(&self.about, "FailedCreate", message);
                    }
                    failures.push(format!("failed to create PVC {claim}: {said}"));
                }
            }
        }
        together(&failures).map_or(Ok(()), |failures| Err(Error::Told(failures)))
    }

    async fn own(&self, claim: &PersistentVolumeClaim, owners: &[OwnerReference]) -> Result<()> {
        let mut new = claim.clone();
        new.metadata.owner_references = Some(owners.to_vec());
        self.writes.update(claim, &new).await
    }

    /// Says what became of a write to a pod.
    fn tell(&self, verb: &str, pod: &Pod, result: Result<()>) -> Result<()> {
        let (pod, set) = (name(&pod.metadata), name(&self.set.metadata));
        match &result {
            Ok(()) => {
                let message = format!("{verb} Pod {pod} in StatefulSet {set} successful");
                self.recorder.normal(&self.about, &format!("Successful{verb}"), message);
            }
            // Nothing can be made there any more, which is nobody's fault.
            Err(error) if error.is_namespace_terminating() => {}
            Err(error) => {
                let message = format!("{verb} Pod {pod} in StatefulSet {set} failed error: {}", error.message());
                self.recorder.warning(&self.about, &format!("Failed{verb}"), message);
            }
        }
        result
    }
}

/// What failed, in one text, if anything did.
fn together(failures: &[String]) -> Option<String> {
    match failures {
        [] => None,
        [failure] => Some(failure.clone()),
        failures => Some(format!("[{}]", failures.join(", "))),
    }
}

fn name(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_together() {
        for (failures, want) in [
            (&[][..], None),
            (&["failed to create PVC www-web-0: no room"], Some("failed to create PVC www-web-0: no room")),
            (&["a failed", "b failed"], Some("[a failed, b failed]")),
        ] {
            let failures: Vec<_> = failures.iter().map(|failure| (*failure).to_owned()).collect();
            assert_eq!(together(&failures).as_deref(), want);
        }
    }
}

//! Jobs: pods that run to an end, until as many have as are wanted.
//!
//! What to do is decided in `plan`; here it is done. That no pod is counted twice, and none forgotten, is told in `tally`.

mod backoff;
mod failure_policy;
mod plan;
mod pod;
mod tally;
mod verdict;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
};

use k8s_openapi::{
    Resource,
    api::{
        batch::v1::Job,
        core::v1::{ObjectReference, Pod},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::api::{ApiResource, DeleteParams};
use mini_api::owner;
use mini_daemon::{clock, events, events::Recorder};
use parking_lot::Mutex;
use serde_json::json;

use self::{
    backoff::Backoff,
    plan::{Plan, Remark, plan},
};
use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    ownership, pods,
    writes::{Error, Result, Writes},
};

pub(crate) use self::verdict::finished;

/// Who is in charge of a Job that names nobody.
const MANAGER: &str = "kubernetes.io/job-controller";

/// What is reconciled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Concern {
    /// A Job.
    Job(Key),
    /// A pod that no Job will count any more, and that is to be let go.
    Orphan(Key),
}

/// Makes pods, and counts how they end.
pub(crate) struct Reconciler {
    jobs: Arc<Cache<Job>>,
    pods: Arc<Cache<Pod>>,
    recorder: Recorder,
    /// What failed of which Job (by its UID). The API does not tell; to forget it makes a wait shorter, and nothing else.
    backoffs: Mutex<HashMap<Key, (String, Backoff)>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "job-controller";
    type Key = Concern;

    fn new(setup: &mut Setup<'_, Concern>) -> Self {
        let pods = setup.read::<Pod>();
        let children = pods.clone();
        let jobs = setup.watch(move |change: &Change<Job>| concerns_of_job(change, &children));
        let owners = jobs.clone();
        setup.watch(move |change: &Change<Pod>| concerns_of_pod(change, &owners));
        Self { jobs, pods, recorder: setup.recorder(Self::NAME), backoffs: Mutex::default() }
    }

    async fn reconcile(&self, concern: &Concern, writes: &Writes) -> Result<Next> {
        match concern {
            Concern::Job(key) => self.sync(key, writes).await,
            Concern::Orphan(key) => match self.pods.get(key).filter(|pod| is_orphan(pod, &self.jobs)) {
                Some(pod) => release(&pod, writes).await.map(|()| Next::Changed),
                None => Ok(Next::Changed),
            },
        }
    }
}

fn selector(job: &Job) -> Option<&LabelSelector> {
    job.spec.as_ref().and_then(|spec| spec.selector.as_ref())
}

/// Whether another controller is in charge of the Job.
fn is_managed_elsewhere(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref()).is_some_and(|manager| manager != MANAGER)
}

/// The Job, and those of its pods that it leaves behind when it ends or goes.
fn concerns_of_job(change: &Change<Job>, pods: &Cache<Pod>) -> Vec<Concern> {
    let mut concerns = vec![Concern::Job(change.key())];
    let left = change.old.as_ref().filter(|old| change.new.as_ref().is_none_or(|new| new.metadata.uid != old.metadata.uid));
    let ended = change.new.as_ref().filter(|job| finished(job).is_some());
    for uid in left.into_iter().chain(ended).filter_map(|job| job.metadata.uid.as_deref()) {
        let tracked = pods.controlled_by(uid).into_iter().filter(|pod| pod::is_tracked(pod));
        concerns.extend(tracked.map(|pod| Concern::Orphan(Key::of(&pod.metadata))));
    }
    concerns
}

fn concerns_of_pod(change: &Change<Pod>, jobs: &Cache<Job>) -> Vec<Concern> {
    let mut concerns: Vec<_> = ownership::owners(change.sides(), jobs, selector).into_iter().map(Concern::Job).collect();
    concerns.extend(change.new.as_ref().filter(|pod| is_orphan(pod, jobs)).map(|pod| Concern::Orphan(Key::of(&pod.metadata))));
    concerns
}

/// Whether the pod waits to be counted by a Job that is gone or has ended, or by none.
fn is_orphan(pod: &Pod, jobs: &Cache<Job>) -> bool {
    if !pod::is_tracked(pod) {
        return false;
    }
    let Some(owner) = owner::controller_of(&pod.metadata) else { return true };
    if (owner.kind.as_str(), owner.api_version.as_str()) != (Job::KIND, Job::API_VERSION) {
        return false;
    }
    let job = jobs.get(&Key::new(pod.metadata.namespace.as_deref().unwrap_or_default(), &owner.name));
    let job = job.filter(|job| job.metadata.uid.as_ref() == Some(&owner.uid));
    job.is_none_or(|job| !is_managed_elsewhere(&job) && finished(&job).is_some())
}

/// Takes the finalizer off a pod.
async fn release(pod: &Pod, writes: &Writes) -> Result<()> {
    let mut finalizers = pod.metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != pod::FINALIZER);
    let patch = json!({ "metadata": { "finalizers": finalizers } });
    let released = writes.patch(&ApiResource::erase::<Pod>(&()), &pod.metadata, None, patch).await;
    released.or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
}

impl Reconciler {
    async fn sync(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let job = self.jobs.get(key).filter(|job| !is_managed_elsewhere(job) && finished(job).is_none());
        let Some(job) = job else {
            self.backoffs.lock().remove(key);
            return Ok(Next::Changed);
        };
        let uid = job.metadata.uid.as_deref().unwrap_or_default();
        let owned = ownership::tracked_children(&*job, selector(&job), pod::FINALIZER, &self.pods, writes).await?;
        if owned.iter().any(|pod| !owner::is_controlled_by(&pod.metadata, uid)) {
            // Pods that have just been adopted count when they are seen with their finalizer.
            return Ok(Next::Changed);
        }
        let memory = self.backoffs.lock().get(key).filter(|(of, _)| of == uid).map(|(_, backoff)| backoff.clone());
        self.act(&job, plan(&job, &owned, memory.as_ref(), clock::now()), writes).await
    }

    async fn act(&self, job: &Job, mut plan: Plan, writes: &Writes) -> Result<Next> {
        let about = &events::reference(job);
        let (created, given_up) = (AtomicI32::new(0), AtomicI32::new(0));
        let mut result = self.create(&plan.create, about, &created, writes).await;
        if result.is_ok() {
            let surplus = plan.surplus.iter().map(|pod| async {
                release(pod, writes).await?;
                self.delete(pod, about, writes).await?;
                given_up.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            result = pods::together(surplus.collect()).await;
        }
        let missing = tally::number(plan.create.len()) - created.into_inner();
        let too_many = tally::number(plan.surplus.len()) - given_up.into_inner();
        plan.correct(missing, too_many);

        let mut new = job.clone();
        new.status = Some(plan.status);
        writes.update_status(job, &new).await?;
        let uid = job.metadata.uid.clone().unwrap_or_default();
        self.backoffs.lock().insert(Key::of(&job.metadata), (uid, plan.backoff));
        plan.remarks.iter().for_each(|remark| self.say(about, remark));
        pods::together(plan.doomed.iter().map(|pod| self.delete(pod, about, writes)).collect()).await?;
        pods::together(plan.release.iter().map(|pod| release(pod, writes)).collect()).await?;
        match result {
            Err(error) if error.is_namespace_terminating() => Ok(Next::Changed),
            result => result.map(|()| Next::soonest(plan.next)),
        }
    }

    async fn create(&self, pods: &[Pod], about: &ObjectReference, created: &AtomicI32, writes: &Writes) -> Result<()> {
        let all = pods::in_growing_batches(pods.len(), |at| async move {
            let pod = writes.create(&pods[at]).await?;
            created.fetch_add(1, Ordering::Relaxed);
            self.recorder.normal(about, "SuccessfulCreate", format!("Created pod: {}", pod.name));
            Ok(())
        });
        all.await.inspect_err(|error: &Error| {
            if !error.is_namespace_terminating() {
                self.recorder.warning(about, "FailedCreate", format!("Error creating: {}", error.message()));
            }
        })
    }

    async fn delete(&self, pod: &Pod, about: &ObjectReference, writes: &Writes) -> Result<()> {
        let deleted = writes.delete(pod, DeleteParams::default()).await;
        match &deleted {
            Ok(()) => {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                self.recorder.normal(about, "SuccessfulDelete", format!("Deleted pod: {name}"));
            }
            Err(error) => self.recorder.warning(about, "FailedDelete", format!("Error deleting: {}", error.message())),
        }
        deleted
    }

    fn say(&self, about: &ObjectReference, remark: &Remark) {
        let Remark { is_warning, reason, message } = remark;
        if *is_warning {
            self.recorder.warning(about, reason, message);
        } else {
            self.recorder.normal(about, reason, message);
        }
    }
}

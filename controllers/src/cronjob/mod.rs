//! CronJobs: a Job at every time of a schedule.
//!
//! What to do is decided in `plan`, and what is due in `due`; here it is done.

mod due;
mod plan;

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{
    Resource,
    api::{
        batch::v1::{CronJob, Job},
        core::v1::ObjectReference,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::api::{ApiResource, DeleteParams, Preconditions};
use mini_api::owner;
use mini_daemon::{clock, events, events::Recorder};

use self::plan::{Plan, plan, unseen};
use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    writes::{Result, Writes},
};

/// Makes Jobs, and clears away what is left of old ones.
pub(crate) struct Reconciler {
    cron_jobs: Arc<Cache<CronJob>>,
    jobs: Arc<Cache<Job>>,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "cronjob-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let cron_jobs = setup.watch(|change: &Change<CronJob>| [change.key()]);
        // Jobs are known by their owner alone: no selector is theirs, and none is adopted.
        let jobs = setup.watch(|change: &Change<Job>| {
            let of = |job: &Arc<Job>| {
                let owner = owner::controller_of(&job.metadata).filter(|owner| owner.kind == CronJob::KIND)?;
                Some(Key::new(job.metadata.namespace.as_deref()?, &owner.name))
            };
            change.sides().filter_map(of).collect::<Vec<_>>()
        });
        Self { cron_jobs, jobs, recorder: setup.recorder(Self::NAME) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(cron_job) = self.cron_jobs.get(key) else { return Ok(Next::Changed) };
        let jobs = self.jobs.controlled_by(cron_job.metadata.uid.as_deref().unwrap_or_default());
        let missing = missing(&cron_job, &jobs, writes).await?;
        self.act(&cron_job, plan(&cron_job, &jobs, &missing, clock::now()), writes).await
    }
}

/// The UIDs of active Jobs that are gone. A cache may be late, so the API server is asked.
async fn missing(cron_job: &CronJob, jobs: &[Arc<Job>], writes: &Writes) -> Result<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    for job in unseen(cron_job, jobs) {
        let live = writes.live_metadata(&ApiResource::erase::<Job>(&()), &Key::of(&metadata(job))).await?;
        if live.is_none_or(|live| live.uid != job.uid) {
            missing.extend(job.uid.clone());
        }
    }
    Ok(missing)
}

fn metadata(job: &ObjectReference) -> ObjectMeta {
    ObjectMeta { name: job.name.clone(), namespace: job.namespace.clone(), uid: job.uid.clone(), ..ObjectMeta::default() }
}

impl Reconciler {
    async fn act(&self, cron_job: &CronJob, mut plan: Plan, writes: &Writes) -> Result<Next> {
        let about = &events::reference(cron_job);
        for remark in &plan.remarks {
            if remark.is_warning {
                self.recorder.warning(about, remark.reason, &remark.message);
            } else {
                self.recorder.normal(about, remark.reason, &remark.message);
            }
        }
        for job in &plan.expired {
            self.delete(&job.metadata, about, writes).await?;
        }
        for job in &plan.replaced {
            self.delete(&metadata(job), about, writes).await?;
        }
        let mut result = Ok(());
        if let Some((job, at)) = plan.create.take() {
            match self.create(cron_job, &job, about, writes).await {
                Ok(Some(started)) => {
                    plan.status.active.get_or_insert_default().push(started);
                    plan.status.last_schedule_time = Some(Time(at));
                }
                Ok(None) => {}
                Err(error) => result = Err(error),
            }
        }
        let mut new = cron_job.clone();
        new.status = Some(plan.status);
        writes.update_status(cron_job, &new).await?;
        result.map(|()| Next::soonest(plan.next))
    }

    /// Makes the Job, and says what it is. One of that name may be there: it is ours if this was done before and not noted.
    async fn create(&self, cron_job: &CronJob, job: &Job, about: &ObjectReference, writes: &Writes) -> Result<Option<ObjectReference>> {
        let reference = |uid: String, version: Option<String>| ObjectReference {
            uid: Some(uid),
            resource_version: version,
            ..events::reference(job)
        };
        match writes.create(job).await {
            Ok(made) => {
                self.recorder.normal(about, "SuccessfulCreate", format!("Created job {}", made.name));
                let version = Some(made.revision().to_string());
                Ok(Some(reference(made.uid, version)))
            }
            Err(error) if error.is_already_exists() => {
                let live = writes.live_metadata(&ApiResource::erase::<Job>(&()), &Key::of(&job.metadata)).await?;
                let owner = cron_job.metadata.uid.as_deref().unwrap_or_default();
                let ours = live.filter(|live| owner::is_controlled_by(live, owner));
                Ok(ours.and_then(|live| Some(reference(live.uid?, live.resource_version))))
            }
            Err(error) => {
                if !error.is_namespace_terminating() {
                    self.recorder.warning(about, "FailedCreate", format!("Error creating job: {}", error.message()));
                }
                Err(error)
            }
        }
    }

    async fn delete(&self, job: &ObjectMeta, about: &ObjectReference, writes: &Writes) -> Result<()> {
        let name = job.name.as_deref().unwrap_or_default();
        let same = Preconditions { uid: job.uid.clone(), resource_version: None };
        let deleted = writes.delete_at(&ApiResource::erase::<Job>(&()), job, DeleteParams::background().preconditions(same)).await;
        match &deleted {
            Ok(()) => self.recorder.normal(about, "SuccessfulDelete", format!("Deleted job {name}")),
            Err(error) => self.recorder.warning(about, "FailedDelete", format!("Deleted job: {}", error.message())),
        }
        deleted
    }
}

//! Jobs that are to be deleted some time after they have ended.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::api::DeleteParams;
use mini_daemon::clock;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    job::finished,
    writes::{Result, Writes, unchanged},
};

/// Deletes Jobs. Its keys are theirs.
pub(crate) struct Reconciler {
    jobs: Arc<Cache<Job>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "ttl-after-finished-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        Self { jobs: setup.watch(|change: &Change<Job>| change.new.as_ref().map(|_| change.key())) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(job) = self.jobs.get(key) else { return Ok(Next::Changed) };
        match left(&job, clock::now()) {
            None => Ok(Next::Changed),
            Some(Duration::ZERO) => {
                // Its pods go first, and it goes only if nobody has given it more time meanwhile.
                let params = DeleteParams::foreground().preconditions(unchanged(&job.metadata));
                writes.delete(&*job, params).await.map(|()| Next::Changed)
            }
            Some(left) => Ok(Next::After(left)),
        }
    }
}

/// How long the Job may still stay, if its end is to come.
fn left(job: &Job, now: Timestamp) -> Option<Duration> {
    let seconds = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let (_, at) = finished(job).filter(|_| job.metadata.deletion_timestamp.is_none())?;
    let left = SignedDuration::from_secs(seconds.into()) - now.duration_since(at?);
    Some(Duration::try_from(left).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn only_what_has_ended_goes() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let ended = |kind: &str| json!([{"type": kind, "status": "True", "lastTransitionTime": at(100).to_string()}]);
        let job = |ttl: Value, conditions: Value, deleted: Value| -> Job {
            serde_json::from_value(json!({
                "metadata": {"deletionTimestamp": deleted},
                "spec": {"ttlSecondsAfterFinished": ttl, "template": {}},
                "status": {"conditions": conditions},
            }))
            .unwrap()
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (job, want) in [
            (job(json!(10), ended("Complete"), json!(null)), seconds(5)),
            (job(json!(3), ended("Failed"), json!(null)), seconds(0)),
            (job(json!(0), ended("Complete"), json!(null)), seconds(0)),
            (job(json!(3), ended("Suspended"), json!(null)), None),
            (job(json!(null), ended("Complete"), json!(null)), None),
            (job(json!(3), ended("Complete"), json!(at(101).to_string())), None),
        ] {
            assert_eq!(left(&job, at(105)), want);
        }
    }
}

//! ReplicaSets: as many pods of one template as asked for. Other kinds that are the same under another name share all of it.

use std::{borrow::Cow, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time},
};
use kube::api::DeleteParams;
use mini_api::{condition, owner, pod};
use mini_daemon::{clock, events, events::Recorder};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    cache::{Cache, Change, Key, Object},
    controller::{Controller, Next, Setup},
    ownership, pods,
    writes::{Error, Result, Writes, encode},
};

/// Pods created or deleted in one run; then the status is written and the next run begins.
const BURST: usize = 500;

/// A kind that, to its controller, is a ReplicaSet under another name.
pub(crate) trait Replicated:
    Object + kube::Resource<DynamicType = ()> + k8s_openapi::Metadata<Ty = ObjectMeta> + Serialize + DeserializeOwned
{
    /// The name of its controller.
    const CONTROLLER: &'static str;
    /// Who speaks in its Events.
    const SOURCE: &'static str;

    /// Which pods are its own.
    fn selector(&self) -> Option<Cow<'_, LabelSelector>>;

    /// Itself as a ReplicaSet.
    fn replica_set(&self) -> Cow<'_, ReplicaSet>;

    /// Itself with another status.
    fn with_status(&self, status: ReplicaSetStatus) -> Self;
}

impl Replicated for ReplicaSet {
    const CONTROLLER: &'static str = "replicaset-controller";
    const SOURCE: &'static str = "replicaset-controller";

    fn selector(&self) -> Option<Cow<'_, LabelSelector>> {
        self.spec.as_ref().map(|spec| Cow::Borrowed(&spec.selector))
    }

    fn replica_set(&self) -> Cow<'_, ReplicaSet> {
        Cow::Borrowed(self)
    }

    fn with_status(&self, status: ReplicaSetStatus) -> Self {
        Self { status: Some(status), ..self.clone() }
    }
}

/// Makes the pods of ReplicaSets come and go.
pub(crate) type Reconciler = Replication<ReplicaSet>;

/// Makes pods come and go.
pub(crate) struct Replication<R> {
    sets: Arc<Cache<R>>,
    pods: Arc<Cache<Pod>>,
    recorder: Recorder,
}

impl<R: Replicated> Controller for Replication<R> {
    const NAME: &'static str = R::CONTROLLER;
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let sets = setup.watch(|change: &Change<R>| [change.key()]);
        let owners = sets.clone();
        let pods = setup.watch(move |change: &Change<Pod>| ownership::owners_by(change.sides(), &owners, R::selector));
        Self { sets, pods, recorder: setup.recorder(R::SOURCE) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(set) = self.sets.get(key) else { return Ok(Next::Changed) };
        let owned = ownership::children(&*set, set.selector().as_deref(), &self.pods, writes).await?;
        let plan = plan(&set.replica_set(), &owned, clock::now());
        let mut result = self.create(&set, plan.create, writes).await;
        if result.is_ok() {
            result = self.delete(&set, plan.delete, &owned, writes).await;
        }
        let status = with_failure(plan.status, plan.intent, &result, clock::now());
        writes.update_status(&*set, &set.with_status(status)).await?;
        match result {
            Err(error) if error.is_namespace_terminating() => Ok(Next::Changed),
            result => result.map(|()| Next::soonest(plan.next)),
        }
    }
}

impl<R: Replicated> Replication<R> {
    async fn create(&self, set: &R, count: usize, writes: &Writes) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (namespace, form) = (set.meta().namespace.as_deref().unwrap_or_default(), set.replica_set());
        let Some(template) = form.spec.as_ref().and_then(|spec| spec.template.as_ref()) else { return Ok(()) };
        // Encoded once: the pods of one template differ only in what the API server gives them.
        let body = encode(&pods::from_template(template, owner::controller_ref(set), namespace))?;
        let about = events::reference(set);
        let created = pods::in_growing_batches(count, |_| async {
            let pod = writes.create_encoded::<Pod>(namespace, body.clone()).await?;
            self.recorder.normal(&about, "SuccessfulCreate", format!("Created pod: {}", pod.name));
            Ok(())
        });
        created.await.inspect_err(|error: &Error| {
            if !error.is_namespace_terminating() {
                self.recorder.warning(&about, "FailedCreate", format!("Error creating: {}", error.message()));
            }
        })
    }

    async fn delete(&self, set: &R, count: usize, owned: &[Arc<Pod>], writes: &Writes) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let active: Vec<_> = owned.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
        let about = &events::reference(set);
        let ranked = pods::rank_for_deletion(active, &self.related(set, owned));
        let deletions = ranked.into_iter().take(count).map(|pod| async move {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let deleted = writes.delete(&*pod, DeleteParams::default()).await;
            match &deleted {
                Ok(()) => self.recorder.normal(about, "SuccessfulDelete", format!("Deleted pod: {name}")),
                Err(error) => self.recorder.warning(about, "FailedDelete", format!("Error deleting: {}", error.message())),
            }
            deleted
        });
        pods::together(deletions.collect()).await
    }

    /// The pods of all its like that have the same controller.
    fn related(&self, set: &R, owned: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
        let Some(controller) = owner::controller_of(set.meta()) else { return owned.to_vec() };
        let siblings = self.sets.controlled_by(&controller.uid);
        siblings.iter().filter_map(|set| set.meta().uid.as_deref()).flat_map(|uid| self.pods.controlled_by(uid)).collect()
    }
}

/// What is to be done for one ReplicaSet.
#[derive(Debug)]
struct Plan {
    create: usize,
    delete: usize,
    /// What is wanted, whether or not this run does all of it: decides how a failure is called.
    intent: Intent,
    /// As the pods are before any of this is done.
    status: ReplicaSetStatus,
    /// When a ready pod becomes available, if one will.
    next: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intent {
    Keep,
    Create,
    Delete,
}

/// Decides from the ReplicaSet and its own pods.
fn plan(rs: &ReplicaSet, owned: &[Arc<Pod>], now: Timestamp) -> Plan {
    let spec = rs.spec.clone().unwrap_or_default();
    let min_ready = spec.min_ready_seconds.unwrap_or(0);
    let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
    let labels = spec.template.and_then(|template| template.metadata).and_then(|meta| meta.labels).unwrap_or_default();
    let has_labels = |pod: &Pod| {
        let own = pod.metadata.labels.as_ref();
        labels.iter().all(|(name, value)| own.is_some_and(|own| own.get(name) == Some(value)))
    };

    let (mut active, mut labeled, mut ready, mut available, mut terminating) = (0, 0, 0, 0, 0);
    let mut next = None;
    for pod in owned {
        if !pods::is_active(pod) {
            terminating += i32::from(pod::is_terminating(pod) && !pod::is_terminal(pod));
            continue;
        }
        active += 1;
        labeled += i32::from(has_labels(pod));
        if !pod::is_ready(pod) {
            continue;
        }
        ready += 1;
        if pod::is_available(pod, min_ready, now) {
            available += 1;
        } else {
            let wait = available_in(pod, min_ready, now);
            next = Some(next.map_or(wait, |next: Duration| next.min(wait)));
        }
    }
    let have = usize::try_from(active).unwrap_or(0);
    let deleting = rs.metadata.deletion_timestamp.is_some();
    let intent = match have.cmp(&wanted) {
        _ if deleting => Intent::Keep,
        std::cmp::Ordering::Less => Intent::Create,
        std::cmp::Ordering::Equal => Intent::Keep,
        std::cmp::Ordering::Greater => Intent::Delete,
    };
    let count = |what| if intent == what { wanted.abs_diff(have).min(BURST) } else { 0 };
    let some = |number: i32| Some(number).filter(|number| *number != 0);
    let status = ReplicaSetStatus {
        replicas: active,
        fully_labeled_replicas: some(labeled),
        ready_replicas: some(ready),
        available_replicas: some(available),
        terminating_replicas: Some(terminating),
        observed_generation: rs.metadata.generation,
        conditions: rs.status.as_ref().and_then(|status| status.conditions.clone()),
    };
    Plan { create: count(Intent::Create), delete: count(Intent::Delete), intent, status, next }
}

/// How long until a ready pod has been ready for `min_ready` seconds.
fn available_in(pod: &Pod, min_ready: i32, now: Timestamp) -> Duration {
    let ready = pod.status.as_ref().and_then(|status| condition::pod(status, "Ready"));
    let since = ready.and_then(|ready| ready.last_transition_time.as_ref()).map_or(now, |time| time.0);
    let left = SignedDuration::from_secs(min_ready.into()) - now.duration_since(since);
    // A little later, so that the clock's grain does not cost a second look.
    Duration::try_from(left).unwrap_or_default() + Duration::from_millis(1)
}

/// The status with the condition ReplicaFailure as the outcome of the run has it.
fn with_failure(mut status: ReplicaSetStatus, intent: Intent, result: &Result<()>, now: Timestamp) -> ReplicaSetStatus {
    const REPLICA_FAILURE: &str = "ReplicaFailure";
    match result {
        Ok(()) => {
            condition::remove(&mut status.conditions, REPLICA_FAILURE);
            status.conditions = status.conditions.filter(|conditions| !conditions.is_empty());
        }
        // The one that is there stays: it says since when.
        Err(_) if condition::find(&status.conditions, REPLICA_FAILURE).is_some() => {}
        Err(error) => {
            let reason = if intent == Intent::Create { "FailedCreate" } else { "FailedDelete" };
            let failure = ReplicaSetCondition {
                type_: REPLICA_FAILURE.to_owned(),
                status: condition::TRUE.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(error.message()),
                last_transition_time: Some(Time(now)),
            };
            condition::set(&mut status.conditions, failure);
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::{
            apps::v1::ReplicaSetSpec,
            core::v1::{PodCondition, PodStatus, PodTemplateSpec},
        },
        apimachinery::pkg::apis::meta::v1::ObjectMeta,
    };

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn replica_set(replicas: i32, min_ready: i32) -> ReplicaSet {
        let labels = Some([("app".to_owned(), "web".to_owned())].into());
        let template = PodTemplateSpec { metadata: Some(ObjectMeta { labels, ..ObjectMeta::default() }), spec: None };
        ReplicaSet {
            metadata: ObjectMeta { name: Some("web".to_owned()), generation: Some(3), ..ObjectMeta::default() },
            spec: Some(ReplicaSetSpec {
                replicas: Some(replicas),
                min_ready_seconds: Some(min_ready),
                template: Some(template),
                ..ReplicaSetSpec::default()
            }),
            status: None,
        }
    }

    /// `state`: one letter a pod: p(ending), r(eady since second 100), u(nlabeled but ready), t(erminating), f(ailed).
    fn pods(states: &str) -> Vec<Arc<Pod>> {
        let make = |state: char| {
            let mut pod = crate::cache::tests::pod("x", 1, Some("rs"));
            pod.metadata.labels = (state != 'u').then(|| [("app".to_owned(), "web".to_owned())].into());
            pod.metadata.deletion_timestamp = (state == 't').then(|| Time(at(1)));
            let phase = match state {
                'f' => "Failed",
                'p' => "Pending",
                _ => "Running",
            };
            let ready = PodCondition {
                type_: "Ready".to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(Time(at(100))),
                ..PodCondition::default()
            };
            let conditions = matches!(state, 'r' | 'u').then(|| vec![ready]);
            pod.status = Some(PodStatus { phase: Some(phase.to_owned()), conditions, ..PodStatus::default() });
            Arc::new(pod)
        };
        states.chars().map(make).collect()
    }

    #[test]
    fn as_many_as_asked_for() {
        for (replicas, states, create, delete) in
            [(3, "", 3, 0), (3, "rpr", 0, 0), (3, "rrtf", 1, 0), (1, "rrp", 0, 2), (0, "rt", 0, 1), (2000, "", BURST, 0)]
        {
            let plan = plan(&replica_set(replicas, 0), &pods(states), at(200));
            assert_eq!((plan.create, plan.delete), (create, delete), "{replicas} of {states:?}");
        }
        let mut deleted = replica_set(3, 0);
        deleted.metadata.deletion_timestamp = Some(Time(at(1)));
        let plan = plan(&deleted, &pods("r"), at(200));
        assert_eq!((plan.create, plan.delete), (0, 0), "what is being deleted makes nothing new");
    }

    #[test]
    fn the_status_counts_what_is_there() {
        let plan = plan(&replica_set(5, 0), &pods("rrupt"), at(200));
        let expected = expect_test::expect![[
            r#"{"availableReplicas":3,"fullyLabeledReplicas":3,"observedGeneration":3,"readyReplicas":3,"replicas":4,"terminatingReplicas":1}"#
        ]];
        expected.assert_eq(&serde_json::to_string(&plan.status).unwrap());
    }

    #[test]
    fn a_pod_is_available_only_after_a_while() {
        let young = plan(&replica_set(1, 30), &pods("r"), at(110));
        assert_eq!((young.status.ready_replicas, young.status.available_replicas), (Some(1), None));
        assert_eq!(young.next, Some(Duration::from_millis(20_001)));
        let old = plan(&replica_set(1, 30), &pods("r"), at(130));
        assert_eq!((old.status.available_replicas, old.next), (Some(1), None));
    }

    #[test]
    fn a_failure_is_a_condition_until_it_is_over() {
        let broken = Err(Error::Waiting("exceeded quota".to_owned()));
        let status = with_failure(ReplicaSetStatus::default(), Intent::Create, &broken, at(1));
        let again = with_failure(status.clone(), Intent::Delete, &broken, at(9));
        assert_eq!(again, status);
        let condition = &status.conditions.as_ref().unwrap()[0];
        assert_eq!(condition.reason.as_deref(), Some("FailedCreate"));
        assert_eq!(condition.message.as_deref(), Some("exceeded quota"));
        assert_eq!(with_failure(status, Intent::Keep, &Ok(()), at(10)).conditions, None);
    }
}

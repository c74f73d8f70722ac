//! The hands of the scheduler: it stores bindings, many at a time, and tells pods that cannot be placed why, as an Event and as
//! their PodScheduled condition. Decides nothing; every outcome goes back as an input.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{self, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use mini_daemon::{clock, events::Recorder};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::{
    evict::Eviction,
    pod::{PodInfo, PodView},
    prebind,
    scheduler::Input,
    slots::{Slot, Slots},
};

/// How many pods are told at once why they wait.
const REPORTS_IN_FLIGHT: usize = 16;

/// What the hands hold.
#[derive(Clone)]
pub(crate) struct Hands {
    pub(crate) client: Client,
    pub(crate) recorder: Recorder,
    pub(crate) inputs: mpsc::Sender<Input>,
}

/// A pod, and the node it goes to.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    /// The pod.
    pub(crate) pod: Arc<PodInfo>,
    /// The node.
    pub(crate) node: Arc<str>,
    /// How long its volumes may take.
    pub(crate) bind_timeout: Duration,
}

/// A pod that waits.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The pod.
    pub(crate) pod: Arc<PodInfo>,
    /// Why it waits.
    pub(crate) message: String,
    /// Where room is being made for it.
    pub(crate) nominated: Option<Arc<str>>,
    /// What has to be done for that.
    pub(crate) eviction: Option<Eviction>,
}

impl Hands {
    /// Stores bindings, up to `in_flight` at once, until no more can come. Pods that wait for their volumes do not count: that may take long.
    pub(crate) async fn bind_all(self, jobs: mpsc::Receiver<Binding>, in_flight: usize) {
        let next = |(slots, mut jobs): (Slots, mpsc::Receiver<Binding>)| async move {
            let slot = slots.free().await;
            Some(((slot, jobs.recv().await?), (slots, jobs)))
        };
        let jobs = futures::stream::unfold((Slots::new(in_flight), jobs), next);
        jobs.for_each_concurrent(None, |(slot, binding)| self.bind(binding, slot)).await;
    }

    /// Tells pods why they wait, and makes room for those for whom that was decided, until no more can come.
    pub(crate) async fn report_all(self, jobs: mpsc::UnboundedReceiver<Report>) {
        let hands = &self;
        let report = |Report { pod, message, nominated, eviction }: Report| async move {
            hands.report(&pod, "Unschedulable", message, nominated.as_deref()).await;
            if let Some(eviction) = eviction {
                hands.evict(&pod, eviction).await;
            }
        };
        UnboundedReceiverStream::new(jobs).for_each_concurrent(REPORTS_IN_FLIGHT, report).await;
    }

    async fn bind(&self, Binding { pod, node, bind_timeout }: Binding, mut slot: Slot) {
        // The kubelet may speak before our answer is here; the story still begins with the choice of its node.
        let chosen = clock::now();
        if !pod.wants.claims.is_empty()
            && let Err(error) = prebind::bind_volumes(&self.client, &pod, &node, bind_timeout, &mut slot).await
        {
            tracing::debug!(%pod, %node, error = format!("{error:#}"), "the pod's volumes are not bound");
            let message = format!("running PreBind plugin \"VolumeBinding\": {error:#}");
            self.report(&pod, "SchedulerError", message, pod.nominated.as_deref()).await;
            return self.tell(Input::BindFailed(pod.uid.clone())).await;
        }
        let answer: Result<IgnoredAny, _> =
            self.pods(&pod).create_subresource("binding", &pod.name, &PostParams::default(), &binding(&pod, &node)).await;
        let outcome = match answer {
            Ok(_) => {
                tracing::info!(%pod, %node, "bound");
                self.recorder_of(&pod).normal_at(&pod.reference(), "Scheduled", format!("Successfully assigned {pod} to {node}"), chosen);
                Input::Bound(pod.uid.clone())
            }
            Err(error) => {
                self.bind_failed(&pod, &node, error).await;
                Input::BindFailed(pod.uid.clone())
            }
        };
        self.tell(outcome).await;
    }

    async fn bind_failed(&self, pod: &PodInfo, node: &str, error: kube::Error) {
        match error {
            // Deleted, or bound by someone else: the watch will say so, or has said so.
            kube::Error::Api(status) if matches!(status.code, 404 | 409) => {
                tracing::debug!(%pod, node, message = status.message, "the pod is not to be bound any more");
            }
            kube::Error::Api(status) => {
                tracing::warn!(%pod, node, message = status.message, "binding rejected");
                let message = format!("binding rejected: running Bind plugin \"DefaultBinder\": {}", status.message);
                self.report(pod, "SchedulerError", message, pod.nominated.as_deref()).await;
            }
            error => tracing::warn!(%pod, node, %error, "the API server cannot be asked to bind"),
        }
    }

    async fn report(&self, pod: &PodInfo, reason: &str, message: String, nominated: Option<&str>) {
        self.recorder_of(pod).warning(&pod.reference(), "FailedScheduling", message.as_str());
        let Some(patch) = status_patch(pod, reason, &message, nominated, clock::now()) else { return };
        match self.pods(pod).patch_status(&pod.name, &PatchParams::default(), &Patch::Strategic(patch)).await {
            Ok(_) => tracing::info!(%pod, reason, message, "unschedulable"),
            Err(kube::Error::Api(status)) if status.code == 409 => self.tell(Input::ReportOutdated(pod.uid.clone())).await,
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => tracing::warn!(%pod, %error, "cannot store why a pod waits"),
        }
    }

    /// Events about a pod come from its profile.
    pub(crate) fn recorder_of(&self, pod: &PodInfo) -> Recorder {
        self.recorder.of_component(&pod.scheduler)
    }

    pub(crate) fn pods(&self, pod: &PodInfo) -> Api<PodView> {
        Api::namespaced(self.client.clone(), &pod.namespace)
    }

    pub(crate) async fn tell(&self, outcome: Input) {
        // It fails only when the scheduler has ended, and then nobody needs to know.
        let _ = self.inputs.send(outcome).await;
    }
}

fn binding(pod: &PodInfo, node: &str) -> v1::Binding {
    v1::Binding {
        metadata: ObjectMeta {
            name: Some(pod.name.clone()),
            namespace: Some(pod.namespace.clone()),
            uid: Some(pod.uid.to_string()),
            ..ObjectMeta::default()
        },
        target: ObjectReference { kind: Some("Node".to_owned()), name: Some(node.to_owned()), ..ObjectReference::default() },
    }
}

/// The patch that gives a pod its condition and its nomination, unless it has them already. It applies only to the state of the pod that was judged:
/// otherwise it could arrive after a later binding and deny it.
fn status_patch(pod: &PodInfo, reason: &str, message: &str, nominated: Option<&str>, now: Timestamp) -> Option<Value> {
    let before = pod.condition.as_ref().filter(|condition| condition.status == "False");
    let nominated = (nominated != pod.nominated.as_deref()).then_some(nominated);
    if nominated.is_none() && before.is_some_and(|condition| condition.reason == reason && condition.message == message) {
        return None;
    }
    let mut condition = json!({"type": "PodScheduled", "status": "False", "reason": reason, "message": message});
    if before.is_none() {
        condition["lastTransitionTime"] = json!(Time(now));
    }
    if let Some(generation) = pod.generation {
        condition["observedGeneration"] = generation.into();
    }
    let mut status = json!({"conditions": [condition]});
    if let Some(nominated) = nominated {
        status["nominatedNodeName"] = json!(nominated);
    }
    Some(json!({"metadata": {"uid": &*pod.uid, "resourceVersion": pod.resource_version}, "status": status}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{framework::testing, pod::Condition};

    fn pod(condition: Option<Value>) -> PodInfo {
        let condition = condition.map(|condition| serde_json::from_value::<Condition>(condition).unwrap());
        PodInfo { resource_version: "7".into(), generation: Some(3), condition, ..testing::pod("a") }
    }

    #[test]
    fn a_condition_is_written_only_when_it_says_something_new() {
        let had =
            |status: &str, message: &str| json!({"type": "PodScheduled", "status": status, "reason": "Unschedulable", "message": message});
        for (before, patched, transition) in [
            (None, true, true),
            (Some(had("True", "m")), true, true),
            (Some(had("False", "other")), true, false),
            (Some(had("False", "m")), false, false),
        ] {
            let patch = status_patch(&pod(before.clone()), "Unschedulable", "m", None, Timestamp::UNIX_EPOCH);
            assert_eq!(patch.is_some(), patched, "{before:?}");
            let transitioned = patch.is_some_and(|patch| !patch["status"]["conditions"][0]["lastTransitionTime"].is_null());
            assert_eq!(transitioned, transition, "{before:?}");
        }
    }

    #[test]
    fn a_nomination_is_written_or_cleared_when_it_changes() {
        let condition = || Some(json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "m"}));
        for (before, now, want) in [
            (None, None, None),
            (None, Some("n"), Some(json!("n"))),
            (Some("n"), Some("n"), None),
            (Some("n"), Some("o"), Some(json!("o"))),
            (Some("n"), None, Some(json!(null))),
        ] {
            let pod = PodInfo { nominated: before.map(Into::into), ..pod(condition()) };
            let patch = status_patch(&pod, "Unschedulable", "m", now, Timestamp::UNIX_EPOCH);
            assert_eq!(patch.map(|patch| patch["status"]["nominatedNodeName"].clone()), want, "{before:?} {now:?}");
        }
    }

    #[test]
    fn the_patch_is_for_the_judged_state_only() {
        let patch = status_patch(&pod(None), "Unschedulable", "m", None, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(patch["metadata"], json!({"uid": "a", "resourceVersion": "7"}));
        assert_eq!(patch["status"]["conditions"][0]["observedGeneration"], 3);
        assert_eq!(patch["status"]["conditions"][0]["lastTransitionTime"], "1970-01-01T00:00:00Z");
    }
}

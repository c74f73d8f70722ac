//! The hands of preemption: they make pods leave a node for a more important one, and take back what less important ones were
//! promised there. They decide nothing; when it does not work out, that goes back as an input.

use std::sync::Arc;

use futures::{StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use mini_daemon::clock;
use serde_json::{Value, json};

use crate::{
    bind::Hands,
    pod::{DISRUPTION_TARGET, PREEMPTION_BY_SCHEDULER, PodInfo, PodView},
    preempt::Candidate,
    scheduler::Input,
};

/// How many pods are told to leave at once.
const IN_FLIGHT: usize = 16;

/// Room to be made for a pod.
#[derive(Clone, Debug)]
pub(crate) struct Eviction {
    /// Where, and who has to leave.
    pub(crate) candidate: Candidate,
    /// Less important pods that were nominated there and are not any more.
    pub(crate) outranked: Vec<Arc<PodInfo>>,
}

impl Hands {
    /// Makes room for a pod.
    pub(crate) async fn evict(&self, pod: &PodInfo, eviction: Eviction) {
        let Eviction { candidate, outranked } = eviction;
        for other in outranked {
            let patch = json!({"metadata": {"uid": &*other.uid}, "status": {"nominatedNodeName": null}});
            if let Err(error) = gone_is_fine(self.patch(&other, patch).await) {
                tracing::warn!(pod = %other, %error, "cannot take back a nomination");
            }
        }
        let Candidate { node, mut victims, .. } = candidate;
        victims.retain(|victim| !victim.terminating);
        let leave = victims.into_iter().map(|victim| self.evict_one(pod, victim, &node));
        let results: Vec<_> = stream::iter(leave).buffer_unordered(IN_FLIGHT).collect().await;
        if let Some(error) = results.into_iter().find_map(Result::err) {
            tracing::warn!(%pod, %node, %error, "not all victims of a preemption could be deleted");
            self.tell(Input::PreemptFailed(pod.uid.clone())).await;
        }
    }

    async fn evict_one(&self, pod: &PodInfo, victim: Arc<PodInfo>, node: &str) -> Result<(), kube::Error> {
        gone_is_fine(self.patch(&victim, disruption(pod, &victim)).await)?;
        let of_this_one = Preconditions { uid: Some(victim.uid.to_string()), resource_version: None };
        let params = DeleteParams { preconditions: Some(of_this_one), ..DeleteParams::default() };
        let pods: Api<PodView> = self.pods(&victim);
        gone_is_fine(pods.delete(&victim.name, &params).await.map(drop))?;
        tracing::info!(%pod, %victim, node, "preempted");
        let message = format!("Preempted by pod {} on node {node}", pod.uid);
        self.recorder_of(pod).normal(&victim.reference(), "Preempted", message);
        Ok(())
    }

    async fn patch(&self, pod: &PodInfo, patch: Value) -> Result<(), kube::Error> {
        self.pods(pod).patch_status(&pod.name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(drop)
    }
}

/// The condition that tells a victim why it has to leave.
fn disruption(pod: &PodInfo, victim: &PodInfo) -> Value {
    let mut condition = json!({
        "type": DISRUPTION_TARGET,
        "status": "True",
        "reason": PREEMPTION_BY_SCHEDULER,
        "message": format!("{}: preempting to accommodate a higher priority pod", pod.scheduler),
        "lastTransitionTime": Time(clock::now()),
    });
    if let Some(generation) = victim.generation {
        condition["observedGeneration"] = generation.into();
    }
    json!({"metadata": {"uid": &*victim.uid}, "status": {"conditions": [condition]}})
}

/// A pod that is gone, or whose name is another pod's by now, is as good as evicted.
fn gone_is_fine(answer: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match answer {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        answer => answer,
    }
}

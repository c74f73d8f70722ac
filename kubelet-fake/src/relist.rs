//! Doing what was decided, and looking at the result: the kubelet believes the runtime's list.
//!
//! Must not know: why something is done, pod status, the API server.

use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    pod::{Action, Outcome},
    runtime::{ContainerRuntime, Listing, RuntimeError, StartRequest},
};

/// Things to do for one pod, one after the other.
pub(crate) struct Job {
    /// The pod.
    pub(crate) pod: Arc<Pod>,
    /// Its UID.
    pub(crate) uid: Arc<str>,
    /// Its node.
    pub(crate) node: Arc<str>,
    /// What to do; nothing means only to look.
    pub(crate) actions: Vec<Action>,
    /// When cancelled, what is under way is given up.
    pub(crate) cancel: CancellationToken,
}

/// What became of a job.
pub(crate) struct Report {
    /// The pod's UID.
    pub(crate) uid: Arc<str>,
    /// Of the actions that have one.
    pub(crate) outcomes: Vec<Outcome>,
    /// The pod's containers afterwards.
    pub(crate) listing: Result<Listing, RuntimeError>,
}

/// Does a job and looks at the result.
pub(crate) async fn perform(runtime: Arc<dyn ContainerRuntime>, job: Job) -> Report {
    let mut outcomes = Vec::new();
    tokio::select! {
        biased;
        () = job.cancel.cancelled() => {}
        () = act(&*runtime, &job, &mut outcomes) => {}
    }
    let listing = runtime.list(&job.node, Some(&job.uid)).await;
    Report { uid: job.uid, outcomes, listing }
}

async fn act(runtime: &dyn ContainerRuntime, job: &Job, outcomes: &mut Vec<Outcome>) {
    // Containers stop side by side: each has the whole grace period.
    let stops = job.actions.iter().filter_map(|action| match action {
        Action::Stop { id, grace } => Some(runtime.stop(id, *grace)),
        _ => None,
    });
    for failed in join_all(stops).await.into_iter().filter_map(Result::err) {
        tracing::debug!(pod = %job.uid, error = %failed, "a container was not stopped");
    }
    for action in &job.actions {
        match action {
            Action::Stop { .. } | Action::Network => {}
            Action::Pull { container, image } => {
                let began = Instant::now();
                let result = runtime.pull(&job.node, image, &job.pod).await;
                outcomes.push(Outcome::Pulled { container: container.clone(), image: image.clone(), result, took: began.elapsed() });
            }
            Action::Start { container, attempt, image, after } => {
                let request = StartRequest {
                    node: job.node.clone(),
                    pod: job.pod.clone(),
                    container: container.clone(),
                    attempt: *attempt,
                    image: image.clone(),
                };
                let result = runtime.start(request).await.map(|_| ());
                outcomes.push(Outcome::Started { container: container.clone(), after: *after, result });
            }
            Action::Remove { id } => {
                if let Err(error) = runtime.remove(id).await {
                    tracing::debug!(pod = %job.uid, %error, "a container was not removed");
                }
            }
        }
    }
}

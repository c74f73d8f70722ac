//! Doing what was decided, and looking at the result: the kubelet believes the runtime's list.
//!
//! Must not know: why something is done, pod status.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    ask::Subject,
    hook,
    node::Facts,
    objects::Objects,
    pod::{Action, Outcome, Remark, Unstarted},
    resolve::{Context, Volumes},
    resting::PodCell,
    runtime::{ContainerRuntime, Image, Listing, Network, RuntimeError, StartRequest},
};

/// The least time a container has between SIGTERM and SIGKILL, whatever its hook left of it.
const LEAST: Duration = Duration::from_secs(2);

/// What everything is done with.
#[derive(Clone)]
pub(crate) struct Hands {
    /// What runs containers.
    pub(crate) runtime: Arc<dyn ContainerRuntime>,
    /// What pods refer to.
    pub(crate) objects: Arc<Objects>,
    /// What is to be said before a job is done, by the pod's UID.
    pub(crate) said: mpsc::UnboundedSender<(Arc<str>, Remark)>,
}

/// Things to do for one pod, one after the other.
pub(crate) struct Job {
    /// The pod.
    pub(crate) pod: Arc<Pod>,
    /// Where it is kept.
    pub(crate) cell: Arc<PodCell>,
    /// Its UID.
    pub(crate) uid: Arc<str>,
    /// Its node.
    pub(crate) facts: Arc<Facts>,
    /// Its network.
    pub(crate) network: Network,
    /// Its volumes, if it has any.
    pub(crate) volumes: Option<Arc<Volumes>>,
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
pub(crate) async fn perform(hands: Hands, job: Job) -> Report {
    let mut outcomes = Vec::new();
    tokio::select! {
        biased;
        () = job.cancel.cancelled() => {}
        () = act(&hands, &job, &mut outcomes) => {}
    }
    let listing = hands.runtime.list(&job.facts.name, Some(&job.uid)).await;
    Report { uid: job.uid, outcomes, listing }
}

async fn act(hands: &Hands, job: &Job, outcomes: &mut Vec<Outcome>) {
    stop_all(hands, job).await;
    for action in &job.actions {
        match action {
            Action::Stop { .. } | Action::Network => {}
            Action::Mount => {
                let missing = match &job.volumes {
                    Some(volumes) => volumes.missing().await,
                    None => Vec::new(),
                };
                outcomes.push(Outcome::Mounted(missing));
            }
            Action::Pull { container, image } => {
                let began = Instant::now();
                let result = hands.runtime.pull(&job.facts.name, image, &job.pod).await;
                outcomes.push(Outcome::Pulled { container: container.clone(), image: image.clone(), result, took: began.elapsed() });
            }
            Action::Start { container, attempt, image, after, hook } => {
                let result = start(hands, job, container, *attempt, image).await;
                outcomes.push(Outcome::Started { container: container.clone(), after: *after, hook: *hook, result });
            }
            Action::PostStart { container, id } => {
                let subject = Subject::of(&hands.runtime, &job.pod, job.network.ip, container, id);
                let handler = subject.as_ref().and_then(|subject| subject.container.lifecycle.as_ref()?.post_start.as_ref());
                let result = match subject.as_ref().zip(handler) {
                    Some((subject, handler)) => hook::run(subject, handler).await,
                    None => Ok(()),
                };
                outcomes.push(Outcome::Hooked { container: container.clone(), id: id.clone(), result });
            }
            Action::Remove { id } => {
                if let Err(error) = hands.runtime.remove(id).await {
                    tracing::debug!(pod = %job.uid, %error, "a container was not removed");
                }
            }
        }
    }
}

async fn start(hands: &Hands, job: &Job, container: &str, attempt: u32, image: &Image) -> Result<Arc<str>, Unstarted> {
    let mut request = StartRequest::bare(job.facts.name.clone(), job.pod.clone(), container.to_owned(), attempt, image.clone());
    request.cell = job.cell.clone();
    let (facts, network, objects) = (job.facts.clone(), job.network.clone(), hands.objects.clone());
    let context = Context { pod: job.pod.clone(), facts, network, objects };
    context.complete(&mut request, job.volumes.as_ref()).await.map_err(Unstarted::Config)?;
    hands.runtime.start(request).await.map_err(Unstarted::Runtime)
}

/// Stops containers side by side: each has the whole grace period. SIGTERM comes to each in its turn.
async fn stop_all(hands: &Hands, job: &Job) {
    let stops = job.actions.iter().filter_map(|action| match action {
        Action::Stop { container, id, grace, turn } => Some((container.as_str(), id, *grace, *turn, CancellationToken::new())),
        _ => None,
    });
    let stops: Vec<_> = stops.collect();
    let work = stops.iter().map(async |(container, id, grace, turn, ended)| {
        let before = stops.iter().filter(|(.., other, _)| other < turn).map(|(.., ended)| ended);
        let before: Vec<_> = before.collect();
        if let Err(error) = stop(hands, job, container, id, *grace, &before).await {
            tracing::debug!(pod = %job.uid, %error, "a container was not stopped");
        }
        ended.cancel();
    });
    join_all(work).await;
}

async fn stop(
    hands: &Hands,
    job: &Job,
    container: &str,
    id: &Arc<str>,
    grace: Duration,
    before: &[&CancellationToken],
) -> Result<(), RuntimeError> {
    let began = Instant::now();
    // Only whole seconds count.
    let left = || grace.saturating_sub(Duration::from_secs(began.elapsed().as_secs()));
    let subject = Subject::of(&hands.runtime, &job.pod, job.network.ip, container, id);
    let handler = subject.as_ref().and_then(|subject| subject.container.lifecycle.as_ref()?.pre_stop.as_ref());
    if let Some((subject, handler)) = subject.as_ref().zip(handler).filter(|_| !grace.is_zero())
        && let Ok(Err(why)) = timeout(grace, hook::run(subject, handler)).await
    {
        tracing::debug!(pod = %job.uid, container, why, "a hook failed");
        // The words of a process that is ending are not missed.
        let _ = hands.said.send((job.uid.clone(), Remark::pre_stop_failed(container)));
    }
    let _ = timeout(left(), join_all(before.iter().map(|ended| ended.cancelled()))).await;
    hands.runtime.stop(id, left().max(LEAST)).await
}

//! HorizontalPodAutoscalers: as many pods as it takes for what they use to come to a target. Whatever has a `scale` can be scaled.
//!
//! Each is looked at once in a sync period, from a period after it was first seen: that is how upstream paces them, and what a
//! change means is measured only then.

mod limits;
mod metric;
mod plan;
mod replicas;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use k8s_openapi::api::{
    autoscaling::{v1::Scale, v2::HorizontalPodAutoscaler},
    core::v1::Pod,
};
use kube::{
    Client, Resource,
    api::{ApiResource, DynamicObject, ObjectList},
    discovery,
};
use mini_api::selector::Selector;
use mini_daemon::{clock, events, events::Recorder};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

use self::{
    limits::History,
    metric::{PodMetrics, Usage, is_usage},
    plan::{Plan, Settings, Sight, Target, is_measured, plan, scaled, without_target},
    replicas::Patience,
};
use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    writes::{Result, Writes},
};

/// Scales.
pub(crate) struct Reconciler {
    autoscalers: Arc<Cache<HorizontalPodAutoscaler>>,
    pods: Arc<Cache<Pod>>,
    client: Client,
    recorder: Recorder,
    period: Duration,
    settings: Settings,
    memory: Mutex<HashMap<Key, Memory>>,
}

/// What is remembered of one.
#[derive(Clone)]
struct Memory {
    uid: Option<String>,
    /// When it is looked at next.
    due: Instant,
    history: History,
    /// What it selected when it was looked at last.
    selector: Option<Selector>,
}

/// What is scaled.
struct Found {
    resource: ApiResource,
    scale: Scale,
}

impl Controller for Reconciler {
    const NAME: &'static str = "horizontal-pod-autoscaler-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let config = setup.config().autoscaling.clone();
        let signed = |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let patience = Patience {
            initialization: signed(config.horizontal_pod_autoscaler_cpu_initialization_period),
            readiness: signed(config.horizontal_pod_autoscaler_initial_readiness_delay),
        };
        let window = signed(config.horizontal_pod_autoscaler_downscale_stabilization);
        Self {
            autoscalers: setup.watch(|change: &Change<HorizontalPodAutoscaler>| [change.key()]),
            pods: setup.read(),
            client: setup.client(),
            recorder: setup.recorder("horizontal-pod-autoscaler"),
            period: config.horizontal_pod_autoscaler_sync_period,
            settings: Settings { tolerance: config.horizontal_pod_autoscaler_tolerance, patience, window },
            memory: Mutex::default(),
        }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(autoscaler) = self.autoscalers.get(key) else {
            self.memory.lock().remove(key);
            return Ok(Next::Changed);
        };
        let wait = self.wait(key, autoscaler.metadata.uid.as_ref());
        if !wait.is_zero() {
            return Ok(Next::After(wait));
        }
        self.sync(key, &autoscaler, writes).await?;
        Ok(Next::After(self.period))
    }
}

impl Reconciler {
    /// How long until it is to be looked at; if that is now, when the next time is begins to count.
    fn wait(&self, key: &Key, uid: Option<&String>) -> Duration {
        let (now, mut memory) = (Instant::now(), self.memory.lock());
        let fresh = || Memory { uid: uid.cloned(), due: now + self.period, history: History::default(), selector: None };
        let known = match memory.entry(key.clone()) {
            Entry::Occupied(known) if known.get().uid.as_ref() == uid => known.into_mut(),
            Entry::Occupied(mut other) => {
                other.insert(fresh());
                other.into_mut()
            }
            Entry::Vacant(place) => place.insert(fresh()),
        };
        let wait = known.due.saturating_duration_since(now);
        if wait.is_zero() {
            known.due = now + self.period;
        }
        wait
    }

    async fn sync(&self, key: &Key, autoscaler: &HorizontalPodAutoscaler, writes: &Writes) -> Result<()> {
        let about = events::reference(autoscaler);
        let update = |status| {
            let new = HorizontalPodAutoscaler { status: Some(status), ..autoscaler.clone() };
            async move { writes.update_status(autoscaler, &new).await }
        };
        let found = match self.find(key, autoscaler, writes).await {
            Ok(found) => found,
            Err(why) => {
                self.recorder.warning(&about, "FailedGetScale", why.clone());
                return update(without_target(autoscaler, &why, clock::now())).await;
            }
        };
        let plan = self.decide(key, autoscaler, &found, writes).await;
        for (reason, message) in plan.warnings {
            self.recorder.warning(&about, reason, message);
        }
        let Some((to, why)) = plan.scale else { return update(plan.status).await };
        let patch = json!({ "spec": { "replicas": to } });
        let result = writes.patch(&found.resource, &found.scale.metadata, Some("scale"), patch).await.map_err(|error| error.message());
        match &result {
            Ok(()) => {
                self.recorder.normal(&about, "SuccessfulRescale", format!("New size: {to}; reason: {why}"));
                let behavior = autoscaler.spec.behavior.as_ref();
                if let Some(memory) = self.memory.lock().get_mut(key) {
                    memory.history.changed(replicas(&found.scale), to, behavior, clock::now());
                }
            }
            Err(error) => self.recorder.warning(&about, "FailedRescale", format!("New size: {to}; reason: {why}; error: {error}")),
        }
        update(scaled(autoscaler, plan.status, to, &result, clock::now())).await
    }

    /// What is to be scaled, as it is now; or why that is not known.
    async fn find(&self, key: &Key, autoscaler: &HorizontalPodAutoscaler, writes: &Writes) -> Result<Found, String> {
        let target = &autoscaler.spec.scale_target_ref;
        let api_version = target.api_version.as_deref().unwrap_or_default();
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let unknown = || format!("no matches for kind {:?} in group {group:?}", target.kind);
        let kinds = discovery::group(&self.client, group).await.map_err(|_| unknown())?;
        let (resource, _) = kinds.recommended_kind(&target.kind).ok_or_else(unknown)?;
        let url = DynamicObject::url_path(&resource, Some(&key.namespace));
        let scale = writes.read::<Scale>(&format!("{url}/{}/scale", target.name)).await.map_err(|error| error.message())?;
        Ok(Found { resource, scale })
    }

    async fn decide(&self, key: &Key, autoscaler: &HorizontalPodAutoscaler, found: &Found, writes: &Writes) -> Plan {
        let current = replicas(&found.scale);
        let text = found.scale.status.as_ref().and_then(|status| status.selector.as_deref()).unwrap_or_default();
        let selector = Selector::parse(text);
        let mut pods = self.pods.in_namespace(&key.namespace);
        pods.retain(|pod| selector.as_ref().is_ok_and(|selector| selector.matches_labels(pod.metadata.labels.as_ref())));
        let measured = is_measured(autoscaler, current);
        let rivals = if measured { self.rivals(key, selector.as_ref().ok(), &pods) } else { Vec::new() };
        let asks = measured && rivals.len() < 2 && autoscaler.spec.metrics.iter().flatten().any(is_usage);
        let usage = if asks { usage(&key.namespace, text, writes).await } else { Ok(Vec::new()) };
        let sight =
            Sight { pods: selector.as_ref().map(|_| pods.as_slice()).map_err(ToString::to_string), usage: &usage, rivals: &rivals };
        let mut history = self.memory.lock().get(key).map(|memory| memory.history.clone()).unwrap_or_default();
        let plan = plan(autoscaler, &Target { replicas: current, selector: text }, &sight, &self.settings, &mut history, clock::now());
        if let Some(memory) = self.memory.lock().get_mut(key) {
            memory.history = history;
        }
        plan
    }

    /// The autoscalers that select one of `pods`, as far as they have said what they select.
    fn rivals(&self, key: &Key, selector: Option<&Selector>, pods: &[Arc<Pod>]) -> Vec<String> {
        let mut memory = self.memory.lock();
        if let Some(own) = memory.get_mut(key) {
            own.selector = selector.cloned();
        }
        let selects = |selector: &Selector| pods.iter().any(|pod| selector.matches_labels(pod.metadata.labels.as_ref()));
        let rivals = memory.iter().filter(|(other, memory)| {
            other.namespace == key.namespace && memory.selector.as_ref().is_some_and(selects)
        });
        let mut rivals: Vec<_> = rivals.map(|(other, _)| other.to_string()).collect();
        rivals.sort();
        rivals
    }
}

fn replicas(scale: &Scale) -> i32 {
    scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0)
}

/// What the selected pods use.
async fn usage(namespace: &str, selector: &str, writes: &Writes) -> Usage {
    const RESOURCE: &str = "pods.metrics.k8s.io";
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("labelSelector", selector).finish();
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods?{query}");
    let list = writes.read::<ObjectList<PodMetrics>>(&path).await.map_err(|error| {
        // As upstream's client reads an answer that is no Status.
        let why = match error {
            error if error.is_not_found() => format!("the server could not find the requested resource (get {RESOURCE})"),
            error if error.is_unavailable() => format!("the server is currently unable to handle the request (get {RESOURCE})"),
            error => error.message(),
        };
        format!("unable to fetch metrics from resource metrics API: {why}")
    })?;
    if list.items.is_empty() { Err("no metrics returned from resource metrics API".to_owned()) } else { Ok(list.items) }
}

//! Registering nodes, and saying that they live: Leases every 10 s, status every 5 min or when somebody doubts it.
//!
//! Must not know: pods.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream, stream::FuturesUnordered};
use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::Node},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource as _,
    api::{Patch, PatchParams, PostParams},
    core::{PartialObjectMeta, Request},
};
use mini_daemon::{
    clock,
    write::{self, AT_ONCE},
};
use serde_json::json;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::node::{self, Facts};

/// How often a Lease is renewed.
const PERIOD: Duration = Duration::from_secs(10);
/// After how many renewals the status is refreshed: 5 minutes.
const REFRESH: usize = 30;
/// At how many moments of a period heartbeats are sent at most. Beyond that those of several nodes go together: what a request costs
/// is mostly that it wakes everybody up.
const MOST_STROKES: usize = 50;
/// The first pause after a failure, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The namespace of the Leases.
const NAMESPACE: &str = "kube-node-lease";

/// Something to do about one node, out of turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Its object was deleted: make it anew.
    Register(Arc<str>),
    /// Its object says that it is not ready: say that it is.
    Refresh(Arc<str>),
}

/// Registers all nodes and returns their objects. A server that does not answer is waited for.
///
/// # Errors
/// The first request that was refused.
pub(crate) async fn register_all(client: &Client, nodes: &[Arc<Facts>], mut known: HashMap<String, Node>) -> Result<Vec<Node>> {
    let work = nodes.iter().map(|facts| (client.clone(), facts.clone(), known.remove(&*facts.name))).collect::<Vec<_>>();
    let registered = stream::iter(work).map(|(client, facts, known)| async move {
        let register = || register(&client, &facts, known.as_ref());
        patiently(register).await.with_context(|| format!("register node {}", facts.name))
    });
    registered.buffered(AT_ONCE).try_collect().await
}

/// Repeats a request until it succeeds or is refused.
///
/// # Errors
/// The refusal.
pub(crate) async fn patiently<T, F: Future<Output = kube::Result<T>>>(request: impl Fn() -> F) -> kube::Result<T> {
    let mut pause = FIRST_PAUSE;
    loop {
        match request().await {
            Err(kube::Error::Api(status)) if (400..500).contains(&status.code) && !matches!(status.code, 404 | 409 | 429) => {
                return Err(kube::Error::Api(status));
            }
            Err(error) => tracing::warn!(%error, "the API server does not answer; it is asked again"),
            done => return done,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Creates the Node, or brings the one that is there up to date, and its Lease.
async fn register(client: &Client, facts: &Facts, known: Option<&Node>) -> kube::Result<Node> {
    let api = Api::<Node>::all(client.clone());
    let object = node::object(facts, clock::now());
    let node = match known {
        Some(known) => adopt(&api, facts, &object, known).await?,
        None => match api.create(&PostParams::default(), &object).await {
            Ok(created) => created,
            Err(kube::Error::Api(status)) if status.code == 409 => {
                let known = api.get(&facts.name).await?;
                adopt(&api, facts, &object, &known).await?
            }
            Err(error) => return Err(error),
        },
    };
    let node = if node.status.as_ref().is_some_and(|status| status.conditions.is_some()) {
        node
    } else {
        // A server may take the status only at its own door.
        api.patch_status(&facts.name, &PatchParams::default(), &Patch::Strategic(json!({ "status": object.status }))).await?
    };
    tracing::info!(node = %facts.name, pod_cidr = %facts.pod_cidr, "node registered");
    if let Err(error) = take_lease(client, &facts.name, node.metadata.uid.as_deref().unwrap_or_default()).await {
        tracing::warn!(node = %facts.name, %error, "the node's Lease is not there yet");
    }
    Ok(node)
}

/// Updates the labels, annotations, range and status of an existing Node.
async fn adopt(api: &Api<Node>, facts: &Facts, object: &Node, known: &Node) -> kube::Result<Node> {
    let mut patch = json!({ "metadata": { "labels": object.metadata.labels, "annotations": object.metadata.annotations } });
    if known.spec.as_ref().is_none_or(|spec| spec.pod_cidr.is_none()) {
        patch["spec"] = json!({ "podCIDR": facts.pod_cidr, "podCIDRs": [facts.pod_cidr] });
    }
    api.patch(&facts.name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
    let status = node::status(facts, Some(known), clock::now());
    api.patch_status(&facts.name, &PatchParams::default(), &Patch::Strategic(json!({ "status": status }))).await
}

/// Makes the Lease of a node, whose UID is `uid`, or renews the one that is there.
async fn take_lease(client: &Client, name: &str, uid: &str) -> kube::Result<()> {
    let api = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    match api.create(&PostParams::default(), &node::lease(name, uid, clock::now())).await {
        Err(kube::Error::Api(status)) if status.code == 409 => renew(client, name).await,
        made => made.map(|_| ()),
    }
}

/// Renews the Lease of a node; makes it anew if somebody deleted it.
async fn renew(client: &Client, name: &str) -> kube::Result<()> {
    let leases = Request::new(Lease::url_path(&(), Some(NAMESPACE)));
    let patch = json!({ "spec": { "renewTime": MicroTime(clock::now()) } });
    match write::send(client, leases.patch(name, &PatchParams::default(), &Patch::Merge(patch))).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let node = Api::<PartialObjectMeta<Node>>::all(client.clone()).get(name).await?;
            let lease = node::lease(name, node.metadata.uid.as_deref().unwrap_or_default(), clock::now());
            Api::<Lease>::namespaced(client.clone(), NAMESPACE).create(&PostParams::default(), &lease).await.map(|_| ())
        }
        renewed => renewed.map(|_| ()),
    }
}

/// Says that the node is ready, with the true times of its conditions.
async fn refresh(client: &Client, facts: &Facts) -> kube::Result<()> {
    let api = Api::<Node>::all(client.clone());
    let known = api.get(&facts.name).await?;
    let status = node::status(facts, Some(&known), clock::now());
    let patch = Patch::Strategic(json!({ "status": status }));
    Api::<PartialObjectMeta<Node>>::all(client.clone()).patch_status(&facts.name, &PatchParams::default(), &patch).await.map(|_| ())
}

/// Keeps all nodes alive, their heartbeats spread evenly over the period, and follows orders.
///
/// # Errors
/// Never: what fails is tried again at the node's next turn.
pub(crate) async fn keep(
    client: Client,
    nodes: Vec<Arc<Facts>>,
    mut orders: mpsc::Receiver<Order>,
    token: CancellationToken,
) -> Result<()> {
    let by_name: HashMap<_, _> = nodes.iter().map(|facts| (facts.name.clone(), facts.clone())).collect();
    let strokes = nodes.len().clamp(1, MOST_STROKES);
    let mut turns = tokio::time::interval(PERIOD / u32::try_from(strokes).unwrap_or(u32::MAX));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut flying, mut waiting) = (FuturesUnordered::new(), VecDeque::new());
    let mut stroke = 0;
    loop {
        while flying.len() < AT_ONCE
            && let Some((facts, order)) = waiting.pop_front()
        {
            flying.push(beat(client.clone(), facts, order));
        }
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            Some(()) = flying.next(), if !flying.is_empty() => {}
            Some(order) = orders.recv() => {
                let (Order::Register(name) | Order::Refresh(name)) = &order;
                waiting.extend(by_name.get(name).cloned().map(|facts| (facts, Some(order))));
            }
            _ = turns.tick(), if waiting.is_empty() => {
                let (round, place) = (stroke / strokes, stroke % strokes);
                stroke += 1;
                let (first, end) = (place * nodes.len() / strokes, (place + 1) * nodes.len() / strokes);
                for (index, facts) in (first..).zip(nodes.get(first..end).into_iter().flatten()) {
                    // The first statuses were just sent; later ones come node after node.
                    let due = round > 0 && (round + index).is_multiple_of(REFRESH);
                    let order = due.then(|| Order::Refresh(facts.name.clone()));
                    waiting.push_back((facts.clone(), order));
                }
            }
        }
    }
}

async fn beat(client: Client, facts: Arc<Facts>, order: Option<Order>) {
    let done = match order {
        Some(Order::Register(_)) => register(&client, &facts, None).await.map(|_| ()),
        Some(Order::Refresh(_)) => refresh(&client, &facts).await,
        None => Ok(()),
    };
    let done = match done {
        Ok(()) => match renew(&client, &facts.name).await {
            // Neither Lease nor Node: the object was lost, whatever the watch says.
            Err(kube::Error::Api(status)) if status.code == 404 => register(&client, &facts, None).await.map(|_| ()),
            renewed => renewed,
        },
        failed => failed,
    };
    if let Err(error) = done {
        tracing::warn!(node = %facts.name, %error, "no heartbeat this time");
    }
}

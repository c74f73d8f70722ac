//! What has to be done about a pod's claims before it is bound: those that waited for a node get their volume. Upstream's PreBind
//! of VolumeBinding.
//!
//! Everything is read from the API server again, and written only if nobody wrote in between: two pods that were promised the same
//! volume cannot both get it, and the loser is scheduled once more.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail};
use k8s_openapi::api::{
    core::v1::{Node, PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use mini_api::{
    node_selector::Subject,
    volume::{self, BOUND_BY_CONTROLLER, SELECTED_NODE, annotation},
};
use mini_daemon::events;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    pod::PodInfo,
    slots::Slot,
    storage::{Provision, Stored, provisions},
};

/// How often claims are looked at meanwhile, at first and at last.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Sees to it that all claims of a pod are bound, which may take so long. While others work on that, it takes no `slot`.
///
/// # Errors
/// Why they are not.
pub(crate) async fn bind_volumes(client: &Client, pod: &PodInfo, node: &str, patience: Duration, slot: &mut Slot) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &pod.namespace);
    let mut left = unbound(&claims, pod).await?;
    if left.is_empty() {
        return Ok(());
    }
    assign(client, &claims, left, node).await?;
    let (deadline, mut pause) = (Instant::now() + patience, FIRST_LOOK);
    loop {
        slot.rest(pause).await;
        left = unbound(&claims, pod).await?;
        if left.is_empty() {
            return Ok(());
        }
        // A provisioner that cannot serve the node takes the choice back.
        let elsewhere = |claim: &PersistentVolumeClaim| annotation(&claim.metadata, SELECTED_NODE).is_some_and(|selected| selected != node);
        if left.iter().any(elsewhere) {
            bail!("binding volumes: the node of a claim has changed");
        }
        if Instant::now() > deadline {
            bail!("binding volumes: context deadline exceeded");
        }
        pause = (pause * 2).min(LAST_LOOK);
    }
}

/// The claims of a pod that are not bound yet.
async fn unbound(claims: &Api<PersistentVolumeClaim>, pod: &PodInfo) -> kube::Result<Vec<PersistentVolumeClaim>> {
    let mut unbound = Vec::new();
    for claim in &pod.wants.claims {
        let claim = claims.get(&claim.name).await?;
        if !volume::is_fully_bound(&claim) {
            unbound.push(claim);
        }
    }
    Ok(unbound)
}

/// Says of each claim what it gets at this node: a volume that is there, or that one is to be made.
async fn assign(client: &Client, claims: &Api<PersistentVolumeClaim>, mut unbound: Vec<PersistentVolumeClaim>, node: &str) -> Result<()> {
    let (volumes, classes) = (Api::<PersistentVolume>::all(client.clone()), Api::<StorageClass>::all(client.clone()));
    unbound.sort_by_key(volume::requested);
    let mut of_claims = Vec::with_capacity(unbound.len());
    for claim in &unbound {
        of_claims.push(classes.get(volume::claim_class(claim)).await?);
    }
    let waiting: Vec<_> = unbound.iter().zip(&of_claims).collect();
    let all: Vec<_> = volumes.list(&ListParams::default()).await?.items.into_iter().map(Stored).collect();
    let labels: BTreeMap<_, _> = Api::<Node>::all(client.clone()).get(node).await?.metadata.labels.unwrap_or_default();
    let Some(chosen) = provisions(&waiting, &all, Subject { name: node, labels: &labels }) else {
        bail!("binding volumes: another pod was faster");
    };
    for (claim, provision) in unbound.iter().zip(chosen) {
        match provision {
            Provision::Take(volume) if volume::is_bound_to(volume, claim) => {}
            Provision::Take(volume) => {
                let meta = json!({"resourceVersion": volume.metadata.resource_version, "annotations": {BOUND_BY_CONTROLLER: "yes"}});
                let patch = json!({"metadata": meta, "spec": {"claimRef": events::reference(claim)}});
                let name = volume.metadata.name.as_deref().unwrap_or_default();
                volumes.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
            }
            Provision::Make => {
                let meta = json!({"resourceVersion": claim.metadata.resource_version, "annotations": {SELECTED_NODE: node}});
                let name = claim.metadata.name.as_deref().unwrap_or_default();
                claims.patch(name, &PatchParams::default(), &Patch::Merge(json!({"metadata": meta}))).await?;
            }
        }
    }
    Ok(())
}

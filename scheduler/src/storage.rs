//! What scheduling knows of storage: claims, volumes and classes; and which of a pod's claims have a volume, which get one only when
//! the pod has a node, and what is in the way. The plugins about volumes look at it, and the hands when a pod is bound.

mod disks;
mod limits;
mod room;

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use kube::{Resource, ResourceExt};
use mini_api::{
    node_selector::{Subject, any_matches},
    owner,
    volume::{self, SELECTED_NODE, Seeker, annotation},
};
use serde::Deserialize;

use self::disks::{BlockStoreView, IscsiView, PersistentDiskView, RbdView};
pub use self::{
    disks::Disk,
    limits::{LimitsInfo, LimitsView},
    room::{DriverInfo, DriverView, RoomInfo, RoomView},
};
use crate::{
    cluster::{Key, Keyed, Mirror},
    framework::Case,
};

/// A claim, a volume or a class, without what nobody here reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<K>(pub K);

impl<K: Resource> From<K> for Stored<K> {
    fn from(mut object: K) -> Self {
        object.meta_mut().managed_fields = None;
        Self(object)
    }
}

impl<K: Resource> Keyed for Stored<K> {
    fn key(&self) -> Key {
        (self.0.namespace().unwrap_or_default(), self.0.name_any())
    }
}

impl<K> AsRef<K> for Stored<K> {
    fn as_ref(&self) -> &K {
        &self.0
    }
}

/// All that is known of storage.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// The claims.
    pub claims: Mirror<Stored<PersistentVolumeClaim>>,
    /// The volumes.
    pub volumes: Mirror<Stored<PersistentVolume>>,
    /// The classes.
    pub classes: Mirror<Stored<StorageClass>>,
    /// How many volumes of each driver a node takes: the CSINodes.
    pub limits: Mirror<LimitsInfo>,
    /// What drivers say of themselves: the CSIDrivers.
    pub drivers: Mirror<DriverInfo>,
    /// How much room for volumes there is where: the CSIStorageCapacities.
    pub rooms: Mirror<RoomInfo>,
}

impl Storage {
    /// Whether all copies were complete at least once.
    #[must_use]
    pub fn synced(&self) -> bool {
        let bound = self.claims.synced() && self.volumes.synced() && self.classes.synced();
        bound && self.limits.synced() && self.drivers.synced() && self.rooms.synced()
    }

    /// Makes all copies complete, as they are.
    #[cfg(test)]
    pub(crate) fn complete(&mut self) {
        use kube::runtime::watcher::Event::InitDone;
        self.claims.apply(InitDone);
        self.volumes.apply(InitDone);
        self.classes.apply(InitDone);
        self.limits.apply(InitDone);
        self.drivers.apply(InitDone);
        self.rooms.apply(InitDone);
    }

    /// The class of a claim, if it has one and that is there.
    pub(crate) fn class(&self, claim: &PersistentVolumeClaim) -> Option<&StorageClass> {
        self.classes.get("", volume::claim_class(claim)).map(|class| &class.0)
    }
}

/// A volume of a pod, as far as it is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VolumeView {
    name: String,
    persistent_volume_claim: Option<SourceView>,
    ephemeral: Option<serde::de::IgnoredAny>,
    gce_persistent_disk: Option<PersistentDiskView>,
    aws_elastic_block_store: Option<BlockStoreView>,
    iscsi: Option<IscsiView>,
    rbd: Option<RbdView>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceView {
    claim_name: String,
}

/// A claim that a volume of a pod names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodClaim {
    /// The claim's name.
    pub name: String,
    /// It is made for the pod and goes with it.
    pub ephemeral: bool,
}

/// The claims the volumes of the pod of this name refer to, and the disks they name themselves.
pub(crate) fn volumes_of(pod: &str, volumes: Option<Vec<VolumeView>>) -> (Vec<PodClaim>, Box<[Disk]>) {
    let (mut claims, mut disks) = (Vec::new(), Vec::new());
    for volume in volumes.unwrap_or_default() {
        match (volume.persistent_volume_claim, volume.ephemeral) {
            (Some(source), _) => claims.push(PodClaim { name: source.claim_name, ephemeral: false }),
            (None, Some(_)) => claims.push(PodClaim { name: format!("{pod}-{}", volume.name), ephemeral: true }),
            (None, None) => {}
        }
        disks.extend(volume.gce_persistent_disk.map(Disk::from));
        disks.extend(volume.aws_elastic_block_store.map(Disk::from));
        disks.extend(volume.iscsi.map(Disk::from));
        disks.extend(volume.rbd.map(Disk::from));
    }
    (claims, disks.into())
}

/// The claims of a pod that can be scheduled, as far as volumes are concerned.
#[derive(Debug, Default)]
pub(crate) struct Claims<'c> {
    /// Those that have their volume.
    pub(crate) bound: Vec<&'c PersistentVolumeClaim>,
    /// Those that get one when the pod has a node, the smallest first.
    pub(crate) waiting: Vec<(&'c PersistentVolumeClaim, &'c StorageClass)>,
}

impl<'c> Claims<'c> {
    /// Looks up the claims of a pod.
    ///
    /// # Errors
    /// Why no node can have the pod, in upstream's words.
    pub(crate) fn of(case: Case<'c>) -> Result<Self, String> {
        let (pod, storage) = (case.pod, &case.cluster.storage);
        let mut all = Vec::with_capacity(pod.wants.claims.len());
        for PodClaim { name, ephemeral } in &pod.wants.claims {
            let Some(claim) = storage.claims.get(&pod.namespace, name) else {
                return Err(match ephemeral {
                    true => format!("waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}"),
                    false => format!("persistentvolumeclaim {name:?} not found"),
                });
            };
            let claim = &claim.0;
            if claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Lost") {
                let volume = volume::volume_name(claim);
                return Err(format!("persistentvolumeclaim {name:?} bound to non-existent persistentvolume {volume:?}"));
            }
            if claim.metadata.deletion_timestamp.is_some() {
                return Err(format!("persistentvolumeclaim {name:?} is being deleted"));
            }
            if *ephemeral && !owner::is_controlled_by(&claim.metadata, &pod.uid) {
                return Err(format!("PVC {}/{name} was not created for pod {pod} (pod is not owner)", pod.namespace));
            }
            all.push(claim);
        }
        let mut claims = Self::default();
        for claim in all {
            if volume::is_fully_bound(claim) {
                claims.bound.push(claim);
                continue;
            }
            match storage.class(claim).filter(|class| volume::waits_for_consumer(class)) {
                Some(class) if volume::volume_name(claim).is_empty() => claims.waiting.push((claim, class)),
                _ => return Err("pod has unbound immediate PersistentVolumeClaims".to_owned()),
            }
        }
        claims.waiting.sort_by_key(|(claim, _)| volume::requested(claim));
        Ok(claims)
    }
}

/// How a claim that waits is to get its volume, once a node is chosen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Provision<'v> {
    /// It gets this one, which is there.
    Take(&'v PersistentVolume),
    /// One is made for it, at the node.
    Make,
}

/// How each of the claims that wait, the smallest first, would get its volume if the pod went to this node; nothing if one would not.
pub(crate) fn provisions<'v, V: AsRef<PersistentVolume>>(
    waiting: &[(&PersistentVolumeClaim, &StorageClass)],
    volumes: &'v [V],
    node: Subject<'_>,
) -> Option<Vec<Provision<'v>>> {
    let mut taken: Vec<&str> = Vec::new();
    let mut provisions = Vec::with_capacity(waiting.len());
    for (claim, class) in waiting {
        let selected = annotation(&claim.metadata, SELECTED_NODE);
        if selected.is_some_and(|selected| selected != node.name) {
            return None;
        }
        let free =
            |volume: &PersistentVolume| volume.metadata.name.as_deref().is_none_or(|name| !taken.contains(&name)) && reaches(node, volume);
        let found = if selected.is_none() { volume::best_match(claim, volumes, Seeker::Scheduler(&free)) } else { None };
        match found.map(AsRef::as_ref) {
            Some(volume) => {
                taken.extend(volume.metadata.name.as_deref());
                provisions.push(Provision::Take(volume));
            }
            None if volume::is_provisioned(class) && allows_topology(class, node) => provisions.push(Provision::Make),
            None => return None,
        }
    }
    Some(provisions)
}

/// Whether a node can reach a volume.
pub(crate) fn reaches(node: Subject<'_>, volume: &PersistentVolume) -> bool {
    let required = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref()?.required.as_ref());
    required.is_none_or(|required| any_matches(&required.node_selector_terms, node))
}

/// Whether volumes of a class may be made at a node.
fn allows_topology(class: &StorageClass, node: Subject<'_>) -> bool {
    let Some(terms) = class.allowed_topologies.as_ref().filter(|terms| !terms.is_empty()) else { return true };
    terms.iter().any(|term| {
        let wanted = term.match_label_expressions.as_deref().unwrap_or_default();
        wanted.iter().all(|wanted| node.labels.get(&wanted.key).is_some_and(|value| wanted.values.contains(value)))
    })
}

/// The volumes as a list to choose from.
pub(crate) fn volumes(storage: &Storage) -> Vec<&Stored<PersistentVolume>> {
    let mut all: Vec<_> = storage.volumes.all().map(AsRef::as_ref).collect();
    all.sort_by(|a, b| a.0.metadata.name.cmp(&b.0.metadata.name));
    all
}

/// The terms of a volume that is on the node of this hostname.
#[cfg(test)]
pub(crate) fn on_hostname(name: &str) -> serde_json::Value {
    serde_json::json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [name]}]}])
}

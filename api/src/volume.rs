//! Claims and volumes: what makes one fit the other, and the annotations by which those who bring them together talk. The
//! binder and the scheduler must agree on this.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::{PersistentVolume, PersistentVolumeClaim},
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{
    quantity::{self, Quantity},
    selector::Selector,
};

/// On a claim: it was bound once, and does not choose again.
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On either: the controller, and not the user, chose the other.
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On a volume: who made it, and so is to delete it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// On a claim: the node the scheduler has chosen for its first pod.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On a claim: who is to make its volume; in the first of these and, for old provisioners, the second.
pub const STORAGE_PROVISIONER: [&str; 2] = ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];
/// Where the class was named before there was a field for it.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// The annotations that make a StorageClass the one for claims that name none.
const DEFAULT_CLASS: [&str; 2] = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
/// The provisioner of classes whose volumes are made by hand.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// An annotation's value.
#[must_use]
pub fn annotation<'m>(meta: &'m ObjectMeta, key: &str) -> Option<&'m str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

/// The class a claim names, in either place; nothing if it leaves that open.
#[must_use]
pub fn named_class(claim: &PersistentVolumeClaim) -> Option<&str> {
    annotation(&claim.metadata, OLD_CLASS).or_else(|| claim.spec.as_ref()?.storage_class_name.as_deref())
}

/// The class of a claim; empty where it has none.
#[must_use]
pub fn claim_class(claim: &PersistentVolumeClaim) -> &str {
    named_class(claim).unwrap_or_default()
}

/// The class of a volume; empty where it has none.
#[must_use]
pub fn volume_class(volume: &PersistentVolume) -> &str {
    let field = || volume.spec.as_ref()?.storage_class_name.as_deref();
    annotation(&volume.metadata, OLD_CLASS).or_else(field).unwrap_or_default()
}

/// Whether claims that name no class get this one.
#[must_use]
pub fn is_default_class(class: &StorageClass) -> bool {
    DEFAULT_CLASS.iter().any(|key| annotation(&class.metadata, key) == Some("true"))
}

/// Whether claims of a class are bound only when the first pod that uses them has a node.
#[must_use]
pub fn waits_for_consumer(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

/// Whether volumes of a class are made when they are needed.
#[must_use]
pub fn is_provisioned(class: &StorageClass) -> bool {
    class.provisioner != NO_PROVISIONER
}

/// How much a claim asks for.
#[must_use]
pub fn requested(claim: &PersistentVolumeClaim) -> Quantity {
    let requests = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    requests.and_then(|requests| requests.get("storage")).map(quantity::of).unwrap_or_default()
}

/// How much a volume holds.
#[must_use]
pub fn capacity(volume: &PersistentVolume) -> Quantity {
    let capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref()?.get("storage"));
    capacity.map(quantity::of).unwrap_or_default()
}

/// The phase of a volume; empty before it has one.
#[must_use]
pub fn phase(volume: &PersistentVolume) -> &str {
    volume.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The volume a claim names; empty where it names none.
#[must_use]
pub fn volume_name(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default()
}

/// Whether a claim has its volume, and both know.
#[must_use]
pub fn is_fully_bound(claim: &PersistentVolumeClaim) -> bool {
    !volume_name(claim).is_empty() && annotation(&claim.metadata, BIND_COMPLETED).is_some()
}

/// Whether a volume is this claim's: bound to it, or reserved for the claim of that name.
#[must_use]
pub fn is_bound_to(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()).is_some_and(|claimed| {
        claimed.name == claim.metadata.name
            && claimed.namespace == claim.metadata.namespace
            && (claimed.uid.as_deref().unwrap_or_default().is_empty() || claimed.uid == claim.metadata.uid)
    })
}

/// Whether both are file systems, or both block devices.
#[must_use]
pub fn same_mode(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let mode = |mode: Option<&String>| mode.map_or("Filesystem", String::as_str).to_owned();
    mode(volume.spec.as_ref().and_then(|spec| spec.volume_mode.as_ref()))
        == mode(claim.spec.as_ref().and_then(|spec| spec.volume_mode.as_ref()))
}

/// Whether a volume can be mounted in every way a claim asks for.
#[must_use]
pub fn has_access_modes(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let there = access_modes(volume);
    claim.spec.iter().flat_map(|spec| spec.access_modes.iter().flatten()).all(|mode| there.contains(mode))
}

fn access_modes(volume: &PersistentVolume) -> &[String] {
    volume.spec.as_ref().and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default()
}

/// Whether the attributes class of both is the same.
fn same_attributes(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let of_claim = claim.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.as_deref());
    let of_volume = volume.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.as_deref());
    of_claim.unwrap_or_default() == of_volume.unwrap_or_default()
}

/// Why a claim cannot have the volume it names, in upstream's words.
#[must_use]
pub fn mismatch(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<String> {
    let why = if volume.metadata.deletion_timestamp.is_some() {
        return Some(format!("the volume is marked for deletion {:?}", volume.metadata.name.as_deref().unwrap_or_default()));
    } else if capacity(volume) < requested(claim) {
        "requested PV is too small"
    } else if volume_class(volume) != claim_class(claim) {
        "storageClassName does not match"
    } else if !same_attributes(volume, claim) {
        "volumeAttributesClassName does not match"
    } else if !same_mode(volume, claim) {
        "incompatible volumeMode"
    } else if !has_access_modes(volume, claim) {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// For whom a volume is looked for.
#[derive(Clone, Copy)]
pub enum Seeker<'s> {
    /// The binder, for a claim that needs no node.
    Binder,
    /// The binder, for a claim whose pod comes first: it only finds what is reserved for the claim.
    PatientBinder,
    /// The scheduler, for a pod on a node: whether the node can reach the volume.
    Scheduler(&'s dyn Fn(&PersistentVolume) -> bool),
}

/// The volume a claim should get: what is reserved for it, else the smallest that is enough, of those with the fewest access
/// modes that have one.
#[must_use]
pub fn best_match<'v, V: AsRef<PersistentVolume>>(claim: &PersistentVolumeClaim, volumes: &'v [V], seeker: Seeker<'_>) -> Option<&'v V> {
    let selector = claim.spec.as_ref().and_then(|spec| spec.selector.as_ref()).map(Selector::from_label_selector);
    let selects = |volume: &PersistentVolume| match &selector {
        None => true,
        Some(Ok(selector)) => selector.matches_labels(volume.metadata.labels.as_ref()),
        Some(Err(_)) => false,
    };
    if let Seeker::Scheduler(reaches) = seeker {
        return smallest(claim, volumes.iter(), Some(reaches), false, &selects);
    }
    let mut by_modes: BTreeMap<(usize, Vec<&str>), Vec<&V>> = BTreeMap::new();
    for volume in volumes.iter().filter(|volume| has_access_modes((*volume).as_ref(), claim)) {
        let mut modes: Vec<&str> = access_modes(volume.as_ref()).iter().map(String::as_str).collect();
        modes.sort_unstable();
        modes.dedup();
        by_modes.entry((modes.len(), modes)).or_default().push(volume);
    }
    let patient = matches!(seeker, Seeker::PatientBinder);
    by_modes.into_values().find_map(|volumes| smallest(claim, volumes.into_iter(), None, patient, &selects))
}

fn smallest<'v, V: AsRef<PersistentVolume>>(
    claim: &PersistentVolumeClaim,
    volumes: impl Iterator<Item = &'v V>,
    reaches: Option<&dyn Fn(&PersistentVolume) -> bool>,
    patient: bool,
    selects: &dyn Fn(&PersistentVolume) -> bool,
) -> Option<&'v V> {
    let mut smallest: Option<(Quantity, &V)> = None;
    for one in volumes {
        let volume = one.as_ref();
        let claimed = volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_some());
        let (ours, size) = (is_bound_to(volume, claim), capacity(volume));
        if claimed && !ours
            || size < requested(claim)
            || !same_mode(volume, claim)
            || !same_attributes(volume, claim)
            || volume.metadata.deletion_timestamp.is_some()
        {
            continue;
        }
        let reachable = reaches.is_none_or(|reaches| reaches(volume));
        if ours {
            // What is reserved for the claim is the only one it may have.
            return reachable.then_some(one);
        }
        let fits = !patient
            && phase(volume) == "Available"
            && selects(volume)
            && volume_class(volume) == claim_class(claim)
            && reachable
            && (reaches.is_none() || has_access_modes(volume, claim));
        if fits && smallest.as_ref().is_none_or(|(least, _)| size < *least) {
            smallest = Some((size, one));
        }
    }
    smallest.map(|(_, volume)| volume)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;

    /// A claim of 2Gi in the class `c`.
    fn claim(more: Value) -> PersistentVolumeClaim {
        let mut spec = json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "c", "resources": {"requests": {"storage": "2Gi"}}});
        more.as_object().unwrap().iter().for_each(|(field, value)| spec[field] = value.clone());
        serde_json::from_value(json!({"metadata": {"name": "x", "namespace": "d", "uid": "u"}, "spec": spec})).unwrap()
    }

    fn volume(name: &str, size: &str, modes: &[&str], more: Value) -> Arc<PersistentVolume> {
        let spec = json!({"capacity": {"storage": size}, "accessModes": modes, "storageClassName": "c", "hostPath": {"path": "/d"}});
        let mut whole = json!({"metadata": {"name": name}, "spec": spec, "status": {"phase": "Available"}});
        let Value::Object(more) = more else { unreachable!() };
        for (field, value) in more {
            let part = if field == "phase" {
                "status"
            } else if field == "labels" {
                "metadata"
            } else {
                "spec"
            };
            whole[part][field] = value;
        }
        Arc::new(serde_json::from_value(whole).unwrap())
    }

    const RWO: &[&str] = &["ReadWriteOnce"];

    fn found(claim: &PersistentVolumeClaim, volumes: &[Arc<PersistentVolume>], seeker: Seeker<'_>) -> String {
        best_match(claim, volumes, seeker).and_then(|volume| volume.metadata.name.clone()).unwrap_or_default()
    }

    #[test]
    fn the_smallest_that_fits_and_what_does_not() {
        let plain = claim(json!({}));
        for (volumes, wanted) in [
            (
                vec![volume("big", "5Gi", RWO, json!({})), volume("fits", "2Gi", RWO, json!({})), volume("small", "1Gi", RWO, json!({}))],
                "fits",
            ),
            (vec![volume("other", "5Gi", RWO, json!({"storageClassName": "d"}))], ""),
            (vec![volume("block", "5Gi", RWO, json!({"volumeMode": "Block"}))], ""),
            (vec![volume("taken", "5Gi", RWO, json!({"claimRef": {"name": "y", "namespace": "d"}}))], ""),
            (vec![volume("released", "5Gi", RWO, json!({"phase": "Released"}))], ""),
            (vec![volume("modes", "2Gi", &["ReadOnlyMany"], json!({}))], ""),
            // Fewer ways to mount it come before less waste.
            (vec![volume("both", "2Gi", &["ReadWriteOnce", "ReadOnlyMany"], json!({})), volume("one", "9Gi", RWO, json!({}))], "one"),
            (
                vec![
                    volume("free", "2Gi", RWO, json!({})),
                    volume("ours", "9Gi", RWO, json!({"claimRef": {"name": "x", "namespace": "d"}})),
                ],
                "ours",
            ),
            (vec![volume("namesake", "9Gi", RWO, json!({"claimRef": {"name": "x", "namespace": "d", "uid": "old"}}))], ""),
        ] {
            assert_eq!(found(&plain, &volumes, Seeker::Binder), wanted, "{volumes:?}");
        }
    }

    #[test]
    fn selectors_and_seekers() {
        let picky = claim(json!({"selector": {"matchLabels": {"disk": "ssd"}}}));
        let volumes =
            [volume("hdd", "2Gi", RWO, json!({"labels": {"disk": "hdd"}})), volume("ssd", "9Gi", RWO, json!({"labels": {"disk": "ssd"}}))];
        assert_eq!(found(&picky, &volumes, Seeker::Binder), "ssd");
        let plain = claim(json!({}));
        assert_eq!(found(&plain, &volumes, Seeker::PatientBinder), "");
        assert_eq!(found(&plain, &volumes, Seeker::Scheduler(&|volume| volume.metadata.name.as_deref() != Some("hdd"))), "ssd");
        let reserved = [volumes[0].clone(), volume("ours", "9Gi", RWO, json!({"claimRef": {"name": "x", "namespace": "d"}}))];
        assert_eq!(found(&plain, &reserved, Seeker::PatientBinder), "ours");
        let elsewhere = Seeker::Scheduler(&|volume| volume.metadata.name.as_deref() != Some("ours"));
        assert_eq!(found(&plain, &reserved, elsewhere), "", "it has its volume, and that is not here");
    }

    #[test]
    fn why_a_volume_that_was_named_is_not_taken() {
        let plain = claim(json!({}));
        for (volume, why) in [
            (volume("v", "2Gi", RWO, json!({})), None),
            (volume("v", "1Gi", RWO, json!({})), Some("requested PV is too small")),
            (volume("v", "2Gi", RWO, json!({"storageClassName": ""})), Some("storageClassName does not match")),
            (volume("v", "2Gi", RWO, json!({"volumeMode": "Block"})), Some("incompatible volumeMode")),
            (volume("v", "2Gi", &["ReadOnlyMany"], json!({})), Some("incompatible accessMode")),
        ] {
            assert_eq!(mismatch(&volume, &plain).as_deref(), why, "{volume:?}");
        }
    }
}

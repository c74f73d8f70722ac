//! The writes that bind a claim and a volume to each other, one at a time: the volume first, for it is what others could take.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use mini_api::volume::{BIND_COMPLETED, BOUND_BY_CONTROLLER, annotation, is_bound_to, phase, volume_name};
use mini_daemon::events;

use crate::writes::{Result, Writes};

/// Makes the first write that is missing.
pub(super) async fn advance(volume: &PersistentVolume, claim: &PersistentVolumeClaim, writes: &Writes) -> Result<()> {
    match next(volume, claim) {
        None => Ok(()),
        Some(Missing::Volume(new)) => writes.update(volume, &new).await,
        Some(Missing::VolumeStatus(new)) => writes.update_status(volume, &new).await,
        Some(Missing::Claim(new)) => writes.update(claim, &new).await,
        Some(Missing::ClaimStatus(new)) => writes.update_status(claim, &new).await,
    }
}

/// A write that is missing, and what it makes of its object.
#[derive(Debug)]
enum Missing {
    Volume(Box<PersistentVolume>),
    VolumeStatus(Box<PersistentVolume>),
    Claim(Box<PersistentVolumeClaim>),
    ClaimStatus(Box<PersistentVolumeClaim>),
}

fn next(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<Missing> {
    let name = volume.metadata.name.clone();
    let claimed = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    if !is_bound_to(volume, claim) || claimed.is_none_or(|claimed| claimed.uid != claim.metadata.uid) {
        let mut new = volume.clone();
        new.spec.get_or_insert_default().claim_ref = Some(events::reference(claim));
        if !is_bound_to(volume, claim) {
            annotate(&mut new.metadata.annotations, BOUND_BY_CONTROLLER, "yes");
        }
        return Some(Missing::Volume(Box::new(new)));
    }
    if phase(volume) != "Bound" {
        return Some(Missing::VolumeStatus(Box::new(super::released::with_phase(volume, "Bound", None))));
    }
    let (chosen, completed) = (Some(volume_name(claim)) == name.as_deref(), annotation(&claim.metadata, BIND_COMPLETED).is_some());
    if !chosen || !completed {
        let mut new = claim.clone();
        if !chosen {
            new.spec.get_or_insert_default().volume_name = name;
            annotate(&mut new.metadata.annotations, BOUND_BY_CONTROLLER, "yes");
        }
        annotate(&mut new.metadata.annotations, BIND_COMPLETED, "yes");
        return Some(Missing::Claim(Box::new(new)));
    }
    let mut new = claim.clone();
    let (status, spec) = (new.status.get_or_insert_default(), volume.spec.clone().unwrap_or_default());
    if status.phase.as_deref() != Some("Bound") {
        // Only now: of a claim that is bound, a smaller file system may be on a bigger volume.
        status.capacity = spec.capacity;
        status.current_volume_attributes_class_name = spec.volume_attributes_class_name;
    }
    (status.phase, status.access_modes) = (Some("Bound".to_owned()), spec.access_modes);
    (new != *claim).then(|| Missing::ClaimStatus(Box::new(new)))
}

/// A claim without volume, in this phase.
pub(super) fn unbound(claim: &PersistentVolumeClaim, phase: &str) -> PersistentVolumeClaim {
    let mut new = claim.clone();
    let status = new.status.get_or_insert_default();
    (status.phase, status.access_modes, status.capacity) = (Some(phase.to_owned()), None, None);
    new
}

pub(super) fn annotate(annotations: &mut Option<BTreeMap<String, String>>, key: &str, value: &str) {
    annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_binding_is_four_writes_and_then_nothing() {
        let spec = json!({"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}});
        let whole = json!({"metadata": {"name": "v"}, "spec": spec, "status": {"phase": "Available"}});
        let mut volume: PersistentVolume = serde_json::from_value(whole).unwrap();
        let whole = json!({"metadata": {"name": "x", "namespace": "d", "uid": "u"}, "spec": {}, "status": {"phase": "Pending"}});
        let mut claim: PersistentVolumeClaim = serde_json::from_value(whole).unwrap();
        let mut order = Vec::new();
        while let Some(missing) = next(&volume, &claim) {
            match missing {
                Missing::Volume(new) => (volume, _) = (*new, order.push("volume")),
                Missing::VolumeStatus(new) => (volume, _) = (*new, order.push("its status")),
                Missing::Claim(new) => (claim, _) = (*new, order.push("claim")),
                Missing::ClaimStatus(new) => (claim, _) = (*new, order.push("its status")),
            }
        }
        assert_eq!(order, ["volume", "its status", "claim", "its status"]);
        assert_eq!(volume.spec.unwrap().claim_ref.unwrap().uid.as_deref(), Some("u"));
        assert_eq!(annotation(&volume.metadata, BOUND_BY_CONTROLLER), Some("yes"));
        assert_eq!((annotation(&claim.metadata, BOUND_BY_CONTROLLER), annotation(&claim.metadata, BIND_COMPLETED)), (Some("yes"), Some("yes")));
        let status = serde_json::to_value(claim.status).unwrap();
        assert_eq!(status, json!({"phase": "Bound", "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"]}));
    }

    #[test]
    fn what_the_user_chose_is_not_called_ours() {
        let reserved = json!({"metadata": {"name": "v"}, "spec": {"claimRef": {"name": "x", "namespace": "d"}}, "status": {"phase": "Available"}});
        let volume: PersistentVolume = serde_json::from_value(reserved).unwrap();
        let whole = json!({"metadata": {"name": "x", "namespace": "d", "uid": "u"}, "spec": {"volumeName": "v"}});
        let claim: PersistentVolumeClaim = serde_json::from_value(whole).unwrap();
        let Some(Missing::Volume(mut bound)) = next(&volume, &claim) else { panic!("the volume is not written") };
        assert_eq!(bound.metadata.annotations, None);
        bound.status.get_or_insert_default().phase = Some("Bound".to_owned());
        let Some(Missing::Claim(claim)) = next(&bound, &claim) else { panic!("the claim is not written") };
        assert_eq!(claim.metadata.annotations.unwrap().into_keys().collect::<Vec<_>>(), [BIND_COMPLETED]);
    }
}

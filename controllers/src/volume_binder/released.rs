//! What is to become of a volume: it waits for a claim, serves one, or has lost it and is reclaimed.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use mini_api::volume::{BOUND_BY_CONTROLLER, PROVISIONED_BY, annotation, phase, same_mode, volume_name};

use super::Remark;

/// What upstream's deleter of such volumes dares to touch.
const DELETABLE: &str = "/tmp/";

/// The next thing to do about a volume.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Nothing,
    /// Its phase is to be this.
    Phase(&'static str),
    /// Its claim is gone, and everybody knows: do with it as its policy says.
    Reclaim,
    /// Reclaiming it failed, which is said.
    Fail(Remark),
    /// Free it of its claim, and say so if there is something to be said.
    Unbind(Option<Remark>),
    /// Delete the object, and with it what it stands for.
    Delete,
    /// It and the claim it is for do not fit together.
    Say { volume: Remark, claim: Option<(Box<PersistentVolumeClaim>, Remark)> },
}

/// Decides about a volume; `claim` is the very claim it is bound to, if that exists.
pub(super) fn plan(volume: &PersistentVolume, claim: Option<&PersistentVolumeClaim>) -> Step {
    let claimed = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let is_bound = claimed.is_some_and(|claimed| claimed.uid.as_ref().is_some_and(|uid| !uid.is_empty()));
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    if !is_bound {
        return settle(volume, "Available");
    }
    match claim.map(|claim| (volume_name(claim), claim)) {
        None => give_up(volume),
        Some(("", claim)) if !same_mode(volume, claim) => {
            let of_claim = claim.metadata.name.as_deref().unwrap_or_default();
            let about_volume =
                format!("Cannot bind PersistentVolume to requested PersistentVolumeClaim {of_claim:?} due to incompatible volumeMode.");
            let about_claim = format!("Cannot bind PersistentVolume {name:?} to requested PersistentVolumeClaim due to incompatible volumeMode.");
            Step::Say {
                volume: Remark::warning("VolumeMismatch", about_volume),
                claim: Some((Box::new(claim.clone()), Remark::warning("VolumeMismatch", about_claim))),
            }
        }
        // The claim's own turn finishes the binding.
        Some(("", _)) => Step::Nothing,
        Some((named, _)) if named == name => settle(volume, "Bound"),
        // It was made for a claim that has another one by now.
        Some(_) if annotation(&volume.metadata, PROVISIONED_BY).is_some() && policy(volume) == "Delete" => give_up(volume),
        Some(_) => Step::Unbind(None),
    }
}

fn settle(volume: &PersistentVolume, wanted: &'static str) -> Step {
    if phase(volume) == wanted { Step::Nothing } else { Step::Phase(wanted) }
}

fn give_up(volume: &PersistentVolume) -> Step {
    if matches!(phase(volume), "Released" | "Failed") { Step::Reclaim } else { Step::Phase("Released") }
}

fn policy(volume: &PersistentVolume) -> &str {
    volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref()).unwrap_or("Retain")
}

/// What a released volume's policy means for it.
pub(super) fn reclaim(volume: &PersistentVolume) -> Step {
    let spec = volume.spec.clone().unwrap_or_default();
    match policy(volume) {
        "Retain" => Step::Nothing,
        // What is recycled is wiped; a simulated volume holds nothing.
        "Recycle" if spec.host_path.is_some() || spec.nfs.is_some() => Step::Unbind(Some(Remark::normal("VolumeRecycled", "Volume recycled"))),
        "Recycle" => fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!".to_owned()),
        "Delete" => match (annotation(&volume.metadata, PROVISIONED_BY), spec.host_path) {
            // Whoever made it deletes it.
            (Some(by), _) if !by.is_empty() && !by.starts_with("kubernetes.io/") => Step::Nothing,
            _ if volume.metadata.deletion_timestamp.is_some() => Step::Nothing,
            (_, Some(there)) if there.path.len() > DELETABLE.len() && there.path.starts_with(DELETABLE) => Step::Delete,
            (_, Some(there)) => {
                let why = format!("host_path deleter only supports /tmp/.+ but received provided {}", there.path);
                fail(volume, "VolumeFailedDelete", why)
            }
            (_, None) => {
                let name = volume.metadata.name.as_deref().unwrap_or_default();
                let why = format!("error getting deleter volume plugin for volume {name:?}: no deletable volume plugin matched");
                fail(volume, "VolumeFailedDelete", why)
            }
        },
        _ => fail(volume, "VolumeUnknownReclaimPolicy", "Volume has unrecognized PersistentVolumeReclaimPolicy".to_owned()),
    }
}

fn fail(volume: &PersistentVolume, reason: &'static str, message: String) -> Step {
    if phase(volume) == "Failed" { Step::Nothing } else { Step::Fail(Remark::warning(reason, message)) }
}

/// The volume in a phase, and why.
pub(super) fn with_phase(volume: &PersistentVolume, phase: &str, message: Option<&str>) -> PersistentVolume {
    let mut new = volume.clone();
    let status = new.status.get_or_insert_default();
    (status.phase, status.message) = (Some(phase.to_owned()), message.map(str::to_owned));
    new
}

/// The volume without its claim; one that the user had reserved stays reserved for a claim of that name.
pub(super) fn unbound(volume: &PersistentVolume) -> PersistentVolume {
    let mut new = volume.clone();
    let spec = new.spec.get_or_insert_default();
    if annotation(&volume.metadata, BOUND_BY_CONTROLLER).is_some() {
        spec.claim_ref = None;
        let annotations = new.metadata.annotations.take().unwrap_or_default();
        let left: BTreeMap<_, _> = annotations.into_iter().filter(|(key, _)| key != BOUND_BY_CONTROLLER).collect();
        new.metadata.annotations = (!left.is_empty()).then_some(left);
    } else if let Some(claimed) = &mut spec.claim_ref {
        claimed.uid = None;
    }
    new
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn volume(phase: &str, spec: Value, annotations: Value) -> PersistentVolume {
        let whole = json!({"metadata": {"name": "v", "annotations": annotations}, "spec": spec, "status": {"phase": phase}});
        serde_json::from_value(whole).unwrap()
    }

    fn claim(volume: &str) -> PersistentVolumeClaim {
        let spec = json!({"volumeName": volume});
        serde_json::from_value(json!({"metadata": {"name": "x", "namespace": "d", "uid": "u"}, "spec": spec})).unwrap()
    }

    fn bound(policy: &str) -> Value {
        json!({"claimRef": {"name": "x", "namespace": "d", "uid": "u"}, "persistentVolumeReclaimPolicy": policy, "hostPath": {"path": "/tmp/d"}})
    }

    #[test]
    fn phases() {
        let reserved = json!({"claimRef": {"name": "x", "namespace": "d"}});
        let made = json!({"pv.kubernetes.io/provisioned-by": "p"});
        for (volume, claim, step) in [
            (volume("Pending", json!({}), json!({})), None, Step::Phase("Available")),
            (volume("Available", json!({}), json!({})), None, Step::Nothing),
            (volume("Pending", reserved, json!({})), None, Step::Phase("Available")),
            (volume("Available", bound("Retain"), json!({})), Some(claim("v")), Step::Phase("Bound")),
            (volume("Bound", bound("Retain"), json!({})), Some(claim("")), Step::Nothing),
            (volume("Bound", bound("Retain"), json!({})), None, Step::Phase("Released")),
            (volume("Released", bound("Retain"), json!({})), None, Step::Reclaim),
            (volume("Failed", bound("Delete"), json!({})), None, Step::Reclaim),
            (volume("Bound", bound("Delete"), json!({})), Some(claim("w")), Step::Unbind(None)),
            (volume("Bound", bound("Delete"), made), Some(claim("w")), Step::Phase("Released")),
        ] {
            assert_eq!(plan(&volume, claim.as_ref()), step, "{volume:?}");
        }
        let mut block = bound("Retain");
        block["volumeMode"] = json!("Block");
        assert!(matches!(plan(&volume("Bound", block, json!({})), Some(&claim(""))), Step::Say { .. }));
    }

    #[test]
    fn policies() {
        let with = |phase: &str, policy: &str, source: Value, annotations: Value| {
            let mut spec = bound(policy);
            spec.as_object_mut().unwrap().remove("hostPath");
            source.as_object().unwrap().iter().for_each(|(field, value)| spec[field] = value.clone());
            match reclaim(&volume(phase, spec, annotations)) {
                Step::Fail(remark) | Step::Unbind(Some(remark)) => format!("{}: {}", remark.reason, remark.message),
                step => format!("{step:?}"),
            }
        };
        let (tmp, data, nfs) =
            (json!({"hostPath": {"path": "/tmp/d"}}), json!({"hostPath": {"path": "/data"}}), json!({"nfs": {"server": "s", "path": "/"}}));
        for (got, wanted) in [
            (with("Released", "Retain", tmp.clone(), json!({})), "Nothing"),
            (with("Released", "Recycle", tmp.clone(), json!({})), "VolumeRecycled: Volume recycled"),
            (with("Released", "Recycle", json!({}), json!({})), "VolumeFailedRecycle: No recycler plugin found for the volume!"),
            (with("Released", "Delete", tmp.clone(), json!({})), "Delete"),
            (with("Released", "Delete", tmp, json!({"pv.kubernetes.io/provisioned-by": "p"})), "Nothing"),
            (
                with("Released", "Delete", data.clone(), json!({})),
                "VolumeFailedDelete: host_path deleter only supports /tmp/.+ but received provided /data",
            ),
            (with("Failed", "Delete", data, json!({})), "Nothing"),
            (
                with("Released", "Delete", nfs, json!({})),
                "VolumeFailedDelete: error getting deleter volume plugin for volume \"v\": no deletable volume plugin matched",
            ),
        ] {
            assert_eq!(got, wanted);
        }
    }

    #[test]
    fn who_reserved_a_volume_keeps_it() {
        let ours = unbound(&volume("Released", bound("Recycle"), json!({"pv.kubernetes.io/bound-by-controller": "yes"})));
        assert_eq!((ours.spec.unwrap().claim_ref, ours.metadata.annotations), (None, None));
        let theirs = unbound(&volume("Released", bound("Recycle"), json!({}))).spec.unwrap().claim_ref.unwrap();
        assert_eq!((theirs.name.as_deref(), theirs.uid), (Some("x"), None));
    }
}

//! What is to become of a claim, decided from what is around it.

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim, Pod},
    storage::v1::StorageClass,
};
use mini_api::{
    pod,
    volume::{self, BIND_COMPLETED, BOUND_BY_CONTROLLER, SELECTED_NODE, STORAGE_PROVISIONER, Seeker, annotation},
};

use super::{Remark, binding::annotate};

/// What a decision about a claim depends on.
pub(super) struct Around {
    /// The volume the claim names.
    pub(super) named: Option<Arc<PersistentVolume>>,
    /// The volumes that are for the claim, and those of its class that are for nobody.
    pub(super) candidates: Vec<Arc<PersistentVolume>>,
    /// The class the claim names.
    pub(super) class: Option<Arc<StorageClass>>,
    /// The class it gets, if it leaves that open.
    pub(super) default: Option<String>,
    /// The pods that use it.
    pub(super) pods: Vec<Arc<Pod>>,
}

/// The next thing to do about a claim.
#[derive(Debug)]
pub(super) enum Step {
    /// Bind it to this volume, or finish that.
    Bind(Arc<PersistentVolume>),
    /// Make it into this.
    Write { new: Box<PersistentVolumeClaim>, remark: Option<Remark> },
    /// It has no volume; say why.
    Status { phase: &'static str, remark: Option<Remark> },
}

impl Step {
    fn pending(remark: Remark) -> Self {
        Self::Status { phase: "Pending", remark: Some(remark) }
    }

    fn lost(reason: &'static str, message: &'static str) -> Self {
        Self::Status { phase: "Lost", remark: Some(Remark::warning(reason, message)) }
    }
}

pub(super) fn plan(claim: &PersistentVolumeClaim, around: &Around) -> Step {
    let completed = annotation(&claim.metadata, BIND_COMPLETED).is_some();
    match (volume::volume_name(claim), &around.named) {
        ("", _) if completed => Step::lost("ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"),
        ("", _) => choose(claim, around),
        (_, None) if completed => Step::lost("ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"),
        (_, None) => Step::Status { phase: "Pending", remark: None },
        (_, Some(volume)) if completed => bound(claim, volume),
        (name, Some(volume)) => requested(claim, name, volume),
    }
}

/// A claim that leaves the choice to us.
fn choose(claim: &PersistentVolumeClaim, around: &Around) -> Step {
    let waits = around.class.as_deref().is_some_and(volume::waits_for_consumer);
    let seeker = if waits { Seeker::PatientBinder } else { Seeker::Binder };
    if let Some(volume) = volume::best_match(claim, &around.candidates, seeker) {
        return Step::Bind(volume.clone());
    }
    if let Some(default) = &around.default {
        let mut new = claim.clone();
        new.spec.get_or_insert_default().storage_class_name = Some(default.clone());
        return Step::Write { new: Box::new(new), remark: None };
    }
    if waits && annotation(&claim.metadata, SELECTED_NODE).is_none() {
        return Step::pending(consumer(&around.pods));
    }
    match (volume::claim_class(claim), &around.class) {
        ("", _) => Step::pending(Remark::normal("FailedBinding", "no persistent volumes available for this claim and no storage class is set")),
        (name, None) => {
            Step::pending(Remark::warning("ProvisioningFailed", format!("storageclass.storage.k8s.io {name:?} not found")))
        }
        (_, Some(class)) => provision(claim, class),
    }
}

/// Whom a claim waits for whose class wants to see its first pod.
fn consumer(pods: &[Arc<Pod>]) -> Remark {
    let waiting = pods.iter().filter(|pod| pod::node_name(pod).is_none() && !pod::is_terminal(pod));
    let names: Vec<_> = waiting.filter_map(|pod| pod.metadata.name.as_deref()).collect();
    match names[..] {
        [] => Remark::normal("WaitForFirstConsumer", "waiting for first consumer to be created before binding"),
        [name] => Remark::normal("WaitForPodScheduled", format!("waiting for pod {name} to be scheduled")),
        _ => Remark::normal("WaitForPodScheduled", format!("waiting for pods {} to be scheduled", names.join(","))),
    }
}

/// A claim whose volume is to be made: its provisioner is told by an annotation.
fn provision(claim: &PersistentVolumeClaim, class: &StorageClass) -> Step {
    let provisioner = &class.provisioner;
    if provisioner.starts_with("kubernetes.io/") {
        // Upstream has none of these inside any more, and they cannot be outside.
        return Step::pending(Remark::warning("ProvisioningFailed", format!("no volume plugin matched name: {provisioner}")));
    }
    let remark = Remark::normal(
        "ExternalProvisioning",
        format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system administrator. \
             If volume creation is delayed, please verify that the provisioner is running and correctly registered."
        ),
    );
    let mut new = claim.clone();
    STORAGE_PROVISIONER.iter().for_each(|key| annotate(&mut new.metadata.annotations, key, provisioner));
    if new == *claim { Step::pending(remark) } else { Step::Write { new: Box::new(new), remark: Some(remark) } }
}

/// A claim that names its volume and is not bound to it yet.
fn requested(claim: &PersistentVolumeClaim, name: &str, volume: &Arc<PersistentVolume>) -> Step {
    let is_claimed = volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_some());
    if !is_claimed {
        return match volume::mismatch(volume, claim) {
            None => Step::Bind(volume.clone()),
            Some(why) => {
                Step::pending(Remark::warning("VolumeMismatch", format!("Cannot bind to requested volume {name:?}: {why}")))
            }
        };
    }
    if volume::is_bound_to(volume, claim) {
        return Step::Bind(volume.clone());
    }
    let by = if annotation(&claim.metadata, BOUND_BY_CONTROLLER).is_some() { " by controller" } else { "." };
    Step::pending(Remark::warning("FailedBinding", format!("volume {name:?} already bound to a different claim{by}")))
}

/// A claim that was bound to this volume once.
fn bound(claim: &PersistentVolumeClaim, volume: &Arc<PersistentVolume>) -> Step {
    let claimed = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    if claimed.is_none_or(|claimed| claimed.uid == claim.metadata.uid) {
        return Step::Bind(volume.clone());
    }
    Step::lost("ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(spec: &Value, annotations: &Value) -> PersistentVolumeClaim {
        let mut whole = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
        spec.as_object().unwrap().iter().for_each(|(field, value)| whole[field] = value.clone());
        let metadata = json!({"name": "x", "namespace": "d", "uid": "u", "annotations": annotations});
        serde_json::from_value(json!({"metadata": metadata, "spec": whole})).unwrap()
    }

    fn volume(claimed_by: Option<(&str, &str)>) -> Arc<PersistentVolume> {
        let mut spec = json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}});
        if let Some((name, uid)) = claimed_by {
            spec["claimRef"] = json!({"name": name, "namespace": "d", "uid": uid});
        }
        Arc::new(serde_json::from_value(json!({"metadata": {"name": "v"}, "spec": spec, "status": {"phase": "Available"}})).unwrap())
    }

    fn class(provisioner: &str, mode: &str) -> Arc<StorageClass> {
        let class = json!({"metadata": {"name": "c"}, "provisioner": provisioner, "volumeBindingMode": mode});
        Arc::new(serde_json::from_value(class).unwrap())
    }

    fn around() -> Around {
        Around { named: None, candidates: Vec::new(), class: None, default: None, pods: Vec::new() }
    }

    fn said(claim: &PersistentVolumeClaim, around: &Around) -> String {
        match plan(claim, around) {
            Step::Bind(volume) => format!("bind {}", volume.metadata.name.as_deref().unwrap_or_default()),
            Step::Write { new, remark } => {
                let reason = remark.map(|remark| remark.reason).unwrap_or_default();
                format!("write {} {reason}", new.spec.unwrap().storage_class_name.unwrap_or_default())
            }
            Step::Status { phase, remark } => {
                let remark = remark.map(|remark| format!("{}: {}", remark.reason, remark.message)).unwrap_or_default();
                format!("{phase} {remark}")
            }
        }
    }

    #[test]
    fn a_claim_that_leaves_the_choice_to_us() {
        let plain = claim(&json!({}), &json!({}));
        let nothing = "Pending FailedBinding: no persistent volumes available for this claim and no storage class is set";
        assert_eq!(said(&plain, &around()), nothing);
        assert_eq!(said(&plain, &Around { candidates: vec![volume(None)], ..around() }), "bind v");
        assert_eq!(said(&plain, &Around { default: Some("standard".to_owned()), ..around() }), "write standard ");

        let classed = claim(&json!({"storageClassName": "c"}), &json!({}));
        assert_eq!(said(&classed, &around()), "Pending ProvisioningFailed: storageclass.storage.k8s.io \"c\" not found");
        let by = |provisioner: &str, mode: &str| Around { class: Some(class(provisioner, mode)), ..around() };
        assert_eq!(said(&classed, &by("p.example.com", "Immediate")), "write c ExternalProvisioning");
        let none = "Pending ProvisioningFailed: no volume plugin matched name: kubernetes.io/no-provisioner";
        assert_eq!(said(&classed, &by("kubernetes.io/no-provisioner", "Immediate")), none);
        let told = json!({"volume.kubernetes.io/storage-provisioner": "p", "volume.beta.kubernetes.io/storage-provisioner": "p"});
        let again = said(&claim(&json!({"storageClassName": "c"}), &told), &by("p", "Immediate"));
        assert!(again.starts_with("Pending ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'p' or"));
    }

    #[test]
    fn a_class_may_want_to_see_the_first_pod() {
        let waits = || Around { class: Some(class("p", "WaitForFirstConsumer")), ..around() };
        let plain = claim(&json!({"storageClassName": "c"}), &json!({}));
        assert_eq!(said(&plain, &waits()), "Pending WaitForFirstConsumer: waiting for first consumer to be created before binding");
        let pod = |name: &str, node: Option<&str>| Arc::new(serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"nodeName": node, "containers": []}})).unwrap());
        let pods = vec![pod("a", None), pod("b", Some("n")), pod("c", None)];
        assert_eq!(said(&plain, &Around { pods, ..waits() }), "Pending WaitForPodScheduled: waiting for pods a,c to be scheduled");
        let one = vec![pod("a", None)];
        assert_eq!(said(&plain, &Around { pods: one, ..waits() }), "Pending WaitForPodScheduled: waiting for pod a to be scheduled");
        let selected = claim(&json!({"storageClassName": "c"}), &json!({"volume.kubernetes.io/selected-node": "n"}));
        assert_eq!(said(&selected, &waits()), "write c ExternalProvisioning");
    }

    #[test]
    fn a_claim_that_names_its_volume() {
        let named = claim(&json!({"volumeName": "v"}), &json!({}));
        let with = |claimed| Around { named: Some(volume(claimed)), ..around() };
        assert_eq!(said(&named, &around()), "Pending ");
        assert_eq!(said(&named, &with(None)), "bind v");
        assert_eq!(said(&named, &with(Some(("x", "u")))), "bind v");
        assert_eq!(said(&named, &with(Some(("y", "w")))), "Pending FailedBinding: volume \"v\" already bound to a different claim.");
        let block = claim(&json!({"volumeName": "v", "volumeMode": "Block"}), &json!({}));
        assert_eq!(said(&block, &with(None)), "Pending VolumeMismatch: Cannot bind to requested volume \"v\": incompatible volumeMode");
    }

    #[test]
    fn a_claim_that_was_bound() {
        let completed = json!({"pv.kubernetes.io/bind-completed": "yes"});
        let bound = claim(&json!({"volumeName": "v"}), &completed);
        let with = |claimed| Around { named: Some(volume(claimed)), ..around() };
        assert_eq!(said(&bound, &with(Some(("x", "u")))), "bind v");
        assert_eq!(said(&bound, &with(None)), "bind v");
        assert_eq!(said(&bound, &around()), "Lost ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!");
        let misbound = "Lost ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly";
        assert_eq!(said(&bound, &with(Some(("y", "w")))), misbound);
        let nameless = claim(&json!({}), &completed);
        assert_eq!(said(&nameless, &around()), "Lost ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
    }
}

//! VolumeAttributesClasses that a claim or a volume names stay until none does.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::VolumeAttributesClass,
};

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    protection::{carry_out, concerns, plan},
    writes::{Result, Writes},
};

const FINALIZER: &str = "kubernetes.io/vac-protection";
/// The index of claims and volumes by the classes they name.
const BY_CLASS: &str = "volume attributes class";

/// Lets go of classes. Its keys are theirs.
pub(crate) struct Reconciler {
    classes: Arc<Cache<VolumeAttributesClass>>,
    claims: Arc<Cache<PersistentVolumeClaim>>,
    volumes: Arc<Cache<PersistentVolume>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "volumeattributesclass-protection-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let classes = setup.watch(|change: &Change<VolumeAttributesClass>| {
            change.new.as_ref().filter(|class| concerns(&class.metadata, FINALIZER)).map(|_| change.key())
        });
        let claims = setup.watch(|change: &Change<PersistentVolumeClaim>| freed(change, named_by_claim));
        claims.index(BY_CLASS, named_by_claim);
        let volumes = setup.watch(|change: &Change<PersistentVolume>| freed(change, named_by_volume));
        volumes.index(BY_CLASS, named_by_volume);
        Self { classes, claims, volumes }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        if let Some(class) = self.classes.get(key) {
            let used = !(self.claims.indexed(BY_CLASS, &key.name).is_empty() && self.volumes.indexed(BY_CLASS, &key.name).is_empty());
            carry_out(plan(&class.metadata, FINALIZER, used), &*class, FINALIZER, writes).await?;
        }
        Ok(Next::Changed)
    }
}

/// The classes that a claim names: the one it wants, the one it has, and the one that is being given to it.
fn named_by_claim(claim: &PersistentVolumeClaim) -> Vec<String> {
    let wanted = claim.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.clone());
    let status = claim.status.as_ref();
    let current = status.and_then(|status| status.current_volume_attributes_class_name.clone());
    let target = status.and_then(|status| status.modify_volume_status.as_ref()?.target_volume_attributes_class_name.clone());
    let names: BTreeSet<_> = [wanted, current, target].into_iter().flatten().filter(|name| !name.is_empty()).collect();
    names.into_iter().collect()
}

fn named_by_volume(volume: &PersistentVolume) -> Vec<String> {
    let name = volume.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.clone());
    name.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The classes that were named before the change and are not after it.
fn freed<K>(change: &Change<K>, names: fn(&K) -> Vec<String>) -> Vec<Key> {
    let after = change.new.as_deref().map(names).unwrap_or_default();
    let before = change.old.as_deref().map(names).unwrap_or_default();
    before.iter().filter(|name| !after.contains(name)).map(|name| Key::cluster(name)).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ModifyVolumeStatus, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus};

    use super::*;

    fn claim(wanted: &str, current: &str, target: &str) -> PersistentVolumeClaim {
        let modify = ModifyVolumeStatus { target_volume_attributes_class_name: Some(target.to_owned()), ..ModifyVolumeStatus::default() };
        PersistentVolumeClaim {
            spec: Some(PersistentVolumeClaimSpec {
                volume_attributes_class_name: Some(wanted.to_owned()),
                ..PersistentVolumeClaimSpec::default()
            }),
            status: Some(PersistentVolumeClaimStatus {
                current_volume_attributes_class_name: Some(current.to_owned()),
                modify_volume_status: Some(modify),
                ..PersistentVolumeClaimStatus::default()
            }),
            ..PersistentVolumeClaim::default()
        }
    }

    #[test]
    fn a_claim_names_up_to_three_classes_and_frees_what_it_no_longer_names() {
        assert_eq!(named_by_claim(&claim("gold", "silver", "gold")), ["gold", "silver"]);
        assert!(named_by_claim(&claim("", "", "")).is_empty());
        let change = Change { old: Some(Arc::new(claim("gold", "silver", ""))), new: Some(Arc::new(claim("gold", "gold", ""))) };
        assert_eq!(freed(&change, named_by_claim), [Key::cluster("silver")]);
    }
}

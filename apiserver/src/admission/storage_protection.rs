//! A new volume, claim or class of volume attributes gets the finalizer by which its controller keeps it as long as it is in use.

use async_trait::async_trait;
use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::VolumeAttributesClass,
};

use super::{Attempt, Cluster, Step};
use crate::{error::Result, kinds::rules::Type};

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, _: &Cluster<'_>) -> Result<()> {
        protect::<PersistentVolumeClaim>(attempt, "kubernetes.io/pvc-protection");
        protect::<PersistentVolume>(attempt, "kubernetes.io/pv-protection");
        protect::<VolumeAttributesClass>(attempt, "kubernetes.io/vac-protection");
        Ok(())
    }
}

fn protect<K: Type>(attempt: &mut Attempt<'_>, finalizer: &str) {
    let Some(object) = attempt.created::<K>() else { return };
    let finalizers = object.metadata_mut().finalizers.get_or_insert_default();
    if !finalizers.iter().any(|there| there == finalizer) {
        finalizers.push(finalizer.to_owned());
    }
}

//! A bound claim grows only where its StorageClass says that its volumes can. What is not bound, its own rules keep from growing.

use async_trait::async_trait;
use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};

use super::{Attempt, Cluster, Step, Verb};
use crate::{
    error::{ApiError, Result},
    kinds::persistent_volume_claim::{class, is_bound, size},
};

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        if attempt.verb != Verb::Update || attempt.subresource.is_some() {
            return Ok(());
        }
        let old = attempt.old().and_then(|old| old.any().downcast_ref::<PersistentVolumeClaim>());
        let (Some(old), Some(new)) = (old, attempt.object.any().downcast_ref::<PersistentVolumeClaim>()) else { return Ok(()) };
        if size(new) <= size(old) || !is_bound(old) {
            return Ok(());
        }
        let named = class(new).filter(|named| !named.is_empty() && class(old) == Some(named));
        let found = named.and_then(|named| cluster.named::<StorageClass>("storageclasses", named));
        if found.is_some_and(|class| class.allow_volume_expansion == Some(true)) {
            return Ok(());
        }
        let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
        Err(ApiError::forbidden(attempt.kind.plural, attempt.kind.group(), attempt.name, why))
    }
}

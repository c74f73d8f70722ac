//! A claim that names no StorageClass gets the default one; one that names the empty class wants none.

use async_trait::async_trait;
use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};

use super::{Attempt, Cluster, Step, newest};
use crate::{
    error::Result,
    kinds::{persistent_volume_claim, storage_class::is_default},
};

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        let Some(claim) = attempt.created::<PersistentVolumeClaim>() else { return Ok(()) };
        if persistent_volume_claim::class(claim).is_none()
            && let Some(class) = default(cluster.all("storageclasses"))
        {
            claim.spec.get_or_insert_default().storage_class_name = Some(class);
        }
        Ok(())
    }
}

/// The name of the default class.
fn default(classes: Vec<StorageClass>) -> Option<String> {
    newest(classes.into_iter().filter(is_default).map(|class| class.metadata))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_default_counts() {
        let class = |name: &str, created: &str, annotation: &str, value: &str| -> StorageClass {
            let metadata = json!({ "name": name, "creationTimestamp": created, "annotations": { annotation: value } });
            serde_json::from_value(json!({ "metadata": metadata, "provisioner": "p" })).unwrap()
        };
        let stable = "storageclass.kubernetes.io/is-default-class";
        let mut classes = vec![
            class("old", "2026-01-01T00:00:00Z", stable, "true"),
            class("not", "2026-01-04T00:00:00Z", stable, "false"),
            class("y", "2026-01-02T00:00:00Z", stable, "true"),
            class("x", "2026-01-02T00:00:00Z", "storageclass.beta.kubernetes.io/is-default-class", "true"),
        ];
        assert_eq!(default(classes.clone()).as_deref(), Some("x"));
        classes.retain(|class| class.metadata.name.as_deref() == Some("not"));
        assert_eq!(default(classes), None);
    }
}

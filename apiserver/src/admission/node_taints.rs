//! A new node is tainted as not ready until its kubelet has said that it is.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Node, Taint};

use super::{Attempt, Cluster, Step};
use crate::error::Result;

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, _: &Cluster<'_>) -> Result<()> {
        let Some(node) = attempt.created::<Node>() else { return Ok(()) };
        let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
        let taint = Taint { key: "node.kubernetes.io/not-ready".to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() };
        if !taints.iter().any(|there| there.key == taint.key && there.effect == taint.effect) {
            taints.push(taint);
        }
        Ok(())
    }
}

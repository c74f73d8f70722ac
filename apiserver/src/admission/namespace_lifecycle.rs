//! Nothing is created in a namespace that is not there or is on its way out, and the namespaces the cluster lives in stay.

use async_trait::async_trait;

use super::{Attempt, Cluster, Step, Verb};
use crate::error::{ApiError, Result};

/// Namespaces that may not be deleted.
const IMMORTAL: &[&str] = &["default", "kube-system", "kube-public"];

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        let kind = attempt.kind;
        if attempt.verb == Verb::Delete && attempt.is_core("namespaces") && IMMORTAL.contains(&attempt.name) {
            return Err(ApiError::forbidden(kind.plural, "", attempt.name, "this namespace may not be deleted"));
        }
        if attempt.verb != Verb::Create || !kind.namespaced {
            return Ok(());
        }
        let namespace = attempt.namespace;
        let Some(item) = cluster.item("namespaces", namespace) else {
            return Err(ApiError::not_found("namespaces", "", namespace));
        };
        // The selectable field of namespaces is their phase.
        if item.fields.iter().any(|phase| &**phase == "Terminating") {
            return Err(ApiError::terminating_namespace(kind, attempt.name, namespace));
        }
        Ok(())
    }
}

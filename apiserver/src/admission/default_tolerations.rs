//! Every pod tolerates a node that is not ready or not reachable for five minutes, unless it says otherwise.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Pod, Toleration};

use super::{Attempt, Cluster, Step};
use crate::error::Result;

const SECONDS: i64 = 300;

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, _: &Cluster<'_>) -> Result<()> {
        let Some(pod) = attempt.created::<Pod>() else { return Ok(()) };
        let Some(spec) = pod.spec.as_mut() else { return Ok(()) };
        let tolerations = spec.tolerations.get_or_insert_default();
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            let empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
            let tolerated = tolerations.iter().any(|toleration| {
                (toleration.key.as_deref() == Some(key) || empty(&toleration.key))
                    && (toleration.effect.as_deref() == Some("NoExecute") || empty(&toleration.effect))
            });
            if !tolerated {
                tolerations.push(Toleration {
                    key: Some(key.to_owned()),
                    operator: Some("Exists".to_owned()),
                    effect: Some("NoExecute".to_owned()),
                    toleration_seconds: Some(SECONDS),
                    ..Toleration::default()
                });
            }
        }
        Ok(())
    }
}

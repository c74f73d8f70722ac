//! Every pod tolerates a node that is not ready or not reachable for a while (five minutes, unless a flag says otherwise), if it does not say how
//! long itself.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Pod, Toleration};

use super::{Attempt, Cluster, Step};
use crate::{Admission, error::Result};

pub(super) struct Plugin {
    /// For which taint, and for how many seconds.
    tolerated: [(&'static str, i64); 2],
}

impl Plugin {
    pub(super) fn new(config: &Admission) -> Self {
        let not_ready = ("node.kubernetes.io/not-ready", config.default_not_ready_toleration_seconds);
        Self { tolerated: [not_ready, ("node.kubernetes.io/unreachable", config.default_unreachable_toleration_seconds)] }
    }
}

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, _: &Cluster<'_>) -> Result<()> {
        let Some(pod) = attempt.created::<Pod>() else { return Ok(()) };
        let Some(spec) = pod.spec.as_mut() else { return Ok(()) };
        let tolerations = spec.tolerations.get_or_insert_default();
        for (key, seconds) in self.tolerated {
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
                    toleration_seconds: Some(seconds),
                    ..Toleration::default()
                });
            }
        }
        Ok(())
    }
}

//! A pod's priority class becomes a number the scheduler can compare.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;

use super::{Attempt, Cluster, Step};
use crate::error::{ApiError, Result};

/// The classes every cluster has.
const SYSTEM: &[(&str, i32)] = &[("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, _: &Cluster<'_>) -> Result<()> {
        let (plural, name) = (attempt.kind.plural, attempt.name);
        let Some(pod) = attempt.created::<Pod>() else { return Ok(()) };
        let Some(spec) = pod.spec.as_mut() else { return Ok(()) };
        let class = spec.priority_class_name.as_deref().unwrap_or_default();
        let priority = match SYSTEM.iter().find(|(system, _)| *system == class) {
            Some((_, priority)) => *priority,
            None if class.is_empty() => 0,
            None => {
                return Err(ApiError::forbidden(plural, "", name, &format!("no PriorityClass with name {class} was found")));
            }
        };
        if let Some(given) = spec.priority.filter(|given| *given != priority) {
            let why = format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name"
            );
            return Err(ApiError::forbidden(plural, "", name, &why));
        }
        spec.priority = Some(priority);
        spec.preemption_policy.get_or_insert_with(|| "PreemptLowerPriority".to_owned());
        Ok(())
    }
}

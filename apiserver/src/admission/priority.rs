//! A pod's priority class becomes a number the scheduler can compare; and of all classes only one is the default.

use async_trait::async_trait;
use k8s_openapi::api::{core::v1::Pod, scheduling::v1::PriorityClass};

use super::{Attempt, Cluster, Step, Verb};
use crate::error::{ApiError, Result};

#[derive(Default)]
pub(super) struct Plugin;

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        let (plural, group, name) = (attempt.kind.plural, attempt.kind.group(), attempt.name);
        let refuse = |why: String| Err(ApiError::forbidden(plural, group, name, &why));
        if let Some(class) = attempt.object.any().downcast_ref::<PriorityClass>().filter(|_| attempt.verb != Verb::Delete) {
            let other = defaults(cluster).find(|other| name_of(other) != name);
            return match other.filter(|_| is_default(class)) {
                Some(other) => {
                    refuse(format!("PriorityClass {} is already marked as default. Only one default can exist", name_of(&other)))
                }
                None => Ok(()),
            };
        }
        let Some(spec) = attempt.created::<Pod>().and_then(|pod| pod.spec.as_mut()) else { return Ok(()) };
        let asked = spec.priority_class_name.clone().filter(|class| !class.is_empty());
        let class = match &asked {
            None => defaults(cluster).min_by_key(|class| class.value),
            Some(wanted) => match cluster.named::<PriorityClass>("priorityclasses", wanted) {
                None => return refuse(format!("no PriorityClass with name {wanted} was found")),
                found => found,
            },
        };
        let priority = class.as_ref().and_then(|class| class.value).unwrap_or_default();
        let policy = class.as_ref().and_then(|class| class.preemption_policy.clone()).unwrap_or_else(|| "PreemptLowerPriority".to_owned());
        if let Some(given) = spec.priority.filter(|given| *given != priority) {
            return refuse(format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name"
            ));
        }
        if let Some(given) = spec.preemption_policy.as_ref().filter(|given| **given != policy) {
            return refuse(format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission controller computed {policy} from the given PriorityClass name"
            ));
        }
        spec.priority_class_name = asked.or_else(|| class.as_ref().map(|class| name_of(class).to_owned()));
        (spec.priority, spec.preemption_policy) = (Some(priority), Some(policy));
        Ok(())
    }
}

/// The classes that are marked as the default: usually none.
fn defaults(cluster: &Cluster<'_>) -> impl Iterator<Item = PriorityClass> {
    cluster.saying::<PriorityClass>("priorityclasses", r#""globalDefault":true"#).into_iter().filter(is_default)
}

fn is_default(class: &PriorityClass) -> bool {
    class.global_default == Some(true)
}

fn name_of(class: &PriorityClass) -> &str {
    class.metadata.name.as_deref().unwrap_or_default()
}

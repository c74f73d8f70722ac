//! Status conditions: finding one, and setting one with a true transition time.
//!
//! Every kind has its own condition type with the same fields; [`Condition`] is what they share.

use k8s_openapi::api::apps::v1::{DeploymentCondition, ReplicaSetCondition};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerCondition;
use k8s_openapi::api::batch::v1::JobCondition;
use k8s_openapi::api::core::v1::{NamespaceCondition, NodeCondition, NodeStatus, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as MetaCondition, Time};

/// The condition holds.
pub const TRUE: &str = "True";
/// The condition does not hold.
pub const FALSE: &str = "False";
/// Nobody knows whether the condition holds.
pub const UNKNOWN: &str = "Unknown";

/// What the condition types of all kinds have in common.
pub trait Condition: PartialEq {
    /// Its name, unique in its list (`Ready`, `Available`, ...).
    fn kind(&self) -> &str;
    /// [`TRUE`], [`FALSE`] or [`UNKNOWN`].
    fn status(&self) -> &str;
    /// When the status last changed.
    fn transition(&self) -> Option<&Time>;
    /// Replaces the time the status last changed.
    fn set_transition(&mut self, at: Option<Time>);
}

macro_rules! conditions {
    ($($type:ty),+) => {$(
        impl Condition for $type {
            fn kind(&self) -> &str {
                &self.type_
            }
            fn status(&self) -> &str {
                &self.status
            }
            fn transition(&self) -> Option<&Time> {
                self.last_transition_time.as_ref()
            }
            fn set_transition(&mut self, at: Option<Time>) {
                self.last_transition_time = at;
            }
        }
    )+};
}
conditions!(DeploymentCondition, HorizontalPodAutoscalerCondition, JobCondition, NamespaceCondition);
conditions!(NodeCondition, PodCondition, ReplicaSetCondition);

impl Condition for MetaCondition {
    fn kind(&self) -> &str {
        &self.type_
    }
    fn status(&self) -> &str {
        &self.status
    }
    fn transition(&self) -> Option<&Time> {
        Some(&self.last_transition_time)
    }
    fn set_transition(&mut self, at: Option<Time>) {
        if let Some(at) = at {
            self.last_transition_time = at;
        }
    }
}

/// The condition of this type.
pub fn find<'a, C: Condition>(conditions: &'a Option<Vec<C>>, kind: &str) -> Option<&'a C> {
    conditions.as_deref()?.iter().find(|condition| condition.kind() == kind)
}

/// Whether the condition of this type is there and [`TRUE`].
pub fn is_true<C: Condition>(conditions: &Option<Vec<C>>, kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status() == TRUE)
}

/// Puts `new` in the place of the condition of the same type, or at the end. While the status stays the same, so does
/// the old transition time. Returns whether anything changed.
pub fn set<C: Condition>(conditions: &mut Option<Vec<C>>, mut new: C) -> bool {
    let conditions = conditions.get_or_insert_default();
    match conditions.iter_mut().find(|old| old.kind() == new.kind()) {
        Some(old) => {
            if old.status() == new.status() && old.transition().is_some() {
                new.set_transition(old.transition().cloned());
            }
            let changed = *old != new;
            *old = new;
            changed
        }
        None => {
            conditions.push(new);
            true
        }
    }
}

/// Takes the condition of this type away. Returns whether it was there.
pub fn remove<C: Condition>(conditions: &mut Option<Vec<C>>, kind: &str) -> bool {
    let Some(conditions) = conditions else { return false };
    let before = conditions.len();
    conditions.retain(|condition| condition.kind() != kind);
    conditions.len() != before
}

/// The pod condition of this type (`Ready`, `PodScheduled`, ...).
pub fn pod<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    find(&status.conditions, kind)
}

/// The node condition of this type (`Ready`, `DiskPressure`, ...).
pub fn node<'a>(status: &'a NodeStatus, kind: &str) -> Option<&'a NodeCondition> {
    find(&status.conditions, kind)
}

/// [`set`] on a pod.
pub fn set_pod(status: &mut PodStatus, new: PodCondition) -> bool {
    set(&mut status.conditions, new)
}

/// [`set`] on a node.
pub fn set_node(status: &mut NodeStatus, new: NodeCondition) -> bool {
    set(&mut status.conditions, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: &str, reason: &str, second: i64) -> PodCondition {
        PodCondition {
            type_: "Ready".into(),
            status: status.into(),
            reason: Some(reason.into()),
            last_transition_time: Some(Time(jiff::Timestamp::from_second(second).unwrap())),
            ..Default::default()
        }
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut status = PodStatus::default();
        assert!(set_pod(&mut status, ready(FALSE, "Starting", 1)));
        assert!(!set_pod(&mut status, ready(FALSE, "Starting", 2)), "nothing new");
        assert!(set_pod(&mut status, ready(FALSE, "Probing", 3)), "a new reason");
        assert_eq!(pod(&status, "Ready"), Some(&ready(FALSE, "Probing", 1)));
        assert!(set_pod(&mut status, ready(TRUE, "Probing", 4)));
        assert_eq!(pod(&status, "Ready"), Some(&ready(TRUE, "Probing", 4)));
        assert!(is_true(&status.conditions, "Ready"));
    }

    #[test]
    fn absent_is_not_true() {
        let mut status = PodStatus::default();
        assert_eq!(pod(&status, "Ready"), None);
        assert!(!is_true(&status.conditions, "Ready"));
        assert!(!remove(&mut status.conditions, "Ready"));
        set_pod(&mut status, ready(TRUE, "", 1));
        assert!(remove(&mut status.conditions, "Ready"));
        assert_eq!(pod(&status, "Ready"), None);
    }
}

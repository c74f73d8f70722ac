//! The scopes of a quota: which objects it is about, beyond their kind.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, Pod, PodAffinityTerm, PodSpec, ResourceQuotaSpec, ScopedResourceSelectorRequirement, WeightedPodAffinityTerm,
};

use crate::pod;

const TERMINATING: &str = "Terminating";
const NOT_TERMINATING: &str = "NotTerminating";
const BEST_EFFORT: &str = "BestEffort";
const NOT_BEST_EFFORT: &str = "NotBestEffort";
const CROSS_NAMESPACE: &str = "CrossNamespacePodAffinity";
const PRIORITY_CLASS: &str = "PriorityClass";
const ATTRIBUTES_CLASS: &str = "VolumeAttributesClass";

/// Scopes an object is in or not. The others have values.
pub const FLAGS: &[&str] = &[BEST_EFFORT, NOT_BEST_EFFORT, TERMINATING, NOT_TERMINATING, CROSS_NAMESPACE];

/// Whether the pod is in the scope `Terminating`: it is to end by itself.
pub fn is_terminating_scope(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(is_terminating)
}

fn is_terminating(spec: &PodSpec) -> bool {
    spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0)
}

/// The scopes an object is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scopes {
    flags: Vec<&'static str>,
    /// The scope with values that its kind has, and its values.
    classes: Option<(&'static str, BTreeSet<String>)>,
}

impl Scopes {
    pub(super) fn of_pod(pod: &Pod) -> Self {
        let empty = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&empty);
        let mut flags = vec![
            if is_terminating(spec) { TERMINATING } else { NOT_TERMINATING },
            if pod::qos(spec) == pod::BEST_EFFORT { BEST_EFFORT } else { NOT_BEST_EFFORT },
        ];
        flags.extend(looks_abroad(spec).then_some(CROSS_NAMESPACE));
        Self { flags, classes: Some((PRIORITY_CLASS, names([spec.priority_class_name.as_ref()]))) }
    }

    /// A claim whose class is being changed is of the old and of the new one.
    pub(super) fn of_claim(claim: &PersistentVolumeClaim) -> Self {
        let status = claim.status.as_ref();
        let target = status.and_then(|status| status.modify_volume_status.as_ref());
        let classes = names([
            claim.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.as_ref()),
            status.and_then(|status| status.current_volume_attributes_class_name.as_ref()),
            target.and_then(|target| target.target_volume_attributes_class_name.as_ref()),
        ]);
        Self { flags: Vec::new(), classes: Some((ATTRIBUTES_CLASS, classes)) }
    }

    pub(super) fn are_within(&self, spec: &ResourceQuotaSpec) -> bool {
        let expressions = spec.scope_selector.iter().flat_map(|selector| selector.match_expressions.iter().flatten());
        spec.scopes.iter().flatten().all(|scope| self.exists(scope)) && expressions.into_iter().all(|requirement| self.meet(requirement))
    }

    fn exists(&self, scope: &str) -> bool {
        self.flags.contains(&scope) || self.classes_of(scope).is_some_and(|classes| !classes.is_empty())
    }

    fn meet(&self, requirement: &ScopedResourceSelectorRequirement) -> bool {
        let scope = requirement.scope_name.as_str();
        let Some(classes) = self.classes_of(scope) else { return self.exists(scope) };
        let is_named = |class: &String| requirement.values.iter().flatten().any(|value| value == class);
        match requirement.operator.as_str() {
            "Exists" => !classes.is_empty(),
            "DoesNotExist" => classes.is_empty(),
            "In" => classes.iter().any(is_named),
            "NotIn" => classes.is_empty() || !classes.iter().all(is_named),
            _ => false,
        }
    }

    fn classes_of(&self, scope: &str) -> Option<&BTreeSet<String>> {
        self.classes.as_ref().filter(|(own, _)| *own == scope).map(|(_, classes)| classes)
    }
}

fn names<const N: usize>(names: [Option<&String>; N]) -> BTreeSet<String> {
    names.into_iter().flatten().filter(|name| !name.is_empty()).cloned().collect()
}

/// Whether the pod wants to be near or far from pods of other namespaces.
fn looks_abroad(spec: &PodSpec) -> bool {
    let abroad = |term: &PodAffinityTerm| term.namespaces.iter().flatten().next().is_some() || term.namespace_selector.is_some();
    let any = |required: &Option<Vec<PodAffinityTerm>>, preferred: &Option<Vec<WeightedPodAffinityTerm>>| {
        required.iter().flatten().any(abroad) || preferred.iter().flatten().any(|term| abroad(&term.pod_affinity_term))
    };
    let Some(affinity) = &spec.affinity else { return false };
    let (near, far) = (&affinity.pod_affinity, &affinity.pod_anti_affinity);
    let near = near.as_ref().map(|terms| {
        any(&terms.required_during_scheduling_ignored_during_execution, &terms.preferred_during_scheduling_ignored_during_execution)
    });
    let far = far.as_ref().map(|terms| {
        any(&terms.required_during_scheduling_ignored_during_execution, &terms.preferred_during_scheduling_ignored_during_execution)
    });
    near == Some(true) || far == Some(true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(more: Value) -> Scopes {
        let mut spec = json!({ "containers": [] });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Scopes::of_pod(&serde_json::from_value(json!({ "spec": spec })).unwrap())
    }

    fn within(scopes: &Scopes, quota: Value) -> bool {
        scopes.are_within(&serde_json::from_value(quota).unwrap())
    }

    fn asks(scope: &str, operator: &str, values: &[&str]) -> Value {
        json!({ "scopeSelector": { "matchExpressions": [{ "scopeName": scope, "operator": operator, "values": values }] } })
    }

    #[test]
    fn pods_are_in_scopes_or_not() {
        let limited = json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": "1" } } }] });
        let far = |term: Value| json!({ "affinity": { "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } } });
        let near = |term: Value| {
            let preferred = json!([{ "weight": 1, "podAffinityTerm": term }]);
            json!({ "affinity": { "podAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": preferred } } })
        };
        for (spec, scope, want) in [
            (json!({}), "NotTerminating", true),
            (json!({}), "Terminating", false),
            (json!({ "activeDeadlineSeconds": 0 }), "Terminating", true),
            (json!({}), "BestEffort", true),
            (limited.clone(), "BestEffort", false),
            (limited, "NotBestEffort", true),
            (json!({}), "CrossNamespacePodAffinity", false),
            (far(json!({ "topologyKey": "z" })), "CrossNamespacePodAffinity", false),
            (far(json!({ "topologyKey": "z", "namespaceSelector": {} })), "CrossNamespacePodAffinity", true),
            (near(json!({ "topologyKey": "z", "namespaces": ["other"] })), "CrossNamespacePodAffinity", true),
            (json!({}), "PriorityClass", false),
            (json!({ "priorityClassName": "high" }), "PriorityClass", true),
            (json!({}), "VolumeAttributesClass", false),
        ] {
            let scopes = pod(spec.clone());
            assert_eq!(within(&scopes, json!({ "scopes": [scope] })), want, "{spec} {scope}");
            assert_eq!(within(&scopes, asks(scope, "Exists", &[])), want, "{spec} {scope}");
        }
    }

    #[test]
    fn classes_are_selected_like_labels() {
        let claim =
            |spec: Value, status: Value| Scopes::of_claim(&serde_json::from_value(json!({ "spec": spec, "status": status })).unwrap());
        let none = pod(json!({}));
        let high = pod(json!({ "priorityClassName": "high" }));
        let moving = claim(
            json!({ "volumeAttributesClassName": "gold" }),
            json!({ "currentVolumeAttributesClassName": "silver", "modifyVolumeStatus": { "status": "Pending", "targetVolumeAttributesClassName": "gold" } }),
        );
        for (scopes, quota, want) in [
            (&none, asks("PriorityClass", "DoesNotExist", &[]), true),
            (&none, asks("PriorityClass", "NotIn", &["high"]), true),
            (&none, asks("PriorityClass", "In", &["high"]), false),
            (&high, asks("PriorityClass", "In", &["low", "high"]), true),
            (&high, asks("PriorityClass", "NotIn", &["high"]), false),
            (&high, asks("PriorityClass", "NotIn", &["low"]), true),
            (&high, asks("PriorityClass", "DoesNotExist", &[]), false),
            (&moving, asks("VolumeAttributesClass", "In", &["silver"]), true),
            (&moving, asks("VolumeAttributesClass", "NotIn", &["silver"]), true),
            (&moving, asks("VolumeAttributesClass", "NotIn", &["silver", "gold"]), false),
            (&moving, asks("PriorityClass", "NotIn", &["high"]), false),
        ] {
            assert_eq!(within(scopes, quota.clone()), want, "{scopes:?} {quota}");
        }
    }
}

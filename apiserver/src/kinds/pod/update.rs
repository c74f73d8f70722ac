//! What may change about a pod once it is there: little, because it may already run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Container, ContainerStatus, NodeSelectorTerm, Pod, PodSpec, PodStatus, Toleration};
use mini_api::name;

use super::super::{
    address, difference,
    field::{Errors, Path},
    unset::{list, text},
};

/// The annotation of pods that a kubelet runs by itself and only shows to the API server.
pub(super) const MIRROR: &str = "kubernetes.io/config.mirror";

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// What is wrong with a change of a pod.
pub(super) fn pod(new: &Pod, old: &Pod, errors: &mut Errors) {
    mirror(new.metadata.annotations.as_ref(), old.metadata.annotations.as_ref(), errors);
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return };
    let path = Path::new("spec");
    for (field, new, old) in [
        ("containers", new.containers.len(), old.containers.len()),
        ("initContainers", list(&new.init_containers).len(), list(&old.init_containers).len()),
    ] {
        if new != old {
            return errors.forbidden(&path.child(field), "pod updates may not add or remove containers");
        }
    }
    deadline(new.active_deadline_seconds, old.active_deadline_seconds, &path.child("activeDeadlineSeconds"), errors);
    tolerations(list(&new.tolerations), list(&old.tolerations), &path.child("tolerations"), errors);
    let gates = path.child("schedulingGates");
    for (index, gate) in list(&new.scheduling_gates).iter().enumerate() {
        if !list(&old.scheduling_gates).is_empty() && !list(&old.scheduling_gates).contains(gate) || list(&old.scheduling_gates).is_empty()
        {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{}'", gate.name);
            errors.forbidden(&gates.index(index).child("name"), &detail);
        }
    }
    if new == old {
        return;
    }
    let same = with_what_may_change(new, old, &path, errors);
    if same != *old {
        errors.forbidden(&path, &format!("pod updates may not change fields other than {UPDATABLE}\n{}", difference::of(old, &same)));
    }
}

fn mirror(new: Option<&BTreeMap<String, String>>, old: Option<&BTreeMap<String, String>>, errors: &mut Errors) {
    let of = |annotations: Option<&BTreeMap<String, String>>| annotations.and_then(|annotations| annotations.get(MIRROR)).cloned();
    let metadata = Path::new("metadata");
    let annotations = metadata.child("annotations");
    match (of(new), of(old)) {
        (new, Some(old)) if new.as_ref() != Some(&old) => {
            errors.forbidden(&annotations.key(MIRROR), "may not remove or update mirror pod annotation");
        }
        (Some(_), None) => errors.forbidden(&annotations.key(MIRROR), "may not add mirror pod annotation"),
        _ => {}
    }
}

fn deadline(new: Option<i64>, old: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    match (new, old) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            errors.invalid(path, new, "must be between 0 and 2147483647, inclusive");
        }
        (Some(new), Some(old)) if old < new => errors.invalid(path, new, "must be less than or equal to previous value"),
        (None, Some(_)) => errors.invalid(path, None::<i64>, "must not update from a positive integer to nil value"),
        _ => {}
    }
}

fn tolerations(new: &[Toleration], old: &[Toleration], path: &Path<'_>, errors: &mut Errors) {
    let is_kept = |old: &Toleration| new.iter().any(|new| Toleration { toleration_seconds: new.toleration_seconds, ..old.clone() } == *new);
    if !old.iter().all(is_kept) {
        errors.forbidden(path, "existing toleration can not be modified except its tolerationSeconds");
    }
}

/// The new spec with the old values where they may change. What differs from the old spec then may not.
fn with_what_may_change(new: &PodSpec, old: &PodSpec, path: &Path<'_>, errors: &mut Errors) -> PodSpec {
    let mut same = new.clone();
    let restore = |new: &mut [Container], old: &[Container]| {
        for (new, old) in new.iter_mut().zip(old) {
            new.image.clone_from(&old.image);
        }
    };
    restore(&mut same.containers, &old.containers);
    restore(same.init_containers.as_deref_mut().unwrap_or_default(), list(&old.init_containers));
    same.active_deadline_seconds = old.active_deadline_seconds;
    same.scheduling_gates.clone_from(&old.scheduling_gates);
    same.tolerations.clone_from(&old.tolerations);
    if old.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0) && same.termination_grace_period_seconds == Some(1) {
        same.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    if !list(&old.scheduling_gates).is_empty() {
        narrow(&mut same, old, path, errors);
    }
    same
}

/// A gated pod may still be told more precisely where to run.
fn narrow(same: &mut PodSpec, old: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let is_kept = |(key, value): (&String, &String)| same.node_selector.as_ref().and_then(|new| new.get(key)) == Some(value);
    if !old.node_selector.iter().flatten().all(is_kept) {
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        errors.invalid(&path.child("nodeSelector"), &same.node_selector, detail);
    }
    same.node_selector.clone_from(&old.node_selector);
    let old_affinity = old.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    let new_affinity = same.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    if old_affinity == new_affinity {
        return;
    }
    let terms = |affinity: Option<k8s_openapi::api::core::v1::NodeAffinity>| {
        affinity
            .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution)
            .map(|selector| selector.node_selector_terms)
    };
    let affinity = path.child("affinity");
    let node_affinity = affinity.child("nodeAffinity");
    let required = node_affinity.child("requiredDuringSchedulingIgnoredDuringExecution");
    narrow_terms(&terms(new_affinity).unwrap_or_default(), &terms(old_affinity.clone()).unwrap_or_default(), &required, errors);
    let restored = same.affinity.get_or_insert_default();
    restored.node_affinity = old_affinity;
    if *restored == Affinity::default() && old.affinity.is_none() {
        same.affinity = None;
    }
}

fn narrow_terms(new: &[NodeSelectorTerm], old: &[NodeSelectorTerm], path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("nodeSelectorTerms");
    if old.is_empty() {
        return;
    }
    if new.len() != old.len() {
        return errors.invalid(&path, new, "no additions/deletions to non-empty NodeSelectorTerms list are allowed");
    }
    for (index, (new, old)) in new.iter().zip(old).enumerate() {
        let (expressions, fields) = (list(&old.match_expressions), list(&old.match_fields));
        let was_nothing = expressions.is_empty() && fields.is_empty();
        let is_nothing = list(&new.match_expressions).is_empty() && list(&new.match_fields).is_empty();
        let grows = list(&new.match_expressions).starts_with(expressions) && list(&new.match_fields).starts_with(fields);
        if !grows || (was_nothing && !is_nothing) {
            errors.invalid(&path.index(index), new, "only additions are allowed (no mutations or deletions)");
        }
    }
}

/// What is wrong with a change of the status of a pod.
pub(super) fn status(new: &Pod, old: &Pod, errors: &mut Errors) {
    let path = Path::new("status");
    let empty = PodStatus::default();
    let (status, before) = (new.status.as_ref().unwrap_or(&empty), old.status.as_ref().unwrap_or(&empty));
    let spec = new.spec.as_ref();
    let node = spec.map(|spec| text(&spec.node_name)).unwrap_or_default();
    let conditions = path.child("conditions");
    for (index, condition) in list(&status.conditions).iter().enumerate() {
        let path = conditions.index(index);
        if !matches!(condition.type_.as_str(), "PodScheduled" | "Ready" | "Initialized") {
            errors.invalid_all(&path.child("Type"), &condition.type_, name::qualified_name(&condition.type_));
        }
    }
    let nominated = text(&status.nominated_node_name);
    if nominated != text(&before.nominated_node_name) && !nominated.is_empty() {
        let path = path.child("nominatedNodeName");
        errors.invalid_all(&path, nominated, name::dns1123_subdomain(nominated));
        if !node.is_empty() {
            errors.forbidden(&path, "may not be set on pods that are already bound to a node");
        }
    }
    if let Some(negative) = status.observed_generation.filter(|generation| *generation < 0) {
        errors.invalid(&path.child("observedGeneration"), negative, "must be a non-negative integer");
    }
    if status.qos_class != before.qos_class {
        errors.invalid(&path.child("qosClass"), text(&status.qos_class), "field is immutable");
    }
    if let Some(spec) = spec {
        transitions(status, before, spec, &path, errors);
    }
    let pod_ips: Vec<&str> = list(&status.pod_ips).iter().map(|ip| ip.ip.as_str()).collect();
    addresses(&pod_ips, &path.child("podIPs"), errors);
    let host_ips: Vec<&str> = list(&status.host_ips).iter().map(|ip| ip.ip.as_str()).collect();
    if let Some(first) = host_ips.first().filter(|first| **first != text(&status.host_ip)) {
        let path = path.child("hostIPs");
        errors.invalid(&path.index(0).child("ip"), first, "must be equal to `hostIP`");
    }
    addresses(&host_ips, &path.child("hostIPs"), errors);
}

fn addresses(addresses: &[&str], path: &Path<'_>, errors: &mut Errors) {
    for (index, ip) in addresses.iter().enumerate() {
        address::ip(ip, &path.index(index), errors);
    }
    if addresses.len() > 1 && !address::is_dual_stack(addresses) {
        errors.invalid(path, addresses, "may specify no more than one IP for each IP family");
    }
}

/// A container that has ended and is not to be restarted stays ended.
fn transitions(new: &PodStatus, old: &PodStatus, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let of_pod = text(&spec.restart_policy);
    let restarts = |containers: &[Container], name: &str, exit_code: i32| {
        let container = containers.iter().find(|container| container.name == name);
        let policy = container.and_then(|container| container.restart_policy.as_deref()).unwrap_or(of_pod);
        let has_rules = container.is_some_and(|container| !list(&container.restart_policy_rules).is_empty());
        policy == "Always" || has_rules || (policy == "OnFailure" && exit_code != 0)
    };
    let mut check = |field: &'static str, new: &[ContainerStatus], old: &[ContainerStatus], may_restart: &dyn Fn(&str, i32) -> bool| {
        let path = path.child(field);
        for (index, was) in old.iter().enumerate() {
            let Some(ended) = was.state.as_ref().and_then(|state| state.terminated.as_ref()) else { continue };
            let is_ended = |status: &ContainerStatus| status.state.as_ref().is_some_and(|state| state.terminated.is_some());
            let revived = new.iter().any(|status| status.name == was.name && !is_ended(status));
            if revived && !may_restart(&was.name, ended.exit_code) {
                errors.forbidden(&path.index(index).child("state"), "may not be transitioned to non-terminated state");
            }
        }
    };
    let (regular, init) = (spec.containers.as_slice(), list(&spec.init_containers));
    check("containerStatuses", list(&new.container_statuses), list(&old.container_statuses), &|name, code| restarts(regular, name, code));
    check("initContainerStatuses", list(&new.init_container_statuses), list(&old.init_container_statuses), &|name, code| {
        restarts(init, name, code)
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(extra: Value) -> Pod {
        let mut json = json!({"spec": {"containers": [{"name": "c", "image": "i"}], "tolerations": [{"key": "a", "operator": "Exists"}]}});
        json["spec"].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    fn said(old: Value, new: Value) -> String {
        let mut errors = Errors::new();
        pod(&spec(new), &spec(old), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_may_change() {
        for (old, new, want) in [
            (json!({}), json!({}), ""),
            (json!({}), json!({"containers": [{"name": "c", "image": "j"}]}), ""),
            (json!({}), json!({"activeDeadlineSeconds": 5}), ""),
            (
                json!({"activeDeadlineSeconds": 5}),
                json!({"activeDeadlineSeconds": 6}),
                "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value",
            ),
            (
                json!({"activeDeadlineSeconds": 5}),
                json!({}),
                "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
            ),
            (json!({}), json!({"tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 3}, {"key": "b"}]}), ""),
            (
                json!({}),
                json!({"tolerations": []}),
                "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
            ),
            (json!({}), json!({"containers": []}), "spec.containers: Forbidden: pod updates may not add or remove containers"),
            (
                json!({}),
                json!({"schedulingGates": [{"name": "g"}]}),
                "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'",
            ),
            (json!({"schedulingGates": [{"name": "g"}]}), json!({"nodeSelector": {"a": "b"}}), ""),
        ] {
            assert_eq!(said(old, new), want);
        }
    }

    #[test]
    fn what_differs_is_shown() {
        let said = said(json!({}), json!({"hostNetwork": true}));
        assert!(said.starts_with("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"), "{said}");
        assert!(said.contains("previously negative)\n@@ "), "{said}");
        assert!(said.contains("+ \"hostNetwork\": true,\n"), "{said}");
    }

    #[test]
    fn what_has_ended_stays_ended() {
        let at = |state: Value| -> Pod {
            serde_json::from_value(json!({
                "spec": {"containers": [{"name": "c"}], "restartPolicy": "OnFailure"},
                "status": {"containerStatuses": [{"name": "c", "state": state, "image": "", "imageID": "", "ready": false, "restartCount": 0}]},
            }))
            .unwrap()
        };
        let running = at(json!({"running": {}}));
        for (code, want) in [(0, 1), (1, 0)] {
            let mut errors = Errors::new();
            status(&running, &at(json!({"terminated": {"exitCode": code}})), &mut errors);
            assert_eq!(errors.causes().len(), want, "exit code {code}");
        }
    }
}

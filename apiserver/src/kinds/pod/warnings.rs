//! What a user should know about a pod spec that is accepted.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use mini_api::quantity;

use super::super::unset::{list, text};

/// Labels of nodes that no longer exist, and what there is instead. Absent: nothing.
const OLD_NODE_LABELS: &[(&str, Option<&str>)] = &[
    ("beta.kubernetes.io/arch", Some("kubernetes.io/arch")),
    ("beta.kubernetes.io/instance-type", Some("node.kubernetes.io/instance-type")),
    ("beta.kubernetes.io/os", Some("kubernetes.io/os")),
    ("failure-domain.beta.kubernetes.io/region", Some("topology.kubernetes.io/region")),
    ("failure-domain.beta.kubernetes.io/zone", Some("topology.kubernetes.io/zone")),
];

/// What the user should know about a label of nodes that no longer exists.
pub(in super::super) fn old_node_label(key: &str) -> Option<String> {
    let (_, instead) = OLD_NODE_LABELS.iter().find(|(old, _)| *old == key)?;
    let instead = instead.map(|label| format!("; use {label:?} instead")).unwrap_or_default();
    let since = if key == "beta.kubernetes.io/instance-type" || key.starts_with("failure-domain") { "1.17" } else { "1.14" };
    Some(format!("deprecated since v{since}{instead}"))
}

/// Warnings about a pod.
pub(super) fn pod(pod: &Pod) -> Vec<String> {
    pod.spec.as_ref().map(|spec| self::spec(spec, "spec")).unwrap_or_default()
}

/// Warnings about a pod spec, which is at `path`.
pub(in super::super) fn spec(spec: &PodSpec, path: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for key in spec.node_selector.iter().flatten().map(|(key, _)| key) {
        if let Some(why) = old_node_label(key) {
            warnings.push(format!("{path}.nodeSelector[{key}]: {why}"));
        }
    }
    if spec.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        warnings.push(format!("{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    for (index, secret) in list(&spec.image_pull_secrets).iter().enumerate() {
        if secret.name.is_empty() {
            warnings.push(format!("{path}.imagePullSecrets[{index}].name: invalid empty name {:?}", secret.name));
        }
    }
    for (index, _) in list(&spec.volumes).iter().enumerate().filter(|(_, volume)| volume.git_repo.is_some()) {
        warnings.push(format!("{path}.volumes[{index}].gitRepo: deprecated in v1.11"));
    }
    for (field, containers) in [("containers", spec.containers.as_slice()), ("initContainers", list(&spec.init_containers))] {
        for (index, container) in containers.iter().enumerate() {
            self::container(container, &format!("{path}.{field}[{index}]"), &mut warnings);
        }
    }
    warnings
}

fn container(container: &Container, path: &str, warnings: &mut Vec<String>) {
    let variables = list(&container.env);
    for (index, variable) in variables.iter().enumerate() {
        if variables[..index].iter().any(|earlier| earlier.name == variable.name) {
            warnings.push(format!(
                "{path}.env[{index}]: hides previous definition of {:?}, which may be dropped when using apply",
                variable.name
            ));
        }
    }
    let ports = list(&container.ports);
    for (index, port) in ports.iter().enumerate() {
        let is_same = |earlier: &&k8s_openapi::api::core::v1::ContainerPort| {
            (earlier.container_port, text(&earlier.protocol), earlier.host_port, text(&earlier.host_ip))
                == (port.container_port, text(&port.protocol), port.host_port, text(&port.host_ip))
        };
        if let Some(earlier) = ports[..index].iter().position(|earlier| is_same(&earlier)) {
            warnings.push(format!("{path}.ports[{index}]: duplicate port definition with {path}.ports[{earlier}]"));
        }
    }
    let Some(resources) = &container.resources else { return };
    let empty = BTreeMap::new();
    for (field, quantities) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        let quantities = quantities.as_ref().unwrap_or(&empty);
        for (name, quantity) in quantities.iter().filter(|(name, _)| matches!(name.as_str(), "memory" | "ephemeral-storage")) {
            if quantity::of(quantity).milli() % 1000 != 0 {
                warnings.push(format!(
                    "{path}.resources.{field}[{name}]: fractional byte value {:?} is invalid, must be an integer",
                    quantity.0
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_container() {
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [{
            "name": "c",
            "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
            "ports": [{"containerPort": 80}, {"containerPort": 80}],
            "resources": {"requests": {"memory": "100m"}},
        }], "terminationGracePeriodSeconds": -1}}))
        .unwrap();
        assert_eq!(
            super::pod(&pod),
            [
                "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
                "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply",
                "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
                "spec.containers[0].resources.requests[memory]: fractional byte value \"100m\" is invalid, must be an integer",
            ]
        );
    }
}

//! Nodes: machines that run pods.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{DaemonEndpoint, Node, NodeDaemonEndpoints, Taint};
use mini_api::name;
use serde_json::Value;

use super::{
    Field, address, field,
    field::{Errors, Path},
    pod::{affinity::taint_effect, resources},
    rules::{Column, Rules, column, parts},
    unset::{flag, list, text},
};

/// What lists of Nodes can be selected by.
pub(super) const FIELDS: &[Field] = &[Field { absent: "false", ..field("spec.unschedulable", &["/spec/unschedulable"]) }];

/// What is special about a Node.
pub(super) const RULES: Rules<Node> = Rules {
    defaults,
    validate,
    validate_update,
    validate_status: |new, old, errors| {
        validate(new, errors);
        validate_update(new, old, errors);
    },
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn defaults(node: &mut Node) {
    let spec = node.spec.get_or_insert_default();
    match spec.pod_cidrs.as_ref().and_then(|cidrs| cidrs.first()) {
        Some(first) => spec.pod_cidr = Some(first.clone()),
        None => spec.pod_cidrs = spec.pod_cidr.clone().filter(|cidr| !cidr.is_empty()).map(|cidr| vec![cidr]),
    }
    let status = node.status.get_or_insert_default();
    status.node_info.get_or_insert_default();
    let endpoints = status.daemon_endpoints.get_or_insert_with(NodeDaemonEndpoints::default);
    endpoints.kubelet_endpoint.get_or_insert_with(DaemonEndpoint::default);
    if status.allocatable.is_none() {
        status.allocatable.clone_from(&status.capacity);
    }
}

fn validate(node: &Node, errors: &mut Errors) {
    let (metadata, spec_path) = (Path::new("metadata"), Path::new("spec"));
    if let Some(spec) = &node.spec {
        // Upstream reports taints as if they were metadata.
        taints(list(&spec.taints), &metadata.child("taints"), errors);
        let cidrs = list(&spec.pod_cidrs);
        let path = spec_path.child("podCIDRs");
        for (index, cidr) in cidrs.iter().enumerate() {
            address::cidr(cidr, &path.index(index), errors);
        }
        if cidrs.len() > 1 && !address::is_dual_stack(&cidrs.iter().map(String::as_str).collect::<Vec<_>>()) {
            errors.invalid(&path, cidrs, "may specify no more than one CIDR for each IP family");
        }
    }
    let Some(status) = &node.status else { return };
    let path = Path::new("status");
    for (field, quantities) in [("capacity", &status.capacity), ("allocatable", &status.allocatable)] {
        for (name, quantity) in quantities.iter().flatten() {
            let list = path.child(field);
            resources::amount(name, quantity, &list.child(name), errors);
        }
    }
}

fn taints(taints: &[Taint], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        errors.invalid_all(&path.child("key"), &taint.key, name::qualified_name(&taint.key));
        let wrong = name::label_value(text(&taint.value));
        if !wrong.is_empty() {
            errors.invalid(&path.child("value"), text(&taint.value), &wrong.join(";"));
        }
        taint_effect(&taint.effect, &path.child("effect"), errors);
        if !seen.insert((taint.key.as_str(), taint.effect.as_str())) {
            errors.duplicate(&path, ShownTaint::from(taint));
            errors.explain("taints must be unique by key and effect pair");
        }
    }
}

/// A taint as messages show it.
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownTaint<'a> {
    key: &'a str,
    value: &'a str,
    effect: &'a str,
    time_added: &'a Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
}

impl<'a> From<&'a Taint> for ShownTaint<'a> {
    fn from(taint: &'a Taint) -> Self {
        Self { key: &taint.key, value: text(&taint.value), effect: &taint.effect, time_added: &taint.time_added }
    }
}

fn validate_update(new: &Node, old: &Node, errors: &mut Errors) {
    let path = Path::new("status");
    let addresses = new.status.iter().flat_map(|status| list(&status.addresses));
    let mut seen = BTreeSet::new();
    for (index, address) in addresses.enumerate() {
        if !seen.insert((address.type_.as_str(), address.address.as_str())) {
            #[derive(serde::Serialize)]
            #[serde(rename_all = "PascalCase")]
            struct Shown<'a> {
                r#type: &'a str,
                address: &'a str,
            }
            let path = path.child("addresses");
            errors.duplicate(&path.index(index), Shown { r#type: &address.type_, address: &address.address });
        }
    }
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return };
    let path = Path::new("spec");
    if !list(&old.pod_cidrs).is_empty() && list(&old.pod_cidrs) != list(&new.pod_cidrs) {
        errors.forbidden(&path.child("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid");
    }
    if !text(&old.provider_id).is_empty() && old.provider_id != new.provider_id {
        errors.forbidden(&path.child("providerID"), "node updates may not change providerID except from \"\" to valid");
    }
    if text(&old.external_id) != text(&new.external_id) {
        errors.forbidden(&path.child("externalID"), "may not be updated");
    }
}

const COLUMNS: &[Column<Node>] = &[
    Column::name(),
    column("Status", |node: &Node, _| Value::from(status(node))).about("The status of the node"),
    column("Roles", |node: &Node, _| Value::from(roles(node))).about("The roles of the node"),
    Column::age(),
    column("Version", |node: &Node, _| {
        let info = node.status.as_ref().and_then(|status| status.node_info.as_ref());
        Value::from(info.map(|info| info.kubelet_version.as_str()).unwrap_or_default())
    })
    .about("Kubelet Version reported by the node."),
    column("Internal-IP", |node: &Node, _| Value::from(ip(node, "InternalIP"))).wide(),
    column("External-IP", |node: &Node, _| Value::from(ip(node, "ExternalIP"))).wide(),
    column("OS-Image", |node: &Node, _| info(node, |info| &info.os_image)).wide(),
    column("Kernel-Version", |node: &Node, _| info(node, |info| &info.kernel_version)).wide(),
    column("Container-Runtime", |node: &Node, _| info(node, |info| &info.container_runtime_version)).wide(),
];

fn status(node: &Node) -> String {
    let conditions = node.status.iter().flat_map(|status| list(&status.conditions));
    let ready = conditions.filter(|condition| condition.type_ == "Ready").map(|condition| condition.status == "True").next_back();
    let ready = match ready {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    };
    let is_closed = node.spec.as_ref().is_some_and(|spec| flag(spec.unschedulable));
    if is_closed { format!("{ready},SchedulingDisabled") } else { ready.to_owned() }
}

fn roles(node: &Node) -> String {
    let labels = node.metadata.labels.iter().flatten();
    let role = |(key, value): (&String, &String)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()).filter(|role| !role.is_empty()),
        None => (key == "kubernetes.io/role" && !value.is_empty()).then(|| value.clone()),
    };
    let roles: BTreeSet<String> = labels.filter_map(role).collect();
    if roles.is_empty() { "<none>".to_owned() } else { roles.into_iter().collect::<Vec<_>>().join(",") }
}

fn ip(node: &Node, kind: &str) -> String {
    let mut addresses = node.status.iter().flat_map(|status| list(&status.addresses));
    addresses.find(|address| address.type_ == kind).map_or_else(|| "<none>".to_owned(), |address| address.address.clone())
}

fn info(node: &Node, field: fn(&k8s_openapi::api::core::v1::NodeSystemInfo) -> &String) -> Value {
    let info = node.status.as_ref().and_then(|status| status.node_info.as_ref()).map(field);
    Value::from(info.map(String::as_str).filter(|value| !value.is_empty()).unwrap_or("<unknown>"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(json: Value) -> Node {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_minimal_one() {
        let mut minimal =
            node(json!({"metadata": {"name": "n"}, "spec": {"podCIDR": "10.0.0.0/24"}, "status": {"capacity": {"cpu": "1"}}}));
        defaults(&mut minimal);
        let once = minimal.clone();
        defaults(&mut minimal);
        assert_eq!(minimal, once);
        let json = serde_json::to_value(&minimal).unwrap();
        assert_eq!(json["spec"]["podCIDRs"], json!(["10.0.0.0/24"]));
        assert_eq!(json["status"]["allocatable"], json!({"cpu": "1"}));
        assert_eq!(json["status"]["daemonEndpoints"], json!({"kubeletEndpoint": {"Port": 0}}));
        assert_eq!(json["status"]["nodeInfo"]["kubeletVersion"], "");
    }

    #[test]
    fn cells() {
        let shown = node(json!({
            "metadata": {"labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": ""}},
            "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "Unknown"}], "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
        }));
        assert_eq!(status(&shown), "NotReady,SchedulingDisabled");
        assert_eq!(roles(&shown), "control-plane,worker");
        assert_eq!((ip(&shown, "InternalIP"), ip(&shown, "ExternalIP")), ("10.0.0.1".to_owned(), "<none>".to_owned()));
        assert_eq!(status(&node(json!({}))), "Unknown");
    }

    #[test]
    fn what_may_not_change() {
        let (old, new) = (node(json!({"spec": {"podCIDRs": ["10.0.0.0/24"]}})), node(json!({"spec": {}})));
        let mut errors = Errors::new();
        validate_update(&new, &old, &mut errors);
        assert_eq!(errors.to_string(), "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid");
        validate_update(&old, &new, &mut Errors::new());
    }

    #[test]
    fn taints_are_unique() {
        let tainted = node(
            json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "No"}]}}),
        );
        let mut errors = Errors::new();
        validate(&tainted, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[metadata.taints[1]: Duplicate value: {\"Key\":\"a\",\"Value\":\"\",\"Effect\":\"NoSchedule\",\"TimeAdded\":null}: taints must be unique by key and effect pair, metadata.taints[2].effect: Unsupported value: \"No\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"]"
        );
    }
}

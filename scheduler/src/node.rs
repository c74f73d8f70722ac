//! What scheduling knows of a node: the few fields it watches, and the form in which the node table keeps them.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    ClusterResourceScope,
    api::core::v1::Taint,
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::ObjectMeta},
};
use serde::Deserialize;

use crate::{amounts::Amounts, meta};

/// The part of a Node that is decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    unschedulable: bool,
    taints: Option<Vec<Taint>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Status {
    allocatable: Option<BTreeMap<String, Quantity>>,
}

meta::view_of!(NodeView, "Node", "nodes", ClusterResourceScope);

/// A node as the node table keeps it: what the Node object says, without the pods on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeInfo {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`: the node is cordoned.
    pub unschedulable: bool,
    /// `status.allocatable`.
    pub allocatable: Amounts,
}

impl NodeInfo {
    /// A node of this name that has nothing else yet.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl From<NodeView> for NodeInfo {
    fn from(view: NodeView) -> Self {
        Self {
            name: view.metadata.name.unwrap_or_default().into(),
            labels: view.metadata.labels.unwrap_or_default(),
            taints: view.spec.taints.unwrap_or_default(),
            unschedulable: view.spec.unschedulable,
            allocatable: view.status.allocatable.as_ref().map(Amounts::of_list).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_read() {
        let view: NodeView = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "node-0001", "labels": {"zone": "a"}, "managedFields": [{"manager": "x"}]},
            "spec": {"unschedulable": true, "taints": [{"key": "k", "effect": "NoSchedule"}], "podCIDR": "10.0.0.0/24"},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}, "conditions": []}
        }))
        .unwrap();
        let node = NodeInfo::from(view);
        assert_eq!((&*node.name, node.unschedulable, node.taints.len()), ("node-0001", true, 1));
        assert_eq!((node.allocatable.cpu, node.allocatable.pods, node.labels["zone"].as_str()), (4000, 110, "a"));
    }

    #[test]
    fn a_bare_node_is_read() {
        let view: NodeView = serde_json::from_value(json!({"metadata": {"name": "n"}})).unwrap();
        assert_eq!(NodeInfo::from(view), NodeInfo::named("n"));
    }
}

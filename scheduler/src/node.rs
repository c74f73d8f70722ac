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
    images: Option<Vec<ImageView>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageView {
    names: Option<Vec<String>>,
    #[serde(default)]
    size_bytes: i64,
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
    /// `status.images`: each name of an image, sorted, and the image's bytes.
    pub images: Vec<(Arc<str>, i64)>,
}

impl NodeInfo {
    /// Whether a pod may come to the one exactly when it may come to the other: they differ at most in what makes a node better.
    #[must_use]
    pub fn admits_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.unschedulable == other.unschedulable
            && self.labels == other.labels
            && self.taints == other.taints
            && self.allocatable == other.allocatable
    }

    /// How many bytes an image has that is on the node.
    #[must_use]
    pub fn image_size(&self, name: &str) -> Option<i64> {
        self.images.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|at| self.images[at].1)
    }

    /// A node of this name that has nothing else yet.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl From<NodeView> for NodeInfo {
    fn from(view: NodeView) -> Self {
        let images = view.status.images.unwrap_or_default().into_iter();
        let mut images: Vec<(Arc<str>, i64)> =
            images.flat_map(|image| image.names.unwrap_or_default().into_iter().map(move |name| (name.into(), image.size_bytes))).collect();
        images.sort_unstable();
        images.dedup_by(|one, other| one.0 == other.0);
        Self {
            images,
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
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}, "conditions": [],
                "images": [{"names": ["nginx@sha256:1", "nginx:1.7.9"], "sizeBytes": 90}, {"names": ["busybox:latest"]}]}
        }))
        .unwrap();
        let node = NodeInfo::from(view);
        assert_eq!((&*node.name, node.unschedulable, node.taints.len()), ("node-0001", true, 1));
        assert_eq!(["busybox:latest", "nginx:1.7.9", "nginx"].map(|name| node.image_size(name)), [Some(0), Some(90), None]);
        assert_eq!((node.allocatable.cpu, node.allocatable.pods, node.labels["zone"].as_str()), (4000, 110, "a"));
    }

    #[test]
    fn a_bare_node_is_read() {
        let view: NodeView = serde_json::from_value(json!({"metadata": {"name": "n"}})).unwrap();
        assert_eq!(NodeInfo::from(view), NodeInfo::named("n"));
    }
}

//! What scheduling knows of a namespace: its labels.

use std::collections::BTreeMap;

use k8s_openapi::{ClusterResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Deserialize;

use crate::{
    cluster::{Key, Keyed},
    meta,
};

/// The part of a Namespace that is decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct NamespaceView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
}

meta::view_of!(NamespaceView, "Namespace", "namespaces", ClusterResourceScope);

/// A namespace as plugins see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceInfo {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
}

impl Keyed for NamespaceInfo {
    fn key(&self) -> Key {
        (String::new(), self.name.clone())
    }
}

impl From<NamespaceView> for NamespaceInfo {
    fn from(view: NamespaceView) -> Self {
        Self { name: view.metadata.name.unwrap_or_default(), labels: view.metadata.labels.unwrap_or_default() }
    }
}

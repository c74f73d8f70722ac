//! What scheduling knows of a Service: which pods it leads to, for those are spread.

use std::collections::BTreeMap;

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Deserialize;

use crate::{
    cluster::{Key, Keyed},
    meta,
};

/// The part of a Service that is decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Spec {
    selector: Option<BTreeMap<String, String>>,
}

meta::view_of!(ServiceView, "Service", "services", NamespaceResourceScope);

/// A Service as plugins see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceInfo {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.selector`; empty for a Service that leads to no pods.
    pub selector: BTreeMap<String, String>,
}

impl Keyed for ServiceInfo {
    fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }
}

impl From<ServiceView> for ServiceInfo {
    fn from(view: ServiceView) -> Self {
        Self {
            namespace: view.metadata.namespace.unwrap_or_default(),
            name: view.metadata.name.unwrap_or_default(),
            selector: view.spec.selector.unwrap_or_default(),
        }
    }
}

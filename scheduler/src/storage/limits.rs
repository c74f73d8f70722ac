//! What scheduling knows of a CSINode: how many volumes of each driver the node takes.

use std::collections::BTreeMap;

use k8s_openapi::{ClusterResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serde::Deserialize;

use crate::{
    cluster::{Key, Keyed},
    meta,
};

/// The part of a CSINode that is decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct LimitsView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Spec {
    drivers: Option<Vec<Driver>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Driver {
    name: String,
    allocatable: Option<Allocatable>,
}

#[derive(Clone, Debug, Deserialize)]
struct Allocatable {
    count: Option<i64>,
}

meta::view_of!(LimitsView, "storage.k8s.io/v1", "CSINode", "csinodes", ClusterResourceScope);

/// The limits of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsInfo {
    /// The node's name.
    pub node: String,
    /// How many volumes it takes, by driver. Drivers that are not named have no limit.
    pub most: BTreeMap<String, usize>,
}

impl Keyed for LimitsInfo {
    fn key(&self) -> Key {
        (String::new(), self.node.clone())
    }
}

impl From<LimitsView> for LimitsInfo {
    fn from(view: LimitsView) -> Self {
        let most = |driver: Driver| Some((driver.name, usize::try_from(driver.allocatable?.count?).unwrap_or(0)));
        let drivers = view.spec.drivers.unwrap_or_default();
        Self { node: view.metadata.name.unwrap_or_default(), most: drivers.into_iter().filter_map(most).collect() }
    }
}

//! Where there is room to make volumes: what drivers publish as CSIStorageCapacity, if their CSIDriver says that they do.

use std::collections::BTreeMap;

use k8s_openapi::{
    ClusterResourceScope, NamespaceResourceScope,
    api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass},
    apimachinery::pkg::{
        api::resource::Quantity as ApiQuantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
    },
};
use mini_api::{
    quantity::{self, Quantity},
    selector::Selector,
    volume,
};
use serde::Deserialize;

use super::Storage;
use crate::{
    cluster::{Key, Keyed},
    meta,
};

/// The part of a CSIDriver that is decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct DriverView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: DriverSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DriverSpec {
    storage_capacity: Option<bool>,
}

meta::view_of!(DriverView, "storage.k8s.io/v1", "CSIDriver", "csidrivers", ClusterResourceScope);

/// The part of a CSIStorageCapacity that is decoded.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomView {
    #[serde(deserialize_with = "meta::slim")]
    metadata: ObjectMeta,
    storage_class_name: String,
    node_topology: Option<LabelSelector>,
    capacity: Option<ApiQuantity>,
    maximum_volume_size: Option<ApiQuantity>,
}

meta::view_of!(RoomView, "storage.k8s.io/v1", "CSIStorageCapacity", "csistoragecapacities", NamespaceResourceScope);

/// A driver of volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverInfo {
    /// Its name, which is also that of the provisioner in its classes.
    pub name: String,
    /// It says how much room it has.
    pub tells_room: bool,
}

impl Keyed for DriverInfo {
    fn key(&self) -> Key {
        (String::new(), self.name.clone())
    }
}

impl From<DriverView> for DriverInfo {
    fn from(view: DriverView) -> Self {
        Self { name: view.metadata.name.unwrap_or_default(), tells_room: view.spec.storage_capacity == Some(true) }
    }
}

/// Room for volumes of a class at some nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomInfo {
    key: Key,
    class: String,
    /// The nodes that reach it; nothing when none does.
    nodes: Option<Selector>,
    /// The largest volume there may be; nothing when that is not known.
    largest: Option<Quantity>,
}

impl Keyed for RoomInfo {
    fn key(&self) -> Key {
        self.key.clone()
    }
}

impl From<RoomView> for RoomInfo {
    fn from(view: RoomView) -> Self {
        Self {
            key: (view.metadata.namespace.unwrap_or_default(), view.metadata.name.unwrap_or_default()),
            class: view.storage_class_name,
            nodes: view.node_topology.and_then(|topology| Selector::from_label_selector(&topology).ok()),
            largest: view.maximum_volume_size.or(view.capacity).as_ref().map(quantity::of),
        }
    }
}

impl Storage {
    /// Whether there is room for a claim's volume at a node, as far as the driver of its class says anything about that.
    pub(crate) fn has_room(&self, claim: &PersistentVolumeClaim, class: &StorageClass, node: &BTreeMap<String, String>) -> bool {
        if !self.drivers.get("", &class.provisioner).is_some_and(|driver| driver.tells_room) {
            return true;
        }
        let (wanted, class) = (volume::requested(claim), class.metadata.name.as_deref().unwrap_or_default());
        self.rooms.all().any(|room| {
            let reached = room.nodes.as_ref().is_some_and(|nodes| nodes.matches_labels(Some(node)));
            room.class == class && reached && room.largest.is_some_and(|largest| largest >= wanted)
        })
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn room_is_where_a_driver_says() {
        let class: StorageClass = serde_json::from_value(json!({"metadata": {"name": "fast"}, "provisioner": "d"})).unwrap();
        let claim = json!({"spec": {"resources": {"requests": {"storage": "10Gi"}}}});
        let claim: PersistentVolumeClaim = serde_json::from_value(claim).unwrap();
        let here = json!({"matchLabels": {"zone": "a"}});
        let room = |more: Value| {
            let mut room =
                json!({"metadata": {"name": "r", "namespace": "n"}, "storageClassName": "fast", "nodeTopology": here, "capacity": "20Gi"});
            more.as_object().unwrap().iter().for_each(|(field, value)| room[field] = value.clone());
            Some(room)
        };
        for (tells, room, wanted) in [
            (None, None, true),
            (Some(false), None, true),
            (Some(true), None, false),
            (Some(true), room(json!({})), true),
            (Some(true), room(json!({"storageClassName": "slow"})), false),
            (Some(true), room(json!({"capacity": "9Gi"})), false),
            (Some(true), room(json!({"capacity": "10Gi"})), true),
            (Some(true), room(json!({"capacity": null})), false),
            (Some(true), room(json!({"maximumVolumeSize": "9Gi"})), false),
            (Some(true), room(json!({"capacity": "1Gi", "maximumVolumeSize": "10Gi"})), true),
            (Some(true), room(json!({"nodeTopology": null})), false),
            (Some(true), room(json!({"nodeTopology": {}})), true),
            (Some(true), room(json!({"nodeTopology": {"matchLabels": {"zone": "b"}}})), false),
        ] {
            let mut storage = Storage::default();
            if let Some(tells) = tells {
                let driver: DriverView =
                    serde_json::from_value(json!({"metadata": {"name": "d"}, "spec": {"storageCapacity": tells}})).unwrap();
                storage.drivers.apply(Event::Apply(driver.into()));
            }
            if let Some(room) = &room {
                storage.rooms.apply(Event::Apply(serde_json::from_value::<RoomView>(room.clone()).unwrap().into()));
            }
            let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
            assert_eq!(storage.has_room(&claim, &class, &labels), wanted, "{tells:?} {room:?}");
        }
    }
}

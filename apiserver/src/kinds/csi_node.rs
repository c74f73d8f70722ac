//! CSINodes: which storage drivers run on a node.

use std::collections::BTreeSet;

use k8s_openapi::api::storage::v1::{CSINode, CSINodeDriver};
use mini_api::name;
use serde::Serialize;
use serde_json::Value;

use super::{
    Conversion,
    count::not_negative,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    storage_name,
    unset::list,
};

/// The longest name a driver has for a node, in bytes.
const NODE_ID_MAX: usize = 192;

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some("storage.k8s.io/v1beta1 CSINode is deprecated in v1.17+, unavailable in v1.22+; use storage.k8s.io/v1 CSINode"),
    ..Conversion::NONE
};

/// What is special about a CSINode.
pub(super) const RULES: Rules<CSINode> = Rules {
    validate,
    validate_update,
    columns: &[
        Column::name(),
        column("Drivers", |node: &CSINode, _| Value::from(node.spec.drivers.len()))
            .integer()
            .about("Drivers indicates the number of CSI drivers registered on the node"),
        Column::age(),
    ],
    ..Rules::NONE
};

fn validate(node: &CSINode, errors: &mut Errors) {
    let spec = Path::new("spec");
    let path = spec.child("drivers");
    let mut seen = BTreeSet::new();
    for (index, driver) in node.spec.drivers.iter().enumerate() {
        let path = path.index(index);
        validate_driver(driver, &path, errors);
        if !seen.insert(driver.name.as_str()) {
            errors.duplicate(&path.child("name"), &driver.name);
        }
        topology_keys(list(&driver.topology_keys), &path, errors);
    }
}

fn validate_driver(driver: &CSINodeDriver, path: &Path<'_>, errors: &mut Errors) {
    storage_name::driver(&driver.name, &path.child("name"), errors);
    let id = path.child("nodeID");
    if driver.node_id.is_empty() {
        errors.required(&id, "");
    }
    if driver.node_id.len() > NODE_ID_MAX {
        errors.invalid(&id, &driver.node_id, &format!("must be {NODE_ID_MAX} characters or less"));
    }
    if let Some(allocatable) = &driver.allocatable {
        not_negative(allocatable.count, &path.child("allocatable").child("count"), errors);
    }
}

/// What is wrong with the labels that tell where a driver's storage can be reached; upstream reports it at the driver.
fn topology_keys(keys: &[String], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for key in keys {
        if key.is_empty() {
            errors.required(path, "");
        }
        if !seen.insert(key) {
            errors.duplicate(path, key);
        }
        errors.invalid_all(path, key, name::qualified_name(key));
    }
}

/// A driver as messages show it. How much it can hold may change, so it counts as not set.
#[derive(PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    name: &'a str,
    #[serde(rename = "NodeID")]
    node_id: &'a str,
    topology_keys: &'a Option<Vec<String>>,
    allocatable: Option<()>,
}

impl<'a> From<&'a CSINodeDriver> for Shown<'a> {
    fn from(driver: &'a CSINodeDriver) -> Self {
        Self { name: &driver.name, node_id: &driver.node_id, topology_keys: &driver.topology_keys, allocatable: None }
    }
}

fn validate_update(new: &CSINode, old: &CSINode, errors: &mut Errors) {
    let spec = Path::new("spec");
    for before in old.spec.drivers.iter().map(Shown::from) {
        for now in new.spec.drivers.iter().map(Shown::from).filter(|now| now.name == before.name && *now != before) {
            errors.invalid(&spec.child("drivers"), now, "field is immutable");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(driver: Value) -> CSINode {
        serde_json::from_value(json!({"spec": {"drivers": [driver]}})).unwrap()
    }

    #[test]
    fn drivers_stay_as_they_are() {
        let old = node(json!({"name": "d", "nodeID": "n", "allocatable": {"count": 1}}));
        let mut errors = Errors::new();
        validate_update(&node(json!({"name": "d", "nodeID": "n", "allocatable": {"count": 2}})), &old, &mut errors);
        assert!(errors.is_empty());
        validate_update(&node(json!({"name": "d", "nodeID": "m"})), &old, &mut errors);
        assert_eq!(
            errors.to_string(),
            r#"spec.drivers: Invalid value: {"Name":"d","NodeID":"m","TopologyKeys":null,"Allocatable":null}: field is immutable"#
        );
    }

    #[test]
    fn what_is_wrong() {
        let mut errors = Errors::new();
        validate(&node(json!({"name": "d", "nodeID": "", "allocatable": {"count": -1}, "topologyKeys": ["a", "a"]})), &mut errors);
        assert_eq!(
            errors.to_string(),
            "[spec.drivers[0].nodeID: Required value, spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0, spec.drivers[0]: Duplicate value: \"a\"]"
        );
    }
}

//! CSIStorageCapacities: how much storage of a class there is for some nodes.

use k8s_openapi::{
    api::storage::v1::CSIStorageCapacity,
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::LabelSelector},
};
use mini_api::{name, quantity};

use super::{
    Conversion,
    field::{Errors, Path},
    pod::warnings::old_node_label,
    rules::Rules,
    selector,
    unset::list,
};

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some(
        "storage.k8s.io/v1beta1 CSIStorageCapacity is deprecated in v1.24+, unavailable in v1.27+; use storage.k8s.io/v1 CSIStorageCapacity",
    ),
    ..Conversion::NONE
};

/// What is special about a CSIStorageCapacity.
pub(super) const RULES: Rules<CSIStorageCapacity> = Rules { validate, validate_update, warnings, ..Rules::NONE };

fn validate(capacity: &CSIStorageCapacity, errors: &mut Errors) {
    if let Some(nodes) = &capacity.node_topology {
        selector::label_selector(nodes, &Path::new("nodeTopology"), errors);
    }
    let class = capacity.storage_class_name.as_str();
    errors.invalid_all(&Path::new("storageClassName"), class, name::dns1123_subdomain(class));
    not_below_zero(capacity.capacity.as_ref(), &Path::new("capacity"), errors);
    not_below_zero(capacity.maximum_volume_size.as_ref(), &Path::new("maximumVolumeSize"), errors);
}

fn not_below_zero(amount: Option<&Quantity>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(amount) = amount.filter(|amount| quantity::of(amount).signum() < 0) {
        errors.invalid(path, &amount.0, name::NON_NEGATIVE);
    }
}

fn validate_update(new: &CSIStorageCapacity, old: &CSIStorageCapacity, errors: &mut Errors) {
    if new.node_topology != old.node_topology {
        let shown = new.node_topology.as_ref().map(selector::Shown);
        errors.invalid(&Path::new("nodeTopology"), shown, "field is immutable");
    }
    if new.storage_class_name != old.storage_class_name {
        errors.invalid(&Path::new("storageClassName"), &new.storage_class_name, "field is immutable");
    }
}

fn warnings(capacity: &CSIStorageCapacity) -> Vec<String> {
    let empty = LabelSelector::default();
    let nodes = capacity.node_topology.as_ref().unwrap_or(&empty);
    let expressions = list(&nodes.match_expressions).iter().enumerate().filter_map(|(index, wanted)| {
        let why = old_node_label(&wanted.key)?;
        Some(format!("nodeTopology.matchExpressions[{index}]: {} is {why}", wanted.key))
    });
    let labels = nodes.match_labels.iter().flatten();
    let labels = labels.filter_map(|(key, _)| Some(format!("nodeTopology.matchLabels.{key}: {}", old_node_label(key)?)));
    expressions.chain(labels).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_it_is_about_stays() {
        let capacity = |json| -> CSIStorageCapacity { serde_json::from_value(json).unwrap() };
        let (old, new) = (
            capacity(json!({"storageClassName": "a", "nodeTopology": {"matchLabels": {"zone": "a"}}})),
            capacity(json!({"storageClassName": "b", "capacity": "-1"})),
        );
        let mut errors = Errors::new();
        validate(&new, &mut errors);
        validate_update(&new, &old, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[capacity: Invalid value: \"-1\": must be greater than or equal to 0, nodeTopology: Invalid value: null: field is immutable, storageClassName: Invalid value: \"b\": field is immutable]"
        );
    }
}

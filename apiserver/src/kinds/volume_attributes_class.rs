//! VolumeAttributesClasses: what about a volume can be changed while it is used.

use k8s_openapi::api::storage::v1::VolumeAttributesClass;
use serde_json::Value;

use super::{
    field::{Errors, Path},
    rules::{Column, Rules, column},
    storage_name::{parameters, provisioner},
};

/// What is special about a VolumeAttributesClass.
pub(super) const RULES: Rules<VolumeAttributesClass> = Rules {
    validate,
    validate_update: |new, old, errors| {
        if new.driver_name != old.driver_name {
            errors.forbidden(&Path::new("driverName"), "updates to driverName are forbidden.");
        }
        if new.parameters.clone().unwrap_or_default() != old.parameters.clone().unwrap_or_default() {
            errors.forbidden(&Path::new("parameters"), "updates to parameters are forbidden.");
        }
    },
    columns: &[
        Column::name(),
        column("DriverName", |class: &VolumeAttributesClass, _| Value::from(class.driver_name.clone()))
            .about("Name of the CSI driver This field is immutable."),
        Column::age(),
    ],
    ..Rules::NONE
};

fn validate(class: &VolumeAttributesClass, errors: &mut Errors) {
    provisioner(&class.driver_name, &Path::new("driverName"), errors);
    let path = Path::new("parameters");
    parameters(class.parameters.as_ref(), &path, errors);
    if class.parameters.as_ref().is_none_or(std::collections::BTreeMap::is_empty) {
        errors.required(&path, "must contain at least one key/value pair");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_must_say_something() {
        let mut errors = Errors::new();
        validate(&VolumeAttributesClass::default(), &mut errors);
        assert_eq!(
            errors.to_string(),
            "[driverName: Required value, parameters: Required value: must contain at least one key/value pair]"
        );
    }
}

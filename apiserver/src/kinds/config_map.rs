//! ConfigMaps: text and bytes under keys.

use k8s_openapi::api::core::v1::ConfigMap;
use mini_api::name;
use serde_json::Value;

use super::{
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::flag,
};

/// The most bytes a ConfigMap or Secret holds.
pub(super) const MAX_SIZE: usize = 1024 * 1024;
/// Why what is sealed does not change.
pub(super) const SEALED: &str = "field is immutable when `immutable` is set";

/// What is special about a ConfigMap.
pub(super) const RULES: Rules<ConfigMap> = Rules {
    validate,
    validate_update,
    columns: &[
        Column::name(),
        column("Data", |config_map: &ConfigMap, _| {
            Value::from(
                config_map.data.as_ref().map_or(0, |data| data.len()) + config_map.binary_data.as_ref().map_or(0, |data| data.len()),
            )
        })
        .about("Number of data entries."),
        Column::age(),
    ],
    ..Rules::NONE
};

fn validate(config_map: &ConfigMap, errors: &mut Errors) {
    let (data, binary) = (Path::new("data"), Path::new("binaryData"));
    let mut size = 0;
    for (key, value) in config_map.data.iter().flatten() {
        errors.invalid_all(&data.key(key), key, name::config_map_key(key));
        if config_map.binary_data.as_ref().is_some_and(|binary| binary.contains_key(key)) {
            errors.invalid(&data.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.len();
    }
    for (key, value) in config_map.binary_data.iter().flatten() {
        errors.invalid_all(&binary.key(key), key, name::config_map_key(key));
        size += value.0.len();
    }
    if size > MAX_SIZE {
        errors.too_long(&Path::new(""), MAX_SIZE);
    }
}

fn validate_update(new: &ConfigMap, old: &ConfigMap, errors: &mut Errors) {
    if !flag(old.immutable) {
        return;
    }
    if !flag(new.immutable) {
        errors.forbidden(&Path::new("immutable"), SEALED);
    }
    if new.data.clone().unwrap_or_default() != old.data.clone().unwrap_or_default() {
        errors.forbidden(&Path::new("data"), SEALED);
    }
    if new.binary_data.clone().unwrap_or_default() != old.binary_data.clone().unwrap_or_default() {
        errors.forbidden(&Path::new("binaryData"), SEALED);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(json: Value) -> ConfigMap {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn keys() {
        let mut errors = Errors::new();
        validate(&config_map(json!({"data": {"a": "x"}, "binaryData": {"a": "eA=="}})), &mut errors);
        assert_eq!(errors.to_string(), "data[a]: Invalid value: \"a\": duplicate of key present in binaryData");
        let mut errors = Errors::new();
        validate(&config_map(json!({"data": {"a": "x".repeat(MAX_SIZE + 1)}})), &mut errors);
        assert_eq!(errors.to_string(), ": Too long: may not be more than 1048576 bytes");
    }

    #[test]
    fn sealed_ones_stay() {
        let mut errors = Errors::new();
        let old = config_map(json!({"immutable": true, "data": {"a": "1"}}));
        validate_update(&config_map(json!({"data": {"a": "2"}})), &old, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[immutable: Forbidden: field is immutable when `immutable` is set, data: Forbidden: field is immutable when `immutable` is set]"
        );
    }
}

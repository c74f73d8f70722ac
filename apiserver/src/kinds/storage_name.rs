//! Names that the kinds of storage give each other: drivers, classes, secrets, provisioners. Knows no kind.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::SecretReference;
use mini_api::name;

use super::{
    field::{Errors, Path},
    unset::text,
};

/// The longest name of a CSI driver, in bytes.
const DRIVER_MAX: usize = 63;
/// The most parameters a class has.
const MAX_PARAMETERS: usize = 512;
/// The most bytes the parameters of a class have.
const MAX_PARAMETERS_SIZE: usize = 256 * 1024;

/// What is wrong with the name of a CSI driver.
pub(super) fn driver(driver: &str, path: &Path<'_>, errors: &mut Errors) {
    if driver.is_empty() {
        errors.required(path, "");
    }
    if driver.len() > DRIVER_MAX {
        errors.too_long(path, DRIVER_MAX);
    }
    errors.invalid_all(path, driver, name::dns1123_subdomain(&driver.to_lowercase()));
}

/// What is wrong with the name of a class, if one is named.
pub(super) fn class(class: &str, path: &Path<'_>, errors: &mut Errors) {
    if !class.is_empty() {
        errors.invalid_all(path, class, name::dns1123_subdomain(class));
    }
}

/// What is wrong with the name of what makes volumes.
pub(super) fn provisioner(provisioner: &str, path: &Path<'_>, errors: &mut Errors) {
    if provisioner.is_empty() {
        return errors.required(path, "");
    }
    let lower = provisioner.to_lowercase();
    errors.invalid_all(path, &lower, name::qualified_name(&lower));
}

/// What is wrong with what a class tells its driver.
pub(super) fn parameters(parameters: Option<&BTreeMap<String, String>>, path: &Path<'_>, errors: &mut Errors) {
    let Some(parameters) = parameters else { return };
    if parameters.len() > MAX_PARAMETERS {
        return errors.too_long(path, MAX_PARAMETERS);
    }
    if parameters.contains_key("") {
        errors.invalid(path, "", "field can not be empty.");
    }
    if parameters.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_PARAMETERS_SIZE {
        errors.too_long(path, MAX_PARAMETERS_SIZE);
    }
}

/// A secret that is named must be named in full.
pub(super) fn secret_is_named(secret: &SecretReference, path: &Path<'_>, errors: &mut Errors) {
    for (field, value) in [("name", &secret.name), ("namespace", &secret.namespace)] {
        if text(value).is_empty() {
            errors.required(&path.child(field), "");
        }
    }
}

/// What is wrong with the name and namespace of a secret.
pub(super) fn secret(secret: &SecretReference, path: &Path<'_>, errors: &mut Errors) {
    secret_is_named(secret, path, errors);
    let (name, namespace) = (text(&secret.name), text(&secret.namespace));
    if !name.is_empty() {
        errors.invalid_all(&path.child("name"), name, name::dns1123_subdomain(name));
    }
    if !namespace.is_empty() {
        errors.invalid_all(&path.child("namespace"), namespace, name::dns1123_label(namespace));
    }
}

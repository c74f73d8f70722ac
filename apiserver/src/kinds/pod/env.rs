//! The environment of a container.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, EnvVarSource};
use mini_api::name;

use super::{
    super::{
        field::{Errors, Path},
        unset::text,
    },
    downward,
    volume::{no_backsteps, required},
};

/// What is wrong with the variables of a container.
pub(super) fn variables(variables: &[EnvVar], path: &Path<'_>, errors: &mut Errors) {
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        if variable.name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            errors.invalid_all(&path.child("name"), &variable.name, name::env_var(&variable.name));
        }
        if let Some(source) = &variable.value_from {
            value_from(source, text(&variable.value), &path.child("valueFrom"), errors);
        }
    }
}

fn value_from(source: &EnvVarSource, value: &str, path: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    if let Some(field) = &source.field_ref {
        count += 1;
        downward::field(field, downward::ENV_FIELDS, &path.child("fieldRef"), errors);
    }
    if let Some(resource) = &source.resource_field_ref {
        count += 1;
        downward::resource(resource, false, &path.child("resourceFieldRef"), errors);
    }
    if let Some(selector) = &source.config_map_key_ref {
        count += 1;
        key_of(&selector.name, &selector.key, &path.child("configMapKeyRef"), errors);
    }
    if let Some(selector) = &source.secret_key_ref {
        count += 1;
        key_of(&selector.name, &selector.key, &path.child("secretKeyRef"), errors);
    }
    if let Some(selector) = &source.file_key_ref {
        count += 1;
        let path = path.child("fileKeyRef");
        required(&selector.key, &path.child("key"), errors);
        required(&selector.volume_name, &path.child("volumeName"), errors);
        required(&selector.path, &path.child("path"), errors);
        no_backsteps(&selector.path, &path.child("path"), errors);
    }
    match count {
        0 => errors.invalid(
            path,
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        _ if !value.is_empty() => errors.invalid(path, "", "may not be specified when `value` is not empty"),
        1 => {}
        _ => errors.invalid(path, "", "may not have more than one field specified at a time"),
    }
}

fn key_of(object: &str, key: &str, path: &Path<'_>, errors: &mut Errors) {
    errors.invalid_all(&path.child("name"), object, name::dns1123_subdomain(object));
    if key.is_empty() {
        errors.required(&path.child("key"), "");
    } else {
        errors.invalid_all(&path.child("key"), key, name::config_map_key(key));
    }
}

/// What is wrong with the objects that give a container all their keys as variables.
pub(super) fn sources(sources: &[EnvFromSource], path: &Path<'_>, errors: &mut Errors) {
    for (index, source) in sources.iter().enumerate() {
        let here = path.index(index);
        let prefix = text(&source.prefix);
        if !prefix.is_empty() {
            errors.invalid_all(&here.child("prefix"), prefix, name::env_var(prefix));
        }
        let config_map = source.config_map_ref.as_ref().map(|source| ("configMapRef", &source.name));
        let secret = source.secret_ref.as_ref().map(|source| ("secretRef", &source.name));
        for (field, object) in config_map.into_iter().chain(secret) {
            let object_path = here.child(field);
            if object.is_empty() {
                errors.required(&object_path.child("name"), "");
            } else {
                errors.invalid_all(&object_path.child("name"), object, name::dns1123_subdomain(object));
            }
        }
        match (config_map, secret) {
            (None, None) => errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
            (Some(_), Some(_)) => errors.invalid(path, "", "may not have more than one field specified at a time"),
            _ => {}
        }
    }
}

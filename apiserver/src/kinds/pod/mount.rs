//! Where a container finds the volumes of its pod.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Volume, VolumeMount};

use super::{
    super::{
        field::{Errors, Path},
        unset::{flag, list, text},
    },
    security::one_of,
    volume::{descending_path, no_backsteps},
};

/// What is wrong with the mounts of a container; `volumes` are those of its pod.
pub(super) fn mounts(container: &Container, volumes: &[&Volume], path: &Path<'_>, errors: &mut Errors) {
    let devices = list(&container.volume_devices);
    let mut points = BTreeSet::new();
    for (index, mount) in list(&container.volume_mounts).iter().enumerate() {
        let here = path.index(index);
        if mount.name.is_empty() {
            errors.required(&here.child("name"), "");
        }
        if !volumes.iter().any(|volume| volume.name == mount.name) {
            errors.not_found(&here.child("name"), &mount.name);
        }
        if mount.mount_path.is_empty() {
            errors.required(&here.child("mountPath"), "");
        }
        if !points.insert(mount.mount_path.as_str()) {
            errors.invalid(&here.child("mountPath"), &mount.mount_path, "must be unique");
        }
        if devices.iter().any(|device| device.name == mount.name) {
            errors.invalid(&here.child("name"), &mount.name, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|device| device.device_path == mount.mount_path) {
            errors.invalid(&here.child("mountPath"), &mount.mount_path, "must not already exist as a path in volumeDevices");
        }
        options(mount, container, path, &here, errors);
    }
}

/// How a volume is mounted. Upstream reports most of it at the list (`path`), not at the mount (`here`).
fn options(mount: &VolumeMount, container: &Container, path: &Path<'_>, here: &Path<'_>, errors: &mut Errors) {
    let (sub_path, expression) = (text(&mount.sub_path), text(&mount.sub_path_expr));
    if !sub_path.is_empty() {
        descending_path(sub_path, &path.child("subPath"), errors);
    }
    if !expression.is_empty() {
        if !sub_path.is_empty() {
            errors.invalid(&here.child("subPathExpr"), expression, "subPathExpr and subPath are mutually exclusive");
        }
        descending_path(expression, &path.child("subPathExpr"), errors);
    }
    let propagation = path.child("mountPropagation");
    one_of(&mount.mount_propagation, &["Bidirectional", "HostToContainer", "None"], &propagation, errors);
    let is_privileged = container.security_context.as_ref().is_some_and(|security| flag(security.privileged));
    if mount.mount_propagation.as_deref() == Some("Bidirectional") && !is_privileged {
        errors.forbidden(&propagation, "Bidirectional mount propagation is available only to privileged containers");
    }
    let recursive = path.child("recursiveReadOnly");
    match mount.recursive_read_only.as_deref() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !flag(mount.read_only) {
                errors.forbidden(&recursive, "may only be specified when readOnly is true");
            }
            if mount.mount_propagation.as_deref().is_some_and(|propagation| propagation != "None") {
                errors.forbidden(&recursive, "may only be specified when mountPropagation is None or not specified");
            }
        }
        Some(other) => errors.unsupported(&recursive, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// What is wrong with the raw devices of a container; `volumes` are those of its pod.
pub(super) fn devices(container: &Container, volumes: &[&Volume], path: &Path<'_>, errors: &mut Errors) {
    let mounts = list(&container.volume_mounts);
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in list(&container.volume_devices).iter().enumerate() {
        let path = path.index(index);
        let (name, at) = (path.child("name"), path.child("devicePath"));
        if device.name.is_empty() {
            errors.required(&name, "");
        } else if !names.insert(device.name.as_str()) {
            errors.invalid(&name, &device.name, "must be unique");
        }
        match volumes.iter().find(|volume| volume.name == device.name) {
            None => errors.not_found(&name, &device.name),
            Some(volume) if volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none() => {
                errors.invalid(&name, &device.name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
            }
            Some(_) => {}
        }
        if device.device_path.is_empty() {
            errors.required(&at, "");
        }
        if !paths.insert(device.device_path.as_str()) {
            errors.invalid(&at, &device.device_path, "must be unique");
        }
        let mut steps = Errors::new();
        no_backsteps(&device.device_path, &at, &mut steps);
        if !steps.is_empty() {
            errors.invalid(&at, &device.device_path, "can not contain backsteps ('..')");
        }
        if mounts.iter().any(|mount| mount.name == device.name) {
            errors.invalid(&name, &device.name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|mount| mount.mount_path == device.device_path) {
            errors.invalid(&at, &device.device_path, "must not already exist as a path in volumeMounts");
        }
    }
}

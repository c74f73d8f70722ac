//! Volume sources that name storage outside the cluster. No node of ours mounts them; what upstream would refuse is refused.

use k8s_openapi::api::core::v1::{AzureDiskVolumeSource, CSIVolumeSource, ISCSIVolumeSource, Volume};

use super::{
    super::{
        field::{Errors, Path},
        storage_name,
        unset::{flag, list, text},
    },
    volume::{descending_path, required},
};

/// What is wrong with the source of a volume, which is at `path`.
pub(in super::super) fn source(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let mut need = |value: &str, field: &str| required(value, &path.child(field), errors);
    if let Some(source) = &volume.git_repo {
        need(&source.repository, "repository");
        descending_path(text(&source.directory), &path.child("directory"), errors);
    } else if let Some(source) = &volume.gce_persistent_disk {
        need(&source.pd_name, "pdName");
        partition(source.partition, path, errors);
    } else if let Some(source) = &volume.aws_elastic_block_store {
        need(&source.volume_id, "volumeID");
        partition(source.partition, path, errors);
    } else if let Some(source) = &volume.nfs {
        need(&source.server, "server");
        need(&source.path, "path");
        if !source.path.starts_with('/') {
            errors.invalid(&path.child("path"), &source.path, "must be an absolute path");
        }
    } else if let Some(source) = &volume.iscsi {
        iscsi(source, path, errors);
    } else if let Some(source) = &volume.glusterfs {
        need(&source.endpoints, "endpoints");
        need(&source.path, "path");
    } else if let Some(source) = &volume.rbd {
        need(source.monitors.first().map_or("", |_| "some"), "monitors");
        need(&source.image, "image");
    } else if let Some(source) = &volume.cinder {
        need(&source.volume_id, "volumeID");
    } else if let Some(source) = &volume.cephfs {
        need(source.monitors.first().map_or("", |_| "some"), "monitors");
    } else if let Some(source) = &volume.quobyte {
        need(&source.volume, "volume");
    } else if let Some(source) = &volume.flex_volume {
        need(&source.driver, "driver");
    } else if let Some(source) = &volume.azure_file {
        need(&source.secret_name, "secretName");
        need(&source.share_name, "shareName");
    } else if let Some(source) = &volume.azure_disk {
        azure_disk(source, path, errors);
    } else {
        rest(volume, path, errors);
    }
}

fn rest(volume: &Volume, path: &Path<'_>, errors: &mut Errors) {
    let mut need = |value: &str, field: &str| required(value, &path.child(field), errors);
    if let Some(source) = &volume.vsphere_volume {
        need(&source.volume_path, "volumePath");
    } else if let Some(source) = &volume.photon_persistent_disk {
        need(&source.pd_id, "pdID");
    } else if let Some(source) = &volume.portworx_volume {
        need(&source.volume_id, "volumeID");
    } else if let Some(source) = &volume.scale_io {
        need(&source.gateway, "gateway");
        need(&source.system, "system");
        need(text(&source.volume_name), "volumeName");
    } else if let Some(source) = &volume.storageos {
        need(text(&source.volume_name), "volumeName");
    } else if let Some(source) = &volume.csi {
        csi(source, path, errors);
    } else if let Some(source) = &volume.flocker {
        match (text(&source.dataset_name), text(&source.dataset_uuid)) {
            ("", "") => errors.required(path, "one of datasetName and datasetUUID is required"),
            (_, "") | ("", _) => {}
            _ => errors.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"),
        }
    } else if let Some(source) = &volume.fc {
        let names = path.child("targetWWNs");
        match (list(&source.target_wwns), list(&source.wwids)) {
            ([], []) => errors.required(&names, "must specify either targetWWNs or wwids, but not both"),
            ([], _) => {}
            (targets, [_, ..]) => errors.invalid(&names, targets, "targetWWNs and wwids can not be specified simultaneously"),
            (_, []) if source.lun.is_none() => errors.required(&path.child("lun"), "lun is required if targetWWNs is specified"),
            _ => {}
        }
    }
}

fn partition(partition: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(number) = partition.filter(|number| !(0..=255).contains(number)) {
        errors.invalid(&path.child("partition"), number, "must be between 1 and 255, inclusive");
    }
}

fn iscsi(source: &ISCSIVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    required(&source.target_portal, &path.child("targetPortal"), errors);
    if source.iqn.is_empty() {
        errors.required(&path.child("iqn"), "");
    } else if !["iqn", "eui", "naa"].iter().any(|prefix| source.iqn.starts_with(prefix)) {
        errors.invalid(&path.child("iqn"), &source.iqn, "must be valid format starting with iqn, eui, or naa");
    }
    if !(0..=255).contains(&source.lun) {
        errors.invalid(&path.child("lun"), source.lun, "must be between 0 and 255, inclusive");
    }
    if (flag(source.chap_auth_discovery) || flag(source.chap_auth_session)) && source.secret_ref.is_none() {
        errors.required(&path.child("secretRef"), "");
    }
}

fn azure_disk(source: &AzureDiskVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    required(&source.disk_name, &path.child("diskName"), errors);
    required(&source.disk_uri, &path.child("diskURI"), errors);
    let caching = ["None", "ReadOnly", "ReadWrite"];
    if let Some(mode) = source.caching_mode.as_deref().filter(|mode| !caching.contains(mode)) {
        errors.unsupported(&path.child("cachingMode"), mode, &caching);
    }
    let kinds = ["Dedicated", "Managed", "Shared"];
    if let Some(kind) = source.kind.as_deref().filter(|kind| !kinds.contains(kind)) {
        errors.unsupported(&path.child("kind"), kind, &kinds);
    }
}

fn csi(source: &CSIVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    storage_name::driver(&source.driver, &path.child("driver"), errors);
    if source.node_publish_secret_ref.as_ref().is_some_and(|secret| secret.name.is_empty()) {
        errors.required(&path.child("nodePublishSecretRef").child("name"), "");
    }
}

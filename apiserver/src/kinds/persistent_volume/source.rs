//! Where the storage of a PersistentVolume is: exactly one source, most of them as pods have them.

use k8s_openapi::api::core::v1::{
    AzureFilePersistentVolumeSource, CSIPersistentVolumeSource, CephFSVolumeSource, CinderVolumeSource, FlexVolumeSource,
    GlusterfsPersistentVolumeSource, GlusterfsVolumeSource, ISCSIPersistentVolumeSource, ISCSIVolumeSource, LocalVolumeSource,
    PersistentVolumeSpec, RBDVolumeSource, ScaleIOVolumeSource, StorageOSPersistentVolumeSource, Volume,
};
use mini_api::name;

use super::{
    super::{
        field::{Errors, Path},
        pod::{
            defaults::azure_disk,
            storage,
            volume::{host_path, no_backsteps, required},
        },
        storage_name::{driver, secret, secret_is_named},
        unset::{default_text, text},
    },
    Place,
};

/// The sources a volume can have, in the order upstream looks for them, and which of them it has.
fn sources(spec: &PersistentVolumeSpec) -> [(&'static str, bool); 22] {
    [
        ("hostPath", spec.host_path.is_some()),
        ("gcePersistentDisk", spec.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", spec.aws_elastic_block_store.is_some()),
        ("glusterfs", spec.glusterfs.is_some()),
        ("flocker", spec.flocker.is_some()),
        ("nfs", spec.nfs.is_some()),
        ("rbd", spec.rbd.is_some()),
        ("quobyte", spec.quobyte.is_some()),
        ("cephFS", spec.cephfs.is_some()),
        ("iscsi", spec.iscsi.is_some()),
        ("cinder", spec.cinder.is_some()),
        ("fc", spec.fc.is_some()),
        ("flexVolume", spec.flex_volume.is_some()),
        ("azureFile", spec.azure_file.is_some()),
        ("vsphereVolume", spec.vsphere_volume.is_some()),
        ("photonPersistentDisk", spec.photon_persistent_disk.is_some()),
        ("portworxVolume", spec.portworx_volume.is_some()),
        ("azureDisk", spec.azure_disk.is_some()),
        ("scaleIO", spec.scale_io.is_some()),
        ("local", spec.local.is_some()),
        ("storageos", spec.storageos.is_some()),
        ("csi", spec.csi.is_some()),
    ]
}

/// The spec with its source only.
pub(super) fn of(spec: &PersistentVolumeSpec) -> PersistentVolumeSpec {
    PersistentVolumeSpec {
        access_modes: None,
        capacity: None,
        claim_ref: None,
        mount_options: None,
        node_affinity: None,
        persistent_volume_reclaim_policy: None,
        storage_class_name: None,
        volume_attributes_class_name: None,
        volume_mode: None,
        ..spec.clone()
    }
}

/// Fills in what a source leaves out.
pub(in super::super) fn defaults(spec: &mut PersistentVolumeSpec) {
    if let Some(source) = &mut spec.host_path {
        source.type_.get_or_insert_default();
    }
    if let Some(source) = &mut spec.rbd {
        default_text(&mut source.pool, "rbd");
        default_text(&mut source.user, "admin");
        default_text(&mut source.keyring, "/etc/ceph/keyring");
    }
    if let Some(source) = &mut spec.iscsi {
        default_text(&mut source.iscsi_interface, "default");
    }
    if let Some(source) = &mut spec.azure_disk {
        azure_disk(source);
    }
    if let Some(source) = &mut spec.scale_io {
        default_text(&mut source.storage_mode, "ThinProvisioned");
        default_text(&mut source.fs_type, "xfs");
    }
}

/// What is wrong with the source of a volume. The spec is at `path`.
pub(super) fn validate(spec: &PersistentVolumeSpec, place: Place, path: &Path<'_>, errors: &mut Errors) {
    let mut first = None;
    for (name, _) in sources(spec).into_iter().filter(|(_, there)| *there) {
        match first {
            None => one(spec, name, path, errors),
            // Upstream does not count this one.
            Some(_) if name == "flexVolume" => one(spec, name, path, errors),
            Some(_) => errors.forbidden(&path.child(name), "may not specify more than 1 volume type"),
        }
        first.get_or_insert(name);
    }
    if first.is_none() {
        errors.required(path, "must specify a volume type");
    }
    if first == Some("local") && (spec.node_affinity.is_none() || place == Place::Inline) {
        errors.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
    }
    let is_root = |path: &str| path.split('/').all(|step| matches!(step, "" | ".")) && path.starts_with('/');
    if spec.host_path.as_ref().is_some_and(|source| is_root(&source.path)) && text(&spec.persistent_volume_reclaim_policy) == "Recycle" {
        errors.forbidden(&path.child("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'");
    }
}

/// What is wrong with the one source of a volume, which upstream calls `source`.
fn one(spec: &PersistentVolumeSpec, source: &str, parent: &Path<'_>, errors: &mut Errors) {
    // Upstream names two fields differently here than where it counts sources.
    let path = parent.child(match source {
        "gcePersistentDisk" => "persistentDisk",
        "cephFS" => "cephfs",
        other => other,
    });
    match source {
        "hostPath" => spec.host_path.iter().for_each(|source| host_path(source, &path, errors)),
        "azureFile" => spec.azure_file.iter().for_each(|source| azure_file(source, &path, errors)),
        "local" => spec.local.iter().for_each(|source| local(source, &path, errors)),
        "storageos" => spec.storageos.iter().for_each(|source| storage_os(source, &path, errors)),
        "csi" => spec.csi.iter().for_each(|source| csi(source, &path, errors)),
        _ => storage::source(&in_pod(spec, source), &path, errors),
    }
    match source {
        "glusterfs" => spec.glusterfs.iter().for_each(|source| endpoints_namespace(source, &path, errors)),
        "cinder" => {
            if let Some(of) = spec.cinder.as_ref().and_then(|source| source.secret_ref.as_ref()) {
                secret_is_named(of, &path.child("secretRef"), errors);
            }
        }
        "iscsi" => spec.iscsi.iter().for_each(|source| iscsi_secret(source, &path, errors)),
        _ => {}
    }
}

/// The same source as a pod would have it, as far as the rules of pods look at it.
fn in_pod(spec: &PersistentVolumeSpec, source: &str) -> Volume {
    let mut volume = Volume::default();
    match source {
        "gcePersistentDisk" => volume.gce_persistent_disk.clone_from(&spec.gce_persistent_disk),
        "awsElasticBlockStore" => volume.aws_elastic_block_store.clone_from(&spec.aws_elastic_block_store),
        "flocker" => volume.flocker.clone_from(&spec.flocker),
        "nfs" => volume.nfs.clone_from(&spec.nfs),
        "quobyte" => volume.quobyte.clone_from(&spec.quobyte),
        "fc" => volume.fc.clone_from(&spec.fc),
        "vsphereVolume" => volume.vsphere_volume.clone_from(&spec.vsphere_volume),
        "photonPersistentDisk" => volume.photon_persistent_disk.clone_from(&spec.photon_persistent_disk),
        "portworxVolume" => volume.portworx_volume.clone_from(&spec.portworx_volume),
        "azureDisk" => volume.azure_disk.clone_from(&spec.azure_disk),
        _ => with_secrets_elsewhere(spec, source, &mut volume),
    }
    volume
}

/// The sources of which pods have a type of their own, because their secrets are in the namespace of the pod.
fn with_secrets_elsewhere(spec: &PersistentVolumeSpec, source: &str, volume: &mut Volume) {
    match source {
        "glusterfs" => {
            volume.glusterfs = spec.glusterfs.clone().map(|source| GlusterfsVolumeSource {
                endpoints: source.endpoints,
                path: source.path,
                read_only: source.read_only,
            });
        }
        "rbd" => {
            let rbd = |source: k8s_openapi::api::core::v1::RBDPersistentVolumeSource| RBDVolumeSource {
                image: source.image,
                monitors: source.monitors,
                ..RBDVolumeSource::default()
            };
            volume.rbd = spec.rbd.clone().map(rbd);
        }
        "cephFS" => {
            volume.cephfs =
                spec.cephfs.clone().map(|source| CephFSVolumeSource { monitors: source.monitors, ..CephFSVolumeSource::default() });
        }
        "cinder" => {
            volume.cinder =
                spec.cinder.clone().map(|source| CinderVolumeSource { volume_id: source.volume_id, ..CinderVolumeSource::default() });
        }
        "flexVolume" => {
            volume.flex_volume =
                spec.flex_volume.clone().map(|source| FlexVolumeSource { driver: source.driver, ..FlexVolumeSource::default() });
        }
        "iscsi" => {
            volume.iscsi = spec.iscsi.clone().map(|source| ISCSIVolumeSource {
                target_portal: source.target_portal,
                iqn: source.iqn,
                lun: source.lun,
                chap_auth_discovery: source.chap_auth_discovery,
                chap_auth_session: source.chap_auth_session,
                secret_ref: source.secret_ref.map(|_| Default::default()),
                ..ISCSIVolumeSource::default()
            });
        }
        "scaleIO" => {
            volume.scale_io = spec.scale_io.clone().map(|source| ScaleIOVolumeSource {
                gateway: source.gateway,
                system: source.system,
                volume_name: source.volume_name,
                ..ScaleIOVolumeSource::default()
            });
        }
        _ => {}
    }
}

fn endpoints_namespace(source: &GlusterfsPersistentVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let Some(namespace) = source.endpoints_namespace.as_deref() else { return };
    let path = path.child("endpointsNamespace");
    if namespace.is_empty() {
        errors.invalid(&path, namespace, "if the endpointnamespace is set, it must be a valid namespace name");
    }
    errors.invalid_all(&path, namespace, name::dns1123_label(namespace));
}

fn iscsi_secret(source: &ISCSIPersistentVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    if let Some(secret) = source.secret_ref.as_ref().filter(|secret| text(&secret.name).is_empty()) {
        required(text(&secret.name), &path.child("secretRef").child("name"), errors);
    }
}

fn azure_file(source: &AzureFilePersistentVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    required(&source.secret_name, &path.child("secretName"), errors);
    required(&source.share_name, &path.child("shareName"), errors);
    if let Some(namespace) = source.secret_namespace.as_deref() {
        required(namespace, &path.child("secretNamespace"), errors);
    }
}

fn local(source: &LocalVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    required(&source.path, &path.child("path"), errors);
    no_backsteps(&source.path, &path.child("path"), errors);
}

fn storage_os(source: &StorageOSPersistentVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    required(text(&source.volume_name), &path.child("volumeName"), errors);
    for (field, value) in [("volumeName", text(&source.volume_name)), ("volumeNamespace", text(&source.volume_namespace))] {
        if !value.is_empty() {
            errors.invalid_all(&path.child(field), value, name::dns1123_label(value));
        }
    }
    if let Some(secret) = &source.secret_ref {
        let path = path.child("secretRef");
        required(text(&secret.name), &path.child("name"), errors);
        required(text(&secret.namespace), &path.child("namespace"), errors);
    }
}

fn csi(source: &CSIPersistentVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    driver(&source.driver, &path.child("driver"), errors);
    required(&source.volume_handle, &path.child("volumeHandle"), errors);
    for (field, named) in [
        ("controllerPublishSecretRef", &source.controller_publish_secret_ref),
        ("controllerExpandSecretRef", &source.controller_expand_secret_ref),
        ("nodePublishSecretRef", &source.node_publish_secret_ref),
        ("nodeExpandSecretRef", &source.node_expand_secret_ref),
    ] {
        if let Some(named) = named {
            secret(named, &path.child(field), errors);
        }
    }
}

/// What the user should know about the source: those that are on their way out.
pub(super) fn warnings(spec: &PersistentVolumeSpec) -> Vec<String> {
    let old = [
        ("cephfs", spec.cephfs.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
        ("photonPersistentDisk", spec.photon_persistent_disk.is_some(), "deprecated in v1.11, non-functional in v1.16+"),
        ("scaleIO", spec.scale_io.is_some(), "deprecated in v1.16, non-functional in v1.22+"),
        ("storageOS", spec.storageos.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", spec.glusterfs.is_some(), "deprecated in v1.25, non-functional in v1.26+"),
        ("rbd", spec.rbd.is_some(), "deprecated in v1.28, non-functional in v1.31+"),
    ];
    old.into_iter().filter(|(_, there, _)| *there).map(|(field, _, since)| format!("spec.{field}: {since}")).collect()
}

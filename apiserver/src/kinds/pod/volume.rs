//! Volumes of a pod: exactly one source each, and what each source needs.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, EphemeralVolumeSource, HostPathVolumeSource, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection,
};
use mini_api::{name, quantity};

use super::{
    super::{
        field::{Errors, Path},
        persistent_volume_claim,
        unset::{list, text},
    },
    Context,
    container::pull_policy,
    downward, storage,
};

const HOST_PATH_TYPES: &[&str] = &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// The sources a volume can have, in the order upstream looks for them, and which of them it has.
fn sources(volume: &Volume) -> [(&'static str, bool); 30] {
    [
        ("emptyDir", volume.empty_dir.is_some()),
        ("hostPath", volume.host_path.is_some()),
        ("gitRepo", volume.git_repo.is_some()),
        ("gcePersistentDisk", volume.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", volume.aws_elastic_block_store.is_some()),
        ("secret", volume.secret.is_some()),
        ("nfs", volume.nfs.is_some()),
        ("iscsi", volume.iscsi.is_some()),
        ("glusterfs", volume.glusterfs.is_some()),
        ("flocker", volume.flocker.is_some()),
        ("persistentVolumeClaim", volume.persistent_volume_claim.is_some()),
        ("rbd", volume.rbd.is_some()),
        ("cinder", volume.cinder.is_some()),
        ("cephFS", volume.cephfs.is_some()),
        ("quobyte", volume.quobyte.is_some()),
        ("downwardAPI", volume.downward_api.is_some()),
        ("fc", volume.fc.is_some()),
        ("flexVolume", volume.flex_volume.is_some()),
        ("configMap", volume.config_map.is_some()),
        ("azureFile", volume.azure_file.is_some()),
        ("vsphereVolume", volume.vsphere_volume.is_some()),
        ("photonPersistentDisk", volume.photon_persistent_disk.is_some()),
        ("portworxVolume", volume.portworx_volume.is_some()),
        ("azureDisk", volume.azure_disk.is_some()),
        ("storageos", volume.storageos.is_some()),
        ("projected", volume.projected.is_some()),
        ("scaleIO", volume.scale_io.is_some()),
        ("csi", volume.csi.is_some()),
        ("ephemeral", volume.ephemeral.is_some()),
        ("image", volume.image.is_some()),
    ]
}

/// Whether it has a source at all.
pub(super) fn has_source(volume: &Volume) -> bool {
    sources(volume).iter().any(|(_, there)| *there)
}

/// What is wrong with the volumes of a pod. Returns those with which nothing is: containers can mount only them.
pub(super) fn volumes<'a>(volumes: &'a [Volume], context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) -> Vec<&'a Volume> {
    let mut good: Vec<&Volume> = Vec::with_capacity(volumes.len());
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let mut found = Errors::new();
        source(volume, context, &path, &mut found);
        let name_path = path.child("name");
        if volume.name.is_empty() {
            found.required(&name_path, "");
        } else {
            found.invalid_all(&name_path, &volume.name, name::dns1123_label(&volume.name));
        }
        if good.iter().any(|other| other.name == volume.name) {
            found.duplicate(&name_path, &volume.name);
        }
        if found.is_empty() {
            good.push(volume);
        } else {
            errors.extend(found);
        }
    }
    good
}

fn source(volume: &Volume, context: &Context<'_>, path: &Path<'_>, errors: &mut Errors) {
    let mut present = sources(volume).into_iter().filter(|(_, there)| *there).map(|(name, _)| name);
    match present.next() {
        // Upstream names this one field differently here than where it counts sources.
        Some(first) => one(volume, context, path, if first == "cephFS" { "cephfs" } else { first }, errors),
        None => errors.required(path, "must specify a volume type"),
    }
    for other in present {
        // Upstream's spelling of this one is a typo that clients see.
        let shown = if other == "downwardAPI" { "downwarAPI" } else { other };
        errors.forbidden(&path.child(shown), "may not specify more than 1 volume type");
    }
}

/// What is wrong with the source of a volume, which is the field `source`. Those people use are here, the others in [`storage`].
fn one(volume: &Volume, context: &Context<'_>, parent: &Path<'_>, source: &str, errors: &mut Errors) {
    let path = parent.child(source);
    if let Some(source) = &volume.empty_dir {
        if source.size_limit.as_ref().is_some_and(|limit| quantity::of(limit).signum() < 0) {
            errors.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
        }
    } else if let Some(source) = &volume.host_path {
        host_path(source, &path, errors);
    } else if let Some(source) = &volume.secret {
        required(text(&source.secret_name), &path.child("secretName"), errors);
        mode(source.default_mode, &path.child("defaultMode"), errors);
        items(list(&source.items), &path.child("items"), errors);
    } else if let Some(source) = &volume.config_map {
        required(&source.name, &path.child("name"), errors);
        mode(source.default_mode, &path.child("defaultMode"), errors);
        items(list(&source.items), &path.child("items"), errors);
    } else if let Some(source) = &volume.persistent_volume_claim {
        required(&source.claim_name, &path.child("claimName"), errors);
    } else if let Some(source) = &volume.downward_api {
        mode(source.default_mode, &path.child("defaultMode"), errors);
        for file in list(&source.items) {
            downward_file(file, &path, errors);
        }
    } else if let Some(source) = &volume.projected {
        projected(source, &path, errors);
    } else if let Some(source) = &volume.ephemeral {
        ephemeral(source, &volume.name, context, parent, errors);
    } else if let Some(source) = &volume.image {
        if context.pod.is_some() {
            required(text(&source.reference), &path.child("reference"), errors);
        }
        pull_policy(text(&source.pull_policy), &path.child("pullPolicy"), errors);
    } else {
        storage::source(volume, &path, errors);
    }
}

/// A string must not be empty.
pub(in super::super) fn required(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.required(path, "");
    }
}

fn mode(mode: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.invalid(path, mode, MODE);
    }
}

/// What is wrong with a path of the node.
pub(in super::super) fn host_path(source: &HostPathVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    if source.path.is_empty() {
        return errors.required(&path.child("path"), "");
    }
    no_backsteps(&source.path, &path.child("path"), errors);
    if let Some(kind) = source.type_.as_deref().filter(|kind| !HOST_PATH_TYPES.contains(kind)) {
        errors.unsupported(&path.child("type"), kind, HOST_PATH_TYPES);
    }
}

fn items(items: &[KeyToPath], path: &Path<'_>, errors: &mut Errors) {
    for (index, item) in items.iter().enumerate() {
        key_to_path(item, &path.index(index), errors);
    }
}

fn key_to_path(item: &KeyToPath, path: &Path<'_>, errors: &mut Errors) {
    required(&item.key, &path.child("key"), errors);
    required(&item.path, &path.child("path"), errors);
    local_path(&item.path, &path.child("path"), errors);
    mode(item.mode, &path.child("mode"), errors);
}

fn downward_file(file: &DownwardAPIVolumeFile, path: &Path<'_>, errors: &mut Errors) {
    required(&file.path, &path.child("path"), errors);
    local_path(&file.path, &path.child("path"), errors);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), resource) => {
            downward::field(field, downward::FILE_FIELDS, &path.child("fieldRef"), errors);
            if resource.is_some() {
                errors.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
            }
        }
        (None, Some(resource)) => downward::resource(resource, true, &path.child("resourceFieldRef"), errors),
        (None, None) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(file.mode, &path.child("mode"), errors);
}

fn projected(source: &ProjectedVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    mode(source.default_mode, &path.child("defaultMode"), errors);
    let mut paths = BTreeSet::new();
    let sources = path.child("sources");
    for (index, one) in list(&source.sources).iter().enumerate() {
        projection(one, path, &sources.index(index), &mut paths, errors);
    }
}

/// One source of a projected volume. `volume` is where the whole volume is: upstream reports clashes there.
fn projection<'a>(source: &'a VolumeProjection, volume: &Path<'_>, path: &Path<'_>, paths: &mut BTreeSet<&'a str>, errors: &mut Errors) {
    let mut claim = |file: &'a str, about: &str, errors: &mut Errors| {
        if !file.is_empty() && !paths.insert(file) {
            errors.invalid(volume, about, "conflicting duplicate paths");
        }
    };
    let mut named = |kind: &'static str, name: &str, items: &'a [KeyToPath], errors: &mut Errors| {
        let path = path.child(kind);
        required(name, &path.child("name"), errors);
        let path = path.child("items");
        for (index, item) in items.iter().enumerate() {
            key_to_path(item, &path.index(index), errors);
            claim(&item.path, name, errors);
        }
    };
    if let Some(secret) = &source.secret {
        named("secret", &secret.name, list(&secret.items), errors);
    }
    if let Some(config_map) = &source.config_map {
        named("configMap", &config_map.name, list(&config_map.items), errors);
    }
    for file in source.downward_api.iter().flat_map(|downward| list(&downward.items)) {
        downward_file(file, &path.child("downwardAPI"), errors);
        claim(&file.path, &file.path, errors);
    }
    if let Some(token) = &source.service_account_token {
        let here = path.child("serviceAccountToken");
        match token.expiration_seconds {
            None => errors.required(&here.child("expirationSeconds"), ""),
            Some(seconds) if seconds < 10 * 60 => {
                errors.invalid(&here.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
            }
            Some(seconds) if seconds > 1 << 32 => {
                errors.invalid(&here.child("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
            }
            Some(_) => {}
        }
        required(&token.path, &volume.child("path"), errors);
        local_path(&token.path, &volume.child("path"), errors);
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        required(&bundle.path, &path.child("clusterTrustBundle").child("path"), errors);
        claim(&bundle.path, &bundle.path, errors);
    }
    let kinds = [
        source.secret.is_some(),
        source.config_map.is_some(),
        source.downward_api.is_some(),
        source.service_account_token.is_some(),
        source.cluster_trust_bundle.is_some(),
        source.pod_certificate.is_some(),
    ];
    if kinds.iter().filter(|there| **there).count() > 1 {
        errors.forbidden(path, "may not specify more than 1 volume type per source");
    }
}

fn ephemeral(source: &EphemeralVolumeSource, volume: &str, context: &Context<'_>, parent: &Path<'_>, errors: &mut Errors) {
    let path = parent.child("ephemeral");
    let template = path.child("volumeClaimTemplate");
    match &source.volume_claim_template {
        None => errors.required(&template, ""),
        Some(claim) => persistent_volume_claim::validate_spec(&claim.spec, &template.child("spec"), errors),
    }
    if let Some(pod) = context.pod.filter(|pod| !pod.is_empty() && !volume.is_empty()) {
        let claim = format!("{pod}-{volume}");
        for text in name::dns1123_subdomain(&claim) {
            errors.invalid(&parent.child("name"), volume, &format!("PVC name {claim:?}: {text}"));
        }
    }
}

/// A path must not step out of where it starts.
pub(in super::super) fn no_backsteps(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.split('/').any(|step| step == "..") {
        errors.invalid(path, value, "must not contain '..'");
    }
}

/// A path must lead down from where it starts.
pub(super) fn descending_path(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.starts_with('/') {
        errors.invalid(path, value, "must be a relative path");
    }
    no_backsteps(value, path, errors);
}

/// A path must lead down, and no name may begin with two dots: the kubelet keeps those for itself.
fn local_path(value: &str, path: &Path<'_>, errors: &mut Errors) {
    descending_path(value, path, errors);
    if value.starts_with("..") && !value.starts_with("../") && value != ".." {
        errors.invalid(path, value, "must not start with '..'");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(json: Value) -> String {
        let list: Vec<Volume> = serde_json::from_value(json).unwrap();
        let mut errors = Errors::new();
        let spec = Path::new("spec");
        volumes(&list, &Context::POD, &spec.child("volumes"), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn one_source_each() {
        for (json, want) in [
            (json!([{"name": "v", "emptyDir": {}}]), ""),
            (json!([{"name": "v"}]), "spec.volumes[0]: Required value: must specify a volume type"),
            (
                json!([{"name": "v", "emptyDir": {}, "hostPath": {"path": "/a"}}]),
                "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
            ),
            (json!([{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]), "spec.volumes[1].name: Duplicate value: \"v\""),
            (
                json!([{"name": "v", "hostPath": {"path": "/a/../b"}}]),
                "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
            ),
            (json!([{"name": "v", "secret": {}}]), "spec.volumes[0].secret.secretName: Required value"),
            (
                json!([{"name": "v", "configMap": {"name": "a", "defaultMode": 512}}]),
                "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
            ),
            (
                json!([{"name": "v", "nfs": {"server": "s", "path": "p"}}]),
                "spec.volumes[0].nfs.path: Invalid value: \"p\": must be an absolute path",
            ),
            (
                json!([{"name": "v", "projected": {"sources": [{"configMap": {"name": "a", "items": [{"key": "k", "path": "p"}]}}, {"secret": {"name": "b", "items": [{"key": "k", "path": "p"}]}}]}}]),
                "spec.volumes[0].projected: Invalid value: \"b\": conflicting duplicate paths",
            ),
        ] {
            assert_eq!(said(json), want);
        }
    }
}

//! VolumeAttachments: a volume is to be attached to a node.

use k8s_openapi::api::storage::v1::{VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec, VolumeAttachmentStatus, VolumeError};
use mini_api::name;
use serde::Serialize;
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    persistent_volume::{self, Place},
    rules::{Column, Rules, column, parts},
    storage_name,
    unset::text,
};

/// The most bytes a driver tells about an attached volume.
const MAX_METADATA: usize = 256 * 1024;
/// The most bytes the text of an error has.
const MAX_MESSAGE: usize = 1024;

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some(
        "storage.k8s.io/v1beta1 VolumeAttachment is deprecated in v1.19+, unavailable in v1.22+; use storage.k8s.io/v1 VolumeAttachment",
    ),
    ..Conversion::NONE
};

/// What is special about a VolumeAttachment.
pub(super) const RULES: Rules<VolumeAttachment> = Rules {
    defaults: |attachment| {
        attachment.status.get_or_insert_default();
        attachment.spec.source.inline_volume_spec.as_mut().map(persistent_volume::default_source);
    },
    on_create: |attachment| attachment.status = Some(VolumeAttachmentStatus::default()),
    validate,
    validate_update: |new, old, errors| {
        if new.spec != old.spec {
            errors.invalid(&Path::new("spec"), Shown::from(&new.spec), "field is immutable");
        }
    },
    validate_status: |new, _, errors| validate(new, errors),
    columns: &[
        Column::name(),
        Column { format: "name", ..column("Attacher", |attachment: &VolumeAttachment, _| Value::from(attachment.spec.attacher.clone())) },
        column("PV", |attachment: &VolumeAttachment, _| Value::from(text(&attachment.spec.source.persistent_volume_name))),
        column("Node", |attachment: &VolumeAttachment, _| Value::from(attachment.spec.node_name.clone())),
        column("Attached", |attachment: &VolumeAttachment, _| {
            Value::from(attachment.status.as_ref().is_some_and(|status| status.attached))
        })
        .boolean(),
        Column::age(),
    ],
    parts: parts![status],
    ..Rules::NONE
};

fn validate(attachment: &VolumeAttachment, errors: &mut Errors) {
    let (path, spec) = (Path::new("spec"), &attachment.spec);
    let attacher = path.child("attacher");
    if spec.attacher.is_empty() {
        errors.required(&attacher, "");
    }
    validate_source(&spec.source, &path.child("source"), errors);
    errors.invalid_all(&path.child("nodeName"), &spec.node_name, name::dns1123_subdomain(&spec.node_name));
    if let Some(status) = &attachment.status {
        validate_state(status, &Path::new("status"), errors);
    }
    storage_name::driver(&spec.attacher, &attacher, errors);
    if let Some(volume) = &spec.source.persistent_volume_name {
        errors.invalid_all(&path.child("source").child("persistentVolumeName"), volume, name::dns1123_subdomain(volume));
    }
}

fn validate_source(source: &VolumeAttachmentSource, path: &Path<'_>, errors: &mut Errors) {
    let either = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (&source.inline_volume_spec, source.persistent_volume_name.as_deref()) {
        (None, None) => errors.required(path, either),
        (Some(_), Some(_)) => errors.forbidden(path, either),
        (None, Some("")) => errors.required(&path.child("persistentVolumeName"), "must specify non empty persistentVolumeName"),
        (None, Some(_)) => {}
        (Some(spec), None) => persistent_volume::validate_spec(spec, Place::Inline, &path.child("inlineVolumeSpec"), errors),
    }
}

fn validate_state(status: &VolumeAttachmentStatus, path: &Path<'_>, errors: &mut Errors) {
    let size: usize = status.attachment_metadata.iter().flatten().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_METADATA {
        errors.too_long(&path.child("attachmentMetadata"), MAX_METADATA);
    }
    for (field, error) in [("attachError", &status.attach_error), ("detachError", &status.detach_error)] {
        if let Some(error) = error {
            validate_error(error, &path.child(field), errors);
        }
    }
}

fn validate_error(error: &VolumeError, path: &Path<'_>, errors: &mut Errors) {
    if text(&error.message).len() > MAX_MESSAGE {
        // Upstream names another limit than the one it checks.
        errors.too_long(&path.child("message"), MAX_METADATA);
    }
    if let Some(code) = error.error_code.filter(|code| *code < 0) {
        errors.invalid(&path.child("errorCode"), code, "must be between 0 and 2147483647, inclusive");
    }
}

/// The spec as messages show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    attacher: &'a str,
    source: ShownSource<'a>,
    node_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownSource<'a> {
    persistent_volume_name: &'a Option<String>,
    inline_volume_spec: &'a Option<k8s_openapi::api::core::v1::PersistentVolumeSpec>,
}

impl<'a> From<&'a VolumeAttachmentSpec> for Shown<'a> {
    fn from(spec: &'a VolumeAttachmentSpec) -> Self {
        let source = ShownSource {
            persistent_volume_name: &spec.source.persistent_volume_name,
            inline_volume_spec: &spec.source.inline_volume_spec,
        };
        Self { attacher: &spec.attacher, source, node_name: &spec.node_name }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: Value) -> String {
        let mut errors = Errors::new();
        validate(&serde_json::from_value(json!({ "spec": spec })).unwrap(), &mut errors);
        errors.to_string()
    }

    #[test]
    fn what_is_wrong() {
        let of = |source: Value| json!({"attacher": "a", "nodeName": "n", "source": source});
        for (source, want) in [
            (json!({"persistentVolumeName": "v"}), "[]"),
            (json!({}), "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
            (
                json!({"inlineVolumeSpec": {"accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}}}),
                "spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes",
            ),
        ] {
            assert_eq!(said(of(source)), want);
        }
    }

    #[test]
    fn the_spec_stays() {
        let attachment = |node: &str| -> VolumeAttachment {
            serde_json::from_value(json!({"spec": {"attacher": "a", "nodeName": node, "source": {"persistentVolumeName": "v"}}})).unwrap()
        };
        let mut errors = Errors::new();
        (RULES.validate_update)(&attachment("m"), &attachment("n"), &mut errors);
        assert_eq!(
            errors.to_string(),
            r#"spec: Invalid value: {"Attacher":"a","Source":{"PersistentVolumeName":"v","InlineVolumeSpec":null},"NodeName":"m"}: field is immutable"#
        );
    }
}

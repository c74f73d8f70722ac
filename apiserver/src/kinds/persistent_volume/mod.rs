//! PersistentVolumes: storage that outlives pods. The rules of their spec hold for the volumes that VolumeAttachments
//! describe inline too.

use k8s_openapi::{
    api::core::v1::{PersistentVolume, PersistentVolumeSpec, PersistentVolumeStatus, VolumeNodeAffinity},
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::quantity;
use serde_json::{Value, json};

use super::{
    difference,
    field::{Errors, Path},
    persistent_volume_claim::{OLD_CLASS, UNSET, VOLUME_MODES, access_modes_cell, basic_amount, old_class_warning, validate_access_modes},
    pod::{affinity::node_selector, warnings::old_node_label},
    rules::{Column, Rules, column, parts},
    storage_name,
    unset::{default_text, list, text},
};

mod source;

pub(super) use self::source::defaults as default_source;

/// Where a volume is, for its rules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In an object of its own.
    Own,
    /// In the object that attaches it.
    Inline,
}

/// What is special about a PersistentVolume.
pub(super) const RULES: Rules<PersistentVolume> = Rules {
    defaults,
    on_create: |volume| {
        volume.status = Some(PersistentVolumeStatus {
            phase: Some("Pending".to_owned()),
            last_phase_transition_time: volume.metadata.creation_timestamp.clone(),
            ..PersistentVolumeStatus::default()
        });
    },
    on_status: |new, old, now| {
        let (Some(new), Some(old)) = (&mut new.status, &old.status) else { return };
        let (same_phase, time) = (new.phase == old.phase, &mut new.last_phase_transition_time);
        if same_phase && time.is_none() {
            time.clone_from(&old.last_phase_transition_time);
        } else if !same_phase && (time.is_none() || *time == old.last_phase_transition_time) {
            *time = Some(Time(now));
        }
    },
    validate: |volume, errors| {
        let empty = PersistentVolumeSpec::default();
        validate_spec(volume.spec.as_ref().unwrap_or(&empty), Place::Own, &Path::new("spec"), errors);
    },
    validate_update,
    warnings,
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn defaults(volume: &mut PersistentVolume) {
    default_text(&mut volume.status.get_or_insert_default().phase, "Pending");
    let spec = volume.spec.get_or_insert_default();
    default_text(&mut spec.persistent_volume_reclaim_policy, "Retain");
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    default_source(spec);
}

/// What is wrong with the spec of a volume.
pub(super) fn validate_spec(spec: &PersistentVolumeSpec, place: Place, path: &Path<'_>, errors: &mut Errors) {
    let inline = "may not be specified in the context of inline volumes";
    if place == Place::Inline {
        if spec.claim_ref.is_some() {
            errors.forbidden(&path.child("claimRef"), inline);
        }
        if spec.capacity.as_ref().is_some_and(|capacity| !capacity.is_empty()) {
            errors.forbidden(&path.child("capacity"), inline);
        }
        if spec.csi.is_none() {
            errors.required(&path.child("csi"), "has to be specified in the context of inline volumes");
        }
    }
    let modes = list(&spec.access_modes);
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "");
    }
    validate_access_modes(modes, &path.child("accessModes"), errors);
    if place == Place::Own {
        validate_capacity(spec, &path.child("capacity"), errors);
    }
    validate_reclaim(spec, place, &path.child("persistentVolumeReclaimPolicy"), errors);
    if let Some(affinity) = &spec.node_affinity {
        let path = path.child("nodeAffinity");
        match &affinity.required {
            _ if place == Place::Inline => errors.forbidden(&path, inline),
            Some(nodes) => node_selector(nodes, &path.child("required"), errors),
            None => errors.required(&path.child("required"), "must specify required node constraints"),
        }
    }
    source::validate(spec, place, path, errors);
    validate_class_and_mode(spec, place, path, errors);
}

fn validate_capacity(spec: &PersistentVolumeSpec, path: &Path<'_>, errors: &mut Errors) {
    let capacity = spec.capacity.as_ref().filter(|capacity| !capacity.is_empty());
    if capacity.is_none() {
        errors.required(path, "");
    }
    if capacity.is_none_or(|capacity| capacity.len() > 1 || !capacity.contains_key("storage")) {
        errors.unsupported(path, &spec.capacity, &["storage"]);
    }
    for (name, quantity) in capacity.into_iter().flatten() {
        let path = path.key(name);
        basic_amount(quantity, &path, errors);
        if quantity::of(quantity).signum() <= 0 {
            errors.invalid(&path, &quantity.0, "must be greater than zero");
        }
    }
}

fn validate_reclaim(spec: &PersistentVolumeSpec, place: Place, path: &Path<'_>, errors: &mut Errors) {
    let policy = text(&spec.persistent_volume_reclaim_policy);
    let known = ["Delete", "Recycle", "Retain"];
    if policy.is_empty() {
        return;
    }
    if place == Place::Inline && policy != "Retain" {
        errors.forbidden(path, "may only be Retain in the context of inline volumes");
    } else if !known.contains(&policy) {
        errors.unsupported(path, policy, &known);
    }
}

fn validate_class_and_mode(spec: &PersistentVolumeSpec, place: Place, path: &Path<'_>, errors: &mut Errors) {
    let class = text(&spec.storage_class_name);
    let class_path = path.child("storageClassName");
    if place == Place::Own {
        storage_name::class(class, &class_path, errors);
    } else if !class.is_empty() {
        errors.forbidden(&class_path, "may not be specified in the context of inline volumes");
    }
    if let Some(mode) = spec.volume_mode.as_deref() {
        let path = path.child("volumeMode");
        if place == Place::Inline && mode != "Filesystem" {
            errors.forbidden(&path, "may not specify volumeMode other than Filesystem in the context of inline volumes");
        } else if !VOLUME_MODES.contains(&mode) {
            errors.unsupported(&path, mode, VOLUME_MODES);
        }
    }
    // Upstream does not look at this field of an inline volume.
    if let Some(class) = spec.volume_attributes_class_name.as_deref().filter(|_| place == Place::Own) {
        let path_here = path.child("volumeAttributesClassName");
        if class.is_empty() {
            errors.required(&path_here, "an empty string is disallowed");
        }
        storage_name::class(class, &path_here, errors);
        if spec.csi.is_none() {
            errors.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
        }
    }
}

fn validate_update(new: &PersistentVolume, old: &PersistentVolume, errors: &mut Errors) {
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else { return };
    let (mut now, was) = (source::of(spec), source::of(before));
    if let (Some(csi), Some(csi_before)) = (&mut now.csi, &was.csi)
        && csi_before.controller_expand_secret_ref.is_none()
    {
        // It may be named later than the volume.
        csi.controller_expand_secret_ref = None;
    }
    let path = Path::new("spec");
    if now != was {
        let what = difference::of(&was, &now);
        errors
            .forbidden(&path.child("persistentvolumesource"), &format!("spec.persistentvolumesource is immutable after creation\n{what}"));
    }
    if spec.volume_mode != before.volume_mode {
        errors.invalid(&Path::new("volumeMode"), &spec.volume_mode, "field is immutable");
    }
    if before.node_affinity.is_some() && spec.node_affinity != before.node_affinity {
        errors.invalid(&Path::new("nodeAffinity"), shown(spec.node_affinity.as_ref()), "field is immutable");
    }
    if before.volume_attributes_class_name.is_some() && spec.volume_attributes_class_name.is_none() {
        errors.forbidden(&path.child("volumeAttributesClassName"), "update from non-nil value to nil is forbidden");
    }
}

/// A choice of nodes as messages show it.
fn shown(affinity: Option<&VolumeNodeAffinity>) -> Value {
    let Some(affinity) = affinity else { return Value::Null };
    let requirement = |wanted: &k8s_openapi::api::core::v1::NodeSelectorRequirement| json!({"Key": wanted.key, "Operator": wanted.operator, "Values": wanted.values});
    let requirements = |list: &Option<Vec<_>>| list.as_ref().map(|list| list.iter().map(requirement).collect::<Vec<_>>());
    let terms = affinity.required.as_ref().map(|required| {
        let term = |term: &k8s_openapi::api::core::v1::NodeSelectorTerm| json!({"MatchExpressions": requirements(&term.match_expressions), "MatchFields": requirements(&term.match_fields)});
        json!({ "NodeSelectorTerms": required.node_selector_terms.iter().map(term).collect::<Vec<_>>() })
    });
    json!({ "Required": terms })
}

fn warnings(volume: &PersistentVolume) -> Vec<String> {
    let mut warnings = Vec::new();
    if volume.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(OLD_CLASS)) {
        warnings.push(old_class_warning());
    }
    let Some(spec) = &volume.spec else { return warnings };
    if text(&spec.persistent_volume_reclaim_policy) == "Recycle" {
        let why = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.";
        warnings.push(format!("spec.persistentVolumeReclaimPolicy: {why}"));
    }
    let required = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
    for (index, term) in required.iter().flat_map(|required| &required.node_selector_terms).enumerate() {
        for (place, wanted) in list(&term.match_expressions).iter().enumerate() {
            if let Some(why) = old_node_label(&wanted.key) {
                let path = format!("spec.nodeAffinity.required.nodeSelectorTerms[{index}].matchExpressions[{place}].key");
                warnings.push(format!("{path}: {} is {why}", wanted.key));
            }
        }
    }
    warnings.extend(source::warnings(spec));
    warnings
}

const COLUMNS: &[Column<PersistentVolume>] = &[
    Column::name(),
    column("Capacity", |volume: &PersistentVolume, _| {
        let size = spec(volume, |spec| spec.capacity.as_ref()?.get("storage"));
        Value::from(size.map_or("0", |size| size.0.as_str()))
    }),
    column("Access Modes", |volume: &PersistentVolume, _| {
        Value::from(spec(volume, |spec| spec.access_modes.as_ref()).map(|modes| access_modes_cell(modes)).unwrap_or_default())
    }),
    column("Reclaim Policy", |volume: &PersistentVolume, _| {
        Value::from(spec(volume, |spec| spec.persistent_volume_reclaim_policy.as_deref()).unwrap_or_default())
    }),
    column("Status", |volume: &PersistentVolume, _| {
        let phase = volume.status.as_ref().map(|status| text(&status.phase)).unwrap_or_default();
        Value::from(if volume.metadata.deletion_timestamp.is_some() { "Terminating" } else { phase })
    })
    .about("phase indicates if a volume is available, bound to a claim, or released by a claim."),
    column("Claim", |volume: &PersistentVolume, _| {
        let claim = spec(volume, |spec| spec.claim_ref.as_ref());
        Value::from(claim.map(|claim| format!("{}/{}", text(&claim.namespace), text(&claim.name))).unwrap_or_default())
    }),
    column("StorageClass", |volume: &PersistentVolume, _| {
        let annotation = volume.metadata.annotations.as_ref().and_then(|annotations| annotations.get(OLD_CLASS));
        Value::from(annotation.map(String::as_str).or(spec(volume, |spec| spec.storage_class_name.as_deref())).unwrap_or_default())
    }),
    column("VolumeAttributesClass", |volume: &PersistentVolume, _| {
        Value::from(spec(volume, |spec| spec.volume_attributes_class_name.as_deref()).unwrap_or(UNSET))
    }),
    column("Reason", |volume: &PersistentVolume, _| {
        Value::from(volume.status.as_ref().map(|status| text(&status.reason)).unwrap_or_default())
    }),
    Column::age(),
    column("VolumeMode", |volume: &PersistentVolume, _| Value::from(spec(volume, |spec| spec.volume_mode.as_deref()).unwrap_or(UNSET)))
        .wide(),
];

fn spec<'a, T>(volume: &'a PersistentVolume, of: impl FnOnce(&'a PersistentVolumeSpec) -> Option<T>) -> Option<T> {
    volume.spec.as_ref().and_then(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(spec: Value) -> PersistentVolume {
        let mut spec = spec;
        for (field, value) in [("capacity", json!({"storage": "1Gi"})), ("accessModes", json!(["ReadWriteOnce"]))] {
            spec.as_object_mut().unwrap().entry(field).or_insert(value);
        }
        let mut volume = serde_json::from_value(json!({ "spec": spec })).unwrap();
        defaults(&mut volume);
        volume
    }

    fn said(spec: Value) -> String {
        let mut errors = Errors::new();
        (RULES.validate)(&volume(spec), &mut errors);
        errors.to_string()
    }

    #[test]
    fn one_source_as_it_should_be() {
        for (spec, want) in [
            (json!({"hostPath": {"path": "/d"}}), "[]"),
            (json!({"local": {"path": "/d"}}), "spec.nodeAffinity: Required value: Local volume requires node affinity"),
            (
                json!({"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"}),
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
            ),
            (
                json!({"hostPath": {"path": "/d"}, "nfs": {"server": "s", "path": "/"}}),
                "spec.nfs: Forbidden: may not specify more than 1 volume type",
            ),
            (json!({"gcePersistentDisk": {"pdName": ""}}), "spec.persistentDisk.pdName: Required value"),
            (
                json!({"csi": {"driver": "d", "volumeHandle": "h", "nodePublishSecretRef": {"name": "s"}}}),
                "spec.csi.nodePublishSecretRef.namespace: Required value",
            ),
            (
                json!({"hostPath": {"path": "/d"}, "accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]}),
                "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
            ),
            (
                json!({"hostPath": {"path": "/d"}, "capacity": {"storage": "0"}}),
                "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero",
            ),
        ] {
            assert_eq!(said(spec), want);
        }
    }

    #[test]
    fn the_source_stays() {
        let old = volume(json!({"hostPath": {"path": "/d"}}));
        let mut errors = Errors::new();
        validate_update(&volume(json!({"hostPath": {"path": "/d"}, "capacity": {"storage": "2Gi"}})), &old, &mut errors);
        assert!(errors.is_empty(), "{errors}");
        validate_update(&volume(json!({"hostPath": {"path": "/e"}, "volumeMode": "Block"})), &old, &mut errors);
        let said = errors.to_string();
        assert!(
            said.starts_with("[spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n"),
            "{said}"
        );
        assert!(said.ends_with("volumeMode: Invalid value: \"Block\": field is immutable]"), "{said}");
    }

    #[test]
    fn the_moment_of_a_phase_is_kept() {
        let moment = |second| Some(Time(jiff::Timestamp::from_second(second).unwrap()));
        let in_phase = |phase: &str, time: Option<Time>| PersistentVolume {
            status: Some(PersistentVolumeStatus {
                phase: Some(phase.to_owned()),
                last_phase_transition_time: time,
                ..PersistentVolumeStatus::default()
            }),
            ..PersistentVolume::default()
        };
        let old = in_phase("Pending", moment(1));
        for (phase, sent, stored) in
            [("Pending", None, 1), ("Pending", moment(5), 5), ("Bound", None, 9), ("Bound", moment(1), 9), ("Bound", moment(5), 5)]
        {
            let mut new = in_phase(phase, sent);
            (RULES.on_status)(&mut new, &old, jiff::Timestamp::from_second(9).unwrap());
            assert_eq!(new.status.unwrap().last_phase_transition_time, moment(stored), "{phase}");
        }
    }

    #[test]
    fn a_choice_of_nodes_as_messages_show_it() {
        let affinity =
            json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}});
        let affinity: VolumeNodeAffinity = serde_json::from_value(affinity).unwrap();
        assert_eq!(
            shown(Some(&affinity)).to_string(),
            r#"{"Required":{"NodeSelectorTerms":[{"MatchExpressions":[{"Key":"a","Operator":"In","Values":["b"]}],"MatchFields":null}]}}"#
        );
    }
}

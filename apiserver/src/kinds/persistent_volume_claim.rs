//! PersistentVolumeClaims: who needs storage, and how much. Its terms (access modes, volume mode) hold for volumes too.

use k8s_openapi::{
    api::core::v1::{
        PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimStatus, TypedLocalObjectReference, TypedObjectReference,
    },
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
use mini_api::{name, quantity};
use serde_json::Value;

use super::{
    difference,
    field::{Errors, Path},
    pod::resources,
    rules::{Column, Rules, column, parts},
    selector, storage_name,
    unset::{default_text, list, text},
};

/// The ways a volume can be mounted, as lists of them show them, and in short.
const ACCESS_MODES: &[(&str, &str)] =
    &[("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
/// The forms in which a volume is given to a pod.
pub(super) const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
/// How the class was named before it was a field.
pub(super) const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// What a cell shows for what is not set.
pub(super) const UNSET: &str = "<unset>";

const RESIZE_STATES: &[&str] =
    &["ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"];

/// What is special about a PersistentVolumeClaim.
pub(super) const RULES: Rules<PersistentVolumeClaim> = Rules {
    defaults,
    on_create,
    on_update: |new, old| {
        if let (Some(new), Some(old)) = (&mut new.spec, &old.spec)
            && old.data_source.is_none()
            && old.data_source_ref.is_none()
        {
            drop_unknown_source(new);
        }
    },
    validate: |claim, errors| {
        let path = Path::new("spec");
        match &claim.spec {
            Some(spec) => validate_spec(spec, &path, errors),
            None => validate_spec(&PersistentVolumeClaimSpec::default(), &path, errors),
        }
    },
    validate_update,
    validate_status,
    warnings,
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn defaults(claim: &mut PersistentVolumeClaim) {
    default_text(&mut claim.status.get_or_insert_default().phase, "Pending");
    default_spec(claim.spec.get_or_insert_default());
}

/// Fills in a claim's spec, also that of a template.
pub(super) fn default_spec(spec: &mut PersistentVolumeClaimSpec) {
    spec.volume_mode.get_or_insert_with(|| "Filesystem".to_owned());
    spec.resources.get_or_insert_default();
}

fn on_create(claim: &mut PersistentVolumeClaim) {
    claim.status = Some(PersistentVolumeClaimStatus { phase: Some("Pending".to_owned()), ..PersistentVolumeClaimStatus::default() });
    let spec = claim.spec.get_or_insert_default();
    // Sources in other namespaces are not served yet, not upstream either.
    if spec.data_source_ref.as_ref().is_some_and(|source| !text(&source.namespace).is_empty()) {
        spec.data_source_ref = None;
    }
    drop_unknown_source(spec);
    same_sources(spec);
}

/// The older of the two fields for the source knows two kinds only, and forgets all others.
fn drop_unknown_source(spec: &mut PersistentVolumeClaimSpec) {
    let is_known = |source: &TypedLocalObjectReference| {
        matches!(
            (source.kind.as_str(), text(&source.api_group)),
            ("PersistentVolumeClaim", "") | ("VolumeSnapshot", "snapshot.storage.k8s.io")
        )
    };
    if spec.data_source_ref.is_none() {
        spec.data_source = spec.data_source.take().filter(is_known);
    }
}

/// Both fields for the source say the same, if either says anything.
fn same_sources(spec: &mut PersistentVolumeClaimSpec) {
    match (&spec.data_source, &spec.data_source_ref) {
        (Some(source), None) => {
            spec.data_source_ref = Some(TypedObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
                namespace: None,
            });
        }
        (None, Some(source)) => {
            spec.data_source = Some(TypedLocalObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
            });
        }
        _ => {}
    }
}

/// What is wrong with the spec of a claim, also that of a template.
pub(super) fn validate_spec(spec: &PersistentVolumeClaimSpec, path: &Path<'_>, errors: &mut Errors) {
    let modes = list(&spec.access_modes);
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "at least 1 access mode is required");
    }
    if let Some(wanted) = &spec.selector {
        selector::label_selector(wanted, &path.child("selector"), errors);
    }
    validate_access_modes(modes, &path.child("accessModes"), errors);
    let resources_path = path.child("resources");
    let storage = resources_path.key("storage");
    match requested(spec) {
        None => errors.required(&storage, ""),
        Some(size) if quantity::of(size).signum() <= 0 => errors.invalid(&storage, &size.0, "must be greater than zero"),
        Some(_) => {}
    }
    storage_name::class(text(&spec.storage_class_name), &path.child("storageClassName"), errors);
    if let Some(mode) = spec.volume_mode.as_deref().filter(|mode| !VOLUME_MODES.contains(mode)) {
        errors.unsupported(&path.child("volumeMode"), mode, VOLUME_MODES);
    }
    validate_sources(spec, path, errors);
    let class = path.child("volumeAttributesClassName");
    storage_name::class(text(&spec.volume_attributes_class_name), &class, errors);
}

/// The class a claim names, in either place; the empty one means that it wants none.
pub(crate) fn class(claim: &PersistentVolumeClaim) -> Option<&str> {
    let annotation = claim.metadata.annotations.as_ref().and_then(|annotations| annotations.get(OLD_CLASS));
    annotation.or(claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_ref())).map(String::as_str)
}

/// How much a claim asks for.
pub(crate) fn size(claim: &PersistentVolumeClaim) -> quantity::Quantity {
    claim.spec.as_ref().and_then(requested).map(quantity::of).unwrap_or_default()
}

/// Whether a claim has its volume.
pub(crate) fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().is_some_and(|status| text(&status.phase) == "Bound")
}

fn requested(spec: &PersistentVolumeClaimSpec) -> Option<&ApiQuantity> {
    spec.resources.as_ref()?.requests.as_ref()?.get("storage")
}

/// What is wrong with how a volume is to be mounted.
pub(super) fn validate_access_modes(modes: &[String], path: &Path<'_>, errors: &mut Errors) {
    let is_known = |mode: &str| ACCESS_MODES.iter().any(|(known, _)| *known == mode);
    for mode in modes.iter().filter(|mode| !is_known(mode)) {
        errors.unsupported(path, mode, &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]);
    }
    let (alone, others) =
        (modes.iter().any(|mode| mode == "ReadWriteOncePod"), |mode: &String| mode != "ReadWriteOncePod" && is_known(mode));
    if alone && modes.iter().any(others) {
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

fn validate_sources(spec: &PersistentVolumeClaimSpec, path: &Path<'_>, errors: &mut Errors) {
    let older = path.child("dataSource");
    if let Some(source) = &spec.data_source {
        validate_source(text(&source.api_group), &source.kind, &source.name, &older, errors);
    }
    let Some(newer) = &spec.data_source_ref else { return };
    let newer_path = path.child("dataSourceRef");
    validate_source(text(&newer.api_group), &newer.kind, &newer.name, &newer_path, errors);
    let namespace = text(&newer.namespace);
    if !namespace.is_empty() {
        errors.invalid_all(&newer_path.child("namespace"), namespace, name::dns1123_label(namespace));
    }
    let Some(source) = &spec.data_source else { return };
    // Upstream prints where the field is as if that were its value, and a path has no fields to print.
    let shown = Value::Object(serde_json::Map::new());
    if !namespace.is_empty() {
        errors.invalid(path, shown, "may not be specified when dataSourceRef.namespace is specified");
    } else if (&source.api_group, &source.kind, &source.name) != (&newer.api_group, &newer.kind, &newer.name) {
        errors.invalid(path, shown, "must match dataSourceRef");
    }
}

fn validate_source(group: &str, kind: &str, named: &str, path: &Path<'_>, errors: &mut Errors) {
    for (field, value) in [("name", named), ("kind", kind)] {
        if value.is_empty() {
            errors.required(&path.child(field), "");
        }
    }
    if !group.is_empty() {
        errors.invalid_all(&path.child("apiGroup"), group, name::dns1123_subdomain(group));
    } else if kind != "PersistentVolumeClaim" {
        errors.invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    }
}

fn validate_update(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim, errors: &mut Errors) {
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else { return };
    let (mut same, mut was) = (spec.clone(), before.clone());
    keep_class(new, old, &mut same, errors);
    if text(&was.volume_name).is_empty() {
        // Whoever binds a claim names its volume.
        was.volume_name.clone_from(&spec.volume_name);
    }
    if is_bound(new) {
        keep_terms(&mut same, before);
    }
    let path = Path::new("spec");
    if same != was {
        let what = difference::of(&was, &same);
        errors.forbidden(
            &path,
            &format!("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n{what}"),
        );
    }
    validate_size(new, spec, before, errors);
    if spec.volume_mode != before.volume_mode {
        errors.invalid(&Path::new("volumeMode"), &spec.volume_mode, "field is immutable");
    }
    if before.volume_attributes_class_name.is_some() {
        let path = path.child("volumeAttributesClassName");
        match spec.volume_attributes_class_name.as_deref() {
            None => errors.forbidden(&path, "update from non-nil value to nil is forbidden"),
            Some("") if before.volume_attributes_class_name.as_deref() != Some("") => {
                errors.forbidden(&path, "update from non-nil value to an empty string is forbidden");
            }
            Some(_) => {}
        }
    }
}

/// The class may move from the annotation it once was to the field, and be named where it was not.
fn keep_class(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim, same: &mut PersistentVolumeClaimSpec, errors: &mut Errors) {
    let annotation = |claim: &PersistentVolumeClaim| claim.metadata.annotations.as_ref().and_then(|all| all.get(OLD_CLASS)).cloned();
    let (now, before) = (annotation(new), annotation(old));
    let class = old.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    let names_it = class.is_none() && same.storage_class_name.is_some();
    let as_before = before.is_some() && same.storage_class_name == before;
    if names_it && as_before && (now.is_none() || now == before) {
        same.storage_class_name = None;
        return;
    }
    if now.clone().unwrap_or_default() != before.clone().unwrap_or_default() {
        let metadata = Path::new("metadata");
        let annotations = metadata.child("annotations");
        errors.invalid(&annotations.child(OLD_CLASS), now.unwrap_or_default(), "field is immutable");
    }
    if names_it && (before.is_none() || as_before) {
        same.storage_class_name = None;
    }
}

/// What of a bound claim may change counts as if it had not.
fn keep_terms(same: &mut PersistentVolumeClaimSpec, before: &PersistentVolumeClaimSpec) {
    if let Some(requests) = same.resources.as_mut().and_then(|resources| resources.requests.as_mut()) {
        requests.insert("storage".to_owned(), requested(before).cloned().unwrap_or_default());
    }
    if same.volume_attributes_class_name.is_some() {
        same.volume_attributes_class_name.clone_from(&before.volume_attributes_class_name);
    }
}

fn validate_size(new: &PersistentVolumeClaim, spec: &PersistentVolumeClaimSpec, before: &PersistentVolumeClaimSpec, errors: &mut Errors) {
    let size = |quantity: Option<&ApiQuantity>| quantity.map(quantity::of).unwrap_or_default();
    let there = new.status.as_ref().and_then(|status| status.capacity.as_ref()?.get("storage"));
    if size(requested(spec)) < size(requested(before)) && size(requested(spec)) <= size(there) {
        let path = Path::new("spec");
        let path = path.child("resources");
        let path = path.child("requests");
        errors.forbidden(&path.child("storage"), "field can not be less than status.capacity");
    }
}

fn validate_status(new: &PersistentVolumeClaim, _: &PersistentVolumeClaim, errors: &mut Errors) {
    let Some(status) = &new.status else { return };
    let path = Path::new("status");
    let capacity = path.child("capacity");
    for (name, quantity) in status.capacity.iter().flatten() {
        basic_amount(quantity, &capacity.key(name), errors);
    }
    let statuses = path.child("allocatedResourceStatus");
    for (name, state) in status.allocated_resource_statuses.iter().flatten() {
        resource_key(name, &statuses, errors);
        if !RESIZE_STATES.contains(&state.as_str()) {
            let mut states = RESIZE_STATES.to_vec();
            states.sort_unstable();
            errors.unsupported(&statuses, name, &states);
        }
    }
    let allocated = path.child("allocatedResources");
    for (name, quantity) in status.allocated_resources.iter().flatten() {
        if resource_key(name, &allocated, errors) && basic_amount(quantity, &allocated.key(name), errors) {
            resources::amount("storage", quantity, &allocated.key(name), errors);
        }
    }
}

/// An amount must not be below zero; whether it is not.
pub(super) fn basic_amount(quantity: &ApiQuantity, path: &Path<'_>, errors: &mut Errors) -> bool {
    let value = quantity::of(quantity).value();
    if value < 0 {
        errors.invalid(path, value, "must be a valid resource quantity");
    }
    value >= 0
}

fn resource_key(key: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    let wrong = name::qualified_name(key);
    if !wrong.is_empty() {
        errors.invalid_all(path, key, wrong);
        return false;
    }
    if resources::is_native(key) && key != "storage" {
        errors.unsupported(path, key, &["storage"]);
        return false;
    }
    true
}

/// What the user should know who names a class as one did before there was a field for it.
pub(super) fn old_class_warning() -> String {
    format!("metadata.annotations[{OLD_CLASS}]: deprecated since v1.8; use \"storageClassName\" attribute instead")
}

fn warnings(claim: &PersistentVolumeClaim) -> Vec<String> {
    let mut warnings = Vec::new();
    if claim.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(OLD_CLASS)) {
        warnings.push(old_class_warning());
    }
    let resources = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    for (field, amounts) in resources.into_iter().flat_map(|of| [("requests", &of.requests), ("limits", &of.limits)]) {
        if let Some(amount) = amounts.as_ref().and_then(|amounts| amounts.get("storage"))
            && quantity::of(amount).milli() % 1000 != 0
        {
            let amount = &amount.0;
            warnings.push(format!("spec.resources.{field}[storage]: fractional byte value {amount:?} is invalid, must be an integer"));
        }
    }
    warnings
}

const COLUMNS: &[Column<PersistentVolumeClaim>] = &[
    Column::name(),
    column("Status", |claim: &PersistentVolumeClaim, _| {
        let phase = claim.status.as_ref().map(|status| text(&status.phase)).unwrap_or_default();
        Value::from(if claim.metadata.deletion_timestamp.is_some() { "Terminating" } else { phase })
    })
    .about("phase represents the current phase of PersistentVolumeClaim."),
    column("Volume", |claim: &PersistentVolumeClaim, _| Value::from(volume(claim)))
        .about("volumeName is the binding reference to the PersistentVolume backing this claim."),
    column("Capacity", |claim: &PersistentVolumeClaim, _| {
        let capacity = bound(claim).and_then(|status| status.capacity.as_ref()?.get("storage"));
        Value::from(capacity.map_or_else(|| if volume(claim).is_empty() { String::new() } else { "0".to_owned() }, |size| size.0.clone()))
    })
    .about("capacity represents the actual resources of the underlying volume."),
    column("Access Modes", |claim: &PersistentVolumeClaim, _| {
        Value::from(bound(claim).map(|status| access_modes_cell(list(&status.access_modes))).unwrap_or_default())
    }),
    column("StorageClass", |claim: &PersistentVolumeClaim, _| {
        let annotation = claim.metadata.annotations.as_ref().and_then(|annotations| annotations.get(OLD_CLASS));
        let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_ref());
        Value::from(annotation.or(class).cloned().unwrap_or_default())
    }),
    column("VolumeAttributesClass", |claim: &PersistentVolumeClaim, _| {
        Value::from(claim.spec.as_ref().and_then(|spec| spec.volume_attributes_class_name.as_deref()).unwrap_or(UNSET))
    }),
    Column::age(),
    column("VolumeMode", |claim: &PersistentVolumeClaim, _| {
        Value::from(claim.spec.as_ref().and_then(|spec| spec.volume_mode.as_deref()).unwrap_or(UNSET))
    })
    .wide(),
];

fn volume(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().map(|spec| text(&spec.volume_name)).unwrap_or_default()
}

/// The status of a claim that has a volume.
fn bound(claim: &PersistentVolumeClaim) -> Option<&PersistentVolumeClaimStatus> {
    claim.status.as_ref().filter(|_| !volume(claim).is_empty())
}

/// Access modes in short, in a fixed order: `RWO,ROX`.
pub(super) fn access_modes_cell(modes: &[String]) -> String {
    let short = ACCESS_MODES.iter().filter(|(mode, _)| modes.iter().any(|has| has == mode)).map(|(_, short)| *short);
    short.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(size: &str, more: Value) -> PersistentVolumeClaim {
        let mut json = json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}});
        json["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut claim = serde_json::from_value(json).unwrap();
        defaults(&mut claim);
        claim
    }

    fn changed(new: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> String {
        let mut errors = Errors::new();
        validate_update(new, old, &mut errors);
        errors.to_string()
    }

    #[test]
    fn what_is_wrong() {
        for (size, more, want) in [
            ("1Gi", json!({}), "[]"),
            ("0", json!({}), "spec.resources[storage]: Invalid value: \"0\": must be greater than zero"),
            (
                "1",
                json!({"accessModes": ["Odd"]}),
                "spec.accessModes: Unsupported value: \"Odd\": supported values: \"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"",
            ),
            ("1", json!({"volumeMode": "Odd"}), "spec.volumeMode: Unsupported value: \"Odd\": supported values: \"Block\", \"Filesystem\""),
            (
                "1",
                json!({"dataSourceRef": {"kind": "Odd", "name": "x"}}),
                "spec.dataSourceRef: Invalid value: \"Odd\": must be 'PersistentVolumeClaim' when referencing the default apiGroup",
            ),
        ] {
            let mut errors = Errors::new();
            (RULES.validate)(&claim(size, more), &mut errors);
            assert_eq!(errors.to_string(), want);
        }
    }

    #[test]
    fn only_a_bound_claim_grows() {
        let (old, mut new) = (claim("1Gi", json!({})), claim("2Gi", json!({"volumeName": "v"})));
        assert!(changed(&new, &old).starts_with("spec: Forbidden: spec is immutable after creation except resources.requests and"));
        new.status.as_mut().unwrap().phase = Some("Bound".to_owned());
        assert_eq!(changed(&new, &old), "[]");
        let less = "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity]";
        assert!(changed(&claim("0", json!({})), &old).ends_with(less));
    }

    #[test]
    fn a_class_may_be_named_later() {
        let old = claim("1Gi", json!({}));
        assert_eq!(changed(&claim("1Gi", json!({"storageClassName": "c"})), &old), "[]");
        let old = claim("1Gi", json!({"storageClassName": "b"}));
        assert!(changed(&claim("1Gi", json!({"storageClassName": "c"})), &old).starts_with("spec: Forbidden"));
    }

    #[test]
    fn sources_are_told_in_both_fields() {
        let mut new = claim("1Gi", json!({"dataSource": {"kind": "PersistentVolumeClaim", "name": "x"}}));
        on_create(&mut new);
        assert_eq!(new.spec.unwrap().data_source_ref.unwrap().name, "x");
        let mut new = claim("1Gi", json!({"dataSource": {"kind": "Odd", "name": "x"}}));
        on_create(&mut new);
        assert_eq!(new.spec.unwrap().data_source, None);
    }

    #[test]
    fn access_modes_in_short() {
        let modes = ["ReadOnlyMany".to_owned(), "ReadWriteOnce".to_owned(), "ReadOnlyMany".to_owned()];
        assert_eq!(access_modes_cell(&modes), "RWO,ROX");
    }
}

//! References from a container or volume to fields and resources of its own pod (the downward API).

use k8s_openapi::api::core::v1::{ObjectFieldSelector, ResourceFieldSelector};
use mini_api::{name, quantity};

use super::super::{
    field::{Errors, Path},
    unset::text,
};

/// The fields an environment variable can hold.
pub(super) const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// The fields a file can hold.
pub(super) const FILE_FIELDS: &[&str] = &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/// The fields of a pod that can be named at all.
const FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.phase",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] =
    &["limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"];
const BYTES: &[&str] = &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// A reference to one of the `supported` fields, or to one label or annotation: `metadata.labels['app']`.
pub(super) fn field(reference: &ObjectFieldSelector, supported: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let version = text(&reference.api_version);
    let wanted = reference.field_path.as_str();
    if version.is_empty() {
        return errors.required(&path.child("apiVersion"), "");
    }
    if wanted.is_empty() {
        return errors.required(&path.child("fieldPath"), "");
    }
    let here = path.child("fieldPath");
    let unknown = |why: String| format!("error converting fieldPath: {why}");
    if version != "v1" {
        return errors.invalid(&here, wanted, &unknown(format!("unsupported pod version: {version}")));
    }
    match subscripted(wanted) {
        Some(("metadata.annotations", key)) => errors.invalid_all(path, &key.to_lowercase(), name::qualified_name(&key.to_lowercase())),
        Some(("metadata.labels", key)) => errors.invalid_all(path, key, name::qualified_name(key)),
        Some(_) => errors.invalid(&here, wanted, &unknown(format!("field label does not support subscript: {wanted}"))),
        None if wanted == "spec.host" && supported.contains(&"spec.nodeName") => {}
        None if !FIELDS.contains(&wanted) => errors.invalid(&here, wanted, &unknown(format!("field label not supported: {wanted}"))),
        None if !supported.contains(&wanted) => errors.unsupported(&here, wanted, supported),
        None => {}
    }
}

/// `a['b']` as `a` and `b`.
fn subscripted(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['").filter(|(field, _)| !field.is_empty())
}

/// A reference to a resource of a container; of which one must be said where no container is at hand.
pub(super) fn resource(reference: &ResourceFieldSelector, needs_container: bool, path: &Path<'_>, errors: &mut Errors) {
    let wanted = reference.resource.as_str();
    let is_huge_page = wanted.starts_with("limits.hugepages-") || wanted.starts_with("requests.hugepages-");
    if needs_container && text(&reference.container_name).is_empty() {
        errors.required(&path.child("containerName"), "");
    } else if wanted.is_empty() {
        errors.required(&path.child("resource"), "");
    } else if !RESOURCES.contains(&wanted) && !is_huge_page {
        errors.unsupported(&path.child("resource"), wanted, RESOURCES);
    }
    let Some(divisor) = reference.divisor.as_ref().map(quantity::of).filter(|divisor| !divisor.is_zero()) else { return };
    let divisor = divisor.to_string();
    let bytes = |of: &str| {
        format!("only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the {of} resource")
    };
    let (allowed, detail): (&[&str], String) = match wanted.split_once('.').map(|(_, resource)| resource) {
        Some("cpu") => (&["1m", "1"], "only divisor's values 1m and 1 are supported with the cpu resource".to_owned()),
        Some("memory") => (BYTES, bytes("memory")),
        Some("ephemeral-storage") => (BYTES, bytes("local ephemeral storage")),
        Some(_) if is_huge_page => (BYTES, bytes("hugepages")),
        _ => return,
    };
    if !allowed.contains(&divisor.as_str()) {
        errors.invalid(&path.child("divisor"), wanted, &detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (wanted, want) in [
            ("metadata.name", ""),
            ("metadata.labels['app']", ""),
            ("spec.nope", "x.fieldPath: Invalid value: \"spec.nope\": error converting fieldPath: field label not supported: spec.nope"),
            (
                "spec.nodeName['a']",
                "x.fieldPath: Invalid value: \"spec.nodeName['a']\": error converting fieldPath: field label does not support subscript: spec.nodeName['a']",
            ),
            (
                "metadata.labels",
                "x.fieldPath: Unsupported value: \"metadata.labels\": supported values: \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", \"status.podIPs\"",
            ),
        ] {
            let mut errors = Errors::new();
            let reference = ObjectFieldSelector { api_version: Some("v1".into()), field_path: wanted.into() };
            field(&reference, ENV_FIELDS, &Path::new("x"), &mut errors);
            let said = errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<String>();
            assert_eq!(said, want);
        }
    }
}

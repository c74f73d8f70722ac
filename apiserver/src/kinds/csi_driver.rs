//! CSIDrivers: what a storage driver can do and what it needs to know.

use std::collections::BTreeSet;

use k8s_openapi::api::storage::v1::{CSIDriver, CSIDriverSpec, TokenRequest};
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    persistent_volume_claim::UNSET,
    rules::{Column, Rules, column},
    unset::{flag, list},
};

const FS_GROUP_POLICIES: &[&str] = &["File", "None", "ReadWriteOnceWithFSType"];
const LIFECYCLE_MODES: &[&str] = &["Persistent", "Ephemeral"];
/// Seconds a token is good for, at least.
const TOKEN_MIN: i64 = 10 * 60;
/// Seconds between two looks at what a node can hold, at least.
const PERIOD_MIN: i64 = 10;

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some("storage.k8s.io/v1beta1 CSIDriver is deprecated in v1.19+, unavailable in v1.22+; use storage.k8s.io/v1 CSIDriver"),
    ..Conversion::NONE
};

/// What is special about a CSIDriver.
pub(super) const RULES: Rules<CSIDriver> = Rules {
    defaults,
    validate,
    validate_update,
    columns: &[
        Column::name(),
        column("AttachRequired", |driver: &CSIDriver, _| Value::from(driver.spec.attach_required.unwrap_or(true))).boolean(),
        column("PodInfoOnMount", |driver: &CSIDriver, _| Value::from(flag(driver.spec.pod_info_on_mount))).boolean(),
        column("StorageCapacity", |driver: &CSIDriver, _| Value::from(flag(driver.spec.storage_capacity))).boolean(),
        column("TokenRequests", |driver: &CSIDriver, _| {
            let audiences: Vec<&str> = list(&driver.spec.token_requests).iter().map(|request| request.audience.as_str()).collect();
            Value::from(if audiences.is_empty() { UNSET.to_owned() } else { audiences.join(",") })
        }),
        column("RequiresRepublish", |driver: &CSIDriver, _| Value::from(flag(driver.spec.requires_republish))).boolean(),
        column("Modes", |driver: &CSIDriver, _| {
            let modes = list(&driver.spec.volume_lifecycle_modes);
            Value::from(if modes.is_empty() { "<none>".to_owned() } else { modes.join(",") })
        }),
        Column::age(),
    ],
    ..Rules::NONE
};

fn defaults(driver: &mut CSIDriver) {
    let spec = &mut driver.spec;
    spec.attach_required.get_or_insert(true);
    for field in [&mut spec.pod_info_on_mount, &mut spec.storage_capacity, &mut spec.requires_republish, &mut spec.se_linux_mount] {
        field.get_or_insert(false);
    }
    spec.fs_group_policy.get_or_insert_with(|| "ReadWriteOnceWithFSType".to_owned());
    let modes = spec.volume_lifecycle_modes.get_or_insert_default();
    if modes.is_empty() {
        modes.push("Persistent".to_owned());
    }
}

fn validate(driver: &CSIDriver, errors: &mut Errors) {
    let (path, spec) = (Path::new("spec"), &driver.spec);
    if let Some(policy) = spec.fs_group_policy.as_deref().filter(|policy| !FS_GROUP_POLICIES.contains(policy)) {
        errors.unsupported(&path.child("fsGroupPolicy"), policy, FS_GROUP_POLICIES);
    }
    token_requests(list(&spec.token_requests), &path.child("tokenRequests"), errors);
    for mode in list(&spec.volume_lifecycle_modes).iter().filter(|mode| !LIFECYCLE_MODES.contains(&mode.as_str())) {
        errors.unsupported(&path.child("volumeLifecycleModes"), mode, LIFECYCLE_MODES);
    }
    if let Some(period) = spec.node_allocatable_update_period_seconds.filter(|period| *period < PERIOD_MIN) {
        errors.invalid(&path.child("nodeAllocatableUpdatePeriodSeconds"), period, "must be greater than or equal to 10 seconds");
    }
    secret_tokens(spec, &path.child("serviceAccountTokenInSecrets"), errors);
}

/// Where tokens go can be said only of tokens that are asked for.
fn secret_tokens(spec: &CSIDriverSpec, path: &Path<'_>, errors: &mut Errors) {
    if let Some(wanted) = spec.service_account_token_in_secrets.filter(|_| list(&spec.token_requests).is_empty()) {
        errors.invalid(path, wanted, "serviceAccountTokenInSecrets is set but no tokenRequests are specified");
    }
}

fn token_requests(requests: &[TokenRequest], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, request) in requests.iter().enumerate() {
        let path = path.index(index);
        if !seen.insert(request.audience.as_str()) {
            errors.duplicate(&path.child("audience"), &request.audience);
            continue;
        }
        let Some(seconds) = request.expiration_seconds else { continue };
        let path = path.child("expirationSeconds");
        if seconds < TOKEN_MIN {
            errors.invalid(&path, seconds, "may not specify a duration less than 10 minutes");
        }
        if seconds > 1 << 32 {
            errors.invalid(&path, seconds, "may not specify a duration larger than 2^32 seconds");
        }
    }
}

fn validate_update(new: &CSIDriver, old: &CSIDriver, errors: &mut Errors) {
    let path = Path::new("spec");
    if new.spec.attach_required != old.spec.attach_required {
        // Upstream misspells the field.
        errors.invalid(&path.child("attachedRequired"), new.spec.attach_required, "field is immutable");
    }
    if new.spec.volume_lifecycle_modes != old.spec.volume_lifecycle_modes {
        errors.invalid(&path.child("volumeLifecycleModes"), &new.spec.volume_lifecycle_modes, "field is immutable");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong() {
        for (spec, want) in [
            (json!({}), "[]"),
            (
                json!({"fsGroupPolicy": "Odd"}),
                "spec.fsGroupPolicy: Unsupported value: \"Odd\": supported values: \"File\", \"None\", \"ReadWriteOnceWithFSType\"",
            ),
            (
                json!({"tokenRequests": [{"audience": "a", "expirationSeconds": 1}, {"audience": "a"}]}),
                "[spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes, spec.tokenRequests[1].audience: Duplicate value: \"a\"]",
            ),
        ] {
            let mut driver: CSIDriver = serde_json::from_value(json!({ "spec": spec })).unwrap();
            defaults(&mut driver);
            let mut errors = Errors::new();
            validate(&driver, &mut errors);
            assert_eq!(errors.to_string(), want);
        }
    }
}

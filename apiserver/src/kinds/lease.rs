//! Leases: who holds something, and until when.

use k8s_openapi::api::coordination::v1::Lease;
use mini_api::name;
use serde_json::Value;

use super::{
    count::not_negative,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::text,
};

/// What is special about a Lease.
pub(super) const RULES: Rules<Lease> = Rules {
    defaults: |lease| _ = lease.spec.get_or_insert_default(),
    validate,
    columns: &[
        Column::name(),
        column("Holder", |lease: &Lease, _| Value::from(lease.spec.as_ref().map(|spec| text(&spec.holder_identity)).unwrap_or_default())),
        Column::age(),
    ],
    ..Rules::NONE
};

fn validate(lease: &Lease, errors: &mut Errors) {
    let Some(spec) = &lease.spec else { return };
    let path = Path::new("spec");
    if let Some(seconds) = spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
        errors.invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0");
    }
    not_negative(spec.lease_transitions, &path.child("leaseTransitions"), errors);
    if let Some(strategy) = &spec.strategy {
        // Upstream names the field twice.
        let path = path.child("strategy");
        let path = path.child("strategy");
        if strategy.contains('/') {
            errors.invalid_all(&path, strategy, name::qualified_name(strategy));
        } else if strategy != "OldestEmulationVersion" {
            errors.unsupported(&path, strategy, &["OldestEmulationVersion"]);
        }
    }
    if !text(&spec.preferred_holder).is_empty() && text(&spec.strategy).is_empty() {
        errors.forbidden(&path.child("preferredHolder"), "may only be specified if `strategy` is defined");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations() {
        let lease: Lease = serde_json::from_value(json!({"spec": {"leaseDurationSeconds": -1, "leaseTransitions": -1}})).unwrap();
        let mut errors = Errors::new();
        validate(&lease, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[spec.leaseDurationSeconds: Invalid value: -1: must be greater than 0, spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0]"
        );
    }
}

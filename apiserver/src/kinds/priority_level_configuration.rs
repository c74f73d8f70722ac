//! PriorityLevelConfigurations: how many requests of a priority the API server serves at a time, and how the others wait.

use k8s_openapi::api::flowcontrol::v1::{
    LimitResponse, LimitedPriorityLevelConfiguration, PriorityLevelConfiguration, PriorityLevelConfigurationStatus, QueuingConfiguration,
};
use serde_json::Value;

use super::{
    field::{Errors, Path},
    flow_schema::condition_types,
    rules::{Column, Rules, column, parts},
    unset::{default_number, list, text},
};

/// The most queues a level has.
const MAX_QUEUES: i32 = 10_000_000;
/// How many bits of a hash there are to choose queues with.
const HASH_BITS: f64 = 60.0;
const NON_NEGATIVE: &str = "must be a non-negative integer";

/// What is special about a PriorityLevelConfiguration.
pub(super) const RULES: Rules<PriorityLevelConfiguration> = Rules {
    defaults,
    on_create: |level| level.status = Some(PriorityLevelConfigurationStatus::default()),
    validate,
    validate_status: |new, _, errors| {
        let conditions = new.status.as_ref().map(|status| list(&status.conditions)).unwrap_or_default();
        condition_types(conditions.iter().map(|condition| text(&condition.type_)), errors);
    },
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn defaults(level: &mut PriorityLevelConfiguration) {
    level.status.get_or_insert_default();
    let spec = level.spec.get_or_insert_default();
    if let Some(exempt) = &mut spec.exempt {
        exempt.nominal_concurrency_shares.get_or_insert(0);
        exempt.lendable_percent.get_or_insert(0);
    }
    let Some(limited) = &mut spec.limited else { return };
    limited.nominal_concurrency_shares.get_or_insert(30);
    limited.lendable_percent.get_or_insert(0);
    if let Some(queuing) = limited.limit_response.as_mut().and_then(|response| response.queuing.as_mut()) {
        default_number(&mut queuing.hand_size, 8);
        default_number(&mut queuing.queues, 64);
        default_number(&mut queuing.queue_length_limit, 50);
    }
}

fn validate(level: &PriorityLevelConfiguration, errors: &mut Errors) {
    let Some(spec) = &level.spec else { return };
    let path = Path::new("spec");
    let kind = spec.type_.as_str();
    if (level.metadata.name.as_deref() == Some("exempt")) != (kind == "Exempt") {
        errors.invalid(&path.child("type"), kind, "type must be 'Exempt' if and only if name is 'exempt'");
    }
    let (exempt_path, limited_path) = (path.child("exempt"), path.child("limited"));
    match (kind, &spec.exempt, &spec.limited) {
        ("Exempt", exempt, limited) => {
            if limited.is_some() {
                errors.forbidden(&limited_path, "must be nil if the type is not Limited");
            }
            if let Some(exempt) = exempt {
                shares(exempt.nominal_concurrency_shares, exempt.lendable_percent, &exempt_path, errors);
            }
        }
        ("Limited", exempt, limited) => {
            if exempt.is_some() {
                errors.forbidden(&exempt_path, "must be nil if the type is Limited");
            }
            match limited {
                Some(limited) => validate_limited(limited, &limited_path, errors),
                None => errors.required(&limited_path, "must not be empty when type is Limited"),
            }
        }
        (other, ..) => errors.unsupported(&path.child("type"), other, &["Exempt", "Limited"]),
    }
}

fn shares(nominal: Option<i32>, lendable: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    nominal_shares(nominal, path, errors);
    lendable_percent(lendable, path, errors);
}

fn nominal_shares(shares: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(shares) = shares.filter(|shares| *shares < 0) {
        errors.invalid(&path.child("nominalConcurrencyShares"), shares, NON_NEGATIVE);
    }
}

fn lendable_percent(percent: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(percent) = percent.filter(|percent| !(0..=100).contains(percent)) {
        errors.invalid(&path.child("lendablePercent"), percent, "must be between 0 and 100, inclusive");
    }
}

fn validate_limited(limited: &LimitedPriorityLevelConfiguration, path: &Path<'_>, errors: &mut Errors) {
    nominal_shares(limited.nominal_concurrency_shares, path, errors);
    let nothing = LimitResponse::default();
    response(limited.limit_response.as_ref().unwrap_or(&nothing), &path.child("limitResponse"), errors);
    lendable_percent(limited.lendable_percent, path, errors);
    if let Some(percent) = limited.borrowing_limit_percent.filter(|percent| *percent < 0) {
        errors.invalid(&path.child("borrowingLimitPercent"), percent, &format!("if specified, {NON_NEGATIVE}"));
    }
}

fn response(response: &LimitResponse, path: &Path<'_>, errors: &mut Errors) {
    let queuing = path.child("queuing");
    match (response.type_.as_str(), &response.queuing) {
        ("Reject", Some(_)) => errors.forbidden(&queuing, "must be nil if limited.limitResponse.type is not Limited"),
        ("Queue", None) => errors.required(&queuing, "must not be empty if limited.limitResponse.type is Limited"),
        ("Queue", Some(queues)) => validate_queues(queues, &queuing, errors),
        ("Reject", None) => {}
        (other, _) => errors.unsupported(&path.child("type"), other, &["Queue", "Reject"]),
    }
}

fn validate_queues(queuing: &QueuingConfiguration, path: &Path<'_>, errors: &mut Errors) {
    let positive = "must be positive";
    let length = queuing.queue_length_limit.unwrap_or_default();
    if length <= 0 {
        errors.invalid(&path.child("queueLengthLimit"), length, positive);
    }
    let queues = queuing.queues.unwrap_or_default();
    if queues <= 0 {
        errors.invalid(&path.child("queues"), queues, positive);
    } else if queues > MAX_QUEUES {
        errors.invalid(&path.child("queues"), queues, &format!("must not be greater than {MAX_QUEUES}"));
    }
    let hand = queuing.hand_size.unwrap_or_default();
    let path = path.child("handSize");
    let bits = (f64::from(queues).log2() * f64::from(hand)).ceil();
    if hand <= 0 {
        errors.invalid(&path, hand, positive);
    } else if hand > queues {
        errors.invalid(&path, hand, &format!("should not be greater than queues ({queues})"));
    } else if bits > HASH_BITS {
        let detail = format!("required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS}");
        errors.invalid(&path, hand, &detail);
    }
}

const COLUMNS: &[Column<PriorityLevelConfiguration>] = &[
    Column::name(),
    column("Type", |level: &PriorityLevelConfiguration, _| {
        Value::from(level.spec.as_ref().map(|spec| spec.type_.as_str()).unwrap_or_default())
    }),
    column("NominalConcurrencyShares", |level: &PriorityLevelConfiguration, _| {
        number(limited(level).map(|limited| limited.nominal_concurrency_shares))
    }),
    column("Queues", |level: &PriorityLevelConfiguration, _| number(queuing(level).map(|queuing| queuing.queues))),
    column("HandSize", |level: &PriorityLevelConfiguration, _| number(queuing(level).map(|queuing| queuing.hand_size))),
    column("QueueLengthLimit", |level: &PriorityLevelConfiguration, _| number(queuing(level).map(|queuing| queuing.queue_length_limit))),
    Column::age(),
];

fn number(number: Option<Option<i32>>) -> Value {
    number.map_or_else(|| Value::from("<none>"), |number| Value::from(number.unwrap_or_default()))
}

fn limited(level: &PriorityLevelConfiguration) -> Option<&LimitedPriorityLevelConfiguration> {
    level.spec.as_ref()?.limited.as_ref()
}

fn queuing(level: &PriorityLevelConfiguration) -> Option<&QueuingConfiguration> {
    limited(level)?.limit_response.as_ref()?.queuing.as_ref()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: Value) -> String {
        let mut level: PriorityLevelConfiguration = serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": spec})).unwrap();
        defaults(&mut level);
        let mut errors = Errors::new();
        validate(&level, &mut errors);
        errors.to_string()
    }

    #[test]
    fn what_is_wrong() {
        let queues = |queuing: Value| json!({"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}});
        for (spec, want) in [
            (queues(json!({})), "[]"),
            (json!({"type": "Limited"}), "spec.limited: Required value: must not be empty when type is Limited"),
            (json!({"type": "Exempt"}), "spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'"),
            (
                queues(json!({"queues": 4})),
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than queues (4)",
            ),
            (
                queues(json!({"queues": 1024})),
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits of deckSize 1024 and handSize 8 should not be greater than 60",
            ),
            (
                json!({"type": "Limited", "limited": {"lendablePercent": 101, "limitResponse": {"type": "Reject"}}}),
                "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive",
            ),
        ] {
            assert_eq!(said(spec), want);
        }
    }
}

//! PriorityClasses: names for how important pods are.

use k8s_openapi::api::scheduling::v1::PriorityClass;
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::{flag, text},
};

/// The classes the cluster needs for itself.
const SYSTEM: [(&str, i32); 2] = [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];
/// The highest priority users may give.
const HIGHEST: i32 = 1_000_000_000;
const POLICIES: &[&str] = &["PreemptLowerPriority", "Never"];

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some(
        "scheduling.k8s.io/v1beta1 PriorityClass is deprecated in v1.14+, unavailable in v1.22+; use scheduling.k8s.io/v1 PriorityClass",
    ),
    ..Conversion::NONE
};

/// What is special about a PriorityClass.
pub(super) const RULES: Rules<PriorityClass> = Rules {
    defaults: |class| {
        class.value.get_or_insert(0);
        class.preemption_policy.get_or_insert_with(|| POLICIES[0].to_owned());
    },
    validate,
    validate_update,
    columns: &[
        Column::name(),
        column("Value", |class: &PriorityClass, _| Value::from(class.value.unwrap_or_default()))
            .integer()
            .about("value represents the integer value of this priority class."),
        column("Global-Default", |class: &PriorityClass, _| Value::from(flag(class.global_default)))
            .boolean()
            .about("globalDefault specifies whether this PriorityClass should be considered as the default priority for pods that do not have any priority class."),
        Column::age(),
        column("PreemptionPolicy", |class: &PriorityClass, _| Value::from(text(&class.preemption_policy)))
            .about("preemptionPolicy is the Policy for preempting pods with lower priority."),
    ],
    ..Rules::NONE
};

fn validate(class: &PriorityClass, errors: &mut Errors) {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let value = class.value.unwrap_or_default();
    if name.starts_with("system-") {
        if let Some(why) = not_of_the_system(name, value, flag(class.global_default)) {
            let metadata = Path::new("metadata");
            let detail = format!("priority class names with 'system-' prefix are reserved for system use only. error: {why}");
            errors.forbidden(&metadata.child("name"), &detail);
        }
    } else if value > HIGHEST {
        errors.forbidden(&Path::new("value"), &format!("maximum allowed value of a user defined priority is {HIGHEST}"));
    }
    let path = Path::new("preemptionPolicy");
    match text(&class.preemption_policy) {
        "" => errors.required(&path, ""),
        policy if !POLICIES.contains(&policy) => errors.unsupported(&path, policy, POLICIES),
        _ => {}
    }
}

/// Why a class is not the one of the system that it is called like.
fn not_of_the_system(name: &str, value: i32, global: bool) -> Option<String> {
    match SYSTEM.iter().find(|(system, _)| *system == name) {
        None => Some(format!("{name} is not a known system priority class")),
        Some((_, known)) if *known != value => Some(format!("value of {name} PriorityClass must be {known}")),
        Some(_) if global => Some(format!("globalDefault of {name} PriorityClass must be false")),
        Some(_) => None,
    }
}

fn validate_update(new: &PriorityClass, old: &PriorityClass, errors: &mut Errors) {
    if new.value.unwrap_or_default() != old.value.unwrap_or_default() {
        errors.forbidden(&Path::new("value"), "may not be changed in an update.");
    }
    if new.preemption_policy != old.preemption_policy {
        errors.invalid(&Path::new("preemptionPolicy"), &new.preemption_policy, "field is immutable");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_system_keeps_its_names() {
        for (name, value, want) in [
            ("mine", 1_000_000_000, "[]"),
            ("mine", 1_000_000_001, "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"),
            ("system-node-critical", 2_000_001_000, "[]"),
            (
                "system-node-critical",
                1,
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: value of system-node-critical PriorityClass must be 2000001000",
            ),
        ] {
            let mut class: PriorityClass = serde_json::from_value(json!({"metadata": {"name": name}, "value": value})).unwrap();
            (RULES.defaults)(&mut class);
            let mut errors = Errors::new();
            validate(&class, &mut errors);
            assert_eq!(errors.to_string(), want);
        }
    }
}

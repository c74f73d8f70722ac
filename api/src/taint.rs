//! Taints repel pods from nodes; tolerations let some of them through.

use k8s_openapi::api::core::v1::{Taint, Toleration};

/// Pods that do not tolerate it are not scheduled onto the node.
pub const NO_SCHEDULE: &str = "NoSchedule";
/// Pods that do not tolerate it are scheduled elsewhere if possible.
pub const PREFER_NO_SCHEDULE: &str = "PreferNoSchedule";
/// As `NoSchedule`, and pods that already run there are evicted.
pub const NO_EXECUTE: &str = "NoExecute";

/// Whether any of the tolerations tolerates the taint.
pub fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| tolerates_one(toleration, taint))
}

/// The first taint with one of these effects that no toleration tolerates.
pub fn find_untolerated<'a>(taints: &'a [Taint], tolerations: &[Toleration], effects: &[&str]) -> Option<&'a Taint> {
    taints.iter().find(|taint| effects.contains(&taint.effect.as_str()) && !tolerates(tolerations, taint))
}

/// An absent key, effect or (with `Exists`) value means "any"; an absent operator means `Equal`. `Lt` and `Gt` hold
/// when the taint's number is below or above the toleration's.
pub fn tolerates_one(toleration: &Toleration, taint: &Taint) -> bool {
    let any_or = |mine: &Option<String>, theirs: &str| text(mine).is_empty() || text(mine) == theirs;
    if !any_or(&toleration.effect, &taint.effect) || !any_or(&toleration.key, &taint.key) {
        return false;
    }
    let (mine, theirs) = (text(&toleration.value), text(&taint.value));
    match toleration.operator.as_deref() {
        None | Some("" | "Equal") => mine == theirs,
        Some("Exists") => true,
        Some("Lt") => numbers(theirs, mine).is_some_and(|(taint, limit)| taint < limit),
        Some("Gt") => numbers(theirs, mine).is_some_and(|(taint, limit)| taint > limit),
        Some(_) => false,
    }
}

/// The API leaves empty strings out, so absent and empty are the same.
fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

fn numbers(a: &str, b: &str) -> Option<(i64, i64)> {
    Some((a.parse().ok()?, b.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        Taint { key: key.into(), value: Some(value.into()), effect: effect.into(), time_added: None }
    }

    fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        Toleration { key: some(key), operator: some(operator), value: some(value), effect: some(effect), toleration_seconds: None }
    }

    #[test]
    fn one_toleration_against_one_taint() {
        let gpu = taint("gpu", "5", NO_SCHEDULE);
        for (key, operator, value, effect, want) in [
            ("gpu", "Equal", "5", NO_SCHEDULE, true),
            ("gpu", "", "5", NO_SCHEDULE, true),
            ("gpu", "", "6", NO_SCHEDULE, false),
            ("gpu", "Equal", "5", "", true),
            ("gpu", "Equal", "5", NO_EXECUTE, false),
            ("gpu", "Exists", "", NO_SCHEDULE, true),
            ("cpu", "Exists", "", NO_SCHEDULE, false),
            ("", "Exists", "", "", true),
            ("", "Exists", "", NO_EXECUTE, false),
            ("gpu", "Lt", "6", "", true),
            ("gpu", "Lt", "5", "", false),
            ("gpu", "Gt", "4", "", true),
            ("gpu", "Gt", "x", "", false),
            ("gpu", "Like", "5", "", false),
        ] {
            let one = toleration(key, operator, value, effect);
            assert_eq!(tolerates_one(&one, &gpu), want, "{key} {operator} {value} {effect}");
        }
    }

    #[test]
    fn the_first_untolerated_taint_with_a_matching_effect() {
        let taints = [taint("a", "", PREFER_NO_SCHEDULE), taint("b", "", NO_SCHEDULE), taint("c", "", NO_EXECUTE)];
        let tolerations = [toleration("b", "Exists", "", "")];
        let hard = [NO_SCHEDULE, NO_EXECUTE];
        assert_eq!(find_untolerated(&taints, &tolerations, &hard), Some(&taints[2]));
        assert_eq!(find_untolerated(&taints, &[], &hard), Some(&taints[1]));
        assert_eq!(find_untolerated(&taints, &tolerations, &[PREFER_NO_SCHEDULE]), Some(&taints[0]));
        assert_eq!(find_untolerated(&taints[1..2], &tolerations, &hard), None);
    }
}

//! Whether a container that has ended is started again: the policy of its pod, its own, and its rules for exit codes.
//!
//! Must not know: back-offs, what the runtime has.

use k8s_openapi::api::core::v1::{Container, ContainerRestartRule, PodSpec};

use super::is_sidecar;

/// Whether a container that ended with this code is started again. Init containers that did their work are not.
pub(super) fn is_due(spec: &PodSpec, container: &Container, init: bool, code: i32) -> bool {
    if init && code == 0 && !is_sidecar(container) {
        return false;
    }
    let own = container.restart_policy.as_deref();
    let rule = |rule: &&ContainerRestartRule| {
        let codes = rule.exit_codes.as_ref();
        codes.is_some_and(|codes| codes.values.as_deref().unwrap_or_default().contains(&code) == (codes.operator == "In"))
    };
    if own.is_some() && container.restart_policy_rules.iter().flatten().find(rule).is_some_and(|rule| rule.action == "Restart") {
        return true;
    }
    match own.or(spec.restart_policy.as_deref()) {
        Some("Never") => false,
        Some("OnFailure") => code != 0,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn policies_and_rules() {
        let rules = |operator: &str| json!([{ "action": "Restart", "exitCodes": { "operator": operator, "values": [42] } }]);
        for (pod, own, rules, init, code, want) in [
            ("Always", None, Value::Null, false, 0, true),
            ("OnFailure", None, Value::Null, false, 0, false),
            ("OnFailure", None, Value::Null, false, 1, true),
            ("Never", None, Value::Null, false, 1, false),
            ("Always", None, Value::Null, true, 0, false),
            ("Always", None, Value::Null, true, 1, true),
            ("Never", None, Value::Null, true, 1, false),
            ("Never", Some("Always"), Value::Null, true, 0, true),
            ("Always", Some("Never"), Value::Null, false, 1, false),
            ("Never", Some("Never"), rules("In"), false, 42, true),
            ("Never", Some("Never"), rules("In"), false, 1, false),
            ("Never", Some("Never"), rules("NotIn"), false, 1, true),
            ("Never", None, rules("In"), false, 42, false),
        ] {
            let spec: PodSpec = serde_json::from_value(json!({ "restartPolicy": pod, "containers": [] })).unwrap();
            let container = json!({ "name": "c", "restartPolicy": own, "restartPolicyRules": rules });
            let container: Container = serde_json::from_value(container).unwrap();
            assert_eq!(is_due(&spec, &container, init, code), want, "{pod} {own:?} {rules} {init} {code}");
        }
    }
}

//! What a Job makes of a pod that failed: the first rule of its policy that matches says.

use k8s_openapi::api::{
    batch::v1::{JobSpec, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule},
    core::v1::{ContainerStatus, Pod, PodStatus},
};

/// What becomes of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It counts; so it is without a policy.
    Count,
    /// It does not count.
    Ignore,
    /// The pod's index has failed, whatever its limit.
    FailIndex,
    /// The whole Job has failed, because of this.
    FailJob(String),
}

/// What the policy of the Job makes of a pod that failed.
pub(super) fn judge(spec: &JobSpec, pod: &Pod) -> Action {
    let rules = spec.pod_failure_policy.iter().flat_map(|policy| &policy.rules).enumerate();
    rules.into_iter().find_map(|(at, rule)| apply(rule, at, pod)).unwrap_or(Action::Count)
}

/// Whether a failure counts towards the limits.
pub(super) fn counts(spec: &JobSpec, pod: &Pod) -> bool {
    judge(spec, pod) != Action::Ignore
}

fn apply(rule: &PodFailurePolicyRule, at: usize, pod: &Pod) -> Option<Action> {
    let status = pod.status.as_ref()?;
    let name = || {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}/{}", part(&pod.metadata.namespace), part(&pod.metadata.name))
    };
    let message = if let Some(codes) = &rule.on_exit_codes {
        let (container, code) = failed_container(status, codes)?;
        format!("Container {container} for pod {} failed with exit code {code} matching {} rule at index {at}", name(), rule.action)
    } else {
        let condition = matching_condition(status, rule.on_pod_conditions.as_ref()?)?;
        format!("Pod {} has condition {condition} matching {} rule at index {at}", name(), rule.action)
    };
    match rule.action.as_str() {
        "Ignore" => Some(Action::Ignore),
        "FailIndex" => Some(Action::FailIndex),
        "FailJob" => Some(Action::FailJob(message)),
        "Count" => Some(Action::Count),
        // What it may mean is not known: upstream goes on to the next rule, too.
        _ => None,
    }
}

/// The first container, and its exit code, that the rule is about. Success is no failure, whatever the rule says.
fn failed_container<'a>(status: &'a PodStatus, codes: &PodFailurePolicyOnExitCodesRequirement) -> Option<(&'a str, i32)> {
    let exit = |status: &'a ContainerStatus| Some((status.name.as_str(), status.state.as_ref()?.terminated.as_ref()?.exit_code));
    let is_asked = |name: &str| codes.container_name.as_deref().is_none_or(|asked| asked == name);
    let does = |code: i32| match codes.operator.as_str() {
        "In" => codes.values.contains(&code),
        "NotIn" => !codes.values.contains(&code),
        _ => false,
    };
    let containers = status.container_statuses.iter().flatten().chain(status.init_container_statuses.iter().flatten());
    containers.filter_map(exit).find(|(name, code)| *code != 0 && is_asked(name) && does(*code))
}

fn matching_condition<'a>(status: &'a PodStatus, patterns: &[PodFailurePolicyOnPodConditionsPattern]) -> Option<&'a str> {
    let is_meant = |kind: &str, status: &str| {
        patterns.iter().any(|pattern| pattern.type_ == kind && pattern.status.as_deref().unwrap_or("True") == status)
    };
    let mut conditions = status.conditions.iter().flatten();
    conditions.find(|condition| is_meant(&condition.type_, &condition.status)).map(|condition| condition.type_.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(rules: Value) -> JobSpec {
        serde_json::from_value(json!({"template": {}, "podFailurePolicy": {"rules": rules}})).unwrap()
    }

    fn failed(code: i32) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n"},
            "status": {
                "phase": "Failed",
                "conditions": [{"type": "DisruptionTarget", "status": "True"}],
                "containerStatuses": [
                    {"name": "a", "state": {"terminated": {"exitCode": 0}}}, {"name": "b", "state": {"terminated": {"exitCode": code}}},
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let exit = |action: &str, operator: &str, values: &[i32]| json!({"action": action, "onExitCodes": {"operator": operator, "values": values}});
        let disrupted = |action: &str| json!({"action": action, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]});
        let only = |container: &str| json!({"action": "Ignore", "onExitCodes": {"containerName": container, "operator": "In", "values": [3]}});
        let said = "Container b for pod n/p failed with exit code 3 matching FailJob rule at index 1";
        for (rules, want) in [
            (json!([]), Action::Count),
            (json!([exit("Ignore", "In", &[1, 3])]), Action::Ignore),
            (json!([exit("Ignore", "In", &[1])]), Action::Count),
            (json!([exit("FailIndex", "NotIn", &[1])]), Action::FailIndex),
            (json!([exit("Ignore", "In", &[1]), exit("FailJob", "In", &[3])]), Action::FailJob(said.to_owned())),
            (json!([only("a")]), Action::Count),
            (json!([only("b")]), Action::Ignore),
            (json!([exit("Count", "In", &[3]), disrupted("Ignore")]), Action::Count),
            (
                json!([disrupted("FailJob")]),
                Action::FailJob("Pod n/p has condition DisruptionTarget matching FailJob rule at index 0".to_owned()),
            ),
        ] {
            assert_eq!(judge(&spec(rules.clone()), &failed(3)), want, "{rules}");
        }
        let any = spec(json!([exit("FailJob", "NotIn", &[1])]));
        assert_eq!(judge(&any, &failed(0)), Action::Count, "success matches no rule about exit codes");
        assert!(counts(&any, &failed(1)) && !counts(&spec(json!([disrupted("Ignore")])), &failed(1)));
    }
}

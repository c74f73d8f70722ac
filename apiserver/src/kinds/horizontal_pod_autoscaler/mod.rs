//! HorizontalPodAutoscalers: how many pods there should be, by what they use; and the version of it that knows only CPU.

use k8s_openapi::api::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, MetricSpec, MetricTarget,
    ResourceMetricSource,
};
use serde_json::Value;

use super::{
    rules::{Column, Rules, column, parts},
    unset::list,
};

mod metric;
mod targets;
mod validate;
mod version;

pub(super) use version::AUTOSCALING_V1;

/// What is special about a HorizontalPodAutoscaler.
pub(super) const RULES: Rules<HorizontalPodAutoscaler> = Rules {
    defaults,
    on_create: |autoscaler| autoscaler.status = Some(HorizontalPodAutoscalerStatus::default()),
    validate: validate::autoscaler,
    validate_status: |new, _, errors| validate::status(new, errors),
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

/// The share of the CPU they asked for that pods should use, where nothing else is said.
const CPU: i32 = 80;

fn defaults(autoscaler: &mut HorizontalPodAutoscaler) {
    autoscaler.status.get_or_insert_default();
    let spec = &mut autoscaler.spec;
    spec.min_replicas.get_or_insert(1);
    if list(&spec.metrics).is_empty() {
        let target = MetricTarget { type_: "Utilization".to_owned(), average_utilization: Some(CPU), ..MetricTarget::default() };
        let resource = ResourceMetricSource { name: "cpu".to_owned(), target };
        spec.metrics = Some(vec![MetricSpec { type_: "Resource".to_owned(), resource: Some(resource), ..MetricSpec::default() }]);
    }
    if let Some(behavior) = &mut spec.behavior {
        let up = behavior.scale_up.get_or_insert_default();
        up.stabilization_window_seconds.get_or_insert(0);
        paced(up, &[("Pods", 4), ("Percent", 100)]);
        paced(behavior.scale_down.get_or_insert_default(), &[("Percent", 100)]);
    }
}

/// How fast the number of pods changes, where that is not said: by so much each 15 seconds.
fn paced(rules: &mut HPAScalingRules, steps: &[(&str, i32)]) {
    let policy = |(kind, value): &(&str, i32)| HPAScalingPolicy { type_: (*kind).to_owned(), value: *value, period_seconds: 15 };
    rules.select_policy.get_or_insert_with(|| "Max".to_owned());
    rules.policies.get_or_insert_with(|| steps.iter().map(policy).collect());
}

const COLUMNS: &[Column<HorizontalPodAutoscaler>] = &[
    Column::name(),
    column("Reference", |autoscaler: &HorizontalPodAutoscaler, _| {
        let target = &autoscaler.spec.scale_target_ref;
        Value::from(format!("{}/{}", target.kind, target.name))
    })
    .about("Reference to scaled resource."),
    column("Targets", |autoscaler: &HorizontalPodAutoscaler, _| {
        let current = autoscaler.status.as_ref().map(|status| list(&status.current_metrics)).unwrap_or_default();
        Value::from(targets::cell(list(&autoscaler.spec.metrics), current))
    }),
    column("MinPods", |autoscaler: &HorizontalPodAutoscaler, _| {
        Value::from(autoscaler.spec.min_replicas.map_or_else(|| "<unset>".to_owned(), |number| number.to_string()))
    })
    .about("Lower limit for the number of pods that can be set by the autoscaler."),
    column("MaxPods", |autoscaler: &HorizontalPodAutoscaler, _| Value::from(autoscaler.spec.max_replicas))
        .about("Upper limit for the number of pods that can be set by the autoscaler; cannot be smaller than MinReplicas."),
    column("Replicas", |autoscaler: &HorizontalPodAutoscaler, _| {
        Value::from(autoscaler.status.as_ref().and_then(|status| status.current_replicas).unwrap_or_default())
    })
    .about("Current number of replicas of pods managed by this autoscaler."),
    Column::age(),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn behavior_is_completed() {
        let mut object = (RULES.decode)(&json!({"spec": {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}}).to_string()).unwrap();
        defaults(&mut object);
        let once = object.clone();
        defaults(&mut object);
        assert_eq!(object, once, "defaults are idempotent");
        let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
        assert_eq!(
            serde_json::to_value(object.spec.behavior).unwrap(),
            json!({
                "scaleUp": {
                    "stabilizationWindowSeconds": 0, "selectPolicy": "Max",
                    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, percent],
                },
                "scaleDown": {"selectPolicy": "Disabled", "policies": [percent]},
            })
        );
    }
}

//! What is to be done for one autoscaler: the number its metrics lead to, within its limits, and what it says about that.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus, MetricStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use mini_api::condition;

use super::{
    limits::{History, Limits},
    metric::{Usage, measure},
    replicas::{Patience, Scene, Tolerance},
};

/// What can be set for all autoscalers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) tolerance: f64,
    pub(super) patience: Patience,
    /// For how long nothing shrinks below what was recommended, unless the autoscaler says.
    pub(super) window: SignedDuration,
}

/// What is scaled, as its `scale` subresource shows it.
pub(super) struct Target<'a> {
    pub(super) replicas: i32,
    pub(super) selector: &'a str,
}

/// What else is known.
pub(super) struct Sight<'a> {
    /// The pods its selector selects; why it cannot be read.
    pub(super) pods: Result<&'a [Arc<Pod>], String>,
    pub(super) usage: &'a Usage,
    /// The autoscalers that select one of these pods, itself among them.
    pub(super) rivals: &'a [String],
}

/// A reason and a message.
pub(super) type Remark = (&'static str, String);

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// The number to scale to, and why.
    pub(super) scale: Option<(i32, String)>,
    pub(super) status: HorizontalPodAutoscalerStatus,
    /// What there is to worry about.
    pub(super) warnings: Vec<Remark>,
}

/// What the number of pods is without measuring anything.
enum Given {
    /// Nothing is to be done.
    Disabled,
    /// It is outside of what is allowed: to be set to this, for that reason.
    Outside(i32, &'static str),
    /// The metrics say.
    Measured,
}

fn given(autoscaler: &HorizontalPodAutoscaler, current: i32) -> Given {
    let (least, most) = (least(autoscaler), autoscaler.spec.max_replicas);
    match current {
        0 if least != 0 => Given::Disabled,
        _ if current > most => Given::Outside(most, "Current number of replicas above Spec.MaxReplicas"),
        _ if current < least => Given::Outside(least, "Current number of replicas below Spec.MinReplicas"),
        _ => Given::Measured,
    }
}

fn least(autoscaler: &HorizontalPodAutoscaler) -> i32 {
    autoscaler.spec.min_replicas.unwrap_or(1)
}

/// Whether it depends on the metrics what is done.
pub(super) fn is_measured(autoscaler: &HorizontalPodAutoscaler, current: i32) -> bool {
    matches!(given(autoscaler, current), Given::Measured)
}

/// Decides for one autoscaler whose target is found.
pub(super) fn plan(
    autoscaler: &HorizontalPodAutoscaler,
    target: &Target<'_>,
    sight: &Sight<'_>,
    settings: &Settings,
    history: &mut History,
    now: Timestamp,
) -> Plan {
    let mut status = Status::of(autoscaler, now);
    let mut warnings = Vec::new();
    status.says("AbleToScale", true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
    history.begin(target.replicas, now);
    status.status.current_replicas = Some(target.replicas);
    let scale = match given(autoscaler, target.replicas) {
        Given::Disabled => {
            let why = "scaling is disabled since the replica count of the target is zero";
            status.says("ScalingActive", false, "ScalingDisabled", why);
            status.status.current_metrics = None;
            None
        }
        Given::Outside(number, why) => {
            status.status.current_metrics = None;
            Some((number, why.to_owned()))
        }
        Given::Measured => match measured(autoscaler, target, sight, settings, &mut status, &mut warnings) {
            Some((wanted, metric)) => limited(autoscaler, target.replicas, wanted, &metric, settings, history, &mut status),
            None => return Plan { scale: None, status: status.status, warnings },
        },
    };
    status.status.desired_replicas = scale.as_ref().map_or(target.replicas, |(number, _)| *number);
    Plan { scale, status: status.status, warnings }
}

/// The number the metrics lead to, and which of them does. None if that cannot be said.
fn measured(
    autoscaler: &HorizontalPodAutoscaler,
    target: &Target<'_>,
    sight: &Sight<'_>,
    settings: &Settings,
    status: &mut Status,
    warnings: &mut Vec<Remark>,
) -> Option<(i32, String)> {
    let pods = match selected(target.selector, sight) {
        Ok(pods) => pods,
        Err((reason, message)) => {
            let said = if reason == "SelectorRequired" { "the HPA target's scale is missing a selector" } else { &message };
            status.says("ScalingActive", false, if reason == "SelectorRequired" { "InvalidSelector" } else { reason }, said);
            status.status.current_metrics = None;
            warnings.extend([(reason, message.clone()), ("FailedComputeMetricsReplicas", message)]);
            return None;
        }
    };
    let behavior = autoscaler.spec.behavior.as_ref();
    let rules = (behavior.and_then(|behavior| behavior.scale_up.as_ref()), behavior.and_then(|behavior| behavior.scale_down.as_ref()));
    let tolerance = Tolerance::new(settings.tolerance, rules.0, rules.1);
    let scene = Scene { pods, current: target.replicas, tolerance, patience: settings.patience, now: status.now };
    let namespace = autoscaler.metadata.namespace.as_deref().unwrap_or_default();
    let specs = autoscaler.spec.metrics.as_deref().unwrap_or_default();
    let (mut best, mut statuses, mut failures): (Option<(i32, String)>, Vec<MetricStatus>, Vec<_>) = (None, Vec::new(), Vec::new());
    for spec in specs {
        match measure(spec, namespace, sight.usage, &scene) {
            Ok(measured) => {
                if best.as_ref().is_none_or(|(most, _)| measured.replicas > *most) {
                    best = Some((measured.replicas, measured.name));
                }
                statuses.push(measured.status);
            }
            Err(failure) => {
                warnings.push((failure.reason, failure.message.clone()));
                failures.push(failure);
                statuses.push(MetricStatus::default());
            }
        }
    }
    status.status.current_metrics = Some(statuses);
    // With a part of the metrics it may grow, but not shrink.
    let usable = best.filter(|(number, _)| failures.is_empty() || *number >= target.replicas);
    match (&usable, failures.first()) {
        (Some((_, metric)), _) => {
            let message = format!("the HPA was able to successfully calculate a replica count from {metric}");
            status.says("ScalingActive", true, "ValidMetricFound", &message);
        }
        (None, Some(first)) => {
            status.says("ScalingActive", false, first.reason, &format!("the HPA was unable to compute the replica count: {}", first.message));
            let count = format!("invalid metrics ({} invalid out of {}), first error is: ", failures.len(), specs.len());
            warnings.push(("FailedComputeMetricsReplicas", count + &first.error));
        }
        (None, None) => {}
    }
    usable
}

/// The pods that are measured, or why there are none: a reason and a message.
fn selected<'a>(selector: &str, sight: &Sight<'a>) -> Result<&'a [Arc<Pod>], Remark> {
    if selector.is_empty() {
        return Err(("SelectorRequired", "selector is required".to_owned()));
    }
    let pods = sight.pods.clone().map_err(|why| {
        ("InvalidSelector", format!("couldn't convert selector into a corresponding internal selector object: {why}"))
    })?;
    match sight.rivals {
        [] | [_] => Ok(pods),
        several => {
            let message = format!("pods by selector {selector} are controlled by multiple HPAs: [{}]", several.join(" "));
            Err(("AmbiguousSelector", message))
        }
    }
}

/// Brings a wanted number within its limits; none if that is the present one.
fn limited(
    autoscaler: &HorizontalPodAutoscaler,
    current: i32,
    wanted: i32,
    metric: &str,
    settings: &Settings,
    history: &mut History,
    status: &mut Status,
) -> Option<(i32, String)> {
    let (least, most, behavior) = (least(autoscaler), autoscaler.spec.max_replicas, autoscaler.spec.behavior.as_ref());
    let limits = Limits { current, least, most, behavior, window: settings.window };
    let limited = history.limit(wanted, &limits, status.now);
    status.says("AbleToScale", true, limited.able.0, limited.able.1);
    status.says("ScalingLimited", limited.limited, limited.why.0, limited.why.1);
    let why = match wanted.cmp(&current) {
        std::cmp::Ordering::Greater => format!("{metric} above target"),
        std::cmp::Ordering::Less => "All metrics below target".to_owned(),
        std::cmp::Ordering::Equal => String::new(),
    };
    (limited.replicas != current).then_some((limited.replicas, why))
}

/// The status of an autoscaler whose target cannot be found.
pub(super) fn without_target(autoscaler: &HorizontalPodAutoscaler, why: &str, now: Timestamp) -> HorizontalPodAutoscalerStatus {
    let mut status = Status::of(autoscaler, now);
    let message = format!("the HPA controller was unable to get the target's current scale: {why}");
    status.says("AbleToScale", false, "FailedGetScale", &message);
    status.status
}

/// The status of an autoscaler after its target was scaled as planned, or could not be.
pub(super) fn scaled(
    autoscaler: &HorizontalPodAutoscaler,
    planned: HorizontalPodAutoscalerStatus,
    to: i32,
    result: &Result<(), String>,
    now: Timestamp,
) -> HorizontalPodAutoscalerStatus {
    let mut status = Status { status: planned, now };
    match result {
        Ok(()) => {
            let message = format!("the HPA controller was able to update the target scale to {to}");
            status.says("AbleToScale", true, "SucceededRescale", &message);
            status.status.last_scale_time = Some(Time(now));
        }
        Err(why) => {
            let message = format!("the HPA controller was unable to update the target scale: {why}");
            status.says("AbleToScale", false, "FailedUpdateScale", &message);
            status.status.desired_replicas = autoscaler.status.as_ref().map_or(0, |status| status.desired_replicas);
        }
    }
    status.status
}

/// A status in the making.
struct Status {
    status: HorizontalPodAutoscalerStatus,
    now: Timestamp,
}

impl Status {
    fn of(autoscaler: &HorizontalPodAutoscaler, now: Timestamp) -> Self {
        Self { status: autoscaler.status.clone().unwrap_or_default(), now }
    }

    fn says(&mut self, kind: &str, holds: bool, reason: &str, message: &str) {
        let new = HorizontalPodAutoscalerCondition {
            type_: kind.to_owned(),
            status: if holds { condition::TRUE } else { condition::FALSE }.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_transition_time: Some(Time(self.now)),
        };
        condition::set(&mut self.status.conditions, new);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn autoscaler(spec: Value, status: Value) -> HorizontalPodAutoscaler {
        let mut whole = json!({
            "scaleTargetRef": { "kind": "Deployment", "name": "web", "apiVersion": "apps/v1" }, "minReplicas": 2, "maxReplicas": 10,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } }],
        });
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({ "metadata": { "name": "web", "namespace": "default" }, "spec": whole, "status": status })).unwrap()
    }

    fn settings() -> Settings {
        let patience = Patience { initialization: SignedDuration::from_mins(5), readiness: SignedDuration::from_secs(30) };
        Settings { tolerance: 0.1, patience, window: SignedDuration::from_mins(5) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// So many ready pods that ask for 100m each, and what they use.
    fn world(count: usize, used: &str) -> (Vec<Arc<Pod>>, Usage) {
        let pod = |index: usize| -> Arc<Pod> {
            Arc::new(
                serde_json::from_value(json!({
                    "metadata": { "name": format!("p{index}") },
                    "spec": { "containers": [{ "name": "c", "resources": { "requests": { "cpu": "100m" } } }] },
                    "status": { "phase": "Running", "startTime": at(0), "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": at(1) }] },
                }))
                .unwrap(),
            )
        };
        let metrics = |index: usize| {
            serde_json::from_value(json!({
                "metadata": { "name": format!("p{index}"), "namespace": "default" }, "timestamp": at(1000), "window": "15s",
                "containers": [{ "name": "c", "usage": { "cpu": used } }],
            }))
            .unwrap()
        };
        ((0..count).map(pod).collect(), Ok((0..count).map(metrics).collect()))
    }

    fn told(plan: &Plan) -> String {
        let conditions = plan.status.conditions.iter().flatten();
        let conditions: String =
            conditions.map(|one| format!("{}={} {}: {}\n", one.type_, one.status, one.reason.as_ref().unwrap(), one.message.as_ref().unwrap())).collect();
        let warnings: String = plan.warnings.iter().map(|(reason, message)| format!("! {reason}: {message}\n")).collect();
        format!("{:?} {:?}->{}\n{conditions}{warnings}", plan.scale, plan.status.current_replicas, plan.status.desired_replicas)
    }

    fn run(autoscaler: &HorizontalPodAutoscaler, replicas: i32, pods: &[Arc<Pod>], usage: &Usage, rivals: &[String]) -> Plan {
        let target = Target { replicas, selector: "app=web" };
        let sight = Sight { pods: Ok(pods), usage, rivals };
        plan(autoscaler, &target, &sight, &settings(), &mut History::default(), at(1000))
    }

    #[test]
    fn busy_pods_get_company() {
        let (pods, usage) = world(2, "100m");
        let plan = run(&autoscaler(json!({}), json!({ "desiredReplicas": 2 })), 2, &pods, &usage, &[]);
        expect_test::expect![[r#"
            Some((4, "cpu resource utilization (percentage of request) above target")) Some(2)->4
            AbleToScale=True ReadyForNewScale: recommended size matches current size
            ScalingActive=True ValidMetricFound: the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)
            ScalingLimited=False DesiredWithinRange: the desired count is within the acceptable range
        "#]]
        .assert_eq(&told(&plan));
        let metrics = serde_json::to_value(&plan.status.current_metrics).unwrap();
        let current = json!({ "averageUtilization": 100, "averageValue": "100m" });
        assert_eq!(metrics, json!([{ "type": "Resource", "resource": { "name": "cpu", "current": current } }]));
        let done = scaled(&autoscaler(json!({}), json!(null)), plan.status, 4, &Ok(()), at(1001));
        let able = &done.conditions.as_ref().unwrap()[0];
        assert_eq!((able.reason.as_deref(), done.last_scale_time), (Some("SucceededRescale"), Some(Time(at(1001)))));
    }

    #[test]
    fn outside_of_its_bounds_nothing_is_measured() {
        let scale = |replicas: i32| {
            let plan = run(&autoscaler(json!({}), json!({ "desiredReplicas": 0 })), replicas, &[], &Err(String::new()), &[]);
            assert!(!is_measured(&autoscaler(json!({}), json!(null)), replicas));
            plan.scale
        };
        assert_eq!(scale(1), Some((2, "Current number of replicas below Spec.MinReplicas".to_owned())));
        assert_eq!(scale(11), Some((10, "Current number of replicas above Spec.MaxReplicas".to_owned())));
        assert_eq!(scale(0), None);
    }

    #[test]
    fn without_metrics_it_says_so_and_keeps_the_number() {
        let (pods, _) = world(2, "1m");
        let lost = "unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";
        let plan = run(&autoscaler(json!({}), json!({ "desiredReplicas": 0 })), 2, &pods, &Err(lost.to_owned()), &[]);
        expect_test::expect![[r#"
            None Some(2)->0
            AbleToScale=True SucceededGetScale: the HPA controller was able to get the target's current scale
            ScalingActive=False FailedGetResourceMetric: the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)
            ! FailedGetResourceMetric: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)
            ! FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)
        "#]]
        .assert_eq(&told(&plan));
    }

    #[test]
    fn of_several_metrics_the_highest_counts_and_none_may_be_missing_to_shrink() {
        let cpu = |percent: i32| json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": percent } } });
        let broken = || json!({ "type": "Pods", "pods": { "metric": { "name": "rps" }, "target": { "type": "AverageValue", "averageValue": "1" } } });
        let (pods, usage) = world(4, "60m");
        let scale = |metrics: Value| run(&autoscaler(json!({ "metrics": metrics }), json!({ "desiredReplicas": 4 })), 4, &pods, &usage, &[]).scale.map(|(number, _)| number);
        assert_eq!(scale(json!([cpu(50), cpu(40)])), Some(6));
        assert_eq!(scale(json!([broken(), cpu(40)])), Some(6));
        let plan = run(&autoscaler(json!({ "metrics": [broken(), cpu(90)] }), json!({ "desiredReplicas": 4 })), 4, &pods, &usage, &[]);
        assert_eq!((plan.scale, plan.warnings.len()), (None, 2));
        assert_eq!(plan.status.current_metrics.unwrap()[0], MetricStatus::default());
    }

    #[test]
    fn rivals_stop_each_other() {
        let (pods, usage) = world(2, "100m");
        let rivals = ["default/a".to_owned(), "default/web".to_owned()];
        let plan = run(&autoscaler(json!({}), json!({ "desiredReplicas": 0 })), 2, &pods, &usage, &rivals);
        expect_test::expect![[r#"
            None Some(2)->0
            AbleToScale=True SucceededGetScale: the HPA controller was able to get the target's current scale
            ScalingActive=False AmbiguousSelector: pods by selector app=web are controlled by multiple HPAs: [default/a default/web]
            ! AmbiguousSelector: pods by selector app=web are controlled by multiple HPAs: [default/a default/web]
            ! FailedComputeMetricsReplicas: pods by selector app=web are controlled by multiple HPAs: [default/a default/web]
        "#]]
        .assert_eq(&told(&plan));
    }

    #[test]
    fn a_lost_target_is_told() {
        let status = without_target(&autoscaler(json!({}), json!(null)), "deployments.apps \"web\" not found", at(0));
        let able = &status.conditions.unwrap()[0];
        assert_eq!((able.status.as_str(), able.reason.as_deref()), ("False", Some("FailedGetScale")));
        let message = "the HPA controller was unable to get the target's current scale: deployments.apps \"web\" not found";
        assert_eq!(able.message.as_deref(), Some(message));
    }
}

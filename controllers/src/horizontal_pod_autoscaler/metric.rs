//! What one metric of an autoscaler says: how many pods, and what is told of it in the status. Only what pods use is measured;
//! metrics of other kinds have nobody to answer for them, and say so.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::autoscaling::v2::{
        ContainerResourceMetricStatus, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus, ObjectMetricSource, ResourceMetricStatus,
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
    },
};
use mini_api::{
    duration,
    quantity::{self, Format},
};
use serde::Deserialize;

use super::replicas::{Sample, Samples, Scene, Target, milli, propose};

/// What is asked of an API that nobody serves.
const NO_CUSTOM_METRICS: &str = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";

/// What a pod uses, as metrics.k8s.io tells.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PodMetrics {
    metadata: ObjectMeta,
    timestamp: Timestamp,
    window: String,
    #[serde(default)]
    containers: Vec<ContainerMetrics>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContainerMetrics {
    name: String,
    #[serde(default)]
    usage: BTreeMap<String, Quantity>,
}

/// What the pods use, or why that is not known.
pub(super) type Usage = Result<Vec<PodMetrics>, String>;

/// What a metric leads to.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) replicas: i32,
    /// How Events call it.
    pub(super) name: String,
    pub(super) status: MetricStatus,
}

/// Why a metric leads to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Of the Event and the condition.
    pub(super) reason: &'static str,
    /// What these say.
    pub(super) message: String,
    /// The same with what was tried.
    pub(super) error: String,
}

/// Whether this metric is about what pods use.
pub(super) fn is_usage(spec: &MetricSpec) -> bool {
    matches!(spec.type_.as_str(), "Resource" | "ContainerResource")
}

/// Measures one metric.
///
/// # Errors
/// Why it cannot be measured.
pub(super) fn measure(spec: &MetricSpec, namespace: &str, usage: &Usage, scene: &Scene<'_>) -> Result<Measured, Failure> {
    if let Some(resource) = &spec.resource {
        let (replicas, name, current) = of_resource(&resource.target, &resource.name, None, usage, scene).map_err(|message| Failure {
            reason: "FailedGetResourceMetric",
            error: format!("failed to get {} resource metric value: {message}", resource.name),
            message,
        })?;
        let status = ResourceMetricStatus { name: resource.name.clone(), current };
        return Ok(Measured { replicas, name, status: MetricStatus { type_: spec.type_.clone(), resource: Some(status), ..MetricStatus::default() } });
    }
    if let Some(resource) = &spec.container_resource {
        let container = &resource.container;
        let (replicas, name, current) =
            of_resource(&resource.target, &resource.name, Some(container), usage, scene).map_err(|message| Failure {
                reason: "FailedGetContainerResourceMetric",
                error: format!("failed to get {container} container metric value: {message}"),
                message,
            })?;
        let status = ContainerResourceMetricStatus { name: resource.name.clone(), container: container.clone(), current };
        let status = MetricStatus { type_: spec.type_.clone(), container_resource: Some(status), ..MetricStatus::default() };
        return Ok(Measured { replicas, name, status });
    }
    Err(unserved(spec, namespace))
}

fn of_resource(
    target: &MetricTarget,
    resource: &str,
    container: Option<&str>,
    usage: &Usage,
    scene: &Scene<'_>,
) -> Result<(i32, String, MetricValueStatus), String> {
    let samples = || {
        let samples = usage.clone().and_then(|usage| samples(&usage, resource, container));
        samples.map_err(|why| format!("unable to get metrics for resource {resource}: {why}"))
    };
    if let Some(average) = &target.average_value {
        let proposal = samples().and_then(|samples| propose(scene, resource, samples, Target::Average(milli(average))));
        let proposal = proposal.map_err(|why| format!("failed to get {resource} usage: {why}"))?;
        let current = MetricValueStatus { average_value: Some(amount(proposal.average)), ..MetricValueStatus::default() };
        return Ok((proposal.replicas, format!("{resource} resource"), current));
    }
    let Some(percent) = target.average_utilization else {
        return Err("invalid resource metric source: neither an average utilization target nor an average value (usage) target was set"
            .to_owned());
    };
    let proposal = samples().and_then(|samples| propose(scene, resource, samples, Target::Utilization(percent, container)));
    let proposal = proposal.map_err(|why| format!("failed to get {resource} utilization: {why}"))?;
    let of = if container.is_some() { "container resource" } else { "resource" };
    let current = MetricValueStatus {
        average_utilization: proposal.utilization,
        average_value: Some(amount(proposal.average)),
        ..MetricValueStatus::default()
    };
    Ok((proposal.replicas, format!("{resource} {of} utilization (percentage of request)"), current))
}

fn amount(milli: i64) -> Quantity {
    Quantity::from(quantity::Quantity::from_milli(milli.into(), Format::DecimalSi))
}

/// What each pod uses of a resource, or one container of each. Pods of which that is not known are left out.
fn samples(usage: &[PodMetrics], resource: &str, container: Option<&str>) -> Result<Samples, String> {
    let mut samples = Samples::new();
    for pod in usage {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let mut containers = pod.containers.iter().filter(|one| container.is_none_or(|wanted| one.name == wanted)).peekable();
        match (containers.peek(), container) {
            (None, Some(container)) => {
                let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
                return Err(format!("failed to get container metrics: container {container} not present in metrics for pod {namespace}/{name}"));
            }
            (None, None) => continue,
            _ => {}
        }
        let used: Option<i64> = containers.map(|one| one.usage.get(resource).map(milli)).sum();
        if let Some(milli) = used {
            let window = duration::nanoseconds(&pod.window).map_or(SignedDuration::from_mins(1), SignedDuration::from_nanos);
            samples.insert(name, Sample { milli, at: pod.timestamp, window });
        }
    }
    Ok(samples)
}

/// What is said of metrics that nobody serves.
fn unserved(spec: &MetricSpec, namespace: &str) -> Failure {
    if let Some(pods) = &spec.pods {
        let message = format!("unable to get metric {}: {NO_CUSTOM_METRICS}", pods.metric.name);
        return Failure { reason: "FailedGetPodsMetric", error: format!("failed to get pods metric value: {message}"), message };
    }
    if let Some(ObjectMetricSource { described_object: object, metric, target }) = &spec.object {
        // Upstream's arguments are in the wrong order; so are ours.
        let message = format!("unable to get metric {}: {} on {namespace} {}/{NO_CUSTOM_METRICS}", metric.name, object.kind, object.name);
        let of = if target.type_ == "AverageValue" { format!("failed to get {} object metric: ", metric.name) } else { String::new() };
        return Failure { reason: "FailedGetObjectMetric", error: format!("failed to get object metric value: {of}{message}"), message };
    }
    if let Some(external) = &spec.external {
        let name = &external.metric.name;
        let message = format!(
            "unable to get external metric {namespace}/{name}/{}: unable to fetch metrics from external metrics API: the server could not \
             find the requested resource (get {name}.external.metrics.k8s.io)",
            printed(external.metric.selector.as_ref())
        );
        let of = if external.target.average_value.is_some() {
            format!("failed to get {name} external metric")
        } else {
            format!("failed to get external metric {name}")
        };
        let error = format!("failed to get {name} external metric value: {of}: {message}");
        return Failure { reason: "FailedGetExternalMetric", error, message };
    }
    let message = format!("unknown metric source type {:?}", spec.type_);
    Failure { reason: "InvalidMetricSourceType", error: message.clone(), message }
}

/// A selector as Go prints it.
fn printed(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "nil".to_owned() };
    let labels: String = selector.match_labels.iter().flatten().map(|(name, value)| format!("{name}: {value},")).collect();
    let requirements = selector.match_expressions.iter().flatten().map(|one| {
        let values = one.values.as_deref().unwrap_or_default().join(" ");
        format!("LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},", one.key, one.operator)
    });
    let requirements: String = requirements.collect();
    format!("&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{requirements}}},}}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn failure(spec: Value, usage: &Usage) -> Failure {
        let spec: MetricSpec = serde_json::from_value(spec).unwrap();
        let patience = super::super::replicas::Patience { initialization: SignedDuration::ZERO, readiness: SignedDuration::ZERO };
        let tolerance = super::super::replicas::Tolerance::new(0.1, None, None);
        let scene = Scene { pods: &[], current: 1, tolerance, patience, now: Timestamp::UNIX_EPOCH };
        measure(&spec, "default", usage, &scene).unwrap_err()
    }

    #[test]
    fn nobody_measures_what_is_not_usage() {
        let pods = json!({ "type": "Pods", "pods": { "metric": { "name": "rps" }, "target": { "type": "AverageValue", "averageValue": "1k" } } });
        let external = json!({ "type": "External", "external": {
            "metric": { "name": "queue", "selector": { "matchLabels": { "q": "a" } } }, "target": { "type": "Value", "value": "3" },
        } });
        let object = json!({ "type": "Object", "object": {
            "metric": { "name": "rps" }, "describedObject": { "kind": "Ingress", "name": "main" }, "target": { "type": "Value", "value": "3" },
        } });
        let told = |spec| {
            let failure = failure(spec, &Err(String::new()));
            (failure.reason, failure.error)
        };
        expect_test::expect![[r#"
            ("FailedGetPodsMetric", "failed to get pods metric value: unable to get metric rps: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered")
            ("FailedGetExternalMetric", "failed to get queue external metric value: failed to get external metric queue: unable to get external metric default/queue/&LabelSelector{MatchLabels:map[string]string{q: a,},MatchExpressions:[]LabelSelectorRequirement{},}: unable to fetch metrics from external metrics API: the server could not find the requested resource (get queue.external.metrics.k8s.io)")
            ("FailedGetObjectMetric", "failed to get object metric value: unable to get metric rps: Ingress on default main/unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered")
        "#]]
        .assert_eq(&[pods, external, object].map(|spec| format!("{:?}\n", told(spec))).concat());
    }

    #[test]
    fn a_failure_tells_the_whole_way() {
        let cpu = json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 } } });
        let failure = failure(cpu, &Err("nobody answers".to_owned()));
        assert_eq!(failure.message, "failed to get cpu utilization: unable to get metrics for resource cpu: nobody answers");
        assert_eq!(failure.error, format!("failed to get cpu resource metric value: {}", failure.message));
    }

    #[test]
    fn containers_add_up() {
        let usage: Vec<PodMetrics> = serde_json::from_value(json!([
            { "metadata": { "name": "a", "namespace": "n" }, "timestamp": "1970-01-01T00:00:10Z", "window": "15s",
              "containers": [{ "name": "c", "usage": { "cpu": "100m", "memory": "1Ki" } }, { "name": "d", "usage": { "cpu": "50m" } }] },
            { "metadata": { "name": "b", "namespace": "n" }, "timestamp": "1970-01-01T00:00:10Z", "window": "15s" },
        ]))
        .unwrap();
        let milli = |resource, container| samples(&usage[..1], resource, container).map(|samples| samples.get("a").map(|sample| sample.milli));
        assert_eq!(milli("cpu", None), Ok(Some(150)));
        assert_eq!(milli("cpu", Some("d")), Ok(Some(50)));
        assert_eq!(milli("memory", Some("c")), Ok(Some(1_024_000)));
        assert_eq!(milli("memory", None), Ok(None), "one container is not measured");
        let absent = "failed to get container metrics: container x not present in metrics for pod n/a";
        assert_eq!(milli("cpu", Some("x")), Err(absent.to_owned()));
        assert_eq!(samples(&usage, "cpu", None).unwrap()["a"].window, SignedDuration::from_secs(15));
        assert_eq!(samples(&usage, "cpu", None).unwrap().len(), 1, "what has no containers is not measured");
    }
}

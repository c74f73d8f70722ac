//! What an autoscaler measures and wants, as its table shows it: `cpu: 10%/80%`.

use k8s_openapi::{
    api::autoscaling::v2::{MetricSpec, MetricStatus, MetricTarget, MetricValueStatus},
    apimachinery::pkg::api::resource::Quantity,
};

/// How many metrics are shown.
const SHOWN: usize = 2;
/// What has not been measured.
const UNKNOWN: &str = "<unknown>";

/// All metrics with what was measured of each.
pub(super) fn cell(metrics: &[MetricSpec], current: &[MetricStatus]) -> String {
    if metrics.is_empty() {
        return "<none>".to_owned();
    }
    let shown: Vec<String> = metrics.iter().enumerate().take(SHOWN).map(|(index, metric)| one(metric, current.get(index))).collect();
    let shown = shown.join(", ");
    match metrics.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn one(metric: &MetricSpec, now: Option<&MetricStatus>) -> String {
    match metric.type_.as_str() {
        "External" => {
            let now = now.and_then(|now| now.external.as_ref()).map(|now| &now.current);
            metric.external.as_ref().map(|metric| value_or_average(&metric.target, now))
        }
        "Object" => {
            let now = now.and_then(|now| now.object.as_ref()).map(|now| &now.current);
            metric.object.as_ref().map(|metric| value_or_average(&metric.target, now))
        }
        "Pods" => {
            let now = now.and_then(|now| now.pods.as_ref()).and_then(|now| now.current.average_value.as_ref());
            metric.pods.as_ref().map(|metric| format!("{}/{}", amount(now), amount(metric.target.average_value.as_ref())))
        }
        "Resource" => {
            let now = now.and_then(|now| now.resource.as_ref()).map(|now| &now.current);
            metric.resource.as_ref().map(|metric| resource(&metric.name, &metric.target, now))
        }
        "ContainerResource" => {
            let now = now.and_then(|now| now.container_resource.as_ref()).map(|now| &now.current);
            metric.container_resource.as_ref().map(|metric| resource(&metric.name, &metric.target, now))
        }
        _ => None,
    }
    .unwrap_or_else(|| "<unknown type>".to_owned())
}

fn value_or_average(target: &MetricTarget, now: Option<&MetricValueStatus>) -> String {
    match &target.average_value {
        Some(wanted) => format!("{}/{} (avg)", amount(now.and_then(|now| now.average_value.as_ref())), wanted.0),
        None => format!("{}/{}", amount(now.and_then(|now| now.value.as_ref())), amount(target.value.as_ref())),
    }
}

fn resource(name: &str, target: &MetricTarget, now: Option<&MetricValueStatus>) -> String {
    if let Some(wanted) = &target.average_value {
        return format!("{name}: {}/{}", amount(now.and_then(|now| now.average_value.as_ref())), wanted.0);
    }
    let percent = |share: Option<i32>, absent: &str| share.map_or_else(|| absent.to_owned(), |share| format!("{share}%"));
    format!("{name}: {}/{}", percent(now.and_then(|now| now.average_utilization), UNKNOWN), percent(target.average_utilization, "<auto>"))
}

fn amount(quantity: Option<&Quantity>) -> &str {
    quantity.map_or(UNKNOWN, |quantity| &quantity.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn cells() {
        let metric = |json: Value| -> MetricSpec { serde_json::from_value(json).unwrap() };
        let cpu =
            metric(json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}));
        let pods =
            metric(json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "5"}}}));
        let object = metric(json!({"type": "Object", "object": {
            "describedObject": {"kind": "k", "name": "n"}, "metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "2"},
        }}));
        let now: MetricStatus =
            serde_json::from_value(json!({"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}})).unwrap();
        assert_eq!(cell(&[], &[]), "<none>");
        assert_eq!(cell(&[cpu.clone(), pods.clone()], &[now]), "cpu: 7%/80%, <unknown>/5");
        assert_eq!(cell(&[object, pods, cpu], &[]), "<unknown>/2 (avg), <unknown>/5 + 1 more...");
    }
}

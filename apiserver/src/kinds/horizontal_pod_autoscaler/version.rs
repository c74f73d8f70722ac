//! The autoscaler of autoscaling/v1, which knows one metric, the share of the CPU pods asked for. What else there is it carries as
//! JSON in annotations, in which fields are called as they were before v2.

use serde_json::{Map, Value, json};

use super::super::Conversion;

/// The autoscaler of autoscaling/v1.
pub(in super::super) const AUTOSCALING_V1: Conversion = Conversion { upgrade, downgrade, ..Conversion::NONE };

/// Annotations that carry what v1 has no field for: their keys, and where their values belong.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

/// Pairs of an old field and the place of the same in v2.
type Names = &'static [(&'static str, &'static str)];

/// What the fields of each source of metrics were called, and those that tell the type of its target.
const SPEC: &[(&str, Names)] = &[
    (
        "object",
        &[
            ("target", "/describedObject"),
            ("metricName", "/metric/name"),
            ("selector", "/metric/selector"),
            ("averageValue", "/target/averageValue"),
            ("targetValue", "/target/value"),
        ],
    ),
    ("pods", &[("metricName", "/metric/name"), ("selector", "/metric/selector"), ("targetAverageValue", "/target/averageValue")]),
    ("resource", &[("name", "/name"), ("targetAverageUtilization", UTILIZATION), ("targetAverageValue", "/target/averageValue")]),
    (
        "containerResource",
        &[
            ("name", "/name"),
            ("container", "/container"),
            ("targetAverageUtilization", UTILIZATION),
            ("targetAverageValue", "/target/averageValue"),
        ],
    ),
    (
        "external",
        &[
            ("metricName", "/metric/name"),
            ("metricSelector", "/metric/selector"),
            ("targetValue", "/target/value"),
            ("targetAverageValue", "/target/averageValue"),
        ],
    ),
];

/// The same for what was measured.
const STATUS: &[(&str, Names)] = &[
    (
        "object",
        &[
            ("target", "/describedObject"),
            ("metricName", "/metric/name"),
            ("selector", "/metric/selector"),
            ("averageValue", "/current/averageValue"),
            ("currentValue", "/current/value"),
        ],
    ),
    ("pods", &[("metricName", "/metric/name"), ("selector", "/metric/selector"), ("currentAverageValue", "/current/averageValue")]),
    ("resource", &[("name", "/name"), ("currentAverageUtilization", USED), ("currentAverageValue", "/current/averageValue")]),
    (
        "containerResource",
        &[
            ("name", "/name"),
            ("container", "/container"),
            ("currentAverageUtilization", USED),
            ("currentAverageValue", "/current/averageValue"),
        ],
    ),
    (
        "external",
        &[
            ("metricName", "/metric/name"),
            ("metricSelector", "/metric/selector"),
            ("currentValue", "/current/value"),
            ("currentAverageValue", "/current/averageValue"),
        ],
    ),
];

/// Where the wanted and the measured share of a resource are.
const UTILIZATION: &str = "/target/averageUtilization";
const USED: &str = "/current/averageUtilization";

fn upgrade(object: &mut Value) {
    let [metrics, behavior, current, conditions] = [METRICS, BEHAVIOR, CURRENT, CONDITIONS].map(|key| take_annotation(object, key));
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let cpu = spec.remove("targetCPUUtilizationPercentage").filter(|share| !share.is_null());
        let cpu = cpu.map(|share| cpu_metric("target", &json!({"type": "Utilization", "averageUtilization": share})));
        let others = metrics.iter().filter_map(Value::as_array).flatten().map(|metric| newer(metric, SPEC));
        let all: Vec<Value> = cpu.into_iter().chain(others).collect();
        if !all.is_empty() {
            spec.insert("metrics".to_owned(), all.into());
        }
        if let Some(behavior) = behavior {
            spec.insert("behavior".to_owned(), behavior);
        }
    }
    if current.is_some() || conditions.is_some() || object.get("status").is_some_and(Value::is_object) {
        upgrade_status(object, current.as_ref(), conditions);
    }
}

fn upgrade_status(object: &mut Value, current: Option<&Value>, conditions: Option<Value>) {
    let Some(object) = object.as_object_mut() else { return };
    let Some(status) = object.entry("status").or_insert_with(|| json!({})).as_object_mut() else { return };
    let cpu = status.remove("currentCPUUtilizationPercentage").filter(|share| !share.is_null());
    let cpu = cpu.map(|share| vec![cpu_metric("current", &json!({"averageUtilization": share}))]);
    // What the annotation says is more.
    let all = current.and_then(Value::as_array).map(|all| all.iter().map(|metric| newer(metric, STATUS)).collect());
    if let Some(all) = all.or(cpu) {
        status.insert("currentMetrics".to_owned(), all.into());
    }
    if let Some(conditions) = conditions {
        status.insert("conditions".to_owned(), conditions);
    }
}

fn downgrade(object: &mut Value) {
    let mut carried: Vec<(&str, Value)> = Vec::new();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let metrics = taken_list(spec, "metrics");
        let (cpu, others): (Vec<Value>, Vec<Value>) = metrics.into_iter().partition(|metric| cpu_share(metric, UTILIZATION).is_some());
        if let Some(share) = cpu.first().and_then(|metric| cpu_share(metric, UTILIZATION)) {
            spec.insert("targetCPUUtilizationPercentage".to_owned(), share.clone());
        }
        carried.push((METRICS, others.iter().map(|metric| older(metric, SPEC)).collect()));
        carried.extend(spec.remove("behavior").map(|behavior| (BEHAVIOR, behavior)));
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let metrics = taken_list(status, "currentMetrics");
        if let Some(share) = metrics.iter().filter_map(|metric| cpu_share(metric, USED)).next_back() {
            status.insert("currentCPUUtilizationPercentage".to_owned(), share.clone());
        }
        carried.push((CURRENT, metrics.iter().map(|metric| older(metric, STATUS)).collect()));
        carried.push((CONDITIONS, taken_list(status, "conditions").into()));
        for count in ["currentReplicas", "desiredReplicas"] {
            status.entry(count).or_insert_with(|| json!(0));
        }
    }
    for (key, value) in carried {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty && object.get("metadata").is_some_and(Value::is_object) {
            object["metadata"]["annotations"][key] = value.to_string().into();
        }
    }
}

fn taken_list(map: &mut Map<String, Value>, field: &str) -> Vec<Value> {
    match map.remove(field) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// Removes an annotation; its value, if it is JSON.
fn take_annotation(object: &mut Value, key: &str) -> Option<Value> {
    let annotations = object.pointer_mut("/metadata/annotations")?.as_object_mut()?;
    let value = annotations.remove(key)?;
    if annotations.is_empty()
        && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("annotations");
    }
    serde_json::from_str(value.as_str()?).ok()
}

fn cpu_metric(field: &str, value: &Value) -> Value {
    json!({"type": "Resource", "resource": {"name": "cpu", field: value}})
}

/// The share at `place` if the metric is the one v1 knows.
fn cpu_share<'a>(metric: &'a Value, place: &str) -> Option<&'a Value> {
    let is_cpu = metric["type"] == "Resource" && metric["resource"]["name"] == "cpu";
    metric.get("resource")?.pointer(place).filter(|share| is_cpu && !share.is_null())
}

/// A metric with fields called as before v2.
fn older(metric: &Value, sources: &[(&str, Names)]) -> Value {
    let mut old = json!({"type": metric["type"]});
    for (source, names) in sources {
        let Some(from) = metric.get(source).filter(|source| source.is_object()) else { continue };
        for (name, place) in *names {
            if let Some(value) = from.pointer(place).filter(|value| !value.is_null()) {
                old[source][name] = value.clone();
            }
        }
    }
    old
}

/// A metric with fields called as in v2.
fn newer(metric: &Value, sources: &[(&str, Names)]) -> Value {
    let mut new = json!({"type": metric["type"]});
    for (source, names) in sources {
        let Some(from) = metric.get(source).filter(|source| source.is_object()) else { continue };
        let mut target_type = None;
        for (name, place) in *names {
            let Some(value) = from.get(name).filter(|value| !value.is_null()) else { continue };
            target_type = target_type.or_else(|| type_of(place));
            let mut to = &mut new[source];
            for step in place.split('/').skip(1) {
                to = &mut to[step];
            }
            *to = value.clone();
        }
        if let Some(kind) = target_type {
            new[source]["target"]["type"] = kind.into();
        }
    }
    new
}

/// The type of a target that has its value there. The first one counts.
fn type_of(place: &str) -> Option<&'static str> {
    match place {
        "/target/averageUtilization" => Some("Utilization"),
        "/target/averageValue" => Some("AverageValue"),
        "/target/value" => Some("Value"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let new = json!({
            "metadata": {"name": "h"},
            "spec": {
                "maxReplicas": 3,
                "behavior": {"scaleUp": {"selectPolicy": "Max"}},
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
                    {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
                    {"type": "Pods", "pods": {"metric": {"name": "m", "selector": {}}, "target": {"type": "AverageValue", "averageValue": "5"}}},
                    {"type": "Object", "object": {
                        "describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "m"}, "target": {"type": "Value", "value": "2"},
                    }},
                    {"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "2"}}},
                ],
            },
            "status": {
                "currentReplicas": 1, "desiredReplicas": 2, "conditions": [{"type": "AbleToScale", "status": "True"}],
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7, "averageValue": "70m"}}}],
            },
        });
        let mut object = new.clone();
        downgrade(&mut object);
        assert_eq!(object["spec"], json!({"maxReplicas": 3, "targetCPUUtilizationPercentage": 50}));
        assert_eq!(object["status"], json!({"currentReplicas": 1, "desiredReplicas": 2, "currentCPUUtilizationPercentage": 7}));
        let memory: Value = serde_json::from_str(object["metadata"]["annotations"][METRICS].as_str().unwrap()).unwrap();
        assert_eq!(memory[0], json!({"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}}));
        upgrade(&mut object);
        assert_eq!(object, new);
    }

    #[test]
    fn only_cpu() {
        let mut object =
            json!({"metadata": {}, "spec": {"targetCPUUtilizationPercentage": 50}, "status": {"currentCPUUtilizationPercentage": 9}});
        upgrade(&mut object);
        assert_eq!(object["spec"]["metrics"], json!([cpu_metric("target", &json!({"type": "Utilization", "averageUtilization": 50}))]));
        assert_eq!(object["status"]["currentMetrics"], json!([cpu_metric("current", &json!({"averageUtilization": 9}))]));
        for mut odd in [json!({}), json!({"spec": 1, "status": 2, "metadata": 3}), json!([])] {
            let before = odd.clone();
            upgrade(&mut odd);
            downgrade(&mut odd);
            assert_eq!(odd, before);
        }
    }
}

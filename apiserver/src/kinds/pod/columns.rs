//! The table of pods.

use k8s_openapi::api::core::v1::Pod;
use mini_api::pod::{display_status, ready_count, restarts_text};
use serde_json::Value;

use super::super::{
    rules::{Column, column},
    unset::list,
};

const READY: &str = "The aggregate readiness state of this pod for accepting traffic.";
const STATUS: &str = "The aggregate status of the containers in this pod.";
const RESTARTS: &str =
    "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.";

/// The columns.
pub(super) const COLUMNS: &[Column<Pod>] = &[
    Column::name(),
    column("Ready", |pod: &Pod, _| {
        let (ready, all) = ready_count(pod);
        Value::from(format!("{ready}/{all}"))
    })
    .about(READY),
    column("Status", |pod: &Pod, _| Value::from(display_status(pod))).about(STATUS),
    column("Restarts", |pod: &Pod, now| Value::from(restarts_text(pod, now))).about(RESTARTS),
    Column::age(),
    column("IP", |pod: &Pod, _| cell(pod.status.as_ref().and_then(|status| list(&status.pod_ips).first()).map(|ip| ip.ip.as_str()))).wide(),
    column("Node", |pod: &Pod, _| cell(pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()))).wide(),
    column("Nominated Node", |pod: &Pod, _| cell(pod.status.as_ref().and_then(|status| status.nominated_node_name.as_deref()))).wide(),
    column("Readiness Gates", |pod: &Pod, _| Value::from(gates(pod))).wide(),
];

fn cell(value: Option<&str>) -> Value {
    Value::from(value.filter(|value| !value.is_empty()).unwrap_or("<none>"))
}

/// How many of the conditions that readiness waits for are met: `1/2`.
fn gates(pod: &Pod) -> String {
    let gates = pod.spec.as_ref().map(|spec| list(&spec.readiness_gates)).unwrap_or_default();
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let conditions = pod.status.as_ref().map(|status| list(&status.conditions)).unwrap_or_default();
    let is_met = |kind: &str| conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True");
    format!("{}/{}", gates.iter().filter(|gate| is_met(&gate.condition_type)).count(), gates.len())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn gates_that_are_met() {
        let pod: Pod = serde_json::from_value(json!({
            "spec": {"containers": [], "readinessGates": [{"conditionType": "x"}, {"conditionType": "y"}]},
            "status": {"conditions": [{"type": "x", "status": "True"}]},
        }))
        .unwrap();
        assert_eq!(gates(&pod), "1/2");
        assert_eq!(gates(&Pod::default()), "<none>");
    }

    #[test]
    fn cells_of_a_pod_without_status() {
        let pod: Pod = serde_json::from_value(json!({"spec": {"containers": [{"name": "c"}]}})).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let cells: Vec<Value> = COLUMNS.iter().map(|column| (column.cell)(&pod, now)).collect();
        assert_eq!(cells, ["", "0/1", "", "0", "<unknown>", "<none>", "<none>", "<none>", "<none>"].map(Value::from));
    }
}

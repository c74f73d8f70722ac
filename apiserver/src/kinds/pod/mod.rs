//! Pods: containers that run together on one node. The rules of their spec hold for pod templates too, see
//! [`super::pod_template`].

use k8s_openapi::api::core::v1::{Pod, PodCondition, PodSpec, PodStatus};
use mini_daemon::lean::{self, Unread, WHOLE};

use super::{
    Field, field,
    rules::{Rules, parts},
    unset::{list, text},
};

pub(super) mod affinity;
mod columns;
mod container;
pub(super) mod defaults;
mod downward;
mod env;
mod mount;
pub(super) mod part;
mod probe;
pub(super) mod resources;
mod security;
pub(super) mod storage;
mod update;
pub(super) mod validate;
pub(super) mod volume;
pub(super) mod warnings;

/// What lists of Pods can be selected by.
pub(super) const FIELDS: &[Field] = &[
    Field { indexed: true, ..field("spec.nodeName", &["/spec/nodeName"]) },
    field("spec.restartPolicy", &["/spec/restartPolicy"]),
    field("spec.schedulerName", &["/spec/schedulerName"]),
    field("spec.serviceAccountName", &["/spec/serviceAccountName"]),
    Field { absent: "false", ..field("spec.hostNetwork", &["/spec/hostNetwork"]) },
    field("status.phase", &["/status/phase"]),
    field("status.podIP", &["/status/podIP"]),
    field("status.nominatedNodeName", &["/status/nominatedNodeName"]),
];

/// What of a pod is read for a write of its status neither by the rules for one nor by admission: it is most of the spec.
const BESIDE_STATUS: Unread = {
    const CONTAINERS: Unread = Unread(&[
        ("args", WHOLE),
        ("command", WHOLE),
        ("env", WHOLE),
        ("envFrom", WHOLE),
        ("lifecycle", WHOLE),
        ("livenessProbe", WHOLE),
        ("ports", WHOLE),
        ("readinessProbe", WHOLE),
        ("securityContext", WHOLE),
        ("startupProbe", WHOLE),
        ("volumeMounts", WHOLE),
    ]);
    Unread(&[(
        "spec",
        Unread(&[
            ("affinity", WHOLE),
            ("containers", CONTAINERS),
            ("initContainers", CONTAINERS),
            ("tolerations", WHOLE),
            ("topologySpreadConstraints", WHOLE),
            ("volumes", WHOLE),
        ]),
    )])
};

/// What is special about a Pod.
pub(super) const RULES: Rules<Pod> = Rules {
    decode_for_status: Some(|json| lean::read(json, BESIDE_STATUS)),
    defaults: defaults::pod,
    on_create,
    validate: validate::pod,
    validate_create: validate::new_pod,
    validate_update: update::pod,
    validate_status: update::status,
    warnings: warnings::pod,
    columns: columns::COLUMNS,
    grace,
    parts: parts![spec, status],
    ..Rules::NONE
};

/// What the rules for a part of a pod spec may know of the whole.
struct Context<'a> {
    /// The name of the pod; absent for the spec of a template.
    pod: Option<&'a str>,
    /// The names of the resource claims of the pod.
    claims: Vec<&'a str>,
    /// Seconds the containers get to end.
    grace: Option<i64>,
    restart_policy: &'a str,
    /// Whether users in the containers are users of the node.
    host_users: bool,
    os: Option<&'a str>,
}

impl<'a> Context<'a> {
    #[cfg(test)]
    const POD: Self = Self { pod: Some("p"), claims: Vec::new(), grace: None, restart_policy: "Always", host_users: true, os: None };

    fn new(spec: &'a PodSpec, pod: Option<&'a str>) -> Self {
        Self {
            pod,
            claims: list(&spec.resource_claims).iter().map(|claim| claim.name.as_str()).filter(|name| !name.is_empty()).collect(),
            grace: spec.termination_grace_period_seconds,
            restart_policy: text(&spec.restart_policy),
            host_users: spec.host_users.unwrap_or(true),
            os: spec.os.as_ref().map(|os| os.name.as_str()),
        }
    }
}

/// A new pod waits, and the reason is known at once if it is gated.
fn on_create(pod: &mut Pod) {
    let labels = pod.metadata.labels.as_ref();
    let spec = pod.spec.get_or_insert_default();
    affinity::expand_label_keys(spec, labels);
    let is_gated = !list(&spec.scheduling_gates).is_empty();
    let gated = is_gated.then(|| {
        vec![PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: Some("SchedulingGated".to_owned()),
            message: Some("Scheduling is blocked due to non-empty scheduling gates".to_owned()),
            last_transition_time: pod.metadata.creation_timestamp.clone(),
            ..PodCondition::default()
        }]
    });
    pod.status = Some(PodStatus {
        phase: Some("Pending".to_owned()),
        qos_class: Some(mini_api::pod::qos(spec).to_owned()),
        conditions: gated,
        ..PodStatus::default()
    });
}

/// A pod that no node runs, or no longer runs, needs no time to end.
fn grace(pod: &Pod, asked: Option<i64>) -> Option<i64> {
    let spec = pod.spec.as_ref();
    let is_scheduled = spec.is_some_and(|spec| !text(&spec.node_name).is_empty());
    let phase = pod.status.as_ref().map(|status| text(&status.phase)).unwrap_or_default();
    if !is_scheduled || matches!(phase, "Succeeded" | "Failed") {
        return Some(0);
    }
    let seconds = asked.or_else(|| spec.and_then(|spec| spec.termination_grace_period_seconds)).unwrap_or(0);
    Some(if seconds < 0 { 1 } else { seconds })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: Value, phase: &str) -> Pod {
        serde_json::from_value(json!({"spec": spec, "status": {"phase": phase}})).unwrap()
    }

    #[test]
    fn seconds_of_grace() {
        let scheduled = json!({"nodeName": "n", "terminationGracePeriodSeconds": 30, "containers": []});
        for (pod, asked, want) in [
            (pod(scheduled.clone(), "Running"), None, 30),
            (pod(scheduled.clone(), "Running"), Some(5), 5),
            (pod(scheduled.clone(), "Running"), Some(0), 0),
            (pod(scheduled.clone(), "Running"), Some(-1), 1),
            (pod(scheduled, "Failed"), Some(5), 0),
            (pod(json!({"terminationGracePeriodSeconds": 30, "containers": []}), "Pending"), Some(5), 0),
        ] {
            assert_eq!(grace(&pod, asked), Some(want));
        }
    }

    #[test]
    fn a_new_pod_waits() {
        let mut gated = pod(json!({"containers": [], "schedulingGates": [{"name": "g"}]}), "Running");
        on_create(&mut gated);
        let status = gated.status.unwrap();
        assert_eq!(status.phase.as_deref(), Some("Pending"));
        assert_eq!(status.qos_class.as_deref(), Some("BestEffort"));
        assert_eq!(status.conditions.unwrap()[0].reason.as_deref(), Some("SchedulingGated"));
    }
}

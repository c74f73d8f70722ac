//! The page of a pod.

use serde_json::Value;

use super::{
    Describer, View,
    containers::{Containers, containers, seccomp},
    events, nothing_else,
    page::{Page, controller},
    template::spread_constraints,
    volumes::volumes,
};
use crate::value::{int, list, some_text, text};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Pod", related: nothing_else, events: about, render };

/// What says that a pod is the mirror of one that the kubelet runs on its own account: events name that one.
const MIRROR: &str = "kubernetes.io/config.mirror";

fn about(pod: &Value) -> Vec<String> {
    let uid = some_text(&pod["metadata"]["annotations"][MIRROR]).unwrap_or_else(|| text(&pod["metadata"]["uid"]));
    vec![events::involved(pod, None, uid)]
}

fn render(view: &View<'_>, page: &mut Page) {
    let pod = view.object;
    let (spec, status) = (&pod["spec"], &pod["status"]);
    head(view, page);
    phase(view, page);
    seccomp(page, &spec["securityContext"]["seccompProfile"], (0, 0));
    page.field(0, "IP", text(&status["podIP"]));
    addresses(page, &status["podIPs"]);
    if let Some(controller) = controller(pod) {
        page.field(0, "Controlled By", controller);
    }
    page.optional(0, "NominatedNodeName", &status["nominatedNodeName"]);
    for (title, specs, statuses) in [
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    ] {
        if title == "Containers" || !list(&spec[specs]).is_empty() {
            containers(page, &Containers { title, specs: &spec[specs], statuses: &status[statuses], pod, space: "", clock: view.clock });
        }
    }
    readiness_gates(page, pod);
    conditions(page, &status["conditions"]);
    volumes(page, &spec["volumes"], "");
    page.field(0, "QoS Class", text(&status["qosClass"]));
    page.labels("Node-Selectors", &spec["nodeSelector"]);
    page.tolerations("Tolerations", &spec["tolerations"]);
    spread_constraints(page, &spec["topologySpreadConstraints"], "");
    page.events(view.events, view.clock);
}

fn head(view: &View<'_>, page: &mut Page) {
    let (spec, status) = (&view.object["spec"], &view.object["status"]);
    page.identity(view.object);
    if let Some(priority) = spec["priority"].as_i64() {
        page.field(0, "Priority", priority.to_string());
    }
    page.optional(0, "Priority Class Name", &spec["priorityClassName"]);
    page.optional(0, "Runtime Class Name", &spec["runtimeClassName"]);
    page.optional(0, "Service Account", &spec["serviceAccountName"]);
    match some_text(&spec["nodeName"]) {
        Some(node) => page.field(0, "Node", format!("{node}/{}", text(&status["hostIP"]))),
        None => page.field(0, "Node", "<none>"),
    }
    if status["startTime"].is_string() {
        page.field(0, "Start Time", view.clock.date(&status["startTime"]));
    }
    page.labels_and_annotations(view.object);
}

fn phase(view: &View<'_>, page: &mut Page) {
    let (metadata, status) = (&view.object["metadata"], &view.object["status"]);
    let phase = text(&status["phase"]);
    if metadata["deletionTimestamp"].is_string() && !matches!(phase, "Succeeded" | "Failed") {
        page.field(0, "Status", format!("Terminating (lasts {})", view.clock.ago(&metadata["deletionTimestamp"])));
        page.field(0, "Termination Grace Period", format!("{}s", int(&metadata["deletionGracePeriodSeconds"])));
    } else {
        page.field(0, "Status", phase);
    }
    page.optional(0, "Reason", &status["reason"]);
    page.optional(0, "Message", &status["message"]);
}

fn addresses(page: &mut Page, addresses: &Value) {
    if list(addresses).is_empty() {
        page.field(0, "IPs", "<none>");
        return;
    }
    page.line(0, "IPs:");
    list(addresses).iter().for_each(|address| page.field(1, "IP", text(&address["ip"])));
}

fn readiness_gates(page: &mut Page, pod: &Value) {
    let gates = list(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return;
    }
    page.line(0, "Readiness Gates:\n  Type\tStatus");
    for gate in gates {
        let kind = text(&gate["conditionType"]);
        let condition = list(&pod["status"]["conditions"]).iter().find(|condition| condition["type"] == kind);
        page.line(1, &format!("{kind} \t{} ", condition.map_or("<none>", |condition| text(&condition["status"]))));
    }
}

fn conditions(page: &mut Page, conditions: &Value) {
    if list(conditions).is_empty() {
        return;
    }
    page.line(0, "Conditions:\n  Type\tStatus");
    for condition in list(conditions) {
        page.line(1, &format!("{} \t{} ", text(&condition["type"]), text(&condition["status"])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    fn running() -> Value {
        let condition = |kind: &str| json!({"type": kind, "status": "True"});
        let toleration = |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
        json!({
            "metadata": {"name": "web-66bbcf89f8-5v7zh", "namespace": "default", "labels": {"app": "web", "pod-template-hash": "66bbcf89f8"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web-66bbcf89f8", "controller": true}]},
            "spec": {
                "priority": 0, "serviceAccountName": "default", "nodeName": "node-0000",
                "containers": [{"name": "nginx", "image": "nginx:1.7.9", "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "volumeMounts": [{"name": "kube-api-access-zdrxx", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
                "volumes": [{"name": "kube-api-access-zdrxx", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}, {"configMap": {"name": "kube-root-ca.crt"}}, {"downwardAPI": {}}]}}],
                "tolerations": [toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")],
            },
            "status": {
                "phase": "Running", "hostIP": "192.168.1.1", "podIP": "10.0.0.15", "podIPs": [{"ip": "10.0.0.15"}],
                "startTime": "2026-11-20T22:39:37Z", "qosClass": "BestEffort",
                "conditions": [condition("Initialized"), condition("Ready"), condition("ContainersReady"), condition("PodScheduled")],
                "containerStatuses": [{"name": "nginx", "ready": true, "restartCount": 0, "image": "nginx:1.7.9", "imageID": "",
                    "state": {"running": {"startedAt": "2026-11-20T22:39:37Z"}}}],
            },
        })
    }

    /// `kubectl describe pod web-66bbcf89f8-5v7zh`, as recorded.
    #[test]
    fn a_running_pod() {
        let event = json!({"type": "Normal", "reason": "Scheduled", "message": "Successfully assigned default/web-66bbcf89f8-5v7zh to node-0000",
            "eventTime": "2026-11-20T22:39:38.000000Z", "firstTimestamp": null, "lastTimestamp": null, "reportingComponent": "default-scheduler"});
        assert_eq!(
            described(&DESCRIBER, &running(), Vec::new(), &[event]),
            "\
Name:             web-66bbcf89f8-5v7zh
Namespace:        default
Priority:         0
Service Account:  default
Node:             node-0000/192.168.1.1
Start Time:       Fri, 20 Nov 2026 22:39:37 +0000
Labels:           app=web
                  pod-template-hash=66bbcf89f8
Annotations:      <none>
Status:           Running
IP:               10.0.0.15
IPs:
  IP:           10.0.0.15
Controlled By:  ReplicaSet/web-66bbcf89f8
Containers:
  nginx:
    Container ID:   \n    Image:          nginx:1.7.9
    Image ID:       \n    Port:           80/TCP
    Host Port:      0/TCP
    State:          Running
      Started:      Fri, 20 Nov 2026 22:39:37 +0000
    Ready:          True
    Restart Count:  0
    Environment:    <none>
    Mounts:
      /var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-zdrxx (ro)
Conditions:
  Type              Status
  Initialized       True \n  Ready             True \n  ContainersReady   True \n  PodScheduled      True \nVolumes:
  kube-api-access-zdrxx:
    Type:                    Projected (a volume that contains injected data from multiple sources)
    TokenExpirationSeconds:  3607
    ConfigMapName:           kube-root-ca.crt
    ConfigMapOptional:       <nil>
    DownwardAPI:             true
QoS Class:                   BestEffort
Node-Selectors:              <none>
Tolerations:                 node.kubernetes.io/not-ready:NoExecute op=Exists for 300s
                             node.kubernetes.io/unreachable:NoExecute op=Exists for 300s
Events:
  Type    Reason     Age   From               Message
  ----    ------     ----  ----               -------
  Normal  Scheduled  3s    default-scheduler  Successfully assigned default/web-66bbcf89f8-5v7zh to node-0000
"
        );
    }

    /// The container of `kubectl describe pod huge`, as recorded.
    #[test]
    fn a_pending_pod() {
        let pod = json!({
            "metadata": {"name": "huge", "namespace": "default"},
            "spec": {"priority": 0, "containers": [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": "500", "memory": "1Ti"}}}]},
            "status": {"phase": "Pending", "qosClass": "Burstable", "conditions": [{"type": "PodScheduled", "status": "False"}]},
        });
        let text = described(&DESCRIBER, &pod, Vec::new(), &[]);
        let middle = "\
Status:       Pending
IP:           \nIPs:          <none>
Containers:
  c:
    Image:      nginx
    Port:       <none>
    Host Port:  <none>
    Requests:
      cpu:        500
      memory:     1Ti
    Environment:  <none>
    Mounts:       <none>
Conditions:
  Type           Status
  PodScheduled   False \nVolumes:         <none>
QoS Class:       Burstable
";
        assert!(text.contains(middle), "{text}");
        assert!(text.ends_with("Events:          <none>\n"), "{text}");
    }

    #[test]
    fn a_crashed_container_shows_both_states() {
        let mut pod = running();
        pod["metadata"]["deletionTimestamp"] = "2026-11-20T22:39:31Z".into();
        pod["metadata"]["deletionGracePeriodSeconds"] = 30.into();
        pod["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        pod["status"]["containerStatuses"][0]["lastState"] =
            json!({"terminated": {"reason": "Error", "exitCode": 1, "startedAt": "2026-11-20T22:39:37Z", "finishedAt": "2026-11-20T22:39:38Z"}});
        let text = described(&DESCRIBER, &pod, Vec::new(), &[]);
        assert!(text.contains("Status:                    Terminating (lasts 10s)\nTermination Grace Period:  30s\n"), "{text}");
        let states = "    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       Error
      Exit Code:    1
      Started:      Fri, 20 Nov 2026 22:39:37 +0000
      Finished:     Fri, 20 Nov 2026 22:39:38 +0000
    Ready:          True
";
        assert!(text.contains(states), "{text}");
    }
}

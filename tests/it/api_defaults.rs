//! What the server fills in, line by line: other people's controllers rely on it.

use mini_tests::http::Http;
use serde_json::{Value, json};

use crate::alone::server;

/// Places, as JSON pointers, and what must be there, as JSON; `null` is absent.
type Places = &'static [(&'static str, &'static str)];
/// Where an object is sent, the object, and what comes back.
type Case = (&'static str, Value, Places);

const CORE: &str = "/api/v1/namespaces/default";
const APPS: &str = "/apis/apps/v1/namespaces/default";
const BATCH: &str = "/apis/batch/v1/namespaces/default";

fn template(restart: &str) -> Value {
    json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "restartPolicy": restart, "containers": [{ "name": "c", "image": "i" }] } })
}

fn workload(kind: &str) -> Value {
    json!({ "kind": kind, "metadata": { "name": "w" }, "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template("Always") } })
}

/// Sends each object as a dry run below `root`, and compares.
async fn filled_in(http: &Http, root: &str, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (path, object, expected) in cases {
        let answer = http.post(&format!("{root}{path}?dryRun=All"), &object).await;
        assert_eq!(answer.code, 201, "{path}: {}", answer.text());
        let got = answer.json();
        for (place, value) in expected {
            let value: Value = serde_json::from_str(value).expect("JSON");
            let found = got.pointer(place).cloned().unwrap_or_default();
            if found != value {
                wrong.push(format!("{path} {place}: {found}, not {value}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An object of that name, with these fields.
fn named(rest: Value) -> Value {
    let mut object = json!({ "metadata": { "name": "x" } });
    object.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
    object
}

async fn with_account() -> (mini_cluster::Cluster, Http) {
    let (cluster, http) = server().await;
    let account = http.post(&format!("{CORE}/serviceaccounts"), &json!({ "metadata": { "name": "default" } })).await;
    assert_eq!(account.code, 201, "{}", account.text());
    (cluster, http)
}

/// A pod in which much can be left out.
fn probed() -> Value {
    json!({ "containers": [{ "name": "c", "image": "i:1", "ports": [{ "containerPort": 80 }],
        "livenessProbe": { "httpGet": { "port": 80 } }, "readinessProbe": { "grpc": { "port": 80 } },
        "lifecycle": { "postStart": { "httpGet": { "port": 80 } } },
        "env": [{ "name": "N", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }],
        "resources": { "limits": { "cpu": "1", "memory": "0.5Gi" }, "requests": { "cpu": "0.1" } } }],
        "volumes": [{ "name": "c", "configMap": { "name": "m" } }, { "name": "s", "secret": { "secretName": "s" } }, { "name": "e" },
            { "name": "h", "hostPath": { "path": "/h" } }, { "name": "d", "downwardAPI": { "items": [{ "path": "l", "fieldRef": { "fieldPath": "metadata.labels" } }] } }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_completed() {
    let (cluster, http) = with_account().await;
    let pod = |spec: Value| json!({ "metadata": { "name": "p" }, "spec": spec });
    let cases: Vec<Case> = vec![
        (
            "pods",
            pod(json!({ "containers": [{ "name": "c", "image": "nginx" }] })),
            &[
                ("/spec/containers/0/imagePullPolicy", r#""Always""#),
                ("/spec/containers/0/terminationMessagePath", r#""/dev/termination-log""#),
                ("/spec/containers/0/terminationMessagePolicy", r#""File""#),
                ("/spec/containers/0/resources", "{}"),
                ("/spec/dnsPolicy", r#""ClusterFirst""#),
                ("/spec/restartPolicy", r#""Always""#),
                ("/spec/schedulerName", r#""default-scheduler""#),
                ("/spec/securityContext", "{}"),
                ("/spec/terminationGracePeriodSeconds", "30"),
                ("/spec/enableServiceLinks", "true"),
                ("/spec/priority", "0"),
                ("/spec/preemptionPolicy", r#""PreemptLowerPriority""#),
                ("/spec/serviceAccountName", r#""default""#),
                ("/spec/serviceAccount", r#""default""#),
                (
                    "/spec/tolerations",
                    r#"[{"effect":"NoExecute","key":"node.kubernetes.io/not-ready","operator":"Exists","tolerationSeconds":300},
                {"effect":"NoExecute","key":"node.kubernetes.io/unreachable","operator":"Exists","tolerationSeconds":300}]"#,
                ),
                ("/spec/volumes/0/projected/defaultMode", "420"),
                ("/spec/volumes/0/projected/sources/0/serviceAccountToken", r#"{"expirationSeconds":3607,"path":"token"}"#),
                ("/spec/volumes/0/projected/sources/1/configMap/name", r#""kube-root-ca.crt""#),
                ("/spec/containers/0/volumeMounts/0/mountPath", r#""/var/run/secrets/kubernetes.io/serviceaccount""#),
                ("/spec/containers/0/volumeMounts/0/readOnly", "true"),
                ("/status", r#"{"phase":"Pending","qosClass":"BestEffort"}"#),
            ],
        ),
        (
            "pods",
            pod(probed()),
            &[
                ("/spec/containers/0/imagePullPolicy", r#""IfNotPresent""#),
                ("/spec/containers/0/ports/0/protocol", r#""TCP""#),
                (
                    "/spec/containers/0/livenessProbe",
                    r#"{"httpGet":{"path":"/","port":80,"scheme":"HTTP"},
                "failureThreshold":3,"periodSeconds":10,"successThreshold":1,"timeoutSeconds":1}"#,
                ),
                ("/spec/containers/0/readinessProbe/grpc/service", r#""""#),
                ("/spec/containers/0/lifecycle/postStart/httpGet", r#"{"path":"/","port":80,"scheme":"HTTP"}"#),
                ("/spec/containers/0/env/0/valueFrom/fieldRef/apiVersion", r#""v1""#),
                ("/spec/containers/0/resources", r#"{"limits":{"cpu":"1","memory":"512Mi"},"requests":{"cpu":"100m","memory":"512Mi"}}"#),
                ("/spec/volumes/0/configMap/defaultMode", "420"),
                ("/spec/volumes/1/secret/defaultMode", "420"),
                ("/spec/volumes/2/emptyDir", "{}"),
                ("/spec/volumes/3/hostPath/type", r#""""#),
                (
                    "/spec/volumes/4/downwardAPI",
                    r#"{"defaultMode":420,"items":[{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.labels"},"path":"l"}]}"#,
                ),
                ("/status/qosClass", r#""Burstable""#),
            ],
        ),
        (
            "pods",
            pod(
                json!({ "hostNetwork": true, "dnsPolicy": "Default", "containers": [{ "name": "c", "image": "i@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "ports": [{ "containerPort": 80 }], "resources": { "limits": { "cpu": "1", "memory": "1Gi" } } }] }),
            ),
            &[
                ("/spec/containers/0/imagePullPolicy", r#""IfNotPresent""#),
                ("/spec/containers/0/ports/0/hostPort", "80"),
                ("/status/qosClass", r#""Guaranteed""#),
            ],
        ),
    ];
    filled_in(&http, &format!("{CORE}/"), cases).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workloads_are_completed() {
    let (cluster, http) = server().await;
    let mut claims = workload("StatefulSet");
    claims["spec"]["volumeClaimTemplates"] = json!([{ "metadata": { "name": "d" }, "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }]);
    let mut indexed =
        json!({ "metadata": { "name": "j" }, "spec": { "completionMode": "Indexed", "completions": 3, "backoffLimitPerIndex": 1 } });
    indexed["spec"]["template"] = template("Never");
    let apps: Vec<Case> = vec![
        (
            "deployments",
            workload("Deployment"),
            &[
                ("/spec/replicas", "1"),
                ("/spec/strategy", r#"{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"},"type":"RollingUpdate"}"#),
                ("/spec/revisionHistoryLimit", "10"),
                ("/spec/progressDeadlineSeconds", "600"),
                ("/metadata/generation", "1"),
                ("/spec/template/spec/containers/0/imagePullPolicy", r#""Always""#),
            ],
        ),
        ("replicasets", workload("ReplicaSet"), &[("/spec/replicas", "1"), ("/status", r#"{"replicas":0}"#)]),
        (
            "daemonsets",
            workload("DaemonSet"),
            &[
                ("/spec/updateStrategy", r#"{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1},"type":"RollingUpdate"}"#),
                ("/spec/revisionHistoryLimit", "10"),
                ("/metadata/annotations", r#"{"deprecated.daemonset.template.generation":"1"}"#),
            ],
        ),
        (
            "statefulsets",
            claims,
            &[
                ("/spec/podManagementPolicy", r#""OrderedReady""#),
                ("/spec/updateStrategy", r#"{"rollingUpdate":{"partition":0},"type":"RollingUpdate"}"#),
                ("/spec/persistentVolumeClaimRetentionPolicy", r#"{"whenDeleted":"Retain","whenScaled":"Retain"}"#),
                ("/spec/volumeClaimTemplates/0/spec/volumeMode", r#""Filesystem""#),
                ("/spec/volumeClaimTemplates/0/status/phase", r#""Pending""#),
            ],
        ),
    ];
    filled_in(&http, &format!("{APPS}/"), apps).await;
    let batch: Vec<Case> = vec![
        (
            "jobs",
            json!({ "metadata": { "name": "j" }, "spec": { "template": template("Never") } }),
            &[
                ("/spec/parallelism", "1"),
                ("/spec/completions", "1"),
                ("/spec/backoffLimit", "6"),
                ("/spec/completionMode", r#""NonIndexed""#),
                ("/spec/suspend", "false"),
                ("/spec/podReplacementPolicy", r#""TerminatingOrFailed""#),
                ("/spec/manualSelector", "false"),
            ],
        ),
        ("jobs", indexed, &[("/spec/backoffLimit", "2147483647"), ("/spec/parallelism", "1")]),
        (
            "cronjobs",
            json!({ "metadata": { "name": "c" }, "spec": { "schedule": "@hourly", "jobTemplate": { "spec": { "template": template("Never") } } } }),
            &[
                ("/spec/concurrencyPolicy", r#""Allow""#),
                ("/spec/suspend", "false"),
                ("/spec/successfulJobsHistoryLimit", "3"),
                ("/spec/failedJobsHistoryLimit", "1"),
            ],
        ),
    ];
    filled_in(&http, &format!("{BATCH}/"), batch).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_data_is_completed() {
    let (cluster, http) = server().await;
    let cases: Vec<Case> = vec![
        (
            "/api/v1/namespaces/default/secrets",
            named(json!({ "stringData": { "a": "b" } })),
            &[("/type", r#""Opaque""#), ("/data/a", r#""Yg==""#), ("/stringData", "null")],
        ),
        (
            "/api/v1/namespaces",
            named(json!({})),
            &[
                ("/spec/finalizers", r#"["kubernetes"]"#),
                ("/status/phase", r#""Active""#),
                ("/metadata/labels", r#"{"kubernetes.io/metadata.name":"x"}"#),
            ],
        ),
        (
            "/api/v1/namespaces/default/persistentvolumeclaims",
            named(json!({ "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } })),
            &[("/spec/volumeMode", r#""Filesystem""#), ("/status/phase", r#""Pending""#)],
        ),
        (
            "/api/v1/persistentvolumes",
            named(json!({ "spec": { "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Gi" }, "hostPath": { "path": "/d" } } })),
            &[
                ("/spec/persistentVolumeReclaimPolicy", r#""Retain""#),
                ("/spec/volumeMode", r#""Filesystem""#),
                ("/spec/hostPath/type", r#""""#),
                ("/status/phase", r#""Pending""#),
            ],
        ),
        (
            "/apis/storage.k8s.io/v1/storageclasses",
            named(json!({ "provisioner": "example.com/p" })),
            &[("/reclaimPolicy", r#""Delete""#), ("/volumeBindingMode", r#""Immediate""#)],
        ),
        (
            "/apis/storage.k8s.io/v1/csidrivers",
            named(json!({ "spec": {} })),
            &[
                ("/spec/attachRequired", "true"),
                ("/spec/podInfoOnMount", "false"),
                ("/spec/fsGroupPolicy", r#""ReadWriteOnceWithFSType""#),
                ("/spec/volumeLifecycleModes", r#"["Persistent"]"#),
                ("/spec/storageCapacity", "false"),
                ("/spec/requiresRepublish", "false"),
                ("/spec/seLinuxMount", "false"),
            ],
        ),
    ];
    filled_in(&http, "", cases).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_is_completed() {
    let (cluster, http) = server().await;
    let cases: Vec<Case> = vec![
        (
            "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
            named(json!({ "spec": { "podSelector": {}, "egress": [{ "ports": [{ "port": 53 }] }] } })),
            &[("/spec/policyTypes", r#"["Ingress","Egress"]"#), ("/spec/egress/0/ports/0/protocol", r#""TCP""#)],
        ),
        (
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            named(json!({ "addressType": "IPv4", "endpoints": [], "ports": [{ "port": 80 }] })),
            &[("/ports/0", r#"{"name":"","port":80,"protocol":"TCP"}"#)],
        ),
        (
            "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
            named(
                json!({ "spec": { "maxReplicas": 3, "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "d" } } }),
            ),
            &[
                ("/spec/minReplicas", "1"),
                (
                    "/spec/metrics",
                    r#"[{"resource":{"name":"cpu","target":{"averageUtilization":80,"type":"Utilization"}},"type":"Resource"}]"#,
                ),
            ],
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            named(
                json!({ "roleRef": { "kind": "ClusterRole", "name": "r" }, "subjects": [{ "kind": "User", "name": "u" }, { "kind": "ServiceAccount", "name": "s", "namespace": "n" }] }),
            ),
            &[
                ("/roleRef/apiGroup", r#""rbac.authorization.k8s.io""#),
                ("/subjects/0/apiGroup", r#""rbac.authorization.k8s.io""#),
                ("/subjects/1/apiGroup", "null"),
            ],
        ),
        ("/apis/scheduling.k8s.io/v1/priorityclasses", named(json!({ "value": 5 })), &[("/preemptionPolicy", r#""PreemptLowerPriority""#)]),
        (
            "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
            named(json!({ "spec": { "priorityLevelConfiguration": { "name": "p" } } })),
            &[("/spec/matchingPrecedence", "1000")],
        ),
        (
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
            named(json!({ "webhooks": [{ "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "clientConfig": { "service": { "namespace": "n", "name": "s" } }, "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }] }] })),
            &[
                ("/webhooks/0/failurePolicy", r#""Fail""#),
                ("/webhooks/0/matchPolicy", r#""Equivalent""#),
                ("/webhooks/0/timeoutSeconds", "10"),
                ("/webhooks/0/namespaceSelector", "{}"),
                ("/webhooks/0/clientConfig/service/port", "443"),
                ("/webhooks/0/rules/0/scope", r#""*""#),
            ],
        ),
    ];
    filled_in(&http, "", cases).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_get_addresses_and_ports() {
    let (cluster, http) = server().await;
    let services = format!("{CORE}/services");
    let make = async |name: &str, spec: Value| http.post(&services, &json!({ "metadata": { "name": name }, "spec": spec })).await;
    let plain = make("plain", json!({ "ports": [{ "port": 80 }] })).await.json()["spec"].clone();
    assert!(plain["clusterIP"].as_str().is_some_and(|ip| ip.starts_with("10.254.")), "{plain}");
    assert_eq!(plain["clusterIPs"], json!([plain["clusterIP"]]));
    for (field, value) in [
        ("type", json!("ClusterIP")),
        ("sessionAffinity", json!("None")),
        ("ipFamilies", json!(["IPv4"])),
        ("ipFamilyPolicy", json!("SingleStack")),
        ("internalTrafficPolicy", json!("Cluster")),
        ("externalTrafficPolicy", Value::Null),
        ("ports", json!([{ "port": 80, "protocol": "TCP", "targetPort": 80 }])),
    ] {
        assert_eq!(plain[field], value, "{field}");
    }
    let headless = make("headless", json!({ "clusterIP": "None", "sessionAffinity": "ClientIP" })).await.json()["spec"].clone();
    assert_eq!(
        (&headless["clusterIPs"], &headless["sessionAffinityConfig"]),
        (&json!(["None"]), &json!({ "clientIP": { "timeoutSeconds": 10800 } }))
    );
    let external = make("external", json!({ "type": "ExternalName", "externalName": "a.example.com" })).await.json()["spec"].clone();
    assert_eq!((&external["clusterIP"], &external["ipFamilies"]), (&Value::Null, &Value::Null));

    // The same port in two protocols is one port of the nodes; load balancers of local traffic get one to ask at.
    let dns = json!([{ "name": "t", "port": 53 }, { "name": "u", "port": 53, "protocol": "UDP" }, { "name": "m", "port": 9153 }]);
    let made = make("dns", json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": dns })).await.json();
    let balanced = &made["spec"];
    let ports: Vec<i64> = balanced["ports"].as_array().expect("ports").iter().filter_map(|port| port["nodePort"].as_i64()).collect();
    let checked = balanced["healthCheckNodePort"].as_i64().expect("a port for health checks");
    assert!(ports[0] == ports[1] && ports[1] != ports[2] && !ports.contains(&checked), "{ports:?}, {checked}");
    assert!(ports.iter().chain([&checked]).all(|port| (30_000..=32_767).contains(port)), "{ports:?}, {checked}");
    assert_eq!(balanced["allocateLoadBalancerNodePorts"], true);
    let taken = make("late", json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": checked }] })).await;
    let why = format!("Service \"late\" is invalid: spec.ports[0].nodePort: Invalid value: {checked}: provided port is already allocated");
    assert_eq!((taken.code, taken.json()["message"].as_str()), (422, Some(&*why)));
    // What is no longer needed goes back.
    let path = format!("{services}/dns");
    let back = http.patch(&path, "merge", &json!({ "spec": { "type": "ClusterIP", "externalTrafficPolicy": null } })).await;
    assert_eq!(back.code, 200, "{}", back.text());
    assert_eq!((&back.json()["spec"]["healthCheckNodePort"], &back.json()["spec"]["ports"][0]["nodePort"]), (&Value::Null, &Value::Null));
    assert_eq!(make("late", json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": checked }] })).await.code, 201);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_priority_class_decides_a_pods_priority() {
    let (cluster, http) = with_account().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let pod = |class: Value| json!({ "metadata": { "name": "p" }, "spec": { "priorityClassName": class, "containers": [{ "name": "c", "image": "i" }] } });
    let made = http.post(classes, &json!({ "metadata": { "name": "high" }, "value": 1000, "preemptionPolicy": "Never" })).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let spec = http.post(&format!("{CORE}/pods?dryRun=All"), &pod(json!("high"))).await.json()["spec"].clone();
    assert_eq!((&spec["priority"], &spec["preemptionPolicy"]), (&json!(1000), &json!("Never")));
    let unknown = http.post(&format!("{CORE}/pods"), &pod(json!("nope"))).await;
    let why = "pods \"p\" is forbidden: no PriorityClass with name nope was found";
    assert_eq!((unknown.code, unknown.json()["message"].as_str()), (403, Some(why)));
    http.post(classes, &json!({ "metadata": { "name": "usual" }, "value": 7, "globalDefault": true })).await;
    let spec = http.post(&format!("{CORE}/pods?dryRun=All"), &pod(Value::Null)).await.json()["spec"].clone();
    assert_eq!((&spec["priority"], &spec["priorityClassName"]), (&json!(7), &json!("usual")));
    cluster.stop().await.expect("it stops");
}

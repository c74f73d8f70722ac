//! The scheduler on real components: preemption, profiles and their configuration file, scheduling gates.

use std::process::Command;

use mini_cluster::{Cluster, Options};
use mini_tests::{binaries, http::Http, root, wait_for};
use serde_json::{Value, json};

use crate::storage::made;

const CLASSES: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
const EVENTS: &str = "/api/v1/namespaces/default/events";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// A cluster of two nodes with 4 cpus each, and three classes of priority.
async fn two_nodes(configuration: Option<&str>) -> (Cluster, Http) {
    let mut options = Options::default().nodes(2);
    options.kubelet.as_mut().expect("there are nodes").cpu = "4".to_owned();
    options.scheduler.as_mut().expect("there is a scheduler").config = configuration.map(|file| root().join(file));
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    for (name, value) in [("low", 1), ("middle", 10), ("high", 100)] {
        let class = json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name }, "value": value });
        made(&http, CLASSES, &class).await;
    }
    (cluster, http)
}

/// A pod that wants so many cpus; with more of `spec` on top.
fn pod(name: &str, cpu: &str, more: &Value) -> Value {
    let mut spec = json!({
        "terminationGracePeriodSeconds": 0,
        "containers": [{ "name": "c", "image": "nginx", "resources": { "requests": { "cpu": cpu } } }],
    });
    spec.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": name } }, "spec": spec })
}

/// Makes a pod and waits until it runs; tells on which node.
async fn running(http: &Http, pod: &Value) -> String {
    let name = made(http, PODS, pod).await["metadata"]["name"].as_str().expect("a name").to_owned();
    runs(http, &name).await
}

async fn runs(http: &Http, name: &str) -> String {
    wait_for("the pod to run", || async {
        let pod = http.get(&format!("{PODS}/{name}")).await.json();
        match (pod["status"]["phase"].as_str(), pod["spec"]["nodeName"].as_str()) {
            (Some("Running"), Some(node)) => Ok(node.to_owned()),
            _ => Err(pod),
        }
    })
    .await
}

/// Waits for an Event about a pod; tells what it says and who says it.
async fn event(http: &Http, name: &str, reason: &str) -> (String, String) {
    wait_for("an Event", || async {
        let list = http.get(&format!("{EVENTS}?fieldSelector=involvedObject.name%3D{name},reason%3D{reason}")).await.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let first = &list["items"][0];
        if first.is_null() { Err(list) } else { Ok((text(&first["message"]), text(&first["source"]["component"]))) }
    })
    .await
}

fn of_class(class: &str) -> Value {
    json!({ "priorityClassName": class })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_more_important_pod_evicts_the_least_important_and_takes_its_place() {
    let (cluster, http) = two_nodes(None).await;
    let spared = running(&http, &pod("spared", "3", &of_class("middle"))).await;
    let mut victim = pod("victim", "3", &of_class("low"));
    // What is held by a finalizer can still be looked at when it has ended.
    victim["metadata"]["finalizers"] = json!(["example.com/look"]);
    let room = running(&http, &victim).await;
    assert_ne!(spared, room);

    let vip = made(&http, PODS, &pod("vip", "3", &of_class("high"))).await;
    let uid = vip["metadata"]["uid"].as_str().expect("a UID");
    assert_eq!(runs(&http, "vip").await, room);
    let (why, _) = event(&http, "vip", "FailedScheduling").await;
    assert_eq!(why, "0/2 nodes are available: 2 Insufficient cpu.");
    let (told, by) = event(&http, "victim", "Preempted").await;
    assert_eq!((told, by.as_str()), (format!("Preempted by pod {uid} on node {room}"), "default-scheduler"));
    let left = http.get(&format!("{PODS}/victim")).await.json();
    let conditions = left["status"]["conditions"].as_array().expect("conditions");
    let disrupted = conditions.iter().find(|condition| condition["type"] == "DisruptionTarget").expect("it is told why it has to leave");
    assert_eq!((&disrupted["status"], &disrupted["reason"]), (&json!("True"), &json!("PreemptionByScheduler")));
    assert_eq!(disrupted["message"], "default-scheduler: preempting to accommodate a higher priority pod");
    let placed = http.get(&format!("{PODS}/vip")).await.json();
    assert!(placed["status"]["nominatedNodeName"].is_null(), "{placed}");
    assert!(http.get(&format!("{PODS}/spared")).await.json()["metadata"]["deletionTimestamp"].is_null());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_victims_end_a_pod_is_nominated_and_nobody_takes_its_room() {
    let (cluster, http) = two_nodes(None).await;
    // Pods that nobody runs end when somebody says so.
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "still", "labels": { "still": "yes" } },
        "status": { "capacity": { "cpu": "4", "pods": "10" }, "allocatable": { "cpu": "4", "pods": "10" } },
    });
    made(&http, "/api/v1/nodes", &node).await;
    let there = |class: &str| {
        json!({ "priorityClassName": class, "nodeSelector": { "still": "yes" }, "terminationGracePeriodSeconds": 30,
            "tolerations": [{ "operator": "Exists" }] })
    };
    made(&http, PODS, &pod("victim", "3", &there("low"))).await;
    event(&http, "victim", "Scheduled").await;
    made(&http, PODS, &pod("vip", "3", &there("high"))).await;
    wait_for("the nomination", || async {
        let pod = http.get(&format!("{PODS}/vip")).await.json();
        if pod["status"]["nominatedNodeName"] == "still" { Ok(()) } else { Err(pod) }
    })
    .await;
    // Small enough for what is free, but that is promised.
    made(&http, PODS, &pod("late", "2", &there("middle"))).await;
    let (why, _) = event(&http, "late", "FailedScheduling").await;
    assert!(why.starts_with("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector."), "{why}");
    let gone = http.send("DELETE", &format!("{PODS}/victim?gracePeriodSeconds=0"), &[], "").await;
    assert_eq!(gone.code, 200, "{}", gone.text());
    let (bound, _) = event(&http, "vip", "Scheduled").await;
    assert_eq!(bound, "Successfully assigned default/vip to still");
    let late = http.get(&format!("{PODS}/late")).await.json();
    assert!(late["spec"]["nodeName"].is_null(), "{late}");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disruption_budget_steers_whom_preemption_hits() {
    let (cluster, http) = two_nodes(None).await;
    let guarded = running(&http, &pod("guarded", "3", &of_class("low"))).await;
    let other = running(&http, &pod("other", "3", &of_class("middle"))).await;
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "guard" },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": { "app": "guarded" } } },
    });
    made(&http, BUDGETS, &budget).await;
    wait_for("the budget to be counted", || async {
        let status = http.get(&format!("{BUDGETS}/guard")).await.json()["status"].clone();
        if status["currentHealthy"] == 1 && status["disruptionsAllowed"] == 0 { Ok(()) } else { Err(status) }
    })
    .await;
    // Without the budget, the one of lower priority would have to go.
    assert_eq!(running(&http, &pod("vip", "3", &of_class("high"))).await, other);
    assert_eq!(runs(&http, "guarded").await, guarded);
    // Where nothing else is left, the budget does not help.
    assert_eq!(running(&http, &pod("vip-2", "3", &of_class("high"))).await, guarded);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_profile_of_the_example_schedules_its_own_pods() {
    let (cluster, http) = two_nodes(Some("examples/scheduler-config.yaml")).await;
    let full = running(&http, &pod("first", "1", &json!({}))).await;
    let empty = running(&http, &pod("spread", "1", &json!({}))).await;
    assert_ne!(full, empty);
    // Now one node is a little fuller, and packing keeps to it.
    let fuller = running(&http, &pod("packed-1", "500m", &json!({ "schedulerName": "packing" }))).await;
    for name in ["packed-2", "packed-3"] {
        assert_eq!(running(&http, &pod(name, "500m", &json!({ "schedulerName": "packing" }))).await, fuller);
    }
    assert_ne!(running(&http, &pod("spread-2", "500m", &json!({}))).await, fuller);
    assert_eq!(event(&http, "packed-1", "Scheduled").await.1, "packing");
    assert_eq!(event(&http, "spread", "Scheduled").await.1, "default-scheduler");
    cluster.stop().await.expect("it stops");
}

#[test]
fn a_wrong_configuration_file_ends_the_scheduler_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scheduler.yaml");
    let head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
    for (body, want) in [
        (
            "profiles:\n- schedulerName: a\n  plugins: {score: {enabled: [{name: Magic}]}}\n",
            "profiles[0].plugins.score.enabled[0]: plugin \"Magic\" does not exist",
        ),
        ("profiles:\n- schedulerNme: a\n", "profiles[0].schedulerNme: unknown field `schedulerNme`"),
        ("podInitialBackoffSeconds: -1\n", "podInitialBackoffSeconds: Invalid value: -1: must be greater than 0"),
        ("extenders: [{urlPrefix: http://127.0.0.1}]\n", "extenders: scheduler extenders are not supported"),
        ("profiles: [\n", "scheduler.yaml: "),
    ] {
        std::fs::write(&file, format!("{head}{body}")).expect("it is written");
        let mut command = Command::new(binaries().join("mini-scheduler"));
        command.args(["--log", "off", "--server", "http://127.0.0.1:9", "--config"]).arg(&file);
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("mini-scheduler: read ") && said.contains(want) && said.trim_end().lines().count() == 1, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gated_pod_is_scheduled_when_its_gates_are_gone() {
    let (cluster, http) = two_nodes(None).await;
    let gates = json!({ "schedulingGates": [{ "name": "example.com/a" }, { "name": "example.com/b" }] });
    made(&http, PODS, &pod("gated", "1", &gates)).await;
    running(&http, &pod("free", "1", &json!({}))).await;
    for gates in [json!([{ "name": "example.com/b" }]), json!([])] {
        let before = http.get(&format!("{PODS}/gated")).await.json();
        assert!(before["spec"]["nodeName"].is_null(), "{before}");
        let fewer = json!([{ "op": "replace", "path": "/spec/schedulingGates", "value": gates }]);
        let answer = http.patch(&format!("{PODS}/gated"), "json", &fewer).await;
        assert_eq!(answer.code, 200, "{}", answer.text());
    }
    runs(&http, "gated").await;
    cluster.stop().await.expect("it stops");
}

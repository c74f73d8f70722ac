//! Pods that want to be near each other, or apart, on a real scheduler: where they come, what they are told, and what wakes them.

use mini_cluster::{Cluster, Options};
use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};

use crate::storage::made;

const NODES: &str = "/api/v1/nodes";
const PODS: &str = "/api/v1/namespaces/default/pods";
const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// A scheduler, and nodes a1 and a2 in zone a, b1 in zone b; no kubelets.
async fn scheduled() -> (Cluster, Http) {
    let options = Options { controllers: None, kubelet: None, ..Options::default() };
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    // No controller makes the account that pods need.
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    made(&http, "/api/v1/namespaces/default/serviceaccounts", &account).await;
    for name in ["a1", "a2", "b1"] {
        let room = json!({ "cpu": "4", "memory": "8Gi", "pods": "110" });
        let labels = json!({ HOSTNAME: name, ZONE: &name[..1] });
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels },
            "status": { "capacity": room, "allocatable": room },
        });
        made(&http, NODES, &node).await;
        let ready = http.patch(&format!("{NODES}/{name}"), "merge", &json!({ "spec": { "taints": null } })).await;
        assert_eq!(ready.code, 200, "{}", ready.text());
    }
    (cluster, http)
}

async fn create(http: &Http, name: &str, app: &str, spec: Value) {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": app } },
        "spec": { "containers": [{ "name": "c", "image": "nginx:1" }] },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    made(http, PODS, &pod).await;
}

/// The node a pod gets.
async fn node_of(http: &Http, name: &str) -> String {
    wait_for(&format!("{name} to get a node"), || async {
        let pod = http.get(&format!("{PODS}/{name}")).await.json();
        pod["spec"]["nodeName"].as_str().map(str::to_owned).ok_or(pod["status"].clone())
    })
    .await
}

/// Waits until a pod is told this, before what is said of preemption.
async fn told(http: &Http, name: &str, why: &str) {
    wait_for(&format!("{name} to be told why it waits"), || async {
        let status = http.get(&format!("{PODS}/{name}")).await.json()["status"].clone();
        let message = status["conditions"][0]["message"].as_str().unwrap_or_default();
        if message.split(". ").next() == Some(why) { Ok(()) } else { Err(status) }
    })
    .await;
}

fn term(app: &str, key: &str) -> Value {
    let term = json!({ "topologyKey": key, "labelSelector": { "matchLabels": { "app": app } } });
    json!({ "requiredDuringSchedulingIgnoredDuringExecution": [term] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_shun_each_other_take_a_node_each_and_the_next_one_that_is_free() {
    let (cluster, http) = scheduled().await;
    let apart = || json!({ "affinity": { "podAntiAffinity": term("web", HOSTNAME) } });
    let mut nodes = Vec::new();
    for name in ["web-0", "web-1", "web-2"] {
        create(&http, name, "web", apart()).await;
        nodes.push(node_of(&http, name).await);
    }
    let freed = nodes[1].clone();
    nodes.sort_unstable();
    assert_eq!(nodes, ["a1", "a2", "b1"]);
    create(&http, "web-3", "web", apart()).await;
    told(&http, "web-3", "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules").await;
    create(&http, "plain", "web", json!({})).await;
    told(&http, "plain", "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules").await;
    let gone = http.delete(&format!("{PODS}/web-1?gracePeriodSeconds=0")).await;
    assert_eq!(gone.code, 200, "{}", gone.text());
    let first = wait_for("one of them to get the free node", || async {
        let pods = ["web-3", "plain"].map(|name| format!("{PODS}/{name}"));
        for path in pods {
            if let Some(node) = http.get(&path).await.json()["spec"]["nodeName"].as_str() {
                return Ok(node.to_owned());
            }
        }
        Err("both wait")
    })
    .await;
    assert_eq!(first, freed);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_waits_for_the_one_it_needs_and_follows_it() {
    let (cluster, http) = scheduled().await;
    create(&http, "web", "web", json!({ "affinity": { "podAffinity": term("db", ZONE) } })).await;
    told(&http, "web", "0/3 nodes are available: 3 node(s) didn't match pod affinity rules").await;
    create(&http, "db", "db", json!({ "nodeSelector": { HOSTNAME: "b1" } })).await;
    assert_eq!(node_of(&http, "web").await, "b1");
    assert_eq!(node_of(&http, "db").await, "b1");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_spread_over_zones_and_wait_rather_than_pile_up() {
    let (cluster, http) = scheduled().await;
    let spread = || {
        let all = json!({ "matchLabels": { "app": "web" } });
        let constraint = json!({ "maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": all });
        json!({ "topologySpreadConstraints": [constraint] })
    };
    let mut zones = Vec::new();
    for name in ["web-0", "web-1", "web-2", "web-3"] {
        create(&http, name, "web", spread()).await;
        zones.push(node_of(&http, name).await[..1].to_owned());
    }
    zones.sort_unstable();
    assert_eq!(zones, ["a", "a", "b", "b"]);
    let cordoned = http.patch(&format!("{NODES}/b1"), "merge", &json!({ "spec": { "unschedulable": true } })).await;
    assert_eq!(cordoned.code, 200);
    create(&http, "web-4", "web", spread()).await;
    node_of(&http, "web-4").await;
    create(&http, "web-5", "web", spread()).await;
    let why = "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match pod topology spread constraints";
    told(&http, "web-5", why).await;
    http.patch(&format!("{NODES}/b1"), "merge", &json!({ "spec": { "unschedulable": false } })).await;
    assert_eq!(node_of(&http, "web-5").await, "b1");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gated_pod_waits_in_silence() {
    let (cluster, http) = scheduled().await;
    create(&http, "gated", "web", json!({ "schedulingGates": [{ "name": "example.com/later" }] })).await;
    create(&http, "plain", "web", json!({})).await;
    node_of(&http, "plain").await;
    let gated = http.get(&format!("{PODS}/gated")).await.json();
    let condition = &gated["status"]["conditions"][0];
    let says = ["type", "status", "reason", "message"].map(|field| condition[field].as_str().unwrap_or_default().to_owned());
    assert_eq!(says, ["PodScheduled", "False", "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"]);
    assert_eq!(gated["spec"]["nodeName"], Value::Null);
    let events = http.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dgated").await.json();
    assert_eq!(events["items"], json!([]));
    let freed = http.patch(&format!("{PODS}/gated"), "merge", &json!({ "spec": { "schedulingGates": null } })).await;
    assert_eq!(freed.code, 200, "{}", freed.text());
    node_of(&http, "gated").await;
    cluster.stop().await.expect("it stops");
}

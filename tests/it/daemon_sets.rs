//! DaemonSets on real components: what a session at a terminal does not show.

use std::{cell::Cell, collections::BTreeSet};

use mini_cluster::Cluster;
use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};

use crate::storage::{controlled, made};

const SETS: &str = "/apis/apps/v1/namespaces/default/daemonsets";
const AGENT: &str = "/apis/apps/v1/namespaces/default/daemonsets/agent";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn agent(strategy: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "name": "agent" },
        "spec": {
            "selector": { "matchLabels": { "app": "agent" } },
            "updateStrategy": strategy,
            "template": {
                "metadata": { "labels": { "app": "agent" } },
                "spec": { "terminationGracePeriodSeconds": 0, "containers": [{ "name": "c", "image": "nginx:1" }] },
            },
        },
    })
}

async fn pods(http: &Http) -> Vec<Value> {
    http.get(PODS).await.json()["items"].as_array().cloned().unwrap_or_default()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_surges_has_as_many_as_ever() {
    let cluster = Cluster::start().await.expect("it starts");
    let http = Http::new(cluster.address());
    let rolling = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
    made(&http, SETS, &agent(&rolling)).await;
    wait_for("a pod on each node", || async {
        let status = http.get(AGENT).await.json()["status"].clone();
        if status["numberAvailable"] == 3 && status["desiredNumberScheduled"] == 3 { Ok(()) } else { Err(status) }
    })
    .await;

    let image = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "nginx:2" }] } } } });
    assert_eq!(http.patch(AGENT, "strategic-merge", &image).await.code, 200);
    let most = Cell::new(0);
    wait_for("three new pods and no others", || async {
        let pods = pods(&http).await;
        let alive: Vec<_> = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect();
        let served: BTreeSet<_> = alive.iter().filter(|pod| is_ready(pod)).map(|pod| pod["spec"]["nodeName"].as_str()).collect();
        assert_eq!(served.len(), 3, "a node is without: {pods:#?}");
        most.set(alive.len().max(most.get()));
        let new = alive.iter().filter(|pod| pod["spec"]["containers"][0]["image"] == "nginx:2").count();
        if new == 3 && pods.len() == 3 { Ok(()) } else { Err((new, pods.len())) }
    })
    .await;
    let most = most.get();
    assert!(most <= 4, "{most} pods at a time, where one more than 3 is allowed");
    wait_for("the status of the end", || async {
        let status = http.get(AGENT).await.json()["status"].clone();
        if status["updatedNumberScheduled"] == 3 && status["numberAvailable"] == 3 { Ok(()) } else { Err(status) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_failed_is_replaced() {
    let (cluster, http) = controlled().await;
    made(&http, "/api/v1/nodes", &json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" } })).await;
    made(&http, SETS, &agent(&json!({ "type": "OnDelete" }))).await;
    let one = || async { <[Value; 1]>::try_from(pods(&http).await).map(|[pod]| pod) };
    let first = wait_for("a pod", one).await;
    let required = &first["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let named = json!({ "nodeSelectorTerms": [{ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["n1"] }] }] });
    assert_eq!((required, &first["spec"]["nodeName"]), (&named, &Value::Null), "it is for the scheduler to bind it");
    assert_eq!(first["metadata"]["labels"]["pod-template-generation"], "1");

    let name = first["metadata"]["name"].as_str().unwrap_or_default();
    let failed = http.patch(&format!("{PODS}/{name}/status"), "merge", &json!({ "status": { "phase": "Failed" } })).await;
    assert_eq!(failed.code, 200, "{}", failed.text());
    wait_for("another pod", || async {
        let pod = one().await?;
        if pod["metadata"]["uid"] == first["metadata"]["uid"] { Err(vec![pod]) } else { Ok(()) }
    })
    .await;
    let told = format!("Found failed daemon pod default/{name} on node n1, will try to kill it");
    wait_for("the event", || async {
        let events = http.get("/api/v1/namespaces/default/events?fieldSelector=reason%3DFailedDaemonPod").await.text();
        if events.contains(&told) { Ok(()) } else { Err(events) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

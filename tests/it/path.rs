//! The path of an apply through the rooms, as ARCHITECTURE.md tells it: every step is a write that a watcher can see, and their
//! revisions say in which order they happened.

use mini_cluster::Cluster;
use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};

/// All changes of a resource after a revision, each as its revision and the object.
async fn changes(http: &Http, path: &str, after: &str) -> Vec<(u64, String, Value)> {
    let answer = http.get(&format!("{path}?watch=1&resourceVersion={after}&timeoutSeconds=1")).await;
    let frames = answer.text();
    let frame = |line: &str| {
        let mut frame: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let revision = frame["object"]["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        (revision, frame["type"].as_str().unwrap_or_default().to_owned(), frame["object"].take())
    };
    frames.lines().map(frame).collect()
}

/// What a change is in the story, if it is a step of it.
fn step(resource: &str, kind: &str, object: &Value) -> Option<&'static str> {
    let status = &object["status"];
    let ready = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    match (resource, kind) {
        ("deployments", "ADDED") => Some("the API server stores the Deployment"),
        ("replicasets", "ADDED") => Some("the Deployment controller creates a ReplicaSet"),
        ("pods", "ADDED") => Some("the ReplicaSet controller creates a pod"),
        ("pods", _) if ready => Some("the kubelet reports the pod ready"),
        ("pods", _) if status["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating" => {
            Some("the kubelet starts the container")
        }
        ("pods", _) if object["spec"]["nodeName"].is_string() => Some("the scheduler binds the pod"),
        ("endpointslices", _) if object["endpoints"][0]["conditions"]["ready"] == true => Some("the pod's address joins the EndpointSlice"),
        ("replicasets", _) if status["availableReplicas"] == 1 => Some("the ReplicaSet counts it"),
        ("deployments", _) if status["availableReplicas"] == 1 => Some("the Deployment is available"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_passes_the_rooms_in_order() {
    let cluster = Cluster::start().await.expect("it starts");
    let http = Http::new(cluster.address());
    let service = json!({ "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80 }] } });
    assert_eq!(http.post("/api/v1/namespaces/default/services", &service).await.code, 201);
    let list = http.get("/api/v1/namespaces/default/pods").await.json();
    let start = list["metadata"]["resourceVersion"].as_str().expect("a revision").to_owned();
    let template =
        json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "nginx", "image": "nginx:1.7.9" }] } });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "web" } }, "template": template },
    });
    let path = "/apis/apps/v1/namespaces/default/deployments";
    assert_eq!(http.post(path, &deployment).await.code, 201);
    wait_for("an available Deployment", || async {
        let object = http.get(&format!("{path}/web")).await.json();
        let slices = http
            .get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=web")
            .await
            .json();
        let served = slices["items"][0]["endpoints"][0]["conditions"]["ready"] == true;
        if object["status"]["availableReplicas"] == 1 && served { Ok(()) } else { Err((object["status"].clone(), slices)) }
    })
    .await;

    let mut story: Vec<(u64, &str)> = Vec::new();
    for resource in ["deployments", "replicasets", "pods", "endpointslices"] {
        let group = match resource {
            "pods" => "/api/v1",
            "endpointslices" => "/apis/discovery.k8s.io/v1",
            _ => "/apis/apps/v1",
        };
        for (revision, kind, object) in changes(&http, &format!("{group}/namespaces/default/{resource}"), &start).await {
            if let Some(step) = step(resource, &kind, &object).filter(|step| !story.iter().any(|(_, told)| told == step)) {
                story.push((revision, step));
            }
        }
    }
    story.sort_unstable();
    for (revision, step) in &story {
        println!("{revision:>6}  {step}");
    }
    let order: Vec<&str> = story.iter().map(|(_, step)| *step).collect();
    let fixed = [
        "the API server stores the Deployment",
        "the Deployment controller creates a ReplicaSet",
        "the ReplicaSet controller creates a pod",
        "the scheduler binds the pod",
        "the kubelet starts the container",
        "the kubelet reports the pod ready",
    ];
    assert_eq!(order[..fixed.len()], fixed);
    // From here on two controllers work side by side.
    let place =
        |wanted: &str| order.iter().position(|step| *step == wanted).unwrap_or_else(|| panic!("{wanted:?} did not happen: {order:?}"));
    assert!(place("the ReplicaSet counts it") < place("the Deployment is available"));
    assert!(place("the pod's address joins the EndpointSlice") >= fixed.len());
    cluster.stop().await.expect("it stops");
}

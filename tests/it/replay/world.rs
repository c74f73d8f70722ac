//! The world the recorder lived in: controllers, a scheduler, three nodes that set their pods Running at once, and the changes the
//! recorder made without recording them.

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
    runtime::{WatchStreamExt, watcher},
};
use mini_cluster::{Cluster, Options};
use mini_daemon::{connect, tasks::detach};
use mini_tests::{
    http::{Answer, Http},
    wait_for,
};
use serde_json::{Value, json};

use super::recording::Told;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const NODES: [&str; 3] = ["node-0000", "node-0001", "node-0002"];

/// A cluster whose nodes are the recorder's.
pub(super) async fn begin() -> (Cluster, Http) {
    let mut options = Options { kubelet: None, ..Options::default() };
    // Nobody gave addresses to load balancers there.
    options.controllers.get_or_insert_default().load_balancer_pool = "".parse().expect("no addresses");
    options.apiserver.advertise_address = Some([192, 0, 2, 2].into());
    let cluster = options.start().await.expect("the cluster starts");
    let http = Http::new(cluster.address());
    for node in NODES {
        assert_eq!(send(&http, "POST", "/api/v1/nodes", "fakelet", &self::node(node)).await.code, 201);
    }
    let config = Config::new(format!("http://{}", cluster.address()).parse().expect("an address"));
    detach("fakelet", run_pods(connect::client(config, "fakelet").expect("a client")));
    wait_for("the CA in default", || async {
        let answer = http.get(&format!("{CONFIG_MAPS}/kube-root-ca.crt")).await;
        if answer.code == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    wait_for("nodes that take pods", || async {
        let nodes = http.get("/api/v1/nodes").await.text();
        if nodes.contains("node.kubernetes.io/not-ready") { Err(nodes) } else { Ok(()) }
    })
    .await;
    (cluster, http)
}

fn node(name: &str) -> Value {
    let amounts = json!({ "cpu": "64", "memory": "256Gi", "pods": "250" });
    let ready = json!({ "type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": "2026-11-20T22:33:22Z", "lastTransitionTime": "2026-11-20T22:33:22Z" });
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
        "status": { "capacity": amounts, "allocatable": amounts, "conditions": [ready] },
    })
}

/// The nodes' part: pods run as soon as they are bound, and go as soon as they are to go.
async fn run_pods(client: Client) {
    let events = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default()).default_backoff().applied_objects();
    pin_mut!(events);
    let mut started = 0;
    while let Some(Ok(pod)) = events.next().await {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
        if !NODES.contains(&node) {
            continue;
        }
        let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if pod.metadata.deletion_timestamp.is_some() {
            // Whoever else was faster has done what was to be done.
            let _ = pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await;
        } else if phase == Some("Pending") {
            started += 1;
            let status = running(&pod, started);
            let _ = pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await;
        }
    }
}

/// The status of a pod all of whose containers run.
fn running(pod: &Pod, number: usize) -> Value {
    let now = pod.metadata.creation_timestamp.clone();
    let condition = |kind: &str| json!({ "type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": now });
    let mut conditions = vec![condition("Initialized"), condition("Ready"), condition("ContainersReady")];
    // Which generation a condition is about is younger than the recorder's nodes.
    let before = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let older = before.map(|condition| PodCondition { observed_generation: None, ..condition.clone() });
    conditions.extend(older.filter_map(|condition| serde_json::to_value(condition).ok()));
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| {
        json!({
            "name": container.name, "image": container.image, "imageID": "", "ready": true, "started": true, "restartCount": 0,
            "state": { "running": { "startedAt": now } }, "lastState": {},
        })
    });
    let ip = format!("10.0.0.{number}");
    json!({ "status": {
        "phase": "Running", "conditions": conditions, "containerStatuses": containers.collect::<Vec<_>>(),
        "hostIP": "192.168.1.1", "podIP": ip, "podIPs": [{ "ip": ip }], "startTime": now,
    } })
}

/// Waits until controllers and nodes have caught up with what was asked, as they did before the recorder asked on.
pub(super) async fn settle(http: &Http) {
    wait_for("controllers and nodes to catch up", || async {
        let deployments = http.get("/apis/apps/v1/namespaces/default/deployments").await.json();
        let behind = |object: &&Value| object["metadata"]["generation"] != object["status"]["observedGeneration"];
        let late = deployments["items"].as_array().into_iter().flatten().find(behind).cloned();
        let pods = http.get("/api/v1/pods?fieldSelector=status.phase%3DPending").await.json();
        let bound = |pod: &&Value| pod["spec"]["nodeName"].as_str().is_some_and(|node| NODES.contains(&node));
        let late = late.or_else(|| pods["items"].as_array().into_iter().flatten().find(bound).cloned());
        late.map_or(Ok(()), Err)
    })
    .await;
}

/// A ConfigMap that the recorder's cluster kept in each namespace, and upstream does not: the recording leaves it out, but not of
/// what a list counts.
pub(super) const UNCOUNTED: &str = "vendor";

/// What was there when metadata was listed.
pub(super) async fn before_metadata(http: &Http) {
    let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": UNCOUNTED } });
    assert_eq!(send(http, "POST", CONFIG_MAPS, "recorder", &body).await.code, 201);
}

/// What is told of otherwise has it no more.
pub(super) async fn after_metadata(http: &Http) {
    assert_eq!(http.delete(&format!("{CONFIG_MAPS}/{UNCOUNTED}")).await.code, 200);
}

/// What the recorder did before the first list.
pub(super) async fn before_lists(http: &Http) {
    for name in ["w0", "w1", "w2", "w3", "w4"] {
        let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "w": "1" } } });
        assert_eq!(send(http, "POST", CONFIG_MAPS, "recorder", &body).await.code, 201);
    }
}

/// What the recorder did before the first watch.
pub(super) async fn before_watches(http: &Http) {
    let changes = [
        ("w1", json!({ "data": { "k": "v" } })),
        ("w2", json!({ "metadata": { "labels": null } })),
        ("w2", json!({ "metadata": { "labels": { "w": "1" } } })),
    ];
    for (name, change) in changes {
        assert_eq!(send(http, "PATCH", &format!("{CONFIG_MAPS}/{name}"), "recorder", &change).await.code, 200);
    }
    assert_eq!(http.delete(&format!("{CONFIG_MAPS}/w4")).await.code, 200);
}

async fn send(http: &Http, method: &str, path: &str, agent: &str, body: &Value) -> Answer {
    let form = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    http.send(method, path, &[("content-type", form), ("user-agent", agent)], body.to_string()).await
}

/// Notes what later requests of the recorder repeat from this answer.
pub(super) fn note(told: &mut Told, title: &str, answer: &Value) {
    let metadata = |field: &str| answer["body"]["metadata"][field].as_str().unwrap_or_default().to_owned();
    match title {
        "kinds: create ConfigMap cm-min" => told.object = Some(answer["body"]["metadata"].clone()),
        "lists: limit 2" => told.list = Some((metadata("continue"), metadata("resourceVersion"))),
        _ => {}
    }
}

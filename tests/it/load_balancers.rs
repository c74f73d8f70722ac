//! What Services are given from outside: load balancers (addresses of a pool, none twice, also after a restart; who asks too late waits),
//! and endpoints that someone wrote by hand.

use std::path::Path;

use mini_cluster::{Cluster, Options};
use mini_tests::{World, http::Http, wait_for};
use serde_json::{Value, json};

const SERVICES: &str = "/api/v1/namespaces/default/services";
const ENDPOINTS: &str = "/api/v1/namespaces/default/endpoints";
/// The slices of the Service whose endpoints are written by hand.
const MIRRORS: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=outside";

/// A cluster with room for two load balancers: API server and controllers.
async fn cluster(folder: &Path) -> (Cluster, Http) {
    let mut options = Options { scheduler: None, kubelet: None, ..Options::default() }.on_disk(folder);
    options.controllers.get_or_insert_default().load_balancer_pool = "192.0.2.0/30".parse().expect("a pool");
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    (cluster, http)
}

async fn create(http: &Http, name: &str, spec: Value) {
    let mut whole = json!({ "type": "LoadBalancer", "ports": [{ "port": 80 }] });
    whole.as_object_mut().expect("an object").extend(spec.as_object().expect("an object").clone());
    let made = http.post(SERVICES, &json!({ "metadata": { "name": name }, "spec": whole })).await;
    assert_eq!(made.code, 201, "{}", made.text());
}

async fn has(http: &Http, name: &str, address: &str) {
    wait_for("an address", || async {
        let service = http.get(&format!("{SERVICES}/{name}")).await.json();
        if service["status"]["loadBalancer"]["ingress"][0]["ip"] == address { Ok(()) } else { Err(service) }
    })
    .await;
}

async fn says(http: &Http, name: &str, reason: &str, message: &str) {
    wait_for("an Event", || async {
        let events = http.get("/api/v1/namespaces/default/events").await.json();
        let told = |event: &Value| event["involvedObject"]["name"] == name && event["reason"] == reason && event["message"] == message;
        if events["items"].as_array().into_iter().flatten().any(told) { Ok(()) } else { Err(events) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_are_given_once_and_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cluster, http) = cluster(folder.path()).await;
    create(&http, "wishing", json!({ "loadBalancerIP": "192.0.2.2" })).await;
    has(&http, "wishing", "192.0.2.2").await;
    create(&http, "first", json!({})).await;
    has(&http, "first", "192.0.2.1").await;
    create(&http, "foreign", json!({ "loadBalancerClass": "example.com/other" })).await;
    cluster.stop().await.expect("it stops");

    let (cluster, http) = self::cluster(folder.path()).await;
    create(&http, "late", json!({})).await;
    let full = "Error syncing load balancer: failed to ensure load balancer: the address pool 192.0.2.0/30 is exhausted";
    says(&http, "late", "SyncLoadBalancerFailed", full).await;
    let foreign = http.get(&format!("{SERVICES}/foreign")).await.json();
    assert_eq!((&foreign["status"]["loadBalancer"], &foreign["metadata"]["finalizers"]), (&json!({}), &Value::Null));

    let gone = http.delete(&format!("{SERVICES}/first")).await;
    assert_eq!(gone.code, 200, "{}", gone.text());
    has(&http, "late", "192.0.2.1").await;
    says(&http, "first", "DeletedLoadBalancer", "Deleted load balancer").await;
    let plain = json!({ "spec": { "type": "ClusterIP", "loadBalancerIP": null } });
    let changed = http.patch(&format!("{SERVICES}/wishing"), "merge", &plain).await;
    assert_eq!(changed.code, 200, "{}", changed.text());
    create(&http, "next", json!({})).await;
    has(&http, "next", "192.0.2.2").await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_written_by_hand_are_mirrored_and_lead_to_their_pod() {
    let world = World::up(1);
    let http = Http::new(world.address());
    world.kubectl(&["run", "web", "--image=nginx"]).success();
    world.kubectl(&["run", "box", "--image=busybox", "--", "sleep", "3600"]).success();
    world.kubectl(&["wait", "--for=condition=Ready", "pod/web", "pod/box", "--timeout=60s"]).success();
    let address = world.kubectl(&["get", "pod", "web", "-o", "jsonpath={.status.podIP}"]).success();

    let service = json!({ "metadata": { "name": "outside" }, "spec": { "ports": [{ "port": 8080, "targetPort": 80 }] } });
    let made = http.post(SERVICES, &service).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let subset = json!({ "addresses": [{ "ip": address }], "ports": [{ "port": 80 }] });
    let endpoints = json!({ "metadata": { "name": "outside", "labels": { "team": "blue" } }, "subsets": [subset] });
    let made = http.post(ENDPOINTS, &endpoints).await;
    assert_eq!(made.code, 201, "{}", made.text());

    let slice = wait_for("the slice that mirrors them", || async {
        let slices = http.get(MIRRORS).await.json();
        let only = slices["items"].as_array().filter(|items| items.len() == 1).map(|items| items[0].clone());
        only.ok_or(slices)
    })
    .await;
    let labels = json!({
        "team": "blue", "kubernetes.io/service-name": "outside",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    });
    assert_eq!(slice["metadata"]["labels"], labels);
    let owner = &slice["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Endpoints"), &made.json()["metadata"]["uid"]));
    assert_eq!(slice["endpoints"], json!([{ "addresses": [address], "conditions": { "ready": true } }]));
    assert_eq!(slice["ports"], json!([{ "name": "", "port": 80, "protocol": "TCP" }]));
    wait_for("the page of the pod", || async {
        let page = world.kubectl(&["exec", "box", "--", "wget", "-qO-", "-T", "10", "outside:8080"]).stdout();
        if page.contains("Welcome to nginx!") { Ok(()) } else { Err(page) }
    })
    .await;

    let gone = http.delete(&format!("{ENDPOINTS}/outside")).await;
    assert_eq!(gone.code, 200, "{}", gone.text());
    wait_for("the end of the slice", || async {
        let slices = http.get(MIRRORS).await.json();
        if slices["items"] == json!([]) { Ok(()) } else { Err(slices) }
    })
    .await;
}

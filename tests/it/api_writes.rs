//! Writes over raw HTTP: preconditions, dry runs, generated names, finalizers, isolation of status, old versions.

use serde_json::{Value, json};

use crate::alone::server;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment(name: &str) -> Value {
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] } });
    json!({ "metadata": { "name": name }, "spec": { "replicas": 1, "selector": { "matchLabels": { "a": "b" } }, "template": template } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_revision_is_a_conflict_and_no_change_is_no_write() {
    let (cluster, http) = server().await;
    let path = format!("{MAPS}/a");
    let first = http.post(MAPS, &json!({ "metadata": { "name": "a" }, "data": { "k": "1" } })).await.json();
    let mut second = first.clone();
    second["data"]["k"] = "2".into();
    assert_eq!(http.put(&path, &second).await.code, 200);
    let stale = http.put(&path, &second).await;
    assert_eq!((stale.code, stale.json()["reason"].as_str()), (409, Some("Conflict")));
    let same = http.patch(&path, "merge", &json!({ "data": { "k": "2" } })).await.json();
    assert_eq!(same["metadata"]["resourceVersion"], http.get(&path).await.json()["metadata"]["resourceVersion"]);
    assert_ne!(same["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(http.post(MAPS, &json!({ "metadata": { "name": "a" } })).await.code, 409);
    assert_eq!(http.put(&format!("{MAPS}/nope"), &json!({ "metadata": { "name": "nope" } })).await.code, 404);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_stores_nothing_and_names_are_made() {
    let (cluster, http) = server().await;
    let before = http.get(MAPS).await.json()["metadata"]["resourceVersion"].clone();
    assert_eq!(http.post(&format!("{MAPS}?dryRun=All"), &json!({ "metadata": { "name": "dry" } })).await.code, 201);
    assert_eq!(http.get(&format!("{MAPS}/dry")).await.code, 404);
    assert_eq!(http.get(MAPS).await.json()["metadata"]["resourceVersion"], before);
    let made = http.post(MAPS, &json!({ "metadata": { "generateName": "gen-" } })).await.json();
    let name = made["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("gen-") && name.len() == 9, "{name}");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_body_sent_many_times_makes_objects_of_their_own() {
    let (cluster, http) = server().await;
    let mut body = deployment("");
    body["metadata"] = json!({ "generateName": "web-" });
    body["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x".into();
    let first = http.post(DEPLOYMENTS, &body).await;
    let uid = |object: &Value| object["metadata"]["uid"].as_str().expect("a UID").to_owned();
    let name = |object: &Value| object["metadata"]["name"].as_str().expect("a name").to_owned();
    for _ in 0..3 {
        let again = http.post(DEPLOYMENTS, &body).await;
        assert_eq!((again.code, again.warnings()), (201, first.warnings()));
        let (mut again, mut first) = (again.json(), first.json());
        assert!(name(&again) != name(&first) && uid(&again) != uid(&first), "{again}");
        for object in [&mut again, &mut first] {
            for own in ["name", "uid", "resourceVersion", "creationTimestamp"] {
                object["metadata"][own].take();
            }
            object["metadata"]["managedFields"][0]["time"].take();
        }
        assert_eq!(again, first);
    }
    assert_eq!(first.warnings().len(), 1, "{:?}", first.warnings());
    let strict = http.post(&format!("{DEPLOYMENTS}?fieldValidation=Strict"), &body).await;
    assert_eq!(strict.code, 400, "{}", strict.text());
    let other = http.post(&format!("{DEPLOYMENTS}?fieldManager=other"), &body).await.json();
    assert_eq!(other["metadata"]["managedFields"][0]["manager"], "other");
    let dry = http.post(&format!("{DEPLOYMENTS}?dryRun=All"), &body).await.json();
    assert_eq!(http.get(&format!("{DEPLOYMENTS}/{}", name(&dry))).await.code, 404);
    // The default of a namespace's labels says its name.
    let namespace = json!({ "metadata": { "generateName": "of-" } });
    for _ in 0..2 {
        let made = http.post("/api/v1/namespaces", &namespace).await.json();
        assert_eq!(made["metadata"]["labels"]["kubernetes.io/metadata.name"], made["metadata"]["name"]);
    }
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finalizer_holds_an_object_until_it_is_removed() {
    let (cluster, http) = server().await;
    let path = format!("{MAPS}/a");
    http.post(MAPS, &json!({ "metadata": { "name": "a", "finalizers": ["example.com/hold"] } })).await;
    let deleted = http.delete(&path).await.json();
    assert!(deleted["metadata"]["deletionTimestamp"].is_string(), "{deleted}");
    assert_eq!(http.get(&path).await.code, 200);
    assert_eq!(http.patch(&path, "merge", &json!({ "metadata": { "finalizers": null } })).await.code, 200);
    assert_eq!(http.get(&path).await.code, 404);
    let gone = http.delete(&path).await;
    assert_eq!((gone.code, gone.json()["message"].as_str()), (404, Some("configmaps \"a\" not found")));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spec_and_status_are_written_apart_and_generation_counts_specs() {
    let (cluster, http) = server().await;
    let path = format!("{DEPLOYMENTS}/web");
    let mut sent = deployment("web");
    sent["status"] = json!({ "replicas": 7 });
    let made = http.post(DEPLOYMENTS, &sent).await.json();
    assert_eq!((&made["metadata"]["generation"], &made["status"]["replicas"]), (&json!(1), &Value::Null));
    let both = json!({ "spec": { "replicas": 3 }, "status": { "replicas": 5 } });
    let status = http.patch(&format!("{path}/status"), "merge", &both).await.json();
    assert_eq!((&status["spec"]["replicas"], &status["status"]["replicas"]), (&json!(1), &json!(5)));
    assert_eq!(status["metadata"]["generation"], 1);
    let spec = http.patch(&path, "merge", &json!({ "spec": { "replicas": 3 }, "status": { "replicas": 9 } })).await.json();
    assert_eq!((&spec["spec"]["replicas"], &spec["status"]["replicas"]), (&json!(3), &json!(5)));
    assert_eq!(spec["metadata"]["generation"], 2);
    let scale = http.get(&format!("{path}/scale")).await.json();
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(3), &json!("a=b")));
    assert_eq!(http.put(&format!("{path}/scale"), &json!({ "metadata": { "name": "web" }, "spec": { "replicas": -1 } })).await.code, 422);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_version_is_taken_stored_as_the_new_and_answered_as_asked() {
    let (cluster, http) = server().await;
    let old = "/apis/extensions/v1beta1/namespaces/default/deployments";
    let mut sent = deployment("web");
    sent["apiVersion"] = "extensions/v1beta1".into();
    sent["kind"] = "Deployment".into();
    sent["spec"].as_object_mut().expect("a spec").remove("selector");
    let answer = http.post(old, &sent).await;
    assert_eq!((answer.code, answer.json()["apiVersion"].as_str()), (201, Some("extensions/v1beta1")), "{}", answer.text());
    assert!(answer.warnings()[0].contains("extensions/v1beta1 Deployment is deprecated"), "{:?}", answer.warnings());
    let new = http.get(&format!("{DEPLOYMENTS}/web")).await.json();
    assert_eq!(new["apiVersion"], "apps/v1");
    assert_eq!(new["spec"]["selector"], json!({ "matchLabels": { "a": "b" } }));
    assert_eq!(new["spec"]["strategy"]["rollingUpdate"], json!({ "maxSurge": 1, "maxUnavailable": 1 }));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_never_share_an_address_or_a_port() {
    let (cluster, http) = server().await;
    let path = "/api/v1/namespaces/default/services";
    let service = |name: String| json!({ "metadata": { "name": name }, "spec": { "type": "NodePort", "ports": [{ "port": 80 }] } });
    let made = futures::future::join_all((0..120).map(|number| {
        let (http, body) = (http.clone(), service(format!("s{number}")));
        async move { http.post(path, &body).await.json() }
    }))
    .await;
    let distinct = |pointer: &str| {
        made.iter().filter_map(|service| service.pointer(pointer).map(Value::to_string)).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((distinct("/spec/clusterIP"), distinct("/spec/ports/0/nodePort")), (120, 120));
    // Of many who ask for the same one gets it.
    let has = |port: i64| made.iter().any(|service| service["spec"]["ports"][0]["nodePort"] == port);
    let free = (30_000..=32_767).find(|port| !has(*port)).expect("a free port");
    let same = futures::future::join_all((0..60).map(|number| {
        let spec = json!({ "type": "NodePort", "clusterIP": "10.254.0.77", "ports": [{ "port": 80, "nodePort": free }] });
        let (http, body) = (http.clone(), json!({ "metadata": { "name": format!("same{number}") }, "spec": spec }));
        async move { http.post(path, &body).await.code }
    }))
    .await;
    assert_eq!(same.iter().filter(|code| **code == 201).count(), 1, "{same:?}");
    let taken = json!({ "metadata": { "name": "late" }, "spec": { "clusterIP": made[0]["spec"]["clusterIP"], "ports": [{ "port": 80 }] } });
    assert_eq!(http.post(path, &taken).await.code, 422);
    cluster.stop().await.expect("it stops");
}

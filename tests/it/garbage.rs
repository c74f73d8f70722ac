//! What becomes of dependents: the three ways to delete an owner, owners that are not there, and owners out of reach.

use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};

use crate::storage::controlled;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Creates a ConfigMap with these owners and finalizers, and returns it.
async fn map(http: &Http, path: &str, name: &str, owners: &[Value], finalizers: &[&str]) -> Value {
    let body = json!({ "metadata": { "name": name, "ownerReferences": owners, "finalizers": finalizers } });
    let answer = http.post(path, &body).await;
    assert_eq!(answer.code, 201, "{}", answer.text());
    answer.json()
}

/// A reference to an object that the API server has answered.
fn owner(object: &Value, blocks: bool) -> Value {
    let kind = object["kind"].as_str().expect("a kind");
    reference(kind, object["metadata"]["name"].as_str().expect("a name"), &object["metadata"]["uid"], blocks)
}

fn reference(kind: &str, name: &str, uid: &Value, blocks: bool) -> Value {
    json!({ "apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "blockOwnerDeletion": blocks })
}

async fn delete(http: &Http, path: &str, policy: &str) {
    let options = json!({ "propagationPolicy": policy }).to_string();
    let answer = http.send("DELETE", path, &[("content-type", "application/json")], options).await;
    assert_eq!(answer.code, 200, "{}", answer.text());
}

/// Waits until an object is gone.
async fn gone(http: &Http, path: &str) {
    wait_for(path, || async {
        let answer = http.get(path).await;
        if answer.code == 404 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_background_dependents_go_after_their_owner() {
    let (cluster, http) = controlled().await;
    let top = map(&http, MAPS, "top", &[], &[]).await;
    let middle = map(&http, MAPS, "middle", &[owner(&top, true)], &[]).await;
    map(&http, MAPS, "leaf", &[owner(&middle, true)], &[]).await;
    let other = map(&http, MAPS, "other", &[], &[]).await;
    map(&http, MAPS, "shared", &[owner(&top, true), owner(&other, false)], &[]).await;
    delete(&http, &format!("{MAPS}/top"), "Background").await;
    assert_eq!(http.get(&format!("{MAPS}/top")).await.code, 404, "the owner does not wait");
    for name in ["middle", "leaf"] {
        gone(&http, &format!("{MAPS}/{name}")).await;
    }
    // Who has another owner stays, and forgets the one that is gone.
    wait_for("one owner of two", || async {
        let shared = http.get(&format!("{MAPS}/shared")).await.json();
        if shared["metadata"]["ownerReferences"] == json!([owner(&other, false)]) { Ok(()) } else { Err(shared) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_foreground_an_owner_waits_for_those_that_block_it() {
    let (cluster, http) = controlled().await;
    let top = map(&http, MAPS, "top", &[], &[]).await;
    map(&http, MAPS, "holding", &[owner(&top, true)], &["example.com/hold"]).await;
    map(&http, MAPS, "free", &[owner(&top, false)], &["example.com/hold"]).await;
    delete(&http, &format!("{MAPS}/top"), "Foreground").await;
    for name in ["holding", "free"] {
        wait_for("dependents on their way out", || async {
            let dependent = http.get(&format!("{MAPS}/{name}")).await.json();
            if dependent["metadata"]["deletionTimestamp"].is_string() { Ok(()) } else { Err(dependent) }
        })
        .await;
    }
    let waiting = http.get(&format!("{MAPS}/top")).await.json();
    assert_eq!(waiting["metadata"]["finalizers"], json!(["foregroundDeletion"]), "{waiting}");
    // Only the one that says so blocks.
    http.patch(&format!("{MAPS}/holding"), "merge", &json!({ "metadata": { "finalizers": null } })).await;
    gone(&http, &format!("{MAPS}/top")).await;
    assert_eq!(http.get(&format!("{MAPS}/holding")).await.code, 404);
    assert_eq!(http.get(&format!("{MAPS}/free")).await.code, 200, "its own finalizer still holds it");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_stay_and_forget_their_owner() {
    let (cluster, http) = controlled().await;
    let top = map(&http, MAPS, "top", &[], &[]).await;
    let child = map(&http, MAPS, "child", &[owner(&top, true)], &[]).await;
    map(&http, MAPS, "grandchild", &[owner(&child, true)], &[]).await;
    delete(&http, &format!("{MAPS}/top"), "Orphan").await;
    gone(&http, &format!("{MAPS}/top")).await;
    let orphan = http.get(&format!("{MAPS}/child")).await.json();
    assert_eq!(orphan["metadata"]["ownerReferences"], Value::Null, "{orphan}");
    let grandchild = http.get(&format!("{MAPS}/grandchild")).await.json();
    assert_eq!(grandchild["metadata"]["ownerReferences"], json!([owner(&child, true)]), "what it owns is its own affair");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_is_absent_when_nothing_has_its_uid() {
    let (cluster, http) = controlled().await;
    let top = map(&http, MAPS, "top", &[], &[]).await;
    let (nobody, unknown) = (json!("00000000-0000-0000-0000-000000000000"), json!("11111111-0000-0000-0000-000000000000"));
    map(&http, MAPS, "of-nobody", &[reference("ConfigMap", "nobody", &nobody, false)], &[]).await;
    map(&http, MAPS, "of-a-namesake", &[reference("ConfigMap", "top", &nobody, false)], &[]).await;
    // The UID is that of `top`, but it is no Secret, and not called so.
    map(&http, MAPS, "of-another-kind", &[reference("Secret", "top", &top["metadata"]["uid"], false)], &[]).await;
    map(&http, MAPS, "of-another-name", &[reference("ConfigMap", "bottom", &top["metadata"]["uid"], false)], &[]).await;
    let stranger = json!({ "apiVersion": "example.com/v1", "kind": "Thing", "name": "thing", "uid": unknown });
    map(&http, MAPS, "of-an-unknown-kind", &[stranger], &[]).await;
    for name in ["of-nobody", "of-a-namesake", "of-another-kind", "of-another-name"] {
        gone(&http, &format!("{MAPS}/{name}")).await;
    }
    // Nobody can say that such an owner is gone.
    assert_eq!(http.get(&format!("{MAPS}/of-an-unknown-kind")).await.code, 200);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_in_another_namespace_is_none_and_the_dependent_is_told() {
    let (cluster, http) = controlled().await;
    http.post("/api/v1/namespaces", &json!({ "metadata": { "name": "other" } })).await;
    let top = map(&http, MAPS, "top", &[], &[]).await;
    let uid = top["metadata"]["uid"].as_str().expect("a uid");
    let maps = "/api/v1/namespaces/other/configmaps";
    map(&http, maps, "far", &[owner(&top, false)], &[]).await;
    gone(&http, &format!("{maps}/far")).await;
    let told = |path: &'static str| {
        let http = &http;
        wait_for("the event", move || async move {
            let events = http.get(&format!("{path}?fieldSelector=reason%3DOwnerRefInvalidNamespace")).await.json();
            events["items"].get(0).cloned().ok_or(events)
        })
    };
    let event = told("/api/v1/namespaces/other/events").await;
    let message = format!("ownerRef [v1/ConfigMap, namespace: other, name: top, uid: {uid}] does not exist in namespace \"other\"");
    assert_eq!((event["message"].as_str(), event["type"].as_str()), (Some(&*message), Some("Warning")));
    assert_eq!(
        (event["source"]["component"].as_str(), event["involvedObject"]["name"].as_str()),
        (Some("garbage-collector-controller"), Some("far"))
    );

    // What lives in no namespace cannot be owned by what does. It is told, and left alone: its owner is not gone.
    let class = json!({ "metadata": { "name": "class", "ownerReferences": [owner(&top, false)] }, "value": 7 });
    assert_eq!(http.post("/apis/scheduling.k8s.io/v1/priorityclasses", &class).await.code, 201);
    let event = told("/api/v1/namespaces/default/events").await;
    let message = format!("ownerRef [v1/ConfigMap, namespace: , name: top, uid: {uid}] does not exist in namespace \"\"");
    assert_eq!(event["message"].as_str(), Some(&*message));
    assert_eq!(http.get("/apis/scheduling.k8s.io/v1/priorityclasses/class").await.code, 200);
    cluster.stop().await.expect("it stops");
}

/// What lives in a group of old names as well is the same object: nobody has to ask what it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_that_are_seen_are_not_asked_for() {
    let (cluster, http) = controlled().await;
    let template = json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] } });
    let spec = json!({ "replicas": 20, "selector": { "matchLabels": { "app": "web" } }, "template": template });
    let answer = http.post("/apis/apps/v1/namespaces/default/replicasets", &json!({ "metadata": { "name": "web" }, "spec": spec })).await;
    assert_eq!(answer.code, 201, "{}", answer.text());
    wait_for("all pods in the status", || async {
        let sets = http.get("/apis/apps/v1/namespaces/default/replicasets").await.json();
        if sets["items"][0]["status"]["replicas"] == 20 { Ok(()) } else { Err(sets) }
    })
    .await;
    let page = http.get("/metrics").await.text();
    let asked = |line: &&str| {
        line.starts_with("apiserver_request_total") && line.contains("resource=\"replicasets\"") && line.contains("verb=\"GET\"")
    };
    assert_eq!(page.lines().filter(asked).collect::<Vec<_>>(), Vec::<&str>::new());
    cluster.stop().await.expect("the cluster stops");
}

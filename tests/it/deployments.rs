//! Deployments on real controllers: whose a ReplicaSet is, names that are taken, and the way back by annotation.

use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};

use crate::storage::{controlled, made};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";

fn template(image: &str) -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "c", "image": image }] } })
}

fn deployment(image: &str) -> Value {
    let spec = json!({ "replicas": 1, "selector": { "matchLabels": { "app": "web" } }, "template": template(image) });
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": spec })
}

/// The ReplicaSets with this label, once there are so many.
async fn sets(http: &Http, selector: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} ReplicaSets with {selector}"), || async {
        let list = http.get(&format!("{SETS}?labelSelector={selector}")).await.json();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        if items.len() == count { Ok(items) } else { Err(list) }
    })
    .await
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_sets_are_adopted_and_released_by_their_labels() {
    let (cluster, http) = controlled().await;
    let spec = json!({ "replicas": 0, "selector": { "matchLabels": { "app": "web" } }, "template": template("nginx:1") });
    made(&http, SETS, &json!({ "metadata": { "name": "found", "labels": { "app": "web" } }, "spec": spec })).await;
    let web = made(&http, DEPLOYMENTS, &deployment("nginx:1")).await;
    // It makes the pods that are wanted, so it is taken and grown, and none is created.
    let grown = || async {
        let found = http.get(&format!("{SETS}/found")).await.json();
        let is_owned = found["metadata"]["ownerReferences"][0]["uid"] == web["metadata"]["uid"];
        if is_owned && found["spec"]["replicas"] == 1 { Ok(()) } else { Err(found) }
    };
    wait_for("the adopted ReplicaSet", grown).await;
    assert_eq!(sets(&http, "app%3Dweb", 1).await.len(), 1);

    // Labelled otherwise it is let go, and another one takes its place.
    http.patch(&format!("{SETS}/found"), "merge", &json!({ "metadata": { "labels": { "app": "other" } } })).await;
    let new = sets(&http, "app%3Dweb", 1).await.remove(0);
    assert_eq!(new["metadata"]["ownerReferences"][0]["uid"], web["metadata"]["uid"]);
    wait_for("the released ReplicaSet", || async {
        let found = http.get(&format!("{SETS}/found")).await.json();
        if found["metadata"]["ownerReferences"].is_null() { Ok(()) } else { Err(found) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_somebody_else_has_is_counted_and_avoided() {
    let (cluster, http) = controlled().await;
    made(&http, DEPLOYMENTS, &deployment("nginx:1")).await;
    let first = sets(&http, "app%3Dweb", 1).await.remove(0);
    let name = text(&first, "/metadata/name");
    http.delete(&format!("{DEPLOYMENTS}/web")).await;
    sets(&http, "app%3Dweb", 0).await;

    let mut theirs = json!({ "replicas": 0, "selector": { "matchLabels": { "app": "other" } }, "template": template("nginx:1") });
    theirs["template"]["metadata"]["labels"] = json!({ "app": "other" });
    made(&http, SETS, &json!({ "metadata": { "name": name, "labels": { "app": "other" } }, "spec": theirs })).await;
    made(&http, DEPLOYMENTS, &deployment("nginx:1")).await;
    let second = sets(&http, "app%3Dweb", 1).await.remove(0);
    assert_ne!(text(&second, "/metadata/name"), name);
    let web = http.get(&format!("{DEPLOYMENTS}/web")).await.json();
    assert_eq!(web["status"]["collisionCount"], 1, "{web}");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_annotation_asks_for_the_way_back() {
    let (cluster, http) = controlled().await;
    made(&http, DEPLOYMENTS, &deployment("nginx:1")).await;
    sets(&http, "app%3Dweb", 1).await;
    http.patch(&format!("{DEPLOYMENTS}/web"), "merge", &json!({ "spec": { "template": template("nginx:2") } })).await;
    sets(&http, "app%3Dweb", 2).await;

    let wish = json!({ "metadata": { "annotations": { "deprecated.deployment.rollback.to": "1" } } });
    assert_eq!(http.patch(&format!("{DEPLOYMENTS}/web"), "merge", &wish).await.code, 200);
    let back = wait_for("the old template", || async {
        let web = http.get(&format!("{DEPLOYMENTS}/web")).await.json();
        let revision = &web["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
        if text(&web, "/spec/template/spec/containers/0/image") == "nginx:1" && revision == "3" { Ok(web) } else { Err(web) }
    })
    .await;
    assert_eq!(back["metadata"]["annotations"]["deprecated.deployment.rollback.to"], Value::Null);
    wait_for("the event", || async {
        let events = http.get("/api/v1/namespaces/default/events?fieldSelector=reason%3DDeploymentRollback").await.json();
        let said = events["items"][0]["message"].as_str() == Some("Rolled back deployment \"web\" to revision 1");
        if said { Ok(()) } else { Err(events) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_quota_refuses_shows_on_the_deployment() {
    let (cluster, http) = controlled().await;
    let quota = json!({ "metadata": { "name": "none" }, "spec": { "hard": { "pods": "0" } } });
    made(&http, "/api/v1/namespaces/default/resourcequotas", &quota).await;
    wait_for("the quota to be counted", || async {
        let quota = http.get("/api/v1/namespaces/default/resourcequotas/none").await.json();
        if quota["status"]["hard"]["pods"] == "0" { Ok(()) } else { Err(quota) }
    })
    .await;
    wait_for("the service account of pods", || async {
        let account = http.get("/api/v1/namespaces/default/serviceaccounts/default").await;
        if account.code == 200 { Ok(()) } else { Err(account.text()) }
    })
    .await;
    made(&http, DEPLOYMENTS, &deployment("nginx:1")).await;
    let failed = wait_for("the failure", || async {
        let web = http.get(&format!("{DEPLOYMENTS}/web")).await.json();
        let conditions = web["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == "ReplicaFailure").ok_or(web)
    })
    .await;
    assert_eq!((text(&failed, "/status"), text(&failed, "/reason")), ("True", "FailedCreate"));
    assert!(text(&failed, "/message").contains("exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"), "{failed}");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_versions_have_a_field_for_the_way_back() {
    const OLD: &str = "/apis/extensions/v1beta1/namespaces/default/deployments";
    let (cluster, http) = controlled().await;
    let old = |image: &str| json!({ "metadata": { "name": "web" }, "spec": { "replicas": 1, "template": template(image) } });
    made(&http, &format!("{OLD}?fieldValidation=Strict"), &old("nginx:1")).await;
    sets(&http, "app%3Dweb", 1).await;
    let path = format!("{OLD}/web?fieldValidation=Strict");
    assert_eq!(http.patch(&path, "strategic-merge", &json!({ "spec": { "template": template("nginx:2") } })).await.code, 200);
    sets(&http, "app%3Dweb", 2).await;

    let wish = |config: Value| json!({ "spec": { "rollbackTo": config } });
    for (config, code, said) in [
        (json!({ "revision": -1 }), 422, "spec.rollback.version: Invalid value: -1: must be greater than or equal to 0"),
        (
            json!({ "revision": "one" }),
            400,
            "cannot unmarshal string into Go struct field RollbackConfig.spec.rollbackTo.revision of type int64",
        ),
        (json!({ "to": 1 }), 422, "unknown field \\\"spec.rollbackTo.to\\\""),
    ] {
        let refused = http.patch(&path, "merge", &wish(config)).await;
        assert_eq!(refused.code, code, "{}", refused.text());
        assert!(refused.text().contains(said), "{}", refused.text());
    }
    // While it is not done, each version shows it in its own way; then it is gone.
    let wished = http.patch(&format!("{path}&dryRun=All"), "merge", &wish(json!({ "revision": 1 }))).await.json();
    assert_eq!(wished["spec"]["rollbackTo"], json!({ "revision": 1 }));
    assert_eq!(wished["metadata"]["annotations"]["deprecated.deployment.rollback.to"], Value::Null);
    assert_eq!(http.patch(&path, "merge", &wish(json!({}))).await.code, 200);
    let back = wait_for("the old template", || async {
        let web = http.get(&format!("{OLD}/web")).await.json();
        if text(&web, "/spec/template/spec/containers/0/image") == "nginx:1" { Ok(web) } else { Err(web) }
    })
    .await;
    assert_eq!((&back["spec"]["rollbackTo"], &back["spec"]["template"]["metadata"]), (&Value::Null, &template("")["metadata"]));
    cluster.stop().await.expect("it stops");
}

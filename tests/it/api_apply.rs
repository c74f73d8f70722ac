//! Server-side apply: over raw HTTP, and as `kubectl apply` does it, also where it takes over from its client-side form.

use mini_tests::{World, http::Http};
use serde_json::{Value, json};

use crate::alone::server;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config(data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data })
}

async fn apply(http: &Http, query: &str, config: &Value) -> (u16, Value) {
    let answer = http.patch(&format!("{MAPS}/a?{query}"), "apply", config).await;
    (answer.code, answer.json())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_applied_is_owned_and_what_others_own_is_defended() {
    let (cluster, http) = server().await;
    let (code, _) = apply(&http, "fieldManager=alice&dryRun=All", &config(&json!({ "k": "1" }))).await;
    assert_eq!((code, http.get(&format!("{MAPS}/a")).await.code), (201, 404));
    let (code, made) = apply(&http, "fieldManager=alice", &config(&json!({ "k": "1", "l": "1" }))).await;
    assert_eq!((code, &made["data"]["k"]), (201, &json!("1")));
    let (code, again) = apply(&http, "fieldManager=alice", &config(&json!({ "k": "1", "l": "1" }))).await;
    assert_eq!((code, &again["metadata"]["resourceVersion"]), (200, &made["metadata"]["resourceVersion"]));

    let (code, refused) = apply(&http, "fieldManager=bob", &config(&json!({ "k": "2" }))).await;
    assert_eq!((code, refused["message"].as_str()), (409, Some("Apply failed with 1 conflict: conflict with \"alice\": .data.k")));
    assert_eq!(refused["details"]["causes"][0]["reason"], "FieldManagerConflict");
    let (code, forced) = apply(&http, "fieldManager=bob&force=true", &config(&json!({ "k": "2" }))).await;
    assert_eq!((code, &forced["data"]), (200, &json!({ "k": "2", "l": "1" })));

    // Alice lets go of everything: what is hers alone goes, what is Bob's stays.
    let (_, left) = apply(&http, "fieldManager=alice", &config(&json!({}))).await;
    assert_eq!(left["data"], json!({ "k": "2" }));
    // An editor takes a field without asking; Bob is told.
    http.patch(&format!("{MAPS}/a?fieldManager=editor"), "merge", &json!({ "data": { "k": "3" } })).await;
    let (code, told) = apply(&http, "fieldManager=bob", &config(&json!({ "k": "2" }))).await;
    assert_eq!((code, told["message"].as_str()), (409, Some("Apply failed with 1 conflict: conflict with \"editor\" using v1: .data.k")));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_apply_is_refused_and_changes_nothing() {
    let (cluster, http) = server().await;
    let fine = config(&json!({ "k": "1" }));
    let with = |pointer: &str, value: Value| {
        let mut config = fine.clone();
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        config.pointer_mut(parent).expect("a parent")[field] = value;
        config
    };
    for (query, body, code, message) in [
        ("", fine.clone(), 422, "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"),
        ("fieldManager=m", with("/metadata/managedFields", json!([])), 400, "metadata.managedFields must be nil"),
        (
            "fieldManager=m",
            with("/apiVersion", json!("v2")),
            400,
            "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
        ),
        ("fieldManager=m", with("/metadata/name", json!("b")), 400, "the name of the object (b) does not match the name on the URL (a)"),
        (
            "fieldManager=m",
            with("/metadata/uid", json!("u")),
            409,
            "Operation cannot be fulfilled on configmaps \"a\": uid mismatch: the provided object specified uid u, and no existing object was found",
        ),
        (
            "fieldManager=m",
            with("/nope", json!(1)),
            500,
            "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): .nope: field not declared in schema",
        ),
    ] {
        let (got, answer) = apply(&http, query, &body).await;
        assert_eq!((got, answer["message"].as_str()), (code, Some(message)), "{body}");
    }
    assert_eq!(http.get(&format!("{MAPS}/a")).await.code, 404);
    let forced = http.patch(&format!("{MAPS}/a?force=true"), "merge", &json!({})).await.json();
    let expected = "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch";
    assert_eq!(forced["message"], expected);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_is_applied_through_its_own_door() {
    let (cluster, http) = server().await;
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    let mut web = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "a": "b" } }, "template": template }, "status": { "replicas": 9 } });
    let path = format!("{DEPLOYMENTS}/web");
    let made = http.patch(&format!("{path}?fieldManager=alice"), "apply", &web).await.json();
    assert_eq!(made["status"]["replicas"], Value::Null, "{made}");
    web["spec"]["replicas"] = 7.into();
    let told = http.patch(&format!("{path}/status?fieldManager=watcher"), "apply", &web).await.json();
    assert_eq!((&told["spec"]["replicas"], &told["status"]["replicas"]), (&json!(2), &json!(9)));
    let entries = told["metadata"]["managedFields"].as_array().expect("entries");
    let door = entries.iter().find(|entry| entry["manager"] == "watcher").expect("an entry");
    assert_eq!((&door["subresource"], &door["fieldsV1"]), (&json!("status"), &json!({ "f:status": { "f:replicas": {} } })));
    cluster.stop().await.expect("it stops");
}

/// A manifest with so many replicas and an image.
fn manifest(replicas: u32, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: web}}}}\n  \
         template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers: [{{name: c, image: '{image}'}}]\n"
    )
}

#[test]
fn kubectl_goes_over_to_server_side_apply() {
    let world = World::up(1);
    let file = world.home().join("web.yml");
    let apply = |args: &[&str], text: String| {
        std::fs::write(&file, text).expect("write the manifest");
        world.kubectl(&[&["apply", "-f", file.to_str().expect("a path")], args].concat())
    };
    assert_eq!(apply(&[], manifest(1, "nginx:1.24")).success(), "deployment.apps/web created\n");
    assert_eq!(apply(&["--server-side"], manifest(2, "nginx:1.25")).success(), "deployment.apps/web serverside-applied\n");
    let image = ["get", "deployment", "web", "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}"];
    assert_eq!(world.kubectl(&image).success(), "2 nginx:1.25");
    let refused = apply(&["--server-side", "--field-manager=other"], manifest(3, "nginx:1.25")).failure();
    assert!(refused.contains("Apply failed with 1 conflict: conflict with \"kubectl\": .spec.replicas"), "{refused}");
    assert_eq!(world.kubectl(&image).success(), "2 nginx:1.25");
    apply(&["--server-side", "--field-manager=other", "--force-conflicts"], manifest(3, "nginx:1.25")).success();
    assert_eq!(world.kubectl(&image).success(), "3 nginx:1.25");
}

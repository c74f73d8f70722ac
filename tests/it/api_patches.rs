//! The three patches over raw HTTP, with the directives of Kubernetes' own, and what each refuses.

use mini_tests::http::Http;
use serde_json::{Value, json};

use crate::alone::server;

const PATH: &str = "/apis/apps/v1/namespaces/default/deployments";

/// A Deployment with two containers, and what of its pods matters here.
async fn web(http: &Http) -> String {
    let containers = json!([
        { "name": "c", "image": "i", "args": ["x", "y"], "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }], "ports": [{ "containerPort": 80 }] },
        { "name": "d", "image": "j" },
    ]);
    let template = json!({ "metadata": { "labels": { "a": "b" }, "finalizers": ["example.com/x"] }, "spec": { "containers": containers } });
    let web = json!({ "metadata": { "name": "web", "finalizers": ["example.com/x"] }, "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template } });
    let made = http.post(PATH, &web).await;
    assert_eq!(made.code, 201, "{}", made.text());
    format!("{PATH}/web")
}

fn pod(change: Value) -> Value {
    json!({ "spec": { "template": { "spec": change } } })
}

async fn containers(http: &Http, path: &str, form: &str, change: Value) -> Value {
    let answer = http.patch(path, form, &change).await;
    assert_eq!(answer.code, 200, "{change}: {}", answer.text());
    answer.json()["spec"]["template"]["spec"]["containers"].clone()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strategic_patch_merges_lists_by_key_and_obeys_its_directives() {
    let (cluster, http) = server().await;
    let path = web(&http).await;
    let strategic = async |change: Value| containers(&http, &path, "strategic-merge", pod(change)).await;
    let merged = strategic(json!({ "containers": [{ "name": "d", "image": "k" }] })).await;
    assert_eq!((names(&merged), &merged[1]["image"]), (vec!["d", "c"].into_iter().rev().collect(), &json!("k")));
    let added = strategic(json!({ "containers": [{ "name": "e", "image": "l" }] })).await;
    assert_eq!(added.as_array().map(Vec::len), Some(3));
    let ordered = strategic(json!({ "$setElementOrder/containers": [{ "name": "e" }, { "name": "d" }, { "name": "c" }] })).await;
    assert_eq!(names(&ordered), ["e", "d", "c"]);
    let removed = strategic(json!({ "containers": [{ "name": "e", "$patch": "delete" }] })).await;
    assert_eq!(names(&removed), ["d", "c"]);
    let env =
        strategic(json!({ "containers": [{ "name": "c", "env": [{ "name": "B", "value": "3" }, { "$patch": "delete", "name": "A" }] }] }))
            .await;
    assert_eq!(env[1]["env"], json!([{ "name": "B", "value": "3" }]));
    let replaced = strategic(json!({ "containers": [{ "$patch": "replace" }, { "name": "c", "image": "m" }] })).await;
    assert_eq!((names(&replaced), &replaced[0]["env"]), (vec!["c"], &Value::Null));
    // A list without keys is replaced, a field is removed by null.
    let args = strategic(json!({ "containers": [{ "name": "c", "args": ["z"] }] })).await;
    assert_eq!(args[0]["args"], json!(["z"]));
    let none = strategic(json!({ "containers": [{ "name": "c", "args": null }] })).await;
    assert_eq!(none[0]["args"], Value::Null);

    let retained = json!({ "spec": { "strategy": { "$retainKeys": ["type"], "type": "Recreate" } } });
    let answer = http.patch(&path, "strategic-merge", &retained).await.json();
    assert_eq!(answer["spec"]["strategy"], json!({ "type": "Recreate" }));
    let finalizers = json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["example.com/x"], "finalizers": ["example.com/y"] } });
    let answer = http.patch(&path, "strategic-merge", &finalizers).await.json();
    assert_eq!(answer["metadata"]["finalizers"], json!(["example.com/y"]));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_patch_replaces_lists_and_removes_by_null() {
    let (cluster, http) = server().await;
    let path = web(&http).await;
    let merged = containers(&http, &path, "merge", pod(json!({ "containers": [{ "name": "e", "image": "l" }] }))).await;
    assert_eq!((names(&merged), &merged[0]["terminationMessagePath"]), (vec!["e"], &json!("/dev/termination-log")));
    let answer = http.patch(&path, "merge", &json!({ "metadata": { "finalizers": null, "labels": { "x": "y" } } })).await.json();
    assert_eq!((&answer["metadata"]["finalizers"], &answer["metadata"]["labels"]), (&Value::Null, &json!({ "x": "y" })));
    let stale = http.patch(&path, "merge", &json!({ "metadata": { "resourceVersion": "1" }, "spec": { "replicas": 2 } })).await;
    let why = "Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; please apply your changes to the latest version and try again";
    assert_eq!((stale.code, stale.json()["message"].as_str()), (409, Some(why)));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_patch_is_all_or_nothing() {
    let (cluster, http) = server().await;
    let path = web(&http).await;
    let image = "/spec/template/spec/containers/0/image";
    let fine = json!([{ "op": "test", "path": image, "value": "i" }, { "op": "replace", "path": image, "value": "n" },
        { "op": "copy", "from": image, "path": "/spec/template/spec/containers/1/image" }, { "op": "remove", "path": "/spec/template/spec/containers/0/args" },
        { "op": "add", "path": "/spec/template/spec/containers/0/ports/-", "value": { "containerPort": 81 } }]);
    let changed = containers(&http, &path, "json", fine).await;
    assert_eq!(
        (&changed[1]["image"], &changed[0]["args"], &changed[0]["ports"][1]["protocol"]),
        (&json!("n"), &Value::Null, &json!("TCP"))
    );
    // A test for null is one for absence, as kube-rs' finalizers rely on.
    let absent = json!([{ "op": "test", "path": "/metadata/annotations", "value": null }, { "op": "add", "path": "/metadata/annotations", "value": { "a": "b" } }]);
    let annotated = http.patch(&path, "json", &absent).await.json();
    assert_eq!(annotated["metadata"]["annotations"], json!({ "a": "b" }));
    let before = http.get(&path).await.json();
    for wrong in [
        absent,
        json!([{ "op": "test", "path": "/nope/nope", "value": null }]),
        json!([{ "op": "replace", "path": image, "value": "o" }, { "op": "test", "path": image, "value": "p" }]),
        json!([{ "op": "remove", "path": "/spec/nope" }]),
        json!([{ "op": "nope", "path": image }]),
        json!([{ "op": "add", "path": "/spec/template/spec/containers/9", "value": {} }]),
    ] {
        let answer = http.patch(&path, "json", &wrong).await;
        let why = "the server rejected our request due to an error in our request";
        assert_eq!((answer.code, answer.json()["message"].as_str()), (422, Some(why)), "{wrong}");
    }
    assert_eq!(http.get(&path).await.json(), before);
    let many: Value = (0..10_001).map(|_| json!({ "op": "test", "path": image, "value": "n" })).collect();
    let answer = http.patch(&path, "json", &many).await;
    let why = "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001";
    assert_eq!((answer.code, answer.json()["message"].as_str()), (413, Some(why)));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_patch_is_refused() {
    let (cluster, http) = server().await;
    let path = web(&http).await;
    for (form, body, code, message) in [
        (
            "application/json-patch+json",
            "{}",
            400,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        ("application/merge-patch+json", "{", 400, "error decoding patch: unexpected end of JSON input"),
        (
            "application/merge-patch+json",
            r#"{"metadata":{"name":"other"}}"#,
            400,
            "the name of the object (other) does not match the name on the URL (web)",
        ),
        ("application/strategic-merge-patch+json", r#"{"spec":{"$patch":"foo"}}"#, 500, "unknown patch type: foo in map: map[$patch:foo]"),
        (
            "application/strategic-merge-patch+json",
            r#"{"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}"#,
            500,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        ("application/json", "{}", 415, "415: Unsupported Media Type"),
    ] {
        let answer = http.send("PATCH", &path, &[("content-type", form)], body).await;
        assert_eq!((answer.code, answer.json()["message"].as_str()), (code, Some(message)), "{form} {body}");
    }
    cluster.stop().await.expect("it stops");
}

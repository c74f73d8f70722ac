//! Deletion over raw HTTP: preconditions, propagation, grace, collections, and what comes back.

use mini_tests::http::{Answer, Http};
use serde_json::{Value, json};

use crate::alone::server;

const CORE: &str = "/api/v1/namespaces/default";

async fn delete(http: &Http, path: &str, options: Value) -> Answer {
    http.send("DELETE", path, &[("content-type", "application/json")], options.to_string()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_answers_and_obeys_its_preconditions() {
    let (cluster, http) = server().await;
    let path = format!("{CORE}/configmaps/a");
    let made = http.post(&format!("{CORE}/configmaps"), &json!({ "metadata": { "name": "a" } })).await.json();
    let (uid, revision) =
        (made["metadata"]["uid"].as_str().expect("a uid"), made["metadata"]["resourceVersion"].as_str().expect("a revision"));
    for (preconditions, why) in [
        (
            json!({ "uid": "nope" }),
            format!(
                "the UID in the precondition (nope) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            ),
        ),
        (
            json!({ "resourceVersion": "1" }),
            format!(
                "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record ({revision}). The object might have been modified"
            ),
        ),
    ] {
        let answer = delete(&http, &path, json!({ "preconditions": preconditions })).await;
        let why = format!("Operation cannot be fulfilled on ConfigMap \"a\": {why}");
        assert_eq!((answer.code, answer.json()["message"].as_str()), (409, Some(&*why)));
    }
    let wrong = delete(&http, &path, json!({ "propagationPolicy": "Foo" })).await;
    let why = "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Foo\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"";
    assert_eq!((wrong.code, wrong.json()["message"].as_str()), (422, Some(why)));
    assert_eq!(delete(&http, &path, json!({ "dryRun": ["All"] })).await.code, 200);
    assert_eq!(http.get(&path).await.json(), made);
    let gone = delete(&http, &path, json!({ "preconditions": { "uid": uid, "resourceVersion": revision } })).await.json();
    let details = json!({ "name": "a", "kind": "configmaps", "uid": uid });
    assert_eq!(gone, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }));
    let missing = http.delete(&path).await;
    assert_eq!((missing.code, missing.json()["message"].as_str()), (404, Some("configmaps \"a\" not found")));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn propagation_is_told_by_finalizers() {
    let (cluster, http) = server().await;
    let path = "/apis/apps/v1/namespaces/default/replicasets";
    let set = |name: &str| {
        let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
        json!({ "metadata": { "name": name }, "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template } })
    };
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        let name = policy.to_lowercase();
        assert_eq!(http.post(path, &set(&name)).await.code, 201);
        let answer = delete(&http, &format!("{path}/{name}"), json!({ "propagationPolicy": policy })).await.json();
        let meta = &answer["metadata"];
        assert_eq!(
            (&meta["finalizers"], &meta["deletionGracePeriodSeconds"], &meta["generation"]),
            (&json!([finalizer]), &json!(0), &json!(2)),
            "{answer}"
        );
        assert!(meta["deletionTimestamp"].is_string(), "{answer}");
        // A second one is not another deletion.
        let again = delete(&http, &format!("{path}/{name}"), json!({ "propagationPolicy": policy })).await.json();
        assert_eq!(again["metadata"]["deletionTimestamp"], meta["deletionTimestamp"]);
    }
    assert_eq!(http.post(path, &set("background")).await.code, 201);
    assert_eq!(
        delete(&http, &format!("{path}/background"), json!({ "propagationPolicy": "Background" })).await.json()["status"],
        "Success"
    );
    assert_eq!(http.get(&format!("{path}/background")).await.code, 404);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finalizer_cannot_be_added_to_what_is_being_deleted() {
    let (cluster, http) = server().await;
    let path = format!("{CORE}/configmaps/a");
    http.post(&format!("{CORE}/configmaps"), &json!({ "metadata": { "name": "a", "finalizers": ["example.com/hold"] } })).await;
    assert_eq!(http.delete(&path).await.code, 200);
    let more = http.patch(&path, "merge", &json!({ "metadata": { "finalizers": ["example.com/hold", "example.com/more"] } })).await;
    let why = "ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/more\"}";
    assert_eq!((more.code, more.json()["message"].as_str()), (422, Some(why)));
    // Everything else may still change.
    assert_eq!(http.patch(&path, "merge", &json!({ "data": { "a": "b" } })).await.code, 200);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_on_a_node_gets_its_grace_and_one_without_goes_at_once() {
    let (cluster, http) = server().await;
    let pods = format!("{CORE}/pods");
    http.post(&format!("{CORE}/serviceaccounts"), &json!({ "metadata": { "name": "default" } })).await;
    let pod = |name: &str, node: Value| {
        let spec = json!({ "nodeName": node, "terminationGracePeriodSeconds": 7, "containers": [{ "name": "c", "image": "i" }] });
        json!({ "metadata": { "name": name }, "spec": spec })
    };
    assert_eq!(http.post(&pods, &pod("bound", json!("n"))).await.code, 201);
    assert_eq!(http.post(&pods, &pod("free", Value::Null)).await.code, 201);
    let going = http.delete(&format!("{pods}/bound")).await.json();
    assert_eq!((&going["kind"], &going["metadata"]["deletionGracePeriodSeconds"]), (&json!("Pod"), &json!(7)));
    let sooner = delete(&http, &format!("{pods}/bound"), json!({ "gracePeriodSeconds": 2 })).await.json();
    assert_eq!(sooner["metadata"]["deletionGracePeriodSeconds"], 2);
    assert!(sooner["metadata"]["deletionTimestamp"].as_str() <= going["metadata"]["deletionTimestamp"].as_str(), "{sooner}");
    assert_eq!(delete(&http, &format!("{pods}/bound"), json!({ "gracePeriodSeconds": 0 })).await.json()["kind"], "Pod");
    assert_eq!(http.get(&format!("{pods}/bound")).await.code, 404);
    assert_eq!(http.delete(&format!("{pods}/free")).await.json()["kind"], "Pod");
    assert_eq!(http.get(&format!("{pods}/free")).await.code, 404);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_is_deleted_as_far_as_it_is_selected() {
    let (cluster, http) = server().await;
    let maps = format!("{CORE}/configmaps");
    for (name, label) in [("a", "x"), ("b", "x"), ("c", "y")] {
        assert_eq!(http.post(&maps, &json!({ "metadata": { "name": name, "labels": { "l": label } } })).await.code, 201);
    }
    let names = |list: &Value| -> Vec<String> {
        list["items"].as_array().into_iter().flatten().filter_map(|item| item["metadata"]["name"].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(names(&http.delete(&format!("{maps}?labelSelector=l%3Dx&dryRun=All")).await.json()), ["a", "b"]);
    assert_eq!(names(&http.get(&maps).await.json()), ["a", "b", "c"]);
    let gone = http.delete(&format!("{maps}?labelSelector=l%3Dx")).await;
    assert_eq!((gone.code, names(&gone.json())), (200, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(names(&http.get(&maps).await.json()), ["c"]);
    assert_eq!(names(&http.delete(&format!("{maps}?fieldSelector=metadata.name%3Dnope")).await.json()), Vec::<String>::new());
    assert_eq!(names(&http.delete(&maps).await.json()), ["c"]);
    assert_eq!(names(&http.get(&maps).await.json()), Vec::<String>::new());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn put_creates_only_where_upstream_lets_it() {
    let (cluster, http) = server().await;
    let leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    let lease = json!({ "metadata": { "name": "l" }, "spec": { "holderIdentity": "me" } });
    let dry = http.put(&format!("{leases}/l?dryRun=All"), &lease).await;
    assert_eq!((dry.code, http.get(&format!("{leases}/l")).await.code), (201, 404));
    assert_eq!(http.put(&format!("{leases}/l"), &lease).await.code, 201);
    assert_eq!(http.put(&format!("{leases}/l"), &lease).await.code, 200);
    for (path, body, code, message) in [
        ("configmaps/a", json!({ "metadata": { "name": "a" } }), 404, "configmaps \"a\" not found"),
        ("configmaps/a", json!({ "metadata": { "name": "b" } }), 400, "the name of the object (b) does not match the name on the URL (a)"),
        ("configmaps/a", json!({ "metadata": {} }), 400, "name must be provided"),
        ("configmaps", json!({ "metadata": { "name": "a" } }), 405, "the server does not allow this method on the requested resource"),
    ] {
        let answer = http.put(&format!("{CORE}/{path}"), &body).await;
        assert_eq!((answer.code, answer.json()["message"].as_str()), (code, Some(message)), "{path} {body}");
    }
    cluster.stop().await.expect("it stops");
}

//! Lists and watches over raw HTTP: revisions, resumption, bookmarks, initial events, selection, expiry, shapes.

use mini_cluster::Options;
use mini_tests::http::{Answer, Http};
use serde_json::{Value, json};

use crate::alone::server;

const PATH: &str = "/api/v1/namespaces/default/configmaps";

fn named(name: &str, label: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "w": label } } })
}

fn revision(answer: &Answer) -> String {
    answer.json()["metadata"]["resourceVersion"].as_str().unwrap_or_else(|| panic!("no revision in {}", answer.text())).to_owned()
}

/// The frames of a watch that ends after a second, as `TYPE name`.
async fn frames(http: &Http, query: &str) -> Vec<String> {
    let answer = http.get(&format!("{PATH}?watch=1&timeoutSeconds=1&{query}")).await;
    assert_eq!(answer.code, 200, "{}", answer.text());
    let frame = |line: &str| {
        let frame: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let object = &frame["object"];
        let name = object["metadata"]["name"].as_str().or_else(|| object["reason"].as_str()).unwrap_or_default();
        format!("{} {name}", frame["type"].as_str().unwrap_or_default()).trim_end().to_owned()
    };
    answer.text().lines().map(frame).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_resumes_anywhere_and_follows_the_selection() {
    let (cluster, http) = server().await;
    let start = revision(&http.get(PATH).await);
    for (name, label) in [("a", "1"), ("b", "2"), ("c", "1")] {
        assert_eq!(http.post(PATH, &named(name, label)).await.code, 201);
    }
    let middle = revision(&http.get(PATH).await);
    http.patch(&format!("{PATH}/b"), "merge", &json!({ "metadata": { "labels": { "w": "1" } } })).await;
    http.patch(&format!("{PATH}/a"), "merge", &json!({ "metadata": { "labels": { "w": "3" } } })).await;
    http.delete(&format!("{PATH}/c")).await;
    assert_eq!(
        frames(&http, &format!("resourceVersion={start}")).await,
        ["ADDED a", "ADDED b", "ADDED c", "MODIFIED b", "MODIFIED a", "DELETED c"]
    );
    assert_eq!(frames(&http, &format!("resourceVersion={middle}&labelSelector=w%3D1")).await, ["ADDED b", "DELETED a", "DELETED c"]);
    assert_eq!(frames(&http, &format!("resourceVersion={middle}&fieldSelector=metadata.name%3Da")).await, ["MODIFIED a"]);
    assert_eq!(frames(&http, "resourceVersion=0&labelSelector=w%3D1").await, ["ADDED b"]);
    assert_eq!(
        frames(&http, "labelSelector=w&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true").await,
        ["ADDED a", "ADDED b", "BOOKMARK"]
    );
    assert!(frames(&http, "resourceVersion=99999999").await.is_empty());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_revision_can_be_listed_and_a_list_can_be_read_in_parts() {
    let (cluster, http) = server().await;
    for name in ["a", "b", "c", "d", "e"] {
        http.post(PATH, &named(name, "1")).await;
    }
    let names = |answer: &Answer| -> Vec<String> {
        answer.json()["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned))
            .collect()
    };
    let first = http.get(&format!("{PATH}?limit=2")).await;
    let then = revision(&first);
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first.json()["metadata"]["remainingItemCount"], 3);
    // What changes meanwhile does not show in the other parts.
    http.delete(&format!("{PATH}/c")).await;
    http.post(PATH, &named("bb", "1")).await;
    let token = first.json()["metadata"]["continue"].as_str().expect("a token").to_owned();
    let second = http.get(&format!("{PATH}?limit=2&continue={token}")).await;
    assert_eq!((names(&second), revision(&second)), (vec!["c".to_owned(), "d".to_owned()], then.clone()));
    let token = second.json()["metadata"]["continue"].as_str().expect("a token").to_owned();
    let third = http.get(&format!("{PATH}?limit=2&continue={token}")).await;
    assert_eq!(names(&third), ["e"]);
    assert!(third.json()["metadata"]["continue"].is_null());
    assert_eq!(names(&http.get(&format!("{PATH}?resourceVersion={then}&resourceVersionMatch=Exact")).await), ["a", "b", "c", "d", "e"]);
    assert_eq!(names(&http.get(PATH).await), ["a", "b", "bb", "d", "e"]);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_is_to_be_had() {
    let (cluster, http) = server().await;
    http.post(PATH, &json!({ "metadata": { "name": "a" }, "data": { "k": "v" } })).await;
    let accept = async |path: &str, form: &str| http.send("GET", path, &[("accept", form)], "").await;
    let table = accept(PATH, "application/json;as=Table;v=v1;g=meta.k8s.io").await.json();
    assert_eq!((&table["rows"][0]["cells"][0], &table["rows"][0]["cells"][1]), (&json!("a"), &json!(1)));
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let list = accept(PATH, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").await.json();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert!(list["items"][0]["data"].is_null());
    let yaml = accept(&format!("{PATH}/a"), "application/yaml").await;
    assert!(yaml.text().contains("kind: ConfigMap\n"), "{}", yaml.text());
    let posted = http.send("POST", PATH, &[("content-type", "application/yaml")], "metadata:\n  name: b\ndata: {k: v}\n").await;
    assert_eq!(posted.code, 201, "{}", posted.text());
    let stream =
        accept(&format!("{PATH}?watch=1&timeoutSeconds=1&resourceVersion=0"), "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    let frames: Vec<Value> = stream.text().lines().map(|line| serde_json::from_str(line).expect("a frame")).collect();
    assert_eq!(frames[0]["object"]["columnDefinitions"][0]["name"], "Name");
    assert!(frames[1]["object"]["columnDefinitions"].is_null());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_everything_is_there_and_old_revisions_have_expired() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = || Options { scheduler: None, controllers: None, kubelet: None, ..Options::default() }.on_disk(folder.path());
    let cluster = options().start().await.expect("it starts");
    let http = Http::new(cluster.address());
    let then = revision(&http.get(PATH).await);
    let made = http.post(PATH, &named("a", "1")).await.json();
    cluster.stop().await.expect("it stops");
    let cluster = options().start().await.expect("it starts again");
    let http = Http::new(cluster.address());
    assert_eq!(http.get(&format!("{PATH}/a")).await.json(), made);
    assert_eq!(frames(&http, &format!("resourceVersion={then}")).await, ["ERROR Expired"]);
    let told = http.get(&format!("{PATH}?watch=1&resourceVersion={then}")).await;
    assert_eq!(told.code, 200);
    let known = made["metadata"]["resourceVersion"].as_str().expect("a revision");
    let gone = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410,
        "message": format!("too old resource version: {then} ({known})"),
    });
    assert_eq!(told.json(), json!({ "type": "ERROR", "object": gone }));
    let exact = http.get(&format!("{PATH}?resourceVersion={then}&resourceVersionMatch=Exact")).await;
    assert_eq!((exact.code, exact.json()["reason"].as_str()), (410, Some("Expired")));
    let number = |object: &Value| object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse::<u64>().ok());
    let again = http.patch(&format!("{PATH}/a"), "merge", &json!({ "data": { "k": "v" } })).await.json();
    assert!(number(&again) > number(&made), "revisions go back");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn initial_events_end_in_a_bookmark_of_the_shape_that_was_asked_for() {
    let (cluster, http) = server().await;
    http.post(PATH, &named("a", "1")).await;
    let rv = revision(&http.get(PATH).await);
    let query = "watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let metadata = json!({ "resourceVersion": rv, "annotations": { "k8s.io/initial-events-end": "true" } });
    let partial = json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata });
    let object = json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata });
    for (accept, last) in [("application/json", object), ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", partial)] {
        // Client-go asks with an empty revision or with the one it has.
        for from in [String::new(), "&resourceVersion=".to_owned(), format!("&resourceVersion={rv}")] {
            let answer = http.send("GET", &format!("{PATH}?{query}{from}"), &[("accept", accept)], "").await;
            let frames: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("a frame")).collect();
            assert_eq!((&frames[0]["type"], &frames[0]["object"]["metadata"]["name"]), (&json!("ADDED"), &json!("a")));
            assert_eq!(frames[1..], [json!({ "type": "BOOKMARK", "object": last })], "{accept} {from}");
        }
    }
    let answer = http.send("GET", &format!("{PATH}?{query}"), &[("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")], "").await;
    let last: Value = answer.text().lines().last().and_then(|line| serde_json::from_str(line).ok()).expect("a frame");
    assert_eq!(
        (&last["type"], &last["object"]["kind"], &last["object"]["metadata"]["resourceVersion"]),
        (&json!("BOOKMARK"), &json!("Table"), &json!(rv))
    );
    assert_eq!(last["object"]["rows"][0]["object"]["metadata"], metadata);
    // Without initial events the watch is of what comes.
    assert!(frames(&http, "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true").await.is_empty());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_the_selection_goes_as_it_was_last_seen() {
    let (cluster, http) = server().await;
    let made = http.post(PATH, &named("a", "1")).await;
    let start = revision(&made);
    let left = http.patch(&format!("{PATH}/a"), "merge", &json!({ "metadata": { "labels": { "w": "2" } }, "data": { "k": "v" } })).await;
    let back = http.patch(&format!("{PATH}/a"), "merge", &json!({ "metadata": { "labels": { "w": "1" } } })).await;
    let gone = http.delete(&format!("{PATH}/a")).await;
    assert_eq!(gone.code, 200);
    let stream = http.get(&format!("{PATH}?watch=1&timeoutSeconds=1&resourceVersion={start}&labelSelector=w%3D1")).await;
    let frames: Vec<Value> = stream.text().lines().map(|line| serde_json::from_str(line).expect("a frame")).collect();
    let kinds: Vec<&Value> = frames.iter().map(|frame| &frame["type"]).collect();
    assert_eq!(kinds, ["DELETED", "ADDED", "DELETED"]);
    // The first as it was, at the revision of the change by which it left.
    let mut before = made.json();
    before["metadata"]["resourceVersion"] = revision(&left).into();
    assert_eq!(frames[0]["object"], before);
    assert_eq!(frames[1]["object"], back.json());
    assert!(frames[2]["object"]["metadata"]["resourceVersion"].as_str() > Some(revision(&back).as_str()));
    cluster.stop().await.expect("it stops");
}

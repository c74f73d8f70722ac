//! Lists over raw HTTP: which revision they are of, how they are read in parts, and what they select by.

use mini_cluster::Options;
use mini_tests::http::{Answer, Http};
use serde_json::{Value, json};

use crate::alone::server;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.code, 200, "{}", answer.text());
    let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned)).collect()
}

fn metadata(answer: &Answer, field: &str) -> String {
    answer.json()["metadata"][field].as_str().unwrap_or_else(|| panic!("no {field} in {}", answer.text())).to_owned()
}

fn number(answer: &Answer) -> u64 {
    metadata(answer, "resourceVersion").parse().expect("a number")
}

/// Code, reason and message of a refusal.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let status = answer.json();
    let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
    (answer.code, text("reason"), text("message"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_one_revision_and_only_changes_move_it() {
    let (cluster, http) = server().await;
    http.post("/api/v1/namespaces/default/serviceaccounts", &json!({ "metadata": { "name": "default" } })).await;
    let made = http.post(MAPS, &map("a")).await;
    assert_eq!(number(&http.get("/api/v1/nodes").await), number(&made), "another kind is at another revision");
    let pod = json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    let pod = http.post(PODS, &pod).await;
    assert!(number(&pod) > number(&made));
    let generation = |answer: &Answer| answer.json()["metadata"]["generation"].as_u64();
    assert_eq!(generation(&pod), Some(1));

    // What changes nothing leaves it where it is: patches, PUTs and applies.
    let put = http.put(&format!("{PODS}/p"), &pod.json()).await;
    let empty = http.patch(&format!("{PODS}/p"), "merge", &json!({})).await;
    let none = http.patch(&format!("{PODS}/p"), "json", &json!([])).await;
    for answer in [&put, &empty, &none, &http.get(PODS).await] {
        assert_eq!(number(answer), number(&pod));
    }
    let labelled = http.patch(&format!("{PODS}/p"), "merge", &json!({ "metadata": { "labels": { "a": "b" } } })).await;
    assert_eq!((number(&labelled) > number(&pod), generation(&labelled)), (true, Some(1)));
    let status = http.patch(&format!("{PODS}/p/status"), "merge", &json!({ "status": { "phase": "Running" } })).await;
    assert_eq!((number(&status) > number(&labelled), generation(&status)), (true, Some(1)));
    let image = json!({ "spec": { "containers": [{ "name": "c", "image": "j" }] } });
    assert_eq!(generation(&http.patch(&format!("{PODS}/p"), "strategic-merge", &image).await), Some(2));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_of_the_revision_that_was_asked_for() {
    let (cluster, http) = server().await;
    for name in ["a", "b", "c"] {
        http.post(MAPS, &map(name)).await;
    }
    let then = http.get(MAPS).await;
    let rv = number(&then);
    http.delete(&format!("{MAPS}/b")).await;
    http.post(MAPS, &map("d")).await;
    let now = number(&http.get(MAPS).await);
    let list = async |query: &str| http.get(&format!("{MAPS}?{query}")).await;

    // Exactly.
    for query in [format!("resourceVersion={rv}&resourceVersionMatch=Exact"), format!("resourceVersion={rv}&limit=9")] {
        let answer = list(&query).await;
        assert_eq!((names(&answer), number(&answer)), (names(&then), rv), "{query}");
    }
    let part = list(&format!("resourceVersion={rv}&resourceVersionMatch=Exact&limit=2")).await;
    assert_eq!((names(&part), part.json()["metadata"]["remainingItemCount"].as_u64()), (vec!["a".to_owned(), "b".to_owned()], Some(1)));
    // At least; from what is there; the newest.
    for query in [
        format!("resourceVersion={rv}"),
        format!("resourceVersion={rv}&resourceVersionMatch=NotOlderThan"),
        format!("resourceVersion={rv}&resourceVersionMatch=NotOlderThan&limit=9"),
        "resourceVersion=0".to_owned(),
        "resourceVersion=0&resourceVersionMatch=NotOlderThan".to_owned(),
        // From the cache a list comes whole.
        "resourceVersion=0&limit=1".to_owned(),
        "resourceVersion=".to_owned(),
        String::new(),
    ] {
        let answer = list(&query).await;
        assert_eq!((names(&answer), number(&answer)), (vec!["a".to_owned(), "c".to_owned(), "d".to_owned()], now), "{query}");
    }
    assert_eq!(names(&list("limit=1").await), ["a"]);

    let future = list(&format!("resourceVersion={}", now + 100)).await;
    let message = format!("Timeout: Too large resource version: {}, current: {now}", now + 100);
    assert_eq!(refusal(&future), (504, "Timeout".to_owned(), message));
    let details = &future.json()["details"];
    assert_eq!((&details["causes"][0]["reason"], &details["retryAfterSeconds"]), (&json!("ResourceVersionTooLarge"), &json!(1)));
    let message = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
    assert_eq!(refusal(&list("resourceVersion=0&resourceVersionMatch=Exact").await), (422, "Invalid".to_owned(), message.to_owned()));
    let token = metadata(&list("limit=1").await, "continue");
    let message = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided";
    let both = list(&format!("limit=1&continue={token}&resourceVersion={rv}&resourceVersionMatch=NotOlderThan")).await;
    assert_eq!(refusal(&both), (422, "Invalid".to_owned(), message.to_owned()));
    let message = "specifying resource version is not allowed when using continue";
    let both = list(&format!("limit=1&continue={token}&resourceVersion={rv}")).await;
    assert_eq!(refusal(&both), (400, "BadRequest".to_owned(), message.to_owned()));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_selected_is_counted_only_where_it_can_be() {
    let (cluster, http) = server().await;
    for name in ["a", "b", "c"] {
        http.post(MAPS, &map(name)).await;
    }
    let whole = http.get(&format!("{MAPS}?limit=2")).await.json();
    assert_eq!(whole["metadata"]["remainingItemCount"], 1);
    let selected = http.get(&format!("{MAPS}?limit=2&labelSelector=%21x")).await.json();
    assert_eq!(selected["metadata"].get("remainingItemCount"), None);
    assert!(selected["metadata"]["continue"].is_string());
    let all = http.get(&format!("{MAPS}?limit=3")).await.json();
    assert_eq!((all["metadata"].get("remainingItemCount"), all["metadata"].get("continue")), (None, None));
    // Other namespaces are other lists.
    http.post("/api/v1/namespaces/kube-system/configmaps", &map("z")).await;
    assert_eq!(http.get("/api/v1/configmaps?limit=3").await.json()["metadata"]["remainingItemCount"], 1);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_whose_token_has_expired_can_go_on_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = || Options { scheduler: None, controllers: None, kubelet: None, ..Options::default() }.on_disk(folder.path());
    let cluster = options().start().await.expect("it starts");
    let http = Http::new(cluster.address());
    for name in ["a", "b", "c", "d", "e"] {
        http.post(MAPS, &map(name)).await;
    }
    let token = metadata(&http.get(&format!("{MAPS}?limit=2")).await, "continue");
    http.delete(&format!("{MAPS}/c")).await;
    cluster.stop().await.expect("it stops");
    // What was before the restart is no longer known.
    let cluster = options().start().await.expect("it starts again");
    let http = Http::new(cluster.address());
    let expired = http.get(&format!("{MAPS}?limit=1&continue={token}")).await;
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue \
                   parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided \
                   token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was \
                   returned and now may show up in the list.";
    assert_eq!(refusal(&expired), (410, "Expired".to_owned(), message.to_owned()));
    let next = http.get(&format!("{MAPS}?limit=1&continue={}", metadata(&expired, "continue"))).await;
    assert_eq!(names(&next), ["d"]);
    // From here on it is consistent again.
    http.post(MAPS, &map("dd")).await;
    let last = http.get(&format!("{MAPS}?limit=9&continue={}", metadata(&next, "continue"))).await;
    assert_eq!((names(&last), number(&last)), (vec!["e".to_owned()], number(&next)));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_is_selected_by_its_own_fields() {
    let (cluster, http) = server().await;
    http.post("/api/v1/namespaces/default/serviceaccounts", &json!({ "metadata": { "name": "default" } })).await;
    let mut pod = json!({ "metadata": { "name": "p" }, "spec": { "nodeName": "n1", "containers": [{ "name": "c", "image": "i" }] } });
    assert_eq!(http.post(PODS, &pod).await.code, 201);
    pod["metadata"]["name"] = "q".into();
    pod["spec"] =
        json!({ "restartPolicy": "Never", "hostNetwork": true, "schedulerName": "mine", "containers": [{ "name": "c", "image": "i" }] });
    assert_eq!(http.post(PODS, &pod).await.code, 201);
    for (selector, found) in [
        ("metadata.name=p", "p"),
        ("metadata.name!=p,metadata.namespace=default", "q"),
        ("spec.nodeName=n1", "p"),
        ("spec.nodeName=", "q"),
        ("spec.restartPolicy=Never", "q"),
        ("spec.schedulerName==mine", "q"),
        ("spec.hostNetwork=true", "q"),
        ("spec.serviceAccountName=default,spec.hostNetwork=false", "p"),
        ("status.phase=Pending,spec.nodeName!=n1", "q"),
        ("status.podIP=,status.nominatedNodeName=,metadata.name=p", "p"),
        ("status.phase=Running", ""),
    ] {
        let query: String = form(selector);
        assert_eq!(names(&http.get(&format!("{PODS}?fieldSelector={query}")).await).join(","), found, "{selector}");
    }
    let count = async |path: &str, selector: &str| names(&http.get(&format!("{path}?fieldSelector={}", form(selector))).await).len();
    assert_eq!(count("/api/v1/namespaces", "status.phase=Active").await, 4);
    assert_eq!(count("/api/v1/services", "spec.type=ClusterIP,spec.clusterIP=10.254.0.1").await, 1);
    assert_eq!(count("/api/v1/secrets", "type=Opaque").await, 0);
    assert_eq!(count("/api/v1/nodes", "spec.unschedulable=false").await, 0);
    assert_eq!(count("/apis/apps/v1/replicasets", "status.replicas=0").await, 0);
    assert_eq!(count("/apis/batch/v1/jobs", "status.successful=0").await, 0);
    assert_eq!(count("/api/v1/events", "involvedObject.kind=Pod,involvedObject.name=p,reason=Started,type=Normal").await, 0);

    let unknown = "\"spec.nope\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    for (path, message) in [
        (PODS, "field label not supported: spec.nope"),
        (MAPS, unknown),
        ("/apis/networking.k8s.io/v1/namespaces/default/ingresses", unknown),
    ] {
        for query in ["", "watch=1&", "limit=1&"] {
            let refused = http.get(&format!("{path}?{query}fieldSelector=spec.nope%3Dx")).await;
            assert_eq!(refusal(&refused), (400, "BadRequest".to_owned(), message.to_owned()), "{path}?{query}");
        }
    }
    let refused = http.get(&format!("{PODS}?labelSelector=a+in+b")).await;
    assert_eq!(refusal(&refused), (400, "BadRequest".to_owned(), "unable to parse requirement: found 'b' expected: '('".to_owned()));
    cluster.stop().await.expect("it stops");
}

/// A value as a query carries it.
fn form(value: &str) -> String {
    value.replace('=', "%3D").replace('!', "%21").replace(',', "%2C")
}

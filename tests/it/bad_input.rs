//! What is wrong gets a clear error and changes nothing: raw, through mini-ctl and through kubectl.

use mini_cluster::{Cluster, Options};
use mini_tests::{World, http::Http, wait_for};
use serde_json::json;

async fn server() -> (Cluster, Http) {
    let options = Options { scheduler: None, kubelet: None, ..Options::default() };
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    (cluster, http)
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_or_too_deep_is_refused_and_nothing_is_stored() {
    let (cluster, http) = server().await;
    // The controllers make one of their own in each namespace.
    let before = wait_for("the root CA", || async {
        let list = http.get(CONFIG_MAPS).await.json();
        if list["items"].as_array().is_some_and(|items| items.len() == 1) { Ok(list) } else { Err(list) }
    })
    .await;
    let large = json!({ "metadata": { "name": "large" }, "data": { "a": "x".repeat(4 << 20) } });
    let answer = http.post(CONFIG_MAPS, &large).await;
    assert_eq!((answer.code, answer.json()["reason"].as_str()), (413, Some("RequestEntityTooLarge")));
    for depth in [1_000, 10_000, 100_000] {
        let deep = format!(r#"{{"metadata":{{"name":"deep"}},"data":{}{}}}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let answer = http.send("POST", CONFIG_MAPS, &[("content-type", "application/json")], deep).await;
        assert_eq!(answer.code, 400, "{}", answer.text());
        let deep = format!(r#"[{{"op":"add","path":"/data","value":{}{}}}]"#, "[".repeat(depth), "]".repeat(depth));
        let answer =
            http.send("PATCH", &format!("{CONFIG_MAPS}/kube-root-ca.crt"), &[("content-type", "application/json-patch+json")], deep).await;
        assert!(matches!(answer.code, 400 | 422), "{}", answer.text());
    }
    assert_eq!(http.get(CONFIG_MAPS).await.json()["items"], before["items"]);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_paths_and_parameters_are_told() {
    let (cluster, http) = server().await;
    for (path, code) in [
        ("/nope", 404),
        ("/api/v1/namespaces/default/nopes", 404),
        ("/apis/apps/v9/deployments", 404),
        ("/api/v1/namespaces/default/pods/x/nope", 404),
        ("/api/v1/namespaces/nowhere/pods/x", 404),
        ("/api/v1/pods?limit=x", 400),
        ("/api/v1/pods?fieldSelector=a", 400),
        ("/api/v1/pods?labelSelector=a%3D%3D%3Db", 400),
        ("/api/v1/pods?resourceVersion=x", 400),
        ("/api/v1/pods?continue=x", 400),
        ("/api/v1/pods?watch=1&sendInitialEvents=true", 422),
        ("/%ff%fe", 404),
    ] {
        let answer = http.get(path).await;
        assert_eq!(answer.code, code, "{path}: {}", answer.text());
    }
    let answer = http.send("GET", "/api/v1/pods", &[("accept", "text/html")], "").await;
    assert_eq!(answer.code, 406);
    let answer = http.send("POST", CONFIG_MAPS, &[("content-type", "text/plain")], "x").await;
    assert_eq!(answer.code, 415);
    cluster.stop().await.expect("it stops");
}

#[test]
fn both_clients_get_one_line_and_exit_1() {
    let world = World::up(1);
    let deployment = |fields: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: bad}}\nspec:\n  {fields}\n  selector: {{matchLabels: {{a: b}}}}\n  template:\n    \
             metadata: {{labels: {{a: b}}}}\n    spec: {{containers: [{{name: c, image: nginx}}]}}\n"
        )
    };
    let long = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n", "x".repeat(300));
    let label = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, labels: {a: '-x-'}}\n";
    let cases: &[(&str, String, &str)] = &[
        ("malformed YAML", "apiVersion: v1\nkind: [\n".to_owned(), "error"),
        ("unknown field", deployment("replicass: 3"), "unknown field \"spec.replicass\""),
        (
            "unknown kind",
            "apiVersion: v1\nkind: Nope\nmetadata: {name: bad}\n".to_owned(),
            "no matches for kind \"Nope\" in version \"v1\"",
        ),
        (
            "wrong namespace",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, namespace: nowhere}\n".to_owned(),
            "namespaces \"nowhere\" not found",
        ),
        ("long name", long, "must be no more than 253"),
        ("bad label", label.to_owned(), "a valid label must be an empty string or consist of alphanumeric characters"),
        ("replicas -1", deployment("replicas: -1"), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    ];
    for (what, manifest, wanted) in cases {
        let ours = world.ctl_with(&["apply", "-f", "-"], manifest).failure();
        assert!(ours.contains(wanted), "{what}: {ours}");
        // An old kubectl finds unknown fields by itself, and says so in its own way.
        let theirs = world.kubectl_with(&["apply", "-f", "-"], manifest).failure();
        let old = wanted.starts_with("unknown field") && theirs.contains("unknown field \"replicass\"");
        assert!(theirs.contains(wanted) || old, "{what}: {theirs}");
        // One line; kubectl, and so ours, puts this hint on one of its own.
        let lines = ours.lines().filter(|line| *line != "ensure CRDs are installed first").count();
        assert_eq!(lines, 1, "{what}: more than one line: {ours}");
    }
    let left = world.kubectl(&["get", "deployments,configmaps", "-A", "-o", "name"]).success();
    assert!(!left.contains("bad"), "something was stored: {left}");
}

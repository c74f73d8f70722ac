//! ComponentStatuses: what runs is healthy, what was stopped says why it is not, and nothing of it is stored.

use mini_cluster::Options;
use mini_tests::{World, http::Http, wait_for};
use serde_json::json;

const STATUSES: &str = "/api/v1/componentstatuses";
const DEPRECATED: &str = "299 - \"v1 ComponentStatus is deprecated in v1.19+\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_shows_what_runs_and_what_was_stopped() {
    let world = World::up(1);
    let rows = || {
        let text = world.kubectl(&["get", "cs", "--no-headers"]).success();
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let healthy = ["controller-manager Healthy ok", "scheduler Healthy ok", "etcd-0 Healthy ok"];
    let well = || async { Some(rows()).filter(|rows| *rows != healthy).map_or(Ok(()), Err) };
    // A component's admin port may open a little later than the cluster is up.
    wait_for("three healthy components", well).await;
    world.ctl(&["stop", "scheduler"]).success();
    let [controllers, scheduler, store] = <[String; 3]>::try_from(rows()).expect("the stopped one is still listed");
    assert_eq!([controllers.as_str(), store.as_str()], [healthy[0], healthy[2]]);
    let port = scheduler.strip_prefix("scheduler Unhealthy Get \"http://127.0.0.1:").and_then(|rest| rest.split('/').next()).unwrap_or("");
    let refused = format!("http://127.0.0.1:{port}/healthz\": dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert!(scheduler.ends_with(&refused), "{scheduler}");
    world.ctl(&["start", "scheduler"]).success();
    wait_for("the scheduler to be well again", well).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_read_and_nothing_else() {
    let cluster = Options { scheduler: None, controllers: None, kubelet: None, ..Options::default() }.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    let store = json!({ "metadata": { "name": "etcd-0" }, "conditions": [{ "type": "Healthy", "status": "True", "message": "ok" }] });
    let all = http.get(STATUSES).await;
    assert_eq!(all.warnings(), [DEPRECATED]);
    let list = json!({ "kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": [store] });
    assert_eq!((all.code, all.json()), (200, list));
    assert_eq!(http.get(&format!("{STATUSES}?fieldSelector=metadata.name%3Dscheduler")).await.json()["items"], json!([]));
    let one = http.get(&format!("{STATUSES}/etcd-0")).await;
    assert_eq!(one.warnings(), [DEPRECATED]);
    let mut whole = store.clone();
    (whole["kind"], whole["apiVersion"]) = ("ComponentStatus".into(), "v1".into());
    assert_eq!((one.code, one.json()), (200, whole.clone()));
    let none = http.get(&format!("{STATUSES}/nobody")).await;
    assert_eq!((none.code, none.json()["message"].as_str()), (500, Some("Component not found: nobody")));
    for (method, path) in
        [("POST", STATUSES), ("DELETE", STATUSES), ("PUT", &format!("{STATUSES}/etcd-0")), ("GET", &format!("{STATUSES}?watch=1"))]
    {
        let answer = http.send(method, path, &[("content-type", "application/json")], whole.to_string()).await;
        assert_eq!((answer.code, answer.json()["reason"].as_str()), (405, Some("MethodNotAllowed")), "{method} {path}");
    }
    cluster.stop().await.expect("it stops");
}

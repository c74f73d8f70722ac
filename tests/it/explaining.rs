//! `mini-ctl explain-scheduling`: pods that wait, pods that were placed, pods that do not exist; and what is said when nobody answers.

use mini_cluster::Options;
use mini_tests::{World, http::Http, wait_for};
use serde_json::{Value, json};

/// A pod that runs one container.
fn pod(name: &str, spec: &Value) -> String {
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    for (field, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][field] = value.clone();
    }
    pod.to_string()
}

/// A pod that wants so much cpu.
fn wanting(name: &str, cpu: &str) -> String {
    pod(name, &json!({"containers": [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": cpu}}}]}))
}

/// A page without its layout: one space between words.
fn squeezed(page: &str) -> String {
    page.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// Waits until the page about a pod says this, and returns it without what depends on time.
async fn page(world: &World, args: &[&str], wanted: &str) -> String {
    let args: Vec<&str> = ["explain-scheduling"].into_iter().chain(args.iter().copied()).collect();
    let page = wait_for(wanted, || async {
        let ran = world.ctl(&args);
        let page = ran.stdout();
        if squeezed(&page).contains(wanted) { Ok(page) } else { Err(format!("{page}{}", ran.stderr())) }
    })
    .await;
    let timed =
        |line: &&str| !["Attempts:", "Waited:", "Waiting for:", "Next attempt:", "Woken by:"].iter().any(|key| line.starts_with(key));
    page.lines().filter(timed).map(|line| format!("{}\n", line.trim_end())).collect()
}

/// As [`page`], without its layout.
async fn said(world: &World, args: &[&str], wanted: &str) -> String {
    squeezed(&page(world, args, wanted).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_wait_say_why() {
    let world = World::up(2);
    world.ctl_with(&["apply", "-f", "-"], &wanting("huge", "100")).success();
    world.ctl_with(&["apply", "-f", "-"], &pod("choosy", &json!({"nodeSelector": {"disktype": "ssd"}}))).success();
    let huge = page(&world, &["pod/huge"], "Pending: it waits for a change that helps").await;
    expect_test::expect![[r#"
        Pod:           default/huge
        Scheduler:     default-scheduler
        Status:        Pending: it waits for a change that helps
        Message:       0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.

        2 nodes refused, and why:
          NODE         REFUSED BY         REASON             PREEMPTION    WHAT WOULD HELP
          k8s-node-1   NodeResourcesFit   Insufficient cpu   cannot help   a node with 100 cpu: this one has 8
          k8s-node-2   NodeResourcesFit   Insufficient cpu   cannot help   a node with 100 cpu: this one has 8
    "#]].assert_eq(&huge);
    let choosy = said(&world, &["pod", "choosy"], "Pending: it waits for a change that helps").await;
    assert!(
        choosy
            .contains("k8s-node-2 NodeAffinity node(s) didn't match Pod's node affinity/selector cannot help label the node disktype=ssd"),
        "{choosy}"
    );
    assert!(choosy.contains("Message: 0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."), "{choosy}");

    // What helps it is told afterwards.
    world.kubectl(&["label", "node", "k8s-node-2", "disktype=ssd"]).success();
    let args = ["explain-scheduling", "pod/choosy"];
    wait_for("the pod to be woken and placed", || async {
        let said = world.ctl(&args).stdout();
        if said.contains("Scheduled to k8s-node-2") && said.contains("node k8s-node-2 came or changed") { Ok(()) } else { Err(said) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placed_pod_says_why_there_and_what_if_changes_nothing() {
    let world = World::up(3);
    world.kubectl(&["taint", "node", "k8s-node-3", "gpu=yes:NoSchedule"]).success();
    world.ctl_with(&["apply", "-f", "-"], &wanting("first", "2")).success();
    let told = wait_for("the first pod to be placed", || async {
        let said: Value = serde_json::from_str(&world.ctl(&["explain-scheduling", "pod/first", "-o", "json"]).stdout()).unwrap_or_default();
        if said["state"] == "Scheduled" { Ok(said) } else { Err(said) }
    })
    .await;
    assert_eq!((&told["kind"], &told["basis"], &told["attempts"]), (&json!("SchedulingExplanation"), &json!("Recorded"), &json!(1)));
    assert_eq!(told["nodes"], json!({"total": 3, "feasible": 2, "refused": 1}));
    assert_eq!((&told["feasible"][0]["name"], &told["feasible"][0]["chosen"]), (&told["nodeName"], &json!(true)));
    let sum: f64 = told["feasible"][0]["scores"].as_object().expect("scores").values().filter_map(Value::as_f64).sum();
    assert!((sum - told["feasible"][0]["score"].as_f64().expect("a score")).abs() < 0.001, "{told}");
    assert_eq!(told["refused"][0]["plugin"], "TaintToleration");

    let (taken, free) = if told["nodeName"] == "k8s-node-1" { ("k8s-node-1", "k8s-node-2") } else { ("k8s-node-2", "k8s-node-1") };
    world.ctl_with(&["apply", "-f", "-"], &wanting("second", "1")).success();
    let second = said(&world, &["pod/second"], "Scheduled to").await;
    assert!(second.contains(&format!("Status: Scheduled to {free}\n")) && second.contains(&format!("\n* {free} ")), "{second}");
    assert!(
        second.contains(&format!("\n{taken} ")) && second.contains("k8s-node-3 TaintToleration node(s) had untolerated taint(s)\n"),
        "{second}"
    );

    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": "7500m"}}}]}}}});
    let ran = squeezed(&world.ctl_with(&["explain-scheduling", "--what-if", "-f", "-"], &deployment.to_string()).success());
    assert!(ran.contains("Pod: default/web\n") && ran.contains("What if: it would wait"), "{ran}");
    assert!(ran.contains("k8s-node-3") && ran.contains("tolerate gpu=yes:NoSchedule, or take the taint off"), "{ran}");
    let small = squeezed(&world.ctl_with(&["explain-scheduling", "--what-if", "-f", "-"], &wanting("first", "100m")).success());
    assert!(small.contains("Pod: default/first\n") && small.contains("What if: it would go to "), "{small}");
    assert_eq!(world.ctl(&["get", "pods", "-o", "name"]).success(), "pod/first\npod/second\n");
    assert!(world.ctl(&["get", "deployments"]).stderr().contains("No resources found"));

    // A workload's pods are explained under its name.
    world.ctl_with(&["apply", "-f", "-"], &deployment.to_string()).success();
    let pods = said(&world, &["deployment/web"], "Pod: default/web-").await;
    assert!(pods.contains("Insufficient cpu"), "{pods}");
    let raw = world.kubectl(&["get", "--raw", "/components/kube-scheduler/explain/namespaces/default/pods/first"]).success();
    assert_eq!(serde_json::from_str::<Value>(&raw).expect("JSON")["nodeName"], told["nodeName"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_explained_is_said_in_one_line() {
    let world = World::up(1);
    let missing = world.ctl(&["explain-scheduling", "pod/nobody"]).failure();
    assert_eq!(missing, "Error from server (NotFound): pods \"nobody\" not found\n");
    let service = world.ctl(&["explain-scheduling", "service/kubernetes"]).failure();
    assert_eq!(service, "error: service/kubernetes has no pods to explain\n");
    world.ctl_with(&["apply", "-f", "-"], &pod("web", &json!({}))).success();
    page(&world, &["pod/web"], "Scheduled to k8s-node-1").await;
    let other = world.ctl_with(&["explain-scheduling", "--what-if", "-f", "-"], &pod("x", &json!({"schedulerName": "mine"}))).failure();
    assert_eq!(
        other,
        "Error from server (BadRequest): error when explaining \"STDIN\": the pod asks for the scheduler \"mine\", which is not this one\n"
    );

    world.ctl(&["stop", "scheduler"]).success();
    let stopped = world.ctl(&["explain-scheduling", "pod/web"]).failure();
    let begins = "Error from server (ServiceUnavailable): component \"scheduler\" does not answer: dial tcp 127.0.0.1:";
    assert!(stopped.starts_with(begins) && stopped.ends_with(": connect: connection refused\n"), "{stopped}");

    // A new scheduler knows where the pod is, and not why.
    world.ctl(&["start", "scheduler"]).success();
    let again = said(&world, &["pod/web"], "how the node was chosen is not known here").await;
    assert!(again.contains("Scheduled to k8s-node-1\n"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_in_one_process_are_reached_too() {
    let cluster = Options::default().nodes(1).start().await.expect("it starts");
    let http = Http::new(cluster.address());
    assert_eq!(http.get("/components/scheduler/healthz").await.text(), "ok");
    assert!(http.get("/components/controller-manager/metrics").await.code == 200);
    let statuses = http.get("/api/v1/componentstatuses").await.json();
    let healthy = statuses["items"].as_array().into_iter().flatten().filter(|item| item["conditions"][0]["status"] == "True");
    assert_eq!(healthy.count(), 3, "{statuses}");
    let unknown = http.get("/components/nobody/healthz").await;
    let why = "no component \"nobody\" is known here: start the API server with --component NAME=ADDRESS";
    assert_eq!((unknown.code, unknown.json()["message"].as_str()), (503, Some(why)));
    let written = http.send("DELETE", "/components/scheduler/healthz", &[], String::new()).await;
    assert_eq!(written.code, 405);
    let broken = http.send("POST", "/components/scheduler/explain", &[("content-type", "application/json")], "{}".to_owned()).await;
    assert_eq!((broken.code, broken.json()["reason"].as_str()), (400, Some("BadRequest")));
    cluster.stop().await.expect("it stops");
}

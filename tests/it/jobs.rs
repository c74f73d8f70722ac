//! Jobs and CronJobs on real components: what a session at a terminal does not show. Where no kubelet is wanted, the test is it.

use mini_cluster::Cluster;
use mini_tests::{World, http::Http, wait_for};
use serde_json::{Value, json};

use crate::storage::{controlled, made};

const JOBS: &str = "/apis/batch/v1/namespaces/default/jobs";
const SUM: &str = "/apis/batch/v1/namespaces/default/jobs/sum";
const CRON_JOBS: &str = "/apis/batch/v1/namespaces/default/cronjobs";
const TICK: &str = "/apis/batch/v1/namespaces/default/cronjobs/tick";
const PODS: &str = "/api/v1/namespaces/default/pods";
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// A Job called sum, with these fields over the usual ones.
fn sum(fields: &Value) -> Value {
    let mut spec = json!({ "template": { "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [{ "name": "c", "image": "busybox" }],
    } } });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "sum" }, "spec": spec })
}

async fn items(http: &Http, path: &str) -> Vec<Value> {
    http.get(path).await.json()["items"].as_array().cloned().unwrap_or_default()
}

async fn patched(http: &Http, path: &str, patch: Value) {
    let answer = http.patch(path, "merge", &patch).await;
    assert_eq!(answer.code, 200, "{}", answer.text());
}

/// Waits until the status of an object has these fields; what is null is not there.
async fn until(http: &Http, path: &str, fields: Value) -> Value {
    wait_for(&format!("{path} to be {fields}"), || async {
        let status = http.get(path).await.json()["status"].clone();
        let done = fields.as_object().into_iter().flatten().all(|(field, value)| status[field] == *value);
        if done { Ok(status) } else { Err(status) }
    })
    .await
}

/// The types of the conditions that are true, and their reasons.
fn conditions(status: &Value) -> Vec<String> {
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    let of = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    let holding = all.iter().filter(|condition| condition["status"] == "True");
    holding.map(|condition| format!("{} {}", of(condition, "type"), of(condition, "reason"))).collect()
}

async fn until_it_is(http: &Http, condition: &str) -> Value {
    wait_for(&format!("the Job to be {condition}"), || async {
        let status = http.get(SUM).await.json()["status"].clone();
        if conditions(&status).iter().any(|held| held.starts_with(condition)) { Ok(status) } else { Err(status) }
    })
    .await
}

/// The pods that run or will, in the order of their names.
async fn active(http: &Http) -> Vec<Value> {
    let mut pods = items(http, PODS).await;
    let is_active = |pod: &Value| pod["status"]["phase"] == "Pending" && pod["metadata"]["deletionTimestamp"].is_null();
    pods.retain(is_active);
    pods
}

/// Waits until so many pods are active.
async fn until_active(http: &Http, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} active pods"), || async {
        let pods = active(http).await;
        if pods.len() == count { Ok(pods) } else { Err(pods.len()) }
    })
    .await
}

/// Ends a pod as its kubelet would.
async fn end(http: &Http, pod: &Value, code: i32) {
    let path = format!("{PODS}/{}/status", pod["metadata"]["name"].as_str().unwrap_or_default());
    let terminated = json!({ "exitCode": code, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z" });
    let container = json!({ "name": "c", "image": "busybox", "imageID": "i", "ready": false, "restartCount": 0, "state": { "terminated": terminated } });
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    patched(http, &path, json!({ "status": { "phase": phase, "containerStatuses": [container] } })).await;
}

async fn no_finalizer_is_left(http: &Http) {
    wait_for("finalizers to be gone", || async {
        let pods = items(http, PODS).await;
        let held =
            pods.into_iter().filter(|pod| pod["metadata"]["finalizers"].as_array().is_some_and(|all| all.contains(&json!(TRACKING))));
        let held: Vec<_> = held.map(|pod| pod["metadata"]["name"].clone()).collect();
        if held.is_empty() { Ok(()) } else { Err(held) }
    })
    .await;
}

/// Waits until Events about an object give these reasons.
async fn told(http: &Http, name: &str, reasons: &[&str]) {
    wait_for(&format!("{name} to be told of {reasons:?}"), || async {
        let events = items(http, "/api/v1/namespaces/default/events").await;
        let about = events.iter().filter(|event| event["involvedObject"]["name"] == name);
        let seen: Vec<_> = about.map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect();
        if reasons.iter().all(|reason| seen.iter().any(|seen| seen == reason)) { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_index_is_done_once() {
    let (cluster, http) = controlled().await;
    made(&http, JOBS, &sum(&json!({ "completionMode": "Indexed", "completions": 4, "parallelism": 3 }))).await;
    let pods = until_active(&http, 3).await;
    for (index, pod) in pods.iter().enumerate() {
        let (meta, text) = (&pod["metadata"], index.to_string());
        let key = "batch.kubernetes.io/job-completion-index";
        assert_eq!((&meta["labels"][key], &meta["annotations"][key]), (&json!(text), &json!(text)));
        assert_eq!((&meta["generateName"], &meta["finalizers"]), (&json!(format!("sum-{index}-")), &json!([TRACKING])));
        assert_eq!(pod["spec"]["hostname"], format!("sum-{index}"));
        let variable = &pod["spec"]["containers"][0]["env"][0];
        assert_eq!(variable["name"], "JOB_COMPLETION_INDEX");
        assert_eq!(variable["valueFrom"]["fieldRef"]["fieldPath"], format!("metadata.labels['{key}']"));
    }
    end(&http, &pods[0], 0).await;
    end(&http, &pods[2], 0).await;
    let status = until(&http, SUM, json!({ "completedIndexes": "0,2", "succeeded": 2, "active": 2, "uncountedTerminatedPods": {} })).await;
    assert_eq!((&status["ready"], &status["terminating"], &status["failed"]), (&json!(0), &json!(0), &Value::Null));
    for pod in until_active(&http, 2).await {
        end(&http, &pod, 0).await;
    }
    let status = until_it_is(&http, "Complete").await;
    assert_eq!(conditions(&status), ["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"]);
    assert_eq!((&status["completedIndexes"], &status["succeeded"]), (&json!("0-3"), &json!(4)));
    assert!(status["completionTime"].is_string() && status["startTime"].is_string(), "{status}");
    told(&http, "sum", &["SuccessfulCreate", "Completed"]).await;
    no_finalizer_is_left(&http).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_is_hopeless_ends_the_job() {
    let (cluster, http) = controlled().await;
    let rules = json!([
        { "action": "Ignore", "onExitCodes": { "operator": "In", "values": [3] } },
        { "action": "FailJob", "onExitCodes": { "containerName": "c", "operator": "In", "values": [42] } },
    ]);
    made(&http, JOBS, &sum(&json!({ "completions": 3, "parallelism": 3, "podFailurePolicy": { "rules": rules } }))).await;
    let pods = until_active(&http, 3).await;
    end(&http, &pods[0], 3).await;
    until_active(&http, 3).await;
    until(&http, SUM, json!({ "active": 3, "failed": null })).await;
    end(&http, &pods[1], 42).await;
    let status = until_it_is(&http, "Failed ").await;
    assert_eq!(conditions(&status), ["FailureTarget PodFailurePolicy", "Failed PodFailurePolicy"]);
    let message = status["conditions"][1]["message"].as_str().unwrap_or_default();
    let name = pods[1]["metadata"]["name"].as_str().unwrap_or_default();
    assert_eq!(message, format!("Container c for pod default/{name} failed with exit code 42 matching FailJob rule at index 1"));
    assert_eq!((&status["failed"], &status["active"]), (&json!(3), &Value::Null), "what ran was deleted, and counts");
    assert_eq!(active(&http).await.len(), 0);
    told(&http, "sum", &["SuccessfulDelete", "PodFailurePolicy"]).await;
    no_finalizer_is_left(&http).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_rests_and_goes_on() {
    let (cluster, http) = controlled().await;
    made(&http, JOBS, &sum(&json!({ "completions": 2, "parallelism": 2, "suspend": true }))).await;
    let status = until_it_is(&http, "Suspended").await;
    assert_eq!((conditions(&status), &status["startTime"]), (vec!["Suspended JobSuspended".to_owned()], &Value::Null));
    assert_eq!(items(&http, PODS).await.len(), 0);

    patched(&http, SUM, json!({ "spec": { "suspend": false } })).await;
    let pods = until_active(&http, 2).await;
    let status = until(&http, SUM, json!({ "active": 2 })).await;
    assert!(status["startTime"].is_string(), "{status}");
    end(&http, &pods[0], 0).await;
    until(&http, SUM, json!({ "succeeded": 1, "active": 1 })).await;

    patched(&http, SUM, json!({ "spec": { "suspend": true } })).await;
    let status = until(&http, SUM, json!({ "active": null, "terminating": 0, "startTime": null })).await;
    assert_eq!((&status["succeeded"], &status["failed"]), (&json!(1), &Value::Null), "to rest is not to fail");
    assert_eq!(items(&http, PODS).await.len(), 1, "what ran is deleted, what has ended is kept");

    patched(&http, SUM, json!({ "spec": { "suspend": false } })).await;
    end(&http, &until_active(&http, 1).await[0], 0).await;
    until_it_is(&http, "Complete").await;
    told(&http, "sum", &["Suspended", "Resumed", "SuccessfulDelete", "Completed"]).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_let_go_with_their_job() {
    let (cluster, http) = controlled().await;
    for (policy, left) in [("Background", 0), ("Foreground", 0), ("Orphan", 2)] {
        made(&http, JOBS, &sum(&json!({ "completions": 2, "parallelism": 2 }))).await;
        until_active(&http, 2).await;
        until(&http, SUM, json!({ "active": 2 })).await;
        let answer = http.delete(&format!("{SUM}?propagationPolicy={policy}")).await;
        assert_eq!(answer.code, 200, "{}", answer.text());
        wait_for(&format!("the end of the Job ({policy})"), || async {
            let (job, pods) = (http.get(SUM).await.code, items(&http, PODS).await);
            if job == 404 && pods.len() == left { Ok(()) } else { Err((job, pods)) }
        })
        .await;
        no_finalizer_is_left(&http).await;
    }
    // Whoever is in charge of it, it is not us.
    for pod in items(&http, PODS).await {
        http.delete(&format!("{PODS}/{}", pod["metadata"]["name"].as_str().unwrap_or_default())).await;
    }
    made(&http, JOBS, &sum(&json!({ "managedBy": "example.com/queue" }))).await;
    let mut other = sum(&json!({}));
    other["metadata"]["name"] = json!("other");
    made(&http, JOBS, &other).await;
    let pods = until_active(&http, 1).await;
    assert_eq!(pods[0]["metadata"]["labels"]["batch.kubernetes.io/job-name"], "other");
    assert_eq!(http.get(SUM).await.json()["status"], json!({}));
    cluster.stop().await.expect("it stops");
}

/// No kubelet will ever end a pod that no node has: the pod garbage collector does, and the Job lets it go with its namespace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_with_pods_that_were_never_placed_ends() {
    let (cluster, http) = controlled().await;
    made(&http, "/api/v1/namespaces", &json!({ "metadata": { "name": "short" } })).await;
    let (jobs, pods) = (JOBS.replace("default", "short"), PODS.replace("default", "short"));
    // It counts a pod only when that has really ended.
    made(&http, &jobs, &sum(&json!({ "completions": 3, "parallelism": 3, "podReplacementPolicy": "Failed" }))).await;
    wait_for("three pods", || async {
        let count = items(&http, &pods).await.len();
        if count == 3 { Ok(()) } else { Err(count) }
    })
    .await;
    let name = items(&http, &pods).await[0]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let evicted = http.post(&format!("{pods}/{name}/eviction"), &json!({ "metadata": { "name": name } })).await;
    assert_eq!(evicted.code, 201, "{}", evicted.text());
    assert_eq!(http.delete("/api/v1/namespaces/short").await.code, 200);
    wait_for("the end of the namespace", || async {
        let answer = http.get("/api/v1/namespaces/short").await;
        if answer.code == 404 { Ok(()) } else { Err((answer.text(), items(&http, &pods).await)) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_goes_after_its_time() {
    let (cluster, http) = controlled().await;
    made(&http, JOBS, &sum(&json!({ "ttlSecondsAfterFinished": 1 }))).await;
    end(&http, &until_active(&http, 1).await[0], 0).await;
    wait_for("the Job and its pod to be gone", || async {
        let (job, pods) = (http.get(SUM).await, items(&http, PODS).await);
        if job.code == 404 && pods.is_empty() { Ok(()) } else { Err((job.text(), pods)) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_makes_jobs_and_clears_them_away() {
    let cluster = Cluster::start().await.expect("it starts");
    let http = Http::new(cluster.address());
    let job = json!({ "spec": { "template": { "spec": {
        "restartPolicy": "OnFailure", "containers": [{ "name": "c", "image": "busybox", "command": ["date"] }],
    } } } });
    // The last time lies an hour back, so the last minute of that hour is due at once.
    let spec = json!({ "schedule": "* * * * *", "suspend": true, "successfulJobsHistoryLimit": 0, "jobTemplate": job });
    made(&http, CRON_JOBS, &json!({ "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "tick" }, "spec": spec })).await;
    let before = "2026-01-01T00:00:00Z";
    patched(&http, &format!("{TICK}/status"), json!({ "status": { "lastScheduleTime": before } })).await;
    patched(&http, TICK, json!({ "spec": { "suspend": false } })).await;
    let status = wait_for("a Job to be made, to succeed and to be cleared away", || async {
        let status = http.get(TICK).await.json()["status"].clone();
        let jobs = items(&http, JOBS).await;
        let done = status["lastSuccessfulTime"].is_string() && status["active"].is_null() && jobs.is_empty();
        if done { Ok(status) } else { Err((status, jobs)) }
    })
    .await;
    assert_ne!(status["lastScheduleTime"], before, "{status}");
    told(&http, "tick", &["TooManyMissedTimes", "SuccessfulCreate", "SuccessfulDelete"]).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_each_pod_is_counted_once() {
    let world = World::up(3);
    let annotations = json!({ "mini.dev/exit-after.c": "300ms", "mini.dev/exit-code.c": "0" });
    let mut job = sum(&json!({ "completions": 40, "parallelism": 8 }));
    job["spec"]["template"]["metadata"] = json!({ "annotations": annotations });
    world.kubectl_with(&["apply", "-f", "-"], &job.to_string()).success();
    let get = |what: &str| serde_json::from_str::<Value>(&world.kubectl(&["get", what, "-o", "json"]).stdout()).unwrap_or_default();
    let succeeded = || get("job/sum")["status"]["succeeded"].as_u64().unwrap_or(0);
    for at_least in [1, 8, 16, 24] {
        wait_for(&format!("{at_least} pods to be counted"), || async {
            let now = succeeded();
            if now >= at_least { Ok(()) } else { Err(now) }
        })
        .await;
        world.kill("controllers").await;
        world.ctl(&["start", "controllers"]).success();
    }
    let status = wait_for("the Job to be complete", || async {
        let status = get("job/sum")["status"].clone();
        if conditions(&status).iter().any(|held| held.starts_with("Complete")) { Ok(status) } else { Err(status) }
    })
    .await;
    assert_eq!((&status["succeeded"], &status["failed"]), (&json!(40), &Value::Null), "{status}");
    let pods = get("pods")["items"].as_array().cloned().unwrap_or_default();
    let ended = pods.iter().filter(|pod| pod["status"]["phase"] == "Succeeded").count();
    assert_eq!((pods.len(), ended), (40, 40), "no pod is made twice");
    let held = pods.iter().filter(|pod| !pod["metadata"]["finalizers"].is_null()).count();
    assert_eq!(held, 0, "a finalizer is left");
}

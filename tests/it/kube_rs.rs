//! The same story through kube-rs, in one process: what a Rust operator developer would write.

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event, Pod},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy},
    runtime::{
        WatchStreamExt, conditions,
        wait::{Condition, await_condition},
        watcher,
    },
};
use mini_cluster::Options;
use mini_tests::wait_for;
use serde_json::json;

fn deployment(replicas: i32) -> Deployment {
    let spec = json!({
        "replicas": replicas,
        "selector": { "matchLabels": { "app": "web" } },
        "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "nginx", "image": "nginx:1.7.9" }] } },
    });
    serde_json::from_value(json!({ "metadata": { "name": "web" }, "spec": spec })).expect("a Deployment")
}

fn available(wanted: i32) -> impl Fn(Option<&Deployment>) -> bool {
    move |deployment| {
        let status = deployment.and_then(|deployment| deployment.status.as_ref());
        let observed =
            status.and_then(|status| status.observed_generation) >= deployment.and_then(|deployment| deployment.metadata.generation);
        observed
            && status.is_some_and(|status| {
                status.available_replicas == Some(wanted) && status.replicas == Some(wanted) && status.updated_replicas == Some(wanted)
            })
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(mini_tests::PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kube_rs_drives_a_deployment() {
    let directory = tempfile::tempdir().expect("a folder");
    let cluster = Options::default().on_disk(directory.path()).start().await.expect("it starts");
    let deployments: Api<Deployment> = Api::namespaced(cluster.client(), "default");
    let pods: Api<Pod> = Api::namespaced(cluster.client(), "default");

    deployments.create(&PostParams::default(), &deployment(2)).await.expect("it is created");
    in_time("2 replicas", await_condition(deployments.clone(), "web", available(2))).await.expect("they come");
    deployments
        .patch_scale("web", &PatchParams::default(), &Patch::Merge(json!({ "spec": { "replicas": 8 } })))
        .await
        .expect("it is scaled");
    in_time("8 replicas", await_condition(deployments.clone(), "web", available(8))).await.expect("they come");

    let image = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "nginx", "image": "nginx:1.9.1" }] } } } });
    deployments.patch("web", &PatchParams::default(), &Patch::Strategic(image)).await.expect("the image is changed");
    let bounds = watcher(pods.clone(), watcher::Config::default().labels("app=web")).default_backoff().touched_objects();
    in_time("the new image", async {
        pin_mut!(bounds);
        while let Some(Ok(_)) = bounds.next().await {
            let list = pods.list(&ListParams::default().labels("app=web")).await.expect("a list");
            let live: Vec<&Pod> = list.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
            let ready = live.iter().filter(|pod| conditions::is_pod_running().matches_object(Some(**pod))).count();
            assert!(live.len() <= 10, "{} pods for 8", live.len());
            assert!(ready >= 6, "only {ready} of 8 are running");
            let image = |pod: &&&Pod| pod.spec.as_ref().is_some_and(|spec| spec.containers[0].image.as_deref() == Some("nginx:1.9.1"));
            if live.iter().filter(image).count() == 8 && live.len() == 8 && list.items.len() == 8 {
                return;
            }
        }
    })
    .await;
    in_time("the rollout", await_condition(deployments.clone(), "web", available(8))).await.expect("it ends");

    let events: Api<Event> = Api::namespaced(cluster.client(), "default");
    let said = events.list(&ListParams::default().fields("involvedObject.kind=Deployment,reason=ScalingReplicaSet")).await.expect("events");
    assert!(!said.items.is_empty(), "the Deployment's controller said nothing");

    let foreground = DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
    deployments.delete("web", &foreground).await.expect("it is deleted");
    wait_for("nothing to be left", || async {
        let list = pods.list(&ListParams::default()).await.expect("a list");
        let there = deployments.get_opt("web").await.expect("an answer").is_some();
        if list.items.is_empty() && !there { Ok(()) } else { Err((there, list.items.len())) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

//! kube-rs as a client: apply and its conflicts, parts of objects, metadata alone, pages, discovery, dynamic objects, logs, Events.

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::{
    apps::v1::Deployment,
    coordination::v1::Lease,
    core::v1::{ConfigMap, Event, Node, Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, EvictParams, GroupVersionKind, ListParams, LogParams, Patch, PatchParams, PostParams},
    discovery::{self, Discovery},
    runtime::{
        events::{EventType, Recorder, Reporter},
        wait::{await_condition, conditions},
    },
};
use mini_cluster::{Cluster, Options};
use mini_tests::{PATIENCE, wait_for};
use serde_json::{Value, json};

async fn alone() -> (Cluster, Client) {
    let options = Options { scheduler: None, controllers: None, kubelet: None, ..Options::default() };
    let cluster = options.start().await.expect("it starts");
    let client = cluster.client();
    (cluster, client)
}

fn object<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("an object")
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.message.clone()),
        other => panic!("the server should have refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_meets_conflicts_and_may_be_forced() {
    let (cluster, client) = alone().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let config = |value: &str| Patch::Apply(json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "k": value } }));
    let made = maps.patch("a", &PatchParams::apply("alice"), &config("1")).await.expect("it is made");
    let again = maps.patch("a", &PatchParams::apply("alice"), &config("1")).await.expect("it is there");
    assert_eq!(again.resource_version(), made.resource_version());
    let (code, message) = refused(maps.patch("a", &PatchParams::apply("bob"), &config("2")).await);
    assert_eq!((code, &*message), (409, "Apply failed with 1 conflict: conflict with \"alice\": .data.k"));
    let forced = maps.patch("a", &PatchParams::apply("bob").force(), &config("2")).await.expect("it is forced");
    assert_eq!(forced.data.as_ref().and_then(|data| data.get("k")).map(String::as_str), Some("2"));
    let owners: Vec<_> = forced.managed_fields().iter().filter_map(|entry| entry.manager.as_deref()).collect();
    assert_eq!(owners, ["bob"]);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_scale_and_metadata_are_reached_apart() {
    let (cluster, client) = alone().await;
    let deployments: Api<Deployment> = Api::default_namespaced(client);
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    let web =
        object(json!({ "metadata": { "name": "web" }, "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template } }));
    deployments.create(&PostParams::default(), &web).await.expect("it is made");
    let both = Patch::Merge(json!({ "spec": { "replicas": 9 }, "status": { "replicas": 5 } }));
    let told = deployments.patch_status("web", &PatchParams::default(), &both).await.expect("it is told");
    assert_eq!((told.spec.and_then(|spec| spec.replicas), told.status.and_then(|status| status.replicas)), (Some(1), Some(5)));
    let mut scale = deployments.get_scale("web").await.expect("a scale");
    scale.spec.get_or_insert_default().replicas = Some(3);
    let scaled = deployments.replace_scale("web", &PostParams::default(), &scale).await.expect("it is scaled");
    let observed = scaled.status.expect("a status");
    assert_eq!((scaled.spec.and_then(|spec| spec.replicas), observed.replicas, observed.selector.as_deref()), (Some(3), 5, Some("a=b")));
    let meta = deployments.get_metadata("web").await.expect("its metadata");
    assert_eq!((meta.metadata.generation, meta.types.map(|types| types.kind)), (Some(2), Some("PartialObjectMetadata".to_owned())));
    let listed = deployments.list_metadata(&ListParams::default()).await.expect("a list");
    assert_eq!(listed.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["web"]);
    let labelled = Patch::Merge(json!({ "metadata": { "labels": { "x": "y" } } }));
    let meta = deployments.patch_metadata("web", &PatchParams::default(), &labelled).await.expect("it is labelled");
    assert_eq!(meta.labels()["x"], "y");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_comes_in_pages() {
    let (cluster, client) = alone().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    for number in 0..25 {
        let map = object(json!({ "metadata": { "name": format!("m-{number:02}") } }));
        maps.create(&PostParams::default(), &map).await.expect("it is made");
    }
    let (mut seen, mut token, mut pages) = (Vec::new(), None::<String>, Vec::new());
    loop {
        let mut params = ListParams::default().limit(10);
        params.continue_token = token;
        let page = maps.list(&params).await.expect("a page");
        pages.push((page.items.len(), page.metadata.remaining_item_count));
        seen.extend(page.iter().map(ResourceExt::name_any));
        // What is made meanwhile belongs to no page of this list.
        let late = object(json!({ "metadata": { "name": format!("m-99-{}", seen.len()) } }));
        maps.create(&PostParams::default(), &late).await.expect("it is made");
        token = page.metadata.continue_.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    assert_eq!(pages, [(10, Some(15)), (10, Some(5)), (5, None)]);
    assert_eq!(seen, (0..25).map(|number| format!("m-{number:02}")).collect::<Vec<_>>());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_tells_the_same_both_ways_and_serves_dynamic_objects() {
    let (cluster, client) = alone().await;
    let plain = Discovery::new(client.clone()).run().await.expect("discovery");
    let aggregated = Discovery::new(client.clone()).run_aggregated().await.expect("aggregated discovery");
    let kinds = |discovery: &Discovery| {
        let mut kinds: Vec<String> = discovery
            .groups()
            .flat_map(|group| group.recommended_resources())
            .map(|(resource, abilities)| format!("{}/{} {:?}", resource.api_version, resource.kind, abilities.scope))
            .collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&plain), kinds(&aggregated));
    assert!(plain.has_group("apps") && kinds(&plain).len() > 50, "{:?}", kinds(&plain));

    let (resource, _) =
        discovery::pinned_kind(&client, &GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease")).await.expect("a kind");
    assert_eq!(resource, ApiResource::erase::<Lease>(&()));
    let leases: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let lease = DynamicObject::new("l", &resource).data(json!({ "spec": { "holderIdentity": "me", "leaseDurationSeconds": 15 } }));
    leases.create(&PostParams::default(), &lease).await.expect("it is made");
    // Leader election: who holds an old state of the lock loses the race for it.
    let typed: Api<Lease> = Api::default_namespaced(client);
    let (mut mine, mut other) = (typed.get("l").await.expect("a lease"), typed.get("l").await.expect("a lease"));
    mine.spec.get_or_insert_default().holder_identity = Some("a".to_owned());
    other.spec.get_or_insert_default().holder_identity = Some("b".to_owned());
    typed.replace("l", &PostParams::default(), &mine).await.expect("it is taken");
    assert_eq!(refused(typed.replace("l", &PostParams::default(), &other).await).0, 409);
    assert_eq!(leases.get("l").await.expect("a lease").data["spec"]["holderIdentity"], "a");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_happens_again_is_counted() {
    let (cluster, client) = alone().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let map = maps.create(&PostParams::default(), &object(json!({ "metadata": { "name": "a" } }))).await.expect("it is made");
    let recorder =
        Recorder::new(client.clone(), Reporter { controller: "example.com/tester".to_owned(), instance: Some("t-1".to_owned()) });
    let event = kube::runtime::events::Event {
        type_: EventType::Normal,
        reason: "Tested".to_owned(),
        note: Some("it works".to_owned()),
        action: "Testing".to_owned(),
        secondary: None,
    };
    for _ in 0..2 {
        recorder.publish(&event, &map.object_ref(&())).await.expect("it is told");
    }
    let events: Api<Event> = Api::default_namespaced(client);
    let told = events.list(&ListParams::default().fields("involvedObject.name=a,reason=Tested")).await.expect("Events");
    assert_eq!(told.items.len(), 1, "{told:?}");
    assert_eq!(
        (told.items[0].message.as_deref(), told.items[0].series.as_ref().and_then(|series| series.count)),
        (Some("it works"), Some(2))
    );
    cluster.stop().await.expect("it stops");
}

/// A pod that runs on a node of the cluster.
async fn running(client: &Client, name: &str) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let pod = object(
        json!({ "metadata": { "name": name, "labels": { "app": name } }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] } }),
    );
    pods.create(&PostParams::default(), &pod).await.expect("it is made");
    let running = tokio::time::timeout(PATIENCE, await_condition(pods.clone(), name, conditions::is_pod_running())).await;
    running.expect("it runs in time").expect("it runs");
    pods
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_streamed_and_nodes_cordoned() {
    let cluster = Cluster::start().await.expect("it starts");
    let client = cluster.client();
    let pods = running(&client, "talker").await;
    let all = pods.logs("talker", &LogParams::default()).await.expect("a log");
    assert!(!all.is_empty());
    let streamed = pods.log_stream("talker", &LogParams { follow: true, ..LogParams::default() }).await.expect("a stream");
    let first = tokio::time::timeout(PATIENCE, streamed.lines().try_next()).await.expect("a line in time").expect("a line");
    assert_eq!(first.as_deref(), all.lines().next());
    let (code, message) = refused(pods.logs("talker", &LogParams { container: Some("nope".to_owned()), ..LogParams::default() }).await);
    assert_eq!((code, &*message), (400, "container nope is not valid for pod talker"));

    let nodes: Api<Node> = Api::all(client);
    let name = nodes.list(&ListParams::default()).await.expect("nodes").items[0].name_any();
    assert_eq!(nodes.cordon(&name).await.expect("it is cordoned").spec.and_then(|spec| spec.unschedulable), Some(true));
    assert_ne!(nodes.uncordon(&name).await.expect("it is uncordoned").spec.and_then(|spec| spec.unschedulable), Some(true));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_pod_goes() {
    let cluster = Cluster::start().await.expect("it starts");
    let pods = running(&cluster.client(), "victim").await;
    pods.evict("victim", &EvictParams::default()).await.expect("it is evicted");
    wait_for("the end of an evicted pod", || async {
        match pods.get_opt("victim").await.expect("an answer") {
            None => Ok(()),
            Some(pod) => Err(pod.status),
        }
    })
    .await;
    assert_eq!(refused(pods.evict("victim", &EvictParams::default()).await).0, 404);
    cluster.stop().await.expect("it stops");
}

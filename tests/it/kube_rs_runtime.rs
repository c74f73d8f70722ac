//! kube-rs as an operator uses it: watchers, stores and controllers, also when the server dies under them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        finalizer::{self, finalizer},
        reflector,
        wait::{await_condition, conditions},
        watcher,
    },
};
use mini_daemon::tasks::detach;
use mini_tests::{PATIENCE, World, http::Http, wait_for};
use serde_json::json;

use crate::alone::server;

/// What operators name their finalizers like.
const FINALIZER: &str = "example.com/copies";

fn map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name, "labels": { "copy": "yes" } }, "data": { "k": value } }))
        .expect("a ConfigMap")
}

/// Both ways a watcher can begin.
fn strategies() -> [watcher::Config; 2] {
    [watcher::Config::default().page_size(3), watcher::Config::default().streaming_lists()]
}

/// The names a watcher lists before it is through with its beginning.
async fn beginning(events: &mut (impl Stream<Item = watcher::Result<watcher::Event<ConfigMap>>> + Unpin)) -> HashSet<String> {
    let mut names = HashSet::new();
    loop {
        match events.try_next().await.expect("an event").expect("the watch goes on") {
            watcher::Event::Init => names.clear(),
            watcher::Event::InitApply(map) => _ = names.insert(map.name_any()),
            watcher::Event::InitDone => return names,
            other => panic!("not of a beginning: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_begins_by_listing_or_by_streaming() {
    let (cluster, _) = server().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client());
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        maps.create(&PostParams::default(), &map(name, "1")).await.expect("it is made");
    }
    let mut made: HashSet<String> = ["a", "b", "c", "d", "e", "f", "g"].map(str::to_owned).into();
    for (number, config) in strategies().into_iter().enumerate() {
        let mut events = watcher(maps.clone(), config).boxed();
        let names = tokio::time::timeout(PATIENCE, beginning(&mut events)).await.expect("a beginning in time");
        assert_eq!(names, made);
        let late = format!("late-{number}");
        maps.create(&PostParams::default(), &map(&late, "1")).await.expect("it is made");
        let next = tokio::time::timeout(PATIENCE, events.try_next()).await.expect("in time").expect("an event");
        assert!(matches!(&next, Some(watcher::Event::Apply(map)) if map.name_any() == late), "{next:?}");
        maps.delete(&late, &DeleteParams::default()).await.expect("it is deleted");
        let next = tokio::time::timeout(PATIENCE, events.try_next()).await.expect("in time").expect("an event");
        assert!(matches!(&next, Some(watcher::Event::Delete(map)) if map.name_any() == late), "{next:?}");
        made.remove(&late);
    }
    cluster.stop().await.expect("it stops");
}

/// What a reconciler works with.
struct Operator {
    maps: Api<ConfigMap>,
    secrets: Api<Secret>,
}

/// Copies a ConfigMap into a Secret it owns, and removes the copy before the ConfigMap goes.
async fn reconcile(map: Arc<ConfigMap>, operator: Arc<Operator>) -> Result<Action, finalizer::Error<kube::Error>> {
    finalizer(&operator.maps, FINALIZER, map, |event| async {
        match event {
            finalizer::Event::Apply(map) => {
                let data: BTreeMap<String, ByteString> =
                    map.data.iter().flatten().map(|(key, value)| (key.clone(), ByteString(value.clone().into_bytes()))).collect();
                let mut secret = Secret { data: Some(data), ..Secret::default() };
                secret.metadata.name = Some(map.name_any());
                secret.metadata.owner_references = map.controller_owner_ref(&()).map(|owner| vec![owner]);
                operator.secrets.patch(&map.name_any(), &PatchParams::apply("copier").force(), &Patch::Apply(&secret)).await?;
            }
            finalizer::Event::Cleanup(map) => {
                let deleted = operator.secrets.delete(&map.name_any(), &DeleteParams::default()).await;
                deleted
                    .map(|_| ())
                    .or_else(|error| if matches!(&error, kube::Error::Api(status) if status.code == 404) { Ok(()) } else { Err(error) })?;
            }
        }
        Ok(Action::await_change())
    })
    .await
}

fn copied(secret: &Secret) -> Option<String> {
    secret.data.as_ref()?.get("k").and_then(|value| String::from_utf8(value.0.clone()).ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_copies_and_cleans_up() {
    let (cluster, _) = server().await;
    let client = cluster.client();
    let operator = Arc::new(Operator { maps: Api::default_namespaced(client.clone()), secrets: Api::default_namespaced(client) });
    let (maps, secrets) = (operator.maps.clone(), operator.secrets.clone());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let controller = Controller::new(maps.clone(), watcher::Config::default().labels("copy=yes"))
        .owns(secrets.clone(), watcher::Config::default().streaming_lists())
        .graceful_shutdown_on(async move { _ = stopped.await })
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_millis(50)), operator);
    let running = detach("operator", controller.for_each(|_| async {}));

    let see = async |wanted: &str| {
        wait_for("the copy", || async {
            let secret = secrets.get_opt("a").await.expect("an answer");
            if secret.as_ref().and_then(copied).as_deref() == Some(wanted) { Ok(secret) } else { Err(secret) }
        })
        .await
    };
    let made = maps.create(&PostParams::default(), &map("a", "1")).await.expect("it is made");
    let secret = see("1").await.expect("a Secret");
    assert_eq!(secret.owner_references()[0].uid, made.uid().expect("a uid"));
    maps.patch("a", &PatchParams::default(), &Patch::Merge(json!({ "data": { "k": "2" } }))).await.expect("it is changed");
    see("2").await;
    // Whoever takes the copy away gets it back.
    secrets.delete("a", &DeleteParams::default()).await.expect("it is deleted");
    see("2").await;
    let uid = made.uid().expect("a uid");
    maps.delete("a", &DeleteParams::default()).await.expect("its deletion begins");
    tokio::time::timeout(PATIENCE, await_condition(maps.clone(), "a", conditions::is_deleted(&uid)))
        .await
        .expect("in time")
        .expect("it goes");
    assert!(secrets.get_opt("a").await.expect("an answer").is_none(), "the copy was left behind");
    stop.send(()).expect("it still runs");
    running.await.expect("it ends");
    cluster.stop().await.expect("it stops");
}

/// A client of a world's API server, which is at another place after no restart.
fn client(world: &World) -> (Client, Http) {
    let kubeconfig = std::fs::read_to_string(world.home().join("kubeconfig")).expect("a kubeconfig");
    let server = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("server: ")).expect("a server").trim_matches('"').to_owned();
    let address = server.trim_start_matches("http://").parse().expect("an address");
    (Client::try_from(Config::new(server.parse().expect("a URI"))).expect("a client"), Http::new(address))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_right_again_after_the_server_was_killed() {
    let world = World::up(1);
    let (client, http) = client(&world);
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut stores = Vec::new();
    for config in strategies() {
        let (store, writer) = reflector::store();
        let events = reflector(writer, watcher(maps.clone(), config.labels("copy=yes"))).default_backoff();
        detach("reflector", events.for_each(|_| async {}));
        stores.push(store);
    }
    let agree = async |wanted: &[(&str, &str)]| {
        for store in &stores {
            wait_for("a store to be right", || async {
                let mut seen: Vec<(String, String)> = store
                    .state()
                    .iter()
                    .map(|map| (map.name_any(), map.data.as_ref().map(|data| data["k"].clone()).unwrap_or_default()))
                    .collect();
                seen.sort();
                let right = seen.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(wanted.iter().copied());
                if right { Ok(()) } else { Err(seen) }
            })
            .await;
        }
    };
    for name in ["a", "b"] {
        maps.create(&PostParams::default(), &map(name, "1")).await.expect("it is made");
    }
    agree(&[("a", "1"), ("b", "1")]).await;
    world.kill("apiserver").await;
    world.ctl(&["start", "apiserver"]).success();
    // What happened while they were not connected, they find out.
    let path = "/api/v1/namespaces/default/configmaps";
    assert_eq!(http.delete(&format!("{path}/a")).await.code, 200);
    assert_eq!(http.patch(&format!("{path}/b"), "merge", &json!({ "data": { "k": "2" } })).await.code, 200);
    assert_eq!(http.post(path, &serde_json::to_value(map("c", "3")).expect("JSON")).await.code, 201);
    agree(&[("b", "2"), ("c", "3")]).await;
    // And a watch from before the server's memory is told so, cleanly.
    let mut old = http.watch(&format!("{path}?watch=1&resourceVersion=1")).await;
    let told = old.next().await.expect("a frame");
    let status = if told["type"] == "ERROR" { &told["object"] } else { &told };
    assert_eq!((status["code"].as_u64(), status["reason"].as_str()), (Some(410), Some("Expired")), "{told}");
}

//! Whoever follows a watch sees what a list would show: several clients write at random while followers with selectors,
//! bookmarks, initial events and connections that break off keep their picture of the world.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mini_daemon::tasks::detach;
use mini_tests::{http::Http, wait_for};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::alone::server;

const ROUNDS: u64 = 4;
const WRITERS: u64 = 4;
const WRITES: usize = 120;
const NAMESPACES: [&str; 2] = ["default", "kube-public"];
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const LABELS: [&str; 3] = ["1", "2", "3"];

/// What a follower follows.
const SELECTIONS: [&str; 6] = [
    "",
    "labelSelector=w%3D1",
    "labelSelector=w%20in%20(1%2C2)",
    "labelSelector=w%21%3D3",
    "fieldSelector=metadata.name%3Da",
    "fieldSelector=metadata.name%21%3Db%2Cmetadata.namespace%3Ddefault",
];

/// One random write; conflicts and what is missing are part of it.
async fn write(http: &Http, dice: &mut StdRng) {
    let maps = format!("/api/v1/namespaces/{}/configmaps", NAMESPACES[dice.random_range(0..2)]);
    let (name, label) = (NAMES[dice.random_range(0..6)], LABELS[dice.random_range(0..3)]);
    let (path, number) = (format!("{maps}/{name}"), dice.random::<u16>().to_string());
    let labels = json!({ "w": label });
    let answer = match dice.random_range(0..12) {
        0..4 => http.post(&maps, &json!({ "metadata": { "name": name, "labels": labels }, "data": { "n": number } })).await,
        4..6 => http.patch(&path, "merge", &json!({ "metadata": { "labels": labels } })).await,
        6 => http.patch(&path, "strategic-merge", &json!({ "data": { "n": number } })).await,
        7 => http.patch(&path, "json", &json!([{ "op": "add", "path": "/data", "value": { "n": number } }])).await,
        8 => {
            let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels } });
            http.patch(&format!("{path}?fieldManager=m&force=true"), "apply", &config).await
        }
        9 => {
            let mut object = http.get(&path).await.json();
            object["data"] = json!({ "n": number });
            http.put(&path, &object).await
        }
        10 => http.delete(&path).await,
        _ => http.delete(&format!("{maps}?labelSelector=w%3D{label}")).await,
    };
    assert!(matches!(answer.code, 200 | 201 | 400 | 404 | 409), "{}", answer.text());
}

/// What somebody believes to be there: the revision of each object.
type Picture = BTreeMap<String, u64>;

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no revision in {object}"))
}

fn key(object: &Value) -> String {
    format!("{}/{}", object["metadata"]["namespace"].as_str().unwrap_or_default(), object["metadata"]["name"].as_str().unwrap_or_default())
}

fn picture(list: &Value) -> Picture {
    list["items"].as_array().into_iter().flatten().map(|item| (key(item), revision(item))).collect()
}

struct Follower {
    http: Http,
    selection: &'static str,
    streamed: bool,
    dice: StdRng,
    known: Picture,
    seen: u64,
    stop: Arc<AtomicBool>,
}

impl Follower {
    async fn list(&self, more: &str) -> (u16, Value) {
        let answer = self.http.get(&format!("/api/v1/configmaps?{}&{more}", self.selection)).await;
        (answer.code, answer.json())
    }

    /// Follows through as many connections as it takes; ends when it has seen all there is.
    async fn follow(mut self) {
        let mut begun = false;
        loop {
            let mut query = format!("/api/v1/configmaps?watch=1&timeoutSeconds=20&allowWatchBookmarks=true&{}", self.selection);
            if !begun && self.streamed {
                self.known.clear();
                query += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
            } else {
                if !begun {
                    let list = self.list("").await.1;
                    (self.known, self.seen) = (picture(&list), revision(&list));
                }
                query += &format!("&resourceVersion={}", self.seen);
            }
            begun = self.connection(&query).await;
            if self.stop.load(Ordering::Relaxed) && begun && picture(&self.list("").await.1) == self.known {
                return;
            }
        }
    }

    /// Reads one connection for a while. Says whether the next one can go on from there.
    async fn connection(&mut self, query: &str) -> bool {
        let mut frames = self.http.watch(query).await;
        let mut left = self.dice.random_range(1..60);
        let mut begun = !query.contains("sendInitialEvents");
        while left > 0 || !begun {
            // Nothing may come for a long time; then the picture is looked at as it is.
            let Ok(frame) = tokio::time::timeout(Duration::from_millis(200), frames.next()).await else { break };
            let Some(frame) = frame else { break };
            let object = &frame["object"];
            match frame["type"].as_str().unwrap_or_default() {
                "ERROR" => {
                    assert_eq!(object["code"], 410, "{object}");
                    return false;
                }
                "BOOKMARK" => {
                    self.seen = self.seen.max(revision(object));
                    begun |= object["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true";
                    self.compare().await;
                }
                change => self.take(change, object, begun),
            }
            left -= 1;
        }
        begun
    }

    fn take(&mut self, change: &str, object: &Value, begun: bool) {
        let (key, revision) = (key(object), revision(object));
        assert!(!begun || revision > self.seen, "{change} {key} at {revision} after {}", self.seen);
        let before = match change {
            "DELETED" => self.known.remove(&key),
            _ => self.known.insert(key.clone(), revision),
        };
        assert_eq!(before.is_some(), change != "ADDED", "{change} {key} at {revision} ({})", self.selection);
        self.seen = if begun { revision } else { self.seen.max(revision) };
    }

    /// At a bookmark the picture is that of a list at its revision.
    async fn compare(&self) {
        let (code, list) = self.list(&format!("resourceVersion={}&resourceVersionMatch=Exact", self.seen)).await;
        if code == 200 {
            assert_eq!(self.known, picture(&list), "at {} ({})", self.seen, self.selection);
        } else {
            assert_eq!(code, 410, "{list}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_sees_what_a_list_shows() {
    let (cluster, http) = server().await;
    for round in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let follower = |number: usize, selection, streamed| Follower {
            http: http.clone(),
            selection,
            streamed,
            dice: StdRng::seed_from_u64(round * 1000 + number as u64),
            known: Picture::new(),
            seen: 0,
            stop: stop.clone(),
        };
        let followers = SELECTIONS.iter().flat_map(|selection| [(*selection, false), (*selection, true)]).enumerate();
        let followers: Vec<_> =
            followers.map(|(number, (selection, streamed))| detach("follower", follower(number, selection, streamed).follow())).collect();
        let writers = (0..WRITERS).map(|writer| {
            let (http, mut dice) = (http.clone(), StdRng::seed_from_u64(round * 100 + writer));
            detach("writer", async move {
                for _ in 0..WRITES {
                    write(&http, &mut dice).await;
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("a writer ends well");
        }
        stop.store(true, Ordering::Relaxed);
        for (number, follower) in followers.into_iter().enumerate() {
            let ended = tokio::time::timeout(Duration::from_secs(60), follower).await;
            ended.unwrap_or_else(|_| panic!("round {round}: follower {number} never saw the end")).expect("a follower ends well");
        }
    }
    wait_for("the server still answers", || async {
        let code = http.get("/readyz").await.code;
        if code == 200 { Ok(()) } else { Err(code) }
    })
    .await;
    cluster.stop().await.expect("it stops");
}

//! What a real Kubernetes answered, asked again of ours: the recordings beside the project, where they are there.
//!
//! Only requests about kinds we serve are asked. What differs must be on the list below with its reason; what is on the list
//! and does not differ any more must leave it.

use std::{collections::BTreeMap, path::PathBuf};

use mini_cluster::{Cluster, Options};
use mini_tests::{http::Http, root, wait_for};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

/// What may differ, and why.
const DIFFERS: &[(&str, &str)] = &[
    // Named by chance, or numbered by another history.
    ("invalid: generateName bad", CHANCE),
    ("invalid: rv future", CHANCE),
    ("writes: delete with rv precondition", CHANCE),
    ("writes: generateName", CHANCE),
    ("writes: svc lb", CHANCE),
    ("writes: svc to NodePort", CHANCE),
    ("writes: patch unknown field strict", CHANCE),
    // The request carries a UID of the recorded server.
    ("writes: put same", CHANCE),
    ("writes: put stale", CHANCE),
    // Here no scheduler and no nodes are at work, and the hash in a ReplicaSet's name is ours.
    ("writes: bind bound", ALONE),
    ("writes: delete pod graceful", ALONE),
    ("writes: pod spec change", ALONE),
    ("writes: delete orphan", ALONE),
    ("writes: merge: rv unchanged no-op", ALONE),
    ("writes: strategic on status", ALONE),
    ("writes: apply status", ALONE),
    ("writes: get scale", ALONE),
    ("writes: put scale", ALONE),
    ("writes: patch scale", ALONE),
    // Upstream prints the difference of its internal types, which have other fields than the API's.
    ("writes: pod spec forbidden", "the diff is of Go's internal types"),
    ("writes: json: ok", "upstream checks a Deployment's labels once more than other metadata"),
    ("kinds: create Event ev-min", "k8s-openapi leaves out what Go writes as null: eventTime"),
    ("kinds: create HorizontalPodAutoscaler hpa-min", "k8s-openapi leaves out what Go writes as null: currentMetrics"),
    ("kinds: create CSINode node-min", "upstream's store, which is not JSON, forgets an empty list"),
    // To come.
    ("kinds: create SelfSubjectReview ", "nobody is authenticated yet"),
    ("kinds: create PersistentVolume pv-min", PROTECTION),
    ("kinds: create PersistentVolumeClaim pvc-min", PROTECTION),
    ("kinds: create CustomResourceDefinition widgets.example.com", "custom resources are not served yet"),
];
/// See [`DIFFERS`].
const CHANCE: &str = "chance or another history decides";
/// See [`DIFFERS`].
const ALONE: &str = "other components are at work";

/// See [`DIFFERS`].
const PROTECTION: &str = "no controller lets go of protected volumes and claims yet, so none are protected";

fn recordings() -> Option<PathBuf> {
    let folder = root().parent()?.join("shared/upstream");
    folder.is_dir().then_some(folder)
}

/// Replaces what no two servers agree on.
fn mask(key: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            // What controllers and nodes write comes when it comes.
            let theirs = ["kube-controller-manager", "fakelet"];
            if map.get("manager").and_then(Value::as_str).is_some_and(|manager| theirs.contains(&manager)) {
                return Value::Null;
            }
            let observed = ["Deployment", "ReplicaSet"].iter().any(|kind| map.get("kind").is_some_and(|value| value == kind));
            let volatile = ["description", "lastProbeTime", "deployment.kubernetes.io/revision"];
            let kept = map.iter().filter(|(key, value)| {
                let only_volatile =
                    *key == "annotations" && value.as_object().is_some_and(|map| map.keys().all(|key| volatile.contains(&key.as_str())));
                !(volatile.contains(&key.as_str()) || only_volatile || observed && *key == "status")
            });
            Value::Object(kept.map(|(key, value)| (key.clone(), mask(key, value))).collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.iter().map(|value| mask(key, value)).filter(|value| !value.is_null()).collect()),
        Value::String(text) => Value::String(mask_text(key, text)),
        other => other.clone(),
    }
}

fn mask_text(key: &str, text: &str) -> String {
    match key {
        "uid" => return "<uid>".to_owned(),
        "resourceVersion" => return "<rv>".to_owned(),
        "continue" => return "<token>".to_owned(),
        _ => {}
    }
    if text.len() >= 20 && text.as_bytes()[4] == b'-' && text.as_bytes()[10] == b'T' && text.ends_with('Z') {
        return "<time>".to_owned();
    }
    let mut out = String::new();
    for word in text.split_inclusive([' ', ',', '"', '(', ')', ':']) {
        let bare = word.trim_end_matches([' ', ',', '"', '(', ')', ':']);
        let masked = if bare.len() == 36 && bare.matches('-').count() == 4 {
            "<uid>".to_owned()
        } else if let Some(at) = bare.find("kube-api-access-") {
            format!("{}kube-api-access-<x>", &bare[..at])
        } else if bare.starts_with("10.254.") {
            "<ip>".to_owned()
        } else {
            bare.to_owned()
        };
        out.push_str(&masked);
        out.push_str(&word[bare.len()..]);
    }
    out
}

#[derive(Deserialize)]
struct Case {
    #[serde(skip)]
    file: &'static str,
    name: String,
    request: Request,
    response: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    path: String,
    content_type: Option<String>,
    accept: Option<String>,
    /// As it was sent: the order of its fields matters.
    body: Option<Box<RawValue>>,
}

fn cases(files: &[&'static str]) -> Vec<Case> {
    let Some(folder) = recordings() else { return Vec::new() };
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(folder.join(format!("{file}.jsonl"))).expect("read a recording");
        for line in text.lines() {
            let case: Case = serde_json::from_str(line).expect("a recording is JSON");
            cases.push(Case { file, ..case });
        }
    }
    cases
}

/// Whether the request is about what we serve.
fn served(path: &str) -> bool {
    let table = mini_apiserver::kinds::table();
    let path = path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, rest) = match segments.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return false,
    };
    let plural = match rest {
        ["namespaces", _, plural, ..] => plural,
        [plural, ..] => plural,
        [] => return false,
    };
    let known = |kind: &mini_apiserver::kinds::Kind| kind.plural == *plural && kind.versions.iter().any(|version| version.group == group);
    table.iter().any(known) || *plural == "nopes"
}

async fn ask(http: &Http, request: &Request) -> (u16, Value) {
    let mut headers = vec![("user-agent", "recorder/1")];
    headers.extend(request.content_type.as_deref().map(|form| ("content-type", form)));
    headers.extend(request.accept.as_deref().map(|form| ("accept", form)));
    let body = request.body.as_deref().map_or("", RawValue::get);
    // A body that was no JSON is written as text.
    let body = serde_json::from_str::<String>(body).unwrap_or_else(|_| if body == "null" { String::new() } else { body.to_owned() });
    let answer = http.send(&request.method, &request.path, &headers, unmask(&body)).await;
    (answer.code, answer.json())
}

/// `<x*70>` stands for seventy times x.
fn unmask(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let tail = &rest[at + 1..];
        let run = tail.split_once('*').and_then(|(letter, tail)| Some((letter, tail.split_once('>')?)));
        match run.and_then(|(letter, (count, tail))| Some((letter.repeat(count.parse().ok()?), tail))) {
            Some((run, tail)) if run.len() > 1 => {
                out.push_str(&rest[..at]);
                out.push_str(&run);
                rest = tail;
            }
            _ => {
                out.push_str(&rest[..=at]);
                rest = tail;
            }
        }
    }
    out + rest
}

/// The first place where two answers differ.
fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| match (a.get(key), b.get(key)) {
                (Some(x), Some(y)) => difference(&format!("{path}.{key}"), x, y),
                (Some(x), None) => Some(format!("{path}.{key}: ours has {x}")),
                (None, Some(y)) => Some(format!("{path}.{key}: theirs has {y}")),
                (None, None) => None,
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (x, y))| difference(&format!("{path}[{index}]"), x, y))
        }
        (a, b) => (a != b).then(|| format!("{path}: ours {a}\n      theirs {b}")),
    }
}

async fn cluster() -> Cluster {
    let options = Options { scheduler: None, kubelet: None, ..Options::default() };
    options.start().await.expect("the cluster starts")
}

async fn replay(files: &[&'static str], only: fn(&Case) -> bool) {
    let cluster = cluster().await;
    let http = Http::new(cluster.address());
    // The recorded nodes are there before anything is asked.
    for node in ["node-0000", "node-0001", "node-0002"] {
        let body = serde_json::json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": node } });
        assert_eq!(http.post("/api/v1/nodes", &body).await.code, 201);
    }
    wait_for("the CA in default", || async {
        let answer = http.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt").await;
        if answer.code == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    let mut asked = 0;
    let mut seen = Vec::new();
    for case in cases(files) {
        if !served(&case.request.path) {
            continue;
        }
        let (code, body) = ask(&http, &case.request).await;
        if !only(&case) {
            continue;
        }
        asked += 1;
        seen.push(format!("{}: {}", case.file, case.name));
        let theirs = u16::try_from(case.response["code"].as_u64().unwrap_or(0)).unwrap_or(0);
        let differs = if code == theirs {
            difference("", &mask("", &body), &mask("", &case.response["body"]))
        } else {
            Some(format!("code {code}, theirs {theirs}: {body}"))
        };
        if let Some(difference) = differs {
            wrong.insert(format!("{}: {}", case.file, case.name), difference.chars().take(600).collect());
        }
    }
    cluster.stop().await.expect("the cluster stops");
    let listed = |name: &String| DIFFERS.iter().any(|(known, _)| known == name);
    let report: Vec<String> = wrong.iter().filter(|(name, _)| !listed(name)).map(|(name, how)| format!("{name}\n    {how}")).collect();
    println!("{asked} asked, {} equal", asked - wrong.len());
    let settled = DIFFERS.iter().filter(|(_, why)| ![CHANCE, ALONE].contains(why));
    let stale: Vec<&str> =
        settled.map(|(name, _)| *name).filter(|name| seen.iter().any(|seen| seen == name) && !wrong.contains_key(*name)).collect();
    assert!(stale.is_empty(), "these are equal now and must leave the list: {stale:?}");
    assert!(report.is_empty(), "{} of {asked} differ:\n{}", report.len(), report.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn minimal_objects_become_what_upstream_makes_of_them() {
    replay(&["kinds"], |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_refused_in_upstreams_words() {
    replay(&["kinds", "invalid"], |case| case.file == "invalid").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_do_what_upstreams_do() {
    replay(&["kinds", "writes"], |case| case.file == "writes").await;
}

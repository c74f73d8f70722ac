//! Ownership by table, and upstream's recorded entries where they are at hand.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Event, Namespace, Node, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::json;

use super::*;
use crate::schema::decode::decode;

const fn who(manager: &str) -> Writer<'_> {
    Writer { manager, api_version: "v1", subresource: None, operation: Operation::Update }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn config(data: &Value) -> Value {
    json!({"metadata": {"name": "c", "uid": "u", "resourceVersion": "5"}, "data": data})
}

type Entries = Option<Vec<Entry>>;

fn write(entries: Entries, old: Option<&Value>, new: &Value, manager: &str, second: i64) -> Entries {
    track(&Schema::of::<ConfigMap>(), entries, old, new, &who(manager), at(second))
}

fn shown(entries: &Entries) -> Vec<(String, i64, Value)> {
    let show = |e: &Entry| (text(&e.manager).to_owned(), seconds(e), serde_json::from_str(e.fields_v1.as_ref().unwrap().text()).unwrap());
    entries.iter().flatten().map(show).collect()
}

#[test]
fn a_writer_owns_what_it_wrote() {
    let (v1, v2) = (config(&json!({"a": "1", "b": "1"})), config(&json!({"a": "2", "c": "1"})));
    let entries = write(None, None, &v1, "alice", 1);
    let both = json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}});
    assert_eq!(shown(&entries), [("alice".to_owned(), 1, both.clone())]);

    // Bob takes a, adds c, and removes Alice's b. Alice's time stays.
    let entries = write(entries, Some(&v1), &v2, "bob", 2);
    assert_eq!(
        shown(&entries),
        [("alice".to_owned(), 1, json!({"f:data": {}})), ("bob".to_owned(), 2, json!({"f:data": {"f:a": {}, "f:c": {}}})),]
    );

    // Nothing changes: nothing is touched.
    assert_eq!(write(entries.clone(), Some(&v2), &v2, "carol", 3), entries);

    // Alice takes everything; Bob is gone.
    let v3 = config(&json!({"a": "3", "c": "3"}));
    let entries = write(entries, Some(&v2), &v3, "alice", 4);
    assert_eq!(shown(&entries), [("alice".to_owned(), 4, json!({"f:data": {".": {}, "f:a": {}, "f:c": {}}}))]);

    // Without data nobody owns anything.
    assert_eq!(write(entries, Some(&v3), &json!({"metadata": {}}), "bob", 5), None);
}

#[test]
fn doors_and_versions_are_different_owners() {
    let schema = Schema::of::<Node>();
    let v1 = json!({"metadata": {"name": "n"}, "spec": {"unschedulable": true}});
    let entries = track(&schema, None, None, &v1, &who("kubelet"), at(1));
    let mut v2 = v1.clone();
    v2["status"] = json!({"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": null}]});
    let through = Writer { subresource: Some("status"), ..who("kubelet") };
    let entries = track(&schema, entries, Some(&v1), &v2, &through, at(1)).unwrap();
    let doors: Vec<_> = entries.iter().map(|e| e.subresource.as_deref()).collect();
    assert_eq!(doors, [None, Some("status")]);
    let fields = json!({"f:status": {"f:conditions": {".": {}, "k:{\"type\":\"Ready\"}":
        {".": {}, "f:lastHeartbeatTime": {}, "f:status": {}, "f:type": {}}}}});
    assert_eq!(serde_json::from_str::<Value>(entries[1].fields_v1.as_ref().unwrap().text()).unwrap(), fields);
}

#[test]
fn the_oldest_updaters_are_merged() {
    let mut entries = None;
    let mut old = config(&json!({}));
    for i in 0..14 {
        let mut new = old.clone();
        new["data"][format!("k{i:02}")] = json!("v");
        entries = write(entries, (i > 0).then_some(&old), &new, &format!("m{i:02}"), i);
        old = new;
    }
    let shown = shown(&entries);
    assert_eq!(shown.len(), MAX_UPDATE_MANAGERS);
    assert_eq!(shown[0].0, ANCIENT);
    assert_eq!(shown[0].2["f:data"].as_object().unwrap().len(), 6, "{}", shown[0].2);
    assert_eq!(shown[1].0, "m05");
}

#[test]
fn which_entries_to_start_from() {
    let entry = |manager: &str| Entry { manager: Some(manager.into()), ..Entry::default() };
    let (live, new) = (vec![entry("live")], vec![entry("new")]);
    let given = |new: Option<&[Entry]>, subresource| live_or_new(Some(live.clone()), new.map(<[_]>::to_vec), subresource);
    assert_eq!(given(Some(&new), false), Some(new.clone()));
    assert_eq!(given(Some(&new), true), Some(live.clone()));
    assert_eq!(given(None, false), Some(live.clone()));
    assert_eq!(given(Some(&[]), false), Some(live.clone()));
    assert_eq!(given(Some(&[Entry::default()]), false), None);
}

/// Every recorded creation: from the object upstream answered, without what it fills in after ownership is settled,
/// the same fields must follow.
#[test]
fn recorded_creations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/upstream/kinds.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let text = text.replace("\"<time>\"", "\"2026-01-01T00:00:00.000000Z\"");
    let mut seen = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let mut body = case["response"]["body"].clone();
        let schema = match (body["kind"].as_str().unwrap_or_default(), body["apiVersion"].as_str().unwrap_or_default()) {
            ("ConfigMap", _) => Schema::of::<ConfigMap>(),
            ("Secret", _) => Schema::of::<Secret>(),
            ("Namespace", _) => Schema::of::<Namespace>(),
            ("Pod", _) => Schema::of::<Pod>(),
            ("Node", _) => Schema::of::<Node>(),
            ("Service", _) => Schema::of::<Service>(),
            ("Endpoints", _) => Schema::of::<Endpoints>(),
            ("EndpointSlice", _) => Schema::of::<EndpointSlice>(),
            ("Deployment", _) => Schema::of::<Deployment>(),
            ("ReplicaSet", _) => Schema::of::<ReplicaSet>(),
            ("Lease", _) => Schema::of::<Lease>(),
            ("Event", "v1") => Schema::of::<Event>(),
            ("Event", _) => Schema::of::<k8s_openapi::api::events::v1::Event>(),
            _ => continue,
        };
        if body["metadata"]["annotations"]["kubernetes.io/limit-ranger"].is_string() {
            // What the limit ranger added cannot be told from what was sent.
            continue;
        }
        let entries = body["metadata"]["managedFields"].take();
        let Some(want) = entries.as_array().and_then(|e| e.iter().find(|e| e["manager"] == "recorder")) else { continue };
        take_back(&mut body);
        let body = decode(&schema, body.to_string().as_bytes()).unwrap().value;
        let got = track(&schema, None, None, &body, &who("recorder"), at(1)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(got[0].fields_v1.as_ref().unwrap().text()).unwrap(), want["fieldsV1"], "{}", case["name"]);
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} creations were seen");
}

/// Removes what upstream's admission, allocation and registry strategies add after ownership is settled.
fn take_back(body: &mut Value) {
    let kind = body["kind"].as_str().unwrap_or_default().to_owned();
    let object = body.as_object_mut().unwrap();
    object.remove("status");
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match kind.as_str() {
        "Service" => ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"].iter().for_each(|k| drop(spec.remove(*k))),
        "Namespace" => drop(spec.remove("finalizers")),
        "Node" => drop(spec.remove("taints")),
        "Pod" => {
            for key in ["serviceAccountName", "serviceAccount", "tolerations", "priority", "preemptionPolicy", "nodeName"] {
                spec.remove(key);
            }
            let is_token = |v: &Value| v["name"].as_str().is_some_and(|n| n.starts_with("kube-api-access"));
            let drop_tokens = |list: Option<&mut Value>| {
                list.and_then(Value::as_array_mut).into_iter().for_each(|l| l.retain(|v| !is_token(v)));
            };
            drop_tokens(spec.get_mut("volumes"));
            for list in ["containers", "initContainers"] {
                for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                    drop_tokens(container.get_mut("volumeMounts"));
                }
            }
        }
        _ => {}
    }
}

//! Patches by table, and upstream's recorded ones where they are at hand.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::json;

use super::*;
use crate::schema::Schema;

fn apply(target: &Value, patch: &Value) -> Result<Value, PatchError> {
    strategic(&Schema::of::<Pod>(), target, patch.to_string().as_bytes())
}

#[test]
fn strategic_lists() {
    let containers = |list: Value| json!({"spec": {"containers": list}});
    let cases = [
        (
            "null removes",
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
            json!({"metadata": {"labels": {"a": null, "c": "3"}}}),
            json!({"metadata": {"labels": {"b": "2", "c": "3"}}}),
        ),
        (
            "merge by key",
            containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}])),
            containers(json!([{"name": "b", "image": "3"}])),
            containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "3"}])),
        ),
        (
            "new items come first",
            containers(json!([{"name": "a"}, {"name": "b"}])),
            containers(json!([{"name": "c"}])),
            containers(json!([{"name": "c"}, {"name": "a"}, {"name": "b"}])),
        ),
        (
            "delete an item",
            containers(json!([{"name": "a"}, {"name": "b"}])),
            containers(json!([{"name": "a", "$patch": "delete"}])),
            containers(json!([{"name": "b"}])),
        ),
        (
            "replace the list",
            containers(json!([{"name": "a"}])),
            containers(json!([{"$patch": "replace"}, {"name": "z"}])),
            containers(json!([{"name": "z"}])),
        ),
        (
            "atomic lists are replaced",
            json!({"spec": {"tolerations": [{"key": "a"}]}}),
            json!({"spec": {"tolerations": [{"key": "b"}]}}),
            json!({"spec": {"tolerations": [{"key": "b"}]}}),
        ),
        (
            "sets of scalars",
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"finalizers": ["c", "a"]}}),
            json!({"metadata": {"finalizers": ["c", "a", "b"]}}),
        ),
    ];
    for (name, target, patch, want) in cases {
        assert_eq!(apply(&target, &patch), Ok(want), "{name}");
    }
}

#[test]
fn strategic_directives() {
    let containers = |list: Value| json!({"spec": {"containers": list}});
    let cases = [
        (
            "delete from a set",
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            json!({"metadata": {"finalizers": ["b"]}}),
        ),
        (
            "order of elements",
            containers(json!([{"name": "a"}, {"name": "b"}, {"name": "x"}])),
            json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}),
            containers(json!([{"name": "b"}, {"name": "a"}, {"name": "x"}])),
        ),
        (
            "replace an object",
            json!({"spec": {"securityContext": {"runAsUser": 1}}}),
            json!({"spec": {"securityContext": {"$patch": "replace", "fsGroup": 2}}}),
            json!({"spec": {"securityContext": {"fsGroup": 2}}}),
        ),
        (
            "empty an object",
            json!({"spec": {"securityContext": {"runAsUser": 1}}}),
            json!({"spec": {"securityContext": {"$patch": "delete"}}}),
            json!({"spec": {"securityContext": {}}}),
        ),
        (
            "retain keys",
            json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}),
            json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]}}),
            json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}),
        ),
        (
            "directives leave no trace",
            json!({"spec": {}}),
            json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name"]}, {"name": "w", "$patch": "delete"}],
                "$setElementOrder/volumes": [{"name": "v"}]}}),
            json!({"spec": {"volumes": [{"name": "v"}]}}),
        ),
    ];
    for (name, target, patch, want) in cases {
        assert_eq!(apply(&target, &patch), Ok(want), "{name}");
    }
}

#[test]
fn strategic_errors() {
    let target = json!({"spec": {"containers": [{"name": "a"}]}});
    let internal = |text: &str| Err(PatchError::Internal(text.to_owned()));
    assert_eq!(
        apply(&target, &json!({"spec": {"containers": [{"image": "x"}]}})),
        internal("map: map[image:x] does not contain declared merge key: name")
    );
    assert_eq!(apply(&target, &json!({"spec": {"$patch": "frob"}})), internal("unknown patch type: frob in map: map[$patch:frob]"));
    assert_eq!(
        apply(&target, &json!({"spec": {"$retainKeys": ["x"], "y": 1}})),
        Err(PatchError::BadRequest("invalid patch format of retainKeys".to_owned()))
    );
    let error = strategic(&Schema::of::<Pod>(), &target, b"[]").unwrap_err();
    assert_eq!(error.to_string(), "json: cannot unmarshal array into Go value of type map[string]interface {}");
}

#[test]
fn merge_patches() {
    let target = json!({"a": {"b": 1, "c": [1, 2]}});
    let apply = |patch: &str| merge(&target, patch.as_bytes());
    assert_eq!(apply(r#"{"a": {"b": null, "c": [3], "d": {"e": null}}}"#), Ok(json!({"a": {"c": [3], "d": {}}})));
    assert_eq!(apply("{").unwrap_err().to_string(), "error decoding patch: unexpected end of JSON input");
}

#[test]
fn json_patches() {
    let target = json!({"a": {"b": 1, "c": [1, 2]}});
    let apply = |patch: Value| json(&target, patch.to_string().as_bytes());
    let ok = json!([{"op": "test", "path": "/a/b", "value": 1}, {"op": "add", "path": "/a/c/-", "value": 3},
        {"op": "move", "from": "/a/b", "path": "/x~1y"}]);
    assert_eq!(apply(ok), Ok(json!({"a": {"c": [1, 2, 3]}, "x/y": 1})));
    for patch in [
        json!([{"op": "test", "path": "/a/b", "value": 7}]),
        json!([{"op": "replace", "path": "/nope/x", "value": 7}]),
        json!([{"op": "remove", "path": "/nope"}]),
        json!([{"op": "frob", "path": "/a"}]),
    ] {
        assert!(matches!(apply(patch.clone()), Err(PatchError::Invalid(_))), "{patch}");
    }
    assert_eq!(
        apply(json!({"op": "add"})).unwrap_err().to_string(),
        "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
    );
    let many = Value::Array(vec![json!({"op": "test", "path": "/a/b", "value": 1}); 10_001]);
    assert_eq!(
        apply(many).unwrap_err().to_string(),
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    );
}

#[test]
fn copies_of_copies_are_bounded() {
    let mut operations = vec![json!({"op": "add", "path": "/x", "value": ["a long enough text to begin with"]})];
    operations.extend((0..64).map(|_| json!({"op": "copy", "from": "/x", "path": "/x/-"})));
    let patch = Value::Array(operations).to_string();
    assert!(matches!(json(&json!({}), patch.as_bytes()), Err(PatchError::Invalid(_))));
}

/// Replays the patches recorded from upstream: each case's object is the answer of the one before.
#[test]
fn recorded_patches() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/upstream/writes.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let mut objects = std::collections::HashMap::<String, Value>::new();
    let mut replayed = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (request, response) = (&case["request"], &case["response"]);
        let url = request["path"].as_str().unwrap().split('?').next().unwrap().trim_end_matches("/status").to_owned();
        let schema = match response["body"]["kind"].as_str() {
            Some("Deployment") => Schema::of::<Deployment>(),
            Some("ConfigMap") => Schema::of::<ConfigMap>(),
            _ => continue,
        };
        let body = match &request["body"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let form = request["contentType"].as_str().unwrap_or_default();
        if let Some(old) = objects.get(&url).filter(|_| response["code"] == 200 && request["method"] == "PATCH") {
            let patched = match form {
                "application/strategic-merge-patch+json" => Some(strategic(&schema, old, body.as_bytes())),
                "application/merge-patch+json" => Some(merge(old, body.as_bytes())),
                "application/json-patch+json" => Some(json(old, body.as_bytes())),
                // Server-side apply is not a patch of ours, but what it made is the next case's object.
                _ => None,
            };
            if let Some(patched) = patched {
                let got = crate::schema::decode::decode_from_value(&schema, patched.unwrap()).unwrap();
                assert_eq!(got.unknown, Vec::<String>::new(), "{}", case["name"]);
                assert_eq!(comparable(got.value), comparable(response["body"].clone()), "{}", case["name"]);
                replayed += 1;
            }
        }
        let name = response["body"]["metadata"]["name"].as_str().unwrap_or_default();
        let key = if request["method"] == "POST" { format!("{url}/{name}") } else { url };
        if response["body"]["metadata"]["uid"].is_string() {
            objects.insert(key, comparable(response["body"].clone()));
        }
    }
    assert!(replayed >= 10, "only {replayed} patches were replayed");
}

/// Without what the server and its controllers add by themselves.
fn comparable(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["managedFields", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "annotations"] {
        metadata.remove(key);
    }
    object.as_object_mut().unwrap().remove("status");
    fill(&mut object);
    object
}

/// Adds the defaults that a new container gets after the patch.
fn fill(object: &mut Value) {
    let containers = object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        for (key, value) in [
            ("terminationMessagePath", json!("/dev/termination-log")),
            ("terminationMessagePolicy", json!("File")),
            ("imagePullPolicy", json!("Always")),
            ("resources", json!({})),
        ] {
            container.as_object_mut().unwrap().entry(key).or_insert(value);
        }
    }
}

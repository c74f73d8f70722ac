//! Compared with what kubectl's documentation says about declarative configuration, and with its strategic merge patches.

use serde_json::{Value, json};

use super::*;

fn document() -> Value {
    let list = |items: &str, key: &str| {
        json!({"type": "array", "items": {"allOf": [{"$ref": format!("#/components/schemas/{items}")}]},
            "x-kubernetes-patch-merge-key": key, "x-kubernetes-patch-strategy": "merge"})
    };
    json!({"components": {"schemas": {
        "Deployment": {
            "x-kubernetes-group-version-kind": [{"group": "apps", "version": "v1", "kind": "Deployment"}],
            "properties": {
                "metadata": {"properties": {"finalizers": {"type": "array", "x-kubernetes-patch-strategy": "merge"}}},
                "spec": {"$ref": "#/components/schemas/Spec"},
            },
        },
        "Spec": {"properties": {
            "strategy": {"x-kubernetes-patch-strategy": "retainKeys", "properties": {}},
            "containers": list("Container", "name"),
            "volumes": {"type": "array", "items": {"$ref": "#/components/schemas/Volume"},
                "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge,retainKeys"},
        }},
        "Container": {"properties": {"ports": list("Port", "containerPort"), "env": list("Env", "name"), "args": {"type": "array"}}},
        "Port": {}, "Env": {}, "Volume": {},
    }}})
}

fn patch(original: Value, modified: Value, current: Value) -> Value {
    let document = document();
    let schema = Schema::of_kind(&document, "apps", "v1", "Deployment").unwrap();
    strategic(Some(&original), &modified, &current, &schema)
}

fn with(containers: Value) -> Value {
    json!({"spec": {"containers": containers}})
}

#[test]
fn nothing_to_do_is_an_empty_patch() {
    let file = with(json!([{"name": "a", "image": "x"}]));
    let live = json!({"spec": {"replicas": 1, "containers": [{"name": "a", "image": "x", "imagePullPolicy": "Always", "args": []}]}, "status": {}});
    assert_eq!(patch(file.clone(), file, live), json!({}));
}

#[test]
fn a_field_set_by_others_stays_and_one_the_file_dropped_goes() {
    let original = json!({"spec": {"replicas": 2, "minReadySeconds": 5}});
    let modified = json!({"spec": {"replicas": 3}});
    let current = json!({"spec": {"replicas": 2, "minReadySeconds": 5, "paused": true}});
    assert_eq!(patch(original, modified, current), json!({"spec": {"replicas": 3, "minReadySeconds": null}}));
}

#[test]
fn a_changed_element_is_sent_with_its_key_and_the_order() {
    let original = with(json!([{"name": "a", "image": "x:1"}]));
    let modified = with(json!([{"name": "a", "image": "x:2"}]));
    let current = with(json!([{"name": "a", "image": "x:1", "imagePullPolicy": "Always"}]));
    assert_eq!(
        patch(original, modified, current),
        json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "image": "x:2"}]}})
    );
}

#[test]
fn an_element_of_the_last_file_is_deleted_and_one_of_others_is_not() {
    let original = with(json!([{"name": "a"}, {"name": "old"}]));
    let modified = with(json!([{"name": "a"}, {"name": "new", "image": "n"}]));
    let current = with(json!([{"name": "a"}, {"name": "old"}, {"name": "injected"}]));
    assert_eq!(
        patch(original, modified, current),
        json!({"spec": {
            "$setElementOrder/containers": [{"name": "a"}, {"name": "new"}],
            "containers": [{"name": "new", "image": "n"}, {"name": "old", "$patch": "delete"}],
        }})
    );
}

#[test]
fn nested_lists_merge_by_their_own_keys() {
    let original = with(json!([{"name": "a", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]));
    let modified = with(json!([{"name": "a", "env": [{"name": "A", "value": "9"}]}]));
    let current = original.clone();
    assert_eq!(
        patch(original, modified, current),
        json!({"spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "$setElementOrder/env": [{"name": "A"}],
                "env": [{"name": "A", "value": "9"}, {"name": "B", "$patch": "delete"}]}],
        }})
    );
}

#[test]
fn lists_without_a_strategy_are_replaced() {
    let original = with(json!([{"name": "a", "args": ["x"]}]));
    let modified = with(json!([{"name": "a", "args": ["x", "y"]}]));
    let expected = json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "args": ["x", "y"]}]}});
    assert_eq!(patch(original.clone(), modified, original), expected);
}

#[test]
fn keys_that_exclude_each_other_are_retained_by_name() {
    let original = json!({"spec": {"strategy": {"type": "RollingUpdate"}}});
    let modified = json!({"spec": {"strategy": {"type": "Recreate"}}});
    let current = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}});
    assert_eq!(patch(original, modified, current), json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}));
}

#[test]
fn lists_of_scalars_add_and_delete() {
    let with = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    assert_eq!(
        patch(with(json!(["a/a", "b/b"])), with(json!(["b/b", "c/c"])), with(json!(["a/a", "b/b", "other/x"]))),
        json!({"metadata": {
            "$setElementOrder/finalizers": ["b/b", "c/c"],
            "finalizers": ["c/c"],
            "$deleteFromPrimitiveList/finalizers": ["a/a"],
        }})
    );
}

#[test]
fn elements_without_their_key_make_the_list_atomic() {
    let original = with(json!([{"image": "x"}]));
    let modified = with(json!([{"image": "y"}]));
    assert_eq!(patch(original.clone(), modified, original), with(json!([{"image": "y"}])));
}

#[test]
fn unknown_kinds_get_a_json_merge_patch() {
    let original = json!({"spec": {"a": 1, "b": [1]}});
    let modified = json!({"spec": {"b": [1, 2]}});
    assert_eq!(json_merge(Some(&original), &modified, &original), json!({"spec": {"a": null, "b": [1, 2]}}));
    assert_eq!(json_merge(None, &modified, &original), json!({"spec": {"b": [1, 2]}}));
}

#[test]
fn the_annotation_is_the_bytes_kubectl_writes() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}, "data": {"x": "<&>"}});
    let annotated = with_last_applied(&object);
    assert_eq!(
        annotated["metadata"]["annotations"][LAST_APPLIED],
        "{\"apiVersion\":\"v1\",\"data\":{\"x\":\"\\u003c\\u0026\\u003e\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{},\"name\":\"a\",\"namespace\":\"default\"}}\n"
    );
    assert_eq!(with_last_applied(&annotated), annotated, "the annotation does not contain itself");
    assert_eq!(last_applied(&annotated).unwrap()["data"]["x"], "<&>");
}

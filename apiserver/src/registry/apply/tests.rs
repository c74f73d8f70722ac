//! Applies by table: what each manager ends up owning, and what becomes of the object.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod, Service},
};
use serde_json::json;

use super::{super::managed::Operation, *};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn who(manager: &str) -> Writer<'_> {
    Writer { manager, api_version: "v1", subresource: None, operation: Operation::Apply }
}

/// One object and the managers that act on it.
struct Stage {
    schema: Schema,
    object: Value,
    entries: Vec<Entry>,
}

impl Stage {
    fn new(schema: Schema) -> Self {
        Self { schema, object: json!({}), entries: Vec::new() }
    }

    fn apply(&mut self, manager: &str, config: &Value, force: bool) -> Result<(), String> {
        let applied = apply(&self.schema, &self.object, config, &self.entries, &who(manager), force, NOW).map_err(|c| c.to_string())?;
        (self.object, self.entries) = (applied.object, applied.entries);
        Ok(())
    }

    /// An update by somebody who does not apply.
    fn update(&mut self, manager: &str, object: Value) {
        let writer = Writer { operation: Operation::Update, ..who(manager) };
        let entries = managed::track(&self.schema, Some(self.entries.clone()), Some(&self.object), &object, &writer, NOW);
        (self.object, self.entries) = (object, entries.unwrap_or_default());
    }

    fn owns(&self, manager: &str) -> Value {
        let entry = self.entries.iter().find(|entry| entry.manager.as_deref() == Some(manager));
        entry.and_then(|entry| serde_json::from_str(entry.fields_v1.as_ref()?.text()).ok()).unwrap_or_default()
    }
}

fn data(data: &Value) -> Value {
    json!({ "data": data })
}

#[test]
fn a_manager_owns_what_it_says() {
    let mut stage = Stage::new(Schema::of::<ConfigMap>());
    stage.apply("alice", &data(&json!({ "a": "1", "b": "1" })), false).unwrap();
    assert_eq!(stage.owns("alice"), json!({ "f:data": { "f:a": {}, "f:b": {} } }));
    // What it does not say any more goes.
    stage.apply("alice", &data(&json!({ "a": "1" })), false).unwrap();
    assert_eq!(stage.object, data(&json!({ "a": "1" })));
    assert_eq!(stage.owns("alice"), json!({ "f:data": { "f:a": {} } }));
}

#[test]
fn what_two_want_alike_is_shared_and_stays_for_the_other() {
    let mut stage = Stage::new(Schema::of::<ConfigMap>());
    stage.apply("alice", &data(&json!({ "a": "1" })), false).unwrap();
    stage.apply("bob", &data(&json!({ "a": "1", "b": "2" })), false).unwrap();
    stage.apply("alice", &json!({}), false).unwrap();
    assert_eq!(stage.object, data(&json!({ "a": "1", "b": "2" })));
    assert_eq!(stage.owns("alice"), Value::Null);
    stage.apply("bob", &json!({}), false).unwrap();
    assert_eq!(stage.object, json!({}));
}

#[test]
fn what_another_owns_is_a_conflict_unless_forced() {
    let mut stage = Stage::new(Schema::of::<ConfigMap>());
    stage.apply("alice", &data(&json!({ "a": "1", "b": "1" })), false).unwrap();
    stage.update("editor", data(&json!({ "a": "1", "b": "2" })));
    let refused = stage.apply("bob", &data(&json!({ "a": "9", "b": "9" })), false).unwrap_err();
    assert_eq!(
        refused,
        "Apply failed with 2 conflicts: conflicts with \"alice\":\n- .data.a\nconflicts with \"editor\" using v1:\n- .data.b"
    );
    let refused = stage.apply("bob", &data(&json!({ "a": "9" })), false).unwrap_err();
    assert_eq!(refused, "Apply failed with 1 conflict: conflict with \"alice\": .data.a");
    assert_eq!(stage.object["data"]["a"], "1");
    stage.apply("bob", &data(&json!({ "a": "9", "b": "9" })), true).unwrap();
    assert_eq!(stage.owns("bob"), json!({ "f:data": { "f:a": {}, "f:b": {} } }));
    assert_eq!((stage.owns("alice"), stage.owns("editor")), (Value::Null, Value::Null));
}

#[test]
fn a_field_of_which_nobody_owns_anything_goes_with_its_defaults() {
    let mut stage = Stage::new(Schema::of::<Deployment>());
    let strategy = json!({ "spec": { "replicas": 1, "strategy": { "type": "RollingUpdate" } } });
    stage.apply("alice", &strategy, false).unwrap();
    // As defaulting does, which owns nothing.
    stage.object["spec"]["strategy"]["rollingUpdate"] = json!({ "maxSurge": 1 });
    stage.apply("alice", &json!({ "spec": { "replicas": 1 } }), false).unwrap();
    assert_eq!(stage.object, json!({ "spec": { "replicas": 1 } }));
}

#[test]
fn items_are_merged_by_key_in_the_order_of_the_applier() {
    let ports = |ports: &[(i64, &str)]| {
        let ports: Vec<_> = ports.iter().map(|(port, name)| json!({ "port": port, "protocol": "TCP", "name": name })).collect();
        json!({ "spec": { "ports": ports } })
    };
    let mut stage = Stage::new(Schema::of::<Service>());
    stage.apply("alice", &ports(&[(1, "a"), (2, "b"), (3, "c")]), false).unwrap();
    stage.apply("bob", &ports(&[(9, "z"), (3, "c")]), false).unwrap();
    let order: Vec<_> = stage.object["spec"]["ports"].as_array().unwrap().iter().map(|port| port["port"].as_i64().unwrap()).collect();
    assert_eq!(order, [1, 2, 9, 3]);
    stage.apply("alice", &ports(&[(3, "c"), (1, "a")]), false).unwrap();
    let order: Vec<_> = stage.object["spec"]["ports"].as_array().unwrap().iter().map(|port| port["port"].as_i64().unwrap()).collect();
    assert_eq!(order, [9, 3, 1]);
}

#[test]
fn a_key_that_is_left_out_has_its_default() {
    let mut stage = Stage::new(Schema::of::<Service>());
    stage.object = json!({ "spec": { "ports": [{ "port": 80, "protocol": "TCP" }] } });
    stage.apply("alice", &json!({ "spec": { "ports": [{ "port": 80, "name": "web" }] } }), false).unwrap();
    assert_eq!(stage.object, json!({ "spec": { "ports": [{ "port": 80, "protocol": "TCP", "name": "web" }] } }));
}

#[test]
fn an_apply_that_says_nothing_new_changes_nothing() {
    let mut stage = Stage::new(Schema::of::<Pod>());
    let pod = json!({ "spec": { "containers": [{ "name": "c", "image": "i", "env": [{ "name": "A", "value": "1" }] }] } });
    stage.apply("alice", &pod, false).unwrap();
    let (object, entries) = (stage.object.clone(), stage.entries.clone());
    let later = Timestamp::from_second(60).unwrap();
    let again = apply(&stage.schema, &stage.object, &pod, &stage.entries, &who("alice"), false, later).unwrap();
    assert_eq!((again.object, again.entries), (object, entries));
}

#[test]
fn two_items_of_one_key_are_found() {
    let twice = json!({ "spec": { "containers": [{ "name": "c" }, { "name": "c" }] } });
    let found = duplicate(&Schema::of::<Pod>(), &twice);
    assert_eq!(found.as_deref(), Some(".spec.containers: duplicate entries for key [name=\"c\"]"));
}

#[test]
fn nulls_that_are_not_kept_are_no_news() {
    let (schema, config) = (Schema::of::<ConfigMap>(), json!({ "data": { "a": "1" }, "immutable": null }));
    let at = |second| Timestamp::from_second(second).unwrap();
    let apply_at = |live: &Value, entries: &[Entry], second| {
        apply(&schema, live, &config, entries, &who("alice"), false, at(second)).map_err(|conflicts| conflicts.to_string()).unwrap()
    };
    let first = apply_at(&json!({}), &[], 1);
    // The object is stored without its nulls.
    let again = apply_at(&data(&json!({ "a": "1" })), &first.entries, 2);
    assert_eq!(again.entries[0].time, first.entries[0].time);
    let other = apply_at(&data(&json!({ "a": "2" })), &first.entries, 2);
    assert_ne!(other.entries[0].time, first.entries[0].time);
}

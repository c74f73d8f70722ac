//! Plays what upstream answered, as far as the rules alone decide the answer, and lists where ours differ.
//!
//! The recordings are not part of the repository; without them there is nothing to play.

use serde_json::{Map, Value, json};

use super::{Kind, Version, field::Errors, rules::Object, subresource::Moment, table};
use crate::schema::decode;

/// Fields that admission and allocation set, which the rules do not know.
const NOT_RULES: &[&str] = &[
    "/metadata",
    "/spec/serviceAccount",
    "/spec/serviceAccountName",
    "/spec/tolerations",
    "/spec/priority",
    "/spec/preemptionPolicy",
    "/spec/taints",
    "/spec/clusterIP",
    "/spec/clusterIPs",
    // An empty list, which is null once it is stored.
    "/spec/drivers",
];

/// Nobody is authenticated yet: who asks is another one.
const WHO_ASKS: &str = "create SelfSubjectReview ";
/// The UID of every object here.
const UID: &str = "00000000-0000-4000-8000-000000000000";

struct Case {
    name: String,
    body: Value,
    code: u64,
    answer: Value,
    kind: usize,
    version: usize,
}

/// The POSTs of a recording to kinds of ours.
fn cases(file: &str, table: &[Kind]) -> Option<Vec<Case>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/upstream/");
    let text = std::fs::read_to_string(format!("{path}{file}")).ok()?;
    let mut cases = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(&one_uid(line)).unwrap();
        let request = &line["request"];
        let route = request["path"].as_str().unwrap().split('?').next().unwrap();
        let mut steps = route.split('/').skip(1);
        let api_version = match (steps.next(), steps.next(), steps.next()) {
            (Some("api"), Some(version), _) => version.to_owned(),
            (Some("apis"), Some(group), Some(version)) => format!("{group}/{version}"),
            _ => continue,
        };
        let plural = route.rsplit('/').next().unwrap();
        let Some(kind) = table.iter().position(|kind| kind.plural == plural && kind.versions.iter().any(|v| v.api_version == api_version))
        else {
            continue;
        };
        // What is only listed so far has no rules to play.
        if request["method"] != "POST" || !request["body"].is_object() || table[kind].later.is_some() {
            continue;
        }
        cases.push(Case {
            name: line["name"].as_str().unwrap().to_owned(),
            body: request["body"].clone(),
            code: line["response"]["code"].as_u64().unwrap(),
            answer: line["response"]["body"].clone(),
            kind,
            version: table[kind].versions.iter().position(|v| v.api_version == api_version).unwrap(),
        });
    }
    Some(cases)
}

/// The text with [`UID`] in place of every UID: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn one_uid(text: &str) -> String {
    let is_uid = |word: &str| {
        word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && word.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-')
    };
    let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    words
        .map(|word| match word.get(..UID.len()) {
            Some(start) if is_uid(start) => word.replacen(start, UID, 1),
            _ => word.to_owned(),
        })
        .collect()
}

/// What the registry does to a new object, without admission.
fn create(kind: &Kind, version: &Version, body: &Value) -> (Box<dyn Object>, Errors) {
    let mut value = decode::decode_from_value(&(version.schema)(), body.clone()).unwrap().value;
    (version.conversion.upgrade)(&mut value);
    let fields = value.as_object_mut().unwrap();
    fields.remove("kind");
    fields.remove("apiVersion");
    if kind.computed.is_none() {
        value["metadata"]["namespace"] = json!("default");
        value["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        value["metadata"]["uid"] = json!(UID);
    }
    let mut object = kind.behaviour.decode(value.to_string().as_bytes()).unwrap();
    kind.behaviour.defaults(&mut *object);
    kind.behaviour.on_create(&mut *object);
    let mut errors = Errors::new();
    kind.behaviour.validate(&*object, &mut errors);
    kind.behaviour.validate_create(&*object, &mut errors);
    if let Some(compute) = kind.computed.filter(|_| errors.is_empty()) {
        Moment::alone(|moment| compute(&mut *object, moment)).unwrap();
    }
    (object, errors)
}

/// Removes what the rules do not decide, and nulls.
fn comparable(mut value: Value) -> Value {
    for pointer in NOT_RULES {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        if let Some(Value::Object(map)) = value.pointer_mut(parent) {
            map.remove(field);
        }
    }
    strip(&mut value);
    value
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(strip);
            for field in ["volumes", "volumeMounts"] {
                if let Some(Value::Array(list)) = map.get_mut(field) {
                    list.retain(|item| !item["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-")));
                    if list.is_empty() {
                        map.remove(field);
                    }
                }
            }
            for (field, time) in
                [("lastTransitionTime", json!("<time>")), ("eventTime", json!("<time>")), ("lastPhaseTransitionTime", json!("<time>"))]
            {
                if map.contains_key(field) {
                    map.insert(field.to_owned(), time);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Which fields differ: `spec.a: ours, theirs`.
fn differences(ours: &Value, theirs: &Value, path: &str, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                differences(&of(a), &of(b), &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}[{index}]"), found);
            }
        }
        (a, b) if a != b => found.push(format!("{path}: {a}, {b}")),
        _ => {}
    }
}

#[test]
fn minimal_objects_become_what_upstream_makes_of_them() {
    let table = table();
    let Some(cases) = cases("kinds.jsonl", &table) else { return };
    let mut found = Vec::new();
    for case in cases.iter().filter(|case| case.code == 201 && !case.name.ends_with("pod-limited") && case.name != WHO_ASKS) {
        let kind = &table[case.kind];
        let version = &kind.versions[case.version];
        let (object, errors) = create(kind, version, &case.body);
        assert!(errors.is_empty(), "{}: {errors}", case.name);
        let mut ours: Value = serde_json::from_slice(&object.json().unwrap()).unwrap();
        (version.conversion.downgrade)(&mut ours);
        ours["apiVersion"] = json!(version.api_version);
        let mut differing = Vec::new();
        differences(&comparable(ours), &comparable(case.answer.clone()), "", &mut differing);
        found.extend(differing.into_iter().map(|difference| format!("{}{difference}", case.name)));
    }
    assert!(found.is_empty(), "ours, theirs:\n{}", found.join("\n"));
}

#[test]
fn bad_objects_are_refused_in_upstreams_words() {
    let table = table();
    let Some(cases) = cases("invalid.jsonl", &table) else { return };
    let (mut count, mut found) = (0, Vec::new());
    for case in cases.iter().filter(|case| case.code == 422 && case.answer["details"]["name"] == case.body["metadata"]["name"]) {
        let message = case.answer["message"].as_str().unwrap();
        let theirs = message.split_once("is invalid: ").map_or(message, |(_, causes)| causes);
        if theirs.trim_start_matches('[').starts_with("metadata.")
            || theirs.contains("failed to allocate")
            || theirs.contains("valid ports is")
        {
            continue;
        }
        count += 1;
        let kind = &table[case.kind];
        let (_, errors) = create(kind, &kind.versions[case.version], &case.body);
        if errors.to_string() != theirs {
            found.push(format!("{}:\n  ours   {errors}\n  theirs {theirs}", case.name));
        }
    }
    assert!(count > 70, "only {count} cases were found");
    assert!(found.is_empty(), "{} of {count} differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn tables_have_upstreams_columns() {
    let table = table();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/upstream/tables.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let (mut count, mut found) = (0, Vec::new());
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = line["name"].as_str().unwrap();
        let Some(kind) = table.iter().find(|kind| name == format!("table {}", kind.name)) else { continue };
        let ours: Vec<Value> = kind
            .behaviour
            .headings()
            .iter()
            .map(|heading| json!({"name": heading.name, "type": heading.kind, "format": heading.format, "priority": heading.priority}))
            .collect();
        let mut theirs = line["response"]["body"]["columnDefinitions"].clone();
        theirs.as_array_mut().unwrap().iter_mut().for_each(|column| _ = column.as_object_mut().unwrap().remove("description"));
        let mut differing = Vec::new();
        differences(&Value::from(ours), &theirs, "", &mut differing);
        found.extend(differing.into_iter().map(|difference| format!("{name}{difference}")));
        count += 1;
    }
    assert!(count > 12, "only {count} tables were found");
    assert!(found.is_empty(), "ours, theirs:\n{}", found.join("\n"));
}

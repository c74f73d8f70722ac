//! Messages made by hand, and what becomes of them.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        autoscaling::v1::Scale,
        coordination::v1::Lease,
        core::v1::{Binding, ConfigMap, Namespace, PersistentVolume, Pod, Secret},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::DeleteOptions,
};
use schemars::JsonSchema;
use serde_json::json;

use super::*;
use crate::schema::decode::decode;

/// A number of many bytes.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A number in a field.
fn int(field: u64, number: i64) -> Vec<u8> {
    [varint(field << 3), varint(number as u64)].concat()
}

/// Bytes, a string or a message in a field.
fn put(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A message in a field, made of these parts.
fn message(field: u64, parts: &[Vec<u8>]) -> Vec<u8> {
    put(field, parts.concat())
}

fn envelope(api_version: &str, kind: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let said = message(1, &[put(1, api_version), put(2, kind)]);
    [MAGIC.to_vec(), said, message(2, parts), put(3, ""), put(4, "")].concat()
}

fn kind_of(schema: &Schema) -> &str {
    schema.as_struct().map_or("", Struct::go_name)
}

fn json_of<K: JsonSchema>(parts: &[Vec<u8>]) -> Value {
    let schema = Schema::of::<K>();
    let kind = kind_of(&schema);
    let mut value = read(&schema, &envelope("v1", kind, parts)).expect("reads");
    let object = value.as_object_mut().expect("an object");
    assert_eq!((object.remove("apiVersion"), object.remove("kind")), (Some(json!("v1")), Some(json!(kind))));
    value
}

fn refused<K: JsonSchema>(parts: &[Vec<u8>]) -> String {
    let schema = Schema::of::<K>();
    let kind = kind_of(&schema);
    match read(&schema, &envelope("v1", kind, parts)) {
        Err(Refusal::Malformed { said, fault }) => {
            assert_eq!((said.api_version.as_str(), said.kind.as_str()), ("v1", kind));
            fault.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_namespace_as_kubectl_sends_it() {
    // kubectl writes every field that is no pointer, set or not.
    let metadata = [put(1, "team"), put(2, ""), put(3, ""), put(4, ""), put(5, ""), put(6, ""), int(7, 0), message(8, &[])];
    let body = envelope("v1", "Namespace", &[message(1, &metadata), message(2, &[]), message(3, &[put(1, "")])]);
    let value = read(&Schema::of::<Namespace>(), &body).expect("reads");
    assert_eq!((&value["apiVersion"], &value["kind"]), (&json!("v1"), &json!("Namespace")));
    assert!(value["metadata"].get("creationTimestamp").is_none());
    let decoded = decode(&Schema::of::<Namespace>(), value.to_string().as_bytes()).expect("decodes");
    let plain = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team" } });
    assert_eq!(decoded, decode(&Schema::of::<Namespace>(), plain.to_string().as_bytes()).expect("decodes"));
}

#[test]
fn maps_bytes_and_text() {
    let entry = |key: &str, value: &str| vec![put(1, key), put(2, value)];
    let map = json_of::<ConfigMap>(&[
        message(2, &entry("a", "b")),
        message(2, &[put(1, "only-key")]),
        message(2, &entry("a", "the last wins")),
        message(3, &[put(1, "binary"), put(2, [0xff, 0x00])]),
        int(4, 1),
    ]);
    let want = json!({ "data": { "a": "the last wins", "only-key": "" }, "binaryData": { "binary": "/wA=" }, "immutable": true });
    assert_eq!(map, want);
    let secret = json_of::<Secret>(&[message(2, &[put(1, "k"), put(2, "")]), put(3, b"not\xffutf-8")]);
    assert_eq!(secret, json!({ "data": { "k": "" }, "type": "not\u{fffd}utf-8" }));
}

#[test]
fn a_deployment_and_what_is_in_its_pods() {
    let limits = message(1, &[put(1, "cpu"), message(2, &[put(1, "100m")])]);
    let probe = message(10, &[message(1, &[message(2, &[put(1, "/"), message(2, &[int(1, 1), int(2, 0), put(3, "http")])])]), int(2, -5)]);
    let from = message(7, &[put(1, "E"), message(3, &[message(3, &[message(1, &[put(1, "settings")]), put(2, "key")])])]);
    let container = message(2, &[put(1, "c"), put(2, "nginx"), message(6, &[int(3, 80)]), from, message(8, &[limits]), probe, put(3, "x")]);
    let volume = message(1, &[put(1, "v"), message(2, &[message(2, &[])])]);
    let groups = message(14, &[put(4, [varint(1), varint(2000)].concat()), int(4, 3)]);
    let template = message(3, &[message(1, &[message(11, &[put(1, "app"), put(2, "web")])]), message(2, &[volume, container, groups])]);
    let update = message(2, &[message(1, &[int(1, 0), int(2, 3), put(3, "")]), message(2, &[int(1, 1), int(2, 0), put(3, "25%")])]);
    let spec = message(2, &[int(1, 3), template, message(4, &[put(1, "RollingUpdate"), update])]);
    let managed =
        message(17, &[put(1, "m"), message(4, &[int(1, 1_767_225_600), int(2, 999_999_999)]), message(7, &[put(1, r#"{"f:a":{}}"#)])]);
    let got = json_of::<Deployment>(&[message(1, &[put(1, "web"), managed]), spec]);
    let want = json!({
        "metadata": { "name": "web", "managedFields": [{ "manager": "m", "time": "2026-01-01T00:00:00Z", "fieldsV1": { "f:a": {} } }] },
        "spec": {
            "replicas": 3,
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 3, "maxSurge": "25%" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": {
                    "volumes": [{ "name": "v", "emptyDir": {} }],
                    "securityContext": { "supplementalGroups": [1, 2000, 3] },
                    "containers": [{
                        "name": "c", "image": "nginx", "command": ["x"], "ports": [{ "containerPort": 80 }],
                        "env": [{ "name": "E", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "key" } } }],
                        "resources": { "limits": { "cpu": "100m" } },
                        "livenessProbe": { "httpGet": { "path": "/", "port": "http" }, "initialDelaySeconds": -5 },
                    }],
                },
            },
        },
    });
    assert_eq!(got, want);
    let decoded = decode(&Schema::of::<Deployment>(), got.to_string().as_bytes()).expect("decodes");
    assert!(decoded.unknown.is_empty() && decoded.duplicate.is_empty());
}

#[test]
fn what_is_not_an_object_of_the_store() {
    let options = json_of::<DeleteOptions>(&[int(1, 0), message(2, &[put(1, "u")]), put(4, "Foreground"), put(5, "All")]);
    let want = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": "u" }, "propagationPolicy": "Foreground", "dryRun": ["All"] });
    assert_eq!(options, want);
    assert_eq!(json_of::<Scale>(&[message(2, &[int(1, 4)])]), json!({ "spec": { "replicas": 4 } }));
    assert_eq!(json_of::<Binding>(&[message(2, &[put(1, "Node"), put(3, "n")])]), json!({ "target": { "kind": "Node", "name": "n" } }));
    let lease = json_of::<Lease>(&[message(2, &[message(4, &[int(1, 1), int(2, 1999)])])]);
    assert_eq!(lease, json!({ "spec": { "renewTime": "1970-01-01T00:00:01.000001Z" } }));
    let volume = json_of::<PersistentVolume>(&[message(2, &[message(2, &[message(3, &[put(1, "/data")])])])]);
    assert_eq!(volume, json!({ "spec": { "hostPath": { "path": "/data" } } }));
}

#[test]
fn schemas_of_custom_resources_and_their_unions() {
    let text = |kind: &str| vec![put(5, kind)];
    let properties = message(29, &[put(1, "list"), message(2, &[put(5, "array"), message(24, &[message(1, &text("string"))])])]);
    let double = [varint(9 << 3 | 1), 1.5_f64.to_le_bytes().to_vec()].concat();
    let schema = [
        put(5, "object"),
        message(8, &[put(1, r#"{"a":[1]}"#)]),
        double,
        properties,
        message(20, &[put(1, "1")]),
        message(20, &[put(1, "\"x\"")]),
        message(30, &[int(1, 1), message(2, &text("integer"))]),
        message(32, &[put(1, "d"), message(2, &[put(2, "a"), put(2, "b")])]),
        message(33, &[int(1, 0)]),
    ];
    let version = message(7, &[put(1, "v1"), message(4, &[message(1, &schema)]), message(5, &[message(1, &[])])]);
    let got = json_of::<CustomResourceDefinition>(&[message(2, &[version])]);
    let want = json!({
        "type": "object", "default": { "a": [1] }, "maximum": 1.5, "enum": [1, "x"],
        "properties": { "list": { "type": "array", "items": { "type": "string" } } },
        "additionalProperties": { "type": "integer" }, "additionalItems": false, "dependencies": { "d": ["a", "b"] },
    });
    assert_eq!(got["spec"]["versions"][0]["schema"]["openAPIV3Schema"], want);
    assert_eq!(got["spec"]["versions"][0]["subresources"], json!({ "status": {} }));
}

#[test]
fn unknown_fields_are_skipped_and_parts_of_one_message_add_up() {
    let fixed = [varint(900 << 3 | 5), vec![1, 2, 3, 4]].concat();
    let group = [varint(901 << 3 | 3), int(1, 1), varint(2 << 3 | 3), varint(2 << 3 | 4), varint(901 << 3 | 4)].concat();
    let parts = [fixed, group, put(902, "x"), int(903, -1), message(1, &[put(1, "a")]), message(1, &[put(3, "b")])];
    assert_eq!(json_of::<Pod>(&parts), json!({ "metadata": { "name": "a", "namespace": "b" } }));
}

#[test]
fn malformed_bodies_are_refused_in_upstreams_words() {
    let unrecognized = |body: &[u8]| match read(&Schema::of::<ConfigMap>(), body) {
        Err(Refusal::Unrecognized(message)) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(unrecognized(b""), "empty data");
    assert_eq!(unrecognized(b"k8s\0"), "empty body");
    assert_eq!(unrecognized(b"k8s\0junk"), "unexpected EOF");
    let no_magic = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
    assert_eq!(unrecognized(b"{\"kind\":\"ConfigMap\"}"), no_magic);
    assert_eq!(unrecognized(b"k8s\0\x00"), "proto: illegal tag 0");
    assert_eq!(refused::<ConfigMap>(&[int(2, 1)]), "proto: wrong wireType = 0 for field data");
    assert_eq!(refused::<ConfigMap>(&[vec![0xff; 11]]), "proto: integer overflow");
    assert_eq!(refused::<ConfigMap>(&[vec![0x0f]]), "proto: illegal wireType 7");
    assert_eq!(refused::<ConfigMap>(&[vec![0x0c]]), "proto: unexpected end of group");
    assert_eq!(refused::<ConfigMap>(&[[varint(1 << 3 | 2), varint(u64::MAX)].concat()]), "unexpected EOF");
    assert!(refused::<StatefulSet>(&[message(1, &[message(17, &[message(7, &[put(1, "{")])])])]).starts_with("embedded JSON: "));
    assert!(refused::<Pod>(&[message(1, &[message(8, &[int(1, i64::MAX)])])]).contains("second"));
    let mut nested = put(5, "object");
    for _ in 0..1000 {
        nested = put(27, nested);
    }
    let version = message(7, &[message(4, &[put(1, nested)])]);
    assert_eq!(refused::<CustomResourceDefinition>(&[message(2, &[version])]), "proto: messages are nested too deep");
}

#[test]
fn an_object_of_another_kind_is_not_taken_for_one_of_this() {
    let body = envelope("apps/v1", "Deployment", &[message(2, &[int(1, 5)])]);
    let Err(Refusal::Malformed { fault, .. }) = read(&Schema::of::<Scale>(), &body) else { panic!("taken for a Scale") };
    assert_eq!(fault.to_string(), "converting (v1.Deployment) to (autoscaling.Scale): unknown conversion");
    // Who does not say what it is means what the path says.
    let unsaid = [MAGIC.to_vec(), message(2, &[message(2, &[int(1, 5)])])].concat();
    assert_eq!(read(&Schema::of::<Scale>(), &unsaid), Ok(json!({ "spec": { "replicas": 5 } })));
}

/// Numbers that look random and are the same every time.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// Whatever is read can be decoded or is refused; nothing panics.
fn survive(schema: &Schema, body: &[u8]) {
    if let Ok(value) = read(schema, body) {
        let _ = decode(schema, value.to_string().as_bytes());
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut next = noise(7);
    let schemas =
        [Schema::of::<Deployment>(), Schema::of::<CustomResourceDefinition>(), Schema::of::<Lease>(), Schema::of::<DeleteOptions>()];
    for round in 0..4_000 {
        let schema = &schemas[round % schemas.len()];
        // Small tags and lengths reach deep; large ones try the limits.
        let junk: Vec<u8> =
            (0..next() % 200).map(|_| if next().is_multiple_of(3) { next() as u8 } else { (next() % 0x30) as u8 }).collect();
        survive(schema, &envelope("v1", kind_of(schema), std::slice::from_ref(&junk)));
        survive(schema, &[MAGIC, junk.as_slice()].concat());
    }
    let inner = message(2, &[message(3, &[message(2, &[message(2, &[put(1, "c"), message(8, &[message(1, &[put(1, "cpu")])])])])])]);
    let good = envelope("apps/v1", "Deployment", &[message(1, &[put(1, "web"), message(8, &[int(1, 5)])]), inner]);
    for at in 0..good.len() {
        survive(&schemas[0], &good[..at]);
        for _ in 0..20 {
            let mut bad = good.clone();
            bad[at] = next() as u8;
            survive(&schemas[0], &bad);
        }
    }
}

/// Fields that the table has no number for: alpha in 1.36, and newer than the messages it was read off. Upstream drops them
/// too unless their feature is switched on.
const ALPHA: &[&str] = &[
    "core.v1.PodSpec.schedulingGroup",
    "core.v1.PodStatus.nodeAllocatableResourceClaimStatuses",
    "core.v1.ResourceHealth.message",
    "core.v1.VolumeMountStatus.volumeStatus",
    "storage.v1.CSIDriverSpec.preventPodSchedulingIfMissing",
];

/// Collects the fields reachable from a type that have no number.
fn unnumbered(schema: &Schema, seen: &mut BTreeSet<String>, missing: &mut BTreeSet<String>) {
    match schema {
        Schema::List(list) => return unnumbered(&list.elem, seen, missing),
        Schema::Map(map) => return unnumbered(&map.elem, seen, missing),
        _ => {}
    }
    let Some(of) = schema.as_struct().filter(|of| seen.insert(of.name().to_owned())) else { return };
    let mut numbered = BTreeSet::new();
    let mut messages = vec![of.name()];
    while let Some(message) = messages.pop() {
        for tag in facts::tags(message).unwrap_or_default() {
            if tag.field == "." { messages.push(tag.message) } else { assert!(numbered.insert(tag.field), "{message}.{}", tag.field) }
        }
    }
    // What an object is, is told in the envelope.
    let is_body = of.field("metadata").is_some() || of.name() == "meta.v1.DeleteOptions";
    let of_envelope = |name: &str| is_body && matches!(name, "apiVersion" | "kind");
    for field in of.fields().iter().filter(|field| !of_envelope(&field.name)) {
        let name = format!("{}.{}", of.name(), field.name);
        if ALPHA.contains(&name.as_str()) {
            assert!(!numbered.contains(&*field.name), "{name} has a number now");
            continue;
        }
        if !numbered.contains(&*field.name) {
            missing.insert(name);
        }
        unnumbered(&field.schema, seen, missing);
    }
}

#[test]
fn every_field_of_every_body_has_its_number() {
    let table = crate::kinds::table();
    let bodies = table.iter().flat_map(|kind| kind.subresources).filter_map(|sub| sub.body);
    let kinds = table.iter().flat_map(|kind| &kind.versions).map(|version| version.schema);
    let (mut seen, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for schema in kinds.chain(bodies).chain([Schema::of::<DeleteOptions> as fn() -> Schema, Schema::of::<Scale>]) {
        unnumbered(&schema(), &mut seen, &mut missing);
    }
    assert!(seen.len() > 150, "{}", seen.len());
    assert!(missing.is_empty(), "{missing:#?}");
}

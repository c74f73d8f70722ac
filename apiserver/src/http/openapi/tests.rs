//! What clients look for in the documents.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::*;

const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

fn root<K: JsonSchema>() -> schemars::Schema {
    SchemaSettings::openapi3().into_generator().into_root_schema_for::<K>()
}

fn deployment(group: &'static str, version: &'static str) -> Resource<'static> {
    let sub = |name, group, version, kind| Subresource { name, group, version, kind, verbs: &["get", "patch", "update"], connects: None };
    Resource {
        group,
        version,
        kind: "Deployment",
        plural: "deployments",
        namespaced: true,
        verbs: VERBS,
        subresources: vec![sub("status", group, version, "Deployment"), sub("scale", "autoscaling", "v1", "Scale")],
        optional: if version == "v1" { &[] } else { &["selector"] },
        json_schema: root::<Deployment>(),
    }
}

fn resources() -> Vec<Resource<'static>> {
    let core = |kind, plural, namespaced, json_schema| Resource {
        group: "",
        version: "v1",
        kind,
        plural,
        namespaced,
        verbs: VERBS,
        subresources: vec![
            Subresource { name: "binding", group: "", version: "v1", kind: "Binding", verbs: &["create"], connects: None },
            Subresource { name: "proxy", group: "", version: "v1", kind: "PodProxyOptions", verbs: &["get"], connects: Some(true) },
        ],
        optional: &[],
        json_schema,
    };
    vec![
        core("Pod", "pods", true, root::<Pod>()),
        core("Namespace", "namespaces", false, root::<Namespace>()),
        deployment("apps", "v1"),
        deployment("extensions", "v1beta1"),
    ]
}

fn parsed(document: &Document) -> Value {
    serde_json::from_slice(&document.body).unwrap()
}

/// Every reference of a document must lead somewhere.
fn check_references(document: &Value, value: &Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get("$ref") {
                assert!(document.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
            }
            object.values().for_each(|v| check_references(document, v));
        }
        Value::Array(items) => items.iter().for_each(|v| check_references(document, v)),
        _ => {}
    }
}

#[test]
fn version_3() {
    let document = parsed(&v3_document(&resources(), "apps", "v1"));
    check_references(&document, &document);
    let schemas = &document["components"]["schemas"];
    let kind = &schemas["io.k8s.api.apps.v1.Deployment"];
    assert_eq!(kind["x-kubernetes-group-version-kind"], json!([{"group": "apps", "version": "v1", "kind": "Deployment"}]));
    assert!(kind.get("required").is_none());
    let spec = &schemas["io.k8s.api.apps.v1.DeploymentSpec"];
    assert_eq!(spec["required"], json!(["selector", "template"]));
    assert_eq!(spec["properties"]["strategy"]["x-kubernetes-patch-strategy"], "retainKeys");
    assert_eq!(spec["properties"]["strategy"]["allOf"][0]["$ref"], "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy");
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert!(schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]["oneOf"].is_array());
    assert!(schemas["io.k8s.api.apps.v1.DeploymentList"]["properties"]["items"].is_object());

    let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    assert_eq!(patch["x-kubernetes-group-version-kind"], json!({"group": "apps", "version": "v1", "kind": "Deployment"}));
    assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
    let names: Vec<_> = patch["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"fieldValidation") && names.contains(&"dryRun"));
    let everywhere = document["paths"]["/apis/apps/v1/deployments"].as_object().unwrap();
    assert_eq!(everywhere.keys().collect::<Vec<_>>(), ["get", "parameters"]);
    let scale = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["get"];
    assert_eq!(scale["x-kubernetes-group-version-kind"]["kind"], "Scale");
}

#[test]
fn old_versions_are_their_own_kinds() {
    let document = parsed(&v3_document(&resources(), "extensions", "v1beta1"));
    check_references(&document, &document);
    let kind = &document["components"]["schemas"]["io.k8s.api.extensions.v1beta1.Deployment"];
    assert_eq!(kind["x-kubernetes-group-version-kind"][0]["group"], "extensions");
    assert!(document["paths"]["/apis/extensions/v1beta1/namespaces/{namespace}/deployments"]["post"].is_object());
    // They did not insist on a selector, and a client that checks by the document must know.
    let spec =
        |document: &Value, version: &str| document["definitions"][format!("io.k8s.api.{version}.DeploymentSpec")]["required"].clone();
    let v2 = parsed(&v2_document(&resources()));
    check_references(&v2, &v2);
    assert_eq!(spec(&v2, "extensions.v1beta1"), json!(["template"]));
    assert_eq!(spec(&v2, "apps.v1"), json!(["selector", "template"]));
    let property = v2["definitions"]["io.k8s.api.extensions.v1beta1.Deployment"]["properties"]["spec"].to_string();
    assert!(property.contains("#/definitions/io.k8s.api.extensions.v1beta1.DeploymentSpec"), "{property}");
}

#[test]
fn core_and_cluster_scope() {
    let document = parsed(&v3_document(&resources(), "", "v1"));
    check_references(&document, &document);
    let paths = document["paths"].as_object().unwrap();
    assert!(paths["/api/v1/namespaces/{name}"]["put"].is_object());
    assert!(paths["/api/v1/namespaces/{namespace}/pods/{name}/binding"]["post"].is_object());
    let proxy = &paths["/api/v1/namespaces/{namespace}/pods/{name}/proxy"]["get"];
    assert_eq!((&proxy["operationId"], &proxy["x-kubernetes-action"]), (&json!("connectCoreV1GetNamespacedPodProxy"), &json!("connect")));
    let below = &paths["/api/v1/namespaces/{namespace}/pods/{name}/proxy/{path}"];
    assert_eq!(below["get"]["operationId"], "connectCoreV1GetNamespacedPodProxyWithPath");
    assert_eq!(below["parameters"][2]["name"], "path");
    assert!(!paths.contains_key("/api/v1/namespaces/{namespace}/namespaces"));
}

#[test]
fn version_2() {
    let document = parsed(&v2_document(&resources()));
    check_references(&document, &document);
    let definitions = &document["definitions"];
    assert_eq!(definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"], "int-or-string");
    let strategy = &definitions["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"];
    assert_eq!(strategy["$ref"], "#/definitions/io.k8s.api.apps.v1.DeploymentStrategy");
    assert!(strategy["description"].is_string());
}

#[test]
fn index_and_hashes() {
    let document = v3_document(&resources(), "apps", "v1");
    assert_eq!(document.hash, v3_document(&resources(), "apps", "v1").hash);
    let index: Value = serde_json::from_slice(&v3_index([("apis/apps/v1", document.hash.as_str())]).body).unwrap();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap();
    assert_eq!(url, format!("/openapi/v3/apis/apps/v1?hash={}", document.hash));
}

/// Reads the top level of a protobuf message: field numbers and their bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        assert_eq!(tag & 7, 2, "length-delimited");
        let length = varint(&mut bytes) as usize;
        found.push((tag >> 3, &bytes[..length]));
        bytes = &bytes[length..];
    }
    found
}

#[test]
fn protobuf_holds_the_definitions() {
    let document = v2_protobuf(&resources());
    let top = fields(&document.body);
    assert_eq!(top.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2, 8, 9]);
    assert_eq!(top[0].1, b"2.0");
    let names: Vec<_> = fields(top[3].1).iter().map(|(_, entry)| fields(entry)[0].1).collect();
    assert!(names.contains(&b"io.k8s.api.core.v1.PodSpec".as_slice()));
}

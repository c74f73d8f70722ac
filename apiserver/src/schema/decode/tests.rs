//! Bodies and what upstream says about them.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Secret};
use schemars::JsonSchema;
use serde_json::json;

use super::*;

fn read<K: JsonSchema>(body: &Value) -> Value {
    decode(&Schema::of::<K>(), body.to_string().as_bytes()).expect("decodes").value
}

fn fails<K: JsonSchema>(body: &str) -> String {
    decode(&Schema::of::<K>(), body.as_bytes()).expect_err("fails").to_string()
}

fn pod(container: Value) -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": [container]}})
}

#[test]
fn unknown_and_duplicate_fields_are_named_and_dropped() {
    let body = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad","name":"good","labels":{"x":"1","x":"2"}},
        "spec":{"containers":[{"name":"c","image":"i","imagee":{"deep":[1]}}]},"sepc":{}}"#;
    let decoded = decode(&Schema::of::<Pod>(), body.as_bytes()).unwrap();
    assert_eq!(decoded.unknown, ["spec.containers[0].imagee", "sepc"]);
    assert_eq!(decoded.duplicate, ["metadata.name", "metadata.labels.x"]);
    assert_eq!(decoded.value["metadata"], json!({"name": "good", "labels": {"x": "2"}}));
    assert!(decoded.value.get("sepc").is_none());
    let from_tree = decode_from_value(&Schema::of::<Pod>(), serde_json::from_str(body).unwrap()).unwrap();
    assert_eq!((from_tree.value, from_tree.unknown), (decoded.value, vec!["sepc".to_owned(), "spec.containers[0].imagee".to_owned()]));
}

#[test]
fn field_names_are_case_sensitive() {
    let decoded = decode(&Schema::of::<Pod>(), br#"{"Metadata":{}}"#).unwrap();
    assert_eq!(decoded.unknown, ["Metadata"]);
}

#[test]
fn type_errors_in_go_words() {
    let deployment = |spec: &str| format!(r#"{{"metadata":{{"name":"a"}},"spec":{spec}}}"#);
    let cases = [
        (r#"{"replicas":"two"}"#, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        (r#"{"replicas":1.5}"#, "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"),
        (
            r#"{"replicas":99999999999}"#,
            "json: cannot unmarshal number 99999999999 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (r#"[]"#, "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
        (
            r#"{"template":{"spec":{"containers":{}}}}"#,
            "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
        ),
        (
            r#"{"template":{"spec":{"containers":[{"ports":[{"containerPort":"80"}]}]}}}"#,
            "json: cannot unmarshal string into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
        ),
        (
            r#"{"template":{"metadata":{"labels":{"a":1}}}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.spec.template.metadata.labels of type string",
        ),
        (r#"{"paused":"yes"}"#, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool"),
        (r#"{"strategy":{"rollingUpdate":{"maxSurge":true}}}"#, "json: cannot unmarshal bool into Go value of type int32"),
        (r#"{"template":{"spec":{"containers":[{"resources":{"limits":{"cpu":"abc"}}}]}}}"#, scalar::QUANTITY_FORMAT),
        (
            r#"{"replicas":"first","paused":"second"}"#,
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(fails::<Deployment>(&deployment(spec)), want, "{spec}");
    }
    let name = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":true}}"#;
    assert_eq!(fails::<ConfigMap>(name), "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string");
    assert_eq!(fails::<ConfigMap>(r#"{"binaryData":{"a":"***"}}"#), "illegal base64 data at input byte 0");
    assert_eq!(
        fails::<Lease>(r#"{"spec":{"renewTime":"now"}}"#),
        r#"parsing time "now" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "now" as "2006""#
    );
}

#[test]
fn bodies_that_are_no_objects() {
    let schema = Schema::of::<ConfigMap>();
    let error = |body: &str| decode(&schema, body.as_bytes()).unwrap_err();
    let syntax = |text: &str| DecodeError::Syntax { message: text.to_owned() };
    assert_eq!(error(""), syntax("unexpected end of JSON input"));
    assert_eq!(error("{\"apiVersion\":"), syntax("unexpected end of JSON input"));
    // Malformed anywhere wins over a type error before it.
    assert_eq!(error("{\"data\":1,}"), syntax("invalid character '}' looking for beginning of object key string"));
    let message = r#"json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    assert_eq!(error("[]"), DecodeError::NotAnObject { message: message.to_owned() });
    assert_eq!(error(r#"{"kind":5}"#).to_string(), "json: cannot unmarshal number into Go struct field .kind of type string");
    assert!(matches!(error("1"), DecodeError::NotAnObject { .. }));
    assert_eq!(dump(b""), "<empty>");
    assert_eq!(dump(b"[]"), "5b5d");
    assert_eq!(dump(b"{\"apiVersion\":"), "{\"apiVersion\":");
}

#[test]
fn depth_is_bounded() {
    let nested = |n: usize| format!("{}1{}", "{\"items\":".repeat(n), "}".repeat(n));
    let spec = |schema: &str| format!(r#"{{"spec":{{"versions":[{{"schema":{{"openAPIV3Schema":{schema}}}}}]}}}}"#);
    type Crd = k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    for depth in [1_000, 10_000] {
        assert_eq!(fails::<Crd>(&spec(&nested(depth).replace("items", "not"))), "exceeded max depth");
        // Below an unknown field nobody looks, so nothing can overflow.
        assert_eq!(decode(&Schema::of::<Pod>(), nested(depth).as_bytes()).unwrap().unknown, ["items"]);
    }
}

#[test]
fn what_go_drops_and_adds() {
    let value = read::<Pod>(&pod(json!({
        "name": "c", "image": "", "args": [], "command": null, "stdin": false, "securityContext": {},
        "env": [{"name": "A", "value": ""}],
        "volumeMounts": [{"name": "v", "mountPath": "/", "readOnly": false}],
    })));
    assert_eq!(
        value["spec"]["containers"][0],
        json!({
            "name": "c", "securityContext": {}, "resources": {}, "env": [{"name": "A"}],
            "volumeMounts": [{"name": "v", "mountPath": "/"}],
        })
    );
    assert_eq!(value["status"], json!({}));
    let value = read::<Pod>(&json!({"spec": {"hostNetwork": false, "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": 0, "nodeSelector": {}, "volumes": [{"name": "e", "emptyDir": {}}],
        "containers": []}}));
    assert_eq!(
        value["spec"],
        json!({"automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "e", "emptyDir": {}}], "containers": []})
    );
    let value = read::<Deployment>(&json!({"spec": {"replicas": 0, "minReadySeconds": 0, "paused": false}}));
    assert_eq!(value["spec"]["replicas"], 0);
    assert_eq!(value["spec"]["template"], json!({"metadata": {}, "spec": {}}));
    assert!(value["spec"].get("paused").is_none() && value["spec"].get("minReadySeconds").is_none());
    let value = read::<Event>(&json!({"message": "m"}));
    assert_eq!((&value["lastTimestamp"], &value["reportingComponent"], &value["source"]), (&Value::Null, &json!(""), &json!({})));
}

#[test]
fn canonical_scalars() {
    let value = read::<Pod>(&pod(json!({"resources": {"limits": {"memory": "1.5Gi", "cpu": 1}},
        "livenessProbe": {"httpGet": {"port": "http"}}, "readinessProbe": {"tcpSocket": {"port": 80}}})));
    let container = &value["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"], json!({"memory": "1536Mi", "cpu": "1"}));
    assert_eq!(container["livenessProbe"]["httpGet"]["port"], "http");
    assert_eq!(container["readinessProbe"]["tcpSocket"]["port"], 80);
    let value = read::<Pod>(&json!({"metadata": {"deletionTimestamp": "2026-01-01T01:00:00.5+01:00"}}));
    assert_eq!(value["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(read::<Secret>(&json!({"data": {"a": "eA=="}}))["data"]["a"], "eA==");
    assert_eq!(read::<Secret>(&json!({"data": {"a": null}}))["data"]["a"], "");
}

#[test]
fn type_meta_is_lenient() {
    assert_eq!(type_meta(br#"{"kind":"Pod","x":[1]}"#), TypeMeta { kind: "Pod".into(), ..TypeMeta::default() });
    assert_eq!(type_meta(b"junk"), TypeMeta::default());
}

/// Recorded answers of upstream decode to themselves: nothing is unknown, dropped or added.
#[test]
fn recorded_objects_are_fixed_points() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/upstream/kinds.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    // Masked values are no times.
    let text = text.replace("\"<time>\"", "\"2026-01-01T00:00:00.000000Z\"");
    let mut seen = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let body = &case["response"]["body"];
        let schema = match body["kind"].as_str().unwrap_or_default() {
            "Pod" => Schema::of::<Pod>(),
            "Deployment" => Schema::of::<Deployment>(),
            "ReplicaSet" => Schema::of::<k8s_openapi::api::apps::v1::ReplicaSet>(),
            "StatefulSet" => Schema::of::<k8s_openapi::api::apps::v1::StatefulSet>(),
            "DaemonSet" => Schema::of::<k8s_openapi::api::apps::v1::DaemonSet>(),
            "Job" => Schema::of::<k8s_openapi::api::batch::v1::Job>(),
            "CronJob" => Schema::of::<k8s_openapi::api::batch::v1::CronJob>(),
            "Node" => Schema::of::<k8s_openapi::api::core::v1::Node>(),
            "Service" => Schema::of::<k8s_openapi::api::core::v1::Service>(),
            "Namespace" => Schema::of::<k8s_openapi::api::core::v1::Namespace>(),
            "Event" if body["apiVersion"] == "v1" => Schema::of::<Event>(),
            "Event" => Schema::of::<k8s_openapi::api::events::v1::Event>(),
            "EndpointSlice" => Schema::of::<k8s_openapi::api::discovery::v1::EndpointSlice>(),
            "Ingress" => Schema::of::<k8s_openapi::api::networking::v1::Ingress>(),
            "NetworkPolicy" => Schema::of::<k8s_openapi::api::networking::v1::NetworkPolicy>(),
            "PersistentVolumeClaim" => Schema::of::<k8s_openapi::api::core::v1::PersistentVolumeClaim>(),
            "PodDisruptionBudget" => Schema::of::<k8s_openapi::api::policy::v1::PodDisruptionBudget>(),
            _ => continue,
        };
        let decoded = decode(&schema, body.to_string().as_bytes()).unwrap();
        let whole_seconds = decoded.value.to_string().replace(".000000Z", "Z");
        assert_eq!(whole_seconds, body.to_string().replace(".000000Z", "Z"), "{}", case["name"]);
        assert_eq!(decoded.unknown, Vec::<String>::new());
        seen += 1;
    }
    assert!(seen >= 15, "only {seen} objects were seen");
}

#[test]
fn what_is_canonical_stays_as_it_is_and_nothing_else_does() {
    let pod = Schema::of::<Pod>();
    let given = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "p", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": { "a": "" } },
        "spec": { "containers": [{ "name": "c", "resources": { "limits": { "cpu": "100m" } },
            "livenessProbe": { "httpGet": { "port": 80 } } }], "terminationGracePeriodSeconds": 0 },
        "status": { "phase": "Running", "containerStatuses": [{ "name": "c", "ready": false, "restartCount": 0, "image": "i", "imageID": "" }] }
    });
    let canonical = rebuild(&pod, given).unwrap().value;
    assert!(is_canonical(&pod, &canonical), "{canonical}");
    let other = [
        ("/metadata/creationTimestamp", json!("2026-01-01T01:00:00+01:00")),
        ("/metadata/creationTimestamp", json!("2026-02-30T00:00:00Z")),
        ("/metadata/labels/a", json!(null)),
        ("/metadata/name", json!("")),
        ("/spec/containers/0/resources/limits/cpu", json!("0.1")),
        ("/spec/containers/0/resources/limits/cpu", json!(1)),
        ("/spec/containers/0", json!(null)),
        ("/spec/containers/0", json!({ "name": "c", "imagee": "i" })),
        ("/spec/containers/0/livenessProbe/httpGet/port", json!(1u64 << 32)),
        ("/spec/terminationGracePeriodSeconds", json!("0")),
        ("/spec/terminationGracePeriodSeconds", json!(0.5)),
        ("/status/containerStatuses/0", json!({ "name": "c" })),
        ("/status/phase", json!(["Running"])),
    ];
    for (pointer, value) in other {
        let mut object = canonical.clone();
        *object.pointer_mut(pointer).unwrap() = value;
        assert!(!is_canonical(&pod, &object), "{pointer}");
        let rebuilt = rebuild(&pod, object.clone());
        assert!(rebuilt.is_err() || rebuilt.is_ok_and(|rebuilt| rebuilt.value != object || !rebuilt.unknown.is_empty()), "{pointer}");
    }
}

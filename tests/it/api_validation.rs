//! What the server refuses, and in which words: codes, reasons, causes with their fields, unknown fields, what cannot be changed.

use mini_tests::http::{Answer, Http};
use serde_json::{Value, json};

use crate::alone::server;

const CORE: &str = "/api/v1/namespaces/default";
const LABEL: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                     alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
                     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an \
                         alphanumeric character (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn deployment(name: &str) -> Value {
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    json!({ "metadata": { "name": name }, "spec": { "selector": { "matchLabels": { "a": "b" } }, "template": template } })
}

#[track_caller]
fn refused(answer: &Answer, code: u16, reason: &str, message: &str) {
    let status = answer.json();
    assert_eq!((answer.code, status["message"].as_str()), (code, Some(message)));
    assert_eq!(
        (status["kind"].as_str(), status["status"].as_str(), status["code"].as_u64()),
        (Some("Status"), Some("Failure"), Some(code.into()))
    );
    assert_eq!(status["reason"].as_str().unwrap_or_default(), reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_is_judged_in_upstreams_words() {
    let (cluster, http) = server().await;
    let maps = format!("{CORE}/configmaps");
    let bad = |field: &str, value: Value| {
        let mut map = json!({ "metadata": { "name": "bad" } });
        map["metadata"][field] = value;
        map
    };
    let long = "x".repeat(254);
    for (map, why) in [
        (bad("name", json!("A_b")), format!("metadata.name: Invalid value: \"A_b\": {SUBDOMAIN}")),
        (bad("name", json!(long)), format!("metadata.name: Invalid value: \"{long}\": must be no more than 253 characters")),
        (bad("name", Value::Null), "metadata.name: Required value: name or generateName is required".to_owned()),
        (bad("labels", json!({ "a": "-x-" })), format!("metadata.labels: Invalid value: \"-x-\": {LABEL}")),
        (
            bad("labels", json!({ "a": "y".repeat(64) })),
            format!("metadata.labels: Invalid value: \"{}\": must be no more than 63 bytes", "y".repeat(64)),
        ),
        (
            bad("annotations", json!({ "a": "z".repeat(262_145) })),
            "metadata.annotations: Too long: may not be more than 262144 bytes".to_owned(),
        ),
        (
            bad("finalizers", json!(["nope"])),
            "metadata.finalizers[0]: Invalid value: \"nope\": name is neither a standard finalizer name nor is it fully qualified"
                .to_owned(),
        ),
        (
            bad("ownerReferences", json!([{ "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "" }])),
            "metadata.ownerReferences.uid: Invalid value: \"\": must not be empty".to_owned(),
        ),
    ] {
        let answer = http.post(&maps, &map).await;
        let name = map["metadata"]["name"].as_str().unwrap_or_default();
        refused(&answer, 422, "Invalid", &format!("ConfigMap \"{name}\" is invalid: {why}"));
        let (field, rest) = why.split_once(": ").expect("a field");
        let cause = &answer.json()["details"]["causes"][0];
        assert_eq!((cause["field"].as_str(), cause["message"].as_str()), (Some(field), Some(rest)));
    }
    assert_eq!(http.get(&maps).await.json()["items"], json!([]));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_faults_are_told_at_once_each_with_its_cause() {
    let (cluster, http) = server().await;
    let mut web = deployment("web");
    web["spec"]["replicas"] = json!(-1);
    web["spec"]["template"]["spec"]["containers"][0] = json!({ "name": "C", "ports": [{ "containerPort": 70000 }] });
    let answer = http.post("/apis/apps/v1/namespaces/default/deployments", &web).await;
    let status = answer.json();
    assert_eq!(
        (answer.code, &status["details"]["name"], &status["details"]["group"], &status["details"]["kind"]),
        (422, &json!("web"), &json!("apps"), &json!("Deployment"))
    );
    let causes: Vec<(&str, &str)> = status["details"]["causes"]
        .as_array()
        .expect("causes")
        .iter()
        .map(|cause| (cause["reason"].as_str().unwrap_or_default(), cause["field"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        causes,
        [
            ("FieldValueInvalid", "spec.replicas"),
            ("FieldValueInvalid", "spec.template.spec.containers[0].name"),
            ("FieldValueRequired", "spec.template.spec.containers[0].image"),
            ("FieldValueInvalid", "spec.template.spec.containers[0].ports[0].containerPort"),
        ]
    );
    let message = status["message"].as_str().expect("a message");
    let start = "Deployment.apps \"web\" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.template.";
    assert!(message.starts_with(start) && message.ends_with("must be between 1 and 65535, inclusive]"), "{message}");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_duplicate_fields_are_named_as_strictly_as_asked() {
    let (cluster, http) = server().await;
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let text = deployment("web").to_string().replacen("\"image\":\"i\"", "\"image\":\"i\",\"imagee\":\"j\",\"image\":\"k\"", 1);
    let post = async |query: &str| {
        http.send("POST", &format!("{path}?dryRun=All{query}"), &[("content-type", "application/json")], text.clone()).await
    };
    let (unknown, duplicate) = ("spec.template.spec.containers[0].imagee", "spec.template.spec.containers[0].image");
    let warned = [format!("299 - \"unknown field \\\"{unknown}\\\"\""), format!("299 - \"duplicate field \\\"{duplicate}\\\"\"")];
    for query in ["", "&fieldValidation=Warn"] {
        let answer = post(query).await;
        assert_eq!((answer.code, answer.warnings()), (201, warned.to_vec()), "{query}");
        // The last one counts, as in Go.
        assert_eq!(answer.json()["spec"]["template"]["spec"]["containers"][0]["image"], "k");
    }
    let ignored = post("&fieldValidation=Ignore").await;
    assert_eq!((ignored.code, ignored.warnings()), (201, Vec::<String>::new()));
    let strict = format!(
        "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"{unknown}\", duplicate field \"{duplicate}\""
    );
    refused(&post("&fieldValidation=Strict").await, 400, "BadRequest", &strict);
    let other = "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Foo\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"";
    refused(&post("&fieldValidation=Foo").await, 422, "Invalid", other);
    // A YAML body is judged alike, and so is a patch.
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: strict}\ndatta: {}\n";
    let answer =
        http.send("POST", &format!("{CORE}/configmaps?fieldValidation=Strict"), &[("content-type", "application/yaml")], yaml).await;
    refused(
        &answer,
        400,
        "BadRequest",
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"datta\"",
    );
    assert_eq!(http.post(path, &deployment("web")).await.code, 201);
    let patched = http.patch(&format!("{path}/web?fieldValidation=Strict"), "merge", &json!({ "spec": { "replicass": 1 } })).await;
    let message = patched.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(patched.code == 422 && message.ends_with("strict decoding error: unknown field \"spec.replicass\""), "{message}");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_something_else_are_told_what_they_are() {
    let (cluster, http) = server().await;
    let maps = format!("{CORE}/configmaps");
    let unrecognized = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error:";
    for (body, code, message) in [
        (r#"{"kind":"Secret"}"#, 400, "Secret in version \"v1\" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion".to_owned()),
        (r#"{"apiVersion":"v2","kind":"ConfigMap"}"#, 400, "ConfigMap in version \"v2\" cannot be handled as a ConfigMap: no kind \"ConfigMap\" is registered for version \"v2\" in scheme \"<source>\"".to_owned()),
        ("", 400, format!("{unrecognized} unexpected end of JSON input (<empty>)")),
        ("{]", 400, format!("{unrecognized} invalid character ']' looking for beginning of object key string ({{])")),
        (r#"{"data":{"a":1}}"#, 400, "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string".to_owned()),
        (r#"{"binaryData":{"a":"*"}}"#, 400, "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: illegal base64 data at input byte 0".to_owned()),
        (r#"{"metadata":{"name":"a","namespace":"other"}}"#, 400, "the namespace of the provided object does not match the namespace sent on the request".to_owned()),
    ] {
        let answer = http.send("POST", &maps, &[("content-type", "application/json")], body).await;
        refused(&answer, code, "BadRequest", &message);
    }
    let answer = http.post(&maps, &json!({ "metadata": { "name": "a", "resourceVersion": "1" } })).await;
    refused(&answer, 500, "", "resourceVersion should not be set on objects to be created");
    cluster.stop().await.expect("it stops");
}

/// Creates an object and tries changes that it must refuse.
async fn unchangeable(http: &Http, path: &str, object: Value, changes: &[(Value, &str)]) {
    let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
    let made = http.post(path, &object).await;
    assert_eq!(made.code, 201, "{path}: {}", made.text());
    for (change, why) in changes {
        let answer = http.patch(&format!("{path}/{name}"), "merge", change).await;
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert!(answer.code == 422 && message.contains(why), "{path}: {change} was answered {}: {message}", answer.code);
    }
    assert_eq!(http.get(&format!("{path}/{name}")).await.json(), made.json(), "{path}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_changed_is_not() {
    let (cluster, http) = server().await;
    let pod_template = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i" }] } });
    let immutable = "field is immutable";
    unchangeable(
        &http,
        "/apis/apps/v1/namespaces/default/deployments",
        deployment("web"),
        &[
            (
                json!({ "spec": { "selector": { "matchLabels": { "x": "y" } }, "template": { "metadata": { "labels": { "x": "y" } } } } }),
                immutable,
            ),
            (json!({ "metadata": { "uid": "u" } }), "metadata.uid: Invalid value: \"u\": field is immutable"),
        ],
    )
    .await;
    let map = json!({ "metadata": { "name": "m" }, "immutable": true, "data": { "a": "1" } });
    unchangeable(
        &http,
        &format!("{CORE}/configmaps"),
        map,
        &[
            (json!({ "data": { "a": "2" } }), "data: Forbidden: field is immutable when `immutable` is set"),
            (json!({ "immutable": false }), "immutable: Forbidden: field is immutable when `immutable` is set"),
        ],
    )
    .await;
    let secret = json!({ "metadata": { "name": "s" }, "type": "Opaque" });
    unchangeable(
        &http,
        &format!("{CORE}/secrets"),
        secret,
        &[(json!({ "type": "example.com/t" }), "type: Invalid value: \"example.com/t\": field is immutable")],
    )
    .await;
    let job = json!({ "metadata": { "name": "j" }, "spec": { "template": pod_template } });
    unchangeable(
        &http,
        "/apis/batch/v1/namespaces/default/jobs",
        job,
        &[
            (json!({ "spec": { "completions": 5 } }), "spec.completions: Invalid value: 5: field is immutable"),
            (json!({ "spec": { "template": { "spec": { "restartPolicy": "OnFailure" } } } }), immutable),
        ],
    )
    .await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_rely_on_cannot_be_changed() {
    let (cluster, http) = server().await;
    let immutable = "field is immutable";
    let claim = json!({ "metadata": { "name": "c" }, "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "2Gi" } } } });
    unchangeable(
        &http,
        &format!("{CORE}/persistentvolumeclaims"),
        claim,
        &[(
            json!({ "spec": { "accessModes": ["ReadOnlyMany"] } }),
            "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        )],
    )
    .await;
    let binding =
        json!({ "metadata": { "name": "b" }, "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r" } });
    unchangeable(
        &http,
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        binding,
        &[(json!({ "roleRef": { "name": "other" } }), "cannot change roleRef")],
    )
    .await;
    unchangeable(
        &http,
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        json!({ "metadata": { "name": "p" }, "value": 1 }),
        &[(json!({ "value": 2 }), "value: Forbidden: may not be changed in an update.")],
    )
    .await;
    unchangeable(
        &http,
        "/apis/storage.k8s.io/v1/storageclasses",
        json!({ "metadata": { "name": "sc" }, "provisioner": "example.com/p" }),
        &[(json!({ "provisioner": "example.com/q" }), "provisioner"), (json!({ "volumeBindingMode": "WaitForFirstConsumer" }), immutable)],
    )
    .await;
    cluster.stop().await.expect("it stops");
}

//! Subresources that do more than write a part: eviction, tokens, bindings; and parts with rules of their own. Over raw HTTP.

use mini_tests::http::Http;
use serde_json::{Value, json};

use crate::alone;

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

/// A server where pods can be made.
async fn server() -> (mini_cluster::Cluster, Http) {
    let (cluster, http) = alone::server().await;
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    assert_eq!(http.post("/api/v1/namespaces/default/serviceaccounts", &account).await.code, 201);
    (cluster, http)
}

fn eviction(version: &str, name: &str, options: &Value) -> Value {
    json!({ "apiVersion": version, "kind": "Eviction", "metadata": { "name": name, "namespace": "default" }, "deleteOptions": options })
}

async fn pod(http: &Http, name: &str, phase: &str) -> Value {
    let resources = json!({ "requests": { "cpu": "100m" }, "limits": { "cpu": "1" } });
    let body = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": "a" } },
        "spec": { "nodeName": "n", "terminationGracePeriodSeconds": 5, "containers": [{ "name": "c", "image": "i", "resources": resources }] },
    });
    let made = http.post(PODS, &body).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let status = json!({ "status": { "phase": phase, "conditions": [{ "type": "Ready", "status": if phase == "Running" { "True" } else { "False" } }] } });
    let told = http.patch(&format!("{PODS}/{name}/status"), "merge", &status).await;
    assert_eq!(told.code, 200, "{}", told.text());
    told.json()
}

/// A budget as its controller would have left it.
async fn budget(http: &Http, name: &str, allowed: i32) {
    let selector = json!({ "matchLabels": { "app": "a" } });
    let body = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": name }, "spec": { "minAvailable": 1, "selector": selector } });
    assert_eq!(http.post(BUDGETS, &body).await.code, 201);
    let counts = json!({ "observedGeneration": 1, "disruptionsAllowed": allowed, "currentHealthy": 1 + allowed, "desiredHealthy": 1, "expectedPods": 2 });
    assert_eq!(http.patch(&format!("{BUDGETS}/{name}/status"), "merge", &json!({ "status": counts })).await.code, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eviction_asks_the_budget() {
    let (cluster, http) = server().await;
    for name in ["one", "two"] {
        pod(&http, name, "Running").await;
    }
    budget(&http, "guard", 1).await;
    let evict = |name: &'static str, body: Value| {
        let http = http.clone();
        async move { http.post(&format!("{PODS}/{name}/eviction"), &body).await }
    };
    // A dry run and a wrong body change nothing.
    let dry = evict("one", eviction("policy/v1", "one", &json!({ "dryRun": ["All"] }))).await;
    assert_eq!((dry.code, &dry.json()["status"]), (201, &json!("Success")));
    for (body, message) in [
        (eviction("policy/v1", "two", &Value::Null), "name in URL does not match name in Eviction object"),
        (
            eviction("policy/v2", "one", &Value::Null),
            "Eviction in version \"v2\" cannot be handled as a Eviction: no kind \"Eviction\" is registered for version \"policy/v2\" in scheme \"<source>\"",
        ),
    ] {
        let refused = evict("one", body).await;
        assert_eq!((refused.code, refused.json()["message"].as_str()), (400, Some(message)));
    }
    assert!(http.get(&format!("{PODS}/one")).await.json()["metadata"].get("deletionTimestamp").is_none());

    let gone = evict("one", eviction("policy/v1beta1", "one", &Value::Null)).await;
    assert_eq!(
        (gone.code, gone.json()),
        (201, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 }))
    );
    let left = http.get(&format!("{PODS}/one")).await.json();
    assert_eq!(left["metadata"]["deletionGracePeriodSeconds"], 5);
    let told = left["status"]["conditions"].as_array().and_then(|all| all.iter().find(|one| one["type"] == "DisruptionTarget"));
    assert_eq!(
        told.map(|told| (&told["reason"], &told["message"])),
        Some((&json!("EvictionByEvictionAPI"), &json!("Eviction API: evicting")))
    );
    let spent = http.get(&format!("{BUDGETS}/guard")).await.json();
    assert_eq!(spent["status"]["disruptionsAllowed"], 0);
    assert!(spent["status"]["disruptedPods"].get("one").is_some(), "{spent}");

    let refused = evict("two", eviction("policy/v1", "two", &Value::Null)).await;
    assert_eq!(
        (refused.code, refused.json()["message"].as_str()),
        (429, Some("Cannot evict pod as it would violate the pod's disruption budget."))
    );
    assert_eq!(
        refused.json()["details"]["causes"],
        json!([{ "reason": "DisruptionBudget", "message": "The disruption budget guard needs 1 healthy pods and has 2 currently" }])
    );
    assert!(http.get(&format!("{PODS}/two")).await.json()["metadata"].get("deletionTimestamp").is_none());
    // One that has not begun to run disrupts nobody; two budgets are one too many.
    pod(&http, "waits", "Pending").await;
    assert_eq!(evict("waits", eviction("policy/v1", "waits", &Value::Null)).await.code, 201);
    budget(&http, "second", 1).await;
    let two = evict("two", eviction("policy/v1", "two", &Value::Null)).await;
    assert_eq!(two.json()["message"], "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_changes_while_it_is_evicted_is_evicted_all_the_same() {
    let (cluster, http) = server().await;
    for number in 0..8 {
        let name = format!("p{number}");
        pod(&http, &name, "Pending").await;
        let status = format!("{PODS}/{name}/status");
        let change = |round: u32| {
            let (http, status) = (http.clone(), status.clone());
            async move { http.patch(&status, "merge", &json!({ "status": { "message": round.to_string() } })).await.code }
        };
        let changes = futures::future::join_all((0..16).map(change));
        let path = format!("{PODS}/{name}/eviction");
        let body = eviction("policy/v1", &name, &Value::Null);
        let (_, evicted) = futures::join!(changes, http.post(&path, &body));
        assert_eq!(evicted.code, 201, "{}", evicted.text());
    }
    // Who says which state of the pod is meant is taken at the word.
    let meant = pod(&http, "meant", "Pending").await["metadata"]["resourceVersion"].clone();
    http.patch(&format!("{PODS}/meant/status"), "merge", &json!({ "status": { "message": "later" } })).await;
    let body = eviction("policy/v1", "meant", &json!({ "preconditions": { "resourceVersion": meant } }));
    assert_eq!(http.post(&format!("{PODS}/meant/eviction"), &body).await.code, 409);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_given_out_and_recognised() {
    let (cluster, http) = server().await;
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    assert_eq!(
        http.post(accounts, &json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "robot" } })).await.code,
        201
    );
    let path = format!("{accounts}/robot/token");
    let ask = |spec: Value| json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
    let given = http.post(&path, &ask(json!({ "expirationSeconds": 600 }))).await;
    assert_eq!(given.code, 201, "{}", given.text());
    let given = given.json();
    let token = given["status"]["token"].as_str().expect("a token").to_owned();
    let review = |token: String, audiences: Value| {
        let (http, spec) = (http.clone(), json!({ "token": token, "audiences": audiences }));
        async move {
            let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec });
            http.post("/apis/authentication.k8s.io/v1/tokenreviews", &body).await.json()["status"].clone()
        }
    };
    let known = review(token.clone(), Value::Null).await;
    assert_eq!((&known["authenticated"], &known["user"]["username"]), (&json!(true), &json!("system:serviceaccount:default:robot")));
    assert_eq!(known["user"]["groups"], json!(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]));
    assert_eq!(known["audiences"], given["spec"]["audiences"]);
    let other = review(token.clone(), json!(["vault"])).await;
    assert!(other["error"].as_str().is_some_and(|error| error.contains("is invalid for the target audiences [\"vault\"]")), "{other}");
    assert_eq!(review("x.y.z".to_owned(), Value::Null).await["error"], "invalid bearer token");

    let bound = |name: &str, uid: &str| ask(json!({ "boundObjectRef": { "apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid } }));
    pod(&http, "other", "Running").await;
    for (body, code, message) in [
        (bound("nope", ""), 404, "pods \"nope\" not found"),
        (bound("other", ""), 400, "cannot bind token for serviceaccount \"robot\" to pod running with serviceaccount \"default\""),
        (
            ask(json!({ "boundObjectRef": { "apiVersion": "v1", "kind": "ConfigMap", "name": "x" } })),
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            ask(json!({ "expirationSeconds": 10 })),
            422,
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes",
        ),
    ] {
        let refused = http.post(&path, &body).await;
        assert_eq!((refused.code, refused.json()["message"].as_str()), (code, Some(message)));
    }
    // With the account goes what its tokens are worth.
    assert_eq!(http.send("DELETE", &format!("{accounts}/robot"), &[], "").await.code, 200);
    assert_eq!(review(token, Value::Null).await["error"], "invalid bearer token");
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ephemeral_containers_come_and_resources_change_and_nothing_else() {
    let (cluster, http) = server().await;
    let made = pod(&http, "p", "Running").await;
    let generation = |pod: &Value| pod["metadata"]["generation"].as_i64().unwrap_or(0);
    let debug = json!({ "metadata": { "labels": { "x": "y" } }, "spec": { "nodeName": "other", "ephemeralContainers": [{ "name": "debug", "image": "busybox" }] } });
    let with = http.patch(&format!("{PODS}/p/ephemeralcontainers?fieldManager=me"), "strategic-merge", &debug).await;
    assert_eq!(with.code, 200, "{}", with.text());
    let with = with.json();
    assert_eq!((&with["spec"]["nodeName"], with["metadata"]["labels"].get("x")), (&json!("n"), None));
    assert_eq!(with["spec"]["ephemeralContainers"][0]["terminationMessagePolicy"], "File");
    assert_eq!(generation(&with), generation(&made) + 1);
    let entry = with["metadata"]["managedFields"].as_array().and_then(|all| all.iter().find(|one| one["manager"] == "me"));
    assert_eq!(entry.map(|entry| &entry["subresource"]), Some(&json!("ephemeralcontainers")));
    let gone = http
        .patch(&format!("{PODS}/p/ephemeralcontainers"), "json", &json!([{ "op": "remove", "path": "/spec/ephemeralContainers" }]))
        .await;
    assert_eq!((gone.code, gone.json()["details"]["causes"][0]["field"].as_str()), (422, Some("spec.ephemeralContainers")));
    assert!(gone.text().contains("existing ephemeral containers \\\"debug\\\" may not be removed"), "{}", gone.text());
    // They are no business of a write of the whole, and hinder none.
    assert_eq!(http.patch(&format!("{PODS}/p"), "merge", &json!({ "metadata": { "labels": { "x": "y" } } })).await.code, 200);

    let resize = |resources: Value| json!({ "spec": { "containers": [{ "name": "c", "image": "other", "resources": resources }] } });
    let resized = http.patch(&format!("{PODS}/p/resize"), "strategic-merge", &resize(json!({ "requests": { "cpu": "200m" } }))).await;
    assert_eq!(resized.code, 200, "{}", resized.text());
    let container = &resized.json()["spec"]["containers"][0];
    assert_eq!((&container["image"], &container["resources"]["requests"]["cpu"]), (&json!("i"), &json!("200m")));
    for (resources, message) in [
        (
            json!({ "requests": { "cpu": "1", "memory": "1Gi" }, "limits": { "cpu": "1", "memory": "1Gi" } }),
            "Pod QOS Class may not change as a result of resizing",
        ),
        (json!({ "limits": { "cpu": null } }), "resource limits cannot be removed"),
        (json!({ "requests": { "cpu": "3" } }), "must be less than or equal to cpu limit of 1"),
    ] {
        let refused = http.patch(&format!("{PODS}/p/resize"), "strategic-merge", &resize(resources)).await;
        assert_eq!(refused.code, 422);
        assert!(refused.text().contains(message), "{message}: {}", refused.text());
    }
    assert_eq!(http.send("GET", &format!("{PODS}/p/resize"), &[], "").await.code, 200);
    assert_eq!(http.post(&format!("{PODS}/p/resize"), &json!({})).await.code, 405);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_is_written_and_the_rest_stays_as_it_was() {
    let (cluster, http) = server().await;
    let probe = json!({ "httpGet": { "path": "/", "port": 80 } });
    let container = json!({
        "name": "c", "image": "i", "command": ["a"], "args": ["b"], "env": [{ "name": "A", "value": "1" }], "ports": [{ "containerPort": 80 }],
        "envFrom": [{ "configMapRef": { "name": "m" } }], "livenessProbe": probe, "readinessProbe": probe, "startupProbe": probe,
        "lifecycle": { "preStop": { "exec": { "command": ["true"] } } }, "securityContext": { "runAsUser": 5 },
        "volumeMounts": [{ "name": "v", "mountPath": "/v" }],
        "resources": { "requests": { "cpu": "100m" }, "limits": { "cpu": "1" } },
    });
    let body = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "labels": { "app": "a" } },
        "spec": {
            "nodeName": "n", "restartPolicy": "Never", "containers": [container], "initContainers": [{ "name": "i", "image": "i", "args": ["x"] }],
            "volumes": [{ "name": "v", "emptyDir": {} }], "tolerations": [{ "key": "k", "operator": "Exists" }],
            "affinity": { "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{ "topologyKey": "t" }] } },
            "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "t", "whenUnsatisfiable": "ScheduleAnyway" }],
        },
    });
    let made = http.post(PODS, &body).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let (made, path) = (made.json(), format!("{PODS}/p/status"));
    let ended = json!([{ "name": "c", "ready": false, "restartCount": 0, "image": "i", "imageID": "", "state": { "terminated": { "exitCode": 0 } } }]);
    let status = json!({ "status": { "phase": "Running", "containerStatuses": ended } });
    for form in ["merge", "strategic-merge"] {
        let told = http.patch(&path, form, &status).await;
        assert_eq!(told.code, 200, "{}", told.text());
        let told = told.json();
        assert_eq!((&told["spec"], &told["metadata"]["labels"]), (&made["spec"], &made["metadata"]["labels"]), "{form}");
        assert_eq!((&told["status"]["phase"], &told["status"]["qosClass"]), (&json!("Running"), &json!("Burstable")), "{form}");
        assert_eq!(told, http.get(&format!("{PODS}/p")).await.json(), "{form}");
    }
    let mut whole = http.get(&format!("{PODS}/p")).await.json();
    whole["status"]["message"] = "put".into();
    let put = http.put(&path, &whole).await.json();
    assert_eq!((&put["spec"], &put["status"]["message"]), (&made["spec"], &json!("put")));
    let operations =
        json!([{ "op": "replace", "path": "/status/message", "value": "patched" }, { "op": "remove", "path": "/spec/volumes" }]);
    let patched = http.patch(&path, "json", &operations).await.json();
    assert_eq!((&patched["spec"], &patched["status"]["message"]), (&made["spec"], &json!("patched")));
    // What the rules for a status look at of the spec is there: a pod that never restarts, and one that has a node.
    let revived = json!([{ "name": "c", "state": { "terminated": null, "running": {} } }]);
    let revived = http.patch(&path, "strategic-merge", &json!({ "status": { "containerStatuses": revived } })).await;
    assert!(revived.code == 422 && revived.text().contains("may not be transitioned to non-terminated state"), "{}", revived.text());
    let nominated = http.patch(&path, "merge", &json!({ "status": { "nominatedNodeName": "m" } })).await;
    assert!(nominated.code == 422 && nominated.text().contains("already bound to a node"), "{}", nominated.text());
    assert_eq!(http.get(&format!("{PODS}/p")).await.json(), patched, "what is refused changes nothing");
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_of_its_own_binds_the_pod_it_names() {
    let (cluster, http) = server().await;
    let body = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    assert_eq!(http.post(PODS, &body).await.code, 201);
    let binding = |name: &str| json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name }, "target": { "kind": "Node", "name": "n" } });
    let bindings = "/api/v1/namespaces/default/bindings";
    assert_eq!(http.post(bindings, &binding("nope")).await.json()["message"], "pods \"nope\" not found");
    assert_eq!(http.post(bindings, &binding("p")).await.code, 201);
    assert_eq!(http.get(&format!("{PODS}/p")).await.json()["spec"]["nodeName"], "n");
    assert_eq!(http.get(bindings).await.code, 405);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scale_is_applied_like_an_object() {
    let (cluster, http) = server().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let template = json!({ "metadata": { "labels": { "app": "a" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    let spec = json!({ "replicas": 1, "selector": { "matchLabels": { "app": "a" } }, "template": template });
    let body = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" }, "spec": spec });
    assert_eq!(http.patch(&format!("{deployments}/d?fieldManager=author"), "apply", &body).await.code, 201);
    let scale = |replicas: i32| json!({ "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": { "name": "d" }, "spec": { "replicas": replicas } });
    let path = format!("{deployments}/d/scale?fieldManager=scaler");
    let refused = http.patch(&path, "apply", &scale(3)).await;
    assert_eq!(
        (refused.code, refused.json()["message"].as_str()),
        (409, Some("Apply failed with 1 conflict: conflict with \"author\": .spec.replicas"))
    );
    let forced = http.patch(&format!("{path}&force=true"), "apply", &scale(3)).await;
    assert_eq!((forced.code, &forced.json()["spec"]["replicas"]), (200, &json!(3)));
    let object = http.get(&format!("{deployments}/d")).await.json();
    let entry = object["metadata"]["managedFields"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["manager"] == "scaler"))
        .cloned()
        .unwrap_or_default();
    assert_eq!((&entry["subresource"], &entry["operation"]), (&json!("scale"), &json!("Apply")));
    assert_eq!(entry["fieldsV1"], json!({ "f:spec": { "f:replicas": {} } }));
    let wrong = http.patch(&path, "apply", &body).await;
    assert_eq!(wrong.code, 400, "{}", wrong.text());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_request_is_approved_apart() {
    let (cluster, http) = server().await;
    let path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    // An empty block of that type is enough for the door; the signer reads what is in it.
    let request = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K";
    let body = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": { "name": "c" },
        "spec": { "request": request, "signerName": "example.com/s", "usages": ["client auth"] },
    });
    let made = http.post(path, &body).await;
    assert_eq!(made.code, 201, "{}", made.text());
    let approved =
        json!({ "status": { "conditions": [{ "type": "Approved", "status": "True", "reason": "ByHand" }], "certificate": "eA==" } });
    let answer = http.patch(&format!("{path}/c/approval"), "merge", &approved).await;
    assert_eq!(answer.code, 200, "{}", answer.text());
    let status = answer.json()["status"].clone();
    let condition = &status["conditions"][0];
    assert_eq!((&condition["type"], status.get("certificate")), (&json!("Approved"), None));
    assert!(condition["lastUpdateTime"].is_string() && condition["lastTransitionTime"].is_string(), "{condition}");
    assert_eq!(http.get(&format!("{path}/c/approval")).await.code, 200);
    cluster.stop().await.expect("it stops");
}

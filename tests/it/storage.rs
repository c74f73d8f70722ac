//! Claims and volumes: what is in use stays until it is not, who names no class gets the default one, and what grows may grow.

use mini_cluster::{Cluster, Options};
use mini_tests::{World, http::Http, wait_for};
use serde_json::{Value, json};

use crate::alone::server;

pub(crate) const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";
pub(crate) const VOLUMES: &str = "/api/v1/persistentvolumes";
pub(crate) const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";
const ATTRIBUTES: &str = "/apis/storage.k8s.io/v1/volumeattributesclasses";

/// An API server and controllers: no scheduler and no nodes, so that pods are what the test makes of them.
pub(crate) async fn controlled() -> (Cluster, Http) {
    let options = Options { scheduler: None, kubelet: None, ..Options::default() };
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    (cluster, http)
}

pub(crate) fn claim(name: &str, spec: &Value) -> Value {
    let mut whole = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    for (field, value) in spec.as_object().into_iter().flatten() {
        whole[field] = value.clone();
    }
    json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name }, "spec": whole })
}

fn pod(name: &str, node: Option<&str>, claim: &str) -> Value {
    let volumes = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": claim } }]);
    let spec = json!({ "nodeName": node, "containers": [{ "name": "c", "image": "i" }], "volumes": volumes });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec })
}

pub(crate) fn volume(name: &str) -> Value {
    let spec = json!({ "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"], "hostPath": { "path": "/d" } });
    json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": name }, "spec": spec })
}

/// Creates an object, as soon as what it needs (such as a ServiceAccount) is there.
pub(crate) async fn made(http: &Http, path: &str, body: &Value) -> Value {
    wait_for("an object to be taken", || async {
        let answer = http.post(path, body).await;
        if answer.code == 201 { Ok(answer.json()) } else { Err(answer.text()) }
    })
    .await
}

/// Asks for a deletion, which has to wait for a finalizer.
async fn begin_deletion(http: &Http, path: &str, finalizer: &str) {
    let answer = http.delete(path).await;
    let object = answer.json();
    assert_eq!((answer.code, &object["metadata"]["finalizers"]), (200, &json!([finalizer])), "{object}");
    assert!(object["metadata"]["deletionTimestamp"].is_string(), "{object}");
}

pub(crate) async fn gone(http: &Http, path: &str) {
    wait_for(&format!("the end of {path}"), || async {
        let answer = http.get(path).await;
        if answer.code == 404 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// Waits until a claim or a volume is in this phase.
pub(crate) async fn phase(http: &Http, path: &str, wanted: &str) -> Value {
    wait_for(&format!("{path} to be {wanted}"), || async {
        let object = http.get(path).await.json();
        if object["status"]["phase"] == wanted { Ok(object) } else { Err(object) }
    })
    .await
}

async fn set_status(http: &Http, path: &str, status: Value) -> Value {
    let answer = http.patch(&format!("{path}/status"), "merge", &json!({ "status": status })).await;
    assert_eq!(answer.code, 200, "{}", answer.text());
    answer.json()["status"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_stays_as_long_as_a_pod_uses_it() {
    let (cluster, http) = controlled().await;
    for name in ["used", "waited-for", "free"] {
        made(&http, CLAIMS, &claim(name, &json!({ "storageClassName": "" }))).await;
    }
    made(&http, PODS, &pod("there", Some("n"), "used")).await;
    made(&http, PODS, &pod("waits", None, "waited-for")).await;
    let protection = "kubernetes.io/pvc-protection";
    begin_deletion(&http, &format!("{CLAIMS}/used"), protection).await;
    // What nobody uses, or only a pod without a node, goes at once; when it has gone, the controller has seen the first one too.
    for name in ["waited-for", "free"] {
        begin_deletion(&http, &format!("{CLAIMS}/{name}"), protection).await;
        gone(&http, &format!("{CLAIMS}/{name}")).await;
    }
    // A pod that has ended still uses its claims.
    set_status(&http, &format!("{PODS}/there"), json!({ "phase": "Succeeded" })).await;
    made(&http, CLAIMS, &claim("later", &json!({ "storageClassName": "" }))).await;
    begin_deletion(&http, &format!("{CLAIMS}/later"), protection).await;
    gone(&http, &format!("{CLAIMS}/later")).await;
    let kept = http.get(&format!("{CLAIMS}/used")).await.json();
    assert_eq!(kept["metadata"]["finalizers"], json!([protection]));

    let options = json!({ "gracePeriodSeconds": 0 });
    assert_eq!(http.send("DELETE", &format!("{PODS}/there"), &[("content-type", "application/json")], options.to_string()).await.code, 200);
    gone(&http, &format!("{CLAIMS}/used")).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_stays_bound_and_a_class_named() {
    let (cluster, http) = controlled().await;
    for name in ["bound", "free"] {
        made(&http, VOLUMES, &volume(name)).await;
    }
    made(&http, CLAIMS, &claim("holder", &json!({ "storageClassName": "", "volumeName": "bound" }))).await;
    let bound = format!("{VOLUMES}/bound");
    phase(&http, &bound, "Bound").await;
    begin_deletion(&http, &bound, "kubernetes.io/pv-protection").await;
    begin_deletion(&http, &format!("{VOLUMES}/free"), "kubernetes.io/pv-protection").await;
    gone(&http, &format!("{VOLUMES}/free")).await;
    assert_eq!(http.get(&bound).await.code, 200);
    // The claim goes, and so the volume is nobody's.
    assert_eq!(http.delete(&format!("{CLAIMS}/holder")).await.code, 200);
    gone(&http, &bound).await;

    let class = json!({ "metadata": { "name": "gold" }, "driverName": "d.example.com", "parameters": { "iops": "9" } });
    made(&http, ATTRIBUTES, &class).await;
    made(&http, CLAIMS, &claim("named", &json!({ "volumeAttributesClassName": "gold" }))).await;
    begin_deletion(&http, &format!("{ATTRIBUTES}/gold"), "kubernetes.io/vac-protection").await;
    begin_deletion(&http, &format!("{CLAIMS}/named"), "kubernetes.io/pvc-protection").await;
    gone(&http, &format!("{ATTRIBUTES}/gold")).await;
    gone(&http, &format!("{CLAIMS}/named")).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_without_a_class_gets_the_default_one() {
    let (cluster, http) = server().await;
    let class = |name: &str, annotations: Value| json!({ "metadata": { "name": name, "annotations": annotations }, "provisioner": "p" });
    let of = |name: &'static str, spec: Value| {
        let http = http.clone();
        async move { made(&http, CLAIMS, &claim(name, &spec)).await["spec"].get("storageClassName").cloned() }
    };
    assert_eq!(of("before", json!({})).await, None);
    made(&http, CLASSES, &class("plain", json!({}))).await;
    made(&http, CLASSES, &class("usual", json!({ "storageclass.kubernetes.io/is-default-class": "true" }))).await;
    assert_eq!(of("after", json!({})).await, Some(json!("usual")));
    assert_eq!(of("none", json!({ "storageClassName": "" })).await, Some(json!("")));
    assert_eq!(of("other", json!({ "storageClassName": "plain" })).await, Some(json!("plain")));
    let mut old = claim("old", &json!({}));
    old["metadata"]["annotations"] = json!({ "volume.beta.kubernetes.io/storage-class": "plain" });
    assert_eq!(made(&http, CLAIMS, &old).await["spec"].get("storageClassName"), None);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_grows_where_its_class_says_so() {
    let (cluster, http) = server().await;
    for (name, grows) in [("fixed", false), ("elastic", true)] {
        made(&http, CLASSES, &json!({ "metadata": { "name": name }, "provisioner": "p", "allowVolumeExpansion": grows })).await;
        made(&http, CLAIMS, &claim(name, &json!({ "storageClassName": name }))).await;
    }
    let grow = |name: &'static str, size: &'static str| {
        let (http, body) = (http.clone(), json!({ "spec": { "resources": { "requests": { "storage": size } } } }));
        async move { http.patch(&format!("{CLAIMS}/{name}"), "merge", &body).await }
    };
    let unbound = grow("elastic", "2Gi").await;
    assert_eq!(unbound.code, 422, "{}", unbound.text());
    for name in ["fixed", "elastic"] {
        set_status(&http, &format!("{CLAIMS}/{name}"), json!({ "phase": "Bound", "capacity": { "storage": "1Gi" } })).await;
    }
    let refused = grow("fixed", "2Gi").await;
    assert_eq!(
        (refused.code, refused.json()["message"].as_str()),
        (
            403,
            Some(
                "persistentvolumeclaims \"fixed\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
            )
        )
    );
    assert_eq!(grow("elastic", "2Gi").await.code, 200);
    // Less than before, but not less than there is: a growth that failed may be asked for again in smaller steps.
    assert_eq!(grow("elastic", "1536Mi").await.code, 200);
    assert_eq!(grow("elastic", "1Mi").await.code, 422);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_tells_since_when_its_phase_is() {
    let (cluster, http) = server().await;
    let created = made(&http, VOLUMES, &volume("v")).await;
    let since = "lastPhaseTransitionTime";
    assert_eq!(created["status"], json!({ "phase": "Pending", since: created["metadata"]["creationTimestamp"] }));
    let path = format!("{VOLUMES}/v");
    let early = "2020-01-01T00:00:00Z";
    assert_eq!(set_status(&http, &path, json!({ since: early })).await[since], early);
    assert_eq!(set_status(&http, &path, json!({ "message": "x", since: null })).await[since], early);
    let bound = set_status(&http, &path, json!({ "phase": "Bound" })).await;
    assert!(bound[since].as_str().is_some_and(|time| time > early), "{bound}");
    // A write that changes nothing leaves no trace.
    let before = http.get(&path).await.json();
    set_status(&http, &path, json!({ "phase": "Bound" })).await;
    assert_eq!(http.get(&path).await.json(), before);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_in_use_is_terminating_for_kubectl() {
    let world = World::up(1);
    let both = json!({ "apiVersion": "v1", "kind": "List", "items": [
        claim("data", &json!({ "storageClassName": "" })),
        pod("user", Some("k8s-node-1"), "data"),
    ] });
    wait_for("the manifest to be taken", || async {
        let ran = world.kubectl_with(&["apply", "-f", "-"], &both.to_string());
        if ran.code() == 0 { Ok(()) } else { Err(ran.stderr()) }
    })
    .await;
    world.kubectl(&["delete", "pvc", "data", "--wait=false"]).success();
    let table = world.kubectl(&["get", "pvc", "data"]).success();
    assert_eq!(table.lines().nth(1).and_then(|row| row.split_whitespace().nth(1)), Some("Terminating"), "{table}");
    assert!(world.kubectl(&["describe", "pvc", "data"]).success().contains("Used By:       user"));
    world.kubectl(&["delete", "pod", "user", "--grace-period=1"]).success();
    wait_for("the claim to be gone", || async {
        let ran = world.kubectl(&["get", "pvc"]);
        if ran.stderr().contains("No resources found") { Ok(()) } else { Err(ran.stdout()) }
    })
    .await;
}

//! StatefulSets on real components: what a session at a terminal does not show.

use mini_cluster::Cluster;
use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};

use crate::storage::{controlled, made};

const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const WEB: &str = "/apis/apps/v1/namespaces/default/statefulsets/web";
const PODS: &str = "/api/v1/namespaces/default/pods";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const REVISIONS: &str = "/apis/apps/v1/namespaces/default/controllerrevisions";

/// A StatefulSet called web, with these fields over the usual ones.
fn web(replicas: u32, fields: &Value) -> Value {
    let mut set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "web" },
        "spec": {
            "replicas": replicas,
            "serviceName": "web",
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "terminationGracePeriodSeconds": 0, "containers": [{ "name": "c", "image": "nginx:1" }] },
            },
        },
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        set["spec"][field] = value.clone();
    }
    set
}

async fn patched(http: &Http, path: &str, patch: Value) {
    let answer = http.patch(path, "strategic-merge", &patch).await;
    assert_eq!(answer.code, 200, "{}", answer.text());
}

fn image(image: &str) -> Value {
    json!({ "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": image }] } } } })
}

async fn items(http: &Http, path: &str) -> Vec<Value> {
    http.get(path).await.json()["items"].as_array().cloned().unwrap_or_default()
}

/// Waits until what `line` says of each object, joined by blanks, is this.
async fn until(http: &Http, path: &str, line: impl Fn(&Value) -> String, wanted: &str) {
    wait_for(&format!("{path} to be {wanted:?}"), || async {
        let lines: Vec<String> = items(http, path).await.iter().map(&line).collect();
        if lines.join(" ") == wanted { Ok(()) } else { Err(lines) }
    })
    .await;
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn owners(object: &Value) -> String {
    let owners = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    let kinds: Vec<_> = owners.iter().map(|owner| format!("{}/{}", owner["kind"], owner["name"]).replace('"', "")).collect();
    format!("{}:{}", name(object), kinds.join(","))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pod_has_its_claims_and_the_policy_says_how_long() {
    let (cluster, http) = controlled().await;
    let template = json!({
        "metadata": { "name": "www", "labels": { "tier": "data" } },
        "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": { "requests": { "storage": "1Gi" } } },
    });
    let policy = json!({ "whenScaled": "Delete", "whenDeleted": "Retain" });
    let fields = json!({
        "podManagementPolicy": "Parallel", "volumeClaimTemplates": [template], "persistentVolumeClaimRetentionPolicy": policy,
    });
    made(&http, SETS, &web(2, &fields)).await;
    until(&http, PODS, name, "web-0 web-1").await;
    until(&http, CLAIMS, owners, "www-web-0: www-web-1:").await;
    let claim = items(&http, CLAIMS).await.remove(1);
    assert_eq!(claim["metadata"]["labels"], json!({ "app": "web", "tier": "data" }));
    let pod = items(&http, PODS).await.remove(1);
    assert_eq!(pod["spec"]["volumes"][0], json!({ "name": "www", "persistentVolumeClaim": { "claimName": "www-web-1" } }));
    assert_eq!((pod["spec"]["hostname"].as_str(), pod["spec"]["subdomain"].as_str()), (Some("web-1"), Some("web")));
    for told in ["Create Claim www-web-0 Pod web-0 in StatefulSet web success", "Create Pod web-1 in StatefulSet web successful"] {
        wait_for(told, || async {
            let events = http.get("/api/v1/namespaces/default/events?fieldSelector=reason%3DSuccessfulCreate").await.text();
            if events.contains(told) { Ok(()) } else { Err(events) }
        })
        .await;
    }

    patched(&http, WEB, json!({ "spec": { "replicas": 1 } })).await;
    until(&http, PODS, name, "web-0").await;
    until(&http, CLAIMS, name, "www-web-0").await;

    patched(&http, WEB, json!({ "spec": { "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Delete" } } })).await;
    until(&http, CLAIMS, owners, "www-web-0:StatefulSet/web").await;
    assert_eq!(http.delete(WEB).await.code, 200);
    until(&http, PODS, name, "").await;
    until(&http, CLAIMS, name, "").await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_below_the_partition_comes_back_as_it_was() {
    let cluster = Cluster::start().await.expect("it starts");
    let http = Http::new(cluster.address());
    let status = |wanted: &'static str| {
        let http = &http;
        wait_for(wanted, move || async move {
            let status = http.get(WEB).await.json()["status"].clone();
            let counts = ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas"].map(|count| status[count].to_string());
            if counts.join(" ") == wanted { Ok(()) } else { Err(status) }
        })
    };
    made(&http, SETS, &web(2, &json!({}))).await;
    status("2 2 2 2").await;
    patched(&http, WEB, json!({ "spec": { "updateStrategy": { "rollingUpdate": { "partition": 1 } } } })).await;
    patched(&http, WEB, image("nginx:2")).await;
    let of_image = |pod: &Value| format!("{}={}", name(pod), pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default());
    until(&http, PODS, of_image, "web-0=nginx:1 web-1=nginx:2").await;
    status("2 2 1 1").await;

    let before = items(&http, PODS).await.remove(0);
    assert_eq!(http.delete(&format!("{PODS}/web-0")).await.code, 200);
    wait_for("another web-0", || async {
        let pods = items(&http, PODS).await;
        let other = pods.first().filter(|pod| name(pod) == "web-0" && pod["metadata"]["uid"] != before["metadata"]["uid"]);
        other.cloned().ok_or(pods)
    })
    .await;
    until(&http, PODS, of_image, "web-0=nginx:1 web-1=nginx:2").await;
    status("2 2 1 1").await;
    let set = http.get(WEB).await.json();
    assert_eq!(items(&http, PODS).await[0]["metadata"]["labels"]["controller-revision-hash"], set["status"]["currentRevision"]);
    assert_ne!(set["status"]["currentRevision"], set["status"]["updateRevision"]);

    patched(&http, WEB, json!({ "spec": { "updateStrategy": { "rollingUpdate": { "partition": 0 } } } })).await;
    until(&http, PODS, of_image, "web-0=nginx:2 web-1=nginx:2").await;
    status("2 2 2 2").await;
    let set = http.get(WEB).await.json();
    assert_eq!(set["status"]["currentRevision"], set["status"]["updateRevision"]);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_are_numbered_and_limited_and_a_name_that_is_taken_is_left() {
    let (cluster, http) = controlled().await;
    // The name of the first revision, for whoever is there before it.
    made(&http, SETS, &web(0, &json!({}))).await;
    let first = wait_for("a revision", || async { items(&http, REVISIONS).await.first().cloned().ok_or(()) }).await;
    assert_eq!(http.delete(WEB).await.code, 200);
    until(&http, REVISIONS, name, "").await;
    let taken = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": { "name": name(&first) }, "data": { "other": true }, "revision": 9,
    });
    made(&http, REVISIONS, &taken).await;

    made(&http, SETS, &web(0, &json!({ "revisionHistoryLimit": 1 }))).await;
    let set = wait_for("the other name", || async {
        let set = http.get(WEB).await.json();
        if set["status"]["collisionCount"] == 1 { Ok(set) } else { Err(set) }
    })
    .await;
    assert_ne!(set["status"]["updateRevision"], first["metadata"]["name"]);
    let ours = |revision: &Value| {
        let image = &revision["data"]["spec"]["template"]["spec"]["containers"][0]["image"];
        format!("{}={}", revision["revision"], image.as_str().unwrap_or("other"))
    };
    let revisions = |wanted: &'static str| {
        let http = &http;
        wait_for(wanted, move || async move {
            let mut there: Vec<String> = items(http, REVISIONS).await.iter().map(ours).collect();
            there.sort();
            if there.join(" ") == wanted { Ok(()) } else { Err(there) }
        })
    };
    revisions("1=nginx:1 9=other").await;
    for (new, wanted) in
        [("nginx:2", "1=nginx:1 2=nginx:2 9=other"), ("nginx:3", "2=nginx:2 3=nginx:3 9=other"), ("nginx:2", "3=nginx:3 4=nginx:2 9=other")]
    {
        patched(&http, WEB, image(new)).await;
        revisions(wanted).await;
    }
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_lacks_its_volumes_is_refused_them_and_for_no_other_reason() {
    let (cluster, http) = controlled().await;
    let volumes = json!([{ "name": "settings", "configMap": { "name": "settings" } }]);
    let spec = json!({ "containers": [{ "name": "c", "image": "nginx:1" }], "volumes": volumes });
    made(&http, PODS, &json!({ "metadata": { "name": "web-0", "labels": { "app": "web" } }, "spec": spec })).await;
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": { "requests": { "storage": "1Gi" } } });
    let template = json!({ "metadata": { "name": "www" }, "spec": claim });
    made(&http, SETS, &web(1, &json!({ "podManagementPolicy": "Parallel", "volumeClaimTemplates": [template] }))).await;
    until(&http, PODS, owners, "web-0:StatefulSet/web").await;
    let told = || async { http.get("/api/v1/namespaces/default/events?fieldSelector=reason%3DFailedUpdate").await.text() };
    wait_for("the refusal to be told", || async {
        let events = told().await;
        if events.contains("spec: Forbidden: pod updates may not change fields other than") { Ok(()) } else { Err(events) }
    })
    .await;
    let events = told().await;
    assert!(!events.contains("\\n-"), "what it has is sent as it is, so that the difference takes nothing away: {events}");
    cluster.stop().await.expect("it stops");
}

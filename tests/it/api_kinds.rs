//! Which kinds there are, that each can be listed in every form, and what every cluster has from its first moment. Over raw HTTP.

use mini_cluster::Options;
use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};

use crate::alone::server;

/// What a client expects to be served, by group-version.
const SERVED: &[(&str, &[&str])] = &[
    (
        "v1",
        &[
            "bindings",
            "componentstatuses",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "nodes",
            "persistentvolumeclaims",
            "persistentvolumes",
            "pods",
            "podtemplates",
            "replicationcontrollers",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
        ],
    ),
    ("apps/v1", &["controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("batch/v1", &["cronjobs", "jobs"]),
    ("autoscaling/v1", &["horizontalpodautoscalers"]),
    ("autoscaling/v2", &["horizontalpodautoscalers"]),
    ("policy/v1", &["poddisruptionbudgets"]),
    ("networking.k8s.io/v1", &["ingressclasses", "ingresses", "ipaddresses", "networkpolicies", "servicecidrs"]),
    ("discovery.k8s.io/v1", &["endpointslices"]),
    ("events.k8s.io/v1", &["events"]),
    ("coordination.k8s.io/v1", &["leases"]),
    ("scheduling.k8s.io/v1", &["priorityclasses"]),
    ("rbac.authorization.k8s.io/v1", &["clusterrolebindings", "clusterroles", "rolebindings", "roles"]),
    (
        "storage.k8s.io/v1",
        &["csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments", "volumeattributesclasses"],
    ),
    ("node.k8s.io/v1", &["runtimeclasses"]),
    ("certificates.k8s.io/v1", &["certificatesigningrequests"]),
    (
        "admissionregistration.k8s.io/v1",
        &[
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        ],
    ),
    ("authentication.k8s.io/v1", &["selfsubjectreviews", "tokenreviews"]),
    (
        "authorization.k8s.io/v1",
        &["localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"],
    ),
    ("flowcontrol.apiserver.k8s.io/v1", &["flowschemas", "prioritylevelconfigurations"]),
    ("apiextensions.k8s.io/v1", &["customresourcedefinitions"]),
    ("apiregistration.k8s.io/v1", &["apiservices"]),
];

/// The resources of a group-version as discovery lists them, subresources aside.
async fn resources(http: &Http, root: &str) -> Vec<Value> {
    let list = http.get(root).await.json()["resources"].as_array().cloned().unwrap_or_default();
    list.into_iter().filter(|resource| resource["name"].as_str().is_some_and(|name| !name.contains('/'))).collect()
}

fn root(version: &str) -> String {
    if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_is_served_and_listed_in_every_form() {
    let (cluster, http) = server().await;
    for (version, wanted) in SERVED {
        let root = root(version);
        let found = resources(&http, &root).await;
        for wanted in *wanted {
            let Some(resource) = found.iter().find(|resource| resource["name"] == *wanted) else {
                panic!("{version} has no {wanted}");
            };
            let listed = resource["verbs"].as_array().is_some_and(|verbs| verbs.contains(&json!("list")));
            let path = format!("{root}/{wanted}");
            let kind = resource["kind"].as_str().unwrap_or_default();
            let plain = http.get(&path).await;
            if !listed {
                assert!(matches!(plain.code, 404 | 405), "{path}: {}", plain.text());
                continue;
            }
            let list = plain.json();
            assert_eq!((plain.code, &list["kind"], &list["apiVersion"]), (200, &json!(format!("{kind}List")), &json!(version)), "{path}");
            // What is observed and not stored has no revision.
            let observed = *wanted == "componentstatuses";
            assert!(list["items"].is_array() && list["metadata"]["resourceVersion"].is_string() != observed, "{path}: {list}");
            for (form, wanted) in [("Table", "Table"), ("PartialObjectMetadataList", "PartialObjectMetadataList")] {
                let accept = format!("application/json;as={form};v=v1;g=meta.k8s.io");
                let answer = http.send("GET", &path, &[("accept", &accept)], "").await;
                assert_eq!((answer.code, &answer.json()["kind"]), (200, &json!(wanted)), "{path} as {form}");
            }
        }
    }
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cluster_has_this_from_its_first_moment() {
    let options = Options { scheduler: None, kubelet: None, ..Options::default() };
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let namespace = http.get(&format!("/api/v1/namespaces/{name}")).await.json();
        assert_eq!(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], name);
        assert_eq!(namespace["status"]["phase"], "Active");
        for part in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
            let path = format!("/api/v1/namespaces/{name}/{part}");
            wait_for(&path, || async {
                let answer = http.get(&path).await;
                if answer.code == 200 { Ok(()) } else { Err(answer.text()) }
            })
            .await;
        }
    }
    let service = http.get("/api/v1/namespaces/default/services/kubernetes").await.json();
    assert_eq!((&service["spec"]["clusterIP"], &service["spec"]["ports"][0]["port"]), (&json!("10.254.0.1"), &json!(443)));
    let slice = http.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes").await.json();
    assert_eq!(slice["endpoints"][0]["conditions"]["ready"], true);
    assert_eq!(slice["metadata"]["labels"]["kubernetes.io/service-name"], "kubernetes");
    for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)] {
        let class = http.get(&format!("/apis/scheduling.k8s.io/v1/priorityclasses/{name}")).await.json();
        assert_eq!(class["value"], value);
    }
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_not_supported_yet_says_so() {
    let (cluster, http) = server().await;
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let body = json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "a.b.c" } });
    let answer = http.post(path, &body).await;
    assert_eq!((answer.code, answer.json()["reason"].as_str()), (501, Some("NotImplemented")));
    assert_eq!(http.get(path).await.json()["items"], json!([]));
    cluster.stop().await.expect("it stops");
}

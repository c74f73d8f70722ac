//! Claims find their volumes: what is there, what is made for them, and where their pods may go meanwhile.

use mini_cluster::{Cluster, Options};
use mini_tests::{http::Http, root, wait_for};
use serde_json::{Value, json};

use crate::storage::{CLAIMS, CLASSES, PODS, VOLUMES, claim, gone, made, phase, volume};

/// Everything but machines.
async fn without_nodes() -> (Cluster, Http) {
    let cluster = Options { kubelet: None, ..Options::default() }.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    (cluster, http)
}

/// A pod that mounts the claim.
fn pod(name: &str, claim: &str) -> Value {
    let volumes = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": claim } }]);
    let spec = json!({ "containers": [{ "name": "c", "image": "nginx" }], "volumes": volumes });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec })
}

fn sized(name: &str, size: &str, policy: &str, path: &str) -> Value {
    let mut volume = volume(name);
    volume["spec"]["capacity"]["storage"] = size.into();
    volume["spec"]["persistentVolumeReclaimPolicy"] = policy.into();
    volume["spec"]["hostPath"]["path"] = path.into();
    volume
}

fn class(name: &str, provisioner: &str, mode: &str) -> Value {
    json!({ "metadata": { "name": name }, "provisioner": provisioner, "volumeBindingMode": mode })
}

/// Creates the StorageClass of the examples.
async fn add_example_class(http: &Http) {
    let example = std::fs::read_to_string(root().join("examples/storage-class.yml")).expect("read the example");
    let answer = http.send("POST", CLASSES, &[("content-type", "application/yaml")], example).await;
    assert_eq!(answer.code, 201, "{}", answer.text());
}

/// Waits until this was said of an object.
async fn told(http: &Http, about: &str, reason: &str, message: &str) {
    wait_for(&format!("{reason} about {about}"), || async {
        let events = http.get(&format!("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{about}")).await.json();
        let said: Vec<String> = events["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|event| format!("{}: {}", event["reason"].as_str().unwrap_or_default(), event["message"].as_str().unwrap_or_default()))
            .collect();
        if said.iter().any(|said| said.strip_prefix(reason).is_some_and(|rest| rest.contains(message))) { Ok(()) } else { Err(said) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_takes_the_smallest_volume_and_leaves_it_as_its_policy_says() {
    let (cluster, http) = without_nodes().await;
    made(&http, CLAIMS, &claim("x", &json!({ "storageClassName": "" }))).await;
    told(&http, "x", "FailedBinding", "no persistent volumes available for this claim and no storage class is set").await;
    for (name, size) in [("big", "9Gi"), ("small", "2Gi"), ("tiny", "1Mi")] {
        made(&http, VOLUMES, &sized(name, size, "Retain", "/tmp/d")).await;
        phase(&http, &format!("{VOLUMES}/{name}"), if name == "big" { "Bound" } else { "Available" }).await;
    }
    // The first that came was taken at once; who comes later has the choice.
    let x = phase(&http, &format!("{CLAIMS}/x"), "Bound").await;
    assert_eq!((&x["spec"]["volumeName"], &x["status"]["capacity"]["storage"]), (&json!("big"), &json!("9Gi")));
    let yes = json!({ "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes" });
    assert_eq!(x["metadata"]["annotations"], yes);
    made(&http, CLAIMS, &claim("y", &json!({ "storageClassName": "" }))).await;
    let y = phase(&http, &format!("{CLAIMS}/y"), "Bound").await;
    assert_eq!(y["spec"]["volumeName"], "small");

    assert_eq!(http.delete(&format!("{CLAIMS}/y")).await.code, 200);
    let small = phase(&http, &format!("{VOLUMES}/small"), "Released").await;
    assert_eq!(small["spec"]["claimRef"]["name"], "y", "it says whose data it holds");
    for (name, policy, path, end) in [("wiped", "Recycle", "/d", "Available"), ("kept", "Delete", "/d", "Failed")] {
        let path_of = format!("{VOLUMES}/{name}");
        made(&http, VOLUMES, &sized(name, "2Gi", policy, path)).await;
        phase(&http, &path_of, "Available").await;
        made(&http, CLAIMS, &claim(name, &json!({ "storageClassName": "", "volumeName": name }))).await;
        phase(&http, &path_of, "Bound").await;
        assert_eq!(http.delete(&format!("{CLAIMS}/{name}")).await.code, 200);
        phase(&http, &path_of, end).await;
    }
    told(&http, "wiped", "VolumeRecycled", "Volume recycled").await;
    told(&http, "kept", "VolumeFailedDelete", "host_path deleter only supports /tmp/.+ but received provided /d").await;

    // A volume that vanishes takes the data with it.
    let gone_volume = format!("{VOLUMES}/big");
    assert_eq!(http.delete(&gone_volume).await.code, 200);
    assert_eq!(http.patch(&gone_volume, "merge", &json!({ "metadata": { "finalizers": null } })).await.code, 200);
    phase(&http, &format!("{CLAIMS}/x"), "Lost").await;
    told(&http, "x", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!").await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn volumes_are_made_and_unmade_for_classes() {
    let (cluster, http) = without_nodes().await;
    made(&http, CLAIMS, &claim("late", &json!({}))).await;
    let mut usual = class("usual", "mini.dev/hostpath", "Immediate");
    usual["metadata"]["annotations"] = json!({ "storageclass.kubernetes.io/is-default-class": "true" });
    made(&http, CLASSES, &usual).await;
    let late = phase(&http, &format!("{CLAIMS}/late"), "Bound").await;
    assert_eq!(late["spec"]["storageClassName"], "usual", "the default counts for those that came before it");
    let volume = format!("{VOLUMES}/{}", late["spec"]["volumeName"].as_str().expect("a name"));
    assert_eq!(late["spec"]["volumeName"], json!(format!("pvc-{}", late["metadata"]["uid"].as_str().expect("a UID"))));
    told(&http, "late", "ProvisioningSucceeded", "Successfully provisioned volume pvc-").await;
    assert_eq!(http.delete(&format!("{CLAIMS}/late")).await.code, 200);
    gone(&http, &volume).await;

    made(&http, CLASSES, &class("theirs", "p.example.com", "Immediate")).await;
    made(&http, CLAIMS, &claim("waits", &json!({ "storageClassName": "theirs" }))).await;
    told(&http, "waits", "ExternalProvisioning", "the external provisioner 'p.example.com' or manually").await;
    made(&http, CLAIMS, &claim("lost", &json!({ "storageClassName": "none" }))).await;
    told(&http, "lost", "ProvisioningFailed", "storageclass.storage.k8s.io \"none\" not found").await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_go_where_their_volumes_are() {
    let cluster = Options::default().start().await.expect("it starts");
    let http = Http::new(cluster.address());
    made(&http, PODS, &pod("early", "none")).await;
    told(&http, "early", "FailedScheduling", "0/3 nodes are available: persistentvolumeclaim \"none\" not found. not found").await;
    made(&http, CLAIMS, &claim("none", &json!({ "storageClassName": "" }))).await;
    told(&http, "early", "FailedScheduling", "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.").await;

    // A volume on one node only.
    let hostname = json!({ "key": "kubernetes.io/hostname", "operator": "In", "values": ["k8s-node-2"] });
    let mut there = volume("there");
    there["spec"]["nodeAffinity"] = json!({ "required": { "nodeSelectorTerms": [{ "matchExpressions": [hostname] }] } });
    made(&http, VOLUMES, &there).await;
    let early = phase(&http, &format!("{PODS}/early"), "Running").await;
    assert_eq!(early["spec"]["nodeName"], "k8s-node-2");

    // The pod comes first, then its volume, at its node.
    add_example_class(&http).await;
    made(&http, CLAIMS, &claim("lazy", &json!({}))).await;
    told(&http, "lazy", "WaitForFirstConsumer", "waiting for first consumer to be created before binding").await;
    made(&http, PODS, &pod("lazy", "lazy")).await;
    let lazy = phase(&http, &format!("{PODS}/lazy"), "Running").await;
    let bound = phase(&http, &format!("{CLAIMS}/lazy"), "Bound").await;
    assert_eq!(bound["metadata"]["annotations"]["volume.kubernetes.io/selected-node"], lazy["spec"]["nodeName"]);
    let made_for_it = http.get(&format!("{VOLUMES}/{}", bound["spec"]["volumeName"].as_str().expect("a name"))).await.json();
    let term = &made_for_it["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0];
    assert_eq!(term["values"], json!([lazy["spec"]["nodeName"]]));

    // What is there by hand is taken, by one pod each.
    made(&http, CLASSES, &class("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer")).await;
    for name in ["one", "two"] {
        let mut local = volume(name);
        local["spec"]["storageClassName"] = "local".into();
        made(&http, VOLUMES, &local).await;
        phase(&http, &format!("{VOLUMES}/{name}"), "Available").await;
        made(&http, CLAIMS, &claim(name, &json!({ "storageClassName": "local" }))).await;
    }
    for name in ["one", "two"] {
        made(&http, PODS, &pod(name, name)).await;
    }
    for name in ["one", "two"] {
        phase(&http, &format!("{PODS}/{name}"), "Running").await;
    }
    made(&http, CLAIMS, &claim("three", &json!({ "storageClassName": "local" }))).await;
    made(&http, PODS, &pod("three", "three")).await;
    told(&http, "three", "FailedScheduling", "3 node(s) didn't find available persistent volumes to bind").await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_of_a_pods_own_comes_and_goes_with_it() {
    let cluster = Options::default().nodes(1).start().await.expect("it starts");
    let http = Http::new(cluster.address());
    add_example_class(&http).await;
    let metadata = json!({ "labels": { "type": "scratch" }, "annotations": { "team": "blue" } });
    let template = json!({ "metadata": metadata, "spec": claim("any", &json!({}))["spec"] });
    let with_own = |name: &str| {
        let mut pod = pod(name, name);
        pod["spec"]["volumes"] = json!([{ "name": "v", "ephemeral": { "volumeClaimTemplate": template } }]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{ "name": "v", "mountPath": "/scratch" }]);
        pod
    };
    let owned_by = |pod: &Value| {
        let (name, uid) = (&pod["metadata"]["name"], &pod["metadata"]["uid"]);
        json!([{ "apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true }])
    };
    made(&http, PODS, &with_own("web")).await;
    let web = phase(&http, &format!("{PODS}/web"), "Running").await;
    let path = format!("{CLAIMS}/web-v");
    let own = phase(&http, &path, "Bound").await;
    assert_eq!(own["metadata"]["ownerReferences"], owned_by(&web));
    assert_eq!(own["metadata"]["labels"], json!({ "type": "scratch" }));
    assert_eq!((&own["metadata"]["annotations"]["team"], &own["spec"]["storageClassName"]), (&json!("blue"), &json!("standard")));
    let volume = format!("{VOLUMES}/{}", own["spec"]["volumeName"].as_str().expect("a name"));
    assert_eq!(http.delete(&format!("{PODS}/web?gracePeriodSeconds=1")).await.code, 200);
    gone(&http, &path).await;
    gone(&http, &volume).await;

    // What has the name of its claim and is somebody else's is not taken: the pod waits until it is gone.
    made(&http, CLAIMS, &claim("other-v", &json!({ "storageClassName": "" }))).await;
    made(&http, PODS, &with_own("other")).await;
    let why = "ephemeral volume v: PVC default/other-v was not created for pod default/other (pod is not owner)";
    told(&http, "other", "FailedBinding", why).await;
    assert_eq!(http.delete(&format!("{CLAIMS}/other-v")).await.code, 200);
    let other = phase(&http, &format!("{PODS}/other"), "Running").await;
    let own = phase(&http, &format!("{CLAIMS}/other-v"), "Bound").await;
    assert_eq!(own["metadata"]["ownerReferences"], owned_by(&other));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_take_what_drivers_say_and_disks_have_one_writer() {
    let cluster = Options::default().nodes(1).start().await.expect("it starts");
    let http = Http::new(cluster.address());
    // A driver that tells how much room it has, and has told of none.
    let driver = json!({ "metadata": { "name": "csi.example.com" }, "spec": { "storageCapacity": true } });
    made(&http, "/apis/storage.k8s.io/v1/csidrivers", &driver).await;
    made(&http, CLASSES, &class("roomy", "csi.example.com", "WaitForFirstConsumer")).await;
    made(&http, CLAIMS, &claim("wish", &json!({ "storageClassName": "roomy" }))).await;
    made(&http, PODS, &pod("wish", "wish")).await;
    told(&http, "wish", "FailedScheduling", "1 node(s) did not have enough free storage").await;
    let room = json!({ "metadata": { "name": "here" }, "storageClassName": "roomy", "capacity": "100Gi", "nodeTopology": {} });
    made(&http, "/apis/storage.k8s.io/v1/namespaces/default/csistoragecapacities", &room).await;
    wait_for("the node to be chosen for the claim", || async {
        let wish = http.get(&format!("{CLAIMS}/wish")).await.json();
        if wish["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "k8s-node-1" { Ok(()) } else { Err(wish) }
    })
    .await;

    // A node that takes none of its volumes.
    let limits = json!([{ "name": "csi.example.com", "nodeID": "n", "allocatable": { "count": 0 } }]);
    made(&http, "/apis/storage.k8s.io/v1/csinodes", &json!({ "metadata": { "name": "k8s-node-1" }, "spec": { "drivers": limits } })).await;
    made(&http, CLAIMS, &claim("more", &json!({ "storageClassName": "roomy" }))).await;
    made(&http, PODS, &pod("more", "more")).await;
    told(&http, "more", "FailedScheduling", "1 node(s) exceed max volume count").await;

    let disk = |name: &str, read_only: bool| {
        let source = json!({ "pdName": "disk", "readOnly": read_only });
        let mut pod = pod(name, name);
        pod["spec"]["volumes"] = json!([{ "name": "v", "gcePersistentDisk": source }]);
        pod
    };
    made(&http, PODS, &disk("reader", true)).await;
    phase(&http, &format!("{PODS}/reader"), "Running").await;
    made(&http, PODS, &disk("another", true)).await;
    phase(&http, &format!("{PODS}/another"), "Running").await;
    made(&http, PODS, &disk("writer", false)).await;
    told(&http, "writer", "FailedScheduling", "1 node(s) had no available disk").await;
    cluster.stop().await.expect("it stops");
}

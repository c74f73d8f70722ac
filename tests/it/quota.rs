//! ResourceQuotas: what exceeds one is refused in upstream's words, however many ask at once, and what goes gives room.

use std::process::{Command, Stdio};

use futures::future::join_all;
use mini_cluster::{Cluster, Options};
use mini_tests::{World, http::Http, wait_for};
use serde_json::{Value, json};

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const PODS: &str = "/api/v1/namespaces/default/pods";

/// A cluster whose pods go nowhere: API server and controllers.
async fn cluster() -> (Cluster, Http) {
    let options = Options { scheduler: None, kubelet: None, ..Options::default() };
    let cluster = options.start().await.expect("it starts");
    let http = Http::new(cluster.address());
    (cluster, http)
}

fn pod(name: &str, resources: Value) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "c1", "image": "nginx", "resources": resources }] } })
}

/// Creates a quota and waits until it is known what is used of it.
async fn quota(http: &Http, name: &str, spec: Value) {
    let made = http.post(QUOTAS, &json!({ "metadata": { "name": name }, "spec": spec })).await;
    assert_eq!(made.code, 201, "{}", made.text());
    wait_for("the usage of a new quota", || async {
        let status = status(http, name).await;
        let all = |field: &str| status[field].as_object().map(serde_json::Map::len);
        if all("used").is_some() && all("used") == all("hard") { Ok(()) } else { Err(status) }
    })
    .await;
}

async fn status(http: &Http, name: &str) -> Value {
    http.get(&format!("{QUOTAS}/{name}")).await.json()["status"].take()
}

async fn used(http: &Http, name: &str, want: Value) {
    wait_for("what is used of a quota", || async {
        let status = status(http, name).await;
        if status["used"] == want { Ok(()) } else { Err(status) }
    })
    .await;
}

/// The message of a refusal.
async fn refused(http: &Http, path: &str, object: &Value) -> String {
    let answer = http.post(path, object).await;
    assert_eq!(answer.code, 403, "{}", answer.text());
    answer.json()["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_at_once_as_many_pass_as_there_may_be() {
    let (cluster, http) = cluster().await;
    quota(&http, "few", json!({ "hard": { "pods": "5" } })).await;
    let create = |number: u32| {
        let http = http.clone();
        async move { http.post(PODS, &pod(&format!("p{number}"), json!({}))).await }
    };
    let answers = join_all((0..20).map(create)).await;
    assert_eq!(answers.iter().filter(|answer| answer.code == 201).count(), 5);
    for (number, answer) in answers.iter().enumerate().filter(|(_, answer)| answer.code != 201) {
        let want = format!("pods \"p{number}\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=5, limited: pods=5");
        let status = answer.json();
        assert_eq!((answer.code, status["message"].as_str()), (403, Some(want.as_str())));
        assert_eq!(status["details"], json!({ "name": format!("p{number}"), "kind": "pods" }));
    }
    let listed = http.get(PODS).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(5));
    assert_eq!(status(&http, "few").await, json!({ "hard": { "pods": "5" }, "used": { "pods": "5" } }));

    // A dry run is judged and costs nothing; so does a name that is taken.
    let taken = listed["items"][0]["metadata"]["name"].as_str().expect("a name");
    let dry = format!("{PODS}?dryRun=All");
    assert!(refused(&http, &dry, &pod("dry", json!({}))).await.contains("exceeded quota: few"));
    http.delete(&format!("{PODS}/{taken}?gracePeriodSeconds=0")).await;
    used(&http, "few", json!({ "pods": "4" })).await;
    assert_eq!(http.post(&dry, &pod("dry", json!({}))).await.code, 201);
    let other = listed["items"][1]["metadata"]["name"].as_str().expect("a name");
    assert_eq!(http.post(PODS, &pod(other, json!({}))).await.code, 409);
    assert_eq!(http.post(PODS, &pod("another", json!({}))).await.code, 201);
    assert!(refused(&http, PODS, &pod("one-more", json!({}))).await.contains("used: pods=5"));

    // Who manages what of a status is upstream's.
    let managers = http.get(&format!("{QUOTAS}/few")).await.json()["metadata"]["managedFields"].take();
    let of_status = managers.as_array().into_iter().flatten().filter(|entry| entry["subresource"] == "status");
    let mut fields: Vec<_> = of_status.map(|entry| (entry["manager"].as_str().unwrap_or_default(), &entry["fieldsV1"])).collect();
    fields.sort_by_key(|(manager, _)| *manager);
    let counted = json!({ "f:status": { "f:used": { "f:pods": {} } } });
    let told = json!({ "f:status": { "f:hard": { ".": {}, "f:pods": {} }, "f:used": {} } });
    assert_eq!(fields, [("kube-apiserver", &counted), ("kube-controller-manager", &told)]);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_limited_must_be_stated() {
    let (cluster, http) = cluster().await;
    quota(&http, "compute", json!({ "hard": { "requests.cpu": "1", "limits.memory": "1Gi", "requests.example.com/gpu": "2" } })).await;
    let must = refused(&http, PODS, &pod("bare", json!({}))).await;
    assert_eq!(must, "pods \"bare\" is forbidden: failed quota: compute: must specify limits.memory for: c1; requests.cpu for: c1");
    let half = json!({ "requests": { "cpu": "600m", "memory": "1Mi" }, "limits": { "memory": "512Mi", "example.com/gpu": "1" } });
    assert_eq!(http.post(PODS, &pod("half", half.clone())).await.code, 201);
    let over = refused(&http, PODS, &pod("over", half)).await;
    assert_eq!(
        over,
        "pods \"over\" is forbidden: exceeded quota: compute, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
    );
    let want = json!({ "limits.memory": "512Mi", "requests.cpu": "600m", "requests.example.com/gpu": "1" });
    assert_eq!(status(&http, "compute").await["used"], want);

    // Who resizes a pod asks for more.
    let resize = |cpu: &str| json!({ "spec": { "containers": [{ "name": "c1", "resources": { "requests": { "cpu": cpu } } }] } });
    let path = format!("{PODS}/half/resize");
    let refusal = http.patch(&path, "strategic-merge", &resize("1100m")).await;
    let over = "pods \"half\" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1";
    assert_eq!((refusal.code, refusal.json()["message"].as_str()), (403, Some(over)));
    assert_eq!(http.patch(&path, "strategic-merge", &resize("700m")).await.code, 200);
    assert_eq!(status(&http, "compute").await["used"]["requests.cpu"], "700m");
    assert_eq!(http.patch(&path, "strategic-merge", &resize("600m")).await.code, 200);
    used(&http, "compute", want.clone()).await;

    // More is granted: the same pod fits then.
    http.patch(&format!("{QUOTAS}/compute"), "merge", &json!({ "spec": { "hard": { "requests.cpu": "2" } } })).await;
    wait_for("the new limit", || async {
        let status = status(&http, "compute").await;
        if status["hard"]["requests.cpu"] == "2" { Ok(()) } else { Err(status) }
    })
    .await;
    let more = json!({ "requests": { "cpu": "1400m" }, "limits": { "memory": "512Mi" } });
    assert_eq!(http.post(PODS, &pod("more", more)).await.code, 201);

    // A pod that has ended gives back all but its place.
    quota(&http, "places", json!({ "hard": { "count/pods": "2", "pods": "2" } })).await;
    let ended = http.patch(&format!("{PODS}/more/status"), "merge", &json!({ "status": { "phase": "Succeeded" } })).await;
    assert_eq!(ended.code, 200, "{}", ended.text());
    used(&http, "compute", want).await;
    used(&http, "places", json!({ "count/pods": "2", "pods": "1" })).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_has_a_number_can_be_limited() {
    let (cluster, http) = cluster().await;
    let core = |plural: &str| format!("/api/v1/namespaces/default/{plural}");
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let hard =
        json!({ "count/deployments.apps": "1", "count/serviceaccounts": "2", "secrets": "1", "resourcequotas": "1", "configmaps": "9" });
    quota(&http, "numbers", json!({ "hard": hard })).await;
    // The namespace has these from the start.
    let want =
        json!({ "count/deployments.apps": "0", "count/serviceaccounts": "1", "secrets": "0", "resourcequotas": "1", "configmaps": "1" });
    assert_eq!(status(&http, "numbers").await["used"], want);
    let named = |name: &str| json!({ "metadata": { "name": name } });
    assert_eq!(http.post(&core("secrets"), &named("a")).await.code, 201);
    assert_eq!(
        refused(&http, &core("secrets"), &named("b")).await,
        "secrets \"b\" is forbidden: exceeded quota: numbers, requested: secrets=1, used: secrets=1, limited: secrets=1"
    );
    assert!(refused(&http, QUOTAS, &named("second")).await.contains("exceeded quota: numbers, requested: resourcequotas=1"));
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] } });
    let deployment = |name: &str| {
        let spec = json!({ "replicas": 0, "selector": { "matchLabels": { "a": "b" } }, "template": template });
        json!({ "metadata": { "name": name }, "spec": spec })
    };
    assert_eq!(http.post(deployments, &deployment("a")).await.code, 201);
    assert_eq!(
        refused(&http, deployments, &deployment("b")).await,
        "deployments.apps \"b\" is forbidden: exceeded quota: numbers, requested: count/deployments.apps=1, used: count/deployments.apps=1, limited: count/deployments.apps=1"
    );
    http.delete(&format!("{deployments}/a")).await;
    let mut want = want;
    want["secrets"] = "1".into();
    used(&http, "numbers", want).await;
    // Changes of what is counted cost nothing.
    let changed = http.patch(&format!("{}/a", core("secrets")), "merge", &json!({ "stringData": { "a": "b" } })).await;
    assert_eq!(changed.code, 200, "{}", changed.text());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_take_more_are_charged_for_the_difference() {
    let (cluster, http) = cluster().await;
    let services = "/api/v1/namespaces/default/services";
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    quota(&http, "ports", json!({ "hard": { "services.nodeports": "1", "services.loadbalancers": "0" } })).await;
    let service = json!({ "metadata": { "name": "web" }, "spec": { "ports": [{ "port": 80 }] } });
    assert_eq!(http.post(services, &service).await.code, 201);
    let path = format!("{services}/web");
    assert_eq!(http.patch(&path, "merge", &json!({ "spec": { "type": "NodePort" } })).await.code, 200);
    used(&http, "ports", json!({ "services.nodeports": "1", "services.loadbalancers": "0" })).await;
    let refusal = http.patch(&path, "merge", &json!({ "spec": { "type": "LoadBalancer" } })).await;
    let want = "services \"web\" is forbidden: exceeded quota: ports, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0";
    assert_eq!((refusal.code, refusal.json()["message"].as_str()), (403, Some(want)));
    assert_eq!(http.patch(&path, "merge", &json!({ "spec": { "type": "ClusterIP" } })).await.code, 200);
    used(&http, "ports", json!({ "services.nodeports": "0", "services.loadbalancers": "0" })).await;

    let gold = "gold.storageclass.storage.k8s.io/requests.storage";
    quota(&http, "storage", json!({ "hard": { "requests.storage": "10Gi", gold: "5Gi", "persistentvolumeclaims": "3" } })).await;
    let claim = |name: &str, class: &str, size: &str| {
        let resources = json!({ "requests": { "storage": size } });
        let spec = json!({ "accessModes": ["ReadWriteOnce"], "storageClassName": class, "resources": resources });
        json!({ "metadata": { "name": name }, "spec": spec })
    };
    assert_eq!(http.post(claims, &claim("a", "gold", "4Gi")).await.code, 201);
    let exceeded = format!("exceeded quota: storage, requested: {gold}=2Gi, used: {gold}=4Gi, limited: {gold}=5Gi");
    let refusal = refused(&http, claims, &claim("b", "gold", "2Gi")).await;
    assert_eq!(refusal, format!("persistentvolumeclaims \"b\" is forbidden: {exceeded}"));
    assert_eq!(http.post(claims, &claim("b", "silver", "6Gi")).await.code, 201);
    let want = json!({ "requests.storage": "10Gi", gold: "4Gi", "persistentvolumeclaims": "2" });
    assert_eq!(status(&http, "storage").await["used"], want);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_say_which_pods_count() {
    let (cluster, http) = cluster().await;
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    assert_eq!(http.post(classes, &json!({ "metadata": { "name": "high" }, "value": 10 })).await.code, 201);
    let high = json!({ "matchExpressions": [{ "scopeName": "PriorityClass", "operator": "In", "values": ["high"] }] });
    quota(&http, "high", json!({ "hard": { "pods": "1" }, "scopeSelector": high })).await;
    quota(&http, "short", json!({ "hard": { "pods": "1" }, "scopes": ["Terminating"] })).await;
    quota(&http, "lazy", json!({ "hard": { "pods": "2" }, "scopes": ["BestEffort", "NotTerminating"] })).await;
    let with = |name: &str, field: &str, value: Value| {
        let mut pod = pod(name, json!({ "requests": { "cpu": "1" } }));
        pod["spec"][field] = value;
        pod
    };
    assert_eq!(http.post(PODS, &with("h1", "priorityClassName", json!("high"))).await.code, 201);
    assert!(
        refused(&http, PODS, &with("h2", "priorityClassName", json!("high"))).await.contains("exceeded quota: high, requested: pods=1")
    );
    assert_eq!(http.post(PODS, &with("s1", "activeDeadlineSeconds", json!(60))).await.code, 201);
    assert!(refused(&http, PODS, &with("s2", "activeDeadlineSeconds", json!(60))).await.contains("exceeded quota: short"));
    assert_eq!(http.post(PODS, &pod("l1", json!({}))).await.code, 201);
    assert_eq!(status(&http, "lazy").await["used"], json!({ "pods": "1" }));
    // A pod that gets a deadline comes under another quota.
    let refusal = http.patch(&format!("{PODS}/l1"), "merge", &json!({ "spec": { "activeDeadlineSeconds": 5 } })).await;
    assert!(refusal.code == 403 && refusal.text().contains("exceeded quota: short"), "{}", refusal.text());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_tells_of_quotas_and_a_deployment_that_meets_one() {
    let world = World::up(1);
    // Old clients cannot wait for a field.
    let until = |what: &'static str, path: &'static str, wanted: &'static str| {
        let world = &world;
        wait_for(what, move || async move {
            let seen = world.kubectl(&["get", what, "-o", &format!("jsonpath={path}")]).success();
            if seen == wanted { Ok(()) } else { Err(seen) }
        })
    };
    assert_eq!(world.kubectl(&["create", "quota", "c11", "--hard=pods=3,requests.cpu=2"]).success(), "resourcequota/c11 created\n");
    let get = |args: &[&str]| world.kubectl(&[&["get"], args].concat()).success();
    until("resourcequota/c11", "{.status.used.pods}", "0").await;
    let describe = world.kubectl(&["describe", "quota", "c11"]).success();
    let want = "Name:         c11\nNamespace:    default\nResource      Used  Hard\n--------      ----  ----\npods          0     3\nrequests.cpu  0     2\n";
    assert_eq!(describe, want);

    let failure = world.kubectl(&["run", "solo", "--image=nginx"]).failure();
    let forbidden = "Error from server (Forbidden): pods \"solo\" is forbidden: ";
    assert_eq!(failure, format!("{forbidden}failed quota: c11: must specify requests.cpu for: solo\n"));
    world.kubectl(&["create", "deployment", "web", "--image=nginx", "--replicas=5"]).success();
    world.kubectl(&["set", "resources", "deployment/web", "--requests=cpu=100m"]).success();
    let failed = ["wait", "deployment/web", "--for=condition=ReplicaFailure", "--timeout=60s"];
    world.kubectl(&failed).success();
    until("resourcequota/c11", "{.status.used.pods}", "3").await;
    until("deployment/web", "{.status.availableReplicas}", "3").await;
    let conditions =
        "jsonpath={range .items[*].status.conditions[?(@.type==\"ReplicaFailure\")]}{.status} {.reason} {.message}{\"\\n\"}{end}";
    let told = get(&["rs", "-o", conditions]);
    assert!(told.contains("True FailedCreate pods \"web-"), "{told}");
    let events = get(&["events", "--field-selector=reason=FailedCreate", "-o", "jsonpath={range .items[*]}{.message}{\"\\n\"}{end}"]);
    let exceeded = "is forbidden: exceeded quota: c11, requested: pods=1, used: pods=3, limited: pods=3";
    assert!(events.lines().any(|line| line.starts_with("Error creating: pods \"web-") && line.ends_with(exceeded)), "{events}");
    let row = get(&["quota", "c11", "--no-headers"]);
    assert!(row.contains("pods: 3/3, requests.cpu: 300m/2"), "{row}");
    assert!(world.kubectl(&["describe", "deployment", "web"]).success().contains("ReplicaFailure"));
}

/// Creates and deletes at once, while the controller brings down what was raised.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coming_and_going_never_exceeds() {
    const MOST: usize = 6;
    let (cluster, http) = cluster().await;
    quota(&http, "few", json!({ "hard": { "pods": MOST.to_string() } })).await;
    let client = |client: u32| {
        let http = http.clone();
        async move {
            let mut made = 0;
            for round in 0..60 {
                let name = format!("p{client}-{round}");
                let answer = http.post(PODS, &pod(&name, json!({}))).await;
                assert!(matches!(answer.code, 201 | 403), "{}", answer.text());
                let there = http.get(PODS).await.json()["items"].as_array().map_or(0, Vec::len);
                assert!(there <= MOST, "{there} pods are there");
                if answer.code == 201 {
                    made += 1;
                    http.delete(&format!("{PODS}/{name}?gracePeriodSeconds=0")).await;
                }
            }
            made
        }
    };
    let made: Vec<u32> = join_all((0..8).map(client)).await;
    assert!(made.iter().sum::<u32>() as usize > MOST, "what went gave no room: {made:?}");
    used(&http, "few", json!({ "pods": "0" })).await;
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_has_let_in_no_more_than_there_may_be() {
    const MOST: usize = 150;
    let world = World::up(1);
    world.kubectl(&["create", "quota", "few", &format!("--hard=configmaps={MOST}")]).success();
    world.kubectl(&["wait", "resourcequota/few", "--for=jsonpath={.status.used.configmaps}=1", "--timeout=60s"]).success();
    let there = || world.kubectl(&["get", "configmaps", "-o", "name"]).stdout().lines().count();
    let file = world.home().join("many.yml");
    let mut before = there();
    for round in 0..3 {
        let one = |number| format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: r{round}-{number}\n---\n");
        std::fs::write(&file, (0..MOST + 50).map(one).collect::<String>()).expect("write the manifest");
        let mut create = Command::new("kubectl");
        create.arg("create").arg("-f").arg(&file).env("KUBECONFIG", world.home().join("kubeconfig")).env("HOME", world.home());
        let mut creating = create.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kubectl starts");
        if round < 2 {
            wait_for("some of them", || async { if there() > before { Ok(()) } else { Err(before) } }).await;
            world.kill("apiserver").await;
            creating.kill().expect("kubectl is killed");
            creating.wait().expect("kubectl ends");
            world.ctl(&["start", "apiserver"]).success();
        } else {
            creating.wait().expect("kubectl ends");
        }
        before = wait_for("the truth about a quota", || async {
            let used = world.kubectl(&["get", "quota", "few", "-o", "jsonpath={.status.used.configmaps}"]).stdout();
            let there = there();
            if used == there.to_string() { Ok(there) } else { Err((there, used)) }
        })
        .await;
        assert!(before <= MOST, "{before} are there");
    }
    // What the killed servers had promised to nobody has been given to others.
    assert_eq!(before, MOST);
}

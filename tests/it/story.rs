//! The main story, by both clients, on real processes: the notes' own file from `apply` to Running, scaled, rolled, deleted.

use std::collections::BTreeSet;

use mini_tests::{Ran, World, root, wait_for};
use serde_json::{Value, json};

/// Which client plays the story.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Ours,
    Theirs,
}

impl Client {
    fn run(self, world: &World, args: &[&str]) -> Ran {
        match self {
            Self::Ours => world.ctl(args),
            Self::Theirs => world.kubectl(args),
        }
    }

    /// The items of a list; what was said instead where there is none.
    fn items(self, world: &World, args: &[&str]) -> Result<Vec<Value>, String> {
        let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
        let ran = self.run(world, &args);
        if ran.code() != 0 {
            return Err(ran.stderr());
        }
        let list: Value = serde_json::from_str(&ran.stdout()).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout()));
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }
}

/// The file as the course notes print it, or our copy of it where the notes are not at hand.
fn manifest(world: &World) -> String {
    let file = world.home().join("nginx.yml");
    std::fs::write(&file, notes().unwrap_or_else(|| std::fs::read_to_string(root().join("examples/nginx.yml")).expect("read the example")))
        .expect("write it");
    file.to_string_lossy().into_owned()
}

/// The first `nginx.yml` of the notes, comments and all.
fn notes() -> Option<String> {
    let folder = std::fs::read_dir(root().parent()?.join("shared/seeds")).ok()?;
    let file = folder.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("003_"))?;
    let text = std::fs::read_to_string(file.path()).ok()?;
    let mut lines = text.lines().skip_while(|line| !line.ends_with("# cat nginx.yml"));
    lines.next()?;
    let block: Vec<&str> = lines.take_while(|line| !line.trim().is_empty()).collect();
    let indent = block.first()?.len() - block.first()?.trim_start().len();
    Some(block.iter().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect())
}

fn pods(client: Client, world: &World) -> Result<Vec<Value>, String> {
    client.items(world, &["get", "pods", "-l", "app=web_server"])
}

fn is_running(pod: &Value) -> bool {
    let ready = pod["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
    pod["status"]["phase"] == "Running" && ready && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Waits until exactly so many pods are there, all of them ready and of this image.
async fn settled(client: Client, world: &World, count: usize, image: &str) -> Vec<Value> {
    wait_for(&format!("{count} pods of {image}"), || async {
        let pods = pods(client, world)?;
        let good = pods.iter().filter(|pod| is_running(pod) && pod["spec"]["containers"][0]["image"] == image).count();
        if good == count && pods.len() == count { Ok(pods) } else { Err(world.ctl(&["get", "pods", "-o", "wide"]).stdout()) }
    })
    .await
}

fn contains_all(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
    }
}

async fn play(client: Client) {
    let world = World::up(2);
    let file = manifest(&world);
    let ran = client.run(&world, &["apply", "-f", &file]);
    assert_eq!(ran.success(), "deployment.extensions/nginx-deployment created\n");
    contains_all(&ran.stderr(), &["Warning: extensions/v1beta1 Deployment is deprecated in v1.8+, unavailable in v1.16+"]);

    let two = settled(client, &world, 2, "nginx:1.7.9").await;
    let nodes: BTreeSet<&str> = two.iter().filter_map(|pod| pod["spec"]["nodeName"].as_str()).collect();
    assert_eq!(nodes, BTreeSet::from(["k8s-node-1", "k8s-node-2"]));
    looks_right(client, &world);

    assert_eq!(
        client.run(&world, &["scale", "deployment", "nginx-deployment", "--replicas=8"]).success(),
        "deployment.apps/nginx-deployment scaled\n"
    );
    settled(client, &world, 8, "nginx:1.7.9").await;

    roll(client, &world).await;

    let deleted = client.run(&world, &["delete", "deployment", "nginx-deployment"]).success();
    assert!(deleted.starts_with("deployment.apps \"nginx-deployment\" deleted"), "{deleted}");
    wait_for("nothing to be left", || async {
        let left = client.run(&world, &["get", "deploy,rs,pod"]);
        if left.stderr().contains("No resources found in default namespace.") { Ok(()) } else { Err(left.stdout()) }
    })
    .await;
}

fn looks_right(client: Client, world: &World) {
    let wide = client.run(world, &["get", "deploy,rs,pod", "-o", "wide"]).success();
    let heads = [
        ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"].as_slice(),
        &["NAME", "DESIRED", "CURRENT", "READY", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"],
        &["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"],
    ];
    for head in heads {
        assert!(wide.lines().any(|line| line.split_whitespace().eq(head.iter().copied())), "{head:?} is not in:\n{wide}");
    }
    contains_all(
        &wide,
        &[
            "deployment.apps/nginx-deployment",
            "replicaset.apps/nginx-deployment-",
            "pod/nginx-deployment-",
            "app=web_server,pod-template-hash=",
        ],
    );
    let deployment = client.run(world, &["describe", "deployment", "nginx-deployment"]).success();
    contains_all(
        &deployment,
        &[
            "Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable",
            "StrategyType:           RollingUpdate",
            "RollingUpdateStrategy:  1 max unavailable, 1 max surge",
            "Available      True    MinimumReplicasAvailable",
            "NewReplicaSet:   nginx-deployment-",
            "ScalingReplicaSet",
            "deployment-controller  Scaled up replica set nginx-deployment-",
        ],
    );
    let pod = client.run(world, &["describe", "pod", "-l", "app=web_server"]).success();
    contains_all(
        &pod,
        &[
            "Controlled By:  ReplicaSet/nginx-deployment-",
            "Image:          nginx:1.7.9",
            "State:          Running",
            "/var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-",
            "default-scheduler  Successfully assigned default/nginx-deployment-",
            "Pulling image \"nginx:1.7.9\"",
            "Container created",
            "Container started",
        ],
    );
    let order = ["Scheduled", "Pulling", "Pulled", "Created", "Started"].map(|reason| {
        let line = pod.lines().position(|line| line.split_whitespace().nth(1) == Some(reason));
        line.unwrap_or_else(|| panic!("no {reason} event in:\n{pod}"))
    });
    assert!(order.is_sorted(), "the events are out of order:\n{pod}");
}

/// Changes the image and watches the bounds: the old file asks for at most one more and one less than eight.
async fn roll(client: Client, world: &World) {
    let patch = r#"{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}}}}"#;
    world.kubectl(&["patch", "deployment", "nginx-deployment", "-p", patch]).success();
    world.kubectl(&["set", "image", "deployment/nginx-deployment", "nginx=nginx:1.9.1"]).success();
    let bounds = wait_for("the new image everywhere", || async {
        let pods = pods(client, world).expect("a list");
        let (running, there) = (
            pods.iter().filter(|pod| is_running(pod)).count(),
            pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).count(),
        );
        assert!(running >= 6, "only {running} of 8 are ready");
        assert!(there <= 10, "{there} pods for 8");
        let new = pods.iter().filter(|pod| is_running(pod) && pod["spec"]["containers"][0]["image"] == "nginx:1.9.1").count();
        if new == 8 && pods.len() == 8 { Ok((running, there)) } else { Err((new, running, there)) }
    })
    .await;
    assert_eq!(bounds, (8, 8));
    let history = world.kubectl(&["rollout", "history", "deployment/nginx-deployment"]).success();
    assert_eq!(history.lines().count(), 5, "two revisions:\n{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notes_own_file_lives_with_mini_ctl() {
    play(Client::Ours).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notes_own_file_lives_with_kubectl() {
    play(Client::Theirs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_the_story_ends_well() {
    let world = World::up(2);
    let file = manifest(&world);
    let components = ["apiserver", "scheduler", "controllers", "k8s-node-1", "k8s-node-2"];
    // Each component dies once in each phase of the story, at whatever moment it happens to be in.
    for (round, component) in components.iter().enumerate() {
        retried(&world, &["apply", "-f", &file]).await;
        revive(&world, component).await;
        settled(Client::Theirs, &world, 2, "nginx:1.7.9").await;
        retried(&world, &["scale", "deployment", "nginx-deployment", "--replicas=6"]).await;
        revive(&world, components[(round + 2) % components.len()]).await;
        let six = settled(Client::Theirs, &world, 6, "nginx:1.7.9").await;
        let ips: BTreeSet<&str> = six.iter().filter_map(|pod| pod["status"]["podIP"].as_str()).collect();
        assert_eq!(ips.len(), 6, "two pods share an address: {ips:?}");
        retried(&world, &["set", "image", "deployment/nginx-deployment", "nginx=nginx:1.9.1"]).await;
        revive(&world, components[(round + 1) % components.len()]).await;
        settled(Client::Theirs, &world, 6, "nginx:1.9.1").await;
        retried(&world, &["delete", "deployment", "nginx-deployment", "--wait=false"]).await;
        revive(&world, component).await;
        wait_for("everything to be gone", || async {
            let left = world.kubectl(&["get", "deploy,rs,pod"]);
            if left.stderr().contains("No resources found") { Ok(()) } else { Err(left.stdout()) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_address_was_given_away_gets_another() {
    let world = World::up(1);
    let bound = r#"{"spec":{"nodeName":"k8s-node-1"}}"#;
    let run = |name: &'static str| ["run", name, "--image=nginx", "--overrides", bound];
    retried(&world, &run("old")).await;
    live(&world, 1).await;
    world.ctl(&["stop", "k8s-node-1"]).success();
    // A kubelet that starts has no containers, and looks at the pods by their names.
    for name in ["new-a", "new-b", "new-c"] {
        world.kubectl(&run(name)).success();
    }
    world.ctl(&["start", "k8s-node-1"]).success();
    live(&world, 4).await;
}

/// Waits until so many pods run, each with an address of its own and no other.
async fn live(world: &World, count: usize) {
    wait_for("pods that run, each with one address", || async {
        let pods = Client::Theirs.items(world, &["get", "pods"])?;
        let ready = |pod: &&Value| pod["status"]["containerStatuses"][0]["ready"] == true;
        let one = |pod: &&Value| pod["status"]["podIPs"] == json!([{ "ip": pod["status"]["podIP"] }]);
        let good: BTreeSet<_> = pods.iter().filter(ready).filter(one).filter_map(|pod| pod["status"]["podIP"].as_str()).collect();
        if good.len() == count { Ok(()) } else { Err(pods.iter().map(|pod| pod["status"].to_string()).collect::<Vec<_>>().join("\n")) }
    })
    .await;
}

/// Runs kubectl until the API server, which may just be starting, has taken it.
async fn retried(world: &World, args: &[&str]) {
    wait_for(&args.join(" "), || async {
        let ran = world.kubectl(args);
        if ran.code() == 0 { Ok(()) } else { Err(ran.stderr()) }
    })
    .await;
}

/// Kills a component without warning and starts it again.
async fn revive(world: &World, component: &str) {
    world.kill(component).await;
    world.ctl(&["start", component]).success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_there_is_there_after_down_and_up() {
    let world = World::up(2);
    world.kubectl(&["apply", "-f", &manifest(&world)]).success();
    let before = settled(Client::Theirs, &world, 2, "nginx:1.7.9").await;
    world.ctl(&["down"]).success();
    world.ctl(&["up"]).success();
    let after = settled(Client::Theirs, &world, 2, "nginx:1.7.9").await;
    let uids = |pods: &[Value]| pods.iter().map(|pod| pod["metadata"]["uid"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(uids(&before), uids(&after));
    let again = world.ctl(&["up"]).failure();
    assert!(again.contains("already running"), "{again}");
}

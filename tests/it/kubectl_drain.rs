//! `drain` under a disruption budget: refused while it would leave too few pods, then done. By kubectl, and by `mini-ctl`.

use mini_tests::{Ran, World, root, wait_for};

const BUDGET: &str = "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: guard
spec:
  minAvailable: 2
  selector: {matchLabels: {app: web_server}}
";

/// One field of an object, or of a list.
fn field(world: &World, what: &[&str], path: &str) -> String {
    let output = format!("jsonpath={path}");
    world.kubectl(&[&["get"], what, &["-o", &output]].concat()).success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_drained_when_the_budget_allows_it() {
    drained(World::kubectl).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mini_ctl_drains_as_kubectl_does() {
    drained(World::ctl).await;
}

/// Drains a node with this client.
async fn drained(client: fn(&World, &[&str]) -> Ran) {
    let world = World::up(3);
    let nginx = root().join("examples/nginx.yml");
    world.kubectl(&["apply", "-f", &nginx.to_string_lossy()]).success();
    world.kubectl_with(&["apply", "-f", "-"], BUDGET).success();
    client(&world, &["rollout", "status", "deployment/nginx-deployment", "--timeout=60s"]).success();
    let allowed = |wanted: &'static str| {
        let world = &world;
        wait_for("the budget is counted", move || async move {
            let seen = field(world, &["pdb", "guard"], "{.status.disruptionsAllowed}/{.status.currentHealthy}");
            if seen == wanted { Ok(()) } else { Err(seen) }
        })
    };
    allowed("0/2").await;
    let node = field(&world, &["pods"], "{.items[0].spec.nodeName}");
    let drain = ["drain", &node, "--ignore-daemonsets", "--timeout=2s"];
    let refused = client(&world, &drain).failure();
    assert!(refused.contains("Cannot evict pod as it would violate the pod's disruption budget."), "{refused}");
    assert_eq!(field(&world, &["pods"], "{.items[*].metadata.deletionTimestamp}"), "");

    world.kubectl(&["patch", "pdb", "guard", "--type=merge", "-p", "{\"spec\":{\"minAvailable\":1}}"]).success();
    allowed("1/2").await;
    let drained = client(&world, &["drain", &node, "--ignore-daemonsets", "--timeout=60s"]).success();
    assert!(drained.contains("pod/nginx-deployment-") && drained.contains(" evicted\n"), "{drained}");
    world.kubectl(&["rollout", "status", "deployment/nginx-deployment", "--timeout=60s"]).success();
    let nodes = field(&world, &["pods"], "{.items[*].spec.nodeName}");
    assert!(!nodes.contains(&node), "{nodes} has none of {node}");
    allowed("1/2").await;
}

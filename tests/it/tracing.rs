//! `mini-ctl trace`: the three processes of the course notes, in their order, told by the server's own account.

use mini_tests::World;
use serde_json::Value;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The revision of the step of this stage that is about `object` and says `what`.
fn revision(steps: &[Value], stage: &str, object: &str, what: &str) -> u64 {
    let step = steps.iter().find(|step| step["stage"] == stage && step["object"] == object && text(&step["what"]).contains(what));
    step.unwrap_or_else(|| panic!("{object} has no {stage} step that says {what:?}: {steps:#?}"))["revision"].as_u64().expect("a revision")
}

#[test]
fn the_story_of_a_deployment_is_told_in_order() {
    let world = World::up(2);
    let manifest = mini_tests::root().join("examples/nginx.yml");
    world.ctl(&["apply", "-f", &manifest.display().to_string()]).success();
    world.ctl(&["wait", "--for=condition=Available", "deployment/nginx-deployment", "--timeout=60s"]).success();
    world.ctl(&["wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/nginx-deployment", "--timeout=60s"]).success();
    let story: Value = serde_json::from_str(&world.ctl(&["trace", "deployment/nginx-deployment", "-o", "json"]).success()).expect("JSON");
    let steps = story["steps"].as_array().expect("steps");
    assert!(story["readyAfterMicroseconds"].as_i64().is_some_and(|ready| ready > 0), "{story}");
    assert_eq!(steps[0]["who"], "kubectl-client-side-apply");
    let in_order = |field: &str| steps.windows(2).all(|two| two[0][field].as_i64() <= two[1][field].as_i64());
    assert!(in_order("revision") && in_order("microseconds"), "{story}");
    let set = steps.iter().find(|step| step["who"] == "deployment-controller").expect("a ReplicaSet was made");
    assert!(text(&set["what"]).starts_with("created replicaset.apps/nginx-deployment-"), "{set}");
    let pods: Vec<&str> = steps
        .iter()
        .filter(|step| step["who"] == "replicaset-controller" && step["stage"] == "request")
        .map(|step| text(&step["object"]))
        .filter(|object| object.starts_with("pod/"))
        .collect();
    assert_eq!(pods.len(), 2, "{pods:?}");
    for pod in pods {
        let made = revision(steps, "request", pod, "created");
        let bound = revision(steps, "binding", pod, "bound to k8s-node-");
        let waiting = revision(steps, "creation", pod, "ContainerCreating");
        let running = revision(steps, "creation", pod, "Ready=True");
        assert!(made < bound && bound < waiting && waiting < running, "{pod}: {made} {bound} {waiting} {running}");
    }
    // A server that was started anew knows nothing of it, and says so.
    world.ctl(&["stop", "apiserver"]).success();
    world.ctl(&["start", "apiserver"]).success();
    let forgotten = world.ctl(&["trace", "deployment/nginx-deployment"]);
    assert_eq!(forgotten.code(), 1);
    assert!(
        forgotten.stderr().starts_with("error: the API server does not remember how deployment.apps/nginx-deployment was made"),
        "{}",
        forgotten.stderr()
    );
}

//! `create` and `run` without a manifest: what is made of it. The real kubectl sends it in protobuf, ours in JSON.

use mini_tests::{Ran, World};
use serde_json::{Value, json};

/// Who makes it: [`World::kubectl`], or [`World::ctl`].
type Client = fn(&World, &[&str]) -> Ran;

/// Reads an object back.
fn get(world: &World, what: &[&str]) -> Value {
    let text = world.kubectl(&[&["get", "-o", "json"], what].concat()).success();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The minor version of the client: old ones send JSON.
pub(crate) fn minor(world: &World) -> u32 {
    let version: Value = serde_json::from_str(&world.kubectl(&["version", "--client", "-o", "json"]).success()).expect("a version");
    let digits = version["clientVersion"]["minor"].as_str().unwrap_or_default().trim_end_matches('+').to_owned();
    digits.parse().unwrap_or_else(|_| panic!("no minor version in {version}"))
}

/// The object without what chance decides, and without the null that kubectl prints in templates it knows the type of.
fn without_chance(mut object: Value) -> Value {
    for field in ["uid", "creationTimestamp"] {
        object["metadata"][field].take();
    }
    for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        entry["time"].take();
    }
    if let Some(template) = object.pointer_mut("/spec/template/metadata").and_then(Value::as_object_mut) {
        template.remove("creationTimestamp");
    }
    object
}

#[test]
fn protobuf_and_json_make_the_same_object() {
    let world = World::up(1);
    if minor(&world) < 31 {
        eprintln!("this kubectl sends JSON: there is nothing to compare");
        return;
    }
    let file = world.home().join("made.json");
    let path = file.to_str().expect("a path");
    for generator in [
        &["create", "configmap", "a", "--from-literal=a=b"][..],
        &["create", "secret", "docker-registry", "a", "--docker-server=s", "--docker-username=u", "--docker-password=p"],
        &["create", "service", "clusterip", "a", "--clusterip=None", "--tcp=80:8080"],
        &["create", "service", "externalname", "a", "--external-name=example.com"],
        &["create", "deployment", "a", "--image=nginx", "--image=busybox", "--replicas=3"],
    ] {
        let how = &["-o", "json", "--field-manager=m", "--show-managed-fields"][..];
        let run = |more: &[&str]| world.kubectl(&[generator, how, more].concat());
        std::fs::write(&file, run(&["--dry-run=client"]).success()).expect("write the manifest");
        let json = [&["create", "-f", path, "--dry-run=server"], how].concat();
        let [ours, theirs] = [run(&["--dry-run=server"]), world.kubectl(&json)]
            .map(|ran| without_chance(serde_json::from_str(&ran.success()).expect("an object")));
        assert_eq!(ours, theirs, "{generator:?}");
    }
}

#[test]
fn kubectl_sends_protobuf() {
    let world = World::up(1);
    let told = world.kubectl(&["create", "configmap", "settings", "--from-literal=a=b", "-v=8"]);
    assert_eq!(told.success(), "configmap/settings created\n");
    let protobuf = told.stderr().contains("Content-Type: application/vnd.kubernetes.protobuf");
    assert!(protobuf || minor(&world) < 31, "kubectl sent JSON:\n{}", told.stderr());
}

#[test]
fn generators_make_what_they_are_told() {
    generate(World::kubectl);
}

#[test]
fn generators_of_ours_make_what_they_are_told() {
    generate(World::ctl);
}

fn generate(client: Client) {
    let world = World::up(1);
    let create = |args: &[&str]| client(&world, &[&["create"], args].concat());
    let told = create(&["configmap", "settings", "--from-literal=a=b", "--from-literal=c="]);
    assert_eq!(told.success(), "configmap/settings created\n");
    assert_eq!(get(&world, &["configmap", "settings"])["data"], json!({ "a": "b", "c": "" }));

    assert_eq!(create(&["namespace", "team"]).success(), "namespace/team created\n");
    let namespace = get(&world, &["namespace", "team"]);
    assert_eq!((&namespace["status"]["phase"], &namespace["spec"]["finalizers"]), (&json!("Active"), &json!(["kubernetes"])));

    assert_eq!(create(&["-n", "team", "serviceaccount", "robot"]).success(), "serviceaccount/robot created\n");
    assert_eq!(get(&world, &["-n", "team", "serviceaccount", "robot"])["metadata"]["namespace"], "team");

    let secret = ["secret", "generic", "key", "--from-literal=password=päss", "--type=example.com/key"];
    assert_eq!(create(&secret).success(), "secret/key created\n");
    let secret = get(&world, &["secret", "key"]);
    assert_eq!((&secret["type"], &secret["data"]), (&json!("example.com/key"), &json!({ "password": "cMOkc3M=" })));

    assert_eq!(create(&["service", "clusterip", "web", "--tcp=80:8080", "--tcp=443:https"]).success(), "service/web created\n");
    let service = get(&world, &["service", "web"]);
    let ports: Vec<Value> = service["spec"]["ports"].as_array().into_iter().flatten().map(|port| port["targetPort"].clone()).collect();
    assert_eq!((ports, &service["spec"]["selector"]), (vec![json!(8080), json!("https")], &json!({ "app": "web" })));

    let again = create(&["configmap", "settings"]).failure();
    assert!(again.contains("configmaps \"settings\" already exists"), "{again}");
    let tried = create(&["configmap", "tried", "--from-literal=a=b", "--dry-run=server"]);
    assert_eq!(tried.success(), "configmap/tried created (server dry run)\n");
    world.kubectl(&["get", "configmap", "tried"]).failure();
}

#[test]
fn generated_workloads_run() {
    generate_workloads(World::kubectl);
}

#[test]
fn workloads_generated_by_ours_run() {
    generate_workloads(World::ctl);
}

fn generate_workloads(client: Client) {
    let world = World::up(1);
    let kubectl = |args: &[&str]| client(&world, args);
    let create = ["create", "deployment", "web", "--image=nginx:1.25", "--replicas=2", "--port=80"];
    assert_eq!(kubectl(&create).success(), "deployment.apps/web created\n");
    kubectl(&["wait", "--for=condition=Available", "deployment/web", "--timeout=60s"]).success();
    let deployment = get(&world, &["deployment", "web"]);
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["ports"], json!([{ "containerPort": 80, "protocol": "TCP" }]));

    let expose = ["expose", "deployment", "web", "--port=80", "--target-port=8080"];
    assert_eq!(kubectl(&expose).success(), "service/web exposed\n");
    assert_eq!(kubectl(&["scale", "deployment", "web", "--replicas=1"]).success(), "deployment.apps/web scaled\n");

    let run = ["run", "tool", "--image=busybox", "--env=MODE=fast", "--labels=app=tool", "--command", "--", "sleep", "60"];
    assert_eq!(kubectl(&run).success(), "pod/tool created\n");
    kubectl(&["wait", "--for=condition=Ready", "pod/tool", "--timeout=60s"]).success();
    let pod = get(&world, &["pod", "tool"]);
    let container = &pod["spec"]["containers"][0];
    assert_eq!((&container["command"], &container["env"]), (&json!(["sleep", "60"]), &json!([{ "name": "MODE", "value": "fast" }])));
    assert_eq!(kubectl(&["delete", "pod", "tool", "--now"]).success(), "pod \"tool\" deleted\n");
}

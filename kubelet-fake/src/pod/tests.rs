//! The life of pods as [`next`] decides it, played against a table of containers instead of a runtime.

use expect_test::{Expect, expect};
use k8s_openapi::api::core::v1::ContainerState;
use serde_json::{Value, json};

use super::*;
use crate::runtime::RuntimeError;

/// A pod, a table of containers and a clock that only moves when told; all that happens is written down.
struct World {
    pod: Pod,
    memory: Memory,
    observed: Listing,
    now: Timestamp,
    wake: Option<Timestamp>,
    trace: String,
    /// What the next containers do: the exit code of one that ends at once, or `None` for one that runs.
    exits: Vec<Option<i32>>,
    missing: bool,
}

fn world(spec: Value) -> World {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": "web", "namespace": "default", "uid": "u1", "generation": 1 },
        "spec": spec,
        "status": { "phase": "Pending", "qosClass": "BestEffort", "conditions": [{ "type": "PodScheduled", "status": "True" }] },
    }))
    .unwrap();
    let observed = Listing::default();
    World {
        memory: Memory::adopt(&pod, &observed, 0),
        pod,
        observed,
        now: Timestamp::UNIX_EPOCH,
        wake: None,
        trace: String::new(),
        exits: Vec::new(),
        missing: false,
    }
}

fn nginx() -> Value {
    json!({ "restartPolicy": "Always", "containers": [{ "name": "nginx", "image": "nginx:1.7.9", "imagePullPolicy": "IfNotPresent" }] })
}

fn sleeper(policy: &str) -> Value {
    json!({ "restartPolicy": policy, "containers": [{ "name": "c", "image": "busybox:1", "imagePullPolicy": "IfNotPresent" }] })
}

impl World {
    fn write(&mut self, line: &str) {
        self.trace += &format!("{:<3} {line}\n", self.now.as_second());
    }

    /// Looks and acts until there is nothing more to do now.
    fn settle(&mut self) {
        for _ in 0..50 {
            let scene = Scene {
                pod: &self.pod,
                host_ip: IpAddr::from([192, 168, 0, 1]),
                observed: &self.observed,
                memory: &self.memory,
                now: self.now,
            };
            let mut step = next(&scene);
            let news = self.memory.keep(&mut step);
            self.wake = step.wake;
            if let Some(status) = news {
                self.write(&format!("status {}", show(&status)));
            }
            self.remark(step.remarks);
            if step.release {
                self.write("release");
            }
            if step.actions.is_empty() && step.probes.is_empty() {
                return;
            }
            for action in step.actions {
                self.act(action);
            }
            for due in step.probes {
                self.probe(&due);
            }
        }
        panic!("it never settles:\n{}", self.trace);
    }

    fn remark(&mut self, remarks: Vec<Remark>) {
        for remark in remarks {
            let kind = if remark.warning { "Warning" } else { "Normal" };
            self.write(&format!("{kind} {} {}", remark.reason, remark.message));
        }
    }

    fn act(&mut self, action: Action) {
        let outcome = match action {
            Action::Network => Outcome::Networked(IpAddr::from([10, 244, 1, 2])),
            Action::Pull { container, image } => {
                let took = Duration::from_millis(1200);
                let result = if self.missing { Err(RuntimeError::Image("not found".into())) } else { Ok(self.image(&image)) };
                Outcome::Pulled { container, image, result, took }
            }
            Action::Mount => Outcome::Mounted(Vec::new()),
            Action::PostStart { container, id } => Outcome::Hooked { container, id, result: Ok(()) },
            Action::Start { container, attempt, image, after, hook } => {
                let exit = if self.exits.is_empty() { None } else { self.exits.remove(0) };
                let state = match exit {
                    None => State::Running { started: self.now },
                    Some(code) => State::Exited(Exit::new(code, self.now, self.now)),
                };
                let id: Arc<str> = format!("mini://{container}-{attempt}").into();
                let asked = image.reference.replace("docker.io/library/", "");
                let made = runtime::Container { id: id.clone(), pod: "u1".into(), name: container.clone(), attempt, image, asked, state };
                self.observed.containers.push(made);
                Outcome::Started { container, after, hook, result: Ok(id) }
            }
            Action::Stop { id, grace, .. } => {
                self.write(&format!("stop {id} within {}s", grace.as_secs()));
                self.end(&id, 0);
                return;
            }
            Action::Remove { id } => {
                self.write(&format!("remove {id}"));
                self.observed.containers.retain(|container| container.id != id);
                return;
            }
        };
        let remarks = self.memory.learn(outcome, self.now);
        self.remark(remarks);
    }

    /// Every probe succeeds.
    fn probe(&mut self, due: &prober::Due) {
        let spec = self.pod.spec.clone().unwrap();
        let container = runtime::find(&spec, &due.container).unwrap();
        let remarks = self.memory.probed(&container, due, &prober::Answer::Success, self.now);
        self.remark(remarks);
    }

    fn image(&mut self, name: &str) -> Image {
        let image = Image { reference: format!("docker.io/library/{name}"), id: "sha256:1".into(), size: 54321 };
        Arc::make_mut(&mut self.observed.images).insert(name.to_owned(), image.clone());
        image
    }

    fn end(&mut self, id: &str, code: i32) {
        for container in self.observed.containers.iter_mut().filter(|container| *container.id == *id) {
            if let State::Running { started } = container.state {
                container.state = State::Exited(Exit::new(code, started, self.now));
            }
        }
    }

    /// Lets time pass until the pod wants to be looked at, `times` times.
    fn pass(&mut self, times: usize) {
        for _ in 0..times {
            self.now = self.wake.expect("the pod wants to be looked at again");
            self.settle();
        }
    }

    fn after(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn delete(&mut self, grace: i64) {
        self.pod.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(self.now));
        self.pod.metadata.deletion_grace_period_seconds = Some(grace);
        self.settle();
    }

    /// The kubelet is started again, and the runtime has lost everything.
    fn reboot(&mut self) {
        self.pod.status = Some((*self.memory.told).clone());
        self.observed = Listing::default();
        self.memory = Memory::adopt(&self.pod, &self.observed, 0);
        self.settle();
    }

    /// The kubelet is started again; the containers run on.
    fn restart_kubelet(&mut self) {
        self.pod.status = Some((*self.memory.told).clone());
        self.memory = Memory::adopt(&self.pod, &self.observed, 12_345);
        self.settle();
    }

    fn expect(&self, expected: Expect) {
        expected.assert_eq(&self.trace);
    }
}

/// A status in one line: phase, containers, conditions that hold.
fn show(status: &PodStatus) -> String {
    let state = |state: &ContainerState| match (&state.running, &state.terminated, &state.waiting) {
        (Some(_), ..) => "Running".to_owned(),
        (_, Some(end), _) => format!("{}({})", end.reason.as_deref().unwrap_or_default(), end.exit_code),
        (.., Some(wait)) => {
            let message = wait.message.as_ref().map(|message| format!(" ({message})")).unwrap_or_default();
            format!("{}{message}", wait.reason.as_deref().unwrap_or_default())
        }
        _ => "?".to_owned(),
    };
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten().map(|container| {
        let now = container.state.as_ref().map(state).unwrap_or_default();
        let last = container.last_state.as_ref().map(|last| format!(" last {}", state(last))).unwrap_or_default();
        let restarts = if container.restart_count > 0 { format!(" restarts {}", container.restart_count) } else { String::new() };
        format!("[{} {now}{last}{restarts}]", container.name)
    });
    let containers: Vec<_> = containers.collect();
    let conditions = status.conditions.iter().flatten();
    let holding: Vec<_> = conditions.filter(|condition| condition.status == "True").map(|condition| condition.type_.as_str()).collect();
    let why = status.reason.as_ref().map(|reason| format!(" {reason}: {}", status.message.as_deref().unwrap_or_default()));
    let phase = status.phase.as_deref().unwrap_or_default();
    format!("{phase}{} {} {}", why.unwrap_or_default(), containers.join(""), holding.join(","))
}

#[test]
fn a_pod_starts_with_two_statuses_and_four_events() {
    let mut world = world(nginx());
    world.settle();
    world.expect(expect![[r#"
        0   status Pending [nginx ContainerCreating] Initialized,PodScheduled
        0   Normal Pulling Pulling image "nginx:1.7.9"
        0   Normal Pulled Successfully pulled image "nginx:1.7.9" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [nginx Running] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
}

#[test]
fn a_present_image_is_not_pulled_again_unless_always() {
    let mut present = world(nginx());
    present.image("nginx:1.7.9");
    present.settle();
    present.expect(expect![[r#"
        0   status Pending [nginx ContainerCreating] Initialized,PodScheduled
        0   Normal Pulled Container image "nginx:1.7.9" already present on machine and can be accessed by the pod
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [nginx Running] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
    let mut spec = nginx();
    spec["containers"][0]["imagePullPolicy"] = "Always".into();
    let mut always = world(spec);
    always.image("nginx:1.7.9");
    always.settle();
    assert!(always.trace.contains("Pulling"));
}

#[test]
fn the_status_is_complete() {
    let mut spec = nginx();
    spec["containers"][0]["resources"] = json!({ "requests": { "cpu": "100m" } });
    spec["containers"][0]["volumeMounts"] = json!([{ "name": "data", "mountPath": "/data", "readOnly": true }]);
    let mut world = world(spec);
    world.settle();
    let text = serde_json::to_string(&*world.memory.told).unwrap();
    let text = text.replace("],", "],\n").replace("},{", "},\n{");
    expect![[r#"
        {"conditions":[{"lastTransitionTime":"1970-01-01T00:00:00Z","observedGeneration":1,"status":"True","type":"PodReadyToStartContainers"},
        {"lastTransitionTime":"1970-01-01T00:00:00Z","observedGeneration":1,"status":"True","type":"Initialized"},
        {"lastTransitionTime":"1970-01-01T00:00:00Z","observedGeneration":1,"status":"True","type":"Ready"},
        {"lastTransitionTime":"1970-01-01T00:00:00Z","observedGeneration":1,"status":"True","type":"ContainersReady"},
        {"status":"True","type":"PodScheduled"}],
        "containerStatuses":[{"allocatedResources":{"cpu":"100m"},"containerID":"mini://nginx-0","image":"docker.io/library/nginx:1.7.9","imageID":"sha256:1","name":"nginx","ready":true,"resources":{"requests":{"cpu":"100m"}},"restartCount":0,"started":true,"state":{"running":{"startedAt":"1970-01-01T00:00:00Z"}},"volumeMounts":[{"mountPath":"/data","name":"data","readOnly":true,"recursiveReadOnly":"Disabled"}]}],
        "hostIP":"192.168.0.1","hostIPs":[{"ip":"192.168.0.1"}],
        "observedGeneration":1,"phase":"Running","podIP":"10.244.1.2","podIPs":[{"ip":"10.244.1.2"}],
        "qosClass":"BestEffort","startTime":"1970-01-01T00:00:00Z"}"#]].assert_eq(&text);
}

#[test]
fn a_crash_loop_backs_off() {
    let mut world = world(sleeper("Always"));
    world.exits = vec![Some(1); 4];
    world.settle();
    world.pass(6);
    world.expect(expect![[r#"
        0   status Pending [c ContainerCreating] Initialized,PodScheduled
        0   Normal Pulling Pulling image "busybox:1"
        0   Normal Pulled Successfully pulled image "busybox:1" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [c Error(1)] PodReadyToStartContainers,Initialized,PodScheduled
        0   Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [c Error(1) last Error(1) restarts 1] PodReadyToStartContainers,Initialized,PodScheduled
        0   Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        1   status Running [c CrashLoopBackOff (back-off 10s restarting failed container=c pod=web_default(u1)) last Error(1) restarts 1] PodReadyToStartContainers,Initialized,PodScheduled
        10  Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        10  Normal Created Container created
        10  Normal Started Container started
        10  status Running [c Error(1) last Error(1) restarts 2] PodReadyToStartContainers,Initialized,PodScheduled
        10  Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        10  remove mini://c-0
        11  status Running [c CrashLoopBackOff (back-off 20s restarting failed container=c pod=web_default(u1)) last Error(1) restarts 2] PodReadyToStartContainers,Initialized,PodScheduled
        30  Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        30  Normal Created Container created
        30  Normal Started Container started
        30  status Running [c Error(1) last Error(1) restarts 3] PodReadyToStartContainers,Initialized,PodScheduled
        30  Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        30  remove mini://c-1
        31  status Running [c CrashLoopBackOff (back-off 40s restarting failed container=c pod=web_default(u1)) last Error(1) restarts 3] PodReadyToStartContainers,Initialized,PodScheduled
        70  Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        70  Normal Created Container created
        70  Normal Started Container started
        70  status Running [c Running last Error(1) restarts 4] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
        70  remove mini://c-2
    "#]]);
}

#[test]
fn the_back_off_is_forgotten_after_ten_minutes_of_peace() {
    let mut world = world(sleeper("Always"));
    world.exits = vec![Some(1), Some(1)];
    world.settle();
    world.pass(2);
    world.after(700);
    world.trace.clear();
    world.end("mini://c-2", 1);
    world.settle();
    world.expect(expect![[r#"
         710 status Running [c Error(1) last Error(1) restarts 2] PodReadyToStartContainers,Initialized,PodScheduled
         710 Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
         710 Normal Created Container created
         710 Normal Started Container started
         710 status Running [c Running last Error(1) restarts 3] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
         710 remove mini://c-1
    "#]]);
}

#[test]
fn a_missing_image_is_tried_again_later() {
    let mut world = world(nginx());
    world.missing = true;
    world.settle();
    world.pass(2);
    world.missing = false;
    world.pass(2);
    world.expect(expect![[r#"
        0   status Pending [nginx ContainerCreating] Initialized,PodScheduled
        0   Normal Pulling Pulling image "nginx:1.7.9"
        0   Warning Failed Failed to pull image "nginx:1.7.9": not found
        0   Warning Failed Error: ErrImagePull
        0   status Pending [nginx ErrImagePull (not found)] PodReadyToStartContainers,Initialized,PodScheduled
        1   status Pending [nginx ImagePullBackOff (Back-off pulling image "nginx:1.7.9": ErrImagePull: not found)] PodReadyToStartContainers,Initialized,PodScheduled
        1   Normal BackOff Back-off pulling image "nginx:1.7.9"
        1   Warning Failed Error: ImagePullBackOff
        10  Normal Pulling Pulling image "nginx:1.7.9"
        10  Warning Failed Failed to pull image "nginx:1.7.9": not found
        10  Warning Failed Error: ErrImagePull
        10  status Pending [nginx ErrImagePull (not found)] PodReadyToStartContainers,Initialized,PodScheduled
        11  status Pending [nginx ImagePullBackOff (Back-off pulling image "nginx:1.7.9": ErrImagePull: not found)] PodReadyToStartContainers,Initialized,PodScheduled
        11  Normal BackOff Back-off pulling image "nginx:1.7.9"
        11  Warning Failed Error: ImagePullBackOff
        30  Normal Pulling Pulling image "nginx:1.7.9"
        30  Normal Pulled Successfully pulled image "nginx:1.7.9" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        30  Normal Created Container created
        30  Normal Started Container started
        30  status Running [nginx Running] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
}

#[test]
fn an_image_that_must_not_be_pulled_is_waited_for() {
    let mut spec = nginx();
    spec["containers"][0]["imagePullPolicy"] = "Never".into();
    let mut world = world(spec);
    world.settle();
    world.settle();
    world.expect(expect![[r#"
        0   status Pending [nginx ErrImageNeverPull (Container image "nginx:1.7.9" is not present with pull policy of Never)] Initialized,PodScheduled
        0   Warning ErrImageNeverPull Container image "nginx:1.7.9" is not present with pull policy of Never
        0   Warning Failed Error: ErrImageNeverPull
        0   status Pending [nginx ErrImageNeverPull (Container image "nginx:1.7.9" is not present with pull policy of Never)] PodReadyToStartContainers,Initialized,PodScheduled
    "#]]);
}

#[test]
fn restart_policies() {
    let mut never = world(sleeper("Never"));
    never.exits = vec![Some(3)];
    never.settle();
    never.expect(expect![[r#"
        0   status Pending [c ContainerCreating] Initialized,PodScheduled
        0   Normal Pulling Pulling image "busybox:1"
        0   Normal Pulled Successfully pulled image "busybox:1" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Failed [c Error(3)] Initialized,PodScheduled
    "#]]);

    let mut on_failure = world(sleeper("OnFailure"));
    on_failure.exits = vec![Some(1), Some(0)];
    on_failure.settle();
    on_failure.expect(expect![[r#"
        0   status Pending [c ContainerCreating] Initialized,PodScheduled
        0   Normal Pulling Pulling image "busybox:1"
        0   Normal Pulled Successfully pulled image "busybox:1" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [c Error(1)] PodReadyToStartContainers,Initialized,PodScheduled
        0   Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Succeeded [c Completed(0) last Error(1) restarts 1] Initialized,PodScheduled
    "#]]);
}

#[test]
fn a_deleted_pod_stops_gracefully_and_is_released() {
    let mut world = world(nginx());
    world.settle();
    world.trace.clear();
    world.after(60);
    world.delete(30);
    world.settle();
    world.expect(expect![[r#"
        60  Normal Killing Stopping container nginx
        60  stop mini://nginx-0 within 30s
        60  status Succeeded [nginx Completed(0)] Initialized,PodScheduled
        60  release
    "#]]);
}

#[test]
fn a_changed_image_replaces_the_container() {
    let mut world = world(nginx());
    world.settle();
    world.trace.clear();
    world.pod.spec.as_mut().unwrap().containers[0].image = Some("nginx:1.9.1".into());
    world.settle();
    world.expect(expect![[r#"
        0   Normal Killing Container nginx definition changed, will be restarted
        0   stop mini://nginx-0 within 30s
        0   Normal Pulling Pulling image "nginx:1.9.1"
        0   Normal Pulled Successfully pulled image "nginx:1.9.1" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [nginx Running last Completed(0) restarts 1] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
}

#[test]
fn a_pod_deleted_before_it_started_has_failed_and_is_released_at_once() {
    let mut world = world(nginx());
    world.delete(30);
    // Whoever holds it with a finalizer until it has ended, as a Job does, must see that it has.
    world.settle();
    world.expect(expect![[r#"
        0   status Failed [nginx ContainerStatusUnknown(137)] Initialized,PodScheduled
        0   release
    "#]]);
}

#[test]
fn a_pod_that_goes_has_ended_however_far_it_came() {
    let ended = |mut world: World| {
        world.settle();
        world.delete(0);
        show(&world.memory.told)
    };
    let mut restless = world(sleeper("OnFailure"));
    restless.exits = vec![Some(1), Some(1)];
    assert_eq!(ended(restless), "Failed [c Error(1) last Error(1) restarts 1] Initialized,PodScheduled", "it waited to be started again");
    assert_eq!(ended(world(nginx())), "Succeeded [nginx Completed(0)] Initialized,PodScheduled");
    let mut waiting = world(json!({
        "restartPolicy": "Always", "containers": [{ "name": "c", "image": "i" }], "initContainers": [{ "name": "first", "image": "i" }],
    }));
    waiting.missing = true;
    assert_eq!(ended(waiting), "Failed [first ErrImagePull (not found)][c PodInitializing] PodScheduled");
}

#[test]
fn a_pod_whose_object_is_gone_leaves_nothing() {
    let mut world = world(nginx());
    world.settle();
    let (actions, remarks) = clear(&world.pod, &world.observed);
    assert_eq!(remarks, [Remark::killing("nginx")]);
    let id: Arc<str> = "mini://nginx-0".into();
    let stop = Action::Stop { container: "nginx".to_owned(), id: id.clone(), grace: Duration::from_secs(30), turn: 0 };
    assert_eq!(actions, [stop, Action::Remove { id }]);
}

#[test]
fn init_containers_come_first_and_in_order() {
    let mut spec = nginx();
    let init = |name: &str| json!({ "name": name, "image": "busybox:1", "imagePullPolicy": "IfNotPresent" });
    spec["initContainers"] = json!([init("one"), init("two")]);
    let mut world = world(spec);
    world.exits = vec![Some(0), Some(1), Some(0)];
    world.settle();
    world.expect(expect![[r#"
        0   status Pending [one PodInitializing][two PodInitializing][nginx PodInitializing] PodScheduled
        0   Normal Pulling Pulling image "busybox:1"
        0   Normal Pulled Successfully pulled image "busybox:1" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Pending [one Completed(0)][two PodInitializing][nginx PodInitializing] PodReadyToStartContainers,PodScheduled
        0   Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Pending [one Completed(0)][two Error(1)][nginx PodInitializing] PodReadyToStartContainers,PodScheduled
        0   Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Pending [one Completed(0)][two Completed(0) last Error(1) restarts 1][nginx PodInitializing] PodReadyToStartContainers,Initialized,PodScheduled
        0   Normal Pulling Pulling image "nginx:1.7.9"
        0   Normal Pulled Successfully pulled image "nginx:1.7.9" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [one Completed(0)][two Completed(0) last Error(1) restarts 1][nginx Running] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
}

#[test]
fn a_sidecar_runs_beside_and_ends_with_the_pod() {
    let mut spec = sleeper("Never");
    let image = json!({ "name": "side", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always" });
    spec["initContainers"] = json!([image]);
    let mut world = world(spec);
    world.settle();
    world.after(5);
    world.end("mini://c-0", 0);
    world.settle();
    world.expect(expect![[r#"
        0   status Pending [side PodInitializing][c PodInitializing] PodScheduled
        0   Normal Pulling Pulling image "busybox:1"
        0   Normal Pulled Successfully pulled image "busybox:1" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Pending [side Running][c PodInitializing] PodReadyToStartContainers,Initialized,PodScheduled
        0   Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        0   Normal Created Container created
        0   Normal Started Container started
        0   status Running [side Running][c Running] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
        5   status Running [side Running][c Completed(0)] PodReadyToStartContainers,Initialized,PodScheduled
        5   Normal Killing Stopping container side
        5   stop mini://side-0 within 30s
        5   status Succeeded [side Completed(0)][c Completed(0)] Initialized,PodScheduled
    "#]]);
}

#[test]
fn a_rebooted_node_starts_its_pods_again() {
    let mut world = world(nginx());
    world.settle();
    world.trace.clear();
    world.after(60);
    world.reboot();
    world.reboot();
    world.expect(expect![[r#"
        60  status Running [nginx ContainerCreating last ContainerStatusUnknown(137) restarts 1] PodReadyToStartContainers,Initialized,PodScheduled
        60  Normal SandboxChanged Pod sandbox changed, it will be killed and re-created.
        60  Normal Pulling Pulling image "nginx:1.7.9"
        60  Normal Pulled Successfully pulled image "nginx:1.7.9" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        60  Normal Created Container created
        60  Normal Started Container started
        60  status Running [nginx Running last ContainerStatusUnknown(137) restarts 1] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
        60  status Running [nginx ContainerCreating last ContainerStatusUnknown(137) restarts 2] PodReadyToStartContainers,Initialized,PodScheduled
        60  Normal SandboxChanged Pod sandbox changed, it will be killed and re-created.
        60  Normal Pulling Pulling image "nginx:1.7.9"
        60  Normal Pulled Successfully pulled image "nginx:1.7.9" in 1.2s (1.2s including waiting). Image size: 54321 bytes.
        60  Normal Created Container created
        60  Normal Started Container started
        60  status Running [nginx Running last ContainerStatusUnknown(137) restarts 2] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
}

#[test]
fn a_rebooted_node_does_not_repeat_what_must_run_once() {
    let mut world = world(sleeper("Never"));
    world.settle();
    world.trace.clear();
    world.reboot();
    world.reboot();
    world.expect(expect![[r#"
        0   status Failed [c ContainerStatusUnknown(137)] Initialized,PodScheduled
        0   status Failed [c ContainerStatusUnknown(137)] Initialized,PodScheduled
    "#]]);
}

#[test]
fn a_rejected_pod_fails() {
    let mut world = world(nginx());
    world.memory.verdict = Some(Verdict {
        reason: "OutOfcpu".into(),
        message: "Pod was rejected: Node didn't have enough resource".into(),
        rejected: true,
        ..Verdict::default()
    });
    world.settle();
    world.reboot();
    world.expect(expect![[r#"
        0   status Failed OutOfcpu: Pod was rejected: Node didn't have enough resource  PodScheduled
        0   status Failed OutOfcpu: Pod was rejected: Node didn't have enough resource  PodScheduled
    "#]]);
}

#[test]
fn a_pod_past_its_deadline_fails() {
    let mut spec = nginx();
    spec["activeDeadlineSeconds"] = 60.into();
    let mut world = world(spec);
    world.settle();
    world.trace.clear();
    world.pass(1);
    world.expect(expect![[r#"
        60  Normal DeadlineExceeded Pod was active on the node longer than the specified deadline
        60  Normal Killing Stopping container nginx
        60  stop mini://nginx-0 within 30s
        60  status Failed DeadlineExceeded: Pod was active on the node longer than the specified deadline [nginx Completed(0)] Initialized,PodScheduled
    "#]]);
}

#[test]
fn readiness_waits_for_the_probe() {
    let mut spec = nginx();
    spec["containers"][0]["readinessProbe"] = json!({ "initialDelaySeconds": 5 });
    let mut world = world(spec);
    world.settle();
    world.trace.clear();
    world.pass(1);
    world.expect(expect![[r#"
        5   status Running [nginx Running] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
    let ready = mini_api::condition::pod(&world.memory.told, "Ready").unwrap();
    assert_eq!(ready.last_transition_time.as_ref().unwrap().0.as_second(), 5);
}

#[test]
fn a_kubelet_that_starts_again_believes_what_was_told_and_does_not_ask_all_at_once() {
    let mut spec = nginx();
    spec["containers"][0]["readinessProbe"] = json!({ "periodSeconds": 10 });
    spec["containers"][0]["startupProbe"] = json!({ "periodSeconds": 10 });
    let mut world = world(spec);
    world.settle();
    world.after(3);
    world.trace.clear();
    world.restart_kubelet();
    let now = world.now;
    assert!(world.wake.is_some_and(|wake| wake > now && wake <= now + SignedDuration::from_secs(10)), "{:?}", world.wake);
    world.expect(expect![[r#"
        3   status Running [nginx Running] PodReadyToStartContainers,Initialized,Ready,ContainersReady,PodScheduled
    "#]]);
}

#[test]
fn messages_of_containers_are_cut_to_their_share() {
    let mut world = world(sleeper("Never"));
    world.settle();
    world.observed.containers[0].state =
        State::Exited(Exit { message: Some("é".repeat(8000).into()), ..Exit::new(1, world.now, world.now) });
    world.settle();
    let status = &world.memory.told.container_statuses.as_ref().unwrap()[0];
    let message = status.state.as_ref().unwrap().terminated.as_ref().unwrap().message.as_ref().unwrap();
    assert_eq!(message.len(), 12 * 1024);
}

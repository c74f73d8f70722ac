//! How containers start, end, and are started again.

use expect_test::expect;
use serde_json::json;

use super::{one, scripted::Do::*, story};

const NOT_FOUND: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: \
                         unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH";

#[tokio::test(start_paused = true)]
async fn an_ordinary_life() {
    story(
        one(json!({}), json!({})),
        &[(60, Delete(30))],
        70,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        60    > SIGTERM c, 30s
        60    = Running [+c Running] net,init,ready,containers,PodScheduled
        60    Normal Killing Stopping container c
        61    = Succeeded [-c Completed(0)] init,PodScheduled
        61    = released
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_does_not_listen_is_killed() {
    story(
        one(json!({}), json!({})),
        &[(0, Term("c", 999, 0)), (10, Delete(5))],
        30,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        10    > SIGTERM c, 5s
        10    = Running [+c Running] net,init,ready,containers,PodScheduled
        10    Normal Killing Stopping container c
        15    > SIGKILL c
        15    = Failed [-c Error(137)] init,PodScheduled
        15    = released
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop() {
    story(one(json!({}), json!({})), &[(0, Ends("c", 1, 1))], 60, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        2     = Running [-c Error(1)] net,init,PodScheduled
        2     = Running [+c Running last Error(1) x1] net,init,ready,containers,PodScheduled
        2     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        2     Normal Created Container created (x2)
        2     Normal Started Container started (x2)
        3     = Running [-c Error(1) last Error(1) x1] net,init,PodScheduled
        3     Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        4     = Running [-c CrashLoopBackOff(back-off 10s restarting failed container=c pod=web_default(u1)) last Error(1) x1] net,init,PodScheduled
        13    = Running [+c Running last Error(1) x2] net,init,ready,containers,PodScheduled
        13    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        13    Normal Created Container created (x3)
        13    Normal Started Container started (x3)
        14    = Running [-c Error(1) last Error(1) x2] net,init,PodScheduled
        14    Warning BackOff Back-off restarting failed container c in pod web_default(u1) (x2)
        15    = Running [-c CrashLoopBackOff(back-off 20s restarting failed container=c pod=web_default(u1)) last Error(1) x2] net,init,PodScheduled
        34    = Running [+c Running last Error(1) x3] net,init,ready,containers,PodScheduled
        34    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x3)
        34    Normal Created Container created (x4)
        34    Normal Started Container started (x4)
        35    = Running [-c Error(1) last Error(1) x3] net,init,PodScheduled
        35    Warning BackOff Back-off restarting failed container c in pod web_default(u1) (x3)
        36    = Running [-c CrashLoopBackOff(back-off 40s restarting failed container=c pod=web_default(u1)) last Error(1) x3] net,init,PodScheduled
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_long_peace_is_forgiven() {
    let script = [(0, Ends("c", 1, 1)), (4, Runs("c")), (800, Exit("c", 1, "")), (805, Exit("c", 1, ""))];
    story(one(json!({}), json!({})), &script, 812, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        2     = Running [-c Error(1)] net,init,PodScheduled
        2     = Running [+c Running last Error(1) x1] net,init,ready,containers,PodScheduled
        2     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        2     Normal Created Container created (x2)
        2     Normal Started Container started (x2)
        3     = Running [-c Error(1) last Error(1) x1] net,init,PodScheduled
        3     Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        4     = Running [-c CrashLoopBackOff(back-off 10s restarting failed container=c pod=web_default(u1)) last Error(1) x1] net,init,PodScheduled
        13    = Running [+c Running last Error(1) x2] net,init,ready,containers,PodScheduled
        13    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        13    Normal Created Container created (x3)
        13    Normal Started Container started (x3)
        800   = Running [-c Error(1) last Error(1) x2] net,init,PodScheduled
        800   = Running [+c Running last Error(1) x3] net,init,ready,containers,PodScheduled
        800   Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x3)
        800   Normal Created Container created (x4)
        800   Normal Started Container started (x4)
        805   = Running [-c Error(1) last Error(1) x3] net,init,PodScheduled
        805   Warning BackOff Back-off restarting failed container c in pod web_default(u1) (x2)
        806   = Running [-c CrashLoopBackOff(back-off 10s restarting failed container=c pod=web_default(u1)) last Error(1) x3] net,init,PodScheduled
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn on_failure_until_it_succeeds() {
    let script = [(0, Ends("c", 2, 3)), (2, Ends("c", 2, 0))];
    story(
        one(json!({}), json!({ "restartPolicy": "OnFailure" })),
        &script,
        30,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        3     = Running [-c Error(3)] net,init,PodScheduled
        3     = Running [+c Running last Error(3) x1] net,init,ready,containers,PodScheduled
        3     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        3     Normal Created Container created (x2)
        3     Normal Started Container started (x2)
        5     = Succeeded [-c Completed(0) last Error(3) x1] init,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn never_again() {
    story(
        one(json!({}), json!({ "restartPolicy": "Never" })),
        &[(5, Exit("c", 2, "no space left\n"))],
        30,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        5     = Failed [-c Error(2 "no space left\n")] init,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn killed_for_its_memory() {
    story(
        one(json!({}), json!({})),
        &[(5, Oom("c"))],
        30,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        5     = Running [-c OOMKilled(137)] net,init,PodScheduled
        5     = Running [+c Running last OOMKilled(137) x1] net,init,ready,containers,PodScheduled
        5     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        5     Normal Created Container created (x2)
        5     Normal Started Container started (x2)
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_there() {
    story(one(json!({}), json!({})), &[(0, Unstartable("c", NOT_FOUND))], 15, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [-c RunContainerError(failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH) last StartError(128 "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH")] net,init,PodScheduled
        1     = Running [-c RunContainerError(failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH) last StartError(128 "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH") x1] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Warning Failed Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH
        1     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        1     Normal Created Container created (x2)
        1     Warning Failed Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH (x2)
        1     Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        2     = Running [-c CrashLoopBackOff(back-off 10s restarting failed container=c pod=web_default(u1)) last StartError(128 "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH") x1] net,init,PodScheduled
        11    = Running [-c RunContainerError(failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH) last StartError(128 "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH") x2] net,init,PodScheduled
        11    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        11    Normal Created Container created (x3)
        11    Warning Failed Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH (x3)
        11    Warning BackOff Back-off restarting failed container c in pod web_default(u1) (x2)
        12    = Running [-c CrashLoopBackOff(back-off 20s restarting failed container=c pod=web_default(u1)) last StartError(128 "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH") x2] net,init,PodScheduled
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_there_and_never_again() {
    story(one(json!({}), json!({ "restartPolicy": "Never" })), &[(0, Unstartable("c", NOT_FOUND))], 30, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Failed [-c StartError(128 "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nosuch\": executable file not found in $PATH")] init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Warning Failed Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nosuch": executable file not found in $PATH
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_created() {
    let script = [(0, Uncreatable("c", "failed to reserve container name")), (5, Runs("c"))];
    story(
        one(json!({}), json!({})),
        &script,
        30,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Pending [-c CreateContainerError(failed to reserve container name)] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Warning Failed Error: failed to reserve container name
        11    = Running [+c Running] net,init,ready,containers,PodScheduled
        11    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        11    Normal Created Container created
        11    Normal Started Container started
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_comes_later() {
    let script = [(0, Missing("busybox:1")), (20, Found("busybox:1"))];
    story(
        one(json!({}), json!({})),
        &script,
        45,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Pending [-c ErrImagePull(busybox:1: not found)] net,init,PodScheduled
        1     Warning Failed Failed to pull image "busybox:1": busybox:1: not found
        1     Warning Failed Error: ErrImagePull
        2     = Pending [-c ImagePullBackOff(Back-off pulling image "busybox:1": ErrImagePull: busybox:1: not found)] net,init,PodScheduled
        2     Normal BackOff Back-off pulling image "busybox:1"
        2     Warning Failed Error: ImagePullBackOff
        11    Normal Pulling Pulling image "busybox:1" (x2)
        12    = Pending [-c ErrImagePull(busybox:1: not found)] net,init,PodScheduled
        12    Warning Failed Failed to pull image "busybox:1": busybox:1: not found (x2)
        12    Warning Failed Error: ErrImagePull (x2)
        13    = Pending [-c ImagePullBackOff(Back-off pulling image "busybox:1": ErrImagePull: busybox:1: not found)] net,init,PodScheduled
        13    Normal BackOff Back-off pulling image "busybox:1" (x2)
        13    Warning Failed Error: ImagePullBackOff (x2)
        32    Normal Pulling Pulling image "busybox:1" (x3)
        33    = Running [+c Running] net,init,ready,containers,PodScheduled
        33    Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        33    Normal Created Container created
        33    Normal Started Container started
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn two_containers_and_one_of_them_fails() {
    let pod = json!({ "containers": [{ "name": "a" }, { "name": "b" }] });
    story(
        pod,
        &[(5, Exit("b", 1, ""))],
        20,
        expect![[r#"
        0     = Pending [-a ContainerCreating][-b ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+a Running][+b Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        1     Normal Created Container created
        1     Normal Started Container started
        1     Normal Created Container created
        1     Normal Started Container started
        5     = Running [+a Running][-b Error(1)] net,init,PodScheduled
        5     = Running [+a Running][+b Running last Error(1) x1] net,init,ready,containers,PodScheduled
        5     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        5     Normal Created Container created (x2)
        5     Normal Started Container started (x2)
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_may_have_its_own_rules() {
    let rules = json!([{ "action": "Restart", "exitCodes": { "operator": "In", "values": [42] } }]);
    let container = json!({ "restartPolicy": "Never", "restartPolicyRules": rules });
    let script = [(5, Exit("c", 42, "")), (10, Exit("c", 1, ""))];
    story(
        one(container, json!({ "restartPolicy": "Never" })),
        &script,
        30,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        5     = Running [-c Error(42)] net,init,PodScheduled
        5     = Running [+c Running last Error(42) x1] net,init,ready,containers,PodScheduled
        5     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        5     Normal Created Container created (x2)
        5     Normal Started Container started (x2)
        10    = Failed [-c Error(1) last Error(42) x1] init,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn init_containers_one_after_the_other() {
    let pod = json!({ "initContainers": [{ "name": "one" }, { "name": "two" }], "containers": [{ "name": "c" }] });
    let script = [(0, Ends("one", 2, 0)), (0, Ends("two", 2, 1)), (8, Ends("two", 1, 0))];
    story(pod, &script, 30, expect![[r#"
        0     = Pending [-one PodInitializing][-two PodInitializing][-c PodInitializing] PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Pending [~one Running][-two PodInitializing][-c PodInitializing] net,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        3     = Pending [+one Completed(0)][-two PodInitializing][-c PodInitializing] net,PodScheduled
        3     = Pending [+one Completed(0)][~two Running][-c PodInitializing] net,PodScheduled
        3     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        3     Normal Created Container created
        3     Normal Started Container started
        5     = Pending [+one Completed(0)][-two Error(1)][-c PodInitializing] net,PodScheduled
        5     = Pending [+one Completed(0)][~two Running last Error(1) x1][-c PodInitializing] net,PodScheduled
        5     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        5     Normal Created Container created (x2)
        5     Normal Started Container started (x2)
        7     = Pending [+one Completed(0)][-two Error(1) last Error(1) x1][-c PodInitializing] net,PodScheduled
        7     Warning BackOff Back-off restarting failed container two in pod web_default(u1)
        8     = Pending [+one Completed(0)][-two CrashLoopBackOff(back-off 10s restarting failed container=two pod=web_default(u1)) last Error(1) x1][-c PodInitializing] net,PodScheduled
        17    = Pending [+one Completed(0)][~two Running last Error(1) x2][-c PodInitializing] net,PodScheduled
        17    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x3)
        17    Normal Created Container created (x3)
        17    Normal Started Container started (x3)
        18    = Pending [+one Completed(0)][+two Completed(0) last Error(1) x2][-c PodInitializing] net,init,PodScheduled
        18    = Running [+one Completed(0)][+two Completed(0) last Error(1) x2][+c Running] net,init,ready,containers,PodScheduled
        18    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        18    Normal Created Container created
        18    Normal Started Container started
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn an_init_container_that_fails_for_good() {
    let pod = json!({ "initContainers": [{ "name": "one" }], "containers": [{ "name": "c" }], "restartPolicy": "Never" });
    story(
        pod,
        &[(0, Ends("one", 2, 1))],
        30,
        expect![[r#"
        0     = Pending [-one PodInitializing][-c PodInitializing] PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Pending [~one Running][-c PodInitializing] net,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        3     = Failed [-one Error(1)][-c PodInitializing] PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn sidecars_of_a_job() {
    let sidecar = |name: &str| json!({ "name": name, "restartPolicy": "Always" });
    let mut first = sidecar("first");
    first["startupProbe"] = json!({ "exec": { "command": ["ready"] }, "periodSeconds": 2 });
    let pod = json!({ "initContainers": [first, sidecar("second")], "containers": [{ "name": "c" }], "restartPolicy": "Never" });
    let script = [(0, Exec("ready", 0, 1, "not yet")), (4, Exec("ready", 0, 0, "")), (0, Ends("c", 10, 0))];
    story(
        pod,
        &script,
        40,
        expect![[r#"
        0     = Pending [-first PodInitializing][-second PodInitializing][-c PodInitializing] PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Pending [-first Running][-second PodInitializing][-c PodInitializing] net,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Startup probe failed: not yet
        3     Warning Unhealthy Startup probe failed: not yet (x2)
        5     = Pending [+first Running][-second PodInitializing][-c PodInitializing] net,PodScheduled
        5     = Pending [+first Running][+second Running][-c PodInitializing] net,init,PodScheduled
        5     = Running [+first Running][+second Running][+c Running] net,init,ready,containers,PodScheduled
        5     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        5     Normal Created Container created
        5     Normal Started Container started
        5     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        5     Normal Created Container created
        5     Normal Started Container started
        15    > SIGTERM second, 30s
        15    = Running [+first Running][+second Running][-c Completed(0)] net,init,PodScheduled
        15    Normal Killing Stopping container first
        15    Normal Killing Stopping container second
        16    > SIGTERM first, 29s
        17    = Succeeded [-first Completed(0)][-second Completed(0)][-c Completed(0)] init,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_ends_is_started_again() {
    let pod = json!({ "initContainers": [{ "name": "side", "restartPolicy": "Always" }], "containers": [{ "name": "c" }] });
    story(
        pod,
        &[(5, Exit("side", 0, "")), (20, Delete(30))],
        30,
        expect![[r#"
        0     = Pending [-side PodInitializing][-c PodInitializing] PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Pending [+side Running][-c PodInitializing] net,init,PodScheduled
        1     = Running [+side Running][+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        1     Normal Created Container created
        1     Normal Started Container started
        5     = Running [-side Completed(0)][+c Running] net,init,PodScheduled
        5     = Running [+side Running last Completed(0) x1][+c Running] net,init,ready,containers,PodScheduled
        5     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        5     Normal Created Container created (x2)
        5     Normal Started Container started (x2)
        20    > SIGTERM c, 30s
        20    = Running [+side Running last Completed(0) x1][+c Running] net,init,ready,containers,PodScheduled
        20    Normal Killing Stopping container c
        20    Normal Killing Stopping container side
        21    > SIGTERM side, 29s
        22    = Succeeded [-side Completed(0) last Completed(0) x1][-c Completed(0)] init,PodScheduled
        22    = released
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_takes_too_long() {
    story(
        one(json!({}), json!({ "activeDeadlineSeconds": 20 })),
        &[],
        30,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        20    > SIGTERM c, 30s
        20    Normal DeadlineExceeded Pod was active on the node longer than the specified deadline
        20    Normal Killing Stopping container c
        21    = Failed DeadlineExceeded: Pod was active on the node longer than the specified deadline [-c Completed(0)] init,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_container() {
    let debug = json!({ "spec": { "ephemeralContainers": [{ "name": "debug", "image": "alpine:3", "imagePullPolicy": "IfNotPresent" }] } });
    let script = [(5, Change(debug)), (10, Exit("debug", 3, ""))];
    story(
        one(json!({}), json!({})),
        &script,
        20,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        5     = Running [+c Running][-debug ContainerCreating] net,init,ready,containers,PodScheduled
        5     Normal Pulling Pulling image "alpine:3"
        6     = Running [+c Running][-debug Running] net,init,ready,containers,PodScheduled
        6     Normal Pulled Successfully pulled image "alpine:3" in 1s (1s including waiting). Image size: 54321 bytes.
        6     Normal Created Container created
        6     Normal Started Container started
        10    = Running [+c Running][-debug Error(3)] net,init,ready,containers,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_image() {
    let change = json!({ "spec": { "containers": [{ "name": "c", "image": "busybox:2", "imagePullPolicy": "IfNotPresent" }] } });
    story(
        one(json!({}), json!({})),
        &[(5, Change(change))],
        20,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        5     > SIGTERM c, 30s
        5     = Running [+c Running] net,init,ready,containers,PodScheduled
        5     Normal Killing Container c definition changed, will be restarted
        6     Normal Pulling Pulling image "busybox:2"
        7     = Running [+c Running last Completed(0) x1] net,init,ready,containers,PodScheduled
        7     Normal Pulled Successfully pulled image "busybox:2" in 1s (1s including waiting). Image size: 54321 bytes.
        7     Normal Created Container created (x2)
        7     Normal Started Container started (x2)
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_without_memory() {
    story(one(json!({}), json!({})), &[(5, Pressure("memory"))], 30, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        5     > SIGTERM c, 2s
        5     = Running [+c Running] net,init,ready,containers,PodScheduled,DisruptionTarget
        5     Normal NodeHasInsufficientMemory Node n status is now: NodeHasInsufficientMemory
        5     Warning EvictionThresholdMet Attempting to reclaim memory
        5     Warning Evicted The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. Container c was using 8192Ki, request is 0, has larger consumption of memory. 
        5     Normal Killing Stopping container c
        6     = Failed Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. Container c was using 8192Ki, request is 0, has larger consumption of memory.  [-c Completed(0)] init,PodScheduled,DisruptionTarget
        15    Warning EvictionThresholdMet Attempting to reclaim memory (x2)
        25    Warning EvictionThresholdMet Attempting to reclaim memory (x3)
    "#]]).await;
}

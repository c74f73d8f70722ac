//! Hooks after the start and before the stop of a container.

use expect_test::expect;
use serde_json::json;

use super::{one, scripted::Do::*, story};

#[tokio::test(start_paused = true)]
async fn a_hook_after_the_start() {
    let hook = json!({ "lifecycle": { "postStart": { "sleep": { "seconds": 5 } } } });
    let mut pod = one(hook, json!({}));
    pod["containers"].as_array_mut().unwrap().push(json!({ "name": "d" }));
    story(
        pod,
        &[],
        20,
        expect![[r#"
        0     = Pending [-c ContainerCreating][-d ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        6     = Pending [+c Running][-d ContainerCreating] net,init,PodScheduled
        6     = Running [+c Running][+d Running] net,init,ready,containers,PodScheduled
        6     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        6     Normal Created Container created
        6     Normal Started Container started
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_after_the_start_that_fails() {
    let hook = json!({ "lifecycle": { "postStart": { "exec": { "command": ["cat", "/nosuch"] } } } });
    let script = [(0, Exec("cat /nosuch", 1, 1, "cat: can't open '/nosuch': No such file or directory\n"))];
    story(one(hook, json!({})), &script, 20, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        2     > SIGTERM c, 30s
        2     = Pending [-c ContainerCreating] net,init,PodScheduled
        2     Warning FailedPostStartHook PostStartHook failed
        2     Normal Killing FailedPostStartHook
        3     = Running [-c PostStartHookError(Exec lifecycle hook ([cat /nosuch]) for Container "c" in Pod "web_default(u1)" failed - error: command 'cat /nosuch' exited with 1: cat: can't open '/nosuch': No such file or directory
        , message: "cat: can't open '/nosuch': No such file or directory\n") last Completed(0)] net,init,PodScheduled
        3     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        3     Normal Created Container created (x2)
        3     Normal Started Container started (x2)
        4     > SIGTERM c, 30s
        4     Warning FailedPostStartHook PostStartHook failed (x2)
        4     Normal Killing FailedPostStartHook (x2)
        5     = Running [-c PostStartHookError(Exec lifecycle hook ([cat /nosuch]) for Container "c" in Pod "web_default(u1)" failed - error: command 'cat /nosuch' exited with 1: cat: can't open '/nosuch': No such file or directory
        , message: "cat: can't open '/nosuch': No such file or directory\n") last Completed(0) x1] net,init,PodScheduled
        5     Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        6     = Running [-c CrashLoopBackOff(back-off 10s restarting failed container=c pod=web_default(u1)) last Completed(0) x1] net,init,PodScheduled
        15    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        15    Normal Created Container created (x3)
        15    Normal Started Container started (x3)
        16    > SIGTERM c, 30s
        16    Warning FailedPostStartHook PostStartHook failed (x3)
        16    Normal Killing FailedPostStartHook (x3)
        17    = Running [-c PostStartHookError(Exec lifecycle hook ([cat /nosuch]) for Container "c" in Pod "web_default(u1)" failed - error: command 'cat /nosuch' exited with 1: cat: can't open '/nosuch': No such file or directory
        , message: "cat: can't open '/nosuch': No such file or directory\n") last Completed(0) x2] net,init,PodScheduled
        17    Warning BackOff Back-off restarting failed container c in pod web_default(u1) (x2)
        18    = Running [-c CrashLoopBackOff(back-off 20s restarting failed container=c pod=web_default(u1)) last Completed(0) x2] net,init,PodScheduled
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_before_the_stop_takes_of_the_grace_period() {
    let hook = json!({ "lifecycle": { "preStop": { "exec": { "command": ["nginx", "-s", "quit"] } } } });
    let script = [(0, Exec("nginx -s quit", 4, 0, "")), (0, Term("c", 999, 0)), (10, Delete(10))];
    story(
        one(hook, json!({})),
        &script,
        40,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        10    = Running [+c Running] net,init,ready,containers,PodScheduled
        10    Normal Killing Stopping container c
        14    > SIGTERM c, 6s
        20    > SIGKILL c
        20    = Failed [-c Error(137)] init,PodScheduled
        20    = released
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_before_the_stop_that_takes_too_long() {
    let hook = json!({ "lifecycle": { "preStop": { "sleep": { "seconds": 60 } } } });
    story(
        one(hook, json!({})),
        &[(10, Delete(10))],
        40,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        10    = Running [+c Running] net,init,ready,containers,PodScheduled
        10    Normal Killing Stopping container c
        20    > SIGTERM c, 2s
        21    = Succeeded [-c Completed(0)] init,PodScheduled
        21    = released
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_before_the_stop_that_fails() {
    let hook = json!({ "lifecycle": { "preStop": { "httpGet": { "port": 80, "path": "/bye" } } } });
    story(
        one(hook, json!({})),
        &[(10, Delete(10))],
        40,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        10    > SIGTERM c, 10s
        10    = Running [+c Running] net,init,ready,containers,PodScheduled
        10    Normal Killing Stopping container c
        10    Warning FailedPreStopHook PreStopHook failed
        11    = Succeeded [-c Completed(0)] init,PodScheduled
        11    = released
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_hook_for_who_goes_by_himself() {
    let hook = json!({ "lifecycle": { "preStop": { "httpGet": { "port": 80, "path": "/bye" } } } });
    story(
        one(hook, json!({ "restartPolicy": "Never" })),
        &[(10, Exit("c", 0, ""))],
        40,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        10    = Succeeded [-c Completed(0)] init,PodScheduled
    "#]],
    )
    .await;
}

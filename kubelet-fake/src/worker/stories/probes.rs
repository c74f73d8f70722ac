//! Probes of all kinds, and what follows from their answers.

use expect_test::expect;
use serde_json::json;

use super::{
    one,
    scripted::{Do::*, Listener},
    story,
};

const GONE: &str = "cat: can't open '/tmp/healthy': No such file or directory\n";

#[tokio::test(start_paused = true)]
async fn liveness_by_a_command() {
    let probe =
        json!({ "livenessProbe": { "exec": { "command": ["cat", "/tmp/healthy"] }, "initialDelaySeconds": 5, "periodSeconds": 5 } });
    let script =
        [(0, Exec("cat /tmp/healthy", 0, 0, "")), (31, Exec("cat /tmp/healthy", 0, 1, GONE)), (60, Exec("cat /tmp/healthy", 0, 0, ""))];
    story(one(probe, json!({})), &script, 90, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        31    Warning Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n
        36    Warning Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n (x2)
        41    > SIGTERM c, 30s
        41    Warning Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n (x3)
        41    Normal Killing Container c failed liveness probe, will be restarted
        42    = Running [+c Running last Completed(0) x1] net,init,ready,containers,PodScheduled
        42    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        42    Normal Created Container created (x2)
        42    Normal Started Container started (x2)
        47    Warning Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n (x4)
        52    Warning Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n (x5)
        57    > SIGTERM c, 30s
        57    Warning Unhealthy Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory\n (x6)
        57    Normal Killing Container c failed liveness probe, will be restarted (x2)
        58    Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        59    = Running [-c CrashLoopBackOff(back-off 10s restarting failed container=c pod=web_default(u1)) last Completed(0) x1] net,init,PodScheduled
        68    = Running [+c Running last Completed(0) x2] net,init,ready,containers,PodScheduled
        68    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        68    Normal Created Container created (x3)
        68    Normal Started Container started (x3)
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn readiness_by_http() {
    let port = json!([{ "name": "http", "containerPort": 80 }]);
    let probe = json!({ "ports": port, "readinessProbe": { "httpGet": { "path": "/index1.html", "port": "http" }, "periodSeconds": 3, "failureThreshold": 2 } });
    let script = [
        (0, Port(80, Listener::Http(404))),
        (7, Port(80, Listener::Http(200))),
        (20, Closed(80)),
        (30, Port(80, Listener::Silent)),
        (35, Port(80, Listener::Http(200))),
    ];
    story(one(probe, json!({})), &script, 45, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [~c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404
        4     Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404 (x2)
        7     = Running [+c Running] net,init,ready,containers,PodScheduled
        22    Warning Unhealthy Readiness probe failed: Get "http://10.244.145.2:80/index1.html": dial tcp 10.244.145.2:80: connect: connection refused
        25    = Running [~c Running] net,init,PodScheduled
        25    Warning Unhealthy Readiness probe failed: Get "http://10.244.145.2:80/index1.html": dial tcp 10.244.145.2:80: connect: connection refused (x2)
        28    Warning Unhealthy Readiness probe failed: Get "http://10.244.145.2:80/index1.html": dial tcp 10.244.145.2:80: connect: connection refused (x3)
        32    Warning Unhealthy Readiness probe failed: Get "http://10.244.145.2:80/index1.html": context deadline exceeded (Client.Timeout exceeded while awaiting headers)
        35    Warning Unhealthy Readiness probe failed: Get "http://10.244.145.2:80/index1.html": context deadline exceeded (Client.Timeout exceeded while awaiting headers) (x2)
        37    = Running [+c Running] net,init,ready,containers,PodScheduled
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_on_the_host() {
    let probe = json!({ "readinessProbe": { "httpGet": { "path": "/", "port": 80 }, "periodSeconds": 5 } });
    let script = [(0, Port(80, Listener::Redirect("/there"))), (10, Port(80, Listener::Redirect("http://example.org/")))];
    story(
        one(probe, json!({})),
        &script,
        14,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [~c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Created Container created
        1     Normal Started Container started
        11    Warning ProbeWarning Readiness probe warning: Probe terminated redirects, Response body: hello
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn liveness_by_a_port() {
    let probe = json!({ "livenessProbe": { "tcpSocket": { "port": 8080 }, "initialDelaySeconds": 5, "timeoutSeconds": 1, "periodSeconds": 3, "failureThreshold": 2 } });
    story(one(probe, json!({})), &[], 30, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        6     Warning Unhealthy Liveness probe failed: dial tcp 10.244.145.2:8080: connect: connection refused
        9     > SIGTERM c, 30s
        9     Warning Unhealthy Liveness probe failed: dial tcp 10.244.145.2:8080: connect: connection refused (x2)
        9     Normal Killing Container c failed liveness probe, will be restarted
        10    = Running [+c Running last Completed(0) x1] net,init,ready,containers,PodScheduled
        10    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        10    Normal Created Container created (x2)
        10    Normal Started Container started (x2)
        15    Warning Unhealthy Liveness probe failed: dial tcp 10.244.145.2:8080: connect: connection refused (x3)
        18    > SIGTERM c, 30s
        18    Warning Unhealthy Liveness probe failed: dial tcp 10.244.145.2:8080: connect: connection refused (x4)
        18    Normal Killing Container c failed liveness probe, will be restarted (x2)
        19    Warning BackOff Back-off restarting failed container c in pod web_default(u1)
        20    = Running [-c CrashLoopBackOff(back-off 10s restarting failed container=c pod=web_default(u1)) last Completed(0) x1] net,init,PodScheduled
        29    = Running [+c Running last Completed(0) x2] net,init,ready,containers,PodScheduled
        29    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        29    Normal Created Container created (x3)
        29    Normal Started Container started (x3)
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn startup_holds_the_others_off() {
    let probe = |path: &str, more: serde_json::Value| {
        let mut probe = json!({ "httpGet": { "path": path, "port": 80 }, "periodSeconds": 2 });
        json_patch::merge(&mut probe, &more);
        probe
    };
    let probes = json!({ "startupProbe": probe("/start", json!({ "failureThreshold": 30 })), "livenessProbe": probe("/live", json!({})), "readinessProbe": probe("/ready", json!({})) });
    let script = [(0, Port(80, Listener::Http(503))), (6, Port(80, Listener::Http(204)))];
    story(
        one(probes, json!({})),
        &script,
        20,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [-c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Startup probe failed: HTTP probe failed with statuscode: 503
        3     Warning Unhealthy Startup probe failed: HTTP probe failed with statuscode: 503 (x2)
        5     Warning Unhealthy Startup probe failed: HTTP probe failed with statuscode: 503 (x3)
        7     = Running [~c Running] net,init,PodScheduled
        7     = Running [+c Running] net,init,ready,containers,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn startup_that_fails_has_its_own_grace_period() {
    let probe = json!({ "startupProbe": { "exec": { "command": ["true"] }, "periodSeconds": 2, "failureThreshold": 2, "terminationGracePeriodSeconds": 4 } });
    let script = [(0, Exec("true", 0, 1, "")), (0, Term("c", 999, 0)), (6, Exec("true", 0, 0, ""))];
    story(
        one(probe, json!({})),
        &script,
        20,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [-c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Startup probe failed: 
        3     > SIGTERM c, 4s
        3     Warning Unhealthy Startup probe failed:  (x2)
        3     Normal Killing Container c failed startup probe, will be restarted
        7     > SIGKILL c
        7     = Running [-c Running last Error(137) x1] net,init,PodScheduled
        7     = Running [+c Running last Error(137) x1] net,init,ready,containers,PodScheduled
        7     Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        7     Normal Created Container created (x2)
        7     Normal Started Container started (x2)
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn liveness_of_what_is_never_started_again() {
    let probe = json!({ "livenessProbe": { "exec": { "command": ["true"] }, "periodSeconds": 2, "failureThreshold": 1 } });
    let script = [(0, Exec("true", 0, 1, "bad\n")), (0, Term("c", 1, 143))];
    story(
        one(probe, json!({ "restartPolicy": "Never" })),
        &script,
        20,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     > SIGTERM c, 30s
        1     = Running [+c Running] net,init,ready,containers,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Liveness probe failed: bad\n
        1     Normal Killing Container c failed liveness probe
        2     = Failed [-c Error(143)] init,PodScheduled
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn readiness_by_grpc() {
    let probe = json!({ "readinessProbe": { "grpc": { "port": 9090 }, "periodSeconds": 4, "timeoutSeconds": 2 } });
    let script = [(5, Port(9090, Listener::Grpc(2))), (10, Port(9090, Listener::Grpc(1)))];
    story(one(probe, json!({})), &script, 20, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [~c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        3     Warning Unhealthy Readiness probe failed: timeout: failed to connect service "10.244.145.2:9090" within 2s: context deadline exceeded
        5     Warning Unhealthy Readiness probe failed: service unhealthy (responded with "NOT_SERVING")
        9     Warning Unhealthy Readiness probe failed: service unhealthy (responded with "NOT_SERVING") (x2)
        13    = Running [+c Running] net,init,ready,containers,PodScheduled
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_or_is_not_there() {
    let probe = |command: &str| json!({ "exec": { "command": [command] }, "periodSeconds": 5 });
    let probes = json!({ "readinessProbe": probe("slow"), "livenessProbe": probe("nosuch") });
    story(one(probes, json!({})), &[(0, Exec("slow", 3, 0, ""))], 8, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [~c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc = exec: "nosuch": executable file not found in $PATH
        2     Warning Unhealthy Readiness probe failed: command timed out: "slow" timed out after 1s
        6     Warning Unhealthy Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc = exec: "nosuch": executable file not found in $PATH (x2)
        7     Warning Unhealthy Readiness probe failed: command timed out: "slow" timed out after 1s (x2)
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_port_without_a_name() {
    let probe = json!({ "readinessProbe": { "tcpSocket": { "port": "http" } } });
    story(
        one(probe, json!({})),
        &[],
        8,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [~c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing "http": invalid syntax
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn tls_is_not_spoken() {
    let probe = json!({ "readinessProbe": { "httpGet": { "path": "/", "port": 80, "scheme": "HTTPS" } } });
    story(
        one(probe, json!({})),
        &[(0, Port(80, Listener::Http(400)))],
        8,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Running [~c Running] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Normal Created Container created
        1     Normal Started Container started
        1     Warning Unhealthy Readiness probe failed: Get "https://10.244.145.2:80/": http: server gave HTTP response to HTTPS client
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_leaving_is_asked_only_for_readiness() {
    let probe = json!({ "exec": { "command": ["true"] }, "periodSeconds": 2, "failureThreshold": 1 });
    let script = [(0, Exec("true", 0, 0, "")), (0, Term("c", 7, 0)), (5, Delete(30)), (6, Exec("true", 0, 1, "bye"))];
    story(
        one(json!({ "livenessProbe": probe, "readinessProbe": probe }), json!({})),
        &script,
        20,
        expect![[r#"
            0     = Pending [-c ContainerCreating] init,PodScheduled
            0     Normal Pulling Pulling image "busybox:1"
            1     = Running [~c Running] net,init,PodScheduled
            1     = Running [+c Running] net,init,ready,containers,PodScheduled
            1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
            1     Normal Created Container created
            1     Normal Started Container started
            5     > SIGTERM c, 30s
            5     = Running [+c Running] net,init,ready,containers,PodScheduled
            5     Normal Killing Stopping container c
            7     = Running [~c Running] net,init,PodScheduled
            7     Warning Unhealthy Readiness probe failed: bye
            9     Warning Unhealthy Readiness probe failed: bye (x2)
            11    Warning Unhealthy Readiness probe failed: bye (x3)
            12    = Succeeded [-c Completed(0)] init,PodScheduled
            12    = released
        "#]],
    )
    .await;
}

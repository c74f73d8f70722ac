//! Pods that refer to what is not there.

use expect_test::expect;
use serde_json::json;

use super::{one, scripted::Do::*, story};

fn settings() -> serde_json::Value {
    json!({ "kind": "ConfigMap", "metadata": { "name": "x", "namespace": "default" }, "data": { "k": "v" } })
}

#[tokio::test(start_paused = true)]
async fn a_variable_without_its_config_map() {
    let container = json!({ "env": [{ "name": "K", "valueFrom": { "configMapKeyRef": { "name": "x", "key": "k" } } }] });
    story(
        one(container, json!({})),
        &[(20, Object(settings()))],
        40,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Normal Pulling Pulling image "busybox:1"
        1     = Pending [-c CreateContainerConfigError(configmap "x" not found)] net,init,PodScheduled
        1     Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        1     Warning Failed Error: configmap "x" not found
        11    Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod
        11    Warning Failed Error: configmap "x" not found (x2)
        21.1  = Running [+c Running] net,init,ready,containers,PodScheduled
        21.1  Normal Pulled Container image "busybox:1" already present on machine and can be accessed by the pod (x2)
        21.1  Normal Created Container created
        21.1  Normal Started Container started
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_without_its_config_map() {
    let container = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let pod = json!({ "volumes": [{ "name": "v", "configMap": { "name": "x" } }] });
    story(
        one(container, pod),
        &[(3, Object(settings()))],
        10,
        expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "x" not found
        0.5   Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "x" not found (x2)
        1.5   Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "x" not found (x3)
        3.5   Normal Pulling Pulling image "busybox:1"
        4.5   = Running [+c Running] net,init,ready,containers,PodScheduled
        4.5   Normal Pulled Successfully pulled image "busybox:1" in 1s (1s including waiting). Image size: 54321 bytes.
        4.5   Normal Created Container created
        4.5   Normal Started Container started
    "#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_never_comes() {
    let container = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let pod = json!({ "volumes": [{ "name": "v", "secret": { "secretName": "x" } }] });
    story(one(container, pod), &[(200, Delete(30))], 210, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found
        0.5   Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x2)
        1.5   Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x3)
        3.5   Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x4)
        7.5   Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x5)
        15.5  Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x6)
        31.5  Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x7)
        63.5  Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x8)
        127.5 Warning FailedMount MountVolume.SetUp failed for volume "v" : secret "x" not found (x9)
        127.5 Warning FailedMount Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[]: context deadline exceeded
        200   = Failed [-c ContainerStatusUnknown(137 "The container could not be located when the pod was terminated")] init,PodScheduled
        200   = released
    "#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_not_there() {
    let container = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let pod = json!({ "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": "data" } }] });
    story(one(container, pod), &[], 1, expect![[r#"
        0     = Pending [-c ContainerCreating] init,PodScheduled
        0     Warning FailedMount Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: error processing PVC default/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found
        0.5   Warning FailedMount Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: error processing PVC default/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found (x2)
    "#]]).await;
}

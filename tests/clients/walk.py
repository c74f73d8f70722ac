"""The Python client against a cluster of ours: typed calls, patches, watches, the dynamic client, an informer's loop.

Called with a kubeconfig; ends with 0 and "walked" when everything was as a real Kubernetes would have it.
"""

import json
import sys
import tempfile
import time

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

NAMESPACE = "default"


def refused(code, call, *args, **kwargs):
    """The call must fail with this code; gives the Status."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.status == code, (error.status, error.body)
        return error
    raise AssertionError(f"{call} should have failed with {code}")


def maps(core):
    """Create, read, replace, patch, list, delete."""
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="map", labels={"app": "py"}), data={"k": "1"})
    made = core.create_namespaced_config_map(NAMESPACE, body)
    refused(409, core.create_namespaced_config_map, NAMESPACE, body)
    assert made.metadata.uid and made.metadata.creation_timestamp.tzinfo is not None
    made.data["k"] = "2"
    replaced = core.replace_namespaced_config_map("map", NAMESPACE, made)
    assert replaced.data == {"k": "2"}
    refused(409, core.replace_namespaced_config_map, "map", NAMESPACE, made)
    patched = core.patch_namespaced_config_map("map", NAMESPACE, {"data": {"l": "3"}})
    assert patched.data == {"k": "2", "l": "3"}
    patched = core.patch_namespaced_config_map("map", NAMESPACE, [{"op": "remove", "path": "/data/k"}])
    assert patched.data == {"l": "3"}
    listed = core.list_namespaced_config_map(NAMESPACE, label_selector="app=py")
    assert [item.metadata.name for item in listed.items] == ["map"]
    core.delete_namespaced_config_map("map", NAMESPACE)
    refused(404, core.read_namespaced_config_map, "map", NAMESPACE)
    bad = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="Not_A_Name"))
    assert "RFC 1123" in refused(422, core.create_namespaced_config_map, NAMESPACE, bad).body


def deployment(apps, core):
    """A Deployment, seen through a watch until it is available, scaled, and deleted with what it made."""
    labels = {"app": "web"}
    container = client.V1Container(name="web", image="nginx", ports=[client.V1ContainerPort(container_port=80)])
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container]))
    spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template)
    apps.create_namespaced_deployment(NAMESPACE, client.V1Deployment(metadata=client.V1ObjectMeta(name="web"), spec=spec))
    until = watch.Watch()
    for event in until.stream(apps.list_namespaced_deployment, NAMESPACE, timeout_seconds=60):
        assert event["type"] in ("ADDED", "MODIFIED")
        if event["object"].status.available_replicas == 2:
            until.stop()
    pods = core.list_namespaced_pod(NAMESPACE, label_selector="app=web")
    assert all(pod.status.phase == "Running" and pod.status.pod_ip for pod in pods.items), pods
    scale = apps.read_namespaced_deployment_scale("web", NAMESPACE)
    scale.spec.replicas = 1
    assert apps.replace_namespaced_deployment_scale("web", NAMESPACE, scale).spec.replicas == 1
    apps.delete_namespaced_deployment("web", NAMESPACE, propagation_policy="Background")
    gone = watch.Watch()
    left = {pod.metadata.name for pod in core.list_namespaced_pod(NAMESPACE, label_selector="app=web").items}
    version = core.list_namespaced_pod(NAMESPACE, label_selector="app=web").metadata.resource_version
    while left:
        events = gone.stream(core.list_namespaced_pod, NAMESPACE, label_selector="app=web", resource_version=version, timeout_seconds=60)
        for event in events:
            if event["type"] == "DELETED":
                left.discard(event["object"].metadata.name)
            if not left:
                gone.stop()


def apply(api):
    """The dynamic client: discovery, server-side apply, conflicts."""
    every = dynamic.DynamicClient(api)
    services = every.resources.get(api_version="v1", kind="Service")
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "svc"},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
    }
    made = services.server_side_apply(body=body, name="svc", namespace=NAMESPACE, field_manager="py")
    assert made.spec.clusterIP
    body["spec"]["ports"][0]["port"] = 81
    conflict = {**body, "spec": {"selector": {"app": "other"}}}
    refused(409, services.server_side_apply, body=conflict, name="svc", namespace=NAMESPACE, field_manager="other")
    again = services.server_side_apply(body=body, name="svc", namespace=NAMESPACE, field_manager="py")
    assert [port.port for port in again.spec.ports] == [81]
    services.delete(name="svc", namespace=NAMESPACE)


def informer(core):
    """List, then watch from there; what is reconstructed equals a new list."""
    known = {}
    first = core.list_namespaced_config_map(NAMESPACE)
    known.update({item.metadata.name: item.metadata.resource_version for item in first.items})
    for number in range(10):
        core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"n-{number}")))
    for number in range(5):
        core.delete_namespaced_config_map(f"n-{number}", NAMESPACE)
    wanted = {item.metadata.name: item.metadata.resource_version for item in core.list_namespaced_config_map(NAMESPACE).items}
    feed, deadline = watch.Watch(), time.monotonic() + 60
    version = first.metadata.resource_version
    for event in feed.stream(core.list_namespaced_config_map, NAMESPACE, resource_version=version, timeout_seconds=60):
        meta = event["object"].metadata
        if event["type"] == "DELETED":
            known.pop(meta.name, None)
        else:
            known[meta.name] = meta.resource_version
        assert time.monotonic() < deadline, (known, wanted)
        if known == wanted:
            feed.stop()


def chunks(core):
    """A list in chunks is the list, whatever happens meanwhile; a token that says nothing is refused."""
    for number in range(7):
        core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"c-{number}", labels={"c": "y"})))
    names, token, remaining = [], None, []
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, label_selector="c=y", limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        remaining.append(len(page.items))
        token = page.metadata._continue
        if not token:
            break
        core.delete_namespaced_config_map(f"c-{6 - len(remaining)}", NAMESPACE)
    assert (names, remaining) == ([f"c-{number}" for number in range(7)], [3, 3, 1]), (names, remaining)
    refused(400, core.list_namespaced_config_map, NAMESPACE, limit=3, _continue="abc")
    core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="c=y")
    assert core.list_namespaced_config_map(NAMESPACE, label_selector="c=y").items == []


def resumed(core):
    """A watch ends when it was asked to, and another goes on from where it was."""
    version = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="w-1")))
    first, started = watch.Watch(), time.monotonic()
    seen = [event["object"].metadata for event in first.stream(core.list_namespaced_config_map, NAMESPACE, resource_version=version, timeout_seconds=1)]
    assert [meta.name for meta in seen] == ["w-1"] and time.monotonic() - started < 30, seen
    core.delete_namespaced_config_map("w-1", NAMESPACE)
    second = watch.Watch()
    for event in second.stream(core.list_namespaced_config_map, NAMESPACE, resource_version=seen[-1].resource_version, timeout_seconds=60):
        assert (event["type"], event["object"].metadata.name) == ("DELETED", "w-1"), event
        second.stop()


MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec: {containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed}}
- {apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: listed}, rules: []}
"""


def manifests(api, core):
    """Objects from a file; what one of them says; what is there already is told for each."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(MANIFEST)
        file.flush()
        utils.create_from_yaml(api, file.name, namespace=NAMESPACE)
        try:
            utils.create_from_yaml(api, file.name, namespace=NAMESPACE)
            raise AssertionError("it should have been there already")
        except utils.FailToCreateError as error:
            assert {json.loads(one.body)["reason"] for one in error.api_exceptions} == {"AlreadyExists"}, error
    running = watch.Watch()
    for event in running.stream(core.list_namespaced_pod, NAMESPACE, field_selector="metadata.name=talker", timeout_seconds=60):
        if event["object"].status.phase == "Running":
            running.stop()
    assert core.read_namespaced_pod_log("talker", NAMESPACE)
    assert len(core.read_namespaced_pod_log("talker", NAMESPACE, tail_lines=1).splitlines()) == 1
    missing = json.loads(refused(400, core.read_namespaced_pod_log, "talker", NAMESPACE, container="nope").body)
    assert missing["message"] == "container nope is not valid for pod talker", missing
    core.delete_namespaced_pod("talker", NAMESPACE, grace_period_seconds=0)


def election(core):
    """One candidate leads; the other follows for as long as the lock is renewed."""

    def candidate(name):
        lock = ConfigMapLock("lock", NAMESPACE, name)
        rules = electionconfig.Config(
            lock, lease_duration=30, renew_deadline=20, retry_period=1, onstarted_leading=lambda: None, onstopped_leading=None
        )
        return leaderelection.LeaderElection(rules)

    first, second = candidate("first"), candidate("second")
    assert first.acquire()
    assert not second.try_acquire_or_renew()
    assert first.try_acquire_or_renew()
    lock = core.read_namespaced_config_map("lock", NAMESPACE)
    record = json.loads(lock.metadata.annotations["control-plane.alpha.kubernetes.io/leader"])
    assert record["holderIdentity"] == "first", record


def main():
    config.load_kube_config(sys.argv[1])
    api = client.ApiClient()
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    assert client.VersionApi(api).get_code().major == "1"
    maps(core)
    deployment(apps, core)
    apply(api)
    informer(core)
    chunks(core)
    resumed(core)
    manifests(api, core)
    election(core)
    print("walked")


if __name__ == "__main__":
    main()

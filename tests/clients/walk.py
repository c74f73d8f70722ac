"""The Python client against a cluster of ours: typed calls, patches, watches, the dynamic client, an informer's loop.

Called with a kubeconfig; ends with 0 and "walked" when everything was as a real Kubernetes would have it.
"""

import sys
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

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


def main():
    config.load_kube_config(sys.argv[1])
    api = client.ApiClient()
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    assert client.VersionApi(api).get_code().major == "1"
    maps(core)
    deployment(apps, core)
    apply(api)
    informer(core)
    print("walked")


if __name__ == "__main__":
    main()

//! What every cluster has from its first moment: its namespaces, the priorities of its own parts, and the `kubernetes` Service.

use serde_json::json;

use crate::{
    error::Result,
    registry::{Call, Registry},
};

const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// The priority classes of the cluster's own parts.
const CLASSES: &[(&str, i32, &str)] = &[
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    ("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."),
];

/// Creates what is missing.
///
/// # Errors
/// When the store refuses.
pub(crate) async fn bootstrap(registry: &Registry, host: &str, port: u16) -> Result<()> {
    for name in NAMESPACES {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        create(registry, "namespaces", "", name, &namespace.to_string()).await?;
    }
    for (name, value, description) in CLASSES {
        let class = json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name }, "value": value, "description": description,
        });
        create(registry, "priorityclasses", "", name, &class.to_string()).await?;
    }
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "kubernetes", "labels": { "component": "apiserver", "provider": "kubernetes" } },
        "spec": { "clusterIP": "10.254.0.1", "ipFamilyPolicy": "SingleStack", "ports": [{ "name": "https", "port": 443, "targetPort": port }] },
    });
    create(registry, "services", "default", "kubernetes", &service.to_string()).await?;
    let port = json!([{ "name": "https", "port": port, "protocol": "TCP" }]);
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": port,
        "metadata": { "name": "kubernetes", "labels": { "kubernetes.io/service-name": "kubernetes" } },
        "endpoints": [{ "addresses": [host], "conditions": { "ready": true } }],
    });
    // After a restart the server may listen elsewhere.
    put(registry, "endpointslices", "kubernetes", &slice.to_string()).await?;
    let endpoints = json!({
        "apiVersion": "v1", "kind": "Endpoints", "subsets": [{ "addresses": [{ "ip": host }], "ports": port }],
        "metadata": { "name": "kubernetes", "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    });
    put(registry, "endpoints", "kubernetes", &endpoints.to_string()).await
}

async fn create(registry: &Registry, plural: &str, namespace: &str, name: &str, body: &str) -> Result<()> {
    let Some(kind) = registry.find(plural) else { return Ok(()) };
    if registry.get(kind, namespace, name).await.is_ok() {
        return Ok(());
    }
    registry.create(&mut Call::own(kind, namespace), body.as_bytes()).await.map(|_| ())
}

async fn put(registry: &Registry, plural: &str, name: &str, body: &str) -> Result<()> {
    let Some(kind) = registry.find(plural) else { return Ok(()) };
    if registry.get(kind, "default", name).await.is_ok() {
        return registry.update(&mut Call::own(kind, "default"), name, None, body.as_bytes()).await.map(|_| ());
    }
    create(registry, plural, "default", name, body).await
}

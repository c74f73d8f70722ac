//! What a pod asks for and may use at most, and the quality of service that follows from it.
//!
//! Main containers and sidecars run together, so their resources add up. An init container runs alone with the sidecars
//! started before it, so only the largest such moment counts. A pod may also state totals for itself, and its runtime
//! may need some on top (overhead).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use super::is_restartable_init;
use crate::{
    name,
    quantity::{self, Quantity},
};

/// Amounts by resource name (`cpu`, `memory`, `example.com/gpu`).
pub type Resources = BTreeMap<String, Quantity>;

type ApiResources = Option<BTreeMap<String, ApiQuantity>>;

/// CPU and memory of every container are limited to what is requested.
pub const GUARANTEED: &str = "Guaranteed";
/// Something is requested or limited.
pub const BURSTABLE: &str = "Burstable";
/// Nothing is requested or limited: the first to go when a node runs out.
pub const BEST_EFFORT: &str = "BestEffort";

/// Whether it is memory in pages of some size.
pub fn is_huge_page(resource: &str) -> bool {
    resource.starts_with("hugepages-")
}

/// Whether it is a resource of Kubernetes itself.
pub fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

/// Whether it is a resource of a vendor, such as `nvidia.com/gpu`.
pub fn is_extended(resource: &str) -> bool {
    !is_native(resource) && !resource.starts_with("requests.") && name::qualified_name(&format!("requests.{resource}")).is_empty()
}

/// What a node must have free to take the pod.
pub fn requests(spec: &PodSpec) -> Resources {
    let mut total = aggregate(spec, |resources| &resources.requests);
    for (name, amount) in spec.overhead.iter().flatten() {
        *total.entry(name.clone()).or_default() += quantity::of(amount);
    }
    total
}

/// What the pod may use at most. Overhead is added only where there is a limit.
pub fn limits(spec: &PodSpec) -> Resources {
    let mut total = aggregate(spec, |resources| &resources.limits);
    for (name, amount) in spec.overhead.iter().flatten() {
        if let Some(limit) = total.get_mut(name) {
            *limit += quantity::of(amount);
        }
    }
    total
}

/// `Guaranteed`, `Burstable` or `BestEffort`, from CPU and memory alone.
pub fn qos(spec: &PodSpec) -> &'static str {
    if let Some(resources) = spec.resources.as_ref().filter(|_| states_totals(spec)) {
        return qos_of(&[resources]);
    }
    let empty = ResourceRequirements::default();
    let all: Vec<_> = containers(spec).map(|container| container.resources.as_ref().unwrap_or(&empty)).collect();
    qos_of(&all)
}

fn qos_of(all: &[&ResourceRequirements]) -> &'static str {
    let (mut requests, mut limits) = (Resources::new(), Resources::new());
    let mut guaranteed = true;
    for resources in all {
        let limited = compute(&resources.limits);
        guaranteed &= limited.len() == 2;
        add(&mut limits, &limited);
        add(&mut requests, &compute(&resources.requests));
    }
    if requests.is_empty() && limits.is_empty() {
        BEST_EFFORT
    } else if guaranteed && requests == limits {
        GUARANTEED
    } else {
        BURSTABLE
    }
}

/// Those of CPU and memory that are more than nothing.
fn compute(resources: &ApiResources) -> Resources {
    let mut amounts = read(resources);
    amounts.retain(|name, amount| matches!(name.as_str(), "cpu" | "memory") && amount.signum() > 0);
    amounts
}

fn aggregate(spec: &PodSpec, of: impl Fn(&ResourceRequirements) -> &ApiResources) -> Resources {
    let amounts = |container: &Container| container.resources.as_ref().map(|all| read(of(all))).unwrap_or_default();
    let mut total = Resources::new();
    for container in &spec.containers {
        add(&mut total, &amounts(container));
    }
    let (mut sidecars, mut largest) = (Resources::new(), Resources::new());
    for container in spec.init_containers.iter().flatten() {
        let own = amounts(container);
        if is_restartable_init(container) {
            add(&mut total, &own);
            add(&mut sidecars, &own);
            raise(&mut largest, &sidecars);
        } else {
            let mut moment = sidecars.clone();
            add(&mut moment, &own);
            raise(&mut largest, &moment);
        }
    }
    raise(&mut total, &largest);
    if let Some(resources) = &spec.resources {
        total.extend(read(of(resources)).into_iter().filter(|(name, _)| is_pod_level(name)));
    }
    total
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

/// Resources that a pod may state for itself.
fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_huge_page(name)
}

/// Whether the pod states totals for itself.
pub fn states_totals(spec: &PodSpec) -> bool {
    spec.resources.as_ref().is_some_and(|resources| has_pod_level(&resources.requests) || has_pod_level(&resources.limits))
}

fn has_pod_level(resources: &ApiResources) -> bool {
    resources.iter().flatten().any(|(name, _)| is_pod_level(name))
}

fn read(resources: &ApiResources) -> Resources {
    resources.iter().flatten().map(|(name, amount)| (name.clone(), quantity::of(amount))).collect()
}

fn add(total: &mut Resources, more: &Resources) {
    for (name, amount) in more {
        *total.entry(name.clone()).or_default() += *amount;
    }
}

/// Raises each amount to at least that of `least`.
fn raise(total: &mut Resources, least: &Resources) {
    for (name, amount) in least {
        let current = total.entry(name.clone()).or_insert(*amount);
        if *current < *amount {
            *current = *amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(value: Value) -> PodSpec {
        serde_json::from_value(value).unwrap()
    }

    fn container(requests: Value, limits: Value) -> Value {
        json!({"name": "c", "resources": {"requests": requests, "limits": limits}})
    }

    fn sidecar(requests: Value) -> Value {
        json!({"name": "s", "restartPolicy": "Always", "resources": {"requests": requests}})
    }

    fn text(resources: &Resources) -> String {
        resources.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn containers_add_up() {
        let spec = spec(json!({"containers": [
            container(json!({"cpu": "100m", "memory": "1Gi"}), json!({})),
            container(json!({"cpu": "1", "example.com/gpu": "1"}), json!({"cpu": "2"})),
        ]}));
        assert_eq!(text(&requests(&spec)), "cpu=1100m example.com/gpu=1 memory=1Gi");
        assert_eq!(text(&limits(&spec)), "cpu=2");
    }

    #[test]
    fn the_largest_init_moment_counts() {
        let main = container(json!({"cpu": "1"}), json!({}));
        let init = |cpu| container(json!({"cpu": cpu}), json!({}));
        for (inits, want) in [
            (json!([init("500m")]), "cpu=1"),
            (json!([init("3"), init("2")]), "cpu=3"),
            (json!([sidecar(json!({"cpu": "1"})), init("2")]), "cpu=3"),
            (json!([init("2"), sidecar(json!({"cpu": "500m"}))]), "cpu=2"),
            (json!([sidecar(json!({"cpu": "1"})), sidecar(json!({"memory": "1Mi"}))]), "cpu=2 memory=1Mi"),
        ] {
            let spec = spec(json!({"containers": [main], "initContainers": inits}));
            assert_eq!(text(&requests(&spec)), want, "{inits}");
        }
    }

    #[test]
    fn overhead_and_pod_level() {
        let spec = spec(json!({
            "containers": [container(json!({"cpu": "1", "example.com/gpu": "2"}), json!({"cpu": "1"}))],
            "resources": {"requests": {"cpu": "4", "memory": "1Gi"}},
            "overhead": {"cpu": "250m", "memory": "128Mi"},
        }));
        assert_eq!(text(&requests(&spec)), "cpu=4250m example.com/gpu=2 memory=1152Mi");
        assert_eq!(text(&limits(&spec)), "cpu=1250m");
    }

    #[test]
    fn quality_of_service() {
        let full = json!({"cpu": "1", "memory": "1Gi"});
        let none = container(json!({}), json!({}));
        for (containers, want) in [
            (json!([none]), BEST_EFFORT),
            (json!([container(json!({"cpu": "0"}), json!({}))]), BEST_EFFORT),
            (json!([container(json!({"example.com/gpu": "1"}), json!({"example.com/gpu": "1"}))]), BEST_EFFORT),
            (json!([container(full.clone(), full.clone())]), GUARANTEED),
            (json!([container(json!({"cpu": "1000m", "memory": "1024Mi"}), full.clone())]), GUARANTEED),
            (json!([container(full.clone(), full.clone()), none]), BURSTABLE),
            (json!([container(full.clone(), json!({"cpu": "1"}))]), BURSTABLE),
            (json!([container(json!({"cpu": "1"}), json!({}))]), BURSTABLE),
            (json!([container(json!({"cpu": "1", "memory": "1Mi"}), full.clone())]), BURSTABLE),
        ] {
            assert_eq!(qos(&spec(json!({ "containers": containers }))), want, "{containers}");
        }
        let pod_level = json!({"containers": [none], "resources": {"requests": full, "limits": full}});
        assert_eq!(qos(&spec(pod_level)), GUARANTEED);
    }
}

//! How much a pod, a Service or a PersistentVolumeClaim uses, by the names quotas have for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::{Container, PersistentVolumeClaim, Pod, Service},
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};

use super::{COMPUTE, OF_CLASS};
use crate::{
    pod::{self, Resources},
    quantity::{self, Format, Quantity},
};

/// The object itself.
pub(super) const ONE: Quantity = Quantity::from_value(1, Format::DecimalSi);
/// How the class of a claim was named before it was a field; it still comes first.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// When a pod that is to go stops counting, whether or not its kubelet has let it go. A pod of a lost node would otherwise keep
/// its successor out.
pub fn counts_until(pod: &Pod) -> Option<Timestamp> {
    let meta = &pod.metadata;
    let (end, grace) = (meta.deletion_timestamp.as_ref()?, meta.deletion_grace_period_seconds?);
    end.0.checked_add(SignedDuration::from_secs(grace)).ok()
}

pub(super) fn pod(pod: &Pod, now: Timestamp) -> Resources {
    let mut usage = Resources::from([("count/pods".to_owned(), ONE)]);
    if pod::is_terminal(pod) || counts_until(pod).is_some_and(|end| now > end) {
        return usage;
    }
    usage.insert("pods".to_owned(), ONE);
    if let Some(spec) = &pod.spec {
        pod::requests(spec).iter().for_each(|(name, amount)| requested(name, *amount, &mut usage));
        pod::limits(spec).iter().for_each(|(name, amount)| limited(name, *amount, &mut usage));
    }
    usage
}

/// Extended resources cannot be promised twice, so quotas know them by their requests alone.
fn requested(name: &str, amount: Quantity, usage: &mut Resources) {
    let own = is_basic(name) || pod::is_huge_page(name);
    if own {
        usage.insert(name.to_owned(), amount);
    }
    if own || pod::is_extended(name) {
        usage.insert(format!("requests.{name}"), amount);
    }
}

fn limited(name: &str, amount: Quantity, usage: &mut Resources) {
    if is_basic(name) {
        usage.insert(format!("limits.{name}"), amount);
    }
}

fn is_basic(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage")
}

/// Which containers do not state which of [`COMPUTE`]. A pod that states totals for itself owes nothing.
pub fn unstated(pod: &Pod) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut unstated: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    let Some(spec) = pod.spec.as_ref().filter(|spec| !pod::states_totals(spec)) else { return unstated };
    for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
        let stated = stated(container);
        for resource in COMPUTE.iter().filter(|resource| !stated.contains_key(**resource)) {
            unstated.entry(resource).or_default().insert(container.name.clone());
        }
    }
    unstated
}

fn stated(container: &Container) -> Resources {
    let mut stated = Resources::new();
    let Some(resources) = &container.resources else { return stated };
    let each = |amounts: &Option<BTreeMap<String, ApiQuantity>>| -> Resources {
        amounts.iter().flatten().map(|(name, amount)| (name.clone(), quantity::of(amount))).collect()
    };
    each(&resources.requests).iter().for_each(|(name, amount)| requested(name, *amount, &mut stated));
    each(&resources.limits).iter().for_each(|(name, amount)| limited(name, *amount, &mut stated));
    stated
}

pub(super) fn service(service: &Service) -> Resources {
    let spec = service.spec.clone().unwrap_or_default();
    let ports = spec.ports.unwrap_or_default();
    let given = ports.iter().filter(|port| port.node_port.is_some_and(|port| port != 0)).count();
    let balanced = spec.type_.as_deref() == Some("LoadBalancer");
    // A port counts before it has its number: what is meant counts.
    let node_ports = match spec.type_.as_deref() {
        Some("LoadBalancer") if spec.allocate_load_balancer_node_ports == Some(false) => given,
        Some("LoadBalancer" | "NodePort") => ports.len(),
        _ => 0,
    };
    let number = |count: usize| Quantity::from_value(i64::try_from(count).unwrap_or(i64::MAX), Format::DecimalSi);
    Resources::from([
        ("count/services".to_owned(), ONE),
        ("services".to_owned(), ONE),
        ("services.loadbalancers".to_owned(), number(balanced.into())),
        ("services.nodeports".to_owned(), number(node_ports)),
    ])
}

pub(super) fn claim(claim: &PersistentVolumeClaim) -> Resources {
    let old = claim.metadata.annotations.as_ref().and_then(|all| all.get(OLD_CLASS));
    let class = old.or(claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_ref())).filter(|class| !class.is_empty());
    let mut usage = Resources::from([(super::COUNT_OF_CLAIMS.to_owned(), ONE)]);
    let mut charge = |resource: &str, amount| {
        usage.insert(resource.to_owned(), amount);
        if let Some(class) = class {
            usage.insert(format!("{class}{OF_CLASS}{resource}"), amount);
        }
    };
    charge("persistentvolumeclaims", ONE);
    if let Some(storage) = storage(claim) {
        charge("requests.storage", storage);
    }
    usage
}

/// Whole bytes. A claim that shrinks counts with what it still has.
fn storage(claim: &PersistentVolumeClaim) -> Option<Quantity> {
    let of = |amounts: Option<&BTreeMap<String, ApiQuantity>>| amounts.and_then(|all| all.get("storage")).map(quantity::of);
    let asked = of(claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref())?;
    let allocated = of(claim.status.as_ref().and_then(|status| status.allocated_resources.as_ref()));
    let most = allocated.filter(|allocated| *allocated > asked).unwrap_or(asked);
    Some(if most.milli() % 1000 == 0 { most } else { Quantity::from_value(most.value(), most.format()) })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(usage: &Resources) -> String {
        usage.iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(" ")
    }

    fn of_pod(value: Value) -> String {
        text(&pod(&serde_json::from_value(value).unwrap(), Timestamp::from_second(1000).unwrap()))
    }

    #[test]
    fn a_pod_uses_what_it_asks_for() {
        let requests =
            json!({ "cpu": "100m", "memory": "1Gi", "ephemeral-storage": "2Gi", "hugepages-2Mi": "4Mi", "example.com/gpu": "1" });
        let container = json!({ "name": "c", "resources": { "requests": requests, "limits": { "cpu": "1", "example.com/gpu": "1" } } });
        assert_eq!(
            of_pod(json!({ "spec": { "containers": [container] } })),
            "count/pods=1 cpu=100m ephemeral-storage=2Gi hugepages-2Mi=4Mi limits.cpu=1 memory=1Gi pods=1 requests.cpu=100m \
             requests.ephemeral-storage=2Gi requests.example.com/gpu=1 requests.hugepages-2Mi=4Mi requests.memory=1Gi"
        );
    }

    #[test]
    fn a_pod_that_has_ended_is_only_there() {
        let spec = json!({ "containers": [{ "name": "c", "resources": { "requests": { "cpu": "1" } } }] });
        let whole = "count/pods=1 cpu=1 pods=1 requests.cpu=1";
        let going = |end: &str| json!({ "deletionTimestamp": end, "deletionGracePeriodSeconds": 30 });
        for (metadata, phase, want) in [
            (json!({}), "Running", whole),
            (json!({}), "Succeeded", "count/pods=1"),
            (json!({}), "Failed", "count/pods=1"),
            // The moment is 16:40 past the epoch.
            (going("1970-01-01T00:16:11Z"), "Running", whole),
            (going("1970-01-01T00:16:09Z"), "Running", "count/pods=1"),
        ] {
            assert_eq!(of_pod(json!({ "metadata": metadata, "spec": spec, "status": { "phase": phase } })), want, "{metadata} {phase}");
        }
    }

    #[test]
    fn what_containers_leave_out_is_told() {
        let containers = json!([
            { "name": "a", "resources": { "requests": { "cpu": "1" }, "limits": { "cpu": "1", "memory": "1Gi" } } },
            { "name": "b", "resources": { "requests": { "cpu": "1", "memory": "1Gi" }, "limits": { "cpu": "1" } } },
        ]);
        let told = |spec: Value| {
            let pod: Pod = serde_json::from_value(json!({ "spec": spec })).unwrap();
            unstated(&pod)
                .into_iter()
                .map(|(resource, names)| format!("{resource}:{}", names.into_iter().collect::<Vec<_>>().join(",")))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(json!({ "containers": containers })), ["limits.memory:b", "memory:a", "requests.memory:a"]);
        let init = json!([{ "name": "i", "resources": { "requests": { "cpu": "1", "memory": "1" }, "limits": { "cpu": "1" } } }]);
        assert_eq!(told(json!({ "containers": [], "initContainers": init })), ["limits.memory:i"]);
        assert!(told(json!({ "containers": containers, "resources": { "requests": { "cpu": "1" } } })).is_empty());
    }

    #[test]
    fn services_use_ports_of_nodes() {
        let of = |spec: Value| text(&service(&serde_json::from_value(json!({ "spec": spec })).unwrap()));
        let ports = json!([{ "port": 80 }, { "port": 443, "nodePort": 30_000 }]);
        let counts = "count/services=1 services=1";
        for (spec, balancers, node_ports) in [
            (json!({ "ports": ports }), 0, 0),
            (json!({ "type": "NodePort", "ports": ports }), 0, 2),
            (json!({ "type": "LoadBalancer", "ports": ports }), 1, 2),
            (json!({ "type": "LoadBalancer", "ports": ports, "allocateLoadBalancerNodePorts": false }), 1, 1),
        ] {
            assert_eq!(of(spec), format!("{counts} services.loadbalancers={balancers} services.nodeports={node_ports}"));
        }
    }

    #[test]
    fn claims_use_storage_of_their_class() {
        let of = |claim: Value| text(&claim_of(claim));
        let plain = json!({ "resources": { "requests": { "storage": "1Gi" } } });
        assert_eq!(of(json!({ "spec": plain })), "count/persistentvolumeclaims=1 persistentvolumeclaims=1 requests.storage=1Gi");
        let mut gold = json!({ "spec": plain, "status": { "allocatedResources": { "storage": "2Gi" } } });
        gold["spec"]["storageClassName"] = "gold".into();
        assert_eq!(
            of(gold.clone()),
            "count/persistentvolumeclaims=1 gold.storageclass.storage.k8s.io/persistentvolumeclaims=1 \
             gold.storageclass.storage.k8s.io/requests.storage=2Gi persistentvolumeclaims=1 requests.storage=2Gi"
        );
        gold["metadata"] = json!({ "annotations": { OLD_CLASS: "old" } });
        assert!(of(gold).contains("old.storageclass.storage.k8s.io/requests.storage=2Gi"));
        let broken = json!({ "spec": { "resources": { "requests": { "storage": "1500m" } } } });
        assert!(of(broken).ends_with("requests.storage=2"));
    }

    fn claim_of(value: Value) -> Resources {
        claim(&serde_json::from_value(value).unwrap())
    }
}

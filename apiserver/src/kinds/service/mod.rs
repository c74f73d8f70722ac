//! Services: one name and address for many pods. Addresses and ports of nodes are given out elsewhere; here is what a Service
//! means without them, and what may be asked for.

use k8s_openapi::{
    api::core::v1::{Service, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    Field, field,
    rules::{Rules, parts},
    unset::{default_text, list, list_mut, text},
};

mod columns;
mod update;
mod validate;

/// What lists of Services can be selected by.
pub(super) const FIELDS: &[Field] = &[field("spec.clusterIP", &["/spec/clusterIP"]), field("spec.type", &["/spec/type"])];

/// Seconds for which a client keeps its pod.
const AFFINITY_SECONDS: i32 = 3 * 60 * 60;

/// What is special about a Service.
pub(super) const RULES: Rules<Service> = Rules {
    defaults,
    on_create: |service| {
        let spec = service.spec.get_or_insert_default();
        sync_cluster_ips(spec);
        families(spec);
    },
    on_update: |new, old| {
        if let (Some(new), Some(old)) = (&mut new.spec, &old.spec) {
            update::carry_over(new, old);
            families(new);
        }
    },
    validate: validate::service,
    validate_update: update::service,
    validate_status: validate::status,
    warnings,
    columns: columns::COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn defaults(service: &mut Service) {
    let status = service.status.get_or_insert_default();
    let balancer = status.load_balancer.get_or_insert_default();
    let spec = service.spec.get_or_insert_default();
    default_text(&mut spec.session_affinity, "None");
    default_text(&mut spec.type_, "ClusterIP");
    match text(&spec.session_affinity) {
        "None" => spec.session_affinity_config = None,
        "ClientIP" => {
            let client = spec.session_affinity_config.get_or_insert_default().client_ip.get_or_insert_default();
            client.timeout_seconds.get_or_insert(AFFINITY_SECONDS);
        }
        _ => {}
    }
    for port in list_mut(&mut spec.ports) {
        default_text(&mut port.protocol, "TCP");
        let is_unset = match &port.target_port {
            None | Some(IntOrString::Int(0)) => true,
            Some(IntOrString::String(name)) => name.is_empty(),
            Some(IntOrString::Int(_)) => false,
        };
        if is_unset {
            port.target_port = Some(IntOrString::Int(port.port));
        }
    }
    if is_external(spec) {
        default_text(&mut spec.external_traffic_policy, "Cluster");
    }
    if matches!(text(&spec.type_), "ClusterIP" | "NodePort" | "LoadBalancer") {
        spec.internal_traffic_policy.get_or_insert_with(|| "Cluster".to_owned());
    }
    if text(&spec.type_) == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
        for ingress in list_mut(&mut balancer.ingress).iter_mut().filter(|ingress| !text(&ingress.ip).is_empty()) {
            ingress.ip_mode.get_or_insert_with(|| "VIP".to_owned());
        }
    }
}

/// Whether it can be reached from outside of the cluster.
fn is_external(spec: &ServiceSpec) -> bool {
    match text(&spec.type_) {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !list(&spec.external_ips).is_empty(),
        _ => false,
    }
}

/// Whether its type gives it an address of the cluster.
fn has_cluster_ip(spec: &ServiceSpec) -> bool {
    matches!(text(&spec.type_), "ClusterIP" | "NodePort" | "LoadBalancer")
}

/// Whether it wants no address.
fn is_headless(spec: &ServiceSpec) -> bool {
    text(&spec.cluster_ip) == "None" || matches!(list(&spec.cluster_ips), [only] if only == "None")
}

/// The families of its addresses: the cluster has IPv4 only. Who is headless and selects nothing says its endpoints by itself,
/// so they may be of any family. Not a default: like the addresses it is the server's doing, not the user's.
fn families(spec: &mut ServiceSpec) {
    if !has_cluster_ip(spec) {
        return;
    }
    let is_free = is_headless(spec) && spec.selector.as_ref().is_none_or(|selector| selector.is_empty());
    let policy = spec.ip_family_policy.get_or_insert_with(|| if is_free { "RequireDualStack" } else { "SingleStack" }.to_owned());
    let wants_both = is_free && policy != "SingleStack";
    let families = spec.ip_families.get_or_insert_default();
    if families.is_empty() {
        families.push("IPv4".to_owned());
    }
    if wants_both && families.len() < 2 {
        families.push(if families[0] == "IPv4" { "IPv6" } else { "IPv4" }.to_owned());
    }
}

/// The first of its addresses stands in two fields: old clients set the single one.
fn sync_cluster_ips(spec: &mut ServiceSpec) {
    if !text(&spec.cluster_ip).is_empty() && list(&spec.cluster_ips).is_empty() {
        spec.cluster_ips = spec.cluster_ip.clone().map(|ip| vec![ip]);
    }
}

fn warnings(service: &Service) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(spec) = &service.spec
        && is_headless(spec)
    {
        if !text(&spec.load_balancer_ip).is_empty() {
            warnings.push("spec.loadBalancerIP is ignored for headless services".to_owned());
        }
        if !list(&spec.external_ips).is_empty() {
            warnings.push("spec.externalIPs is ignored for headless services".to_owned());
        }
        if text(&spec.session_affinity) != "None" {
            warnings.push("spec.SessionAffinity is ignored for headless services".to_owned());
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn defaulted(spec: Value) -> Value {
        let mut service: Service = serde_json::from_value(json!({ "spec": spec })).unwrap();
        defaults(&mut service);
        let once = service.clone();
        defaults(&mut service);
        assert_eq!(service, once, "defaults are idempotent");
        (RULES.on_create)(&mut service);
        serde_json::to_value(service.spec).unwrap()
    }

    #[test]
    fn by_type() {
        let ports = json!([{"port": 80, "protocol": "TCP", "targetPort": 80}]);
        for (spec, want) in [
            (
                json!({"ports": [{"port": 80}]}),
                json!({"ports": ports, "type": "ClusterIP", "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster"}),
            ),
            (
                json!({"type": "LoadBalancer", "ports": [{"port": 80}], "sessionAffinity": "ClientIP"}),
                json!({"ports": ports, "type": "LoadBalancer", "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
                    "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": true,
                    "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster"}),
            ),
            (
                json!({"type": "ExternalName", "externalName": "a.b.c"}),
                json!({"type": "ExternalName", "externalName": "a.b.c", "sessionAffinity": "None"}),
            ),
            (
                json!({"clusterIP": "None", "selector": {"a": "b"}}),
                json!({"clusterIP": "None", "clusterIPs": ["None"], "selector": {"a": "b"}, "type": "ClusterIP", "sessionAffinity": "None",
                    "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster"}),
            ),
        ] {
            assert_eq!(defaulted(spec), want);
        }
    }
}

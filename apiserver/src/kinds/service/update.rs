//! What a changed Service keeps of what was given to the old one, and what may not change.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use super::{
    super::{
        field::{Errors, Path},
        unset::{list, list_mut, text},
    },
    has_cluster_ip, is_external, is_headless,
    validate::needs_health_check,
};

fn has_node_ports(spec: &ServiceSpec) -> bool {
    text(&spec.type_) == "NodePort" || (text(&spec.type_) == "LoadBalancer" && spec.allocate_load_balancer_node_ports != Some(false))
}

/// Keeps what was given out where the user left it out, and lets go what the new type has no use for.
pub(super) fn carry_over(new: &mut ServiceSpec, old: &ServiceSpec) {
    follow_cluster_ip(new, old);
    keep(new, old);
    let_go(new, old);
}

/// Old clients know only the single field; where it changed and the list did not, the list follows.
fn follow_cluster_ip(new: &mut ServiceSpec, old: &ServiceSpec) {
    if text(&new.cluster_ip) == text(&old.cluster_ip) || list(&new.cluster_ips) != list(&old.cluster_ips) {
        return;
    }
    new.cluster_ips = new.cluster_ip.clone().filter(|ip| !ip.is_empty()).map(|ip| vec![ip]);
}

fn keep(new: &mut ServiceSpec, old: &ServiceSpec) {
    if has_cluster_ip(old) && has_cluster_ip(new) {
        if text(&new.cluster_ip).is_empty() {
            new.cluster_ip.clone_from(&old.cluster_ip);
        }
        if list(&new.cluster_ips).is_empty() && new.cluster_ip == old.cluster_ip {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
        if list(&new.ip_families).is_empty() {
            new.ip_families.clone_from(&old.ip_families);
        }
        if new.ip_family_policy.is_none() {
            new.ip_family_policy.clone_from(&old.ip_family_policy);
        }
    }
    if has_node_ports(old) && has_node_ports(new) {
        keep_node_ports(new, old);
    }
    if needs_health_check(old) && needs_health_check(new) && new.health_check_node_port.unwrap_or_default() == 0 {
        new.health_check_node_port = old.health_check_node_port;
    }
}

fn keep_node_ports(new: &mut ServiceSpec, old: &ServiceSpec) {
    let numbers = |spec: &ServiceSpec| -> BTreeSet<i32> {
        list(&spec.ports).iter().filter_map(|port| port.node_port).filter(|number| *number != 0).collect()
    };
    let mut used: BTreeSet<i32> = numbers(new).intersection(&numbers(old)).copied().collect();
    let by_name: BTreeMap<&str, i32> = list(&old.ports).iter().map(|port| (text(&port.name), port.node_port.unwrap_or_default())).collect();
    for port in list_mut(&mut new.ports).iter_mut().filter(|port| port.node_port.unwrap_or_default() == 0) {
        if let Some(number) = by_name.get(text(&port.name)).copied().filter(|number| *number != 0)
            && used.insert(number)
        {
            port.node_port = Some(number);
        }
    }
}

fn let_go(new: &mut ServiceSpec, old: &ServiceSpec) {
    if has_cluster_ip(old) && !has_cluster_ip(new) {
        if text(&new.cluster_ip) == text(&old.cluster_ip) && list(&new.cluster_ips) == list(&old.cluster_ips) {
            new.cluster_ip = None;
            new.cluster_ips = None;
        }
        if new.ip_families == old.ip_families {
            new.ip_families = None;
        }
        if new.ip_family_policy == old.ip_family_policy {
            new.ip_family_policy = None;
        }
    }
    let node_ports = |spec: &ServiceSpec| -> Vec<Option<i32>> { list(&spec.ports).iter().map(|port| port.node_port).collect() };
    if has_node_ports(old) && !has_node_ports(new) && node_ports(new) == node_ports(old) {
        list_mut(&mut new.ports).iter_mut().for_each(|port| port.node_port = None);
    }
    if needs_health_check(old) && !needs_health_check(new) && new.health_check_node_port == old.health_check_node_port {
        new.health_check_node_port = None;
    }
    let was_balancer = text(&old.type_) == "LoadBalancer" && text(&new.type_) != "LoadBalancer";
    if was_balancer && new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports {
        new.allocate_load_balancer_node_ports = None;
    }
    if was_balancer && new.load_balancer_class == old.load_balancer_class {
        new.load_balancer_class = None;
    }
    if is_external(old) && !is_external(new) && new.external_traffic_policy == old.external_traffic_policy {
        new.external_traffic_policy = None;
    }
}

/// What is wrong with a change of a Service.
pub(super) fn service(new: &Service, old: &Service, errors: &mut Errors) {
    let (Some(new), Some(old)) = (&new.spec, &old.spec) else { return };
    let path = Path::new("spec");
    if has_cluster_ip(new) && has_cluster_ip(old) {
        cluster_ips(new, old, &path.child("clusterIPs"), errors);
        families(new, old, &path.child("ipFamilies"), errors);
    }
    if text(&new.type_) == "LoadBalancer" && text(&old.type_) == "LoadBalancer" && new.load_balancer_class != old.load_balancer_class {
        errors.invalid(&path.child("loadBalancerClass"), &new.load_balancer_class, "may not change once set");
    }
    if needs_health_check(new) && needs_health_check(old) && new.health_check_node_port != old.health_check_node_port {
        errors.forbidden(&path.child("healthCheckNodePort"), "field is immutable");
    }
}

fn cluster_ips(new: &ServiceSpec, old: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    if is_headless(new) && is_headless(old) {
        return;
    }
    let (ips, before) = (list(&new.cluster_ips), list(&old.cluster_ips));
    if ips.is_empty() && !before.is_empty() {
        return errors.invalid(&path.index(0), ips, "primary clusterIP can not be unset");
    }
    // The second address may come and go, the first may not, nor may any turn into another.
    let compared = if ips.len() == before.len() { ips.len() } else { 1 };
    for (index, _) in before.iter().enumerate().take(compared).filter(|(index, ip)| ips.get(*index) != Some(*ip)) {
        errors.invalid(&path.index(index), ips, "may not change once set");
    }
}

fn families(new: &ServiceSpec, old: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    if is_headless(new) || is_headless(old) {
        return;
    }
    let (families, before) = (list(&new.ip_families), list(&old.ip_families));
    let compared = if families.len() == before.len() { families.len() } else { 1 };
    for (index, _) in before.iter().enumerate().take(compared).filter(|(index, family)| families.get(*index) != Some(*family)) {
        errors.invalid(&path.index(index), families, "may not change once set");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(json: Value) -> ServiceSpec {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_was_given_is_kept() {
        let old = spec(
            json!({"type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "nodePort": 30001}]}),
        );
        let mut new = spec(json!({"type": "NodePort", "ports": [{"port": 81}]}));
        carry_over(&mut new, &old);
        assert_eq!(new.cluster_ips, old.cluster_ips);
        assert_eq!(new.ports.unwrap()[0].node_port, Some(30001));
    }

    #[test]
    fn what_is_of_no_use_goes() {
        let old = spec(json!({
            "type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "nodePort": 30001}],
            "externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": true, "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        }));
        let mut new = ServiceSpec { type_: Some("ExternalName".to_owned()), ..old.clone() };
        carry_over(&mut new, &old);
        assert_eq!(serde_json::to_value(new).unwrap(), json!({"type": "ExternalName", "ports": [{"port": 80}]}));
    }

    #[test]
    fn addresses_do_not_change() {
        let old = spec(json!({"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}));
        let mut new = ServiceSpec { cluster_ip: Some("10.0.0.2".to_owned()), ..old.clone() };
        carry_over(&mut new, &old);
        let mut errors = Errors::new();
        let whole = |spec: ServiceSpec| Service { spec: Some(spec), ..Service::default() };
        service(&whole(new), &whole(old), &mut errors);
        assert_eq!(errors.to_string(), "spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set");
    }
}

//! What is wrong with a Service.

use std::{collections::BTreeSet, net::IpAddr};

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_api::name;
use serde::Serialize;

use super::{
    super::{
        address,
        field::{Errors, Path},
        selector,
        unset::{list, text},
    },
    has_cluster_ip, is_external, is_headless,
};

/// What is wrong with a Service.
pub(super) fn service(service: &Service, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &service.spec else { return errors.required(&path, "") };
    let kind = text(&spec.type_);
    if list(&spec.ports).is_empty() && !is_headless(spec) && kind != "ExternalName" {
        errors.required(&path.child("ports"), "");
    }
    by_type(spec, &path, errors);
    let mut names = BTreeSet::new();
    let ports = path.child("ports");
    for (index, one) in list(&spec.ports).iter().enumerate() {
        port(one, list(&spec.ports).len() > 1, &mut names, &ports.index(index), errors);
    }
    selector::labels(spec.selector.as_ref(), &path.child("selector"), errors);
    affinity(spec, &path, errors);
    if kind != "ExternalName" {
        addresses(spec, &path, errors);
    }
    let external = path.child("externalIPs");
    for (index, ip) in list(&spec.external_ips).iter().enumerate() {
        let path = external.index(index);
        if address::ip(ip, &path, errors) {
            address::endpoint_ip(ip, &path, errors);
        }
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !types.contains(&kind) {
        errors.unsupported(&path.child("type"), kind, &types);
    }
    unique_ports(spec, &ports, errors);
    load_balancer(spec, &path, errors);
    traffic(spec, &path, errors);
}

fn by_type(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let ips = path.child("clusterIPs");
    match text(&spec.type_) {
        kind @ ("LoadBalancer" | "NodePort") if is_headless(spec) => {
            errors.invalid(&ips.index(0), "None", &format!("may not be set to 'None' for {kind} services"));
        }
        "ExternalName" => {
            let families = !list(&spec.ip_families).is_empty();
            for (field, there) in [
                ("clusterIPs", !list(&spec.cluster_ips).is_empty()),
                ("ipFamilies", families),
                ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
            ] {
                if there {
                    errors.forbidden(&path.child(field), "may not be set for ExternalName services");
                }
            }
            let name = text(&spec.external_name);
            let name = name.strip_suffix('.').unwrap_or(name);
            let path = path.child("externalName");
            if name.is_empty() {
                errors.required(&path, "");
            } else {
                errors.invalid_all(&path, name, name::dns1123_subdomain(name));
            }
        }
        _ => {}
    }
}

fn port<'a>(port: &'a ServicePort, needs_name: bool, names: &mut BTreeSet<&'a str>, path: &Path<'_>, errors: &mut Errors) {
    let name = text(&port.name);
    if !name.is_empty() {
        errors.invalid_all(&path.child("name"), name, name::dns1123_label(name));
        if !names.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
    } else if needs_name {
        errors.required(&path.child("name"), "");
    }
    address::port(port.port, &path.child("port"), errors);
    address::protocol(text(&port.protocol), &path.child("protocol"), errors);
    let target = port.target_port.as_ref().unwrap_or(&IntOrString::Int(0));
    address::port_or_name(target, &path.child("targetPort"), errors);
    if let Some(protocol) = &port.app_protocol {
        errors.invalid_all(&path.child("appProtocol"), protocol, name::qualified_name(protocol));
    }
}

fn affinity(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let config = path.child("sessionAffinityConfig");
    match text(&spec.session_affinity) {
        "" => errors.required(&path.child("sessionAffinity"), ""),
        "ClientIP" => {
            let client = config.child("clientIP");
            let given = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
            let seconds = given.and_then(|client| client.timeout_seconds).unwrap_or_default();
            if !(1..=86400).contains(&seconds) {
                errors.invalid(&client.child("timeoutSeconds"), seconds, "must be greater than 0 and less than 86400");
            }
        }
        "None" if spec.session_affinity_config.is_some() => {
            errors.forbidden(&config, "must not be set when session affinity is None");
        }
        "None" => {}
        other => errors.unsupported(&path.child("sessionAffinity"), other, &["ClientIP", "None"]),
    }
}

/// The addresses of the cluster it asks for, and their families. Whether they are free is not known here.
fn addresses(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("clusterIPs");
    let ips = list(&spec.cluster_ips);
    let first = text(&spec.cluster_ip);
    match ips.first() {
        Some(ip) if first.is_empty() && !ip.is_empty() => errors.invalid(&field, ips, "must be empty when `clusterIP` is not specified"),
        Some(ip) if ip != first => errors.invalid(&field, ips, "first value must match `clusterIP`"),
        None if !first.is_empty() => errors.required(&field, ""),
        _ => {}
    }
    families(spec, path, errors);
    let mut is_bad = false;
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && ip == "None" {
            if ips.len() > 1 {
                is_bad = true;
                errors.invalid(&field, ips, "'None' must be the first and only value");
            }
        } else {
            is_bad |= !address::ip(ip, &field.index(index), errors);
        }
    }
    if ips.len() > 2 {
        errors.invalid(&field, ips, "may only hold up to 2 values");
    }
    if is_bad {
        return;
    }
    if ips.len() > 1 && !address::is_dual_stack(&ips.iter().map(String::as_str).collect::<Vec<_>>()) {
        errors.invalid(&field, ips, "may specify no more than one IP for each IP family");
    }
    for (index, (ip, family)) in ips.iter().zip(list(&spec.ip_families)).enumerate() {
        let is_v6 = ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
        if ip != "None" && is_v6 != (family == "IPv6") {
            errors.invalid(&field.index(index), ip, &format!("expected an {family} value as indicated by `ipFamilies[{index}]`"));
        }
    }
}

fn families(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("ipFamilies");
    let is_free = is_headless(spec) && spec.selector.as_ref().is_none_or(|selector| selector.is_empty());
    let mut seen = BTreeSet::new();
    for (index, family) in list(&spec.ip_families).iter().enumerate() {
        let field = field.index(index);
        if !matches!(family.as_str(), "IPv4" | "IPv6") {
            errors.unsupported(&field, family, &["IPv4", "IPv6"]);
        } else if family == "IPv6" && !is_free {
            errors.invalid(&field, family, "not configured on this cluster");
        }
        if !seen.insert(family.as_str()) {
            errors.duplicate(&field, family);
        }
    }
    let field = path.child("ipFamilyPolicy");
    match spec.ip_family_policy.as_deref() {
        None | Some("SingleStack" | "PreferDualStack") => {}
        Some("RequireDualStack") if is_free => {}
        Some(policy @ "RequireDualStack") => errors.invalid(&field, policy, "this cluster is not configured for dual-stack services"),
        Some(policy) => errors.unsupported(&field, policy, &["PreferDualStack", "RequireDualStack", "SingleStack"]),
    }
}

fn unique_ports(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    /// A port as messages show it: only what must be unique.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown<'a> {
        name: &'a str,
        protocol: &'a str,
        app_protocol: Option<()>,
        port: i32,
        target_port: i32,
        node_port: i32,
    }
    let ports = list(&spec.ports);
    let node_port = |port: &ServicePort| port.node_port.filter(|number| *number != 0);
    if text(&spec.type_) == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, port)| node_port(port).is_some()) {
            errors.forbidden(&path.index(index).child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        if let Some(number) = node_port(port)
            && !seen.insert((text(&port.protocol), number))
        {
            errors.duplicate(&path.index(index).child("nodePort"), number);
        }
    }
    let mut seen = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let protocol = text(&port.protocol);
        if !seen.insert((protocol, port.port)) {
            let shown = Shown { name: "", protocol, app_protocol: None, port: port.port, target_port: 0, node_port: 0 };
            errors.duplicate(&path.index(index), shown);
        }
    }
}

fn load_balancer(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let is_balancer = text(&spec.type_) == "LoadBalancer";
    let only_for_it = "may only be used when `type` is 'LoadBalancer'";
    let ranges = path.child("LoadBalancerSourceRanges");
    if !list(&spec.load_balancer_source_ranges).is_empty() && !is_balancer {
        errors.forbidden(&ranges, only_for_it);
    }
    for (index, range) in list(&spec.load_balancer_source_ranges).iter().enumerate() {
        address::cidr(range.trim(), &ranges.index(index), errors);
    }
    if spec.allocate_load_balancer_node_ports.is_some() && !is_balancer {
        errors.forbidden(&path.child("allocateLoadBalancerNodePorts"), only_for_it);
    }
    if let Some(class) = &spec.load_balancer_class {
        let path = path.child("loadBalancerClass");
        if is_balancer {
            errors.invalid_all(&path, class, name::qualified_name(class));
        } else {
            errors.forbidden(&path, only_for_it);
        }
    }
}

/// Whether nodes must answer for it whether they have an endpoint.
pub(super) fn needs_health_check(spec: &ServiceSpec) -> bool {
    text(&spec.type_) == "LoadBalancer" && text(&spec.external_traffic_policy) == "Local"
}

fn traffic(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let external = path.child("externalTrafficPolicy");
    match text(&spec.external_traffic_policy) {
        "" if is_external(spec) => errors.required(&external, ""),
        "" => {}
        policy if !is_external(spec) => errors.invalid(&external, policy, "may only be set for externally-accessible services"),
        "Cluster" | "Local" => {}
        policy => errors.unsupported(&external, policy, &["Cluster", "Local"]),
    }
    let check = path.child("healthCheckNodePort");
    match spec.health_check_node_port.unwrap_or_default() {
        0 if needs_health_check(spec) => errors.required(&check, ""),
        0 => {}
        port if needs_health_check(spec) => address::port(port, &check, errors),
        port => errors.invalid(&check, port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"),
    }
    let internal = path.child("internalTrafficPolicy");
    match spec.internal_traffic_policy.as_deref() {
        None if has_cluster_ip(spec) => errors.required(&internal, ""),
        None | Some("Cluster" | "Local") => {}
        Some(policy) => errors.unsupported(&internal, policy, &["Cluster", "Local"]),
    }
    let known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    if let Some(distribution) = spec.traffic_distribution.as_deref().filter(|distribution| !known.contains(distribution)) {
        errors.unsupported(&path.child("trafficDistribution"), distribution, &known);
    }
}

/// What is wrong with the status of a Service.
pub(super) fn status(new: &Service, _: &Service, errors: &mut Errors) {
    let status = Path::new("status");
    let balancer = status.child("loadBalancer");
    let path = balancer.child("ingress");
    let ingress = new.status.as_ref().and_then(|status| status.load_balancer.as_ref()).map(|balancer| list(&balancer.ingress));
    let ingress = ingress.unwrap_or_default();
    let is_balancer = new.spec.as_ref().is_some_and(|spec| text(&spec.type_) == "LoadBalancer");
    if !is_balancer && !ingress.is_empty() {
        return errors.forbidden(&path, "may only be used when `spec.type` is 'LoadBalancer'");
    }
    for (index, point) in ingress.iter().enumerate() {
        let path = path.index(index);
        let ip = text(&point.ip);
        if !ip.is_empty() {
            address::ip(ip, &path.child("ip"), errors);
        }
        match point.ip_mode.as_deref() {
            None if !ip.is_empty() => errors.required(&path.child("ipMode"), "must be specified when `ip` is set"),
            Some(_) if ip.is_empty() => errors.forbidden(&path.child("ipMode"), "may not be specified when `ip` is not set"),
            None | Some("VIP" | "Proxy") => {}
            Some(mode) => errors.unsupported(&path.child("ipMode"), mode, &["Proxy", "VIP"]),
        }
        let hostname = text(&point.hostname);
        if !hostname.is_empty() {
            address::hostname(hostname, &path.child("hostname"), errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(extra: Value) -> String {
        let mut json = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}});
        json["spec"].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut object: Service = serde_json::from_value(json).unwrap();
        (super::super::RULES.defaults)(&mut object);
        (super::super::RULES.on_create)(&mut object);
        let mut errors = Errors::new();
        service(&object, &mut errors);
        if errors.is_empty() { String::new() } else { errors.to_string() }
    }

    #[test]
    fn specs() {
        for (extra, want) in [
            (json!({}), ""),
            (json!({"ports": []}), "spec.ports: Required value"),
            (json!({"ports": [{"port": 80}, {"port": 81}]}), "[spec.ports[0].name: Required value, spec.ports[1].name: Required value]"),
            (
                json!({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]}),
                "spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,\"Port\":80,\"TargetPort\":0,\"NodePort\":0}",
            ),
            (
                json!({"ports": [{"port": 80, "nodePort": 30001}]}),
                "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            ),
            (
                json!({"type": "Foo"}),
                "spec.type: Unsupported value: \"Foo\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
            ),
            (
                json!({"clusterIP": "abc"}),
                "spec.clusterIPs[0]: Invalid value: \"abc\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            ),
            (json!({"type": "ExternalName"}), "spec.externalName: Required value"),
            (
                json!({"type": "NodePort", "clusterIP": "None"}),
                "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services",
            ),
            (
                json!({"ports": [{"port": 80, "targetPort": "NotValid!"}]}),
                "spec.ports[0].targetPort: Invalid value: \"NotValid!\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
            ),
            (
                json!({"ipFamilyPolicy": "RequireDualStack"}),
                "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
            ),
        ] {
            assert_eq!(said(extra), want);
        }
    }
}

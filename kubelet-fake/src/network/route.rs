//! Where a connection leads: to one of a Service's endpoints, to a pod, to a node, to the API server, or nowhere. What iptables, routes
//! and ARP do together on a real node, as one pure function.
//!
//! Must not know: how a connection is made, which of several endpoints is next.

use std::net::{IpAddr, SocketAddr};

use mini_api::proxy::{Endpoint, PortName, ServicePort, usable};

use super::index::{Index, Means};

/// The port of an Ingress' address.
pub(crate) const HTTP: u16 = 80;

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller<'a> {
    /// The address he has: the pod's, or the node's where the pod has none of its own.
    pub(crate) ip: IpAddr,
    /// The node he is on.
    pub(crate) node: &'a str,
}

/// What becomes of the packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aim<'a> {
    /// They go where they are sent.
    Straight(SocketAddr),
    /// They go to one of a Service's endpoints.
    Balanced(Balanced<'a>),
    /// They go to whoever routes requests of Ingresses.
    Gateway,
    /// Somebody says that nobody listens.
    Refused,
    /// Nobody says anything.
    Dropped,
}

/// A choice that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Balanced<'a> {
    /// Of which port.
    pub(crate) port: &'a ServicePort,
    /// The endpoints there are, at least one.
    pub(crate) among: Vec<&'a Endpoint>,
    /// The node behind whose address the client disappears, if he does.
    pub(crate) masked_by: Option<&'a str>,
}

/// Where an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot<'a> {
    /// On this node: the node itself or one of its pods.
    Node(&'a str),
    /// It is this node's kubelet.
    Kubelet(&'a str),
    /// It is the API server.
    ApiServer,
    /// Outside of the cluster, where nothing is.
    Outside,
}

/// Where a connection of somebody in the cluster is aimed at.
pub(crate) fn aim<'a>(index: &'a Index, from: Caller<'a>, to: SocketAddr) -> Aim<'a> {
    if to.ip().is_loopback() || to.ip().is_unspecified() {
        let on_node = index.node_with_ip(from.ip).is_some();
        return match index.at_node_port(to.port()).filter(|_| on_node) {
            Some(port) => external(index, port, from.node, Some(from.ip)),
            None => Aim::Straight(SocketAddr::new(from.ip, to.port())),
        };
    }
    let mut is_service = false;
    for (_, known) in index.met_at(to.ip()) {
        let found = known.ports.iter().find(|port| port.port == to.port() && port.name.protocol == "TCP");
        if let Some(port) = found {
            return if port.cluster_ips.contains(&to.ip()) { internal(index, port, from) } else { balancer(index, port, from, to.ip()) };
        }
        is_service = true;
    }
    if index.ingresses().any(|rules| rules.addresses().contains(&to.ip())) {
        return if to.port() == HTTP { Aim::Gateway } else { Aim::Refused };
    }
    if let Some((node, _)) = index.node_with_ip(to.ip())
        && let Some(port) = index.at_node_port(to.port())
    {
        return external(index, port, node, (node == from.node).then_some(from.ip));
    }
    // No rule is about other ports of a Service's address, and no route leads to it.
    if is_service { Aim::Dropped } else { Aim::Straight(to) }
}

/// Where a connection to a Service's own address leads.
fn internal<'a>(index: &'a Index, port: &'a ServicePort, from: Caller<'a>) -> Aim<'a> {
    let usable = usable(port, index.endpoints(&port.name), |node| node == from.node);
    let among = if port.internal_local { usable.local } else { usable.cluster };
    settle(port, among, usable.any, None)
}

/// Where a connection to an external address of a Service leads. Nodes take it for their own, so it never leaves.
fn balancer<'a>(index: &'a Index, port: &'a ServicePort, from: Caller<'a>, to: IpAddr) -> Aim<'a> {
    let allowed = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if port.source_ranges.iter().any(|range| range.contains(ip)));
    if port.balancer_ips.contains(&to) && !port.source_ranges.is_empty() && !allowed(from.ip) {
        return Aim::Dropped;
    }
    external(index, port, from.node, Some(from.ip))
}

/// Where a connection leads that comes to a node from outside or, if it is said from whom, from the node or one of its pods: these may
/// use all endpoints, whatever the policy is.
pub(crate) fn external<'a>(index: &'a Index, port: &'a ServicePort, node: &'a str, insider: Option<IpAddr>) -> Aim<'a> {
    let usable = usable(port, index.endpoints(&port.name), |name| name == node);
    let kept = port.external_local && insider.is_none_or(|ip| index.node_with_ip(ip).is_none());
    let among = if port.external_local && insider.is_none() { usable.local } else { usable.cluster };
    settle(port, among, usable.any, (!kept).then_some(node))
}

fn settle<'a>(port: &'a ServicePort, among: Vec<&'a Endpoint>, any: bool, masked_by: Option<&'a str>) -> Aim<'a> {
    match (among.is_empty(), any) {
        (false, _) => Aim::Balanced(Balanced { port, among, masked_by }),
        (true, true) => Aim::Dropped,
        (true, false) => Aim::Refused,
    }
}

/// Where an address is that is no Service's.
pub(crate) fn spot(index: &Index, to: SocketAddr) -> Spot<'_> {
    let kubernetes = PortName { namespace: "default".into(), service: "kubernetes".into(), port: "https".into(), protocol: "TCP".into() };
    if index.endpoints(&kubernetes).iter().any(|endpoint| (endpoint.ip, endpoint.port) == (to.ip(), to.port())) {
        return Spot::ApiServer;
    }
    if let Some((name, machine)) = index.node_with_ip(to.ip()) {
        return if machine.kubelet_port == to.port() { Spot::Kubelet(name) } else { Spot::Node(name) };
    }
    index.node_of_pod(to.ip()).map_or(Spot::Outside, |(name, _)| Spot::Node(name))
}

/// The port of a Service that a backend of an Ingress means.
pub(crate) fn backend<'a>(index: &'a Index, backend: &super::ingress::Backend) -> Option<&'a ServicePort> {
    let known = index.service(&backend.service).filter(|known| matches!(known.means, Means::Addresses(_)))?;
    known.ports.iter().find(|port| port.name.protocol == "TCP" && backend.means(&port.name.port, port.port))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::network::index::tests::{node, put, service, slice};

    /// Two nodes; `web` with a pod on each, `none` without pods, `spot` that serves where one is, `lb` for some.
    fn index() -> Index {
        let mut index = Index::default();
        node(&mut index, 1, "a:1");
        node(&mut index, 2, "b:1");
        let spec = |ip: u8, number: u16, more: Value| {
            let mut spec = json!({
                "type": "NodePort", "clusterIP": format!("10.254.0.{ip}"), "ports": [{ "name": "http", "port": 8080, "nodePort": number }],
            });
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        service(&mut index, "default", "web", spec(10, 30000, json!({ "externalIPs": ["1.2.3.4"] })));
        service(&mut index, "default", "none", spec(11, 30001, json!({})));
        let local = json!({ "internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local" });
        service(&mut index, "default", "spot", spec(12, 30002, local));
        put::<k8s_openapi::api::core::v1::Service>(
            &mut index,
            json!({
                "metadata": { "namespace": "default", "name": "lb" },
                "spec": spec(13, 30003, json!({ "type": "LoadBalancer", "loadBalancerSourceRanges": ["10.244.1.0/24"] })),
                "status": { "loadBalancer": { "ingress": [{ "ip": "203.0.113.1" }] } },
            }),
        );
        for name in ["web", "lb"] {
            slice(&mut index, "default", name, name, "http", &["10.244.1.2 n1 ready", "10.244.2.2 n2 ready"]);
        }
        slice(&mut index, "default", "none", "none", "http", &["10.244.1.9 n1 unready"]);
        slice(&mut index, "default", "spot", "spot", "http", &["10.244.1.2 n1 ready"]);
        slice(&mut index, "default", "kubernetes", "kubernetes", "https", &["192.168.0.1 - ready"]);
        put::<k8s_openapi::api::networking::v1::Ingress>(
            &mut index,
            json!({ "metadata": { "namespace": "default", "name": "i" }, "status": { "loadBalancer": { "ingress": [{ "ip": "203.0.113.254" }] } } }),
        );
        index
    }

    fn show(aim: &Aim<'_>) -> String {
        match aim {
            Aim::Straight(address) => format!("to {address}"),
            Aim::Balanced(Balanced { among, masked_by, .. }) => {
                let among: Vec<String> = among.iter().map(|endpoint| endpoint.ip.to_string()).collect();
                format!("{}{}", among.join(" "), masked_by.map(|node| format!(" by {node}")).unwrap_or_default())
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn connections_lead_where_packets_would() {
        let index = index();
        let both = "10.244.1.2 10.244.2.2";
        for (from, node, to, expected) in [
            ("10.244.1.5", "n1", "10.254.0.10:8080", both),
            ("10.244.1.5", "n1", "10.254.0.10:81", "Dropped"),
            ("10.244.1.5", "n1", "10.254.0.11:8080", "Refused"),
            ("10.244.1.5", "n1", "10.254.0.12:8080", "10.244.1.2"),
            ("10.244.2.5", "n2", "10.254.0.12:8080", "Dropped"),
            ("10.244.2.5", "n2", "1.2.3.4:8080", "10.244.1.2 10.244.2.2 by n2"),
            ("10.244.1.5", "n1", "203.0.113.1:8080", "10.244.1.2 10.244.2.2 by n1"),
            ("10.244.2.5", "n2", "203.0.113.1:8080", "Dropped"),
            ("10.244.2.5", "n2", "203.0.113.254:80", "Gateway"),
            ("10.244.2.5", "n2", "203.0.113.254:443", "Refused"),
            ("10.244.2.5", "n2", "192.168.0.1:30000", "10.244.1.2 10.244.2.2 by n1"),
            ("10.244.2.5", "n2", "192.168.0.1:30001", "Refused"),
            ("10.244.2.5", "n2", "192.168.0.1:30002", "10.244.1.2"),
            ("10.244.1.5", "n1", "192.168.0.2:30002", "Dropped"),
            ("10.244.2.5", "n2", "192.168.0.2:30002", "10.244.1.2"),
            ("192.168.0.2", "n2", "127.0.0.1:30002", "10.244.1.2 by n2"),
            ("192.168.0.2", "n2", "127.0.0.1:80", "to 192.168.0.2:80"),
            ("10.244.1.5", "n1", "127.0.0.1:30000", "to 10.244.1.5:30000"),
            ("10.244.1.5", "n1", "0.0.0.0:80", "to 10.244.1.5:80"),
            ("10.244.1.5", "n1", "10.244.2.2:80", "to 10.244.2.2:80"),
            ("10.244.1.5", "n1", "192.168.0.2:22", "to 192.168.0.2:22"),
        ] {
            let from = Caller { ip: from.parse().unwrap(), node };
            assert_eq!(show(&aim(&index, from, to.parse().unwrap())), expected, "{} {to}", from.ip);
        }
    }

    #[test]
    fn addresses_are_somewhere() {
        let index = index();
        for (to, expected) in [
            ("10.244.2.77:80", Spot::Node("n2")),
            ("192.168.0.2:9100", Spot::Node("n2")),
            ("192.168.0.2:10250", Spot::Kubelet("n2")),
            ("192.168.0.1:80", Spot::ApiServer),
            ("192.168.0.1:81", Spot::Node("n1")),
            ("10.244.9.1:80", Spot::Outside),
            ("8.8.8.8:53", Spot::Outside),
        ] {
            assert_eq!(spot(&index, to.parse().unwrap()), expected, "{to}");
        }
    }
}

//! What a node's proxy reads from Services and EndpointSlices: addresses and ports that lead to endpoints, and which of these may be
//! used. Upstream calls it kube-proxy; traffic and printed rules both follow from here.
//!
//! Must not know: who connects, how one of several endpoints is picked.

pub mod chain;
pub mod rules;

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use k8s_openapi::api::{
    core::v1::{LoadBalancerIngress, Service, ServicePort as Port, ServiceSpec},
    discovery::v1::EndpointSlice,
};
use serde::Deserialize;
use serde_json::Value;

/// The label by which a slice says whose endpoints it holds.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// For how long a client stays with its endpoint where the Service says nothing else, in seconds.
const AFFINITY_SECONDS: u32 = 10_800;

/// Names a port of a Service. Shown as upstream shows it: `default/web:http`, or `default/web` where the port has no name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortName {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The port's, which is empty where a Service has only one.
    pub port: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service)?;
        if self.port.is_empty() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// A range of IPv4 addresses, as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    base: u32,
    length: u8,
}

impl Range {
    /// The first address of it.
    #[must_use]
    pub fn first(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base)
    }

    /// Whether the address is one of it.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.length) == self.base
    }
}

fn mask(length: u8) -> u32 {
    !u32::MAX.checked_shr(length.into()).unwrap_or(0)
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no range of IPv4 addresses, such as 10.0.0.0/8");
        let (base, length) = text.trim().split_once('/').ok_or_else(wrong)?;
        let (base, length): (Ipv4Addr, u8) = (base.parse().map_err(|_| wrong())?, length.parse().map_err(|_| wrong())?);
        if length > 32 {
            return Err(wrong());
        }
        Ok(Self { base: base.to_bits() & mask(length), length })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.base), self.length)
    }
}

/// A port of a Service that has an address of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Whose it is.
    pub name: PortName,
    /// The Service's own addresses.
    pub cluster_ips: Vec<IpAddr>,
    /// The port at those and all other addresses but the nodes'.
    pub port: u16,
    /// The port at every node; 0 if there is none.
    pub node_port: u16,
    /// Addresses that the user says lead to nodes.
    pub external_ips: Vec<IpAddr>,
    /// Addresses of a load balancer that passes packets on as they are.
    pub balancer_ips: Vec<IpAddr>,
    /// Who may use the load balancer; everybody if there is none.
    pub source_ranges: Vec<Range>,
    /// For how many seconds a client stays with its endpoint, if at all.
    pub affinity: Option<u32>,
    /// Pods are led to endpoints of their own node only.
    pub internal_local: bool,
    /// Who comes from outside is led to endpoints of the node he came to only.
    pub external_local: bool,
    /// Where load balancers ask whether a node has endpoints; 0 if nowhere.
    pub health_check_node_port: u16,
}

impl ServicePort {
    /// Whether anybody outside of the cluster may come in here.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.node_port != 0 || !self.balancer_ips.is_empty() || !self.external_ips.is_empty()
    }

    /// Whether endpoints of all nodes count for anybody. They do for pods that use an external address, whatever the policy is.
    #[must_use]
    pub fn uses_cluster_endpoints(&self) -> bool {
        !self.internal_local || self.is_external()
    }

    /// Whether endpoints of one node alone count for anybody.
    #[must_use]
    pub fn uses_local_endpoints(&self) -> bool {
        self.internal_local || (self.external_local && self.is_external())
    }
}

/// The ports of a Service that a proxy has to do with: none of one that is headless or another's name.
#[must_use]
pub fn ports(service: &Service) -> Vec<ServicePort> {
    let Some(spec) = service.spec.as_ref().filter(|spec| spec.type_.as_deref() != Some("ExternalName")) else { return Vec::new() };
    let cluster_ips = cluster_ips(spec);
    if cluster_ips.is_empty() {
        return Vec::new();
    }
    let points = service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    let passes = |point: &&LoadBalancerIngress| point.ip_mode.as_deref().is_none_or(|mode| mode == "VIP");
    let balancer = points.into_iter().flatten().filter(passes).filter_map(|point| point.ip.as_deref()?.parse().ok());
    let balancer_ips: Vec<IpAddr> = balancer.filter(|_| spec.type_.as_deref() == Some("LoadBalancer")).collect();
    let affinity = (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
        let given = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
        given.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(AFFINITY_SECONDS)
    });
    let is_local = |policy: &Option<String>| policy.as_deref() == Some("Local");
    let one = |port: &Port| ServicePort {
        name: PortName {
            namespace: service.metadata.namespace.clone().unwrap_or_default(),
            service: service.metadata.name.clone().unwrap_or_default(),
            port: port.name.clone().unwrap_or_default(),
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        },
        cluster_ips: cluster_ips.clone(),
        port: number(Some(port.port)),
        node_port: number(port.node_port),
        external_ips: spec.external_ips.iter().flatten().filter_map(|ip| ip.parse().ok()).collect(),
        balancer_ips: balancer_ips.clone(),
        source_ranges: spec.load_balancer_source_ranges.iter().flatten().filter_map(|range| range.parse().ok()).collect(),
        affinity,
        internal_local: is_local(&spec.internal_traffic_policy),
        external_local: is_local(&spec.external_traffic_policy),
        health_check_node_port: number(spec.health_check_node_port),
    };
    spec.ports.iter().flatten().map(one).collect()
}

/// The Service's own addresses, if it has any.
fn cluster_ips(spec: &ServiceSpec) -> Vec<IpAddr> {
    let all = spec.cluster_ips.as_ref().filter(|all| !all.is_empty());
    let texts = all.map(Vec::as_slice).unwrap_or_else(|| spec.cluster_ip.as_slice());
    texts.iter().filter_map(|ip| ip.parse().ok()).collect()
}

fn number(port: Option<i32>) -> u16 {
    port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default()
}

/// One place where a port of a Service is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub ip: IpAddr,
    /// At which port.
    pub port: u16,
    /// On which node, if on any.
    pub node: Option<String>,
    /// It may be used.
    pub ready: bool,
    /// It would answer, although it may be about to end.
    pub serving: bool,
    /// It is about to end.
    pub terminating: bool,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ip, self.port)
    }
}

/// What a slice says of each of its ports.
#[must_use]
pub fn endpoints(slice: &EndpointSlice) -> BTreeMap<PortName, Vec<Endpoint>> {
    let mut all = BTreeMap::new();
    let service = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME));
    let Some(service) = service.filter(|_| slice.address_type != "FQDN") else { return all };
    for port in slice.ports.iter().flatten() {
        let name = PortName {
            namespace: slice.metadata.namespace.clone().unwrap_or_default(),
            service: service.clone(),
            port: port.name.clone().unwrap_or_default(),
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        };
        let number = number(port.port);
        let there: &mut Vec<Endpoint> = all.entry(name).or_default();
        for point in slice.endpoints.iter().flatten().filter(|_| number != 0) {
            let said = point.conditions.clone().unwrap_or_default();
            let ready = said.ready.unwrap_or(true);
            // All addresses of an endpoint are the same place: upstream uses the first.
            let Some(ip) = point.addresses.first().and_then(|address| address.parse().ok()) else { continue };
            let (serving, terminating) = (said.serving.unwrap_or(ready), said.terminating.unwrap_or(false));
            there.push(Endpoint { ip, port: number, node: point.node_name.clone(), ready, serving, terminating });
        }
    }
    all
}

/// Everything a proxy reads, from Services and EndpointSlices as the API lists them; ports in the order of their names.
///
/// # Errors
/// When an object is not what it should be.
pub fn read(services: &[Value], slices: &[Value]) -> serde_json::Result<Vec<(ServicePort, Vec<Endpoint>)>> {
    let mut merged: BTreeMap<PortName, Vec<Endpoint>> = BTreeMap::new();
    for slice in slices {
        for (name, found) in endpoints(&EndpointSlice::deserialize(slice)?) {
            merged.entry(name).or_default().extend(found);
        }
    }
    let mut all = Vec::new();
    for service in services {
        for port in ports(&Service::deserialize(service)?) {
            let found = merged.remove(&port.name).unwrap_or_default();
            all.push((port, in_order(found)));
        }
    }
    all.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    Ok(all)
}

/// The endpoints of one port from all its slices, in upstream's order, each place once.
#[must_use]
pub fn in_order(mut endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    endpoints.sort_by_cached_key(ToString::to_string);
    endpoints.dedup_by(|one, other| (one.ip, one.port) == (other.ip, other.port));
    endpoints
}

/// Which endpoints may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usable<'a> {
    /// By those whom every node's endpoints may serve.
    pub cluster: Vec<&'a Endpoint>,
    /// By those whom only the node's own may serve.
    pub local: Vec<&'a Endpoint>,
    /// Whether there is any on any node. If not, connections are refused; otherwise packets that find none are dropped.
    pub any: bool,
}

/// Which endpoints of a port may be used at a node. Where none is ready, those serve that are about to end and still can.
#[must_use]
pub fn usable<'a>(port: &ServicePort, endpoints: &'a [Endpoint], is_local: impl Fn(&str) -> bool) -> Usable<'a> {
    let here = |endpoint: &&Endpoint| endpoint.node.as_deref().is_some_and(&is_local);
    let ready = || endpoints.iter().filter(|endpoint| endpoint.ready);
    let leaving = || endpoints.iter().filter(|endpoint| endpoint.serving && endpoint.terminating);
    let first = |preferred: Vec<&'a Endpoint>, otherwise: Vec<&'a Endpoint>| if preferred.is_empty() { otherwise } else { preferred };
    let mut usable = Usable::default();
    if port.uses_cluster_endpoints() {
        usable.cluster = first(ready().collect(), leaving().collect());
    }
    if port.uses_local_endpoints() {
        usable.local = first(ready().filter(here).collect(), leaving().filter(here).collect());
    }
    usable.any = ready().chain(leaving()).next().is_some();
    usable
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A Service `default/NAME` of this spec.
    pub(crate) fn service(name: &str, spec: Value, status: Value) -> Service {
        serde_json::from_value(json!({ "metadata": { "namespace": "default", "name": name }, "spec": spec, "status": status })).unwrap()
    }

    /// `10.244.1.2 n1 ready` and the like, each at port 80.
    pub(crate) fn endpoint(text: &str) -> Endpoint {
        let words: Vec<&str> = text.split(' ').collect();
        let (ready, serving, terminating) = match words[2] {
            "ready" => (true, true, false),
            "unready" => (false, false, false),
            "leaving" => (false, true, true),
            "gone" => (false, false, true),
            other => panic!("{other}"),
        };
        Endpoint { ip: words[0].parse().unwrap(), port: 80, node: Some(words[1].to_owned()), ready, serving, terminating }
    }

    #[test]
    fn a_service_has_ports() {
        let spec = json!({
            "type": "LoadBalancer", "clusterIP": "10.254.0.9", "clusterIPs": ["10.254.0.9"], "externalIPs": ["1.2.3.4"],
            "sessionAffinity": "ClientIP", "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster",
            "loadBalancerSourceRanges": ["10.1.2.3/8"], "healthCheckNodePort": 31000,
            "ports": [{ "name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP" }, { "name": "dns", "port": 53, "protocol": "UDP" }],
        });
        let status = json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.1", "ipMode": "VIP" }, { "ip": "203.0.113.2", "ipMode": "Proxy" }] } });
        let [http, dns] = &ports(&service("web", spec, status))[..] else { panic!("two ports") };
        assert_eq!((http.name.to_string().as_str(), http.port, http.node_port), ("default/web:http", 80, 30080));
        assert_eq!((http.balancer_ips.len(), http.affinity, http.external_local, http.internal_local), (1, Some(10_800), true, false));
        assert_eq!((http.source_ranges[0].to_string().as_str(), http.health_check_node_port), ("10.0.0.0/8", 31000));
        assert_eq!((dns.name.protocol.as_str(), dns.node_port), ("UDP", 0));
        for none in [json!({ "clusterIP": "None", "ports": [{ "port": 80 }] }), json!({ "type": "ExternalName", "externalName": "a.b" })] {
            assert_eq!(ports(&service("web", none, Value::Null)), []);
        }
    }

    #[test]
    fn a_slice_has_endpoints() {
        let slice: EndpointSlice = serde_json::from_value(json!({
            "metadata": { "namespace": "default", "name": "web-x", "labels": { SERVICE_NAME: "web" } }, "addressType": "IPv4",
            "endpoints": [
                { "addresses": ["10.244.1.2"], "nodeName": "n1" },
                { "addresses": ["10.244.1.3"], "conditions": { "ready": false, "serving": true, "terminating": true } },
                { "addresses": ["10.244.1.4"], "conditions": { "ready": false } },
            ],
            "ports": [{ "name": "", "port": 80, "protocol": "TCP" }],
        }))
        .unwrap();
        let all = endpoints(&slice);
        let [(name, there)] = &all.iter().collect::<Vec<_>>()[..] else { panic!("one port") };
        let states: Vec<_> = there.iter().map(|one| (one.ready, one.serving, one.terminating)).collect();
        assert_eq!(name.to_string(), "default/web");
        assert_eq!(states, [(true, true, false), (false, true, true), (false, false, false)]);
    }

    #[test]
    fn lists_are_read() {
        let service = |name: &str| json!({ "metadata": { "namespace": "d", "name": name }, "spec": { "clusterIP": "10.0.0.1", "ports": [{ "port": 80 }] } });
        let slice = |name: &str, ip: &str| {
            let labels = json!({ SERVICE_NAME: "b" });
            json!({ "metadata": { "namespace": "d", "name": name, "labels": labels }, "addressType": "IPv4", "ports": [{ "port": 80 }], "endpoints": [{ "addresses": [ip] }] })
        };
        let all = read(&[service("b"), service("a")], &[slice("x", "10.0.0.9"), slice("y", "10.0.0.10"), slice("z", "10.0.0.9")]).unwrap();
        let shown: Vec<_> = all
            .iter()
            .map(|(port, found)| format!("{} {}", port.name, found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")))
            .collect();
        assert_eq!(shown, ["d/a ", "d/b 10.0.0.10:80 10.0.0.9:80"]);
        assert!(read(&[json!({ "spec": 1 })], &[]).is_err());
    }

    #[test]
    fn endpoints_that_may_be_used() {
        let spec = |internal: &str, external: &str, kind: &str| {
            let port = json!({ "port": 80, "nodePort": if kind == "NodePort" { 30080 } else { 0 } });
            json!({ "type": kind, "clusterIP": "10.254.0.9", "internalTrafficPolicy": internal, "externalTrafficPolicy": external, "ports": [port] })
        };
        let (ready, mixed) = (["10.0.0.1 a ready", "10.0.0.2 b ready"], ["10.0.0.1 a unready", "10.0.0.2 b ready"]);
        let (leaving, gone) = (["10.0.0.1 a leaving", "10.0.0.2 b unready"], ["10.0.0.1 a gone", "10.0.0.2 b unready"]);
        for (internal, external, kind, given, cluster, local, any) in [
            ("Cluster", "Cluster", "NodePort", ready, "12", "", true),
            ("Cluster", "Local", "NodePort", ready, "12", "1", true),
            ("Local", "", "ClusterIP", ready, "", "1", true),
            ("Local", "Local", "NodePort", mixed, "2", "", true),
            ("Local", "", "ClusterIP", mixed, "", "", true),
            ("Cluster", "Cluster", "NodePort", leaving, "1", "", true),
            ("Cluster", "Local", "NodePort", leaving, "1", "1", true),
            ("Cluster", "Local", "NodePort", gone, "", "", false),
        ] {
            let port = &ports(&service("web", spec(internal, external, kind), Value::Null))[0];
            let endpoints = given.map(endpoint);
            let usable = usable(port, &endpoints, |node| node == "a");
            let last = |list: &[&Endpoint]| list.iter().filter_map(|one| one.ip.to_string().chars().last()).collect::<String>();
            let seen = (last(&usable.cluster), last(&usable.local), usable.any);
            assert_eq!(seen, (cluster.to_owned(), local.to_owned(), any), "{internal} {external} {kind} {given:?}");
        }
    }
}

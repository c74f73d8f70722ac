//! What the network is made of: Services, the slices of their endpoints, nodes, namespaces and Ingresses, kept by deltas in the form in
//! which they are asked for.
//!
//! Must not know: who connects, how objects come here.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use k8s_openapi::{
    api::{
        core::v1::{Namespace, Node, Service},
        discovery::v1::EndpointSlice,
        networking::v1::{Ingress, IngressClass},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use mini_api::proxy::{self, Endpoint, PortName, Range, SERVICE_NAME, ServicePort};

use super::ingress::Rules;
use crate::node::ADDRESS;

/// Names an object among those of its kind. The namespace of a cluster-wide object is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl Name {
    /// The name of an object of a namespace.
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// What an object calls itself.
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
    }

    /// The Service of a port.
    fn of_port(port: &PortName) -> Self {
        Self::new(&port.namespace, &port.service)
    }
}

/// What a Service's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// Addresses of its own.
    Addresses(Vec<IpAddr>),
    /// The addresses of its endpoints.
    Headless,
    /// Another name.
    Alias(String),
}

/// A Service.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What its name stands for.
    pub(crate) means: Means,
    /// The ports at its own addresses.
    pub(crate) ports: Vec<ServicePort>,
}

impl Known {
    fn read(service: &Service) -> Self {
        let spec = service.spec.clone().unwrap_or_default();
        let ports = proxy::ports(service);
        let means = match (spec.type_.as_deref(), ports.first()) {
            (Some("ExternalName"), _) => Means::Alias(spec.external_name.unwrap_or_default()),
            (_, Some(port)) => Means::Addresses(port.cluster_ips.clone()),
            _ => Means::Headless,
        };
        Self { means, ports }
    }

    /// All addresses at which it can be met.
    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let first = self.ports.first();
        first.into_iter().flat_map(|port| port.cluster_ips.iter().chain(&port.external_ips).chain(&port.balancer_ips)).copied()
    }
}

/// An endpoint as the cluster's DNS sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its address.
    pub(crate) ip: IpAddr,
    /// The name it has under its Service, if it has one.
    pub(crate) hostname: Option<String>,
    /// Its ports, with their names and protocols.
    pub(crate) ports: Arc<[(String, String, u16)]>,
}

/// A slice of a Service's endpoints.
#[derive(Clone, Debug)]
struct Slice {
    service: Name,
    endpoints: BTreeMap<PortName, Vec<Endpoint>>,
    /// The ready ones.
    places: Vec<Place>,
}

impl Slice {
    fn read(slice: &EndpointSlice) -> Option<Self> {
        let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
        let service = Name::new(namespace, slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?);
        let ports = slice.ports.iter().flatten().map(|port| {
            let number = port.port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
            (port.name.clone().unwrap_or_default(), port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()), number)
        });
        let ports: Arc<[_]> = ports.collect();
        let ready = slice.endpoints.iter().flatten().filter(|point| point.conditions.as_ref().and_then(|said| said.ready) != Some(false));
        let places = ready.flat_map(|point| {
            let hostname = point.hostname.clone().filter(|name| !name.is_empty());
            let ips = point.addresses.iter().filter_map(|address| address.parse().ok());
            ips.map(|ip| Place { ip, hostname: hostname.clone(), ports: ports.clone() }).collect::<Vec<_>>()
        });
        Some(Self { service, places: places.collect(), endpoints: proxy::endpoints(slice) })
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Its address in the cluster.
    pub(crate) ip: Option<IpAddr>,
    /// Where its pods' addresses are from.
    pub(crate) range: Option<Range>,
    /// Where its kubelet can really be reached.
    pub(crate) kubelet: Option<String>,
    /// The port of its kubelet.
    pub(crate) kubelet_port: u16,
}

impl Machine {
    fn read(node: &Node) -> Self {
        let status = node.status.as_ref();
        let internal = status.and_then(|status| status.addresses.iter().flatten().find(|address| address.type_ == "InternalIP"));
        let port = status.and_then(|status| status.daemon_endpoints.as_ref()?.kubelet_endpoint.as_ref()).map(|point| point.port);
        Self {
            ip: internal.and_then(|address| address.address.parse().ok()),
            range: node.spec.as_ref().and_then(|spec| spec.pod_cidr.as_deref()?.parse().ok()),
            kubelet: node.metadata.annotations.as_ref().and_then(|all| all.get(ADDRESS).cloned()),
            kubelet_port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        }
    }
}

/// All of it.
#[derive(Default)]
pub(crate) struct Index {
    services: HashMap<Name, Known>,
    /// By address: the Services that can be met there.
    met: HashMap<IpAddr, BTreeSet<Name>>,
    /// By node port: the Service that is there at every node.
    node_ports: HashMap<u16, Name>,
    slices: HashMap<Name, Slice>,
    /// By Service: the slices of its endpoints.
    sliced: HashMap<Name, BTreeSet<Name>>,
    endpoints: HashMap<PortName, Arc<[Endpoint]>>,
    nodes: HashMap<String, Machine>,
    node_ips: HashMap<IpAddr, String>,
    /// By the first address of its range: a node.
    ranges: BTreeMap<Ipv4Addr, String>,
    namespaces: HashSet<String>,
    ingresses: BTreeMap<Name, Rules>,
    classes: HashMap<String, bool>,
}

/// What the index is made of.
pub(crate) trait Indexed {
    /// Takes in what the object is now.
    fn put(&self, index: &mut Index);
    /// Forgets one.
    fn forget(name: &Name, index: &mut Index);
}

impl Indexed for Service {
    fn put(&self, index: &mut Index) {
        let name = Name::of(&self.metadata);
        Self::forget(&name, index);
        let known = Known::read(self);
        for address in known.addresses() {
            index.met.entry(address).or_default().insert(name.clone());
        }
        for port in known.ports.iter().filter(|port| port.node_port != 0 && port.name.protocol == "TCP") {
            index.node_ports.insert(port.node_port, name.clone());
        }
        index.services.insert(name, known);
    }

    fn forget(name: &Name, index: &mut Index) {
        let Some(known) = index.services.remove(name) else { return };
        for address in known.addresses() {
            if let Some(there) = index.met.get_mut(&address) {
                there.remove(name);
                if there.is_empty() {
                    index.met.remove(&address);
                }
            }
        }
        index.node_ports.retain(|_, holder| holder != name);
    }
}

impl Indexed for EndpointSlice {
    fn put(&self, index: &mut Index) {
        let name = Name::of(&self.metadata);
        let new = Slice::read(self);
        let old = index.slices.remove(&name).map(|slice| slice.service);
        if let Some(old) = old.filter(|old| new.as_ref().is_none_or(|new| new.service != *old)) {
            index.unlink(&old, &name);
        }
        if let Some(new) = new {
            let service = new.service.clone();
            index.sliced.entry(service.clone()).or_default().insert(name.clone());
            index.slices.insert(name, new);
            index.merge(&service);
        }
    }

    fn forget(name: &Name, index: &mut Index) {
        if let Some(slice) = index.slices.remove(name) {
            index.unlink(&slice.service, name);
        }
    }
}

impl Indexed for Node {
    fn put(&self, index: &mut Index) {
        let name = Name::of(&self.metadata);
        let machine = Machine::read(self);
        // Heartbeats change nothing that matters here.
        if index.nodes.get(&name.name) == Some(&machine) {
            return;
        }
        Self::forget(&name, index);
        if let Some(ip) = machine.ip {
            index.node_ips.insert(ip, name.name.clone());
        }
        if let Some(range) = machine.range {
            index.ranges.insert(range.first(), name.name.clone());
        }
        index.nodes.insert(name.name, machine);
    }

    fn forget(name: &Name, index: &mut Index) {
        if index.nodes.remove(&name.name).is_some() {
            index.node_ips.retain(|_, node| *node != name.name);
            index.ranges.retain(|_, node| *node != name.name);
        }
    }
}

impl Indexed for Namespace {
    fn put(&self, index: &mut Index) {
        index.namespaces.insert(self.metadata.name.clone().unwrap_or_default());
    }

    fn forget(name: &Name, index: &mut Index) {
        index.namespaces.remove(&name.name);
    }
}

impl Indexed for Ingress {
    fn put(&self, index: &mut Index) {
        index.ingresses.insert(Name::of(&self.metadata), Rules::read(self));
    }

    fn forget(name: &Name, index: &mut Index) {
        index.ingresses.remove(name);
    }
}

impl Indexed for IngressClass {
    fn put(&self, index: &mut Index) {
        index.classes.insert(self.metadata.name.clone().unwrap_or_default(), mini_api::ingress::is_built_in(self));
    }

    fn forget(name: &Name, index: &mut Index) {
        index.classes.remove(&name.name);
    }
}

impl Index {
    /// A slice is not a Service's any more.
    fn unlink(&mut self, service: &Name, slice: &Name) {
        if let Some(slices) = self.sliced.get_mut(service) {
            slices.remove(slice);
            if slices.is_empty() {
                self.sliced.remove(service);
            }
        }
        self.merge(service);
    }

    /// Puts together what the slices of a Service say.
    fn merge(&mut self, service: &Name) {
        let mut merged: HashMap<PortName, Vec<Endpoint>> = HashMap::new();
        for slice in self.of_service(service) {
            for (port, endpoints) in &slice.endpoints {
                merged.entry(port.clone()).or_default().extend_from_slice(endpoints);
            }
        }
        self.endpoints.retain(|port, _| Name::of_port(port) != *service);
        self.endpoints.extend(merged.into_iter().map(|(port, endpoints)| (port, proxy::in_order(endpoints).into())));
    }

    fn of_service(&self, service: &Name) -> impl Iterator<Item = &Slice> {
        self.sliced.get(service).into_iter().flatten().filter_map(|slice| self.slices.get(slice))
    }

    /// A Service.
    pub(crate) fn service(&self, name: &Name) -> Option<&Known> {
        self.services.get(name)
    }

    /// All Services.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&Name, &Known)> {
        self.services.iter()
    }

    /// The Services that can be met at an address.
    pub(crate) fn met_at(&self, address: IpAddr) -> impl Iterator<Item = (&Name, &Known)> {
        self.met.get(&address).into_iter().flatten().filter_map(|name| self.services.get_key_value(name))
    }

    /// What is behind a port of every node.
    pub(crate) fn at_node_port(&self, number: u16) -> Option<&ServicePort> {
        let known = self.services.get(self.node_ports.get(&number)?)?;
        known.ports.iter().find(|port| port.node_port == number && port.name.protocol == "TCP")
    }

    /// The endpoints of a port, in order.
    pub(crate) fn endpoints(&self, port: &PortName) -> &[Endpoint] {
        self.endpoints.get(port).map(|endpoints| &**endpoints).unwrap_or_default()
    }

    /// The ready endpoints of a Service, as its names lead to them.
    pub(crate) fn places(&self, service: &Name) -> impl Iterator<Item = &Place> {
        self.of_service(service).flat_map(|slice| &slice.places)
    }

    /// The endpoints at an address that have names of their own, with their Services.
    pub(crate) fn named_at(&self, ip: IpAddr) -> impl Iterator<Item = (&Name, &str)> {
        let places = self.slices.values().flat_map(|slice| slice.places.iter().map(move |place| (&slice.service, place)));
        places.filter(move |(_, place)| place.ip == ip).filter_map(|(service, place)| Some((service, place.hostname.as_deref()?)))
    }

    /// A node.
    pub(crate) fn node(&self, name: &str) -> Option<&Machine> {
        self.nodes.get(name)
    }

    /// The node that has an address.
    pub(crate) fn node_with_ip(&self, ip: IpAddr) -> Option<(&str, &Machine)> {
        let name = self.node_ips.get(&ip)?;
        Some((name, self.nodes.get(name)?))
    }

    /// The node whose pods may have an address.
    pub(crate) fn node_of_pod(&self, ip: IpAddr) -> Option<(&str, &Machine)> {
        let IpAddr::V4(ip) = ip else { return None };
        let (_, name) = self.ranges.range(..=ip).next_back()?;
        let machine = self.nodes.get(name)?;
        machine.range.filter(|range| range.contains(ip)).map(|_| (name.as_str(), machine))
    }

    /// Whether there is such a namespace.
    pub(crate) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// The Ingresses that are served here.
    pub(crate) fn ingresses(&self) -> impl Iterator<Item = &Rules> {
        self.ingresses.values().filter(|rules| rules.is_ours(|class| self.classes.get(class).copied()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    /// Takes in an object.
    pub(crate) fn put<K: Indexed + DeserializeOwned>(index: &mut Index, object: Value) {
        serde_json::from_value::<K>(object).unwrap().put(index);
    }

    /// A Service of this spec.
    pub(crate) fn service(index: &mut Index, namespace: &str, name: &str, spec: Value) {
        put::<Service>(index, json!({ "metadata": { "namespace": namespace, "name": name }, "spec": spec }));
    }

    /// A slice of a Service's endpoints: `10.244.1.2 n1 ready`, and a name if they have one; one port, 80, of this name.
    pub(crate) fn slice(index: &mut Index, namespace: &str, service: &str, name: &str, port: &str, endpoints: &[&str]) {
        let endpoints: Vec<Value> = endpoints
            .iter()
            .map(|text| {
                let words: Vec<&str> = text.split(' ').collect();
                let (ready, serving, terminating) = (words[2] == "ready", words[2] != "unready", words[2] == "leaving");
                json!({
                    "addresses": [words[0]], "nodeName": words[1], "hostname": words.get(3),
                    "conditions": { "ready": ready, "serving": serving, "terminating": terminating },
                })
            })
            .collect();
        put::<EndpointSlice>(
            index,
            json!({
                "metadata": { "namespace": namespace, "name": name, "labels": { SERVICE_NAME: service } }, "addressType": "IPv4",
                "endpoints": endpoints, "ports": [{ "name": port, "port": 80, "protocol": "TCP" }],
            }),
        );
    }

    /// Node `nN` with address 192.168.0.N and pods 10.244.N.0/24, whose kubelet is at `address`.
    pub(crate) fn node(index: &mut Index, number: u8, address: &str) {
        put::<Node>(index, node_object(number, address));
    }

    /// The same as an object.
    pub(crate) fn node_object(number: u8, address: &str) -> Value {
        json!({
            "metadata": { "name": format!("n{number}"), "annotations": { ADDRESS: address } },
            "spec": { "podCIDR": format!("10.244.{number}.0/24") },
            "status": {
                "addresses": [{ "type": "InternalIP", "address": format!("192.168.0.{number}") }],
                "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
            },
        })
    }

    #[test]
    fn slices_come_and_go_and_move() {
        let mut index = Index::default();
        let web = Name::new("default", "web");
        let port = PortName { namespace: "default".into(), service: "web".into(), port: "http".into(), protocol: "TCP".into() };
        let seen = |index: &Index| index.endpoints(&port).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        slice(&mut index, "default", "web", "web-1", "http", &["10.244.1.3 n1 ready", "10.244.1.2 n1 unready"]);
        slice(&mut index, "default", "web", "web-2", "http", &["10.244.2.2 n2 ready", "10.244.1.3 n1 ready"]);
        assert_eq!(seen(&index), "10.244.1.2:80 10.244.1.3:80 10.244.2.2:80");
        assert_eq!(index.places(&web).count(), 3, "two slices name one place, and one is not ready");
        slice(&mut index, "default", "other", "web-2", "http", &["10.244.2.2 n2 ready"]);
        assert_eq!(seen(&index), "10.244.1.2:80 10.244.1.3:80");
        EndpointSlice::forget(&Name::new("default", "web-1"), &mut index);
        assert_eq!(seen(&index), "");
        assert!(index.sliced.len() == 1 && index.endpoints.len() == 1);
    }

    #[test]
    fn services_are_met_where_they_are_now() {
        let mut index = Index::default();
        let spec = |ip: &str, number: u16| json!({ "type": "NodePort", "clusterIP": ip, "ports": [{ "port": 80, "nodePort": number }] });
        let at = |index: &Index, ip: &str| index.met_at(ip.parse().unwrap()).count();
        service(&mut index, "default", "web", spec("10.254.0.8", 30000));
        service(&mut index, "default", "web", spec("10.254.0.9", 30001));
        assert_eq!((at(&index, "10.254.0.8"), at(&index, "10.254.0.9")), (0, 1));
        assert!(index.at_node_port(30000).is_none() && index.at_node_port(30001).is_some());
        Service::forget(&Name::new("default", "web"), &mut index);
        assert!(index.met.is_empty() && index.node_ports.is_empty() && index.services.is_empty());
    }

    #[test]
    fn nodes_are_found_by_addresses() {
        let mut index = Index::default();
        node(&mut index, 1, "a:1");
        node(&mut index, 3, "c:1");
        let of_pod = |index: &Index, ip: &str| index.node_of_pod(ip.parse().unwrap()).map(|(name, _)| name.to_owned());
        assert_eq!(of_pod(&index, "10.244.1.255").as_deref(), Some("n1"));
        assert_eq!(of_pod(&index, "10.244.3.9").as_deref(), Some("n3"));
        for nobody in ["10.244.2.1", "10.244.0.1", "10.244.4.0", "8.8.8.8"] {
            assert_eq!(of_pod(&index, nobody), None, "{nobody}");
        }
        assert_eq!(index.node_with_ip("192.168.0.3".parse().unwrap()).map(|(name, _)| name), Some("n3"));
        Node::forget(&Name::new("", "n3"), &mut index);
        assert_eq!(of_pod(&index, "10.244.3.9"), None);
    }
}

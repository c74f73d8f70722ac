//! Services get their cluster IPs and node ports here, each to one Service only.
//!
//! What is taken is what the Services in the cache have, plus what writes under way have been promised. So nothing is kept on
//! disk besides the Services, and nothing can leak.

use std::{collections::HashSet, net::Ipv4Addr, sync::Arc};

use async_trait::async_trait;
use k8s_openapi::{api::core::v1::Service, apimachinery::pkg::util::intstr::IntOrString};
use mini_daemon::clock;
use parking_lot::Mutex;

use super::{Attempt, Cluster, Step, Verb};
use crate::{
    error::{ApiError, Result},
    kinds::{
        field::{Errors, Path},
        rules::cast,
    },
};

/// The range Services live in: 10.254.0.0/16, as in the course notes.
const NETWORK: u32 = 0x0afe_0000;
/// How many addresses it has.
const ADDRESSES: u32 = 1 << 16;
/// Ports a Service may have on every node.
const NODE_PORTS: std::ops::RangeInclusive<i32> = 30_000..=32_767;

/// What is promised to writes under way: addresses and ports.
type Promised = Arc<Mutex<HashSet<Claim>>>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Claim {
    Address(String),
    Port(i32, String),
}

/// A promise; dropping it ends it.
struct Hold {
    promised: Promised,
    claims: Vec<Claim>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut promised = self.promised.lock();
        for claim in &self.claims {
            promised.remove(claim);
        }
    }
}

#[derive(Default)]
pub(super) struct Plugin {
    promised: Promised,
}

#[async_trait]
impl Step for Plugin {
    async fn admit(&self, attempt: &mut Attempt<'_>, cluster: &Cluster<'_>) -> Result<()> {
        if !attempt.is_core("services") || attempt.verb == Verb::Delete || attempt.subresource.is_some() {
            return Ok(());
        }
        let own = attempt.old.and_then(|old| old.meta().uid.clone());
        let others: Vec<Service> =
            cluster.all("services").into_iter().filter(|other: &Service| own.is_none() || other.metadata.uid != own).collect();
        let old = attempt.old.map(|old| cast::<Service>(old).clone());
        let name = attempt.name;
        let Some(service) = attempt.object.any_mut().downcast_mut::<Service>() else { return Ok(()) };
        let mut promised = self.promised.lock();
        let mut taken: HashSet<Claim> = others.iter().flat_map(claims).collect();
        taken.extend(promised.iter().cloned());
        let mut errors = Errors::new();
        inherit(service, old.as_ref());
        assign_address(service, &taken, &mut errors);
        assign_ports(service, &taken, &mut errors);
        if !errors.is_empty() {
            return Err(ApiError::invalid("Service", "", name, &errors));
        }
        let kept: HashSet<Claim> = old.iter().flat_map(claims).collect();
        let claims: Vec<Claim> = claims(service).into_iter().filter(|claim| !kept.contains(claim)).collect();
        promised.extend(claims.iter().cloned());
        drop(promised);
        attempt.holds.push(Box::new(Hold { promised: self.promised.clone(), claims }));
        Ok(())
    }
}

fn type_of(service: &Service) -> &str {
    service.spec.as_ref().and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP")
}

fn has_ports(service: &Service) -> bool {
    matches!(type_of(service), "NodePort" | "LoadBalancer")
}

/// What a Service has.
fn claims(service: &Service) -> Vec<Claim> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let addresses = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip).filter(|ip| !ip.is_empty() && *ip != "None");
    let protocol = |port: &k8s_openapi::api::core::v1::ServicePort| port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    let ports = spec.ports.iter().flatten().filter_map(|port| Some(Claim::Port(port.node_port.filter(|port| *port != 0)?, protocol(port))));
    addresses.cloned().map(Claim::Address).chain(ports).collect::<HashSet<_>>().into_iter().collect()
}

/// An update that leaves out what was assigned keeps it.
fn inherit(service: &mut Service, old: Option<&Service>) {
    let Some(old) = old else { return };
    let keeps_ports = has_ports(service) && has_ports(old);
    let drops_ports = !has_ports(service) && has_ports(old);
    let keeps_address = type_of(service) != "ExternalName" && type_of(old) != "ExternalName";
    let (Some(spec), Some(before)) = (service.spec.as_mut(), old.spec.as_ref()) else { return };
    if keeps_address && spec.cluster_ip.as_deref().is_none_or(str::is_empty) {
        spec.cluster_ip.clone_from(&before.cluster_ip);
        spec.cluster_ips.clone_from(&before.cluster_ips);
    }
    // A type that has no node ports gives back those it had; one that never had any may not ask for them.
    let had: Vec<Option<i32>> = before.ports.iter().flatten().map(|port| port.node_port).collect();
    for port in spec.ports.iter_mut().flatten().filter(|port| drops_ports && had.contains(&port.node_port)) {
        port.node_port = None;
    }
    for port in spec.ports.iter_mut().flatten().filter(|port| keeps_ports && port.node_port.unwrap_or(0) == 0) {
        let same = |other: &&k8s_openapi::api::core::v1::ServicePort| other.port == port.port && other.protocol == port.protocol;
        port.node_port = before.ports.iter().flatten().find(same).and_then(|other| other.node_port);
    }
}

fn assign_address(service: &mut Service, taken: &HashSet<Claim>, errors: &mut Errors) {
    let external = type_of(service) == "ExternalName";
    let Some(spec) = service.spec.as_mut() else { return };
    if external {
        spec.cluster_ip = None;
        spec.cluster_ips = None;
        return;
    }
    let spec_path = Path::new("spec");
    match spec.cluster_ip.clone().filter(|ip| !ip.is_empty()) {
        Some(given) if given == "None" => {}
        Some(given) => {
            let path = spec_path.child("clusterIPs");
            match given.parse::<Ipv4Addr>() {
                // The Service's own rules will say what is wrong with it.
                Err(_) => {}
                Ok(ip) if u32::from(ip) & !(ADDRESSES - 1) != NETWORK => {
                    let why = format!("failed to allocate IP {given}: the provided network does not match the current range");
                    errors.invalid(&path, [&given], &why);
                }
                Ok(_) if taken.contains(&Claim::Address(given.clone())) => {
                    errors.invalid(&path, [&given], &format!("failed to allocate IP {given}: provided IP is already allocated"));
                }
                Ok(_) => {}
            }
        }
        None => match (0..ADDRESSES).map(|_| address()).find(|ip| !taken.contains(&Claim::Address(ip.clone()))) {
            Some(free) => spec.cluster_ip = Some(free),
            None => errors.invalid(&spec_path.child("clusterIPs"), [""; 0], "failed to allocate a serviceIP: range is full"),
        },
    }
    spec.cluster_ips = spec.cluster_ip.clone().map(|ip| vec![ip]);
}

/// A random address of the range. The lowest are left to those who ask for one, as upstream leaves them.
fn address() -> String {
    let reserved = 256;
    let offset = reserved + u32::try_from(clock::random() % u64::from(ADDRESSES - reserved - 1)).unwrap_or(0);
    Ipv4Addr::from(NETWORK + offset).to_string()
}

fn assign_ports(service: &mut Service, taken: &HashSet<Claim>, errors: &mut Errors) {
    let wanted = has_ports(service)
        && service
            .spec
            .as_ref()
            .is_none_or(|spec| type_of(service) != "LoadBalancer" || spec.allocate_load_balancer_node_ports.unwrap_or(true));
    let has_ports = has_ports(service);
    let Some(spec) = service.spec.as_mut() else { return };
    let mut own: HashSet<Claim> = HashSet::new();
    let spec_path = Path::new("spec");
    let ports_path = spec_path.child("ports");
    for (index, port) in spec.ports.iter_mut().flatten().enumerate() {
        let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
        if port.target_port.is_none() {
            port.target_port = Some(IntOrString::Int(port.port));
        }
        match port.node_port.filter(|given| *given != 0) {
            Some(_) if !has_ports => {}
            Some(given) => {
                let path = ports_path.index(index);
                let claim = Claim::Port(given, protocol);
                if !NODE_PORTS.contains(&given) {
                    errors.invalid(
                        &path.child("nodePort"),
                        given,
                        "provided port is not in the valid range. The range of valid ports is 30000-32767",
                    );
                } else if taken.contains(&claim) || !own.insert(claim) {
                    errors.invalid(&path.child("nodePort"), given, "provided port is already allocated");
                }
            }
            None if wanted => {
                let span = u64::from(NODE_PORTS.end().abs_diff(*NODE_PORTS.start())) + 1;
                let start = i32::try_from(clock::random() % span).unwrap_or(0);
                let count = i32::try_from(span).unwrap_or(0);
                let candidates = (0..count).map(|step| NODE_PORTS.start() + (start + step) % count);
                let free = candidates
                    .map(|port| (port, Claim::Port(port, protocol.clone())))
                    .find(|(_, claim)| !taken.contains(claim) && !own.contains(claim));
                match free {
                    Some((free, claim)) => {
                        port.node_port = Some(free);
                        own.insert(claim);
                    }
                    None => errors.invalid(&ports_path.index(index).child("nodePort"), 0, "failed to allocate a nodePort: range is full"),
                }
            }
            None => {}
        }
    }
}

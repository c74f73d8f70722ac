//! Services get their cluster IPs and node ports here, each to one Service only.
//!
//! What is taken is what the Services in the cache have, plus what writes under way have been promised. So nothing is kept on
//! disk besides the Services, and nothing can leak.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
    sync::Arc,
};

use async_trait::async_trait;
use k8s_openapi::{
    api::core::v1::{Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};
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
    Port(i32),
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
        let own = attempt.old().and_then(|old| old.meta().uid.clone());
        let old = attempt.old().map(|old| cast::<Service>(old).clone());
        let name = attempt.name;
        let Some(service) = attempt.object.any_mut().downcast_mut::<Service>() else { return Ok(()) };
        // A promise ends once the cache shows what came of it. So the cache is asked while no promise can end: what is in neither is free.
        let mut promised = self.promised.lock();
        let others: Vec<Service> =
            cluster.all("services").into_iter().filter(|other: &Service| own.is_none() || other.metadata.uid != own).collect();
        let mut taken: HashSet<Claim> = others.iter().flat_map(claims).collect();
        taken.extend(promised.iter().cloned());
        let mut errors = Errors::new();
        inherit(service, old.as_ref());
        assign_address(service, &taken, &mut errors);
        let mut own = assign_ports(service, &taken, &mut errors);
        if !errors.is_empty() {
            return Err(ApiError::invalid("Service", "", name, &errors));
        }
        assign_health_check(service, old.as_ref(), &taken, &mut own)?;
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
    let checked = spec.health_check_node_port.filter(|_| needs_health_check(service));
    let ports = spec.ports.iter().flatten().filter_map(|port| port.node_port).chain(checked).filter(|port| *port != 0);
    addresses.cloned().map(Claim::Address).chain(ports.map(Claim::Port)).collect::<HashSet<_>>().into_iter().collect()
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
        let same = |other: &&ServicePort| other.port == port.port && other.protocol == port.protocol;
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

/// Gives every port that needs one a port on the nodes; answers which ones the Service has.
fn assign_ports(service: &mut Service, taken: &HashSet<Claim>, errors: &mut Errors) -> HashSet<Claim> {
    let wanted = has_ports(service)
        && service
            .spec
            .as_ref()
            .is_none_or(|spec| type_of(service) != "LoadBalancer" || spec.allocate_load_balancer_node_ports.unwrap_or(true));
    let has_ports = has_ports(service);
    let mut own = HashSet::new();
    let Some(ports) = service.spec.as_mut().and_then(|spec| spec.ports.as_mut()) else { return own };
    // The same port in another protocol is reached at the same port of the nodes.
    let mut shared: HashMap<i32, i32> = HashMap::new();
    let (spec_path, asked) = (Path::new("spec"), ports.clone());
    let ports_path = spec_path.child("ports");
    for (index, port) in ports.iter_mut().enumerate() {
        if port.target_port.is_none() {
            port.target_port = Some(IntOrString::Int(port.port));
        }
        let path = ports_path.index(index);
        let same = |other: &&ServicePort| other.port == port.port && other.node_port.unwrap_or(0) != 0;
        let asked = asked.iter().find(same).and_then(|other| other.node_port);
        match (port.node_port.filter(|given| *given != 0), shared.get(&port.port).copied()) {
            (Some(_), _) if !has_ports => {}
            (Some(given), Some(at)) if given == at => {}
            (None, Some(at)) if wanted => port.node_port = Some(at),
            (given, at) if given.is_some() || wanted => {
                let Some(number) = given.or(asked).or_else(|| free(taken, &own)) else {
                    errors.invalid(&path.child("nodePort"), 0, "failed to allocate a nodePort: range is full");
                    continue;
                };
                if let Err(why) = claim(number, taken, &mut own) {
                    errors.invalid(&path.child("nodePort"), number, why);
                }
                port.node_port = Some(number);
                shared.insert(port.port, at.unwrap_or(number));
            }
            _ => {}
        }
    }
    own
}

/// A port that nobody has.
fn free(taken: &HashSet<Claim>, own: &HashSet<Claim>) -> Option<i32> {
    let count = NODE_PORTS.end() - NODE_PORTS.start() + 1;
    let start = i32::try_from(clock::random() % u64::from(count.unsigned_abs())).unwrap_or(0);
    let mut candidates = (0..count).map(|step| NODE_PORTS.start() + (start + step) % count);
    candidates.find(|port| !taken.contains(&Claim::Port(*port)) && !own.contains(&Claim::Port(*port)))
}

/// Makes a port the Service's own, or says why it cannot be.
fn claim(port: i32, taken: &HashSet<Claim>, own: &mut HashSet<Claim>) -> Result<(), &'static str> {
    if !NODE_PORTS.contains(&port) {
        return Err("provided port is not in the valid range. The range of valid ports is 30000-32767");
    }
    let is_free = !taken.contains(&Claim::Port(port)) && own.insert(Claim::Port(port));
    if is_free { Ok(()) } else { Err("provided port is already allocated") }
}

/// Whether load balancers ask each node at a port of its own if it has pods of the Service.
fn needs_health_check(service: &Service) -> bool {
    type_of(service) == "LoadBalancer" && service.spec.as_ref().is_some_and(|spec| spec.external_traffic_policy.as_deref() == Some("Local"))
}

/// Assigns the port at which load balancers ask.
fn assign_health_check(service: &mut Service, old: Option<&Service>, taken: &HashSet<Claim>, own: &mut HashSet<Claim>) -> Result<()> {
    let before = old.filter(|old| needs_health_check(old)).and_then(|old| old.spec.as_ref()).and_then(|spec| spec.health_check_node_port);
    let needed = needs_health_check(service);
    let Some(spec) = service.spec.as_mut().filter(|_| needed) else { return Ok(()) };
    match spec.health_check_node_port.filter(|port| *port != 0) {
        // Once set it cannot be changed, which the Service's own rules say.
        _ if before.is_some_and(|port| port != 0) => spec.health_check_node_port = spec.health_check_node_port.filter(|port| *port != 0).or(before),
        Some(given) => claim(given, taken, own)
            .map_err(|why| ApiError::internal(format!("Internal error occurred: failed to allocate requested HealthCheck NodePort {given}: {why}")))?,
        None => {
            let why = || ApiError::internal("Internal error occurred: failed to allocate a HealthCheck NodePort 0: range is full");
            spec.health_check_node_port = Some(free(taken, own).ok_or_else(why)?);
        }
    }
    Ok(())
}

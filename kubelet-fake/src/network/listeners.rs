//! The doors of the cluster on this machine: listeners at node ports, and at the addresses of load balancers and Ingresses as far as
//! this machine has them.
//!
//! A port has room for one listener. Of several kubelets on a machine one has it, and any can serve, for each knows the whole network;
//! the others try again now and then, so that another takes over when that one ends. Where nobody could be served nobody listens, so
//! that clients are refused as by a node. A Service with `externalTrafficPolicy: Local` has its door only where one of its endpoints is,
//! as a load balancer passes by the other nodes.
//!
//! Must not know: how a connection finds its pod.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use mini_api::proxy::{PortName, usable};
use mini_daemon::tasks::detach;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Network, gateway, index::Index, route::HTTP};

/// How often it is tried again to listen where somebody else does.
const RETRY: Duration = Duration::from_secs(2);
/// What happens within this time is looked at together.
const GATHER: Duration = Duration::from_millis(20);

/// What can be told about listening on this machine.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq)]
pub struct NetworkArgs {
    /// Really listen on this machine at the node ports of Services, and at addresses of load balancers and Ingresses that it has.
    #[arg(long)]
    pub node_ports: bool,
    /// The address of this machine where node ports are.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub node_port_address: IpAddr,
    /// Also listen there, at this port, for requests that Ingresses route.
    #[arg(long, value_name = "PORT", requires = "node_ports")]
    pub ingress_port: Option<u16>,
}

impl Default for NetworkArgs {
    fn default() -> Self {
        Self { node_ports: false, node_port_address: IpAddr::from([127, 0, 0, 1]), ingress_port: None }
    }
}

/// What a door leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Door {
    Port(PortName),
    Gateway,
}

/// The doors there should be.
fn doors(index: &Index, args: &NetworkArgs, ours: &HashSet<Arc<str>>) -> BTreeMap<SocketAddr, Door> {
    let mut doors = BTreeMap::new();
    let ingresses = index.ingresses().flat_map(|rules| rules.addresses()).map(|ip| SocketAddr::new(*ip, HTTP));
    let own = args.ingress_port.map(|port| SocketAddr::new(args.node_port_address, port));
    doors.extend(ingresses.chain(own).map(|address| (address, Door::Gateway)));
    for port in index.services().flat_map(|(_, known)| &known.ports).filter(|port| port.name.protocol == "TCP" && port.is_external()) {
        let usable = usable(port, index.endpoints(&port.name), |node| ours.contains(node));
        if (if port.external_local { usable.local } else { usable.cluster }).is_empty() {
            continue;
        }
        let own = (port.node_port != 0).then(|| SocketAddr::new(args.node_port_address, port.node_port));
        let others = port.balancer_ips.iter().chain(&port.external_ips).map(|ip| SocketAddr::new(*ip, port.port));
        doors.extend(own.into_iter().chain(others).map(|address| (address, Door::Port(port.name.clone()))));
    }
    doors
}

/// A door that is open or should be.
struct Hung {
    door: Door,
    /// Dropped when it is closed.
    open: Option<DropGuard>,
    /// That it cannot be opened has been said.
    told: bool,
}

/// Keeps the doors as they should be until the token is cancelled.
///
/// # Errors
/// Never: a port that cannot be had is tried again.
pub(crate) async fn listen(network: Network, args: NetworkArgs, token: CancellationToken) -> Result<()> {
    if !args.node_ports {
        return Ok(());
    }
    let work = async {
        let mut hung: BTreeMap<SocketAddr, Hung> = BTreeMap::new();
        let mut changes = network.0.changed.subscribe();
        network.ready().await;
        loop {
            changes.mark_unchanged();
            arrange(&mut hung, doors(&network.0.index.read(), &args, &network.0.ours));
            for (address, hung) in hung.iter_mut().filter(|(_, hung)| hung.open.is_none()) {
                open(&network, *address, hung).await;
            }
            let waiting = hung.values().any(|hung| hung.open.is_none());
            tokio::select! {
                _ = changes.changed() => sleep(GATHER).await,
                () = sleep(RETRY), if waiting => {}
            }
        }
    };
    token.run_until_cancelled(work).await;
    Ok(())
}

/// Closes doors that should not be, or lead elsewhere, and notes new ones.
fn arrange(hung: &mut BTreeMap<SocketAddr, Hung>, mut wanted: BTreeMap<SocketAddr, Door>) {
    hung.retain(|address, hung| wanted.get(address) == Some(&hung.door));
    wanted.retain(|address, _| !hung.contains_key(address));
    hung.extend(wanted.into_iter().map(|(address, door)| (address, Hung { door, open: None, told: false })));
}

/// Opens a door, if that can be.
async fn open(network: &Network, address: SocketAddr, hung: &mut Hung) {
    match TcpListener::bind(address).await {
        Ok(listener) => {
            tracing::info!(%address, leads_to = ?hung.door, "listening");
            let stop = CancellationToken::new();
            hung.open = Some(stop.clone().drop_guard());
            let (network, door) = (network.clone(), hung.door.clone());
            detach("door", async move {
                stop.run_until_cancelled(stand(network, listener, door)).await;
            });
        }
        Err(error) => {
            // It stays so for long, and is no trouble: another kubelet serves, or it is not this machine's address.
            let quiet = matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse);
            match (std::mem::replace(&mut hung.told, true), quiet) {
                (true, _) => {}
                (false, true) => tracing::info!(%address, %error, "somebody else listens here, or it is not ours; trying again"),
                (false, false) => tracing::warn!(%address, %error, "cannot listen; trying again"),
            }
        }
    }
}

/// Lets everybody in who comes. Who is in stays when the door is closed, as connections outlive the rules that made them.
async fn stand(network: Network, listener: TcpListener, door: Door) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                detach("guest", admit(network.clone(), stream, client.ip(), door.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(GATHER).await;
            }
        }
    }
}

async fn admit(network: Network, mut stream: TcpStream, client: IpAddr, door: Door) {
    let _ = stream.set_nodelay(true);
    match door {
        Door::Gateway => gateway::serve(network, stream, client).await,
        Door::Port(port) => match network.enter(&port, client).await {
            Ok(mut pod) => {
                let copied = copy_bidirectional(&mut stream, &mut pod).await;
                tracing::debug!(?copied, "a guest left");
            }
            Err(error) => {
                tracing::debug!(%port, %error, "nobody is there");
                // Cut off, not ended: that is how a refusal looks this late.
                let _ = stream.set_zero_linger();
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::network::index::tests::{put, service, slice};

    #[test]
    fn doors_are_where_somebody_is() {
        let mut index = Index::default();
        let spec = |ip: u8, number: u16, policy: &str| {
            json!({ "type": "NodePort", "clusterIP": format!("10.254.0.{ip}"), "externalTrafficPolicy": policy, "externalIPs": ["127.0.0.9"],
                "ports": [{ "name": "http", "port": 8000 + u16::from(ip), "nodePort": number }] })
        };
        for (name, ip, policy, endpoints) in [
            ("all", 1, "Cluster", "10.244.2.2 n2 ready"),
            ("near", 2, "Local", "10.244.1.2 n1 ready"),
            ("far", 3, "Local", "10.244.2.2 n2 ready"),
            ("none", 4, "Cluster", "10.244.2.2 n2 unready"),
        ] {
            service(&mut index, "default", name, spec(ip, 30_000 + u16::from(ip), policy));
            slice(&mut index, "default", name, name, "http", &[endpoints]);
        }
        service(&mut index, "default", "inner", json!({ "clusterIP": "10.254.0.9", "ports": [{ "name": "http", "port": 80 }] }));
        slice(&mut index, "default", "inner", "inner", "http", &["10.244.1.2 n1 ready"]);
        let ours = HashSet::from(["n1".into()]);
        let seen = |index: &Index, ingress_port| {
            let args = NetworkArgs { ingress_port, ..NetworkArgs::default() };
            let show = |door: Door| if let Door::Port(port) = door { port.service } else { "gateway".to_owned() };
            doors(index, &args, &ours).into_iter().map(|(address, door)| format!("{address} {}", show(door))).collect::<Vec<_>>()
        };
        let plain = ["127.0.0.1:30001 all", "127.0.0.1:30002 near", "127.0.0.9:8001 all", "127.0.0.9:8002 near"];
        assert_eq!(seen(&index, None), plain);
        let status = json!({ "loadBalancer": { "ingress": [{ "ip": "127.0.0.8" }] } });
        put::<k8s_openapi::api::networking::v1::Ingress>(
            &mut index,
            json!({ "metadata": { "name": "i", "namespace": "default" }, "status": status }),
        );
        let more = seen(&index, Some(8080));
        assert!(more.contains(&"127.0.0.1:8080 gateway".to_owned()) && more.contains(&"127.0.0.8:80 gateway".to_owned()), "{more:?}");
    }
}

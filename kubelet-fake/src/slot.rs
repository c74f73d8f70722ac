//! What a node has to give: IPs for pods, and room; and who took it.
//!
//! Must not know: what the pods do.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Node;
use mini_daemon::events::Recorder;

use crate::{
    node::{self, Facts},
    pod::{
        admission::Amounts,
        eviction::{self, Pressure},
    },
};

/// One node and what is taken of it.
pub(crate) struct Slot {
    /// What is fixed about it.
    pub(crate) facts: Arc<Facts>,
    /// Its object, as last seen.
    pub(crate) node: Node,
    /// Sends Events in its name.
    pub(crate) recorder: Recorder,
    /// What it runs out of.
    pub(crate) pressure: Vec<Pressure>,
    used: Amounts,
    pods: HashMap<Arc<str>, Holding>,
    addresses: Addresses,
}

/// What one pod took.
struct Holding {
    amounts: Vec<(String, i64)>,
    address: Option<u8>,
}

impl Slot {
    /// A node of which nothing is taken.
    pub(crate) fn new(facts: Arc<Facts>, node: Node, recorder: Recorder) -> Self {
        let addresses = Addresses { net: facts.pod_net(), taken: BTreeSet::new(), last: 1 };
        let pressure = eviction::wanted(&node);
        Self { facts, node, recorder, pressure, used: Amounts::new(), pods: HashMap::new(), addresses }
    }

    /// The node's object has changed. What it runs out of is told.
    pub(crate) fn update(&mut self, node: Node) {
        let pressure = eviction::wanted(&node);
        let about = node::reference(&self.facts.name);
        for one in Pressure::ALL {
            let (before, after) = (self.pressure.contains(&one), pressure.contains(&one));
            if before != after {
                let reason = one.events()[usize::from(before)];
                self.recorder.normal(&about, reason, format!("Node {} status is now: {reason}", self.facts.name));
            }
        }
        (self.node, self.pressure) = (node, pressure);
    }

    /// What all pods took together.
    pub(crate) fn used(&self) -> &Amounts {
        &self.used
    }

    /// Gives a pod its room, and the IP it already has. Returns that, unless another pod was given it meanwhile.
    pub(crate) fn reserve(&mut self, pod: &Arc<str>, amounts: Amounts, ip: Option<IpAddr>) -> Option<IpAddr> {
        self.release(pod);
        for (name, amount) in &amounts {
            *self.used.entry(name.clone()).or_default() += amount;
        }
        let address = ip.and_then(|ip| self.addresses.keep(ip));
        self.pods.insert(pod.clone(), Holding { amounts: amounts.into_iter().collect(), address });
        // An address of another range is the node's own.
        ip.filter(|ip| address.is_some() || self.addresses.octet(*ip).is_none())
    }

    /// An IP for a pod: the node's own or one of the pods' range. `None` when the range is exhausted.
    pub(crate) fn connect(&mut self, pod: &Arc<str>, host_network: bool) -> Option<IpAddr> {
        if host_network {
            return Some(IpAddr::V4(self.facts.ip));
        }
        let (address, ip) = self.addresses.take()?;
        match self.pods.get_mut(pod) {
            Some(holding) => holding.address = Some(address),
            None => drop(self.pods.insert(pod.clone(), Holding { amounts: Vec::new(), address: Some(address) })),
        }
        Some(ip)
    }

    /// Takes back all that a pod took.
    pub(crate) fn release(&mut self, pod: &Arc<str>) {
        let Some(Holding { amounts, address }) = self.pods.remove(pod) else { return };
        for (name, amount) in amounts {
            *self.used.entry(name).or_default() -= amount;
        }
        if let Some(address) = address {
            self.addresses.taken.remove(&address);
        }
    }
}

/// The last octets of a /24: 1 is the gateway, 0 and 255 are none.
struct Addresses {
    net: [u8; 3],
    taken: BTreeSet<u8>,
    last: u8,
}

impl Addresses {
    /// The next free one after the last that was given: an IP is not used again soon.
    fn take(&mut self) -> Option<(u8, IpAddr)> {
        let free = (self.last.saturating_add(1)..=254)
            .chain(2..=self.last)
            .find(|octet| (2..=254).contains(octet) && !self.taken.contains(octet))?;
        self.taken.insert(free);
        self.last = free;
        let [a, b, c] = self.net;
        Some((free, IpAddr::V4(Ipv4Addr::new(a, b, c, free))))
    }

    /// Marks one as taken, if it is of this range and free.
    fn keep(&mut self, ip: IpAddr) -> Option<u8> {
        self.octet(ip).filter(|octet| self.taken.insert(*octet))
    }

    /// Its last octet, if it is of this range.
    fn octet(&self, ip: IpAddr) -> Option<u8> {
        let IpAddr::V4(ip) = ip else { return None };
        let [net @ .., octet] = ip.octets();
        (net == self.net).then_some(octet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round_and_run_out() {
        let mut addresses = Addresses { net: [10, 244, 1], taken: BTreeSet::new(), last: 1 };
        assert_eq!(addresses.keep("10.244.1.3".parse().unwrap()), Some(3));
        assert_eq!(addresses.keep("10.244.1.3".parse().unwrap()), None, "taken");
        assert_eq!(addresses.keep("10.244.2.4".parse().unwrap()), None, "another range");
        assert_eq!(addresses.take(), Some((2, "10.244.1.2".parse().unwrap())));
        assert_eq!(addresses.take().map(|(octet, _)| octet), Some(4));
        addresses.taken.remove(&2);
        let rest: Vec<_> = std::iter::from_fn(|| addresses.take()).map(|(octet, _)| octet).collect();
        assert_eq!((rest.len(), rest[0], rest[249], rest[250]), (251, 5, 254, 2));
    }
}

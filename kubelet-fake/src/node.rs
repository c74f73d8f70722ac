//! The Node object of a simulated node: pure words and numbers.
//!
//! Must not know: how it is stored, what runs on it.

use std::{
    collections::{BTreeMap, HashSet},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        coordination::v1::{Lease, LeaseSpec},
        core::v1::{
            DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus, NodeSystemInfo, ObjectReference,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference, Time},
    },
};
use mini_api::condition;

use crate::{
    config::Config,
    pod::eviction::{self, Pressure},
};

/// The annotation that tells where the kubelet of a node can really be reached, as the node's own address is made up.
pub(crate) const ADDRESS: &str = "mini.dev/kubelet-address";
/// The Kubernetes version a node says it is of.
const VERSION: &str = "v1.36.0";
/// How long a Lease holds, in seconds.
const LEASE_SECONDS: i32 = 40;
/// How many nodes have a place of their own in the address ranges.
const PLACES: u32 = 256 * 254;

/// What is fixed about a node for the life of the process.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its InternalIP.
    pub(crate) ip: Ipv4Addr,
    /// The range its pods' IPs come from, a /24.
    pub(crate) pod_cidr: String,
    capacity: BTreeMap<String, Quantity>,
    /// Where its kubelet listens.
    kubelet: SocketAddr,
    boot_id: String,
}

impl Facts {
    /// The facts about a node. `known` is its object, if there is one already: its range is kept.
    /// Otherwise it takes a range nobody has, and adds it to `taken`.
    pub(crate) fn new(
        name: &str,
        config: &Config,
        known: Option<&Node>,
        taken: &mut HashSet<String>,
        kubelet: SocketAddr,
        boot_id: &str,
    ) -> Self {
        let kept = known.and_then(|node| node.spec.as_ref()?.pod_cidr.clone());
        let pod_cidr = kept.unwrap_or_else(|| {
            let wish = wish(name);
            let places = (0..PLACES).map(|step| cidr((wish + step) % PLACES));
            let mut free = places.filter(|range| !taken.contains(range));
            free.next().unwrap_or_else(|| cidr(wish))
        });
        taken.insert(pod_cidr.clone());
        let place = place(&pod_cidr).unwrap_or_else(|| wish(name));
        let octet = |number: u32| u8::try_from(number % 256).unwrap_or_default();
        let ip = config.node_ip.unwrap_or_else(|| Ipv4Addr::new(192, 168, octet(place / 254), octet(place % 254 + 1)));
        let capacity = [
            ("cpu", config.cpu.clone()),
            ("ephemeral-storage", "100Gi".to_owned()),
            ("hugepages-1Gi", "0".to_owned()),
            ("hugepages-2Mi", "0".to_owned()),
            ("memory", config.memory.clone()),
            ("pods", config.pods.to_string()),
        ];
        let capacity = capacity.into_iter().map(|(name, amount)| (name.to_owned(), Quantity(amount))).collect();
        Self { name: name.into(), ip, pod_cidr, capacity, kubelet, boot_id: boot_id.to_owned() }
    }

    /// What pods can have of it.
    pub(crate) fn allocatable(&self) -> &BTreeMap<String, Quantity> {
        &self.capacity
    }

    /// The first three octets of the pods' IPs.
    pub(crate) fn pod_net(&self) -> [u8; 3] {
        let base = self.pod_cidr.split('/').next().and_then(|base| base.parse::<Ipv4Addr>().ok());
        let [a, b, c, _] = base.unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
        [a, b, c]
    }
}

/// The place a name asks for: its number, if it ends in one, so that a fleet's ranges are in order.
fn wish(name: &str) -> u32 {
    let digits = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
    name[digits..].parse::<u32>().unwrap_or_else(|_| word(name, 0) as u32 % 256) % PLACES
}

/// The range at a place: 10.244.0.0/24 first; 10.254.0.0/16 belongs to services.
fn cidr(place: u32) -> String {
    let second = 244 + place / 256;
    let second = if second >= 254 { second + 1 } else { second };
    format!("10.{}.{}.0/24", second % 256, place % 256)
}

/// The place of a range that [`cidr`] gave.
fn place(range: &str) -> Option<u32> {
    let [ten, second, third, _] = range.strip_suffix("/24")?.parse::<Ipv4Addr>().ok()?.octets();
    let block = (u32::from(second) + 256 - 244) % 256;
    let block = if block > 10 { block - 1 } else { block };
    (ten == 10 && second != 254).then_some(block * 256 + u32::from(third)).filter(|place| *place < PLACES)
}

/// The Node object to register.
pub(crate) fn object(facts: &Facts, now: Timestamp) -> Node {
    let machine = machine();
    let labels = [
        ("beta.kubernetes.io/arch", machine),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", machine),
        ("kubernetes.io/hostname", &facts.name),
        ("kubernetes.io/os", "linux"),
    ];
    let annotations = [(ADDRESS, facts.kubelet.to_string()), ("volumes.kubernetes.io/controller-managed-attach-detach", "true".to_owned())];
    Node {
        metadata: ObjectMeta {
            name: Some(facts.name.to_string()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            annotations: Some(annotations.map(|(key, value)| (key.to_owned(), value)).into()),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: Some(facts.pod_cidr.clone()),
            pod_cidrs: Some(vec![facts.pod_cidr.clone()]),
            ..NodeSpec::default()
        }),
        status: Some(status(facts, None, now)),
    }
}

/// Whom Events about a node are about. The UID is the node's name, as upstream has it.
pub(crate) fn reference(name: &str) -> ObjectReference {
    let name = Some(name.to_owned());
    ObjectReference { kind: Some("Node".to_owned()), uid: name.clone(), name, ..ObjectReference::default() }
}

/// Whether a node's status tells something else about what it runs out of than its annotation wants.
pub(crate) fn is_untrue(node: &Node) -> bool {
    let wanted = eviction::wanted(node);
    let told =
        |pressure: &Pressure| node.status.as_ref().is_some_and(|status| condition::is_true(&status.conditions, pressure.condition()));
    Pressure::ALL.iter().any(|pressure| wanted.contains(pressure) != told(pressure))
}

/// The status of a node that works, with the transition times of the `known` object's where nothing changed.
pub(crate) fn status(facts: &Facts, known: Option<&Node>, now: Timestamp) -> NodeStatus {
    let old = known.and_then(|node| node.status.as_ref());
    let pressed = known.map(eviction::wanted).unwrap_or_default();
    let address = |kind: &str, address: String| NodeAddress { type_: kind.to_owned(), address };
    let machine_id = format!("{:016x}{:016x}", word(&facts.name, 1), word(&facts.name, 2));
    let mut status = NodeStatus {
        addresses: Some(vec![address("InternalIP", facts.ip.to_string()), address("Hostname", facts.name.to_string())]),
        capacity: Some(facts.capacity.clone()),
        allocatable: Some(facts.capacity.clone()),
        daemon_endpoints: Some(NodeDaemonEndpoints { kubelet_endpoint: Some(DaemonEndpoint { port: facts.kubelet.port().into() }) }),
        node_info: Some(NodeSystemInfo {
            architecture: machine().to_owned(),
            boot_id: facts.boot_id.clone(),
            container_runtime_version: "mini://0.1.0".to_owned(),
            kernel_version: "6.12.0-mini".to_owned(),
            kube_proxy_version: String::new(),
            kubelet_version: VERSION.to_owned(),
            system_uuid: uuid(&machine_id),
            machine_id,
            operating_system: "linux".to_owned(),
            os_image: "mini (simulated)".to_owned(),
            swap: None,
        }),
        conditions: old.and_then(|old| old.conditions.clone()),
        ..NodeStatus::default()
    };
    let healthy = [
        (Pressure::Memory, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        (Pressure::Disk, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        (Pressure::Pid, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ];
    let pressures = healthy.into_iter().map(|(pressure, reason, message)| match pressed.contains(&pressure) {
        true => (pressure.condition(), condition::TRUE, pressure.told().0, pressure.told().1),
        false => (pressure.condition(), condition::FALSE, reason, message),
    });
    let ready = ("Ready", condition::TRUE, "KubeletReady", "kubelet is posting ready status");
    for (kind, holds, reason, message) in pressures.chain([ready]) {
        let new = NodeCondition {
            type_: kind.to_owned(),
            status: holds.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: Some(Time(now)),
            last_transition_time: Some(Time(now)),
        };
        condition::set_node(&mut status, new);
    }
    status
}

/// What a kubelet says about its node when it starts, in upstream's order.
pub(crate) fn greetings(name: &str) -> Vec<(&'static str, String)> {
    let now = |reason: &'static str| (reason, format!("Node {name} status is now: {reason}"));
    vec![
        ("Starting", "Starting kubelet.".to_owned()),
        now("NodeHasSufficientMemory"),
        now("NodeHasNoDiskPressure"),
        now("NodeHasSufficientPID"),
        ("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods".to_owned()),
        now("NodeReady"),
    ]
}

/// The Lease of a node, renewed now. `uid` is that of the Node object, its owner.
pub(crate) fn lease(name: &str, uid: &str, now: Timestamp) -> Lease {
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        ..OwnerReference::default()
    };
    Lease {
        metadata: ObjectMeta { name: Some(name.to_owned()), owner_references: Some(vec![owner]), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(name.to_owned()),
            lease_duration_seconds: Some(LEASE_SECONDS),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        }),
    }
}

/// The machine's architecture in Go's words.
fn machine() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A stable number for a name: ids of make-believe hardware.
fn word(name: &str, seed: u64) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(seed.to_le_bytes().into_iter().fold(0xcbf2_9ce4_8422_2325, step), step)
}

/// 32 hexadecimal digits in the form of a UUID.
fn uuid(digits: &str) -> String {
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(name: &str, known: Option<&Node>, taken: &mut HashSet<String>) -> Facts {
        Facts::new(name, &Config::fleet(1), known, taken, SocketAddr::from(([127, 0, 0, 1], 10250)), "boot")
    }

    #[test]
    fn ranges_follow_the_numbers_and_are_unique() {
        let mut taken = HashSet::new();
        let seven = facts("k8s-node-7", None, &mut taken);
        assert_eq!((seven.pod_cidr.as_str(), seven.ip.to_string().as_str()), ("10.244.7.0/24", "192.168.0.8"));
        assert_eq!(facts("other-7", None, &mut taken).pod_cidr, "10.244.8.0/24");
        assert_eq!(seven.pod_net(), [10, 244, 7]);
        let known = object(&seven, Timestamp::UNIX_EPOCH);
        assert_eq!(facts("k8s-node-7", Some(&known), &mut taken).pod_cidr, "10.244.7.0/24", "a restart keeps it");
    }

    #[test]
    fn places_and_ranges_are_two_names_of_one_thing() {
        for number in [0, 255, 256, 2559, 2560, 10_000, PLACES - 1] {
            assert_eq!(place(&cidr(number)), Some(number), "{}", cidr(number));
            assert!(!cidr(number).starts_with("10.254."));
        }
        assert_eq!(place("172.16.0.0/24"), None);
    }

    #[test]
    fn transition_times_stay_while_nothing_changes() {
        let facts = facts("n", None, &mut HashSet::new());
        let (first, later) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(301).unwrap());
        let known = Node { status: Some(status(&facts, None, first)), ..Node::default() };
        let status = status(&facts, Some(&known), later);
        let ready = condition::node(&status, "Ready").unwrap();
        assert_eq!((&ready.last_transition_time, &ready.last_heartbeat_time), (&Some(Time(first)), &Some(Time(later))));
        assert_eq!(ready.message.as_deref(), Some("kubelet is posting ready status"));
        assert_eq!(status.node_info.unwrap().system_uuid.len(), 36);
    }

    #[test]
    fn what_a_node_runs_out_of_is_told() {
        let facts = facts("n", None, &mut HashSet::new());
        let mut node = object(&facts, Timestamp::UNIX_EPOCH);
        assert!(!is_untrue(&node));
        node.metadata.annotations = Some([("mini.dev/pressure".to_owned(), "disk".to_owned())].into());
        assert!(is_untrue(&node));
        node.status = Some(status(&facts, Some(&node), Timestamp::UNIX_EPOCH));
        assert!(!is_untrue(&node));
        let disk = condition::node(node.status.as_ref().unwrap(), "DiskPressure").unwrap();
        assert_eq!((disk.status.as_str(), disk.reason.as_deref()), ("True", Some("KubeletHasDiskPressure")));
    }
}

//! How many pods a second the pure cycle places on one core, and what a pod costs beside more and more others:
//! `cargo bench -p mini-scheduler`.

use std::{hint::black_box, sync::Arc};

use mini_api::selector::Selector;
use mini_scheduler::{
    account::{Account, Extent},
    amounts::{Amounts, Load},
    census::{Bond, Demand, Namespaces, Selection, Term},
    cluster::Cluster,
    cycle::{Claims, Decision, Draw, schedule_beside},
    framework::Case,
    memo::Memo,
    node::NodeInfo,
    pod::PodInfo,
    profile::Profile,
    relations::{Constraint, Relations},
};
use tokio::time::Instant;

const PODS: u64 = 5_000;
/// How many pods belong together, as those of one Deployment do.
const GROUP: u64 = 100;
const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// What pods want of each other.
#[derive(Clone, Copy, Debug)]
enum Wish {
    /// Nothing.
    Basic,
    /// Nothing, but a ReplicaSet made them.
    Siblings,
    /// All are spread over zones.
    Spread,
    /// Those of a group come to one zone, and no two of them to one node.
    Affinity,
}

fn cluster(nodes: usize) -> Cluster {
    let mut cluster = Cluster::default();
    for index in 0..nodes {
        let allocatable = Amounts { cpu: 64_000, memory: 256 << 30, pods: 250, ..Amounts::default() };
        let name = format!("node-{index:04}");
        let labels = [(HOSTNAME.to_owned(), name.clone()), (ZONE.to_owned(), format!("zone-{}", index % 10))].into();
        cluster.nodes.apply_node(NodeInfo { allocatable, labels, ..NodeInfo::named(&name) });
    }
    cluster
}

fn pod(wish: Wish, run: &str, index: u64) -> PodInfo {
    let uid = format!("{run}-{index}");
    let mut pod = PodInfo { uid: uid.as_str().into(), name: format!("web-{uid}"), namespace: "default".into(), ..PodInfo::default() };
    pod.wants.amounts = Amounts { cpu: 10, memory: 16 << 20, pods: 1, ..Amounts::default() };
    pod.wants.load = Load { cpu: 10, memory: 16 << 20 };
    let group = format!("{run}-{}", index / GROUP);
    pod.labels = [("sort".to_owned(), format!("{wish:?}")), ("group".to_owned(), group.clone())].into();
    let namespaces = vec!["default".to_owned()];
    let labels = |text: String| text.parse::<Selector>().unwrap_or_else(|error| panic!("{text}: {error}"));
    let relations = match wish {
        Wish::Basic => return pod,
        Wish::Siblings => return PodInfo { made_by: Some(group.into()), ..pod },
        Wish::Spread => {
            let (namespaces, labels) = (Namespaces::These(namespaces), labels("sort=Spread".to_owned()));
            let constraint = Constraint {
                max_skew: 1,
                topology_key: ZONE.to_owned(),
                required: true,
                min_domains: 1,
                honors_affinity: true,
                honors_taints: false,
                selection: Selection::Labelled { namespaces, labels, living: true },
            };
            Relations { bonds: Vec::new(), spread: vec![constraint] }
        }
        Wish::Affinity => {
            let bond = |demand, key: &str| {
                let labels = labels(format!("group={group}"));
                let (namespaces, topology_key) = (namespaces.clone(), key.to_owned());
                Bond { term: Term { namespaces, namespace_labels: Selector::nothing(), labels, topology_key }, demand }
            };
            Relations { bonds: vec![bond(Demand::Need, ZONE), bond(Demand::Refuse, HOSTNAME)], spread: Vec::new() }
        }
    };
    pod.wants.relations = Some(Box::new(relations));
    pod
}

/// Microseconds a pod, of so many more pods.
fn cost(cluster: &mut Cluster, wish: Wish, run: &str) -> f64 {
    let pods: Vec<_> = (0..PODS).map(|index| Arc::new(pod(wish, run, index))).collect();
    let (mut start, mut memo, profile) = (0, Memo::default(), Profile::standard());
    let began = Instant::now();
    for (index, pod) in pods.into_iter().enumerate() {
        cluster.prepare(&pod, profile);
        let draw = Draw { random: (index as u64).wrapping_mul(0x9e37_79b9), start };
        let outcome = schedule_beside(Case::new(&pod, cluster), draw, &Claims::default(), &mut memo);
        start = outcome.search.next_start;
        if let Decision::Place(placement) = outcome.decision {
            let node = cluster.nodes.node(placement.row).info().name.clone();
            black_box(Account::of(cluster, &outcome.search, &outcome.scores, Some(placement.row), Extent::KEPT));
            cluster.nodes.assume(pod, &node);
        }
    }
    began.elapsed().as_secs_f64() * 1e6 / PODS as f64
}

fn main() {
    println!("basic pods on empty nodes\n{:>9} {:>10} {:>8}", "nodes", "pods/s", "µs/pod");
    for nodes in [100, 500, 1000, 5000] {
        let micros = cost(&mut cluster(nodes), Wish::Basic, "new");
        println!("{nodes:>9} {:>10.0} {micros:>8.1}", 1e6 / micros);
    }
    const EXISTING: [u64; 3] = [1_000, 10_000, 50_000];
    println!("\nµs/pod on 5,000 nodes beside other pods\n{:>9} {:>8} {:>8} {:>8}", "", EXISTING[0], EXISTING[1], EXISTING[2]);
    for wish in [Wish::Basic, Wish::Siblings, Wish::Spread, Wish::Affinity] {
        let costs = EXISTING.map(|existing| {
            let mut cluster = cluster(5_000);
            for index in 0..existing {
                let node = cluster.nodes.node(index as usize % 5_000).info().name.clone();
                cluster.nodes.place(Arc::new(pod(wish, "old", index)), &node);
            }
            cost(&mut cluster, wish, "new")
        });
        println!("{:>9} {:>8.1} {:>8.1} {:>8.1}", format!("{wish:?}"), costs[0], costs[1], costs[2]);
    }
}

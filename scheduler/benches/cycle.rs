//! How many pods a second the pure cycle places on one core: `cargo bench -p mini-scheduler`.

use std::sync::Arc;

use mini_scheduler::{
    amounts::{Amounts, Load},
    cluster::Cluster,
    cycle::{Decision, Draw, schedule},
    framework::Case,
    node::NodeInfo,
    pod::PodInfo,
};
use tokio::time::Instant;

const PODS: u64 = 20_000;

fn cluster(nodes: usize) -> Cluster {
    let mut cluster = Cluster::default();
    for index in 0..nodes {
        let allocatable = Amounts { cpu: 64_000, memory: 256 << 30, pods: 250, ..Amounts::default() };
        cluster.nodes.apply_node(NodeInfo { allocatable, ..NodeInfo::named(&format!("node-{index:04}")) });
    }
    cluster
}

fn pod(index: u64) -> PodInfo {
    let mut pod = PodInfo { uid: index.to_string().into(), name: format!("web-{index}"), ..PodInfo::default() };
    pod.wants.amounts = Amounts { cpu: 100, memory: 128 << 20, pods: 1, ..Amounts::default() };
    pod.wants.load = Load { cpu: 100, memory: 128 << 20 };
    pod
}

fn main() {
    println!("{:>7} {:>10} {:>8}", "nodes", "pods/s", "µs/pod");
    for nodes in [100, 500, 1000, 5000] {
        let (mut cluster, mut start) = (cluster(nodes), 0);
        let pods: Vec<_> = (0..PODS).map(|index| Arc::new(pod(index))).collect();
        let began = Instant::now();
        for (index, pod) in pods.into_iter().enumerate() {
            let outcome = schedule(Case::new(&pod, &cluster), Draw { random: (index as u64).wrapping_mul(0x9e37_79b9), start });
            start = outcome.next_start;
            if let Decision::Place(placement) = outcome.decision {
                let node = cluster.nodes.node(placement.row).info().name.clone();
                cluster.nodes.assume(pod, &node);
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        println!("{nodes:>7} {:>10.0} {:>8.1}", PODS as f64 / seconds, seconds * 1e6 / PODS as f64);
    }
}

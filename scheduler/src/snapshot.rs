//! The node table: one row per node, kept as parallel arrays that are updated by deltas, never rebuilt, and read by the
//! scheduling cycle. Knows nothing of queues, plugins or the API.
//!
//! A pod holds its node's resources from the moment the scheduler has decided ([`Snapshot::assume`]), while the binding is still
//! on its way; a failed binding gives them back ([`Snapshot::forget`]). Pods on nodes that are not known wait beside the table.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use crate::{
    amounts::{Amounts, Load},
    census::{Bond, Census, Counts, Domains, Need, Selection},
    node::NodeInfo,
    pod::{HostPort, PodInfo, Uid},
};

/// All nodes and what is taken of them.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    rows: HashMap<Arc<str>, usize>,
    nodes: Vec<NodeInfo>,
    requested: Vec<Amounts>,
    load: Vec<Load>,
    ports: Vec<Vec<HostPort>>,
    pods: Vec<Vec<Arc<PodInfo>>>,
    /// Which state of the table the row was last changed in; see `changes`.
    versions: Vec<u64>,
    /// How often any row was changed.
    changes: u64,
    census: Census,
    held: HashMap<Uid, Held>,
    /// Pods on nodes that are not known, by the node's name.
    homeless: HashMap<Arc<str>, Vec<Arc<PodInfo>>>,
}

/// A pod that holds resources, and where.
#[derive(Clone, Debug)]
pub struct Held {
    node: Arc<str>,
    pod: Arc<PodInfo>,
    assumed: bool,
}

impl Held {
    /// The pod.
    #[must_use]
    pub fn pod(&self) -> &Arc<PodInfo> {
        &self.pod
    }
}

/// A pod that held resources, and where.
#[derive(Clone, Debug)]
pub struct Gone {
    /// The name of the node.
    pub node: Arc<str>,
    /// What it was.
    pub pod: Arc<PodInfo>,
}

/// One row of the table.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    snapshot: &'a Snapshot,
    row: usize,
}

impl<'a> NodeRef<'a> {
    /// Which row it is.
    #[must_use]
    pub fn row(self) -> usize {
        self.row
    }

    /// A number that no other state of any row has. Whatever is counted in the row is the same where this is.
    #[must_use]
    pub fn version(self) -> u64 {
        self.snapshot.versions[self.row]
    }

    /// What the Node object says.
    #[must_use]
    pub fn info(self) -> &'a NodeInfo {
        &self.snapshot.nodes[self.row]
    }

    /// What its pods requested, and how many they are.
    #[must_use]
    pub fn requested(self) -> &'a Amounts {
        &self.snapshot.requested[self.row]
    }

    /// What its pods weigh when nodes are scored.
    #[must_use]
    pub fn load(self) -> Load {
        self.snapshot.load[self.row]
    }

    /// Host ports its pods have taken.
    #[must_use]
    pub fn ports(self) -> &'a [HostPort] {
        &self.snapshot.ports[self.row]
    }

    /// Its pods, assumed ones included.
    #[must_use]
    pub fn pods(self) -> &'a [Arc<PodInfo>] {
        &self.snapshot.pods[self.row]
    }
}

impl Snapshot {
    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node of a row below [`len`](Self::len).
    #[must_use]
    pub fn node(&self, row: usize) -> NodeRef<'_> {
        NodeRef { snapshot: self, row }
    }

    /// The node of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<NodeRef<'_>> {
        self.row_of(name).map(|row| self.node(row))
    }

    /// The row of the node of this name.
    #[must_use]
    pub fn row_of(&self, name: &str) -> Option<usize> {
        self.rows.get(name).copied()
    }

    /// The names of all nodes.
    pub fn node_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rows.keys()
    }

    /// The pods that hold resources.
    pub fn uids(&self) -> impl Iterator<Item = &Uid> {
        self.held.keys()
    }

    /// Whether the pod holds resources.
    #[must_use]
    pub fn holds(&self, uid: &Uid) -> bool {
        self.held.contains_key(uid)
    }

    /// The pod of this name that holds resources, and the node on which it does. It is looked for among all.
    #[must_use]
    pub fn pod_named(&self, namespace: &str, name: &str) -> Option<(&Arc<PodInfo>, &Arc<str>)> {
        let held = self.held.values().find(|held| held.pod.name == name && held.pod.namespace == namespace)?;
        Some((&held.pod, &held.node))
    }

    /// Whether the pod is known to be on this node, decided or confirmed, and as it is now.
    #[must_use]
    pub fn confirms(&self, pod: &PodInfo, node: &str) -> bool {
        self.held.get(&pod.uid).is_some_and(|held| *held.node == *node && held.pod.as_counted() == pod.as_counted())
    }

    /// How many pods of a sort each row has.
    #[must_use]
    pub fn counts(&self, selection: &Selection) -> Cow<'_, Counts> {
        self.census.counts(selection, &self.pods)
    }

    /// Which rows share the value of a label.
    #[must_use]
    pub fn domains(&self, key: &str) -> Cow<'_, Domains> {
        self.census.domains(key, &self.nodes)
    }

    /// What the pods on the nodes may demand of this one, and how many on each row demand it.
    pub fn bonds<'a>(&'a self, pod: &'a PodInfo) -> impl Iterator<Item = (&'a Bond, &'a Counts)> {
        self.census.bonds(pod)
    }

    /// How many nodes have an image.
    #[must_use]
    pub fn nodes_with_image(&self, image: &str) -> usize {
        self.census.nodes_with_image(image)
    }

    /// Keeps an answer ready that will be asked for again and again.
    pub fn keep(&mut self, need: Need) {
        self.census.keep(need, &self.nodes, &self.pods);
    }

    /// Adds or replaces a node. Says whether it is new, or may have become better or worse for a pod.
    pub fn apply_node(&mut self, node: NodeInfo) -> bool {
        if let Some(row) = self.row_of(&node.name) {
            let changed = !self.nodes[row].admits_like(&node);
            self.census.node(row, Some(&self.nodes[row]), &node);
            self.nodes[row] = node;
            self.touch(row);
            return changed;
        }
        let row = self.nodes.len();
        self.census.node(row, None, &node);
        self.rows.insert(node.name.clone(), row);
        let pods = self.homeless.remove(&node.name).unwrap_or_default();
        self.nodes.push(node);
        self.requested.push(Amounts::default());
        self.load.push(Load::default());
        self.ports.push(Vec::new());
        self.pods.push(Vec::new());
        self.versions.push(0);
        self.touch(row);
        for pod in pods {
            self.add_to_row(row, pod);
        }
        true
    }

    /// Removes a node; its pods wait for it to come back or to be deleted. Returns what it was, if it was known.
    pub fn remove_node(&mut self, name: &str) -> Option<NodeInfo> {
        let row = self.rows.remove(name)?;
        let last = self.nodes.len() - 1;
        self.pods[row].iter().for_each(|pod| self.census.remove(row, pod));
        if row != last {
            for pod in &self.pods[last] {
                self.census.remove(last, pod);
                self.census.add(row, pod);
            }
        }
        self.census.no_node(row, &self.nodes[row]);
        let node = self.nodes.swap_remove(row);
        self.requested.swap_remove(row);
        self.load.swap_remove(row);
        self.ports.swap_remove(row);
        let pods = self.pods.swap_remove(row);
        self.versions.swap_remove(row);
        if let Some(moved) = self.nodes.get(row) {
            self.rows.insert(moved.name.clone(), row);
        }
        if !pods.is_empty() {
            self.homeless.insert(node.name.clone(), pods);
        }
        Some(node)
    }

    /// Takes in what the API says: the pod is on this node. Confirms an assumption, or replaces it. Returns what it held before, if
    /// that was something else.
    pub fn place(&mut self, pod: Arc<PodInfo>, node: &Arc<str>) -> Option<Gone> {
        self.hold(pod, node, false)
    }

    /// Takes in what was decided: the pod will be on this node if the binding succeeds.
    pub fn assume(&mut self, pod: Arc<PodInfo>, node: &Arc<str>) {
        self.hold(pod, node, true);
    }

    /// Takes back an assumption. Returns what it was about, unless it has been confirmed or the pod is gone.
    pub fn forget(&mut self, uid: &Uid) -> Option<Gone> {
        if self.held.get(uid)?.assumed { self.remove_pod(uid) } else { None }
    }

    /// Removes a pod. Returns what it was, if it was on a node.
    pub fn remove_pod(&mut self, uid: &Uid) -> Option<Gone> {
        self.lift(uid).map(|Held { node, pod, .. }| Gone { node, pod })
    }

    /// Takes a pod away for a moment, to see what that would change.
    pub fn lift(&mut self, uid: &Uid) -> Option<Held> {
        let held = self.held.remove(uid)?;
        let Held { node, pod, .. } = &held;
        if let Some(row) = self.row_of(node) {
            self.take_from_row(row, pod);
        } else if let Some(pods) = self.homeless.get_mut(node) {
            pods.retain(|other| other.uid != *uid);
            if pods.is_empty() {
                self.homeless.remove(node);
            }
        }
        Some(held)
    }

    /// Puts back what was [lifted](Self::lift).
    pub fn put_back(&mut self, held: Held) {
        let Held { node, pod, .. } = &held;
        match self.row_of(node) {
            Some(row) => self.add_to_row(row, pod.clone()),
            None => self.homeless.entry(node.clone()).or_default().push(pod.clone()),
        }
        self.held.insert(pod.uid.clone(), held);
    }

    fn hold(&mut self, pod: Arc<PodInfo>, node: &Arc<str>, assumed: bool) -> Option<Gone> {
        if self.confirms(&pod, node) {
            self.refresh(pod, node, assumed);
            return None;
        }
        let before = self.remove_pod(&pod.uid);
        self.put_back(Held { node: node.clone(), pod, assumed });
        before
    }

    /// Takes in the new state of a pod that takes what it took before.
    fn refresh(&mut self, pod: Arc<PodInfo>, node: &Arc<str>, assumed: bool) {
        let pods = match self.row_of(node) {
            Some(row) => Some(&mut self.pods[row]),
            None => self.homeless.get_mut(node),
        };
        if let Some(before) = pods.and_then(|pods| pods.iter_mut().find(|other| other.uid == pod.uid)) {
            *before = pod.clone();
        }
        self.held.insert(pod.uid.clone(), Held { node: node.clone(), pod, assumed });
    }

    fn touch(&mut self, row: usize) {
        self.changes += 1;
        self.versions[row] = self.changes;
    }

    fn add_to_row(&mut self, row: usize, pod: Arc<PodInfo>) {
        self.touch(row);
        self.requested[row].add(&pod.wants.amounts);
        self.load[row] = self.load[row] + pod.wants.load;
        self.ports[row].extend(pod.wants.ports.iter().cloned());
        self.census.add(row, &pod);
        self.pods[row].push(pod);
    }

    fn take_from_row(&mut self, row: usize, pod: &PodInfo) {
        self.touch(row);
        self.requested[row].subtract(&pod.wants.amounts);
        self.load[row] = self.load[row] - pod.wants.load;
        self.census.remove(row, pod);
        let ports = &mut self.ports[row];
        for port in &pod.wants.ports {
            if let Some(at) = ports.iter().position(|taken| taken == port) {
                ports.swap_remove(at);
            }
        }
        let pods = &mut self.pods[row];
        if let Some(at) = pods.iter().position(|other| other.uid == pod.uid) {
            pods.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use mini_api::selector::Selector;

    use super::*;
    use crate::{
        census::{Demand, Namespaces, Term},
        pod::Wants,
        relations::Relations,
    };

    /// Its zone, and what images it has, depend on its size.
    fn node(name: usize, cpu: i64) -> NodeInfo {
        let mut node = NodeInfo { allocatable: Amounts { cpu, ..Amounts::default() }, ..NodeInfo::named(&format!("n{name}")) };
        if cpu > 0 {
            node.labels.insert("zone".into(), format!("z{}", cpu % 2));
            node.images.push((format!("image-{cpu}").into(), 1));
        }
        node
    }

    /// Selections that are asked about, of which the first is kept from the beginning and the second from some moment on.
    fn selections() -> [Selection; 3] {
        let labelled = |labels: &str, living| {
            let namespaces = Namespaces::These(vec!["default".into()]);
            Selection::Labelled { namespaces, labels: labels.parse().unwrap(), living }
        };
        [labelled("size=1", true), labelled("size in (0,1)", false), Selection::MadeBy("m1".into())]
    }

    fn pod(uid: usize, cpu: i64) -> Arc<PodInfo> {
        let port = HostPort { ip: "0.0.0.0".into(), protocol: "TCP".into(), port: uid as u16 };
        let amounts = Amounts { cpu, pods: 1, extended: vec![("x.y/z".into(), cpu + 1)], ..Amounts::default() };
        let mut wants = Wants { amounts, load: Load { cpu, memory: 1 }, ports: vec![port], ..Wants::default() };
        if cpu == 1 {
            let labels = format!("size={}", uid % 2).parse().unwrap();
            let term =
                Term { namespaces: vec!["default".into()], namespace_labels: Selector::nothing(), labels, topology_key: "zone".into() };
            wants.relations = Some(Box::new(Relations { bonds: vec![Bond { term, demand: Demand::Refuse }], spread: Vec::new() }));
        }
        Arc::new(PodInfo {
            uid: format!("u{uid}").into(),
            namespace: "default".into(),
            labels: [("size".to_owned(), cpu.to_string())].into(),
            made_by: Some(format!("m{cpu}").into()),
            terminating: uid == 5,
            wants,
            ..PodInfo::default()
        })
    }

    #[derive(Clone, Debug)]
    enum Step {
        Node(usize, i64),
        NoNode(usize),
        Place(usize, i64, usize),
        Assume(usize, i64, usize),
        Forget(usize),
        NoPod(usize),
        Lift(usize),
        Keep,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (nodes, pods, cpu) = (0..4_usize, 0..6_usize, 0..3_i64);
        prop_oneof![
            (nodes.clone(), cpu.clone()).prop_map(|(n, c)| Step::Node(n, c)),
            nodes.clone().prop_map(Step::NoNode),
            (pods.clone(), cpu.clone(), nodes.clone()).prop_map(|(p, c, n)| Step::Place(p, c, n)),
            (pods.clone(), cpu, nodes).prop_map(|(p, c, n)| Step::Assume(p, c, n)),
            pods.clone().prop_map(Step::Forget),
            pods.clone().prop_map(Step::Lift),
            pods.prop_map(Step::NoPod),
            Just(Step::Keep),
        ]
    }

    /// What the table should be, told from the whole truth.
    #[derive(Default)]
    struct Truth {
        nodes: BTreeMap<usize, i64>,
        pods: BTreeMap<usize, (i64, usize, bool)>,
    }

    impl Truth {
        fn play(&mut self, step: &Step) {
            match *step {
                Step::Node(n, cpu) => drop(self.nodes.insert(n, cpu)),
                Step::NoNode(n) => drop(self.nodes.remove(&n)),
                Step::Place(p, cpu, n) => drop(self.pods.insert(p, (cpu, n, false))),
                Step::Assume(p, cpu, n) => drop(self.pods.insert(p, (cpu, n, true))),
                Step::Forget(p) => {
                    if self.pods.get(&p).is_some_and(|(.., assumed)| *assumed) {
                        self.pods.remove(&p);
                    }
                }
                Step::NoPod(p) => drop(self.pods.remove(&p)),
                Step::Lift(_) | Step::Keep => {}
            }
        }

        fn rebuilt(&self) -> Snapshot {
            let mut snapshot = Snapshot::default();
            for (n, cpu) in &self.nodes {
                snapshot.apply_node(node(*n, *cpu));
            }
            for (p, (cpu, n, _)) in &self.pods {
                snapshot.place(pod(*p, *cpu), &format!("n{n}").into());
            }
            snapshot
        }
    }

    fn play(snapshot: &mut Snapshot, step: &Step) {
        let name = |n: usize| Arc::from(format!("n{n}"));
        match *step {
            Step::Node(n, cpu) => {
                snapshot.apply_node(node(n, cpu));
            }
            Step::NoNode(n) => {
                snapshot.remove_node(&name(n));
            }
            Step::Place(p, cpu, n) => drop(snapshot.place(pod(p, cpu), &name(n))),
            Step::Assume(p, cpu, n) => snapshot.assume(pod(p, cpu), &name(n)),
            Step::Forget(p) => drop(snapshot.forget(&pod(p, 0).uid)),
            Step::NoPod(p) => drop(snapshot.remove_pod(&pod(p, 0).uid)),
            Step::Lift(p) => snapshot.lift(&pod(p, 0).uid).map_or((), |held| snapshot.put_back(held)),
            Step::Keep => snapshot.keep(Need::Counts(selections()[1].clone())),
        }
    }

    /// The table without the order of rows and pods, which carries no meaning.
    fn meaning(snapshot: &Snapshot) -> impl PartialEq + std::fmt::Debug + use<> {
        let zones = snapshot.domains("zone");
        let asked = [pod(0, 0), pod(0, 1), pod(1, 1)];
        let rows: BTreeMap<_, _> = (0..snapshot.len())
            .map(|row| {
                let node = snapshot.node(row);
                assert_eq!(snapshot.row_of(&node.info().name), Some(row));
                let ports: BTreeSet<_> = node.ports().iter().cloned().collect();
                let pods: BTreeSet<_> = node.pods().iter().map(|pod| pod.uid.clone()).collect();
                let sums = format!("{:?} {:?} {:?}", node.info().allocatable, node.requested(), node.load());
                let counts = selections().map(|selection| snapshot.counts(&selection).of(row));
                let bonds = asked.each_ref().map(|pod| snapshot.bonds(pod).map(|(_, counts)| counts.of(row)).sum::<u32>());
                let neighbours: Vec<_> =
                    (0..snapshot.len()).filter(|other| zones.of(row).is_some() && zones.of(*other) == zones.of(row)).collect();
                let neighbours: BTreeSet<_> = neighbours.into_iter().map(|row| snapshot.node(row).info().name.clone()).collect();
                let images = [1, 2].map(|image| snapshot.nodes_with_image(&format!("image-{image}")));
                (node.info().name.clone(), (sums, ports, pods, counts, bonds, neighbours, images))
            })
            .collect();
        let homeless: BTreeMap<_, BTreeSet<_>> =
            snapshot.homeless.iter().map(|(name, pods)| (name.clone(), pods.iter().map(|pod| pod.uid.clone()).collect())).collect();
        let held: BTreeSet<_> = snapshot.uids().cloned().collect();
        (rows, homeless, held)
    }

    proptest! {
        #[test]
        fn incremental_equals_rebuilt(steps in prop::collection::vec(step(), 0..60)) {
            let (mut snapshot, mut truth) = (Snapshot::default(), Truth::default());
            snapshot.keep(Need::Counts(selections()[0].clone()));
            snapshot.keep(Need::Domains("zone".into()));
            for step in &steps {
                play(&mut snapshot, step);
                truth.play(step);
            }
            prop_assert_eq!(meaning(&snapshot), meaning(&truth.rebuilt()));
        }
    }

    #[test]
    fn a_confirmed_assumption_cannot_be_forgotten() {
        let mut snapshot = Snapshot::default();
        snapshot.apply_node(node(1, 5));
        snapshot.assume(pod(1, 2), &"n1".into());
        snapshot.place(pod(1, 2), &"n1".into());
        assert!(snapshot.forget(&"u1".into()).is_none());
        assert_eq!(snapshot.node(0).requested().cpu, 2);
    }

    #[test]
    fn an_adopted_pod_counts_for_who_adopted_it() {
        let mut snapshot = Snapshot::default();
        snapshot.apply_node(node(1, 5));
        snapshot.place(pod(1, 2), &"n1".into());
        snapshot.place(Arc::new(PodInfo { made_by: Some("new".into()), ..(*pod(1, 2)).clone() }), &"n1".into());
        let counted = ["m2", "new"].map(|maker| snapshot.counts(&Selection::MadeBy(maker.into())).of(0));
        assert_eq!(counted, [0, 1]);
        snapshot.remove_pod(&"u1".into());
        assert!(snapshot.counts(&Selection::MadeBy("new".into())).is_empty());
    }

    #[test]
    fn an_unchanged_node_is_no_news() {
        let mut snapshot = Snapshot::default();
        assert!(snapshot.apply_node(node(1, 5)));
        assert!(!snapshot.apply_node(node(1, 5)));
        assert!(snapshot.apply_node(node(1, 6)));
    }
}

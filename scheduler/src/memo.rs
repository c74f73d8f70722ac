//! What plugins said of nodes, for as long as it holds. Most pods want exactly what many others wanted before them, and a pod that
//! is placed changes one row: so most of what a cycle would ask has been answered already.
//!
//! Only answers that depend on nothing but the wants of the pod, the profile and the row itself are kept
//! ([`Basis::Row`](crate::framework::Basis)); a row that changes in any way gets a new version, and what was said of the old one
//! is forgotten by that. Must not know what plugins look at.

use crate::{
    framework::{Case, Refusal},
    pod::Wants,
    snapshot::NodeRef,
};

/// How many sorts of pods are remembered at once.
const SORTS: usize = 8;

/// What was said for the sorts of pods that were asked about last.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    /// The latest first.
    sorts: Vec<Sort>,
}

/// Pods that want the same, by the same profile.
#[derive(Clone, Debug)]
struct Sort {
    wants: Wants,
    profile: String,
    said: Said,
}

/// What was said of nodes for one sort of pods.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// By row: the plugin that refuses it first, and why.
    verdicts: Vec<Kept<Option<(usize, Refusal)>>>,
    /// By the place of the scorer, by row.
    scores: Vec<Vec<Kept<i64>>>,
}

/// An answer, and the version of the row it is about.
#[derive(Clone, Debug, Default)]
struct Kept<T> {
    version: u64,
    answer: T,
}

impl Memo {
    /// What was said for pods like this one. Nothing for the first of them: to keep answers for pods that have no like would cost more
    /// than to ask.
    pub(crate) fn of(&mut self, case: Case<'_>) -> Option<&mut Said> {
        let (wants, profile) = (&case.pod.wants, &case.profile.scheduler_name);
        match self.sorts.iter().position(|sort| sort.wants == *wants && sort.profile == *profile) {
            Some(at) => self.sorts[..=at].rotate_right(1),
            None => {
                self.sorts.truncate(SORTS - 1);
                let sort = Sort { wants: wants.clone(), profile: profile.clone(), said: Said::default() };
                self.sorts.insert(0, sort);
                return None;
            }
        }
        Some(&mut self.sorts[0].said)
    }
}

impl Said {
    /// The first refusal of a node by a filter that looks at nothing else, unless none refuses it.
    pub(crate) fn verdict(&mut self, node: NodeRef<'_>, ask: impl FnOnce() -> Option<(usize, Refusal)>) -> &Option<(usize, Refusal)> {
        kept(&mut self.verdicts, node, ask)
    }

    /// The score of a node by the scorer at this place.
    pub(crate) fn score(&mut self, place: usize, node: NodeRef<'_>, ask: impl FnOnce() -> i64) -> i64 {
        if place >= self.scores.len() {
            self.scores.resize_with(place + 1, Vec::new);
        }
        *kept(&mut self.scores[place], node, ask)
    }
}

/// The answer about a node as it is now.
fn kept<'k, T: Clone + Default>(answers: &'k mut Vec<Kept<T>>, node: NodeRef<'_>, ask: impl FnOnce() -> T) -> &'k T {
    if node.row() >= answers.len() {
        answers.resize(node.row() + 1, Kept::default());
    }
    let kept = &mut answers[node.row()];
    if kept.version != node.version() {
        *kept = Kept { version: node.version(), answer: ask() };
    }
    &kept.answer
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Taint;
    use mini_api::selector::Selector;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        amounts::{Amounts, Load},
        census::{Bond, Demand, Term},
        cluster::Cluster,
        cycle::{Claims, Decision, Draw, schedule, schedule_beside},
        framework::testing::{node, pod},
        node::NodeInfo,
        pod::{HostPort, PodInfo},
        relations::Relations,
    };

    #[derive(Clone, Debug)]
    enum Step {
        /// A node comes or changes: its number and what is special about it.
        Node(usize, usize),
        NoNode(usize),
        /// A pod of a sort wants a node.
        Schedule(usize),
        NoPod(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => (0..6_usize, 0..5_usize).prop_map(|(name, sort)| Step::Node(name, sort)),
            1 => (0..6_usize).prop_map(Step::NoNode),
            6 => (0..5_usize).prop_map(Step::Schedule),
            2 => (0..20_usize).prop_map(Step::NoPod),
        ]
    }

    fn some_node(name: usize, sort: usize) -> NodeInfo {
        let mut node = node(&format!("n{name}"));
        node.labels = [("disk".to_owned(), format!("d{}", sort % 2)), ("host".to_owned(), format!("n{name}"))].into();
        node.unschedulable = sort == 4;
        let effect = if sort == 2 { "NoSchedule" } else { "PreferNoSchedule" };
        if sort >= 2 {
            node.taints = vec![Taint { key: "k".into(), effect: effect.into(), ..Taint::default() }];
        }
        node
    }

    fn some_pod(number: usize, sort: usize) -> PodInfo {
        let mut pod = pod(&format!("p{number}"));
        pod.labels.insert("sort".into(), sort.to_string());
        let cpu = 700 + 100 * sort as i64;
        pod.wants.amounts = Amounts { cpu, memory: 1 << 30, pods: 1, ..Amounts::default() };
        pod.wants.load = Load { cpu, memory: 1 << 30 };
        match sort {
            1 => pod.wants.selector = [("disk".to_owned(), "d1".to_owned())].into(),
            2 => pod.wants.ports = vec![HostPort { ip: "0.0.0.0".into(), protocol: "TCP".into(), port: 80 }],
            3 => {
                let labels = "sort=3".parse().unwrap();
                let namespaces = vec!["default".to_owned()];
                let term = Term { namespaces, namespace_labels: Selector::nothing(), labels, topology_key: "host".into() };
                pod.wants.relations = Some(Box::new(Relations { bonds: vec![Bond { term, demand: Demand::Refuse }], spread: Vec::new() }));
            }
            _ => {}
        }
        pod
    }

    proptest! {
        #[test]
        fn the_choice_is_the_same_without_it(steps in prop::collection::vec(step(), 1..60), random: u64) {
            let (mut cluster, mut memo, mut pods) = (Cluster::default(), Memo::default(), Vec::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Node(name, sort) => drop(cluster.nodes.apply_node(some_node(name, sort))),
                    Step::NoNode(name) => drop(cluster.nodes.remove_node(&format!("n{name}"))),
                    Step::NoPod(at) => drop(pods.get(at).and_then(|uid| cluster.nodes.remove_pod(uid))),
                    Step::Schedule(sort) => {
                        let pod = some_pod(number, sort);
                        let (case, draw) = (Case::new(&pod, &cluster), Draw { random, start: number });
                        let with = schedule_beside(case, draw, &Claims::default(), &mut memo);
                        prop_assert_eq!(&with, &schedule(case, draw));
                        if let Decision::Place(placement) = with.decision {
                            let name = cluster.nodes.node(placement.row).info().name.clone();
                            pods.push(pod.uid.clone());
                            cluster.nodes.assume(Arc::new(pod), &name);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_asked_again_of_a_row_that_has_not_changed() {
        let (mut cluster, mut memo, pod) = (Cluster::default(), Memo::default(), some_pod(0, 0));
        cluster.nodes.apply_node(some_node(0, 0));
        let ask = |cluster: &Cluster, memo: &mut Memo| {
            let (node, mut asked) = (cluster.nodes.node(0), 0);
            if let Some(said) = memo.of(Case::new(&pod, cluster)) {
                said.score(1, node, || {
                    asked += 1;
                    7
                });
                said.verdict(node, || {
                    asked += 1;
                    None
                });
            }
            asked
        };
        assert_eq!([(); 3].map(|()| ask(&cluster, &mut memo)), [0, 2, 0], "the first of a sort is not remembered");
        cluster.nodes.assume(Arc::new(some_pod(1, 1)), &"n0".into());
        assert_eq!([(); 2].map(|()| ask(&cluster, &mut memo)), [2, 0]);
    }
}

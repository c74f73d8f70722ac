//! The choice itself, as a pure function: which node for this pod, or why none. Filter until enough nodes are found, score those,
//! take one of the best. Time does not matter here, and chance is an argument.

use std::collections::HashMap;

use crate::{
    diagnosis::Diagnosis,
    framework::{Basis, Case, Filter, Reason, Refusal},
    memo::{Memo, Said},
    plugins::PLUGINS,
    snapshot::NodeRef,
};

/// Clusters up to this size are searched entirely; larger ones until at least this many nodes would do.
const ENOUGH_NODES: usize = 100;

/// What the outcome depends on besides the cluster and the pod.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draw {
    /// Random bits, to choose among equally good nodes.
    pub random: u64,
    /// The row at which to begin, so that all nodes get their turn in clusters that are not searched entirely.
    pub start: usize,
}

/// What came out of one cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where the pod goes.
    pub decision: Decision,
    /// What the filters said.
    pub search: Search,
    /// What the scores said; nothing where there was no choice.
    pub scores: Scores,
}

/// Where a pod goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To this node.
    Place(Placement),
    /// Nowhere, for now.
    Refuse(Diagnosis),
}

/// A node that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its row.
    pub row: usize,
    /// Its weighted score; 0 when it was the only one.
    pub score: i64,
    /// How many nodes would have done.
    pub feasible: usize,
    /// How many nodes were looked at.
    pub evaluated: usize,
}

/// Nodes that are refused because of pods that are nominated to them: by row, the plugin that refuses it, and why.
pub type Claims = HashMap<usize, (usize, Refusal)>;

/// Chooses a node for a pod.
#[must_use]
pub fn schedule(case: Case<'_>, draw: Draw) -> Outcome {
    schedule_beside(case, draw, &Claims::default(), &mut Memo::default())
}

/// Chooses a node for a pod, but none of those that others claim. What the memo knows already is not asked again; the choice is the
/// same without it.
#[must_use]
pub fn schedule_beside(case: Case<'_>, draw: Draw, claims: &Claims, memo: &mut Memo) -> Outcome {
    let wanted = feasible_nodes_to_find(case.cluster.nodes.len(), case.profile.percentage_of_nodes_to_score);
    let mut said = memo.of(case);
    let search = Search::run(case, draw.start, wanted, claims, said.as_deref_mut());
    if search.feasible.is_empty() {
        return Outcome { decision: Decision::Refuse(search.diagnose(case)), search, scores: Scores::default() };
    }
    let (mut row, mut score, mut scores) = (search.feasible[0], 0, Scores::default());
    if search.feasible.len() > 1 {
        scores = Scores::of(case, &search.feasible, said);
        (row, score) = best(&search.feasible, &scores.totals, draw.random);
    }
    let (feasible, evaluated) = (search.feasible.len(), search.feasible.len() + search.refused.len());
    Outcome { decision: Decision::Place(Placement { row, score, feasible, evaluated }), search, scores }
}

/// Whether one node would do.
///
/// # Errors
/// The place of the first plugin that refuses it, and why.
pub fn look(case: Case<'_>, row: usize) -> Result<(), (usize, Refusal)> {
    let node = case.cluster.nodes.node(row);
    for index in &case.profile.filters {
        PLUGINS[*index].filter(case).look(node).map_err(|refusal| (*index, refusal))?;
    }
    Ok(())
}

/// The first half of a cycle: who would do, and who refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The rows that would do.
    pub feasible: Vec<usize>,
    /// Row, plugin, and why.
    pub refused: Vec<(usize, usize, Refusal)>,
    /// The plugin that refused all nodes at once, and why.
    pub refused_all: Option<(usize, Refusal)>,
    /// The plugin that confined the search to nodes the pod names.
    pub narrowed_by: Option<usize>,
    /// The row at which the next cycle should begin.
    pub next_start: usize,
}

impl Search {
    /// Looks at the nodes from row `start` on, until so many would do that nobody claims.
    #[must_use]
    pub fn run(case: Case<'_>, start: usize, wanted: usize, claims: &Claims, mut said: Option<&mut Said>) -> Self {
        let mut search = Self { next_start: start, ..Self::default() };
        let mut filters = Vec::with_capacity(PLUGINS.len());
        for index in &case.profile.filters {
            match PLUGINS[*index].filter(case) {
                Filter::Nothing => {}
                Filter::All(refusal) => {
                    search.refused_all = Some((*index, refusal));
                    return search;
                }
                filter => filters.push((*index, filter)),
            }
        }
        let table = &case.cluster.nodes;
        let narrow = filters.iter().find_map(|(index, filter)| match filter {
            Filter::Among(names, _) => Some((*index, names)),
            _ => None,
        });
        if let Some((index, names)) = narrow {
            search.narrowed_by = Some(index);
            for row in names.iter().filter_map(|name| table.row_of(name)) {
                search.look_at(case, &filters, claims, row, None);
            }
            return search;
        }
        let nodes = table.len();
        if nodes == 0 {
            return search;
        }
        let start = start % nodes;
        let mut looked_at = 0;
        for row in (start..nodes).chain(0..start) {
            search.look_at(case, &filters, claims, row, said.as_deref_mut());
            looked_at += 1;
            if search.feasible.len() == wanted {
                break;
            }
        }
        search.next_start = (start + looked_at) % nodes;
        search
    }

    fn look_at(&mut self, case: Case<'_>, filters: &[(usize, Filter<'_>)], claims: &Claims, row: usize, said: Option<&mut Said>) {
        if let Some((index, refusal)) = claims.get(&row) {
            self.refused.push((row, *index, refusal.clone()));
            return;
        }
        let node = case.cluster.nodes.node(row);
        let refusal = match said {
            Some(said) => {
                let own = said.verdict(node, || first(filters.iter().filter(|(_, filter)| filter.is_of_row()), node));
                // Whoever comes before the one that is known to refuse may refuse as well, and is the one to be told of.
                let before = filters.iter().take_while(|(index, _)| own.as_ref().is_none_or(|(refusing, _)| refusing != index));
                first(before.filter(|(_, filter)| !filter.is_of_row()), node).or_else(|| own.clone())
            }
            None => first(filters.iter(), node),
        };
        match refusal {
            Some((index, refusal)) => self.refused.push((row, index, refusal)),
            None => self.feasible.push(row),
        }
    }

    /// Puts the refusals of all nodes into words.
    #[must_use]
    pub fn diagnose(&self, case: Case<'_>) -> Diagnosis {
        let nodes = case.cluster.nodes.len();
        let mut diagnosis = Diagnosis { nodes, ..Diagnosis::default() };
        for (row, index, refusal) in &self.refused {
            diagnosis.refused_by.insert(*index);
            refusal.reasons.iter().for_each(|reason| diagnosis.reasons.add(reason, 1));
            if refusal.resolvable {
                diagnosis.resolvable.push(*row);
            }
        }
        if let Some((index, refusal)) = &self.refused_all {
            diagnosis.refused_by.insert(*index);
            if refusal.resolvable {
                diagnosis.resolvable = (0..nodes).collect();
            }
            diagnosis.of_all = Some(refusal.reasons.join(", "));
        }
        if let Some(index) = self.narrowed_by {
            diagnosis.refused_by.insert(index);
            diagnosis.reasons.add(&beyond(index), nodes - self.refused.len());
        }
        diagnosis
    }
}

/// The first of these filters that refuses a node, by its plugin, and why.
fn first<'f, 'c: 'f>(mut filters: impl Iterator<Item = &'f (usize, Filter<'c>)>, node: NodeRef<'_>) -> Option<(usize, Refusal)> {
    filters.find_map(|(index, filter)| filter.look(node).err().map(|refusal| (*index, refusal)))
}

/// What is said of the nodes beyond those to which this plugin confined the search.
pub(crate) fn beyond(plugin: usize) -> Reason {
    format!("node(s) didn't satisfy plugin(s) [{}]", PLUGINS[plugin].name()).into()
}

/// Where no percentage is given, upstream's adaptive sampling: of 100 nodes all, of 500 46 %, of 5,000 10 %, never less than 5 % or
/// 100 nodes.
fn feasible_nodes_to_find(nodes: usize, percentage: usize) -> usize {
    if nodes < ENOUGH_NODES {
        return nodes;
    }
    let percentage = if percentage == 0 { 50_usize.saturating_sub(nodes / 125).max(5) } else { percentage };
    (nodes * percentage / 100).max(ENOUGH_NODES)
}

/// The second half of a cycle: how good the nodes are that would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// What each plugin said that could tell the nodes apart.
    pub columns: Vec<Column>,
    /// The weighted sums, in the order of the rows.
    pub totals: Vec<i64>,
}

/// What one plugin said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its place in the list.
    pub plugin: usize,
    /// How much it counts.
    pub weight: i64,
    /// Its scores, not weighted, in the order of the rows.
    pub scores: Vec<i64>,
}

impl Scores {
    /// The scores of these rows.
    #[must_use]
    pub fn of(case: Case<'_>, rows: &[usize], mut said: Option<&mut Said>) -> Self {
        let mut all = Self { columns: Vec::new(), totals: vec![0; rows.len()] };
        for (place, (index, weight)) in case.profile.scorers.iter().enumerate() {
            let Some(score) = PLUGINS[*index].score(case, rows) else { continue };
            let nodes = rows.iter().map(|row| case.cluster.nodes.node(*row));
            let mut scores: Vec<i64> = match said.as_deref_mut().filter(|_| score.basis == Basis::Row) {
                Some(said) => nodes.map(|node| said.score(place, node, || (score.look)(node))).collect(),
                None => nodes.map(&score.look).collect(),
            };
            (score.normalize)(&mut scores);
            all.totals.iter_mut().zip(&scores).for_each(|(total, score)| *total += weight * score);
            all.columns.push(Column { plugin: *index, weight: *weight, scores });
        }
        all
    }
}

/// One of the rows with the highest score, and that score.
fn best(rows: &[usize], totals: &[i64], random: u64) -> (usize, i64) {
    let highest = totals.iter().copied().max().unwrap_or(0);
    let ties = || rows.iter().zip(totals).filter(|(_, total)| **total == highest);
    let nth = random % ties().count().max(1) as u64;
    (ties().nth(nth as usize).map_or(rows[0], |(row, _)| *row), highest)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};
    use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, Taint};

    use super::*;
    use crate::{
        amounts::Load,
        cluster::Cluster,
        framework::testing::{node, pod},
        node::NodeInfo,
        pod::PodInfo,
        preempt,
        profile::Profile,
    };

    /// One cycle in a cluster.
    fn schedule(cluster: &Cluster, pod: &PodInfo, draw: Draw) -> Outcome {
        super::schedule(Case::new(pod, cluster), draw)
    }

    /// The recorded cluster: three nodes and a tainted one.
    fn four() -> Cluster {
        let mut cluster = Cluster::default();
        for name in ["node-0000", "node-0001", "node-0002"] {
            cluster.nodes.apply_node(node(name));
        }
        let taints = vec![Taint { key: "k".into(), effect: "NoSchedule".into(), ..Taint::default() }];
        cluster.nodes.apply_node(NodeInfo { taints, ..node("tainted") });
        cluster
    }

    fn wanting(name: &str, cpu: i64) -> PodInfo {
        let mut pod = pod(name);
        pod.wants.amounts.cpu = cpu;
        pod.wants.load = Load { cpu, memory: 0 };
        pod
    }

    fn on_node(name: &str) -> PodInfo {
        let field = NodeSelectorRequirement { key: "metadata.name".into(), operator: "In".into(), values: Some(vec![name.into()]) };
        let mut pod = pod("p");
        pod.wants.required = Some(vec![NodeSelectorTerm { match_fields: Some(vec![field]), match_expressions: None }]);
        pod
    }

    fn refused(cluster: &Cluster, pod: &PodInfo, want: Expect) {
        match schedule(cluster, pod, Draw::default()).decision {
            Decision::Refuse(mut diagnosis) => {
                preempt::preempt(&mut cluster.clone(), pod, Profile::standard(), &mut diagnosis, 0);
                want.assert_eq(&diagnosis.to_string());
            }
            Decision::Place(placement) => panic!("placed: {placement:?}"),
        }
    }

    fn placed(outcome: Outcome) -> Placement {
        match outcome.decision {
            Decision::Place(placement) => placement,
            Decision::Refuse(diagnosis) => panic!("{diagnosis}"),
        }
    }

    #[test]
    fn texts_as_recorded() {
        let mut nowhere = pod("nowhere");
        nowhere.wants.selector = [("a".into(), "b".into())].into();
        refused(
            &four(),
            &nowhere,
            expect![
                "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
            ],
        );
        let mut huge = wanting("huge", 1_000_000);
        huge.wants.amounts.memory = i64::MAX / 2;
        refused(
            &four(),
            &huge,
            expect![
                "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 Insufficient cpu, 3 Insufficient memory. no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
            ],
        );
        refused(
            &four(),
            &on_node("tainted"),
            expect![
                "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 node(s) didn't satisfy plugin(s) [NodeAffinity]. no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
            ],
        );
        let mut full = four();
        full.nodes.apply_node(NodeInfo::named("tainted"));
        refused(
            &full,
            &on_node("tainted"),
            expect![
                "0/4 nodes are available: 1 Too many pods, 3 node(s) didn't satisfy plugin(s) [NodeAffinity]. no new claims to deallocate, preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling."
            ],
        );
    }

    #[test]
    fn no_nodes() {
        refused(&Cluster::default(), &pod("p"), expect!["no nodes available to schedule pods"]);
        refused(&Cluster::default(), &on_node("n"), expect!["no nodes available to schedule pods"]);
    }

    #[test]
    fn a_pod_that_names_its_node_gets_it() {
        let placement = placed(schedule(&four(), &on_node("node-0001"), Draw { random: 0, start: 2 }));
        assert_eq!((placement.row, placement.evaluated), (1, 1));
    }

    #[test]
    fn small_pods_spread_over_big_nodes() {
        let mut cluster = Cluster::default();
        for name in ["a", "b", "c"] {
            let mut big = node(name);
            big.allocatable.cpu = 256_000;
            big.allocatable.memory = 4 << 40;
            cluster.nodes.apply_node(big);
        }
        for round in 0..6_u64 {
            let mut pod = pod(&round.to_string());
            pod.wants.load = Load { cpu: 100, memory: 200 << 20 };
            let placement = placed(schedule(&cluster, &pod, Draw { random: round * 7, start: 0 }));
            let name = cluster.nodes.node(placement.row).info().name.clone();
            cluster.nodes.assume(Arc::new(pod), &name);
        }
        assert!((0..3).all(|row| cluster.nodes.node(row).pods().len() == 2));
    }

    #[test]
    fn ties_are_broken_by_chance() {
        let rows: Vec<_> = (0..6).map(|random| placed(schedule(&four(), &pod("p"), Draw { random, start: 0 })).row).collect();
        assert_eq!(rows, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn big_clusters_are_sampled_in_turn() {
        for (nodes, want) in [(5, 5), (99, 99), (100, 100), (500, 230), (1000, 420), (5000, 500), (20_000, 1000)] {
            assert_eq!(feasible_nodes_to_find(nodes, 0), want);
        }
        for (percentage, want) in [(1, 100), (20, 200), (100, 1000)] {
            assert_eq!(feasible_nodes_to_find(1000, percentage), want);
        }
        let mut cluster = Cluster::default();
        for index in 0..500 {
            cluster.nodes.apply_node(node(&format!("n{index}")));
        }
        let first = schedule(&cluster, &pod("p"), Draw::default());
        assert_eq!(first.search.next_start, 230);
        let later = schedule(&cluster, &pod("p"), Draw { random: 0, start: 460 });
        assert_eq!(later.search.next_start, 190);
        assert_eq!(placed(later).feasible, 230);
    }
}

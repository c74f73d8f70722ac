//! What one cycle came to, told by names instead of rows, so that it can be kept when the node table has moved on. Kept whole it
//! is an explanation; kept in part it is small enough to be remembered for every pod.

use std::{cmp::Reverse, mem::size_of, sync::Arc};

use crate::{
    cluster::Cluster,
    cycle::{Scores, Search, beyond},
    framework::{Reason, Refusal},
};

/// How much of a cycle is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// So many of the best nodes.
    pub candidates: usize,
    /// The names of so many nodes for each way in which nodes were refused.
    pub names: usize,
}

impl Extent {
    /// Everything.
    pub const WHOLE: Self = Self { candidates: usize::MAX, names: usize::MAX };
    /// What is remembered of each pod that was placed: some hundred bytes.
    pub const KEPT: Self = Self { candidates: 8, names: 8 };
}

/// What one cycle came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How many nodes there were.
    pub nodes: usize,
    /// How many would have done.
    pub feasible: usize,
    /// The plugins that could tell them apart, and their weights.
    pub plugins: Vec<(usize, i64)>,
    /// The best of them, best first.
    pub best: Vec<Candidate>,
    /// The nodes that were refused, by how.
    pub refused: Vec<Refused>,
}

/// A node that would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub node: Arc<str>,
    /// Its weighted score.
    pub total: i64,
    /// What each of the plugins adds to that.
    pub scores: Box<[i64]>,
}

/// Nodes that were refused by one plugin in the same words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The plugin's place in the list.
    pub plugin: usize,
    /// What it said.
    pub refusal: Refusal,
    /// How many nodes they are.
    pub count: usize,
    /// Their names, or some of them.
    pub nodes: Vec<Arc<str>>,
}

impl Account {
    /// Tells of a search, of the scores of what it found, and of the row that was chosen, if one was.
    #[must_use]
    pub fn of(cluster: &Cluster, search: &Search, scores: &Scores, chosen: Option<usize>, extent: Extent) -> Self {
        let mut account = Self {
            nodes: cluster.nodes.len(),
            feasible: search.feasible.len(),
            plugins: scores.columns.iter().map(|column| (column.plugin, column.weight)).collect(),
            best: best(cluster, search, scores, chosen, extent.candidates),
            refused: Vec::new(),
        };
        let name = |row: usize| &cluster.nodes.node(row).info().name;
        for (row, plugin, refusal) in &search.refused {
            account.refuse(*plugin, refusal, name(*row), extent);
        }
        let all = search.refused_all.iter().map(|(plugin, refusal)| (*plugin, refusal.clone()));
        let others = search.narrowed_by.map(|plugin| (plugin, Refusal::unresolvable(beyond(plugin))));
        for (plugin, refusal) in all.chain(others) {
            let count = account.nodes - search.feasible.len() - search.refused.len();
            let looked_at = |row: &usize| search.feasible.contains(row) || search.refused.iter().any(|(refused, ..)| refused == row);
            let nodes = (0..account.nodes).filter(|row| !looked_at(row)).take(extent.names).map(|row| name(row).clone()).collect();
            account.refused.extend((count > 0).then_some(Refused { plugin, refusal, count, nodes }));
        }
        account
    }

    fn refuse(&mut self, plugin: usize, refusal: &Refusal, node: &Arc<str>, extent: Extent) {
        // What was said last is most likely said again.
        let at = self.refused.iter().rposition(|group| group.plugin == plugin && group.refusal == *refusal);
        let at = at.unwrap_or_else(|| {
            self.refused.push(Refused { plugin, refusal: refusal.clone(), count: 0, nodes: Vec::new() });
            self.refused.len() - 1
        });
        let group = &mut self.refused[at];
        group.count += 1;
        if group.nodes.len() < extent.names {
            group.nodes.push(node.clone());
        }
    }

    /// How many nodes were looked at, or ruled out all at once.
    #[must_use]
    pub fn evaluated(&self) -> usize {
        self.feasible + self.refused.iter().map(|group| group.count).sum::<usize>()
    }

    /// About how many bytes it takes, besides names that others hold as well.
    #[must_use]
    pub fn size(&self) -> usize {
        let best: usize = self.best.iter().map(|candidate| size_of::<Candidate>() + size_of_val(&*candidate.scores)).sum();
        let refused = |group: &Refused| {
            let words = group.refusal.reasons.iter().map(|reason| size_of::<Reason>() + reason.len()).sum::<usize>();
            size_of::<Refused>() + group.nodes.len() * size_of::<Arc<str>>() + words
        };
        size_of::<Self>() + self.plugins.len() * size_of::<(usize, i64)>() + best + self.refused.iter().map(refused).sum::<usize>()
    }
}

/// The best rows: the chosen one, then by score, then by name.
fn best(cluster: &Cluster, search: &Search, scores: &Scores, chosen: Option<usize>, most: usize) -> Vec<Candidate> {
    let total = |at: usize| scores.totals.get(at).copied().unwrap_or(0);
    let rank = |at: &usize| (chosen != Some(search.feasible[*at]), Reverse(total(*at)));
    let name = |at: usize| &cluster.nodes.node(search.feasible[at]).info().name;
    let mut order: Vec<usize> = (0..search.feasible.len()).collect();
    if order.len() > most {
        order.select_nth_unstable_by_key(most, rank);
        order.truncate(most);
    }
    order.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| name(*one).cmp(name(*other))));
    let candidate = |at: usize| Candidate {
        node: name(at).clone(),
        total: total(at),
        scores: scores.columns.iter().map(|column| column.weight * column.scores[at]).collect(),
    };
    order.into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cycle::Column,
        framework::testing::{cluster, node},
    };

    fn nodes(count: usize) -> Cluster {
        let mut cluster = cluster(node("n0"), []);
        for index in 1..count {
            cluster.nodes.apply_node(node(&format!("n{index}")));
        }
        cluster
    }

    #[test]
    fn the_best_are_kept_and_the_chosen_one_leads() {
        let search = Search { feasible: vec![0, 1, 2, 3], ..Search::default() };
        let scores = Scores { columns: vec![Column { plugin: 5, weight: 2, scores: vec![1, 9, 9, 4] }], totals: vec![2, 18, 18, 8] };
        let account = Account::of(&nodes(4), &search, &scores, Some(2), Extent { candidates: 3, names: 0 });
        let best: Vec<_> = account.best.iter().map(|candidate| (&*candidate.node, candidate.total, candidate.scores[0])).collect();
        assert_eq!(best, [("n2", 18, 18), ("n1", 18, 18), ("n3", 8, 8)]);
        assert_eq!((account.feasible, account.plugins.as_slice()), (4, &[(5, 2)][..]));
    }

    #[test]
    fn refusals_are_told_together_and_only_some_by_name() {
        let full = || Refusal::resolvable("Insufficient cpu");
        let search = Search { refused: vec![(0, 5, full()), (1, 0, Refusal::unresolvable("no")), (2, 5, full())], ..Search::default() };
        let account = Account::of(&nodes(3), &search, &Scores::default(), None, Extent { candidates: 0, names: 1 });
        let told: Vec<_> = account.refused.iter().map(|group| (group.plugin, group.count, group.nodes.len())).collect();
        assert_eq!((told, account.evaluated()), (vec![(5, 2, 1), (0, 1, 1)], 3));
    }

    #[test]
    fn nodes_that_nobody_looked_at_are_refused_by_who_narrowed_the_search() {
        let search = Search { feasible: vec![1], narrowed_by: Some(3), ..Search::default() };
        let account = Account::of(&nodes(3), &search, &Scores::default(), Some(1), Extent::WHOLE);
        assert_eq!(
            (account.refused[0].count, account.refused[0].refusal.reasons.join("")),
            (2, "node(s) didn't satisfy plugin(s) [NodeAffinity]".into())
        );
    }
}

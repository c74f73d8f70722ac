//! Topology: which rows of the node table share the value of a label, as numbers instead of texts.

use std::collections::{HashMap, HashSet};

use super::Counts;
use crate::node::NodeInfo;

/// The rows by the value of one label. Values are numbered from 1; 0 stands for a node without the label.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    ids: HashMap<String, u32>,
    of_row: Vec<u32>,
}

impl Domains {
    /// Of all these nodes, by this label.
    #[must_use]
    pub fn new(key: &str, nodes: &[NodeInfo]) -> Self {
        let mut domains = Self::default();
        for (row, node) in nodes.iter().enumerate() {
            domains.set(row, node.labels.get(key));
        }
        domains
    }

    /// One more than the highest number of a domain.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() + 1
    }

    /// Whether no node was ever known to have the label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The domain of a row; nothing when its node does not have the label.
    #[must_use]
    pub fn of(&self, row: usize) -> Option<usize> {
        self.of_row.get(row).filter(|id| **id > 0).map(|id| *id as usize)
    }

    /// How many are counted in each domain, of those rows that count.
    #[must_use]
    pub fn sums(&self, counts: &Counts, row_counts: impl Fn(usize) -> bool) -> Vec<u32> {
        let mut sums = vec![0; self.len()];
        for (row, count) in counts.iter() {
            if let Some(domain) = self.of(row).filter(|_| row_counts(row)) {
                sums[domain] += count;
            }
        }
        sums
    }

    /// A row is new, as the last one, or its label may have changed.
    pub(super) fn set(&mut self, row: usize, value: Option<&String>) {
        let id = value.map_or(0, |value| match self.ids.get(value) {
            Some(id) => *id,
            None => {
                let id = self.ids.len() as u32 + 1;
                self.ids.insert(value.clone(), id);
                id
            }
        });
        match self.of_row.get_mut(row) {
            Some(before) => *before = id,
            None => self.of_row.push(id),
        }
        // Values of nodes that are gone stay numbered, until they are most of them.
        if self.ids.len() > 2 * self.of_row.len() + 64 {
            self.number_again();
        }
    }

    /// The last row takes the place of a row that is gone.
    pub(super) fn swap_remove(&mut self, row: usize) {
        self.of_row.swap_remove(row);
    }

    fn number_again(&mut self) {
        let used: HashSet<u32> = self.of_row.iter().copied().collect();
        self.ids.retain(|_, id| used.contains(id));
        let mut new = HashMap::from([(0, 0)]);
        for (index, id) in self.ids.values_mut().enumerate() {
            new.insert(std::mem::replace(id, index as u32 + 1), index as u32 + 1);
        }
        self.of_row.iter_mut().for_each(|id| *id = new[id]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_one_value_are_one_domain() {
        let node = |zone: &str| NodeInfo { labels: [("zone".to_owned(), zone.to_owned())].into(), ..NodeInfo::default() };
        let domains = Domains::new("zone", &[node("a"), node("b"), NodeInfo::default(), node("a")]);
        assert_eq!([0, 1, 2, 3, 9].map(|row| domains.of(row)), [Some(1), Some(2), None, Some(1), None]);
        let mut counts = Counts::default();
        [0, 1, 2, 3, 3].into_iter().for_each(|row| counts.add(row));
        assert_eq!(domains.sums(&counts, |_| true), [0, 3, 1]);
        assert_eq!(domains.sums(&counts, |row| row != 3), [0, 1, 1]);
    }

    #[test]
    fn forgotten_values_do_not_pile_up() {
        let mut domains = Domains::default();
        domains.set(0, Some(&"first".to_owned()));
        for index in 0..1000 {
            domains.set(1, Some(&index.to_string()));
        }
        assert!(domains.len() < 80);
        assert!(domains.of(0).is_some() && domains.of(0) != domains.of(1));
        domains.set(1, Some(&"first".to_owned()));
        assert_eq!(domains.of(0), domains.of(1));
    }
}

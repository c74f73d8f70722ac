//! Amounts of what a node has and a pod wants, as plain integers: quantities are parsed once, when an object arrives, and
//! never in the scheduling cycle. Knows nothing of pods or nodes.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use mini_api::quantity::{self, Quantity};

/// What upstream lets a container without a cpu request weigh when nodes are scored, in thousandths of a cpu.
pub const DEFAULT_CPU: i64 = 100;
/// What upstream lets a container without a memory request weigh when nodes are scored, in bytes.
pub const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// A row of the node table's arithmetic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Thousandths of a cpu.
    pub cpu: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of local scratch space.
    pub ephemeral_storage: i64,
    /// Pods: how many a node may hold, holds, or (for a pod) one.
    pub pods: i64,
    /// Everything else (GPUs, huge pages, …) that is not zero, by name, in units.
    pub extended: Vec<(Arc<str>, i64)>,
}

impl Amounts {
    /// Of a resource list as objects carry it. What cannot be parsed counts as nothing.
    #[must_use]
    pub fn of_list(list: &BTreeMap<String, Text>) -> Self {
        list.iter().map(|(name, text)| (name.as_str(), quantity::of(text))).collect()
    }

    /// How much there is of an extended resource.
    #[must_use]
    pub fn of_extended(&self, name: &str) -> i64 {
        self.extended.iter().find(|(known, _)| **known == *name).map_or(0, |(_, amount)| *amount)
    }

    /// Adds another row to this one.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, 1);
    }

    /// Takes another row, which was added before, from this one.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, -1);
    }

    fn combine(&mut self, other: &Self, sign: i64) {
        self.cpu += sign * other.cpu;
        self.memory += sign * other.memory;
        self.ephemeral_storage += sign * other.ephemeral_storage;
        self.pods += sign * other.pods;
        for (name, amount) in &other.extended {
            match self.extended.binary_search_by(|(known, _)| known.cmp(name)) {
                Ok(at) => {
                    self.extended[at].1 += sign * amount;
                    if self.extended[at].1 == 0 {
                        self.extended.remove(at);
                    }
                }
                Err(at) => self.extended.insert(at, (name.clone(), sign * amount)),
            }
        }
    }
}

impl<'a> FromIterator<(&'a str, Quantity)> for Amounts {
    fn from_iter<I: IntoIterator<Item = (&'a str, Quantity)>>(quantities: I) -> Self {
        let mut amounts = Self::default();
        for (name, quantity) in quantities {
            match name {
                "cpu" => amounts.cpu = i64::try_from(quantity.milli()).unwrap_or(i64::MAX),
                "memory" => amounts.memory = quantity.value(),
                "ephemeral-storage" => amounts.ephemeral_storage = quantity.value(),
                "pods" => amounts.pods = quantity.value(),
                _ if quantity.is_zero() => {}
                _ => amounts.extended.push((name.into(), quantity.value())),
            }
        }
        amounts.extended.sort_unstable();
        amounts
    }
}

/// What a pod weighs when nodes are scored: its requests, or upstream's defaults where it has none, so that pods without
/// requests are spread as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Thousandths of a cpu.
    pub cpu: i64,
    /// Bytes of memory.
    pub memory: i64,
}

impl std::ops::Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory }
    }
}

impl std::ops::Sub for Load {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { cpu: self.cpu - other.cpu, memory: self.memory - other.memory }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(list: &[(&str, &str)]) -> Amounts {
        Amounts::of_list(&list.iter().map(|(name, text)| ((*name).to_owned(), Text((*text).to_owned()))).collect())
    }

    #[test]
    fn quantities_become_integers() {
        let amounts = list(&[
            ("cpu", "1500m"),
            ("memory", "2Gi"),
            ("pods", "110"),
            ("nvidia.com/gpu", "2"),
            ("a.b/c", "0"),
            ("ephemeral-storage", "1k"),
        ]);
        assert_eq!((amounts.cpu, amounts.memory, amounts.pods, amounts.ephemeral_storage), (1500, 2 << 30, 110, 1000));
        assert_eq!(amounts.extended, [("nvidia.com/gpu".into(), 2)]);
    }

    #[test]
    fn what_was_added_can_be_taken_away_without_a_trace() {
        let mut sum = list(&[("cpu", "1"), ("x.y/b", "1")]);
        let before = sum.clone();
        let other = list(&[("cpu", "250m"), ("x.y/a", "3"), ("x.y/b", "4")]);
        sum.add(&other);
        assert_eq!((sum.cpu, sum.of_extended("x.y/a"), sum.of_extended("x.y/b")), (1250, 3, 5));
        sum.subtract(&other);
        assert_eq!(sum, before);
    }
}

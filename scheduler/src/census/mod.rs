//! How many pods of which sort each row of the node table has, kept by deltas as pods and nodes come and go, so that a decision
//! never has to walk over all pods. Three things are counted:
//!
//! - the pods of a [`Selection`] that some plugin has asked about: counted once, then kept until it has not been asked about for
//!   long. What is not kept is counted on the spot, so that asking changes only how long an answer takes;
//! - the pods that one controller made, always: nearly every pod is asked about its siblings;
//! - the [`Bond`]s of the pods that are there: what they demand of pods that come near them. Pods made from one template demand
//!   the same, so there are few.

mod counts;
mod domains;
mod index;
mod selection;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use mini_api::selector::Selector;

use self::index::{AboutPods, Index};
pub use self::{
    counts::Counts,
    domains::Domains,
    selection::{Namespaces, Selection, Term},
};
use crate::{
    node::NodeInfo,
    pod::{PodInfo, Uid},
};

/// How many selections are kept. Beyond that, the one that was not asked about for longest is forgotten.
const SELECTIONS: usize = 1024;

/// What a plugin will ask of the node table again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// How many pods of a sort each row has.
    Counts(Selection),
    /// Which rows share the value of this label.
    Domains(String),
}

/// What a pod that is on a node demands of pods that come near it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bond {
    /// Of which pods, and how near.
    pub term: Term,
    /// What.
    pub demand: Demand,
}

/// What pods demand of others near them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// To stay away.
    Refuse,
    /// To be there: they could not have come otherwise, and are glad of more.
    Need,
    /// To come, with this weight; or to stay away, if it is negative.
    Prefer(i32),
}

impl AboutPods for Bond {
    fn labels(&self) -> &Selector {
        &self.term.labels
    }
}

impl AboutPods for Selection {
    fn labels(&self) -> &Selector {
        static EVERYTHING: Selector = Selector::everything();
        match self {
            Self::Labelled { labels, .. } => labels,
            Self::MadeBy(_) => &EVERYTHING,
        }
    }
}

/// All counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    domains: HashMap<String, Domains>,
    asked: Index<Selection, Asked>,
    /// How often something was asked about.
    questions: u64,
    made_by: HashMap<Uid, Counts>,
    bonds: Index<Bond, Counts>,
    /// How many nodes have each image.
    images: HashMap<Arc<str>, usize>,
}

#[derive(Clone, Debug)]
struct Asked {
    counts: Counts,
    /// Which question it was that asked about it last.
    last: u64,
}

impl Census {
    /// A row was added at the end, or its node has changed.
    pub(crate) fn node(&mut self, row: usize, before: Option<&NodeInfo>, node: &NodeInfo) {
        for (key, domains) in &mut self.domains {
            domains.set(row, node.labels.get(key));
        }
        if before.is_none_or(|before| before.images != node.images) {
            self.count_images(node);
            before.iter().for_each(|before| self.discount_images(before));
        }
    }

    /// A row without pods is gone, and the last one has taken its place.
    pub(crate) fn no_node(&mut self, row: usize, node: &NodeInfo) {
        self.domains.values_mut().for_each(|domains| domains.swap_remove(row));
        self.discount_images(node);
    }

    /// A pod came to a row.
    pub(crate) fn add(&mut self, row: usize, pod: &PodInfo) {
        self.asked.each_near(pod, |selection, asked| {
            if selection.contains(pod) {
                asked.counts.add(row);
            }
        });
        if let Some(maker) = pod.made_by.as_ref().filter(|_| !pod.terminating) {
            match self.made_by.get_mut(maker) {
                Some(counts) => counts.add(row),
                None => self.made_by.entry(maker.clone()).or_default().add(row),
            }
        }
        for bond in pod.wants.bonds() {
            match self.bonds.get_mut(bond) {
                Some(counts) => counts.add(row),
                None => {
                    let mut counts = Counts::default();
                    counts.add(row);
                    self.bonds.insert(bond.clone(), counts);
                }
            }
        }
    }

    /// A pod left a row.
    pub(crate) fn remove(&mut self, row: usize, pod: &PodInfo) {
        self.asked.each_near(pod, |selection, asked| {
            if selection.contains(pod) {
                asked.counts.remove(row);
            }
        });
        if let Some(maker) = pod.made_by.as_ref().filter(|_| !pod.terminating)
            && let Some(counts) = self.made_by.get_mut(maker)
        {
            counts.remove(row);
            if counts.is_empty() {
                self.made_by.remove(maker);
            }
        }
        for bond in pod.wants.bonds() {
            let Some(counts) = self.bonds.get_mut(bond) else { continue };
            counts.remove(row);
            if counts.is_empty() {
                self.bonds.remove(bond);
            }
        }
    }

    /// Keeps what will be asked for again and again.
    pub(crate) fn keep(&mut self, need: Need, nodes: &[NodeInfo], pods: &[Vec<Arc<PodInfo>>]) {
        match need {
            Need::Domains(key) => {
                if !self.domains.contains_key(&key) {
                    self.domains.insert(key.clone(), Domains::new(&key, nodes));
                }
            }
            Need::Counts(Selection::MadeBy(_)) => {}
            Need::Counts(selection) => {
                self.questions += 1;
                let last = self.questions;
                if let Some(asked) = self.asked.get_mut(&selection) {
                    asked.last = last;
                    return;
                }
                if self.asked.len() == SELECTIONS {
                    let oldest = self.asked.iter().min_by_key(|(_, asked)| asked.last).map(|(selection, _)| selection.clone());
                    oldest.iter().for_each(|oldest| drop(self.asked.remove(oldest)));
                }
                let counts = count(&selection, pods);
                self.asked.insert(selection, Asked { counts, last });
            }
        }
    }

    /// How many pods of a sort each row has.
    pub(crate) fn counts(&self, selection: &Selection, pods: &[Vec<Arc<PodInfo>>]) -> Cow<'_, Counts> {
        match selection {
            Selection::MadeBy(maker) => self.made_by.get(maker).map_or_else(Cow::default, Cow::Borrowed),
            _ => match self.asked.get(selection) {
                Some(asked) => Cow::Borrowed(&asked.counts),
                None => Cow::Owned(count(selection, pods)),
            },
        }
    }

    /// Which rows share the value of a label.
    pub(crate) fn domains(&self, key: &str, nodes: &[NodeInfo]) -> Cow<'_, Domains> {
        match self.domains.get(key) {
            Some(domains) => Cow::Borrowed(domains),
            None => Cow::Owned(Domains::new(key, nodes)),
        }
    }

    /// What may be demanded of this pod, and how many on each row demand it.
    pub(crate) fn bonds<'a>(&'a self, pod: &'a PodInfo) -> impl Iterator<Item = (&'a Bond, &'a Counts)> {
        self.bonds.near(pod)
    }

    /// How many nodes have an image.
    pub(crate) fn nodes_with_image(&self, image: &str) -> usize {
        self.images.get(image).copied().unwrap_or(0)
    }

    fn count_images(&mut self, node: &NodeInfo) {
        for (name, _) in &node.images {
            *self.images.entry(name.clone()).or_default() += 1;
        }
    }

    fn discount_images(&mut self, node: &NodeInfo) {
        for (name, _) in &node.images {
            if let Some(nodes) = self.images.get_mut(name) {
                *nodes -= 1;
                if *nodes == 0 {
                    self.images.remove(name);
                }
            }
        }
    }
}

fn count(selection: &Selection, pods: &[Vec<Arc<PodInfo>>]) -> Counts {
    let mut counts = Counts::default();
    for (row, pods) in pods.iter().enumerate() {
        pods.iter().filter(|pod| selection.contains(pod)).for_each(|_| counts.add(row));
    }
    counts
}

//! Why no node would do, in upstream's words: the text of FailedScheduling events and of the PodScheduled condition.

use std::{collections::BTreeMap, fmt};

use crate::framework::{PluginSet, Reason};

/// How many nodes gave each reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons(BTreeMap<Reason, usize>);

impl Reasons {
    /// Counts `nodes` more nodes for a reason.
    pub fn add(&mut self, reason: &Reason, nodes: usize) {
        if nodes == 0 {
            return;
        }
        match self.0.get_mut(reason) {
            Some(count) => *count += nodes,
            None => {
                self.0.insert(reason.clone(), nodes);
            }
        }
    }
}

impl fmt::Display for Reasons {
    /// Sorted as upstream sorts: as texts, count first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<_> = self.0.iter().map(|(reason, nodes)| format!("{nodes} {reason}")).collect();
        texts.sort_unstable();
        f.write_str(&texts.join(", "))
    }
}

/// What looking for pods to evict came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// The pod's policy is to evict nobody.
    Never,
    /// It helps on no node, for these reasons.
    Useless(Reasons),
}

/// Why a pod was not scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// How many nodes there are.
    pub nodes: usize,
    /// Why they were refused.
    pub reasons: Reasons,
    /// Why preemption does not help.
    pub preemption: Preemption,
    /// Who refused: the plugins to ask whether a change may help.
    pub refused_by: PluginSet,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, reasons, preemption, .. } = self;
        if *nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        write!(f, "0/{nodes} nodes are available: {reasons}. no new claims to deallocate, preemption: ")?;
        match preemption {
            Preemption::Never => f.write_str("not eligible due to preemptionPolicy=Never."),
            Preemption::Useless(reasons) => write!(f, "0/{nodes} nodes are available: {reasons}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(reasons: &[(&'static str, usize)]) -> Reasons {
        Reasons(reasons.iter().map(|(reason, nodes)| ((*reason).into(), *nodes)).collect())
    }

    #[test]
    fn reasons_are_sorted_as_texts() {
        let many = reasons(&[("Insufficient cpu", 2), ("Too many pods", 10), ("node(s) were unschedulable", 2)]);
        assert_eq!(many.to_string(), "10 Too many pods, 2 Insufficient cpu, 2 node(s) were unschedulable");
    }

    #[test]
    fn no_preemption_by_policy() {
        let diagnosis = Diagnosis {
            nodes: 1,
            reasons: reasons(&[("Insufficient cpu", 1)]),
            preemption: Preemption::Never,
            refused_by: PluginSet::default(),
        };
        let want = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.";
        assert_eq!(diagnosis.to_string(), want);
    }
}

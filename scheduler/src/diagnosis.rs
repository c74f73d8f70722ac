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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Preemption {
    /// Nobody has looked.
    #[default]
    Untried,
    /// The pod's policy is to evict nobody.
    Never,
    /// Pods that were evicted for it are still there.
    Waiting,
    /// Pods are being evicted.
    Found,
    /// It helps on no node, for these reasons.
    Useless(Reasons),
}

/// Why a pod was not scheduled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// How many nodes there are.
    pub nodes: usize,
    /// Why they were refused.
    pub reasons: Reasons,
    /// Why all were refused at once, unseen.
    pub of_all: Option<String>,
    /// The rows of the nodes where removing other pods could help.
    pub resolvable: Vec<usize>,
    /// What preemption came to.
    pub preemption: Preemption,
    /// Who refused: the plugins to ask whether a change may help.
    pub refused_by: PluginSet,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, reasons, of_all, preemption, .. } = self;
        if *nodes == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        match of_all {
            // Upstream's plugins were not asked beyond that one, and the first that looks for a way out misses what it had prepared.
            Some(reason) => return write!(f, "0/{nodes} nodes are available: {reason}. not found"),
            None => write!(f, "0/{nodes} nodes are available: {reasons}.")?,
        }
        match preemption {
            // An attempt that succeeds says nothing, not even that there were no claims.
            Preemption::Found => return Ok(()),
            _ => f.write_str(" no new claims to deallocate")?,
        }
        match preemption {
            Preemption::Untried | Preemption::Found => Ok(()),
            Preemption::Never => f.write_str(", preemption: not eligible due to preemptionPolicy=Never."),
            Preemption::Waiting => f.write_str(", preemption: not eligible due to a terminating pod on the nominated node."),
            Preemption::Useless(reasons) => write!(f, ", preemption: 0/{nodes} nodes are available: {reasons}."),
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
    fn the_sentence_ends_with_what_preemption_came_to() {
        let useless = Preemption::Useless(reasons(&[("Preemption is not helpful for scheduling", 1)]));
        for (preemption, want) in [
            (Preemption::Untried, ". no new claims to deallocate"),
            (Preemption::Never, ". no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."),
            (
                Preemption::Waiting,
                ". no new claims to deallocate, preemption: not eligible due to a terminating pod on the nominated node.",
            ),
            (Preemption::Found, "."),
            (useless, ". no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."),
        ] {
            let diagnosis = Diagnosis { nodes: 1, reasons: reasons(&[("Insufficient cpu", 1)]), preemption, ..Diagnosis::default() };
            assert_eq!(diagnosis.to_string(), format!("0/1 nodes are available: 1 Insufficient cpu{want}"));
        }
    }

    #[test]
    fn what_refuses_all_nodes_is_said_once() {
        let of_all = Some("pod has unbound immediate PersistentVolumeClaims".to_owned());
        let diagnosis = Diagnosis { nodes: 3, of_all, ..Diagnosis::default() };
        let want = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
        assert_eq!(diagnosis.to_string(), want);
    }
}

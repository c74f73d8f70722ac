//! How long a kubelet may keep what it has read, such as Secrets, before it asks again: the larger the cluster, the longer.
//! Nodes are told in an annotation.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    writes::{Result, Writes},
};

/// Where a node reads its seconds.
const ANNOTATION: &str = "node.alpha.kubernetes.io/ttl";

/// A size of clusters, and what goes with it.
struct Step {
    /// With fewer nodes the step before is right.
    from: usize,
    /// With more nodes the step after is right.
    to: usize,
    seconds: u32,
}

/// Upstream's. They overlap, so that a cluster at a boundary does not write to all its nodes time and again.
const STEPS: &[Step] = &[
    Step { from: 0, to: 100, seconds: 0 },
    Step { from: 90, to: 500, seconds: 15 },
    Step { from: 450, to: 1000, seconds: 30 },
    Step { from: 900, to: 2000, seconds: 60 },
    Step { from: 1800, to: usize::MAX, seconds: 300 },
];

/// Annotates nodes. Its keys are theirs.
pub(crate) struct Reconciler {
    nodes: Arc<Cache<Node>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "ttl-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        // As upstream: a node whose step has changed hears of it when its kubelet next writes its status.
        Self { nodes: setup.watch(|change: &Change<Node>| change.new.as_ref().map(|_| change.key())) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        if let Some(node) = self.nodes.get(key) {
            let annotated = node.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION)).and_then(|text| text.parse().ok());
            let seconds = plan(self.nodes.count(), annotated);
            if annotated != Some(seconds) {
                let mut new = (*node).clone();
                new.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), seconds.to_string());
                writes.update(&*node, &new).await?;
            }
        }
        Ok(Next::Changed)
    }
}

/// The seconds of a node in a cluster of so many, from those it has: it moves no further than it must.
fn plan(nodes: usize, annotated: Option<u32>) -> u32 {
    let mut at = STEPS.iter().position(|step| Some(step.seconds) == annotated).unwrap_or(0);
    while nodes > STEPS[at].to {
        at += 1;
    }
    while nodes < STEPS[at].from {
        at -= 1;
    }
    STEPS[at].seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_the_size_of_the_cluster() {
        for (nodes, seconds) in [(1, 0), (100, 0), (101, 15), (500, 15), (501, 30), (1000, 30), (1001, 60), (2000, 60), (2001, 300)] {
            assert_eq!(plan(nodes, None), seconds, "{nodes} nodes");
            assert_eq!(plan(nodes, Some(0)), seconds, "{nodes} nodes, growing");
        }
        assert_eq!(plan(5000, Some(7)), 300, "what is no step of ours does not count");
    }

    #[test]
    fn a_shrinking_cluster_keeps_its_step_for_a_while() {
        for (nodes, had, seconds) in [
            (90, 15, 15),
            (89, 15, 0),
            (450, 30, 30),
            (449, 30, 15),
            (900, 60, 60),
            (899, 60, 30),
            (1800, 300, 300),
            (1799, 300, 60),
            (3, 300, 0),
        ] {
            assert_eq!(plan(nodes, Some(had)), seconds, "{nodes} nodes that had {had} s");
        }
    }
}

//! What a scheduling plugin is: a filter (may the pod run there?), a score (how good would it be?), and a hint (can this change
//! help a pod I refused?). Plugins are pure and stateless; the list of them is in [`crate::plugins`].

use std::borrow::Cow;

use crate::{plugins::PLUGINS, pod::PodInfo, snapshot::NodeRef};

/// The best score. Upstream's is 100; ours is a thousand times finer, so that one small pod on a big node still makes a
/// difference between two otherwise equal nodes.
pub const MAX_SCORE: i64 = 100_000;

/// Why a node was refused, in upstream's words.
pub type Reason = Cow<'static, str>;

/// A node that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// All of the plugin's reasons.
    pub reasons: Vec<Reason>,
    /// Whether removing other pods from the node could help.
    pub resolvable: bool,
}

impl Refusal {
    /// A refusal that removing pods from the node could change.
    pub fn resolvable(reason: impl Into<Reason>) -> Self {
        Self { reasons: vec![reason.into()], resolvable: true }
    }

    /// A refusal that stands whatever else runs on the node.
    pub fn unresolvable(reason: impl Into<Reason>) -> Self {
        Self { reasons: vec![reason.into()], resolvable: false }
    }
}

/// What happened at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The node is new, or its labels, taints, capacity or cordon changed.
    Node,
    /// A pod on it is gone or takes less.
    PodGone,
}

/// Something that may help pods which no node wanted.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// What happened.
    pub what: What,
    /// The node it happened at, as it is now.
    pub node: NodeRef<'a>,
}

/// One aspect of the choice. All methods have defaults: a plugin says only what it cares about.
pub trait Plugin: Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;

    /// The only nodes worth looking at, when the pod names them; upstream's PreFilter.
    fn narrow<'p>(&self, _pod: &'p PodInfo) -> Option<Vec<&'p str>> {
        None
    }

    /// Whether [`filter`](Self::filter) can refuse any node to this pod.
    fn filters(&self, _pod: &PodInfo) -> bool {
        false
    }

    /// Whether the pod may run on the node.
    ///
    /// # Errors
    /// Why it may not.
    fn filter(&self, _pod: &PodInfo, _node: NodeRef<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    /// How much the score counts for this pod; 0 when it cannot tell nodes apart.
    fn weight(&self, _pod: &PodInfo) -> i64 {
        0
    }

    /// How good the node is; from 0 to [`MAX_SCORE`] after [`normalize`](Self::normalize).
    fn score(&self, _pod: &PodInfo, _node: NodeRef<'_>) -> i64 {
        0
    }

    /// Brings the scores of all nodes into range.
    fn normalize(&self, _scores: &mut [i64]) {}

    /// Whether a pod that this plugin refused should be tried again after a change. Unless the plugin knows better: when a
    /// node changed so that the plugin would now allow it.
    fn helped_by(&self, pod: &PodInfo, change: Change<'_>) -> bool {
        change.what == What::Node && self.filter(pod, change.node).is_ok()
    }
}

/// A set of plugins, by their place in the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginSet(u32);

impl PluginSet {
    /// Adds the plugin at this place of the list.
    pub fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Whether the plugin at this place is in it.
    #[must_use]
    pub fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    /// Whether a pod that exactly these plugins refused should be tried again. A pod that nobody refused (there were no nodes)
    /// is helped by everything.
    #[must_use]
    pub fn helped_by(self, pod: &PodInfo, change: Change<'_>) -> bool {
        self == Self::default() || PLUGINS.iter().enumerate().any(|(index, plugin)| self.contains(index) && plugin.helped_by(pod, change))
    }
}

/// Scales scores so that the highest becomes [`MAX_SCORE`]; `reverse` makes the lowest the best. All zero stays equal.
pub fn scale(scores: &mut [i64], reverse: bool) {
    let highest = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        let scaled = if highest == 0 { 0 } else { *score * MAX_SCORE / highest };
        *score = if reverse { MAX_SCORE - scaled } else { scaled };
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Nodes and pods for the tests of plugins.

    use std::sync::Arc;

    use super::*;
    use crate::{amounts::Amounts, node::NodeInfo, snapshot::Snapshot};

    /// A node with 4 cpus, 8 GiB and room for 110 pods.
    pub(crate) fn node(name: &str) -> NodeInfo {
        let allocatable = Amounts { cpu: 4000, memory: 8 << 30, pods: 110, ..Amounts::default() };
        NodeInfo { allocatable, ..NodeInfo::named(name) }
    }

    /// A pod that wants nothing.
    pub(crate) fn pod(name: &str) -> PodInfo {
        let mut pod = PodInfo { uid: name.into(), name: name.into(), namespace: "default".into(), ..PodInfo::default() };
        pod.scheduler = "default-scheduler".into();
        pod.wants.amounts.pods = 1;
        pod
    }

    /// A table of one node with these pods on it.
    pub(crate) fn table(node: NodeInfo, pods: impl IntoIterator<Item = PodInfo>) -> Snapshot {
        let (mut snapshot, name) = (Snapshot::default(), node.name.clone());
        snapshot.apply_node(node);
        for pod in pods {
            snapshot.place(Arc::new(pod), &name);
        }
        snapshot
    }

    /// The reasons for which a plugin refuses the first node, joined; empty when it does not.
    pub(crate) fn refusal(plugin: &dyn Plugin, pod: &PodInfo, snapshot: &Snapshot) -> String {
        plugin.filter(pod, snapshot.node(0)).err().map(|refusal| refusal.reasons.join(", ")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_scaled_to_the_highest() {
        for (scores, reverse, want) in [
            ([0, 1, 2], false, [0, 50_000, 100_000]),
            ([0, 1, 2], true, [100_000, 50_000, 0]),
            ([0, 0, 0], true, [100_000; 3]),
            ([0, 0, 0], false, [0; 3]),
        ] {
            let mut scaled = scores;
            scale(&mut scaled, reverse);
            assert_eq!(scaled, want, "{scores:?} {reverse}");
        }
    }

    #[test]
    fn a_set_remembers_places() {
        let mut set = PluginSet::default();
        set.insert(3);
        assert!(set.contains(3) && !set.contains(2));
    }
}

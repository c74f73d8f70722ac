//! What a scheduling plugin is: a filter (may the pod run there?), a score (how good would it be?), and a hint (can this change
//! help a pod I refused?). Plugins are pure and stateless; the list of them is in [`crate::plugins`].
//!
//! For each pod a plugin is asked once, and answers with what it says of a single node: so it can work out beforehand what all
//! nodes have in common, and a plugin that has nothing to say costs nothing.

use std::{borrow::Cow, fmt};

use crate::{
    census::Need,
    cluster::{Cluster, Key, Kind},
    node::NodeInfo,
    plugins::PLUGINS,
    pod::PodInfo,
    profile::Profile,
    snapshot::NodeRef,
};

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

/// A question to the plugins: this pod, in this cluster.
#[derive(Clone, Copy)]
pub struct Case<'c> {
    /// The pod that wants a node.
    pub pod: &'c PodInfo,
    /// Everything it may depend on.
    pub cluster: &'c Cluster,
    /// How it is to be scheduled.
    pub profile: &'c Profile,
}

impl<'c> Case<'c> {
    /// A pod in a cluster, to be scheduled as upstream does by default.
    #[must_use]
    pub fn new(pod: &'c PodInfo, cluster: &'c Cluster) -> Self {
        Self { pod, cluster, profile: Profile::standard() }
    }
}

/// What an answer about a node depends on besides what the pod wants and what its profile says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// On the row of that node and nothing else. It holds until the row changes.
    Row,
    /// On anything.
    Cluster,
}

/// What a plugin says of a single node.
pub type Look<'c, T> = Box<dyn Fn(NodeRef<'_>) -> T + 'c>;

/// Brings scores into range.
pub type Normalize<'c> = Box<dyn Fn(&mut [i64]) + 'c>;

/// What a plugin has against nodes, for one pod. What it works out once for all nodes is upstream's PreFilter.
pub enum Filter<'c> {
    /// It refuses no node to this pod.
    Nothing,
    /// It looks at each.
    Each(Basis, Look<'c, Result<(), Refusal>>),
    /// Only the nodes of these names are worth looking at.
    Among(Vec<&'c str>, Look<'c, Result<(), Refusal>>),
    /// It refuses all, whatever they are.
    All(Refusal),
}

impl<'c> Filter<'c> {
    /// Looks at each node.
    pub fn each(look: impl Fn(NodeRef<'_>) -> Result<(), Refusal> + 'c) -> Self {
        Self::Each(Basis::Cluster, Box::new(look))
    }

    /// Looks at each node, and at nothing but the node and what the pod [wants](crate::pod::Wants): what it says is kept.
    pub fn each_row(look: impl Fn(NodeRef<'_>) -> Result<(), Refusal> + 'c) -> Self {
        Self::Each(Basis::Row, Box::new(look))
    }

    /// Whether what it says of a node depends on the node's row alone.
    #[must_use]
    pub fn is_of_row(&self) -> bool {
        matches!(self, Self::Each(Basis::Row, _))
    }

    /// What it says of this node.
    ///
    /// # Errors
    /// Why the pod may not run there.
    pub fn look(&self, node: NodeRef<'_>) -> Result<(), Refusal> {
        match self {
            Self::Nothing => Ok(()),
            Self::Each(_, look) | Self::Among(_, look) => look(node),
            Self::All(refusal) => Err(refusal.clone()),
        }
    }
}

/// How good a plugin finds nodes, for one pod. What it works out once for all nodes is upstream's PreScore.
pub struct Score<'c> {
    /// How good a node is, on any scale.
    pub look: Look<'c, i64>,
    /// Brings the values of all nodes that would do into the range from 0 to [`MAX_SCORE`].
    pub normalize: Normalize<'c>,
    /// What the value of a node depends on.
    pub basis: Basis,
}

impl<'c> Score<'c> {
    /// A score that is in range already.
    pub fn plain(look: impl Fn(NodeRef<'_>) -> i64 + 'c) -> Self {
        Self { look: Box::new(look), normalize: Box::new(|_| {}), basis: Basis::Cluster }
    }

    /// A score of which the highest value is the best; or the lowest, with `reverse`.
    pub fn scaled(look: impl Fn(NodeRef<'_>) -> i64 + 'c, reverse: bool) -> Self {
        Self { look: Box::new(look), normalize: Box::new(move |scores| scale(scores, reverse)), basis: Basis::Cluster }
    }

    /// The same of a plugin that looks at nothing but the node and what the pod [wants](crate::pod::Wants): its values are kept.
    #[must_use]
    pub fn of_row(self) -> Self {
        Self { basis: Basis::Row, ..self }
    }
}

/// Something that may help pods which no node wanted.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    /// The node is new, or its labels, taints, capacity or cordon changed.
    Node(NodeRef<'a>),
    /// The node is gone, and its pods with it.
    NodeGone(&'a NodeInfo),
    /// The pod has come to the node.
    PodHere(NodeRef<'a>, &'a PodInfo),
    /// The pod is gone from the node or takes less of it.
    PodGone(NodeRef<'a>, &'a PodInfo),
    /// An object of this kind came, changed or went: the one of this name, or any where there is none.
    Other(Kind, Option<&'a Key>),
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {} came or changed", node.info().name),
            Self::NodeGone(node) => write!(f, "node {} went, and its pods with it", node.name),
            Self::PodHere(node, pod) => write!(f, "pod {pod} came to node {}", node.info().name),
            Self::PodGone(node, pod) => write!(f, "pod {pod} left node {} or takes less of it", node.info().name),
            Self::Other(kind, Some((namespace, name))) if namespace.is_empty() => write!(f, "{kind:?} {name} came, changed or went"),
            Self::Other(kind, Some((namespace, name))) => write!(f, "{kind:?} {namespace}/{name} came, changed or went"),
            Self::Other(kind, None) => write!(f, "a {kind:?} came, changed or went"),
        }
    }
}

/// One aspect of the choice. All methods but the name have defaults: a plugin says only what it cares about.
pub trait Plugin: Sync {
    /// Upstream's name of the plugin.
    fn name(&self) -> &'static str;

    /// What it will look up in the node table for this pod and others like it, so that the answers are kept ready.
    fn needs(&self, _case: Case<'_>) -> Vec<Need> {
        Vec::new()
    }

    /// What it has against nodes.
    fn filter<'c>(&self, _case: Case<'c>) -> Filter<'c> {
        Filter::Nothing
    }

    /// How much its score counts, unless a profile says otherwise.
    fn weight(&self) -> i64 {
        1
    }

    /// How good it finds nodes, of which those in `rows` would do; nothing when it cannot tell nodes apart for this pod.
    fn score<'c>(&self, _case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        None
    }

    /// What would make it allow a node that it refuses, in words for people; nothing when it cannot tell.
    fn remedy(&self, _case: Case<'_>, _node: NodeRef<'_>) -> Option<String> {
        None
    }

    /// Whether it minds such a change at all; to be told quickly, for most changes help nobody.
    fn minds(&self, change: Change<'_>) -> bool {
        matches!(change, Change::Node(_))
    }

    /// Whether a pod that this plugin refused should be tried again after a change it minds. Unless the plugin knows better: when
    /// it would now allow the node at which it happened, or it is about a claim of the pod.
    fn helped_by(&self, case: Case<'_>, change: Change<'_>) -> bool {
        match change {
            Change::Node(node) | Change::PodHere(node, _) | Change::PodGone(node, _) => self.filter(case).look(node).is_ok(),
            Change::Other(Kind::PersistentVolumeClaim, Some(claim)) => case.pod.uses_claim(claim),
            Change::Other(..) | Change::NodeGone(_) => true,
        }
    }
}

/// A set of plugins, by their place in the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The plugins that mind this change.
    #[must_use]
    pub fn minding(change: Change<'_>) -> Self {
        let mut set = Self::default();
        PLUGINS.iter().enumerate().filter(|(_, plugin)| plugin.minds(change)).for_each(|(index, _)| set.insert(index));
        set
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether no plugin is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a pod that these plugins refused should be tried again.
    #[must_use]
    pub fn helped_by(self, case: Case<'_>, change: Change<'_>) -> bool {
        PLUGINS.iter().enumerate().any(|(index, plugin)| self.contains(index) && plugin.helped_by(case, change))
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
    use crate::{amounts::Amounts, node::NodeInfo};

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

    /// A cluster of one node with these pods on it.
    pub(crate) fn cluster(node: NodeInfo, pods: impl IntoIterator<Item = PodInfo>) -> Cluster {
        let (mut cluster, name) = (Cluster::default(), node.name.clone());
        cluster.nodes.apply_node(node);
        for pod in pods {
            cluster.nodes.place(Arc::new(pod), &name);
        }
        cluster
    }

    /// The reasons for which a plugin refuses the first node, joined; empty when it does not.
    pub(crate) fn refusal(plugin: &dyn Plugin, pod: &PodInfo, cluster: &Cluster) -> String {
        let answer = plugin.filter(Case::new(pod, cluster)).look(cluster.nodes.node(0));
        answer.err().map(|refusal| refusal.reasons.join(", ")).unwrap_or_default()
    }

    /// A plugin's score of the first node, before it is brought into range; nothing when the plugin cannot tell nodes apart.
    pub(crate) fn score(plugin: &dyn Plugin, pod: &PodInfo, cluster: &Cluster) -> Option<i64> {
        plugin.score(Case::new(pod, cluster), &[0]).map(|score| (score.look)(cluster.nodes.node(0)))
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

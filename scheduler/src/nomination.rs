//! Nominated pods: those that wait for a node on which room is being made for them. Others may not take that room unless they are
//! more important, so whoever looks at such a node looks at it twice: with those pods there, for they will come, and without them,
//! for they are not there yet.

use std::{collections::HashMap, sync::Arc};

use crate::{
    cluster::Cluster,
    cycle::{self, Claims, Decision, Draw, Outcome, Placement, Scores, Search},
    framework::{Case, Refusal},
    memo::Memo,
    pod::{PodInfo, Uid},
    profile::Profile,
    snapshot::Gone,
};

/// All nominated pods.
#[derive(Clone, Debug, Default)]
pub struct Nominations(HashMap<Uid, Nomination>);

/// A pod, and the node on which room is being made for it.
#[derive(Clone, Debug)]
struct Nomination {
    pod: Arc<PodInfo>,
    node: Arc<str>,
    /// The pods that have to leave for it. Told to the API perhaps a moment ago, so that the watch does not know it yet.
    victims: Vec<Uid>,
}

impl Nominations {
    /// Takes in what the API says of a waiting pod. What was decided here and is not stored yet stays, unless the pod's
    /// `status.nominatedNodeName` has changed since.
    pub fn apply(&mut self, pod: &Arc<PodInfo>) {
        let Some(known) = self.0.get_mut(&pod.uid) else {
            if let Some(node) = &pod.nominated {
                self.0.insert(pod.uid.clone(), Nomination { pod: pod.clone(), node: node.clone(), victims: Vec::new() });
            }
            return;
        };
        let before = std::mem::replace(&mut known.pod, pod.clone());
        match &pod.nominated {
            node if *node == before.nominated => {}
            None => self.remove(&pod.uid).map_or((), drop),
            Some(node) if *node == known.node => {}
            Some(node) => (known.node, known.victims) = (node.clone(), Vec::new()),
        }
    }

    /// Remembers what was decided: these pods leave the node for this one.
    pub fn nominate(&mut self, pod: Arc<PodInfo>, node: Arc<str>, victims: Vec<Uid>) {
        self.0.insert(pod.uid.clone(), Nomination { pod, node, victims });
    }

    /// Forgets whom a pod waits for, because not all of them can be made to leave.
    pub fn victims_stay(&mut self, uid: &Uid) {
        if let Some(nomination) = self.0.get_mut(uid) {
            nomination.victims.clear();
        }
    }

    /// Takes back a nomination. Returns what was promised, and where.
    pub fn remove(&mut self, uid: &Uid) -> Option<Gone> {
        self.0.remove(uid).map(|Nomination { pod, node, .. }| Gone { node, pod })
    }

    /// Where a pod is nominated.
    #[must_use]
    pub fn node_of(&self, uid: &Uid) -> Option<&Arc<str>> {
        self.0.get(uid).map(|nomination| &nomination.node)
    }

    /// Whether a pod has been told to leave for this one.
    #[must_use]
    pub fn awaits(&self, uid: &Uid, victim: &Uid) -> bool {
        self.0.get(uid).is_some_and(|nomination| nomination.victims.contains(victim))
    }

    /// The pods nominated to a node that are less important than this one.
    pub fn below<'n>(&'n self, pod: &PodInfo, node: &str) -> impl Iterator<Item = &'n Arc<PodInfo>> {
        self.others(pod)
            .filter(move |other| *other.node == *node)
            .map(|other| &other.pod)
            .filter(|other| other.wants.priority < pod.wants.priority)
    }

    /// The pods whose room on this node this one may not take.
    pub(crate) fn claims_on(&self, node: &str, pod: &PodInfo) -> Vec<Arc<PodInfo>> {
        let here = self.others(pod).filter(|other| *other.node == *node && other.pod.wants.priority >= pod.wants.priority);
        here.map(|other| other.pod.clone()).collect()
    }

    /// The pods whose room this one may not take, by node.
    fn claims(&self, pod: &PodInfo) -> HashMap<Arc<str>, Vec<Arc<PodInfo>>> {
        let mut claims: HashMap<_, Vec<_>> = HashMap::new();
        for other in self.others(pod).filter(|other| other.pod.wants.priority >= pod.wants.priority) {
            claims.entry(other.node.clone()).or_default().push(other.pod.clone());
        }
        claims
    }

    fn others(&self, pod: &PodInfo) -> impl Iterator<Item = &Nomination> {
        let uid = pod.uid.clone();
        self.0.values().filter(move |other| other.pod.uid != uid)
    }
}

/// Chooses a node for a pod: the one where room was made for it, if it does now; otherwise any on which it takes nobody's room.
/// The cluster is afterwards as it was before.
pub fn schedule(cluster: &mut Cluster, pod: &PodInfo, profile: &Profile, draw: Draw, memo: &mut Memo) -> Outcome {
    let nominated = cluster.nominations.node_of(&pod.uid).cloned();
    if let Some((node, row)) = nominated.and_then(|node| Some((node.clone(), cluster.nodes.row_of(&node)?)))
        && let claims = cluster.nominations.claims_on(&node, pod)
        && allows(cluster, pod, profile, row, &claims).is_ok()
    {
        let placement = Placement { row, score: 0, feasible: 1, evaluated: 1 };
        let search = Search { feasible: vec![row], next_start: draw.start, ..Search::default() };
        return Outcome { decision: Decision::Place(placement), search, scores: Scores::default() };
    }
    let claims = refused_for_others(cluster, pod, profile);
    cycle::schedule_beside(Case { pod, cluster, profile }, draw, &claims, memo)
}

/// Looks at all nodes for a pod. The cluster is afterwards as it was before.
pub(crate) fn search(cluster: &mut Cluster, pod: &PodInfo, profile: &Profile) -> Search {
    let claims = refused_for_others(cluster, pod, profile);
    Search::run(Case { pod, cluster, profile }, 0, usize::MAX, &claims, None)
}

/// Whether a node would do, and would do as well if those came who [claim](Nominations::claims_on) room on it.
///
/// # Errors
/// The place of the plugin that refuses it, and why.
pub(crate) fn allows(
    cluster: &mut Cluster,
    pod: &PodInfo,
    profile: &Profile,
    row: usize,
    claims: &[Arc<PodInfo>],
) -> Result<(), (usize, Refusal)> {
    if !claims.is_empty() {
        allows_beside(cluster, pod, profile, row, claims)?;
    }
    cycle::look(Case { pod, cluster, profile }, row)
}

/// The nodes that refuse a pod only because of those who are nominated to them.
fn refused_for_others(cluster: &mut Cluster, pod: &PodInfo, profile: &Profile) -> Claims {
    let mut refused = Claims::default();
    for (node, others) in cluster.nominations.claims(pod) {
        let Some(row) = cluster.nodes.row_of(&node) else { continue };
        if let Err(refusal) = allows_beside(cluster, pod, profile, row, &others) {
            refused.insert(row, refusal);
        }
    }
    refused
}

/// Whether a node would do if these pods were there.
fn allows_beside(
    cluster: &mut Cluster,
    pod: &PodInfo,
    profile: &Profile,
    row: usize,
    others: &[Arc<PodInfo>],
) -> Result<(), (usize, Refusal)> {
    let node = cluster.nodes.node(row).info().name.clone();
    let others: Vec<_> = others.iter().filter(|other| !cluster.nodes.holds(&other.uid)).collect();
    others.iter().for_each(|other| cluster.nodes.assume(Arc::clone(other), &node));
    let answer = cycle::look(Case { pod, cluster, profile }, row);
    for other in others {
        cluster.nodes.forget(&other.uid);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::testing::{self, cluster, node};

    fn pod(name: &str, cpu: i64, priority: i32) -> Arc<PodInfo> {
        let mut pod = testing::pod(name);
        (pod.wants.amounts.cpu, pod.wants.priority) = (cpu, priority);
        Arc::new(pod)
    }

    fn placed(cluster: &mut Cluster, pod: &PodInfo) -> Option<Arc<str>> {
        match schedule(cluster, pod, Profile::standard(), Draw::default(), &mut Memo::default()).decision {
            Decision::Place(placement) => Some(cluster.nodes.node(placement.row).info().name.clone()),
            Decision::Refuse(_) => None,
        }
    }

    #[test]
    fn room_that_is_being_made_is_left_to_those_it_is_made_for() {
        let mut cluster = cluster(node("n"), []);
        cluster.nominations.nominate(pod("first", 3000, 5), "n".into(), Vec::new());
        for (cpu, priority, want) in [(1000, 0, true), (2000, 0, false), (2000, 5, false), (2000, 6, true)] {
            assert_eq!(placed(&mut cluster, &pod("p", cpu, priority)).is_some(), want, "{cpu} {priority}");
        }
        assert_eq!(cluster.nodes.node(0).requested().cpu, 0);
    }

    #[test]
    fn a_pod_goes_where_room_was_made_for_it() {
        let mut cluster = Cluster::default();
        for name in ["a", "b", "c"] {
            cluster.nodes.apply_node(node(name));
        }
        let first = pod("first", 3000, 5);
        cluster.nominations.nominate(first.clone(), "c".into(), Vec::new());
        assert_eq!(placed(&mut cluster, &first).as_deref(), Some("c"));
    }

    #[test]
    fn a_pod_is_not_drawn_by_others_that_are_not_there_yet() {
        let mut cluster = cluster(node("n"), [(*pod("there", 3500, 0)).clone()]);
        cluster.nominations.nominate(pod("first", 0, 5), "n".into(), Vec::new());
        assert_eq!(placed(&mut cluster, &pod("p", 1000, 0)), None);
    }

    #[test]
    fn what_was_decided_stays_until_the_api_says_otherwise() {
        let mut nominations = Nominations::default();
        let told = |node: Option<&str>| Arc::new(PodInfo { nominated: node.map(Into::into), ..testing::pod("p") });
        let uid = Uid::from("p");
        nominations.apply(&told(None));
        assert_eq!(nominations.node_of(&uid), None);
        nominations.nominate(told(None), "a".into(), vec!["v".into()]);
        for (api, node, waits) in
            [(None, Some("a"), true), (Some("a"), Some("a"), true), (Some("b"), Some("b"), false), (None, None, false)]
        {
            nominations.apply(&told(api));
            assert_eq!(nominations.node_of(&uid).map(|node| &**node), node, "{api:?}");
            assert_eq!(nominations.awaits(&uid, &"v".into()), waits, "{api:?}");
        }
    }
}

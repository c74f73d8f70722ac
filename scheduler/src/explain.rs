//! Why a pod is where it is, or waits: the answer to `mini-ctl explain-scheduling`. The filters and scores are the cycle's own;
//! here they are asked about every node, and what they say is told in a form for other programs.
//!
//! The shape, as JSON (scores as in upstream, from 0 to 100 for each plugin, times its weight; absent is what does not apply):
//!
//! | field | what it tells |
//! |---|---|
//! | `kind`, `apiVersion` | `SchedulingExplanation`, `mini.dev/v1` |
//! | `pod.namespace`, `pod.name`, `schedulerName` | about whom |
//! | `state` | `Scheduled`; `Binding`: chosen, and not yet stored; how it waits: `Active`, `Backoff`, `Unschedulable`, `Gated`; or `WhatIf` |
//! | `basis` | `Recorded`: as it was when the node was chosen; `Live`: as it is now |
//! | `nodeName` | where it is, or goes |
//! | `attempts`, `wokenBy` | how often a node was looked for, and what led to the last time |
//! | `createdAt`, `decidedAt`, `nextAttemptAt`, `waitedSeconds` | when it came, when it was last tried, when it is tried again at the latest, how long it waited |
//! | `message` | what the event says: no node would do |
//! | `note` | what else to know |
//! | `nodes.total`, `.feasible`, `.refused` | how many there are, would do, were refused; in large clusters not all are looked at |
//! | `plugins[]`: `name`, `weight` | who could tell nodes apart |
//! | `feasible[]`: `name`, `score`, `scores`, `chosen` | the nodes that would do, best first; of a recorded decision the best only |
//! | `refused[]`: `plugin`, `reasons`, `count`, `nodes[]` | who refused, in the words of the event, how many nodes |
//! | `refused[].nodes[]`: `name`, `remedy` | which, and what would help there |
//! | `refused[].nodes[]`: `preemption`, `victims` | whether evicting pods there would: `Possible`, and whom; `NotHelpful`, `NoVictims`, `Never` |

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    account::{Account, Candidate, Extent, Refused},
    cluster::Cluster,
    cycle::Scores,
    framework::{Case, Change, MAX_SCORE, Plugin, Reason, Refusal},
    nomination,
    plugins::PLUGINS,
    pod::PodInfo,
    preempt::{preempt, victims},
    profile::Profile,
};

/// At how many nodes evictions are tried out for one answer, for the pods of each have to be taken off and put back.
const MOST_TRIES: usize = 200;

/// The answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    kind: &'static str,
    api_version: &'static str,
    pod: Subject,
    scheduler_name: String,
    /// How the pod is.
    pub state: State,
    /// Of when the nodes are told.
    pub basis: Basis,
    /// Where it is, or goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// What became of it before.
    #[serde(flatten)]
    pub story: Story,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What the event says.
    pub message: Option<String>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    nodes: Counts,
    plugins: Vec<Weighted>,
    feasible: Vec<Feasible>,
    refused: Vec<Group>,
}

/// A pod's name.
#[derive(Clone, Debug, Serialize)]
struct Subject {
    namespace: String,
    name: String,
}

/// How a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum State {
    /// It is on its node.
    Scheduled,
    /// A node was chosen, and is being stored.
    Binding,
    /// It is its turn.
    Active,
    /// It failed a moment ago, and is tried again soon.
    Backoff,
    /// Only a change can help it.
    Unschedulable,
    /// Its scheduling gates keep it out.
    Gated,
    /// It does not exist.
    WhatIf,
}

/// Of when the nodes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Basis {
    /// Of when the pod's node was chosen.
    Recorded,
    /// Of now.
    Live,
}

/// What became of a pod until now.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// How often a node was looked for.
    pub attempts: u32,
    /// What led to the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub woken_by: Option<String>,
    /// When the scheduler saw it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When it is tried again, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
    /// How long it has waited, or waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_seconds: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct Counts {
    total: usize,
    feasible: usize,
    refused: usize,
}

#[derive(Clone, Debug, Serialize)]
struct Weighted {
    name: &'static str,
    weight: i64,
}

#[derive(Clone, Debug, Serialize)]
struct Feasible {
    name: String,
    score: f64,
    scores: BTreeMap<&'static str, f64>,
    chosen: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Group {
    plugin: &'static str,
    reasons: Vec<Reason>,
    count: usize,
    nodes: Vec<Place>,
}

/// A node that was refused.
#[derive(Clone, Debug, Serialize)]
struct Place {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preemption: Option<Preemption>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    victims: Vec<String>,
}

/// Whether evicting pods of lower priority could make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Preemption {
    Possible,
    NotHelpful,
    NoVictims,
    Never,
}

/// Judges a pod by every node of the cluster as it is. The cluster is afterwards as it was before.
#[must_use]
pub fn explain(cluster: &mut Cluster, pod: &PodInfo, profile: &Profile) -> Explanation {
    let search = nomination::search(cluster, pod, profile);
    let case = Case { pod, cluster, profile };
    let scores = if search.feasible.is_empty() { Scores::default() } else { Scores::of(case, &search.feasible, None) };
    let account = Account::of(cluster, &search, &scores, None, Extent::WHOLE);
    let mut told = tell(pod, &account);
    let best = account.best.first().map(|best| best.total);
    for (feasible, candidate) in told.feasible.iter_mut().zip(&account.best) {
        feasible.chosen = Some(candidate.total) == best;
    }
    let mut tries = MOST_TRIES;
    for (group, refused) in told.refused.iter_mut().zip(&account.refused) {
        for place in &mut group.nodes {
            let Some(row) = cluster.nodes.row_of(&place.name) else { continue };
            place.remedy = Some(remedy(PLUGINS[refused.plugin], Case { pod, cluster, profile }, row));
            (place.preemption, place.victims) = preemption(cluster, pod, profile, row, &refused.refusal, &mut tries);
        }
    }
    if search.feasible.is_empty() {
        let mut diagnosis = search.diagnose(Case { pod, cluster, profile });
        preempt(cluster, pod, profile, &mut diagnosis, 0);
        told.message = Some(diagnosis.to_string());
    }
    told
}

/// Tells what was remembered of the choice of this node.
#[must_use]
pub fn recall(pod: &PodInfo, account: &Account, node: &str) -> Explanation {
    let mut told = tell(pod, account);
    told.basis = Basis::Recorded;
    told.node_name = Some(node.to_owned());
    told.feasible.iter_mut().for_each(|feasible| feasible.chosen = feasible.name == node);
    told
}

fn tell(pod: &PodInfo, account: &Account) -> Explanation {
    let plugins: Vec<_> =
        account.plugins.iter().map(|(plugin, weight)| Weighted { name: PLUGINS[*plugin].name(), weight: *weight }).collect();
    let feasible = |candidate: &Candidate| Feasible {
        name: candidate.node.to_string(),
        score: scale(candidate.total),
        scores: plugins.iter().zip(&candidate.scores).map(|(plugin, score)| (plugin.name, scale(*score))).collect(),
        chosen: false,
    };
    let refused = |group: &Refused| {
        let place = |name: &Arc<str>| Place { name: name.to_string(), remedy: None, preemption: None, victims: Vec::new() };
        let mut nodes: Vec<_> = group.nodes.iter().map(place).collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Group { plugin: PLUGINS[group.plugin].name(), reasons: group.refusal.reasons.clone(), count: group.count, nodes }
    };
    Explanation {
        kind: "SchedulingExplanation",
        api_version: "mini.dev/v1",
        pod: Subject { namespace: pod.namespace.clone(), name: pod.name.clone() },
        scheduler_name: pod.scheduler.clone(),
        state: State::WhatIf,
        basis: Basis::Live,
        node_name: None,
        story: Story::default(),
        message: None,
        note: None,
        nodes: Counts { total: account.nodes, feasible: account.feasible, refused: account.evaluated() - account.feasible },
        feasible: account.best.iter().map(feasible).collect(),
        refused: account.refused.iter().map(refused).collect(),
        plugins,
    }
}

/// A score in upstream's range.
fn scale(score: i64) -> f64 {
    score as f64 / (MAX_SCORE / 100) as f64
}

/// What would help at this node: what the plugin says, else the changes that it listens for.
fn remedy(plugin: &dyn Plugin, case: Case<'_>, row: usize) -> String {
    let node = case.cluster.nodes.node(row);
    if let Some(remedy) = plugin.remedy(case, node) {
        return remedy;
    }
    let minded = [
        (Change::Node(node), "a change of the node"),
        (Change::PodGone(node, case.pod), "pods that leave it"),
        (Change::PodHere(node, case.pod), "pods that come to it"),
    ];
    let minded: Vec<&str> = minded.into_iter().filter(|(change, _)| plugin.minds(*change)).map(|(_, words)| words).collect();
    if minded.is_empty() { "a change elsewhere".to_owned() } else { minded.join(", or ") }
}

/// Whether evicting pods from this node would help, and which they are. Nothing, when that was tried at enough nodes.
fn preemption(
    cluster: &mut Cluster,
    pod: &PodInfo,
    profile: &Profile,
    row: usize,
    refusal: &Refusal,
    tries: &mut usize,
) -> (Option<Preemption>, Vec<String>) {
    if !refusal.resolvable {
        return (Some(Preemption::NotHelpful), Vec::new());
    }
    if pod.wants.never_preempts || !profile.preempts {
        return (Some(Preemption::Never), Vec::new());
    }
    if *tries == 0 {
        return (None, Vec::new());
    }
    *tries -= 1;
    match victims(cluster, pod, profile, row) {
        Ok(candidate) => (Some(Preemption::Possible), candidate.victims.iter().map(ToString::to_string).collect()),
        Err(_) => (Some(Preemption::NoVictims), Vec::new()),
    }
}

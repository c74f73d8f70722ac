//! Preemption, as a pure function: where would a pod fit if less important ones left, and which of them would have to? It follows
//! upstream's DefaultPreemption. Nothing is evicted here; the cluster is taken apart to look, and put together again.

use std::{cmp::Reverse, sync::Arc};

use jiff::Timestamp;

use crate::{
    cluster::Cluster,
    diagnosis::{Diagnosis, Preemption, Reasons},
    framework::{Reason, Refusal},
    nomination,
    pod::PodInfo,
    profile::{PreemptionArgs, Profile},
};

/// A node on which the pod would fit if these pods left it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The name of the node.
    pub node: Arc<str>,
    /// Who has to leave, the more important first. Never empty.
    pub victims: Vec<Arc<PodInfo>>,
    /// How many of them leave against a PodDisruptionBudget.
    pub violations: usize,
}

/// Looks for the node on which the least harm makes room for a pod that no node wanted, and notes in the diagnosis what came of it.
/// `random` decides where to begin, for in big clusters only some nodes are tried.
pub fn preempt(cluster: &mut Cluster, pod: &PodInfo, profile: &Profile, diagnosis: &mut Diagnosis, random: u64) -> Option<Candidate> {
    if diagnosis.nodes == 0 || !profile.preempts {
        return None;
    }
    let (outcome, candidate) = match ineligible(cluster, pod, diagnosis) {
        Some(why) => (why, None),
        None => match candidates(cluster, pod, profile, diagnosis, random) {
            Ok(candidates) => (Preemption::Found, candidates.into_iter().min_by_key(Candidate::harm)),
            Err(useless) => (Preemption::Useless(useless), None),
        },
    };
    diagnosis.preemption = outcome;
    candidate
}

/// Why a pod may not evict others, now or ever.
fn ineligible(cluster: &Cluster, pod: &PodInfo, diagnosis: &Diagnosis) -> Option<Preemption> {
    if pod.wants.never_preempts {
        return Some(Preemption::Never);
    }
    let row = cluster.nodes.row_of(cluster.nominations.node_of(&pod.uid)?)?;
    // A node that will not do even when they are gone is not worth waiting for.
    if !diagnosis.resolvable.contains(&row) {
        return None;
    }
    let leaving = |other: &PodInfo| other.preempted || cluster.nominations.awaits(&pod.uid, &other.uid);
    let mut lesser = cluster.nodes.node(row).pods().iter().filter(|other| other.wants.priority < pod.wants.priority);
    lesser.any(|other| leaving(other)).then_some(Preemption::Waiting)
}

/// All nodes where evictions would help, or enough of them; if there are none, why.
fn candidates(
    cluster: &mut Cluster,
    pod: &PodInfo,
    profile: &Profile,
    diagnosis: &Diagnosis,
    random: u64,
) -> Result<Vec<Candidate>, Reasons> {
    let rows = &diagnosis.resolvable;
    let enough = enough(profile.args.preemption, rows.len());
    let start = if rows.is_empty() { 0 } else { (random % rows.len() as u64) as usize };
    let (mut found, mut reasons) = (Vec::new(), Reasons::default());
    for row in rows.iter().cycle().skip(start).take(rows.len()) {
        match victims(cluster, pod, profile, *row) {
            Ok(candidate) => found.push(candidate),
            Err(refusal) => refusal.reasons.iter().for_each(|reason| reasons.add(reason, 1)),
        }
        if found.len() >= enough && found.iter().any(|candidate| candidate.violations == 0) {
            break;
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    reasons.add(&Reason::from("Preemption is not helpful for scheduling"), diagnosis.nodes - rows.len());
    Err(reasons)
}

/// How many candidates are enough, of so many nodes where evictions may help.
fn enough(args: PreemptionArgs, nodes: usize) -> usize {
    (nodes * args.min_candidate_nodes_percentage / 100).max(args.min_candidate_nodes_absolute).clamp(1, nodes.max(1))
}

/// Who would have to leave this node for the pod to fit.
///
/// # Errors
/// Why it would not fit whoever left.
pub(crate) fn victims(cluster: &mut Cluster, pod: &PodInfo, profile: &Profile, row: usize) -> Result<Candidate, Refusal> {
    let node = cluster.nodes.node(row);
    let name = node.info().name.clone();
    let mut lesser: Vec<_> = node.pods().iter().filter(|other| other.wants.priority < pod.wants.priority).cloned().collect();
    if lesser.is_empty() {
        return Err(Refusal::unresolvable("No preemption victims found for incoming pod"));
    }
    lesser.sort_by_key(|pod| importance(pod));
    let mut lifted: Vec<_> = lesser.iter().filter_map(|other| cluster.nodes.lift(&other.uid)).collect();
    let claims = cluster.nominations.claims_on(&name, pod);
    if let Err((_, refusal)) = nomination::allows(cluster, pod, profile, row, &claims) {
        lifted.into_iter().for_each(|held| cluster.nodes.put_back(held));
        return Err(refusal);
    }
    // Those that are protected come back first, then the others; of each kind the more important ones first.
    let protected = protected(cluster, &lesser);
    let violates = |other: &PodInfo| protected.iter().any(|protected| protected.uid == other.uid);
    lifted.sort_by_key(|held| !violates(held.pod()));
    let mut leaving = Vec::new();
    for held in lifted {
        cluster.nodes.put_back(held.clone());
        if nomination::allows(cluster, pod, profile, row, &claims).is_err() {
            leaving.extend(cluster.nodes.lift(&held.pod().uid));
        }
    }
    let mut victims: Vec<_> = leaving.iter().map(|held| held.pod().clone()).collect();
    leaving.into_iter().for_each(|held| cluster.nodes.put_back(held));
    victims.sort_by_key(|victim| importance(victim));
    let violations = victims.iter().filter(|victim| violates(victim)).count();
    Ok(Candidate { node: name, victims, violations })
}

/// Sorts the more important pods to the front: higher priority, then whoever runs longer.
fn importance(pod: &PodInfo) -> (Reverse<i32>, Timestamp) {
    (Reverse(pod.wants.priority), started(pod))
}

/// What has not started yet starts now at the earliest.
fn started(pod: &PodInfo) -> Timestamp {
    pod.started.unwrap_or(Timestamp::MAX)
}

/// Those of the pods, given by importance, for whose end a budget has nothing left if all before them end too.
fn protected(cluster: &Cluster, pods: &[Arc<PodInfo>]) -> Vec<Arc<PodInfo>> {
    let mut left: Vec<_> = cluster.budgets.all().map(|budget| (budget.allowed, budget)).collect();
    let mut charged = |pod: &Arc<PodInfo>| {
        let mut violated = false;
        for (allowed, _) in left.iter_mut().filter(|(_, budget)| budget.is_charged_for(pod)) {
            *allowed -= 1;
            violated |= *allowed < 0;
        }
        violated
    };
    pods.iter().filter(|pod| charged(pod)).cloned().collect()
}

/// What is to be kept small, the weightier first: broken budgets, the highest priority, the sum of priorities, the number of
/// victims, and how long the most important of them have been running.
type Harm = (usize, i32, i64, usize, Reverse<Timestamp>);

impl Candidate {
    fn harm(&self) -> Harm {
        let priorities = || self.victims.iter().map(|victim| victim.wants.priority);
        let highest = priorities().max().unwrap_or(i32::MIN);
        // None counts as less than nothing, or many victims of negative priority would be better than few.
        let sum = priorities().map(|priority| i64::from(priority) - i64::from(i32::MIN)).sum();
        let first = self.victims.iter().filter(|victim| victim.wants.priority == highest).map(|victim| started(victim)).min();
        (self.violations, highest, sum, self.victims.len(), Reverse(first.unwrap_or(Timestamp::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use mini_api::selector::Selector;
    use serde_json::json;

    use super::*;
    use crate::{
        budget::BudgetInfo,
        census::{Bond, Demand, Namespaces, Selection, Term},
        cycle::{self, Decision, Draw},
        framework::{Case, testing},
        node::NodeInfo,
        pod::HostPort,
        relations::{Constraint, Relations},
        storage::{PodClaim, Stored},
    };

    /// A pod with this priority and so much cpu, with `app` as its label, running since so many seconds after the epoch.
    fn running(name: &str, priority: i32, cpu: i64, since: i64) -> PodInfo {
        let mut pod = wanting(name, priority, cpu);
        pod.started = Some(Timestamp::from_second(since).unwrap());
        pod.labels = [("app".into(), name.into())].into();
        pod
    }

    fn wanting(name: &str, priority: i32, cpu: i64) -> PodInfo {
        let mut pod = testing::pod(name);
        (pod.wants.amounts.cpu, pod.wants.priority) = (cpu, priority);
        pod
    }

    /// Nodes of 4 cpus called a, b, … with these pods on them.
    fn cluster(nodes: &[&[PodInfo]]) -> Cluster {
        let mut cluster = Cluster::default();
        for (name, pods) in ["a", "b", "c", "d"].into_iter().zip(nodes) {
            cluster.nodes.apply_node(testing::node(name));
            pods.iter().for_each(|pod| drop(cluster.nodes.place(Arc::new(pod.clone()), &name.into())));
        }
        cluster
    }

    /// The nodes a, b, … of the cluster with their names as the label `host`, and in these zones.
    fn zoned(mut cluster: Cluster, zones: &[&str]) -> Cluster {
        for (name, zone) in ["a", "b", "c", "d"].into_iter().zip(zones) {
            let labels = [("host".to_owned(), name.to_owned()), ("zone".to_owned(), (*zone).to_owned())].into();
            cluster.nodes.apply_node(NodeInfo { labels, ..testing::node(name) });
        }
        cluster
    }

    /// The pod, with a demand on those near it.
    fn bound(mut pod: PodInfo, demand: Demand, labels: &str, topology_key: &str) -> PodInfo {
        let (namespaces, labels) = (vec!["default".into()], labels.parse().unwrap());
        let term = Term { namespaces, namespace_labels: Selector::nothing(), labels, topology_key: topology_key.into() };
        pod.wants.relations = Some(Box::new(Relations { bonds: vec![Bond { term, demand }], spread: Vec::new() }));
        pod
    }

    /// A budget for the pods of this name that allows so many to go.
    fn protect(cluster: &mut Cluster, name: &str, allowed: i32) {
        let selector = Some(Selector::from_labels(&[("app".into(), name.into())].into()));
        let budget = BudgetInfo { namespace: "default".into(), name: name.into(), selector, allowed, ..BudgetInfo::default() };
        cluster.budgets.apply(Event::Apply(budget));
    }

    /// Where room is made for a pod and who has to leave; or why not.
    fn outcome(cluster: &mut Cluster, pod: &PodInfo) -> String {
        let decision = cycle::schedule(Case::new(pod, cluster), Draw::default()).decision;
        let Decision::Refuse(mut diagnosis) = decision else { return "fits".into() };
        match preempt(cluster, pod, Profile::standard(), &mut diagnosis, 0) {
            None => diagnosis.to_string().split_once("preemption: ").map_or_else(String::new, |(_, why)| why.to_owned()),
            Some(Candidate { node, victims, violations }) => {
                let names: Vec<_> = victims.iter().map(|victim| victim.name.as_str()).collect();
                format!("{node}: {} against {violations}", names.join(" "))
            }
        }
    }

    #[test]
    fn as_few_as_possible_leave_and_the_less_important_first() {
        let pods =
            [running("old", 1, 1000, 10), running("young", 1, 1000, 20), running("high", 5, 1000, 30), running("equal", 9, 1000, 30)];
        for (cpu, want) in [
            (0, "fits"),
            (1000, "a: young against 0"),
            (2000, "a: old young against 0"),
            (3000, "a: high old young against 0"),
            (3500, "0/1 nodes are available: 1 Insufficient cpu."),
            (5000, "0/1 nodes are available: 1 Preemption is not helpful for scheduling."),
        ] {
            let mut cluster = cluster(&[&pods]);
            assert_eq!(outcome(&mut cluster, &wanting("p", 9, cpu)), want, "{cpu}");
            assert_eq!((cluster.nodes.node(0).requested().cpu, cluster.nodes.node(0).pods().len()), (4000, 4));
        }
    }

    #[test]
    fn the_node_with_the_least_harm_is_chosen() {
        let one = |name, priority, since| [running(name, priority, 4000, since)];
        let two = |name: &str, priority, since| [running(name, priority, 2000, since), running(&format!("{name}2"), priority, 2000, since)];
        for (what, a, b, want) in [
            ("lower highest priority", &one("x", 5, 0)[..], &two("y", 4, 0)[..], "b: y y2 against 0"),
            ("smaller sum of priorities", &two("x", 4, 0), &one("y", 4, 0), "b: y against 0"),
            ("fewer, though their priorities are negative", &two("x", -4, 0), &one("y", -4, 0), "b: y against 0"),
            ("later start", &one("x", 4, 10), &one("y", 4, 20), "b: y against 0"),
            ("not started", &one("x", 4, 10), &[wanting("y", 4, 4000)], "b: y against 0"),
            ("the first", &one("x", 4, 10), &one("y", 4, 10), "a: x against 0"),
        ] {
            assert_eq!(outcome(&mut cluster(&[a, b]), &wanting("p", 9, 4000)), want, "{what}");
        }
    }

    #[test]
    fn budgets_steer_the_choice_but_do_not_forbid_it() {
        let nodes = || cluster(&[&[running("web", 1, 4000, 0)], &[running("db", 5, 2000, 0), running("cache", 5, 2000, 9)]]);
        let pod = wanting("p", 9, 2000);
        for (budgets, want) in [
            (&[][..], "a: web against 0"),
            (&[("web", 1)], "a: web against 0"),
            (&[("web", 0)], "b: cache against 0"),
            (&[("web", 0), ("cache", 0)], "b: db against 0"),
            (&[("web", 0), ("cache", 0), ("db", 0)], "a: web against 1"),
        ] {
            let mut cluster = nodes();
            budgets.iter().for_each(|(name, allowed)| protect(&mut cluster, name, *allowed));
            assert_eq!(outcome(&mut cluster, &pod), want, "{budgets:?}");
        }
    }

    #[test]
    fn a_budget_is_used_up_by_the_more_important_pods_first() {
        let pods: Vec<_> = [("x", 3), ("y", 2), ("z", 1)]
            .map(|(name, priority)| PodInfo { labels: [("app".into(), "web".into())].into(), ..running(name, priority, 1000, 0) })
            .into();
        let mut cluster = cluster(&[&pods]);
        protect(&mut cluster, "web", 1);
        // y and z are protected, so they stay where they can, and x goes although it is the most important.
        assert_eq!(outcome(&mut cluster, &wanting("p", 9, 2000)), "a: x against 0");
        assert_eq!(outcome(&mut cluster, &wanting("p", 9, 3000)), "a: x z against 1");
    }

    #[test]
    fn nobody_is_evicted_in_vain() {
        let full = [running("x", 1, 4000, 0)];
        let mut pod = wanting("p", 1, 2000);
        assert_eq!(outcome(&mut cluster(&[&full]), &pod), "0/1 nodes are available: 1 No preemption victims found for incoming pod.");
        pod.wants.priority = 9;
        pod.wants.never_preempts = true;
        assert_eq!(outcome(&mut cluster(&[&full]), &pod), "not eligible due to preemptionPolicy=Never.");
        pod.wants.never_preempts = false;
        pod.wants.selector = [("zone".into(), "a".into())].into();
        assert_eq!(outcome(&mut cluster(&[&full]), &pod), "0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
        let profile = Profile { preempts: false, ..Profile::default() };
        let mut diagnosis = Diagnosis { nodes: 1, resolvable: vec![0], ..Diagnosis::default() };
        pod.wants.selector.clear();
        assert_eq!(preempt(&mut cluster(&[&full]), &pod, &profile, &mut diagnosis, 0), None);
    }

    #[test]
    fn whoever_waits_for_victims_does_not_ask_for_more() {
        let waiting = "not eligible due to a terminating pod on the nominated node.";
        let pod = Arc::new(wanting("p", 9, 4000));
        for (victims, preempted, want) in [
            (vec!["x".into()], false, waiting),
            (vec![], true, waiting),
            (vec![], false, "b: y against 0"),
            (vec!["gone".into()], false, "b: y against 0"),
        ] {
            let x = PodInfo { preempted, ..running("x", 5, 4000, 0) };
            let mut cluster = cluster(&[&[x], &[running("y", 1, 4000, 0)]]);
            cluster.nominations.nominate(pod.clone(), "a".into(), victims.clone());
            assert_eq!(outcome(&mut cluster, &pod), want, "{victims:?} {preempted}");
        }
    }

    #[test]
    fn when_the_nominated_node_will_not_do_any_more_another_is_looked_for() {
        let pod = Arc::new(wanting("p", 9, 4000));
        let mut cluster = cluster(&[&[running("x", 5, 4000, 0)], &[running("y", 1, 4000, 0)]]);
        cluster.nodes.apply_node(NodeInfo { unschedulable: true, ..testing::node("a") });
        cluster.nominations.nominate(pod.clone(), "a".into(), vec!["x".into()]);
        assert_eq!(outcome(&mut cluster, &pod), "b: y against 0");
    }

    #[test]
    fn room_promised_to_others_is_not_given_twice() {
        let mut cluster = cluster(&[&[running("x", 1, 2000, 0), running("y", 1, 2000, 0)]]);
        cluster.nominations.nominate(Arc::new(wanting("first", 9, 2000)), "a".into(), vec!["x".into()]);
        assert_eq!(outcome(&mut cluster, &wanting("p", 9, 2000)), "a: x y against 0");
        assert_eq!(outcome(&mut cluster, &wanting("p", 9, 3000)), "0/1 nodes are available: 1 Insufficient cpu.");
        // Whoever is more important takes it, and needs only one of them.
        assert_eq!(outcome(&mut cluster, &wanting("p", 10, 2000)).len(), "a: x against 0".len());
    }

    #[test]
    fn in_big_clusters_a_part_is_enough() {
        for (nodes, want) in [(1, 1), (50, 50), (100, 100), (500, 100), (5000, 500)] {
            assert_eq!(enough(PreemptionArgs::default(), nodes), want);
        }
        assert_eq!(enough(PreemptionArgs { min_candidate_nodes_percentage: 0, min_candidate_nodes_absolute: 0 }, 9), 1);
    }

    #[test]
    fn a_port_is_given_back() {
        let with_port = |mut pod: PodInfo, port| {
            pod.wants.ports = vec![HostPort { ip: "0.0.0.0".into(), protocol: "TCP".into(), port }];
            pod
        };
        let pods = [with_port(running("x", 9, 100, 0), 80), with_port(running("y", 1, 100, 0), 81), running("z", 1, 100, 0)];
        for (port, want) in [
            (80, "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."),
            (81, "a: y against 0"),
            (82, "fits"),
        ] {
            assert_eq!(outcome(&mut cluster(&[&pods]), &with_port(wanting("p", 9, 100), port)), want, "{port}");
        }
    }

    #[test]
    fn a_claim_for_one_pod_alone_is_given_back() {
        let claiming = |mut pod: PodInfo| {
            pod.wants.claims = vec![PodClaim { name: "x".to_owned(), ephemeral: false }];
            pod
        };
        let refused =
            "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.";
        for (mode, priority, want) in
            [("ReadWriteOncePod", 1, "b: x against 0"), ("ReadWriteOncePod", 9, refused), ("ReadWriteOnce", 1, "fits")]
        {
            let x = claiming(running("x", priority, 100, 0));
            let mut cluster = cluster(&[&[running("y", 1, 100, 0)], &[x, running("z", 1, 100, 0)]]);
            let metadata = json!({"name": "x", "namespace": "default", "annotations": {"pv.kubernetes.io/bind-completed": "yes"}});
            let claim = json!({"metadata": metadata, "spec": {"volumeName": "v", "accessModes": [mode]}});
            cluster.storage.claims.apply(Event::Apply(Stored(serde_json::from_value(claim).unwrap())));
            let volume = json!({"metadata": {"name": "v"}});
            cluster.storage.volumes.apply(Event::Apply(Stored(serde_json::from_value(volume).unwrap())));
            assert_eq!(outcome(&mut cluster, &claiming(wanting("p", 9, 100))), want, "{mode} {priority}");
        }
    }

    #[test]
    fn whoever_must_not_be_near_the_pod_leaves() {
        let refusing = |pod, labels| bound(pod, Demand::Refuse, labels, "host");
        let itself = || PodInfo { labels: [("app".into(), "p".into())].into(), ..wanting("p", 9, 100) };
        let x = |priority| running("x", priority, 100, 0);
        for (x, pod, want) in [
            (x(1), refusing(itself(), "app=x"), "a: x against 0"),
            (x(9), refusing(itself(), "app=x"), "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."),
            (refusing(x(1), "app=p"), itself(), "a: x against 0"),
            (refusing(x(9), "app=p"), itself(), "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."),
        ] {
            let mut cluster = zoned(cluster(&[&[x, running("y", 1, 100, 0)]]), &["z"]);
            assert_eq!(outcome(&mut cluster, &pod), want);
        }
    }

    #[test]
    fn nobody_leaves_one_node_to_make_another_fit() {
        let pod = bound(wanting("p", 9, 100), Demand::Refuse, "app=x", "zone");
        for (unschedulable, want) in [
            (false, "b: x against 0"),
            (true, "0/2 nodes are available: 1 Preemption is not helpful for scheduling, 1 node(s) didn't match pod anti-affinity rules."),
        ] {
            let mut cluster = zoned(cluster(&[&[running("y", 1, 100, 0)], &[running("x", 1, 100, 0)]]), &["z", "z"]);
            let b = NodeInfo { unschedulable, ..cluster.nodes.node(1).info().clone() };
            cluster.nodes.apply_node(b);
            assert_eq!(outcome(&mut cluster, &pod), want, "{unschedulable}");
        }
    }

    #[test]
    fn nobody_leaves_where_the_pod_needs_those_who_would_have_to() {
        let pod = bound(wanting("p", 9, 1000), Demand::Need, "app=x", "host");
        for (priority, want) in [(9, "a: y against 0"), (1, "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.")] {
            let mut cluster = zoned(cluster(&[&[running("x", priority, 3000, 0), running("y", 1, 1000, 0)]]), &["z"]);
            assert_eq!(outcome(&mut cluster, &pod), want, "{priority}");
        }
    }

    #[test]
    fn who_leaves_makes_the_spread_even() {
        let (namespaces, labels) = (Namespaces::These(vec!["default".into()]), "app=x".parse().unwrap());
        let constraint = Constraint {
            max_skew: 1,
            topology_key: "zone".into(),
            required: true,
            min_domains: 1,
            honors_affinity: true,
            honors_taints: false,
            selection: Selection::Labelled { namespaces, labels, living: true },
        };
        let mut pod = PodInfo { labels: [("app".into(), "x".into())].into(), ..wanting("p", 9, 100) };
        pod.wants.relations = Some(Box::new(Relations { bonds: Vec::new(), spread: vec![constraint] }));
        let refused = "0/2 nodes are available: 1 No preemption victims found for incoming pod, \
                       1 node(s) didn't match pod topology spread constraints.";
        for (priority, want) in [(1, "a: x against 0"), (9, refused)] {
            // The other zone is emptier, but has no room.
            let pods = [running("x", priority, 100, 0), running("y", 1, 100, 0)];
            let mut cluster = zoned(cluster(&[&pods, &[running("full", 9, 4000, 0)]]), &["y", "z"]);
            assert_eq!(outcome(&mut cluster, &pod), want, "{priority}");
        }
    }
}

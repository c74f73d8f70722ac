//! PodTopologySpread: pods of one sort are spread evenly over zones, nodes, or whatever a label of the nodes tells apart.
//!
//! A pod without constraints of its own is spread softly over nodes and zones, together with the other pods of its ReplicaSet,
//! StatefulSet or ReplicationController, or else of the Services that lead to it. Upstream reads the selectors of those owners; who
//! made a pod says the same, for a pod that an owner's selector matches is adopted, and costs no watch of three more kinds.

use std::{borrow::Cow, sync::LazyLock};

use k8s_openapi::api::core::v1::TopologySpreadConstraint;
use mini_api::{
    selector::Selector,
    taint::{self, NO_EXECUTE, NO_SCHEDULE},
};

use crate::{
    census::{Counts, Domains, Namespaces, Need, Selection},
    framework::{Basis, Case, Change, Filter, MAX_SCORE, Plugin, Refusal, Score},
    pod::PodInfo,
    profile::DefaultConstraints,
    relations::{Constraint, REQUIRED},
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &PodTopologySpread;

/// Every node is a domain of its own.
const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

struct PodTopologySpread;

impl Plugin for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn needs(&self, case: Case<'_>) -> Vec<Need> {
        let all = [true, false].into_iter().flat_map(|required| constraints(case, required));
        let both = |one: Cow<'_, Constraint>| [Need::Counts(one.selection.clone()), Need::Domains(one.topology_key.clone())];
        all.flat_map(both).collect()
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let constraints = constraints(case, true);
        if constraints.is_empty() {
            return Filter::Nothing;
        }
        let rules = rules(case, &constraints);
        Filter::each(move |node| rules.iter().try_for_each(|rule| rule.allows(node.row())))
    }

    fn weight(&self) -> i64 {
        2
    }

    fn score<'c>(&self, case: Case<'c>, rows: &[usize]) -> Option<Score<'c>> {
        let constraints = constraints(case, false);
        if constraints.is_empty() {
            return None;
        }
        Some(score(case, &constraints, rows))
    }

    fn minds(&self, change: Change<'_>) -> bool {
        !matches!(change, Change::Other(..))
    }

    /// A pod that counts makes domains fuller or emptier wherever it is; and so may a node that is part of domains.
    fn helped_by(&self, case: Case<'_>, change: Change<'_>) -> bool {
        let constraints = constraints(case, true);
        let mut constraints = constraints.iter();
        match change {
            Change::PodHere(_, other) | Change::PodGone(_, other) => constraints.any(|constraint| constraint.selection.contains(other)),
            Change::Node(node) => constraints.all(|constraint| node.info().labels.contains_key(&constraint.topology_key)),
            Change::NodeGone(node) => constraints.all(|constraint| node.labels.contains_key(&constraint.topology_key)),
            Change::Other(..) => false,
        }
    }
}

/// The constraints that must hold, or those that only make nodes better or worse: the pod's own; if it has none at all, the defaults.
fn constraints(case: Case<'_>, required: bool) -> Vec<Cow<'_, Constraint>> {
    let own = own(case.pod);
    if !own.is_empty() {
        return own.iter().filter(|constraint| constraint.required == required).map(Cow::Borrowed).collect();
    }
    static SYSTEM: LazyLock<[TopologySpreadConstraint; 2]> = LazyLock::new(system_defaults);
    let list = match &case.profile.args.default_constraints {
        DefaultConstraints::System => SYSTEM.as_slice(),
        DefaultConstraints::List(list) => list.as_slice(),
    };
    let list: Vec<_> = list.iter().filter(|constraint| (constraint.when_unsatisfiable == REQUIRED) == required).collect();
    if list.is_empty() {
        return Vec::new();
    }
    let Some(selection) = siblings(case) else { return Vec::new() };
    list.into_iter().map(|view| Cow::Owned(Constraint::new(view, selection.clone()))).collect()
}

fn own(pod: &PodInfo) -> &[Constraint] {
    pod.wants.relations.as_ref().map_or(&[], |relations| &relations.spread)
}

fn system_defaults() -> [TopologySpreadConstraint; 2] {
    [(HOSTNAME, 3), (ZONE, 5)].map(|(key, max_skew)| TopologySpreadConstraint {
        max_skew,
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        ..TopologySpreadConstraint::default()
    })
}

/// The pods that a pod is spread with by default.
fn siblings(case: Case<'_>) -> Option<Selection> {
    let Case { pod, cluster, .. } = case;
    if let Some(maker) = &pod.made_by {
        return Some(Selection::MadeBy(maker.clone()));
    }
    let services = cluster.services.in_namespace(&pod.namespace);
    let leading = services.filter(|service| service.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value)));
    let labels = leading.flat_map(|service| service.selector.clone()).collect();
    let labels = Selector::from_labels(&labels);
    let namespaces = Namespaces::These(vec![pod.namespace.clone()]);
    (!labels.is_empty()).then_some(Selection::Labelled { namespaces, labels, living: true })
}

/// A constraint that must hold, with the state of its domains.
struct Rule<'c> {
    domains: Cow<'c, Domains>,
    /// How many pods that count each domain has.
    pods: Vec<u32>,
    /// How many the emptiest has; nothing when there are no domains at all.
    fewest: Option<u32>,
    /// The pod itself counts where it comes.
    itself: u32,
    max_skew: i64,
}

fn rules<'c>(case: Case<'c>, constraints: &[Cow<'c, Constraint>]) -> Vec<Rule<'c>> {
    let Case { pod, cluster, .. } = case;
    let table = &cluster.nodes;
    let all: Vec<_> = constraints.iter().map(|constraint| table.domains(&constraint.topology_key)).collect();
    let rule = |(constraint, domains): (&Cow<'c, Constraint>, &Cow<'c, Domains>)| {
        let counts = table.counts(&constraint.selection);
        let part = |row: usize| all.iter().all(|domains| domains.of(row).is_some()) && includes(constraint, case, row);
        let mut there = vec![false; domains.len()];
        (0..table.len()).filter(|row| part(*row)).filter_map(|row| domains.of(row)).for_each(|domain| there[domain] = true);
        let pods = domains.sums(&counts, part);
        let fewest = pods.iter().zip(&there).filter(|(_, there)| **there).map(|(pods, _)| *pods).min();
        let enough = there.iter().filter(|there| **there).count() >= constraint.min_domains;
        Rule {
            domains: domains.clone(),
            pods,
            fewest: if enough { fewest } else { Some(0) },
            itself: constraint.selection.contains(pod).into(),
            max_skew: constraint.max_skew.into(),
        }
    };
    constraints.iter().zip(&all).map(rule).collect()
}

impl Rule<'_> {
    fn allows(&self, row: usize) -> Result<(), Refusal> {
        let Some(domain) = self.domains.of(row) else {
            return Err(Refusal::unresolvable("node(s) didn't match pod topology spread constraints (missing required label)"));
        };
        let Some(fewest) = self.fewest else { return Ok(()) };
        let skew = i64::from(self.pods[domain]) + i64::from(self.itself) - i64::from(fewest);
        if skew <= self.max_skew {
            return Ok(());
        }
        Err(Refusal::resolvable("node(s) didn't match pod topology spread constraints"))
    }
}

/// Whether the node of a row, with its pods, is part of the constraint's domains.
fn includes(constraint: &Constraint, case: Case<'_>, row: usize) -> bool {
    let (wants, node) = (&case.pod.wants, case.cluster.nodes.node(row).info());
    (!constraint.honors_affinity || wants.allow(node))
        && (!constraint.honors_taints || taint::find_untolerated(&node.taints, &wants.tolerations, &[NO_SCHEDULE, NO_EXECUTE]).is_none())
}

/// A soft constraint, with the state of its domains.
struct Pull<'c> {
    domains: Cow<'c, Domains>,
    state: State<'c>,
    /// Differences count the more, the more domains there are.
    weight: f64,
    max_skew: f64,
}

/// How many pods that count there are.
enum State<'c> {
    /// On each row: where every node is a domain.
    Rows(Cow<'c, Counts>),
    /// In each domain.
    Domains(Vec<u32>),
}

fn score<'c>(case: Case<'c>, constraints: &[Cow<'c, Constraint>], rows: &[usize]) -> Score<'c> {
    let table = &case.cluster.nodes;
    let all: Vec<_> = constraints.iter().map(|constraint| table.domains(&constraint.topology_key)).collect();
    // A node that lacks one of the labels is the worst. Not so by upstream's own defaults.
    let strict = !own(case.pod).is_empty() || case.profile.args.default_constraints != DefaultConstraints::System;
    let scored = |row: usize| !strict || all.iter().all(|domains| domains.of(row).is_some());
    let rows: Vec<usize> = rows.iter().copied().filter(|row| scored(*row)).collect();
    let pull = |(constraint, domains): (&Cow<'c, Constraint>, &Cow<'c, Domains>)| {
        let counts = table.counts(&constraint.selection);
        let (size, state) = if constraint.topology_key == HOSTNAME {
            (rows.len(), State::Rows(counts))
        } else {
            // Nodes without the label are one more domain.
            let mut found = vec![false; domains.len()];
            rows.iter().for_each(|row| found[domains.of(*row).unwrap_or(0)] = true);
            let size = found.into_iter().filter(|found| *found).count();
            let part = |row: usize| scored(row) && includes(constraint, case, row);
            (size, State::Domains(domains.sums(&counts, part)))
        };
        Pull { domains: domains.clone(), state, weight: (size as f64 + 2.0).ln(), max_skew: constraint.max_skew.into() }
    };
    let pulls: Vec<_> = constraints.iter().zip(&all).map(pull).collect();
    let look = move |node: NodeRef<'_>| {
        let row = node.row();
        let present = |pull: &Pull<'_>| pull.domains.of(row).is_some();
        if strict && !pulls.iter().all(present) {
            return IGNORED;
        }
        pulls.iter().filter(|pull| present(pull)).map(|pull| pull.of(row)).sum::<f64>().round() as i64
    };
    Score { look: Box::new(look), normalize: Box::new(normalize), basis: Basis::Cluster }
}

impl Pull<'_> {
    fn of(&self, row: usize) -> f64 {
        let pods = match &self.state {
            State::Rows(counts) => counts.of(row),
            State::Domains(pods) => self.domains.of(row).map_or(0, |domain| pods[domain]),
        };
        f64::from(pods) * self.weight + (self.max_skew - 1.0)
    }
}

/// What a node gets that is not scored.
const IGNORED: i64 = -1;

/// The fewer pods, the better; the differences are seen in relation to the fullest.
fn normalize(scores: &mut [i64]) {
    let scored = || scores.iter().copied().filter(|score| *score != IGNORED);
    let (lowest, highest) = (scored().min().unwrap_or(0), scored().max().unwrap_or(0));
    for score in scores {
        *score = match *score {
            IGNORED => 0,
            _ if highest == 0 => MAX_SCORE,
            score => MAX_SCORE * (highest + lowest - score) / highest,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Taint;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::{
        cluster::Cluster,
        framework::testing::{node, pod},
        profile::Profile,
        relations::Relations,
        service::ServiceInfo,
    };

    const SKEWED: &str = "node(s) didn't match pod topology spread constraints";
    const UNLABELLED: &str = "node(s) didn't match pod topology spread constraints (missing required label)";

    /// Nodes named after their zones; `-` has none. On each, so many pods with `app=web`.
    fn cluster(nodes: &[(&str, usize)]) -> Cluster {
        let mut cluster = Cluster::default();
        for (name, pods) in nodes {
            let mut node = node(name);
            node.labels.insert(HOSTNAME.into(), (*name).into());
            if *name != "-" {
                node.labels.insert(ZONE.into(), name[..1].into());
            }
            cluster.nodes.apply_node(node);
            for index in 0..*pods {
                cluster.nodes.place(Arc::new(PodInfo { uid: format!("{name}-{index}").into(), ..web(&[]) }), &(*name).into());
            }
        }
        cluster
    }

    fn web(spread: &[Constraint]) -> PodInfo {
        let mut pod = pod("web");
        pod.labels.insert("app".into(), "web".into());
        pod.wants.relations = (!spread.is_empty()).then(|| Box::new(Relations { bonds: Vec::new(), spread: spread.to_vec() }));
        pod
    }

    fn constraint(key: &str, max_skew: i32, required: bool) -> Constraint {
        let (namespaces, labels) = (Namespaces::These(vec!["default".into()]), "app=web".parse().unwrap());
        Constraint {
            max_skew,
            topology_key: key.into(),
            required,
            min_domains: 1,
            honors_affinity: true,
            honors_taints: false,
            selection: Selection::Labelled { namespaces, labels, living: true },
        }
    }

    /// The nodes that are not refused, and what is said of the first that is.
    fn filtered(cluster: &Cluster, pod: &PodInfo) -> (String, String) {
        let filter = PLUGIN.filter(Case::new(pod, cluster));
        let (mut good, mut words) = (Vec::new(), String::new());
        for row in 0..cluster.nodes.len() {
            match filter.look(cluster.nodes.node(row)) {
                Ok(()) => good.push(&*cluster.nodes.node(row).info().name),
                Err(refusal) if words.is_empty() => words = refusal.reasons.join(", "),
                Err(_) => {}
            }
        }
        (good.join(" "), words)
    }

    /// The normalized scores of all nodes.
    fn scores(cluster: &Cluster, pod: &PodInfo) -> Option<Vec<i64>> {
        let rows: Vec<_> = (0..cluster.nodes.len()).collect();
        let score = PLUGIN.score(Case::new(pod, cluster), &rows)?;
        let mut scores: Vec<_> = rows.iter().map(|row| (score.look)(cluster.nodes.node(*row))).collect();
        (score.normalize)(&mut scores);
        Some(scores)
    }

    #[test]
    fn no_domain_gets_ahead() {
        for (nodes, key, max_skew, good, words) in [
            (&[("a1", 0), ("b1", 0)][..], ZONE, 1, "a1 b1", ""),
            (&[("a1", 1), ("a2", 0), ("b1", 0)], ZONE, 1, "b1", SKEWED),
            (&[("a1", 1), ("a2", 0), ("b1", 0)], HOSTNAME, 1, "a2 b1", SKEWED),
            (&[("a1", 2), ("a2", 1), ("b1", 1)], ZONE, 2, "b1", SKEWED),
            (&[("a1", 1), ("a2", 1), ("b1", 1)], ZONE, 2, "a1 a2 b1", ""),
            (&[("a1", 0), ("-", 0)], ZONE, 1, "a1", UNLABELLED),
            (&[("a1", 3), ("-", 0)], ZONE, 1, "a1", UNLABELLED),
        ] {
            let pod = web(&[constraint(key, max_skew, true)]);
            assert_eq!(filtered(&cluster(nodes), &pod), (good.into(), words.into()), "{nodes:?} {key} {max_skew}");
        }
    }

    #[test]
    fn all_constraints_must_hold() {
        let pod = web(&[constraint(ZONE, 1, true), constraint(HOSTNAME, 1, true)]);
        assert_eq!(filtered(&cluster(&[("a1", 1), ("a2", 0), ("b1", 1), ("b2", 0)]), &pod).0, "a2 b2");
        assert_eq!(filtered(&cluster(&[("a1", 2), ("a2", 0), ("b1", 1), ("b2", 0)]), &pod).0, "b2");
    }

    #[test]
    fn too_few_domains_count_as_an_empty_one() {
        let mut few = constraint(ZONE, 1, true);
        few.min_domains = 3;
        assert_eq!(filtered(&cluster(&[("a1", 1), ("b1", 1)]), &web(&[few.clone()])).0, "");
        assert_eq!(filtered(&cluster(&[("a1", 1), ("b1", 0)]), &web(&[few.clone()])).0, "b1");
        assert_eq!(filtered(&cluster(&[("a1", 1), ("b1", 1), ("c1", 1)]), &web(&[few])).0, "a1 b1 c1");
    }

    #[test]
    fn a_pod_that_is_not_meant_itself_does_not_add_to_the_skew() {
        let mut other = web(&[constraint(ZONE, 1, true)]);
        other.labels.clear();
        assert_eq!(filtered(&cluster(&[("a1", 1), ("b1", 0)]), &other).0, "a1 b1");
        assert_eq!(filtered(&cluster(&[("a1", 2), ("b1", 0)]), &other).0, "b1");
    }

    #[test]
    fn nodes_that_the_pod_cannot_have_are_no_domains() {
        let mut nodes = cluster(&[("a1", 1), ("b1", 0)]);
        let taint = Taint { key: "k".into(), effect: NO_SCHEDULE.into(), ..Taint::default() };
        nodes.nodes.apply_node(crate::node::NodeInfo { taints: vec![taint], ..nodes.nodes.node(1).info().clone() });
        let mut honors = constraint(ZONE, 1, true);
        assert_eq!(filtered(&nodes, &web(&[honors.clone()])).0, "b1");
        honors.honors_taints = true;
        assert_eq!(filtered(&nodes, &web(&[honors])).0, "a1 b1");

        let mut picky = web(&[constraint(ZONE, 1, true)]);
        picky.wants.selector = [(HOSTNAME.to_owned(), "a1".to_owned())].into();
        assert_eq!(filtered(&nodes, &picky).0, "a1 b1");
        picky.wants.relations.as_mut().unwrap().spread[0].honors_affinity = false;
        assert_eq!(filtered(&nodes, &picky).0, "b1");
    }

    #[test]
    fn what_cannot_be_made_better_by_evicting() {
        let pod = web(&[constraint(ZONE, 1, true)]);
        let cluster = cluster(&[("a1", 1), ("b1", 0), ("-", 0)]);
        let filter = PLUGIN.filter(Case::new(&pod, &cluster));
        let resolvable = |row| filter.look(cluster.nodes.node(row)).unwrap_err().resolvable;
        assert!(resolvable(0) && !resolvable(2));
    }

    #[test]
    fn soft_constraints_prefer_emptier_domains() {
        let pod = web(&[constraint(ZONE, 1, false)]);
        assert!(matches!(PLUGIN.filter(Case::new(&pod, &Cluster::default())), Filter::Nothing));
        // Two zones weigh ln(4) = 1.386: scores 4 · 1.386 = 6, and 1 · 1.386 = 1.
        let zones = cluster(&[("a1", 3), ("a2", 1), ("b1", 1), ("-", 0)]);
        assert_eq!(scores(&zones, &pod), Some(vec![100_000 / 6, 100_000 / 6, 100_000, 0]));
        assert_eq!(scores(&cluster(&[("a1", 0), ("b1", 0)]), &pod), Some(vec![100_000, 100_000]));
    }

    #[test]
    fn soft_constraints_do_not_count_pods_on_nodes_that_the_pod_cannot_have() {
        let mut nodes = cluster(&[("a1", 3), ("a2", 0), ("b1", 1)]);
        for row in 0..3 {
            let mut node = nodes.nodes.node(row).info().clone();
            if row == 0 {
                node.taints.push(Taint { key: "k".into(), effect: NO_SCHEDULE.into(), ..Taint::default() });
            } else {
                node.labels.insert("disk".into(), "ssd".into());
            }
            nodes.nodes.apply_node(node);
        }
        // Both zones weigh ln(4) = 1.386: scores 3 · 1.386 = 4 or nothing, and 1 · 1.386 = 1.
        let (counted, not_counted) = (vec![25_000, 25_000, 100_000], vec![100_000, 100_000, 0]);
        for (honors_affinity, honors_taints, want) in
            [(false, false, &counted), (true, false, &not_counted), (false, true, &not_counted), (true, true, &not_counted)]
        {
            let mut pod = web(&[Constraint { honors_affinity, honors_taints, ..constraint(ZONE, 1, false) }]);
            pod.wants.selector = [("disk".to_owned(), "ssd".to_owned())].into();
            assert_eq!(scores(&nodes, &pod).as_ref(), Some(want), "{honors_affinity} {honors_taints}");
        }
    }

    #[test]
    fn siblings_are_spread_by_default() {
        let mut nodes = cluster(&[("a1", 0), ("a2", 0), ("b1", 0), ("-", 0)]);
        assert_eq!(scores(&nodes, &web(&[])), None);
        let made = |uid: &str| PodInfo { uid: uid.into(), made_by: Some("rs".into()), ..web(&[]) };
        for (uid, node) in [("1", "a1"), ("2", "a1"), ("3", "b1")] {
            nodes.nodes.place(Arc::new(made(uid)), &node.into());
        }
        // Hosts weigh ln(6) = 1.79, the zones (one of them: none) ln(5) = 1.61, and skews add 2 and 4.
        // a1: 2·1.79+2 + 2·1.61+4 = 12.8; a2: 2 + 7.2 = 9.2; b1: 3.79 + 5.61 = 9.4; without a zone: 2.
        assert_eq!(scores(&nodes, &made("4")), Some(vec![15_384, 46_153, 46_153, 100_000]));
        let other = PodInfo { made_by: Some("other".into()), ..web(&[]) };
        assert_eq!(scores(&nodes, &other), Some(vec![33_333, 33_333, 33_333, 100_000]));
    }

    #[test]
    fn a_profile_may_spread_by_default_in_its_own_way() {
        let nodes = cluster(&[("a1", 0), ("b1", 0), ("-", 0)]);
        let list = ["DoNotSchedule", "ScheduleAnyway"].map(|when| TopologySpreadConstraint {
            max_skew: 1,
            topology_key: ZONE.into(),
            when_unsatisfiable: when.into(),
            ..TopologySpreadConstraint::default()
        });
        let mut profile = Profile::default();
        profile.args.default_constraints = DefaultConstraints::List(list.to_vec());
        let made = PodInfo { made_by: Some("rs".into()), ..web(&[]) };
        for (pod, want) in [(web(&[]), [true; 3]), (made, [true, true, false])] {
            let filter = PLUGIN.filter(Case { pod: &pod, cluster: &nodes, profile: &profile });
            assert_eq!([0, 1, 2].map(|row| filter.look(nodes.nodes.node(row)).is_ok()), want);
        }
    }

    #[test]
    fn pods_of_services_are_spread_by_default() {
        let mut nodes = cluster(&[("a1", 2), ("b1", 0)]);
        let service = |namespace: &str, selector: &[(&str, &str)]| {
            let selector = selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Event::Apply(ServiceInfo { namespace: namespace.into(), name: "s".into(), selector })
        };
        for (namespace, selector, spread) in [
            ("default", &[][..], false),
            ("other", &[("app", "web")], false),
            ("default", &[("app", "db")], false),
            ("default", &[("app", "web")], true),
        ] {
            nodes.services.apply(service(namespace, selector));
            let scores = scores(&nodes, &web(&[]));
            assert_eq!(scores.map(|scores| scores[1] > scores[0]), spread.then_some(true), "{namespace} {selector:?}");
        }
    }

    #[test]
    fn what_is_kept_ready_changes_no_answer() {
        let mut nodes = cluster(&[("a1", 1), ("b1", 0)]);
        let pod = web(&[constraint(ZONE, 1, true), constraint(HOSTNAME, 1, false)]);
        nodes.prepare(&pod, Profile::standard());
        nodes.nodes.place(Arc::new(PodInfo { uid: "new".into(), ..web(&[]) }), &"b1".into());
        assert_eq!((filtered(&nodes, &pod).0.as_str(), scores(&nodes, &pod)), ("a1 b1", Some(vec![100_000, 100_000])));
        nodes.nodes.place(Arc::new(PodInfo { uid: "new".into(), terminating: true, ..web(&[]) }), &"b1".into());
        assert_eq!(filtered(&nodes, &pod).0, "b1");
    }

    #[test]
    fn changes_that_help() {
        let cluster = cluster(&[("a1", 1), ("-", 0)]);
        let (waiting, other) = (web(&[constraint(ZONE, 1, true)]), web(&[]));
        let case = Case::new(&waiting, &cluster);
        let (zoned, bare) = (cluster.nodes.node(0), cluster.nodes.node(1));
        let helped = |change| PLUGIN.minds(change) && PLUGIN.helped_by(case, change);
        assert!(helped(Change::PodHere(zoned, &other)) && helped(Change::PodGone(zoned, &other)));
        assert!(helped(Change::Node(zoned)) && helped(Change::NodeGone(zoned.info())));
        assert!(!helped(Change::Node(bare)) && !helped(Change::NodeGone(bare.info())));
        let stranger = pod("stranger");
        assert!(!helped(Change::PodHere(zoned, &stranger)) && !helped(Change::PodGone(zoned, &stranger)));
    }
}

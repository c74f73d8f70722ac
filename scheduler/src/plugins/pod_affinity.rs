//! InterPodAffinity: pods come near some pods and stay away from others. It is mutual: pods that are there refuse those that their
//! anti-affinity names, and draw those that they like.

use std::{borrow::Cow, collections::HashMap};

use crate::{
    census::{Bond, Counts, Demand, Domains, Need, Term},
    cluster::Kind,
    framework::{Basis, Case, Change, Filter, MAX_SCORE, Plugin, Refusal, Score},
    pod::PodInfo,
    snapshot::NodeRef,
};

pub(super) const PLUGIN: &dyn Plugin = &InterPodAffinity;

struct InterPodAffinity;

impl Plugin for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn needs(&self, case: Case<'_>) -> Vec<Need> {
        let Case { pod, cluster, .. } = case;
        let mut needs = Vec::new();
        for bond in pod.wants.bonds() {
            needs.push(Need::Domains(bond.term.topology_key.clone()));
            if bond.demand != Demand::Need {
                needs.push(Need::Counts(bond.term.selection(&cluster.namespaces)));
            }
        }
        let needed = demanded(pod, Demand::Need);
        if !needed.is_empty() {
            needs.push(Need::Counts(Term::common(&needed, &cluster.namespaces)));
        }
        needs.extend(cluster.nodes.bonds(pod).map(|(bond, _)| Need::Domains(bond.term.topology_key.clone())));
        needs
    }

    fn filter<'c>(&self, case: Case<'c>) -> Filter<'c> {
        let needed = Needed::of(case);
        let refused_by_pod: Vec<_> = demanded(case.pod, Demand::Refuse).into_iter().filter_map(|term| Near::meant(case, term)).collect();
        let refused_by_others = refused_by_others(case);
        if needed.is_none() && refused_by_pod.is_empty() && refused_by_others.is_empty() {
            return Filter::Nothing;
        }
        Filter::each(move |node| {
            let row = node.row();
            if needed.as_ref().is_some_and(|needed| !needed.allows(row)) {
                return Err(Refusal::unresolvable("node(s) didn't match pod affinity rules"));
            }
            if refused_by_pod.iter().any(|near| near.of(row) > 0) {
                return Err(Refusal::resolvable("node(s) didn't match pod anti-affinity rules"));
            }
            if refused_by_others.iter().any(|near| near.of(row) > 0) {
                return Err(Refusal::resolvable("node(s) didn't satisfy existing pods anti-affinity rules"));
            }
            Ok(())
        })
    }

    fn weight(&self) -> i64 {
        2
    }

    fn score<'c>(&self, case: Case<'c>, _rows: &[usize]) -> Option<Score<'c>> {
        let drawn = drawn(case);
        if drawn.is_empty() {
            return None;
        }
        let look = move |node: NodeRef<'_>| drawn.iter().map(|near| near.of(node.row())).sum();
        Some(Score { look: Box::new(look), normalize: Box::new(normalize), basis: Basis::Cluster })
    }

    fn minds(&self, change: Change<'_>) -> bool {
        !matches!(change, Change::Other(kind, _) if kind != Kind::Namespace)
    }

    /// A pod that comes helps those that need it; one that goes, those that it was refused by, or that it refused.
    fn helped_by(&self, case: Case<'_>, change: Change<'_>) -> bool {
        let Case { pod, cluster, .. } = case;
        let namespaces = &cluster.namespaces;
        match change {
            Change::PodHere(_, other) => {
                let needed = demanded(pod, Demand::Need);
                !needed.is_empty() && needed.iter().all(|term| term.means(other, namespaces))
            }
            Change::PodGone(_, other) => {
                let mean = |pod: &PodInfo, other: &PodInfo| {
                    pod.wants.bonds().iter().any(|bond| !matches!(bond.demand, Demand::Prefer(_)) && bond.term.means(other, namespaces))
                };
                mean(pod, other) || mean(other, pod)
            }
            Change::Node(node) => self.filter(case).look(node).is_ok(),
            Change::NodeGone(_) | Change::Other(..) => true,
        }
    }
}

/// The pod's own terms with this demand.
fn demanded(pod: &PodInfo, demand: Demand) -> Vec<&Term> {
    pod.wants.bonds().iter().filter(|bond| bond.demand == demand).map(|bond| &bond.term).collect()
}

/// How much of something there is near each row, by one label.
struct Near<'c> {
    domains: Cow<'c, Domains>,
    sums: Vec<i64>,
}

impl<'c> Near<'c> {
    fn nothing(case: Case<'c>, topology_key: &str) -> Self {
        let domains = case.cluster.nodes.domains(topology_key);
        Self { sums: vec![0; domains.len()], domains }
    }

    /// The pods that a term of the pod means; nothing when there are none.
    fn meant(case: Case<'c>, term: &Term) -> Option<Self> {
        let counts = case.cluster.nodes.counts(&term.selection(&case.cluster.namespaces));
        let mut near = Self::nothing(case, &term.topology_key);
        near.add(&counts, 1);
        near.is_anywhere().then_some(near)
    }

    fn add(&mut self, counts: &Counts, weight: i64) {
        for (row, count) in counts.iter() {
            if let Some(domain) = self.domains.of(row) {
                self.sums[domain] += weight * i64::from(count);
            }
        }
    }

    fn of(&self, row: usize) -> i64 {
        self.domains.of(row).map_or(0, |domain| self.sums[domain])
    }

    fn is_anywhere(&self) -> bool {
        self.sums.iter().any(|sum| *sum != 0)
    }
}

/// What several terms add up to, one for each label.
#[derive(Default)]
struct Together<'c>(HashMap<&'c str, Near<'c>>);

impl<'c> Together<'c> {
    fn add(&mut self, case: Case<'c>, term: &'c Term, counts: &Counts, weight: i64) {
        self.0.entry(&term.topology_key).or_insert_with(|| Near::nothing(case, &term.topology_key)).add(counts, weight);
    }

    fn somewhere(self) -> Vec<Near<'c>> {
        self.0.into_values().filter(Near::is_anywhere).collect()
    }
}

/// The pods that the pod needs near it: each counts only if all of its terms mean it.
struct Needed<'c> {
    near: Vec<Near<'c>>,
    /// The pod is the first of a group that wants to be together, and may begin anywhere.
    is_first: bool,
}

impl<'c> Needed<'c> {
    fn of(case: Case<'c>) -> Option<Self> {
        let Case { pod, cluster, .. } = case;
        let terms = demanded(pod, Demand::Need);
        if terms.is_empty() {
            return None;
        }
        let common = Term::common(&terms, &cluster.namespaces);
        let counts = cluster.nodes.counts(&common);
        let near = |term: &&Term| {
            let mut near = Near::nothing(case, &term.topology_key);
            near.add(&counts, 1);
            near
        };
        let near: Vec<_> = terms.iter().map(near).collect();
        let is_first = !near.iter().any(Near::is_anywhere) && common.contains(pod);
        Some(Self { near, is_first })
    }

    fn allows(&self, row: usize) -> bool {
        self.near.iter().all(|near| near.domains.of(row).is_some()) && (self.is_first || self.near.iter().all(|near| near.of(row) > 0))
    }
}

/// The pods whose anti-affinity means the pod.
fn refused_by_others(case: Case<'_>) -> Vec<Near<'_>> {
    let Case { pod, cluster, .. } = case;
    let mut together = Together::default();
    for (Bond { term, demand }, counts) in cluster.nodes.bonds(pod) {
        if *demand == Demand::Refuse && term.means(pod, &cluster.namespaces) {
            together.add(case, term, counts, 1);
        }
    }
    together.somewhere()
}

/// Where the pod would like to be, and where others would like it to be.
fn drawn(case: Case<'_>) -> Vec<Near<'_>> {
    let Case { pod, cluster, profile } = case;
    let args = &profile.args.inter_pod_affinity;
    let mut together = Together::default();
    let mut has_wishes = false;
    for Bond { term, demand } in pod.wants.bonds() {
        if let Demand::Prefer(weight) = demand {
            has_wishes = true;
            together.add(case, term, &cluster.nodes.counts(&term.selection(&cluster.namespaces)), i64::from(*weight));
        }
    }
    if args.ignore_preferred_terms_of_existing_pods && !has_wishes {
        return Vec::new();
    }
    for (Bond { term, demand }, counts) in cluster.nodes.bonds(pod) {
        let weight = match demand {
            Demand::Refuse => continue,
            Demand::Need => args.hard_pod_affinity_weight,
            Demand::Prefer(weight) => *weight,
        };
        if weight != 0 && term.means(pod, &cluster.namespaces) {
            together.add(case, term, counts, i64::from(weight));
        }
    }
    together.somewhere()
}

/// The worst node gets nothing, the best one all.
fn normalize(scores: &mut [i64]) {
    let (lowest, highest) = (scores.iter().copied().min().unwrap_or(0), scores.iter().copied().max().unwrap_or(0));
    for score in scores {
        *score = if highest > lowest { (*score - lowest) * MAX_SCORE / (highest - lowest) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::runtime::watcher::Event;
    use mini_api::selector::Selector;

    use super::*;
    use crate::{
        cluster::Cluster,
        cycle::{self, Decision, Draw},
        framework::testing::{node, pod},
        namespace::NamespaceInfo,
        profile::Profile,
        relations::Relations,
    };

    const AFFINITY: &str = "node(s) didn't match pod affinity rules";
    const ANTI_AFFINITY: &str = "node(s) didn't match pod anti-affinity rules";
    const OTHERS: &str = "node(s) didn't satisfy existing pods anti-affinity rules";

    /// Nodes a1, a2 and b1 in the zones a and b, and one without a zone.
    fn cluster() -> Cluster {
        let mut cluster = Cluster::default();
        for name in ["a1", "a2", "b1", "none"] {
            let mut node = node(name);
            node.labels.insert("host".into(), name.into());
            if name != "none" {
                node.labels.insert("zone".into(), name[..1].into());
            }
            cluster.nodes.apply_node(node);
        }
        cluster
    }

    fn bond(demand: Demand, labels: &str, topology_key: &str) -> Bond {
        let (namespaces, labels) = (vec!["default".into()], labels.parse().unwrap());
        Bond { term: Term { namespaces, namespace_labels: Selector::nothing(), labels, topology_key: topology_key.into() }, demand }
    }

    fn with(app: &str, bonds: &[Bond]) -> PodInfo {
        let mut pod = pod(app);
        pod.labels.insert("app".into(), app.into());
        pod.wants.relations = Some(Box::new(Relations { bonds: bonds.to_vec(), spread: Vec::new() }));
        pod
    }

    fn place(cluster: &mut Cluster, pod: &PodInfo, node: &str) {
        cluster.nodes.place(Arc::new(pod.clone()), &node.into());
    }

    /// What it has against each node.
    fn refusals(cluster: &Cluster, pod: &PodInfo) -> Vec<String> {
        let filter = PLUGIN.filter(Case::new(pod, cluster));
        let said = |row| filter.look(cluster.nodes.node(row)).err().map(|refusal| refusal.reasons.join(", "));
        (0..cluster.nodes.len()).map(|row| said(row).unwrap_or_default()).collect()
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
    fn pods_come_where_those_are_that_they_need() {
        let mut cluster = cluster();
        let web = with("web", &[bond(Demand::Need, "app=db", "zone")]);
        assert_eq!(refusals(&cluster, &web), [AFFINITY; 4]);
        place(&mut cluster, &with("db", &[]), "a1");
        assert_eq!(refusals(&cluster, &web), ["", "", AFFINITY, AFFINITY]);
        let mut elsewhere = web.clone();
        elsewhere.wants.relations.as_mut().unwrap().bonds[0].term.namespaces = vec!["other".into()];
        assert_eq!(refusals(&cluster, &elsewhere), [AFFINITY; 4]);
    }

    #[test]
    fn one_pod_must_be_meant_by_all_terms() {
        let mut cluster = cluster();
        let web = with("web", &[bond(Demand::Need, "app=db", "zone"), bond(Demand::Need, "tier", "host")]);
        place(&mut cluster, &with("db", &[]), "a1");
        let mut tiered = with("other", &[]);
        tiered.labels.insert("tier".into(), "1".into());
        place(&mut cluster, &tiered, "a1");
        assert_eq!(refusals(&cluster, &web), [AFFINITY; 4]);
        let mut both = with("db", &[]);
        (both.uid, both.labels) = ("both".into(), [("app".into(), "db".into()), ("tier".into(), "1".into())].into());
        place(&mut cluster, &both, "a2");
        assert_eq!(refusals(&cluster, &web), [AFFINITY, "", AFFINITY, AFFINITY]);
    }

    #[test]
    fn the_first_of_a_group_may_begin_anywhere_with_the_label() {
        let mut cluster = cluster();
        let web = with("web", &[bond(Demand::Need, "app=web", "zone")]);
        assert_eq!(refusals(&cluster, &web), ["", "", "", AFFINITY]);
        place(&mut cluster, &web, "b1");
        let second = PodInfo { uid: "second".into(), ..web };
        assert_eq!(refusals(&cluster, &second), [AFFINITY, AFFINITY, "", AFFINITY]);
    }

    #[test]
    fn anti_affinity_is_mutual() {
        let mut cluster = cluster();
        let lonely = with("web", &[bond(Demand::Refuse, "app=db", "zone")]);
        place(&mut cluster, &with("db", &[]), "b1");
        assert_eq!(refusals(&cluster, &lonely), ["", "", ANTI_AFFINITY, ""]);
        place(&mut cluster, &lonely, "a1");
        let db = PodInfo { uid: "db2".into(), ..with("db", &[]) };
        assert_eq!(refusals(&cluster, &db), [OTHERS, OTHERS, "", ""]);
        assert_eq!(refusals(&cluster, &with("other", &[])), [""; 4]);
        cluster.nodes.remove_pod(&lonely.uid);
        assert!(matches!(PLUGIN.filter(Case::new(&db, &cluster)), Filter::Nothing));
    }

    #[test]
    fn only_what_other_pods_do_is_resolvable() {
        let mut cluster = cluster();
        place(&mut cluster, &with("db", &[bond(Demand::Refuse, "app=web", "host")]), "a1");
        for (demand, labels, want) in [(Demand::Need, "app=no", false), (Demand::Refuse, "app=db", true), (Demand::Refuse, "app=no", true)] {
            let pod = with("web", &[bond(demand, labels, "host")]);
            let refusal = PLUGIN.filter(Case::new(&pod, &cluster)).look(cluster.nodes.node(0)).unwrap_err();
            assert_eq!(refusal.resolvable, want, "{labels}");
        }
    }

    #[test]
    fn namespaces_may_be_selected_by_labels() {
        let mut cluster = cluster();
        let mut lonely = with("web", &[bond(Demand::Refuse, "app=web", "zone")]);
        let term = &mut lonely.wants.relations.as_mut().unwrap().bonds[0].term;
        (term.namespaces, term.namespace_labels) = (Vec::new(), "team=red".parse().unwrap());
        place(&mut cluster, &PodInfo { uid: "other".into(), ..lonely.clone() }, "a1");
        assert_eq!(refusals(&cluster, &lonely), [""; 4]);
        let red = NamespaceInfo { name: "default".into(), labels: [("team".into(), "red".into())].into() };
        cluster.namespaces.apply(Event::Apply(red));
        assert_eq!(refusals(&cluster, &lonely), [ANTI_AFFINITY, ANTI_AFFINITY, "", ""]);
        assert_eq!(refusals(&cluster, &with("web", &[])), [OTHERS, OTHERS, "", ""]);
    }

    #[test]
    fn wishes_of_both_sides_add_up() {
        let mut cluster = cluster();
        assert_eq!(scores(&cluster, &with("web", &[bond(Demand::Prefer(5), "app=db", "zone")])), None);
        place(&mut cluster, &with("db", &[]), "a1");
        place(&mut cluster, &with("noise", &[]), "b1");
        let web = with("web", &[bond(Demand::Prefer(5), "app=db", "zone"), bond(Demand::Prefer(-5), "app=noise", "zone")]);
        assert_eq!(scores(&cluster, &web), Some(vec![100_000, 100_000, 0, 50_000]));
        assert_eq!(scores(&cluster, &with("web", &[])), None);
        let fans = [("liked", Demand::Prefer(8), "a2"), ("needed", Demand::Need, "b1"), ("hated", Demand::Prefer(-8), "none")];
        for (name, demand, node) in fans {
            place(&mut cluster, &with(name, &[bond(demand, "app=web", "host")]), node);
        }
        assert_eq!(scores(&cluster, &with("web", &[])), Some(vec![50_000, 100_000, 56_250, 0]));

        let (web, mut profile) = (with("web", &[]), Profile::default());
        profile.args.inter_pod_affinity.hard_pod_affinity_weight = 100;
        let raw = |profile: &Profile| {
            let score = PLUGIN.score(Case { pod: &web, cluster: &cluster, profile }, &[0])?;
            Some([1, 2, 3].map(|row| (score.look)(cluster.nodes.node(row))))
        };
        assert_eq!(raw(&profile), Some([8, 100, -8]));
        profile.args.inter_pod_affinity.ignore_preferred_terms_of_existing_pods = true;
        assert_eq!(raw(&profile), None);
    }

    #[test]
    fn wishes_of_others_may_be_ignored_but_not_for_a_pod_that_has_some_itself() {
        let mut cluster = cluster();
        place(&mut cluster, &with("db", &[]), "a1");
        place(&mut cluster, &with("fan", &[bond(Demand::Prefer(8), "app=web", "host")]), "a2");
        let mut profile = Profile::default();
        for (ignored, bonds, want) in [
            (false, vec![], Some([0, 8])),
            (true, vec![], None),
            (true, vec![bond(Demand::Need, "app=db", "host")], None),
            (true, vec![bond(Demand::Refuse, "app=db", "host")], None),
            (true, vec![bond(Demand::Prefer(5), "app=db", "host")], Some([5, 8])),
            (true, vec![bond(Demand::Prefer(-5), "app=db", "host")], Some([-5, 8])),
        ] {
            profile.args.inter_pod_affinity.ignore_preferred_terms_of_existing_pods = ignored;
            let web = with("web", &bonds);
            let score = PLUGIN.score(Case { pod: &web, cluster: &cluster, profile: &profile }, &[0]);
            let raw = score.map(|score| [0, 1].map(|row| (score.look)(cluster.nodes.node(row))));
            assert_eq!(raw, want, "{ignored} {bonds:?}");
        }
    }

    #[test]
    fn what_is_kept_ready_changes_no_answer() {
        let mut cluster = cluster();
        let web = with("web", &[bond(Demand::Need, "app=db", "zone"), bond(Demand::Refuse, "app=web", "host"), bond(Demand::Prefer(3), "app", "host")]);
        cluster.prepare(&web, Profile::standard());
        for (uid, app, node) in [("1", "db", "a1"), ("2", "web", "a2"), ("3", "db", "b1"), ("4", "x", "b1")] {
            place(&mut cluster, &PodInfo { uid: uid.into(), ..with(app, &[]) }, node);
        }
        assert_eq!(refusals(&cluster, &web), ["", ANTI_AFFINITY, "", AFFINITY]);
        assert_eq!(scores(&cluster, &web), Some(vec![50_000, 50_000, 100_000, 0]));
        cluster.nodes.remove_pod(&"3".into());
        cluster.nodes.remove_node("a1");
        assert_eq!(refusals(&cluster, &web), [AFFINITY; 3]);
    }

    #[test]
    fn changes_that_help() {
        let mut cluster = cluster();
        let lonely = with("web", &[bond(Demand::Refuse, "app=db", "zone")]);
        let needy = with("web", &[bond(Demand::Need, "app=db", "zone")]);
        let (db, other) = (with("db", &[]), with("other", &[]));
        let shy = with("shy", &[bond(Demand::Refuse, "app=web", "zone")]);
        place(&mut cluster, &db, "a1");
        let at = cluster.nodes.node(0);
        for (pod, change, want) in [
            (&needy, Change::PodHere(at, &db), true),
            (&needy, Change::PodHere(at, &other), false),
            (&lonely, Change::PodHere(at, &db), false),
            (&lonely, Change::PodGone(at, &db), true),
            (&lonely, Change::PodGone(at, &other), false),
            (&lonely, Change::PodGone(at, &shy), true),
            (&lonely, Change::Node(at), false),
            (&needy, Change::Node(at), true),
        ] {
            assert_eq!(PLUGIN.helped_by(Case::new(pod, &cluster), change), want);
        }
        assert!(PLUGIN.minds(Change::Other(Kind::Namespace, None)) && !PLUGIN.minds(Change::Other(Kind::Service, None)));
    }

    #[test]
    fn the_words_are_upstreams() {
        let mut cluster = cluster();
        place(&mut cluster, &with("db", &[]), "a1");
        let web = with("web", &[bond(Demand::Need, "app=db", "host"), bond(Demand::Refuse, "app=db", "host")]);
        let outcome = cycle::schedule(Case::new(&web, &cluster), Draw::default());
        let Decision::Refuse(diagnosis) = outcome.decision else { panic!("placed") };
        let text = diagnosis.to_string();
        assert!(
            text.starts_with("0/4 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 3 node(s) didn't match pod affinity rules."),
            "{text}"
        );
    }
}

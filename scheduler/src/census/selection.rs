//! Which pods are meant: by a spread constraint, or by a term of pod affinity.

use std::collections::BTreeMap;

use mini_api::selector::Selector;

use crate::{
    cluster::Mirror,
    namespace::NamespaceInfo,
    pod::{PodInfo, Uid},
};

/// Pods that are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Those with such labels.
    Labelled {
        /// Where they are.
        namespaces: Namespaces,
        /// What their labels are like.
        labels: Selector,
        /// Those that are being deleted do not count.
        living: bool,
    },
    /// Those that one ReplicaSet, StatefulSet or ReplicationController made, except those that are being deleted.
    MadeBy(Uid),
}

/// Some namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Namespaces {
    /// All.
    All,
    /// Those of these names, sorted.
    These(Vec<String>),
}

impl Namespaces {
    fn contain(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.binary_search_by(|known| known.as_str().cmp(name)).is_ok(),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, some) | (some, Self::All) => some,
            (Self::These(mut names), other) => {
                names.retain(|name| other.contain(name));
                Self::These(names)
            }
        }
    }
}

impl Selection {
    /// Whether the pod is one of them.
    #[must_use]
    pub fn contains(&self, pod: &PodInfo) -> bool {
        match self {
            Self::Labelled { namespaces, labels, living } => {
                !(*living && pod.terminating) && namespaces.contain(&pod.namespace) && labels.matches(&pod.labels)
            }
            Self::MadeBy(maker) => !pod.terminating && pod.made_by.as_ref() == Some(maker),
        }
    }
}

/// A term of pod affinity or anti-affinity: which pods are meant, and what counts as near them. Labels of namespaces are looked up
/// when it is asked, for they may change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// In namespaces of these names, sorted, …
    pub namespaces: Vec<String>,
    /// … and in those with such labels.
    pub namespace_labels: Selector,
    /// What the labels of the pods are like.
    pub labels: Selector,
    /// Nodes are near each other when this label has the same value.
    pub topology_key: String,
}

impl Term {
    /// Whether the pod is meant.
    #[must_use]
    pub fn means(&self, pod: &PodInfo, namespaces: &Mirror<NamespaceInfo>) -> bool {
        self.labels.matches(&pod.labels) && self.covers(&pod.namespace, namespaces)
    }

    /// The pods that are meant, as the namespaces are labelled now.
    #[must_use]
    pub fn selection(&self, namespaces: &Mirror<NamespaceInfo>) -> Selection {
        Selection::Labelled { namespaces: self.covered(namespaces), labels: self.labels.clone(), living: false }
    }

    /// The pods that all of these terms mean.
    #[must_use]
    pub fn common(terms: &[&Self], namespaces: &Mirror<NamespaceInfo>) -> Selection {
        let covered = terms.iter().map(|term| term.covered(namespaces)).fold(Namespaces::All, Namespaces::and);
        let labels = match terms {
            [only] => only.labels.clone(),
            _ if terms.iter().any(|term| term.labels == Selector::nothing()) => Selector::nothing(),
            _ => Selector::of(terms.iter().flat_map(|term| term.labels.requirements().iter().cloned()).collect()),
        };
        Selection::Labelled { namespaces: covered, labels, living: false }
    }

    fn covers(&self, namespace: &str, namespaces: &Mirror<NamespaceInfo>) -> bool {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.namespaces.binary_search_by(|known| known.as_str().cmp(namespace)).is_ok()
            || self.namespace_labels.matches(namespaces.get("", namespace).map_or(&NONE, |namespace| &namespace.labels))
    }

    fn covered(&self, namespaces: &Mirror<NamespaceInfo>) -> Namespaces {
        if self.namespace_labels.is_empty() {
            return Namespaces::All;
        }
        let mut names = self.namespaces.clone();
        if self.namespace_labels != Selector::nothing() {
            let labelled = namespaces.all().filter(|namespace| self.namespace_labels.matches(&namespace.labels));
            names.extend(labelled.map(|namespace| namespace.name.clone()));
            names.sort_unstable();
            names.dedup();
        }
        Namespaces::These(names)
    }
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::framework::testing::pod;

    fn term(namespaces: &[&str], namespace_labels: Selector, labels: &str) -> Term {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        Term { namespaces, namespace_labels, labels: labels.parse().unwrap(), topology_key: "zone".into() }
    }

    fn labelled(name: &str, namespace: &str, app: &str) -> PodInfo {
        let labels = [("app".to_owned(), app.to_owned())].into();
        PodInfo { namespace: namespace.into(), labels, ..pod(name) }
    }

    fn namespaces() -> Mirror<NamespaceInfo> {
        let mut mirror = Mirror::default();
        for (name, team) in [("a", "red"), ("b", "red"), ("c", "blue")] {
            mirror.apply(Event::Apply(NamespaceInfo { name: name.into(), labels: [("team".into(), team.into())].into() }));
        }
        mirror
    }

    #[test]
    fn namespaces_are_named_or_labelled() {
        let (all, red) = (namespaces(), || "team=red".parse::<Selector>().unwrap());
        for (term, want) in [
            (term(&["c"], Selector::nothing(), "app=web"), "c"),
            (term(&["c"], red(), "app=web"), "a b c"),
            (term(&[], red(), "app=web"), "a b"),
            (term(&["a"], Selector::everything(), "app=web"), "a b c d"),
            (term(&["a"], Selector::everything(), "app=db"), ""),
        ] {
            let pods: Vec<_> = ["a", "b", "c", "d"].map(|namespace| labelled("p", namespace, "web")).into();
            let named = |is: &dyn Fn(&PodInfo) -> bool| {
                pods.iter().filter(|pod| is(pod)).map(|pod| pod.namespace.as_str()).collect::<Vec<_>>().join(" ")
            };
            assert_eq!(named(&|pod| term.means(pod, &all)), want);
            assert_eq!(named(&|pod| term.selection(&all).contains(pod)), want);
        }
    }

    #[test]
    fn what_all_terms_mean() {
        let terms = [term(&["a", "b"], Selector::nothing(), "app=web"), term(&["b", "c"], Selector::nothing(), "app")];
        let common = Term::common(&terms.each_ref(), &namespaces());
        for (namespace, app, want) in [("b", "web", true), ("a", "web", false), ("c", "web", false), ("b", "db", false)] {
            assert_eq!(common.contains(&labelled("p", namespace, app)), want, "{namespace} {app}");
        }
        let mut none = terms.clone();
        none[0].labels = Selector::nothing();
        assert!(!Term::common(&none.each_ref(), &namespaces()).contains(&labelled("p", "b", "web")));
    }

    #[test]
    fn pods_being_deleted_may_not_count() {
        let mut going = labelled("p", "a", "web");
        (going.terminating, going.made_by) = (true, Some("rs".into()));
        let labelled = |living| Selection::Labelled { namespaces: Namespaces::All, labels: Selector::everything(), living };
        assert!(labelled(false).contains(&going) && !labelled(true).contains(&going));
        assert!(!Selection::MadeBy("rs".into()).contains(&going));
        going.terminating = false;
        assert!(Selection::MadeBy("rs".into()).contains(&going) && !Selection::MadeBy("other".into()).contains(&going));
    }
}

//! Values that are about pods with certain labels, found by their key, and quickly by a pod: a pod is compared with few selectors,
//! however many there are.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use mini_api::selector::{Operator, Selector};

use crate::pod::PodInfo;

/// Something that is about pods with certain labels.
pub(super) trait AboutPods {
    /// The labels.
    fn labels(&self) -> &Selector;
}

/// Values by key.
#[derive(Clone, Debug)]
pub(super) struct Index<K, V> {
    slots: Vec<Option<(Arc<K>, V)>>,
    free: Vec<usize>,
    by_key: HashMap<Arc<K>, usize>,
    /// Slots of keys that want a label to be one of some values, by label and value.
    by_label: HashMap<String, HashMap<String, Vec<usize>>>,
    /// All other slots.
    others: Vec<usize>,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), by_key: HashMap::new(), by_label: HashMap::new(), others: Vec::new() }
    }
}

impl<K: AboutPods + Eq + Hash, V> Index<K, V> {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.slots[*self.by_key.get(key)?].as_ref().map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.slots[*self.by_key.get(key)?].as_mut().map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<K>, &V)> {
        self.slots.iter().flatten().map(|(key, value)| (key, value))
    }

    /// Those that a pod with its labels may be meant by; whether it is has still to be asked.
    pub(super) fn near<'a>(&'a self, pod: &'a PodInfo) -> impl Iterator<Item = (&'a K, &'a V)> {
        self.slots_near(pod).filter_map(|slot| self.slots[slot].as_ref()).map(|(key, value)| (&**key, value))
    }

    /// Shows those that a pod may be meant by.
    pub(super) fn each_near(&mut self, pod: &PodInfo, mut show: impl FnMut(&K, &mut V)) {
        let slots: Vec<usize> = self.slots_near(pod).collect();
        for slot in slots {
            if let Some((key, value)) = &mut self.slots[slot] {
                show(key, value);
            }
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        match anchor(key.labels()) {
            None => self.others.push(slot),
            Some((label, values)) => {
                let by_value = self.by_label.entry(label.to_owned()).or_default();
                values.iter().for_each(|value| by_value.entry(value.clone()).or_default().push(slot));
            }
        }
        let key = Arc::new(key);
        self.by_key.insert(key.clone(), slot);
        self.slots[slot] = Some((key, value));
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let slot = self.by_key.remove(key)?;
        self.free.push(slot);
        match anchor(key.labels()) {
            None => self.others.retain(|other| *other != slot),
            Some((label, values)) => {
                if let Some(by_value) = self.by_label.get_mut(label) {
                    for value in values {
                        if let Some(slots) = by_value.get_mut(value) {
                            slots.retain(|other| *other != slot);
                        }
                    }
                    by_value.retain(|_, slots| !slots.is_empty());
                }
                self.by_label.retain(|_, by_value| !by_value.is_empty());
            }
        }
        self.slots[slot].take().map(|(_, value)| value)
    }

    fn slots_near(&self, pod: &PodInfo) -> impl Iterator<Item = usize> {
        // A pod has one value of a label, and a slot stands below one label only: none comes twice.
        let labels = if self.by_label.is_empty() { None } else { Some(&pod.labels) };
        let found = labels.into_iter().flatten().filter_map(|(label, value)| self.by_label.get(label)?.get(value)).flatten();
        found.chain(&self.others).copied()
    }
}

/// A label that pods must have with one of these values.
fn anchor(labels: &Selector) -> Option<(&str, &[String])> {
    let listing = |operator| matches!(operator, Operator::In | Operator::Equals | Operator::DoubleEquals);
    labels.requirements().iter().find(|one| listing(one.operator())).map(|one| (one.key(), one.values()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framework::testing::pod;

    impl AboutPods for Selector {
        fn labels(&self) -> &Selector {
            self
        }
    }

    #[test]
    fn only_selectors_that_may_match_are_found() {
        let mut index = Index::default();
        let selector = |text: &str| text.parse::<Selector>().unwrap();
        for text in ["app=web", "app in (db,web),tier", "app=db", "app", "zone!=a,app=web", "tier=x"] {
            index.insert(selector(text), text);
        }
        let mut web = pod("p");
        web.labels = [("app".into(), "web".into()), ("other".into(), "1".into())].into();
        let near = |index: &Index<Selector, &'static str>| {
            let mut texts: Vec<_> = index.near(&web).map(|(_, text)| *text).collect();
            texts.sort_unstable();
            texts.join("; ")
        };
        assert_eq!(near(&index), "app; app in (db,web),tier; app=web; zone!=a,app=web");
        assert_eq!(index.remove(&selector("app in (db,web),tier")), Some("app in (db,web),tier"));
        assert_eq!(index.remove(&selector("app")), Some("app"));
        assert_eq!(near(&index), "app=web; zone!=a,app=web");
        index.insert(selector("!gone"), "again");
        assert_eq!((near(&index).as_str(), index.len()), ("again; app=web; zone!=a,app=web", 5));
    }
}

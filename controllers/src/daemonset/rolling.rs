//! A rolling update of a DaemonSet: old pods make room for new ones, or, where there may be more, new ones come before the old ones go.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, RollingUpdateDaemonSet},
        core::v1::Pod,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_api::{percent, pod};

use super::{nodes::Fit, plan::Places};

/// What the strategy says, where it is a rolling update.
fn strategy(set: &DaemonSet) -> Option<RollingUpdateDaemonSet> {
    let strategy = set.spec.as_ref()?.update_strategy.as_ref()?;
    (strategy.type_.as_deref() != Some("OnDelete")).then(|| strategy.rolling_update.clone().unwrap_or_default())
}

/// The share of `total`, rounded up.
fn share(value: Option<&IntOrString>, total: usize) -> usize {
    let total = i32::try_from(total).unwrap_or(i32::MAX);
    let share = value.and_then(|value| percent::scaled(value, total, true).ok()).unwrap_or(0);
    usize::try_from(share).unwrap_or(0)
}

/// Whether there may be two pods on a node.
pub(super) fn surges(set: &DaemonSet) -> bool {
    strategy(set).is_some_and(|strategy| share(strategy.max_surge.as_ref(), 1) > 0)
}

/// The pods of one node: one of the current revision and one of another, at most.
struct Pair<'a> {
    new: Option<&'a Arc<Pod>>,
    old: Option<&'a Arc<Pod>>,
}

/// Decides which nodes get a pod and which pods go, where there is nothing else to be done.
pub(super) fn plan(places: &Places<'_>) -> (Vec<String>, Vec<Arc<Pod>>) {
    let Some(strategy) = strategy(places.world.set) else { return (Vec::new(), Vec::new()) };
    let desired = places.nodes.values().filter(|fit| **fit == Fit::Run).count();
    let (surge, unavailable) = (share(strategy.max_surge.as_ref(), desired), share(strategy.max_unavailable.as_ref(), desired));
    if surge == 0 { (Vec::new(), replace(places, unavailable.max(1))) } else { surge_onto(places, surge, desired) }
}

/// The pairs of all nodes with pods or that are to have one. `None` where there are more: that is put right first.
fn pairs<'a>(places: &'a Places<'_>) -> BTreeMap<&'a str, Option<Pair<'a>>> {
    let wanted = places.nodes.iter().filter(|(_, fit)| **fit == Fit::Run).map(|(node, _)| (*node, Some(Pair { new: None, old: None })));
    let mut pairs: BTreeMap<_, _> = wanted.collect();
    for (node, pods) in &places.pods {
        let alive = || pods.iter().filter(|pod| !pod::is_terminating(pod));
        let (new, old) = (|| alive().filter(|pod| places.is_new(pod)), || alive().filter(|pod| !places.is_new(pod)));
        let pair = Pair { new: new().next(), old: old().next() };
        pairs.insert(node, (new().count() <= 1 && old().count() <= 1).then_some(pair));
    }
    pairs
}

/// The old pods that may go, with so many nodes without an available pod at most. What is not available goes anyway.
fn replace(places: &Places<'_>, most: usize) -> Vec<Arc<Pod>> {
    let (mut missing, mut down, mut candidates) = (0, Vec::new(), Vec::new());
    for pair in pairs(places).into_values() {
        match pair {
            Some(Pair { new: Some(new), old: None }) => missing += usize::from(!places.is_available(new)),
            Some(Pair { new: None, old: Some(old) }) if places.is_available(old) => candidates.push(old.clone()),
            Some(Pair { new: None, old: Some(old) }) => {
                down.push(old.clone());
                missing += 1;
            }
            _ => missing += 1,
        }
    }
    candidates.truncate(most.saturating_sub(missing));
    down.extend(candidates);
    down
}

/// The nodes that get a second pod, with so many of these at most, and the old pods that have been replaced.
fn surge_onto(places: &Places<'_>, most: usize, desired: usize) -> (Vec<String>, Vec<Arc<Pod>>) {
    let (mut surging, mut available) = (0, 0);
    let (mut create, mut candidates): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut delete, mut misplaced) = (Vec::new(), Vec::new());
    for (node, pair) in pairs(places) {
        let Some(pair) = pair else {
            surging += 1;
            continue;
        };
        available += usize::from(pair.old.or(pair.new).is_some_and(|pod| places.is_available(pod)));
        let Some(old) = pair.old else { continue };
        let runs = places.nodes.get(node) == Some(&Fit::Run);
        match pair.new {
            Some(new) if places.is_available(new) => delete.push(old.clone()),
            Some(_) => surging += 1,
            None => match (places.is_available(old), runs) {
                (true, true) => candidates.push(node.to_owned()),
                (true, false) => misplaced.push(old.clone()),
                (false, true) => create.push(node.to_owned()),
                (false, false) => delete.push(old.clone()),
            },
        }
    }
    // Who surges expects to have as many as ever: a pod leaves a node that it may not come to again only when there are enough elsewhere.
    misplaced.truncate(available.saturating_sub(desired));
    delete.extend(misplaced);
    candidates.truncate(most.saturating_sub(surging));
    create.extend(candidates);
    (create, delete)
}

//! The arithmetic of a rollout: how far each ReplicaSet may grow or shrink now. Nothing here reads a clock or writes.
//!
//! Two promises hold at every step: never more pods than desired plus surge, never fewer available than desired minus
//! unavailable. The second counts a ReplicaSet's available pods only as far as its size: those above it are on their way out.

use std::{cmp::Reverse, sync::Arc};

use k8s_openapi::{
    api::apps::v1::{Deployment, ReplicaSet},
    apimachinery::pkg::util::intstr::IntOrString,
};
use mini_api::percent;

use super::revision::{self, DESIRED_REPLICAS, MAX_REPLICAS};

/// What the Deployment asks for and allows, in pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) desired: i32,
    pub(super) surge: i32,
    pub(super) unavailable: i32,
    pub(super) rolling: bool,
}

impl Limits {
    /// Reads the spec: surge rounds up, unavailable down, and both 0 mean one unavailable, or nothing would ever move.
    pub(super) fn of(deployment: &Deployment) -> Self {
        let spec = deployment.spec.clone().unwrap_or_default();
        let desired = spec.replicas.unwrap_or(1);
        let strategy = spec.strategy.unwrap_or_default();
        if strategy.type_.as_deref() == Some("Recreate") {
            return Self { desired, surge: 0, unavailable: 0, rolling: false };
        }
        let rolling = strategy.rolling_update.unwrap_or_default();
        let resolve = |value: Option<IntOrString>, up: bool| {
            let value = value.unwrap_or_else(|| IntOrString::String("25%".to_owned()));
            percent::scaled(&value, desired, up).unwrap_or(0).max(0)
        };
        let surge = resolve(rolling.max_surge, true);
        let unavailable = match resolve(rolling.max_unavailable, false) {
            0 if surge == 0 => 1,
            unavailable => unavailable,
        };
        Self { desired, surge, unavailable: unavailable.min(desired), rolling: true }
    }

    fn most(&self) -> i32 {
        self.desired + self.surge
    }

    /// How many must be available at all times.
    pub(super) fn least_available(&self) -> i32 {
        self.desired - self.unavailable
    }
}

/// A ReplicaSet as it was and as it is to be.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    /// None when it is yet to be created.
    pub(super) original: Option<Arc<ReplicaSet>>,
    pub(super) set: ReplicaSet,
}

impl Draft {
    pub(super) fn of(original: &Arc<ReplicaSet>) -> Self {
        Self { original: Some(original.clone()), set: (**original).clone() }
    }

    pub(super) fn size(&self) -> i32 {
        self.set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
    }

    pub(super) fn available(&self) -> i32 {
        self.set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
    }

    /// The pods it may have: a ReplicaSet that was shrunk has more than its size until they are gone.
    fn pods(&self) -> i32 {
        self.size().max(self.set.status.as_ref().map_or(0, |status| status.replicas))
    }

    /// Changes the size, and writes down what for.
    fn resize(&mut self, size: i32, limits: &Limits) {
        self.set.spec.get_or_insert_default().replicas = Some(size);
        revision::set_sizes(&mut self.set.metadata, limits);
    }

    /// Changes the size if it is another; says whether.
    pub(super) fn scale(&mut self, size: i32, limits: &Limits) -> bool {
        let changes = self.size() != size;
        if changes {
            self.resize(size, limits);
        }
        changes
    }
}

fn total<'a>(sets: impl IntoIterator<Item = &'a Draft>) -> i32 {
    sets.into_iter().map(Draft::size).sum()
}

/// The size the new ReplicaSet may have now.
pub(super) fn new_size(new: &Draft, old: &[Draft], limits: &Limits) -> i32 {
    let size = new.size();
    if !limits.rolling || size >= limits.desired {
        return limits.desired;
    }
    let room = limits.most() - new.pods() - old.iter().map(Draft::pods).sum::<i32>();
    size + room.clamp(0, limits.desired - size)
}

/// Shrinks the old ReplicaSets as far as the new one's pods allow: first what is not available anyway. Says whether it did.
pub(super) fn shrink_old(new: &Draft, old: &mut [Draft], limits: &Limits) -> bool {
    let before = total(&*old);
    if before == 0 {
        return false;
    }
    let missing_new = (new.size() - new.available()).max(0);
    let mut surplus = before + new.size() - limits.least_available() - missing_new;
    if surplus <= 0 {
        return false;
    }
    old.sort_by_key(|draft| revision::age(&draft.set.metadata));
    for draft in old.iter_mut() {
        let unhealthy = (draft.size() - draft.available()).clamp(0, surplus);
        if unhealthy > 0 {
            draft.scale(draft.size() - unhealthy, limits);
            surplus -= unhealthy;
        }
    }
    let available = |draft: &Draft| draft.available().min(draft.size());
    let mut spare = available(new) + old.iter().map(available).sum::<i32>() - limits.least_available();
    for draft in old.iter_mut() {
        let give = draft.size().min(spare).max(0);
        if give > 0 {
            draft.scale(draft.size() - give, limits);
            spare -= give;
        }
    }
    total(&*old) < before
}

/// Shrinks the old ReplicaSets to nothing. Says whether there was anything.
pub(super) fn drop_old(old: &mut [Draft], limits: &Limits) -> bool {
    // All of them: `any` would stop at the first.
    old.iter_mut().filter_map(|draft| draft.scale(0, limits).then_some(())).count() > 0
}

/// Whether the Deployment's size was changed since its ReplicaSets were sized.
pub(super) fn was_scaled(drafts: &[Draft], limits: &Limits) -> bool {
    let sized_for = |draft: &Draft| revision::annotation::<i32>(&draft.set.metadata, DESIRED_REPLICAS);
    drafts.iter().filter(|draft| draft.size() > 0).filter_map(sized_for).any(|desired| desired != limits.desired)
}

/// Gives every ReplicaSet its share of a new size, in the middle of a rollout or while it is paused.
///
/// `status_replicas` stands for the former maximum where a ReplicaSet has none written down.
pub(super) fn share(new: Option<&mut Draft>, old: &mut [Draft], limits: &Limits, status_replicas: i32) {
    let saturated = new.as_deref().is_some_and(|new| {
        let sized_for = revision::annotation(&new.set.metadata, DESIRED_REPLICAS);
        new.size() == limits.desired && sized_for == Some(limits.desired) && new.available() == limits.desired
    });
    old.sort_by_key(|draft| revision::age(&draft.set.metadata));
    let active_old = old.iter().filter(|draft| draft.size() > 0).count();
    let new_active = new.as_deref().is_some_and(|new| new.size() > 0);
    if active_old + usize::from(new_active) <= 1 {
        // One that is active, or, when none is, the newest: it takes all.
        let one = match new {
            Some(new) if new_active || active_old == 0 => Some(new),
            _ if active_old == 0 => old.last_mut(),
            _ => old.iter_mut().find(|draft| draft.size() > 0),
        };
        if let Some(one) = one {
            // Also where only what is written down is out of date: it would count as scaled for ever.
            one.resize(limits.desired, limits);
        }
    } else if saturated {
        drop_old(old, limits);
    } else if limits.rolling {
        let active = new.into_iter().chain(old.iter_mut()).filter(|draft| draft.size() > 0);
        share_proportionally(active.collect(), limits, status_replicas);
    }
}

fn share_proportionally(mut active: Vec<&mut Draft>, limits: &Limits, status_replicas: i32) {
    let allowed = if limits.desired > 0 { limits.most() } else { 0 };
    let to_add = allowed - active.iter().map(|draft| draft.size()).sum::<i32>();
    // The largest first; among equals the newer grows first and the older shrinks first.
    active.sort_by_key(|draft| revision::age(&draft.set.metadata));
    if to_add > 0 {
        active.reverse();
    }
    active.sort_by_key(|draft| Reverse(draft.size()));
    let mut added = 0;
    let mut sizes = Vec::with_capacity(active.len());
    for draft in &active {
        let left = to_add - added;
        let share = match to_add {
            0 => 0,
            1.. => fraction(draft, limits, status_replicas).min(left),
            _ => fraction(draft, limits, status_replicas).max(left),
        };
        added += share;
        sizes.push(draft.size() + share);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    for (draft, size) in active.into_iter().zip(sizes) {
        draft.resize(size, limits);
    }
}

/// By how much a ReplicaSet would change if it kept its part of the whole.
fn fraction(draft: &Draft, limits: &Limits, status_replicas: i32) -> i32 {
    if limits.desired == 0 {
        return -draft.size();
    }
    let before = revision::annotation(&draft.set.metadata, MAX_REPLICAS).filter(|most| *most != 0).unwrap_or(status_replicas);
    if before == 0 {
        return 0;
    }
    let size = f64::from(draft.size()) * f64::from(limits.most()) / f64::from(before);
    size.round() as i32 - draft.size()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{ReplicaSetSpec, ReplicaSetStatus};

    use super::*;

    const TEN: Limits = Limits { desired: 10, surge: 3, unavailable: 2, rolling: true };

    /// Size, pods, available.
    fn draft(size: i32, pods: i32, available: i32) -> Draft {
        let mut set = ReplicaSet {
            spec: Some(ReplicaSetSpec { replicas: Some(size), ..ReplicaSetSpec::default() }),
            status: Some(ReplicaSetStatus { replicas: pods, available_replicas: Some(available), ..ReplicaSetStatus::default() }),
            ..ReplicaSet::default()
        };
        revision::set_sizes(&mut set.metadata, &TEN);
        Draft { original: None, set }
    }

    #[test]
    fn limits_are_read_as_upstream_reads_them() {
        use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
        let (int, percent) = (IntOrString::Int, |text: &str| IntOrString::String(text.to_owned()));
        let limits = |replicas: i32, surge: IntOrString, unavailable: IntOrString| {
            let rolling = RollingUpdateDeployment { max_surge: Some(surge), max_unavailable: Some(unavailable) };
            let strategy = DeploymentStrategy { type_: Some("RollingUpdate".to_owned()), rolling_update: Some(rolling) };
            let spec = DeploymentSpec { replicas: Some(replicas), strategy: Some(strategy), ..DeploymentSpec::default() };
            let limits = Limits::of(&Deployment { spec: Some(spec), ..Deployment::default() });
            (limits.surge, limits.unavailable)
        };
        assert_eq!(limits(10, percent("25%"), percent("25%")), (3, 2), "surge rounds up, unavailable down");
        assert_eq!(limits(1, percent("25%"), percent("25%")), (1, 0));
        assert_eq!(limits(3, int(0), percent("10%")), (0, 1), "something has to move");
        assert_eq!(limits(2, int(5), int(5)), (5, 2), "no more can be missing than are wanted");
        assert_eq!(limits(0, percent("25%"), percent("25%")), (0, 0));
        let recreate = DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None };
        let spec = DeploymentSpec { replicas: Some(4), strategy: Some(recreate), ..DeploymentSpec::default() };
        let limits = Limits::of(&Deployment { spec: Some(spec), ..Deployment::default() });
        assert_eq!(limits, Limits { desired: 4, surge: 0, unavailable: 0, rolling: false });
    }

    #[test]
    fn the_new_one_grows_into_the_room_there_is() {
        for (new, old, size) in [
            (draft(0, 0, 0), draft(10, 10, 10), 3),
            (draft(3, 3, 0), draft(8, 8, 8), 5),
            (draft(3, 3, 0), draft(8, 10, 8), 3), // two are not gone yet
            (draft(8, 8, 8), draft(2, 2, 2), 10),
            (draft(12, 12, 12), draft(0, 0, 0), 10),
            (draft(0, 0, 0), draft(20, 20, 20), 0),
        ] {
            assert_eq!(new_size(&new, &[old], &TEN), size);
        }
    }

    #[test]
    fn the_old_ones_shrink_as_the_new_one_becomes_available() {
        for (new, old, size) in [
            (draft(3, 3, 0), draft(10, 10, 10), 8),
            (draft(3, 3, 0), draft(8, 10, 10), 8), // nothing more until the new ones are available
            (draft(3, 3, 3), draft(8, 10, 10), 5), // not by the two that are going anyway
            (draft(3, 3, 1), draft(10, 10, 6), 7), // the unavailable ones first
            (draft(10, 10, 10), draft(2, 2, 2), 0),
        ] {
            let mut old = [old];
            shrink_old(&new, &mut old, &TEN);
            assert_eq!(old[0].size(), size);
        }
    }

    #[test]
    fn a_new_size_is_shared_in_proportion() {
        let (mut new, mut old) = (draft(5, 5, 0), [draft(8, 8, 8)]);
        let twenty = Limits { desired: 20, surge: 5, ..TEN };
        share(Some(&mut new), &mut old, &twenty, 13);
        assert_eq!((new.size(), old[0].size()), (10, 15));
        assert!(!was_scaled(&[new, old[0].clone()], &twenty));

        let (mut new, mut old) = (draft(5, 5, 5), [draft(8, 8, 8)]);
        share(Some(&mut new), &mut old, &Limits { desired: 0, surge: 0, ..TEN }, 13);
        assert_eq!((new.size(), old[0].size()), (0, 0));

        let (mut new, mut old) = (draft(10, 10, 10), [draft(0, 0, 0)]);
        share(Some(&mut new), &mut old, &Limits { desired: 4, ..TEN }, 10);
        assert_eq!((new.size(), old[0].size()), (4, 0), "the only active one takes all");
    }

    #[test]
    fn shares_of_three() {
        let aged = |size: i32, second: i64| {
            let mut draft = draft(size, size, size);
            let time = jiff::Timestamp::from_second(second).unwrap();
            draft.set.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
            draft
        };
        // Sizes of the new one and of two old ones, the older first; then what they become for 10 wanted as of TEN, and a new size.
        for (sizes, desired, surge, expected) in [
            ([5, 5, 3], 20, 5, [10, 10, 5]),
            ([5, 5, 3], 4, 1, [2, 2, 1]),
            ([5, 5, 3], 11, 3, [6, 5, 3]), // what cannot be shared goes to the largest, of equals to the newer
            ([5, 5, 3], 9, 3, [5, 4, 3]),  // and is taken from the older
            ([3, 4, 6], 20, 5, [5, 8, 12]),
            ([2, 0, 11], 20, 5, [4, 0, 21]), // what is empty stays so
        ] {
            let mut new = aged(sizes[0], 3);
            let mut old = [aged(sizes[1], 1), aged(sizes[2], 2)];
            share(Some(&mut new), &mut old, &Limits { desired, surge, ..TEN }, 13);
            assert_eq!([new.size(), old[0].size(), old[1].size()], expected, "{sizes:?} for {desired}");
        }
    }

    #[test]
    fn one_that_has_all_it_should_takes_the_others_place() {
        let (mut new, mut old) = (draft(10, 10, 10), [draft(3, 3, 3)]);
        share(Some(&mut new), &mut old, &TEN, 13);
        assert_eq!((new.size(), old[0].size()), (10, 0));
        let mut old = [draft(0, 0, 0)];
        share(None, &mut old, &Limits { desired: 4, ..TEN }, 0);
        assert_eq!(old[0].size(), 4, "none is active: the newest takes all");
        let (mut new, mut old) = (draft(5, 5, 0), [draft(8, 8, 8)]);
        share(Some(&mut new), &mut old, &Limits { desired: 20, surge: 0, unavailable: 0, rolling: false }, 13);
        assert_eq!((new.size(), old[0].size()), (5, 8), "who recreates has no proportions");
    }

    /// Plays rollouts against ReplicaSets that act, and become available, one pod at a time and in every order.
    #[test]
    fn the_promises_hold_at_every_step() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for round in 0..300 {
            let desired = 1 + random(12) as i32;
            let (surge, unavailable) = (random(4) as i32, random(3) as i32);
            let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable }.min(desired);
            let limits = Limits { desired, surge, unavailable, rolling: true };
            let (mut new, mut old) = (draft(0, 0, 0), [draft(desired, desired, desired)]);
            // What there really is: (pods, available).
            let mut real = [(0, 0), (desired, desired)];
            for step in 0.. {
                match random(4) {
                    0 => {
                        let size = new_size(&new, &old, &limits);
                        if !new.scale(size, &limits) {
                            shrink_old(&new, &mut old, &limits);
                        }
                    }
                    // A ReplicaSet creates or deletes a pod; what is deleted first is not available.
                    1 => {
                        for (draft, (pods, available)) in [&new, &old[0]].into_iter().zip(&mut real) {
                            *pods += (draft.size() - *pods).signum();
                            *available = (*available).min(*pods);
                        }
                    }
                    2 => real[0].1 = real[0].0.min(real[0].1 + 1),
                    _ => {
                        for (draft, (pods, available)) in [&mut new, &mut old[0]].into_iter().zip(real) {
                            let status = draft.set.status.as_mut().unwrap();
                            (status.replicas, status.available_replicas) = (pods, Some(available));
                        }
                    }
                }
                let (pods, available) = (real[0].0 + real[1].0, real[0].1 + real[1].1);
                assert!(pods <= limits.most(), "round {round} step {step}: {pods} pods of {limits:?}");
                assert!(available >= limits.least_available(), "round {round} step {step}: {available} of {limits:?}");
                if real == [(desired, desired), (0, 0)] {
                    break;
                }
                assert!(step < 20_000, "round {round} never ends: {real:?} of {limits:?}");
            }
        }
    }
}

//! What to do for one StatefulSet, decided from its pods and their claims.
//!
//! An ordered set does one thing at a time and none while a pod is not well; a parallel one does all that is to be done.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus},
        core::v1::{PersistentVolumeClaim, Pod, PodTemplateSpec},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use mini_api::{percent, pod};

use super::{claims, identity, status};
use crate::pods;

/// One write.
#[derive(Debug)]
pub(super) enum Action {
    /// Creates a pod, and before it the claims it lacks.
    Create(Box<Pod>, Vec<PersistentVolumeClaim>),
    /// Creates the claims that a pod lacks which is there.
    Claim(Arc<Pod>, Vec<PersistentVolumeClaim>),
    /// A pod cannot be created, for this claim is being deleted.
    Wait(Box<Pod>, String),
    /// Gives a pod the labels and volumes it lacks.
    Repair(Arc<Pod>),
    /// Gives a claim its owners.
    Own(Arc<PersistentVolumeClaim>, Vec<OwnerReference>),
    /// Leaves a claim to whoever else controls it.
    Disown(Arc<PersistentVolumeClaim>, Vec<OwnerReference>),
    /// Deletes a pod: it has ended, or is one too many, or is of an old revision.
    Delete(Arc<Pod>),
}

/// A template, and what its revision is called.
#[derive(Clone, Copy)]
pub(super) struct Revision<'a> {
    pub(super) name: &'a str,
    pub(super) template: &'a PodTemplateSpec,
}

/// What there is.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) set: &'a StatefulSet,
    /// The revision that an update began from; the same as `update` when none is under way.
    pub(super) current: Revision<'a>,
    /// The revision that pods are to be of.
    pub(super) update: Revision<'a>,
    /// The pods of the set, whatever their ordinals.
    pub(super) pods: &'a [Arc<Pod>],
    /// The claim of a name, where there is one.
    pub(super) claim: &'a dyn Fn(&str) -> Option<Arc<PersistentVolumeClaim>>,
    pub(super) now: Timestamp,
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// One stage after the other.
    pub(super) stages: Vec<Vec<Action>>,
    /// As the pods are before any of this is done.
    pub(super) status: StatefulSetStatus,
    /// When a ready pod becomes available, if one will.
    pub(super) next: Option<Duration>,
}

/// Decides the next steps.
pub(super) fn plan(world: &World<'_>) -> Plan {
    let step = Step::of(world);
    let mut stages = Vec::new();
    let mut outdated = Vec::new();
    if world.set.metadata.deletion_timestamp.is_none() {
        let (living, well) = step.living();
        stages.push(living);
        if well {
            stages.push(step.condemned_claims());
            let (deletions, done) = step.condemned();
            stages.push(deletions);
            if done {
                outdated = step.outdated();
            }
        }
    }
    let status = status::of(world, &outdated);
    stages.push(outdated.into_iter().map(Action::Delete).collect());
    stages.retain(|stage: &Vec<Action>| !stage.is_empty());
    Plan { stages, status, next: pods::next_available(world.pods, step.spec.min_ready_seconds.unwrap_or(0), world.now) }
}

/// The place of one ordinal, and the pod that is there.
struct Slot {
    ordinal: i32,
    pod: Option<Arc<Pod>>,
}

/// A plan in the making.
struct Step<'a> {
    world: &'a World<'a>,
    spec: StatefulSetSpec,
    /// One after the other, each only when the others are well.
    ordered: bool,
    /// From the lowest ordinal to the highest.
    slots: Vec<Slot>,
    /// The pods whose ordinals are not wanted any more, from the highest to the lowest.
    condemned: Vec<Arc<Pod>>,
}

impl<'a> Step<'a> {
    fn of(world: &'a World<'a>) -> Self {
        let spec = world.set.spec.clone().unwrap_or_default();
        let start = start(&spec);
        let end = start.saturating_add(spec.replicas.unwrap_or(1));
        let numbered = world.pods.iter().filter_map(|pod| Some((identity::ordinal(world.set, pod)?, pod.clone())));
        let mut pods: BTreeMap<i32, Arc<Pod>> = numbered.collect();
        let slots = (start..end).map(|ordinal| Slot { ordinal, pod: pods.remove(&ordinal) }).collect();
        let condemned = pods.into_values().rev().collect();
        let ordered = spec.pod_management_policy.as_deref() != Some("Parallel");
        Self { world, spec, ordered, slots, condemned }
    }

    fn is_available(&self, pod: &Pod) -> bool {
        status::is_available(pod, &self.spec, self.world.now)
    }

    /// What is to be done about the ordinals that are wanted, and whether one may go on to the others.
    fn living(&self) -> (Vec<Action>, bool) {
        let mut actions = Vec::new();
        for slot in &self.slots {
            let well = match &slot.pod {
                None => self.create(slot.ordinal, &mut actions),
                Some(pod) => self.keep(slot.ordinal, pod, &mut actions),
            };
            if self.ordered && !well {
                return (actions, false);
            }
        }
        (actions, true)
    }

    /// Creates the pod of an ordinal; it cannot be well yet.
    fn create(&self, ordinal: i32, actions: &mut Vec<Action>) -> bool {
        let World { set, current, update, .. } = *self.world;
        let of_current = match self.rolling_update() {
            Some(Some(partition)) => ordinal < start(&self.spec).saturating_add(partition),
            Some(None) => {
                let replicas = set.status.as_ref().and_then(|status| status.current_replicas).unwrap_or(0);
                ordinal < start(&self.spec).saturating_add(replicas)
            }
            None => false,
        };
        let revision = if of_current { current } else { update };
        let pod = Box::new(identity::make(set, revision.template, revision.name, ordinal));
        let there: Vec<_> = claims::names(set, ordinal).filter_map(|(_, name)| (self.world.claim)(&name)).collect();
        if there.iter().any(|claim| claims::blocks(claim, set, &pod)) {
            return false;
        }
        if let Some(claim) = there.iter().find(|claim| claim.metadata.deletion_timestamp.is_some()) {
            actions.push(Action::Wait(pod, claim.metadata.name.clone().unwrap_or_default()));
            return false;
        }
        actions.push(Action::Create(pod, self.missing_claims(ordinal)));
        false
    }

    /// Looks after the pod of an ordinal; says whether it is well.
    fn keep(&self, ordinal: i32, pod: &Arc<Pod>, actions: &mut Vec<Action>) -> bool {
        if pod::is_terminal(pod) {
            actions.extend((!pod::is_terminating(pod)).then(|| Action::Delete(pod.clone())));
            return false;
        }
        if pod::phase(pod) == pod::PENDING {
            let claims = self.missing_claims(ordinal);
            actions.extend((!claims.is_empty()).then(|| Action::Claim(pod.clone(), claims)));
            self.own_claims(ordinal, pod, true, actions);
        }
        let well = !pod::is_terminating(pod) && status::is_running_and_ready(pod) && self.is_available(pod);
        if self.ordered && !well {
            return false;
        }
        actions.extend(identity::repaired(self.world.set, pod, ordinal).map(|_| Action::Repair(pod.clone())));
        if pod::phase(pod) != pod::PENDING {
            self.own_claims(ordinal, pod, true, actions);
        }
        well
    }

    fn missing_claims(&self, ordinal: i32) -> Vec<PersistentVolumeClaim> {
        let is_there = |claim: &PersistentVolumeClaim| (self.world.claim)(claim.metadata.name.as_deref().unwrap_or_default()).is_some();
        claims::make(self.world.set, ordinal).filter(|claim| !is_there(claim)).collect()
    }

    fn own_claims(&self, ordinal: i32, pod: &Pod, in_range: bool, actions: &mut Vec<Action>) {
        let set = self.world.set;
        for claim in claims::names(set, ordinal).filter_map(|(_, name)| (self.world.claim)(&name)) {
            if let Some(owners) = claims::owners(&claim, set, pod, in_range) {
                let others = claims::has_other_controller(&claim, set, pod);
                actions.push(if others { Action::Disown(claim, owners) } else { Action::Own(claim, owners) });
            }
        }
    }

    /// The claims of pods that are about to go may have to go with them.
    fn condemned_claims(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for pod in &self.condemned {
            if let Some(ordinal) = identity::ordinal(self.world.set, pod) {
                self.own_claims(ordinal, pod, false, &mut actions);
            }
        }
        actions
    }

    /// The pods to give up, and whether an update may go on.
    fn condemned(&self) -> (Vec<Action>, bool) {
        let going = |pod: &&Arc<Pod>| !pod::is_terminating(pod);
        if !self.ordered {
            return (self.condemned.iter().filter(going).cloned().map(Action::Delete).collect(), true);
        }
        let Some(highest) = self.condemned.first() else { return (Vec::new(), true) };
        // The wanted pods are all well here: so the first that is not is the lowest of the others. Only that one may go as it is.
        let is_unwell = |pod: &&Arc<Pod>| !self.is_available(pod) || pod::is_terminating(pod);
        let first_unwell = self.condemned.iter().rev().find(is_unwell);
        let may_go = status::is_running_and_ready(highest) && self.is_available(highest);
        let goes = going(&highest) && (may_go || first_unwell.is_some_and(|first| Arc::ptr_eq(first, highest)));
        (goes.then(|| Action::Delete(highest.clone())).into_iter().collect(), false)
    }

    /// The partition of a rolling update (the inner `None` where there is no word about it); `None` for the strategy OnDelete.
    fn rolling_update(&self) -> Option<Option<i32>> {
        let strategy = self.spec.update_strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
            return None;
        }
        Some(strategy.and_then(|strategy| strategy.rolling_update.as_ref()).map(|rolling| rolling.partition.unwrap_or(0)))
    }

    /// The pods of an old revision that make room for new ones now, from the highest ordinal down to the partition.
    fn outdated(&self) -> Vec<Arc<Pod>> {
        let Some(partition) = self.rolling_update() else { return Vec::new() };
        let partition = usize::try_from(partition.unwrap_or(0)).unwrap_or(0);
        let is_old = |pod: &Pod| identity::revision(pod) != Some(self.world.update.name) && !pod::is_terminating(pod);
        let is_down = |pod: &Pod| !self.is_available(pod) || pod::is_terminating(pod);
        let targets = self.slots.iter().skip(partition).rev();
        let Some(most) = self.max_unavailable() else {
            // One at a time: whatever is higher has to be of the new revision, and well.
            let settled = |slot: &&Slot| slot.pod.as_ref().is_some_and(|pod| !is_old(pod) && !is_down(pod));
            let first = targets.skip_while(settled).take(1).filter_map(|slot| slot.pod.clone());
            return first.filter(|pod| is_old(pod)).collect();
        };
        let down = self.slots.iter().filter(|slot| slot.pod.as_ref().is_none_or(|pod| is_down(pod))).count();
        let mut left = most.saturating_sub(down);
        let mut outdated = Vec::new();
        for pod in targets.filter_map(|slot| slot.pod.as_ref()).filter(|pod| is_old(pod)) {
            // What is down already is not missed.
            if !is_down(pod) {
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            outdated.push(pod.clone());
        }
        outdated
    }

    /// How many pods an update may take down at a time, where something is said about it.
    fn max_unavailable(&self) -> Option<usize> {
        let strategy = self.spec.update_strategy.as_ref()?;
        let most = strategy.rolling_update.as_ref()?.max_unavailable.as_ref()?;
        let most = percent::scaled(most, self.spec.replicas.unwrap_or(1), false).unwrap_or(1);
        usize::try_from(most.max(1)).ok()
    }
}

/// The first ordinal.
fn start(spec: &StatefulSetSpec) -> i32 {
    spec.ordinals.as_ref().and_then(|ordinals| ordinals.start).unwrap_or(0)
}

#[cfg(test)]
pub(super) mod tests {
    use k8s_openapi::{
        api::{
            apps::v1::{RollingUpdateStatefulSetStrategy, StatefulSetOrdinals, StatefulSetUpdateStrategy},
            core::v1::{PodCondition, PodStatus},
        },
        apimachinery::pkg::{
            apis::meta::v1::{LabelSelector, ObjectMeta, Time},
            util::intstr::IntOrString,
        },
    };

    use super::*;
    use crate::{
        history::tests::pod_template,
        statefulset::claims::tests::{claim, retaining},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    pub(in crate::statefulset) fn set(replicas: i32) -> StatefulSet {
        let labels = Some([("app".to_owned(), "web".to_owned())].into());
        StatefulSet {
            metadata: ObjectMeta {
                name: Some("web".to_owned()),
                namespace: Some("default".to_owned()),
                uid: Some("uid-web".to_owned()),
                generation: Some(2),
                ..ObjectMeta::default()
            },
            spec: Some(StatefulSetSpec {
                replicas: Some(replicas),
                selector: LabelSelector { match_labels: labels, match_expressions: None },
                template: pod_template("nginx:1"),
                update_strategy: Some(strategy("RollingUpdate", Some(0), None)),
                ..StatefulSetSpec::default()
            }),
            status: None,
        }
    }

    fn strategy(kind: &str, partition: Option<i32>, max_unavailable: Option<i32>) -> StatefulSetUpdateStrategy {
        let max_unavailable = max_unavailable.map(IntOrString::Int);
        let rolling_update = partition.map(|partition| RollingUpdateStatefulSetStrategy { partition: Some(partition), max_unavailable });
        StatefulSetUpdateStrategy { type_: Some(kind.to_owned()), rolling_update }
    }

    /// `state`: p(ending), u(nready), r(eady since second 100), t(erminating but ready), f(ailed), s(ucceeded).
    pub(in crate::statefulset) fn pod(ordinal: i32, revision: &str, state: char) -> Arc<Pod> {
        let mut pod = identity::make(&set(1), &pod_template("nginx:1"), revision, ordinal);
        pod.metadata.uid = Some(format!("uid-{ordinal}"));
        pod.metadata.deletion_timestamp = (state == 't').then(|| Time(at(1)));
        let phase = match state {
            'p' => "Pending",
            'f' => "Failed",
            's' => "Succeeded",
            _ => "Running",
        };
        let ready = PodCondition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: Some(Time(at(100))),
            ..PodCondition::default()
        };
        let conditions = matches!(state, 'r' | 't').then(|| vec![ready]);
        pod.status = Some(PodStatus { phase: Some(phase.to_owned()), conditions, ..PodStatus::default() });
        Arc::new(pod)
    }

    /// The pods `web-0`, `web-1`, …: two characters each, the number of the revision and the state; `--` is no pod.
    fn pods(states: &str) -> Vec<Arc<Pod>> {
        let places = states.split_whitespace().enumerate().filter(|(_, place)| *place != "--");
        let make = |(ordinal, place): (usize, &str)| {
            let (revision, state) = place.split_at(1);
            pod(i32::try_from(ordinal).unwrap(), &format!("r{revision}"), state.chars().next().unwrap())
        };
        places.map(make).collect()
    }

    /// The plan as words, for a set that is being updated from revision 1 to 2.
    fn told(set: &StatefulSet, pods: &[Arc<Pod>], claims: &[PersistentVolumeClaim]) -> (String, Plan) {
        let claims: BTreeMap<_, _> = claims.iter().map(|claim| (claim.metadata.name.clone().unwrap(), Arc::new(claim.clone()))).collect();
        let (old, new) = (pod_template("nginx:1"), pod_template("nginx:2"));
        let world = World {
            set,
            current: Revision { name: "r1", template: &old },
            update: Revision { name: "r2", template: &new },
            pods,
            claim: &|name| claims.get(name).cloned(),
            now: at(200),
        };
        let plan = plan(&world);
        let name = |meta: &ObjectMeta| meta.name.clone().unwrap();
        let names = |claims: &[PersistentVolumeClaim]| claims.iter().map(|claim| name(&claim.metadata) + "+").collect::<String>();
        let kinds = |owners: &[OwnerReference]| owners.iter().map(|owner| owner.kind.clone()).collect::<Vec<_>>().join(",");
        let word = |action: &Action| match action {
            Action::Create(pod, claims) => format!("+{}{}@{}", names(claims), name(&pod.metadata), identity::revision(pod).unwrap()),
            Action::Claim(pod, claims) => format!("+{}({})", names(claims), name(&pod.metadata)),
            Action::Wait(pod, claim) => format!("{} waits for {claim}", name(&pod.metadata)),
            Action::Repair(pod) => format!("*{}", name(&pod.metadata)),
            Action::Own(claim, owners) | Action::Disown(claim, owners) => format!("{}:{}", name(&claim.metadata), kinds(owners)),
            Action::Delete(pod) => format!("-{}", name(&pod.metadata)),
        };
        let stages: Vec<_> = plan.stages.iter().map(|stage| stage.iter().map(word).collect::<Vec<_>>().join(" ")).collect();
        (stages.join(" | "), plan)
    }

    fn parallel(mut set: StatefulSet) -> StatefulSet {
        set.spec.as_mut().unwrap().pod_management_policy = Some("Parallel".to_owned());
        set
    }

    #[test]
    fn an_ordered_set_does_one_thing_after_the_other() {
        for (replicas, states, want) in [
            (3, "", "+web-0@r2"),
            (3, "2p", ""),
            (3, "2u", ""),
            (3, "2r", "+web-1@r2"),
            (3, "2r -- 2r", "+web-1@r2"),
            (3, "2r 2t 2r", ""),
            (3, "2r 2f 2r", "-web-1"),
            (3, "2s 2r 2r", "-web-0"),
            (3, "2r 2r 2r", ""),
            // Down from the highest, when the others are well.
            (1, "2r 2r 2r", "-web-2"),
            (1, "2r 2r 2t", ""),
            (1, "2u 2r 2r", ""),
            (1, "2r 2u 2r", "-web-2"),
            (1, "2r 2r 2u", "-web-2"),
            (1, "2r 2u 2u", ""),
            (0, "2r", "-web-0"),
            // An update takes the highest first, one at a time; what is missing comes first.
            (3, "1r 1r 1r", "-web-2"),
            (3, "1r 1r 1t", ""),
            (3, "1r 1r --", "+web-2@r2"),
            (3, "1r 1r 2p", ""),
            (3, "1r 1r 2r", "-web-1"),
            (3, "1u 1r 1r", ""),
            (2, "1r 1r 1r", "-web-2"),
        ] {
            assert_eq!(told(&set(replicas), &pods(states), &[]).0, want, "{replicas} of {states:?}");
        }
    }

    #[test]
    fn a_parallel_set_does_all_of_it() {
        for (replicas, states, want) in [
            (3, "", "+web-0@r2 +web-1@r2 +web-2@r2"),
            (3, "2u -- 2f", "+web-1@r2 -web-2"),
            (1, "2u 2r 2t 2p", "-web-3 -web-1"),
            (3, "1r 1r 1r", "-web-2"),
            (3, "1r 1u 1u", "-web-2"),
            (3, "1u 1r 2u", ""),
            (3, "1r 1r 2t", ""),
        ] {
            assert_eq!(told(&parallel(set(replicas)), &pods(states), &[]).0, want, "{replicas} of {states:?}");
        }
    }

    #[test]
    fn strategies_and_partitions() {
        for (update, policy, states, want) in [
            (strategy("OnDelete", None, None), "OrderedReady", "1r 1r 1r", ""),
            (strategy("OnDelete", None, None), "OrderedReady", "1r -- 1r", "+web-1@r2"),
            (strategy("RollingUpdate", Some(2), None), "OrderedReady", "1r 1r 1r", "-web-2"),
            (strategy("RollingUpdate", Some(2), None), "OrderedReady", "1r 1r 2r", ""),
            (strategy("RollingUpdate", Some(2), None), "OrderedReady", "1r -- 2r", "+web-1@r1"),
            (strategy("RollingUpdate", Some(5), None), "OrderedReady", "1r 1r 1r", ""),
            (strategy("RollingUpdate", Some(0), Some(2)), "OrderedReady", "1r 1r 1r", "-web-2 -web-1"),
            (strategy("RollingUpdate", Some(0), Some(2)), "Parallel", "1r 1r 2u", "-web-1"),
            (strategy("RollingUpdate", Some(0), Some(2)), "Parallel", "1u 1u 1r", ""),
            (strategy("RollingUpdate", Some(0), Some(2)), "Parallel", "1r 1u 1u", "-web-2 -web-1"),
            (strategy("RollingUpdate", Some(1), Some(2)), "Parallel", "1r 1r 1r", "-web-2 -web-1"),
        ] {
            let mut set = set(3);
            let spec = set.spec.as_mut().unwrap();
            (spec.update_strategy, spec.pod_management_policy) = (Some(update.clone()), Some(policy.to_owned()));
            assert_eq!(told(&set, &pods(states), &[]).0, want, "{states:?} {update:?}");
        }
    }

    #[test]
    fn ordinals_need_not_begin_at_0() {
        let mut set = set(2);
        set.spec.as_mut().unwrap().ordinals = Some(StatefulSetOrdinals { start: Some(5) });
        assert_eq!(told(&set, &[], &[]).0, "+web-5@r2");
        assert_eq!(told(&set, &[pod(5, "r2", 'r'), pod(6, "r2", 'r'), pod(0, "r2", 'r'), pod(7, "r2", 'r')], &[]).0, "-web-7");
    }

    #[test]
    fn what_is_being_deleted_is_left_alone() {
        let mut set = set(3);
        set.metadata.deletion_timestamp = Some(Time(at(1)));
        let (told, plan) = told(&set, &pods("2r"), &[]);
        assert_eq!((told.as_str(), plan.status.replicas), ("", 1));
    }

    #[test]
    fn pods_wait_for_their_claims() {
        let mut set = set(1);
        set.spec.as_mut().unwrap().volume_claim_templates = Some(vec![claim("www"), claim("log")]);
        assert_eq!(told(&set, &[], &[]).0, "+www-web-0+log-web-0+web-0@r2");
        assert_eq!(told(&set, &[], &[claim("log-web-0")]).0, "+www-web-0+web-0@r2");
        let mut going = claim("www-web-0");
        going.metadata.deletion_timestamp = Some(Time(at(1)));
        assert_eq!(told(&set, &[], &[going]).0, "web-0 waits for www-web-0");
        let mut pending = (*pod(0, "r2", 'p')).clone();
        pending = identity::repaired(&set, &pending, 0).unwrap();
        assert_eq!(told(&set, &[Arc::new(pending)], &[claim("www-web-0")]).0, "+log-web-0+(web-0)");
    }

    #[test]
    fn claims_go_with_the_pods_that_are_scaled_away() {
        let mut set = retaining(set(1), "Retain", "Delete");
        let pods = pods("2r 2r");
        set.spec.as_mut().unwrap().volume_claim_templates = Some(vec![claim("www")]);
        let pods: Vec<_> = pods.iter().zip(0..).map(|(pod, at)| Arc::new(identity::repaired(&set, pod, at).unwrap())).collect();
        let claims = [claim("www-web-0"), claim("www-web-1")];
        assert_eq!(told(&set, &pods, &claims).0, "www-web-1:Pod | -web-1");
        // Scaled up again before the garbage collector has been there.
        set.spec.as_mut().unwrap().replicas = Some(2);
        let mut old = claim("www-web-1");
        old.metadata.owner_references = Some(vec![mini_api::owner::controller_ref(&*pods[1])]);
        assert_eq!(told(&set, &pods[..1], &[claim("www-web-0"), old]).0, "");
    }

    #[test]
    fn the_status_counts_by_revision() {
        let (_, plan) = told(&set(3), &pods("1r 1r 2u"), &[]);
        expect_test::expect![[r#"{"availableReplicas":2,"collisionCount":0,"currentReplicas":2,"currentRevision":"r1","observedGeneration":2,"readyReplicas":2,"replicas":3,"updateRevision":"r2","updatedReplicas":1}"#]]
            .assert_eq(&serde_json::to_string(&plan.status).unwrap());
        let status = told(&set(3), &pods("1r 1r 1r"), &[]).1.status;
        assert_eq!((status.current_replicas, status.updated_replicas), (Some(2), None), "one is about to go");
        let done = told(&set(3), &pods("2r 2r 2r"), &[]).1.status;
        assert_eq!((done.current_replicas, done.current_revision.as_deref()), (Some(3), Some("r2")));
    }

    #[test]
    fn a_pod_must_be_ready_for_a_while() {
        let mut set = set(2);
        set.spec.as_mut().unwrap().min_ready_seconds = Some(130);
        let (told, plan) = told(&set, &pods("2r"), &[]);
        assert_eq!((told.as_str(), plan.status.available_replicas), ("", Some(0)));
        assert_eq!(plan.next, Some(Duration::from_millis(30_001)));
    }
}

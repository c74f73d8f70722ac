//! What to do for one Deployment, decided from its ReplicaSets alone.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::{
    revision,
    rollback::{self, Rollback},
    rollout::{self, Draft, Limits},
    status,
};

/// One write.
#[derive(Debug)]
pub(super) enum Action {
    /// Creates the new ReplicaSet.
    Create(Box<ReplicaSet>),
    /// Makes a ReplicaSet (the first) into what it is to be (the second).
    Update(Arc<ReplicaSet>, Box<ReplicaSet>),
    /// Deletes one that is beyond the history.
    Delete(Arc<ReplicaSet>),
}

impl Action {
    /// What `kubectl describe` says of it.
    pub(super) fn event(&self) -> Option<String> {
        let size = |set: &ReplicaSet| set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let (from, set) = match self {
            Action::Create(set) => (0, set),
            Action::Update(old, new) => (size(old), new),
            Action::Delete(_) => return None,
        };
        let (name, to) = (set.metadata.name.as_deref().unwrap_or_default(), size(set));
        let direction = match from.cmp(&to) {
            std::cmp::Ordering::Less => "up",
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => "down",
        };
        Some(format!("Scaled {direction} replica set {name} from {from} to {to}"))
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// In this order.
    pub(super) actions: Vec<Action>,
    /// The Deployment with its new status (and revision); often it is the old one.
    pub(super) deployment: Deployment,
    /// What becomes of the Deployment instead, if somebody wished to go back.
    pub(super) rollback: Option<Rollback>,
    /// When to look again even if nothing changes.
    pub(super) next: Option<Duration>,
}

/// Decides the next step.
///
/// `with_pods` are the UIDs of the ReplicaSets whose pods are not all gone; it matters only where pods are recreated.
pub(super) fn plan(deployment: &Deployment, children: &[Arc<ReplicaSet>], with_pods: &BTreeSet<String>, now: Timestamp) -> Plan {
    let limits = Limits::of(deployment);
    let new = revision::find_new(children, deployment);
    let drafts = |new: Option<usize>| {
        let old = children.iter().enumerate().filter(|(index, _)| Some(*index) != new).map(|(_, set)| Draft::of(set));
        (new.and_then(|index| children.get(index)).map(Draft::of), old.collect::<Vec<_>>())
    };
    let (new, old) = drafts(new);
    let mut step = Step { deployment: deployment.clone(), limits, new, old, now, progress: true, rollback: None };
    let mut expired = Vec::new();
    if deployment.metadata.deletion_timestamp.is_some() {
        step.progress = false;
        step.adopt_new();
    } else {
        expired = step.take(with_pods);
    }
    step.finish(deployment, expired)
}

/// A plan in the making.
struct Step {
    /// With what is noted about it on the way.
    deployment: Deployment,
    limits: Limits,
    new: Option<Draft>,
    old: Vec<Draft>,
    now: Timestamp,
    /// Whether the status says how the rollout goes. It does not while it stands still by intention.
    progress: bool,
    rollback: Option<Rollback>,
}

impl Step {
    /// Takes one step; returns the ReplicaSets that may be deleted.
    fn take(&mut self, with_pods: &BTreeSet<String>) -> Vec<Arc<ReplicaSet>> {
        status::note_pause(&mut self.deployment, self.now);
        let paused = self.deployment.spec.as_ref().and_then(|spec| spec.paused).unwrap_or(false);
        if let Some(to) = rollback::wish(&self.deployment).filter(|_| !paused) {
            // Nothing else is done before the wish is gone, or the revisions it is about would change under it.
            self.ensure_new();
            let sets = self.new.iter().chain(&self.old).map(|draft| &draft.set);
            self.rollback = Some(rollback::roll_back(&self.deployment, to, sets));
            return Vec::new();
        }
        let drafts: Vec<_> = self.new.iter().chain(&self.old).cloned().collect();
        if paused || rollout::was_scaled(&drafts, &self.limits) {
            self.progress = false;
            self.adopt_new();
            let replicas = self.deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
            rollout::share(self.new.as_mut(), &mut self.old, &self.limits, replicas);
            return if paused { revision::expired(&self.old, &self.deployment) } else { Vec::new() };
        }
        let moved = if self.limits.rolling { self.roll() } else { self.recreate(with_pods) };
        // By the status as it was: a rollout that has just been completed is cleaned up after when the API says so.
        let complete = self.deployment.status.as_ref().is_some_and(|status| status::is_complete(&self.deployment, status));
        if !moved && complete { revision::expired(&self.old, &self.deployment) } else { Vec::new() }
    }

    /// One step of a rolling update: the new ReplicaSet grows, or else the old ones shrink.
    fn roll(&mut self) -> bool {
        self.ensure_new();
        let Some(new) = &mut self.new else { return false };
        let size = rollout::new_size(new, &self.old, &self.limits);
        new.scale(size, &self.limits) || rollout::shrink_old(new, &mut self.old, &self.limits)
    }

    /// One step of recreation: all old pods go, then the new ones come.
    fn recreate(&mut self, with_pods: &BTreeSet<String>) -> bool {
        self.adopt_new();
        if rollout::drop_old(&mut self.old, &self.limits) {
            return true;
        }
        let lingers = |draft: &Draft| {
            let replicas = draft.set.status.as_ref().map_or(0, |status| status.replicas);
            replicas > 0 || draft.set.metadata.uid.as_ref().is_some_and(|uid| with_pods.contains(uid))
        };
        if self.old.iter().any(lingers) {
            return true;
        }
        self.ensure_new();
        let limits = self.limits;
        self.new.as_mut().is_some_and(|new| new.scale(limits.desired, &limits))
    }

    /// The revision the new ReplicaSet has to have at least.
    fn revision(&self) -> i64 {
        self.old.iter().map(|draft| revision::of(&draft.set.metadata)).max().unwrap_or(0) + 1
    }

    /// Brings the new ReplicaSet, if there is one, up to date.
    fn adopt_new(&mut self) {
        let revision = self.revision();
        let Some(new) = &mut self.new else { return };
        revision::annotate(&mut new.set.metadata, &self.deployment, revision);
        let min_ready = self.deployment.spec.as_ref().and_then(|spec| spec.min_ready_seconds);
        if let Some(spec) = &mut new.set.spec
            && spec.min_ready_seconds.unwrap_or(0) != min_ready.unwrap_or(0)
        {
            spec.min_ready_seconds = min_ready;
        }
        let (name, revision) = (new.set.metadata.name.clone().unwrap_or_default(), revision::of(&new.set.metadata));
        status::note_new(&mut self.deployment, &name, new.original.is_none(), self.now);
        let annotations = self.deployment.metadata.annotations.get_or_insert_default();
        annotations.insert(revision::REVISION.to_owned(), revision.to_string());
    }

    /// Makes sure that there is a new ReplicaSet. One that is created has its first size at once.
    fn ensure_new(&mut self) {
        if self.new.is_none() {
            let set = revision::create(&self.deployment, self.revision(), &self.limits);
            let mut new = Draft { original: None, set };
            let size = rollout::new_size(&new, &self.old, &self.limits);
            new.scale(size, &self.limits);
            self.new = Some(new);
        }
        self.adopt_new();
    }

    fn finish(mut self, before: &Deployment, expired: Vec<Arc<ReplicaSet>>) -> Plan {
        let (new, old) = (self.new.as_ref(), self.old.as_slice());
        let mut status = status::calculate(&self.deployment, new, old, &self.limits, self.now);
        if self.progress {
            status::judge_progress(&self.deployment, &mut status, new, old, self.now);
        }
        let next = status::next_look(before, &status, self.now);
        self.deployment.status = Some(status);
        let drafts = self.new.into_iter().chain(self.old);
        let mut actions: Vec<_> = drafts
            .filter_map(|draft| match draft.original {
                None => Some(Action::Create(Box::new(draft.set))),
                Some(old) if *old != draft.set => Some(Action::Update(old, Box::new(draft.set))),
                Some(_) => None,
            })
            .collect();
        actions.extend(expired.into_iter().map(Action::Delete));
        Plan { actions, deployment: self.deployment, rollback: self.rollback, next }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::{
            apps::v1::{DeploymentSpec, DeploymentStrategy, ReplicaSetCondition, ReplicaSetStatus},
            core::v1::{Container, PodSpec, PodTemplateSpec},
        },
        apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    };
    use mini_api::condition;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn template(image: &str) -> PodTemplateSpec {
        PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some([("app".to_owned(), "web".to_owned())].into()), ..ObjectMeta::default() }),
            spec: Some(PodSpec {
                containers: vec![Container { image: Some(image.to_owned()), ..Container::default() }],
                ..PodSpec::default()
            }),
        }
    }

    /// A Deployment and its ReplicaSets, whose pods do at once what they should.
    struct World {
        deployment: Deployment,
        sets: Vec<ReplicaSet>,
        second: i64,
        log: Vec<String>,
    }

    impl World {
        fn new(replicas: i32) -> Self {
            let deployment = Deployment {
                metadata: ObjectMeta {
                    name: Some("web".to_owned()),
                    namespace: Some("default".to_owned()),
                    uid: Some("d".to_owned()),
                    generation: Some(1),
                    ..ObjectMeta::default()
                },
                spec: Some(DeploymentSpec {
                    replicas: Some(replicas),
                    template: template("nginx:1"),
                    progress_deadline_seconds: Some(600),
                    revision_history_limit: Some(10),
                    ..DeploymentSpec::default()
                }),
                status: None,
            };
            Self { deployment, sets: Vec::new(), second: 0, log: Vec::new() }
        }

        fn change(&mut self, change: impl FnOnce(&mut DeploymentSpec)) {
            change(self.deployment.spec.as_mut().unwrap());
            self.deployment.metadata.generation = self.deployment.metadata.generation.map(|generation| generation + 1);
        }

        /// One run of the controller; true if it did anything.
        fn step(&mut self) -> bool {
            self.second += 1;
            let children: Vec<_> = self.sets.iter().cloned().map(Arc::new).collect();
            let plan = plan(&self.deployment, &children, &BTreeSet::new(), at(self.second));
            let changed = !plan.actions.is_empty() || plan.deployment != self.deployment;
            for action in plan.actions {
                self.log.extend(action.event());
                match action {
                    Action::Create(mut set) => {
                        set.metadata.uid = set.metadata.name.clone();
                        set.metadata.creation_timestamp = Some(Time(at(self.second)));
                        self.sets.push(*set);
                    }
                    Action::Update(_, new) => {
                        let old = self.sets.iter_mut().find(|set| set.metadata.name == new.metadata.name);
                        *old.unwrap() = *new;
                    }
                    Action::Delete(gone) => self.sets.retain(|set| set.metadata.name != gone.metadata.name),
                }
            }
            self.deployment = plan.deployment;
            let progressing = condition::find(&self.deployment.status.as_ref().unwrap().conditions, "Progressing");
            let reason = progressing.and_then(|progressing| progressing.reason.clone()).unwrap_or_default();
            if self.log.last() != Some(&reason) {
                self.log.push(reason);
            }
            changed
        }

        /// The pods of all ReplicaSets come, become available, and go.
        fn obey(&mut self) {
            for set in &mut self.sets {
                let size = set.spec.as_ref().unwrap().replicas.unwrap();
                set.status = Some(ReplicaSetStatus {
                    replicas: size,
                    ready_replicas: Some(size),
                    available_replicas: Some(size),
                    ..ReplicaSetStatus::default()
                });
            }
        }

        fn settle(&mut self) -> Vec<String> {
            for _ in 0..50 {
                let changed = self.step();
                self.obey();
                if !changed {
                    return std::mem::take(&mut self.log);
                }
            }
            panic!("it never settles: {:?}", self.log);
        }

        fn revisions(&self) -> Vec<(i64, i32)> {
            let size = |set: &ReplicaSet| set.spec.as_ref().unwrap().replicas.unwrap();
            self.sets.iter().map(|set| (revision::of(&set.metadata), size(set))).collect()
        }
    }

    #[test]
    fn a_rollout_and_the_way_back() {
        let mut world = World::new(4);
        let name = |world: &World, index: usize| world.sets[index].metadata.name.clone().unwrap();
        let log = world.settle();
        let first = name(&world, 0);
        assert_eq!(
            log,
            [format!("Scaled up replica set {first} from 0 to 4"), "NewReplicaSetCreated".into(), "NewReplicaSetAvailable".into()]
        );

        world.change(|spec| spec.template = template("nginx:2"));
        let log = world.settle();
        let second = name(&world, 1);
        let scaled = |direction: &str, set: &str, from: i32, to: i32| format!("Scaled {direction} replica set {set} from {from} to {to}");
        assert_eq!(
            log,
            [
                scaled("up", &second, 0, 1),
                scaled("down", &first, 4, 3),
                "NewReplicaSetCreated".into(),
                scaled("up", &second, 1, 2),
                "ReplicaSetUpdated".into(),
                scaled("down", &first, 3, 1),
                "ReplicaSetUpdated".into(),
                scaled("up", &second, 2, 4),
                "ReplicaSetUpdated".into(),
                scaled("down", &first, 1, 0),
                "ReplicaSetUpdated".into(),
                "NewReplicaSetAvailable".into(),
            ]
        );
        assert_eq!(world.revisions(), [(1, 0), (2, 4)]);

        world.change(|spec| spec.template = template("nginx:1"));
        world.settle();
        assert_eq!(world.revisions(), [(3, 4), (2, 0)]);
        let annotations = world.sets[0].metadata.annotations.clone().unwrap();
        assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
        assert_eq!(world.deployment.metadata.annotations.as_ref().unwrap()[revision::REVISION], "3");
    }

    #[test]
    fn the_status_when_all_is_done() {
        let mut world = World::new(3);
        world.settle();
        let mut set = world.sets[0].clone();
        set.metadata.name = Some("web-x".to_owned());
        let status = serde_json::to_string_pretty(&serde_json::to_value(world.deployment.status).unwrap()).unwrap();
        let status = status.replace(world.sets[0].metadata.name.as_deref().unwrap(), "web-HASH");
        expect_test::expect![[r#"
            {
              "availableReplicas": 3,
              "conditions": [
                {
                  "lastTransitionTime": "1970-01-01T00:00:02Z",
                  "lastUpdateTime": "1970-01-01T00:00:02Z",
                  "message": "Deployment has minimum availability.",
                  "reason": "MinimumReplicasAvailable",
                  "status": "True",
                  "type": "Available"
                },
                {
                  "lastTransitionTime": "1970-01-01T00:00:01Z",
                  "lastUpdateTime": "1970-01-01T00:00:02Z",
                  "message": "ReplicaSet \"web-HASH\" has successfully progressed.",
                  "reason": "NewReplicaSetAvailable",
                  "status": "True",
                  "type": "Progressing"
                }
              ],
              "observedGeneration": 1,
              "readyReplicas": 3,
              "replicas": 3,
              "terminatingReplicas": 0,
              "updatedReplicas": 3
            }"#]]
        .assert_eq(&status);
    }

    #[test]
    fn scaling_changes_sizes_and_nothing_else() {
        let mut world = World::new(3);
        world.settle();
        world.change(|spec| spec.replicas = Some(5));
        let log = world.settle();
        assert!(log[0].ends_with("from 3 to 5"), "{log:?}");
        assert_eq!(world.revisions(), [(1, 5)]);
        let annotations = world.sets[0].metadata.annotations.as_ref().unwrap();
        assert_eq!((annotations[revision::DESIRED_REPLICAS].as_str(), annotations[revision::MAX_REPLICAS].as_str()), ("5", "7"));
        world.change(|spec| spec.replicas = Some(0));
        world.settle();
        assert_eq!(world.revisions(), [(1, 0)]);
    }

    #[test]
    fn recreation_waits_for_the_old_pods() {
        let mut world = World::new(2);
        let strategy = DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None };
        world.change(|spec| spec.strategy = Some(strategy));
        world.settle();
        world.change(|spec| spec.template = template("nginx:2"));
        world.step();
        assert_eq!(world.revisions(), [(1, 0)], "the new one is not there yet");
        world.step();
        assert_eq!(world.revisions(), [(1, 0)], "the old pods are still there");
        world.obey();
        let children: Vec<_> = world.sets.iter().cloned().map(Arc::new).collect();
        let lingering = children.iter().filter_map(|set| set.metadata.uid.clone()).collect();
        assert!(plan(&world.deployment, &children, &lingering, at(9)).actions.is_empty(), "one is still terminating");
        world.settle();
        assert_eq!(world.revisions(), [(1, 0), (2, 2)]);
    }

    #[test]
    fn a_paused_deployment_scales_but_does_not_roll() {
        let mut world = World::new(2);
        world.settle();
        world.change(|spec| {
            spec.paused = Some(true);
            spec.template = template("nginx:2");
            spec.replicas = Some(4);
        });
        assert_eq!(world.settle().last().map(String::as_str), Some("DeploymentPaused"));
        assert_eq!(world.revisions(), [(1, 4)]);
        world.change(|spec| spec.paused = None);
        let log = world.settle();
        assert!(log.iter().any(|line| line.contains("NewReplicaSetCreated")), "{log:?}");
        assert_eq!(world.revisions(), [(1, 0), (2, 4)]);
    }

    #[test]
    fn a_rollout_that_stands_still_is_called_so() {
        let mut world = World::new(2);
        world.step();
        let children: Vec<_> = world.sets.iter().cloned().map(Arc::new).collect();
        let waiting = plan(&world.deployment, &children, &BTreeSet::new(), at(500));
        assert_eq!(waiting.next, Some(Duration::from_secs(601 - 499)));
        let late = plan(&world.deployment, &children, &BTreeSet::new(), at(602));
        let status = late.deployment.status.unwrap();
        let progressing = condition::find(&status.conditions, "Progressing").unwrap();
        assert_eq!((progressing.status.as_str(), progressing.reason.as_deref()), ("False", Some("ProgressDeadlineExceeded")));
        assert!(progressing.message.as_deref().unwrap().ends_with("has timed out progressing."));
        assert_eq!(late.next, None);
    }

    #[test]
    fn the_history_is_limited() {
        let mut world = World::new(1);
        world.change(|spec| spec.revision_history_limit = Some(2));
        for version in 1..=5 {
            world.change(|spec| spec.template = template(&format!("nginx:{version}")));
            world.settle();
        }
        assert_eq!(world.revisions(), [(3, 0), (4, 0), (5, 1)]);
    }

    /// A Deployment of three revisions, and which of them it goes back to at the user's word.
    #[test]
    fn a_wish_to_go_back_is_fulfilled_or_refused_once() {
        let mut world = World::new(2);
        for version in 1..=3 {
            let cause = ("kubernetes.io/change-cause".to_owned(), format!("version {version}"));
            world.deployment.metadata.annotations.get_or_insert_default().extend([cause]);
            world.change(|spec| spec.template = template(&format!("nginx:{version}")));
            world.settle();
        }
        let wishing = |to: &str| {
            let mut deployment = world.deployment.clone();
            deployment.metadata.annotations.get_or_insert_default().insert(rollback::ROLLBACK_TO.to_owned(), to.to_owned());
            deployment
        };
        let children: Vec<_> = world.sets.iter().cloned().map(Arc::new).collect();
        let going = |deployment: &Deployment| plan(deployment, &children, &BTreeSet::new(), at(99));
        for (to, image, reason, message) in [
            ("1", "nginx:1", "DeploymentRollback", "Rolled back deployment \"web\" to revision 1"),
            ("0", "nginx:2", "DeploymentRollback", "Rolled back deployment \"web\" to revision 2"),
            ("7", "nginx:3", "DeploymentRollbackRevisionNotFound", "Unable to find the revision to rollback to."),
            (
                "3",
                "nginx:3",
                "DeploymentRollbackTemplateUnchanged",
                "The rollback revision contains the same template as current deployment \"web\"",
            ),
        ] {
            let plan = going(&wishing(to));
            assert!(plan.actions.is_empty(), "nothing moves before the wish is gone");
            let rollback = plan.rollback.unwrap();
            assert_eq!((rollback.reason, rollback.message.as_str(), rollback.done), (reason, message, image != "nginx:3"));
            let expected = template(image);
            assert_eq!(rollback.deployment.spec.unwrap().template, expected);
            let annotations = rollback.deployment.metadata.annotations.unwrap();
            assert_eq!(annotations["kubernetes.io/change-cause"], image.replace("nginx:", "version "));
            assert_eq!((annotations.get(rollback::ROLLBACK_TO), annotations[revision::REVISION].as_str()), (None, "3"));
        }
        assert!(going(&wishing("soon")).rollback.is_none(), "no number, no wish");
        let mut paused = wishing("1");
        paused.spec.as_mut().unwrap().paused = Some(true);
        assert!(going(&paused).rollback.is_none(), "it waits until the Deployment is resumed");

        let single = World::new(1);
        let mut lonely = single.deployment.clone();
        lonely.metadata.annotations = Some([(rollback::ROLLBACK_TO.to_owned(), "0".to_owned())].into());
        let plan = plan(&lonely, &[], &BTreeSet::new(), at(1));
        assert_eq!(plan.rollback.unwrap().message, "Unable to find last revision.");
        assert_eq!(plan.actions.len(), 1, "the present template gets its ReplicaSet first");
    }

    #[test]
    fn a_deployment_that_is_being_deleted_only_tells_its_status() {
        let mut world = World::new(3);
        world.settle();
        world.change(|spec| spec.replicas = Some(5));
        world.deployment.metadata.deletion_timestamp = Some(Time(at(50)));
        world.sets[0].status.as_mut().unwrap().available_replicas = Some(1);
        let children: Vec<_> = world.sets.iter().cloned().map(Arc::new).collect();
        let plan = plan(&world.deployment, &children, &BTreeSet::new(), at(60));
        assert!(plan.actions.is_empty(), "{:?}", plan.actions);
        let status = plan.deployment.status.unwrap();
        assert_eq!((status.available_replicas, status.unavailable_replicas, status.observed_generation), (Some(1), Some(2), Some(2)));
        assert_eq!(condition::find(&status.conditions, "Progressing").unwrap().reason.as_deref(), Some("NewReplicaSetAvailable"));
    }

    #[test]
    fn a_stuck_rollout_is_scaled_in_proportion_and_stays_stuck() {
        // The example of upstream's documents: 10 wanted, 3 more allowed, 2 fewer; the new image cannot be pulled.
        let mut world = World::new(10);
        world.settle();
        world.change(|spec| spec.template = template("nginx:no-such-tag"));
        for _ in 0..10 {
            world.step();
            for (index, set) in world.sets.iter_mut().enumerate() {
                let size = set.spec.as_ref().unwrap().replicas.unwrap();
                let available = if index == 0 { size } else { 0 };
                let status = ReplicaSetStatus { replicas: size, available_replicas: Some(available), ..ReplicaSetStatus::default() };
                set.status = Some(status);
            }
        }
        assert_eq!(world.revisions(), [(1, 8), (2, 5)]);
        world.log.clear();
        world.change(|spec| spec.replicas = Some(15));
        world.step();
        assert_eq!(world.revisions(), [(1, 12), (2, 7)], "19 = 15 and a quarter, shared as 8 to 5");
        let said: Vec<_> = world.log.iter().map(|line| line.split_once(" from ").map_or(line.as_str(), |(_, sizes)| sizes)).collect();
        assert_eq!(said, ["5 to 7", "8 to 12", "ReplicaSetUpdated"]);
    }

    #[test]
    fn without_a_deadline_nobody_judges_progress() {
        for seconds in [None, Some(i32::MAX)] {
            let mut world = World::new(2);
            world.change(|spec| spec.progress_deadline_seconds = seconds);
            world.settle();
            let conditions = &world.deployment.status.as_ref().unwrap().conditions;
            assert!(condition::find(conditions, "Progressing").is_none());
            assert!(condition::find(conditions, "Available").is_some());
            // Once there is one, the clock begins when the ReplicaSet is found.
            world.change(|spec| {
                spec.progress_deadline_seconds = Some(60);
                spec.min_ready_seconds = Some(5);
            });
            world.step();
            assert_eq!(world.log.last().map(String::as_str), Some("NewReplicaSetAvailable"));
            assert_eq!(world.sets[0].spec.as_ref().unwrap().min_ready_seconds, Some(5), "the ReplicaSet follows");
        }
    }

    #[test]
    fn a_pause_stops_the_clock_and_not_what_was_too_late() {
        let mut world = World::new(2);
        world.step();
        world.second = 700;
        world.step();
        assert_eq!(world.log.last().map(String::as_str), Some("ProgressDeadlineExceeded"));
        world.change(|spec| spec.paused = Some(true));
        world.step();
        assert_eq!(world.log.last().map(String::as_str), Some("ProgressDeadlineExceeded"), "a pause does not hide it");

        let mut world = World::new(2);
        world.step();
        world.change(|spec| spec.paused = Some(true));
        world.step();
        world.second = 5_000;
        world.change(|spec| spec.paused = Some(false));
        world.step();
        assert_eq!(world.log.last().map(String::as_str), Some("DeploymentResumed"), "the deadline begins anew");
    }

    #[test]
    fn a_failure_of_a_replica_set_is_told_and_taken_back() {
        let mut world = World::new(2);
        world.step();
        let failure = ReplicaSetCondition {
            type_: "ReplicaFailure".to_owned(),
            status: condition::TRUE.to_owned(),
            reason: Some("FailedCreate".to_owned()),
            message: Some("exceeded quota".to_owned()),
            last_transition_time: Some(Time(at(7))),
        };
        world.sets[0].status = Some(ReplicaSetStatus { conditions: Some(vec![failure]), ..ReplicaSetStatus::default() });
        world.step();
        let failed = |world: &World| {
            let conditions = &world.deployment.status.as_ref().unwrap().conditions;
            condition::find(conditions, "ReplicaFailure").map(|failure| serde_json::to_string(failure).unwrap())
        };
        let told = failed(&world).unwrap();
        assert_eq!(
            told,
            r#"{"lastTransitionTime":"1970-01-01T00:00:07Z","lastUpdateTime":"1970-01-01T00:00:07Z","message":"exceeded quota","reason":"FailedCreate","status":"True","type":"ReplicaFailure"}"#
        );
        world.step();
        assert_eq!(failed(&world), Some(told));
        world.obey();
        world.step();
        assert_eq!(failed(&world), None);
    }

    #[test]
    fn pods_on_their_way_out_are_counted_once_all_replica_sets_tell() {
        let mut world = World::new(2);
        world.settle();
        world.change(|spec| spec.template = template("nginx:2"));
        world.step();
        for (tells, sum) in [([Some(2), Some(1)], Some(3)), ([Some(2), None], None)] {
            for (set, terminating) in world.sets.iter_mut().zip(tells) {
                let status = set.status.get_or_insert_default();
                (status.terminating_replicas, status.observed_generation) = (terminating, Some(1));
            }
            world.step();
            assert_eq!(world.deployment.status.as_ref().unwrap().terminating_replicas, sum);
        }
        world.sets[1].status = None;
        world.step();
        assert_eq!(world.deployment.status.as_ref().unwrap().terminating_replicas, Some(2), "one that is new has none");
    }
}

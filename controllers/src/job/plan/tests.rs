//! Jobs played from their first pod to their end, without a cluster; and cut off at every write.

use k8s_openapi::{api::core::v1::PodStatus, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use mini_api::{condition, pod as pod_state};
use serde_json::{Value, json};

use super::*;
use crate::job::finished;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A Job, its pods, and a kubelet that does as it is told.
struct World {
    job: Job,
    pods: Vec<Pod>,
    memory: Option<Backoff>,
    second: i64,
    born: usize,
    said: Vec<String>,
    /// After so many writes the controller is killed, once.
    killed_after: Option<usize>,
}

impl World {
    fn new(spec: Value) -> Self {
        let mut all = json!({"parallelism": 1, "backoffLimit": 6, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let job = json!({"metadata": {"name": "j", "namespace": "n", "uid": "job"}, "spec": all});
        let job = serde_json::from_value(job).unwrap();
        Self { job, pods: Vec::new(), memory: None, second: 1000, born: 0, said: Vec::new(), killed_after: None }
    }

    fn change(&mut self, change: impl FnOnce(&mut JobSpec)) {
        change(self.job.spec.as_mut().unwrap());
    }

    /// Whether there is time for one more write.
    fn lives(&mut self) -> bool {
        let Some(left) = self.killed_after.as_mut() else { return true };
        if *left == 0 {
            (self.killed_after, self.memory) = (None, None);
            return false;
        }
        *left -= 1;
        true
    }

    /// One run of the controller; nothing when it is killed in it. True if it did anything.
    fn run(&mut self) -> Option<bool> {
        if finished(&self.job).is_some() {
            return Some(false);
        }
        let pods: Vec<_> = self.pods.iter().cloned().map(Arc::new).collect();
        let plan = plan(&self.job, &pods, self.memory.as_ref(), at(self.second));
        let mut did = false;
        for mut pod in plan.create {
            self.lives().then_some(())?;
            self.born += 1;
            pod.metadata.name = Some(format!("pod-{}", self.born));
            pod.metadata.uid = Some(format!("uid-{}", self.born));
            pod.status = Some(PodStatus { phase: Some("Running".to_owned()), ..PodStatus::default() });
            self.pods.push(pod);
            did = true;
        }
        for pod in &plan.surplus {
            self.lives().then_some(())?;
            self.of(pod).metadata.finalizers = None;
            self.lives().then_some(())?;
            self.delete(pod);
            did = true;
        }
        if self.job.status.as_ref() != Some(&plan.status) {
            self.lives().then_some(())?;
            self.job.status = Some(plan.status);
            did = true;
        }
        self.memory = Some(plan.backoff);
        self.said.extend(plan.remarks.into_iter().map(|remark| format!("{}: {}", remark.reason, remark.message)));
        for pod in &plan.doomed {
            self.lives().then_some(())?;
            self.delete(pod);
            did = true;
        }
        for pod in &plan.release {
            self.lives().then_some(())?;
            self.of(pod).metadata.finalizers = None;
            did = true;
        }
        Some(did)
    }

    fn of(&mut self, pod: &Pod) -> &mut Pod {
        self.pods.iter_mut().find(|other| other.metadata.uid == pod.metadata.uid).unwrap()
    }

    fn delete(&mut self, pod: &Pod) {
        let now = Time(at(self.second));
        self.of(pod).metadata.deletion_timestamp.get_or_insert(now);
    }

    /// Pods that are on their way out end, and go when nothing holds them.
    fn kubelet(&mut self) {
        for pod in self.pods.iter_mut().filter(|pod| pod_state::is_terminating(pod) && !pod_state::is_terminal(pod)) {
            pod.status.get_or_insert_default().phase = Some("Failed".to_owned());
        }
        self.pods.retain(|pod| !(pod_state::is_terminating(pod) && pod.metadata.finalizers.is_none()));
    }

    /// Runs until there is nothing left to do.
    fn settle(&mut self) -> String {
        for _ in 0..100 {
            let did = self.run() != Some(false);
            self.kubelet();
            if !did && self.run() == Some(false) {
                return self.told();
            }
        }
        panic!("it never rests: {}", self.told());
    }

    /// Ends the first pod that runs, or the one of an index.
    fn end(&mut self, index: Option<i32>, code: i32) {
        let finished_at = at(self.second).to_string();
        let runs = |pod: &&mut Pod| pods::is_active(pod) && index.is_none_or(|index| pod::index(pod) == Some(index));
        let pod = self.pods.iter_mut().find(runs).unwrap_or_else(|| panic!("no pod runs for {index:?}"));
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        let container = json!({"name": "c", "state": {"terminated": {"exitCode": code, "finishedAt": finished_at}}});
        pod.status = serde_json::from_value(json!({"phase": phase, "containerStatuses": [container]})).unwrap();
    }

    /// The status on a line.
    fn told(&self) -> String {
        let mut status = serde_json::to_value(&self.job.status).unwrap();
        let status = status.as_object_mut().unwrap();
        let conditions = self.job.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let conditions: Vec<_> = conditions.map(|one| format!("{}={} {}", one.type_, one.status, one.reason.as_deref().unwrap_or(""))).collect();
        for field in ["conditions", "startTime", "completionTime", "ready"] {
            status.remove(field);
        }
        status.retain(|_, value| !matches!(value, Value::Number(number) if number.as_i64() == Some(0)) && *value != json!({}));
        let fields: Vec<_> = status.iter().map(|(field, value)| format!("{field} {value}")).collect();
        [fields.join(", "), conditions.join("; ")].join(" | ")
    }

    fn condition(&self, kind: &str) -> String {
        let status = self.job.status.clone().unwrap_or_default();
        condition::find(&status.conditions, kind).and_then(|condition| condition.message.clone()).unwrap_or_default()
    }
}

#[test]
fn pods_two_by_two() {
    let mut world = World::new(json!({"completions": 5, "parallelism": 2}));
    assert_eq!(world.settle(), "active 2 | ");
    world.end(None, 0);
    assert_eq!(world.settle(), "active 2, succeeded 1 | ");
    world.end(None, 0);
    world.end(None, 0);
    assert_eq!(world.settle(), "active 2, succeeded 3 | ");
    world.end(None, 0);
    assert_eq!(world.settle(), "active 1, succeeded 4 | ", "no more than are wanted");
    world.end(None, 0);
    assert_eq!(world.settle(), "succeeded 5 | SuccessCriteriaMet=True CompletionsReached; Complete=True CompletionsReached");
    assert_eq!(world.said, ["Completed: Job completed"]);
    assert_eq!(world.born, 5);
    let status = world.job.status.unwrap();
    assert_eq!((status.start_time, status.completion_time), (Some(Time(at(1000))), Some(Time(at(1000)))));
}

#[test]
fn without_a_number_the_first_success_is_the_last() {
    let mut world = World::new(json!({"parallelism": 3}));
    assert_eq!(world.settle(), "active 3 | ");
    world.end(None, 0);
    assert_eq!(world.settle(), "active 2, succeeded 1 | ", "what runs may end, and nothing new comes");
    world.end(None, 1);
    world.end(None, 0);
    assert_eq!(world.settle(), "failed 1, succeeded 2 | SuccessCriteriaMet=True CompletionsReached; Complete=True CompletionsReached");
}

#[test]
fn failures_are_waited_out_until_there_are_too_many() {
    let mut world = World::new(json!({"completions": 1, "backoffLimit": 2}));
    world.settle();
    for wait in [10, 20] {
        world.end(None, 1);
        world.settle();
        world.second += wait - 1;
        let born = world.born;
        world.settle();
        assert_eq!(world.born, born, "not before {wait} s are over");
        world.second += 1;
        world.settle();
        assert_eq!(world.born, born + 1);
    }
    world.end(None, 1);
    assert_eq!(world.settle(), "failed 3 | FailureTarget=True BackoffLimitExceeded; Failed=True BackoffLimitExceeded");
    assert_eq!(world.said, ["BackoffLimitExceeded: Job has reached the specified backoff limit"]);
}

#[test]
fn restarts_in_a_pod_count_where_it_restarts() {
    let mut world = World::new(json!({"completions": 1, "backoffLimit": 2}));
    world.change(|spec| spec.template.spec.as_mut().unwrap().restart_policy = Some("OnFailure".to_owned()));
    world.settle();
    for (restarts, want) in [(1, "active 1 | "), (2, "failed 1 | FailureTarget=True BackoffLimitExceeded; Failed=True BackoffLimitExceeded")] {
        let status = json!({"phase": "Running", "containerStatuses": [{"name": "c", "restartCount": restarts}]});
        world.pods[0].status = serde_json::from_value(status).unwrap();
        assert_eq!(world.settle(), want);
    }
    assert!(world.pods.is_empty(), "the pod that ran was deleted");
}

#[test]
fn a_job_may_be_late() {
    let mut world = World::new(json!({"completions": 2, "parallelism": 2, "activeDeadlineSeconds": 60}));
    world.settle();
    let plan = plan(&world.job, &[], None, at(1020));
    assert_eq!(plan.next, [Duration::from_secs(40)]);
    world.end(None, 0);
    world.second += 60;
    assert_eq!(world.settle(), "failed 1, succeeded 1 | FailureTarget=True DeadlineExceeded; Failed=True DeadlineExceeded");
    assert_eq!(world.condition("Failed"), "Job was active longer than specified deadline");
}

#[test]
fn indexes() {
    let mut world = World::new(json!({"completions": 5, "parallelism": 3, "completionMode": "Indexed"}));
    assert_eq!(world.settle(), "active 3 | ");
    let own = |world: &World| {
        let mut indexes: Vec<_> = world.pods.iter().filter(|pod| pods::is_active(pod)).filter_map(pod::index).collect();
        indexes.sort_unstable();
        indexes
    };
    assert_eq!(own(&world), [0, 1, 2]);
    world.end(Some(0), 0);
    world.end(Some(2), 0);
    assert_eq!(world.settle(), "active 3, completedIndexes \"0,2\", succeeded 2 | ");
    world.end(Some(3), 1);
    world.second += 10;
    assert_eq!(world.settle(), "active 3, completedIndexes \"0,2\", failed 1, succeeded 2 | ");
    assert_eq!(own(&world), [1, 3, 4], "a failed index is tried again");
    (1..=4).filter(|index| *index != 2).for_each(|index| world.end(Some(index), 0));
    let want = "completedIndexes \"0-4\", failed 1, succeeded 5 | SuccessCriteriaMet=True CompletionsReached; Complete=True CompletionsReached";
    assert_eq!(world.settle(), want);
}

#[test]
fn an_indexed_job_may_grow_and_shrink() {
    let mut world = World::new(json!({"completions": 4, "parallelism": 4, "completionMode": "Indexed"}));
    world.settle();
    world.end(Some(0), 0);
    world.end(Some(3), 0);
    world.settle();
    world.change(|spec| (spec.completions, spec.parallelism) = (Some(2), Some(2)));
    assert_eq!(world.settle(), "active 1, completedIndexes \"0\", succeeded 1 | ", "what is beyond is forgotten, and its pods go");
    world.change(|spec| (spec.completions, spec.parallelism) = (Some(3), Some(3)));
    assert_eq!(world.settle(), "active 2, completedIndexes \"0\", succeeded 1 | ");
}

#[test]
fn of_each_index_one_pod() {
    let mut world = World::new(json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed"}));
    world.settle();
    let (mut twin, mut stray) = (world.pods[0].clone(), world.pods[1].clone());
    (twin.metadata.uid, stray.metadata.uid) = (Some("twin".to_owned()), Some("stray".to_owned()));
    twin.status.as_mut().unwrap().phase = Some("Pending".to_owned());
    stray.metadata.annotations = None;
    world.pods.extend([twin, stray]);
    assert_eq!(world.settle(), "active 2 | ");
    let left: Vec<_> = world.pods.iter().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
    assert_eq!(left, ["uid-1", "uid-2"]);
}

#[test]
fn indexes_with_limits_of_their_own() {
    let spec = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1, "backoffLimit": i32::MAX});
    let mut world = World::new(spec);
    assert_eq!(world.settle(), "active 3, failedIndexes \"\" | ");
    world.end(Some(1), 1);
    let told = world.settle();
    assert_eq!(told, "active 2, failedIndexes \"\" | ", "the failed pod stays until another counts on");
    world.second += 10;
    assert_eq!(world.settle(), "active 3, failed 1, failedIndexes \"\" | ");
    world.end(Some(1), 1);
    assert_eq!(world.settle(), "active 2, failed 2, failedIndexes \"1\" | ");
    world.end(Some(0), 0);
    world.end(Some(2), 0);
    let want = "completedIndexes \"0,2\", failed 2, failedIndexes \"1\", succeeded 2 | FailureTarget=True FailedIndexes; Failed=True FailedIndexes";
    assert_eq!(world.settle(), want);
}

#[test]
fn too_many_failed_indexes() {
    let spec = json!({
        "completions": 4, "parallelism": 4, "completionMode": "Indexed", "backoffLimitPerIndex": 0, "maxFailedIndexes": 1, "backoffLimit": i32::MAX,
    });
    let mut world = World::new(spec);
    world.settle();
    world.end(Some(0), 1);
    assert_eq!(world.settle(), "active 3, failed 1, failedIndexes \"0\" | ");
    world.end(Some(3), 1);
    let want = "failed 4, failedIndexes \"0,3\" | FailureTarget=True MaxFailedIndexesExceeded; Failed=True MaxFailedIndexesExceeded";
    assert_eq!(world.settle(), want);
}

#[test]
fn an_index_may_fail_at_once() {
    let rules = json!([{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}}]);
    let failed = "completedIndexes \"0\", failed 1, failedIndexes \"1\", succeeded 1 | FailureTarget=True FailedIndexes; Failed=True FailedIndexes";
    for (code, after, born, end) in [
        (42, "active 1, failed 1, failedIndexes \"1\" | ", 2, failed),
        (
            1,
            "active 2, failed 1, failedIndexes \"\" | ",
            3,
            "active 1, completedIndexes \"0\", failed 1, failedIndexes \"\", succeeded 1 | ",
        ),
    ] {
        let mut world = World::new(json!({
            "completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 3, "backoffLimit": i32::MAX,
            "podFailurePolicy": {"rules": rules},
        }));
        world.settle();
        world.end(Some(1), code);
        world.settle();
        world.second += 10;
        assert_eq!((world.settle().as_str(), world.born), (after, born), "{code}");
        world.end(Some(0), 0);
        assert_eq!(world.settle(), end, "{code}");
    }
}

#[test]
fn what_the_failure_policy_says() {
    let rules = json!([
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]);
    let mut world = World::new(json!({"completions": 2, "parallelism": 2, "backoffLimit": 0, "podFailurePolicy": {"rules": rules}}));
    world.settle();
    world.end(None, 3);
    world.second += 10;
    assert_eq!(world.settle(), "active 2 | ", "an ignored failure is none");
    world.end(None, 42);
    assert_eq!(world.settle(), "failed 2 | FailureTarget=True PodFailurePolicy; Failed=True PodFailurePolicy");
    let message = "Container c for pod n/pod-2 failed with exit code 42 matching FailJob rule at index 1";
    assert_eq!(world.condition("Failed"), message);
}

#[test]
fn success_may_come_early() {
    for (rule, ended, want) in [
        (json!({"succeededIndexes": "0,2"}), &[0, 2][..], true),
        (json!({"succeededIndexes": "0,2"}), &[0, 1, 3], false),
        (json!({"succeededCount": 2}), &[1, 3], true),
        (json!({"succeededIndexes": "0-2", "succeededCount": 1}), &[2], true),
        (json!({"succeededIndexes": "0-2", "succeededCount": 1}), &[3], false),
    ] {
        let mut world = World::new(json!({
            "completions": 4, "parallelism": 4, "completionMode": "Indexed", "successPolicy": {"rules": [{"succeededCount": 4}, rule]},
        }));
        world.settle();
        ended.iter().for_each(|index| world.end(Some(*index), 0));
        let told = world.settle();
        assert_eq!(told.ends_with("SuccessCriteriaMet=True SuccessPolicy; Complete=True SuccessPolicy"), want, "{rule}: {told}");
        assert_eq!(world.condition("Complete"), if want { "Matched rules at index 1" } else { "" });
        assert_eq!(world.pods.len() == ended.len(), want, "the rest is deleted");
        assert_eq!(world.job.status.as_ref().unwrap().failed, None, "and no failure");
    }
}

#[test]
fn suspended_and_resumed() {
    let mut world = World::new(json!({"completions": 2, "parallelism": 2, "suspend": true, "activeDeadlineSeconds": 60}));
    assert_eq!(world.settle(), " | Suspended=True JobSuspended");
    assert_eq!(world.job.status.as_ref().unwrap().start_time, None);
    world.second += 100;
    world.change(|spec| spec.suspend = Some(false));
    assert_eq!(world.settle(), "active 2 | Suspended=False JobResumed");
    assert_eq!(world.job.status.as_ref().unwrap().start_time, Some(Time(at(1100))));
    world.end(None, 0);
    world.settle();
    world.change(|spec| spec.suspend = Some(true));
    assert_eq!(world.settle(), "succeeded 1 | Suspended=True JobSuspended", "pods that are given up are no failures");
    assert_eq!(world.job.status.as_ref().unwrap().start_time, None);
    world.second += 100;
    world.change(|spec| spec.suspend = Some(false));
    world.settle();
    world.end(None, 0);
    let end = "succeeded 2 | Suspended=False JobResumed; SuccessCriteriaMet=True CompletionsReached; Complete=True CompletionsReached";
    assert_eq!(world.settle(), end);
    let said = ["Suspended: Job suspended", "Resumed: Job resumed", "Suspended: Job suspended", "Resumed: Job resumed", "Completed: Job completed"];
    assert_eq!(world.said, said);
}

#[test]
fn less_parallelism_is_no_failure() {
    let mut world = World::new(json!({"completions": 5, "parallelism": 4}));
    world.settle();
    world.change(|spec| spec.parallelism = Some(1));
    assert_eq!(world.settle(), "active 1 | ");
    assert_eq!(world.pods.len(), 1);
}

#[test]
fn who_goes_is_replaced_at_once_or_when_gone() {
    for (policy, active) in [("TerminatingOrFailed", 1), ("Failed", 0)] {
        let mut world = World::new(json!({"completions": 1, "podReplacementPolicy": policy}));
        world.settle();
        let pod = world.pods[0].clone();
        world.second += 20;
        world.delete(&pod);
        world.second += 20;
        while world.run() != Some(false) {}
        let status = world.job.status.clone().unwrap();
        assert_eq!((status.active.unwrap_or(0), status.terminating), (active, Some(1)), "{policy}");
        world.settle();
        world.second += 20;
        assert_eq!(world.settle(), "active 1, failed 1 | ", "{policy}");
    }
}

#[test]
fn a_deleted_job_lets_its_pods_go() {
    let mut world = World::new(json!({"completions": 3, "parallelism": 3}));
    world.settle();
    world.end(None, 0);
    world.job.metadata.deletion_timestamp = Some(Time(at(1000)));
    assert_eq!(world.settle(), "active 2, succeeded 1 | ");
    assert!(!world.pods.iter().any(pod::is_tracked));
    assert_eq!(world.born, 3, "and makes no more");
}

/// Kills the controller after each of its writes, and sees whether all is counted as if it had not been.
#[test]
fn nothing_is_counted_twice() {
    let play = |spec: Value, codes: &[(i32, i32)], killed_after: Option<usize>| {
        let mut world = World::new(spec);
        world.killed_after = killed_after;
        world.settle();
        for (index, code) in codes {
            world.end(Some(*index).filter(|index| *index >= 0), *code);
            world.settle();
            world.second += 100;
            world.settle();
        }
        assert!(!world.pods.iter().any(|pod| pod::is_tracked(pod) || pod_state::is_terminating(pod)), "{killed_after:?}: a finalizer is left");
        (world.told(), world.born)
    };
    let indexed = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimit": 6});
    for (spec, codes) in [
        (json!({"completions": 3, "parallelism": 2}), &[(-1, 0), (-1, 1), (-1, 0), (-1, 0)][..]),
        (json!({"completions": 3, "parallelism": 3, "backoffLimit": 1}), &[(-1, 0), (-1, 1), (-1, 1)]),
        (indexed, &[(0, 0), (2, 1), (1, 0), (2, 0)]),
        (
            json!({
                "completions": 4, "parallelism": 4, "completionMode": "Indexed", "successPolicy": {"rules": [{"succeededIndexes": "0,2"}]},
            }),
            &[(0, 0), (2, 0)],
        ),
        (
            json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1, "backoffLimit": i32::MAX}),
            &[(0, 1), (0, 1), (1, 0)],
        ),
    ] {
        let undisturbed = play(spec.clone(), codes, None);
        for killed_after in 0..60 {
            assert_eq!(play(spec.clone(), codes, Some(killed_after)), undisturbed, "killed after {killed_after} writes");
        }
    }
}

#[test]
fn a_job_of_many_takes_several_runs() {
    let mut world = World::new(json!({"completions": 1200, "parallelism": 1200}));
    assert_eq!(world.run(), Some(true));
    assert_eq!(world.born, BURST);
    world.settle();
    (0..1200).for_each(|_| world.end(None, 0));
    let first = plan(&world.job, &world.pods.iter().cloned().map(Arc::new).collect::<Vec<_>>(), None, at(1000));
    assert_eq!((first.release.len(), first.status.uncounted_terminated_pods.unwrap().succeeded.unwrap().len()), (MOST_UNCOUNTED, MOST_UNCOUNTED));
    assert!(world.settle().starts_with("succeeded 1200 |"));
    let _: ObjectMeta = world.job.metadata;
}

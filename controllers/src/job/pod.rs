//! What is special about a pod of a Job: its finalizer, its index, whether it counts as failed and since when it has ended.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    batch::v1::{Job, JobSpec},
    core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodStatus},
};
use mini_api::{condition, owner, pod};

use super::failure_policy;
use crate::pods;

/// Keeps a pod from vanishing before it is counted.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Which part of the work is the pod's; an annotation, and a label of the same value.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How many pods of its index failed before it, where indexes have limits of their own.
const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// How many more failed, which the policy has ignored.
const IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
/// How containers are told the index.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// The longest name a generated suffix is appended to.
const MOST_PREFIX: usize = 58;

/// Whether the pod is still to be counted, or at least to be let go.
pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// The pod's index, if it has one.
pub(super) fn index(pod: &Pod) -> Option<i32> {
    annotation(pod, INDEX)?.parse().ok().filter(|index| *index >= 0)
}

/// The index of a pod that can count: in a Job without indexes each pod can.
pub(super) fn has_place(pod: &Pod, spec: &JobSpec) -> bool {
    !is_indexed(spec) || index(pod).is_some_and(|index| index < spec.completions.unwrap_or(0))
}

pub(super) fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

/// Whether a pod that is on its way out is replaced only when it is gone.
pub(super) fn replaces_failed_only(spec: &JobSpec) -> bool {
    spec.pod_failure_policy.is_some() || spec.pod_replacement_policy.as_deref() == Some("Failed")
}

pub(super) fn has_succeeded(pod: &Pod) -> bool {
    pod::phase(pod) == pod::SUCCEEDED
}

/// Whether the pod has failed, or is taken for failed because it is on its way out.
pub(super) fn has_failed(pod: &Pod, spec: &JobSpec) -> bool {
    let is_going = pod::is_terminating(pod) && !has_succeeded(pod) && !replaces_failed_only(spec);
    pod::phase(pod) == pod::FAILED || is_going
}

/// Whether the pod is on its way out and has not ended yet.
pub(super) fn is_going(pod: &Pod) -> bool {
    pod::is_terminating(pod) && !pod::is_terminal(pod)
}

/// How many pods of its index failed before it.
pub(super) fn failures(pod: &Pod) -> i32 {
    number(pod, FAILURES)
}

/// The same with those that were ignored.
pub(super) fn all_failures(pod: &Pod) -> i32 {
    failures(pod).saturating_add(number(pod, IGNORED_FAILURES))
}

fn annotation<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn number(pod: &Pod, name: &str) -> i32 {
    annotation(pod, name).and_then(|text| text.parse().ok()).filter(|number| *number >= 0).unwrap_or(0)
}

/// When the pod ended: as its containers say, else as its node says, else when it was told to go.
pub(super) fn ended_at(pod: &Pod) -> Timestamp {
    let status = pod.status.as_ref();
    let created = || pod.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    status.and_then(last_container).or_else(|| status.and_then(unready_since)).or_else(|| told_at(pod)).unwrap_or_else(created)
}

fn last_container(status: &PodStatus) -> Option<Timestamp> {
    let ends = status.container_statuses.iter().flatten();
    let ends = ends.map(|container| Some(container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0));
    ends.collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn unready_since(status: &PodStatus) -> Option<Timestamp> {
    let ready = condition::pod(status, pod::READY).filter(|ready| ready.status == condition::FALSE)?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

fn told_at(pod: &Pod) -> Option<Timestamp> {
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds.unwrap_or(0));
    pod.metadata.deletion_timestamp.as_ref()?.0.checked_sub(grace).ok()
}

/// A pod of the Job, for the index if there is one, instead of one that failed if there was one.
pub(super) fn create(job: &Job, spec: &JobSpec, index: Option<i32>, instead_of: Option<&Pod>) -> Pod {
    let namespace = job.metadata.namespace.as_deref().unwrap_or_default();
    let mut pod = pods::from_template(&spec.template, owner::controller_ref(job), namespace);
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    if let Some(index) = index {
        give_index(&mut pod, job.metadata.name.as_deref().unwrap_or_default(), index);
        if spec.backoff_limit_per_index.is_some() {
            count_failures(&mut pod, spec, instead_of);
        }
    }
    pod
}

fn give_index(pod: &mut Pod, job: &str, index: i32) {
    pod.metadata.generate_name = Some(prefix(job, index));
    pod.metadata.annotations.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    pod.metadata.labels.get_or_insert_default().insert(INDEX.to_owned(), index.to_string());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(format!("{job}-{index}"));
    spec.init_containers.iter_mut().flatten().for_each(tell_index);
    spec.containers.iter_mut().for_each(tell_index);
}

/// What the name of a pod begins with: of a long name of the Job less, of the index all.
fn prefix(job: &str, index: i32) -> String {
    let index = format!("-{index}-");
    let room = MOST_PREFIX - index.len();
    // Names are ASCII: whatever is cut is whole.
    format!("{}{index}", job.get(..room).unwrap_or(job))
}

fn tell_index(container: &mut Container) {
    let variables = container.env.get_or_insert_default();
    if variables.iter().any(|variable| variable.name == INDEX_VARIABLE) {
        return;
    }
    let field = ObjectFieldSelector { field_path: format!("metadata.labels['{INDEX}']"), api_version: None };
    variables.push(EnvVar {
        name: INDEX_VARIABLE.to_owned(),
        value_from: Some(EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() }),
        ..EnvVar::default()
    });
}

fn count_failures(pod: &mut Pod, spec: &JobSpec, instead_of: Option<&Pod>) {
    let (mut failed, mut ignored) = (0, 0);
    if let Some(before) = instead_of {
        (failed, ignored) = (failures(before), number(before, IGNORED_FAILURES));
        *(if failure_policy::counts(spec, before) { &mut failed } else { &mut ignored }) += 1;
    }
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(FAILURES.to_owned(), failed.to_string());
    if ignored > 0 {
        annotations.insert(IGNORED_FAILURES.to_owned(), ignored.to_string());
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodSpec;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_knows_its_part() {
        let job: Job = serde_json::from_value(json!({
            "metadata": {"name": "sum", "namespace": "default", "uid": "u"},
            "spec": {"completionMode": "Indexed", "completions": 5, "backoffLimitPerIndex": 3, "template": {
                "metadata": {"labels": {"app": "sum"}},
                "spec": {"containers": [{"name": "c"}, {"name": "d", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "x"}]}]},
            }},
        }))
        .unwrap();
        let spec = job.spec.as_ref().unwrap();
        let first = create(&job, spec, Some(3), None);
        let expected = expect_test::expect![[r#"
            {
              "apiVersion": "v1",
              "kind": "Pod",
              "metadata": {
                "annotations": {
                  "batch.kubernetes.io/job-completion-index": "3",
                  "batch.kubernetes.io/job-index-failure-count": "0"
                },
                "finalizers": [
                  "batch.kubernetes.io/job-tracking"
                ],
                "generateName": "sum-3-",
                "labels": {
                  "app": "sum",
                  "batch.kubernetes.io/job-completion-index": "3"
                },
                "namespace": "default",
                "ownerReferences": [
                  {
                    "apiVersion": "batch/v1",
                    "blockOwnerDeletion": true,
                    "controller": true,
                    "kind": "Job",
                    "name": "sum",
                    "uid": "u"
                  }
                ]
              },
              "spec": {
                "containers": [
                  {
                    "env": [
                      {
                        "name": "JOB_COMPLETION_INDEX",
                        "valueFrom": {
                          "fieldRef": {
                            "fieldPath": "metadata.labels['batch.kubernetes.io/job-completion-index']"
                          }
                        }
                      }
                    ],
                    "name": "c"
                  },
                  {
                    "env": [
                      {
                        "name": "JOB_COMPLETION_INDEX",
                        "value": "x"
                      }
                    ],
                    "name": "d"
                  }
                ],
                "hostname": "sum-3"
              }
            }"#]];
        expected.assert_eq(&serde_json::to_string_pretty(&serde_json::to_value(&first).unwrap()).unwrap());
        assert_eq!((index(&first), failures(&first), is_tracked(&first)), (Some(3), 0, true));
        let second = create(&job, spec, Some(3), Some(&first));
        assert_eq!(failures(&create(&job, spec, Some(3), Some(&second))), 2);
        let plain = create(&job, &JobSpec { template: spec.template.clone(), ..JobSpec::default() }, None, None);
        assert_eq!(plain.metadata.generate_name.as_deref(), Some("sum-"));
        assert_eq!(plain.spec.map(|spec: PodSpec| spec.hostname), Some(None));
    }

    #[test]
    fn long_names_keep_the_index() {
        assert_eq!(prefix("sum", 12), "sum-12-");
        let long = prefix(&"a".repeat(63), 12);
        assert_eq!((long.len(), long.ends_with("a-12-")), (MOST_PREFIX, true));
    }

    #[test]
    fn when_a_pod_ended() {
        let at = |second: i64| Timestamp::from_second(second).unwrap().to_string();
        let terminated = |second: i64| json!({"name": "c", "state": {"terminated": {"exitCode": 1, "finishedAt": at(second)}}});
        for (pod, want) in [
            (json!({"status": {"containerStatuses": [terminated(5), terminated(9)]}}), 9),
            (
                json!({"status": {
                    "containerStatuses": [terminated(5), {"name": "d", "state": {"running": {}}}],
                    "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at(7)}],
                }}),
                7,
            ),
            (json!({"metadata": {"deletionTimestamp": at(40), "deletionGracePeriodSeconds": 30}}), 10),
            (json!({"metadata": {"creationTimestamp": at(3)}, "status": {"containerStatuses": []}}), 3),
        ] {
            let pod: Pod = serde_json::from_value(pod).unwrap();
            assert_eq!(ended_at(&pod).as_second(), want);
        }
    }
}

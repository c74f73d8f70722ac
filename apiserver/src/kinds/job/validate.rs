//! What is wrong with a Job, with one that is only planned, or with a change of one.

use k8s_openapi::api::{
    batch::v1::{Job, JobSpec},
    core::v1::{PodSpec, PodTemplateSpec},
};
use mini_api::{name, selector::Selector};
use serde::Serialize;

use super::{
    super::{
        count::not_negative,
        field::{Errors, Path},
        pod_template, selector,
        unset::{flag, list, list_mut, text},
    },
    MANY_AT_ONCE, MANY_COMPLETIONS, NAME_LABEL, OLD_NAME_LABEL, OLD_UID_LABEL, UID_LABEL, has, is_indexed, policy,
};

/// The most bytes of the name of a Job's manager.
const MOST_MANAGER: usize = 63;

/// What is wrong with a Job.
pub(super) fn job(job: &Job, errors: &mut Errors) {
    let path = Path::new("spec");
    let Some(spec) = &job.spec else { return errors.required(&path, "") };
    generated_selector(job, spec, &path, errors);
    self::spec(spec, &path, errors);
    let selector_path = path.child("selector");
    match &spec.selector {
        Some(selector) => selector::label_selector(selector, &selector_path, errors),
        None => errors.required(&selector_path, ""),
    }
    if let Ok(selector) = spec.selector.as_ref().map(Selector::from_label_selector).transpose() {
        pod_template::found(&spec.template, selector.as_ref(), &path.child("template"), errors);
    }
    if let Some(completions) = spec.completions.filter(|completions| is_indexed(spec) && *completions > 0) {
        let name = text(&job.metadata.name);
        let last = format!("{name}-{}", completions - 1);
        if !name::dns1123_label(&last).is_empty() {
            let metadata = Path::new("metadata");
            errors.invalid(&metadata.child("name"), name, &format!("will not able to create pod with invalid DNS label: {last}"));
        }
    }
}

/// The user who lets the selector be made may not make it too.
fn generated_selector(job: &Job, spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(selector) = spec.selector.as_ref().filter(|_| !flag(spec.manual_selector)) else { return };
    let (uid, name) = (text(&job.metadata.uid), text(&job.metadata.name));
    let expected = [(OLD_UID_LABEL, uid), (OLD_NAME_LABEL, name), (UID_LABEL, uid), (NAME_LABEL, name)];
    let labels = spec.template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    let template = path.child("template");
    let metadata = template.child("metadata");
    let labels_path = metadata.child("labels");
    for (key, value) in expected {
        match labels.and_then(|labels| labels.get(key)) {
            None => errors.required(&labels_path.key(key), &format!("must be '{value}'")),
            Some(found) if found != value => errors.invalid(&labels_path.key(key), labels, &format!("must be '{value}'")),
            Some(_) => {}
        }
    }
    let generated = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    if Selector::from_label_selector(selector).is_ok_and(|selector| !selector.matches(&generated)) {
        errors.invalid(&path.child("selector"), selector::Shown(selector), "`selector` not auto-generated");
    }
}

/// What is wrong with the spec of a Job, its selector aside.
pub(in super::super) fn spec(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    not_negative(spec.parallelism, &path.child("parallelism"), errors);
    not_negative(spec.completions, &path.child("completions"), errors);
    not_negative(spec.active_deadline_seconds, &path.child("activeDeadlineSeconds"), errors);
    not_negative(spec.backoff_limit, &path.child("backoffLimit"), errors);
    not_negative(spec.ttl_seconds_after_finished, &path.child("ttlSecondsAfterFinished"), errors);
    not_negative(spec.backoff_limit_per_index, &path.child("backoffLimitPerIndex"), errors);
    not_negative(spec.max_failed_indexes, &path.child("maxFailedIndexes"), errors);
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        errors.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    if let Some(manager) = &spec.managed_by {
        self::manager(manager, &path.child("managedBy"), errors);
    }
    match spec.completion_mode.as_deref() {
        None | Some("NonIndexed") => unindexed(spec, path, errors),
        Some("Indexed") => indexed(spec, path, errors),
        Some(mode) => errors.unsupported(&path.child("completionMode"), mode, &["NonIndexed", "Indexed"]),
    }
    if let Some(failure) = &spec.pod_failure_policy {
        policy::failure(failure, spec, &path.child("podFailurePolicy"), errors);
    }
    if let Some(success) = &spec.success_policy {
        let path = path.child("successPolicy");
        match is_indexed(spec) {
            true => policy::success(success, spec.completions.unwrap_or_default(), &path, errors),
            false => errors.invalid(&path, success, "requires indexed completion mode"),
        }
    }
    if let Some(replacement) = spec.pod_replacement_policy.as_deref() {
        let known: &[&str] = if spec.pod_failure_policy.is_some() { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
        if !known.contains(&replacement) {
            errors.unsupported(&path.child("podReplacementPolicy"), replacement, known);
        }
    }
    pod_template::validate(&spec.template, &path.child("template"), errors);
    restart_policy(spec, &path.child("template").child("spec").child("restartPolicy"), errors);
}

/// Pods of a Job end, so they are not always started again.
fn restart_policy(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let policy = spec.template.spec.as_ref().map(|pod| text(&pod.restart_policy)).unwrap_or_default();
    match policy {
        "" | "Always" => errors.required(path, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if spec.pod_failure_policy.is_some() => {
            errors.invalid(path, policy, "only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" | "Never" => {}
        _ => errors.unsupported(path, policy, &["OnFailure", "Never"]),
    }
}

/// A Job whose manager is not the usual one names it as `example.com/manager`.
fn manager(manager: &str, path: &Path<'_>, errors: &mut Errors) {
    match manager.split_once('/') {
        _ if manager.is_empty() => errors.required(path, ""),
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            errors.invalid_all(path, domain, name::dns1123_subdomain(domain));
            if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte)) {
                errors.invalid(path, rest, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')");
            }
        }
        _ => errors.invalid(path, manager, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if manager.len() > MOST_MANAGER {
        errors.too_long(path, MOST_MANAGER);
    }
}

/// Only where pods have indexes can indexes fail.
fn unindexed(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    for (field, number) in [("backoffLimitPerIndex", spec.backoff_limit_per_index), ("maxFailedIndexes", spec.max_failed_indexes)] {
        if let Some(number) = number {
            errors.invalid(&path.child(field), number, "requires indexed completion mode");
        }
    }
}

/// The book of indexes is part of the status, so it must stay short.
fn indexed(spec: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    let (parallelism, failed) = (spec.parallelism.unwrap_or_default(), spec.max_failed_indexes.unwrap_or_default());
    let (parallelism_path, failed_path) = (path.child("parallelism"), path.child("maxFailedIndexes"));
    if spec.completions.is_none() {
        errors.required(&path.child("completions"), "when completion mode is Indexed");
    }
    if parallelism > MANY_COMPLETIONS {
        let detail = format!("must be less than or equal to {MANY_COMPLETIONS} when completion mode is Indexed");
        errors.invalid(&parallelism_path, parallelism, &detail);
    }
    if spec.completions.is_some_and(|completions| failed > completions) {
        errors.invalid(&failed_path, failed, "must be less than or equal to completions");
    }
    if failed > MANY_COMPLETIONS {
        errors.invalid(&failed_path, failed, &format!("must be less than or equal to {MANY_COMPLETIONS}"));
    }
    if spec.backoff_limit_per_index.is_some() && spec.completions.is_some_and(|completions| completions > MANY_COMPLETIONS) {
        let detail = format!(
            "must be less than or equal to {MANY_AT_ONCE} when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
        );
        if spec.max_failed_indexes.is_none() {
            errors.required(&failed_path, &format!("must be specified when completions is above {MANY_COMPLETIONS}"));
        }
        if parallelism > MANY_AT_ONCE {
            errors.invalid(&parallelism_path, parallelism, &detail);
        }
        if failed > MANY_AT_ONCE {
            errors.invalid(&failed_path, failed, &detail);
        }
    }
}

/// What is wrong with a change: what decides which pods there are and when the Job has ended does not change.
pub(super) fn update(new: &Job, old: &Job, errors: &mut Errors) {
    let path = Path::new("spec");
    let (Some(spec), Some(before)) = (&new.spec, &old.spec) else { return };
    let completions = path.child("completions");
    if !is_indexed(spec) {
        immutable(&spec.completions, &before.completions, &completions, errors);
    } else if spec.completions.is_some() && spec.completions != before.completions && spec.completions != spec.parallelism {
        errors.invalid(&completions, spec.completions, "can only be modified in tandem with spec.parallelism");
    }
    if spec.selector != before.selector {
        errors.invalid(&path.child("selector"), spec.selector.as_ref().map(selector::Shown), "field is immutable");
    }
    immutable(&spec.template, &template_before(spec, before, old), &path.child("template"), errors);
    immutable(&spec.completion_mode, &before.completion_mode, &path.child("completionMode"), errors);
    immutable(&spec.pod_failure_policy, &before.pod_failure_policy, &path.child("podFailurePolicy"), errors);
    immutable(&spec.backoff_limit_per_index, &before.backoff_limit_per_index, &path.child("backoffLimitPerIndex"), errors);
    immutable(&spec.managed_by, &before.managed_by, &path.child("managedBy"), errors);
    immutable(&spec.success_policy, &before.success_policy, &path.child("successPolicy"), errors);
}

fn immutable<T: PartialEq + Serialize>(new: &T, old: &T, path: &Path<'_>, errors: &mut Errors) {
    if new != old {
        errors.invalid(path, new, "field is immutable");
    }
}

/// The old template with what may change of it taken from the new one: of a suspended Job without pods, where its pods will be
/// scheduled, and what they will need.
fn template_before(spec: &JobSpec, before: &JobSpec, old: &Job) -> PodTemplateSpec {
    let mut template = before.template.clone();
    let status = old.status.as_ref();
    let is_parked =
        status.is_none_or(|status| status.start_time.is_none() || (has(status, "Suspended") && status.active.unwrap_or_default() == 0));
    if !(flag(before.suspend) && is_parked) {
        return template;
    }
    let metadata = template.metadata.get_or_insert_default();
    if let Some(new) = &spec.template.metadata {
        metadata.labels.clone_from(&new.labels);
        metadata.annotations.clone_from(&new.annotations);
    }
    if let (Some(pod), Some(new)) = (&mut template.spec, &spec.template.spec) {
        reschedule(pod, new);
    }
    template
}

fn reschedule(pod: &mut PodSpec, new: &PodSpec) {
    pod.node_selector.clone_from(&new.node_selector);
    pod.tolerations.clone_from(&new.tolerations);
    pod.scheduling_gates.clone_from(&new.scheduling_gates);
    let mut affinity = pod.affinity.take().unwrap_or_default();
    affinity.node_affinity = new.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    let is_empty = affinity.node_affinity.is_none() && affinity.pod_affinity.is_none() && affinity.pod_anti_affinity.is_none();
    pod.affinity = (!is_empty || new.affinity.is_some()).then_some(affinity);
    let pairs = pod.containers.iter_mut().zip(&new.containers);
    for (container, new) in pairs.chain(list_mut(&mut pod.init_containers).iter_mut().zip(list(&new.init_containers))) {
        container.resources.clone_from(&new.resources);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn a_job(extra: Value) -> Job {
        let mut json = json!({"metadata": {"name": "j", "uid": "u"}, "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}},
        }});
        json["spec"].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut job: Job = serde_json::from_value(json).unwrap();
        super::super::defaults(&mut job);
        super::super::on_create(&mut job);
        job
    }

    #[test]
    fn specs() {
        for (extra, want) in [
            (json!({}), ""),
            (
                json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}}}),
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
            ),
            (json!({"backoffLimitPerIndex": 1}), "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
            (json!({"completionMode": "Indexed", "parallelism": 2}), "spec.completions: Required value: when completion mode is Indexed"),
            (
                json!({"completionMode": "Foo"}),
                "spec.completionMode: Unsupported value: \"Foo\": supported values: \"NonIndexed\", \"Indexed\"",
            ),
            (json!({"managedBy": "me"}), "spec.managedBy: Invalid value: \"me\": must be a domain-prefixed path (such as \"acme.io/foo\")"),
            (
                json!({"podReplacementPolicy": "Foo"}),
                "spec.podReplacementPolicy: Unsupported value: \"Foo\": supported values: \"Failed\", \"TerminatingOrFailed\"",
            ),
            (
                json!({"completionMode": "Indexed", "completions": 2, "successPolicy": {"rules": [{"succeededIndexes": "0-2"}, {"succeededCount": 3}]}}),
                "[spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0-2\": error parsing succeededIndexes: too large index: \"2\", \
                 spec.successPolicy.rules[1].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of specified completions)]",
            ),
            (
                json!({"podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 1, 1], "containerName": "x"}}]}}),
                "[spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"x\": must be one of the container or initContainer names in the pod template, \
                 spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 1, \
                 spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1,1]: must be ordered]",
            ),
            (json!({"podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}}), ""),
        ] {
            let mut errors = Errors::new();
            job(&a_job(extra), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn what_may_change() {
        let said = |old: Value, new: Value| {
            let mut errors = Errors::new();
            update(&a_job(new), &a_job(old), &mut errors);
            errors.causes().iter().map(|cause| cause.field.clone()).collect::<Vec<_>>().join(" ")
        };
        let template = |extra: Value| {
            let mut spec = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
            spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            json!({"spec": spec})
        };
        let here = template(json!({"nodeSelector": {"a": "b"}, "affinity": {"nodeAffinity": {}}}));
        for (old, new, want) in [
            (json!({}), json!({"parallelism": 1, "completions": 1, "backoffLimit": 3, "suspend": true}), ""),
            (json!({}), json!({"completions": 2}), "spec.completions"),
            (
                json!({"completionMode": "Indexed", "completions": 1}),
                json!({"completionMode": "Indexed", "completions": 2}),
                "spec.completions",
            ),
            (
                json!({"completionMode": "Indexed", "completions": 1}),
                json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2}),
                "",
            ),
            (json!({}), json!({"template": here}), "spec.template"),
            (json!({"suspend": true}), json!({"template": here, "suspend": true}), ""),
            (json!({"suspend": true}), json!({"template": template(json!({"hostNetwork": true}))}), "spec.template"),
        ] {
            assert_eq!(said(old, new), want);
        }
    }
}

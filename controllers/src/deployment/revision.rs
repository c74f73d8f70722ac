//! Revisions: which ReplicaSet is the new one, what its name, labels and annotations are, and which old ones may go.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use mini_api::{hash, owner};

use super::{
    rollback::ROLLBACK_TO,
    rollout::{Draft, Limits},
};

/// The number of a template in the Deployment's history.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The numbers it had before: going back to an old template gives it a new one.
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// What the Deployment wanted, and would have allowed, when it last set this ReplicaSet's size.
pub(super) const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations of a Deployment that are not its ReplicaSets'.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    ROLLBACK_TO,
];
/// The label that tells the pods of one template from those of another.
const HASH_LABEL: &str = "pod-template-hash";
/// Upstream cuts the history of revisions when it is longer than this many characters.
const HISTORY_LENGTH: usize = 2000;

/// A template without what tells it from others.
fn plain(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(labels) = template.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
        labels.remove(HASH_LABEL);
    }
    template
}

/// Whether a ReplicaSet makes the pods the Deployment now asks for.
pub(super) fn same_template(set: &ReplicaSet, deployment: &Deployment) -> bool {
    let ours = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    let theirs = deployment.spec.as_ref().map(|spec| &spec.template);
    matches!((ours, theirs), (Some(ours), Some(theirs)) if plain(ours) == plain(theirs))
}

/// Gives the Deployment the template of this ReplicaSet, and the annotations it had in those days.
pub(super) fn take_back(deployment: &mut Deployment, set: &ReplicaSet) {
    if let (Some(spec), Some(template)) = (&mut deployment.spec, set.spec.as_ref().and_then(|spec| spec.template.as_ref())) {
        spec.template = plain(template);
    }
    let annotations = deployment.metadata.annotations.get_or_insert_default();
    annotations.retain(|name, _| NOT_COPIED.contains(&name.as_str()));
    let theirs = set.metadata.annotations.iter().flatten().filter(|(name, _)| !NOT_COPIED.contains(&name.as_str()));
    annotations.extend(theirs.map(|(name, value)| (name.clone(), value.clone())));
}

/// The oldest ReplicaSet of the Deployment's template: the new one. Later ones of the same template count as old.
pub(super) fn find_new(children: &[Arc<ReplicaSet>], deployment: &Deployment) -> Option<usize> {
    let of_template = children.iter().enumerate().filter(|(_, set)| same_template(set, deployment));
    of_template.min_by_key(|(_, set)| age(&set.metadata)).map(|(index, _)| index)
}

/// Orders objects by when they were created.
pub(super) fn age(meta: &ObjectMeta) -> (Option<jiff::Timestamp>, Option<String>) {
    (meta.creation_timestamp.as_ref().map(|time| time.0), meta.name.clone())
}

/// The revision an object carries; 0 when none.
pub(super) fn of(meta: &ObjectMeta) -> i64 {
    annotation(meta, REVISION).unwrap_or(0)
}

/// A number among the annotations.
pub(super) fn annotation<T: std::str::FromStr>(meta: &ObjectMeta, name: &str) -> Option<T> {
    meta.annotations.as_ref()?.get(name)?.parse().ok()
}

/// The new ReplicaSet as it is to be created, of size 0.
pub(super) fn create(deployment: &Deployment, revision: i64, limits: &Limits) -> ReplicaSet {
    let spec = deployment.spec.clone().unwrap_or_default();
    let collisions = deployment.status.as_ref().and_then(|status| status.collision_count);
    let hash = hash::template_hash(&spec.template, collisions);
    let mut template = spec.template;
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    let labels = labels.clone();
    let mut selector = spec.selector;
    selector.match_labels.get_or_insert_default().insert(HASH_LABEL.to_owned(), hash.clone());
    let mut set = ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.metadata.name.as_deref().unwrap_or_default())),
            namespace: deployment.metadata.namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![owner::controller_ref(deployment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec { replicas: Some(0), min_ready_seconds: spec.min_ready_seconds, selector, template: Some(template) }),
        status: None,
    };
    annotate(&mut set.metadata, deployment, revision);
    set_sizes(&mut set.metadata, limits);
    set
}

/// Brings the annotations of the new ReplicaSet up to date: those of the Deployment, and a revision of at least `revision`.
pub(super) fn annotate(set: &mut ObjectMeta, deployment: &Deployment, revision: i64) {
    let before: Option<i64> = annotation(set, REVISION);
    let annotations = set.annotations.get_or_insert_default();
    let copied = deployment.metadata.annotations.iter().flatten().filter(|(name, _)| !NOT_COPIED.contains(&name.as_str()));
    annotations.extend(copied.map(|(name, value)| (name.clone(), value.clone())));
    match before {
        Some(before) if before >= revision => {}
        Some(before) => {
            extend_history(annotations, before);
            annotations.insert(REVISION.to_owned(), revision.to_string());
        }
        None => {
            annotations.insert(REVISION.to_owned(), revision.to_string());
        }
    }
}

fn extend_history(annotations: &mut BTreeMap<String, String>, revision: i64) {
    let history = annotations.entry(REVISION_HISTORY.to_owned()).or_default();
    if !history.is_empty() {
        history.push(',');
    }
    history.push_str(&revision.to_string());
    while history.len() > HISTORY_LENGTH
        && let Some((_, rest)) = history.split_once(',')
    {
        *history = rest.to_owned();
    }
}

/// Writes down what the Deployment wants and allows.
pub(super) fn set_sizes(set: &mut ObjectMeta, limits: &Limits) {
    let annotations = set.annotations.get_or_insert_default();
    annotations.insert(DESIRED_REPLICAS.to_owned(), limits.desired.to_string());
    annotations.insert(MAX_REPLICAS.to_owned(), (limits.desired + limits.surge).to_string());
}

/// The old ReplicaSets beyond the history limit: the oldest revisions among the empty ones.
pub(super) fn expired(old: &[Draft], deployment: &Deployment) -> Vec<Arc<ReplicaSet>> {
    let limit = deployment.spec.as_ref().and_then(|spec| spec.revision_history_limit);
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return Vec::new() };
    let alive = old.iter().filter_map(|draft| draft.original.as_ref()).filter(|set| set.metadata.deletion_timestamp.is_none());
    let mut alive: Vec<_> = alive.cloned().collect();
    alive.sort_by_key(|set| (of(&set.metadata), age(&set.metadata)));
    let surplus = alive.len().saturating_sub(limit);
    let empty = |set: &Arc<ReplicaSet>| {
        let status = set.status.clone().unwrap_or_default();
        let asked = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        asked == 0 && status.replicas == 0 && status.observed_generation >= set.metadata.generation
    };
    // As upstream: the surplus is counted from the oldest, and those of it that are not empty yet stay for now.
    alive.into_iter().take(surplus).filter(empty).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStatus, ReplicaSetStatus};

    use super::*;

    fn text(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
        Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn deployment() -> Deployment {
        let template = PodTemplateSpec { metadata: Some(ObjectMeta { labels: text(&[("app", "web")]), ..ObjectMeta::default() }), spec: None };
        Deployment {
            metadata: ObjectMeta { name: Some("web".to_owned()), uid: Some("u".to_owned()), ..ObjectMeta::default() },
            spec: Some(DeploymentSpec { template, revision_history_limit: Some(1), ..DeploymentSpec::default() }),
            status: None,
        }
    }

    #[test]
    fn a_new_replica_set_is_told_apart_by_its_hash() {
        let mut deployment = deployment();
        let limits = Limits::of(&deployment);
        let set = create(&deployment, 3, &limits);
        let hash = set.metadata.labels.as_ref().unwrap()[HASH_LABEL].clone();
        assert_eq!(set.metadata.name, Some(format!("web-{hash}")));
        let spec = set.spec.clone().unwrap();
        assert_eq!(spec.selector.match_labels.unwrap()[HASH_LABEL], hash);
        assert_eq!(spec.template.unwrap().metadata.unwrap().labels.unwrap()[HASH_LABEL], hash);
        assert!(same_template(&set, &deployment) && owner::is_controlled_by(&set.metadata, "u"));
        // A name that somebody else has is avoided by counting.
        deployment.status = Some(DeploymentStatus { collision_count: Some(1), ..DeploymentStatus::default() });
        assert_ne!(create(&deployment, 3, &limits).metadata.name, set.metadata.name);
    }

    #[test]
    fn the_oldest_of_the_template_is_the_new_one() {
        let deployment = deployment();
        let of = |name: &str, second: i64| {
            let mut set = create(&deployment, 1, &Limits::of(&deployment));
            set.metadata.name = Some(name.to_owned());
            let time = jiff::Timestamp::from_second(second).unwrap();
            set.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time));
            set
        };
        let mut other = of("other", 1);
        other.spec.as_mut().unwrap().template = Some(PodTemplateSpec::default());
        let sets = [of("late", 9), other, of("early", 5)].map(Arc::new);
        assert_eq!(find_new(&sets, &deployment), Some(2));
        assert_eq!(find_new(&sets[1..2], &deployment), None);
    }

    #[test]
    fn annotations_are_copied_but_for_those_that_are_about_one_object() {
        let mut deployment = deployment();
        let kept = "kubectl.kubernetes.io/last-applied-configuration";
        deployment.metadata.annotations = text(&[("note", "new"), (kept, "{}"), (REVISION, "9")]);
        let mut set = ObjectMeta { annotations: text(&[("note", "old"), ("own", "x"), (REVISION, "2")]), ..ObjectMeta::default() };
        annotate(&mut set, &deployment, 2);
        assert_eq!(set.annotations, text(&[("note", "new"), ("own", "x"), (REVISION, "2")]));
        annotate(&mut set, &deployment, 5);
        annotate(&mut set, &deployment, 4);
        annotate(&mut set, &deployment, 7);
        assert_eq!(set.annotations, text(&[("note", "new"), ("own", "x"), (REVISION, "7"), (REVISION_HISTORY, "2,5")]));
    }

    #[test]
    fn the_history_of_revisions_does_not_grow_for_ever() {
        let mut annotations = BTreeMap::new();
        (1000..2000).for_each(|revision| extend_history(&mut annotations, revision));
        let history = &annotations[REVISION_HISTORY];
        assert_eq!(history.len(), 1999, "400 numbers of four digits, and the commas between");
        assert!(history.starts_with("1600,") && history.ends_with(",1999"), "{history}");
    }

    #[test]
    fn only_empty_replica_sets_are_forgotten() {
        let deployment = deployment();
        let old = |revision: i64, size: i32, pods: i32| {
            let mut set = create(&deployment, revision, &Limits::of(&deployment));
            set.spec.as_mut().unwrap().replicas = Some(size);
            set.status = Some(ReplicaSetStatus { replicas: pods, ..ReplicaSetStatus::default() });
            Draft::of(&Arc::new(set))
        };
        let gone = |old: &[Draft], deployment: &Deployment| -> Vec<i64> { expired(old, deployment).iter().map(|set| of(&set.metadata)).collect() };
        for (drafts, forgotten) in [
            (vec![old(2, 0, 0), old(1, 0, 0)], vec![1]),
            (vec![old(1, 0, 1), old(2, 0, 0), old(3, 0, 0)], vec![2]),
            (vec![old(1, 1, 0), old(2, 0, 0)], vec![]),
            (vec![old(1, 0, 0)], vec![]),
        ] {
            assert_eq!(gone(&drafts, &deployment), forgotten);
        }
        let mut all = deployment.clone();
        all.spec.as_mut().unwrap().revision_history_limit = None;
        assert!(gone(&[old(1, 0, 0), old(2, 0, 0)], &all).is_empty(), "no limit keeps all");
        all.spec.as_mut().unwrap().revision_history_limit = Some(0);
        assert_eq!(gone(&[old(1, 0, 0), old(2, 0, 0)], &all), [1, 2]);
    }
}

//! The claims of a StatefulSet's pods: what they are called, and who owns them, which decides what they outlive.

use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use mini_api::owner;

/// What becomes of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Retention {
    /// They go with a pod that is scaled away.
    scaled: bool,
    /// They go with the set.
    deleted: bool,
}

fn retention(set: &StatefulSet) -> Retention {
    let policy = set.spec.as_ref().and_then(|spec| spec.persistent_volume_claim_retention_policy.clone()).unwrap_or_default();
    let deletes = |policy: Option<String>| policy.as_deref() == Some("Delete");
    Retention { scaled: deletes(policy.when_scaled), deleted: deletes(policy.when_deleted) }
}

fn templates(set: &StatefulSet) -> &[PersistentVolumeClaim] {
    set.spec.as_ref().and_then(|spec| spec.volume_claim_templates.as_deref()).unwrap_or_default()
}

/// The names of the claims of the pod with this ordinal, each after that of its template.
pub(super) fn names(set: &StatefulSet, ordinal: i32) -> impl Iterator<Item = (&str, String)> {
    let set_name = set.metadata.name.as_deref().unwrap_or_default();
    templates(set).iter().map(move |template| {
        let template = template.metadata.name.as_deref().unwrap_or_default();
        (template, format!("{template}-{set_name}-{ordinal}"))
    })
}

/// Whether a claim called so is one of a pod of the set.
pub(super) fn is_name_of(set: &StatefulSet, name: &str) -> bool {
    let ordinal = name.rsplit_once('-').and_then(|(_, ordinal)| ordinal.parse().ok());
    ordinal.is_some_and(|ordinal| names(set, ordinal).any(|(_, claim)| claim == name))
}

/// The claims of the pod with this ordinal, as they are to be created.
pub(super) fn make(set: &StatefulSet, ordinal: i32) -> impl Iterator<Item = PersistentVolumeClaim> {
    names(set, ordinal).zip(templates(set)).map(|((_, name), template)| {
        let mut labels = template.metadata.labels.clone().unwrap_or_default();
        let selector = set.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone());
        labels.extend(selector.unwrap_or_default());
        PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: set.metadata.namespace.clone(),
                labels: Some(labels),
                annotations: template.metadata.annotations.clone(),
                finalizers: template.metadata.finalizers.clone(),
                owner_references: retention(set).deleted.then(|| vec![owner::controller_ref(set)]),
                ..ObjectMeta::default()
            },
            spec: template.spec.clone(),
            status: None,
        }
    })
}

/// Whether a reference is to an object of this kind and name, whichever it was.
fn names_alike<K: k8s_openapi::Metadata<Ty = ObjectMeta>>(reference: &OwnerReference, object: &K) -> bool {
    let wanted = owner::controller_ref(object);
    (&reference.api_version, &reference.kind, &reference.name) == (&wanted.api_version, &wanted.kind, &wanted.name)
}

/// Whether a claim belongs to a former object of the same kind and name. It is about to go.
pub(super) fn is_stale<K: k8s_openapi::Metadata<Ty = ObjectMeta>>(claim: &PersistentVolumeClaim, object: &K) -> bool {
    let references = claim.metadata.owner_references.iter().flatten();
    references.into_iter().find(|reference| names_alike(reference, object)).is_some_and(|it| Some(&it.uid) != object.metadata().uid.as_ref())
}

/// Whether the claim of a pod that is not there yet cannot be its claim: it goes with the pod that was there before.
pub(super) fn blocks(claim: &PersistentVolumeClaim, set: &StatefulSet, pod: &Pod) -> bool {
    retention(set).scaled && is_stale(claim, pod)
}

/// Whether somebody else controls the claim. The policy is then not obeyed.
pub(super) fn has_other_controller(claim: &PersistentVolumeClaim, set: &StatefulSet, pod: &Pod) -> bool {
    let policy = retention(set);
    let is_other = |reference: &OwnerReference| {
        let of_set = names_alike(reference, set);
        if of_set || names_alike(reference, pod) {
            let ours = if of_set { &set.metadata.uid } else { &pod.metadata.uid };
            return Some(&reference.uid) != ours.as_ref();
        }
        reference.controller == Some(true)
    };
    (policy.scaled || policy.deleted) && claim.metadata.owner_references.iter().flatten().any(is_other)
}

/// The owners a claim has to get. `None` when it has the right ones, or is not to be touched.
///
/// A claim that goes with the set is the set's; one that goes when its pod is scaled away becomes the pod's when that happens.
pub(super) fn owners(claim: &PersistentVolumeClaim, set: &StatefulSet, pod: &Pod, in_range: bool) -> Option<Vec<OwnerReference>> {
    if is_stale(claim, set) || is_stale(claim, pod) {
        return None;
    }
    let before = claim.metadata.owner_references.clone().unwrap_or_default();
    let mut owners = before.clone();
    owners.retain(|reference| !names_alike(reference, set) && !names_alike(reference, pod));
    let policy = retention(set);
    if !has_other_controller(claim, set, pod) {
        let gone = policy.scaled && !in_range;
        owners.extend(gone.then(|| owner::controller_ref(pod)));
        owners.extend((policy.deleted && !gone).then(|| owner::controller_ref(set)));
    }
    (owners != before).then_some(owners)
}

#[cfg(test)]
pub(super) mod tests {
    use k8s_openapi::api::{apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy, core::v1::PersistentVolumeClaimSpec};

    use super::*;
    use crate::statefulset::plan::tests::{pod, set};

    pub(in crate::statefulset) fn claim(name: &str) -> PersistentVolumeClaim {
        let metadata = ObjectMeta { name: Some(name.to_owned()), uid: Some(format!("uid-{name}")), ..ObjectMeta::default() };
        PersistentVolumeClaim { metadata, spec: Some(PersistentVolumeClaimSpec::default()), status: None }
    }

    pub(in crate::statefulset) fn retaining(mut set: StatefulSet, when_deleted: &str, when_scaled: &str) -> StatefulSet {
        set.spec.as_mut().unwrap().persistent_volume_claim_retention_policy = Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
            when_deleted: Some(when_deleted.to_owned()),
            when_scaled: Some(when_scaled.to_owned()),
        });
        set
    }

    #[test]
    fn names_are_of_template_set_and_ordinal() {
        let mut set = set(1);
        set.spec.as_mut().unwrap().volume_claim_templates = Some(vec![claim("www"), claim("a-b")]);
        let names: Vec<_> = make(&set, 2).filter_map(|claim| claim.metadata.name).collect();
        assert_eq!(names, ["www-web-2", "a-b-web-2"]);
        assert!(is_name_of(&set, "a-b-web-0") && is_name_of(&set, "www-web-17"));
        assert!(!is_name_of(&set, "a-b-web") && !is_name_of(&set, "b-web-0") && !is_name_of(&set, "www-db-0"));
    }

    #[test]
    fn the_policy_says_who_owns_a_claim() {
        let pod = pod(0, "r1", 'r');
        for (deleted, scaled, in_range, want) in [
            ("Retain", "Retain", true, &[][..]),
            ("Retain", "Retain", false, &[]),
            ("Delete", "Retain", true, &["StatefulSet"]),
            ("Delete", "Retain", false, &["StatefulSet"]),
            ("Retain", "Delete", true, &[]),
            ("Retain", "Delete", false, &["Pod"]),
            ("Delete", "Delete", true, &["StatefulSet"]),
            ("Delete", "Delete", false, &["Pod"]),
        ] {
            let set = retaining(set(1), deleted, scaled);
            for before in [vec![], vec![owner::controller_ref(&set)], vec![owner::controller_ref(&*pod)]] {
                let mut claim = claim("www-web-0");
                claim.metadata.owner_references = Some(before.clone());
                let after = owners(&claim, &set, &pod, in_range).unwrap_or(before);
                let kinds: Vec<_> = after.iter().map(|owner| owner.kind.as_str()).collect();
                assert_eq!(kinds, want, "{deleted} {scaled} {in_range}");
                claim.metadata.owner_references = Some(after);
                assert_eq!(owners(&claim, &set, &pod, in_range), None);
            }
        }
    }

    #[test]
    fn what_others_control_is_left_to_them() {
        let (set, pod) = (retaining(set(1), "Delete", "Delete"), pod(0, "r1", 'r'));
        let mut claim = claim("www-web-0");
        let other = OwnerReference { kind: "Backup".to_owned(), controller: Some(true), ..OwnerReference::default() };
        claim.metadata.owner_references = Some(vec![other.clone()]);
        assert!(has_other_controller(&claim, &set, &pod));
        assert_eq!(owners(&claim, &set, &pod, true), None);
        claim.metadata.owner_references = Some(vec![other.clone(), owner::controller_ref(&set)]);
        assert_eq!(owners(&claim, &set, &pod, true), Some(vec![other]));

        let mut former = owner::controller_ref(&*pod);
        former.uid = "before".to_owned();
        claim.metadata.owner_references = Some(vec![former]);
        assert_eq!(owners(&claim, &set, &pod, false), None);
        assert!(blocks(&claim, &set, &pod));
    }
}

//! Whose an object is: children are found by selector, and bound to their owner by a reference that only one controller may hold.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, api::ApiResource};
use mini_api::{owner, selector::Selector};
use serde_json::{Value, json};

use crate::{
    cache::{Cache, Key, Object},
    pods::together,
    writes::{Error, Result, Writes},
};

/// The children of `owner` in `cache`, after adopting the orphans that `selector` matches and releasing what it no longer does.
pub(crate) async fn children<O, K>(owner: &O, selector: Option<&LabelSelector>, cache: &Cache<K>, writes: &Writes) -> Result<Vec<Arc<K>>>
where
    O: Resource<DynamicType = ()> + k8s_openapi::Metadata<Ty = ObjectMeta>,
    K: Object + Resource<DynamicType = ()>,
{
    members(owner, selector, |_| true, cache, writes).await
}

/// The same, where children carry a finalizer: who is adopted gets it, and who is released loses it.
pub(crate) async fn tracked_children<O, K>(
    owner: &O,
    selector: Option<&LabelSelector>,
    finalizer: &str,
    cache: &Cache<K>,
    writes: &Writes,
) -> Result<Vec<Arc<K>>>
where
    O: Resource<DynamicType = ()> + k8s_openapi::Metadata<Ty = ObjectMeta>,
    K: Object + Resource<DynamicType = ()>,
{
    claimed(owner, selector, |_| true, Some(finalizer), cache, writes).await
}

/// The same, where a child must also be one that `belongs`.
pub(crate) async fn members<O, K>(
    owner: &O,
    selector: Option<&LabelSelector>,
    belongs: impl Fn(&K) -> bool,
    cache: &Cache<K>,
    writes: &Writes,
) -> Result<Vec<Arc<K>>>
where
    O: Resource<DynamicType = ()> + k8s_openapi::Metadata<Ty = ObjectMeta>,
    K: Object + Resource<DynamicType = ()>,
{
    claimed(owner, selector, belongs, None, cache, writes).await
}

async fn claimed<O, K>(
    owner: &O,
    selector: Option<&LabelSelector>,
    belongs: impl Fn(&K) -> bool,
    finalizer: Option<&str>,
    cache: &Cache<K>,
    writes: &Writes,
) -> Result<Vec<Arc<K>>>
where
    O: Resource<DynamicType = ()> + k8s_openapi::Metadata<Ty = ObjectMeta>,
    K: Object + Resource<DynamicType = ()>,
{
    let meta = owner.meta();
    // A selector that cannot be read matches nothing; the API server lets none in.
    let Some(Ok(selector)) = selector.map(Selector::from_label_selector) else { return Ok(Vec::new()) };
    let uid = meta.uid.as_deref().unwrap_or_default();
    let mut candidates = cache.controlled_by(uid);
    candidates.extend(cache.orphans(meta.namespace.as_deref().unwrap_or_default()));
    let nothing = BTreeMap::new();
    let matches = |child: &K| selector.matches(child.meta().labels.as_ref().unwrap_or(&nothing)) && belongs(child);
    let mut claims = claim(matches, meta, candidates);

    let resource = &ApiResource::erase::<K>(&());
    if !claims.adopt.is_empty() {
        // The cache may not know yet that the owner is gone or replaced: a namesake must not adopt for it.
        let live = writes.live_metadata(&ApiResource::erase::<O>(&()), &Key::of(meta)).await?;
        if live.is_none_or(|live| live.uid != meta.uid || live.deletion_timestamp.is_some()) {
            return Err(Error::Waiting(format!("the owner {uid} is gone or being deleted and adopts nothing")));
        }
    }
    let adopted = claims.adopt.iter().map(|child| async move {
        let patch = reference(child.meta(), uid, Some(owner::controller_ref(owner)), finalizer);
        writes.patch(resource, child.meta(), None, patch).await
    });
    together(adopted.collect()).await?;
    let released = claims.release.iter().map(|child| async move {
        let released = writes.patch(resource, child.meta(), None, reference(child.meta(), uid, None, finalizer)).await;
        released.or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
    });
    together(released.collect()).await?;
    claims.owned.append(&mut claims.adopt);
    Ok(claims.owned)
}

/// The owners in `cache` that a change of a child concerns: its controllers; of an orphan, all whose selector matches.
pub(crate) fn owners<'a, O, K>(
    sides: impl Iterator<Item = &'a Arc<K>>,
    cache: &Cache<O>,
    selector: impl Fn(&O) -> Option<&LabelSelector>,
) -> Vec<Key>
where
    O: Object + Resource<DynamicType = ()>,
    K: Object,
{
    owners_by(sides, cache, |owner| selector(owner).map(Cow::Borrowed))
}

/// The same where a selector may have to be made, because the owner has it in another form.
pub(crate) fn owners_by<'a, O, K>(
    sides: impl Iterator<Item = &'a Arc<K>>,
    cache: &Cache<O>,
    selector: impl Fn(&O) -> Option<Cow<'_, LabelSelector>>,
) -> Vec<Key>
where
    O: Object + Resource<DynamicType = ()>,
    K: Object,
{
    let mut keys = Vec::new();
    for meta in sides.map(|side| side.meta()) {
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        match owner::controller_of(meta) {
            Some(owner) if owner.kind == O::kind(&()) => keys.push(Key::new(namespace, &owner.name)),
            Some(_) => {}
            None => {
                let labels = meta.labels.clone().unwrap_or_default();
                let matches = |owner: &O| {
                    let selector = selector(owner).map(|selector| Selector::from_label_selector(&selector));
                    matches!(selector, Some(Ok(selector)) if !selector.is_empty() && selector.matches(&labels))
                };
                let matching = cache.in_namespace(namespace).into_iter().filter(|owner| matches(owner));
                keys.extend(matching.map(|owner| Key::of(owner.meta())));
            }
        }
    }
    keys.dedup();
    keys
}

/// What a controller has to do about the objects its selector is about.
struct Claims<K> {
    /// Its own, by selector and by owner reference.
    owned: Vec<Arc<K>>,
    /// Orphans its selector matches.
    adopt: Vec<Arc<K>>,
    /// Its own by reference, which the selector no longer matches.
    release: Vec<Arc<K>>,
}

/// Sorts `candidates` (the children and the orphans of the namespace) by what they are to the owner.
///
/// An owner that is being deleted adopts nothing.
fn claim<K: Resource>(matches: impl Fn(&K) -> bool, owner: &ObjectMeta, candidates: impl IntoIterator<Item = Arc<K>>) -> Claims<K> {
    let mut claims = Claims { owned: Vec::new(), adopt: Vec::new(), release: Vec::new() };
    for object in candidates {
        let meta = object.meta();
        let matches = matches(&object);
        match owner::controller_of(meta) {
            Some(controller) if Some(&controller.uid) != owner.uid.as_ref() => {}
            Some(_) if matches => claims.owned.push(object),
            Some(_) if meta.deletion_timestamp.is_none() => claims.release.push(object),
            None if matches && meta.deletion_timestamp.is_none() && owner.deletion_timestamp.is_none() => {
                claims.adopt.push(object);
            }
            _ => {}
        }
    }
    claims
}

/// The merge patch that gives an orphan its controller, or that takes the reference to `owner` away; and so the finalizer, if there is one.
fn reference(meta: &ObjectMeta, owner: &str, controller: Option<OwnerReference>, finalizer: Option<&str>) -> Value {
    let mut owners = meta.owner_references.clone().unwrap_or_default();
    owners.retain(|reference| reference.uid != owner);
    let mut patch = json!({ "metadata": {} });
    if let Some(finalizer) = finalizer {
        let mut finalizers = meta.finalizers.clone().unwrap_or_default();
        finalizers.retain(|other| other != finalizer);
        finalizers.extend(controller.as_ref().map(|_| finalizer.to_owned()));
        patch["metadata"]["finalizers"] = json!(finalizers);
    }
    owners.extend(controller);
    patch["metadata"]["ownerReferences"] = json!(owners);
    patch
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Time};

    use super::*;

    #[test]
    fn claims_follow_the_selector_and_the_reference() {
        let labels = |value: &str| Some(BTreeMap::from([("app".to_owned(), value.to_owned())]));
        let make = |name: &str, app: &str, uid: Option<&str>| {
            let mut pod = crate::cache::tests::pod(name, 1, uid);
            pod.metadata.labels = labels(app);
            Arc::new(pod)
        };
        let mut dying = crate::cache::tests::pod("dying", 1, None);
        dying.metadata.labels = labels("web");
        dying.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        let candidates = [
            make("mine", "web", Some("u")),
            make("lost", "db", Some("u")),
            make("orphan", "web", None),
            make("stranger", "db", None),
            make("theirs", "web", Some("other")),
            Arc::new(dying),
        ];
        let matches = |pod: &Pod| pod.metadata.labels.as_ref().is_some_and(|labels| labels["app"] == "web");
        let mut owner = ObjectMeta { uid: Some("u".to_owned()), ..ObjectMeta::default() };
        let names = |pods: &[Arc<Pod>]| pods.iter().map(|pod| pod.metadata.name.clone().unwrap()).collect::<Vec<_>>();
        let claims = claim(matches, &owner, candidates.clone());
        assert_eq!(names(&claims.owned), ["mine"]);
        assert_eq!(names(&claims.adopt), ["orphan"]);
        assert_eq!(names(&claims.release), ["lost"]);
        owner.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(claim(matches, &owner, candidates).adopt.is_empty());
    }
}

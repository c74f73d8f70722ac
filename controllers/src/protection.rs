//! Finalizers that protect what is in use: an object has its own from the start, and is let go only when nobody uses it any more.
//! What using means, each kind's controller says.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Serialize;

use crate::writes::{Result, Writes};

/// What is to be done about an object and its finalizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing, as yet.
    Keep,
    /// It is older than the admission step that protects new ones: add the finalizer.
    Protect,
    /// It is being deleted and nobody uses it: take the finalizer away.
    Release,
}

/// Decides from an object's metadata and whether it is used.
pub(crate) fn plan(meta: &ObjectMeta, finalizer: &str, used: bool) -> Step {
    let protected = meta.finalizers.iter().flatten().any(|there| there == finalizer);
    match (meta.deletion_timestamp.is_some(), protected) {
        (true, true) if !used => Step::Release,
        (false, false) => Step::Protect,
        _ => Step::Keep,
    }
}

/// Whether there could be anything to do, used or not.
pub(crate) fn concerns(meta: &ObjectMeta, finalizer: &str) -> bool {
    plan(meta, finalizer, false) != Step::Keep
}

/// Does it.
pub(crate) async fn carry_out<K>(step: Step, object: &K, finalizer: &str, writes: &Writes) -> Result<()>
where
    K: Resource<DynamicType = ()> + Serialize + Clone,
{
    let mut new = object.clone();
    let finalizers = new.meta_mut().finalizers.get_or_insert_default();
    match step {
        Step::Keep => return Ok(()),
        Step::Protect => finalizers.push(finalizer.to_owned()),
        Step::Release => finalizers.retain(|there| there != finalizer),
    }
    match writes.update(object, &new).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn only_what_is_deleted_and_unused_is_released() {
        let meta = |deleted: bool, finalizers: &[&str]| ObjectMeta {
            deletion_timestamp: deleted.then_some(Time(jiff::Timestamp::UNIX_EPOCH)),
            finalizers: Some(finalizers.iter().map(|name| (*name).to_owned()).collect()),
            ..ObjectMeta::default()
        };
        for (deleted, finalizers, used, step) in [
            (false, ["a", "mine"].as_slice(), false, Step::Keep),
            (false, &["a"], true, Step::Protect),
            (true, &["a", "mine"], true, Step::Keep),
            (true, &["a", "mine"], false, Step::Release),
            (true, &["a"], false, Step::Keep),
        ] {
            assert_eq!(plan(&meta(deleted, finalizers), "mine", used), step, "{deleted} {finalizers:?} {used}");
        }
    }
}

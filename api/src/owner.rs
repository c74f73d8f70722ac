//! Owner references: who made an object, and who is in charge of it.
//!
//! An object may have many owners (it goes when all are gone) but one controller.

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// The owner that controls the object, if one does.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.as_deref()?.iter().find(|owner| owner.controller == Some(true))
}

/// Whether the object with this metadata is controlled by the owner with this uid.
pub fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    controller_of(meta).is_some_and(|owner| owner.uid == uid)
}

/// The reference by which `owner` controls a child it is about to create. `owner` must come from the API (a name and
/// a uid); one that does not gives a reference the API refuses.
pub fn controller_ref<K: Metadata<Ty = ObjectMeta>>(owner: &K) -> OwnerReference {
    let meta = owner.metadata();
    OwnerReference {
        api_version: K::API_VERSION.to_owned(),
        kind: K::KIND.to_owned(),
        name: meta.name.clone().unwrap_or_default(),
        uid: meta.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ReplicaSet;

    use super::*;

    #[test]
    fn a_child_knows_its_controller() {
        let mut owner = ReplicaSet::default();
        owner.metadata.name = Some("web".into());
        owner.metadata.uid = Some("u-1".into());

        let reference = controller_ref(&owner);
        assert_eq!((reference.api_version.as_str(), reference.kind.as_str()), ("apps/v1", "ReplicaSet"));

        let plain = OwnerReference { uid: "u-0".into(), controller: None, ..reference.clone() };
        let child = ObjectMeta { owner_references: Some(vec![plain, reference]), ..Default::default() };
        assert_eq!(controller_of(&child).map(|o| o.uid.as_str()), Some("u-1"));
        assert!(is_controlled_by(&child, "u-1"));
        assert!(!is_controlled_by(&child, "u-0"), "an owner that does not control");
        assert!(!is_controlled_by(&ObjectMeta::default(), "u-1"));
    }
}

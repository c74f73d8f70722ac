//! PersistentVolumeClaims that pods use stay until these pods are gone.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Volume};
use mini_api::{owner, pod};

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    protection::{Step, carry_out, concerns, plan},
    writes::{Result, Writes},
};

const FINALIZER: &str = "kubernetes.io/pvc-protection";
/// The index of pods by the claims their volumes name.
pub(crate) const BY_CLAIM: &str = "claim";

/// The terms of [`BY_CLAIM`].
pub(crate) fn claim_terms(pod: &Pod) -> Vec<String> {
    claims_of(pod).map(|key| key.to_string()).collect()
}

/// Lets go of claims. Its keys are theirs.
pub(crate) struct Reconciler {
    claims: Arc<Cache<PersistentVolumeClaim>>,
    pods: Arc<Cache<Pod>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "persistentvolumeclaim-protection-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let claims = setup.watch(|change: &Change<PersistentVolumeClaim>| {
            change.new.as_ref().filter(|claim| concerns(&claim.metadata, FINALIZER)).map(|_| change.key())
        });
        let pods = setup.watch(freed);
        pods.index(BY_CLAIM, claim_terms);
        Self { claims, pods }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(claim) = self.claims.get(key) else { return Ok(Next::Changed) };
        let used = self.pods.indexed(BY_CLAIM, &key.to_string()).iter().any(|pod| uses(pod, &claim));
        let mut step = plan(&claim.metadata, FINALIZER, used);
        // A pod that uses it may have been bound a moment ago: that there is none, the API server must say so too.
        if step == Step::Release && writes.list::<Pod>(&key.namespace).await?.iter().any(|pod| uses(pod, &claim)) {
            step = Step::Keep;
        }
        carry_out(step, &*claim, FINALIZER, writes).await?;
        Ok(Next::Changed)
    }
}

/// The claim a volume of the pod names, if it names one.
fn claim_name(pod: &Pod, volume: &Volume) -> Option<String> {
    match (&volume.persistent_volume_claim, &volume.ephemeral) {
        (Some(source), _) => Some(source.claim_name.clone()),
        (None, Some(_)) => Some(format!("{}-{}", pod.metadata.name.as_deref().unwrap_or_default(), volume.name)),
        (None, None) => None,
    }
}

fn volumes(pod: &Pod) -> impl Iterator<Item = &Volume> {
    pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten())
}

/// The claims the volumes of a pod name.
fn claims_of(pod: &Pod) -> impl Iterator<Item = Key> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    volumes(pod).filter_map(|volume| claim_name(pod, volume)).map(|name| Key::new(namespace, &name))
}

/// Whether a pod of the claim's namespace keeps it. Until a pod has a node it does not: its kubelet will not start it with a claim
/// that is being deleted.
fn uses(pod: &Pod, claim: &PersistentVolumeClaim) -> bool {
    pod::node_name(pod).is_some()
        && volumes(pod).any(|volume| {
            let is_named = claim_name(pod, volume) == claim.metadata.name;
            let is_own = || owner::is_controlled_by(&claim.metadata, pod.metadata.uid.as_deref().unwrap_or_default());
            // A claim that came with its pod may be what the pod's own finalizers wait for.
            is_named && (volume.persistent_volume_claim.is_some() || !is_shut_down(pod) && is_own())
        })
}

/// Whether the kubelet is done with the pod, or nobody waits for it.
fn is_shut_down(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some() && pod.metadata.deletion_grace_period_seconds == Some(0)
}

/// The claims a change may set free: those of a pod that is gone, replaced or shut down.
fn freed(change: &Change<Pod>) -> Vec<Key> {
    let stays = |old: &Pod, new: &Pod| old.metadata.uid == new.metadata.uid && !is_shut_down(new);
    let left = change.old.iter().filter(|old| !change.new.as_ref().is_some_and(|new| stays(old, new)));
    left.flat_map(|pod| claims_of(pod)).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::{EphemeralVolumeSource, PersistentVolumeClaimVolumeSource, PodSpec},
        apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time},
    };

    use super::*;
    use crate::cache::tests::pod as named;

    /// The pod `p`, with the claim `data` and one of its own, `p-scratch`.
    fn pod(node: &str) -> Pod {
        let source = PersistentVolumeClaimVolumeSource { claim_name: "data".to_owned(), read_only: None };
        let data = Volume { name: "d".to_owned(), persistent_volume_claim: Some(source), ..Volume::default() };
        let own = Some(EphemeralVolumeSource::default());
        let scratch = Volume { name: "scratch".to_owned(), ephemeral: own, ..Volume::default() };
        let spec = PodSpec { node_name: Some(node.to_owned()), volumes: Some(vec![data, scratch]), ..PodSpec::default() };
        Pod { spec: Some(spec), ..named("p", 1, None) }
    }

    fn claim(name: &str, owner: &str) -> PersistentVolumeClaim {
        let owner = OwnerReference { uid: owner.to_owned(), controller: Some(true), ..OwnerReference::default() };
        let metadata = ObjectMeta { name: Some(name.to_owned()), owner_references: Some(vec![owner]), ..ObjectMeta::default() };
        PersistentVolumeClaim { metadata, ..PersistentVolumeClaim::default() }
    }

    fn shut_down(mut pod: Pod) -> Pod {
        pod.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        pod.metadata.deletion_grace_period_seconds = Some(0);
        pod
    }

    #[test]
    fn a_pod_with_a_node_uses_its_claims() {
        let (there, waits, gone) = (pod("n"), pod(""), shut_down(pod("n")));
        let (data, own, others) = (claim("data", "x"), claim("p-scratch", "uid-p"), claim("p-scratch", "x"));
        for (pod, claim, used) in [
            (&there, &data, true),
            (&there, &own, true),
            (&there, &others, false),
            (&there, &claim("other", "uid-p"), false),
            (&waits, &data, false),
            (&gone, &data, true),
            (&gone, &own, false),
        ] {
            assert_eq!(uses(pod, claim), used, "{pod:?} {claim:?}");
        }
    }

    #[test]
    fn a_pod_that_leaves_frees_its_claims() {
        let change = |old: Option<Pod>, new: Option<Pod>| freed(&Change { old: old.map(Arc::new), new: new.map(Arc::new) });
        let both = [Key::new("default", "data"), Key::new("default", "p-scratch")];
        let mut namesake = pod("n");
        namesake.metadata.uid = Some("other".to_owned());
        assert_eq!(change(None, Some(pod("n"))), []);
        assert_eq!(change(Some(pod("")), Some(pod("n"))), []);
        assert_eq!(change(Some(pod("n")), None), both);
        assert_eq!(change(Some(pod("n")), Some(namesake)), both);
        assert_eq!(change(Some(pod("n")), Some(shut_down(pod("n")))), both);
    }
}

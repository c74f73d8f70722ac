//! Volumes that come and go with a pod: each gets the claim its template describes, which the pod controls.
//!
//! Nothing here deletes. A claim goes when its pod is gone, by its owner reference; and a claim that somebody else made under that
//! name stays as it is, for it may hold data that the pod must not touch.

use std::sync::Arc;

use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod, Volume},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::Resource;
use mini_api::owner;
use mini_daemon::{events, events::Recorder};

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    pvc_protection::{BY_CLAIM, claim_terms},
    writes::{Error, Result, Writes},
};

/// Creates claims. Its keys are pods.
pub(crate) struct Reconciler {
    pods: Arc<Cache<Pod>>,
    claims: Arc<Cache<PersistentVolumeClaim>>,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "ephemeral-volume-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        // The volumes of a pod never change: once it has its claims, only the loss of one is news.
        let pods = setup.watch(|change: &Change<Pod>| {
            change.new.as_ref().filter(|pod| is_another(change) && own(pod).next().is_some()).map(|_| change.key())
        });
        pods.index(BY_CLAIM, claim_terms);
        let users = pods.clone();
        let claims = setup.watch(move |change: &Change<PersistentVolumeClaim>| {
            let is_lost = change.old.is_some() && is_another(change);
            let pods = if is_lost { users.indexed(BY_CLAIM, &change.key().to_string()) } else { Vec::new() };
            pods.into_iter().filter(|pod| own(pod).next().is_some()).map(|pod| Key::of(&pod.metadata))
        });
        Self { pods, claims, recorder: setup.recorder("ephemeral_volume") }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let Some(pod) = self.pods.get(key) else { return Ok(Next::Changed) };
        for (volume, step) in plan(&pod, |key| self.claims.get(key)) {
            let (error, why) = match step {
                Step::Create(claim) => match writes.create(&*claim).await {
                    Ok(_) => continue,
                    Err(error) if error.is_namespace_terminating() => return Ok(Next::Changed),
                    Err(error) => {
                        let name = claim.metadata.name.as_deref().unwrap_or_default();
                        let why = format!("create PVC {name}: {}", error.message());
                        (error, why)
                    }
                },
                Step::Refuse(why) => (Error::Waiting(why.clone()), why),
            };
            self.recorder.warning(&events::reference(&*pod), "FailedBinding", format!("ephemeral volume {volume}: {why}"));
            return Err(error);
        }
        Ok(Next::Changed)
    }
}

/// What is to be done about a volume.
#[derive(Debug)]
enum Step {
    /// Its claim is to be made.
    Create(Box<PersistentVolumeClaim>),
    /// The claim of that name is not the pod's: upstream's words for it.
    Refuse(String),
}

/// What is to be done about the volumes of a pod, with their names. `find` knows the claims that are there.
fn plan(pod: &Pod, find: impl Fn(&Key) -> Option<Arc<PersistentVolumeClaim>>) -> Vec<(String, Step)> {
    let (whose, uid) = (Key::of(&pod.metadata), pod.metadata.uid.as_deref().unwrap_or_default());
    let mut steps = Vec::new();
    for (volume, template) in own(pod) {
        let key = Key::new(&whose.namespace, &format!("{}-{}", whose.name, volume.name));
        let step = match find(&key) {
            None => Step::Create(Box::new(claim(pod, &key, template))),
            Some(there) if owner::is_controlled_by(&there.metadata, uid) => continue,
            Some(_) => Step::Refuse(format!("PVC {key} was not created for pod {whose} (pod is not owner)")),
        };
        steps.push((volume.name.clone(), step));
    }
    steps
}

/// The volumes that come and go with a pod, and what their claims are to be like. A pod that is going gets none any more.
fn own(pod: &Pod) -> impl Iterator<Item = (&Volume, &PersistentVolumeClaimTemplate)> {
    let spec = pod.spec.as_ref().filter(|_| pod.metadata.deletion_timestamp.is_none());
    let volumes = spec.into_iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| Some((volume, volume.ephemeral.as_ref()?.volume_claim_template.as_ref()?)))
}

/// The claim of a pod's own volume.
fn claim(pod: &Pod, key: &Key, template: &PersistentVolumeClaimTemplate) -> PersistentVolumeClaim {
    let meta = template.metadata.clone().unwrap_or_default();
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            namespace: Some(key.namespace.clone()),
            name: Some(key.name.clone()),
            labels: meta.labels,
            annotations: meta.annotations,
            owner_references: Some(vec![owner::controller_ref(pod)]),
            ..ObjectMeta::default()
        },
        spec: Some(template.spec.clone()),
        status: None,
    }
}

/// Whether an object came, went or was replaced by a namesake, and did not just change.
fn is_another<K: Resource>(change: &Change<K>) -> bool {
    let uid = |side: &Option<Arc<K>>| side.as_ref().and_then(|object| object.meta().uid.clone());
    uid(&change.old) != uid(&change.new)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The pod `p` with a volume of its own and some that are not, and when its deletion was asked for.
    fn pod(deleted: Value) -> Pod {
        let template = json!({
            "metadata": {"labels": {"app": "p"}, "annotations": {"team": "blue"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "c"},
        });
        let volumes = json!([
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}},
            {"name": "empty", "emptyDir": {}},
        ]);
        let metadata = json!({"name": "p", "namespace": "d", "uid": "u", "deletionTimestamp": deleted});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"containers": [], "volumes": volumes}})).unwrap()
    }

    fn owner(uid: &str, controls: bool) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, "controller": controls, "blockOwnerDeletion": controls})
    }

    #[test]
    fn a_claim_is_as_its_template() {
        let mut steps = plan(&pod(json!(null)), |_| None);
        let Some((volume, Step::Create(claim))) = steps.pop() else { panic!("nothing is made") };
        assert!(steps.is_empty(), "{steps:?}");
        let made = serde_json::to_value(*claim).unwrap();
        let metadata = json!({
            "name": "p-scratch", "namespace": "d", "labels": {"app": "p"}, "annotations": {"team": "blue"}, "ownerReferences": [owner("u", true)],
        });
        let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "c"});
        assert_eq!((volume.as_str(), &made["metadata"], &made["spec"]), ("scratch", &metadata, &spec));
    }

    #[test]
    fn a_claim_is_made_once_and_never_taken() {
        let refused = "scratch: PVC d/p-scratch was not created for pod d/p (pod is not owner)";
        for (deleted, there, wanted) in [
            (json!(null), None, "scratch: create"),
            (json!(null), Some(json!([owner("u", true)])), ""),
            (json!(null), Some(json!([owner("u", false)])), refused),
            (json!(null), Some(json!([owner("other", true)])), refused),
            (json!(null), Some(json!([])), refused),
            (json!("2026-01-01T00:00:00Z"), None, ""),
            (json!("2026-01-01T00:00:00Z"), Some(json!([])), ""),
        ] {
            let find = |key: &Key| {
                assert_eq!(*key, Key::new("d", "p-scratch"));
                let metadata = json!({"name": key.name, "namespace": key.namespace, "ownerReferences": there.clone()?});
                let claim: PersistentVolumeClaim = serde_json::from_value(json!({"metadata": metadata})).unwrap();
                Some(Arc::new(claim))
            };
            let steps = plan(&pod(deleted.clone()), find).into_iter().map(|(volume, step)| match step {
                Step::Create(_) => format!("{volume}: create"),
                Step::Refuse(why) => format!("{volume}: {why}"),
            });
            assert_eq!(steps.collect::<Vec<_>>().join(", "), wanted, "{deleted} {there:?}");
        }
    }

    #[test]
    fn a_namesake_is_another() {
        let of = |uid: &str| {
            let mut pod = pod(json!(null));
            pod.metadata.uid = Some(uid.to_owned());
            Some(Arc::new(pod))
        };
        for (old, new, wanted) in [(None, of("u"), true), (of("u"), None, true), (of("u"), of("v"), true), (of("u"), of("u"), false)] {
            assert_eq!(is_another(&Change { old, new }), wanted);
        }
    }
}

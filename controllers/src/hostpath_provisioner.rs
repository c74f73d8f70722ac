//! A provisioner such as clusters for learning have one: it makes a volume for each claim of a class that names it.
//!
//! Upstream's controllers make no volumes; programs beside them do, each for the classes that carry its name. This one stands
//! for such a program and keeps to what they and the binder have agreed on: annotations, names, Events. Nothing is behind its
//! volumes, for nothing writes to them. A volume of a class that waits for its first pod is on that pod's node, as a directory would
//! be; of any other class it can be reached from everywhere.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{
            HostPathVolumeSource, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim,
            PersistentVolumeSpec, VolumeNodeAffinity,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::DeleteParams;
use mini_api::volume::{self, PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER, annotation};
use mini_daemon::{events, events::Recorder};

use crate::{
    cache::{self, Cache, Change},
    controller::{Controller, Next, Setup},
    volume_binder::Key,
    writes::{Result, Writes},
};

/// How classes name it.
const PROVISIONER: &str = "mini.dev/hostpath";
/// Below this the volumes of all claims are said to be.
const ROOT: &str = "/tmp/hostpath-provisioner";

/// Makes volumes, and deletes those it made.
pub(crate) struct Reconciler {
    claims: Arc<Cache<PersistentVolumeClaim>>,
    volumes: Arc<Cache<PersistentVolume>>,
    classes: Arc<Cache<StorageClass>>,
    recorder: Recorder,
}

impl Controller for Reconciler {
    const NAME: &'static str = "hostpath-provisioner";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let classes = setup.read::<StorageClass>();
        let claims = setup.watch(|change: &Change<PersistentVolumeClaim>| {
            change.new.as_ref().filter(|claim| is_ours(claim)).map(|_| Key::Claim(change.key()))
        });
        let volumes = setup.watch(|change: &Change<PersistentVolume>| {
            change.new.as_ref().filter(|volume| is_to_go(volume)).map(|_| Key::Volume(change.key().name))
        });
        Self { claims, volumes, classes, recorder: setup.recorder(PROVISIONER) }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        match key {
            Key::Claim(name) => {
                if let Some(claim) = self.claims.get(name).filter(|claim| is_ours(claim)) {
                    self.provision(&claim, writes).await?;
                }
            }
            Key::Volume(name) => {
                if let Some(volume) = self.volumes.get(&cache::Key::cluster(name)).filter(|volume| is_to_go(volume)) {
                    writes.delete(&*volume, DeleteParams::default()).await?;
                }
            }
        }
        Ok(Next::Changed)
    }
}

impl Reconciler {
    async fn provision(&self, claim: &PersistentVolumeClaim, writes: &Writes) -> Result<()> {
        let Some(class) = self.classes.get(&cache::Key::cluster(volume::claim_class(claim))) else { return Ok(()) };
        if volume::waits_for_consumer(&class) && annotation(&claim.metadata, SELECTED_NODE).is_none() {
            return Ok(());
        }
        let about = events::reference(claim);
        let volume = match make(claim, &class) {
            Ok(volume) => volume,
            Err(why) => {
                let why = format!("failed to provision volume with StorageClass {:?}: {why}", volume::claim_class(claim));
                self.recorder.warning(&about, "ProvisioningFailed", why);
                return Ok(());
            }
        };
        let name = volume.metadata.name.clone().unwrap_or_default();
        if self.volumes.get(&cache::Key::cluster(&name)).is_some() {
            return Ok(());
        }
        let key = cache::Key::of(&claim.metadata);
        self.recorder.normal(&about, "Provisioning", format!("External provisioner is provisioning volume for claim {:?}", key.to_string()));
        match writes.create(&volume).await {
            Ok(_) => {
                self.recorder.normal(&about, "ProvisioningSucceeded", format!("Successfully provisioned volume {name}"));
                Ok(())
            }
            Err(error) if error.is_already_exists() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether a claim waits for a volume of ours.
fn is_ours(claim: &PersistentVolumeClaim) -> bool {
    volume::volume_name(claim).is_empty()
        && claim.metadata.deletion_timestamp.is_none()
        && annotation(&claim.metadata, STORAGE_PROVISIONER[0]) == Some(PROVISIONER)
}

/// Whether a volume is one of ours that nobody has a claim on any more.
fn is_to_go(volume: &PersistentVolume) -> bool {
    let policy = volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    volume::phase(volume) == "Released"
        && policy == Some("Delete")
        && volume.metadata.deletion_timestamp.is_none()
        && annotation(&volume.metadata, PROVISIONED_BY) == Some(PROVISIONER)
}

/// The volume for a claim, or why there can be none.
fn make(claim: &PersistentVolumeClaim, class: &StorageClass) -> Result<PersistentVolume, &'static str> {
    let (key, spec) = (cache::Key::of(&claim.metadata), claim.spec.clone().unwrap_or_default());
    if spec.selector.is_some() {
        return Err("claim.Spec.Selector is not supported");
    }
    let on_node = annotation(&claim.metadata, SELECTED_NODE).filter(|_| volume::waits_for_consumer(class)).map(|node| {
        let hostname = NodeSelectorRequirement {
            key: "kubernetes.io/hostname".to_owned(),
            operator: "In".to_owned(),
            values: Some(vec![node.to_owned()]),
        };
        let term = NodeSelectorTerm { match_expressions: Some(vec![hostname]), match_fields: None };
        VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }
    });
    let size = spec.resources.and_then(|resources| resources.requests).and_then(|mut requests| requests.remove("storage")).unwrap_or_default();
    Ok(PersistentVolume {
        metadata: ObjectMeta {
            name: Some(format!("pvc-{}", claim.metadata.uid.as_deref().unwrap_or_default())),
            annotations: Some(BTreeMap::from([(PROVISIONED_BY.to_owned(), PROVISIONER.to_owned())])),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeSpec {
            access_modes: spec.access_modes,
            capacity: Some(BTreeMap::from([("storage".to_owned(), size)])),
            claim_ref: Some(events::reference(claim)),
            host_path: Some(HostPathVolumeSource { path: format!("{ROOT}/{key}"), type_: Some("DirectoryOrCreate".to_owned()) }),
            mount_options: class.mount_options.clone(),
            node_affinity: on_node,
            persistent_volume_reclaim_policy: Some(class.reclaim_policy.clone().unwrap_or_else(|| "Delete".to_owned())),
            storage_class_name: class.metadata.name.clone(),
            volume_attributes_class_name: spec.volume_attributes_class_name,
            volume_mode: spec.volume_mode,
            ..PersistentVolumeSpec::default()
        }),
        status: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(spec: Value, annotations: Value) -> PersistentVolumeClaim {
        let mut whole = json!({"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem", "resources": {"requests": {"storage": "1Gi"}}});
        let Value::Object(spec) = spec else { unreachable!() };
        spec.into_iter().for_each(|(field, value)| whole[field] = value);
        let metadata = json!({"name": "x", "namespace": "d", "uid": "u", "annotations": annotations});
        serde_json::from_value(json!({"metadata": metadata, "spec": whole})).unwrap()
    }

    fn class(mode: &str) -> StorageClass {
        serde_json::from_value(json!({"metadata": {"name": "c"}, "provisioner": PROVISIONER, "volumeBindingMode": mode})).unwrap()
    }

    #[test]
    fn a_volume_is_as_its_claim_and_class() {
        let volume = serde_json::to_value(make(&claim(json!({}), json!({})), &class("Immediate")).unwrap()).unwrap();
        let claimed = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "x", "namespace": "d", "uid": "u"});
        let metadata = json!({"name": "pvc-u", "annotations": {"pv.kubernetes.io/provisioned-by": "mini.dev/hostpath"}});
        let spec = json!({
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "claimRef": claimed, "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": "/tmp/hostpath-provisioner/d/x", "type": "DirectoryOrCreate"}, "storageClassName": "c", "volumeMode": "Filesystem",
        });
        assert_eq!((&volume["metadata"], &volume["spec"]), (&metadata, &spec));

        let chosen = claim(json!({}), json!({"volume.kubernetes.io/selected-node": "n"}));
        let there = make(&chosen, &class("WaitForFirstConsumer")).unwrap();
        let affinity = serde_json::to_value(there.spec.unwrap().node_affinity).unwrap();
        let hostname = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": ["n"]});
        assert_eq!(affinity["required"]["nodeSelectorTerms"], json!([{"matchExpressions": [hostname]}]));
        assert!(make(&claim(json!({"selector": {}}), json!({})), &class("Immediate")).is_err());
    }

    #[test]
    fn only_what_is_ours() {
        let told = json!({"volume.kubernetes.io/storage-provisioner": PROVISIONER});
        assert!(is_ours(&claim(json!({}), told.clone())) && !is_ours(&claim(json!({"volumeName": "v"}), told)));
        assert!(!is_ours(&claim(json!({}), json!({"volume.kubernetes.io/storage-provisioner": "other"}))));
        let mut volume = make(&claim(json!({}), json!({})), &class("Immediate")).unwrap();
        assert!(!is_to_go(&volume));
        volume.status.get_or_insert_default().phase = Some("Released".to_owned());
        assert!(is_to_go(&volume));
    }
}

//! PersistentVolumes that are bound to a claim stay until they are not.

use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolume;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    protection::{carry_out, concerns, plan},
    writes::{Result, Writes},
};

const FINALIZER: &str = "kubernetes.io/pv-protection";

/// Lets go of volumes. Its keys are theirs.
pub(crate) struct Reconciler {
    volumes: Arc<Cache<PersistentVolume>>,
}

impl Controller for Reconciler {
    const NAME: &'static str = "persistentvolume-protection-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let volumes = setup.watch(|change: &Change<PersistentVolume>| {
            change.new.as_ref().filter(|volume| concerns(&volume.metadata, FINALIZER)).map(|_| change.key())
        });
        Self { volumes }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        if let Some(volume) = self.volumes.get(key) {
            let step = plan(&volume.metadata, FINALIZER, is_bound(&volume));
            carry_out(step, &*volume, FINALIZER, writes).await?;
        }
        Ok(Next::Changed)
    }
}

fn is_bound(volume: &PersistentVolume) -> bool {
    volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
}

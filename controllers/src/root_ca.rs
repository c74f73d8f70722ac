//! The certificate authority: every active namespace has the ConfigMap kube-root-ca.crt, by which pods trust the API server.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::ApiResource;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    namespace,
    serviceaccount::{Present, created},
    writes::{Result, Writes},
};

const NAME: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "kubernetes.io/description";
const TEXT: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// Creates and repairs the ConfigMaps. Its keys are namespaces.
pub(crate) struct Reconciler {
    namespaces: Arc<Cache<Namespace>>,
    present: Present,
    /// The certificates in PEM form; empty while the API server has none.
    certificates: String,
}

impl Controller for Reconciler {
    const NAME: &'static str = "root-ca-certificate-publisher-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let file = setup.config().root_ca_file.clone();
        let certificates = file.as_ref().map(std::fs::read_to_string).transpose().unwrap_or_else(|error| {
            tracing::warn!(%error, ?file, "the root CA file cannot be read: pods are told of none");
            None
        });
        let namespaces = setup.watch(|change: &Change<Namespace>| [change.key()]);
        let present = Present::watch(setup, &ApiResource::erase::<ConfigMap>(&()), NAME);
        Self { namespaces, present, certificates: certificates.unwrap_or_default() }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        if !self.namespaces.get(key).is_some_and(|namespace| namespace::is_active(&namespace)) {
            return Ok(Next::Changed);
        }
        let wanted = config_map(&key.name, &self.certificates);
        if self.present.get(&key.name).is_none() {
            return created(writes.create(&wanted).await.map(|_| ()));
        }
        // Only the metadata is watched. It says that someone changed this one ConfigMap: read what they made of it.
        if let Some(old) = writes.live::<ConfigMap>(&Key::new(&key.name, NAME)).await?
            && let Some(new) = repaired(&old, &wanted)
        {
            writes.update(&old, &new).await?;
        }
        Ok(Next::Changed)
    }
}

fn config_map(namespace: &str, certificates: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(NAME.to_owned()),
            annotations: Some(BTreeMap::from([(DESCRIPTION.to_owned(), TEXT.to_owned())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("ca.crt".to_owned(), certificates.to_owned())])),
        ..ConfigMap::default()
    }
}

/// The ConfigMap with our data and annotation in it, if it has others.
fn repaired(old: &ConfigMap, wanted: &ConfigMap) -> Option<ConfigMap> {
    let described = old.metadata.annotations.as_ref().is_some_and(|all| all.get(DESCRIPTION).is_some_and(|text| text == TEXT));
    if described && old.data == wanted.data {
        return None;
    }
    let mut new = old.clone();
    new.data.clone_from(&wanted.data);
    new.metadata.annotations.get_or_insert_default().insert(DESCRIPTION.to_owned(), TEXT.to_owned());
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_repaired() {
        let wanted = config_map("default", "PEM");
        assert_eq!(repaired(&wanted, &wanted), None);
        let mut theirs = wanted.clone();
        theirs.data = None;
        theirs.metadata.annotations = Some([("team".to_owned(), "blue".to_owned())].into());
        let new = repaired(&theirs, &wanted).unwrap();
        assert_eq!(new.data, wanted.data);
        assert_eq!(new.metadata.annotations.unwrap().len(), 2);
    }
}

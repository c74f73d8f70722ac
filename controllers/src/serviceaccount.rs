//! ServiceAccounts: every active namespace has one called `default`, which pods that name none run as.

use std::sync::Arc;

use k8s_openapi::{
    api::core::v1::{Namespace, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::ApiResource;
use parking_lot::Mutex;

use crate::{
    cache::{Cache, Change, Key},
    controller::{Controller, Next, Setup},
    namespace,
    writes::{Result, Writes},
};

const DEFAULT: &str = "default";

/// Creates what is missing. Its keys are namespaces.
pub(crate) struct Reconciler {
    namespaces: Arc<Cache<Namespace>>,
    present: Present,
}

impl Controller for Reconciler {
    const NAME: &'static str = "serviceaccount-controller";
    type Key = Key;

    fn new(setup: &mut Setup<'_, Key>) -> Self {
        let namespaces = setup.watch(|change: &Change<Namespace>| [change.key()]);
        let present = Present::watch(setup, &ApiResource::erase::<ServiceAccount>(&()), DEFAULT);
        Self { namespaces, present }
    }

    async fn reconcile(&self, key: &Key, writes: &Writes) -> Result<Next> {
        let namespace = self.namespaces.get(key);
        if !namespace.is_some_and(|namespace| namespace::is_active(&namespace)) || self.present.get(&key.name).is_some() {
            return Ok(Next::Changed);
        }
        let account = ServiceAccount {
            metadata: ObjectMeta { namespace: Some(key.name.clone()), name: Some(DEFAULT.to_owned()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        created(writes.create(&account).await.map(|_| ()))
    }
}

/// Someone else created it, or nobody may any more: both are as well as having done it.
pub(crate) fn created(result: Result<()>) -> Result<Next> {
    match result {
        Err(error) if !error.is_already_exists() && !error.is_namespace_terminating() && !error.is_not_found() => Err(error),
        _ => Ok(Next::Changed),
    }
}

/// In which namespaces an object of one kind and one name is, and its metadata: all that has to be known about the kind.
pub(crate) struct Present(Arc<Mutex<std::collections::HashMap<String, Arc<ObjectMeta>>>>);

impl Present {
    /// Follows the objects called `name`; a namespace in which one changes is a key.
    pub(crate) fn watch(setup: &mut Setup<'_, Key>, resource: &ApiResource, name: &'static str) -> Self {
        let present = Self(Arc::default());
        let (map, queue) = (present.0.clone(), setup.queue());
        setup.metadata(resource).listen_metadata(Box::new(move |old, new| {
            for meta in [old, new].into_iter().flatten().filter(|meta| meta.name.as_deref() == Some(name)) {
                let namespace = meta.namespace.clone().unwrap_or_default();
                match new {
                    Some(new) => map.lock().insert(namespace.clone(), Arc::new(new.clone())),
                    None => map.lock().remove(&namespace),
                };
                queue.add(Key::cluster(&namespace));
            }
        }));
        present
    }

    /// The metadata of the one in `namespace`.
    pub(crate) fn get(&self, namespace: &str) -> Option<Arc<ObjectMeta>> {
        self.0.lock().get(namespace).cloned()
    }
}

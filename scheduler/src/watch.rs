//! The eyes of the scheduler: one watch per kind, decoded into what scheduling needs, resumed for as long as the process lives.

use std::{fmt::Debug, pin::pin, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture};
use k8s_openapi::api::{
    core::v1::{PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt,
        utils::Backoff,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::{
    budget::BudgetView,
    cluster::{Cluster, Keyed, Kind, Mirror},
    namespace::NamespaceView,
    scheduler::{Input, Update},
    service::ServiceView,
    storage::{DriverView, LimitsView, RoomView},
};

/// The watches of all kinds besides nodes and pods: their names, and the work.
pub(crate) fn mirrors(client: &Client, inputs: &mpsc::Sender<Input>) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
    let all = || (client.clone(), inputs.clone());
    vec![
        ("namespaces", mirror::<NamespaceView, _>(all(), Kind::Namespace, |cluster| &mut cluster.namespaces)),
        ("poddisruptionbudgets", mirror::<BudgetView, _>(all(), Kind::PodDisruptionBudget, |cluster| &mut cluster.budgets)),
        ("services", mirror::<ServiceView, _>(all(), Kind::Service, |cluster| &mut cluster.services)),
        (
            "persistentvolumeclaims",
            mirror::<PersistentVolumeClaim, _>(all(), Kind::PersistentVolumeClaim, |cluster| &mut cluster.storage.claims),
        ),
        ("persistentvolumes", mirror::<PersistentVolume, _>(all(), Kind::PersistentVolume, |cluster| &mut cluster.storage.volumes)),
        ("storageclasses", mirror::<StorageClass, _>(all(), Kind::StorageClass, |cluster| &mut cluster.storage.classes)),
        ("csinodes", mirror::<LimitsView, _>(all(), Kind::CSINode, |cluster| &mut cluster.storage.limits)),
        ("csidrivers", mirror::<DriverView, _>(all(), Kind::CSIDriver, |cluster| &mut cluster.storage.drivers)),
        ("csistoragecapacities", mirror::<RoomView, _>(all(), Kind::CSIStorageCapacity, |cluster| &mut cluster.storage.rooms)),
    ]
}

/// Keeps a copy of all objects of a kind.
fn mirror<V, T>(
    (client, inputs): (Client, mpsc::Sender<Input>),
    kind: Kind,
    place: fn(&mut Cluster) -> &mut Mirror<T>,
) -> BoxFuture<'static, ()>
where
    V: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    T: From<V> + Keyed + PartialEq + Send + 'static,
{
    let wrap = move |event: Event<T>| {
        let one = match &event {
            Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) => Some(object.key()),
            Event::Init | Event::InitDone => None,
        };
        Input::Other(kind, one, Update(Box::new(move |cluster| place(cluster).apply(event))))
    };
    watch(Api::<V>::all(client), wrap, inputs).boxed()
}

/// Watches all objects of a kind and passes on what happens to them, until nobody listens any more.
pub(crate) async fn watch<V, T>(objects: Api<V>, wrap: impl Fn(Event<T>) -> Input, inputs: mpsc::Sender<Input>)
where
    V: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    T: From<V>,
{
    let mut events = pin!(watcher(objects, watcher::Config::default()).backoff(Patience::default()));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if inputs.send(wrap(convert(event))).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::warn!(kind = %V::kind(&()), %error, "the watch broke and will be resumed"),
        }
    }
}

fn convert<V, T: From<V>>(event: Event<V>) -> Event<T> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(object.into()),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(object.into()),
        Event::Delete(object) => Event::Delete(object.into()),
    }
}

/// How long to wait before a broken watch is resumed. Upstream's half a minute would be felt after a restart of the API server,
/// and there is only one watcher per kind to be kind about.
#[derive(Default)]
struct Patience {
    failures: u32,
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.failures += 1;
        Some(Duration::from_millis(50).saturating_mul(2_u32.saturating_pow(self.failures - 1)).min(Duration::from_secs(1)))
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_and_is_reset() {
        let mut patience = Patience::default();
        let waits: Vec<_> = patience.by_ref().take(7).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        patience.reset();
        assert_eq!(patience.next(), Some(Duration::from_millis(50)));
    }
}

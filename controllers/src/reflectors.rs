//! One watch per kind for the whole process: whoever needs a kind gets the same cache of it.
//!
//! A kind is watched in full when a controller asks for its type, and by its metadata only when it is known from discovery
//! alone; what asks for the metadata of a kind that is watched in full shares that watch.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use futures::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{BoxStream, FuturesUnordered},
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, PartialObjectMeta},
    runtime::watcher::{self, Event},
};
use mini_daemon::lean::{Lean, MANAGERS, Reader, Unread, WHOLE, plain};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, time::sleep};
use tracing::Instrument;

use crate::cache::{Cache, Object, Source};

/// Pauses between attempts of a watch that fails.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// What is known of an object whose kind is not.
pub(crate) type Metadata = PartialObjectMeta<DynamicObject>;

/// Who reads here. Of pods, which are most of what there is, it leaves out what no controller asks for.
#[derive(Clone, Debug)]
struct Controllers;

impl Reader for Controllers {
    fn unread(kind: &str) -> Unread {
        const CONTAINER: Unread = Unread(&[
            ("args", WHOLE),
            ("command", WHOLE),
            ("env", WHOLE),
            ("envFrom", WHOLE),
            ("image", WHOLE),
            ("imagePullPolicy", WHOLE),
            ("lifecycle", WHOLE),
            ("livenessProbe", WHOLE),
            ("readinessProbe", WHOLE),
            ("securityContext", WHOLE),
            ("startupProbe", WHOLE),
            ("terminationMessagePath", WHOLE),
            ("terminationMessagePolicy", WHOLE),
            ("volumeMounts", WHOLE),
        ]);
        const VOLUME: Unread =
            Unread(&[("configMap", WHOLE), ("downwardAPI", WHOLE), ("hostPath", WHOLE), ("projected", WHOLE), ("secret", WHOLE)]);
        const SPEC: Unread = Unread(&[
            ("containers", CONTAINER),
            ("ephemeralContainers", WHOLE),
            ("initContainers", CONTAINER),
            ("securityContext", WHOLE),
            ("volumes", VOLUME),
        ]);
        const STATE: Unread = Unread(&[
            ("allocatedResources", WHOLE),
            ("containerID", WHOLE),
            ("image", WHOLE),
            ("imageID", WHOLE),
            ("resources", WHOLE),
            ("volumeMounts", WHOLE),
        ]);
        const STATUS: Unread =
            Unread(&[("containerStatuses", STATE), ("ephemeralContainerStatuses", WHOLE), ("initContainerStatuses", STATE)]);
        match kind {
            "Pod" => Unread(&[MANAGERS, ("spec", SPEC), ("status", STATUS)]),
            _ => Unread(&[MANAGERS]),
        }
    }
}

/// A kind as URLs name it: group and plural.
type Kind = (String, String);

/// What a watch says.
type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// A watch that is to be started, and the plural of its kind.
type Work = (String, BoxFuture<'static, Result<()>>);

/// All caches of the process.
pub(crate) struct Reflectors {
    client: Client,
    sources: Mutex<HashMap<Kind, Arc<dyn Source>>>,
    start: mpsc::UnboundedSender<Work>,
}

/// The watches that are yet to be started, as a future that owns them all.
pub(crate) struct Watches(mpsc::UnboundedReceiver<Work>);

impl Reflectors {
    /// The caches, and the watches that fill them.
    pub(crate) fn new(client: Client) -> (Arc<Self>, Watches) {
        let (start, started) = mpsc::unbounded_channel();
        (Arc::new(Self { client, sources: Mutex::default(), start }), Watches(started))
    }

    /// The cache of a type. It is filled from now on.
    pub(crate) fn of<K>(&self) -> Arc<Cache<K>>
    where
        K: Object + DeserializeOwned + Resource<DynamicType = ()>,
    {
        self.open(&ApiResource::erase::<K>(&()), || {
            let api = Api::<Lean<K, Controllers>>::all(self.client.clone());
            watcher::watcher(api, watcher::Config::default()).map(|event| event.map(plain)).boxed()
        })
    }

    /// What there is of the metadata of a kind, watched from now on. The watch is shared when the kind is watched in full.
    pub(crate) fn metadata(&self, resource: &ApiResource) -> Arc<dyn Source> {
        match self.source(resource) {
            Some(source) => source,
            None => self.open(resource, || {
                let api = Api::<Metadata>::all_with(self.client.clone(), resource);
                watcher::watcher(api, watcher::Config::default()).boxed()
            }),
        }
    }

    /// The cache of a kind, if it is watched.
    pub(crate) fn source(&self, resource: &ApiResource) -> Option<Arc<dyn Source>> {
        self.sources.lock().get(&kind(resource)).cloned()
    }

    fn open<K: Object>(&self, resource: &ApiResource, events: impl FnOnce() -> Events<K>) -> Arc<Cache<K>> {
        let mut sources = self.sources.lock();
        let known = sources.get(&kind(resource)).cloned();
        // A kind whose metadata was asked for first and that is then asked for in full is watched twice.
        if let Some(Ok(cache)) = known.map(|source| source.any().downcast()) {
            return cache;
        }
        let cache = Arc::new(Cache::<K>::default());
        sources.insert(kind(resource), cache.clone());
        let watch = follow(events(), cache.clone());
        // Refused only when the program ends.
        let _ = self.start.send((resource.plural.clone(), Box::pin(watch)));
        cache
    }
}

fn kind(resource: &ApiResource) -> Kind {
    (resource.group.clone(), resource.plural.clone())
}

impl Watches {
    /// Runs the watches that are asked for, now and later, until dropped. The first to fail ends it.
    ///
    /// They share a task: together they are a stream of small decodes, and the death of one is the death of all.
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some((name, watch)) = self.0.recv() => running.push(watch.instrument(tracing::info_span!("watch", name))),
                Some(ended) = running.next() => ended?,
                else => return Ok(()),
            }
        }
    }
}

/// Keeps a cache equal to what the API server says, for ever.
async fn follow<K, S>(events: S, cache: Arc<Cache<K>>) -> Result<()>
where
    K: Object,
    S: Stream<Item = watcher::Result<Event<K>>> + Send,
{
    let mut events = std::pin::pin!(events);
    let (mut incoming, mut pause) = (BTreeMap::new(), FIRST_RETRY);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // Nobody here reads who set which field, and it is a third of an object.
                cache.take(event.modify(|object| object.meta_mut().managed_fields = None), &mut incoming);
                pause = FIRST_RETRY;
            }
            Err(error) => {
                tracing::debug!(%error, "a watch failed and is resumed");
                sleep(pause).await;
                pause = (pause * 2).min(LAST_RETRY);
            }
        }
    }
    Ok(())
}

//! What a controller is, and the loop that drives one.
//!
//! A controller is asked to make the world right for one key; it is never told why, and may be asked at any time. The loop
//! gives it a key when the caches it reads are complete and show everything it wrote for that key before, and no sooner.

use std::{fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use futures::future::try_join_all;
use kube::{Client, Resource, api::ApiResource};
use mini_daemon::{events::Recorder, tasks::Tasks};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::{
    Config,
    cache::{Cache, Change, Object, Source},
    freshness::Freshness,
    queue::{Queue, Verdict},
    reflectors::Reflectors,
    writes::{Result, Writes},
};

/// How often a key that waits for the caches is looked at again. Each look is a few comparisons.
const STALE_RETRY: Duration = Duration::from_millis(5);

/// When to look at a key again, if nothing about it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is no need to.
    Changed,
    /// After this long.
    After(Duration),
}

impl Next {
    /// The soonest of several moments, if there is any.
    pub(crate) fn soonest(delays: impl IntoIterator<Item = Duration>) -> Self {
        delays.into_iter().min().map_or(Self::Changed, Self::After)
    }
}

/// A loop that makes one part of the spec true.
pub(crate) trait Controller: Send + Sync + Sized + 'static {
    /// Its name in `--controllers`, as upstream's kube-controller-manager calls it.
    const NAME: &'static str;

    /// What it reconciles, one at a time.
    type Key: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static;

    /// Opens the caches it reads and says which changes concern which keys.
    fn new(setup: &mut Setup<'_, Self::Key>) -> Self;

    /// Makes the world right for `key`, or takes a step towards it.
    fn reconcile(&self, key: &Self::Key, writes: &Writes) -> impl Future<Output = Result<Next>> + Send;
}

/// What controllers share.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) reflectors: Arc<Reflectors>,
    pub(crate) config: Config,
}

/// What a controller is made from.
pub(crate) struct Setup<'a, K> {
    shared: &'a Shared,
    tasks: &'a mut Tasks,
    queue: Arc<Queue<K>>,
    needs: Vec<Arc<dyn Source>>,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Setup<'_, K> {
    /// The cache of a type, which is complete before the first key runs.
    pub(crate) fn read<T>(&mut self) -> Arc<Cache<T>>
    where
        T: Object + DeserializeOwned + Resource<DynamicType = ()>,
    {
        let cache = self.shared.reflectors.of::<T>();
        self.needs.push(cache.clone());
        cache
    }

    /// The same; `keys` says whose concern a change is.
    pub(crate) fn watch<T, I>(&mut self, keys: impl Fn(&Change<T>) -> I + Send + Sync + 'static) -> Arc<Cache<T>>
    where
        T: Object + DeserializeOwned + Resource<DynamicType = ()>,
        I: IntoIterator<Item = K>,
    {
        let (cache, queue) = (self.read::<T>(), self.queue.clone());
        cache.listen(move |change| keys(change).into_iter().for_each(|key| queue.add(key)));
        cache
    }

    /// The metadata of a kind that no controller reads in full.
    pub(crate) fn metadata(&mut self, resource: &ApiResource) -> Arc<dyn Source> {
        let source = self.shared.reflectors.metadata(resource);
        self.needs.push(source.clone());
        source
    }

    /// Says what happens, as upstream's component of that name.
    pub(crate) fn recorder(&mut self, component: &str) -> Recorder {
        Recorder::new(self.shared.client.clone(), component, None, self.tasks)
    }

    pub(crate) fn queue(&self) -> Arc<Queue<K>> {
        self.queue.clone()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn reflectors(&self) -> Arc<Reflectors> {
        self.shared.reflectors.clone()
    }

    pub(crate) fn client(&self) -> Client {
        self.shared.client.clone()
    }
}

/// Sets a controller up and starts its workers as members of `tasks`.
pub(crate) fn start<C: Controller>(shared: &Arc<Shared>, tasks: &mut Tasks) {
    let queue = Arc::new(Queue::default());
    let mut setup = Setup { shared, tasks, queue: queue.clone(), needs: Vec::new() };
    let controller = Arc::new(C::new(&mut setup));
    let needs: Arc<[_]> = setup.needs.into();
    let freshness = Arc::new(Freshness::default());
    for number in 0..shared.config.concurrent_syncs.get() {
        let worker = Worker {
            shared: shared.clone(),
            controller: controller.clone(),
            queue: queue.clone(),
            freshness: freshness.clone(),
            needs: needs.clone(),
        };
        let token = tasks.token();
        tasks.spawn(format!("{} {number}", C::NAME), async move {
            // A run may be cut anywhere, as by kill -9: all its state is in the API.
            token.run_until_cancelled(worker.run()).await;
            Ok(())
        });
    }
}

struct Worker<C: Controller> {
    shared: Arc<Shared>,
    controller: Arc<C>,
    queue: Arc<Queue<C::Key>>,
    freshness: Arc<Freshness<C::Key>>,
    needs: Arc<[Arc<dyn Source>]>,
}

impl<C: Controller> Worker<C> {
    async fn run(self) {
        for source in self.needs.iter() {
            let mut moves = source.moves();
            while !source.synced() {
                if moves.changed().await.is_err() {
                    return;
                }
            }
        }
        loop {
            let key = self.queue.next().await;
            let started = Instant::now();
            let verdict = self.turn(&key).await;
            self.queue.done(&key, verdict, started.elapsed());
        }
    }

    /// One run of one key.
    async fn turn(&self, key: &C::Key) -> Verdict {
        let writes = Writes::new(self.shared.client.clone(), self.shared.reflectors.clone());
        let doubts = self.freshness.doubts(key);
        if !doubts.is_empty() {
            if let Err(error) = try_join_all(doubts.iter().map(|doubt| writes.find_out(doubt))).await {
                tracing::debug!(controller = C::NAME, ?key, %error, "what was written is not known yet");
                return Verdict::Failed;
            }
            self.freshness.clear_doubts(key, writes.into_marks());
            return Verdict::Postponed(STALE_RETRY);
        }
        if !self.freshness.is_fresh(key) {
            return Verdict::Postponed(STALE_RETRY);
        }
        let result = self.controller.reconcile(key, &writes).await;
        self.freshness.record(key, writes.into_marks());
        match result {
            Ok(Next::Changed) => Verdict::Done,
            Ok(Next::After(delay)) => Verdict::After(delay),
            Err(error) => {
                // Conflicts and vanished objects are how a cluster of many writers works, not trouble.
                if error.is_conflict() || error.is_not_found() {
                    tracing::debug!(controller = C::NAME, ?key, %error, waiting = self.queue.len(), "retry");
                } else {
                    tracing::warn!(controller = C::NAME, ?key, %error, waiting = self.queue.len(), "retry");
                }
                Verdict::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use clap::Parser;
    use http_body_util::{BodyExt, Full, StreamBody};
    use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::UnboundedReceiverStream;

    use super::*;
    use crate::{Args, cache::Key};

    /// As much of an API server as one kind needs. Watch events are held back until they are released.
    #[derive(Default)]
    struct Server {
        objects: Vec<Value>,
        held: Vec<Bytes>,
        watchers: Vec<mpsc::UnboundedSender<Result<http_body::Frame<Bytes>, Infallible>>>,
        lists: usize,
        listable: bool,
        /// The next creation happens, but the connection breaks before its answer.
        breaks: bool,
    }

    type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

    impl Server {
        fn answer(&mut self, method: &http::Method, query: &str, body: &[u8]) -> http::Response<Body> {
            let full = |code: u16, value: Value| {
                let body = Full::new(Bytes::from(value.to_string())).boxed();
                http::Response::builder().status(code).body(body).unwrap()
            };
            if *method == http::Method::POST {
                let mut object: Value = serde_json::from_slice(body).unwrap();
                let revision = self.objects.len() + 2;
                object["metadata"]["name"] = json!(format!("object-{revision}"));
                object["metadata"]["uid"] = json!(format!("uid-{revision}"));
                object["metadata"]["resourceVersion"] = json!(revision.to_string());
                self.objects.push(object.clone());
                self.held.push(Bytes::from(format!("{{\"type\":\"ADDED\",\"object\":{object}}}\n")));
                // No JSON: for the client as good as no answer.
                return if std::mem::take(&mut self.breaks) { http::Response::new(Full::default().boxed()) } else { full(201, object) };
            }
            if query.contains("watch=true") {
                let (sender, receiver) = mpsc::unbounded_channel();
                self.watchers.push(sender);
                return http::Response::new(BodyExt::boxed(StreamBody::new(UnboundedReceiverStream::new(receiver))));
            }
            self.lists += 1;
            if !self.listable {
                return full(503, json!({"kind": "Status", "code": 503, "status": "Failure", "reason": "ServiceUnavailable"}));
            }
            full(200, json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": self.objects}))
        }

        fn release(&mut self) {
            for line in std::mem::take(&mut self.held) {
                self.watchers.retain(|watcher| watcher.send(Ok(http_body::Frame::data(line.clone()))).is_ok());
            }
        }
    }

    fn client(server: Arc<Mutex<Server>>) -> Client {
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                Ok::<_, Infallible>(server.lock().answer(&head.method, head.uri.query().unwrap_or_default(), &body))
            }
        });
        Client::new(service, "default")
    }

    /// Wants one more ConfigMap than the one it is asked about.
    struct Pairs(Arc<Cache<ConfigMap>>);

    impl Controller for Pairs {
        const NAME: &'static str = "pairs";
        type Key = ();

        fn new(setup: &mut Setup<'_, ()>) -> Self {
            setup.queue().add(());
            Self(setup.watch(|_: &Change<ConfigMap>| [()]))
        }

        async fn reconcile(&self, (): &(), writes: &Writes) -> Result<Next> {
            if self.0.all().len() < 2 {
                let metadata = ObjectMeta { namespace: Some("default".to_owned()), ..ObjectMeta::default() };
                writes.create(&ConfigMap { metadata, ..ConfigMap::default() }).await?;
            }
            // Asks to be run all the time: only freshness keeps it from acting twice.
            Ok(Next::After(Duration::from_millis(1)))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_controller_waits_for_its_caches_and_for_its_own_writes() {
        let server = Arc::new(Mutex::new(Server::default()));
        let client = client(server.clone());
        let (reflectors, watches) = Reflectors::new(client.clone());
        let config = Args::try_parse_from(["mini-controllers"]).unwrap().config;
        let shared = Arc::new(Shared { client, reflectors: reflectors.clone(), config });
        let mut tasks = Tasks::new();
        let token = tasks.token();
        start::<Pairs>(&shared, &mut tasks);
        let stop = tasks.token();
        tasks.spawn("watches", async move { stop.run_until_cancelled(watches.run()).await.unwrap_or(Ok(())) });
        let count = || server.lock().objects.len();
        let pass = |time| tokio::time::sleep(time);

        pass(Duration::from_secs(2)).await;
        assert!(server.lock().lists > 1, "the watch tries again");
        assert_eq!(count(), 0, "nothing runs before the cache is complete");

        (server.lock().listable, server.lock().breaks) = (true, true);
        pass(Duration::from_secs(1)).await;
        assert_eq!(count(), 1, "it does not act again on a cache that does not show what it may have done");
        server.lock().release();
        pass(Duration::from_secs(1)).await;
        assert_eq!(count(), 2, "nor on one that does not show what it did");
        server.lock().release();
        pass(Duration::from_secs(1)).await;
        assert_eq!(count(), 2);
        assert!(reflectors.of::<ConfigMap>().get(&Key::new("default", "object-3")).is_some());
        token.cancel();
        tasks.join().await.unwrap();
    }
}

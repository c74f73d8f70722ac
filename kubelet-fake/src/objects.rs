//! What pods refer to: ConfigMaps, Secrets, claims and Services, as the API server has them.
//!
//! Each kind is watched from the moment some pod refers to it, once for all nodes, and never before: a fleet whose pods refer to nothing
//! has no watch. Asking waits until the first list is there; afterwards it is a look into a map.
//!
//! Must not know: what is made of the objects.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service};
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use mini_daemon::lean::{Lean, plain};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The variables of the Services that a pod sees.
pub(crate) type Variables = Arc<[(String, String)]>;

/// The Service that pods of every namespace see.
const KUBERNETES: (&str, &str) = ("default", "kubernetes");

/// The kinds that can be asked for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    ConfigMaps,
    Secrets,
    Claims,
    Services,
}

/// The objects. Shared by all that ask.
pub(crate) struct Objects {
    client: Client,
    wishes: mpsc::UnboundedSender<Kind>,
    configs: Shelf<Arc<ConfigMap>>,
    secrets: Shelf<Arc<Secret>>,
    claims: Shelf<Claim>,
    services: Shelf<Exposed>,
    variables: Mutex<HashMap<String, Variables>>,
}

/// Where a claim leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The name of its volume, once it is bound.
    pub(crate) volume: Option<String>,
}

/// What is kept of a Service: its address and its ports by name, number and protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exposed {
    ip: String,
    ports: Vec<(String, i32, String)>,
}

/// All objects of one kind, by namespace and name.
struct Shelf<T> {
    wanted: AtomicBool,
    ready: watch::Sender<bool>,
    held: RwLock<BTreeMap<(String, String), T>>,
}

impl<T: Clone> Shelf<T> {
    fn new() -> Self {
        Self { wanted: AtomicBool::new(false), ready: watch::Sender::new(false), held: RwLock::default() }
    }

    fn get(&self, namespace: &str, name: &str) -> Option<T> {
        self.held.read().get(&(namespace.to_owned(), name.to_owned())).cloned()
    }
}

/// Objects that are asked for through `client`, and the work that [`keep`] does for them.
pub(crate) fn objects(client: Client) -> (Arc<Objects>, Wishes) {
    let (wishes, wished) = mpsc::unbounded_channel();
    let objects = Objects {
        client,
        wishes,
        configs: Shelf::new(),
        secrets: Shelf::new(),
        claims: Shelf::new(),
        services: Shelf::new(),
        variables: Mutex::default(),
    };
    (Arc::new(objects), Wishes(wished))
}

/// Which kinds are to be watched.
pub(crate) struct Wishes(mpsc::UnboundedReceiver<Kind>);

/// Watches what is wished for, until the token is cancelled.
///
/// # Errors
/// Never: a watch that breaks goes on.
pub(crate) async fn keep(objects: Arc<Objects>, mut wishes: Wishes, token: CancellationToken) -> Result<()> {
    let mut watches: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            Some(()) = watches.next(), if !watches.is_empty() => {}
            wish = wishes.0.recv() => match wish {
                None => return Ok(()),
                Some(Kind::ConfigMaps) => watches.push(Box::pin(follow(&objects, &objects.configs, |mut map: ConfigMap| {
                    map.metadata.annotations = None;
                    Arc::new(map)
                }))),
                Some(Kind::Secrets) => watches.push(Box::pin(follow(&objects, &objects.secrets, |mut secret: Secret| {
                    secret.metadata.annotations = None;
                    Arc::new(secret)
                }))),
                Some(Kind::Claims) => watches.push(Box::pin(follow(&objects, &objects.claims, claim))),
                Some(Kind::Services) => watches.push(Box::pin(follow(&objects, &objects.services, exposed))),
            },
        }
    }
}

/// Keeps a shelf as the API server has it.
async fn follow<K, T>(objects: &Objects, shelf: &Shelf<T>, keep: impl Fn(K) -> T + Send)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + k8s_openapi::serde::de::DeserializeOwned + Send + 'static,
    T: Clone + Send + Sync,
{
    let events = watcher::watcher(Api::<Lean<K>>::all(objects.client.clone()), watcher::Config::default());
    let mut events = std::pin::pin!(events.map(|event| event.map(plain)).default_backoff());
    let key = |object: &K| {
        let meta = object.meta();
        (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
    };
    let mut listed = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => drop(listed.insert(key(&object), keep(object))),
            Ok(Event::InitDone) => {
                *shelf.held.write() = std::mem::take(&mut listed);
                objects.variables.lock().clear();
                shelf.ready.send_replace(true);
            }
            Ok(Event::Apply(object)) => {
                drop(shelf.held.write().insert(key(&object), keep(object)));
                objects.variables.lock().clear();
            }
            Ok(Event::Delete(object)) => {
                shelf.held.write().remove(&key(&object));
                objects.variables.lock().clear();
            }
            Err(error) => tracing::warn!(%error, "the watch of what pods refer to broke; it goes on soon"),
        }
    }
}

impl Objects {
    /// The client, for what is asked and not watched.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Whether all that is known of a kind is here; if not, it soon will be.
    fn is_ready<T: Clone>(&self, shelf: &Shelf<T>, kind: Kind) -> bool {
        if !shelf.wanted.swap(true, Ordering::Relaxed) {
            // Nobody watches any more in a process that is ending.
            let _ = self.wishes.send(kind);
        }
        *shelf.ready.borrow()
    }

    async fn wait<T: Clone>(&self, shelf: &Shelf<T>, kind: Kind) {
        if !self.is_ready(shelf, kind) {
            // The sender lives as long as the shelf.
            let _ = shelf.ready.subscribe().wait_for(|ready| *ready).await;
        }
    }

    /// A ConfigMap.
    pub(crate) async fn config(&self, namespace: &str, name: &str) -> Option<Arc<ConfigMap>> {
        self.wait(&self.configs, Kind::ConfigMaps).await;
        self.configs.get(namespace, name)
    }

    /// A Secret.
    pub(crate) async fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        self.wait(&self.secrets, Kind::Secrets).await;
        self.secrets.get(namespace, name)
    }

    /// A claim.
    pub(crate) async fn claim(&self, namespace: &str, name: &str) -> Option<Claim> {
        self.wait(&self.claims, Kind::Claims).await;
        self.claims.get(namespace, name)
    }

    /// A ConfigMap as it is known now.
    pub(crate) fn known_config(&self, namespace: &str, name: &str) -> Option<Arc<ConfigMap>> {
        self.configs.get(namespace, name)
    }

    /// A Secret as it is known now.
    pub(crate) fn known_secret(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        self.secrets.get(namespace, name)
    }

    /// A claim as it is known now.
    pub(crate) fn known_claim(&self, namespace: &str, name: &str) -> Option<Claim> {
        self.claims.get(namespace, name)
    }

    /// The variables of the Services of a namespace, or, without `links`, only of the API server's. Sorted by name.
    pub(crate) async fn variables(&self, namespace: &str, links: bool) -> Variables {
        self.wait(&self.services, Kind::Services).await;
        // No namespace has an empty name.
        let key = if links { namespace } else { "" };
        if let Some(known) = self.variables.lock().get(key) {
            return known.clone();
        }
        let mut all = BTreeMap::new();
        let held = self.services.held.read();
        let kubernetes = held.get(&(KUBERNETES.0.to_owned(), KUBERNETES.1.to_owned()));
        if let Some(service) = kubernetes.filter(|service| !service.ip.is_empty()) {
            service.tell(KUBERNETES.1, &mut all);
        }
        if links {
            let from = (namespace.to_owned(), String::new());
            let own = held.range(from..).take_while(|((space, _), _)| space == namespace);
            for ((_, name), service) in own.filter(|(_, service)| !service.ip.is_empty()) {
                service.tell(name, &mut all);
            }
        }
        drop(held);
        let variables: Variables = all.into_iter().collect();
        self.variables.lock().insert(key.to_owned(), variables.clone());
        variables
    }

    /// What a test says there is.
    #[cfg(test)]
    pub(crate) fn set(&self, object: &serde_json::Value) {
        let name = |value: &serde_json::Value| value.as_str().unwrap_or("default").to_owned();
        let key = (name(&object["metadata"]["namespace"]), name(&object["metadata"]["name"]));
        let parse = || object.clone();
        match object["kind"].as_str() {
            Some("ConfigMap") => drop(self.configs.held.write().insert(key, Arc::new(serde_json::from_value(parse()).unwrap()))),
            Some("Secret") => drop(self.secrets.held.write().insert(key, Arc::new(serde_json::from_value(parse()).unwrap()))),
            Some("PersistentVolumeClaim") => {
                drop(self.claims.held.write().insert(key, claim(serde_json::from_value(parse()).unwrap())));
            }
            Some("Service") => drop(self.services.held.write().insert(key, exposed(serde_json::from_value(parse()).unwrap()))),
            other => panic!("no such kind: {other:?}"),
        }
        self.variables.lock().clear();
    }

    /// A test takes all ConfigMaps and Secrets away.
    #[cfg(test)]
    pub(crate) fn forget(&self) {
        self.configs.held.write().clear();
        self.secrets.held.write().clear();
    }

    /// A test has said all there is.
    #[cfg(test)]
    pub(crate) fn known(&self) {
        for ready in [&self.configs.ready, &self.secrets.ready, &self.claims.ready, &self.services.ready] {
            ready.send_replace(true);
        }
    }
}

fn claim(claim: PersistentVolumeClaim) -> Claim {
    let bound = claim.status.is_some_and(|status| status.phase.as_deref() == Some("Bound"));
    Claim { volume: claim.spec.and_then(|spec| spec.volume_name).filter(|name| bound && !name.is_empty()) }
}

fn exposed(service: Service) -> Exposed {
    let spec = service.spec.unwrap_or_default();
    let ip = spec.cluster_ip.filter(|ip| ip != "None").unwrap_or_default();
    let ports = spec.ports.into_iter().flatten();
    let ports = ports.map(|port| (port.name.unwrap_or_default(), port.port, port.protocol.unwrap_or_else(|| "TCP".to_owned())));
    Exposed { ip, ports: ports.collect() }
}

impl Exposed {
    /// Adds the variables of this Service, as upstream and, long ago, Docker's links name them.
    fn tell(&self, name: &str, to: &mut BTreeMap<String, String>) {
        let word = |name: &str| name.to_uppercase().replace('-', "_");
        let prefix = word(name);
        let ip = &self.ip;
        let host = if ip.contains(':') { format!("[{ip}]") } else { ip.clone() };
        let Some((_, first, protocol)) = self.ports.first() else { return };
        to.insert(format!("{prefix}_SERVICE_HOST"), ip.clone());
        to.insert(format!("{prefix}_SERVICE_PORT"), first.to_string());
        to.insert(format!("{prefix}_PORT"), format!("{}://{host}:{first}", protocol.to_lowercase()));
        for (port_name, port, protocol) in &self.ports {
            if !port_name.is_empty() {
                to.insert(format!("{prefix}_SERVICE_PORT_{}", word(port_name)), port.to_string());
            }
            let (upper, lower) = (protocol.to_uppercase(), protocol.to_lowercase());
            let link = format!("{prefix}_PORT_{port}_{upper}");
            to.insert(format!("{link}_PROTO"), lower.clone());
            to.insert(format!("{link}_PORT"), port.to_string());
            to.insert(format!("{link}_ADDR"), ip.clone());
            to.insert(link, format!("{lower}://{host}:{port}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn services_become_variables() {
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Ok::<_, std::io::Error>(http::Response::new(kube::client::Body::empty()))
        });
        let (objects, _wishes) = objects(Client::new(service, "default"));
        let service = |namespace: &str, name: &str, ip: &str, ports: serde_json::Value| json!({ "kind": "Service", "metadata": { "namespace": namespace, "name": name }, "spec": { "clusterIP": ip, "ports": ports } });
        objects.set(&service("default", "kubernetes", "10.254.0.1", json!([{ "name": "https", "port": 443, "protocol": "TCP" }])));
        objects.set(&service("shop", "redis-master", "10.254.0.7", json!([{ "port": 6379 }])));
        objects.set(&service("shop", "headless", "None", json!([{ "port": 1 }])));
        objects.known();
        let all = objects.variables("shop", true).await;
        let text: String = all.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        expect![[r#"
            KUBERNETES_PORT=tcp://10.254.0.1:443
            KUBERNETES_PORT_443_TCP=tcp://10.254.0.1:443
            KUBERNETES_PORT_443_TCP_ADDR=10.254.0.1
            KUBERNETES_PORT_443_TCP_PORT=443
            KUBERNETES_PORT_443_TCP_PROTO=tcp
            KUBERNETES_SERVICE_HOST=10.254.0.1
            KUBERNETES_SERVICE_PORT=443
            KUBERNETES_SERVICE_PORT_HTTPS=443
            REDIS_MASTER_PORT=tcp://10.254.0.7:6379
            REDIS_MASTER_PORT_6379_TCP=tcp://10.254.0.7:6379
            REDIS_MASTER_PORT_6379_TCP_ADDR=10.254.0.7
            REDIS_MASTER_PORT_6379_TCP_PORT=6379
            REDIS_MASTER_PORT_6379_TCP_PROTO=tcp
            REDIS_MASTER_SERVICE_HOST=10.254.0.7
            REDIS_MASTER_SERVICE_PORT=6379
        "#]]
        .assert_eq(&text);
        assert!(Arc::ptr_eq(&all, &objects.variables("shop", true).await), "shared by the pods of the namespace");
        assert_eq!(objects.variables("shop", false).await.len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_is_watched_once_somebody_asks_and_never_before() {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = asked.clone();
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let sink = sink.clone();
            async move {
                sink.lock().push(request.uri().path().to_owned());
                if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                    std::future::pending::<()>().await;
                }
                let map = json!({ "metadata": { "name": "x", "namespace": "default" }, "data": { "k": "v" } });
                let list = json!({ "metadata": { "resourceVersion": "1" }, "items": [map] });
                Ok::<_, std::io::Error>(http::Response::new(kube::client::Body::from(list.to_string().into_bytes())))
            }
        });
        let (objects, wishes) = objects(Client::new(service, "default"));
        let mut tasks = mini_daemon::tasks::Tasks::new();
        tasks.spawn("objects", keep(objects.clone(), wishes, tasks.token()));
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        assert!(asked.lock().is_empty());
        assert!(objects.config("default", "x").await.is_some_and(|map| map.data.as_ref().unwrap()["k"] == "v"));
        assert!(objects.config("default", "y").await.is_none());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(*asked.lock(), ["/api/v1/configmaps", "/api/v1/configmaps"], "one list and one watch");
    }
}

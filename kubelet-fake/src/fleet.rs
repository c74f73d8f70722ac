//! The fleet: which nodes this process is, and how its parts are put together.
//!
//! One watch of pods serves all nodes. A single node asks for its own pods only; a fleet for all that have a node.
//!
//! Must not know: what is done with a pod.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::ListParams,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use mini_api::condition;
use mini_daemon::{
    clock, connect,
    events::Recorder,
    lean::{Lean, plain},
    process::Running,
    tasks::Tasks,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    heartbeat::{self, Order},
    network::{self, Network},
    node::{self, Facts},
    objects,
    runtime::{ContainerRuntime, Hints, Now, simulated::Simulated},
    server::{self, Sources, Spent},
    status,
    worker::{Links, Message, Worker},
};

/// How many messages may wait for the worker.
const MESSAGES: usize = 1024;

/// Runs the nodes until `tasks` are asked to stop.
///
/// # Errors
/// When the port cannot be had, a node cannot be registered, or one of the tasks dies.
pub fn run(client: Client, config: Config, tasks: Tasks) -> Running {
    let (pull_time, start_time) = (config.pull_time, config.start_time);
    run_on(client, config, tasks, Box::new(move |hints, now, network| Arc::new(Simulated::new(hints, now, network, pull_time, start_time))))
}

/// Makes the runtime of the nodes.
pub type MakeRuntime = Box<dyn FnOnce(Hints, Now, Network) -> Arc<dyn ContainerRuntime> + Send>;

/// Runs the nodes on a runtime of the caller's.
///
/// # Errors
/// As [`run`].
pub fn run_on(client: Client, config: Config, mut tasks: Tasks, runtime: MakeRuntime) -> Running {
    Box::pin(async move {
        let token = tasks.token();
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            ready = start(client, config, &mut tasks, runtime) => ready?,
        }
        tasks.join().await
    })
}

/// Registers the nodes and starts everything that keeps them going.
async fn start(client: Client, config: Config, tasks: &mut Tasks, runtime: MakeRuntime) -> Result<()> {
    connect::wait_ready(&client).await?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("listen on {}", config.listen))?;
    let (address, config) = reachable(listener.local_addr()?, config).await?;
    let (facts, known) = plan(&client, &config, address).await?;
    let recorder = Recorder::new(client.clone(), "kubelet", None, tasks);
    let nodes = heartbeat::register_all(&client, &facts, known).await?;
    for facts in &facts {
        greet(&recorder, &facts.name);
    }

    let (messages, inbox) = mpsc::channel(MESSAGES);
    let (orders, order_book) = mpsc::channel(MESSAGES);
    let (words, said) = mpsc::unbounded_channel();
    let (hints, hinted) = mpsc::unbounded_channel();
    let now: Now = Arc::new(clock::now);
    let names: Arc<HashSet<Arc<str>>> = Arc::new(facts.iter().map(|facts| facts.name.clone()).collect());
    let network = Network::new(names.clone(), config.api_server.clone());
    let runtime = runtime(hints, now.clone(), network.clone());
    network.leave_rest_to(&runtime);
    let (objects, wishes) = objects::objects(client.clone());
    let dns = Arc::new((config.cluster_dns, config.cluster_domain.clone()));
    let links = Links { runtime: runtime.clone(), objects: objects.clone(), dns, words, recorder, now };
    let worker = Worker::new(links, facts.iter().cloned().zip(nodes));

    let token = tasks.token();
    let spent = Arc::new(Spent::default());
    let sources = Sources { worker: messages.clone(), runtime, network: network.clone(), nodes: names.clone(), spent, stop: token.clone() };
    tasks.spawn("network", network::keep(client.clone(), network.clone(), token.clone()));
    tasks.spawn("node ports", network::listen(network, config.network.clone(), token.clone()));
    tasks.spawn("kubelet server", server::serve(listener, sources));
    tasks.spawn("status writer", status::write(client.clone(), said, token.clone()));
    tasks.spawn("heartbeats", heartbeat::keep(client.clone(), facts, order_book, token.clone()));
    tasks.spawn("objects", objects::keep(objects, wishes, token.clone()));
    tasks.spawn("worker", worker.run(inbox, hinted, token.clone()));
    let (pods, nodes) = match &config.names()[..] {
        [name] => (format!("spec.nodeName={name}"), format!("metadata.name={name}")),
        _ => ("spec.nodeName!=".to_owned(), String::new()),
    };
    tasks.spawn("pod watch", watch_pods(client.clone(), pods, messages.clone(), token.clone()));
    tasks.spawn("node watch", watch_nodes(client, nodes, names, messages, orders, token));
    Ok(())
}

/// Where others find what listens here. At all addresses of this machine is where it calls the API server from; a single node has that address too.
async fn reachable(listening: SocketAddr, mut config: Config) -> Result<(SocketAddr, Config)> {
    if !listening.ip().is_unspecified() {
        return Ok((listening, config));
    }
    let server = config.api_server.as_deref().context("who listens at all addresses must know where the API server is")?;
    let own = connect::own_address(server).await.with_context(|| format!("find the address from which to call {server}"))?;
    if let (IpAddr::V4(own), [_]) = (own, &config.names()[..]) {
        config.node_ip.get_or_insert(own);
    }
    Ok((SocketAddr::new(own, listening.port()), config))
}

/// What each node is: its place in the address ranges is its old one, or one that no node of the cluster has.
async fn plan(client: &Client, config: &Config, kubelet: SocketAddr) -> Result<(Vec<Arc<Facts>>, HashMap<String, Node>)> {
    let (api, everything) = (Api::<Node>::all(client.clone()), ListParams::default());
    let there = heartbeat::patiently(|| api.list(&everything)).await.context("list the nodes")?;
    let mut taken: HashSet<String> = there.items.iter().filter_map(|node| node.spec.as_ref()?.pod_cidr.clone()).collect();
    let known: HashMap<_, _> = there.items.into_iter().map(|node| (node.name_any(), node)).collect();
    let boot = clock::uuid();
    let facts = config.names().into_iter().map(|name| Arc::new(Facts::new(&name, config, known.get(&name), &mut taken, kubelet, &boot)));
    Ok((facts.collect(), known))
}

/// Says what a kubelet says when it starts.
fn greet(recorder: &Recorder, name: &str) {
    let about = node::reference(name);
    let recorder = recorder.on_host(name);
    for (reason, message) in node::greetings(name) {
        recorder.normal(&about, reason, message);
    }
}

/// Passes every change of the selected pods on to the worker.
async fn watch_pods(client: Client, selector: String, worker: mpsc::Sender<Message>, token: CancellationToken) -> Result<()> {
    let pods = watcher::watcher(Api::<Lean<Pod>>::all(client), watcher::Config::default().fields(&selector));
    let pods = pods.map(|event| event.map(plain)).default_backoff();
    let mut pods = std::pin::pin!(pods.take_until(token.cancelled_owned()));
    while let Some(event) = pods.next().await {
        let message = match event {
            Ok(Event::Init) => Message::Listing,
            Ok(Event::InitApply(pod) | Event::Apply(pod)) => Message::Pod(Box::new(pod)),
            Ok(Event::InitDone) => Message::Listed,
            Ok(Event::Delete(pod)) => Message::Gone(pod.metadata.uid.unwrap_or_default().into()),
            Err(error) => {
                tracing::warn!(%error, "the watch of pods broke; it goes on soon");
                continue;
            }
        };
        if worker.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Tells the worker what others change at our nodes, and orders new objects or statuses where they are missed.
async fn watch_nodes(
    client: Client,
    selector: String,
    ours: Arc<HashSet<Arc<str>>>,
    worker: mpsc::Sender<Message>,
    orders: mpsc::Sender<Order>,
    token: CancellationToken,
) -> Result<()> {
    let nodes = watcher::watcher(Api::<Lean<Node>>::all(client), watcher::Config::default().fields(&selector));
    let nodes = nodes.map(|event| event.map(plain)).default_backoff();
    let mut nodes = std::pin::pin!(nodes.take_until(token.cancelled_owned()));
    let mut listed = HashSet::new();
    while let Some(event) = nodes.next().await {
        let mut wanted = Vec::new();
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(node) | Event::Apply(node)) => {
                if let Some(name) = node.metadata.name.as_deref().and_then(|name| ours.get(name)) {
                    listed.insert(name.clone());
                    if !node.status.as_ref().is_some_and(|status| condition::is_true(&status.conditions, "Ready")) || node::is_untrue(&node)
                    {
                        wanted.push(Order::Refresh(name.clone()));
                    }
                    if worker.send(Message::Node(Box::new(node))).await.is_err() {
                        break;
                    }
                }
            }
            Ok(Event::InitDone) => wanted.extend(ours.difference(&listed).cloned().map(Order::Register)),
            Ok(Event::Delete(node)) => wanted.extend(ours.get(node.name_any().as_str()).cloned().map(Order::Register)),
            Err(error) => tracing::warn!(%error, "the watch of nodes broke; it goes on soon"),
        }
        for order in wanted {
            if orders.send(order).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, Request, Response};
    use kube::client::Body;
    use mini_daemon::tasks;
    use parking_lot::Mutex;
    use serde_json::{Value, json};

    use super::*;

    /// A request in short, with its body, and when it came.
    type Seen = (String, Value, Duration);

    /// Answers as an API server would that keeps what is made, and keeps what it was asked.
    fn client(seen: Arc<Mutex<Vec<Seen>>>) -> Client {
        let began = tokio::time::Instant::now();
        let service = tower::service_fn(move |request: Request<Body>| {
            let seen = seen.clone();
            async move {
                let (method, uri) = (request.method().clone(), request.uri().clone());
                if uri.query().is_some_and(|query| query.contains("watch=true")) {
                    std::future::pending::<()>().await;
                }
                let mut body: Value = serde_json::from_slice(&request.into_body().collect_bytes().await?).unwrap_or_default();
                let asked = format!("{method} {}", uri.path());
                seen.lock().push((asked, body.clone(), began.elapsed()));
                let answer = match method {
                    Method::GET => {
                        let made = format!("POST {}", uri.path());
                        let seen = seen.lock();
                        let items: Vec<_> = seen.iter().filter(|(asked, ..)| *asked == made).map(|(_, object, _)| object).collect();
                        json!({ "metadata": { "resourceVersion": "1" }, "items": items })
                    }
                    Method::PATCH => json!({ "metadata": {} }),
                    _ => {
                        body["metadata"]["uid"] = "uid".into();
                        body
                    }
                };
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(Body::from(answer.to_string().into_bytes())))
            }
        });
        Client::new(service, "default")
    }

    #[tokio::test(start_paused = true)]
    async fn a_fleet_registers_greets_and_keeps_its_leases() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let tasks = Tasks::new();
        let token = tasks.token();
        let fleet = tasks::detach("fleet", run(client(seen.clone()), Config::fleet(4), tasks));
        tokio::time::sleep(Duration::from_secs(21)).await;
        token.cancel();
        fleet.await.unwrap().unwrap();

        let seen = std::mem::take(&mut *seen.lock());
        let of = |asked: &str| seen.iter().filter(|(other, ..)| other == asked).collect::<Vec<_>>();
        let ranges: HashSet<_> = of("POST /api/v1/nodes").iter().map(|(_, node, _)| node["spec"]["podCIDR"].to_string()).collect();
        assert_eq!(ranges.len(), 4);
        assert_eq!(of("POST /api/v1/namespaces/default/events").len(), 4 * 6);
        let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
        assert_eq!(of(&format!("POST {leases}")).len(), 4);
        let renewed: Vec<_> = of(&format!("PATCH {leases}/k8s-node-2")).iter().map(|(.., at)| at.as_millis()).collect();
        assert_eq!(renewed, [2_500, 12_500], "the second of four, every ten seconds");
    }
}

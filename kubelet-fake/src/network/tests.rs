//! Two kubelets on the loopback address, whose pods answer with their names; and what they know of the cluster is put in by hand, or
//! read from an API server that is a table.

use std::collections::BTreeMap;

use axum::http::{Method, Request, Response};
use futures::future::BoxFuture;
use kube::{Client, client::Body};
use mini_daemon::tasks::{Tasks, detach};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use super::{
    index::tests::{node_object, put, service, slice},
    *,
};
use crate::{
    runtime::simulated::Simulated,
    server::{self, Sources},
};

/// A pod: at each of its ports it says its name and who seems to connect, and then repeats what it hears.
struct Talker {
    name: &'static str,
    ports: &'static [u16],
}

#[async_trait::async_trait]
impl Host for Talker {
    async fn accept(&self, port: u16, from: SocketAddr, mut stream: Box<dyn Stream>) -> io::Result<()> {
        if !self.ports.contains(&port) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let greeting = format!("{}:{port} {}\n", self.name, from.ip());
        detach("talker", async move {
            stream.write_all(greeting.as_bytes()).await?;
            let (mut read, mut write) = tokio::io::split(stream);
            tokio::io::copy(&mut read, &mut write).await?;
            write.shutdown().await
        });
        Ok(())
    }
}

/// One kubelet process.
struct Side {
    network: Network,
    address: String,
    source: Source,
    _runtime: Arc<dyn ContainerRuntime>,
    _inbox: mpsc::Receiver<crate::worker::Message>,
}

impl Side {
    /// The kubelet of node `nN`, which serves on a port of the loopback address.
    async fn new(number: u8, tasks: &mut Tasks) -> Self {
        let ours: Arc<HashSet<Arc<str>>> = Arc::new(HashSet::from([format!("n{number}").into()]));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let network = Network::new(ours.clone(), None);
        let (hints, _) = mpsc::unbounded_channel();
        let (worker, inbox) = mpsc::channel(8);
        let now = Arc::new(mini_daemon::clock::now);
        let runtime: Arc<dyn ContainerRuntime> = Arc::new(Simulated::new(hints, now, network.clone(), Duration::ZERO, Duration::ZERO));
        network.leave_rest_to(&runtime);
        let (runtime_too, nodes, spent, stop) = (runtime.clone(), ours, Arc::default(), tasks.token());
        let sources = Sources { worker, runtime: runtime_too, network: network.clone(), nodes, spent, stop };
        tasks.spawn("server", server::serve(listener, sources));
        let source = Source { ip: [10, 244, number, 9].into(), node: format!("n{number}").into() };
        Self { network, address, source, _runtime: runtime, _inbox: inbox }
    }

    /// What is said by whoever is at an address, and what he makes of `hello`.
    async fn talk(&self, to: &str) -> io::Result<String> {
        hear(self.network.connect(&self.source, to.parse().unwrap()).await?).await
    }

    async fn talk_in_turn(&self, to: &str, times: usize) -> Vec<String> {
        let mut heard = Vec::new();
        for _ in 0..times {
            heard.push(self.talk(to).await.unwrap());
        }
        heard
    }
}

async fn hear(mut stream: impl Stream) -> io::Result<String> {
    stream.write_all(b"hello").await?;
    stream.shutdown().await?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await?;
    Ok(heard.replace('\n', " "))
}

/// Two kubelets with a pod each, `10.244.N.2`, and the Service `web` of both. Both know all.
async fn world(tasks: &mut Tasks) -> ([Side; 2], Vec<Registration>) {
    let sides = [Side::new(1, tasks).await, Side::new(2, tasks).await];
    for side in &sides {
        side.network.change(|index| {
            for (number, address) in [(1, &sides[0].address), (2, &sides[1].address)] {
                put::<k8s_openapi::api::core::v1::Node>(index, node_object(number, address));
            }
            // Nothing listens at this kubelet's port.
            put::<k8s_openapi::api::core::v1::Node>(index, node_object(3, "127.0.0.1:1"));
            put::<k8s_openapi::api::core::v1::Namespace>(index, json!({ "metadata": { "name": "default" } }));
            let ports = json!([{ "name": "http", "port": 8080 }]);
            service(index, "default", "web", json!({ "clusterIP": "10.254.0.10", "ports": ports }));
            slice(index, "default", "web", "web", "http", &["10.244.1.2 n1 ready", "10.244.2.2 n2 ready"]);
        });
        side.network.0.synced.send_replace(KINDS);
    }
    let one = sides[0].network.register([10, 244, 1, 2].into(), Arc::new(Talker { name: "one", ports: &[80] }));
    let two = sides[1].network.register([10, 244, 2, 2].into(), Arc::new(Talker { name: "two", ports: &[80] }));
    (sides, vec![one, two])
}

#[tokio::test]
async fn pods_reach_each_other_across_kubelets() {
    let mut tasks = Tasks::new();
    let ([first, second], _there) = world(&mut tasks).await;
    assert_eq!(first.talk("10.244.1.2:80").await.unwrap(), "one:80 10.244.1.9 hello");
    assert_eq!(first.talk("10.244.2.2:80").await.unwrap(), "two:80 10.244.1.9 hello", "on the other kubelet");
    let turns = ["one:80 10.244.2.9 hello", "two:80 10.244.2.9 hello", "one:80 10.244.2.9 hello"];
    assert_eq!(second.talk_in_turn("10.254.0.10:8080", 3).await, turns);
    for refused in ["10.244.1.2:81", "10.244.2.2:81", "192.168.0.2:22"] {
        assert_eq!(first.talk(refused).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused, "{refused}");
    }
    let (name, ips) = first.network.lookup("web", "default").await.unwrap();
    assert_eq!((name.as_str(), ips), ("web.default.svc.cluster.local", vec![IpAddr::from([10, 254, 0, 10])]));
    assert_eq!(first.network.lookup("nope", "default").await, None);

    // Who meets himself is hidden, or he would not know his own answers.
    let itself = Side { source: Source { ip: [10, 244, 1, 2].into(), node: "n1".into() }, ..first };
    assert_eq!(itself.talk("10.254.0.10:8080").await.unwrap(), "one:80 192.168.0.1 hello");
    assert_eq!(itself.talk("127.0.0.1:80").await.unwrap(), "one:80 10.244.1.2 hello");
}

#[tokio::test]
async fn a_nodes_address_is_shared_by_its_pods_and_its_kubelet() {
    let mut tasks = Tasks::new();
    let ([first, second], _there) = world(&mut tasks).await;
    let ip = IpAddr::from([192, 168, 0, 2]);
    let exporter = second.network.register(ip, Arc::new(Talker { name: "exporter", ports: &[9100] }));
    let _other = second.network.register(ip, Arc::new(Talker { name: "other", ports: &[9100, 9200] }));
    assert_eq!(first.talk("192.168.0.2:9100").await.unwrap(), "exporter:9100 10.244.1.9 hello");
    assert_eq!(first.talk("192.168.0.2:9200").await.unwrap(), "other:9200 10.244.1.9 hello");
    drop(exporter);
    assert_eq!(first.talk("192.168.0.2:9100").await.unwrap(), "other:9100 10.244.1.9 hello");

    let mut kubelet = first.network.connect(&first.source, "192.168.0.2:10250".parse().unwrap()).await.unwrap();
    kubelet.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    kubelet.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_takes_its_time() {
    let network = Network::new(Arc::new(HashSet::from(["n1".into()])), None);
    network.change(|index| {
        put::<k8s_openapi::api::core::v1::Node>(index, node_object(1, "127.0.0.1:1"));
        service(index, "default", "web", json!({ "clusterIP": "10.254.0.10", "ports": [{ "port": 80 }] }));
    });
    network.0.synced.send_replace(KINDS);
    let from = Source { ip: [10, 244, 1, 9].into(), node: "n1".into() };
    for (to, kind, seconds) in [
        ("10.254.0.10:80", io::ErrorKind::ConnectionRefused, 0),
        ("10.254.0.10:81", io::ErrorKind::TimedOut, 131),
        ("10.244.1.77:80", io::ErrorKind::HostUnreachable, 3),
        ("8.8.8.8:53", io::ErrorKind::TimedOut, 131),
    ] {
        let begun = Instant::now();
        let error = network.connect(&from, to.parse().unwrap()).await.err().unwrap();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (kind, seconds), "{to}");
    }
}

/// A port that nobody listens at now.
async fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port()
}

/// What is heard at a port of this machine, tried until somebody listens.
async fn at_door(port: u16) -> String {
    loop {
        if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
            && let Ok(heard) = hear(stream).await
        {
            return heard;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until nobody listens at a port of this machine.
async fn closed(port: u16) {
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_node_port_really_listens_and_another_kubelet_takes_over() {
    let mut tasks = Tasks::new();
    let (sides, _there) = world(&mut tasks).await;
    let port = free_port().await;
    let expose = |side: &Side| {
        let spec = json!({ "type": "NodePort", "clusterIP": "10.254.0.10", "ports": [{ "name": "http", "port": 8080, "nodePort": port }] });
        side.network.change(|index| service(index, "default", "web", spec));
    };
    let args = NetworkArgs { node_ports: true, ..NetworkArgs::default() };
    let stops = [tokio_util::sync::CancellationToken::new(), tokio_util::sync::CancellationToken::new()];
    tasks.spawn("first", listen(sides[0].network.clone(), args.clone(), stops[0].clone()));
    expose(&sides[0]);
    assert_eq!(at_door(port).await, "one:80 192.168.0.1 hello", "as from the node");
    assert_eq!(at_door(port).await, "two:80 192.168.0.1 hello");

    expose(&sides[1]);
    tasks.spawn("second", listen(sides[1].network.clone(), args, stops[1].clone()));
    assert_eq!(at_door(port).await, "one:80 192.168.0.1 hello", "the second waits");
    stops[0].cancel();
    let taken_over = async { while at_door(port).await != "one:80 192.168.0.2 hello" {} };
    tokio::time::timeout(Duration::from_secs(30), taken_over).await.unwrap();

    sides[1].network.change(|index| slice(index, "default", "web", "web", "http", &["10.244.1.2 n1 unready"]));
    tokio::time::timeout(Duration::from_secs(30), closed(port)).await.expect("nobody could be served");
    stops[1].cancel();
}

/// A pod that answers each request with its name, the request's path and some of its headers.
struct Web(&'static str);

#[async_trait::async_trait]
impl Host for Web {
    async fn accept(&self, _: u16, _: SocketAddr, stream: Box<dyn Stream>) -> io::Result<()> {
        let name = self.0;
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| async move {
            let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
            let path = request.uri().to_string();
            let told = format!("{name} {path} {} {}", header("host"), header("x-forwarded-for"));
            Ok::<_, io::Error>(Response::new(axum::body::Body::from(told)))
        });
        let serving = hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(stream), service);
        detach("web", async move {
            let _ = serving.await;
        });
        Ok(())
    }
}

#[tokio::test]
async fn requests_reach_the_services_of_an_ingress() {
    let mut tasks = Tasks::new();
    let ([first, second], _there) = world(&mut tasks).await;
    let _shop = second.network.register([10, 244, 2, 3].into(), Arc::new(Web("shop")));
    first.network.change(|index| {
        let ports = json!([{ "name": "http", "port": 80 }]);
        for (number, name) in [(20, "shop"), (21, "empty"), (22, "broken")] {
            service(index, "default", name, json!({ "clusterIP": format!("10.254.0.{number}"), "ports": ports }));
        }
        slice(index, "default", "shop", "shop", "http", &["10.244.2.3 n2 ready"]);
        slice(index, "default", "broken", "broken", "http", &["10.244.1.5 n1 ready"]);
        let path = |path: &str, name: &str| {
            json!({ "path": path, "pathType": "Prefix", "backend": { "service": { "name": name, "port": { "name": "http" } } } })
        };
        let paths = [path("/shop", "shop"), path("/empty", "empty"), path("/broken", "broken"), path("/lost", "lost")];
        put::<k8s_openapi::api::networking::v1::Ingress>(
            index,
            json!({
                "metadata": { "namespace": "default", "name": "all" }, "spec": { "rules": [{ "host": "shop.com", "http": { "paths": paths } }] },
                "status": { "loadBalancer": { "ingress": [{ "ip": "203.0.113.254" }] } },
            }),
        );
    });
    for (host, path, code, body) in [
        ("shop.com", "/shop/a?b=c", 200, "shop /shop/a?b=c shop.com 10.244.1.9"),
        ("shop.com:8080", "/shop", 200, "shop /shop shop.com:8080 10.244.1.9"),
        ("shop.com", "/other", 404, "default backend - 404"),
        ("other.com", "/shop", 404, "default backend - 404"),
        ("shop.com", "/empty", 503, "<center><h1>503 Service Temporarily Unavailable</h1></center>"),
        ("shop.com", "/lost", 503, "<center><h1>503 Service Temporarily Unavailable</h1></center>"),
        ("shop.com", "/broken", 502, "<center><h1>502 Bad Gateway</h1></center>"),
    ] {
        let mut gateway = first.network.connect(&first.source, "203.0.113.254:80".parse().unwrap()).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        gateway.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        gateway.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")) && answer.contains(body), "{host}{path}: {answer}");
    }
}

/// An API server that has these objects, by path, and to which nothing happens; it counts what it is asked.
fn api(objects: BTreeMap<&'static str, Vec<Value>>, asked: Arc<Mutex<Vec<String>>>) -> Client {
    let objects = Arc::new(objects);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (objects, asked) = (objects.clone(), asked.clone());
        let answered: BoxFuture<'static, Result<Response<Body>, io::Error>> = Box::pin(async move {
            assert_eq!(request.method(), Method::GET);
            asked.lock().push(request.uri().path().to_owned());
            if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                std::future::pending::<()>().await;
            }
            let items = objects.get(request.uri().path()).cloned().unwrap_or_default();
            let list = json!({ "metadata": { "resourceVersion": "1" }, "items": items });
            Ok(Response::new(Body::from(list.to_string().into_bytes())))
        });
        answered
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn nothing_is_watched_before_somebody_asks() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let web =
        json!({ "metadata": { "namespace": "default", "name": "web" }, "spec": { "clusterIP": "10.254.0.10", "ports": [{ "port": 80 }] } });
    let objects = BTreeMap::from([
        ("/api/v1/services", vec![web]),
        ("/api/v1/namespaces", vec![json!({ "metadata": { "name": "default" } })]),
        ("/api/v1/nodes", vec![node_object(1, "127.0.0.1:1")]),
    ]);
    let network = Network::new(Arc::default(), None);
    let mut tasks = Tasks::new();
    tasks.spawn("network", keep(api(objects, asked.clone()), network.clone(), tasks.token()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*asked.lock(), [] as [String; 0]);

    let found = network.resolve("web.default.svc.cluster.local", dns::Kind::A).await;
    assert_eq!(found.addresses().collect::<Vec<_>>(), [IpAddr::from([10, 254, 0, 10])]);
    assert!(network.0.index.read().node("n1").is_some());
    let paths: HashSet<String> = asked.lock().iter().cloned().collect();
    assert_eq!(paths.len(), KINDS, "{paths:?}");
    tasks.token().cancel();
    tasks.join().await.unwrap();
}

#[tokio::test]
async fn what_is_remembered_of_ports_goes_with_them() {
    let network = Network::new(Arc::default(), None);
    let ports: Vec<Value> = (1..=200).map(|port| json!({ "name": format!("p{port}"), "port": port })).collect();
    network.change(|index| service(index, "default", "web", json!({ "clusterIP": "10.254.0.10", "ports": ports })));
    let choose = |number: usize| {
        let index = network.0.index.read();
        let (_, known) = index.met_at([10, 254, 0, 10].into()).next().unwrap();
        let endpoint =
            mini_api::proxy::Endpoint { ip: [10, 244, 1, 2].into(), port: 80, node: None, ready: true, serving: true, terminating: false };
        let port = &known.ports[number];
        network.choose(&index, &Balanced { port, among: vec![&endpoint], masked_by: None }, [10, 244, 1, 9].into());
    };
    (0..60).for_each(choose);
    let fewer = json!({ "clusterIP": "10.254.0.10", "ports": ports[100..].to_vec() });
    network.change(|index| service(index, "default", "web", fewer));
    (0..60).for_each(choose);
    assert!(network.0.turns.lock().len() <= 67, "{}", network.0.turns.lock().len());
}

//! Streams to and from containers, through the API server and the kubelet: `exec`, `attach`, `portforward` and `proxy`, raw, with
//! kube-rs and with kubectl.

use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{AttachParams, TerminalSize},
};
use mini_cluster::{Cluster, Options};
use mini_daemon::tasks::{Tasks, detach};
use mini_tests::{World, http::Http, wait_for};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use self::runtime::{Alive, ECHO, HTTP, Scripted, read_all};

mod clients;
mod runtime;

const PODS: &str = "/api/v1/namespaces/default/pods";

/// A cluster of one node whose containers can be talked with.
struct Talkative {
    cluster: Cluster,
    http: Http,
    alive: Alive,
    kubelet: Tasks,
}

impl Talkative {
    async fn start() -> Self {
        let cluster = Options { kubelet: None, ..Options::default() }.start().await.expect("it starts");
        let (kubelet, alive) = (Tasks::new(), Alive::default());
        let counted = alive.clone();
        let runtime = Box::new(move |hints, now, _| Arc::new(Scripted::new(hints, now, counted)) as Arc<_>);
        let running = mini_kubelet::run_on(cluster.client(), mini_kubelet::Config::single("node-1"), kubelet.child(), runtime);
        detach("kubelet", running);
        let http = Http::new(cluster.address());
        Self { cluster, http, alive, kubelet }
    }

    /// A pod of these containers, once it runs.
    async fn pod(&self, name: &str, containers: &[&str]) {
        let containers: Vec<Value> = containers.iter().map(|name| json!({ "name": name, "image": "nginx:1.7.9" })).collect();
        let pod = json!({ "metadata": { "name": name, "labels": { "app": name } }, "spec": { "containers": containers } });
        let made = self.http.post(PODS, &pod).await;
        assert_eq!(made.code, 201, "{}", made.text());
        wait_for("the pod to run", || async {
            let pod = self.http.get(&format!("{PODS}/{name}")).await.json();
            if pod["status"]["phase"] == "Running" { Ok(()) } else { Err(pod) }
        })
        .await;
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client(), "default")
    }

    /// Waits until no command and no connection is left.
    async fn nothing_is_left(&self) {
        wait_for("the end of all streams", || async {
            let left = self.alive.count();
            if left == 0 { Ok(()) } else { Err(left) }
        })
        .await;
    }

    async fn stop(self) {
        self.kubelet.token().cancel();
        self.cluster.stop().await.expect("it stops");
    }
}

/// As many bytes, no two neighbours alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| u8::try_from(index * 31 % 251).unwrap_or_default()).collect()
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(mini_tests::PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Writes all of it and says that this was all.
async fn write_all(mut stream: impl AsyncWrite + Unpin, bytes: Vec<u8>) {
    stream.write_all(&bytes).await.expect("it can be written");
    stream.shutdown().await.expect("it can be shut down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_reads_writes_complains_and_ends() {
    let world = Talkative::start().await;
    world.pod("web", &["nginx"]).await;
    let params = AttachParams::default().stdin(true);
    let mut cat = in_time("exec", world.pods().exec("web", ["cat"], &params)).await.expect("cat starts");
    let (stdin, stdout) = (cat.stdin().expect("stdin"), cat.stdout().expect("stdout"));
    // More than fits into all buffers on the way; and the end of the input alone makes cat end.
    let sent = bytes(2 << 20);
    let (received, ()) = in_time("2 MB through cat", futures::future::join(read_all(stdout), write_all(stdin, sent.clone()))).await;
    assert!(received == sent, "{} bytes of {} came back", received.len(), sent.len());
    let status = in_time("the status", cat.take_status().expect("a status")).await.expect("it comes");
    assert_eq!(status.status.as_deref(), Some("Success"));

    let mut fail = in_time("exec", world.pods().exec("web", ["fail", "3"], &AttachParams::default())).await.expect("it starts");
    let status = fail.take_status().expect("a status");
    let complaint = in_time("stderr", read_all(fail.stderr().expect("stderr"))).await;
    let status = in_time("the status", status).await.expect("it comes");
    assert_eq!((complaint.as_slice(), status.reason.as_deref()), (&b"no\n"[..], Some("NonZeroExitCode")));
    let message = "command terminated with non-zero exit code: error executing command [fail 3], exit code 3";
    assert_eq!(status.message.as_deref(), Some(message));
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    assert_eq!(causes.iter().map(|cause| cause.message.as_deref()).collect::<Vec<_>>(), [Some("3")]);

    let params = AttachParams::interactive_tty();
    let mut size = in_time("exec", world.pods().exec("web", ["size"], &params)).await.expect("it starts");
    let mut sizes = size.terminal_size().expect("a terminal");
    let mut stdout = size.stdout().expect("stdout");
    sizes.send(TerminalSize { width: 132, height: 43 }).await.expect("it is told");
    let mut told = [0; 16];
    in_time("the size", stdout.read_exact(&mut told)).await.expect("it comes");
    assert_eq!(String::from_utf8_lossy(&told), "132x43 tty=true\n");
    drop((size, sizes, stdout));
    world.nothing_is_left().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_are_forwarded_both_ways() {
    let world = Talkative::start().await;
    world.pod("web", &["nginx"]).await;
    let mut forwarder = in_time("portforward", world.pods().portforward("web", &[ECHO, 9])).await.expect("it starts");
    let (mut reader, mut writer) = tokio::io::split(forwarder.take_stream(ECHO).expect("a stream"));
    let sent = bytes(2 << 20);
    let mut received = vec![0; sent.len()];
    let both = futures::future::join(reader.read_exact(&mut received), writer.write_all(&sent));
    let (read, written) = in_time("2 MB there and back", both).await;
    read.expect("all comes back");
    written.expect("all is sent");
    assert!(received == sent, "what came back is not what was sent");
    let refused = in_time("the refusal", forwarder.take_error(9).expect("an error")).await.unwrap_or_default();
    assert!(refused.starts_with("error forwarding port 9 to pod web_default, uid "), "{refused}");
    assert!(refused.ends_with(": dial tcp 10.244.1.2:9: connect: connection refused"), "{refused}");
    assert_eq!(world.alive.count(), 1);
    drop((reader, writer));
    in_time("the end", forwarder.join()).await.expect("it ends well");
    world.nothing_is_left().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_disappears_and_a_server_that_stops_end_their_streams() {
    let world = Talkative::start().await;
    world.pod("web", &["nginx"]).await;
    let params = AttachParams::default().stdin(true);
    let cat = in_time("exec", world.pods().exec("web", ["cat"], &params)).await.expect("cat starts");
    let forwarder = in_time("portforward", world.pods().portforward("web", &[ECHO])).await.expect("it starts");
    let proxied = upgraded(&world, &format!("{PODS}/web/proxy/echo")).await;
    wait_for("three streams", || async { if world.alive.count() == 3 { Ok(()) } else { Err(world.alive.count()) } }).await;
    cat.abort();
    forwarder.abort();
    drop((cat, forwarder, proxied));
    world.nothing_is_left().await;

    let cat = in_time("exec", world.pods().exec("web", ["cat"], &params)).await.expect("cat starts");
    let mut followed = world.http.watch(&format!("{PODS}/web/log?follow=true")).await;
    let alive = world.alive.clone();
    in_time("the end of the server", world.stop()).await;
    in_time("the end of the command", cat.join()).await.expect_err("it is cut off");
    assert!(in_time("the end of the log", followed.next()).await.is_none());
    wait_for("the end of the command", || async { if alive.count() == 0 { Ok(()) } else { Err(alive.count()) } }).await;
}

/// A connection that is upgraded through the API server.
async fn upgraded(world: &Talkative, path: &str) -> TokioIo<hyper::upgrade::Upgraded> {
    let stream = tokio::net::TcpStream::connect(world.cluster.address()).await.expect("connect");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("shake hands");
    detach("client", connection.with_upgrades());
    let request = Request::get(path).header("host", "localhost").header("connection", "Upgrade").header("upgrade", "echo");
    let mut answer = sender.send_request(request.body(Empty::<Bytes>::new()).expect("a request")).await.expect("an answer");
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        panic!("{}: {:?}", answer.status(), answer.into_body().collect().await.map(http_body_util::Collected::to_bytes));
    }
    assert_eq!(answer.headers().get("upgrade").and_then(|value| value.to_str().ok()), Some("echo"));
    TokioIo::new(hyper::upgrade::on(&mut answer).await.expect("it is upgraded"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_proxied_to_pods_services_and_nodes() {
    let world = Talkative::start().await;
    let http = &world.http;
    world.pod("web", &["nginx"]).await;
    let get = async |path: &str| {
        let answer = http.get(path).await;
        (answer.code, answer.text())
    };
    let proxy = format!("{PODS}/web/proxy");
    assert_eq!(get(&format!("{proxy}/a%2Fb?c=d")).await, (200, format!("GET /a%2Fb?c=d as {proxy}/a%2Fb, -")));
    let answer = http.send("PATCH", &format!("{PODS}/http:web:{HTTP}/proxy/x"), &[("authorization", "Bearer secret")], "").await;
    assert_eq!((answer.code, answer.text()), (200, format!("PATCH /x as {PODS}/http:web:80/proxy/x, -")));
    assert_eq!(answer.headers.get("content-type").and_then(|value| value.to_str().ok()), Some("text/plain"));
    assert!(answer.headers.get("keep-alive").is_none(), "it is about one connection only");
    let moved = http.get(&format!("{proxy}?a=b")).await;
    assert_eq!((moved.code, moved.headers["location"].to_str().ok()), (301, Some(format!("{proxy}/?a=b").as_str())));
    let login = http.get(&format!("{proxy}/login")).await;
    assert_eq!((login.code, login.headers["location"].to_str().ok()), (302, Some(format!("{proxy}/welcome?from=login").as_str())));
    // More than the API server takes as a body of its own.
    let sent = "0123456789abcdef".repeat(256 << 10);
    let echoed = http.send("POST", &format!("{proxy}/echo"), &[], sent.clone()).await;
    assert!(echoed.code == 200 && echoed.text() == sent, "{}: {} bytes", echoed.code, echoed.body.len());

    let stream = upgraded(&world, &format!("{proxy}/echo")).await;
    let (reader, writer) = tokio::io::split(stream);
    let sent = bytes(2 << 20);
    let (received, ()) = in_time("2 MB there and back", futures::future::join(read_all(reader), write_all(writer, sent.clone()))).await;
    assert!(received == sent, "{} bytes of {} came back", received.len(), sent.len());

    let ports = json!([{ "name": "web", "port": 8080, "targetPort": HTTP }, { "name": "shut", "port": 9 }]);
    let service = json!({ "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" }, "ports": ports } });
    assert_eq!(http.post("/api/v1/namespaces/default/services", &service).await.code, 201);
    let services = "/api/v1/namespaces/default/services";
    wait_for("an endpoint", || async {
        let answer = get(&format!("{services}/web:web/proxy/x")).await;
        if answer.0 == 200 { Ok(()) } else { Err(answer) }
    })
    .await;
    assert_eq!(get(&format!("{services}/web:8080/proxy/y")).await, (200, format!("GET /y as {services}/web:8080/proxy/y, -")));
    assert_eq!(get("/api/v1/nodes/node-1/proxy/healthz").await, (200, "ok".to_owned()));

    for (path, code, message) in [
        (format!("{services}/web/proxy/"), 503, "no endpoints available for service \"web\""),
        (format!("{services}/kubernetes:https/proxy/"), 503, "no endpoints available for service \"kubernetes\""),
        (format!("{services}/web:1/proxy/"), 503, "no service port 1 found for service \"web\""),
        (format!("{services}/web:9/proxy/"), 503, "error trying to reach service: dial tcp 10.244.1.2:9: connect: connection refused"),
        (format!("{services}/ftp:web:9/proxy/"), 400, "invalid service request \"ftp:web:9\""),
        (format!("{services}/https:web:web/proxy/"), 501, "proxying to https is not supported by this server yet"),
        (format!("{services}/none/proxy/"), 404, "services \"none\" not found"),
        (format!("{PODS}/none/proxy/"), 404, "pods \"none\" not found"),
    ] {
        let answer = http.get(&path).await;
        assert_eq!((answer.code, answer.json()["message"].as_str()), (code, Some(message)), "{path}");
    }
    world.nothing_is_left().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused() {
    let world = Talkative::start().await;
    let http = &world.http;
    world.pod("web", &["nginx"]).await;
    world.pod("two", &["a", "b"]).await;
    let nowhere = json!({
        "metadata": { "name": "nowhere" },
        "spec": { "schedulerName": "nobody", "containers": [{ "name": "c", "image": "nginx" }] },
    });
    assert_eq!(http.post(PODS, &nowhere).await.code, 201);
    for (method, path, code, message) in [
        ("GET", "none/exec?command=ls", 404, "pods \"none\" not found"),
        ("GET", "web/exec?command=ls", 400, "Upgrade request required"),
        ("POST", "web/attach", 400, "Upgrade request required"),
        ("GET", "web/portforward?ports=80", 400, "Upgrade request required"),
        ("GET", "web/exec?command=ls&container=x", 400, "container x is not valid for pod web"),
        ("GET", "two/attach", 400, "a container name must be specified for pod two, choose one of: [a b]"),
        ("GET", "two/log", 400, "a container name must be specified for pod two, choose one of: [a b]"),
        ("GET", "nowhere/exec?command=ls", 400, "pod nowhere does not have a host assigned"),
        ("GET", "nowhere/portforward?ports=80", 400, "pod nowhere does not have a host assigned"),
        ("GET", "nowhere/proxy/", 400, "address not allowed"),
        ("PUT", "web/exec", 405, "the server does not allow this method on the requested resource"),
        ("POST", "web/log", 405, "the server does not allow this method on the requested resource"),
        ("TRACE", "web/proxy/", 405, "the server does not allow this method on the requested resource"),
        ("GET", "web/exec/more", 404, "the server could not find the requested resource"),
    ] {
        // A pod that nobody runs is asked for by nobody: the checks of the API server come first.
        let answer = http.send(method, &format!("{PODS}/{path}"), &[], "").await;
        assert_eq!((answer.code, answer.json()["message"].as_str()), (code, Some(message)), "{method} {path}: {}", answer.text());
    }
    let answer = http.get(&format!("{PODS}/nowhere/log")).await;
    assert_eq!((answer.code, answer.text()), (204, String::new()), "there is no log yet");

    // The kubelet's own refusals come through with their codes.
    let spdy = |protocol: &'static str| [("connection", "Upgrade"), ("upgrade", "SPDY/3.1"), ("x-stream-protocol-version", protocol)];
    let answer = http.send("POST", &format!("{PODS}/web/exec?command=ls"), &spdy("v1.channel.k8s.io"), "").await;
    let unable = "unable to upgrade: unable to negotiate protocol: client supports [v1.channel.k8s.io], server accepts [v5.channel.k8s.io v4.channel.k8s.io]";
    assert_eq!((answer.code, answer.text().as_str()), (403, unable));
    let answer = http.send("POST", &format!("{PODS}/web/portforward"), &spdy("")[..2], "").await;
    assert_eq!((answer.code, answer.text().as_str()), (400, "unable to upgrade: X-Stream-Protocol-Version is required"));
    let websocket = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "v4.base64.channel.k8s.io"),
    ];
    let answer = http.send("GET", &format!("{PODS}/web/portforward?ports=80"), &websocket, "").await;
    let unable = "unable to upgrade: unable to negotiate protocol: client supports [v4.base64.channel.k8s.io], server accepts [v5.channel.k8s.io v4.channel.k8s.io SPDY/3.1+portforward.k8s.io]";
    assert_eq!((answer.code, answer.text().as_str()), (403, unable));
    world.stop().await;
}

/// Whether the client on the `PATH` speaks WebSocket by itself.
fn speaks_websocket(world: &World) -> bool {
    let version: Value = serde_json::from_str(&world.kubectl(&["version", "--client", "-o", "json"]).success()).expect("a version");
    let minor = version["clientVersion"]["minor"].as_str().unwrap_or_default().trim_end_matches('+');
    minor.parse::<u32>().is_ok_and(|minor| minor >= 31)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_command_line_all_is_told_as_upstream_tells_it() {
    let world = World::up(1);
    let pod = |name: &str, containers: &[&str], annotations: Value| {
        let containers: Vec<Value> = containers.iter().map(|name| json!({ "name": name, "image": "nginx:1.25.4" })).collect();
        let spec = json!({ "restartPolicy": "Never", "containers": containers });
        let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "annotations": annotations }, "spec": spec });
        world.kubectl_with(&["apply", "-f", "-"], &pod.to_string()).success();
    };
    let said = |args: &[&str]| world.kubectl(args).failure();
    pod("web", &["nginx"], json!({}));
    world.kubectl(&["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"]).success();
    pod("done", &["nginx"], json!({ "mini.dev/exit-code.nginx": "0" }));
    pod("half", &["a", "b"], json!({ "mini.dev/exit-code.b": "0" }));
    world.ctl(&["wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/done", "--timeout=60s"]).success();
    world.ctl(&["wait", "--for=jsonpath={.status.phase}=Running", "pod/half", "--timeout=60s"]).success();

    let missing = said(&["exec", "web", "--", "nosuch"]);
    let start = "error: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec ";
    assert!(missing.starts_with(start), "{missing}");
    assert!(
        missing.ends_with("unable to start container process: exec: \"nosuch\": executable file not found in $PATH: unknown\n"),
        "{missing}"
    );
    assert_eq!(said(&["exec", "web", "-c", "x", "--", "ls"]), "Error from server (BadRequest): container x is not valid for pod web\n");
    // Who speaks SPDY is refused before anything is upgraded.
    let told = if speaks_websocket(&world) { "Internal error occurred: " } else { "" };
    let ended = format!("error: {told}unable to upgrade connection: container not found (\"b\")\n");
    assert_eq!(said(&["exec", "half", "-c", "b", "--", "ls"]), ended);
    let completed = "error: cannot exec into a container in a completed pod; current phase is Succeeded\n";
    assert_eq!(said(&["exec", "done", "--", "ls"]), completed);
    let log = world.kubectl(&["logs", "web"]).success();
    assert!(log.starts_with("/docker-entrypoint.sh: ") && log.contains(" nginx/1.25.4\n"), "{log}");

    // What is attached to ends by itself.
    let script = "sleep 4; echo the end";
    world.kubectl(&["run", "brief", "--image=busybox", "--restart=Never", "--", "sh", "-c", script]).success();
    world.kubectl(&["wait", "--for=condition=Ready", "pod/brief", "--timeout=60s"]).success();
    assert_eq!(world.kubectl(&["attach", "brief"]).success(), "the end\n");

    world.ctl(&["stop", "k8s-node-1"]).success();
    let lost = said(&["exec", "web", "--", "ls"]);
    assert!(lost.starts_with("Error from server: error dialing backend: dial tcp 127.0.0.1:"), "{lost}");
    assert!(lost.ends_with(": connect: connection refused\n"), "{lost}");
    let lost = said(&["logs", "web"]);
    assert!(
        lost.starts_with("Error from server: Get \"http://k8s-node-1/containerLogs/default/web/nginx?") && lost.contains("\": dial tcp"),
        "{lost}"
    );
    let lost = said(&["get", "--raw", "/api/v1/namespaces/default/pods/web/proxy/"]);
    assert!(lost.ends_with("error trying to reach service: dial tcp 10.244.1.2:80: connect: no route to host\n"), "{lost}");
}

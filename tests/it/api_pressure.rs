//! The API server under pressure: what takes too long, what is too large, too many, too slow; how it ends, what it tells of its
//! health, and what it counts and logs. Raw HTTP, and where a client misbehaves, raw bytes.

use std::{net::SocketAddr, time::Duration};

use mini_daemon::tasks::detach;
use mini_tests::{http::Http, wait_for};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::alone::{Program, server, server_with};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str, data: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "a": data } })
}

/// A connection on which these bytes were sent.
async fn raw(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(bytes.as_bytes()).await.expect("it reads");
    stream
}

/// A create whose body stops in the middle, and the rest of it.
async fn half_a_create(address: SocketAddr, name: &str, query: &str) -> (TcpStream, String) {
    let body = map(name, "x").to_string();
    let (first, rest) = body.split_at(20);
    let head = format!(
        "POST {CONFIG_MAPS}{query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    (raw(address, &format!("{head}{first}")).await, rest.to_owned())
}

/// All that still comes on a connection, until the server ends it.
async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // One that is reset has ended as well.
    let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut all)).await.expect("the server ends the connection");
    String::from_utf8_lossy(&all).into_owned()
}

/// The body of an answer read raw.
fn body(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_else(|_| Value::String(answer.to_owned()))
}

/// The value of one series of the metrics page.
async fn metric(http: &Http, series: &str) -> Option<f64> {
    let page = http.get("/metrics").await.text();
    page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_takes_too_long_is_given_up() {
    let (cluster, http) = server_with(|config| config.limits.request_timeout = Duration::from_secs(2)).await;
    let wrong = [
        ("5", r#"time: missing unit in duration "5""#),
        ("soon", r#"time: invalid duration "soon""#),
        ("5y", r#"time: unknown unit "y" in duration "5y""#),
    ];
    for (asked, why) in wrong {
        let answer = http.get(&format!("{CONFIG_MAPS}?timeout={asked}")).await;
        let status = answer.json();
        assert_eq!((answer.code, &status["reason"]), (400, &json!("BadRequest")));
        assert_eq!(status["message"], format!("invalid timeout specified in the request URL - {why}"));
    }
    assert_eq!(http.get(&format!("{CONFIG_MAPS}?timeout=1h30m")).await.code, 200);
    // A client may ask for less than the server allows, but not for more.
    for (query, least, most) in [("?timeout=200ms", 200, 1900), ("?timeout=1h", 2000, 20_000), ("", 2000, 20_000)] {
        let began = Instant::now();
        let (stream, _) = half_a_create(cluster.address(), "late", query).await;
        let answer = rest(stream).await;
        let took = began.elapsed().as_millis();
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        let wanted = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Timeout", "details": {}, "code": 504,
            "message": "Timeout: request did not complete within the allotted timeout",
        });
        assert_eq!(body(&answer), wanted);
        assert!((least..most).contains(&took), "{query}: {took} ms");
    }
    assert_eq!(http.get(&format!("{CONFIG_MAPS}/late")).await.code, 404);
    let labels =
        r#"{code="504",component="apiserver",group="",resource="configmaps",scope="resource",subresource="",verb="POST",version="v1"}"#;
    assert_eq!(metric(&http, &format!("apiserver_request_terminations_total{labels}")).await, Some(3.0));
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_for_nothing_is_cut() {
    let (cluster, http) = server_with(|config| config.limits.request_timeout = Duration::from_secs(1)).await;
    for bytes in ["", "G", "GET /version HTTP/1.1\r\nHost: x\r\nX-Slow", "PRI * HTTP/2.0\r\n"] {
        let answer = rest(raw(cluster.address(), bytes).await).await;
        assert_eq!(answer, "", "{bytes:?}");
    }
    assert_eq!(http.get("/readyz").await.code, 200);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_or_too_deep_is_refused() {
    let (cluster, http) = server().await;
    let answer = http.post(CONFIG_MAPS, &map("large", &"x".repeat(3 << 20))).await;
    let status = answer.json();
    assert_eq!((answer.code, &status["reason"]), (413, &json!("RequestEntityTooLarge")));
    assert_eq!(status["message"], "Request entity too large: limit is 3145728");
    for depth in [200, 5_000, 100_000] {
        let json = format!(r#"{{"metadata":{{"name":"deep"}},"data":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let flow = format!("metadata: {{name: deep}}\ndata: {}{}\n", "[".repeat(depth), "]".repeat(depth));
        // A message in a message in a message, each of which says how long it is: field 1 of type 2.
        let mut message = Vec::new();
        for _ in 0..depth.min(20_000) {
            let mut outer = vec![0x0a];
            let mut length = message.len();
            while length >= 0x80 {
                outer.push((length & 0x7f) as u8 | 0x80);
                length >>= 7;
            }
            outer.push(length as u8);
            outer.append(&mut message);
            message = outer;
        }
        let protobuf = [b"k8s\0".as_slice(), &message].concat();
        for (form, body) in [("json", json.into_bytes()), ("yaml", flow.into_bytes()), ("vnd.kubernetes.protobuf", protobuf)] {
            let answer = http.send("POST", CONFIG_MAPS, &[("content-type", &format!("application/{form}"))], body).await;
            assert_eq!(answer.code, 400, "{form} {depth}: {}", answer.text());
        }
    }
    let answer = rest(raw(cluster.address(), &format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000))).await).await;
    assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    let answer = rest(raw(cluster.address(), &format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(2 << 20))).await).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    assert_eq!(http.get(&format!("{CONFIG_MAPS}/deep")).await.code, 404);
    cluster.stop().await.expect("it stops");
}

/// Waits until so many requests of a kind are under way.
async fn under_way(http: &Http, kind: &str, wanted: f64) {
    let series = format!("apiserver_current_inflight_requests{{request_kind={kind:?}}}");
    wait_for("the requests under way", || async {
        let now = metric(http, &series).await;
        if now == Some(wanted) { Ok(()) } else { Err(now) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_at_once_are_turned_away() {
    let limit = |config: &mut mini_apiserver::Config| {
        config.limits.max_requests_inflight = 1;
        config.limits.max_mutating_requests_inflight = 1;
    };
    let (cluster, http) = server_with(limit).await;
    let (mut stream, end) = half_a_create(cluster.address(), "first", "").await;
    under_way(&http, "mutating", 1.0).await;
    let refused = http.post(CONFIG_MAPS, &map("second", "x")).await;
    let header = |name: &str| refused.headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned()).unwrap_or_default();
    assert_eq!((refused.code, refused.text().as_str()), (429, "Too many requests, please try again later.\n"));
    let headers = [header("retry-after"), header("content-type"), header("x-content-type-options")];
    assert_eq!(headers, ["1", "text/plain; charset=utf-8", "nosniff"]);
    // Who reads is counted apart, and gets its turn.
    assert_eq!(http.get(CONFIG_MAPS).await.code, 200);
    stream.write_all(end.as_bytes()).await.expect("it reads");
    assert!(rest(stream).await.starts_with("HTTP/1.1 201 "));
    assert_eq!(http.post(CONFIG_MAPS, &map("second", "x")).await.code, 201);
    // A list that waits for what is still to come takes the one place of readers.
    let waiting = {
        let http = http.clone();
        detach("reader", async move { http.get(&format!("{CONFIG_MAPS}?resourceVersion=999999")).await.code })
    };
    under_way(&http, "readOnly", 1.0).await;
    assert_eq!(http.get(CONFIG_MAPS).await.code, 429);
    // What is about the server, and what lasts, does not count.
    for path in ["/healthz", "/readyz", "/version", "/apis", "/openapi/v3", "/metrics"] {
        assert_eq!(http.get(path).await.code, 200, "{path}");
    }
    let frame = http.watch(&format!("{CONFIG_MAPS}?watch=1")).await.next().await;
    assert_eq!(frame.expect("a frame")["type"], "ADDED");
    assert_eq!(waiting.await.expect("it is answered"), 504);
    under_way(&http, "readOnly", 0.0).await;
    let of = |verb, scope| {
        format!(
            r#"{{code="429",component="apiserver",group="",resource="configmaps",scope="{scope}",subresource="",verb="{verb}",version="v1"}}"#
        )
    };
    for labels in [of("POST", "resource"), of("LIST", "namespace")] {
        assert_eq!(metric(&http, &format!("apiserver_request_terminations_total{labels}")).await, Some(1.0), "{labels}");
    }
    cluster.stop().await.expect("it stops");
}

/// Reads a watch's frames from raw bytes: the types seen, and the last error.
fn frames(answer: &str) -> (usize, Option<Value>) {
    let lines: Vec<Value> = answer.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let error = lines.iter().find(|frame| frame["type"] == "ERROR").map(|frame| frame["object"].clone());
    (lines.len(), error)
}

/// Megabytes written while nobody reads: more than the window keeps.
const VOLUME: usize = 72;
/// Bytes of each object written.
const OBJECT: usize = 512 * 1024;
/// Megabytes the server may have at the end: the window and the store's history with what was before them, the store's caches
/// and the allocator's slack. Some 250 were seen. Twenty watchers that were kept all they missed would need 1,500.
const MOST_MEGABYTES: u64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_that_do_not_read_cost_little_and_are_told_when_they_missed_something() {
    let folder = tempfile::tempdir().expect("a folder");
    // However slow the machine is, nobody is to be cut for not reading.
    let program = Program::start(folder.path(), &["--request-timeout=1h"]).await;
    let http = program.http();
    let [big, small] = ["big", "small"].map(|name| format!("{CONFIG_MAPS}/{name}"));
    for name in ["big", "small"] {
        assert_eq!(http.post(CONFIG_MAPS, &map(name, "")).await.code, 201);
    }
    let mut silent = Vec::new();
    for _ in 0..20 {
        let request = format!("GET {CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        silent.push(raw(program.address, &request).await);
    }
    let mut reader = http.watch(&format!("{CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Dsmall")).await;
    let before = program.resident();
    let data = "x".repeat(OBJECT);
    for turn in 0..VOLUME * 1024 * 1024 / OBJECT {
        let patch = format!(r#"{{"data":{{"a":"{data}","turn":"{turn}"}}}}"#);
        assert_eq!(http.send("PATCH", &big, &[("content-type", "application/merge-patch+json")], patch).await.code, 200);
        let patch = json!({ "data": { "turn": turn.to_string() } });
        assert_eq!(http.patch(&small, "merge", &patch).await.code, 200);
        // One that reads is not held up by those who do not.
        let wanted = json!(turn.to_string());
        let frame = async {
            loop {
                let frame = reader.next().await.expect("the watch lasts");
                if frame["object"]["data"]["turn"] == wanted {
                    return;
                }
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(10), frame).await.is_ok(), "the reader waits for turn {turn}");
    }
    let after = program.resident();
    assert!(after < MOST_MEGABYTES, "{before} MB before, {after} MB after");
    println!("{before} MB before, {after} MB after");
    // Who reads again gets what had been sent, then the word that it missed something, and a good end.
    let answer = rest(silent.pop().expect("a watcher")).await;
    let error = answer.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok().filter(|frame| frame["type"] == "ERROR"));
    let error = error.unwrap_or_else(|| panic!("no error in {} bytes", answer.len()));
    assert_eq!((&error["object"]["code"], &error["object"]["reason"]), (&json!(410), &json!("Expired")), "{error}");
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "the stream does not end well");
    assert!(frames(&answer).0 < 30, "it got {} frames", frames(&answer).0);
    let resumed = http.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion=1")).await.next().await.expect("an answer");
    assert_eq!((&resumed["type"], &resumed["object"]["code"]), (&json!("ERROR"), &json!(410)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_take_an_answer_is_cut() {
    let (cluster, http) = server_with(|config| config.limits.request_timeout = Duration::from_secs(2)).await;
    let data = "x".repeat(1 << 20);
    for number in 0..12 {
        assert_eq!(http.post(CONFIG_MAPS, &map(&format!("big-{number}"), &data)).await.code, 201);
    }
    let request = format!("GET {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\n\r\n");
    let unread = raw(cluster.address(), &request).await;
    // It counts as under way for as long as the answer lies there …
    under_way(&http, "readOnly", 1.0).await;
    // … which is not for ever.
    under_way(&http, "readOnly", 0.0).await;
    let answer = rest(unread).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.len() < 12 << 20, "{} bytes came", answer.len());
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_silent_is_probed() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(folder.path(), &[]).await;
    let request = format!("GET {CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    let watcher = raw(program.address, &request).await;
    let (ours, theirs) = (watcher.local_addr().expect("an address").port(), program.address.port());
    wait_for("the kernel to probe the connection", || async {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let line = table.lines().find(|line| line.contains(&format!(":{theirs:04X} ")) && line.contains(&format!(":{ours:04X} 01 ")));
        // local, remote, state, queues, timer:when; timer 2 is the probe of a silent connection.
        let timer = line.and_then(|line| line.split_whitespace().nth(5)).unwrap_or_default();
        if timer.starts_with("02:") { Ok(()) } else { Err(timer.to_owned()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_check_by_check() {
    let (cluster, http) = server().await;
    let page = async |path: &str| {
        let answer = http.get(path).await;
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8", "{path}");
        (answer.code, answer.text())
    };
    for path in
        ["/healthz", "/livez", "/readyz", "/livez/ping", "/readyz/etcd", "/healthz/etcd", "/readyz/informer-sync", "/readyz/shutdown"]
    {
        assert_eq!(page(path).await, (200, "ok".to_owned()), "{path}");
    }
    let ready = "[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n";
    assert_eq!(page("/readyz?verbose").await, (200, ready.to_owned()));
    assert_eq!(page("/livez?verbose").await, (200, "[+]ping ok\n[+]etcd ok\nlivez check passed\n".to_owned()));
    let excluded =
        "[+]ping ok\n[+]etcd excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"nope\"\nlivez check passed\n";
    assert_eq!(page("/livez?verbose&exclude=etcd&exclude=nope").await, (200, excluded.to_owned()));
    assert_eq!(page("/livez/shutdown").await.0, 404);
    assert_eq!(http.post("/livez", &json!({})).await.code, 405);
    cluster.stop().await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_finishes_what_is_under_way_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut program = Program::start(folder.path(), &["--shutdown-delay-duration=2s", "--request-timeout=20s"]).await;
    let (http, address) = (program.http(), program.address);
    let watch = raw(address, &format!("GET {CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
    let (mut stream, end) = half_a_create(address, "under-way", "").await;
    // Writers who go on until nobody answers any more, and remember what was acknowledged.
    let writers = (0..4).map(|writer| {
        detach("writer", async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let name = format!("w{writer}-{number}");
                let body = map(&name, "x").to_string();
                let Ok(mut stream) = TcpStream::connect(address).await else { break };
                let request = format!(
                    "POST {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let mut answer = Vec::new();
                if stream.write_all(request.as_bytes()).await.is_err() || stream.read_to_end(&mut answer).await.is_err() {
                    break;
                }
                if answer.starts_with(b"HTTP/1.1 201 ") {
                    acknowledged.push(name);
                }
            }
            acknowledged
        })
    });
    let writers: Vec<_> = writers.collect();
    program.terminate();
    let not_ready = wait_for("the server to be no longer ready", || async {
        let answer = http.get("/readyz").await;
        if answer.code == 500 { Ok(answer.text()) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(not_ready, "[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n");
    let single = http.get("/readyz/shutdown").await;
    assert_eq!((single.code, single.text().as_str()), (500, "internal server error: process is shutting down\n"));
    // Until it no longer lets anybody in, everything is answered.
    assert_eq!(http.get("/livez").await.code, 200);
    assert_eq!(http.post(CONFIG_MAPS, &map("in-the-delay", "x")).await.code, 201);
    wait_for("the server to let nobody in", || async { TcpStream::connect(address).await.map_or(Ok(()), |_| Err("it does")) }).await;
    // The watch ends well, while the create is still under way.
    let watched = rest(watch).await;
    assert!(watched.ends_with("\r\n0\r\n\r\n"), "the watch was broken off");
    assert!(watched.contains("in-the-delay"));
    stream.write_all(end.as_bytes()).await.expect("it reads");
    assert!(rest(stream).await.starts_with("HTTP/1.1 201 "));
    let asked = Instant::now();
    let status = program.ended().await;
    assert!(status.success() && asked.elapsed() < Duration::from_secs(10), "{status} after {:?}", asked.elapsed());
    let mut acknowledged = vec!["under-way".to_owned(), "in-the-delay".to_owned()];
    for writer in writers {
        acknowledged.extend(writer.await.expect("a writer ends well"));
    }
    let program = Program::start(folder.path(), &[]).await;
    let list = program.http().get(CONFIG_MAPS).await.json();
    let names: Vec<&str> = list["items"].as_array().expect("a list").iter().filter_map(|item| item["metadata"]["name"].as_str()).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !names.contains(&name.as_str())).collect();
    assert!(acknowledged.len() > 20 && lost.is_empty(), "{} acknowledged, lost: {lost:?}", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_never_ends_does_not_hold_the_server_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut program = Program::start(folder.path(), &["--request-timeout=1s"]).await;
    let (_stream, _) = half_a_create(program.address, "never", "").await;
    let _unread = raw(program.address, &format!("GET {CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    under_way(&program.http(), "mutating", 1.0).await;
    let asked = Instant::now();
    program.terminate();
    assert!(program.ended().await.success());
    assert!(asked.elapsed() < Duration::from_secs(15), "it took {:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_has_an_id_and_is_audited() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.log");
    let (cluster, http) = server_with(|config| config.audit_log_path = Some(path.clone())).await;
    let id = |answer: &mini_tests::http::Answer| answer.headers["audit-id"].to_str().expect("an id").to_owned();
    let answer = http.send("GET", "/version", &[("audit-id", "my-own-id")], "").await;
    assert_eq!(id(&answer), "my-own-id");
    assert_eq!(id(&http.get("/version").await).len(), 36);
    let agent = [("user-agent", "test/1.0"), ("x-forwarded-for", "192.0.2.7"), ("content-type", "application/json")];
    let created = id(&http.send("POST", CONFIG_MAPS, &agent, map("audited", "x").to_string()).await);
    let missing = id(&http.get("/apis/apps/v1/namespaces/default/deployments/nope/status?pretty=true").await);
    let mut watch = http.watch("/api/v1/namespaces?watch=1&timeoutSeconds=1").await;
    while watch.next().await.is_some() {}
    cluster.stop().await.expect("it stops");
    let text = std::fs::read_to_string(&path).expect("the log");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |id: &str| events.iter().filter(|event| event["auditID"] == id).collect::<Vec<_>>();
    let stages = |events: &[&Value]| events.iter().map(|event| event["stage"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>();
    let of_create = of(&created);
    assert_eq!(stages(&of_create), ["RequestReceived", "ResponseComplete"]);
    let mut end = of_create[1].clone();
    for moment in ["requestReceivedTimestamp", "stageTimestamp"] {
        let text = end[moment].as_str().expect("a moment").to_owned();
        assert!(text.len() == "2026-11-21T06:00:00.000000Z".len() && text.ends_with('Z'), "{text}");
        end[moment] = "<time>".into();
    }
    let wanted = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": created, "stage": "ResponseComplete",
        "requestURI": CONFIG_MAPS, "verb": "create", "user": { "username": "system:anonymous", "groups": ["system:unauthenticated"] },
        "sourceIPs": ["192.0.2.7", "127.0.0.1"], "userAgent": "test/1.0",
        "objectRef": { "resource": "configmaps", "namespace": "default", "name": "audited", "apiVersion": "v1" },
        "responseStatus": { "metadata": {}, "code": 201 }, "requestReceivedTimestamp": "<time>", "stageTimestamp": "<time>",
        "annotations": { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" },
    });
    assert_eq!(end, wanted);
    let of_missing = of(&missing);
    let end = of_missing.last().expect("an event");
    assert_eq!(end["requestURI"], "/apis/apps/v1/namespaces/default/deployments/nope/status?pretty=true");
    let reference = json!({
        "resource": "deployments", "namespace": "default", "name": "nope", "apiGroup": "apps", "apiVersion": "v1", "subresource": "status",
    });
    assert_eq!((&end["objectRef"], &end["verb"]), (&reference, &json!("get")));
    let status = &end["responseStatus"];
    assert_eq!((&status["code"], &status["reason"], &status["status"]), (&json!(404), &json!("NotFound"), &json!("Failure")));
    let of_watch: Vec<&Value> = events.iter().filter(|event| event["verb"] == "watch").collect();
    assert_eq!(stages(&of_watch), ["RequestReceived", "ResponseStarted", "ResponseComplete"]);
    assert_eq!(stages(&of("my-own-id")), ["RequestReceived", "ResponseComplete"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_have_upstreams_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Program::start(folder.path(), &[]).await;
    let http = program.http();
    assert_eq!(http.post(CONFIG_MAPS, &map("a", "x")).await.code, 201);
    assert_eq!(http.post(&format!("{CONFIG_MAPS}?dryRun=All"), &map("b", "x")).await.code, 201);
    assert_eq!(http.get(&format!("{CONFIG_MAPS}/a")).await.code, 200);
    assert_eq!(http.get(&format!("{CONFIG_MAPS}/nope")).await.code, 404);
    assert_eq!(http.get("/apis/apps/v1/deployments").await.code, 200);
    let mut watch = http.watch(&format!("{CONFIG_MAPS}?watch=1")).await;
    assert_eq!(watch.next().await.expect("a frame")["type"], "ADDED");
    let answer = http.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
    let page = answer.text();
    let maps = r#"group="",resource="configmaps""#;
    for line in [
        "# TYPE apiserver_request_total counter".to_owned(),
        "# TYPE apiserver_request_duration_seconds histogram".to_owned(),
        format!(r#"apiserver_request_total{{code="201",component="apiserver",dry_run="",{maps},scope="resource",subresource="",verb="POST",version="v1"}} 1"#),
        format!(r#"apiserver_request_total{{code="201",component="apiserver",dry_run="All",{maps},scope="resource",subresource="",verb="POST",version="v1"}} 1"#),
        format!(r#"apiserver_request_total{{code="404",component="apiserver",dry_run="",{maps},scope="resource",subresource="",verb="GET",version="v1"}} 1"#),
        r#"apiserver_request_total{code="200",component="apiserver",dry_run="",group="apps",resource="deployments",scope="cluster",subresource="",verb="LIST",version="v1"} 1"#.to_owned(),
        format!(r#"apiserver_request_duration_seconds_bucket{{component="apiserver",dry_run="",{maps},scope="resource",subresource="",verb="GET",version="v1",le="60"}} 2"#),
        format!(r#"apiserver_request_duration_seconds_count{{component="apiserver",dry_run="",{maps},scope="resource",subresource="",verb="GET",version="v1"}} 2"#),
        format!(r#"apiserver_response_sizes_count{{component="apiserver",{maps},scope="resource",subresource="",verb="GET",version="v1"}} 2"#),
        format!(r#"apiserver_longrunning_requests{{component="apiserver",{maps},scope="namespace",subresource="",verb="WATCH",version="v1"}} 1"#),
        r#"apiserver_watch_events_total{group="",resource="configmaps",version="v1"} 1"#.to_owned(),
        r#"apiserver_watch_events_sizes_bucket{group="",resource="configmaps",version="v1",le="131072"} 1"#.to_owned(),
        r#"apiserver_resource_objects{group="",resource="configmaps"} 1"#.to_owned(),
        r#"apiserver_resource_objects{group="apps",resource="deployments"} 0"#.to_owned(),
        r#"apiserver_storage_objects{resource="deployments.apps"} 0"#.to_owned(),
        r#"apiserver_current_inflight_requests{request_kind="mutating"} 0"#.to_owned(),
        "apiserver_audit_event_total 0".to_owned(),
        r#"etcd_request_duration_seconds_count{group="",operation="create",resource="configmaps"} 1"#.to_owned(),
    ] {
        assert!(page.lines().any(|shown| shown == line), "{line}\nis not in\n{page}");
    }
    for name in [
        r#"apiserver_storage_size_bytes{storage_cluster_id="etcd-0"}"#,
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    ] {
        assert!(metric(&http, name).await.is_some_and(|value| value > 0.0), "{name}\n{page}");
    }
    drop(watch);
    wait_for("the watch to be counted off", || async {
        let series = format!(
            r#"apiserver_longrunning_requests{{component="apiserver",{maps},scope="namespace",subresource="",verb="WATCH",version="v1"}}"#
        );
        let now = metric(&http, &series).await;
        if now == Some(0.0) { Ok(()) } else { Err(now) }
    })
    .await;
}

//! Programs that fetch.

use std::sync::Arc;

use futures::FutureExt;

use super::{Case, Small, try_in, try_on_network};
use crate::{
    Ctx,
    applets::hand::http::{Answer, Asked, serve},
    kernel::Program,
    shell::SHELL,
    testing::World,
};

#[tokio::test(start_paused = true)]
async fn what_cannot_be_fetched() {
    try_on_network(&[
        ("wget nosuch:8080", "", "wget: bad address 'nosuch:8080'\n", 1),
        ("wget -q -O - http://web", "", "wget: can't connect to remote host (10.254.1.2): Connection refused\n", 1),
        (
            "wget -O - web:81/x",
            "",
            "Connecting to web:81 (10.254.1.2:81)\nwget: can't connect to remote host (10.254.1.2): Connection refused\n",
            1,
        ),
        ("wget -T 5 web:9999", "", "Connecting to web:9999 (10.254.1.2:9999)\nwget: download timed out\n", 1),
        ("wget -q https://web", "", "wget: TLS is not simulated: https://web\n", 1),
        ("wget -q gopher://web", "", "wget: not an http or ftp url: gopher://web\n", 1),
    ])
    .await;
}

/// A server for the tests.
fn server(ctx: Ctx) -> futures::future::BoxFuture<'static, i32> {
    async move {
        let handler: crate::applets::hand::http::Handler = Arc::new(|_, asked| answer(asked).boxed());
        ctx.serve("0.0.0.0:80".parse().unwrap(), move |ctx, connection| serve(ctx, connection, handler.clone()).boxed()).unwrap();
        ctx.idle().await;
        0
    }
    .boxed()
}

async fn answer(asked: Option<Asked>) -> Answer {
    let Some(asked) = asked else { return Answer::text(400, "Bad Request", &[], "") };
    match asked.path().as_str() {
        "/" => Answer::text(200, "OK", &[("Server", "test/1.0"), ("Content-Type", "text/plain")], format!("hello {}\n", asked.method)),
        "/echo" => {
            Answer::text(200, "OK", &[], format!("{} {}", asked.header("X-A").unwrap_or("none"), String::from_utf8_lossy(&asked.body)))
        }
        "/away" => Answer::text(302, "Found", &[("Location", "/")], ""),
        "/chunks" => Answer {
            status: 200,
            reason: "OK".into(),
            headers: vec![("Transfer-Encoding".into(), "chunked".into())],
            content: crate::applets::hand::http::Content::Bytes(b"3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n".to_vec()),
        },
        _ => Answer::text(404, "Not Found", &[], "no\n"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched() {
    let programs: Vec<(&'static str, Program)> = SHELL
        .iter()
        .copied()
        .chain([
            ("server", server as Program),
            ("curl", |ctx| crate::images::programs::curl::main(ctx).map(|done| done.unwrap_or(1)).boxed()),
        ])
        .collect();
    let world = World::with_network(&programs, Arc::new(Small));
    let stars = "*".repeat(32);
    let cases: Vec<Case<'_>> = vec![
        ("wget -qO- localhost", "hello GET\n", "", 0),
        ("wget -q -O - 127.0.0.1/away", "hello GET\n", "", 0),
        ("wget -q -O - 127.0.0.1/chunks", "abcde", "", 0),
        ("wget -q --spider 127.0.0.1", "", "", 0),
        ("wget -q -O - --header 'X-A: b' --post-data c=d 127.0.0.1/echo", "b c=d", "", 0),
        ("wget -q 127.0.0.1/x", "", "wget: server returned error: HTTP/1.1 404 Not Found\n", 1),
        (
            "wget -q -S -O - 127.0.0.1",
            "hello GET\n",
            "  HTTP/1.1 200 OK\n  Server: test/1.0\n  Content-Type: text/plain\n  Content-Length: 10\n",
            0,
        ),
        ("wget -q 127.0.0.1; cat index.html; wget -q 127.0.0.1", "hello GET\n", "wget: can't open 'index.html': File exists\n", 1),
        ("curl -s 127.0.0.1", "hello GET\n", "", 0),
        ("curl 127.0.0.1/x", "no\n", "", 0),
        ("curl -f 127.0.0.1/x", "", "curl: (22) The requested URL returned error: 404\n", 22),
        (
            "curl -si 127.0.0.1",
            "HTTP/1.1 200 OK\r\nServer: test/1.0\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nhello GET\n",
            "",
            0,
        ),
        ("curl -sI 127.0.0.1", "HTTP/1.1 200 OK\r\nServer: test/1.0\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\n", "", 0),
        ("curl -sL 127.0.0.1/away", "hello GET\n", "", 0),
        ("curl -s -o /dev/null -w '%{http_code}\\n' 127.0.0.1/x", "404\n", "", 0),
        ("curl -s -H 'X-A: b' -d c=d -d e=f 127.0.0.1/echo", "b c=d&e=f", "", 0),
        ("curl -sS nosuch", "", "curl: (6) Could not resolve host: nosuch\n", 6),
        ("curl -s nosuch; echo $?", "6\n", "", 0),
        ("curl 127.0.0.1:81", "", "curl: (7) Failed to connect to 127.0.0.1 port 81 after 0 ms: Couldn't connect to server\n", 7),
        ("curl -m 2 web:9999", "", "curl: (28) Operation timed out after 2000 milliseconds with 0 bytes received\n", 28),
    ];
    let setup = "server & echo 'nameserver 10.96.0.10' > /etc/resolv.conf; echo 'search default.svc.cluster.local' >> /etc/resolv.conf; echo '127.0.0.1 localhost' >> /etc/hosts; sleep 0.1; ";
    try_in(&world, setup, &cases).await;
    let got = world.run(&["sh", "-c", &format!("{setup} wget -O f 127.0.0.1")]).await;
    let told = format!(
        "Connecting to 127.0.0.1 (127.0.0.1:80)\nsaving to 'f'\n\rf                    100% |{stars}|    10  0:00:00 ETA\n'f' saved\n"
    );
    assert_eq!(got.err, told);
}

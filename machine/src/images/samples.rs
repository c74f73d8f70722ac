//! Small servers that tutorials use: hello-app, echoserver and http-echo.

use futures::FutureExt;

use super::{
    Image, Reference, userland,
    web::{listen, resident, until},
};
use crate::{
    Ctx, Signal,
    applets::hand::{
        Clock,
        http::{Answer, Asked, http_date},
    },
    kernel::Program,
};

pub(super) const PROGRAMS: &[(&str, Program)] =
    &[("hello-app", |ctx| Box::pin(hello(ctx))), ("echoserver", |ctx| Box::pin(echo(ctx))), ("http-echo", |ctx| Box::pin(http_echo(ctx)))];

pub(super) fn image(of: &Reference) -> Option<Image> {
    let with = |path: &str, name: &str| userland::with(&userland::base(), [userland::program(path, name)]);
    Some(match of.name.as_str() {
        "hello-app" => {
            let version = if of.tag.starts_with('2') { "2.0.0" } else { "1.0.0" };
            Image::new(with("/hello-app", "hello-app"), &[], &["/hello-app"])
                .with_env(&[("HELLO_VERSION", version)])
                .exposing(&[8080])
                .sized(11 << 20)
                .resting(2)
        }
        "echoserver" => {
            Image::new(with("/usr/local/bin/echoserver", "echoserver"), &[], &["echoserver"]).exposing(&[8080]).sized(46 << 20).resting(0)
        }
        "http-echo" => Image::new(with("/http-echo", "http-echo"), &["/http-echo"], &[]).exposing(&[5678]).sized(3 << 20),
        _ => return None,
    })
}

async fn stay(ctx: &Ctx, code: u8) -> i32 {
    let shown = ctx.args().join(" ");
    match ctx.reside(resident(shown, 6 << 20, until(&[Signal::TERM, Signal::INT, Signal::QUIT], code))).await {}
}

async fn hello(ctx: Ctx) -> i32 {
    let port = ctx.var("PORT").and_then(|port| port.parse().ok()).unwrap_or(8080);
    let version = ctx.var("HELLO_VERSION").unwrap_or("1.0.0").to_owned();
    let stamp = |ctx: &Ctx| Clock::of(ctx).format(ctx.now(), "%Y/%m/%d %H:%M:%S");
    ctx.err(format!("{} Server listening on port {port}\n", stamp(&ctx))).await;
    let listening = listen(&ctx, port, move |ctx, asked| {
        let version = version.clone();
        async move {
            let path = asked.map_or_else(String::new, |asked| asked.path());
            ctx.err(format!("{} Serving request: {path}\n", Clock::of(&ctx).format(ctx.now(), "%Y/%m/%d %H:%M:%S"))).await;
            let text = format!("Hello, world!\nVersion: {version}\nHostname: {}\n", ctx.hostname());
            Answer::text(200, "OK", &[("Date", &http_date(ctx.now())), ("Content-Type", "text/plain; charset=utf-8")], text)
        }
        .boxed()
    });
    if let Err(errno) = listening {
        ctx.err(format!("{} listen tcp :{port}: bind: {}\n", stamp(&ctx), errno.to_string().to_lowercase())).await;
        return 1;
    }
    stay(&ctx, 2).await
}

async fn echo(ctx: Ctx) -> i32 {
    let _ = ctx.out("Generating self-signed cert\nStarting nginx\n").await;
    if let Err(errno) = listen(&ctx, 8080, |ctx, asked| echoed(ctx, asked).boxed()) {
        ctx.err(format!("nginx: [emerg] bind() to 0.0.0.0:8080 failed ({errno})\n")).await;
        return 1;
    }
    stay(&ctx, 0).await
}

async fn echoed(ctx: Ctx, asked: Option<Asked>) -> Answer {
    let Some(asked) = asked else { return Answer::text(400, "Bad Request", &[], "") };
    let mut headers: Vec<String> = asked.headers.iter().map(|(name, value)| format!("\t{}={value}\n", name.to_ascii_lowercase())).collect();
    headers.sort();
    let variable = |name: &str| ctx.var(name).map(str::to_owned);
    let pod = match variable("POD_NAME") {
        Some(name) => format!(
            "\tnode name:\t{}\n\tpod name:\t{name}\n\tpod namespace:\t{}\n\tpod IP:\t{}\n",
            variable("NODE_NAME").unwrap_or_default(),
            variable("POD_NAMESPACE").unwrap_or_default(),
            variable("POD_IP").unwrap_or_default()
        ),
        None => "\t-no pod information available-\n".to_owned(),
    };
    let body = if asked.body.is_empty() { "\t-no body in request-".to_owned() } else { String::from_utf8_lossy(&asked.body).into_owned() };
    let query = asked.target.split_once('?').map_or("", |(_, query)| query);
    let text = format!(
        "\n\nHostname: {}\n\nPod Information:\n{pod}\nServer values:\n\tserver_version=nginx: 1.14.2 - lua: 10015\n\nRequest Information:\n\tclient_address={}\n\tmethod={}\n\treal path={}\n\tquery={query}\n\trequest_version=1.{}\n\trequest_scheme=http\n\trequest_uri=http://{}{}\n\nRequest Headers:\n{}\nRequest Body:\n{body}\n\n",
        ctx.hostname(),
        asked.peer,
        asked.method,
        asked.target,
        asked.minor,
        asked.header("Host").unwrap_or_default(),
        asked.target,
        headers.concat(),
    );
    Answer::text(
        200,
        "OK",
        &[
            ("Date", &http_date(ctx.now())),
            ("Content-Type", "text/plain"),
            ("Connection", if asked.keeps() { "keep-alive" } else { "close" }),
            ("Server", "echoserver"),
        ],
        text,
    )
}

async fn http_echo(ctx: Ctx) -> i32 {
    let value = |name: &str| {
        let args = ctx.args();
        args.iter().enumerate().find_map(|(at, arg)| {
            let rest = arg.trim_start_matches('-').strip_prefix(name)?;
            if rest.is_empty() { args.get(at + 1).cloned() } else { rest.strip_prefix('=').map(str::to_owned) }
        })
    };
    let Some(text) = value("text").or_else(|| ctx.var("ECHO_TEXT").map(str::to_owned)) else {
        ctx.err("Missing -text option!\n").await;
        return 127;
    };
    let port = value("listen").and_then(|listen| listen.rsplit(':').next().and_then(|port| port.parse().ok())).unwrap_or(5678);
    let stamp = Clock::of(&ctx).format(ctx.now(), "%Y/%m/%d %H:%M:%S");
    let _ = ctx.out(format!("{stamp} [INFO] server is listening on :{port}\n")).await;
    let listening = listen(&ctx, port, move |ctx, _| {
        let text = text.trim_matches('"').to_owned();
        async move {
            Answer::text(
                200,
                "OK",
                &[("X-App-Name", "http-echo"), ("X-App-Version", "1.0.0"), ("Date", &http_date(ctx.now()))],
                format!("{text}\n"),
            )
        }
        .boxed()
    });
    if listening.is_err() {
        return 1;
    }
    stay(&ctx, 2).await
}

//! agnhost, the image of Kubernetes' own tests, in all its names: netexec, serve-hostname, liveness, pause and some more.

use futures::FutureExt;

use super::{
    Image, Reference, userland,
    web::{listen, resident, until},
};
use crate::{
    Ctx, Signal,
    applets::hand::http::{Answer, Asked, Content, Document, document},
    kernel::{Program, Spawn, Waiting},
};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("agnhost", |ctx| Box::pin(main(ctx)))];

/// For how long `liveness` lives.
const LIVES: f64 = 10.0;

pub(super) fn image(of: &Reference) -> Option<Image> {
    // Images that became commands of agnhost.
    let command: &[&str] = match of.name.as_str() {
        "agnhost" => &["pause"],
        "liveness" => &["liveness"],
        "serve_hostname" | "serve-hostname" => &["serve-hostname"],
        "netexec" => &["netexec"],
        "test-webserver" => &["test-webserver"],
        _ => return None,
    };
    let files = userland::with(&userland::base(), [userland::program("/agnhost", "agnhost")]);
    let image = Image::new(files, &["/agnhost"], command).sized(50 << 20);
    Some(if command[0] == "liveness" {
        Image { entrypoint: Vec::new(), ..Image { cmd: vec!["/agnhost".to_owned(), "liveness".to_owned()], ..image } }
    } else {
        image
    })
}

fn option(ctx: &Ctx, name: &str) -> Option<String> {
    let args = ctx.args();
    let prefix = format!("--{name}");
    args.iter().enumerate().find_map(|(at, arg)| match arg.strip_prefix(&prefix) {
        Some("") => args.get(at + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    })
}

fn port(ctx: &Ctx, name: &str, usual: u16) -> u16 {
    option(ctx, name).and_then(|port| port.parse().ok()).unwrap_or(usual)
}

async fn main(ctx: Ctx) -> i32 {
    let command = ctx.args().get(1).cloned().unwrap_or_default();
    let listening = match command.as_str() {
        "pause" => {
            let _ = ctx.out("Paused\n").await;
            Ok(())
        }
        "netexec" => {
            let port = port(&ctx, "http-port", 8080);
            ctx.err(format!("Started HTTP server on port {port}\n")).await;
            listen(&ctx, port, |ctx, asked| netexec(ctx, asked).boxed())
        }
        "serve-hostname" => {
            let port = port(&ctx, "port", 9376);
            listen(&ctx, port, |ctx, _| async move { plain(200, "OK", ctx.hostname()) }.boxed())
        }
        "liveness" => listen(&ctx, 8080, |ctx, asked| liveness(ctx, asked).boxed()),
        "test-webserver" => listen(&ctx, port(&ctx, "port", 80), |ctx, asked| files(ctx, asked).boxed()),
        "entrypoint-tester" => {
            let _ = ctx.out(format!("[{}]\n", ctx.args().join(" "))).await;
            return 0;
        }
        "connect" => return connect(&ctx).await,
        "help" | "--help" | "" => {
            let _ = ctx.out("Usage:\n  app [command]\n\nAvailable Commands:\n  connect\n  entrypoint-tester\n  liveness\n  netexec\n  pause\n  serve-hostname\n  test-webserver\n").await;
            return 0;
        }
        other => {
            ctx.err(format!("Error: unknown command \"{other}\" for \"app\"\nRun 'app --help' for usage.\n")).await;
            return 1;
        }
    };
    if let Err(errno) = listening {
        ctx.err(format!("listen tcp: bind: {}\n", errno.to_string().to_lowercase())).await;
        return 1;
    }
    // Go's programs end at these signals as everybody does: killed by them. As the first process they would not, so they say that they do.
    let ends = until(&[Signal::TERM, Signal::INT], if command == "pause" { 0 } else { 2 });
    let shown = ctx.args().join(" ");
    match ctx.reside(resident(shown, 12 << 20, ends)).await {}
}

fn plain(status: u16, reason: &str, text: impl Into<Vec<u8>>) -> Answer {
    Answer::text(status, reason, &[("Content-Type", "text/plain; charset=utf-8")], text)
}

async fn netexec(ctx: Ctx, asked: Option<Asked>) -> Answer {
    let Some(asked) = asked else { return plain(400, "Bad Request", "400 Bad Request") };
    let value = |name: &str| asked.parameter(name).unwrap_or_default();
    let text = match asked.path().to_ascii_lowercase().as_str() {
        "/" => {
            ctx.err("GET /\n").await;
            format!("NOW: {}", ctx.now())
        }
        "/hostname" => ctx.hostname(),
        "/echo" => value("msg"),
        "/clientip" => format!("{}:0", asked.peer),
        "/healthz" => String::new(),
        "/header" => asked.header(&value("key")).unwrap_or_default().to_owned(),
        "/redirect" => {
            let code = value("code").parse().unwrap_or(302);
            return Answer::text(code, "Found", &[("Location", &value("location"))], "");
        }
        "/shell" => return shell(&ctx, &asked.parameter("shellCommand").or_else(|| asked.parameter("cmd")).unwrap_or_default()).await,
        "/exit" => {
            let _ = ctx.kill(ctx.pid(), Some(Signal::TERM));
            String::new()
        }
        _ => return plain(404, "Not Found", "404 page not found\n"),
    };
    plain(200, "OK", text)
}

async fn shell(ctx: &Ctx, command: &str) -> Answer {
    let output = async {
        let (read, write) = ctx.pipe()?;
        ctx.set_close_on_exec(read, true)?;
        let args = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
        let started = ctx.spawn(Spawn { file: "/bin/sh".to_owned(), args, descriptors: vec![(1, write), (2, write)], ..Spawn::default() });
        let _ = ctx.close(write);
        let bytes = ctx.read_all(read).await;
        let _ = ctx.close(read);
        let _ = ctx.wait(Waiting::Pid(started?)).await;
        bytes
    };
    match output.await {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            plain(200, "OK", format!("{{\"output\":\"{text}\"}}"))
        }
        Err(errno) => plain(200, "OK", format!("{{\"error\":\"{errno}\",\"output\":\"\"}}")),
    }
}

async fn liveness(ctx: Ctx, asked: Option<Asked>) -> Answer {
    let lived = ctx.uptime().as_secs_f64();
    match asked.map(|asked| asked.path()).as_deref() {
        Some("/healthz") if lived > LIVES => plain(500, "Internal Server Error", format!("error: {lived}")),
        Some("/healthz") => plain(200, "OK", "ok"),
        Some("/started") => plain(200, "OK", format!("{lived}s")),
        _ => plain(404, "Not Found", "404 page not found\n"),
    }
}

async fn files(ctx: Ctx, asked: Option<Asked>) -> Answer {
    let path = asked.map_or_else(|| "/".to_owned(), |asked| asked.path());
    match document(&ctx, "/", &path, &["index.html"]).await {
        Document::File(input, size, _, kind) => {
            let headers = [("Content-Type", kind.to_owned()), ("Content-Length", size.to_string())]
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec();
            Answer { status: 200, reason: "OK".to_owned(), headers, content: Content::File(input) }
        }
        Document::Moved => Answer::text(301, "Moved Permanently", &[("Location", &format!("{path}/"))], ""),
        Document::Directory(folder) => {
            let items: String =
                ctx.list(&folder).unwrap_or_default().iter().map(|entry| format!("<a href=\"{0}\">{0}</a>\n", entry.name)).collect();
            Answer::text(200, "OK", &[("Content-Type", "text/html; charset=utf-8")], format!("<pre>\n{items}</pre>\n"))
        }
        Document::Missing(..) => plain(404, "Not Found", "404 page not found\n"),
    }
}

/// `connect HOST:PORT`: one word says how it went.
async fn connect(ctx: &Ctx) -> i32 {
    let Some((host, port)) = ctx.args().iter().skip(2).find(|arg| !arg.starts_with('-')).and_then(|target| target.rsplit_once(':')) else {
        ctx.err("OTHER: connect: missing address\n").await;
        return 1;
    };
    let limit =
        option(ctx, "timeout").and_then(|limit| crate::applets::hand::duration(&limit)).unwrap_or(std::time::Duration::from_secs(60));
    let connected = async {
        let found = ctx.resolve(host).await.map_err(|_| "DNS")?;
        let address = *found.addresses.first().ok_or("DNS")?;
        let port = port.parse().map_err(|_| "OTHER")?;
        ctx.connect(std::net::SocketAddr::new(address, port)).await.map_err(|errno| match errno {
            crate::Errno::ECONNREFUSED => "REFUSED",
            crate::Errno::ETIMEDOUT => "TIMEOUT",
            _ => "OTHER",
        })
    };
    match tokio::time::timeout(limit, connected).await.unwrap_or(Err("TIMEOUT")) {
        Ok(_) => 0,
        Err(word) => {
            ctx.err(format!("{word}\n")).await;
            1
        }
    }
}

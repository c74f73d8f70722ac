//! nginx: a master process with a worker, the page everybody knows, a log of who came, and `nginx -s` to talk with it.

mod conf;

use std::sync::Arc;

use futures::FutureExt;

use super::{
    Image, Reference, userland,
    web::{listen, replace, resident},
};
use crate::{
    Ctx, Errno, Signal,
    applets::hand::{
        Clock, base,
        http::{Answer, Asked, Content, Document, Request, Url, document, exchange, http_date},
        join, parent, wildcard,
    },
    files::{Item, Open},
    kernel::{Pid, Program, React, Reaction, Resident},
};
use conf::Server;

pub(super) const PROGRAMS: &[(&str, Program)] =
    &[("nginx", |ctx| Box::pin(main(ctx))), ("nginx-entrypoint", |ctx| Box::pin(entrypoint(ctx)))];

/// Where its pages are.
const ROOT: &str = "/usr/share/nginx/html";
/// Where it says which process it is.
const PID: &str = "/var/run/nginx.pid";
const LATEST: &str = "1.29.3";
/// Its configuration.
const CONF: &str = "/etc/nginx/nginx.conf";
/// How many files the configuration may be.
const MOST_FILES: usize = 64;
/// The largest answer of another server that is handed on.
const MOST_BODY: usize = 4 << 20;

const MAIN: &str = "\nuser  nginx;\nworker_processes  auto;\n\nerror_log  /var/log/nginx/error.log LEVEL;\npid        /var/run/nginx.pid;\n\n\nevents {\n    \
                    worker_connections  1024;\n}\n\n\nhttp {\n    include       /etc/nginx/mime.types;\n    default_type  application/octet-stream;\n\n    \
                    access_log  /var/log/nginx/access.log;\n\n    sendfile        on;\n\n    keepalive_timeout  65;\n\n    include \
                    /etc/nginx/conf.d/*.conf;\n}\n";
const DEFAULT: &str = "server {\n    listen       80;\n    server_name  localhost;\n\n    location / {\n        root   /usr/share/nginx/html;\n        index  \
                       index.html index.htm;\n    }\n\n    error_page   500 502 503 504  /50x.html;\n    location = /50x.html {\n        root   \
                       /usr/share/nginx/html;\n    }\n}\n";
/// What new images say before they begin.
const PREPARED: &str = "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration\n/docker-entrypoint.sh: Looking for shell \
                        scripts in /docker-entrypoint.d/\n/docker-entrypoint.sh: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh\n\
                        10-listen-on-ipv6-by-default.sh: info: Getting the checksum of /etc/nginx/conf.d/default.conf\n10-listen-on-ipv6-by-default.sh: info: \
                        Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf\n/docker-entrypoint.sh: Sourcing /docker-entrypoint.d/15-local-resolvers.envsh\n\
                        /docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh\n/docker-entrypoint.sh: Launching \
                        /docker-entrypoint.d/30-tune-worker-processes.sh\n/docker-entrypoint.sh: Configuration complete; ready for start up\n";

const WELCOME: &str = "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n<style>\nhtml { color-scheme: light dark; }\nbody { width: 35em; \
                       margin: 0 auto;\nfont-family: Tahoma, Verdana, Arial, sans-serif; }\n</style>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n<p>If you see \
                       this page, the nginx web server is successfully installed and\nworking. Further configuration is required.</p>\n\n<p>For online \
                       documentation and support please refer to\n<a href=\"http://nginx.org/\">nginx.org</a>.<br/>\nCommercial support is available at\n<a \
                       href=\"http://nginx.com/\">nginx.com</a>.</p>\n\n<p><em>Thank you for using nginx.</em></p>\n</body>\n</html>\n";

pub(super) fn image(of: &Reference) -> Option<Image> {
    if !of.is("nginx") {
        return None;
    }
    let version = of.version(LATEST);
    let page = |code: &str, text: &str| {
        format!(
            "<!DOCTYPE html>\n<html>\n<head>\n<title>{code}</title>\n</head>\n<body>\n<h1>{text}</h1>\n<p>Sorry, the page you are looking for is currently \
             unavailable.<br/>\nPlease try again later.</p>\n</body>\n</html>\n"
        )
    };
    let files = [
        userland::program("/usr/sbin/nginx", "nginx"),
        userland::program("/docker-entrypoint.sh", "nginx-entrypoint"),
        userland::program("/bin/bash", "bash"),
        userland::program("/usr/bin/curl", "curl"),
        Item::file(format!("{ROOT}/index.html"), 0o644, WELCOME.as_bytes()),
        Item::file(format!("{ROOT}/50x.html"), 0o644, page("Error", "An error occurred.")),
        Item::file(CONF, 0o644, MAIN.replace("LEVEL", if has_notices(version) { "notice" } else { "warn" })),
        Item::file("/etc/nginx/conf.d/default.conf", 0o644, DEFAULT.as_bytes()),
        Item::symlink("/var/log/nginx/access.log", "/dev/stdout"),
        Item::symlink("/var/log/nginx/error.log", "/dev/stderr"),
        Item::directory("/docker-entrypoint.d", 0o755),
    ];
    // Old images have nothing that runs before.
    let entrypoint: &[&str] = if has_notices(version) { &["/docker-entrypoint.sh"] } else { &[] };
    let image = Image::new(userland::with(&userland::base(), files), entrypoint, &["nginx", "-g", "daemon off;"]);
    Some(Image { stop_signal: Signal::QUIT, ..image.with_env(&[("NGINX_VERSION", version)]).exposing(&[80]).sized(70 << 20).resting(0) })
}

/// What the image runs first: it looks for what is to be configured, says so, and becomes what it is told.
async fn entrypoint(ctx: Ctx) -> i32 {
    let args = ctx.args()[1..].to_vec();
    let Some(program) = args.first().cloned() else { return 0 };
    if program.starts_with("nginx") {
        let _ = ctx.out(PREPARED).await;
    }
    let errno = replace(&ctx, args).await;
    ctx.err(format!("/docker-entrypoint.sh: exec: line 47: {program}: {errno}\n")).await;
    127
}

async fn main(ctx: Ctx) -> i32 {
    let version = ctx.var("NGINX_VERSION").unwrap_or(LATEST).to_owned();
    let args: Vec<&str> = ctx.args().iter().skip(1).map(String::as_str).collect();
    match args.as_slice() {
        ["-v"] => {
            ctx.err(format!("nginx version: nginx/{version}\n")).await;
            0
        }
        ["-t" | "-T"] => match servers(&ctx).await {
            Ok(_) => {
                ctx.err(format!(
                    "nginx: the configuration file {CONF} syntax is ok\nnginx: configuration file {CONF} test is successful\n"
                ))
                .await;
                0
            }
            Err(why) => {
                ctx.err(format!("nginx: [emerg] {why}\nnginx: configuration file {CONF} test failed\n")).await;
                1
            }
        },
        ["-s", signal] => tell(&ctx, signal, &version).await,
        _ => run(ctx, version).await,
    }
}

/// The text of a file of the configuration.
async fn text_of(ctx: &Ctx, path: &str) -> Result<String, String> {
    let bytes = match ctx.open(path, Open::READ).await {
        Ok(fd) => {
            let bytes = ctx.read_all(fd).await;
            let _ = ctx.close(fd);
            bytes
        }
        Err(errno) => Err(errno),
    };
    bytes
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|errno| format!("open() \"{path}\" failed ({}: {errno})", errno.number()))
}

/// The servers that the configuration tells of; else what is wrong with it.
async fn servers(ctx: &Ctx) -> Result<Vec<Server>, String> {
    let mut found = Vec::new();
    let mut files = vec![CONF.to_owned()];
    let mut at = 0;
    while let Some(path) = files.get(at).cloned() {
        at += 1;
        let text = text_of(ctx, &path).await?;
        let place = |(why, line): (String, usize)| format!("{why} in {path}:{line}");
        let mut waiting = conf::parse(&text).map_err(place)?;
        while let Some(directive) = waiting.pop() {
            match (directive.words[0].as_str(), directive.inside) {
                ("http", Some(inside)) => waiting.extend(inside),
                ("server", Some(inside)) => {
                    let server = conf::server(&inside, ROOT);
                    for location in &server.locations {
                        if let Some(host) = location.proxy.as_deref().and_then(Url::parse).map(|url| url.host)
                            && !host.contains('$')
                            && ctx.resolve(&host).await.is_err()
                        {
                            return Err(format!("host not found in upstream \"{host}\" in {path}:{}", directive.line));
                        }
                    }
                    found.push(server);
                }
                ("include", None) if files.len() < MOST_FILES => {
                    let Some(pattern) = directive.words.get(1) else { continue };
                    let pattern = if pattern.starts_with('/') { pattern.clone() } else { join("/etc/nginx", pattern) };
                    let folder = parent(&pattern);
                    let Ok(fits) = wildcard(base(&pattern), false, true) else { continue };
                    let names = ctx.list(folder).unwrap_or_default().into_iter().map(|entry| entry.name);
                    files.extend(
                        names.filter(|name| fits.is_match(name.as_bytes()) && name.ends_with(".conf")).map(|name| join(folder, &name)),
                    );
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

/// Tells the master process something.
async fn tell(ctx: &Ctx, what: &str, version: &str) -> i32 {
    let signal = match what {
        "quit" => Signal::QUIT,
        "stop" => Signal::TERM,
        "reload" => Signal::HUP,
        "reopen" => Signal::USR1,
        _ => {
            ctx.err(format!("nginx: invalid option: \"-s {what}\"\n")).await;
            return 1;
        }
    };
    let all = ctx.processes();
    let named = |name: &str| all.iter().find(|process| process.args.first().is_some_and(|args| args.starts_with(name))).map(|process| process.pid);
    if has_notices(version) {
        ctx.err(format!("{} [notice] {1}#{1}: signal process started\n", stamp(ctx), ctx.pid())).await;
    }
    if let Some(master) = named("nginx: master") {
        if has_notices(version) {
            hear(ctx, signal, master, named("nginx: worker").unwrap_or(master)).await;
        }
        if ctx.kill(master, Some(signal)).is_ok() {
            return 0;
        }
    }
    ctx.err(format!("nginx: [error] open() \"{PID}\" failed (2: No such file or directory)\n")).await;
    1
}

/// Has the master process log what it hears. It is a resident, so whoever tells it writes that for it.
async fn hear(ctx: &Ctx, signal: Signal, master: Pid, worker: Pid) {
    let (name, does) = match signal {
        Signal::QUIT => ("SIGQUIT", "shutting down"),
        Signal::TERM => ("SIGTERM", "exiting"),
        Signal::HUP => ("SIGHUP", "reconfiguring"),
        _ => ("SIGUSR1", "reopening logs"),
    };
    let time = stamp(ctx);
    let say = |pid: Pid, text: &str| format!("{time} [notice] {pid}#{pid}: {text}\n");
    let mut lines = say(master, &format!("signal {} ({name}) received from {}, {does}", signal.number(), ctx.pid()));
    match signal {
        Signal::QUIT => ["gracefully shutting down", "exiting", "exit"].iter().for_each(|text| lines += &say(worker, text)),
        Signal::TERM => ["exiting", "exit"].iter().for_each(|text| lines += &say(worker, text)),
        Signal::HUP => lines += &say(master, "reconfiguring"),
        _ => {}
    }
    if let Ok(log) = ctx.open(&format!("/proc/{master}/fd/2"), Open::WRITE).await {
        // Nobody is told when a log cannot be written.
        let _ = ctx.write_all(log, lines.as_bytes()).await;
        let _ = ctx.close(log);
    }
}

async fn run(ctx: Ctx, version: String) -> i32 {
    let found = match servers(&ctx).await {
        Ok(found) => found,
        Err(why) => {
            ctx.err(format!("{} [emerg] {}#{}: {why}\n", stamp(&ctx), ctx.pid(), ctx.pid())).await;
            return 1;
        }
    };
    let server = format!("nginx/{version}");
    let pid = ctx.pid();
    let mut ports: Vec<u16> = found.iter().flat_map(|server| server.ports.clone()).collect();
    ports.sort_unstable();
    ports.dedup();
    for port in ports {
        // Of several servers at a port the first that was read answers.
        let Some(site) = found.iter().find(|server| server.ports.contains(&port)).cloned() else { continue };
        let (site, server) = (Arc::new(site), server.clone());
        let handler = move |ctx: Ctx, asked: Option<Asked>| answer(ctx, asked, server.clone(), site.clone()).boxed();
        if let Err(errno) = listen(&ctx, port, handler) {
            ctx.err(format!("nginx: [emerg] bind() to 0.0.0.0:{port} failed ({}: {errno})\n", errno.number())).await;
            return 1;
        }
    }
    if has_notices(&version) {
        for text in
            ["using the \"epoll\" event method", &server, "OS: Linux 6.12.0-mini", "start worker processes", "start worker process 29"]
        {
            ctx.err(format!("{} [notice] {pid}#{pid}: {text}\n", stamp(&ctx))).await;
        }
    }
    if let Ok(fd) = ctx.open(PID, Open::WRITE).await {
        let _ = ctx.write_all(fd, format!("{pid}\n").as_bytes()).await;
        let _ = ctx.close(fd);
    }
    let worker = Resident { uid: Some(101), ..resident("nginx: worker process", 3 << 20, reacts()) };
    let master = resident("nginx: master process nginx -g daemon off;", 6 << 20, reacts());
    match ctx.reside(Resident { children: vec![worker], ..master }).await {}
}

/// It ends at these signals, and what else it takes for a word to it does not end it.
fn reacts() -> Reaction {
    Arc::new(|signal| match signal {
        Signal::TERM | Signal::QUIT | Signal::INT => React::Exit(0),
        Signal::HUP | Signal::USR1 | Signal::USR2 | Signal::WINCH => React::Nothing,
        _ => React::Default,
    })
}

/// Whether an image of this version logs notices and prepares itself: since 1.19.
fn has_notices(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(u32::MAX)) >= (1, 19)
}

/// How a line of its error log begins.
fn stamp(ctx: &Ctx) -> String {
    Clock::of(ctx).format(ctx.now(), "%Y/%m/%d %H:%M:%S")
}

async fn answer(ctx: Ctx, asked: Option<Asked>, server: String, site: Arc<Server>) -> Answer {
    let date = http_date(ctx.now());
    let common = [("Server", server.as_str()), ("Date", date.as_str())];
    let Some(asked) = asked else { return failure(400, "Bad Request", &server, &common) };
    let path = asked.path();
    let location = site.location(&path);
    let returns = site.returns.as_ref().or_else(|| location?.returns.as_ref());
    let answer = match (returns, location.and_then(|location| location.proxy.as_deref())) {
        (Some((code, text)), _) => returned(*code, text, &server, &common),
        (None, Some(proxy)) => {
            let inside = location.map_or("", |location| &location.path);
            proxied(&ctx, &asked, proxy, inside, &common).await.unwrap_or_else(|| failure(502, "Bad Gateway", &server, &common))
        }
        (None, None) if matches!(asked.method.as_str(), "GET" | "HEAD") => {
            let index = location.and_then(|location| location.index.as_ref()).unwrap_or(&site.index);
            let (root, path) = match location.and_then(|location| Some((location.alias.as_deref()?, path.strip_prefix(&location.path)?))) {
                Some((alias, rest)) => (alias.to_owned(), format!("/{}", rest.trim_start_matches('/'))),
                None => (location.and_then(|location| location.root.clone()).unwrap_or_else(|| site.root.clone()), path.clone()),
            };
            page(&ctx, &asked, (&root, &path, index), &server, &common).await
        }
        (None, None) => failure(405, "Not Allowed", &server, &common),
    };
    let bytes = answer.headers.iter().find(|(name, _)| name == "Content-Length").map_or("0", |(_, value)| value);
    let (agent, referer) = (asked.header("User-Agent").unwrap_or("-"), asked.header("Referer").unwrap_or("-"));
    let time = Clock::of(&ctx).format(ctx.now(), "%d/%b/%Y:%H:%M:%S %z");
    let request = format!("{} {} HTTP/1.{}", asked.method, asked.target, asked.minor);
    let line = format!("{} - - [{time}] \"{request}\" {} {bytes} \"{referer}\" \"{agent}\" \"-\"\n", asked.peer, answer.status);
    // Nobody is told when a log cannot be written.
    let _ = ctx.out(line).await;
    answer
}

async fn page(ctx: &Ctx, asked: &Asked, (root, path, index): (&str, &str, &[String]), server: &str, common: &[(&str, &str)]) -> Answer {
    let indexes: Vec<&str> = index.iter().map(String::as_str).collect();
    match document(ctx, root, path, &indexes).await {
        Document::File(input, size, modified, kind) => {
            let (size_text, modified_text) = (size.to_string(), http_date(modified));
            let tag = format!("\"{:x}-{size:x}\"", modified.as_second());
            let headers = [
                ("Content-Type", kind),
                ("Content-Length", &size_text),
                ("Last-Modified", &modified_text),
                ("Connection", if asked.keeps() { "keep-alive" } else { "close" }),
                ("ETag", &tag),
                ("Accept-Ranges", "bytes"),
            ];
            let headers = common.iter().chain(&headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Answer { status: 200, reason: "OK".to_owned(), headers, content: Content::File(input) }
        }
        Document::Moved => {
            let mut moved = failure(301, "Moved Permanently", server, common);
            moved.headers.push(("Location".to_owned(), format!("http://{}{}/", asked.header("Host").unwrap_or_default(), asked.path())));
            moved
        }
        Document::Directory(folder) => {
            log_error(ctx, asked, &format!("directory index of \"{folder}/\" is forbidden")).await;
            failure(403, "Forbidden", server, common)
        }
        Document::Missing(path, errno) => {
            log_error(ctx, asked, &format!("open() \"{path}\" failed ({}: {errno})", errno.number())).await;
            if errno == Errno::EACCES { failure(403, "Forbidden", server, common) } else { failure(404, "Not Found", server, common) }
        }
    }
}

async fn log_error(ctx: &Ctx, asked: &Asked, text: &str) {
    let place = format!(
        "client: {}, server: localhost, request: \"{} {} HTTP/1.{}\", host: \"{}\"",
        asked.peer,
        asked.method,
        asked.target,
        asked.minor,
        asked.header("Host").unwrap_or_default()
    );
    ctx.err(format!("{} [error] 29#29: *1 {text}, {place}\n", stamp(ctx))).await;
}

fn returned(code: u16, text: &str, server: &str, common: &[(&str, &str)]) -> Answer {
    let reason = match code {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Temporarily Unavailable",
        _ => "",
    };
    if matches!(code, 301 | 302 | 303 | 307 | 308) {
        let mut moved = failure(code, reason, server, common);
        moved.headers.push(("Location".to_owned(), text.to_owned()));
        return moved;
    }
    if text.is_empty() && code >= 400 {
        return failure(code, reason, server, common);
    }
    Answer::text(code, reason, &[common, &[("Content-Type", "text/plain")]].concat(), text)
}

/// Asks another server. `None`: it does not answer.
async fn proxied(ctx: &Ctx, asked: &Asked, proxy: &str, inside: &str, common: &[(&str, &str)]) -> Option<Answer> {
    let url = Url::parse(proxy)?;
    // With a path in `proxy_pass` that takes the place of the location's.
    let has_path = proxy.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    let target =
        if has_path { format!("{}{}", url.target, asked.target.strip_prefix(inside).unwrap_or_default()) } else { asked.target.clone() };
    let address = *ctx.resolve(&url.host).await.ok()?.addresses.first()?;
    let fd = match ctx.connect(std::net::SocketAddr::new(address, url.port)).await {
        Ok(fd) => fd,
        Err(errno) => {
            log_error(ctx, asked, &format!("connect() failed ({}: {errno}) while connecting to upstream", errno.number())).await;
            return None;
        }
    };
    let kept = asked
        .headers
        .iter()
        .filter(|(name, _)| !["host", "connection", "content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str()));
    let mut headers = vec![("Host".to_owned(), url.authority.clone()), ("Connection".to_owned(), "close".to_owned())];
    headers.extend(kept.cloned());
    if !asked.body.is_empty() {
        headers.push(("Content-Length".to_owned(), asked.body.len().to_string()));
    }
    let request = Request { method: asked.method.clone(), target, headers, body: asked.body.clone() };
    let mut reply = exchange(ctx, fd, &request).await.ok()??;
    let mut body = Vec::new();
    while let Ok(piece) = reply.piece().await {
        if piece.is_empty() || body.len() > MOST_BODY {
            break;
        }
        body.extend(piece);
    }
    let reason = reply.told.line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    let framing = ["server", "date", "connection", "content-length", "transfer-encoding"];
    let theirs = reply.told.headers.iter().filter(|(name, _)| !framing.contains(&name.to_ascii_lowercase().as_str())).cloned();
    let own = common.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let headers = own.chain(theirs).chain([("Content-Length".to_owned(), body.len().to_string())]).collect();
    Some(Answer { status: reply.told.status, reason, headers, content: Content::Bytes(body) })
}

fn failure(status: u16, reason: &str, server: &str, common: &[(&str, &str)]) -> Answer {
    let title = format!("{status} {reason}");
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    );
    Answer::text(status, reason, &[common, &[("Content-Type", "text/html")]].concat(), body)
}

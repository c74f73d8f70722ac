//! Apache httpd: it works.

use futures::FutureExt;

use super::{
    Image, Reference, userland,
    web::{listen, resident},
};
use crate::{
    Ctx, Signal,
    applets::hand::{
        Clock,
        http::{Answer, Asked, Content, Document, document, http_date},
    },
    files::Item,
    kernel::{Program, React, Reaction, Resident},
};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("httpd-foreground", |ctx| Box::pin(main(ctx)))];

const ROOT: &str = "/usr/local/apache2/htdocs";
const LATEST: &str = "2.4.65";

pub(super) fn image(of: &Reference) -> Option<Image> {
    if !of.is("httpd") {
        return None;
    }
    let files = [
        userland::program("/usr/local/bin/httpd-foreground", "httpd-foreground"),
        userland::program("/usr/local/apache2/bin/httpd", "httpd-foreground"),
        userland::program("/bin/bash", "bash"),
        Item::file(format!("{ROOT}/index.html"), 0o644, &b"<html><body><h1>It works!</h1></body></html>\n"[..]),
        Item::directory("/usr/local/apache2/logs", 0o755),
    ];
    let image = Image::new(userland::with(&userland::base(), files), &[], &["httpd-foreground"]);
    let env = [("HTTPD_PREFIX", "/usr/local/apache2"), ("HTTPD_VERSION", of.version(LATEST))];
    Some(Image {
        stop_signal: Signal::WINCH,
        cwd: "/usr/local/apache2".to_owned(),
        ..image.with_env(&env).exposing(&[80]).sized(60 << 20).resting(0)
    })
}

async fn main(ctx: Ctx) -> i32 {
    let server = format!("Apache/{} (Unix)", ctx.var("HTTPD_VERSION").unwrap_or(LATEST));
    let address = ctx.addresses().first().map_or_else(|| "127.0.0.1".to_owned(), ToString::to_string);
    ctx.err(format!(
        "AH00558: httpd: Could not reliably determine the server's fully qualified domain name, using {address}. Set the 'ServerName' directive globally to \
         suppress this message\n"
    ))
    .await;
    let time = Clock::of(&ctx).format(ctx.now(), "%a %b %d %H:%M:%S.%6f %Y");
    ctx.err(format!("[{time}] [mpm_event:notice] [pid 1:tid 1] AH00489: {server} configured -- resuming normal operations\n")).await;
    let handler = {
        let server = server.clone();
        move |ctx: Ctx, asked: Option<Asked>| answer(ctx, asked, server.clone()).boxed()
    };
    if let Err(errno) = listen(&ctx, 80, handler) {
        ctx.err(format!("({errno}) AH00072: make_sock: could not bind to address 0.0.0.0:80\n")).await;
        return 1;
    }
    let ends = || -> Reaction {
        std::sync::Arc::new(|signal| match signal {
            Signal::TERM | Signal::WINCH | Signal::INT => React::Exit(0),
            // It begins anew, which changes nothing here.
            Signal::HUP | Signal::USR1 => React::Nothing,
            _ => React::Default,
        })
    };
    let worker = || Resident { uid: Some(33), ..resident("httpd -DFOREGROUND", 4 << 20, ends()) };
    match ctx.reside(Resident { children: vec![worker(), worker(), worker()], ..resident("httpd -DFOREGROUND", 8 << 20, ends()) }).await {}
}

async fn answer(ctx: Ctx, asked: Option<Asked>, server: String) -> Answer {
    let date = http_date(ctx.now());
    let common = [("Date", date.as_str()), ("Server", server.as_str())];
    let Some(asked) = asked else {
        return failure(400, "Bad Request", "Your browser sent a request that this server could not understand.", &common);
    };
    let missing = "The requested URL was not found on this server.";
    let answer = match asked.method.as_str() {
        "GET" | "HEAD" => match document(&ctx, ROOT, &asked.path(), &["index.html"]).await {
            Document::File(input, size, modified, kind) => {
                let (size_text, modified_text, tag) =
                    (size.to_string(), http_date(modified), format!("\"{size:x}-{:x}\"", modified.as_microsecond()));
                let headers = [
                    ("Last-Modified", modified_text.as_str()),
                    ("ETag", &tag),
                    ("Accept-Ranges", "bytes"),
                    ("Content-Length", &size_text),
                    ("Content-Type", kind),
                ];
                let headers = common.iter().chain(&headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                Answer { status: 200, reason: "OK".to_owned(), headers, content: Content::File(input) }
            }
            Document::Moved => failure(301, "Moved Permanently", "The document has moved.", &common),
            Document::Directory(_) => failure(403, "Forbidden", "You don't have permission to access this resource.", &common),
            Document::Missing(..) => failure(404, "Not Found", missing, &common),
        },
        _ => failure(405, "Method Not Allowed", "The requested method is not allowed for this URL.", &common),
    };
    let bytes = answer.headers.iter().find(|(name, _)| name == "Content-Length").map_or("-", |(_, value)| value);
    let time = Clock::of(&ctx).format(ctx.now(), "%d/%b/%Y:%H:%M:%S %z");
    // Nobody is told when a log cannot be written.
    let _ = ctx
        .out(format!(
            "{} - - [{time}] \"{} {} HTTP/1.{}\" {} {bytes}\n",
            asked.peer, asked.method, asked.target, asked.minor, answer.status
        ))
        .await;
    answer
}

fn failure(status: u16, reason: &str, text: &str, common: &[(&str, &str)]) -> Answer {
    let body = format!(
        "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>{status} {reason}</title>\n</head><body>\n<h1>{reason}</h1>\n<p>{text}</p>\n\
         </body></html>\n"
    );
    Answer::text(status, reason, &[common, &[("Content-Type", "text/html; charset=iso-8859-1")]].concat(), body)
}

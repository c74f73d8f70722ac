//! tomcat: it has started, and has no application, as its image has had none for years.

use futures::FutureExt;

use super::{
    Image, Reference, userland,
    web::{listen, resident, until},
};
use crate::{
    Ctx, Signal,
    applets::hand::{
        Clock,
        http::{Answer, Asked, Content, Document, document, http_date},
    },
    files::Item,
    kernel::Program,
};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("catalina", |ctx| Box::pin(main(ctx)))];

const HOME: &str = "/usr/local/tomcat";
const LATEST: &str = "10.1.18";

pub(super) fn image(of: &Reference) -> Option<Image> {
    if !of.is("tomcat") {
        return None;
    }
    let files = [
        userland::program(&format!("{HOME}/bin/catalina.sh"), "catalina"),
        userland::program("/bin/bash", "bash"),
        userland::program("/usr/bin/curl", "curl"),
        Item::directory(format!("{HOME}/webapps"), 0o755),
        Item::directory(format!("{HOME}/logs"), 0o755),
    ];
    let env = [
        ("CATALINA_HOME", HOME),
        ("TOMCAT_VERSION", of.version(LATEST)),
        ("PATH", "/usr/local/tomcat/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ];
    let image = Image::new(userland::with(&userland::base(), files), &[], &["catalina.sh", "run"])
        .with_env(&env)
        .exposing(&[8080])
        .sized(170 << 20);
    Some(Image { cwd: HOME.to_owned(), ..image }.resting(143))
}

async fn main(ctx: Ctx) -> i32 {
    let version = ctx.var("TOMCAT_VERSION").unwrap_or(LATEST).to_owned();
    if ctx.args().get(1).is_none_or(|command| command != "run") {
        let _ = ctx.out("Usage: catalina.sh ( commands ... )\ncommands:\n  run               Start Catalina in the current window\n").await;
        return 1;
    }
    let stamp = Clock::of(&ctx).format(ctx.now(), "%d-%b-%Y %H:%M:%S.000");
    let handler = move |ctx: Ctx, asked: Option<Asked>| answer(ctx, asked, version.clone()).boxed();
    if let Err(errno) = listen(&ctx, 8080, handler) {
        ctx.err(format!("{stamp} SEVERE [main] org.apache.catalina.util.LifecycleBase.handleSubClassException Failed to initialize component [Connector[\"http-nio-8080\"]] {errno}\n")).await;
        return 1;
    }
    ctx.err(format!("{stamp} INFO [main] org.apache.coyote.AbstractProtocol.start Starting ProtocolHandler [\"http-nio-8080\"]\n{stamp} INFO [main] org.apache.catalina.startup.Catalina.start Server startup in [52] milliseconds\n")).await;
    match ctx.reside(resident("java org.apache.catalina.startup.Bootstrap start", 90 << 20, until(&[Signal::TERM, Signal::INT], 143))).await {}
}

async fn answer(ctx: Ctx, asked: Option<Asked>, version: String) -> Answer {
    let path = asked.map_or_else(|| "/".to_owned(), |asked| asked.path());
    let date = http_date(ctx.now());
    // The first part of a path is the application.
    let root = if ctx.stat(&format!("{HOME}/webapps{path}")).is_ok() && path != "/" {
        format!("{HOME}/webapps")
    } else {
        format!("{HOME}/webapps/ROOT")
    };
    match document(&ctx, &root, &path, &["index.html", "index.htm"]).await {
        Document::File(input, size, modified, kind) => {
            let headers = [
                ("Accept-Ranges", "bytes".to_owned()),
                ("ETag", format!("W/\"{size}-{}\"", modified.as_millisecond())),
                ("Last-Modified", http_date(modified)),
                ("Content-Type", kind.to_owned()),
                ("Content-Length", size.to_string()),
                ("Date", date),
            ];
            Answer {
                status: 200,
                reason: String::new(),
                headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
                content: Content::File(input),
            }
        }
        Document::Moved => Answer::text(302, "", &[("Location", &format!("{path}/")), ("Date", &date)], ""),
        _ => {
            let body = format!(
                "<!doctype html><html lang=\"en\"><head><title>HTTP Status 404 – Not Found</title></head><body><h1>HTTP Status 404 – Not Found</h1><hr class=\"line\" /><p><b>Type</b> Status Report</p><p><b>Description</b> The origin server did not find a current representation for the target resource or is not willing to disclose that one exists.</p><hr class=\"line\" /><h3>Apache Tomcat/{version}</h3></body></html>"
            );
            Answer::text(404, "", &[("Content-Type", "text/html;charset=utf-8"), ("Content-Language", "en"), ("Date", &date)], body)
        }
    }
}

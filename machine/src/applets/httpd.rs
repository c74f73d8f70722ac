//! `httpd`: busybox's small web server.

use std::{net::SocketAddr, sync::Arc};

use futures::FutureExt;

use super::hand::{
    Outcome, Usage, fail,
    http::{Answer, Asked, Content, Document, Handler, document, http_date, serve},
};
use crate::{
    Ctx, Signal,
    kernel::{Disposition, Group},
};

const USAGE: Usage = Usage::short(
    "[-ifv[v]] [-c CONFFILE] [-p [IP:]PORT] [-u USER[:GRP]] [-r REALM] [-h HOME]\nor httpd -d/-e/-m STRING",
    "c:d:e:h:p:ifu:r:m:v",
);

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 0, 0).await?;
    for (option, value) in &given.options {
        match (option, value) {
            ('d', Some(text)) => {
                let plain = percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
                ctx.out(plain).await.map_err(super::hand::Stop::Output)?;
                return Ok(0);
            }
            ('e', Some(text)) => {
                let coded: String =
                    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("&#{};", u32::from(c)) }).collect();
                ctx.out(coded).await.map_err(super::hand::Stop::Output)?;
                return Ok(0);
            }
            _ => {}
        }
    }
    let home = given.value('h').unwrap_or(".");
    if let Err(errno) = ctx.chdir(home) {
        return Err(fail(&ctx, format!("can't change directory to '{home}': {errno}")).await);
    }
    let text = given.value('p').unwrap_or("80");
    let address = text.parse::<SocketAddr>().or_else(|_| text.parse::<u16>().map(|port| SocketAddr::from(([0, 0, 0, 0], port))));
    let Ok(address) = address else { return Err(fail(&ctx, format!("bad address '{text}'")).await) };
    let root = ctx.cwd();
    let verbose = given.count('v');
    if given.has('f') {
        return run(&ctx, address, root, verbose).await;
    }
    let child = ctx.fork(Group::New, move |ctx| async move { run(&ctx, address, root, verbose).await.unwrap_or(1) });
    // The child says what is wrong, if anything is; it is not waited for.
    Ok(i32::from(child.is_err()))
}

async fn run(ctx: &Ctx, address: SocketAddr, root: String, verbose: usize) -> Outcome {
    let _ = ctx.set_disposition(Signal::PIPE, Disposition::Ignore);
    let handler: Handler = Arc::new(move |ctx, asked| answer(ctx, asked, root.clone(), verbose).boxed());
    if let Err(errno) = ctx.serve(address, move |ctx, connection| serve(ctx, connection, handler.clone()).boxed()) {
        return Err(fail(ctx, format!("bind: {errno}")).await);
    }
    ctx.idle().await;
    Ok(0)
}

async fn answer(ctx: Ctx, asked: Option<Asked>, root: String, verbose: usize) -> Answer {
    let date = http_date(ctx.now());
    let peer = asked.as_ref().map_or(String::new(), |asked| asked.peer.clone());
    let answer = match asked {
        None => failure(400, "Bad Request", "Unsupported method", &date),
        Some(asked) if !matches!(asked.method.as_str(), "GET" | "HEAD") => {
            failure(501, "Not Implemented", "The requested method is not recognized", &date)
        }
        Some(asked) => match document(&ctx, &root, &asked.path(), &["index.html"]).await {
            Document::File(input, size, modified, kind) => {
                let mut headers = vec![
                    ("Date", date),
                    ("Connection", "close".to_owned()),
                    ("Content-type", kind.to_owned()),
                    ("Accept-Ranges", "bytes".to_owned()),
                    ("Last-Modified", http_date(modified)),
                ];
                headers.push(("Content-length", size.to_string()));
                let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                Answer { status: 200, reason: "OK".to_owned(), headers, content: Content::File(input) }
            }
            Document::Moved => {
                let mut moved = failure(302, "Found", "", &date);
                moved.headers.push(("Location".to_owned(), format!("{}/", asked.path())));
                moved
            }
            Document::Directory(_) | Document::Missing(..) => failure(404, "Not Found", "The requested URL was not found", &date),
        },
    };
    if verbose > 0 {
        ctx.err(format!("[{peer}]: response:{}\n", answer.status)).await;
    }
    answer
}

fn failure(status: u16, title: &str, text: &str, date: &str) -> Answer {
    let body = format!("<HTML><HEAD><TITLE>{status} {title}</TITLE></HEAD>\n<BODY><H1>{status} {title}</H1>\n{text}\n</BODY></HTML>\n");
    Answer {
        status,
        reason: title.to_owned(),
        headers: [("Date", date), ("Connection", "close"), ("Content-type", "text/html")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        content: Content::Bytes(body.into_bytes()),
    }
}

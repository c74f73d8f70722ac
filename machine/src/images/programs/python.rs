//! `python`, as much of it as labs run: `print`, `time.sleep`, `sys.exit`, and `-m http.server`.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;

use crate::{
    Ctx,
    applets::hand::{
        Clock, Outcome, Stop,
        http::{Answer, Asked, Content, Document, Handler, document, http_date, serve},
    },
};

const VERSION: &str = "3.12.1";

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let args: Vec<&str> = ctx.args().iter().skip(1).map(String::as_str).filter(|arg| *arg != "-u").collect();
    match args.as_slice() {
        ["--version" | "-V", ..] => {
            ctx.out(format!("Python {VERSION}\n")).await.map_err(Stop::Output)?;
            Ok(0)
        }
        ["-c", script, ..] => run(&ctx, script, "<string>").await,
        ["-m", "http.server", rest @ ..] => server(&ctx, rest).await,
        [file, ..] if !file.starts_with('-') => match ctx.open(file, crate::files::Open::READ).await {
            Ok(fd) => {
                let text = String::from_utf8_lossy(&ctx.read_all(fd).await.map_err(Stop::Input)?).into_owned();
                run(&ctx, &text, file).await
            }
            Err(errno) => {
                ctx.err(format!("python: can't open file '{file}': [Errno {}] {errno}\n", errno.number())).await;
                Ok(2)
            }
        },
        [] if !ctx.is_terminal(0) => {
            let text = String::from_utf8_lossy(&ctx.read_all(0).await.map_err(Stop::Input)?).into_owned();
            run(&ctx, &text, "<stdin>").await
        }
        _ => {
            ctx.err("python: this python is simulated: there is no interactive one\n").await;
            Ok(1)
        }
    }
}

async fn run(ctx: &Ctx, script: &str, file: &str) -> Outcome {
    for (at, line) in script.lines().enumerate() {
        for statement in line.split(';').map(str::trim).filter(|statement| !statement.is_empty() && !statement.starts_with('#')) {
            let call = |name: &str| statement.strip_prefix(name)?.trim().strip_prefix('(')?.strip_suffix(')').map(str::trim);
            if statement.starts_with("import ") || statement.starts_with("from ") {
                continue;
            }
            if let Some(code) = call("sys.exit").or_else(|| call("exit")).or_else(|| call("quit")) {
                return Ok(code.parse::<i32>().unwrap_or(0) & 255);
            }
            if let Some(seconds) =
                call("time.sleep").or_else(|| call("sleep")).and_then(|text| text.parse::<f64>().ok()).filter(|seconds| *seconds >= 0.0)
            {
                let _ = ctx.sleep(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)).await;
                continue;
            }
            match call("print").and_then(printed) {
                Some(text) => ctx.out(format!("{text}\n")).await.map_err(Stop::Output)?,
                None => {
                    let why = "NotImplementedError: this python is simulated: it knows print, time.sleep, sys.exit and -m http.server";
                    ctx.err(format!("Traceback (most recent call last):\n  File \"{file}\", line {}, in <module>\n{why}\n", at + 1)).await;
                    return Ok(1);
                }
            }
        }
    }
    Ok(0)
}

/// What `print` shows of texts, numbers and sums of numbers; its options are left out.
fn printed(inside: &str) -> Option<String> {
    let mut words = Vec::new();
    let mut rest = inside;
    while !rest.is_empty() {
        if rest.starts_with("flush") || rest.starts_with("end") {
            break;
        }
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let end = match quote {
            Some(quote) => rest[1..].find(quote)? + 2,
            None => rest.find(',').unwrap_or(rest.len()),
        };
        let (word, more) = rest.split_at(end);
        words.push(match quote {
            Some(_) => word[1..word.len() - 1].replace("\\n", "\n").replace("\\t", "\t"),
            None => sum(word)?.to_string(),
        });
        rest = more.trim_start().strip_prefix(',').unwrap_or(more.trim_start()).trim_start();
    }
    Some(words.join(" "))
}

/// Whole numbers with `+`, `-`, `*` between them.
fn sum(text: &str) -> Option<i64> {
    let text = text.replace(' ', "");
    let mut total: i64 = 0;
    let mut from = 0;
    let ends = text.char_indices().skip(1).filter(|(at, c)| matches!(c, '+' | '-') && !text[..*at].ends_with('*')).map(|(at, _)| at);
    for end in ends.chain([text.len()]) {
        let part = text.get(from..end)?;
        let (sign, part) = part.strip_prefix('-').map_or((1, part.strip_prefix('+').unwrap_or(part)), |part| (-1, part));
        let product = part.split('*').try_fold(sign, |product: i64, factor| product.checked_mul(factor.parse().ok()?))?;
        total = total.checked_add(product)?;
        from = end;
    }
    Some(total)
}

async fn server(ctx: &Ctx, args: &[&str]) -> Outcome {
    let mut port = 8000;
    let mut root = ctx.cwd();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match *arg {
            "-d" | "--directory" => root = rest.next().map_or(root, |folder| (*folder).to_owned()),
            "-b" | "--bind" => _ = rest.next(),
            number => match number.parse() {
                Ok(number) => port = number,
                Err(_) => {
                    ctx.err(format!("usage: server.py [-h] [--cgi] [-b ADDRESS] [-d DIRECTORY] [-p VERSION] [port]\nserver.py: error: argument port: invalid int value: '{number}'\n")).await;
                    return Ok(2);
                }
            },
        }
    }
    let handler: Handler = Arc::new(move |ctx, asked| answer(ctx, asked, root.clone()).boxed());
    let address = std::net::SocketAddr::from(([0, 0, 0, 0], port));
    if let Err(errno) = ctx.serve(address, move |ctx, connection| serve(ctx, connection, handler.clone()).boxed()) {
        ctx.err(format!("OSError: [Errno {}] {errno}\n", errno.number())).await;
        return Ok(1);
    }
    ctx.out(format!("Serving HTTP on 0.0.0.0 port {port} (http://0.0.0.0:{port}/) ...\n")).await.map_err(Stop::Output)?;
    ctx.idle().await;
    Ok(0)
}

async fn answer(ctx: Ctx, asked: Option<Asked>, root: String) -> Answer {
    let date = http_date(ctx.now());
    let server = format!("SimpleHTTP/0.6 Python/{VERSION}");
    let common = [("Server", server.as_str()), ("Date", date.as_str())];
    let failure = |status: u16, reason: &str| {
        let body = format!(
            "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n        <title>Error response</title>\n    </head>\n    <body>\n        <h1>Error response</h1>\n        <p>Error code: {status}</p>\n        <p>Message: {reason}.</p>\n    </body>\n</html>\n"
        );
        Answer::text(
            status,
            reason,
            &[common.as_slice(), &[("Connection", "close"), ("Content-Type", "text/html;charset=utf-8")]].concat(),
            body,
        )
    };
    let Some(asked) = asked else { return failure(400, "Bad request syntax") };
    let answer = match document(&ctx, &root, &asked.path(), &["index.html", "index.htm"]).await {
        _ if !matches!(asked.method.as_str(), "GET" | "HEAD") => failure(501, "Unsupported method"),
        Document::File(input, size, modified, kind) => {
            let (size, modified) = (size.to_string(), http_date(modified));
            let lines =
                [("Content-type", kind), ("Content-Length", size.as_str()), ("Last-Modified", modified.as_str()), ("Connection", "close")];
            let headers = common.iter().chain(&lines).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Answer { status: 200, reason: "OK".to_owned(), headers, content: Content::File(input) }
        }
        Document::Moved => {
            Answer::text(301, "Moved Permanently", &[common.as_slice(), &[("Location", &format!("{}/", asked.path()))]].concat(), "")
        }
        Document::Directory(folder) => {
            let entries = ctx.list(&folder).unwrap_or_default();
            let items: String = entries.iter().map(|entry| format!("<li><a href=\"{0}\">{0}</a></li>\n", entry.name)).collect();
            let title = format!("Directory listing for {}", asked.path());
            let body = format!(
                "<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n<hr>\n<ul>\n{items}</ul>\n<hr>\n</body>\n</html>\n"
            );
            Answer::text(200, "OK", &[common.as_slice(), &[("Content-type", "text/html; charset=utf-8")]].concat(), body)
        }
        Document::Missing(..) => failure(404, "File not found"),
    };
    let time = Clock::of(&ctx).format(ctx.now(), "%d/%b/%Y %H:%M:%S");
    ctx.err(format!("{} - - [{time}] \"{} {} HTTP/1.{}\" {} -\n", asked.peer, asked.method, asked.target, asked.minor, answer.status))
        .await;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed() {
        for (inside, expected) in [
            ("'hello'", Some("hello")),
            ("\"a\", 1+2*3", Some("a 7")),
            ("", Some("")),
            ("'x', flush=True", Some("x")),
            ("2*-3", Some("-6")),
            ("x", None),
        ] {
            assert_eq!(printed(inside).as_deref(), expected, "{inside}");
        }
    }
}

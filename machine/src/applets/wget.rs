//! `wget`: fetches over HTTP, as busybox's does.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::hand::{
    Given, Outcome, Stop, Usage, base, complain, fail,
    http::{Reply, Request, Url, exchange},
    join,
};
use crate::{
    Ctx, Errno,
    files::Open,
    kernel::{Fd, Seek},
};

const USAGE: Usage = Usage {
    syntax: "[-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]\n\t[--post-data STR | --post-file FILE] [-Y on/off]\n\t[--no-check-certificate] [-P DIR] [-U AGENT] [-T SEC] URL...",
    short: "cqSO:o:P:Y:U:T:t:nsH:D:F:N",
    long: &[
        ("continue", 'c'),
        ("quiet", 'q'),
        ("server-response", 'S'),
        ("output-document", 'O'),
        ("output-file", 'o'),
        ("directory-prefix", 'P'),
        ("proxy", 'Y'),
        ("user-agent", 'U'),
        ("timeout", 'T'),
        ("tries", 't'),
        ("spider", 's'),
        ("header", 'H'),
        ("post-data", 'D'),
        ("post-file", 'F'),
        ("no-check-certificate", 'N'),
    ],
};
/// How often is followed to somewhere else.
const MOST_TURNS: usize = 5;
/// How wide the bar is.
const BAR: usize = 32;

struct Get<'a> {
    ctx: &'a Ctx,
    given: &'a Given,
    /// Where what is told goes.
    log: Fd,
    wait: Duration,
    post: Option<Vec<u8>>,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let wait = match given.value('T').map(|text| (text, text.parse::<u64>())) {
        Some((text, Err(_))) => return Err(fail(&ctx, format!("invalid number '{text}'")).await),
        Some((_, Ok(seconds))) => Duration::from_secs(seconds),
        None => Duration::from_secs(900),
    };
    let post = match (given.value('D'), given.value('F')) {
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, Some(file)) => Some(read(&ctx, file).await?),
        (None, None) => None,
    };
    let mut log = 2;
    if let Some(file) = given.value('o') {
        log = match ctx.open(file, Open::WRITE).await {
            Ok(fd) => fd,
            Err(errno) => return Err(fail(&ctx, format!("can't open '{file}': {errno}")).await),
        };
    }
    let get = Get { ctx: &ctx, given: &given, log, wait, post };
    for url in &given.operands {
        get.fetch(url).await?;
    }
    Ok(0)
}

async fn read(ctx: &Ctx, file: &str) -> Result<Vec<u8>, Stop> {
    match ctx.open(file, Open::READ).await {
        Ok(fd) => ctx.read_all(fd).await.map_err(Stop::Input),
        Err(errno) => Err(fail(ctx, format!("can't open '{file}': {errno}")).await),
    }
}

impl Get<'_> {
    async fn tell(&self, text: impl AsRef<str>) {
        if !self.given.has('q') {
            // Nobody hears of a log that cannot be written.
            let _ = self.ctx.write_all(self.log, text.as_ref().as_bytes()).await;
        }
    }

    async fn fetch(&self, text: &str) -> Result<(), Stop> {
        let Some(mut url) = Url::parse(text) else { return Err(fail(self.ctx, format!("bad address '{text}'")).await) };
        for _ in 0..=MOST_TURNS {
            if url.scheme != "http" {
                let why =
                    if url.scheme == "https" { format!("TLS is not simulated: {text}") } else { format!("not an http or ftp url: {text}") };
                return Err(fail(self.ctx, why).await);
            }
            let mut reply = self.ask(&url).await?;
            if self.given.has('S') {
                let lines: String = reply.told.headers.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
                let _ = self.ctx.write_all(self.log, format!("  {}\n{lines}", reply.told.line).as_bytes()).await;
            }
            match reply.told.status {
                301 | 302 | 303 | 307 | 308 => {
                    let next = reply.told.header("Location").map(|location| url.follow(location));
                    match next {
                        Some(Some(next)) => url = next,
                        _ => return Err(fail(self.ctx, "bad redirection (no Location: header from server)").await),
                    }
                }
                200..=206 => return self.save(&url, &mut reply).await,
                _ => return Err(fail(self.ctx, format!("server returned error: {}", reply.told.line)).await),
            }
        }
        Err(fail(self.ctx, "too many redirections").await)
    }

    async fn ask(&self, url: &Url) -> Result<Reply, Stop> {
        let address = match self.ctx.resolve(&url.host).await {
            Ok(found) if !found.addresses.is_empty() => SocketAddr::new(found.addresses[0], url.port),
            _ => return Err(fail(self.ctx, format!("bad address '{}'", url.authority)).await),
        };
        self.tell(format!("Connecting to {} ({address})\n", url.authority)).await;
        let timed_out = || async { fail(self.ctx, "download timed out").await };
        let fd = match tokio::time::timeout(self.wait, self.ctx.connect(address)).await {
            Ok(Ok(fd)) => fd,
            Ok(Err(errno)) => return Err(fail(self.ctx, format!("can't connect to remote host ({}): {errno}", address.ip())).await),
            Err(_) => return Err(timed_out().await),
        };
        match tokio::time::timeout(self.wait, exchange(self.ctx, fd, &self.request(url))).await {
            Ok(Ok(Some(reply))) => Ok(reply),
            Ok(Ok(None)) => Err(fail(self.ctx, "error getting response").await),
            Ok(Err(Errno::EINVAL)) => Err(fail(self.ctx, "not an HTTP response").await),
            Ok(Err(errno)) => Err(fail(self.ctx, format!("error getting response: {errno}")).await),
            Err(_) => Err(timed_out().await),
        }
    }

    fn request(&self, url: &Url) -> Request {
        let mut headers: Vec<(String, String)> = Vec::new();
        let own: Vec<(String, String)> = self
            .given
            .values('H')
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        let has = |name: &str| own.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut add = |name: &str, value: String| {
            if !has(name) {
                headers.push((name.to_owned(), value));
            }
        };
        add("Host", url.authority.clone());
        add("User-Agent", self.given.value('U').unwrap_or("Wget").to_owned());
        add("Connection", "close".to_owned());
        if let Some(user) = &url.user {
            add("Authorization", format!("Basic {}", STANDARD.encode(user)));
        }
        if self.post.is_some() {
            add("Content-Type", "application/x-www-form-urlencoded".to_owned());
            add("Content-Length", self.post.as_ref().map_or(0, Vec::len).to_string());
        }
        headers.extend(own);
        let method = if self.post.is_some() { "POST" } else { "GET" };
        Request { method: method.to_owned(), target: url.target.clone(), headers, body: self.post.clone().unwrap_or_default() }
    }

    async fn save(&self, url: &Url, reply: &mut Reply) -> Result<(), Stop> {
        if self.given.has('s') {
            self.tell("remote file exists\n").await;
            return Ok(());
        }
        let path = url.target.split('?').next().unwrap_or_default();
        let name = if path.ends_with('/') { "index.html" } else { base(path) };
        let file = match (self.given.value('O'), self.given.value('P')) {
            (Some(file), _) => file.to_owned(),
            (None, Some(folder)) => join(folder, name),
            (None, None) => name.to_owned(),
        };
        let (fd, to_stdout) = if file == "-" {
            self.tell("writing to stdout\n").await;
            (1, true)
        } else {
            // Without -O and -c nothing is written over.
            let how = if self.given.has('O') {
                Open::WRITE
            } else if self.given.has('c') {
                Open::APPEND
            } else {
                Open::NEW
            };
            match self.ctx.open(&file, how).await {
                Ok(fd) => {
                    self.tell(format!("saving to '{file}'\n")).await;
                    (fd, false)
                }
                Err(errno) => return Err(fail(self.ctx, format!("can't open '{file}': {errno}")).await),
            }
        };
        let mut got = 0;
        loop {
            let piece = match tokio::time::timeout(self.wait, reply.piece()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(_)) => return Err(fail(self.ctx, "connection closed prematurely").await),
                Err(_) => return Err(fail(self.ctx, "download timed out").await),
            };
            if piece.is_empty() {
                break;
            }
            got += piece.len() as u64;
            if let Err(errno) = self.ctx.write_all(fd, &piece).await {
                complain(self.ctx, format!("write error: {errno}")).await;
                return Err(Stop::Exit(1));
            }
        }
        let shown = if to_stdout { "-" } else { base(&file) };
        self.tell(format!("\r{shown:<20.20} 100% |{}|{} {}", "*".repeat(BAR), amount(got), " 0:00:00 ETA\n")).await;
        if to_stdout {
            self.tell("written to stdout\n").await;
        } else {
            // A file that was lengthened keeps its end.
            let _ = self.ctx.seek(fd, Seek::End(0));
            let _ = self.ctx.close(fd);
            self.tell(format!("'{file}' saved\n")).await;
        }
        Ok(())
    }
}

/// How much has come, in at most five digits.
fn amount(bytes: u64) -> String {
    let (mut number, mut unit) = (bytes, 0);
    while number >= 100_000 && unit < 6 {
        number >>= 10;
        unit += 1;
    }
    format!("{number:6}{}", [' ', 'k', 'M', 'G', 'T', 'P', 'E'][unit]).trim_end().to_owned()
}

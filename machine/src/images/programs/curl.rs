//! `curl`: HTTP as curl speaks it.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::applets::hand::{
    Given, Out, Outcome, Stop, Usage, base, duration,
    http::{Reply, Request, Url, exchange},
};
use crate::{Ctx, Errno, files::Open, kernel::Fd, net::Failure};

const USAGE: Usage = Usage {
    syntax: "[options...] <url>",
    short: "sSo:OiIvkLX:H:d:w:m:\u{1}:fu:A:e:b:c:T:\u{2}:\u{3}:\u{4}:Gx:\u{5}:Nq#46\u{6}:",
    long: &[
        ("silent", 's'),
        ("show-error", 'S'),
        ("output", 'o'),
        ("remote-name", 'O'),
        ("include", 'i'),
        ("head", 'I'),
        ("verbose", 'v'),
        ("insecure", 'k'),
        ("location", 'L'),
        ("request", 'X'),
        ("header", 'H'),
        ("data", 'd'),
        ("data-raw", '\u{2}'),
        ("data-binary", '\u{3}'),
        ("data-urlencode", '\u{4}'),
        ("write-out", 'w'),
        ("max-time", 'm'),
        ("connect-timeout", '\u{1}'),
        ("fail", 'f'),
        ("user", 'u'),
        ("user-agent", 'A'),
        ("referer", 'e'),
        ("get", 'G'),
        ("resolve", '\u{5}'),
        ("no-buffer", 'N'),
        ("retry", '\u{6}'),
    ],
};
/// Its version, as it tells servers.
const VERSION: &str = "8.5.0";
const MOST_TURNS: usize = 50;

/// A failure: its number, and what curl says of it.
type Failed = (i32, String);

/// What is told at the end.
struct Told {
    began: Instant,
    /// When the name was known, the connection was there, and the answer began.
    resolved: Duration,
    connected: Duration,
    answered: Duration,
    status: u16,
    received: u64,
    kind: String,
    address: Option<SocketAddr>,
    turns: usize,
    url: String,
}

impl Told {
    fn new(url: &str) -> Self {
        Self {
            began: Instant::now(),
            resolved: Duration::ZERO,
            connected: Duration::ZERO,
            answered: Duration::ZERO,
            status: 0,
            received: 0,
            kind: String::new(),
            address: None,
            turns: 0,
            url: url.to_owned(),
        }
    }
}

struct Curl<'a> {
    ctx: &'a Ctx,
    given: &'a Given,
    data: Option<Vec<u8>>,
    out: Out,
}

/// Runs it.
pub(crate) async fn main(ctx: Ctx) -> Outcome {
    let args = ctx.args().get(1..).unwrap_or_default();
    if args.iter().any(|arg| arg == "--version" || arg == "-V") {
        ctx.out(format!("curl {VERSION} (x86_64-pc-linux-musl) libcurl/{VERSION}\nProtocols: http\nFeatures: IPv6\n"))
            .await
            .map_err(Stop::Output)?;
        return Ok(0);
    }
    let given = match USAGE.read(args) {
        Ok(given) => given,
        Err(wrong) => {
            let wrong = wrong.replace("invalid option -- '", "option -").replace("unrecognized option '", "option ").replace('\'', "");
            ctx.err(format!("curl: {wrong}: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n")).await;
            return Ok(2);
        }
    };
    if given.operands.is_empty() {
        ctx.err("curl: try 'curl --help' or 'curl --manual' for more information\n").await;
        return Ok(2);
    }
    let data = match data(&ctx, &given).await {
        Ok(data) => data,
        Err(errno) => {
            ctx.err(format!("curl: option -d: error encountered when reading a file: {errno}\n")).await;
            return Ok(26);
        }
    };
    let mut curl = Curl { ctx: &ctx, given: &given, data, out: Out::new(&ctx) };
    let mut code = 0;
    for url in given.operands.clone() {
        let mut told = Told::new(&url);
        let limit = given.value('m').and_then(duration).filter(|limit| !limit.is_zero());
        let fetched = match limit {
            Some(limit) => match tokio::time::timeout(limit, curl.fetch(&url, &mut told)).await {
                Ok(fetched) => fetched,
                Err(_) => Err(Ok((
                    28,
                    format!("Operation timed out after {} milliseconds with {} bytes received", limit.as_millis(), told.received),
                ))),
            },
            None => curl.fetch(&url, &mut told).await,
        };
        curl.out.flush().await?;
        code = match fetched {
            Ok(()) => 0,
            Err(Err(stop)) => return Err(stop),
            Err(Ok((number, why))) => {
                if !given.has('s') || given.has('S') {
                    ctx.err(format!("curl: ({number}) {why}\n")).await;
                }
                number
            }
        };
        if let Some(format) = given.value('w') {
            curl.out.put(written(format, &told, code)).await?;
        }
    }
    curl.out.end(code).await
}

/// What is sent, from `-d` and its like, joined by `&`.
async fn data(ctx: &Ctx, given: &Given) -> Result<Option<Vec<u8>>, Errno> {
    let mut data: Option<Vec<u8>> = None;
    for (option, value) in &given.options {
        let Some(value) = value else { continue };
        let bytes = match (option, value.strip_prefix('@')) {
            ('d' | '\u{3}', Some(file)) => {
                let fd = if file == "-" { 0 } else { ctx.open(file, Open::READ).await? };
                let mut bytes = ctx.read_all(fd).await?;
                if *option == 'd' {
                    bytes.retain(|byte| !matches!(byte, b'\n' | b'\r' | 0));
                }
                bytes
            }
            ('d' | '\u{2}' | '\u{3}', _) => value.clone().into_bytes(),
            ('\u{4}', _) => {
                let (name, text) = value.split_once('=').map_or((String::new(), value.as_str()), |(name, text)| (format!("{name}="), text));
                let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
                format!("{}{}", if name == "=" { "" } else { &name }, encode(text)).into_bytes()
            }
            _ => continue,
        };
        match &mut data {
            Some(data) => {
                data.push(b'&');
                data.extend(bytes);
            }
            None => data = Some(bytes),
        }
    }
    Ok(data)
}

fn written(format: &str, told: &Told, code: i32) -> String {
    let seconds = |time: Duration| format!("{:.6}", time.as_secs_f64());
    let address = |told: &Told| told.address.map_or_else(String::new, |address| address.ip().to_string());
    let mut text = crate::applets::hand::unescape(format.as_bytes()).0;
    let mut out = String::from_utf8_lossy(&std::mem::take(&mut text)).into_owned();
    for (name, value) in [
        ("http_code", format!("{:03}", told.status)),
        ("response_code", format!("{:03}", told.status)),
        ("size_download", told.received.to_string()),
        ("content_type", told.kind.clone()),
        ("remote_ip", address(told)),
        ("remote_port", told.address.map_or(0, |address| address.port()).to_string()),
        ("num_redirects", told.turns.to_string()),
        ("url_effective", told.url.clone()),
        ("exitcode", code.to_string()),
        ("time_total", seconds(told.began.elapsed())),
        ("time_connect", seconds(told.connected)),
        ("time_starttransfer", seconds(told.answered)),
        ("time_namelookup", seconds(told.resolved)),
    ] {
        out = out.replace(&format!("%{{{name}}}"), &value);
    }
    out
}

impl Curl<'_> {
    async fn note(&self, text: String) {
        if self.given.has('v') {
            self.ctx.err(text).await;
        }
    }

    fn fetch<'b>(&'b mut self, text: &'b str, told: &'b mut Told) -> BoxFuture<'b, Result<(), Result<Failed, Stop>>> {
        Box::pin(async move {
            let mut url = Url::parse(text).ok_or_else(|| Ok((3, "URL rejected: No host part in the URL".to_owned())))?;
            loop {
                if url.scheme != "http" {
                    let why = if url.scheme == "https" {
                        "TLS is not simulated: ask over http".to_owned()
                    } else {
                        format!("Protocol \"{}\" not supported or disabled in libcurl", url.scheme)
                    };
                    return Err(Ok((if url.scheme == "https" { 35 } else { 1 }, why)));
                }
                let request = self.request(&url);
                let mut reply = self.ask(&url, &request, told).await.map_err(Ok)?;
                (told.status, told.answered) = (reply.told.status, told.began.elapsed());
                told.kind = reply.told.header("Content-Type").unwrap_or_default().to_owned();
                let head = format!(
                    "{}\r\n{}\r\n",
                    reply.told.line,
                    reply.told.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>()
                );
                self.note(head.split_inclusive('\n').map(|line| format!("< {}\n", line.trim_end())).collect()).await;
                if self.given.has('i') || self.given.has('I') {
                    self.out.put(&head).await.map_err(Err)?;
                }
                let next = reply
                    .told
                    .header("Location")
                    .filter(|_| self.given.has('L') && matches!(reply.told.status, 301 | 302 | 303 | 307 | 308));
                if let Some(next) = next.and_then(|location| url.follow(location)) {
                    told.turns += 1;
                    if told.turns > MOST_TURNS {
                        return Err(Ok((47, format!("Maximum ({MOST_TURNS}) redirects followed"))));
                    }
                    if matches!(reply.told.status, 301..=303) {
                        self.data = None;
                    }
                    url = next;
                    continue;
                }
                if self.given.has('f') && reply.told.status >= 400 {
                    return Err(Ok((22, format!("The requested URL returned error: {}", reply.told.status))));
                }
                return self.save(&url, &mut reply, told).await;
            }
        })
    }

    async fn ask(&self, url: &Url, request: &Request, told: &mut Told) -> Result<Reply, Failed> {
        let host = &url.host;
        let address = match self.ctx.resolve(host).await {
            Ok(found) if !found.addresses.is_empty() => SocketAddr::new(found.addresses[0], url.port),
            Err(Failure::Timeout) => return Err((28, format!("Resolving timed out: {host}"))),
            _ => {
                self.note(format!("* Could not resolve host: {host}\n* Closing connection\n")).await;
                return Err((6, format!("Could not resolve host: {host}")));
            }
        };
        (told.address, told.resolved) = (Some(address), told.began.elapsed());
        self.note(format!("*   Trying {address}...\n")).await;
        let limit = self.given.value('\u{1}').and_then(duration).filter(|limit| !limit.is_zero()).unwrap_or(Duration::from_secs(300));
        let begin = Instant::now();
        let fd: Fd = match tokio::time::timeout(limit, self.ctx.connect(address)).await {
            Ok(Ok(fd)) => fd,
            Ok(Err(errno)) => {
                self.note(format!("* connect to {} port {} failed: {errno}\n* Failed to connect to {host} port {} after {} ms: Couldn't connect to server\n* Closing connection\n", address.ip(), address.port(), url.port, begin.elapsed().as_millis())).await;
                return Err((
                    if errno == Errno::ETIMEDOUT { 28 } else { 7 },
                    format!(
                        "Failed to connect to {host} port {} after {} ms: Couldn't connect to server",
                        url.port,
                        begin.elapsed().as_millis()
                    ),
                ));
            }
            Err(_) => {
                return Err((
                    28,
                    format!("Failed to connect to {host} port {} after {} ms: Timeout was reached", url.port, limit.as_millis()),
                ));
            }
        };
        told.connected = told.began.elapsed();
        self.note(format!("* Connected to {host} ({}) port {}\n", address.ip(), url.port)).await;
        self.note(request.head().split_inclusive('\n').map(|line| format!("> {}\n", line.trim_end())).collect()).await;
        match exchange(self.ctx, fd, request).await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err((52, "Empty reply from server".to_owned())),
            Err(Errno::EINVAL) => Err((1, "Received HTTP/0.9 when not allowed".to_owned())),
            Err(errno) => Err((56, format!("Recv failure: {errno}"))),
        }
    }

    fn request(&self, url: &Url) -> Request {
        let given = self.given;
        let own: Vec<(&str, &str)> =
            given.values('H').filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect();
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: String| {
            if !own.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), value));
            }
        };
        let in_url = given.has('G');
        let data = if in_url { None } else { self.data.clone() };
        add(
            "Host",
            own.iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("host"))
                .map_or_else(|| url.authority.clone(), |(_, value)| (*value).to_owned()),
        );
        if let Some(user) = given.value('u').or(url.user.as_deref()) {
            add("Authorization", format!("Basic {}", STANDARD.encode(user)));
        }
        add("User-Agent", given.value('A').map_or_else(|| format!("curl/{VERSION}"), str::to_owned));
        add("Accept", "*/*".to_owned());
        if let Some(referer) = given.value('e') {
            add("Referer", referer.to_owned());
        }
        if let Some(cookie) = given.value('b') {
            add("Cookie", cookie.to_owned());
        }
        if let Some(data) = &data {
            add("Content-Length", data.len().to_string());
            add("Content-Type", "application/x-www-form-urlencoded".to_owned());
        }
        headers.extend(own.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let usual = if given.has('I') {
            "HEAD"
        } else if data.is_some() {
            "POST"
        } else {
            "GET"
        };
        let mut target = url.target.clone();
        if let Some(data) = self.data.as_ref().filter(|_| in_url) {
            target += if target.contains('?') { "&" } else { "?" };
            target += &String::from_utf8_lossy(data);
        }
        Request { method: given.value('X').unwrap_or(usual).to_owned(), target, headers, body: data.unwrap_or_default() }
    }

    async fn save(&mut self, url: &Url, reply: &mut Reply, told: &mut Told) -> Result<(), Result<Failed, Stop>> {
        let name = base(url.target.split('?').next().unwrap_or_default()).to_owned();
        let file = self.given.value('o').map(str::to_owned).or_else(|| self.given.has('O').then_some(name)).filter(|file| file != "-");
        let mut to = match &file {
            Some(file) => {
                let opened = self.ctx.open(file, Open::WRITE).await;
                Some(opened.map_err(|errno| Ok((23, format!("Failed to open the file {file}: {errno}"))))?)
            }
            None => None,
        };
        if self.given.has('I') {
            return Ok(());
        }
        loop {
            let piece = reply.piece().await.map_err(|errno| match errno {
                Errno::ECONNRESET => Ok((18, "end of response with bytes missing".to_owned())),
                errno => Ok((56, format!("Recv failure: {errno}"))),
            })?;
            if piece.is_empty() {
                break;
            }
            told.received += piece.len() as u64;
            match to {
                Some(fd) => self
                    .ctx
                    .write_all(fd, &piece)
                    .await
                    .map_err(|errno| Ok((23, format!("Failure writing output to destination: {errno}"))))?,
                None => self.out.put(piece).await.map_err(Err)?,
            }
        }
        if let Some(fd) = to.take() {
            let _ = self.ctx.close(fd);
            if !self.given.has('s') {
                self.ctx.err(meter(told.received)).await;
            }
        }
        self.note(format!("* Connection #0 to host {} left intact\n", url.host)).await;
        Ok(())
    }
}

/// The progress meter at its end.
fn meter(bytes: u64) -> String {
    format!(
        "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n\r100 {bytes:5}  100 {bytes:5}    0     0  {bytes:5}      0 --:--:-- --:--:-- --:--:-- {bytes:5}\n"
    )
}

//! The side that asks.

use super::{
    super::Input,
    body::Body,
    head::{Told, read_told},
};
use crate::{Ctx, Errno, kernel::Fd};

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    /// `http`
    pub(crate) scheme: String,
    /// `name:password`
    pub(crate) user: Option<String>,
    /// The host, without brackets.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// Host and port as they were written.
    pub(crate) authority: String,
    /// The path and what follows it, always with a slash first.
    pub(crate) target: String,
}

impl Url {
    /// Reads one; without a scheme it is `http`. `None`: it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (user, authority) =
            authority.rsplit_once('@').map_or((None, authority), |(user, authority)| (Some(user.to_owned()), authority));
        let (host, port) = match authority.strip_prefix('[') {
            Some(inside) => {
                let (host, after) = inside.split_once(']')?;
                (host, after.strip_prefix(':'))
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = port.filter(|port| !port.is_empty()).map_or(Some(usual), |port| port.parse().ok())?;
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Some(Self { scheme, user, host: host.to_owned(), port, authority: authority.to_owned(), target })
    }

    /// Where a redirection from here leads.
    pub(crate) fn follow(&self, location: &str) -> Option<Self> {
        if location.contains("://") {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme));
        }
        let target = if location.starts_with('/') {
            location.to_owned()
        } else {
            let path = self.target.split('?').next().unwrap_or_default();
            let folder = &path[..=path.rfind('/').unwrap_or(0)];
            format!("{folder}{location}")
        };
        Some(Self { target, ..self.clone() })
    }
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// `GET`
    pub(crate) method: String,
    /// The path.
    pub(crate) target: String,
    /// Its lines, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Its head as it is written.
    pub(crate) fn head(&self) -> String {
        let lines: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{} {} HTTP/1.1\r\n{lines}\r\n", self.method, self.target)
    }
}

/// What is answered: its head, and its body to be read.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its head.
    pub(crate) told: Told,
    /// Its body.
    pub(crate) body: Body,
    input: Input,
}

impl Reply {
    /// The next bytes of the body; none: the end.
    pub(crate) async fn piece(&mut self) -> Result<Vec<u8>, Errno> {
        self.body.piece(&mut self.input).await
    }
}

/// Asks over a connection, which it takes over. `None`: the other side said nothing. EINVAL: what it said is no HTTP.
pub(crate) async fn exchange(ctx: &Ctx, fd: Fd, request: &Request) -> Result<Option<Reply>, Errno> {
    let mut input = Input::own(ctx, fd);
    ctx.write_all(fd, request.head().as_bytes()).await?;
    ctx.write_all(fd, &request.body).await?;
    let Some(told) = read_told(&mut input).await? else { return Ok(None) };
    let none = request.method == "HEAD" || matches!(told.status, 204 | 304);
    let mut body = Body::new(&told.headers, false);
    if none {
        body = Body::empty(body.length);
    }
    Ok(Some(Reply { told, body, input }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let tell = |text: &str| Url::parse(text).map(|url| format!("{} {} {} {}", url.scheme, url.host, url.port, url.target));
        for (text, expected) in [
            ("httpd-svc.default:8080", Some("http httpd-svc.default 8080 /")),
            ("http://a/b?c=d#e", Some("http a 80 /b?c=d")),
            ("https://a?b", Some("https a 443 /?b")),
            ("http://u:p@[::1]:81/x", Some("http ::1 81 /x")),
            ("http://:80", None),
            ("http://a:x", None),
        ] {
            assert_eq!(tell(text).as_deref(), expected, "{text}");
        }
        let from = Url::parse("http://a:81/x/y?z").unwrap();
        for (to, expected) in [("/b", "a:81 /b"), ("b", "a:81 /x/b"), ("http://c/d", "c /d"), ("//e/f", "e /f")] {
            let there = from.follow(to).unwrap();
            assert_eq!(format!("{} {}", there.authority, there.target), expected);
        }
    }
}

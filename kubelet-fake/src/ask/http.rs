//! One GET, as Go's client makes it and with its words for what goes wrong.
//!
//! Must not know: probes, hooks.

use axum::body::Body;
use futures::StreamExt;
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use mini_api::dial::failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{MOST, Subject};
use crate::runtime::Stream;

/// How many redirects are followed.
const REDIRECTS: usize = 10;
/// The beginning of a TLS connection: a ClientHello of TLS 1.2 that offers one cipher.
const CLIENT_HELLO: [u8; 50] = [
    22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
    28, 29, 30, 31, 32, 0, 0, 2, 0, 47, 1, 0,
];

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Get {
    /// Over TLS.
    pub(crate) secure: bool,
    /// An address.
    pub(crate) host: String,
    /// A port.
    pub(crate) port: u16,
    /// The path and the query; begins with a slash.
    pub(crate) path: String,
    /// Further headers.
    pub(crate) headers: Vec<(String, String)>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Its code.
    pub(crate) code: u16,
    /// The beginning of its body.
    pub(crate) body: String,
}

impl Get {
    /// As messages show it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }

    /// Asks, and follows redirects as long as they stay on the host.
    ///
    /// # Errors
    /// What Go's client says.
    pub(crate) async fn send(mut self, subject: &Subject, agent: &str) -> Result<Page, String> {
        for _ in 0..=REDIRECTS {
            let (page, location) = self.once(subject, agent).await.map_err(|why| format!("Get {:?}: {why}", self.url()))?;
            match location.filter(|_| matches!(page.code, 301 | 302 | 303 | 307 | 308)).and_then(|location| self.towards(&location)) {
                Some(next) if next.host == self.host => self = next,
                _ => return Ok(page),
            }
        }
        Err(format!("Get {:?}: stopped after {REDIRECTS} redirects", self.path))
    }

    /// What a redirect asks for.
    fn towards(&self, location: &str) -> Option<Self> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Some(Self { path: location.to_owned(), ..self.clone() });
        }
        let uri: hyper::Uri = location.parse().ok()?;
        let secure = uri.scheme_str()? == "https";
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Self { secure, host: uri.host()?.to_owned(), port, path, headers: self.headers.clone() })
    }

    async fn once(&self, subject: &Subject, agent: &str) -> Result<(Page, Option<String>), String> {
        let address = subject.address(Some(&self.host), self.port)?;
        let connection = subject.runtime.dial(address).await.map_err(|error| failure(address, &error))?;
        if self.secure {
            return Err(greet(connection).await);
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await.map_err(|error| error.to_string())?;
        let talk = async {
            let response = sender.send_request(self.request(agent)?).await.map_err(|error| told(&error))?;
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let code = response.status().as_u16();
            let mut chunks = Body::new(response.into_body()).into_data_stream();
            let mut body = Vec::new();
            while let Some(Ok(chunk)) = chunks.next().await {
                body.extend_from_slice(&chunk[..chunk.len().min(MOST - body.len())]);
                if body.len() == MOST {
                    break;
                }
            }
            Ok((Page { code, body: String::from_utf8_lossy(&body).into_owned() }, location))
        };
        let mut talk = std::pin::pin!(talk);
        // The connection works only while it is polled; when it has ended, what was read of it is still there.
        tokio::select! {
            biased;
            done = &mut talk => return done,
            _ = connection => {}
        }
        talk.await
    }

    fn request(&self, agent: &str) -> Result<Request<Body>, String> {
        let own = |name: &str| self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let defaults = [("Host", format!("{}:{}", self.host, self.port)), ("User-Agent", agent.to_owned()), ("Accept", "*/*".to_owned())];
        let mut request = Request::get(self.path.as_str());
        for (name, value) in defaults.into_iter().filter(|(name, _)| !own(name)) {
            request = request.header(name, value);
        }
        // Empty values take the header away.
        for (name, value) in self.headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        request.header(header::CONNECTION, "close").body(Body::empty()).map_err(|error| error.to_string())
    }
}

/// What is said of a connection that breaks.
fn told(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "EOF".to_owned()
    } else if error.is_parse() {
        "net/http: HTTP/1.x transport connection broken: malformed HTTP response".to_owned()
    } else {
        error.to_string()
    }
}

/// Begins to speak TLS, and returns why that leads nowhere: nothing in the simulated network speaks it.
async fn greet(mut connection: Box<dyn Stream>) -> String {
    let mut answer = [0; 5];
    let read = async {
        connection.write_all(&CLIENT_HELLO).await?;
        connection.read_exact(&mut answer).await
    };
    match read.await {
        Err(_) => "EOF".to_owned(),
        Ok(_) if answer == *b"HTTP/" => "http: server gave HTTP response to HTTPS client".to_owned(),
        Ok(_) if answer[0] == 22 => "this kubelet does not speak TLS".to_owned(),
        Ok(_) => "tls: first record does not look like a TLS handshake".to_owned(),
    }
}

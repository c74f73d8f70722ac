//! The API server as this program sees it: paths in, decoded JSON (or refusals) out. It knows HTTP and no resource.

use std::{
    collections::BTreeSet,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::client::generate_key, protocol::Role},
};

use crate::{
    error::{Error, Refusal, Result, usage},
    print::notice,
};

/// What is asked for in `Accept` when plain JSON will do.
pub(crate) const JSON: &str = "application/json";

/// A WebSocket.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A connection to one API server.
pub(crate) struct Server {
    client: Client,
    /// Scheme, host and port, as configured.
    address: String,
    /// Whether the address comes from a file, and so may be that of a cluster of ours.
    is_ours: bool,
    warned: Mutex<BTreeSet<String>>,
}

/// Where the server's address may come from, most wanted first.
pub(crate) enum Source {
    /// Given as a URL.
    Url(String),
    /// A kubeconfig file, and the context in it if not the current one.
    File(PathBuf, Option<String>),
}

/// A request with a body.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a Value,
}

impl Server {
    /// Reads the configuration; nothing is sent yet. Also gives the namespace the configuration prefers. `patience` is how long to wait
    /// for an answer.
    pub(crate) async fn new(source: Source, patience: Option<Duration>) -> Result<(Self, String)> {
        let is_ours = matches!(source, Source::File(..));
        let mut config = match source {
            Source::Url(url) => {
                let url = if url.contains("://") { url } else { format!("http://{url}") };
                Config::new(url.parse().map_err(|error| usage(format!("--server {url:?} is no URL: {error}")))?)
            }
            Source::File(file, context) => from_file(&file, context).await?,
        };
        config.read_timeout = patience.or(config.read_timeout);
        // A person waits: what cannot be done now is told now, as kubectl does.
        config.default_retry = false;
        let address = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = config.default_namespace.clone();
        let client = mini_daemon::connect::client(config, "mini-ctl").map_err(|error| usage(format!("{error:#}")))?;
        Ok((Self { client, address, is_ours, warned: Mutex::default() }, namespace))
    }

    /// The server's URL without a path.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether the server says that it is ready to serve.
    pub(crate) async fn is_ready(&self) -> bool {
        self.send(Request::get("/readyz").body(Body::empty())).await.is_ok()
    }

    /// GET, as plain JSON.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.get_as(path, JSON).await
    }

    /// GET with an `Accept` of your own; the answer must still be JSON.
    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Result<Value> {
        let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty());
        self.decode(self.send(request).await?).await
    }

    /// GET, whatever the answer is.
    pub(crate) async fn get_bytes(&self, path: &str) -> Result<Vec<u8>> {
        let response = self.send(Request::get(path).body(Body::empty())).await?;
        self.read(response).await
    }

    /// Sends a body and decodes the answer.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Value> {
        let bytes = serde_json::to_vec(call.body).map_err(|error| usage(error.to_string()))?;
        let request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header(header::ACCEPT, JSON)
            .header(header::CONTENT_TYPE, call.content_type)
            .body(Body::from(bytes));
        self.decode(self.send(request).await?).await
    }

    /// GET whose answer comes in pieces, for as long as the server likes.
    pub(crate) async fn stream(&self, path: &str, accept: &str) -> Result<BoxStream<'static, Result<Vec<u8>>>> {
        // Compressed answers would arrive in blocks, and late.
        let request = Request::get(path).header(header::ACCEPT, accept).header(header::ACCEPT_ENCODING, "identity").body(Body::empty());
        let response = self.send(request).await?;
        let pieces = response.into_body().into_data_stream();
        Ok(pieces.map_ok(|piece| piece.to_vec()).map_err(|error| Error::Unreachable(error.to_string())).boxed())
    }

    /// GET of a watch: one decoded event a line. Ends when the server ends it.
    pub(crate) async fn watch(&self, path: &str, accept: &str) -> Result<BoxStream<'static, Result<Value>>> {
        let pieces = self.stream(path, accept).await?;
        let lines = futures::stream::try_unfold((pieces, Vec::new()), |(mut pieces, mut buffer): (_, Vec<u8>)| async move {
            loop {
                if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                    let rest = buffer.split_off(end + 1);
                    return Ok(Some((buffer, (pieces, rest))));
                }
                match pieces.next().await {
                    Some(piece) => buffer.extend(piece?),
                    None => return Ok(None),
                }
            }
        });
        Ok(lines.and_then(|line| async move { watch_event(&line) }).boxed())
    }

    /// GET that becomes a WebSocket in which one of `protocols` is spoken, given with it.
    pub(crate) async fn web_socket(&self, path: &str, protocols: &str) -> Result<(Socket, String)> {
        let request = Request::get(path)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key())
            .header(header::SEC_WEBSOCKET_PROTOCOL, protocols)
            .body(Body::empty());
        let response = self.ask(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let code = response.status().as_u16();
            let body = self.read(response).await?;
            return Err(match serde_json::from_slice::<Value>(&body) {
                Ok(status) if status["kind"] == "Status" => Error::Refused(Box::new(Refusal::from_status(code, &status))),
                _ => usage(format!("unable to upgrade connection: {}", String::from_utf8_lossy(&body).trim())),
            });
        }
        let protocol = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
        let protocol = protocol.unwrap_or_default().to_owned();
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| Error::Unreachable(error.to_string()))?;
        Ok((WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await, protocol))
    }

    /// Sends, prints warnings, and turns a refusal into an error.
    async fn send(&self, request: http::Result<Request<Body>>) -> Result<Response<Body>> {
        let response = self.ask(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let body = self.read(response).await?;
        Err(Error::Refused(Box::new(Refusal::parse(code, &body))))
    }

    /// Sends and prints warnings.
    async fn ask(&self, request: http::Result<Request<Body>>) -> Result<Response<Body>> {
        let request = request.map_err(|error| usage(format!("that makes no valid request: {error}")))?;
        let response = self.client.send(request).await.map_err(|error| self.unreachable(&error))?;
        self.print_warnings(&response);
        Ok(response)
    }

    async fn decode(&self, response: Response<Body>) -> Result<Value> {
        let body = self.read(response).await?;
        serde_json::from_slice(&body).map_err(|error| usage(format!("the server's answer is not JSON: {error}")))
    }

    async fn read(&self, response: Response<Body>) -> Result<Vec<u8>> {
        let body = response.into_body().collect().await.map_err(|error| self.unreachable(&error))?;
        Ok(body.to_bytes().to_vec())
    }

    fn unreachable(&self, error: &kube::Error) -> Error {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut root = error.to_string();
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::ConnectionRefused
            {
                let host = self.address.split("://").last().unwrap_or_default().to_owned();
                return Error::ConnectionRefused { host, is_ours: self.is_ours };
            }
            root = cause.to_string();
            source = cause.source();
        }
        Error::Unreachable(root)
    }

    /// Prints what the server says in `Warning: 299 - "…"` headers, each text once.
    fn print_warnings<T>(&self, response: &Response<T>) {
        for value in response.headers().get_all(header::WARNING) {
            let Some(text) = value.to_str().ok().and_then(warning_text) else { continue };
            if self.warned.lock().is_ok_and(|mut warned| warned.insert(text.clone())) {
                warn(&text);
            }
        }
    }
}

/// Prints a warning to stderr, with the word in yellow on a terminal.
pub(crate) fn warn(text: &str) {
    if std::io::stderr().is_terminal() {
        notice(&format!("\u{1b}[33;1mWarning:\u{1b}[0m {text}"));
    } else {
        notice(&format!("Warning: {text}"));
    }
}

/// `path?a=b&c=d` with the values escaped; empty values are left out.
pub(crate) fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut full = path.to_owned();
    for (key, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        full.push(if full.contains('?') { '&' } else { '?' });
        full.push_str(key);
        full.push('=');
        full.push_str(&escape(value));
    }
    full
}

/// Percent-encodes everything that is not unreserved (RFC 3986).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

async fn from_file(file: &Path, context: Option<String>) -> Result<Config> {
    let complain = |error: &dyn std::error::Error| usage(format!("error loading config file {:?}: {error}", file.display().to_string()));
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| complain(&error))?;
    if let Some(name) = context.as_ref().filter(|name| !kubeconfig.contexts.iter().any(|known| known.name == **name)) {
        return Err(Error::Plain(format!("Error in configuration: context was not found for specified context: {name}")));
    }
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| complain(&error))
}

/// One line of a watch; an ERROR event is the refusal it carries.
fn watch_event(line: &[u8]) -> Result<Value> {
    let event: Value = serde_json::from_slice(line).map_err(|error| usage(format!("the server's watch event is not JSON: {error}")))?;
    if event["type"] == "ERROR" {
        return Err(Error::Refused(Box::new(Refusal::from_status(500, &event["object"]))));
    }
    Ok(event)
}

/// The text of one Warning header: code, agent, and a quoted string with backslash escapes. Source: RFC 7234, 5.5.
fn warning_text(header: &str) -> Option<String> {
    let quoted = header.splitn(3, ' ').nth(2)?.trim().strip_prefix('"')?;
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            '"' => break,
            c => text.push(c),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_lose_their_wrapping() {
        assert_eq!(warning_text(r#"299 - "use \"apps/v1\" instead""#).as_deref(), Some("use \"apps/v1\" instead"));
        assert_eq!(warning_text("299"), None);
    }

    #[test]
    fn query_values_are_escaped() {
        assert_eq!(with_query("/x", &[("a", "b=c,d"), ("e", ""), ("f", "1")]), "/x?a=b%3Dc%2Cd&f=1");
    }

    #[test]
    fn an_error_event_is_a_refusal() {
        let error =
            watch_event(br#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#).unwrap_err();
        assert_eq!(error.to_string(), "Error from server (Expired): too old");
    }
}

//! Raw HTTP, for tests that must see what a client library hides.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// A client that knows one server and decodes nothing.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

/// A watch that is being read.
pub struct Frames {
    body: Incoming,
    rest: Vec<u8>,
}

impl Frames {
    /// The next frame; `None` when the server has ended the watch.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            let frame = self.body.frame().await?.ok()?;
            self.rest.extend_from_slice(frame.data_ref()?);
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP code.
    pub code: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; as a JSON string where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| Value::String(self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `Warning` headers.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.headers.get_all("warning").iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }
}

impl Http {
    /// A client of the server at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base: format!("http://{address}") }
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Panics
    /// When the server cannot be reached or breaks off.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        self.ask(method, path, headers, body.into()).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Answer, String> {
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes()).expect("a method")).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a request");
        let answer = self.client.request(request).await.map_err(|error| format!("{error:?}"))?;
        let (code, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.into_body().collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        Ok(Answer { code, headers, body })
    }

    /// POST of JSON to a server that may be killed meanwhile.
    ///
    /// # Errors
    /// Why there is no whole answer.
    pub async fn attempt(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.ask("POST", path, &[("content-type", "application/json")], body.to_string().into()).await
    }

    /// Begins a watch.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn watch(&self, path: &str) -> Frames {
        let request = Request::get(format!("{}{path}", self.base)).body(Full::default()).expect("a request");
        let answer = self.client.request(request).await.unwrap_or_else(|error| panic!("watch {path}: {error:?}"));
        Frames { body: answer.into_body(), rest: Vec::new() }
    }

    /// GET, JSON.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Bytes::new()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// PATCH of the kind `form`: `merge`, `strategic-merge`, `json` or `apply`.
    pub async fn patch(&self, path: &str, form: &str, body: &Value) -> Answer {
        let notation = if form == "apply" { "yaml" } else { "json" };
        self.send("PATCH", path, &[("content-type", &format!("application/{form}-patch+{notation}"))], body.to_string()).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], Bytes::new()).await
    }
}

//! A server in this process, called without a network.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use mini_apiserver::{Config, Server};
use mini_daemon::tasks::Tasks;
use serde_json::Value;
use tokio::runtime::Runtime;

/// A server and what it runs on.
pub(super) struct World {
    runtime: Runtime,
    /// Its tasks end with it.
    server: Server,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) body: Bytes,
}

/// The one server of this process; one input at a time may use it, and must leave it as it was.
pub(super) fn world() -> MutexGuard<'static, World> {
    static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::start()));
    // An input that broke a promise may have left something behind; the next one will say so.
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let config = Config::on_free_port("memory:");
        let server = runtime.block_on(Server::start(&config, Tasks::new())).expect("the server starts");
        let world = Self { runtime, server };
        // What pods need, and what patches are tried on.
        for (plural, object) in [
            ("serviceaccounts", r#"{"metadata":{"name":"default"}}"#),
            ("configmaps", r#"{"metadata":{"name":"always","labels":{"a":"b"}},"data":{"a":"b"}}"#),
        ] {
            let made = world.send("POST", &format!("/api/v1/namespaces/default/{plural}"), JSON, object);
            assert_eq!(made.code, 201, "{made:?}");
        }
        world
    }

    /// Sends a request and waits for the whole answer.
    pub(super) fn send(&self, method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> Reply {
        self.ask(method, path, &[("content-type", content_type)], body, true).unwrap_or_else(|| panic!("no request: {method} {path}"))
    }

    /// The same with any headers; `None` if no HTTP client would send this. The body is only read if `whole`.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>, whole: bool) -> Option<Reply> {
        let request =
            headers.iter().fold(Request::builder().method(method).uri(path), |request, (name, value)| request.header(*name, *value));
        let request = request.header("user-agent", "fuzz").body(body.into()).ok()?;
        self.runtime.block_on(async {
            let answer = self.server.answer(request).await;
            let code = answer.status().as_u16();
            let body = if whole { answer.into_body().collect().await.expect("the answer is whole").to_bytes() } else { Bytes::new() };
            Some(Reply { code, body })
        })
    }
}

/// The content type of most requests.
pub(super) const JSON: &str = "application/json";

impl Reply {
    /// The body as JSON, null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What a Status says.
    pub(super) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Checks that the server was not to blame, and that a refusal says why.
    #[track_caller]
    pub(super) fn check(&self, what: &dyn std::fmt::Debug) {
        let (code, message) = (self.code, self.message());
        // Upstream answers these with 500, too.
        let known = [
            "Internal error occurred: failed to allocate",
            "resourceVersion should not be set on objects to be created",
            "failed to create typed patch object",
            "failed to create manager",
        ];
        let excused = code == 501 || known.iter().any(|start| message.starts_with(start));
        assert!(code < 500 || excused, "{what:?} was answered {code}: {message}");
        let page = self.body.starts_with(b"404 page not found");
        assert!(
            code < 400 || page || (self.json()["kind"] == "Status" && self.json()["code"] == code),
            "{what:?}: {code} is no Status: {self:?}"
        );
    }
}

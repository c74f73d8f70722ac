//! The components beside the API server, and how they are: asked over HTTP when somebody wants to know, and never remembered.

use std::{future::Future, str::FromStr, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Request, header},
};
use futures::future::join_all;
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use crate::peer;

/// How long a component may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is said of one that takes longer, in Go's words.
const TOO_LATE: &str = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
/// The longest answer that is read, in bytes.
const LONGEST: usize = 10 * 1024;
/// What upstream calls the store.
const STORE: &str = "etcd-0";

/// A component, and where its admin port is. Several of one name are copies, of which one works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Such as `scheduler`.
    pub name: String,
    /// Where it serves /healthz, and what it has to say besides: a host and a port.
    pub address: String,
}

impl FromStr for Component {
    type Err = String;

    /// Reads `NAME=ADDRESS`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, address) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("it must be NAME=ADDRESS")?;
        let is_one = address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !is_one {
            return Err(format!("{address:?} is no address, such as 127.0.0.1:10259"));
        }
        Ok(Self { name: name.to_owned(), address: address.to_owned() })
    }
}

/// How a component was when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkup {
    /// The component.
    pub name: String,
    /// Whether it is well.
    pub healthy: bool,
    /// What it said, or why it said nothing.
    pub message: String,
    /// What kept it from being asked.
    pub error: String,
}

/// How all of them are, and the store, which has answered when `store` ends. They are asked at once.
pub async fn check(components: &[Component], store: impl Future<Output = Result<(), mini_store::Error>>) -> Vec<Checkup> {
    let (asked, store) = tokio::join!(join_all(components.iter().map(ask)), timeout(PATIENCE, store));
    let mut all: Vec<Checkup> = Vec::with_capacity(asked.len() + 1);
    for checkup in asked {
        // Of several copies one must be well.
        match all.iter_mut().find(|other| other.name == checkup.name) {
            Some(other) if !other.healthy => *other = checkup,
            Some(_) => {}
            None => all.push(checkup),
        }
    }
    let error = match store {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("context deadline exceeded".to_owned()),
    };
    let message = if error.is_none() { "ok" } else { "" };
    let (healthy, message, error) = (error.is_none(), message.to_owned(), error.unwrap_or_default());
    all.push(Checkup { name: STORE.to_owned(), healthy, message, error });
    all
}

async fn ask(component: &Component) -> Checkup {
    let answer = timeout(PATIENCE, health(&component.address)).await.unwrap_or_else(|_| Err(TOO_LATE.to_owned()));
    let (healthy, message) = match answer {
        Ok((200..400, said)) => (true, said),
        Ok((code, _)) => (false, format!("HTTP probe failed with statuscode: {code}")),
        Err(why) => (false, format!("Get \"http://{}/healthz\": {why}", component.address)),
    };
    Checkup { name: component.name.clone(), healthy, message, error: String::new() }
}

/// What /healthz answers there: the code and the body. Or why there is no answer, in Go's words.
async fn health(address: &str) -> Result<(u16, String), String> {
    let (code, body) = fetch(address, address, "/healthz", LONGEST).await?;
    Ok((code, String::from_utf8_lossy(&body).into_owned()))
}

/// What the program that listens at `address` answers to GET `path` when it is called `host`: the code and a body of at most
/// `longest` bytes. Or why there is no answer, in Go's words.
pub(crate) async fn fetch(address: &str, host: &str, path: &str, longest: usize) -> Result<(u16, Bytes), String> {
    // The whole of the question has less time than this.
    let mut sender = peer::dial(address, 2 * PATIENCE).await?;
    let request = Request::get(path).header(header::HOST, host).body(Body::empty());
    let answer = sender.send_request(request.map_err(|error| error.to_string())?).await.map_err(|error| peer::words(&error))?;
    let code = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), longest).collect().await.map_err(|error| error.to_string())?;
    Ok((code, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{Router, http::StatusCode, routing::get};
    use mini_daemon::tasks::detach;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_component_is_a_name_and_an_address() {
        let scheduler: Component = "scheduler=127.0.0.1:10259".parse().unwrap();
        assert_eq!((scheduler.name.as_str(), scheduler.address.as_str()), ("scheduler", "127.0.0.1:10259"));
        assert_eq!("scheduler=scheduler:10259".parse::<Component>().unwrap().address, "scheduler:10259");
        for wrong in ["scheduler", "=127.0.0.1:1", "scheduler=10259"] {
            assert!(wrong.parse::<Component>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn who_answers_is_healthy_and_who_does_not_says_why() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sick = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let well = listener.local_addr().unwrap();
        let at = |name: &str, address: SocketAddr| Component { name: name.to_owned(), address: address.to_string() };
        let all = [at("a", nobody), at("a", well), at("a", nobody), at("b", sick.local_addr().unwrap()), at("c", nobody)];
        detach("a", async { axum::serve(listener, Router::new().route("/healthz", get(|| async { "ok" }))).await });
        let failing = Router::new().route("/healthz", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }));
        detach("b", async { axum::serve(sick, failing).await });
        let checkup = |name: &str, healthy, message: &str, error: &str| Checkup {
            name: name.to_owned(),
            healthy,
            message: message.to_owned(),
            error: error.to_owned(),
        };
        assert_eq!(
            check(&all, async { Err(mini_store::Error::Closed) }).await,
            [
                checkup("a", true, "ok", ""),
                checkup("b", false, "HTTP probe failed with statuscode: 500", ""),
                checkup("c", false, &format!("Get \"http://{nobody}/healthz\": dial tcp {nobody}: connect: connection refused"), ""),
                checkup("etcd-0", false, "", &mini_store::Error::Closed.to_string()),
            ]
        );
        assert_eq!(check(&[], async { Ok(()) }).await, [checkup("etcd-0", true, "ok", "")]);
    }
}

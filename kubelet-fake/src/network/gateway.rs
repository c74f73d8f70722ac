//! Requests to the address of an Ingress: each is passed on to the backend that its host and path lead to.
//!
//! Must not know: how Ingresses are read, where backends are.

use std::{io, net::IpAddr, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header},
};
use hyper::{body::Incoming, client::conn::http1 as client, server::conn::http1 as server, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use mini_api::proxy::PortName;
use mini_daemon::tasks::detach;
use tokio::{io::duplex, time::timeout};

use super::{BUFFER, Network, ingress, route};
use crate::runtime::Stream;

/// How long a backend may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is about one connection only, and so not passed on.
const HOP: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "te", "upgrade"];

/// A connection with the gateway.
pub(super) fn open(network: Network, client: IpAddr) -> Box<dyn Stream> {
    let (ours, theirs) = duplex(BUFFER);
    detach("gateway", serve(network, theirs, client));
    Box::new(ours)
}

/// Answers requests until the connection ends.
pub(super) async fn serve(network: Network, stream: impl Stream + 'static, client: IpAddr) {
    let service = service_fn(move |request| {
        let network = network.clone();
        async move { Ok::<_, io::Error>(pass(&network, request, client).await) }
    });
    let served = server::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection with the gateway ended badly");
    }
}

/// The port a request leads to. It is not found if nobody wants it, and unavailable if who does is not there.
fn backend(network: &Network, host: &str, path: &str) -> Result<PortName, StatusCode> {
    let index = network.0.index.read();
    let chosen = ingress::choose(index.ingresses(), host, path).ok_or(StatusCode::NOT_FOUND)?;
    route::backend(&index, chosen).map(|port| port.name.clone()).ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// Passes a request on, and the answer back.
async fn pass(network: &Network, request: Request<Incoming>, client: IpAddr) -> Response<Body> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = named.or_else(|| request.uri().authority().map(|authority| authority.as_str())).unwrap_or_default().to_owned();
    let stream = match backend(network, &host, request.uri().path()) {
        Ok(port) => reach(network, &port).await,
        Err(code) => Err(code),
    };
    let answered = match stream {
        Ok(stream) => converse(stream, forwarded(request, &host, client)).await.map_err(|error| {
            tracing::debug!(%error, "a backend broke off");
            StatusCode::BAD_GATEWAY
        }),
        Err(code) => Err(code),
    };
    answered.unwrap_or_else(sorry)
}

/// Connects with a backend from a node, as the gateway of a real cluster does that is in the node's network.
async fn reach(network: &Network, port: &PortName) -> Result<Box<dyn Stream>, StatusCode> {
    match timeout(PATIENCE, network.enter_from(port, network.own_ip())).await {
        Ok(Ok(Some(stream))) => Ok(stream),
        Ok(Ok(None)) => Err(StatusCode::SERVICE_UNAVAILABLE),
        Ok(Err(_)) => Err(StatusCode::BAD_GATEWAY),
        Err(_) => Err(StatusCode::GATEWAY_TIMEOUT),
    }
}

/// The request as the backend gets it.
fn forwarded(mut request: Request<Incoming>, host: &str, client: IpAddr) -> Request<Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri: Option<Uri> = path.parse().ok();
    let headers = request.headers_mut();
    HOP.iter().for_each(|name| drop(headers.remove(*name)));
    let client = client.to_string();
    let set = [
        ("host", host),
        ("x-real-ip", &client),
        ("x-forwarded-for", &client),
        ("x-forwarded-host", host),
        ("x-forwarded-port", "80"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-scheme", "http"),
        ("x-scheme", "http"),
    ];
    for (name, value) in set {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    *request.uri_mut() = uri.unwrap_or_default();
    request.map(Body::new)
}

async fn converse(stream: Box<dyn Stream>, request: Request<Body>) -> hyper::Result<Response<Body>> {
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    detach("backend", async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a conversation with a backend ended badly");
        }
    });
    let mut answer = sender.send_request(request).await?.map(Body::new);
    HOP.iter().for_each(|name| drop(answer.headers_mut().remove(*name)));
    Ok(answer)
}

/// A page that says what is wrong, as nginx and its default backend do.
fn sorry(code: StatusCode) -> Response<Body> {
    let words = match code {
        StatusCode::SERVICE_UNAVAILABLE => "Service Temporarily Unavailable",
        StatusCode::GATEWAY_TIMEOUT => "Gateway Time-out",
        _ => "Bad Gateway",
    };
    let title = format!("{} {words}", code.as_u16());
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>mini</center>\r\n</body>\r\n</html>\r\n"
    );
    let (kind, body) = match code {
        StatusCode::NOT_FOUND => ("text/plain; charset=utf-8", "default backend - 404".to_owned()),
        _ => ("text/html", page),
    };
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = code;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

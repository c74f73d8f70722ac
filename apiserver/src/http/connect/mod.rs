//! Requests that leave the API server: for a node's kubelet, for whoever listens in a node's network, or for a component. It finds the way; the
//! row of the table says where that leads, and nothing here knows what is said on it.

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header},
    response::Response,
};
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use mini_daemon::clock;
use tokio_util::sync::CancellationToken;

pub(super) mod component;
mod dial;
mod relay;
mod tunnel;

use super::{
    App,
    request::Resource,
    verbs::{reply, text},
};
use crate::{
    cache::{Range, select::Select},
    error::{ApiError, Result},
    kinds::{
        connect::{Asked, Carry, Connect, Place, Route, To, kubelet_address},
        rules::Object,
        subresource::Action,
    },
    peer,
};

/// Error texts of a kubelet longer than this are cut.
const MOST: usize = 4096;

/// One request that is to leave.
struct Leaving {
    request: Request<Body>,
    route: Route,
    /// What follows the subresource in the path.
    tail: String,
}

/// The row's way out, where the target has one.
pub(super) fn row(app: &App, target: &Resource) -> Option<Connect> {
    let wanted = target.subresource.as_deref()?;
    let found = app.registry.table()[target.kind].subresources.iter().find(|row| row.name == wanted)?;
    match found.action {
        Action::Connect(connect) => Some(connect),
        _ => None,
    }
}

/// Sends the request on and passes back what comes.
///
/// # Errors
/// 404 and 400 where the way cannot be found, 500 and 503 where nobody answers at its end, as upstream.
pub(super) async fn answer(app: &App, target: &Resource, connect: Connect, request: Request<Body>) -> Result<Response> {
    let kind = &app.registry.table()[target.kind];
    let id = target.name.as_deref().ok_or_else(ApiError::no_resource)?;
    if !takes(connect.carry, request.method()) {
        return Err(ApiError::method_not_allowed());
    }
    let place = match connect.carry {
        Carry::Whole => Place::parse(id).ok_or_else(|| ApiError::bad_request(format!("invalid {} request {id:?}", kind.singular)))?,
        Carry::Text | Carry::Tunnel if target.tail.trim_matches('/').is_empty() => Place { name: id, ..Place::default() },
        Carry::Text | Carry::Tunnel => return Err(ApiError::no_resource()),
    };
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let item = app.registry.get(target.kind, namespace, place.name).await?;
    let object = app.registry.object(target.kind, &item)?;
    let beside = beside(app, connect, namespace, place.name)?;
    let query = request.uri().query().unwrap_or_default();
    let asked = Asked { object: &*object, beside: &beside, place, query, dice: clock::random() };
    let Some(route) = (connect.lead)(&asked)? else {
        return Ok(reply(StatusCode::NO_CONTENT, "text/plain", Body::empty()));
    };
    let leaving = Leaving { request, route, tail: target.tail.clone() };
    match connect.carry {
        Carry::Text => words(app, leaving).await,
        Carry::Tunnel => tunnel::open(app, leaving).await,
        Carry::Whole if is_upgrade(leaving.request.headers()) => tunnel::open(app, leaving).await,
        Carry::Whole => relay::pass(app, leaving).await,
    }
}

fn takes(carry: Carry, method: &Method) -> bool {
    match carry {
        Carry::Text => *method == Method::GET,
        Carry::Tunnel => matches!(*method, Method::GET | Method::POST),
        Carry::Whole => {
            matches!(*method, Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::HEAD | Method::OPTIONS)
        }
    }
}

/// The objects that the way depends on.
fn beside(app: &App, connect: Connect, namespace: &str, name: &str) -> Result<Vec<Box<dyn Object>>> {
    let Some(wanted) = connect.beside else { return Ok(Vec::new()) };
    let kind = app.registry.find(wanted.plural).ok_or_else(ApiError::no_resource)?;
    let labels = format!("{}={name}", wanted.label).parse().map_err(|error| ApiError::bad_request(format!("{error}")))?;
    let select = Select::new(Some(labels), None, &[]).map_err(ApiError::bad_request)?;
    let range = Range { namespace: Some(namespace.to_owned()), ..Range::default() };
    app.registry.cache().list(kind, &range, &select).items.iter().map(|item| app.registry.object(kind, item)).collect()
}

/// A conversation with whoever the route leads to.
///
/// # Errors
/// Outside: the node is not known. Inside: why nobody answers.
async fn reach(app: &App, route: &Route) -> Result<Result<SendRequest<Body>, String>> {
    let kind = app.registry.find("nodes").ok_or_else(ApiError::no_resource)?;
    let item = app.registry.get(kind, "", &route.node).await?;
    let node = app.registry.object(kind, &item)?;
    let kubelet =
        kubelet_address(&*node).ok_or_else(|| ApiError::internal(format!("node {:?} tells no address of its kubelet", route.node)))?;
    Ok(match &route.to {
        To::Kubelet(_) => dial::kubelet(kubelet).await,
        To::Listener(address) => dial::listener(kubelet, address).await,
    })
}

/// What is asked for at the end of the way: path and query.
fn asked_there(leaving: &Leaving) -> String {
    let query = leaving.request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    match &leaving.route.to {
        To::Kubelet(path) if !path.is_empty() => path.clone(),
        _ if leaving.tail.is_empty() => format!("/{query}"),
        _ => format!("{}{query}", leaving.tail),
    }
}

/// Text of a kubelet, as it comes; what the kubelet refuses becomes a Status.
async fn words(app: &App, leaving: Leaving) -> Result<Response> {
    let path = asked_there(&leaving);
    let url = format!("http://{}{path}", leaving.route.node);
    let failed = |why: String| ApiError::internal(format!("Get {url:?}: {why}"));
    let mut kubelet = reach(app, &leaving.route).await?.map_err(&failed)?;
    let request = Request::get(&path).header(header::HOST, &leaving.route.node).body(Body::empty());
    let request = request.map_err(|error| failed(error.to_string()))?;
    let answer = kubelet.send_request(request).await.map_err(|error| failed(peer::words(&error)))?;
    let code = answer.status();
    if code.is_success() {
        return Ok(reply(StatusCode::OK, "text/plain", until(app.stop.clone(), answer.into_body())));
    }
    let body = answer.into_body().collect().await;
    let text = body.map_or_else(|error| error.to_string(), |body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    let text: String = text.trim().chars().take(MOST).collect();
    Err(match code {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => ApiError::bad_request(text),
        _ => ApiError::internal(text),
    })
}

/// A body that breaks off when the server stops, which waits for all answers to end.
fn until<B>(stop: CancellationToken, body: B) -> Body
where
    B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    let ended = stop.clone();
    let bytes = body.into_data_stream().map(|chunk| chunk.map_err(axum::Error::new)).take_until(stop.cancelled_owned());
    let cut = stream::once(async move { ended.is_cancelled().then(|| Err(axum::Error::new("the server is stopping"))) });
    Body::from_stream(bytes.chain(cut.filter_map(futures::future::ready)))
}

/// Whether the client wants to go on in another protocol.
fn is_upgrade(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.to_ascii_lowercase().contains("upgrade"))
}

/// Drops what is about one connection only, and what is for the API server alone.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = text(headers, &header::CONNECTION)
        .into_iter()
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let always = [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::AUTHORIZATION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    for name in named.iter().chain(&always) {
        headers.remove(name);
    }
}

//! Requests that go on to a node's kubelet.

use axum::{
    body::Body,
    http::{Request, StatusCode},
    response::Response,
};
use http_body_util::BodyExt;

use super::{App, verbs::reply};
use crate::{
    error::{ApiError, Result},
    kinds::subresource::{Route, kubelet_address},
};

/// Error texts of a kubelet longer than this are cut.
const MOST: usize = 4096;

/// Sends the request on and passes the answer back as it comes.
///
/// # Errors
/// 500 when the kubelet cannot be reached, as upstream; what the kubelet refuses comes with its own code.
pub(super) async fn forward(app: &App, route: &Route) -> Result<Response> {
    let kind = app.registry.find("nodes").ok_or_else(ApiError::no_resource)?;
    let item = app.registry.get(kind, "", &route.node).await?;
    let node = app.registry.object(kind, &item)?;
    let address =
        kubelet_address(&*node).ok_or_else(|| ApiError::internal(format!("node {:?} tells no address of its kubelet", route.node)))?;
    let uri = format!("http://{address}{}", route.path);
    let request = Request::get(&uri).body(Body::empty()).map_err(|error| ApiError::internal(error.to_string()))?;
    let answer = app.kubelets.request(request).await.map_err(|error| ApiError::internal(format!("Get {uri:?}: {error}")))?;
    let code = answer.status();
    let body = Body::new(answer.into_body());
    if code.is_success() {
        return Ok(reply(StatusCode::OK, "text/plain", body));
    }
    let text = body.collect().await.map_or_else(|error| error.to_string(), |body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    let text: String = text.trim().chars().take(MOST).collect();
    Err(match code {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => ApiError::bad_request(text),
        _ => ApiError::internal(text),
    })
}

//! Connections that become a stream of bytes both ways. The client and the other end agree on a protocol by themselves; the API
//! server copies, and is slow when one of them is.

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header},
    response::Response,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use mini_daemon::tasks::detach;
use tokio::io::copy_bidirectional;
use tokio_util::sync::CancellationToken;

use super::{App, Leaving, asked_there, is_upgrade, reach, strip, until};
use crate::{
    error::{ApiError, Result},
    kinds::connect::To,
    peer,
};

/// Passes the upgrade on. What the other end says to it goes back to the client; if that is yes, their bytes do from then on.
///
/// # Errors
/// 400 when the client wants no upgrade, 500 when the other end cannot be reached.
pub(super) async fn open(app: &App, mut leaving: Leaving) -> Result<Response> {
    let client = leaving.request.extensions_mut().remove::<OnUpgrade>().filter(|_| is_upgrade(leaving.request.headers()));
    let client = client.ok_or_else(|| ApiError::bad_request("Upgrade request required"))?;
    let failed = |why: String| ApiError::internal(format!("error dialing backend: {why}"));
    let mut sender = reach(app, &leaving.route).await?.map_err(failed)?;
    let mut answer = sender.send_request(request(leaving)?).await.map_err(|error| failed(peer::words(&error)))?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        strip(answer.headers_mut());
        return Ok(answer.map(|body| until(app.stop.clone(), body)));
    }
    let other = hyper::upgrade::on(&mut answer);
    let stop = app.stop.clone();
    detach("tunnel", async move {
        match tokio::try_join!(client, other) {
            Ok((client, other)) => copy(client, other, stop).await,
            Err(error) => tracing::debug!(%error, "a tunnel did not come about"),
        }
    });
    Ok(answer.map(|_| Body::empty()))
}

/// The same request for the other end.
fn request(leaving: Leaving) -> Result<Request<Body>> {
    let path = asked_there(&leaving);
    let Leaving { request, route, .. } = leaving;
    let (parts, _) = request.into_parts();
    let mut headers = parts.headers;
    let protocol = headers.get(header::UPGRADE).cloned();
    strip(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.extend(protocol.map(|protocol| (header::UPGRADE, protocol)));
    if let (To::Kubelet(_), Ok(host)) = (&route.to, HeaderValue::from_str(&route.node)) {
        headers.insert(header::HOST, host);
    }
    let mut request = Request::new(Body::empty());
    *request.method_mut() = parts.method;
    *request.uri_mut() = path.parse().map_err(|error| ApiError::bad_request(format!("{error}")))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Copies until both sides have ended, one of them breaks, or the server stops.
async fn copy(client: Upgraded, other: Upgraded, stop: CancellationToken) {
    let (mut client, mut other) = (TokioIo::new(client), TokioIo::new(other));
    tokio::select! {
        copied = copy_bidirectional(&mut client, &mut other) => tracing::debug!(?copied, "a tunnel ended"),
        () = stop.cancelled() => {}
    }
}

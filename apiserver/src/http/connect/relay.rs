//! Requests that are passed on whole, and answers that are passed back as they come.

use axum::{
    body::Body,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};

use super::{
    super::verbs::{reply, text},
    App, Leaving, asked_there, reach, strip, until,
};
use crate::{
    error::{ApiError, Result},
    kinds::connect::To,
    peer,
};

/// Passes the request on.
///
/// # Errors
/// 503 when nobody answers.
pub(super) async fn pass(app: &App, mut leaving: Leaving) -> Result<Response> {
    let path = leaving.request.uri().path().to_owned();
    // Relative links of a page lead astray unless its path ends in a slash.
    if leaving.tail.is_empty() && matches!(*leaving.request.method(), Method::GET | Method::HEAD) {
        let query = leaving.request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        return moved(&format!("{path}/{query}"));
    }
    let failed = |why: String| ApiError::unavailable(format!("error trying to reach service: {why}"));
    let mut sender = reach(app, &leaving.route).await?.map_err(failed)?;
    let there = asked_there(&leaving).parse().map_err(|error| ApiError::bad_request(format!("{error}")))?;
    let host = text(leaving.request.headers(), &header::HOST).unwrap_or_default().to_owned();
    *leaving.request.uri_mut() = there;
    *leaving.request.version_mut() = axum::http::Version::HTTP_11;
    strip(leaving.request.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&path) {
        leaving.request.headers_mut().insert("x-forwarded-uri", value);
    }
    if matches!(leaving.route.to, To::Kubelet(_))
        && let Ok(node) = HeaderValue::from_str(&leaving.route.node)
    {
        // One kubelet may be many nodes: it goes by the name it is called.
        leaving.request.headers_mut().insert(header::HOST, node);
    }
    let mut answer = sender.send_request(leaving.request).await.map_err(|error| failed(peer::words(&error)))?;
    strip(answer.headers_mut());
    let hosts = match &leaving.route.to {
        To::Listener(address) => [address.as_str(), &host],
        To::Kubelet(_) => [leaving.route.node.as_str(), &host],
    };
    let prefix = &path[..path.len() - leaving.tail.len()];
    let elsewhere = text(answer.headers(), &header::LOCATION).and_then(|location| rewrite(location, prefix, &hosts));
    if let Some(value) = elsewhere.and_then(|location| HeaderValue::from_str(&location).ok()) {
        answer.headers_mut().insert(header::LOCATION, value);
    }
    Ok(answer.map(|body| until(app.stop.clone(), body)))
}

fn moved(location: &str) -> Result<Response> {
    let mut response = reply(StatusCode::MOVED_PERMANENTLY, "text/plain", Body::empty());
    let value = HeaderValue::from_str(location).map_err(|error| ApiError::bad_request(error.to_string()))?;
    response.headers_mut().insert(header::LOCATION, value);
    Ok(response)
}

/// Where a `Location` leads for those who came through the proxy at `prefix`; `None` where it leads there as it is. `hosts` are
/// the names under which the other end was asked.
fn rewrite(location: &str, prefix: &str, hosts: &[&str]) -> Option<String> {
    let absolute = ["http://", "https://", "//"].iter().find_map(|start| location.strip_prefix(start));
    let path = match absolute {
        None => location,
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            hosts.contains(&&rest[..end]).then_some(&rest[end..])?
        }
    };
    if !path.starts_with('/') {
        return None;
    }
    Some(if path.starts_with(prefix) { path.to_owned() } else { format!("{prefix}{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_stay_within_the_proxy() {
        let prefix = "/api/v1/namespaces/default/pods/web:80/proxy";
        let led = |location: &str| rewrite(location, prefix, &["10.244.1.2:80", "localhost:6443"]).unwrap_or_else(|| location.to_owned());
        assert_eq!(led("/login?next=/"), format!("{prefix}/login?next=/"));
        assert_eq!(led("http://10.244.1.2:80/a/"), format!("{prefix}/a/"));
        assert_eq!(led("//localhost:6443/a"), format!("{prefix}/a"));
        assert_eq!(led(&format!("{prefix}/a")), format!("{prefix}/a"));
        for elsewhere in ["login", "../up", "https://example.com/a", "?page=2"] {
            assert_eq!(led(elsewhere), elsewhere);
        }
    }
}

//! Requests for a component beside the API server: `/components/NAME/PATH` is PATH on the admin port of the one of that name,
//! which may be upstream's name of its program as well. Where several copies run, whoever can answer does: one that is away, or
//! says 503, is passed over.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode, header, request::Parts},
    response::Response,
};
use http_body_util::Limited;

use super::{
    super::{App, limits},
    strip, until,
};
use crate::{
    components::Component,
    error::{ApiError, Result},
    peer,
};

/// How long to wait for a component to accept.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for it to begin its answer.
const THOUGHT: Duration = Duration::from_secs(15);
/// The longest answer that is passed on, in bytes.
const MOST_ANSWER: usize = 64 << 20;

/// What is asked of a component.
pub(in crate::http) struct Asked<'a> {
    name: &'a str,
    path: &'a str,
}

/// What a path asks of which component.
pub(in crate::http) fn asked(path: &str) -> Option<Asked<'_>> {
    let rest = path.strip_prefix("/components/")?;
    let (name, _) = rest.split_once('/')?;
    Some(Asked { name: name.strip_prefix("kube-").unwrap_or(name), path: &rest[name.len()..] })
}

impl Asked<'_> {
    /// Asks, and passes back what the component answers.
    ///
    /// # Errors
    /// 405 unless something is read or asked; 503 when there is no such component, or it is not there.
    pub(in crate::http) async fn answer(self, app: &App, parts: &Parts, body: Body) -> Result<Response> {
        if !matches!(parts.method, Method::GET | Method::HEAD | Method::POST) {
            return Err(ApiError::method_not_allowed());
        }
        let copies: Vec<&Component> = app.registry.components().iter().filter(|component| component.name == self.name).collect();
        if copies.is_empty() {
            let known = "start the API server with --component NAME=ADDRESS";
            return Err(ApiError::unavailable(format!("no component {:?} is known here: {known}", self.name)));
        }
        let body = limits::read(body).await?;
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let there = format!("{}{query}", self.path);
        let mut last = Err(String::new());
        for copy in copies {
            last = ask(copy, parts, &there, body.clone()).await;
            if last.as_ref().is_ok_and(|answer| answer.status() != StatusCode::SERVICE_UNAVAILABLE) {
                break;
            }
        }
        let mut answer = last.map_err(|why| ApiError::unavailable(format!("component {:?} does not answer: {why}", self.name)))?;
        strip(answer.headers_mut());
        Ok(answer.map(|body| until(app.stop.clone(), Limited::new(body, MOST_ANSWER))))
    }
}

/// What one copy answers.
async fn ask(copy: &Component, parts: &Parts, path: &str, body: Bytes) -> Result<Response<hyper::body::Incoming>, String> {
    let mut sender = peer::dial(&*copy.address, PATIENCE).await?;
    let request = Request::builder().method(parts.method.clone()).uri(path).body(Body::from(body));
    let mut request = request.map_err(|error| error.to_string())?;
    *request.headers_mut() = headers(&parts.headers);
    let host = copy.address.parse().map_err(|error| format!("{error}"))?;
    request.headers_mut().insert(header::HOST, host);
    match tokio::time::timeout(THOUGHT, sender.send_request(request)).await {
        Ok(answer) => answer.map_err(|error| peer::words(&error)),
        Err(_) => Err("net/http: timeout awaiting response headers".to_owned()),
    }
}

/// What a client's headers say to a component. The body comes uncompressed and whole, and so goes its answer.
fn headers(from: &HeaderMap) -> HeaderMap {
    let mut headers = from.clone();
    strip(&mut headers);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_ENCODING);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_component_and_what_it_is_asked() {
        let told = |path| asked(path).map(|asked| (asked.name, asked.path));
        assert_eq!(told("/components/scheduler/explain/a%2Fb"), Some(("scheduler", "/explain/a%2Fb")));
        assert_eq!(told("/components/kube-scheduler/"), Some(("scheduler", "/")));
        for other in ["/components/scheduler", "/components", "/api/v1/componentstatuses/x"] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}

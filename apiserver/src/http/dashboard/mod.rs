//! `/dashboard`: a page that shows the cluster as it lives, for `mini-ctl dashboard`. It is five files that are served as they lie here; all it shows it
//! asks of this server, as any client may.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::verbs::reply;

/// The files, each with its path and type.
const FILES: [(&str, &str, &str); 5] = [
    ("/dashboard", "text/html; charset=utf-8", include_str!("page.html")),
    ("/dashboard/style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("/dashboard/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("/dashboard/main.js", "text/javascript; charset=utf-8", include_str!("main.js")),
    ("/dashboard/model.js", "text/javascript; charset=utf-8", include_str!("model.js")),
];
/// The page loads nothing from elsewhere, and nobody may show it inside another.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The file at a path, if there is one.
pub(super) fn file(path: &str) -> Option<Response> {
    let (_, kind, text) = FILES.iter().find(|(at, _, _)| *at == path)?;
    let mut response = reply(StatusCode::OK, kind, Body::from(*text));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Some(response)
}

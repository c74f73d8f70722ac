//! What a client and the kubelet agree to speak once they have stopped speaking HTTP: channels in a WebSocket, or SPDY, on the
//! connection or within a WebSocket.
//!
//! Must not know: what it is agreed for.

use std::{convert::Infallible, future::Future};

use axum::{
    body::Body,
    extract::{
        FromRequestParts,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderName, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use hyper::upgrade::OnUpgrade;
use mini_daemon::tasks::detach;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Refusal,
    channels::{self, ERROR},
    spdy,
    streams::{Connection, converse},
};

/// The protocol of a connection's streams, where they are SPDY's.
const VERSION: HeaderName = HeaderName::from_static("x-stream-protocol-version");
/// SPDY as HTTP names it.
const SPDY: &str = "SPDY/3.1";
/// What stands before the name of a protocol whose streams SPDY carries within a WebSocket.
const TUNNELLED: &str = "SPDY/3.1+";
/// The longest message of a WebSocket, in bytes: upstream's, and room for the longest frame of SPDY.
const MOST_MESSAGE: usize = 32 << 20;

/// A request for another protocol.
pub(super) struct Asked {
    headers: HeaderMap,
    web_socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    connection: Option<OnUpgrade>,
}

/// What can be agreed on for something, in the order of preference.
pub(super) struct Offer {
    /// Channels in a WebSocket.
    pub(super) channels: &'static [&'static str],
    /// Streams of SPDY on a connection of their own.
    pub(super) streams: &'static [&'static str],
    /// Streams of SPDY within a WebSocket.
    pub(super) tunnelled: &'static [&'static str],
}

/// What was agreed on.
pub(super) enum Wire {
    /// Channels, each of which ends by itself if it `closes`.
    Channels { upgrade: WebSocketUpgrade, closes: bool },
    /// SPDY within a WebSocket.
    Tunnel(WebSocketUpgrade),
    /// SPDY, with streams of this protocol.
    Spdy(OnUpgrade, &'static str),
}

/// How the streams of an open connection come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Streams {
    /// They are there and have the numbers of channels.
    Numbered,
    /// The client opens them.
    Opened,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let headers = parts.headers.clone();
        let connection = if is_spdy(&headers) { parts.extensions.remove::<OnUpgrade>() } else { None };
        Ok(Self { headers, web_socket: WebSocketUpgrade::from_request_parts(parts, state).await, connection })
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_spdy(headers: &HeaderMap) -> bool {
    text(headers, header::UPGRADE).eq_ignore_ascii_case(SPDY)
}

/// The names in a header that is a list and may come more than once.
fn names(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty()).collect()
}

fn unable(why: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, format!("unable to upgrade: {why}"))
}

fn disagree(offered: &[&str], known: &[&str]) -> Refusal {
    let (offered, known) = (offered.join(" "), known.join(" "));
    let why = format!("unable to upgrade: unable to negotiate protocol: client supports [{offered}], server accepts [{known}]");
    (StatusCode::FORBIDDEN, why)
}

impl Asked {
    /// What is spoken, once both sides have agreed on it.
    ///
    /// # Errors
    /// What is said to those who want no other protocol, or one that is not offered.
    pub(super) fn agree(self, offer: &Offer) -> Result<Wire, Refusal> {
        if is_spdy(&self.headers) {
            return self.agree_on_spdy(offer);
        }
        let upgrade = self.web_socket.map_err(|error| match text(&self.headers, header::UPGRADE) {
            "" => unable("missing upgrade headers in request"),
            _ => unable(&error.to_string()),
        })?;
        let known: Vec<&'static str> = offer.channels.iter().chain(offer.tunnelled).copied().collect();
        let upgrade = upgrade.max_message_size(MOST_MESSAGE).max_frame_size(MOST_MESSAGE).protocols(known.iter().copied());
        let Some(protocol) = upgrade.selected_protocol().and_then(|protocol| protocol.to_str().ok()) else {
            return Err(disagree(&names(&self.headers, header::SEC_WEBSOCKET_PROTOCOL), &known));
        };
        Ok(match protocol {
            _ if protocol.starts_with(TUNNELLED) => Wire::Tunnel(upgrade),
            protocol => Wire::Channels { closes: protocol == channels::V5, upgrade },
        })
    }

    fn agree_on_spdy(self, offer: &Offer) -> Result<Wire, Refusal> {
        let offered = names(&self.headers, VERSION);
        if offered.is_empty() {
            return Err(unable("X-Stream-Protocol-Version is required"));
        }
        let protocol = offered.iter().find_map(|name| offer.streams.iter().find(|known| *known == name));
        let protocol = protocol.ok_or_else(|| disagree(&offered, offer.streams))?;
        match self.connection {
            Some(connection) => Ok(Wire::Spdy(connection, protocol)),
            None => Err(unable("missing upgrade headers in request")),
        }
    }
}

impl Wire {
    /// How its streams come about.
    pub(super) fn streams(&self) -> Streams {
        match self {
            Self::Channels { .. } => Streams::Numbered,
            Self::Tunnel(_) | Self::Spdy(..) => Streams::Opened,
        }
    }

    /// Upgrades, and lets `talk` talk until it has said everything, the client has left, or all is to `stop`.
    pub(super) fn open<F>(self, stop: CancellationToken, talk: impl FnOnce(Connection, Streams) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        match self {
            Self::Channels { upgrade, closes } => upgrade.on_upgrade(async move |socket| {
                let (ear, mouth) = channels::in_web_socket(socket, closes);
                let talking = converse(ear, mouth, |connection| talk(connection, Streams::Numbered));
                stop.run_until_cancelled(talking).await;
            }),
            Self::Tunnel(upgrade) => upgrade.on_upgrade(async move |socket| {
                let (ear, mouth) = spdy::in_web_socket(socket);
                let talking = converse(ear, mouth, |connection| talk(connection, Streams::Opened));
                stop.run_until_cancelled(talking).await;
            }),
            Self::Spdy(connection, protocol) => {
                detach("SPDY", async move {
                    let Ok(connection) = connection.await else { return };
                    let (ear, mouth) = spdy::on_connection(connection);
                    let talking = converse(ear, mouth, |connection| talk(connection, Streams::Opened));
                    stop.run_until_cancelled(talking).await;
                });
                let switching = [(header::CONNECTION, "Upgrade"), (header::UPGRADE, SPDY), (VERSION, protocol)];
                (StatusCode::SWITCHING_PROTOCOLS, switching, Body::empty()).into_response()
            }
        }
    }

    /// Refuses: on the error channel those who speak v5, as upstream does, and with a plain answer all others.
    pub(super) fn refuse(self, refusal: Refusal, status: impl FnOnce(&str) -> Value) -> Response {
        match self {
            Self::Channels { upgrade, closes: true } => {
                let message = channels::frame(ERROR, status(&refusal.1).to_string().as_bytes());
                upgrade.on_upgrade(async move |mut socket| {
                    // Whoever has left need not be told.
                    if socket.send(message).await.is_ok() && socket.send(channels::close()).await.is_ok() {
                        drop(socket.recv().await);
                    }
                })
            }
            _ => refusal.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_protocols_are_read() {
        let mut headers = HeaderMap::new();
        headers.append(VERSION, "v4.channel.k8s.io, v3.channel.k8s.io".parse().unwrap());
        headers.append(VERSION, "channel.k8s.io".parse().unwrap());
        assert_eq!(names(&headers, VERSION), ["v4.channel.k8s.io", "v3.channel.k8s.io", "channel.k8s.io"]);
        assert!(!is_spdy(&headers));
        headers.append(header::UPGRADE, "spdy/3.1".parse().unwrap());
        assert!(is_spdy(&headers));
    }
}

//! Connections into the network of the pods: to ports of one pod, several in one connection, and to an address, one that becomes
//! the bytes of the request's own connection.
//!
//! Must not know: who listens, how what is said is carried.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, RawQuery, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use mini_api::dial::failure;
use mini_daemon::tasks::detach;
use tokio::{
    io::{AsyncWriteExt, copy, copy_bidirectional, split},
    time::Instant,
};

use super::{
    Refusal, Sources,
    channels::{V4, V5},
    parameters,
    streams::{Connection, Headers, Reader, Writer},
    wire::{Asked, Offer, Streams},
};
use crate::{network::Network, runtime::Stream};

/// What ports are forwarded with. Upstream has no v5 here; with it a client can say that it has said everything.
const OFFER: Offer = Offer { channels: &[V5, V4], streams: &["portforward.k8s.io"], tunnelled: &["SPDY/3.1+portforward.k8s.io"] };
/// How long a client may take from the first to the second stream of a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who connects if nobody says.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The pod whose ports are forwarded.
struct Target {
    network: Network,
    ip: IpAddr,
    /// How errors name it.
    pod: String,
}

/// The streams of one connection to a port.
struct Pair {
    port: u16,
    data: (Reader, Writer),
    error: Writer,
}

/// One stream of a pair is still to come.
struct Half {
    request: String,
    until: Instant,
    data: Option<(u16, (Reader, Writer))>,
    error: Option<Writer>,
}

/// `/portForward/NAMESPACE/POD?port=80,443`.
pub(super) async fn ports(
    State(sources): State<Sources>,
    Path((namespace, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    asked: Asked,
) -> Result<Response, Refusal> {
    let Some((pod, running)) = sources.running(&namespace, &name).await? else {
        return Err((StatusCode::NOT_FOUND, "pod does not exist".to_owned()));
    };
    let ip = ip(&pod).filter(|_| !running.is_empty());
    let ip = ip.ok_or_else(|| (StatusCode::INTERNAL_SERVER_ERROR, format!("pod not found ({:?})", format!("{name}_{namespace}"))))?;
    let wire = asked.agree(&OFFER)?;
    let ports = match wire.streams() {
        Streams::Numbered => numbers(query.as_deref().unwrap_or_default()).map_err(|why| (StatusCode::BAD_REQUEST, why))?,
        Streams::Opened => Vec::new(),
    };
    let pod = format!("{name}_{namespace}, uid {}", pod.metadata.uid.as_deref().unwrap_or_default());
    let target = Target { network: sources.network.clone(), ip, pod };
    Ok(wire.open(sources.stop, async move |connection, streams| match streams {
        Streams::Numbered => target.forward(connection, ports).await,
        Streams::Opened => target.forward_opened(connection).await,
    }))
}

/// `/dial?address=IP:PORT&from=IP`: after the upgrade to `tcp` the connection is one with whoever listens there. `from` is who connects,
/// as he is seen there.
pub(super) async fn dial(State(sources): State<Sources>, RawQuery(query): RawQuery, mut request: Request) -> Result<Response, Refusal> {
    let query: Vec<(String, String)> = parameters(query.as_deref().unwrap_or_default());
    let address = query.iter().find(|(key, _)| key == "address").and_then(|(_, value)| value.parse::<SocketAddr>().ok());
    let address = address.ok_or_else(|| (StatusCode::BAD_REQUEST, "address must be an IP and a port".to_owned()))?;
    if request.headers().get(header::UPGRADE).is_none_or(|protocol| protocol != "tcp") {
        return Err((StatusCode::BAD_REQUEST, "Upgrade request required".to_owned()));
    }
    let from = query.iter().find(|(key, _)| key == "from").and_then(|(_, value)| value.parse::<IpAddr>().ok());
    let dialed = sources.network.deliver(address, from.unwrap_or(NOBODY)).await;
    let mut connection = dialed.map_err(|error| (StatusCode::BAD_GATEWAY, failure(address, &error)))?;
    let upgrade = hyper::upgrade::on(&mut request);
    detach("dialed", async move {
        let Ok(client) = upgrade.await else { return };
        let mut client = TokioIo::new(client);
        tokio::select! {
            copied = copy_bidirectional(&mut client, &mut connection) => tracing::debug!(%address, ?copied, "hung up"),
            () = sources.stop.cancelled() => {}
        }
    });
    let switching = [(header::CONNECTION, "Upgrade"), (header::UPGRADE, "tcp")];
    Ok((StatusCode::SWITCHING_PROTOCOLS, switching, Body::empty()).into_response())
}

fn ip(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_deref()?.parse().ok()
}

/// The ports a query asks for, in its order.
fn numbers(query: &str) -> Result<Vec<u16>, String> {
    let query: Vec<(String, String)> = parameters(query);
    let lists: Vec<&str> = query.iter().filter(|(key, _)| key == "port").map(|(_, value)| value.as_str()).collect();
    if lists.is_empty() {
        return Err("query parameter \"port\" is required".to_owned());
    }
    let ports: Vec<u16> = lists.iter().flat_map(|list| list.split(',')).map(number).collect::<Result<_, _>>()?;
    // A channel is one byte, and each port takes two.
    if ports.len() > usize::from(u8::MAX) / 2 { Err("too many ports".to_owned()) } else { Ok(ports) }
}

fn number(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) => Err(format!("port {text:?} must be > 0")),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("unable to parse {text:?} as a port: {error}")),
    }
}

impl Target {
    /// Forwards ports whose streams are there: the data of each are channel `2 * place`, its error is the next one. Ends when
    /// every connection has.
    async fn forward(&self, connection: Connection, ports: Vec<u16>) {
        let forwarded = ports.into_iter().zip(0..).map(async |(port, place)| {
            let mut pair = Pair { port, data: connection.stream(2 * place), error: connection.stream(2 * place + 1).1 };
            // The first message of each channel is the port's number.
            for stream in [&mut pair.data.1, &mut pair.error] {
                let _ = stream.write_all(&port.to_le_bytes()).await;
            }
            self.carry(pair).await;
        });
        join_all(forwarded).await;
    }

    /// Forwards whatever the client opens streams for.
    async fn forward_opened(&self, mut connection: Connection) {
        let mut halves: Vec<Half> = Vec::new();
        let mut carried = FuturesUnordered::new();
        loop {
            let oldest = halves.first().map(|half| half.until);
            tokio::select! {
                opened = connection.opened() => {
                    let Some(opened) = opened else { return };
                    let Ok((port, is_data)) = purpose(&opened.headers) else {
                        opened.refuse().await;
                        continue;
                    };
                    let request = request(&opened.headers, opened.id, is_data);
                    let ends = opened.accept().await;
                    carried.extend(join(&mut halves, request, port, is_data, ends).await.map(|pair| self.carry(pair)));
                }
                Some(()) = carried.next() => {}
                () = tokio::time::sleep_until(oldest.unwrap_or_else(Instant::now)), if oldest.is_some() => {
                    give_up(halves.remove(0)).await;
                }
            }
        }
    }

    /// Carries one connection until the pod ends it, or the client gives it up.
    async fn carry(&self, pair: Pair) {
        let Pair { port, data: (reader, mut writer), mut error } = pair;
        let address = SocketAddr::new(self.ip, port);
        match self.network.deliver(address, Ipv4Addr::LOCALHOST.into()).await {
            Ok(connection) => exchange(connection, reader, &mut writer).await,
            Err(why) => {
                let why = format!("error forwarding port {port} to pod {}: {}", self.pod, failure(address, &why));
                let _ = error.write_all(why.as_bytes()).await;
            }
        }
        for mut stream in [writer, error] {
            let _ = stream.shutdown().await;
        }
    }
}

/// Carries both directions until the pod has said everything, or the client has given up.
async fn exchange(connection: Box<dyn Stream>, mut reader: Reader, writer: &mut Writer) {
    let (mut from, mut to) = split(connection);
    let given_up = async {
        match copy(&mut reader, &mut to).await {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
            _ => drop(to.shutdown().await),
        }
        std::future::pending().await
    };
    tokio::select! {
        _ = copy(&mut from, writer) => {}
        () = given_up => {}
    }
}

/// What a stream is for: a port, and whether it is its data.
fn purpose(headers: &Headers) -> Result<(u16, bool), String> {
    let port = number(headers.get("port"))?;
    match headers.get("streamtype") {
        "data" => Ok((port, true)),
        "error" => Ok((port, false)),
        other => Err(format!("invalid stream type {other:?}")),
    }
}

/// What the streams of one connection have in common. Old clients do not say; they open the error's stream right before that of
/// the data.
fn request(headers: &Headers, id: u32, is_data: bool) -> String {
    match headers.get("requestid") {
        "" if is_data => id.saturating_sub(2).to_string(),
        "" => id.to_string(),
        given => given.to_owned(),
    }
}

/// Adds a stream to the one it belongs to, if that has come.
async fn join(halves: &mut Vec<Half>, request: String, port: u16, is_data: bool, ends: (Reader, Writer)) -> Option<Pair> {
    let place = halves.iter().position(|half| half.request == request).unwrap_or_else(|| {
        halves.push(Half { request, until: Instant::now() + PATIENCE, data: None, error: None });
        halves.len() - 1
    });
    let half = &mut halves[place];
    let taken = if is_data { half.data.is_some() } else { half.error.is_some() };
    if taken {
        let kind = if is_data { "data" } else { "error" };
        if let Some(error) = &mut half.error {
            let why = format!("error processing stream for request {}: {kind} stream already assigned", half.request);
            let _ = error.write_all(why.as_bytes()).await;
        }
        let (_, mut writer) = ends;
        let _ = writer.shutdown().await;
        return None;
    }
    if is_data {
        half.data = Some((port, ends));
    } else {
        half.error = Some(ends.1);
    }
    if half.data.is_none() || half.error.is_none() {
        return None;
    }
    let Half { data, error, .. } = halves.remove(place);
    let ((port, data), error) = data.zip(error)?;
    Some(Pair { port, data, error })
}

/// Ends a stream whose other half has not come.
async fn give_up(half: Half) {
    let Half { request, data, error, .. } = half;
    if let Some(mut error) = error {
        let _ = error.write_all(format!("(request={request}) timed out waiting for streams").as_bytes()).await;
        let _ = error.shutdown().await;
    }
    if let Some((_, (_, mut writer))) = data {
        let _ = writer.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read() {
        assert_eq!(numbers("port=80,443&port=8080"), Ok(vec![80, 443, 8080]));
        assert_eq!(numbers("port=80%2C443"), Ok(vec![80, 443]));
        assert_eq!(numbers(""), Err("query parameter \"port\" is required".to_owned()));
        assert_eq!(numbers("port=0"), Err("port \"0\" must be > 0".to_owned()));
        assert!(numbers("port=http").is_err());
    }
}

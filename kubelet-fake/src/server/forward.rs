//! Connections into the network of the pods: to ports of one pod, several in one WebSocket, and to an address, one that becomes
//! the bytes of the request's own connection.
//!
//! Must not know: who listens.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Body,
    extract::{
        Path, RawQuery, Request, State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{
    SinkExt, StreamExt,
    future::join_all,
    stream::{SplitSink, SplitStream},
};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use mini_api::dial::failure;
use mini_daemon::tasks::detach;
use tokio::{
    io::{AsyncWriteExt, ReadHalf, WriteHalf, copy_bidirectional, split},
    sync::Mutex,
};

use super::{
    Refusal, Sources,
    channels::{self, FAREWELL, Said, V4},
    parameters,
};
use crate::runtime::Stream;

/// A pod's port that is forwarded, by its place in the request: its data are channel `2 * place`, its error is the next one.
struct Forwarded {
    place: u8,
    port: u16,
    connection: Result<Box<dyn Stream>, String>,
}

type Sink = Mutex<SplitSink<WebSocket, Message>>;

/// `/portForward/NAMESPACE/POD?port=80,443`.
pub(super) async fn ports(
    State(sources): State<Sources>,
    Path((namespace, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let Some((pod, running)) = sources.running(&namespace, &name).await? else {
        return Err((StatusCode::NOT_FOUND, "pod does not exist".to_owned()));
    };
    let ip = ip(&pod).filter(|_| !running.is_empty());
    let ip = ip.ok_or_else(|| (StatusCode::INTERNAL_SERVER_ERROR, format!("pod not found ({:?})", format!("{name}_{namespace}"))))?;
    let upgrade = channels::agree(upgrade, &headers, &[V4])?;
    let ports = numbers(query.as_deref().unwrap_or_default()).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
    let told = format!("{name}_{namespace}, uid {}", pod.metadata.uid.as_deref().unwrap_or_default());
    Ok(upgrade.on_upgrade(async move |socket| {
        let stop = sources.stop.clone();
        tokio::select! {
            () = forward(socket, sources, ip, ports, &told) => {}
            () = stop.cancelled() => {}
        }
    }))
}

/// `/dial?address=IP:PORT`: after the upgrade to `tcp` the connection is one with whoever listens there.
pub(super) async fn dial(State(sources): State<Sources>, RawQuery(query): RawQuery, mut request: Request) -> Result<Response, Refusal> {
    let query: Vec<(String, String)> = parameters(query.as_deref().unwrap_or_default());
    let address = query.iter().find(|(key, _)| key == "address").and_then(|(_, value)| value.parse::<SocketAddr>().ok());
    let address = address.ok_or_else(|| (StatusCode::BAD_REQUEST, "address must be an IP and a port".to_owned()))?;
    if request.headers().get(header::UPGRADE).is_none_or(|protocol| protocol != "tcp") {
        return Err((StatusCode::BAD_REQUEST, "Upgrade request required".to_owned()));
    }
    let dialed = sources.runtime.dial(address).await;
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
    let number = |text: &str| match text.parse::<u16>() {
        Ok(0) => Err(format!("port {text:?} must be > 0")),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("unable to parse {text:?} as a port: {error}")),
    };
    let ports: Vec<u16> = lists.iter().flat_map(|list| list.split(',')).map(number).collect::<Result<_, _>>()?;
    // A channel is one byte, and each port takes two.
    if ports.len() > usize::from(u8::MAX) / 2 { Err("too many ports".to_owned()) } else { Ok(ports) }
}

/// Forwards until every connection has ended or the client has gone.
async fn forward(socket: WebSocket, sources: Sources, ip: IpAddr, ports: Vec<u16>, pod: &str) {
    let (sink, mut source) = socket.split();
    let sink = Mutex::new(sink);
    let dialed = ports.into_iter().zip(0..).map(async |(port, place)| {
        let address = SocketAddr::new(ip, port);
        let connection = sources.runtime.dial(address).await.map_err(|error| failure(address, &error));
        Forwarded { place, port, connection }
    });
    let (mut readers, mut writers) = (Vec::new(), Vec::new());
    for Forwarded { place, port, connection } in join_all(dialed).await {
        let (read, write) = match connection {
            Ok(connection) => {
                let (read, write) = split(connection);
                (Ok(read), Some(write))
            }
            Err(why) => (Err(format!("error forwarding port {port} to pod {pod}: {why}")), None),
        };
        readers.push((place, port, read));
        writers.push(write);
    }
    let told = async {
        let told = readers.into_iter().map(|(place, port, read)| tell(&sink, place, port, read));
        let all_well = join_all(told).await.into_iter().all(|told| told.is_ok());
        if all_well && sink.lock().await.send(channels::close()).await.is_ok() {
            // It is for the client to hang up.
            tokio::time::sleep(FAREWELL).await;
        }
    };
    tokio::select! {
        () = listen(&mut source, writers) => {}
        () = told => {}
    }
}

/// Tells the client what comes from one port. The first message of each channel is the port's number.
async fn tell(sink: &Sink, place: u8, port: u16, connection: Result<ReadHalf<Box<dyn Stream>>, String>) -> Result<(), axum::Error> {
    let (data, error) = (2 * place, 2 * place + 1);
    for channel in [data, error] {
        sink.lock().await.send(channels::frame(channel, &port.to_le_bytes())).await?;
    }
    match connection {
        Ok(mut connection) => {
            while let Some(message) = channels::next(data, &mut connection).await {
                sink.lock().await.send(message).await?;
            }
            Ok(())
        }
        Err(why) => sink.lock().await.send(channels::frame(error, why.as_bytes())).await,
    }
}

/// Passes on what the client says, until it leaves.
async fn listen(source: &mut SplitStream<WebSocket>, mut writers: Vec<Option<WriteHalf<Box<dyn Stream>>>>) {
    while let Some(Ok(message)) = source.next().await {
        let Some(Said::Data(channel, data)) = channels::read(message, false) else { continue };
        let writer = writers.get_mut(usize::from(channel / 2)).filter(|_| channel % 2 == 0);
        if let Some(slot) = writer
            && let Some(connection) = slot
            && connection.write_all(&data).await.is_err()
        {
            *slot = None;
        }
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

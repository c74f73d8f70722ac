//! One question of gRPC's health protocol: `grpc.health.v1.Health/Check`, and its answer in upstream's words.
//!
//! Must not know: probes.

use std::{future::poll_fn, pin::Pin};

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use hyper::{Request, body::Body as _, client::conn::http2, header};
use hyper_util::rt::TokioIo;

use super::{Background, MOST};
use crate::runtime::Stream;

/// What a server answers besides SERVING.
const STATES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/// The code of a method that a server does not have.
const UNIMPLEMENTED: &str = "12";

/// Asks whether a service is well; the empty name stands for the whole server.
///
/// # Errors
/// Why it is not, or cannot be asked.
pub(crate) async fn check(connection: Box<dyn Stream>, authority: &str, service: &str, agent: &str) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("error: health rpc probe failed: rpc error: code = Unavailable desc = {why}");
    let handshake = http2::handshake(Background, TokioIo::new(connection)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(&error))?;
    let request = Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, agent)
        .body(Body::from(question(service)));
    let request = request.map_err(|error| failed(&error))?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let (mut headers, mut body) = (response.headers().clone(), response.into_body());
        let mut message = Vec::new();
        while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            match frame.into_data() {
                Ok(data) => message.extend_from_slice(&data[..data.len().min(MOST - message.len())]),
                Err(frame) => headers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        verdict(&text("grpc-status"), &text("grpc-message"), &message)
    };
    tokio::select! {
        biased;
        told = talk => told,
        _ = connection => Err(failed(&"connection closed before server preface received")),
    }
}

/// A message with one string, the service, in gRPC's frame.
fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        let mut rest = service.len();
        while rest > 0x7f {
            message.put_u8(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
            rest >>= 7;
        }
        message.put_u8(u8::try_from(rest).unwrap_or_default());
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or_default());
    frame.put(message);
    frame.freeze()
}

/// What status, message and body of an answer say.
fn verdict(status: &str, message: &str, body: &[u8]) -> Result<(), String> {
    match status {
        "0" => {}
        UNIMPLEMENTED => {
            return Err(format!("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"));
        }
        _ => return Err(format!("error: health rpc probe failed: rpc error: code = {} desc = {message}", code(status))),
    }
    // A frame's head, then the one field there is. What is 0 is left out.
    let state = match body.get(5..) {
        Some([0x08, state, ..]) => usize::from(*state),
        _ => 0,
    };
    match STATES.get(state) {
        Some(&"SERVING") => Ok(()),
        Some(other) => Err(format!("service unhealthy (responded with {other:?})")),
        None => Err(format!("service unhealthy (responded with \"{state}\")")),
    }
}

/// The name of a status.
fn code(status: &str) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    status.parse::<usize>().ok().and_then(|status| NAMES.get(status)).copied().unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_framed() {
        assert_eq!(question(""), Bytes::from_static(&[0, 0, 0, 0, 0]));
        assert_eq!(question("ab"), Bytes::from_static(&[0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']));
        assert_eq!(question(&"x".repeat(200))[5..8], [0x0a, 0xc8, 1]);
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(verdict("0", "", &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        assert_eq!(verdict("0", "", &[0, 0, 0, 0, 2, 8, 2]), Err("service unhealthy (responded with \"NOT_SERVING\")".to_owned()));
        assert_eq!(verdict("0", "", &[0, 0, 0, 0, 0]), Err("service unhealthy (responded with \"UNKNOWN\")".to_owned()));
        let said = verdict("5", "unknown service", &[]);
        assert_eq!(said, Err("error: health rpc probe failed: rpc error: code = NotFound desc = unknown service".to_owned()));
        assert!(verdict("12", "unknown method", &[]).is_err_and(|why| why.contains("does not implement the grpc health protocol")));
    }
}

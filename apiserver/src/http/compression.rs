//! Large answers go out compressed to whoever takes gzip, as upstream has it: from 128 KiB on, at the level that costs least.

use std::io::Write;

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::StreamExt;

/// Answers up to this size go as they are.
const WORTH_IT: u64 = 128 * 1024;
/// How much is compressed in one go.
const PIECE: usize = 256 * 1024;

/// The answer, compressed if it is worth it. Streams, whose size nobody knows, never are.
pub(super) fn compress(response: Response) -> Response {
    let large = response.body().size_hint().exact().or_else(|| length(response.headers())).is_some_and(|size| size > WORTH_IT);
    if !large || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let pieces = body.into_data_stream().flat_map(|chunk| futures::stream::iter(split(chunk)));
    // The end is a piece of its own: then the trailer follows.
    let pieces = pieces.map(Some).chain(futures::stream::iter([None]));
    let compressed = pieces.scan(Some(GzEncoder::new(Vec::new(), Compression::fast())), |encoder, piece| {
        let step = encode(encoder, piece);
        async move { Some(step) }
    });
    Response::from_parts(parts, Body::from_stream(compressed))
}

/// Whether the client takes gzip, by upstream's reading: a token without parameters.
pub(super) fn accepted(request: &HeaderMap) -> bool {
    let encodings = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    encodings.split(',').any(|encoding| encoding.trim() == "gzip")
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn split(chunk: Result<Bytes, axum::Error>) -> Vec<Result<Bytes, axum::Error>> {
    match chunk {
        Ok(mut whole) => {
            let mut pieces = Vec::with_capacity(whole.len() / PIECE + 1);
            while whole.len() > PIECE {
                pieces.push(Ok(whole.split_to(PIECE)));
            }
            pieces.push(Ok(whole));
            pieces
        }
        error => vec![error],
    }
}

/// What one piece becomes; `None` ends it all.
fn encode(encoder: &mut Option<GzEncoder<Vec<u8>>>, piece: Option<Result<Bytes, axum::Error>>) -> Result<Bytes, axum::Error> {
    let written = match (piece.transpose()?, &mut *encoder) {
        (Some(piece), Some(encoder)) => encoder.write_all(&piece).map(|()| std::mem::take(encoder.get_mut())),
        (None, encoder) => encoder.take().map_or_else(|| Ok(Vec::new()), GzEncoder::finish),
        (Some(_), None) => Ok(Vec::new()),
    };
    written.map(Bytes::from).map_err(axum::Error::new)
}

//! The side that answers: one connection after the other request, each answer exactly as its server spells it.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{
    super::Input,
    body::Body,
    head::{Asked, read_asked},
};
use crate::{Ctx, Errno, net::Connection};

/// The largest body of a request that is taken.
const MOST_BODY: usize = 1 << 20;
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(65);

/// What is answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// `200`
    pub(crate) status: u16,
    /// `OK`
    pub(crate) reason: String,
    /// Its lines, in order; what frames the body among them, except that one without a length is ended by closing.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) content: Content,
}

/// A body to be written.
#[derive(Debug, Default)]
pub(crate) enum Content {
    /// None.
    #[default]
    Nothing,
    /// These.
    Bytes(Vec<u8>),
    /// What is in a file.
    File(Input),
}

impl Answer {
    /// An answer with a body of known length, whose lines come after those given.
    pub(crate) fn text(status: u16, reason: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut headers: Vec<(String, String)> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
        Self { status, reason: reason.to_owned(), headers, content: Content::Bytes(body) }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Who answers. What is asked is `None` if it was no HTTP.
pub(crate) type Handler = Arc<dyn Fn(Ctx, Option<Asked>) -> BoxFuture<'static, Answer> + Send + Sync>;

/// Serves one connection until one of both sides has enough.
pub(crate) async fn serve(ctx: Ctx, connection: Connection, handler: Handler) {
    let peer = connection.peer.ip().to_string();
    let Ok(fd) = ctx.add_connection(connection) else { return };
    let mut input = Input::own(&ctx, fd);
    // Whatever fails, the connection is closed, and that is all there is to say.
    while let Ok(true) = round(&ctx, &mut input, &peer, &handler).await {}
    let _ = ctx.shutdown(fd).await;
}

/// One request; whether the connection stays.
async fn round(ctx: &Ctx, input: &mut Input, peer: &str, handler: &Handler) -> Result<bool, Errno> {
    let fd = input.fd();
    let asked = match tokio::time::timeout(IDLE, read_asked(input)).await {
        Err(_) | Ok(Ok(None)) => return Ok(false),
        Ok(Ok(Some(asked))) => Some(asked),
        Ok(Err(Errno::EINVAL)) => None,
        Ok(Err(errno)) => return Err(errno),
    };
    let asked = match asked {
        Some(asked) => {
            let mut body = Body::new(&asked.headers, true);
            if asked.header("Expect").is_some_and(|what| what.eq_ignore_ascii_case("100-continue")) {
                ctx.write_all(fd, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            let mut bytes = Vec::new();
            loop {
                let piece = body.piece(input).await?;
                if piece.is_empty() || bytes.len() > MOST_BODY {
                    break;
                }
                bytes.extend(piece);
            }
            Some(Asked { body: bytes, peer: peer.to_owned(), ..asked })
        }
        None => None,
    };
    let (head_only, asks_to_keep) = asked.as_ref().map_or((false, false), |asked| (asked.method == "HEAD", asked.keeps()));
    let answer = handler(ctx.clone(), asked).await;
    let framed =
        answer.header("Content-Length").is_some() || answer.header("Transfer-Encoding").is_some() || matches!(answer.status, 204 | 304);
    let keeps = asks_to_keep && framed && !answer.header("Connection").is_some_and(|how| how.eq_ignore_ascii_case("close"));
    let lines: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut head = format!("HTTP/1.1 {} {}\r\n{lines}\r\n", answer.status, answer.reason).into_bytes();
    match answer.content {
        _ if head_only => ctx.write_all(fd, &head).await?,
        Content::Nothing => ctx.write_all(fd, &head).await?,
        Content::Bytes(bytes) => {
            head.extend(bytes);
            ctx.write_all(fd, &head).await?;
        }
        Content::File(mut file) => {
            ctx.write_all(fd, &head).await?;
            loop {
                let piece = file.piece(16 << 10).await?;
                if piece.is_empty() {
                    break;
                }
                ctx.write_all(fd, &piece).await?;
            }
        }
    }
    Ok(keeps)
}

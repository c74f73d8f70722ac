//! One HTTP/1.1 connection that is kept open, as cheap as it gets: it is driven by the task that uses it, so a request costs no
//! switch to another task, and answers are counted rather than decoded.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::target::{Outgoing, Target};

/// How long one of the requests that prepare or end a suite may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of an answer that is an error is shown.
const SHOWN: usize = 300;

type Driver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A connection to a server.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
}

/// What is kept of an answer.
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its body's length in bytes.
    pub(crate) length: usize,
    /// The body's beginning, if the status says it is an error.
    pub(crate) error: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn open(target: &Target) -> Result<Self> {
        let stream = TcpStream::connect(target.address).await.with_context(|| format!("connect to {}", target.address))?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver })
    }

    /// Sends a request and reads the whole answer, of which little is kept.
    ///
    /// # Errors
    /// When the connection breaks. An answer that is an error is an answer.
    pub(crate) async fn call(&mut self, request: Outgoing) -> Result<Answer> {
        let exchange = async {
            self.sender.ready().await?;
            let mut response = self.sender.send_request(request).await?;
            let status = response.status();
            let mut answer = Answer { status, length: 0, error: Vec::new() };
            while let Some(frame) = response.body_mut().frame().await {
                let Ok(data) = frame?.into_data() else { continue };
                answer.length += data.len();
                if !status.is_success() && answer.error.len() < SHOWN {
                    answer.error.extend_from_slice(&data[..data.len().min(SHOWN)]);
                }
            }
            Ok(answer)
        };
        drive(&mut self.driver, exchange).await
    }

    /// Sends a request of which the whole answer matters. Takes at most a minute.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not a success and none of `also`.
    pub(crate) async fn fetch(&mut self, request: Outgoing, also: &[StatusCode]) -> Result<Bytes> {
        let what = format!("{} {}", request.method(), request.uri());
        let exchange = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            Ok((response.status(), response.into_body().collect().await?.to_bytes()))
        };
        let (status, body) = timeout(PATIENCE, drive(&mut self.driver, exchange)).await.with_context(|| what.clone())??;
        if !status.is_success() && !also.contains(&status) {
            bail!("{what}: {status}: {}", excerpt(&body));
        }
        Ok(body)
    }

    /// Sends a request whose answer does not end, such as a watch.
    ///
    /// # Errors
    /// When the connection breaks or the answer is an error.
    pub(crate) async fn stream(mut self, request: Outgoing) -> Result<Stream> {
        let what = format!("{} {}", request.method(), request.uri());
        let exchange = async {
            self.sender.ready().await?;
            Ok(self.sender.send_request(request).await?)
        };
        let response = timeout(PATIENCE, drive(&mut self.driver, exchange)).await.with_context(|| what.clone())??;
        if !response.status().is_success() {
            bail!("{what}: {}", response.status());
        }
        Ok(Stream { body: response.into_body(), driver: self.driver, _sender: self.sender })
    }
}

/// Does some work on a connection while driving it.
async fn drive<T>(driver: &mut Driver, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        // The work first: when the server closes right after an answer, the answer counts.
        biased;
        result = work => result,
        ended = driver => Err(ended.err().map_or_else(|| anyhow!("the server closed the connection"), Into::into)),
    }
}

/// The beginning of an answer, to be shown.
pub(crate) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).trim().to_owned()
}

/// The body of an answer that does not end.
pub(crate) struct Stream {
    body: Incoming,
    driver: Driver,
    // Without it the connection would be closed once idle.
    _sender: SendRequest<Full<Bytes>>,
}

impl Stream {
    /// The next piece, whatever its size; `None` when the server has ended the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let body = &mut self.body;
            let next = async {
                match body.frame().await {
                    Some(frame) => Ok(Some(frame?)),
                    None => Ok(None),
                }
            };
            match drive(&mut self.driver, next).await? {
                None => return Ok(None),
                Some(frame) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
            }
        }
    }
}

/// Cuts pieces into lines. Copies only what a piece leaves over.
#[derive(Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Passes on every line that is complete with this piece, without its end.
    pub(crate) fn push(&mut self, mut piece: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            if self.rest.is_empty() {
                line(&piece[..end]);
            } else {
                self.rest.extend_from_slice(&piece[..end]);
                line(&self.rest);
                self.rest.clear();
            }
            piece = &piece[end + 1..];
        }
        self.rest.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_the_pieces() {
        let text = b"one\ntwo\n\nthree\nrest";
        for size in 1..=text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.push(piece, |line| found.push(String::from_utf8_lossy(line).into_owned()));
            }
            assert_eq!(found, ["one", "two", "", "three"], "pieces of {size}");
        }
    }
}

//! Bodies, in pieces, however they are framed.

use super::super::Input;
use crate::Errno;

/// How much is given at once.
const PIECE: usize = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks, of the present one so many bytes are left; `None`: the next begins.
    Chunks(Option<u64>),
    /// Until the end of the connection.
    Rest,
}

/// A body that is read.
#[derive(Debug)]
pub(crate) struct Body {
    framing: Framing,
    /// Its length, if it was told.
    pub(crate) length: Option<u64>,
}

impl Body {
    /// A body as its head frames it; one of a request that says nothing is empty.
    pub(super) fn new(headers: &[(String, String)], of_request: bool) -> Self {
        let value = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let length = value("Content-Length").and_then(|length| length.parse().ok());
        let framing = match length {
            _ if value("Transfer-Encoding").is_some_and(|how| how.to_ascii_lowercase().contains("chunked")) => Framing::Chunks(None),
            Some(length) => Framing::Length(length),
            None if of_request => Framing::Length(0),
            None => Framing::Rest,
        };
        Self { framing, length: if matches!(framing, Framing::Chunks(_)) { None } else { length } }
    }

    /// One of nothing.
    pub(super) fn empty(length: Option<u64>) -> Self {
        Self { framing: Framing::Length(0), length }
    }

    /// The next bytes; none: the end. ECONNRESET: it ended too early.
    pub(crate) async fn piece(&mut self, input: &mut Input) -> Result<Vec<u8>, Errno> {
        loop {
            match self.framing {
                Framing::Rest => return input.piece(PIECE).await,
                Framing::Length(0) => return Ok(Vec::new()),
                Framing::Length(left) => {
                    let piece = some(input, left).await?;
                    self.framing = Framing::Length(left - piece.len() as u64);
                    return Ok(piece);
                }
                Framing::Chunks(None) => {
                    let line = input.line().await?.ok_or(Errno::ECONNRESET)?;
                    let line = String::from_utf8_lossy(&line);
                    let digits = line.split(';').next().unwrap_or_default().trim();
                    let size = u64::from_str_radix(digits, 16).map_err(|_| Errno::EINVAL)?;
                    if size == 0 {
                        while input.line().await?.is_some_and(|line| line != b"\r\n" && line != b"\n") {}
                        self.framing = Framing::Length(0);
                    } else {
                        self.framing = Framing::Chunks(Some(size));
                    }
                }
                Framing::Chunks(Some(left)) => {
                    let piece = some(input, left).await?;
                    let left = left - piece.len() as u64;
                    self.framing = Framing::Chunks(Some(left));
                    if left == 0 {
                        input.line().await?;
                        self.framing = Framing::Chunks(None);
                    }
                    return Ok(piece);
                }
            }
        }
    }
}

async fn some(input: &mut Input, left: u64) -> Result<Vec<u8>, Errno> {
    let piece = input.piece(usize::try_from(left).unwrap_or(PIECE).min(PIECE)).await?;
    if piece.is_empty() { Err(Errno::ECONNRESET) } else { Ok(piece) }
}

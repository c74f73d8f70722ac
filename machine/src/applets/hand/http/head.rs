//! Heads: what is asked and what is told.

use super::super::Input;
use crate::Errno;

/// The most that a head may be.
const MOST: usize = 64 << 10;
/// The most lines that it may have.
const MOST_LINES: usize = 100;

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `GET`
    pub(crate) method: String,
    /// What is asked for, as it was written.
    pub(crate) target: String,
    /// `HTTP/1.1` is 1.
    pub(crate) minor: u8,
    /// Its lines.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Vec<u8>,
    /// The address of who asks.
    pub(crate) peer: String,
}

/// What a server tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// `200`
    pub(crate) status: u16,
    /// The first line, as it was written.
    pub(crate) line: String,
    /// Its lines.
    pub(crate) headers: Vec<(String, String)>,
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

impl Asked {
    /// A line of it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The path, decoded.
    pub(crate) fn path(&self) -> String {
        let path = self.target.split(['?', '#']).next().unwrap_or_default();
        percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
    }

    /// What is behind the `?`, decoded, in order.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// The value of a name behind the `?`.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Whether the connection stays.
    pub(crate) fn keeps(&self) -> bool {
        let connection = self.header("Connection").unwrap_or_default();
        if self.minor == 0 { connection.eq_ignore_ascii_case("keep-alive") } else { !connection.eq_ignore_ascii_case("close") }
    }
}

impl Told {
    /// A line of it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    headers.iter().map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned())).collect()
}

/// The bytes of a head through the empty line. `None`: the end came first.
async fn read(input: &mut Input) -> Result<Option<Vec<u8>>, Errno> {
    let mut head: Vec<u8> = Vec::new();
    while let Some(line) = input.line().await? {
        let empty = line == b"\r\n" || line == b"\n";
        if empty && head.is_empty() {
            continue;
        }
        head.extend(line);
        if empty {
            return Ok(Some(head));
        }
        if head.len() > MOST {
            return Err(Errno::EINVAL);
        }
    }
    Ok(None)
}

/// Reads what is asked, without its body. `None`: nobody asks any more. EINVAL: it is no HTTP.
pub(super) async fn read_asked(input: &mut Input) -> Result<Option<Asked>, Errno> {
    let Some(bytes) = read(input).await? else { return Ok(None) };
    let mut lines = [httparse::EMPTY_HEADER; MOST_LINES];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(&bytes) {
        Ok(httparse::Status::Complete(_)) => Ok(Some(Asked {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            minor: request.version.unwrap_or_default(),
            headers: owned(request.headers),
            body: Vec::new(),
            peer: String::new(),
        })),
        _ => Err(Errno::EINVAL),
    }
}

/// Reads what is told, without its body. `None`: the end came first. EINVAL: it is no HTTP.
pub(super) async fn read_told(input: &mut Input) -> Result<Option<Told>, Errno> {
    loop {
        let Some(bytes) = read(input).await? else { return Ok(None) };
        let mut lines = [httparse::EMPTY_HEADER; MOST_LINES];
        let mut response = httparse::Response::new(&mut lines);
        if !matches!(response.parse(&bytes), Ok(httparse::Status::Complete(_))) {
            return Err(Errno::EINVAL);
        }
        let status = response.code.unwrap_or_default();
        // What is told beforehand is not the answer.
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(first).trim_end_matches('\r').to_owned();
        return Ok(Some(Told { status, line, headers: owned(response.headers) }));
    }
}

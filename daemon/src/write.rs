//! Writes whose answers are read only as far as who was written and at which revision: everything else about the object comes back
//! through the watch.

use http::{HeaderValue, header::ACCEPT};
use kube::{Client, core::request};
use serde::Deserialize;

/// How many writes of one kind a program has under way at once. Each change of a busy cluster is some writes of several programs: where
/// one sends all that it could, the API server stores them in smaller batches, and each program is woken for less.
pub const AT_ONCE: usize = 32;

/// What the API server answered about an object that was written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Written {
    /// Its name, which the server may have generated.
    pub name: String,
    /// Its UID.
    pub uid: String,
    resource_version: String,
}

impl Written {
    /// The revision of the write; 0 where the answer names none.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.resource_version.parse().unwrap_or(0)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    metadata: Written,
}

/// A request as the client library's builders give it.
pub type Request = Result<http::Request<Vec<u8>>, request::Error>;

/// What is asked of an answer: no more of the object than its metadata, where that can be had.
const METADATA: HeaderValue = HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");

/// Sends a request that writes one object.
///
/// # Errors
/// As the client's: the Status the server answered, or why there was no answer.
pub async fn send(client: &Client, request: Request) -> kube::Result<Written> {
    let mut request = request.map_err(kube::Error::BuildRequest)?;
    request.headers_mut().insert(ACCEPT, METADATA);
    client.request::<Answer>(request).await.map(|answer| answer.metadata)
}

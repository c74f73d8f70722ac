//! How much of the server one client, or all of them, may use: requests under way, time, and the size of bodies.
//!
//! Upstream exempts those who may do everything (`system:masters`) from the limits on requests under way. Here everybody may do
//! everything, so what is exempt is what an operator needs to see a server that is under pressure: health, metrics, discovery,
//! everything that is about the server and not about objects. Requests that last do not count, as upstream has it.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use mini_api::duration;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{query, verbs::reply};
use crate::{
    config,
    error::{ApiError, Result},
};

/// The largest body, in bytes, as upstream has it.
const MOST_BODY: usize = 3 * 1024 * 1024;
/// How much of a body that is too large is read all the same.
const MOST_UNHEARD: usize = 4 * MOST_BODY;

/// The limits of one server.
pub(super) struct Limits {
    /// Requests that only read.
    pub reading: Slots,
    /// Requests that may write.
    pub mutating: Slots,
    /// How long a request may take that is not meant to last.
    pub request_timeout: Duration,
}

impl Limits {
    /// The limits of a configuration.
    pub(super) fn new(config: &config::Limits) -> Self {
        Self {
            reading: Slots::new(config.max_requests_inflight),
            mutating: Slots::new(config.max_mutating_requests_inflight),
            request_timeout: config.request_timeout,
        }
    }

    /// How long the request with this query may take: what it asks for, but no longer than the server allows.
    ///
    /// # Errors
    /// 400 when it asks for what is no duration.
    pub(super) fn patience(&self, query: &str) -> Result<Duration> {
        // Nearly no request asks, and decoding a query takes time.
        if !query.contains("timeout=") {
            return Ok(self.request_timeout);
        }
        let asked = query::pairs(query).find(|(key, _)| key == "timeout").map(|(_, value)| value).filter(|value| !value.is_empty());
        let Some(asked) = asked else { return Ok(self.request_timeout) };
        let wrong = |error| ApiError::bad_request(format!("invalid timeout specified in the request URL - {error}"));
        let asked = duration::nanoseconds(&asked).map_err(wrong)?;
        let asked = u64::try_from(asked).ok().filter(|asked| *asked > 0).map(Duration::from_nanos);
        Ok(asked.map_or(self.request_timeout, |asked| asked.min(self.request_timeout)))
    }
}

/// Places for requests under way.
pub(super) struct Slots {
    most: usize,
    free: Semaphore,
}

impl Slots {
    fn new(most: usize) -> Self {
        let most = if most == 0 { Semaphore::MAX_PERMITS } else { most.min(Semaphore::MAX_PERMITS) };
        Self { most, free: Semaphore::new(most) }
    }

    /// A place, if there is one. It is free again when this is dropped.
    pub(super) fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.free.try_acquire().ok()
    }

    /// Gives back the place of a permit that was forgotten.
    pub(super) fn give_back(&self) {
        self.free.add_permits(1);
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.most - self.free.available_permits()
    }
}

/// Reads a body whole.
///
/// # Errors
/// 413 when it is too large, 400 when it breaks off.
pub(super) async fn read(mut body: Body) -> Result<Bytes> {
    match Limited::new(&mut body, MOST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(ApiError::too_large(MOST_BODY))
        }
        Err(error) => Err(ApiError::bad_request(format!("read the body: {error}"))),
    }
}

/// Reads on for a while: many clients listen only when they have said all, and would find the connection closed.
async fn discard(body: &mut Body) {
    let mut left = MOST_UNHEARD;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        if size > left {
            return;
        }
        left -= size;
    }
}

/// The answer to a request for which there is no place, word for word upstream's, which is no Status.
pub(super) fn too_many() -> Response {
    let text = Body::from("Too many requests, please try again later.\n");
    let mut response = reply(StatusCode::TOO_MANY_REQUESTS, "text/plain; charset=utf-8", text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_ask_for_less_time_but_not_for_more() {
        let limits = Limits::new(&config::Limits::default());
        let patience = |query| limits.patience(query).map_err(|error| error.to_string());
        let minute = Ok(Duration::from_secs(60));
        for query in ["", "timeoutSeconds=5", "timeout=", "timeout=0s", "timeout=-3s", "timeout=2h"] {
            assert_eq!(patience(query), minute, "{query}");
        }
        assert_eq!(patience("a=b&timeout=1500ms"), Ok(Duration::from_millis(1500)));
        let wrong = "invalid timeout specified in the request URL - time: missing unit in duration \"5\"";
        assert_eq!(patience("timeout=5"), Err(wrong.to_owned()));
    }

    #[test]
    fn a_place_that_is_taken_is_told_and_given_back() {
        let slots = Slots::new(1);
        let place = slots.take().unwrap();
        assert!(slots.take().is_none() && slots.taken() == 1);
        drop(place);
        assert_eq!(slots.taken(), 0);
        assert!(Slots::new(0).take().is_some());
    }
}

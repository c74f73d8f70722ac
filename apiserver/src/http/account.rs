//! The account of one request: what is counted, logged and audited of it, from its head to the end of its answer.
//!
//! An account is closed by being dropped, so that it is closed whichever way a request ends: a request whose client goes away
//! before there is an answer leaves no more than the event of its beginning.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;
use tokio_util::{sync::WaitForCancellationFutureOwned, task::task_tracker::TaskTrackerToken};

use super::{
    App,
    audit::{Event, Stage},
    info::{Info, Labels},
};
use crate::error::ApiError;

/// What is known of a connection, for as long as it lasts.
#[derive(Debug)]
pub(super) struct Caller {
    /// Who is connected.
    pub peer: IpAddr,
    /// Whether there was a request.
    pub begun: AtomicBool,
    /// Streams of bytes on it that nobody can take up again.
    pub tunnels: AtomicUsize,
}

impl Caller {
    /// Somebody who has just connected.
    pub(super) fn new(peer: IpAddr) -> Self {
        Self { peer, begun: AtomicBool::new(false), tunnels: AtomicUsize::new(0) }
    }
}

/// The account of one request.
pub(super) struct Account {
    app: Arc<App>,
    caller: Arc<Caller>,
    id: HeaderValue,
    started: Instant,
    labels: Option<Labels>,
    /// What the log says of what is no resource.
    path: Option<Box<str>>,
    lasting: bool,
    tunnel: bool,
    audit: Option<Box<Event>>,
    /// The code of the answer, once there is one.
    code: Option<u16>,
    size: Option<u64>,
    error: Option<ApiError>,
    /// Whether a place among the requests under way is to be given back at the end; of those that may write, or of those that read.
    place: Option<bool>,
    /// While there is one, the server does not stop.
    _under_way: Option<TaskTrackerToken>,
}

impl Account {
    /// Opens the account of a request.
    pub(super) fn open(app: &Arc<App>, caller: &Arc<Caller>, parts: &Parts, info: &Info, id: &HeaderValue) -> Self {
        let audit = app.audit.as_ref().map(|log| {
            let event = Box::new(Event::of(app.registry.table(), parts, info, id, caller.peer));
            log.write(Event::clone(&event));
            event
        });
        if let Some(labels) = info.labels.as_ref().filter(|_| info.lasting) {
            app.metrics.lasts(labels, true);
        }
        if info.tunnel() {
            caller.tunnels.fetch_add(1, Ordering::Relaxed);
        }
        Self {
            app: app.clone(),
            caller: caller.clone(),
            id: id.clone(),
            started: Instant::now(),
            labels: info.labels,
            path: tracing::enabled!(tracing::Level::DEBUG).then(|| parts.uri.path().into()),
            lasting: info.lasting,
            tunnel: info.tunnel(),
            audit,
            code: None,
            size: None,
            error: None,
            place: None,
            _under_way: (!info.lasting).then(|| app.under_way.token()),
        }
    }

    /// What is audited, if anything is.
    pub(super) fn event(&mut self) -> Option<&mut Event> {
        self.audit.as_deref_mut()
    }

    /// Notes that the server gave the request up in self-defence.
    pub(super) fn terminated(&self, code: StatusCode) {
        if let Some(labels) = &self.labels {
            self.app.metrics.terminated(labels, code.as_u16());
        }
    }

    /// Notes why the request failed.
    pub(super) fn failed(&mut self, error: ApiError) {
        if error.code() == StatusCode::INTERNAL_SERVER_ERROR.as_u16() {
            let id = String::from_utf8_lossy(self.id.as_bytes());
            tracing::warn!(%id, %error, "a request failed within the server");
        }
        self.error = self.audit.is_some().then_some(error);
    }

    /// Takes over the place of a request under way, until its answer has been taken by the client.
    pub(super) fn keep_place(&mut self, mutating: bool) {
        self.place = Some(mutating);
    }

    /// Notes the head of the answer. The account is closed with it, or with its body if that is still to come.
    pub(super) fn answered(mut self, response: Response) -> Response {
        let code = response.status();
        self.code = Some(code.as_u16());
        self.size = response.body().size_hint().exact().or_else(|| length(&response));
        if code == StatusCode::SWITCHING_PROTOCOLS {
            // From now on the connection is one stream, to its end.
            self.caller.tunnels.fetch_add(1, Ordering::Relaxed);
        }
        let streams = response.body().size_hint().exact().is_none();
        if !streams {
            return response;
        }
        if let Some((log, event)) = self.app.audit.as_ref().zip(self.audit.as_ref()).filter(|_| self.lasting) {
            log.write(event.at(Stage::ResponseStarted, code.as_u16(), None));
        }
        let cut = self.tunnel.then(|| Box::pin(self.app.stop.clone().cancelled_owned()));
        let deadline = (!self.lasting).then(|| self.started + self.app.limits.request_timeout);
        response.map(|body| Body::new(Accounted { body, cut, deadline, _account: self }))
    }
}

fn length(response: &Response) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(mutating) = self.place {
            let limits = &self.app.limits;
            if mutating { &limits.mutating } else { &limits.reading }.give_back();
        }
        if let Some(labels) = self.labels.as_ref().filter(|_| self.lasting) {
            self.app.metrics.lasts(labels, false);
        }
        if self.tunnel {
            self.caller.tunnels.fetch_sub(1, Ordering::Relaxed);
        }
        let Some(code) = self.code else { return };
        let took = self.started.elapsed();
        if let Some(labels) = &self.labels {
            self.app.metrics.answered(labels, code, took, self.size);
        }
        if let Some((log, event)) = self.app.audit.as_ref().zip(self.audit.as_ref()) {
            log.write(event.at(Stage::ResponseComplete, code, self.error.as_ref()));
        }
        if let Some(path) = &self.path {
            let (resource, subresource, verb) = self.labels.map_or(("", "", ""), |labels| {
                let resource = labels.kind.map_or("", |(kind, _)| self.app.registry.table()[kind].plural);
                (resource, labels.subresource, labels.verb.label())
            });
            let id = String::from_utf8_lossy(self.id.as_bytes());
            tracing::debug!(%id, verb, resource, subresource, path, code, us = took.as_micros(), "answered");
        }
    }
}

/// A body that is still to come, and the account it closes.
struct Accounted {
    body: Body,
    /// A stream that only the server's end ends must not look whole then.
    cut: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Who takes an answer slowly has no longer for it than any request may take. (Who takes nothing is cut elsewhere.)
    deadline: Option<Instant>,
    _account: Account,
}

impl HttpBody for Accounted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.deadline.is_some_and(|deadline| deadline < Instant::now()) {
            return Poll::Ready(Some(Err("the answer was not taken in time".into())));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        match self.cut.as_mut().map(|cut| cut.as_mut().poll(context)) {
            Some(Poll::Ready(())) => Poll::Ready(Some(Err("the server stops".into()))),
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! Watches: a stream of frames, from a revision on or from the present state on.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use mini_daemon::clock;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    App,
    encoding::{self, Shape},
    list,
    metrics::Sent,
    query::Params,
    request::Resource,
    table,
};
use crate::{
    cache::{
        Range,
        item::Item,
        subscriber::{Change, Subscription},
        window::Event,
    },
    error::{ApiError, Result},
    kinds::Kind,
};

/// How often a watcher that wants bookmarks gets one.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// How long a watch lasts if it does not say: this, and up to as much again.
const LONGEST: u64 = 1800;
/// Frames that are ready together are sent together, up to so many bytes.
const CHUNK: usize = 128 * 1024;
/// About as many bytes of a frame are not the object's stored JSON.
const AROUND: usize = 80;
/// The annotation of the bookmark that ends the initial events.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// One watch under way.
struct Watch {
    table: Arc<[Kind]>,
    target: Resource,
    shape: Shape,
    headed: bool,
    bookmarks: bool,
    subscription: Subscription,
    /// The present state, still to be sent.
    initial: VecDeque<Arc<Item>>,
    /// Whether a bookmark is to say where the initial events end.
    mark_end: bool,
    next_bookmark: Instant,
    deadline: Instant,
    stop: CancellationToken,
    sent: Arc<Sent>,
    over: bool,
}

/// Answers a watch request with a body that lasts.
///
/// # Errors
/// 400 and 422 for parameters that make no sense. What goes wrong later comes as an ERROR in the stream.
pub(super) async fn watch(app: &App, target: Resource, params: &Params, shape: Shape) -> Result<Body> {
    let registry = &app.registry;
    let kind = &registry.table()[target.kind];
    list::check(params, true)?;
    let select = list::selection(kind, &target, params)?;
    let from: u64 = match params.resource_version.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| ApiError::internal(list::bad_revision(text)))?,
    };
    let initial = params.initial_events.unwrap_or(from == 0);
    let cache = registry.cache();
    if params.resource_version.is_empty() {
        registry.fresh().await;
    } else if params.initial_events == Some(true) {
        cache.reached(from).await;
    }
    let namespace = target.namespace.clone();
    let (items, revision) = if initial {
        let listing = cache.list(target.kind, &Range { namespace: namespace.clone(), ..Range::default() }, &select);
        (VecDeque::from(listing.items), listing.revision)
    } else {
        (VecDeque::new(), if from == 0 { cache.revision() } else { from })
    };
    let now = Instant::now();
    let seconds = params.timeout.filter(|seconds| *seconds > 0).unwrap_or_else(|| LONGEST + clock::random() % LONGEST);
    let watch = Watch {
        table: registry.table().clone(),
        shape,
        headed: false,
        bookmarks: params.bookmarks,
        subscription: Subscription::new(cache.clone(), target.kind, namespace, select, revision),
        initial: items,
        mark_end: params.initial_events == Some(true) && params.bookmarks,
        next_bookmark: now + BOOKMARKS,
        deadline: now + Duration::from_secs(seconds),
        stop: app.stop.clone(),
        sent: app.metrics.sent(target.kind, target.version),
        over: false,
        target,
    };
    Ok(Body::from_stream(stream::unfold(watch, |mut watch| async move {
        let chunk = watch.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), watch))
    })))
}

impl Watch {
    fn kind(&self) -> &Kind {
        &self.table[self.target.kind]
    }

    /// The next frames; `None` when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.over {
                return None;
            }
            let chunk = if self.initial.is_empty() && !self.mark_end { self.news() } else { self.initial() };
            match chunk {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => return Some(Bytes::from(chunk)),
                Err(error) => {
                    self.over = true;
                    return Some(line("ERROR", error.status().to_string().as_bytes()));
                }
            }
            tokio::select! {
                () = self.subscription.changed() => {}
                () = sleep_until(self.next_bookmark), if self.bookmarks => {
                    self.next_bookmark += BOOKMARKS;
                    return Some(self.bookmark(false));
                }
                () = sleep_until(self.deadline) => return None,
                () = self.stop.cancelled() => return None,
            }
        }
    }

    fn initial(&mut self) -> Result<Vec<u8>> {
        let mut chunk = Vec::new();
        while let Some(item) = self.initial.pop_front() {
            self.line("ADDED", &item, &mut chunk)?;
            if chunk.len() >= CHUNK {
                return Ok(chunk);
            }
        }
        if std::mem::take(&mut self.mark_end) {
            chunk.extend_from_slice(&self.bookmark(true));
        }
        Ok(chunk)
    }

    fn news(&mut self) -> Result<Vec<u8>> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK {
            let news = self.subscription.take().map_err(|gone| {
                let asked = self.subscription.cursor();
                ApiError::expired(format!("too old resource version: {asked} ({})", gone.complete_after))
            })?;
            if news.is_empty() {
                break;
            }
            chunk.reserve(news.iter().map(|(_, event)| event.item.json.len() + AROUND).sum());
            for (change, event) in news {
                self.frame(change, &event, &mut chunk)?;
            }
        }
        Ok(chunk)
    }

    /// Writes one event's frame.
    fn frame(&mut self, change: Change, event: &Event, chunk: &mut Vec<u8>) -> Result<()> {
        match change {
            Change::Added => self.line("ADDED", &event.item, chunk),
            Change::Modified => self.line("MODIFIED", &event.item, chunk),
            // An object that leaves the selection goes as it was last seen, at the revision at which it left.
            Change::Deleted => match event.before.as_ref().filter(|_| !event.deleted) {
                Some(before) => self.line("DELETED", &before.deleted_at(event.revision()), chunk),
                None => self.line("DELETED", &event.item, chunk),
            },
        }
    }

    /// Writes one frame about an object.
    fn line(&mut self, kind: &str, item: &Item, chunk: &mut Vec<u8>) -> Result<()> {
        let start = chunk.len();
        begin(kind, chunk);
        match self.shape {
            Shape::Table(include) => {
                let headings = !std::mem::replace(&mut self.headed, true);
                chunk.extend_from_slice(&table::row(self.kind(), &item.json, include, headings)?);
            }
            shape => encoding::write(self.kind(), self.target.version, &item.json, shape, chunk)?,
        }
        chunk.extend_from_slice(END);
        self.sent.count(chunk.len() - start);
        Ok(())
    }

    /// Tells how far the watch has come.
    fn bookmark(&self, initial_end: bool) -> Bytes {
        let mut metadata = json!({ "resourceVersion": self.subscription.cursor().to_string() });
        if initial_end {
            metadata["annotations"] = json!({ INITIAL_END: "true" });
        }
        let kind = self.kind();
        let object: Value = match self.shape {
            Shape::Object => {
                json!({ "kind": kind.name, "apiVersion": kind.versions[self.target.version].api_version, "metadata": metadata })
            }
            Shape::Metadata => json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata }),
            Shape::Table(_) => {
                let row = json!({ "cells": [], "object": { "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata } });
                json!({
                    "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": { "resourceVersion": metadata["resourceVersion"] },
                    "columnDefinitions": null, "rows": [row],
                })
            }
        };
        let frame = line("BOOKMARK", object.to_string().as_bytes());
        self.sent.count(frame.len());
        frame
    }
}

/// How a frame ends.
const END: &[u8] = b"}\n";

/// How a frame begins. `type` comes first: readers decode it faster that way.
fn begin(kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
}

/// One frame about what is no object of the cache.
fn line(kind: &str, object: &[u8]) -> Bytes {
    let mut line = Vec::with_capacity(object.len() + 32);
    begin(kind, &mut line);
    line.extend_from_slice(object);
    line.extend_from_slice(END);
    Bytes::from(line)
}

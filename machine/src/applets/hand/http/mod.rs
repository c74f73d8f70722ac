//! HTTP/1.1 as programs speak it over a descriptor: heads as they were written, bodies in pieces.
//!
//! Own framing around `httparse`, and not hyper, as both sides must see and write heads exactly as real servers spell and order them.

mod body;
mod client;
mod files;
mod head;
mod serve;

pub(crate) use client::{Reply, Request, Url, exchange};
pub(crate) use files::{Document, document, http_date};
pub(crate) use head::Asked;
pub(crate) use serve::{Answer, Content, Handler, serve};

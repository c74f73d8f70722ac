//! Lists: at which revision, how much at a time, and in which shape.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    encoding::{self, Shape},
    query::Params,
    request::Resource,
    table,
};
use crate::{
    cache::{Listing, Range, select::Select},
    error::{ApiError, Result},
    kinds::{
        Kind,
        field::{Errors, Path},
    },
    registry::Registry,
};

/// How long a list waits for a revision that is not there yet.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);
/// What a list whose continue token is too old says.
const TOKEN_TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// Where a list goes on.
#[derive(Serialize, Deserialize)]
struct Token {
    v: String,
    /// The revision of the whole list; -1 for one that is not consistent.
    rv: i64,
    /// The key after which to go on, followed by a NUL as upstream writes it.
    start: String,
}

impl Token {
    fn encode(revision: i64, after: &str) -> String {
        let token = Self { v: "meta.k8s.io/v1".to_owned(), rv: revision, start: format!("{after}\0") };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
    }

    fn decode(text: &str) -> Result<Self> {
        let bad = |why: String| ApiError::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let raw = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad("illegal base64 data at input byte 0".to_owned()))?;
        serde_json::from_slice(&raw).map_err(|_| {
            let first = raw.first().copied().map_or(' ', char::from);
            bad(format!("invalid character {first:?} looking for beginning of value"))
        })
    }

    fn after(&self) -> String {
        self.start.trim_end_matches('\0').to_owned()
    }
}

/// The answer to a list request, JSON.
///
/// # Errors
/// 400, 410, 422 and 504 as upstream has them for parameters that make no sense or cannot be met.
pub async fn list(registry: &Registry, target: &Resource, params: &Params, shape: Shape) -> Result<Vec<Bytes>> {
    let kind = &registry.table()[target.kind];
    check(params, false)?;
    let select = named(params.select(kind.fields)?, target, kind, params)?;
    let listing = find(registry, target, params, &select).await?;
    // What is observed and not stored has no revision.
    let mut metadata = if kind.observed.is_some() { json!({}) } else { json!({ "resourceVersion": listing.revision.to_string() }) };
    if let Some(next) = &listing.next {
        metadata["continue"] = Token::encode(i64::try_from(listing.revision).unwrap_or(i64::MAX), next).into();
        if select.everything() {
            metadata["remainingItemCount"] = listing.remaining.into();
        }
    }
    if let Shape::Table(include) = shape {
        let rows = listing.items.iter().map(|item| &item.json[..]);
        return Ok(vec![table::of(kind, rows, &metadata, include)?]);
    }
    let (list, api_version) = match shape {
        Shape::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1"),
        _ => (kind.list, kind.versions[target.version].api_version.as_str()),
    };
    let head = format!(r#"{{"kind":"{list}","apiVersion":"{api_version}","metadata":{metadata},"items":["#);
    join(kind, target.version, shape, head, &listing)
}

/// A name in the path makes a list of one.
fn named(select: Select, target: &Resource, kind: &Kind, params: &Params) -> Result<Select> {
    let Some(name) = &target.name else { return Ok(select) };
    let only =
        Params { field_selector: format!("metadata.name={name}"), label_selector: params.label_selector.clone(), ..Params::default() };
    only.select(kind.fields)
}

/// What a watch or list of this target selects.
///
/// # Errors
/// 400 for selectors that make no sense.
pub fn selection(kind: &Kind, target: &Resource, params: &Params) -> Result<Select> {
    named(params.select(kind.fields)?, target, kind, params)
}

/// Joins items in chunks: neither one allocation for each item nor one for all of them.
fn join(kind: &Kind, version: usize, shape: Shape, head: String, listing: &Listing) -> Result<Vec<Bytes>> {
    const CHUNK: usize = 256 * 1024;
    let mut chunks = Vec::new();
    let mut chunk = Vec::with_capacity(CHUNK.min(head.len() + listing.items.iter().map(|item| item.json.len() + 1).sum::<usize>() + 2));
    chunk.extend_from_slice(head.as_bytes());
    for (index, item) in listing.items.iter().enumerate() {
        if index > 0 {
            chunk.push(b',');
        }
        if version == 0 && shape == Shape::Object {
            chunk.extend_from_slice(&item.json);
        } else {
            chunk.extend_from_slice(&encoding::item(kind, version, item, shape)?);
        }
        if chunk.len() >= CHUNK {
            chunks.push(Bytes::from(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK))));
        }
    }
    chunk.extend_from_slice(b"]}");
    chunks.push(Bytes::from(chunk));
    Ok(chunks)
}

async fn find(registry: &Registry, target: &Resource, params: &Params, select: &Select) -> Result<Listing> {
    let within = Range { namespace: target.namespace.clone(), ..Range::default() };
    if let Some(items) = registry.observe(target.kind, &within, select).await? {
        return Ok(Listing { items, revision: 0, remaining: 0, next: None });
    }
    let cache = registry.cache();
    let limit = usize::try_from(params.limit).ok().filter(|limit| *limit > 0);
    let mut range = Range { namespace: target.namespace.clone(), after: None, limit };
    if !params.continue_token.is_empty() {
        let token = Token::decode(&params.continue_token)?;
        if !matches!(params.resource_version.as_str(), "" | "0") {
            return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
        }
        range.after = Some(token.after());
        let Ok(revision) = u64::try_from(token.rv) else {
            registry.fresh().await;
            return Ok(cache.list(target.kind, &range, select));
        };
        let again = || ApiError::expired(TOKEN_TOO_OLD).with_continue(&Token::encode(-1, &token.after()));
        return cache.list_at(target.kind, &range, select, revision).map_err(|_| again());
    }
    let asked = revision(&params.resource_version)?;
    match (asked, params.version_match.as_str()) {
        (0, "Exact") => Err(ApiError::rejected("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")),
        (0, _) => {
            if params.resource_version.is_empty() {
                registry.fresh().await;
            } else {
                // As upstream's cache: any state will do, and it comes whole.
                range.limit = None;
            }
            Ok(cache.list(target.kind, &range, select))
        }
        (asked, exact) => {
            registry.fresh().await;
            if tokio::time::timeout(PATIENCE, cache.reached(asked)).await.is_err() {
                return Err(ApiError::future_revision(asked, cache.revision()));
            }
            if exact == "Exact" || (exact.is_empty() && limit.is_some()) {
                return cache
                    .list_at(target.kind, &range, select, asked)
                    .map_err(|_| ApiError::expired("The resourceVersion for the provided list is too old."));
            }
            Ok(cache.list(target.kind, &range, select))
        }
    }
}

/// The revision a parameter names; 0 for none.
fn revision(text: &str) -> Result<u64> {
    let bad = || format!("invalid resource version: {}", bad_revision(text));
    if text.is_empty() { Ok(0) } else { text.parse().map_err(|_| ApiError::bad_request(bad())) }
}

/// What upstream says of a revision that is no number.
#[must_use]
pub fn bad_revision(text: &str) -> String {
    format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

/// Refuses combinations of parameters that make no sense.
///
/// # Errors
/// 422 in upstream's words.
pub fn check(params: &Params, watch: bool) -> Result<()> {
    let mut errors = Errors::new();
    let path = Path::new("resourceVersionMatch");
    let initial = Path::new("sendInitialEvents");
    let matching = params.version_match.as_str();
    if params.initial_events.is_some() {
        if !watch {
            errors.forbidden(&initial, "sendInitialEvents is forbidden for list");
        } else if matching.is_empty() {
            errors.forbidden(&path, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        } else if matching != "NotOlderThan" {
            errors.unsupported(&path, matching, &["NotOlderThan"]);
        }
    } else if !matching.is_empty() {
        if watch {
            errors.forbidden(&path, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        } else if params.resource_version.is_empty() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden unless resourceVersion is provided");
        } else if !params.continue_token.is_empty() {
            errors.forbidden(&path, "resourceVersionMatch is forbidden when continue is provided");
        } else if !matches!(matching, "Exact" | "NotOlderThan") {
            errors.unsupported(&path, matching, &["Exact", "NotOlderThan", ""]);
        } else if matching == "Exact" && params.resource_version == "0" {
            errors.forbidden(&path, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid("ListOptions", "meta.k8s.io", "", &errors)) }
}

/// A list of objects that a deletion answers with.
#[must_use]
pub fn of(kind: &Kind, version: usize, items: &[Bytes], revision: u64) -> Bytes {
    let api_version = &kind.versions[version].api_version;
    let metadata: Value = json!({ "resourceVersion": revision.to_string() });
    let mut out = format!(r#"{{"kind":"{}","apiVersion":"{api_version}","metadata":{metadata},"items":["#, kind.list).into_bytes();
    out.extend_from_slice(&items.join(&b","[..]));
    out.extend_from_slice(b"]}");
    Bytes::from(out)
}

//! A change of an object: PUT, PATCH, and the same on a part of it.

use std::{any::Any, sync::Arc};

use bytes::Bytes;
use mini_store::Expect;
use serde_json::{Map, Value};

use super::{Call, Part, Registry, TRIES, Written, apply::Applied, codec, key, managed, meta, patch, tree};
use crate::{
    admission::{Attempt, Before, Verb},
    cache::item::{self, Item},
    error::{ApiError, Result},
    kinds::{
        Kind,
        field::Errors,
        rules::Object,
        subresource::{self, Action, Piece, Subresource},
    },
};

/// The part whose changes do not count for `generation`, and that kinds may have a say in.
const STATUS: &str = "status";

/// A patch by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own, which knows which lists are maps.
    Strategic,
    /// Server-side apply; it may take what others own only if it is forced.
    Apply {
        /// Whether it is.
        force: bool,
    },
}

/// How a new state comes about: given, or made from the old one.
pub(super) enum Change<'a> {
    Put(Value),
    Patch(Patch, &'a [u8]),
}

/// A new state, ready to be admitted and stored.
struct Candidate {
    object: Box<dyn Object>,
    /// Its managedFields, as JSON.
    managed: Option<String>,
    /// What it replaces; of a write of a part only that and the metadata, for the rest is in the new state.
    old: Box<dyn Object>,
    /// Whether the client named the revision it is to replace.
    pinned: bool,
}

impl Part {
    /// Whether it is the object itself.
    pub(super) fn is_main(self) -> bool {
        matches!(self, Self::Main)
    }

    /// The subresource it is written through.
    pub(super) fn subresource(self) -> Option<&'static str> {
        match self {
            Self::Main => None,
            Self::Only(subresource, _) => Some(subresource),
        }
    }

    /// The field the part is in.
    pub(super) fn field(self) -> Option<&'static str> {
        match self {
            Self::Main => None,
            Self::Only(_, piece) => Some(piece.field),
        }
    }

    /// Leaves of an object what a request for this part may say.
    pub(super) fn restrict(self, object: &mut Map<String, Value>) {
        if let Some(field) = self.field() {
            object.retain(|name, _| name == field || matches!(name.as_str(), "metadata" | "apiVersion" | "kind"));
        }
    }

    /// What of an object a write of this part can change, as managedFields see it.
    fn of(self, mut object: Value) -> Value {
        if let (Some(field), Some(map)) = (self.field(), object.as_object_mut()) {
            map.retain(|name, _| name == "metadata" || name == field);
        }
        object
    }
}

impl Registry {
    /// Replaces an object, or one part of it, by what a PUT's body describes.
    ///
    /// # Errors
    /// 404, 409 for a stale revision or another UID, 422 for broken rules.
    pub async fn update(&self, call: &mut Call, name: &str, subresource: Option<&str>, body: &[u8]) -> Result<Written> {
        let part = self.part(call, subresource)?;
        let value = codec::read(self.kind(call), self.version(call), body, call)?;
        let given = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        match given {
            "" => return Err(ApiError::bad_request("name must be provided")),
            other if other != name => return Err(ApiError::wrong_name(other, name)),
            _ => {}
        }
        let found = self.find_object(call, name).await;
        if found.is_none() && self.kind(call).create_on_update && part.is_main() && !has_revision(&value) {
            return self.create_value(call, &value, None).await;
        }
        self.change(call, name, part, &Change::Put(value)).await
    }

    /// Patches an object, or one part of it.
    ///
    /// # Errors
    /// As [`Registry::update`], and 400 or 422 for a patch that is none or does not fit.
    pub async fn patch(&self, call: &mut Call, name: &str, subresource: Option<&str>, form: Patch, body: &[u8]) -> Result<Written> {
        let part = self.part(call, subresource)?;
        match form {
            Patch::Apply { force } if part.is_main() && self.find_object(call, name).await.is_none() => {
                self.create_applied(call, name, force, body).await
            }
            form => self.change(call, name, part, &Change::Patch(form, body)).await,
        }
    }

    fn part(&self, call: &Call, subresource: Option<&str>) -> Result<Part> {
        let kind = self.kind(call);
        match subresource {
            None => Ok(Part::Main),
            Some(STATUS) if kind.status => Ok(Part::Only(STATUS, &subresource::STATUS)),
            Some(name) => match kind.subresources.iter().find(|sub| sub.name == name) {
                Some(Subresource { name, action: Action::Part(piece), .. }) => Ok(Part::Only(name, piece)),
                Some(_) => Err(ApiError::method_not_allowed()),
                None => Err(ApiError::no_resource()),
            },
        }
    }

    pub(super) async fn find_object(&self, call: &Call, name: &str) -> Option<Arc<Item>> {
        self.fresh().await;
        self.cache.get(call.kind, &key(self.kind(call), &call.namespace, name))
    }

    pub(super) async fn change(&self, call: &mut Call, name: &str, part: Part, change: &Change<'_>) -> Result<Written> {
        for _ in 0..TRIES {
            let kind = self.kind(call);
            let found = self.find_object(call, name).await;
            let current = found.ok_or_else(|| ApiError::not_found(kind.plural, kind.group(), name))?;
            let warned = call.warnings.len();
            let candidate = self.candidate(call, name, part, change, &current)?;
            let pinned = candidate.pinned;
            if let Some(written) = self.store_change(call, name, part, &current, candidate).await? {
                return Ok(written);
            }
            if pinned {
                return Err(ApiError::stale(self.kind(call), name));
            }
            call.warnings.truncate(warned);
        }
        Err(ApiError::stale(self.kind(call), name))
    }

    fn candidate(&self, call: &mut Call, name: &str, part: Part, change: &Change<'_>, current: &Item) -> Result<Candidate> {
        let (table, index) = (self.table.clone(), call.kind);
        let kind = &table[index];
        let codec::Split { object: json, managed } = codec::split(&current.json);
        let wrong = |error: serde_json::Error| ApiError::internal(format!("decode {}: {error}", current.key));
        let before = match part.field() {
            Some(STATUS) => kind.behaviour.decode_for_status(&json),
            _ => kind.behaviour.decode(&json),
        };
        let before = before.map_err(wrong)?;
        // Only a JSON patch can name places outside of the part it is for.
        let mut old = match (part, change) {
            (_, Change::Patch(Patch::Json, _)) => tree(&current.json)?,
            (Part::Only(..), _) => codec::view(&json, part.field().unwrap_or_default()).map_err(wrong)?,
            _ => tree(&json)?,
        };
        if let Change::Patch(Patch::Apply { .. }, _) = change {
            // What holds nothing has no owner.
            kind.nulls.strip(&mut old);
        }
        let live: Option<Vec<managed::Entry>> = managed.map(serde_json::from_str).transpose().map_err(wrong)?;
        let (mut new, owned) = match change {
            Change::Patch(form, body) => self.patched(call, part, *form, body, &mut old, live.as_deref().unwrap_or_default())?,
            Change::Put(value) => (value.clone(), None),
        };
        let pinned = check(kind, call, name, &new, &old, matches!(change, Change::Put(_)))?;
        let given = take_managed(&mut new)?;
        take_managed(&mut old)?;
        let entries = managed::live_or_new(live, given, !part.is_main());
        let (mut object, before, written) = match part {
            Part::Main => {
                let new = keep_status(kind, new, &old);
                (codec::object(kind, &new)?, before, None)
            }
            Part::Only(_, piece) => {
                old = part.of(old);
                let new = compose(piece, new, &old);
                let (mut object, mut sent) = (before, codec::object(kind, &new)?);
                kind.behaviour.swap(piece.field, &mut *object, &mut *sent);
                let meta = std::mem::replace(sent.meta_mut(), object.meta().clone());
                (object.meta_mut().annotations, object.meta_mut().uid) = (meta.annotations, meta.uid);
                (object, sent, Some(new))
            }
        };
        meta::restore(object.meta_mut(), before.meta());
        kind.behaviour.defaults(&mut *object);
        let entries = match owned {
            Some(entries) => entries,
            None => {
                // Defaults are no part's business: a part is what was written. Of the whole, all that came of it counts.
                let mut written = written.map_or_else(|| self.written(call, &*object), Ok)?;
                kind.nulls.fill(&mut written);
                if let Part::Only(_, piece) = part {
                    (piece.unseen)(&mut old);
                    (piece.unseen)(&mut written);
                }
                self.track(call, entries, Some(old), written, part.subresource()).unwrap_or_default()
            }
        };
        Ok(Candidate { object, managed: managed::encode(&entries)?, old: before, pinned })
    }

    /// What a patch makes of `old`, checked; of a part only that part and the metadata, for the rest will not count. An apply also
    /// settles who owns what; `live` says who did.
    pub(super) fn patched(
        &self,
        call: &mut Call,
        part: Part,
        form: Patch,
        body: &[u8],
        old: &mut Value,
        live: &[managed::Entry],
    ) -> Result<(Value, Option<Vec<managed::Entry>>)> {
        let (kind, version) = (self.kind(call), self.version(call));
        let mut converted;
        let before = if call.version == 0 {
            old
        } else {
            converted = old.clone();
            (version.conversion.downgrade)(&mut converted);
            &mut converted
        };
        before["apiVersion"] = version.api_version.clone().into();
        before["kind"] = kind.name.into();
        let mut owned = None;
        let mut after = match form {
            Patch::Json => patch::json(before, body)?,
            Patch::Merge => patch::merge(before, body)?,
            Patch::Strategic => patch::strategic(&(version.schema)(), before, body)?,
            Patch::Apply { force } => {
                let Applied { object, entries } = self.applied(call, part, force, body, before, live)?;
                owned = Some(entries);
                object
            }
        };
        if let Some(map) = after.as_object_mut() {
            part.restrict(map);
        }
        Ok((codec::reread(kind, version, after, live, call)?, owned))
    }

    /// Checks and stores a new state; `None` when somebody else was faster.
    async fn store_change(&self, call: &mut Call, name: &str, part: Part, current: &Item, candidate: Candidate) -> Result<Option<Written>> {
        let kind = &self.table[call.kind];
        let Candidate { object: mut new, managed, old, .. } = candidate;
        let (object, stored_before) = (&mut *new, Before::new(kind, current));
        let mut attempt = Attempt::new(kind, Verb::Update, &call.namespace, name, part.subresource(), object);
        attempt.before = Some(&stored_before);
        let holds = self.admit(&mut attempt).await?;
        match part.field() {
            None => kind.behaviour.on_update(object, &*old),
            Some(STATUS) => kind.behaviour.on_status(object, &*old, call.now),
            Some(_) => {}
        }
        let before = &current.json;
        let encode = |object: &mut dyn Object| match part.field() {
            Some(field) => codec::stored_part(kind, object, field, managed.as_deref(), before),
            None => codec::stored(kind, object, managed.as_deref()),
        };
        let mut stored = encode(object)?;
        let differs = || codec::spec_differs(&stored, before).map_err(|error| ApiError::internal(error.to_string()));
        if kind.generation && part.field() != Some(STATUS) && differs()? {
            object.meta_mut().generation = Some(old.meta().generation.unwrap_or(0) + 1);
            stored = encode(object)?;
        }
        validate(kind, name, part, object, &*old)?;
        call.warnings.extend(if part.is_main() { kind.behaviour.warnings(object) } else { Vec::new() });
        let mut attempt = Attempt::new(kind, Verb::Update, &call.namespace, name, part.subresource(), object);
        (attempt.before, attempt.dry_run, attempt.holds) = (Some(&stored_before), call.dry_run, holds);
        let holds = self.validate(&mut attempt).await?;
        self.commit(call, object, stored, current, holds).await
    }

    /// Stores a new state in the place of `current`, or removes it if that was its end; `None` when somebody else was faster.
    pub(super) async fn commit(
        &self,
        call: &Call,
        object: &dyn Object,
        stored: Bytes,
        current: &Item,
        holds: Vec<Box<dyn Any + Send>>,
    ) -> Result<Option<Written>> {
        let kind = self.kind(call);
        let expect = Expect::At(current.revision);
        let result = if super::delete::finished(kind, object) {
            if call.dry_run {
                return Ok(Some(Written { json: stored, created: false }));
            }
            self.store.delete(&format!("{}{}", kind.prefix(), current.key), expect).await
        } else if call.dry_run || item::is_stored_as(&current.json, &stored) {
            return Ok(Some(Written { json: item::with_revision(&stored, current.revision), created: false }));
        } else {
            self.put(kind, &current.key, stored.clone(), expect, holds).await
        };
        match result {
            Ok(revision) => Ok(Some(Written { json: item::with_revision(&stored, revision), created: false })),
            Err(mini_store::Error::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn has_revision(value: &Value) -> bool {
    value.pointer("/metadata/resourceVersion").and_then(Value::as_str).is_some_and(|version| !version.is_empty() && version != "0")
}

/// Refuses a new state that is about another object or revision than the one that is there.
fn check(kind: &Kind, call: &Call, name: &str, new: &Value, old: &Value, put: bool) -> Result<bool> {
    let text = |value: &Value, field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
    let said = text(new, "name");
    if said != name {
        return Err(ApiError::wrong_name(&said, name));
    }
    let namespace = text(new, "namespace");
    if kind.namespaced && !namespace.is_empty() && namespace != call.namespace {
        return Err(ApiError::bad_request("the namespace of the provided object does not match the namespace sent on the request"));
    }
    let (uid, found) = (text(new, "uid"), text(old, "uid"));
    if put && !uid.is_empty() && uid != found {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {}{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {found}",
            upstream_prefix(kind),
            super::key(kind, &call.namespace, name)
        );
        return Err(ApiError::conflict(kind.plural, kind.group(), name, &why));
    }
    if !has_revision(new) {
        return Ok(false);
    }
    // A patch works on the object that is there, so it carries that one's revision unless it names another.
    let (asked, current) = (text(new, "resourceVersion"), text(old, "resourceVersion"));
    if asked != current {
        return Err(ApiError::stale(kind, name));
    }
    Ok(put)
}

/// How upstream names the key in its etcd, which its precondition errors show.
fn upstream_prefix(kind: &Kind) -> String {
    format!("/registry/{}/", kind.plural)
}

/// Takes the managedFields out of an object as a request gave them.
fn take_managed(object: &mut Value) -> Result<Option<Vec<managed::Entry>>> {
    let taken = object.get_mut("metadata").and_then(Value::as_object_mut).and_then(|metadata| metadata.remove("managedFields"));
    let Some(list) = taken.filter(|list| !list.is_null()) else { return Ok(None) };
    let json = serde_json::to_vec(&list).map_err(|error| ApiError::internal(error.to_string()))?;
    serde_json::from_slice(&json).map(Some).map_err(|error| ApiError::bad_request(format!("metadata.managedFields: {error}")))
}

/// A write of the whole leaves the status as it is, where that is written apart.
fn keep_status(kind: &Kind, mut new: Value, old: &Value) -> Value {
    if let Some(map) = new.as_object_mut().filter(|_| kind.status) {
        match old.get(STATUS) {
            Some(status) => drop(map.insert(STATUS.to_owned(), status.clone())),
            None => drop(map.remove(STATUS)),
        }
    }
    new
}

/// A write of a part takes only that from `new`, and everything else from `old`.
fn compose(piece: &Piece, mut new: Value, old: &Value) -> Value {
    let mut composed = old.clone();
    composed["metadata"]["uid"] = new.pointer_mut("/metadata/uid").map(Value::take).unwrap_or_default();
    (piece.take)(&mut new, &mut composed);
    composed
}

fn validate(kind: &Kind, name: &str, part: Part, object: &dyn Object, old: &dyn Object) -> Result<()> {
    let mut errors = Errors::new();
    meta::validate_update(kind, object.meta(), old.meta(), &mut errors);
    match part {
        Part::Main => {
            kind.behaviour.validate(object, &mut errors);
            kind.behaviour.validate_update(object, old, &mut errors);
        }
        Part::Only(_, piece) => (piece.validate)(&*kind.behaviour, object, old, &mut errors),
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(kind.name, kind.group(), name, &errors)) }
}

//! A change of an object: PUT, PATCH, and the same on a part of it.

use std::sync::Arc;

use bytes::Bytes;
use mini_store::Expect;
use serde_json::Value;

use super::{Call, Part, Registry, TRIES, Written, codec, key, managed, meta, patch, tree};
use crate::{
    admission::{Attempt, Verb},
    cache::item::{self, Item},
    error::{ApiError, Result},
    kinds::{
        Kind,
        field::Errors,
        rules::Object,
        subresource::{Action, Moment},
    },
};

/// A patch by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own, which knows which lists are maps.
    Strategic,
}

/// How a new state comes about: given, or made from the old one.
enum Change<'a> {
    Put(Value),
    Patch(Patch, &'a [u8]),
    Act(fn(&mut dyn Object, &[u8], &Moment) -> Result<()>, &'a [u8]),
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
            other if other != name => {
                return Err(ApiError::bad_request(format!("the name of the object ({other}) does not match the name on the URL ({name})")));
            }
            _ => {}
        }
        let found = self.find_object(call, name).await;
        if found.is_none() && self.kind(call).create_on_update && part == Part::Main && !has_revision(&value) {
            return self.create_value(call, &value).await;
        }
        self.change(call, name, part, &Change::Put(value)).await
    }

    /// Patches an object, or one part of it.
    ///
    /// # Errors
    /// As [`Registry::update`], and 400 or 422 for a patch that is none or does not fit.
    pub async fn patch(&self, call: &mut Call, name: &str, subresource: Option<&str>, form: Patch, body: &[u8]) -> Result<Written> {
        let part = self.part(call, subresource)?;
        self.change(call, name, part, &Change::Patch(form, body)).await
    }

    /// Changes an object as a subresource's body says.
    ///
    /// # Errors
    /// 404, and what the subresource refuses.
    pub async fn act(
        &self,
        call: &mut Call,
        name: &str,
        action: fn(&mut dyn Object, &[u8], &Moment) -> Result<()>,
        body: &[u8],
    ) -> Result<Written> {
        self.change(call, name, Part::Only(""), &Change::Act(action, body)).await
    }

    fn part(&self, call: &Call, subresource: Option<&str>) -> Result<Part> {
        let kind = self.kind(call);
        match subresource {
            None => Ok(Part::Main),
            Some("status") if kind.status => Ok(Part::Only("/status")),
            Some(name) => match kind.subresources.iter().find(|sub| sub.name == name).map(|sub| sub.action) {
                Some(Action::Part(pointer)) => Ok(Part::Only(pointer)),
                Some(_) => Err(ApiError::method_not_allowed()),
                None => Err(ApiError::no_resource()),
            },
        }
    }

    pub(super) async fn find_object(&self, call: &Call, name: &str) -> Option<Arc<Item>> {
        self.fresh().await;
        self.cache.get(call.kind, &key(self.kind(call), &call.namespace, name))
    }

    async fn change(&self, call: &mut Call, name: &str, part: Part, change: &Change<'_>) -> Result<Written> {
        for _ in 0..TRIES {
            let kind = self.kind(call);
            let found = self.find_object(call, name).await;
            let current = found.ok_or_else(|| ApiError::not_found(kind.plural, kind.group(), name))?;
            let warned = call.warnings.len();
            let (mut object, pinned) = self.candidate(call, name, part, change, &current)?;
            if let Some(written) = self.store_change(call, name, part, change, &current, &mut *object).await? {
                return Ok(written);
            }
            if pinned {
                return Err(ApiError::stale(self.kind(call), name));
            }
            call.warnings.truncate(warned);
        }
        Err(ApiError::stale(self.kind(call), name))
    }

    /// The new state, and whether the client named the revision it is to replace.
    fn candidate(&self, call: &mut Call, name: &str, part: Part, change: &Change<'_>, current: &Item) -> Result<(Box<dyn Object>, bool)> {
        let (table, index) = (self.table.clone(), call.kind);
        let kind = &table[index];
        if let Change::Act(action, body) = change {
            let mut object = self.object(index, current)?;
            action(&mut *object, body, &Moment { now: call.now })?;
            return Ok((object, false));
        }
        let old = tree(&current.json)?;
        let new = match change {
            Change::Put(value) => value.clone(),
            Change::Patch(form, body) => self.patched(call, *form, body, &old)?,
            Change::Act(..) => unreachable!("handled above"),
        };
        let pinned = check(kind, call, name, &new, &old, matches!(change, Change::Put(_)))?;
        let new = compose(kind, part, new, &old);
        let mut object = codec::object(kind, &new)?;
        let before = self.object(index, current)?;
        meta::restore(object.meta_mut(), before.meta());
        kind.behaviour.defaults(&mut *object);
        let subresource = match part {
            Part::Main => None,
            Part::Only(pointer) => pointer.split('/').nth(1),
        };
        let (live, given) = (before.meta().managed_fields.as_deref(), object.meta_mut().managed_fields.take());
        object.meta_mut().managed_fields = managed::live_or_new(live, given.as_deref(), part != Part::Main);
        self.track(call, &mut *object, Some(&old), subresource)?;
        Ok((object, pinned))
    }

    fn patched(&self, call: &mut Call, form: Patch, body: &[u8], old: &Value) -> Result<Value> {
        let (kind, version) = (self.kind(call), self.version(call));
        let mut before = old.clone();
        (version.conversion.downgrade)(&mut before);
        before["apiVersion"] = version.api_version.clone().into();
        before["kind"] = kind.name.into();
        let after = match form {
            Patch::Json => patch::json(&before, body),
            Patch::Merge => patch::merge(&before, body),
            Patch::Strategic => patch::strategic(&(version.schema)(), &before, body),
        }?;
        codec::reread(kind, version, after, call)
    }

    /// Checks and stores a new state; `None` when somebody else was faster.
    async fn store_change(
        &self,
        call: &mut Call,
        name: &str,
        part: Part,
        change: &Change<'_>,
        current: &Item,
        object: &mut dyn Object,
    ) -> Result<Option<Written>> {
        let kind = &self.table[call.kind];
        let old = self.object(call.kind, current)?;
        let subresource = (part != Part::Main).then_some("part");
        let mut attempt = Attempt::new(kind, Verb::Update, &call.namespace, name, subresource, object);
        attempt.old = Some(&*old);
        let holds = self.admit(&mut attempt).await?;
        if part == Part::Main {
            kind.behaviour.on_update(object, &*old);
        }
        let before = item::without_revision(&current.json);
        let mut stored = codec::stored(object)?;
        let differs = || codec::spec_differs(&stored, &before).map_err(|error| ApiError::internal(error.to_string()));
        if kind.generation && part == Part::Main && differs()? {
            object.meta_mut().generation = Some(old.meta().generation.unwrap_or(0) + 1);
            stored = codec::stored(object)?;
        }
        if !matches!(change, Change::Act(..)) {
            validate(kind, name, part, object, &*old)?;
            call.warnings.extend(if part == Part::Main { kind.behaviour.warnings(object) } else { Vec::new() });
        }
        let key = format!("{}{}", kind.prefix(), current.key);
        let expect = Expect::At(current.revision);
        let result = if super::delete::finished(kind, object) {
            if call.dry_run {
                return Ok(Some(Written { json: stored, created: false }));
            }
            self.store.delete(&key, expect).await
        } else if call.dry_run || unchanged(&stored, &before) {
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

fn unchanged(stored: &Bytes, before: &[u8]) -> bool {
    stored[..] == *before
}

fn has_revision(value: &Value) -> bool {
    value.pointer("/metadata/resourceVersion").and_then(Value::as_str).is_some_and(|version| !version.is_empty() && version != "0")
}

/// Refuses a new state that is about another object or revision than the one that is there.
fn check(kind: &Kind, call: &Call, name: &str, new: &Value, old: &Value, put: bool) -> Result<bool> {
    let text = |value: &Value, field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
    let said = text(new, "name");
    if said != name {
        return Err(ApiError::bad_request(format!("the name of the object ({said}) does not match the name on the URL ({name})")));
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

/// Takes from `new` only what `part` may change.
fn compose(kind: &Kind, part: Part, mut new: Value, old: &Value) -> Value {
    match part {
        Part::Main => {
            if kind.status {
                match old.get("status") {
                    Some(status) => new["status"] = status.clone(),
                    None => drop(new.as_object_mut().and_then(|map| map.remove("status"))),
                }
            }
            new
        }
        Part::Only(pointer) => {
            let mut composed = old.clone();
            if pointer == "/status" {
                // As upstream: annotations may come with a status, labels and the rest of the metadata may not.
                let annotations = new.pointer("/metadata/annotations").cloned().unwrap_or_default();
                composed["metadata"]["annotations"] = annotations;
            }
            let (parent, field) = pointer.rsplit_once('/').unwrap_or(("", pointer));
            if let Some(Value::Object(map)) = composed.pointer_mut(parent) {
                match new.pointer(pointer) {
                    Some(value) => drop(map.insert(field.to_owned(), value.clone())),
                    None => drop(map.remove(field)),
                }
            }
            composed
        }
    }
}

fn validate(kind: &Kind, name: &str, part: Part, object: &dyn Object, old: &dyn Object) -> Result<()> {
    let mut errors = Errors::new();
    // Upstream checks a change of metadata for every kind alike and again for each kind, and so lists each cause twice.
    for _ in 0..2 {
        meta::validate_update(kind, object.meta(), old.meta(), &mut errors);
    }
    match part {
        Part::Main => {
            kind.behaviour.validate(object, &mut errors);
            kind.behaviour.validate_update(object, old, &mut errors);
        }
        Part::Only(_) => kind.behaviour.validate_status(object, old, &mut errors),
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid(kind.name, kind.group(), name, &errors)) }
}

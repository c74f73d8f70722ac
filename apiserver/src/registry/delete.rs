//! The end of an object: at once, after a grace period, or when its finalizers are gone.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions, Time};
use mini_store::Expect;
use serde_json::json;

use super::{Call, Registry, TRIES, codec};
use crate::{
    admission::{Attempt, Verb},
    cache::{
        Range,
        item::{self, Item},
        select::Select,
    },
    error::{ApiError, Result},
    kinds::{
        Kind,
        field::{Errors, Path},
        rules::Object,
    },
};

/// The finalizer that waits until dependents are gone.
const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer that waits until dependents have let go.
const ORPHAN: &str = "orphan";

/// What a deletion answers.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object: it is still there, or its kind answers so.
    Object(bytes::Bytes),
    /// It is gone: its UID.
    Gone(String),
}

/// What is wrong with the options of a deletion.
///
/// # Errors
/// 422 in upstream's words.
pub fn check_options(options: &DeleteOptions) -> Result<()> {
    let mut errors = Errors::new();
    let policy = options.propagation_policy.as_deref();
    if options.orphan_dependents.is_some() && policy.is_some() {
        errors.invalid(&Path::new("propagationPolicy"), policy, "orphanDependents and deletionPropagation cannot be both set");
    }
    if let Some(other) = policy.filter(|policy| !["Foreground", "Background", "Orphan"].contains(policy)) {
        errors.unsupported(&Path::new("propagationPolicy"), other, &["Foreground", "Background", "Orphan", "nil"]);
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid("DeleteOptions", "meta.k8s.io", "", &errors)) }
}

/// Whether nothing keeps a deleted object alive any more.
pub(super) fn finished(kind: &Kind, object: &dyn Object) -> bool {
    let meta = object.meta();
    meta.deletion_timestamp.is_some()
        && meta.finalizers.iter().flatten().next().is_none()
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
        && !kind.behaviour.held(object)
}

impl Registry {
    /// Deletes an object, or begins to.
    ///
    /// # Errors
    /// 404, 409 when a precondition does not hold, 403 where admission forbids it.
    pub async fn delete(&self, call: &mut Call, name: &str, options: &DeleteOptions) -> Result<Deleted> {
        check_options(options)?;
        for _ in 0..TRIES {
            let kind = self.kind(call);
            let found = self.find_object(call, name).await;
            let current = found.ok_or_else(|| ApiError::not_found(kind.plural, kind.group(), name))?;
            if let Some(deleted) = self.delete_once(call, &current, options).await? {
                return Ok(deleted);
            }
        }
        Err(ApiError::stale(self.kind(call), name))
    }

    async fn delete_once(&self, call: &mut Call, current: &Item, options: &DeleteOptions) -> Result<Option<Deleted>> {
        let kind = self.kind(call);
        let mut object = self.object(call.kind, current)?;
        let before = object.copy();
        if let Some(wanted) = &options.preconditions {
            preconditions(kind.name, kind.group(), current.name(), wanted, object.meta())?;
        }
        let name = current.name();
        let mut attempt = Attempt::new(kind, Verb::Delete, &call.namespace, name, None, &mut *object);
        self.admit(&mut attempt).await?;
        let begun = begin(kind, call, &mut *object, options);
        let uid = object.meta().uid.clone().unwrap_or_default();
        if !begun && before.meta().deletion_timestamp.is_some() && !finished(kind, &*object) {
            // It is on its way out already, and this changes nothing about that.
            return Ok(Some(Deleted::Object(current.json.clone())));
        }
        let key = format!("{}{}", kind.prefix(), current.key);
        let expect = Expect::At(current.revision);
        let over = finished(kind, &*object);
        let stored = codec::stored(kind, &mut *object, codec::split(&current.json).managed)?;
        if call.dry_run {
            return Ok(Some(if over && !kind.returns_deleted {
                Deleted::Gone(uid)
            } else {
                Deleted::Object(item::with_revision(&stored, current.revision))
            }));
        }
        let result = if over { self.store.delete(&key, expect).await } else { self.store.put(&key, stored.clone(), expect).await };
        match result {
            Ok(_) if over && !kind.returns_deleted => Ok(Some(Deleted::Gone(uid))),
            Ok(revision) => Ok(Some(Deleted::Object(item::with_revision(&stored, revision)))),
            Err(mini_store::Error::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes all objects of a kind that `select` wants; answers what was there.
    ///
    /// # Errors
    /// As [`Registry::delete`]; the first refusal ends it.
    pub async fn delete_collection(&self, call: &mut Call, select: &Select, options: &DeleteOptions) -> Result<Vec<bytes::Bytes>> {
        check_options(options)?;
        self.fresh().await;
        let namespace = Some(call.namespace.clone()).filter(|namespace| !namespace.is_empty());
        let listing = self.cache.list(call.kind, &Range { namespace, ..Range::default() }, select);
        let mut gone = Vec::with_capacity(listing.items.len());
        let whole = call.namespace.clone();
        for item in listing.items {
            item.namespace().clone_into(&mut call.namespace);
            match self.delete(call, item.name(), options).await {
                Ok(Deleted::Object(json)) => gone.push(json),
                Ok(Deleted::Gone(_)) => gone.push(item.json.clone()),
                // Somebody else deleted it meanwhile.
                Err(error) if error.code() == 404 => {}
                Err(error) => return Err(error),
            }
        }
        call.namespace = whole;
        Ok(gone)
    }

    /// The Status of a finished deletion.
    #[must_use]
    pub fn gone(&self, kind: usize, name: &str, uid: &str) -> serde_json::Value {
        let kind = &self.table[kind];
        let mut details = json!({ "name": name });
        if !kind.group().is_empty() {
            details["group"] = kind.group().into();
        }
        details["kind"] = kind.plural.into();
        details["uid"] = uid.into();
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
    }
}

/// Refuses to delete another object or state of it than is meant.
///
/// # Errors
/// 409 in upstream's words.
pub fn preconditions(kind: &str, group: &str, name: &str, wanted: &Preconditions, found: &ObjectMeta) -> Result<()> {
    let conflict = |why: &str| Err(ApiError::conflict(kind, group, name, why));
    if let Some(uid) = wanted.uid.as_ref().filter(|uid| Some(*uid) != found.uid.as_ref()) {
        let found = found.uid.as_deref().unwrap_or_default();
        return conflict(&format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({found}). The object might have been deleted and then recreated"
        ));
    }
    if let Some(revision) = wanted.resource_version.as_ref().filter(|revision| Some(*revision) != found.resource_version.as_ref()) {
        let found = found.resource_version.as_deref().unwrap_or_default();
        return conflict(&format!(
            "the ResourceVersion in the precondition ({revision}) does not match the ResourceVersion in record ({found}). The object might have been modified"
        ));
    }
    Ok(())
}

/// Marks the object as being deleted, with the grace and the finalizers the options ask for. Says whether that changed it.
fn begin(kind: &Kind, call: &Call, object: &mut dyn Object, options: &DeleteOptions) -> bool {
    let grace = kind.behaviour.grace(object, options.grace_period_seconds).unwrap_or(0).max(0);
    // What is held by more than its finalizers has an end of its own, and no grace.
    let held = kind.behaviour.held(object);
    let meta = object.meta_mut();
    let mut changed = finalize(meta, options);
    let again = meta.deletion_timestamp.is_some();
    // A second deletion can shorten the grace of the first, never lengthen it.
    if !again || meta.deletion_grace_period_seconds.is_some_and(|left| grace < left) {
        let end = call.now + SignedDuration::from_secs(grace);
        meta.deletion_timestamp = Some(Time(end));
        meta.deletion_grace_period_seconds = Some(grace).filter(|_| !held);
        changed = true;
    }
    if !again {
        meta.generation = meta.generation.map(|generation| generation + 1);
    }
    kind.behaviour.on_delete(object);
    changed
}

/// Adds and removes the finalizers that carry out the propagation policy.
fn finalize(meta: &mut ObjectMeta, options: &DeleteOptions) -> bool {
    let wanted = match (options.propagation_policy.as_deref(), options.orphan_dependents) {
        (Some("Foreground"), _) => Some(FOREGROUND),
        (Some("Orphan"), _) | (None, Some(true)) => Some(ORPHAN),
        (Some(_), _) | (None, Some(false)) => None,
        // No word about it: what a first deletion asked for stays.
        (None, None) => return false,
    };
    let before = meta.finalizers.clone().unwrap_or_default();
    let mut after: Vec<String> = before.iter().filter(|name| ![FOREGROUND, ORPHAN].contains(&name.as_str())).cloned().collect();
    after.extend(wanted.map(str::to_owned));
    let changed = before != after;
    meta.finalizers = Some(after).filter(|list| !list.is_empty());
    changed
}

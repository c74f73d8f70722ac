//! `metadata.managedFields`: who last wrote which field.
//!
//! The rules are upstream's field manager for Update operations: a writer owns what it added or changed, loses what
//! is gone, and takes from everyone else what it overwrote. Pure; the caller reads the clock and calls this after
//! defaulting but before admission and allocation, so that what the server fills in belongs to nobody.

pub mod compare;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use self::compare::compare;
use super::fieldset::{FieldSet, PathElement, Tree};
use crate::{
    error::{ApiError, Result},
    schema::Schema,
};

/// Update entries beyond this number are merged, oldest first.
const MAX_UPDATE_MANAGERS: usize = 10;
/// The manager they are merged into.
const ANCIENT: &str = "ancient-changes";

/// One entry of managedFields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields of upstream's ManagedFieldsEntry")]
pub struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields_v1: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
}

/// The fields of an entry as they are written: most writes leave most entries alone, and so unread.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Fields(Box<RawValue>);

impl Fields {
    /// As text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// What they say; nothing if they are no set of fields.
    #[must_use]
    pub fn set(&self) -> FieldSet {
        serde_json::from_str(self.text()).unwrap_or_default()
    }
}

impl From<&FieldSet> for Fields {
    fn from(set: &FieldSet) -> Self {
        Self(serde_json::value::to_raw_value(set).unwrap_or_default())
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// Who writes, and through which door.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The `fieldManager` parameter, or the first part of the user agent.
    pub manager: &'a str,
    /// The group-version of the request: `apps/v1`.
    pub api_version: &'a str,
    /// For example `status`.
    pub subresource: Option<&'a str>,
    /// What kind of write it is.
    pub operation: Operation,
}

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Create, update, or any other patch.
    Update,
}

impl Operation {
    /// As written in an entry.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// The entries to start from: those of the request, so that a client can edit them, unless it knows nothing of
/// them or comes through a subresource; else those of the stored object. A request with one empty entry
/// (`managedFields: [{}]`) resets them.
pub fn live_or_new(live: Option<Vec<Entry>>, new: Option<Vec<Entry>>, subresource: bool) -> Option<Vec<Entry>> {
    match new.filter(|new| !subresource && !new.is_empty()) {
        Some(new) => Some(new).filter(|new| *new != [Entry::default()]),
        None => live,
    }
}

/// The entries after `who` turned `old` into `new` at `now`; `None` if nobody owns anything.
///
/// `entries` is what [`live_or_new`] gave. What the writer cannot change through its door (the status of the main
/// resource) must be equal in `old` and `new`. An object that has lost its managedFields is tracked again only when it is applied.
pub fn track(
    schema: &Schema,
    entries: Option<Vec<Entry>>,
    old: Option<&Value>,
    new: &Value,
    who: &Writer<'_>,
    now: Timestamp,
) -> Option<Vec<Entry>> {
    if old.is_some() && entries.as_ref().is_none_or(Vec::is_empty) {
        return None;
    }
    let difference = compare(schema, old, new);
    let changed = difference.changed.difference(&NOBODYS);
    let removed = difference.removed.difference(&NOBODYS);
    let mut entries = entries.unwrap_or_default();
    entries.retain_mut(|entry| lose(entry, &changed, &removed));
    if !changed.is_empty() {
        gain(&mut entries, &changed, who, now);
        cap(&mut entries);
        entries.sort_by(order);
    }
    Some(entries).filter(|e| !e.is_empty())
}

/// The entries as they are stored; `None` if there are none.
///
/// # Errors
/// 500 when a time cannot be written.
pub fn encode(entries: &[Entry]) -> Result<Option<String>> {
    let json = (!entries.is_empty()).then(|| serde_json::to_string(entries));
    json.transpose().map_err(|error| ApiError::internal(error.to_string()))
}

/// Fields that are the server's own and never belong to a manager.
pub(super) static NOBODYS: LazyLock<FieldSet> = LazyLock::new(|| {
    let field = |name: &str| PathElement::Field(name.into());
    let mut metadata = Tree::leaf();
    for name in
        ["clusterName", "creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "selfLink", "uid"]
    {
        metadata.children.insert(field(name), Tree::leaf());
    }
    let mut set = FieldSet::default();
    set.insert(field("apiVersion"), Tree::leaf());
    set.insert(field("kind"), Tree::leaf());
    set.insert(field("metadata"), metadata);
    set
});

/// Takes from an entry what was overwritten or removed. False if nothing is left.
fn lose(entry: &mut Entry, changed: &FieldSet, removed: &FieldSet) -> bool {
    let Some(fields) = &entry.fields_v1 else { return false };
    // What cannot be read stays as it is.
    let touched = |by: &FieldSet| !by.is_empty() && by.overlaps_json(fields.text()).unwrap_or(false);
    if !touched(changed) && !touched(removed) {
        return true;
    }
    let left = fields.set().difference(changed).difference(removed);
    entry.fields_v1 = Some(Fields::from(&left));
    // An emptied entry of the writer itself goes too: `gain` makes a new one.
    !left.is_empty()
}

/// Gives the writer what it changed.
fn gain(entries: &mut Vec<Entry>, changed: &FieldSet, who: &Writer<'_>, now: Timestamp) {
    let time = whole_second(now);
    let own = entries.iter_mut().find(|e| is_writer(e, who));
    match own {
        Some(entry) => {
            let before = entry.fields_v1.as_ref().map(Fields::set).unwrap_or_default();
            entry.fields_v1 = Some(Fields::from(&before.union(changed)));
            entry.time = time;
        }
        None => entries.push(Entry {
            api_version: Some(who.api_version.to_owned()),
            fields_type: Some("FieldsV1".to_owned()),
            fields_v1: Some(Fields::from(changed)),
            manager: Some(who.manager.to_owned()),
            operation: Some(who.operation.as_str().to_owned()),
            subresource: who.subresource.map(str::to_owned),
            time,
        }),
    }
}

/// Says of all entries that they were written now.
pub(super) fn date(entries: &mut [Entry], now: Timestamp) {
    for entry in entries {
        entry.time = whole_second(now);
    }
}

/// A moment as entries keep it. A whole second is always in range, since `now` was.
pub(super) fn whole_second(now: Timestamp) -> Option<Time> {
    Timestamp::from_second(now.as_second()).ok().map(Time)
}

/// Whether an entry is that of this writer.
pub(super) fn is_writer(entry: &Entry, who: &Writer<'_>) -> bool {
    text(&entry.manager) == who.manager
        && text(&entry.operation) == who.operation.as_str()
        && text(&entry.subresource) == who.subresource.unwrap_or("")
        // An applier stays the same when it moves to another version.
        && (who.operation == Operation::Apply || text(&entry.api_version) == who.api_version)
}

/// Merges the oldest Update entries of each version, until no more than ten are left.
fn cap(entries: &mut Vec<Entry>) {
    let (mut updates, others): (Vec<_>, Vec<_>) =
        std::mem::take(entries).into_iter().partition(|e| text(&e.operation) == Operation::Update.as_str());
    *entries = others;
    if updates.len() > MAX_UPDATE_MANAGERS {
        updates.sort_by(|a, b| seconds(a).cmp(&seconds(b)).then_with(|| identity(a).cmp(&identity(b))));
        updates = merge_oldest(updates);
    }
    entries.append(&mut updates);
}

/// The first entry of a version waits for a second one; then both become the version's bucket.
fn merge_oldest(updates: Vec<Entry>) -> Vec<Entry> {
    let mut excess = updates.len() - MAX_UPDATE_MANAGERS;
    let mut buckets: BTreeMap<String, Entry> = BTreeMap::new();
    let mut kept = Vec::with_capacity(MAX_UPDATE_MANAGERS);
    for entry in updates {
        if excess == 0 {
            kept.push(entry);
            continue;
        }
        let version = text(&entry.api_version).to_owned();
        match buckets.get_mut(&version) {
            None => {
                buckets.insert(version, entry);
            }
            Some(bucket) => {
                let set = |e: &Entry| e.fields_v1.as_ref().map(Fields::set);
                let both = set(bucket).unwrap_or_default().union(&set(&entry).unwrap_or_default());
                bucket.fields_v1 = Some(Fields::from(&both));
                bucket.manager = Some(ANCIENT.to_owned());
                bucket.subresource = None;
                bucket.time = entry.time;
                excess -= 1;
            }
        }
    }
    kept.extend(buckets.into_values());
    kept
}

fn identity(entry: &Entry) -> (&str, &str, &str) {
    (text(&entry.manager), text(&entry.api_version), text(&entry.subresource))
}

/// The order of entries.
pub(super) fn order(a: &Entry, b: &Entry) -> Ordering {
    text(&a.operation).cmp(text(&b.operation)).then_with(|| seconds(a).cmp(&seconds(b))).then_with(|| identity(a).cmp(&identity(b)))
}

fn seconds(entry: &Entry) -> i64 {
    entry.time.as_ref().map_or(0, |t| t.0.as_second())
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or("")
}

#[cfg(test)]
mod tests;

//! Server-side apply: a manager says what it wants of an object, and owns exactly that.
//!
//! Pure: the live object, the configuration and the ownership go in; the new object and the new ownership, or the
//! conflicts, come out. The rules are upstream's: the configuration is merged into the object; what the manager wanted
//! before and does not want any more goes, unless somebody else owns it; what it changes and another owns is a conflict,
//! unless it insists.

mod conflict;
mod merge;
mod prune;
mod sets;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

pub use self::{
    conflict::Conflicts,
    sets::{duplicate, set_of},
};
use super::{
    fieldset::FieldSet,
    managed::{self, Entry, Fields, Writer, compare::compare},
};
use crate::schema::Schema;

/// What an apply made of an object.
#[derive(Debug)]
pub struct Applied {
    /// The object.
    pub object: Value,
    /// Who owns what of it now.
    pub entries: Vec<Entry>,
}

/// Somebody who owns something, and what.
#[derive(Clone, Debug)]
struct Owner {
    entry: Entry,
    set: FieldSet,
}

/// Applies `config` to `live` as `who`; `live` and `config` are of the same version, `schema` is that version's.
///
/// # Errors
/// What others own and `config` would change, unless `force`.
pub fn apply(
    schema: &Schema,
    live: &Value,
    config: &Value,
    entries: &[Entry],
    who: &Writer<'_>,
    force: bool,
    now: Timestamp,
) -> Result<Applied, Conflicts> {
    let wanted = set_of(schema, config).difference(&managed::NOBODYS);
    let (own, mut others): (Vec<_>, Vec<_>) = entries.iter().map(Owner::of).partition(|owner| managed::is_writer(&owner.entry, who));
    let last = own.into_iter().next();
    let merged = merge::merge(schema, live, config);
    let object = match &last {
        Some(last) if !last.set.is_empty() => {
            let owned = others.iter().fold(wanted.clone(), |all, owner| all.union(&owner.set));
            prune::prune(schema, merged, &last.set, &owned)
        }
        _ => merged,
    };
    let difference = compare(schema, Some(live), &object);
    let (changed, removed) = (difference.changed.difference(&managed::NOBODYS), difference.removed.difference(&managed::NOBODYS));
    let conflicts: Vec<_> = others
        .iter()
        .map(|owner| (owner.entry.clone(), owner.set.clone().intersection(&changed)))
        .filter(|(_, set)| !set.is_empty())
        .collect();
    if !force && !conflicts.is_empty() {
        return Err(Conflicts::new(conflicts));
    }
    others.iter_mut().for_each(|owner| owner.lose(&changed, &removed));
    let mut entries: Vec<Entry> = others.into_iter().filter(|owner| !owner.set.is_empty()).map(|owner| owner.entry).collect();
    if !wanted.is_empty() {
        let same =
            last.filter(|last| last.set == wanted && removed.is_empty() && (changed.is_empty() || says_the_same(schema, live, &object)));
        entries.push(mine(&wanted, who, same.and_then(|last| last.entry.time), now));
    }
    entries.sort_by(managed::order);
    Ok(Applied { object, entries })
}

/// Whether an object differs from what is there in nulls only, which say as much as nothing.
fn says_the_same(schema: &Schema, live: &Value, object: &Value) -> bool {
    let mut said = object.clone();
    drop_new_nulls(&mut said, live);
    compare(schema, Some(live), &said).changed.difference(&managed::NOBODYS).is_empty()
}

/// Removes the nulls of fields that are not there.
fn drop_new_nulls(object: &mut Value, live: &Value) {
    if let (Value::Object(object), Value::Object(live)) = (object, live) {
        object.retain(|field, value| !value.is_null() || live.contains_key(field));
        object.iter_mut().for_each(|(field, value)| live.get(field).into_iter().for_each(|live| drop_new_nulls(value, live)));
    }
}

/// The applier's own entry. Its time is that of the last apply that meant something.
fn mine(wanted: &FieldSet, who: &Writer<'_>, since: Option<Time>, now: Timestamp) -> Entry {
    Entry {
        api_version: Some(who.api_version.to_owned()),
        fields_type: Some("FieldsV1".to_owned()),
        fields_v1: Some(Fields::from(wanted)),
        manager: Some(who.manager.to_owned()),
        operation: Some(who.operation.as_str().to_owned()),
        subresource: who.subresource.map(str::to_owned),
        time: since.or_else(|| managed::whole_second(now)),
    }
}

impl Owner {
    fn of(entry: &Entry) -> Self {
        Self { set: entry.fields_v1.as_ref().map(Fields::set).unwrap_or_default(), entry: entry.clone() }
    }

    fn lose(&mut self, changed: &FieldSet, removed: &FieldSet) {
        let left = self.set.clone().difference(changed).difference(removed);
        if left != self.set {
            self.entry.fields_v1 = Some(Fields::from(&left));
            self.set = left;
        }
    }
}

#[cfg(test)]
mod tests;

//! The three tables of facts that OpenAPI does not tell, each parsed once, when it is first asked.
//!
//! Kept as tab-separated text in `data/`, so that a reader can check them against the published API line by line.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use super::{ListKind, ListPatch, Zero};

const LIST_SEMANTICS: &str = include_str!("../../data/list-semantics.tsv");
const GO_ENCODING: &str = include_str!("../../data/go-encoding.tsv");
const PROTOBUF: &str = include_str!("../../data/protobuf.tsv");

/// How one field (or a type, field `.`) merges.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// Of a list; `None` when the table says nothing.
    pub(super) list: Option<ListKind>,
    /// `Some(true)` for `map-type=atomic`, `Some(false)` for `granular`.
    pub(super) atomic: Option<bool>,
    /// Of a list.
    pub(super) patch: Option<ListPatch>,
    /// The patch strategies, comma-separated as published.
    pub(super) strategy: &'static str,
}

impl Merge {
    /// Whether the patch strategies contain `word`.
    pub(super) fn has(&self, word: &str) -> bool {
        self.strategy.split(',').any(|s| s == word)
    }
}

/// The `x-kubernetes-*` extensions that OpenAPI publishes for `field` of `type_name` (`core.v1.PodSpec`); field `.`
/// is the type itself.
pub fn extensions(type_name: &str, field: &str) -> Vec<(&'static str, Value)> {
    let Some(fact) = merge(type_name, field) else { return Vec::new() };
    let mut found = Vec::new();
    let mut add = |name: &'static str, value: Value| found.push((name, value));
    match &fact.list {
        Some(ListKind::Atomic) => add("x-kubernetes-list-type", "atomic".into()),
        Some(ListKind::Set) => add("x-kubernetes-list-type", "set".into()),
        Some(ListKind::Map(keys)) => {
            add("x-kubernetes-list-type", "map".into());
            add("x-kubernetes-list-map-keys", keys.iter().map(|k| Value::from(k.as_ref())).collect());
        }
        None => {}
    }
    if let Some(atomic) = fact.atomic {
        add("x-kubernetes-map-type", if atomic { "atomic" } else { "granular" }.into());
    }
    if !fact.strategy.is_empty() {
        add("x-kubernetes-patch-strategy", fact.strategy.into());
    }
    if let Some(ListPatch::MergeBy(key)) = &fact.patch {
        add("x-kubernetes-patch-merge-key", key.as_ref().into());
    }
    found
}

type Table<T> = HashMap<&'static str, HashMap<&'static str, T>>;

/// How `field` of `type_name` (`core.v1.PodSpec`) merges; field `.` is the type itself.
pub(super) fn merge(type_name: &str, field: &str) -> Option<&'static Merge> {
    static TABLE: OnceLock<Table<Merge>> = OnceLock::new();
    TABLE.get_or_init(|| read(LIST_SEMANTICS, merge_row)).get(type_name)?.get(field)
}

/// What Go does with the zero value of `field` of `type_name`, if the table knows.
pub(super) fn zero(type_name: &str, field: &str) -> Option<Zero> {
    static TABLE: OnceLock<Table<Zero>> = OnceLock::new();
    TABLE.get_or_init(|| read(GO_ENCODING, zero_row)).get(type_name)?.get(field).copied()
}

/// A numbered field of a protobuf message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The number.
    pub(super) number: i32,
    /// The JSON name; `.` for a message whose fields JSON has in the object itself.
    pub(super) field: &'static str,
    /// Whose numbers count in such a message, or in a union; empty for ordinary fields.
    pub(super) message: &'static str,
}

/// The numbered fields of `type_name`, in the order of their numbers.
pub(super) fn tags(type_name: &str) -> Option<&'static [Tag]> {
    static TABLE: OnceLock<HashMap<&'static str, Vec<Tag>>> = OnceLock::new();
    let read = || {
        let mut table: HashMap<&'static str, Vec<Tag>> = HashMap::new();
        for line in PROTOBUF.lines().filter(|line| !line.starts_with('#')) {
            if let Some((type_name, tag)) = tag_row(line) {
                table.entry(type_name).or_default().push(tag);
            }
        }
        table.values_mut().for_each(|tags| tags.sort_by_key(|tag| tag.number));
        table
    };
    TABLE.get_or_init(read).get(type_name).map(Vec::as_slice)
}

fn tag_row(line: &'static str) -> Option<(&'static str, Tag)> {
    let mut columns = line.split('\t');
    let (type_name, number, field) = (columns.next()?, columns.next()?.parse().ok()?, columns.next()?);
    Some((type_name, Tag { number, field, message: columns.next().unwrap_or_default() }))
}

fn read<T>(text: &'static str, row: fn(&[&'static str]) -> Option<T>) -> Table<T> {
    let mut table = Table::new();
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let columns: Vec<&'static str> = line.split('\t').collect();
        let [type_name, field, rest @ ..] = columns.as_slice() else { continue };
        if let Some(fact) = row(rest) {
            table.entry(*type_name).or_default().insert(*field, fact);
        }
    }
    table
}

fn merge_row(columns: &[&'static str]) -> Option<Merge> {
    let column = |i: usize| columns.get(i).map_or("", |c| c.trim());
    let (list_type, keys, strategy, merge_key) = (column(0), column(1), column(2), column(3));
    let list = match list_type {
        "set" => Some(ListKind::Set),
        "map" => Some(ListKind::Map(keys.split(',').map(Into::into).collect())),
        "atomic" => Some(ListKind::Atomic),
        _ => None,
    };
    let atomic = match list_type {
        "map-type=atomic" => Some(true),
        "map-type=granular" => Some(false),
        _ => None,
    };
    let mut merge = Merge { list, atomic, patch: None, strategy };
    if merge.has("merge") {
        merge.patch = Some(if merge_key.is_empty() { ListPatch::Merge } else { ListPatch::MergeBy(merge_key.into()) });
    }
    Some(merge)
}

fn zero_row(columns: &[&str]) -> Option<Zero> {
    match columns {
        ["pointer"] => Some(Zero::Keep),
        ["value"] => Some(Zero::Drop),
        ["always"] => Some(Zero::Always),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_understood() {
        for line in GO_ENCODING.lines().filter(|l| !l.starts_with('#')) {
            let columns: Vec<_> = line.split('\t').collect();
            assert!(zero(columns[0], columns[1]).is_some(), "{line}");
        }
        for line in LIST_SEMANTICS.lines().filter(|l| !l.starts_with('#')) {
            let columns: Vec<_> = line.split('\t').collect();
            assert!(merge(columns[0], columns[1]).is_some(), "{line}");
        }
        for line in PROTOBUF.lines().filter(|l| !l.starts_with('#')) {
            let (type_name, tag) = tag_row(line).unwrap_or_else(|| panic!("{line}"));
            assert!(tags(type_name).is_some_and(|tags| tags.iter().filter(|other| other.number == tag.number).count() == 1), "{line}");
            assert!(tag.message.is_empty() || tags(tag.message).is_some(), "{line}");
        }
    }

    #[test]
    fn rows_mean_what_they_say() {
        let ports = merge("core.v1.Container", "ports").unwrap();
        assert_eq!(ports.list, Some(ListKind::Map(Box::new(["containerPort".into(), "protocol".into()]))));
        assert_eq!(ports.patch, Some(ListPatch::MergeBy("containerPort".into())));
        assert_eq!(merge("core.v1.PersistentVolumeSpec", "claimRef").unwrap().atomic, Some(false));
        assert!(merge("policy.v1.PodDisruptionBudgetSpec", "selector").unwrap().has("replace"));
    }

    #[test]
    fn published_extensions() {
        let found = extensions("core.v1.PodSpec", "volumes");
        let want = [
            ("x-kubernetes-list-type", Value::from("map")),
            ("x-kubernetes-list-map-keys", Value::from(vec!["name"])),
            ("x-kubernetes-patch-strategy", Value::from("merge,retainKeys")),
            ("x-kubernetes-patch-merge-key", Value::from("name")),
        ];
        assert_eq!(found, want);
        assert_eq!(extensions("meta.v1.LabelSelector", "."), [("x-kubernetes-map-type", Value::from("atomic"))]);
    }
}

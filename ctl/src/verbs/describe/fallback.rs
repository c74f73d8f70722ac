//! The page of any kind without one of its own: its fields, with their names spelled out.

use serde_json::{Map, Value};

use super::{Describer, View, events, nothing_else, page::Page};
use crate::value::plain;

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "", related: nothing_else, events: events::own, render };

/// What has been shown already, or is of no use to a reader.
const SKIPPED: [&str; 5] = [".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations"];
const ACRONYMS: [&str; 5] = ["API", "URL", "UID", "OSB", "GUID"];

fn render(view: &View<'_>, page: &mut Page) {
    page.identity(view.object);
    page.labels_and_annotations(view.object);
    if let Some(fields) = view.object.as_object() {
        content(page, 0, fields, "");
    }
    page.events(view.events, view.clock);
}

fn content(page: &mut Page, level: usize, fields: &Map<String, Value>, path: &str) {
    for (field, value) in fields {
        let path = format!("{path}.{field}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        match value {
            Value::Object(inner) => {
                page.line(level, &format!("{}:", label(field)));
                content(page, level + 1, inner, &path);
            }
            Value::Array(list) => {
                page.line(level, &format!("{}:", label(field)));
                for element in list {
                    match element {
                        Value::Object(inner) => content(page, level + 1, inner, &path),
                        other => page.line(level + 1, &go(other)),
                    }
                }
            }
            other => page.field(level, &label(field), go(other)),
        }
    }
}

/// A scalar as Go's `%v` prints it.
fn go(value: &Value) -> String {
    if value.is_null() { "<nil>".to_owned() } else { plain(value) }
}

/// `podCIDR` as `Pod CIDR`, `apiVersion` as `API Version`. Names with other characters than letters stay.
fn label(field: &str) -> String {
    if !field.chars().all(|c| c.is_alphabetic() || c == '-') {
        return field.to_owned();
    }
    let words: Vec<String> = words(field).into_iter().map(|word| spelled(&word)).collect();
    words.join(" ")
}

fn spelled(word: &str) -> String {
    let upper = word.to_uppercase();
    if ACRONYMS.contains(&upper.as_str()) {
        return upper;
    }
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Splits at changes of case; the last capital of several begins the next word.
fn words(field: &str) -> Vec<String> {
    let chars: Vec<char> = field.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let starts = match before {
            None => true,
            Some(before) if c.is_uppercase() => !before.is_uppercase() || chars.get(at + 1).is_some_and(|next| next.is_lowercase()),
            Some(before) => c.is_alphabetic() != before.is_alphabetic(),
        };
        match words.last_mut() {
            Some(word) if !starts => word.push(*c),
            _ => words.push(c.to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    #[test]
    fn labels_are_spelled_out() {
        for (field, spelled) in [("apiVersion", "API Version"), ("podCIDR", "Pod CIDR"), ("uid", "UID"), ("holderIdentity", "Holder Identity"), ("a.b/c", "a.b/c"), ("clusterIPs", "Cluster I Ps")] {
            assert_eq!(label(field), spelled);
        }
    }

    #[test]
    fn any_object_has_a_page() {
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "n", "namespace": "kube-node-lease", "uid": "u"},
            "spec": {"holderIdentity": "me", "leaseDurationSeconds": 40, "list": ["a", {"b": null}]}});
        assert_eq!(
            described(&DESCRIBER, &lease, Vec::new(), &[]),
            "Name:         n\nNamespace:    kube-node-lease\nLabels:       <none>\nAnnotations:  <none>\nAPI Version:  coordination.k8s.io/v1\nKind:         Lease\n\
             Metadata:\n  UID:  u\nSpec:\n  Holder Identity:         me\n  Lease Duration Seconds:  40\n  List:\n    a\n    B:   <nil>\nEvents:  <none>\n"
        );
    }
}

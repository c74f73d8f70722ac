//! What no two servers agree on is masked before answers are compared: moments, UIDs, revisions, addresses, and names by chance.

use serde_json::{Map, Value};

use super::world::UNCOUNTED;

/// What the recorder's server, nodes and names were, and ours.
pub(super) struct Mask {
    /// The port our server listens on, where upstream's listened on 16443.
    pub(super) port: u16,
}

/// Whose fields come when they come: controllers and nodes.
const OTHERS: [&str; 3] = ["kube-controller-manager", "kube-scheduler", "fakelet"];
/// Kinds whose status others write meanwhile.
const OBSERVED: [&str; 3] = ["Deployment", "ReplicaSet", "Scale"];
/// Fields that say nothing about a rule: texts that were left out of the recording, certificates, and what controllers count.
const LEFT_OUT: [&str; 4] = ["description", "lastProbeTime", "deployment.kubernetes.io/revision", "ca.crt"];

impl Mask {
    /// Replaces what no two servers agree on.
    pub(super) fn value(&self, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => self.object(map),
            Value::Array(list) => {
                let masked = list.iter().map(|value| self.value(key, value));
                let mut list: Vec<Value> = masked.filter(|value| key == "cells" || !value.is_null()).collect();
                if key == "managedFields" {
                    // They are in the order of their seconds, which the clock decides.
                    list.sort_by_key(|entry| ["manager", "operation", "subresource"].map(|field| entry[field].to_string()));
                }
                Value::Array(list)
            }
            Value::String(text) => Value::String(self.text(key, text)),
            Value::Number(_) if key == "nodePort" => "<port>".into(),
            other => other.clone(),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Value {
        if map.get("manager").and_then(Value::as_str).is_some_and(|manager| OTHERS.contains(&manager)) {
            return Value::Null;
        }
        // The recording leaves it out as well.
        if map.get("object").and_then(|object| object.pointer("/metadata/name")).is_some_and(|name| name == UNCOUNTED) {
            return Value::Null;
        }
        let observed = OBSERVED.iter().any(|kind| map.get("kind").is_some_and(|value| value == kind));
        let nothing = |value: &Value| value.as_object().is_some_and(|map| map.keys().all(|key| LEFT_OUT.contains(&key.as_str())));
        let kept = map.iter().filter(|(key, value)| {
            let only_left_out = *key == "annotations" && nothing(value);
            !(LEFT_OUT.contains(&key.as_str()) || only_left_out || observed && *key == "status")
        });
        Value::Object(kept.map(|(key, value)| (key.clone(), self.value(key, value))).collect())
    }

    fn text(&self, key: &str, text: &str) -> String {
        match key {
            "uid" => return "<uid>".to_owned(),
            "resourceVersion" => return "<rv>".to_owned(),
            "continue" => return "<token>".to_owned(),
            "cells" if is_age(text) => return "<age>".to_owned(),
            _ => {}
        }
        if text.len() >= 20 && text.as_bytes()[4] == b'-' && text.as_bytes()[10] == b'T' && text.ends_with('Z') {
            return "<time>".to_owned();
        }
        if let Some(text) = self.quoted(text) {
            return text;
        }
        let mut out = String::new();
        let mut before = "";
        const ENDS: [char; 9] = [' ', ',', '"', '(', ')', ':', '=', '/', '\\'];
        for word in text.split_inclusive(ENDS) {
            let bare = word.trim_end_matches(ENDS);
            out.push_str(&self.word(before, bare));
            out.push_str(&word[bare.len()..]);
            before = if bare.is_empty() { before } else { bare };
        }
        out
    }

    /// A sentence that quotes an object as text: the object is compared as one, so the order of its fields does not count.
    fn quoted(&self, text: &str) -> Option<String> {
        let (before, rest) = text.split_once("Invalid value: \"{")?;
        let start = text.len() - rest.len() - 2;
        let mut reader = serde_json::Deserializer::from_str(&text[start..]).into_iter::<String>();
        let object: Value = serde_json::from_str(&reader.next()?.ok()?).ok()?;
        let after = &text[start + reader.byte_offset()..];
        Some(format!("{before}Invalid value: {}{after}", self.value("", &object)))
    }

    fn word(&self, before: &str, word: &str) -> String {
        let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        // Revisions in sentences, and the server's port.
        if number && (["current", "record"].contains(&before) || word == "16443" || word == self.port.to_string()) {
            return "<number>".to_owned();
        }
        if word.len() == 36 && word.matches('-').count() == 4 {
            return "<uid>".to_owned();
        }
        if ["10.254.", "10.0.0.", "127.0.0.1", "192.0.2.2"].iter().any(|start| word.starts_with(start)) {
            return "<ip>".to_owned();
        }
        if word.strip_prefix("node-000").is_some_and(|rest| rest.len() == 1) {
            return "<node>".to_owned();
        }
        word.split_inclusive('-').map(by_chance).collect()
    }
}

/// A part of a name, unless chance or a hash made it: upstream writes both in letters that make no words.
fn by_chance(part: &str) -> &str {
    let letters = part.strip_suffix('-').unwrap_or(part);
    let odd = letters.bytes().all(|letter| b"bcdfghjklmnpqrstvwxz2456789".contains(&letter));
    match (odd && (letters.len() == 5 || (8..=10).contains(&letters.len())), part.ends_with('-')) {
        (true, true) => "<x>-",
        (true, false) => "<x>",
        (false, _) => part,
    }
}

/// Whether a cell tells how long ago something was: `4m30s`.
fn is_age(text: &str) -> bool {
    text.ends_with(['s', 'm', 'h', 'd']) && text.starts_with(|first: char| first.is_ascii_digit()) && !text.contains(['.', '/', ' '])
}

/// The first place where two answers differ.
pub(super) fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| match (a.get(key), b.get(key)) {
                (Some(x), Some(y)) => difference(&format!("{path}.{key}"), x, y),
                (Some(x), None) => Some(format!("{path}.{key}: ours has {x}")),
                (None, Some(y)) => Some(format!("{path}.{key}: theirs has {y}")),
                (None, None) => None,
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (x, y))| difference(&format!("{path}[{index}]"), x, y))
        }
        (a, b) => (a != b).then(|| format!("{path}: ours {a}\n      theirs {b}")),
    }
}

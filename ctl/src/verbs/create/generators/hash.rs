//! The end of a name that tells what is in the object, so that other contents make another object. Source: kubectl's `hash`.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::patch::go_json;

/// The end of the name of an object of these contents: ten letters that spell no word.
pub(super) fn of(contents: &Value) -> String {
    let mut hex = String::new();
    for byte in digest(&SHA256, go_json(contents).as_bytes()).as_ref() {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    let letter = |c: char| match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        c => c,
    };
    hex.chars().take(10).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What the real kubectl appends.
    #[test]
    fn hashes_are_upstreams() {
        for (contents, hash) in [
            (json!({"kind": "ConfigMap", "name": "x", "data": {"a": "b"}}), "64686gkt6c"),
            (json!({"kind": "ConfigMap", "name": "x", "data": {}}), "62ctbmbfd2"),
            (json!({"kind": "Secret", "name": "x", "type": "", "data": {"a": "Yg=="}}), "k694gm4m9h"),
            (json!({"kind": "Secret", "name": "x", "type": "foo", "data": {"a": "Yg=="}}), "cgkmm9287h"),
        ] {
            assert_eq!(of(&contents), hash, "{contents}");
        }
    }
}

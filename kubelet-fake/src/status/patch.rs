//! The strategic merge patch that turns the status that is stored into the one that is wanted.
//!
//! It is made of the JSON of both: most of a status is sent as it is or not at all, and no tree of it is needed for that.
//!
//! Must not know: who wants it, and when it is sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::pod::{DISRUPTED, OWN_CONDITIONS, TERMINATED};

/// The list of a status that others write to as well.
const CONDITIONS: &str = "conditions";
/// The lists of a status that are merged, and by which field of their elements.
const MERGED: [(&str, &str); 3] = [(CONDITIONS, "type"), ("hostIPs", "ip"), ("podIPs", "ip")];

/// An object by its fields, each as the JSON it is.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// What is sent of one.
type Changes<'a> = BTreeMap<&'a str, Change<'a>>;

#[derive(Serialize)]
#[serde(untagged)]
enum Change<'a> {
    /// This is how it is to be.
    As(&'a RawValue),
    /// There is to be none.
    Gone,
    /// So are its fields, the others stay.
    Fields(Changes<'a>),
    /// So are its elements, the others stay.
    Elements(Vec<Changes<'a>>),
    /// A word of the patch itself.
    Word(&'a str),
}

/// The patch, or `None` if there is nothing to do. The UID is a precondition: a pod of the same name that came later is not touched.
/// What others say in the conditions is left to them.
pub(super) fn patch(uid: &str, stored: &[u8], wanted: &[u8]) -> Option<Box<RawValue>> {
    let (stored, wanted) = (read::<Fields<'_>>(stored), read::<Fields<'_>>(wanted));
    let mut status = changes(&stored, &wanted);
    for (list, key) in MERGED {
        if status.remove(list).is_some() {
            let differ = list_changes(key, &elements(list, &stored), &elements(list, &wanted));
            status.extend((!differ.is_empty()).then_some((list, Change::Elements(differ))));
        }
    }
    if status.is_empty() {
        return None;
    }
    let precondition = Changes::from([("uid", Change::Word(uid))]);
    // Has only strings as keys, so this cannot fail.
    to_raw_value(&Changes::from([("metadata", Change::Fields(precondition)), ("status", Change::Fields(status))])).ok()
}

/// The JSON we or `k8s-openapi` have written: it can be read, and no name in it has escapes.
fn read<'a, T: Deserialize<'a> + Default>(json: &'a [u8]) -> T {
    serde_json::from_slice(json).unwrap_or_default()
}

/// The fields that differ, null where there is to be none.
fn changes<'a>(stored: &Fields<'a>, wanted: &Fields<'a>) -> Changes<'a> {
    let differs = |(field, new): &(&&str, &&RawValue)| stored.get(**field).is_none_or(|old| old.get() != new.get());
    let gone = stored.keys().filter(|field| !wanted.contains_key(**field)).map(|field| (*field, Change::Gone));
    wanted.iter().filter(differs).map(|(field, new)| (*field, Change::As(new))).chain(gone).collect()
}

/// The elements of a list that are a kubelet's to write.
fn elements<'a>(list: &str, of: &Fields<'a>) -> Vec<Fields<'a>> {
    let mut elements = of.get(list).map(|list| read::<Vec<Fields<'a>>>(list.get().as_bytes())).unwrap_or_default();
    if list == CONDITIONS {
        let text = |condition: &Fields<'a>, field: &str| condition.get(field).map_or("", |text| text.get().trim_matches('"'));
        elements.retain(|condition| match text(condition, "type") {
            DISRUPTED => text(condition, "reason") == TERMINATED,
            kind => OWN_CONDITIONS.contains(&kind),
        });
    }
    elements
}

/// Elements are merged by a key: only what differs of those that differ is sent, and what is there and shall not be is told to go.
fn list_changes<'a>(key: &'a str, stored: &[Fields<'a>], wanted: &[Fields<'a>]) -> Vec<Changes<'a>> {
    let name = |element: &Fields<'a>| element.get(key).map(|name| name.get());
    let same = |all: &[Fields<'a>], one: &Fields<'a>| all.iter().position(|other| name(other) == name(one));
    let named = |element: &Fields<'a>| element.get(key).map(|name| (key, Change::As(name)));
    let changed = wanted.iter().filter_map(|new| {
        let none = Fields::new();
        let mut differs = changes(same(stored, new).map_or(&none, |old| &stored[old]), new);
        (!differs.is_empty()).then(|| {
            differs.extend(named(new));
            differs
        })
    });
    let gone = stored.iter().filter(|old| same(wanted, old).is_none());
    let gone = gone.map(|old| Changes::from_iter([Some(("$patch", Change::Word("delete"))), named(old)].into_iter().flatten()));
    changed.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodStatus;
    use serde_json::{Value, json};

    use super::*;

    fn status(phase: &str, more: Value) -> Vec<u8> {
        let mut status = json!({ "phase": phase });
        json_patch::merge(&mut status, &more);
        let status: PodStatus = serde_json::from_value(status).unwrap();
        serde_json::to_vec(&status).unwrap()
    }

    fn sent(stored: &[u8], wanted: &[u8]) -> Option<Value> {
        patch("u", stored, wanted).map(|patch| serde_json::from_str(patch.get()).unwrap())
    }

    #[test]
    fn a_patch_holds_what_changed_and_no_condition_of_others() {
        let stored = status("Pending", json!({ "reason": "Odd", "podIP": "10.244.1.2" }));
        let conditions = json!([{ "type": "Ready", "status": "True" }, { "type": "Foreign", "status": "True" }]);
        let wanted = status("Running", json!({ "podIP": "10.244.1.2", "conditions": conditions }));
        let expected = json!({
            "metadata": { "uid": "u" },
            "status": { "phase": "Running", "reason": null, "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        assert_eq!(sent(&stored, &wanted), Some(expected));
        assert_eq!(sent(&wanted, &wanted), None);
    }

    #[test]
    fn what_others_say_is_no_news() {
        let conditions = |reason: &str, foreign: &str| {
            let disrupted = json!({ "type": DISRUPTED, "status": "True", "reason": reason });
            status(
                "Running",
                json!({ "conditions": [{ "type": "Ready", "status": "True" }, disrupted, { "type": "Foreign", "status": foreign }] }),
            )
        };
        assert_eq!(sent(&conditions("Preempted", "False"), &conditions("Evicted", "True")), None);
        let own = json!({ "conditions": [{ "type": DISRUPTED, "status": "True", "reason": TERMINATED }] });
        assert_eq!(sent(&conditions("Preempted", "True"), &conditions(TERMINATED, "True")).unwrap()["status"], own);
        assert_eq!(sent(b"{}", &status("Running", json!({}))).unwrap()["status"], json!({ "phase": "Running" }));
    }

    #[test]
    fn a_condition_that_is_met_forgets_why_it_was_not() {
        let conditions = |all: Value| status("Running", json!({ "conditions": all }));
        let scheduled = json!({ "type": "PodScheduled", "status": "True" });
        let stored = conditions(json!([{ "type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "m" }, scheduled]));
        let wanted = conditions(json!([{ "type": "Ready", "status": "True" }, scheduled, { "type": "Initialized", "status": "True" }]));
        let changed = json!([
            { "type": "Ready", "status": "True", "reason": null, "message": null },
            { "type": "Initialized", "status": "True" },
        ]);
        assert_eq!(sent(&stored, &wanted).unwrap()["status"], json!({ "conditions": changed }));
        let deleted = json!([
            { "type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "m" },
            { "$patch": "delete", "type": "Initialized" },
        ]);
        assert_eq!(sent(&wanted, &stored).unwrap()["status"], json!({ "conditions": deleted }));
    }

    #[test]
    fn an_address_that_is_another_one_takes_the_place_of_the_old() {
        let at = |ip: &str| status("Running", json!({ "podIP": ip, "podIPs": [{ "ip": ip }], "hostIPs": [{ "ip": "192.168.0.4" }] }));
        let moved = json!({ "podIP": "10.244.3.10", "podIPs": [{ "ip": "10.244.3.10" }, { "$patch": "delete", "ip": "10.244.3.6" }] });
        assert_eq!(sent(&at("10.244.3.6"), &at("10.244.3.10")).unwrap()["status"], moved);
    }
}

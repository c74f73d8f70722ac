//! What is different about an object, in the words of somebody who looks on. Pure; it knows the shapes that many kinds share (conditions, statuses
//! of containers, counts), and no kind.

use serde_json::{Map, Value};

use crate::value::{list, plain, some_text, text};

/// Fields of a status that say nothing new.
const DULL: [&str; 8] = ["observedGeneration", "hostIP", "hostIPs", "podIPs", "startTime", "qosClass", "resourceVersion", "collisionCount"];

/// What is different after a change, most telling first; nothing if it is only how and when it was written.
pub(super) fn words(before: &Value, after: &Value) -> Vec<String> {
    let mut words = Vec::new();
    if before["metadata"]["deletionTimestamp"].is_null() && !after["metadata"]["deletionTimestamp"].is_null() {
        words.push("is being deleted".to_owned());
    }
    spec(&before["spec"], &after["spec"], &mut words);
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        if before["metadata"][field] != after["metadata"][field] {
            words.push(format!("{field} changed"));
        }
    }
    status(&before["status"], &after["status"], &mut words);
    let known = ["apiVersion", "kind", "metadata", "spec", "status"];
    let others = after.as_object().into_iter().flatten().filter(|(field, value)| !known.contains(&field.as_str()) && before[field.as_str()] != **value);
    words.extend(others.map(|(field, _)| format!("{field} changed")));
    words
}

fn spec(before: &Value, after: &Value, words: &mut Vec<String>) {
    if let (None, Some(node)) = (some_text(&before["nodeName"]), some_text(&after["nodeName"])) {
        words.push(format!("bound to {node}"));
    }
    for field in fields(before, after).filter(|field| *field != "nodeName") {
        match (&before[field], &after[field]) {
            (old, new) if old == new => {}
            (old, new) if is_scalar(old) && is_scalar(new) => words.push(format!("spec.{field} {} → {}", shown(old), shown(new))),
            _ => words.push(format!("spec.{field} changed")),
        }
    }
}

fn status(before: &Value, after: &Value, words: &mut Vec<String>) {
    for field in ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] {
        for container in list(&after[field]) {
            let old = list(&before[field]).iter().find(|old| old["name"] == container["name"]).unwrap_or(&Value::Null);
            let (old, new) = (state(old), state(container));
            if new != old && !new.is_empty() {
                words.push(format!("{} {new}", text(&container["name"])));
            }
        }
    }
    for field in fields(before, after).filter(|field| !DULL.contains(field)) {
        let (old, new) = (&before[field], &after[field]);
        if is_scalar(new) && is_scalar(old) && count(old) != count(new) {
            words.push(match new {
                Value::Null => format!("{field} 0"),
                new => format!("{field} {}", plain(new)),
            });
        }
    }
    for condition in list(&after["conditions"]) {
        let old = list(&before["conditions"]).iter().find(|old| old["type"] == condition["type"]).unwrap_or(&Value::Null);
        if old["status"] != condition["status"] || old["reason"] != condition["reason"] {
            let reason = some_text(&condition["reason"]).map(|reason| format!(" ({reason})")).unwrap_or_default();
            words.push(format!("{}={}{reason}", text(&condition["type"]), text(&condition["status"])));
        }
    }
}

/// The state of a container, as `get pods` names it, and how often it was begun again.
fn state(status: &Value) -> String {
    let state = &status["state"];
    let reason = |of: &Value| some_text(&of["reason"]).map(|reason| format!(" ({reason})")).unwrap_or_default();
    let which = match state.as_object().and_then(|states| states.iter().next()) {
        Some((name, of)) => format!("{name}{}", reason(of)),
        None => return String::new(),
    };
    match status["restartCount"].as_i64() {
        Some(restarts) if restarts > 0 => format!("{which}, restart {restarts}"),
        _ => which,
    }
}

fn fields<'a>(before: &'a Value, after: &'a Value) -> impl Iterator<Item = &'a str> {
    let (old, new): (Option<&Map<String, Value>>, _) = (before.as_object(), after.as_object());
    let mut names: Vec<&str> = old.into_iter().chain(new).flatten().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}

/// A count that is not there is none.
fn count(value: &Value) -> &Value {
    if value == 0 { &Value::Null } else { value }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn shown(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { plain(value) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_person_sees_is_told() {
        let pending = json!({ "metadata": { "labels": {} }, "spec": { "containers": [] }, "status": { "phase": "Pending" } });
        let bound = json!({ "metadata": { "labels": {} }, "spec": { "containers": [], "nodeName": "n1" }, "status": { "phase": "Pending",
            "conditions": [{ "type": "PodScheduled", "status": "True" }] } });
        let waiting = json!({ "spec": { "containers": [], "nodeName": "n1" }, "metadata": { "labels": {} }, "status": { "phase": "Pending", "hostIP": "1.1.1.1",
            "conditions": [{ "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "False", "reason": "ContainersNotReady" }],
            "containerStatuses": [{ "name": "c", "restartCount": 0, "state": { "waiting": { "reason": "ContainerCreating" } } }] } });
        let running = json!({ "spec": { "containers": [], "nodeName": "n1" }, "metadata": { "labels": {} }, "status": { "phase": "Running", "podIP": "10.0.0.1",
            "conditions": [{ "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "True" }],
            "containerStatuses": [{ "name": "c", "restartCount": 0, "state": { "running": { "startedAt": "x" } } }] } });
        assert_eq!(words(&pending, &bound), ["bound to n1", "PodScheduled=True"]);
        assert_eq!(words(&bound, &waiting), ["c waiting (ContainerCreating)", "Ready=False (ContainersNotReady)"]);
        assert_eq!(words(&waiting, &running), ["c running", "phase Running", "podIP 10.0.0.1", "Ready=True"]);
        assert!(words(&running, &running).is_empty());
    }

    #[test]
    fn counts_and_specs_are_told() {
        let before = json!({ "spec": { "replicas": 2, "template": {} }, "status": { "replicas": 2, "readyReplicas": 1, "unavailableReplicas": 1 } });
        let after = json!({ "spec": { "replicas": 3, "template": { "x": 1 } }, "status": { "replicas": 2, "readyReplicas": 2 } });
        assert_eq!(words(&before, &after), ["spec.replicas 2 → 3", "spec.template changed", "readyReplicas 2", "unavailableReplicas 0"]);
        let deleted = json!({ "metadata": { "deletionTimestamp": "x" } });
        assert_eq!(words(&json!({}), &deleted), ["is being deleted"]);
        assert_eq!(words(&json!({ "data": { "a": "b" } }), &json!({ "data": { "a": "c" } })), ["data changed"]);
    }
}

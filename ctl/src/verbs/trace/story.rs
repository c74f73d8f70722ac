//! From changes to a story: which of them are about an object and what was made for it, who made them, and to which part of the story each belongs.
//! Pure. It knows the three programs that every pod meets, by the names they sign with.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change;
use crate::value::{list, name, some_text, text};

/// How the controllers, the scheduler and the kubelets sign.
const CONTROLLERS: &str = "kube-controller-manager";
const KUBELET: &str = "kubelet";

/// One change of one object, and the object after it.
pub(super) struct Frame {
    pub(super) revision: u64,
    /// Microseconds since 1970.
    pub(super) at: i64,
    /// As a watch calls it.
    pub(super) what: String,
    /// `deployment.apps`.
    pub(super) singular: String,
    pub(super) object: Value,
}

/// The parts of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Request,
    Binding,
    Creation,
    Report,
}

impl Stage {
    pub(super) const ALL: [Self; 4] = [Self::Request, Self::Binding, Self::Creation, Self::Report];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Request => "The request, and what controllers make of it",
            Self::Binding => "Scheduling and binding",
            Self::Creation => "Creation on the node",
            Self::Report => "The report back",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Binding => "binding",
            Self::Creation => "creation",
            Self::Report => "report",
        }
    }
}

/// One thing that somebody did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: i64,
    pub(super) revision: u64,
    pub(super) stage: Stage,
    pub(super) who: String,
    pub(super) what: String,
    /// What it was done to, `pod/web-1`.
    pub(super) object: String,
}

/// A story, and when it had come to its end.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) steps: Vec<Step>,
    pub(super) ready: Option<i64>,
}

/// Tells the story of the object with this uid, up to when it was ready, or `all` of it.
pub(super) fn tell(frames: &[Frame], uid: &str, all: bool) -> Story {
    let mut story = Story { steps: Vec::new(), ready: None };
    let mut known: BTreeMap<&str, &Value> = BTreeMap::new();
    // What never tells how it is, is ready when it is there.
    let last = frames.iter().rfind(|frame| text(&frame.object["metadata"]["uid"]) == uid);
    let silent = last.is_some_and(|frame| !tells(&frame.object));
    for frame in frames {
        let own = text(&frame.object["metadata"]["uid"]);
        let step = match about(&frame.object) {
            Some(about) if known.contains_key(about) => Some(event(frame)),
            Some(_) => None,
            None if own == uid || is_of(&frame.object, &known) => Some(write(frame, known.insert(own, &frame.object))),
            None => None,
        };
        story.steps.extend(step);
        if own == uid && story.ready.is_none() && (silent || is_ready(&frame.object)) {
            story.ready = Some(frame.at);
            if !all {
                break;
            }
        }
    }
    story
}

/// Whom an Event is about.
fn about(object: &Value) -> Option<&str> {
    some_text(&object["involvedObject"]["uid"]).or_else(|| some_text(&object["regarding"]["uid"]))
}

/// Whether it was told before, or belongs to what was.
fn is_of(object: &Value, known: &BTreeMap<&str, &Value>) -> bool {
    let owners = list(&object["metadata"]["ownerReferences"]).iter().map(|owner| text(&owner["uid"]));
    std::iter::once(text(&object["metadata"]["uid"])).chain(owners).any(|uid| known.contains_key(uid))
}

fn event(frame: &Frame) -> Step {
    let event = &frame.object;
    let object = if event["involvedObject"].is_object() { &event["involvedObject"] } else { &event["regarding"] };
    let about = format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["name"]));
    let source = some_text(&event["source"]["component"]).or_else(|| some_text(&event["reportingComponent"])).unwrap_or("-");
    let who = match some_text(&event["source"]["host"]).or_else(|| some_text(&event["reportingInstance"])) {
        Some(host) if source == KUBELET => format!("{source} of {host}"),
        _ => source.to_owned(),
    };
    let message = some_text(&event["message"]).or_else(|| some_text(&event["note"])).unwrap_or_default();
    let stage = if source == KUBELET {
        Stage::Creation
    } else if source.contains("scheduler") {
        Stage::Binding
    } else {
        Stage::Request
    };
    step(frame, stage, who, format!("event about {about}: {}: {message}", text(&event["reason"])), about)
}

fn write(frame: &Frame, before: Option<&Value>) -> Step {
    let object = &frame.object;
    let about = format!("{}/{}", frame.singular, name(object));
    let (manager, part) = writer(object, before.unwrap_or(&Value::Null));
    let node = some_text(&object["spec"]["nodeName"]);
    match (frame.what.as_str(), before) {
        ("DELETED", _) => step(frame, Stage::Report, "-".to_owned(), format!("{about} is gone"), about),
        (_, Some(before)) => {
            let words = change::words(before, object);
            let binding = some_text(&before["spec"]["nodeName"]).is_none() && node.is_some();
            let who = match (manager, node) {
                _ if binding => some_text(&object["spec"]["schedulerName"]).unwrap_or("-").to_owned(),
                (KUBELET, Some(node)) => format!("{KUBELET} of {node}"),
                (CONTROLLERS, _) if frame.singular != "pod" => controller(text(&object["kind"])),
                (manager, _) => manager.to_owned(),
            };
            let stage = if binding || manager.contains("scheduler") {
                Stage::Binding
            } else if manager == KUBELET {
                Stage::Creation
            } else if part == "status" {
                Stage::Report
            } else {
                Stage::Request
            };
            let words = if words.is_empty() { "written again".to_owned() } else { words.join(", ") };
            step(frame, stage, who, format!("{about}: {words}"), about)
        }
        (_, None) => {
            let owner = list(&object["metadata"]["ownerReferences"]).iter().find(|owner| owner["controller"] == true);
            let who = match owner {
                Some(owner) if manager == CONTROLLERS => controller(text(&owner["kind"])),
                _ => manager.to_owned(),
            };
            step(frame, Stage::Request, who, format!("created {about}"), about)
        }
    }
}

fn step(frame: &Frame, stage: Stage, who: String, what: String, object: String) -> Step {
    Step { at: frame.at, revision: frame.revision, stage, who, what, object }
}

/// The controller of a kind, as it signs its Events.
fn controller(kind: &str) -> String {
    format!("{}-controller", kind.to_lowercase())
}

/// Who wrote an object, and which part of it: whose note on the fields differs from what it was.
fn writer<'a>(after: &'a Value, before: &Value) -> (&'a str, &'a str) {
    let notes = list(&after["metadata"]["managedFields"]);
    let old = list(&before["metadata"]["managedFields"]);
    let new = notes.iter().filter(|note| !old.contains(note)).max_by_key(|note| text(&note["time"])).or(notes.last());
    new.map_or(("-", ""), |note| (text(&note["manager"]), text(&note["subresource"])))
}

/// Whether an object says at all whether it is as it was asked to be.
fn tells(object: &Value) -> bool {
    let status = &object["status"];
    ["conditions", "replicas", "readyReplicas", "numberReady", "phase", "active", "succeeded"].iter().any(|field| !status[*field].is_null())
        || object["spec"]["replicas"].is_number()
}

/// Whether an object is what was asked for.
fn is_ready(object: &Value) -> bool {
    let status = &object["status"];
    let holds = |kind: &str| list(&status["conditions"]).iter().any(|condition| condition["type"] == kind && condition["status"] == "True");
    let wanted = object["spec"]["replicas"].as_i64().or_else(|| status["desiredNumberScheduled"].as_i64());
    let ready = status["readyReplicas"].as_i64().or_else(|| status["numberReady"].as_i64()).unwrap_or_default();
    let seen = status["observedGeneration"].is_null() || status["observedGeneration"] == object["metadata"]["generation"];
    match wanted {
        Some(wanted) => seen && ready == wanted && (status["replicas"].as_i64() == Some(wanted) || status["numberReady"].is_i64()) && ready > 0,
        None => ["Ready", "Complete"].into_iter().any(holds),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frame(revision: u64, what: &str, singular: &str, object: Value) -> Frame {
        let at = i64::try_from(revision).unwrap() * 1000;
        Frame { revision, at, what: what.to_owned(), singular: singular.to_owned(), object }
    }

    fn signed(manager: &str, time: &str, part: Option<&str>) -> Value {
        json!({ "manager": manager, "time": time, "subresource": part })
    }

    /// A set of one pod, from the request until the set counts it.
    fn frames() -> Vec<Frame> {
        let user = signed("kubectl-client-side-apply", "1", None);
        let set = |notes: Value, ready: i64| {
            json!({ "kind": "ReplicaSet", "metadata": { "name": "web", "uid": "s", "managedFields": notes },
                "spec": { "replicas": 1 }, "status": { "replicas": ready, "readyReplicas": ready } })
        };
        let pod = |notes: Value, node: Option<&str>, phase: &str| {
            let owners = json!([{ "kind": "ReplicaSet", "uid": "s", "controller": true }]);
            json!({ "kind": "Pod", "metadata": { "name": "web-1", "uid": "p", "ownerReferences": owners, "managedFields": notes },
                "spec": { "nodeName": node, "schedulerName": "default-scheduler" }, "status": { "phase": phase } })
        };
        let (made, told) = (signed(CONTROLLERS, "2", None), signed(KUBELET, "3", Some("status")));
        let event = json!({ "metadata": { "uid": "e" }, "involvedObject": { "kind": "Pod", "name": "web-1", "uid": "p" }, "reason": "Pulled",
            "message": "Container image present", "source": { "component": KUBELET, "host": "n1" } });
        let other = json!({ "metadata": { "name": "other", "uid": "o" } });
        vec![
            frame(1, "ADDED", "replicaset.apps", set(json!([user]), 0)),
            frame(2, "ADDED", "configmap", other),
            frame(3, "ADDED", "pod", pod(json!([made]), None, "Pending")),
            frame(4, "MODIFIED", "pod", pod(json!([made]), Some("n1"), "Pending")),
            frame(5, "ADDED", "event", event),
            frame(6, "MODIFIED", "pod", pod(json!([made, told]), Some("n1"), "Running")),
            frame(7, "MODIFIED", "replicaset.apps", set(json!([user, signed(CONTROLLERS, "4", Some("status"))]), 1)),
            frame(8, "DELETED", "pod", pod(json!([made, told]), Some("n1"), "Running")),
        ]
    }

    fn told(all: bool) -> Vec<String> {
        let story = tell(&frames(), "s", all);
        assert_eq!(story.ready, Some(7000));
        story.steps.iter().map(|step| format!("{} {} | {} | {}", step.revision, step.stage.name(), step.who, step.what)).collect()
    }

    #[test]
    fn each_step_has_its_author_and_its_place() {
        assert_eq!(
            told(false),
            [
                "1 request | kubectl-client-side-apply | created replicaset.apps/web",
                "3 request | replicaset-controller | created pod/web-1",
                "4 binding | default-scheduler | pod/web-1: bound to n1",
                "5 creation | kubelet of n1 | event about pod/web-1: Pulled: Container image present",
                "6 creation | kubelet of n1 | pod/web-1: phase Running",
                "7 report | replicaset-controller | replicaset.apps/web: readyReplicas 1, replicas 1",
            ]
        );
        assert_eq!(told(true).last().unwrap(), "8 report | - | pod/web-1 is gone");
        // What has nothing to tell is ready at once.
        assert_eq!(tell(&frames(), "o", false).ready, Some(2000));
    }
}

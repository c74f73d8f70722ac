//! The events at the end of a page: which are looked for, and how they are shown.

use serde_json::Value;

use super::page::{Clock, Page, time};
use crate::{
    server::{Server, escape, with_query},
    value::{int, list, name, namespace, some_text, text},
};

/// What the events of an object say that they are about: one field selector for each question to be asked.
pub(super) type About = fn(&Value) -> Vec<String>;

/// For kinds whose page has no events.
pub(super) fn none(_: &Value) -> Vec<String> {
    Vec::new()
}

/// For kinds that are named in full by whoever writes events about them.
pub(super) fn own(object: &Value) -> Vec<String> {
    vec![involved(object, Some(text(&object["kind"])), text(&object["metadata"]["uid"]))]
}

/// The selector of events about an object under that UID.
pub(super) fn involved(object: &Value, kind: Option<&str>, uid: &str) -> String {
    let namespace = namespace(object).unwrap_or_default();
    let mut fields = vec![format!("involvedObject.name={}", name(object)), format!("involvedObject.namespace={namespace}")];
    fields.extend(kind.map(|kind| format!("involvedObject.kind={kind}")));
    fields.push(format!("involvedObject.uid={uid}"));
    fields.join(",")
}

/// The events about the object, the oldest first; none where they cannot be read. `None` if its kind has none.
pub(super) async fn read(server: &Server, about: About, object: &Value) -> Option<Vec<Value>> {
    let selectors = about(object);
    if selectors.is_empty() {
        return None;
    }
    let path = match namespace(object) {
        Some(namespace) => format!("/api/v1/namespaces/{}/events", escape(namespace)),
        None => "/api/v1/events".to_owned(),
    };
    let mut events = Vec::new();
    for selector in selectors {
        if let Ok(answer) = server.get(&with_query(&path, &[("fieldSelector", &selector)])).await {
            events.extend_from_slice(list(&answer["items"]));
        }
    }
    Some(events)
}

impl Page {
    /// Events, the oldest first. Nothing at all if nobody asked for them.
    pub(super) fn events(&mut self, events: Option<&[Value]>, clock: &Clock) {
        let Some(events) = events else { return };
        if events.is_empty() {
            self.field(0, "Events", "<none>");
            return;
        }
        let mut sorted: Vec<&Value> = events.iter().collect();
        sorted.sort_by_key(|event| time(&event["lastTimestamp"]));
        self.flush();
        self.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
        self.line(1, "----\t------\t----\t----\t-------");
        for event in sorted {
            let source = some_text(&event["source"]["component"]).unwrap_or_else(|| text(&event["reportingComponent"]));
            let (kind, reason, message) = (text(&event["type"]), text(&event["reason"]), text(&event["message"]).trim());
            self.line(1, &format!("{kind}\t{reason}\t{}\t{source}\t{message}", how_often(event, clock)));
        }
    }
}

/// When an event happened, or how often since when.
fn how_often(event: &Value, clock: &Clock) -> String {
    let first = clock.ago(if event["eventTime"].is_string() { &event["eventTime"] } else { &event["firstTimestamp"] });
    if event["series"].is_object() {
        let series = &event["series"];
        return format!("{} (x{} over {first})", clock.ago(&series["lastObservedTime"]), int(&series["count"]));
    }
    match int(&event["count"]) {
        count @ 2.. => format!("{} (x{count} over {first})", clock.ago(&event["lastTimestamp"])),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    fn clock() -> Clock {
        Clock { now: "2026-11-20T22:40:00Z".parse().unwrap(), zone: TimeZone::UTC }
    }

    #[test]
    fn events_are_counted_and_sorted() {
        let event = |reason: &str, last: &str, count: i64| {
            json!({"type": "Normal", "reason": reason, "message": " m\n", "count": count, "source": {"component": "c"},
                "firstTimestamp": "2026-11-20T22:39:00Z", "lastTimestamp": last})
        };
        let mut page = Page::default();
        page.field(0, "A very long title indeed", "x");
        page.events(Some(&[event("B", "2026-11-20T22:39:50Z", 3), event("A", "2026-11-20T22:39:10Z", 1)]), &clock());
        assert_eq!(
            page.finish(),
            "A very long title indeed:  x\nEvents:\n  Type    Reason  Age                From  Message\n  ----    ------  ----               ----  -------\n\
             \x20 Normal  A       60s                c     m\n  Normal  B       10s (x3 over 60s)  c     m\n"
        );
    }

    #[test]
    fn events_of_the_newer_kind() {
        let event = json!({"eventTime": "2026-11-20T22:39:00.000000Z", "firstTimestamp": null, "series": {"count": 4, "lastObservedTime": "2026-11-20T22:39:55.000000Z"}});
        assert_eq!(how_often(&event, &clock()), "5s (x4 over 60s)");
    }

    #[test]
    fn events_are_looked_for_under_the_name_of_the_object() {
        let volume = json!({"kind": "PersistentVolume", "metadata": {"name": "v", "uid": "u"}});
        assert_eq!(
            own(&volume),
            ["involvedObject.name=v,involvedObject.namespace=,involvedObject.kind=PersistentVolume,involvedObject.uid=u"]
        );
    }
}

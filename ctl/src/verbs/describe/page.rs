//! The parts that many pages share: labels, annotations, times, taints and tolerations, conditions, events. Every line is
//! kubectl's, spaces at the end of lines included.

use jiff::Timestamp;
use serde_json::Value;

use super::Clock;
use crate::{
    patch::LAST_APPLIED,
    print::TabWriter,
    value::{int, list, some_text, strings, text},
};

/// Longer annotations get lines of their own, and are cut.
const LONGEST_ANNOTATION: usize = 140;

/// A description in the making.
pub(super) struct Page {
    writer: TabWriter,
}

impl Default for Page {
    fn default() -> Self {
        Self { writer: TabWriter::page() }
    }
}

impl Page {
    /// The text.
    pub(super) fn finish(mut self) -> String {
        self.writer.take()
    }

    /// One line; tabs separate columns.
    pub(super) fn line(&mut self, level: usize, text: &str) {
        for line in text.split('\n') {
            self.writer.line(&format!("{}{line}", "  ".repeat(level)));
        }
    }

    /// `Name:  value`.
    pub(super) fn field(&mut self, level: usize, name: &str, value: impl AsRef<str>) {
        self.line(level, &format!("{name}:\t{}", value.as_ref()));
    }

    /// `Name:  value`, if there is a value.
    pub(super) fn optional(&mut self, level: usize, name: &str, value: &Value) {
        if let Some(value) = some_text(value) {
            self.field(level, name, value);
        }
    }

    /// Ends all columns.
    pub(super) fn flush(&mut self) {
        self.writer.flush();
    }

    /// Name, and namespace if there is one.
    pub(super) fn identity(&mut self, object: &Value) {
        self.field(0, "Name", text(&object["metadata"]["name"]));
        self.optional(0, "Namespace", &object["metadata"]["namespace"]);
    }

    /// Labels and annotations.
    pub(super) fn labels_and_annotations(&mut self, object: &Value) {
        self.labels("Labels", &object["metadata"]["labels"]);
        self.annotations("Annotations", &object["metadata"]["annotations"]);
    }

    /// A map, one entry a line: `key=value`.
    pub(super) fn labels(&mut self, title: &str, labels: &Value) {
        self.column(title, strings(labels).map(|(key, value)| format!("{key}={value}")));
    }

    /// Lines of which the first stands beside the title and the others under the first.
    pub(super) fn column(&mut self, title: &str, lines: impl Iterator<Item = String>) {
        let mut any = false;
        for line in lines {
            self.line(0, &if any { format!("\t{line}") } else { format!("{title}:\t{line}") });
            any = true;
        }
        if !any {
            self.field(0, title, "<none>");
        }
    }

    /// Annotations, one a line, without the one that `apply` keeps its notes in.
    pub(super) fn annotations(&mut self, title: &str, annotations: &Value) {
        let mut lines = Vec::new();
        for (key, value) in strings(annotations).filter(|(key, _)| *key != LAST_APPLIED) {
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key.len() + value.len() + 2 > LONGEST_ANNOTATION || value.contains('\n') {
                lines.push(format!("{key}:"));
                lines.extend(value.split('\n').map(|line| format!("  {}", shorten(line, LONGEST_ANNOTATION - 2))));
            } else {
                lines.push(format!("{key}: {value}"));
            }
        }
        self.column(title, lines.into_iter());
    }

    /// Tolerations, sorted by key.
    pub(super) fn tolerations(&mut self, title: &str, tolerations: &Value) {
        let mut sorted: Vec<&Value> = list(tolerations).iter().collect();
        sorted.sort_by_key(|toleration| text(&toleration["key"]));
        self.column(title, sorted.into_iter().map(toleration));
    }

    /// Conditions with type, status and reason.
    pub(super) fn conditions(&mut self, conditions: &Value) {
        if list(conditions).is_empty() {
            return;
        }
        self.line(0, "Conditions:\n  Type\tStatus\tReason");
        self.line(1, "----\t------\t------");
        for condition in list(conditions) {
            self.line(1, &format!("{} \t{}\t{}", text(&condition["type"]), text(&condition["status"]), text(&condition["reason"])));
        }
    }

    /// Events, the oldest first. Nothing at all if they could not be read.
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
            self.line(1, &format!("{kind}\t{reason}\t{}\t{source}\t{message}", clock.how_often(event)));
        }
    }
}

impl Clock {
    /// A time as `Fri, 20 Nov 2026 22:39:37 +0000`, where the user lives; what is missing is the zero of Go's time.
    pub(super) fn date(&self, value: &Value) -> String {
        match time(value) {
            Some(time) => time.to_zoned(self.zone.clone()).strftime("%a, %d %b %Y %H:%M:%S %z").to_string(),
            None => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
        }
    }

    /// How long ago that was, in few letters.
    pub(super) fn ago(&self, value: &Value) -> String {
        match time(value) {
            Some(time) => mini_api::age::human(self.now.duration_since(time).as_secs()),
            None => "<unknown>".to_owned(),
        }
    }

    /// When an event happened, or how often since when.
    fn how_often(&self, event: &Value) -> String {
        let first = if event["eventTime"].is_string() { self.ago(&event["eventTime"]) } else { self.ago(&event["firstTimestamp"]) };
        if event["series"].is_object() {
            let series = &event["series"];
            return format!("{} (x{} over {first})", self.ago(&series["lastObservedTime"]), int(&series["count"]));
        }
        match int(&event["count"]) {
            count @ 2.. => format!("{} (x{count} over {first})", self.ago(&event["lastTimestamp"])),
            _ => first,
        }
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// `key=value:Effect op=Exists for 300s`.
fn toleration(toleration: &Value) -> String {
    let (key, value, effect) = (text(&toleration["key"]), text(&toleration["value"]), text(&toleration["effect"]));
    let mut line = key.to_owned();
    if !value.is_empty() {
        line.push_str(&format!("={value}"));
    }
    if !effect.is_empty() {
        line.push_str(&format!(":{effect}"));
    }
    if toleration["operator"] == "Exists" && value.is_empty() {
        line.push_str(if line.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = toleration["tolerationSeconds"].as_i64() {
        line.push_str(&format!(" for {seconds}s"));
    }
    line
}

/// At most `length` bytes of the text, then dots.
fn shorten(text: &str, length: usize) -> String {
    if text.len() <= length {
        return text.to_owned();
    }
    let end = (0..=length).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}...", &text[..end])
}

/// The ports of endpoints, as a table.
pub(super) fn ports(page: &mut Page, level: usize, ports: &Value) {
    page.line(level, "Name\tPort\tProtocol");
    page.line(level, "----\t----\t--------");
    for port in list(ports) {
        let name = some_text(&port["name"]).unwrap_or("<unset>");
        page.line(level, &format!("{name}\t{}\t{}", int(&port["port"]), text(&port["protocol"])));
    }
}

/// A label selector as kubectl writes it: `app=web,tier in (a,b)`; `<none>` if it selects by nothing.
pub(super) fn selector(selector: &Value) -> String {
    let mut parts: Vec<String> = strings(&selector["matchLabels"]).map(|(key, value)| format!("{key}={value}")).collect();
    for requirement in list(&selector["matchExpressions"]) {
        let key = text(&requirement["key"]);
        let mut values: Vec<&str> = list(&requirement["values"]).iter().map(text).collect();
        values.sort_unstable();
        let values = values.join(",");
        parts.push(match text(&requirement["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    parts.sort();
    if parts.is_empty() { "<none>".to_owned() } else { parts.join(",") }
}

/// The query for the objects that a label selector selects; the same text as [`selector`], but empty for nothing.
pub(super) fn selector_query(value: &Value) -> String {
    let text = selector(value);
    if text == "<none>" { String::new() } else { text }
}

/// `Kind/name` of the controller that owns the object.
pub(super) fn controller(object: &Value) -> Option<String> {
    let owner = list(&object["metadata"]["ownerReferences"]).iter().find(|owner| owner["controller"] == true)?;
    Some(format!("{}/{}", text(&owner["kind"]), text(&owner["name"])))
}

/// Whether the object is owned by the controller with that UID.
pub(super) fn is_controlled_by(object: &Value, uid: &Value) -> bool {
    list(&object["metadata"]["ownerReferences"]).iter().any(|owner| owner["controller"] == true && owner["uid"] == *uid)
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
        assert_eq!(clock().how_often(&event), "5s (x4 over 60s)");
    }

    #[test]
    fn long_annotations_get_lines_of_their_own() {
        let mut page = Page::default();
        page.annotations("Annotations", &json!({"a": "x\ny\n", "b": "z", "l": "w".repeat(150), LAST_APPLIED: "{}"}));
        let cut = format!("{}...", "w".repeat(138));
        assert_eq!(page.finish(), format!("Annotations:  a:\n                x\n                y\n              b: z\n              l:\n                {cut}\n"));
    }

    #[test]
    fn tolerations_are_short() {
        for (value, line) in [
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}), "k:NoExecute op=Exists for 300s"),
            (json!({"key": "k", "value": "v", "effect": "NoSchedule"}), "k=v:NoSchedule"),
            (json!({"operator": "Exists"}), "op=Exists"),
        ] {
            assert_eq!(toleration(&value), line);
        }
    }

    #[test]
    fn selectors_are_sorted() {
        let value = json!({"matchLabels": {"b": "1"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}]});
        assert_eq!(selector(&value), "a in (x,y),b=1");
        assert_eq!(selector(&json!({})), "<none>");
    }
}

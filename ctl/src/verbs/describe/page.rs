//! A description in the making, and the parts that many pages share: labels, annotations, times, taints and tolerations,
//! conditions. Every line is kubectl's, spaces at the end of lines included.

use jiff::{Timestamp, tz::TimeZone};
use mini_api::quantity::Quantity;
use serde_json::Value;

use crate::{
    patch::LAST_APPLIED,
    print::TabWriter,
    value::{list, plain, some_text, strings, text},
};

/// Longer annotations get lines of their own, and are cut; so are other long entries.
pub(super) const LONGEST: usize = 140;

/// A description in the making. Text is written piece by piece; a piece begins with two spaces for each level it is written at.
pub(super) struct Page {
    writer: TabWriter,
    /// What was written since columns last ended.
    text: String,
    /// How many levels deeper everything stands at present.
    nest: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { writer: TabWriter::page(), text: String::new(), nest: 0 }
    }
}

impl Page {
    /// The text.
    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.writer.take()
    }

    /// The text with its tabs, not laid out.
    pub(super) fn raw(self) -> String {
        self.text
    }

    /// A piece of text; tabs separate columns. Only its beginning is indented, whatever it holds.
    pub(super) fn put(&mut self, level: usize, text: &str) {
        self.text.extend(std::iter::repeat_n("  ", level + self.nest));
        // What would move the cursor of a terminal, or change its colours, is shown instead.
        self.text.push_str(&text.replace('\x1b', "^[").replace('\r', "\\r"));
    }

    /// A piece of text that ends the line.
    pub(super) fn line(&mut self, level: usize, text: &str) {
        self.put(level, &format!("{text}\n"));
    }

    /// A piece of text that ends a line begun before. It is not indented, except in a nested part.
    pub(super) fn end(&mut self, text: &str) {
        self.line(0, text);
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

    /// Writes a part that stands deeper than the rest: every piece of it, those in the middle of a line too.
    pub(super) fn nested(&mut self, levels: usize, part: impl FnOnce(&mut Self)) {
        self.nest += levels;
        part(self);
        self.nest -= levels;
    }

    /// Ends all columns.
    pub(super) fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        text.lines().for_each(|line| self.writer.line(line));
        self.writer.flush();
    }

    /// Name and namespace.
    pub(super) fn identity(&mut self, object: &Value) {
        self.field(0, "Name", text(&object["metadata"]["name"]));
        self.field(0, "Namespace", text(&object["metadata"]["namespace"]));
    }

    /// Labels and annotations.
    pub(super) fn labels_and_annotations(&mut self, object: &Value) {
        self.labels("Labels", &object["metadata"]["labels"]);
        self.annotations("Annotations", &object["metadata"]["annotations"]);
    }

    /// A map, one entry a line: `key=value`.
    pub(super) fn labels(&mut self, title: &str, labels: &Value) {
        self.column(0, title, strings(labels).map(|(key, value)| format!("{key}={value}")));
    }

    /// Lines of which the first stands beside the title and the others under the first.
    pub(super) fn column(&mut self, level: usize, title: &str, lines: impl IntoIterator<Item = String>) {
        self.put(level, &format!("{title}:\t"));
        let mut any = false;
        for line in lines {
            if any {
                self.put(0, "\t");
            }
            self.line(0, &line);
            any = true;
        }
        if !any {
            self.end("<none>");
        }
    }

    /// Annotations, one a line, without the one that `apply` keeps its notes in.
    pub(super) fn annotations(&mut self, title: &str, annotations: &Value) {
        self.put(0, &format!("{title}:\t"));
        let mut any = false;
        for (key, value) in strings(annotations).filter(|(key, _)| *key != LAST_APPLIED) {
            if any {
                self.put(0, "\t");
            }
            any = true;
            let value = value.strip_suffix('\n').unwrap_or(value);
            if key.len() + value.len() + 2 > LONGEST || value.contains('\n') {
                self.line(0, &format!("{key}:"));
                value.split('\n').for_each(|line| self.line(0, &format!("\t  {}", shorten(line, LONGEST - 2))));
            } else {
                self.line(0, &format!("{key}: {value}"));
            }
        }
        if !any {
            self.end("<none>");
        }
    }

    /// Tolerations, sorted by key.
    pub(super) fn tolerations(&mut self, title: &str, tolerations: &Value) {
        let mut sorted: Vec<&Value> = list(tolerations).iter().collect();
        sorted.sort_by_key(|toleration| text(&toleration["key"]));
        self.column(0, title, sorted.into_iter().map(toleration));
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

    /// Conditions with when they last changed, and why.
    pub(super) fn changed_conditions(&mut self, conditions: &Value, clock: &Clock) {
        self.line(0, "Conditions:");
        self.line(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        self.line(1, "----\t------\t------------------\t------\t-------");
        for condition in list(conditions) {
            let field = |name: &str| text(&condition[name]);
            let changed = clock.date(&condition["lastTransitionTime"]);
            self.line(1, &format!("{}\t{}\t{changed}\t{}\t{}", field("type"), field("status"), field("reason"), field("message")));
        }
    }
}

/// Now, and where the user lives.
pub(super) struct Clock {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

impl Clock {
    /// A time as `Fri, 20 Nov 2026 22:39:37 +0000`, where the user lives; what is missing is the zero of Go's time.
    pub(super) fn date(&self, value: &Value) -> String {
        match time(value) {
            Some(time) => time.to_zoned(self.zone.clone()).strftime("%a, %d %b %Y %H:%M:%S %z").to_string(),
            None => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
        }
    }

    /// A time as `2026-11-20 22:39:37 +0000 UTC`.
    pub(super) fn plain_date(&self, value: &Value) -> String {
        match time(value) {
            Some(time) => time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string(),
            None => "0001-01-01 00:00:00 +0000 UTC".to_owned(),
        }
    }

    /// How long ago that was, in few letters.
    pub(super) fn ago(&self, value: &Value) -> String {
        match time(value) {
            Some(time) => mini_api::age::human(self.now.duration_since(time).as_secs()),
            None => "<unknown>".to_owned(),
        }
    }
}

pub(super) fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// A quantity in its canonical form; nothing is `0`.
pub(super) fn quantity(value: &Value) -> String {
    Quantity::parse(&plain(value)).unwrap_or_default().to_string()
}

/// `True`, `False`, or that nobody said.
pub(super) fn truth(value: &Value) -> &'static str {
    match value.as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    }
}

/// The texts of a list as Go prints them: `[a b]`.
pub(super) fn go_list(value: &Value) -> String {
    format!("[{}]", joined(value, " "))
}

/// The texts of a list.
pub(super) fn joined(value: &Value, separator: &str) -> String {
    list(value).iter().map(text).collect::<Vec<_>>().join(separator)
}

pub(super) fn none_if_empty(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
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
pub(super) fn shorten(text: &str, length: usize) -> String {
    if text.len() <= length {
        return text.to_owned();
    }
    let end = (0..=length).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}...", &text[..end])
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
    use serde_json::json;

    #[test]
    fn long_annotations_get_lines_of_their_own() {
        let mut page = Page::default();
        page.annotations("Annotations", &json!({"a": "x\ny\n", "b": "z", "l": "w".repeat(150), LAST_APPLIED: "{}"}));
        let cut = format!("{}...", "w".repeat(138));
        assert_eq!(
            page.finish(),
            format!("Annotations:  a:\n                x\n                y\n              b: z\n              l:\n                {cut}\n")
        );
    }

    #[test]
    fn every_piece_of_a_nested_part_is_indented() {
        let mut page = Page::default();
        page.nested(2, |page| {
            page.labels("Labels", &json!({"a": "b", "c": "d"}));
            page.annotations("Annotations", &json!({}));
        });
        assert_eq!(page.finish(), "    Labels:           a=b\n                      c=d\n    Annotations:      <none>\n");
    }

    #[test]
    fn only_the_beginning_of_a_piece_is_indented_and_nothing_reaches_the_terminal_raw() {
        let mut page = Page::default();
        page.line(1, "a\nb\x1b[31m\r");
        assert_eq!(page.finish(), "  a\nb^[[31m\\r\n");
    }

    #[test]
    fn tolerations_are_short() {
        for (value, line) in [
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}), "k:NoExecute op=Exists for 300s"),
            (json!({"key": "k", "value": "v", "effect": "NoSchedule"}), "k=v:NoSchedule"),
            (json!({"operator": "Exists"}), "op=Exists"),
            (json!({"operator": "Exists", "effect": "NoExecute"}), ":NoExecute op=Exists"),
        ] {
            assert_eq!(toleration(&value), line);
        }
    }

    #[test]
    fn values_read_as_go_prints_them() {
        assert_eq!(quantity(&json!("0.5Gi")), "512Mi");
        assert_eq!(quantity(&Value::Null), "0");
        assert_eq!((truth(&json!(true)), truth(&json!(false)), truth(&Value::Null)), ("True", "False", "<unset>"));
        assert_eq!(go_list(&json!(["a", "b"])), "[a b]");
        assert_eq!(go_list(&Value::Null), "[]");
    }
}

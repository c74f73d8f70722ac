//! The page of a ConfigMap.

use super::{Describer, View, nothing_else, page::Page};
use crate::value::strings;

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "ConfigMap", related: nothing_else, render };

fn render(view: &View<'_>, page: &mut Page) {
    page.identity(view.object);
    page.labels_and_annotations(view.object);
    page.line(0, "\nData\n====");
    for (key, value) in strings(&view.object["data"]) {
        page.line(0, &format!("{key}:\n----\n{value}\n"));
    }
    page.line(0, "\nBinaryData\n====");
    for (key, value) in strings(&view.object["binaryData"]) {
        page.line(0, &format!("{key}: {} bytes", decoded_length(value)));
    }
    page.line(0, "");
    page.events(view.events, view.clock);
}

/// How many bytes a base64 text stands for.
pub(super) fn decoded_length(base64: &str) -> usize {
    let digits = base64.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').count();
    digits * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// `kubectl describe configmap conf`, as recorded.
    #[test]
    fn as_kubectl_prints_it() {
        let map = json!({"metadata": {"name": "conf", "namespace": "default"}, "data": {"a": "b", "c": "d"}});
        assert_eq!(
            described(&DESCRIBER, &map, Vec::new(), &[]),
            "Name:         conf\nNamespace:    default\nLabels:       <none>\nAnnotations:  <none>\n\nData\n====\na:\n----\nb\n\nc:\n----\nd\n\n\nBinaryData\n====\n\nEvents:  <none>\n"
        );
    }

    #[test]
    fn base64_is_measured() {
        for (text, length) in [("", 0), ("eA==", 1), ("eHk=", 2), ("eHl6", 3)] {
            assert_eq!(decoded_length(text), length, "{text}");
        }
    }
}

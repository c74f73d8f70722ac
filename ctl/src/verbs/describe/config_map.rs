//! The page of a ConfigMap.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Describer, View, events, nothing_else, page::Page};
use crate::value::strings;

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "ConfigMap", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    page.identity(view.object);
    page.labels_and_annotations(view.object);
    page.line(0, "\nData\n====");
    for (key, value) in strings(&view.object["data"]) {
        page.line(0, &format!("{key}:\n----\n{value}\n"));
    }
    page.line(0, "\nBinaryData\n====");
    for (key, value) in strings(&view.object["binaryData"]) {
        page.line(0, &format!("{key}: {} bytes", STANDARD.decode(value).unwrap_or_default().len()));
    }
    page.line(0, "");
    page.events(view.events, view.clock);
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
}

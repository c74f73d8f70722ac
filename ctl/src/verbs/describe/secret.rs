//! The page of a Secret: how much it holds, not what.

use super::{Describer, View, config_map::decoded_length, nothing_else, page::Page};
use crate::value::{strings, text};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Secret", related: nothing_else, render };

fn render(view: &View<'_>, page: &mut Page) {
    page.identity(view.object);
    page.labels_and_annotations(view.object);
    page.line(0, &format!("\nType:\t{}", text(&view.object["type"])));
    page.line(0, "\nData\n====");
    for (key, value) in strings(&view.object["data"]) {
        page.field(0, key, format!("{} bytes", decoded_length(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// `kubectl describe secret sec`, as recorded.
    #[test]
    fn as_kubectl_prints_it() {
        let secret = json!({"metadata": {"name": "sec", "namespace": "default"}, "type": "Opaque", "data": {"pw": "eA=="}});
        assert_eq!(
            described(&DESCRIBER, &secret, Vec::new(), &[]),
            "Name:         sec\nNamespace:    default\nLabels:       <none>\nAnnotations:  <none>\n\nType:  Opaque\n\nData\n====\npw:  1 bytes\n"
        );
    }
}

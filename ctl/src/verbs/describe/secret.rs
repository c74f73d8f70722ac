//! The page of a Secret: how much it holds, not what, unless it is a token.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Describer, View, events, nothing_else, page::Page};
use crate::value::{strings, text};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Secret", related: nothing_else, events: events::none, render };

fn render(view: &View<'_>, page: &mut Page) {
    let kind = text(&view.object["type"]);
    page.identity(view.object);
    page.labels_and_annotations(view.object);
    page.line(0, &format!("\nType:\t{kind}"));
    page.line(0, "\nData\n====");
    for (key, value) in strings(&view.object["data"]) {
        let value = STANDARD.decode(value).unwrap_or_default();
        // A token is there to be copied out of the page.
        if key == "token" && kind == "kubernetes.io/service-account-token" {
            page.field(0, key, String::from_utf8_lossy(&value));
        } else {
            page.field(0, key, format!("{} bytes", value.len()));
        }
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

//! The page of a ServiceAccount.

use super::{Describer, View, nothing_else, page::Page};
use crate::value::{list, text};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "ServiceAccount", related: nothing_else, render };

fn render(view: &View<'_>, page: &mut Page) {
    let account = view.object;
    page.identity(account);
    page.labels_and_annotations(account);
    let names = |field: &str| list(&account[field]).iter().map(|reference| text(&reference["name"]).to_owned()).collect::<Vec<_>>();
    page.column("Image pull secrets", names("imagePullSecrets").into_iter());
    page.column("Mountable secrets", names("secrets").into_iter());
    // Tokens have not been kept in Secrets since 1.24; the line is still part of the page.
    page.field(0, "Tokens", "<none>");
    page.events(view.events, view.clock);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// `kubectl describe sa default`, as recorded.
    #[test]
    fn as_kubectl_prints_it() {
        let account = json!({"metadata": {"name": "default", "namespace": "default"}});
        assert_eq!(
            described(&DESCRIBER, &account, Vec::new(), &[]),
            "\
Name:                default
Namespace:           default
Labels:              <none>
Annotations:         <none>
Image pull secrets:  <none>
Mountable secrets:   <none>
Tokens:              <none>
Events:              <none>
"
        );
    }
}

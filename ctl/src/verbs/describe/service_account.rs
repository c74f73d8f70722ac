//! The page of a ServiceAccount.

use serde_json::Value;

use super::{Describer, View, events, page::Page};
use crate::{
    server::escape,
    value::{list, name, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "ServiceAccount", related, events: events::own, render };

const TOKEN: &str = "kubernetes.io/service-account-token";
const NAME: &str = "kubernetes.io/service-account.name";
const UID: &str = "kubernetes.io/service-account.uid";

fn related(account: &Value) -> Vec<(&'static str, String)> {
    vec![("secrets", format!("/api/v1/namespaces/{}/secrets", escape(text(&account["metadata"]["namespace"]))))]
}

fn render(view: &View<'_>, page: &mut Page) {
    let account = view.object;
    let secrets = view.objects("secrets");
    page.identity(account);
    page.labels_and_annotations(account);
    for (title, field) in [("Image pull secrets", "imagePullSecrets"), ("Mountable secrets", "secrets")] {
        page.column(0, title, list(&account[field]).iter().map(|reference| referred(text(&reference["name"]), secrets)));
    }
    let own = |secret: &&Value| {
        let annotations = &secret["metadata"]["annotations"];
        secret["type"] == TOKEN && annotations[NAME] == name(account) && annotations[UID] == account["metadata"]["uid"]
    };
    page.column(0, "Tokens", secrets.unwrap_or_default().iter().filter(own).map(|secret| name(secret).to_owned()));
    page.events(view.events, view.clock);
}

/// The name, with a remark if there is known to be no such Secret.
fn referred(wanted: &str, secrets: Option<&[Value]>) -> String {
    match secrets {
        Some(secrets) if !secrets.iter().any(|secret| name(secret) == wanted) => format!("{wanted} (not found)"),
        _ => wanted.to_owned(),
    }
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

    #[test]
    fn secrets_are_looked_up() {
        let account = json!({"metadata": {"name": "robot", "uid": "u"}, "secrets": [{"name": "sec"}, {"name": "gone"}]});
        let token = json!({"metadata": {"name": "tok", "annotations": {NAME: "robot", UID: "u"}}, "type": TOKEN});
        let secrets = json!({"items": [{"metadata": {"name": "sec"}}, token]});
        let text = described(&DESCRIBER, &account, vec![("secrets", Ok(secrets))], &[]);
        assert!(text.contains("Mountable secrets:   sec\n                     gone (not found)\nTokens:              tok\n"), "{text}");
    }
}

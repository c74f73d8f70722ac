//! The page of a ResourceQuota.

use mini_api::quantity::Quantity;
use serde_json::Value;

use super::{Describer, View, events, nothing_else, page::Page};
use crate::value::{list, plain, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "", kind: "ResourceQuota", related: nothing_else, events: events::none, render };

fn render(view: &View<'_>, page: &mut Page) {
    let quota = view.object;
    page.identity(quota);
    scopes(page, 0, &quota["spec"]["scopes"], " * ");
    page.line(0, "Resource\tUsed\tHard");
    page.line(0, "--------\t----\t----");
    let status = &quota["status"];
    for (resource, hard) in status["hard"].as_object().into_iter().flatten() {
        let read = |value: &Value| Quantity::parse(&plain(value)).unwrap_or_default();
        let (hard, mut used) = (read(hard), read(&status["used"][resource]));
        if hard.format() != used.format() {
            used = Quantity::from_value(used.value(), hard.format());
        }
        page.line(0, &format!("{resource}\t{used}\t{hard}"));
    }
}

/// Which objects the quota is about, with a word on each scope that kubectl has one for.
pub(super) fn scopes(page: &mut Page, level: usize, scopes: &Value, bullet: &str) {
    let mut scopes: Vec<&str> = list(scopes).iter().map(text).collect();
    if scopes.is_empty() {
        return;
    }
    scopes.sort_unstable();
    page.field(level, "Scopes", scopes.join(", "));
    for scope in scopes {
        let help = match scope {
            "Terminating" => {
                "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being actively terminated by the system."
            }
            "NotTerminating" => {
                "Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate."
            }
            "BestEffort" => "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
            "NotBestEffort" => {
                "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed quality of service."
            }
            _ => continue,
        };
        page.line(level, &format!("{bullet}{help}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn used_is_written_as_hard_is() {
        let quota = json!({"metadata": {"name": "quota", "namespace": "small"}, "status": {
            "hard": {"pods": "5", "requests.cpu": "2", "requests.memory": "1Gi"}, "used": {"pods": "1", "requests.cpu": "100m", "requests.memory": "107374182400m"}}});
        assert_eq!(
            described(&DESCRIBER, &quota, Vec::new(), &[]),
            "\
Name:            quota
Namespace:       small
Resource         Used       Hard
--------         ----       ----
pods             1          5
requests.cpu     100m       2
requests.memory  107374183  1Gi
"
        );
    }

    #[test]
    fn scopes_are_explained() {
        let mut page = Page::default();
        scopes(&mut page, 0, &json!(["PriorityClass", "BestEffort"]), " * ");
        assert_eq!(
            page.finish(),
            "Scopes:  BestEffort, PriorityClass\n * Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.\n"
        );
    }
}

//! The page of a Namespace, with its quotas and limit ranges.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Describer, View, page::Page};
use crate::{
    server::escape,
    value::{list, name, some_text, strings, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Namespace", related, render };

fn related(namespace: &Value) -> Vec<(&'static str, String)> {
    let base = format!("/api/v1/namespaces/{}", escape(name(namespace)));
    vec![("quotas", format!("{base}/resourcequotas")), ("limits", format!("{base}/limitranges"))]
}

fn render(view: &View<'_>, page: &mut Page) {
    let namespace = view.object;
    page.field(0, "Name", name(namespace));
    page.labels_and_annotations(namespace);
    page.field(0, "Status", text(&namespace["status"]["phase"]));
    let conditions = list(&namespace["status"]["conditions"]);
    if !conditions.is_empty() {
        page.line(0, "Conditions:\n  Type\tStatus\tLastTransitionTime\tReason\tMessage");
        page.line(1, "----\t------\t------------------\t------\t-------");
        for condition in conditions {
            let field = |name: &str| text(&condition[name]);
            let changed = view.clock.date(&condition["lastTransitionTime"]);
            page.line(1, &format!("{}\t{}\t{changed}\t{}\t{}", field("type"), field("status"), field("reason"), field("message")));
        }
    }
    // A server without these kinds has nothing to say about them.
    if let Some(quotas) = view.objects("quotas") {
        page.line(0, "");
        self::quotas(page, quotas);
    }
    if let Some(ranges) = view.objects("limits") {
        page.line(0, "");
        limits(page, ranges);
    }
}

fn quotas(page: &mut Page, quotas: &[Value]) {
    if quotas.is_empty() {
        page.line(0, "No resource quota.");
        return;
    }
    page.line(0, "Resource Quotas");
    for quota in quotas {
        page.field(1, "Name", name(quota));
        page.line(1, "Resource\tUsed\tHard");
        page.line(1, "--------\t---\t---");
        for (resource, hard) in strings(&quota["status"]["hard"]) {
            page.line(1, &format!("{resource}\t{}\t{hard}", text(&quota["status"]["used"][resource])));
        }
    }
}

fn limits(page: &mut Page, ranges: &[Value]) {
    if ranges.is_empty() {
        page.line(0, "No LimitRange resource.");
        return;
    }
    page.line(0, "Resource Limits");
    page.line(0, " Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    page.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    const COLUMNS: [&str; 5] = ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"];
    for limit in ranges.iter().flat_map(|range| list(&range["spec"]["limits"])) {
        let resources: BTreeSet<&str> = COLUMNS.iter().flat_map(|column| strings(&limit[*column])).map(|(resource, _)| resource).collect();
        for resource in resources {
            let cells: Vec<&str> = COLUMNS.iter().map(|column| some_text(&limit[*column][resource]).unwrap_or("-")).collect();
            page.line(0, &format!(" {}\t{resource}\t{}", text(&limit["type"]), cells.join("\t")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::usage;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    fn namespace(name: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}, "status": {"phase": "Active"}})
    }

    /// `kubectl describe ns`, as recorded.
    #[test]
    fn with_and_without_quotas() {
        let none = || Ok(json!({"items": []}));
        assert_eq!(
            described(&DESCRIBER, &namespace("default"), vec![("quotas", none()), ("limits", none())], &[]),
            "Name:         default\nLabels:       kubernetes.io/metadata.name=default\nAnnotations:  <none>\nStatus:       Active\n\nNo resource quota.\n\nNo LimitRange resource.\n"
        );
        let quota = json!({"items": [{"metadata": {"name": "rq-min"}, "status": {"hard": {"pods": "5", "requests.cpu": "2"}, "used": {"pods": "1", "requests.cpu": "100m"}}}]});
        let range = json!({"items": [{"metadata": {"name": "lr-min"}, "spec": {"limits": [{"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}}]}}]});
        let text = described(&DESCRIBER, &namespace("ns-min"), vec![("quotas", Ok(quota)), ("limits", Ok(range))], &[]);
        let end = "
Resource Quotas
  Name:         rq-min
  Resource      Used  Hard
  --------      ---   ---
  pods          1     5
  requests.cpu  100m  2

Resource Limits
 Type       Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio
 ----       --------  ---  ---  ---------------  -------------  -----------------------
 Container  cpu       -    -    100m             500m           -
";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_server_without_quotas_is_not_blamed() {
        let missing = || Err(usage("the server could not find the requested resource"));
        let text = described(&DESCRIBER, &namespace("default"), vec![("quotas", missing()), ("limits", missing())], &[]);
        assert!(text.ends_with("Status:       Active\n"), "{text}");
    }
}

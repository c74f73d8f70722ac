//! The page of a Namespace, with its quotas and limit ranges.

use serde_json::Value;

use super::{
    Describer, View, events,
    limit_range::limits,
    page::{Page, quantity},
    resource_quota::scopes,
};
use crate::{
    server::escape,
    value::{list, name, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Namespace", related, events: events::none, render };

fn related(namespace: &Value) -> Vec<(&'static str, String)> {
    let base = format!("/api/v1/namespaces/{}", escape(name(namespace)));
    vec![("quotas", format!("{base}/resourcequotas")), ("limits", format!("{base}/limitranges"))]
}

fn render(view: &View<'_>, page: &mut Page) {
    let namespace = view.object;
    page.field(0, "Name", name(namespace));
    page.labels_and_annotations(namespace);
    page.field(0, "Status", text(&namespace["status"]["phase"]));
    let conditions = &namespace["status"]["conditions"];
    if !list(conditions).is_empty() {
        page.changed_conditions(conditions, view.clock);
    }
    // A server without these kinds has nothing to say about them.
    if let Some(quotas) = view.objects("quotas") {
        page.line(0, "");
        self::quotas(page, quotas);
    }
    if let Some(ranges) = view.objects("limits") {
        page.line(0, "");
        self::ranges(page, ranges);
    }
}

fn quotas(page: &mut Page, quotas: &[Value]) {
    if quotas.is_empty() {
        page.line(0, "No resource quota.");
        return;
    }
    let mut sorted: Vec<&Value> = quotas.iter().collect();
    sorted.sort_by_key(|quota| name(quota));
    page.line(0, "Resource Quotas");
    for quota in sorted {
        page.field(1, "Name", name(quota));
        scopes(page, 1, &quota["spec"]["scopes"], "* ");
        page.line(1, "Resource\tUsed\tHard");
        page.line(1, "--------\t---\t---");
        let status = &quota["status"];
        for (resource, hard) in status["hard"].as_object().into_iter().flatten() {
            page.line(1, &format!("{resource}\t{}\t{}", quantity(&status["used"][resource]), quantity(hard)));
        }
    }
}

fn ranges(page: &mut Page, ranges: &[Value]) {
    if ranges.is_empty() {
        page.line(0, "No LimitRange resource.");
        return;
    }
    page.line(0, "Resource Limits");
    page.line(0, " Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio");
    page.line(0, " ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
    ranges.iter().for_each(|range| limits(page, range, " "));
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

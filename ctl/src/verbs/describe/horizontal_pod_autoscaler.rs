//! The page of a HorizontalPodAutoscaler, in its second version whatever version was asked for.

use serde_json::Value;

use super::{
    Describer, View, events,
    page::{Page, quantity},
};
use crate::{
    server::escape,
    value::{int, list, name, plain, text},
};

pub(super) const DESCRIBER: Describer =
    Describer { group: "autoscaling", kind: "HorizontalPodAutoscaler", related, events: events::own, render };

fn related(autoscaler: &Value) -> Vec<(&'static str, String)> {
    if autoscaler["apiVersion"] == "autoscaling/v2" {
        return Vec::new();
    }
    let namespace = escape(text(&autoscaler["metadata"]["namespace"]));
    let path = format!("/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{}", escape(name(autoscaler)));
    vec![("second", path)]
}

fn render(view: &View<'_>, page: &mut Page) {
    let autoscaler = view.answer("second").and_then(|answer| answer.as_ref().ok()).unwrap_or(view.object);
    let (spec, status) = (&autoscaler["spec"], &autoscaler["status"]);
    let target = &spec["scaleTargetRef"];
    page.identity(autoscaler);
    page.labels_and_annotations(autoscaler);
    page.field(0, "CreationTimestamp", view.clock.date(&autoscaler["metadata"]["creationTimestamp"]));
    page.field(0, "Reference", format!("{}/{}", text(&target["kind"]), text(&target["name"])));
    page.field(0, "Metrics", "( current / target )");
    for (at, wanted) in list(&spec["metrics"]).iter().enumerate() {
        page.line(1, &metric(wanted, &status["currentMetrics"][at]));
    }
    page.field(0, "Min replicas", if spec["minReplicas"].is_null() { "<unset>".to_owned() } else { plain(&spec["minReplicas"]) });
    page.field(0, "Max replicas", int(&spec["maxReplicas"]).to_string());
    if spec["behavior"].is_object() {
        page.line(0, "Behavior:");
        behavior(page, "Scale Up", &spec["behavior"]["scaleUp"]);
        behavior(page, "Scale Down", &spec["behavior"]["scaleDown"]);
    }
    let (current, desired) = (int(&status["currentReplicas"]), int(&status["desiredReplicas"]));
    page.field(0, &format!("{} pods", text(&target["kind"])), format!("{current} current / {desired} desired"));
    if !list(&status["conditions"]).is_empty() {
        page.line(0, "Conditions:");
        page.line(1, "Type\tStatus\tReason\tMessage");
        page.line(1, "----\t------\t------\t-------");
    }
    for condition in list(&status["conditions"]) {
        let field = |name: &str| text(&condition[name]);
        page.line(1, &format!("{}\t{}\t{}\t{}", field("type"), field("status"), field("reason"), field("message")));
    }
    page.events(view.events, view.clock);
}

/// One metric: what it is, how it stands, and how it should.
fn metric(wanted: &Value, current: &Value) -> String {
    let source = |of: &'_ str| (wanted[of].clone(), current[of].clone());
    let metric = |source: &Value| text(&source["metric"]["name"]).to_owned();
    match text(&wanted["type"]) {
        "External" => {
            let (wanted, current) = source("external");
            let (what, field) =
                if wanted["target"]["averageValue"].is_null() { ("value", "value") } else { ("average value", "averageValue") };
            format!("{:?} (target {what}):\t{}", metric(&wanted), amounts(&wanted, &current, field))
        }
        "Pods" => {
            let (wanted, current) = source("pods");
            format!("{:?} on pods:\t{}", metric(&wanted), amounts(&wanted, &current, "averageValue"))
        }
        "Object" => {
            let (wanted, current) = source("object");
            let object = &wanted["describedObject"];
            let (what, field) =
                if wanted["target"]["type"] == "AverageValue" { ("average value", "averageValue") } else { ("value", "value") };
            let (name, kind, of) = (metric(&wanted), text(&object["kind"]), text(&object["name"]));
            format!("\"{name}\" on {kind}/{of} (target {what}):\t{}", amounts(&wanted, &current, field))
        }
        "Resource" => {
            let (wanted, current) = source("resource");
            format!("resource {} on pods{}", text(&wanted["name"]), resource(&wanted, &current))
        }
        "ContainerResource" => {
            let (wanted, current) = source("containerResource");
            let (name, container) = (text(&wanted["name"]), text(&wanted["container"]));
            format!("resource {name} of container \"{container}\" on pods{}", resource(&wanted, &current))
        }
        other => format!("<unknown metric type {other:?}>"),
    }
}

/// `current / target` of one of the values of a metric.
fn amounts(wanted: &Value, current: &Value, field: &str) -> String {
    let now = &current["current"][field];
    // Only an average may be missing where the rest is known.
    let now = if current.is_null() || now.is_null() && field == "averageValue" { "<unknown>".to_owned() } else { quantity(now) };
    format!("{now} / {}", quantity(&wanted["target"][field]))
}

/// The rest of the line about a resource: as an amount, or as a part of what was asked for.
fn resource(wanted: &Value, current: &Value) -> String {
    if !wanted["target"]["averageValue"].is_null() {
        return format!(":\t{}", amounts(wanted, current, "averageValue"));
    }
    let (now, goal) = (&current["current"], &wanted["target"]["averageUtilization"]);
    let part = &now["averageUtilization"];
    let now = if part.is_null() { "<unknown>".to_owned() } else { format!("{}% ({})", plain(part), quantity(&now["averageValue"])) };
    let goal = if goal.is_null() { "<auto>".to_owned() } else { format!("{}%", plain(goal)) };
    format!("  (as a percentage of request):\t{now} / {goal}")
}

fn behavior(page: &mut Page, direction: &str, rules: &Value) {
    if !rules.is_object() {
        return;
    }
    page.line(1, &format!("{direction}:"));
    if rules["stabilizationWindowSeconds"].is_number() {
        page.line(2, &format!("Stabilization Window: {} seconds", plain(&rules["stabilizationWindowSeconds"])));
    }
    if !list(&rules["policies"]).is_empty() {
        page.line(2, &format!("Select Policy: {}", rules["selectPolicy"].as_str().unwrap_or("Max")));
        page.line(2, "Policies:");
    }
    for policy in list(&rules["policies"]) {
        let (kind, value, period) = (text(&policy["type"]), int(&policy["value"]), int(&policy["periodSeconds"]));
        page.line(3, &format!("- Type: {kind}\tValue: {value}\tPeriod: {period} seconds"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metrics_of_every_sort() {
        let of = |kind: &str, field: &str, target: Value| json!({"type": kind, field: {"name": "cpu", "container": "c", "metric": {"name": "m"},
            "describedObject": {"kind": "Service", "name": "web"}, "target": target}});
        let now = |field: &str| json!({field: {"current": {"value": "5", "averageValue": "250m", "averageUtilization": 12}}});
        let resource = of("Resource", "resource", json!({"averageUtilization": 80}));
        for (wanted, current, line) in [
            (&resource, Value::Null, "resource cpu on pods  (as a percentage of request):\t<unknown> / 80%"),
            (&resource, now("resource"), "resource cpu on pods  (as a percentage of request):\t12% (250m) / 80%"),
            (&of("Resource", "resource", json!({"averageValue": "1"})), now("resource"), "resource cpu on pods:\t250m / 1"),
            (
                &of("ContainerResource", "containerResource", json!({"averageValue": "1"})),
                Value::Null,
                "resource cpu of container \"c\" on pods:\t<unknown> / 1",
            ),
            (&of("Pods", "pods", json!({"averageValue": "1k"})), now("pods"), "\"m\" on pods:\t250m / 1k"),
            (&of("Object", "object", json!({"type": "Value", "value": "9"})), now("object"), "\"m\" on Service/web (target value):\t5 / 9"),
            (&of("External", "external", json!({"averageValue": "9"})), Value::Null, "\"m\" (target average value):\t<unknown> / 9"),
            (&of("External", "external", json!({"value": "9"})), now("external"), "\"m\" (target value):\t5 / 9"),
            (&json!({"type": "New"}), Value::Null, "<unknown metric type \"New\">"),
        ] {
            assert_eq!(metric(wanted, &current), line);
        }
    }
}

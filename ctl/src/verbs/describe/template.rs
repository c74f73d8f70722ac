//! What workloads show of the pods they make.

use serde_json::Value;

use super::{
    containers::{Containers, containers},
    page::{Clock, Page},
    selector::selector,
    volumes::volumes,
};
use crate::value::{int, list, strings, text};

/// A pod template.
pub(super) fn pod_template(page: &mut Page, template: &Value, clock: &Clock) {
    let spec = &template["spec"];
    page.line(0, "Pod Template:");
    page.labels("  Labels", &template["metadata"]["labels"]);
    if strings(&template["metadata"]["annotations"]).next().is_some() {
        page.annotations("  Annotations", &template["metadata"]["annotations"]);
    }
    page.optional(1, "Service Account", &spec["serviceAccountName"]);
    if !list(&spec["initContainers"]).is_empty() {
        containers(page, &Containers::of_template("Init Containers", &spec["initContainers"], clock));
    }
    containers(page, &Containers::of_template("Containers", &spec["containers"], clock));
    volumes(page, &spec["volumes"], "  ");
    spread_constraints(page, &spec["topologySpreadConstraints"], "  ");
    page.optional(1, "Priority Class Name", &spec["priorityClassName"]);
    page.labels("  Node-Selectors", &spec["nodeSelector"]);
    page.tolerations("  Tolerations", &spec["tolerations"]);
}

/// How pods are to be spread, if anybody said so.
pub(super) fn spread_constraints(page: &mut Page, constraints: &Value, space: &str) {
    let mut sorted: Vec<&Value> = list(constraints).iter().collect();
    if sorted.is_empty() {
        return;
    }
    sorted.sort_by_key(|constraint| text(&constraint["topologyKey"]));
    let lines = sorted.into_iter().map(|constraint| {
        let (key, otherwise, skew) =
            (text(&constraint["topologyKey"]), text(&constraint["whenUnsatisfiable"]), int(&constraint["maxSkew"]));
        let labels = &constraint["labelSelector"];
        let labels = if labels.is_object() { format!(" for selector {}", selector(labels)) } else { String::new() };
        format!("{key}:{otherwise} when max skew {skew} is exceeded{labels}")
    });
    page.column(0, &format!("{space}Topology Spread Constraints"), lines);
}

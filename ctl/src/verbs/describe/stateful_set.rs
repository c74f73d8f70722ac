//! The page of a StatefulSet, with the claims it makes for its pods.

use serde_json::Value;

use super::{
    Describer, View, events,
    page::{Page, go_list, quantity},
    persistent_volume_claim::class,
    pods_status,
    selector::query,
    template::pod_template,
};
use crate::value::{int, list, name, plain, strings, text};

pub(super) const DESCRIBER: Describer = Describer { group: "apps", kind: "StatefulSet", related, events: events::own, render };

fn related(set: &Value) -> Vec<(&'static str, String)> {
    pods_status::related(set, &query(&set["spec"]["selector"]))
}

fn render(view: &View<'_>, page: &mut Page) {
    let set = view.object;
    let (spec, status) = (&set["spec"], &set["status"]);
    page.identity(set);
    page.field(0, "CreationTimestamp", view.clock.date(&set["metadata"]["creationTimestamp"]));
    page.field(0, "Selector", query(&spec["selector"]));
    page.labels_and_annotations(set);
    page.field(0, "Replicas", format!("{} desired | {} total", int(&spec["replicas"]), int(&status["replicas"])));
    page.field(0, "Update Strategy", text(&spec["updateStrategy"]["type"]));
    let rolling = &spec["updateStrategy"]["rollingUpdate"];
    if rolling["partition"].is_number() {
        page.field(1, "Partition", int(&rolling["partition"]).to_string());
        if !rolling["maxUnavailable"].is_null() {
            page.field(1, "MaxUnavailable", plain(&rolling["maxUnavailable"]));
        }
    }
    pods_status::show(view, page);
    pod_template(page, &spec["template"], view.clock);
    claims(page, list(&spec["volumeClaimTemplates"]));
    page.events(view.events, view.clock);
}

fn claims(page: &mut Page, templates: &[Value]) {
    page.line(0, if templates.is_empty() { "Volume Claims:\t<none>" } else { "Volume Claims:" });
    for claim in templates {
        page.field(1, "Name", name(claim));
        page.field(1, "StorageClass", class(claim));
        page.labels("  Labels", &claim["metadata"]["labels"]);
        page.column(0, "  Annotations", strings(&claim["metadata"]["annotations"]).map(|(key, value)| format!("{key}={value}")));
        let storage = &claim["spec"]["resources"]["requests"]["storage"];
        page.field(1, "Capacity", if storage.is_null() { "<default>".to_owned() } else { quantity(storage) });
        page.field(1, "Access Modes", go_list(&claim["spec"]["accessModes"]));
    }
}

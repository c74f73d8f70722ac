//! The page of a ReplicationController.

use serde_json::Value;

use super::{
    Describer, View, events,
    page::Page,
    pods_status,
    selector::{labels, labels_query},
    template::pod_template,
};
use crate::value::int;

pub(super) const DESCRIBER: Describer =
    Describer { group: "", kind: "ReplicationController", related, events: events::own, render };

fn related(controller: &Value) -> Vec<(&'static str, String)> {
    pods_status::related(controller, &labels_query(&controller["spec"]["selector"]))
}

fn render(view: &View<'_>, page: &mut Page) {
    let controller = view.object;
    page.identity(controller);
    page.field(0, "Selector", labels(&controller["spec"]["selector"]));
    page.labels_and_annotations(controller);
    let replicas = (int(&controller["status"]["replicas"]), int(&controller["spec"]["replicas"]));
    page.field(0, "Replicas", format!("{} current / {} desired", replicas.0, replicas.1));
    pods_status::show(view, page);
    pod_template(page, &controller["spec"]["template"], view.clock);
    page.conditions(&controller["status"]["conditions"]);
    page.events(view.events, view.clock);
}

//! The page of a DaemonSet.

use serde_json::Value;

use super::{
    Describer, View, events,
    page::Page,
    pods_status,
    selector::{labels, query},
    template::pod_template,
};
use crate::value::{int, name};

pub(super) const DESCRIBER: Describer = Describer { group: "apps", kind: "DaemonSet", related, events: events::own, render };

/// What is counted.
const COUNTS: [(&str, &str); 5] = [
    ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
    ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
    ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
    ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
    ("Number of Nodes Misscheduled", "numberMisscheduled"),
];

fn related(set: &Value) -> Vec<(&'static str, String)> {
    pods_status::related(set, &query(&set["spec"]["selector"]))
}

fn render(view: &View<'_>, page: &mut Page) {
    let set = view.object;
    // Its namespace is no part of the page before kubectl 1.34.
    page.field(0, "Name", name(set));
    page.field(0, "Selector", query(&set["spec"]["selector"]));
    page.field(0, "Node-Selector", labels(&set["spec"]["template"]["spec"]["nodeSelector"]));
    page.labels_and_annotations(set);
    for (title, field) in COUNTS {
        page.line(0, &format!("{title}: {}", int(&set["status"][field])));
    }
    pods_status::show(view, page);
    pod_template(page, &set["spec"]["template"], view.clock);
    page.events(view.events, view.clock);
}

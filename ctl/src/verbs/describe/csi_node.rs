//! The page of a CSINode.

use super::{
    Describer, View, events, nothing_else,
    page::{Page, go_list},
};
use crate::value::{list, name, plain, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "storage.k8s.io", kind: "CSINode", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let node = view.object;
    page.field(0, "Name", name(node));
    page.labels_and_annotations(node);
    page.field(0, "CreationTimestamp", view.clock.date(&node["metadata"]["creationTimestamp"]));
    page.line(0, "Spec:");
    if node["spec"]["drivers"].is_array() {
        page.line(1, "Drivers:");
    }
    for driver in list(&node["spec"]["drivers"]) {
        page.line(2, &format!("{}:", text(&driver["name"])));
        page.field(3, "Node ID", text(&driver["nodeID"]));
        let count = &driver["allocatable"]["count"];
        if count.is_number() {
            page.line(3, "Allocatables:");
            page.field(4, "Count", plain(count));
        }
        if driver["topologyKeys"].is_array() {
            page.field(3, "Topology Keys", go_list(&driver["topologyKeys"]));
        }
    }
    page.events(view.events, view.clock);
}

//! The page of an IngressClass.

use super::{Describer, View, events, nothing_else, page::Page};
use crate::value::{name, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "networking.k8s.io", kind: "IngressClass", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let class = view.object;
    page.field(0, "Name", name(class));
    page.labels_and_annotations(class);
    page.field(0, "Controller", text(&class["spec"]["controller"]));
    let parameters = &class["spec"]["parameters"];
    if parameters.is_object() {
        page.line(0, "Parameters:");
        if parameters["apiGroup"].is_string() {
            page.field(1, "APIGroup", text(&parameters["apiGroup"]));
        }
        page.field(1, "Kind", text(&parameters["kind"]));
        page.field(1, "Name", text(&parameters["name"]));
    }
    page.events(view.events, view.clock);
}

//! The page of an IPAddress, as kubectl has it from 1.33 on.

use super::{Describer, View, events, nothing_else, page::Page};
use crate::value::{name, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "networking.k8s.io", kind: "IPAddress", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    page.field(0, "Name", name(view.object));
    page.labels_and_annotations(view.object);
    let parent = &view.object["spec"]["parentRef"];
    if parent.is_object() {
        page.line(0, "Parent Reference:");
        for (title, field) in [("Group", "group"), ("Resource", "resource"), ("Namespace", "namespace"), ("Name", "name")] {
            page.field(1, title, text(&parent[field]));
        }
    }
    page.events(view.events, view.clock);
}

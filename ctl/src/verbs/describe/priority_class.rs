//! The page of a PriorityClass.

use super::{Describer, View, events, nothing_else, page::Page, selector::labels};
use crate::value::{int, name, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "scheduling.k8s.io", kind: "PriorityClass", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let class = view.object;
    page.field(0, "Name", name(class));
    page.field(0, "Value", int(&class["value"]).to_string());
    page.field(0, "GlobalDefault", (class["globalDefault"] == true).to_string());
    page.field(0, "PreemptionPolicy", text(&class["preemptionPolicy"]));
    page.field(0, "Description", text(&class["description"]));
    page.field(0, "Annotations", labels(&class["metadata"]["annotations"]));
    page.events(view.events, view.clock);
}

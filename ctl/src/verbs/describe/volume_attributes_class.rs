//! The page of a VolumeAttributesClass.

use super::{Describer, View, events, nothing_else, page::Page, selector::labels};
use crate::value::{name, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "storage.k8s.io", kind: "VolumeAttributesClass", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let class = view.object;
    page.field(0, "Name", name(class));
    page.field(0, "Annotations", labels(&class["metadata"]["annotations"]));
    page.field(0, "DriverName", text(&class["driverName"]));
    page.field(0, "Parameters", labels(&class["parameters"]));
    page.events(view.events, view.clock);
}

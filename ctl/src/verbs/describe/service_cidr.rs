//! The page of a ServiceCIDR, as kubectl has it from 1.33 on.

use super::{
    Describer, View, events, nothing_else,
    page::{Page, joined},
};
use crate::value::{list, name};

pub(super) const DESCRIBER: Describer =
    Describer { group: "networking.k8s.io", kind: "ServiceCIDR", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    page.field(0, "Name", name(view.object));
    page.labels_and_annotations(view.object);
    page.field(0, "CIDRs", joined(&view.object["spec"]["cidrs"], ", "));
    let conditions = &view.object["status"]["conditions"];
    if !list(conditions).is_empty() {
        page.line(0, "Status:");
        page.changed_conditions(conditions, view.clock);
    }
    page.events(view.events, view.clock);
}

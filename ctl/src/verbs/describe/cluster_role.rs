//! The page of a ClusterRole.

use super::{Describer, View, events, nothing_else, page::Page, rules};

pub(super) const DESCRIBER: Describer =
    Describer { group: "rbac.authorization.k8s.io", kind: "ClusterRole", related: nothing_else, events: events::none, render };

fn render(view: &View<'_>, page: &mut Page) {
    rules::show(page, view.object);
}

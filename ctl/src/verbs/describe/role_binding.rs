//! The page of a RoleBinding, and that of a ClusterRoleBinding, which is the same.

use super::{Describer, View, events, nothing_else, page::Page};
use crate::value::{list, name, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "rbac.authorization.k8s.io", kind: "RoleBinding", related: nothing_else, events: events::none, render };

pub(super) fn render(view: &View<'_>, page: &mut Page) {
    let binding = view.object;
    page.field(0, "Name", name(binding));
    page.labels_and_annotations(binding);
    page.line(0, "Role:");
    page.field(1, "Kind", text(&binding["roleRef"]["kind"]));
    page.field(1, "Name", text(&binding["roleRef"]["name"]));
    page.line(0, "Subjects:");
    page.line(1, "Kind\tName\tNamespace");
    page.line(1, "----\t----\t---------");
    for subject in list(&binding["subjects"]) {
        page.line(1, &format!("{}\t{}\t{}", text(&subject["kind"]), text(&subject["name"]), text(&subject["namespace"])));
    }
}

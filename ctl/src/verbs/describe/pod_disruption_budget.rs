//! The page of a PodDisruptionBudget.

use super::{Describer, View, events, nothing_else, page::Page, selector::selector};
use crate::value::{int, plain};

pub(super) const DESCRIBER: Describer =
    Describer { group: "policy", kind: "PodDisruptionBudget", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let (spec, status) = (&view.object["spec"], &view.object["status"]);
    page.identity(view.object);
    if !spec["minAvailable"].is_null() {
        page.field(0, "Min available", plain(&spec["minAvailable"]));
    } else if !spec["maxUnavailable"].is_null() {
        page.field(0, "Max unavailable", plain(&spec["maxUnavailable"]));
    }
    page.field(0, "Selector", if spec["selector"].is_object() { selector(&spec["selector"]) } else { "<unset>".to_owned() });
    page.line(0, "Status:");
    let counts = [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ];
    for (title, field) in counts {
        page.field(2, title, int(&status[field]).to_string());
    }
    page.events(view.events, view.clock);
}

//! The page of a CronJob.

use serde_json::Value;

use super::{
    Describer, View, events, nothing_else,
    page::{Page, none_if_empty, truth},
    selector::query,
    template::pod_template,
};
use crate::value::{list, plain, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "batch", kind: "CronJob", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let (spec, status) = (&view.object["spec"], &view.object["status"]);
    let unset = |value: &Value, unit: &str| if value.is_null() { "<unset>".to_owned() } else { plain(value) + unit };
    page.identity(view.object);
    page.labels_and_annotations(view.object);
    page.field(0, "Schedule", text(&spec["schedule"]));
    page.field(0, "Concurrency Policy", text(&spec["concurrencyPolicy"]));
    page.field(0, "Suspend", truth(&spec["suspend"]));
    page.field(0, "Successful Job History Limit", unset(&spec["successfulJobsHistoryLimit"], ""));
    page.field(0, "Failed Job History Limit", unset(&spec["failedJobsHistoryLimit"], ""));
    page.field(0, "Starting Deadline Seconds", unset(&spec["startingDeadlineSeconds"], "s"));
    let job = &spec["jobTemplate"]["spec"];
    page.field(0, "Selector", if job["selector"].is_null() { "<unset>".to_owned() } else { query(&job["selector"]) });
    page.field(0, "Parallelism", unset(&job["parallelism"], ""));
    page.field(0, "Completions", unset(&job["completions"], ""));
    if !job["activeDeadlineSeconds"].is_null() {
        page.field(0, "Active Deadline Seconds", unset(&job["activeDeadlineSeconds"], "s"));
    }
    pod_template(page, &job["template"], view.clock);
    let last = &status["lastScheduleTime"];
    page.field(0, "Last Schedule Time", if last.is_string() { view.clock.date(last) } else { "<unset>".to_owned() });
    let active: Vec<&str> = list(&status["active"]).iter().map(|job| text(&job["name"])).collect();
    page.field(0, "Active Jobs", none_if_empty(active.join(", ")));
    page.events(view.events, view.clock);
}

//! The page of a Job.

use serde_json::Value;

use super::{
    Describer, View, events, nothing_else,
    page::{Page, controller, time},
    selector::query,
    template::pod_template,
};
use crate::value::{int, plain, text};

pub(super) const DESCRIBER: Describer = Describer { group: "batch", kind: "Job", related: nothing_else, events: events::own, render };

/// A list of indexes is cut at the first comma after so many letters.
const LONGEST_INDEXES: usize = 50;

fn render(view: &View<'_>, page: &mut Page) {
    let job = view.object;
    let (spec, status) = (&job["spec"], &job["status"]);
    page.identity(job);
    page.field(0, "Selector", query(&spec["selector"]));
    page.labels_and_annotations(job);
    if let Some(controller) = controller(job) {
        page.field(0, "Controlled By", controller);
    }
    number(page, "Parallelism", &spec["parallelism"]);
    page.field(0, "Completions", if spec["completions"].is_null() { "<unset>".to_owned() } else { plain(&spec["completions"]) });
    page.optional(0, "Completion Mode", &spec["completionMode"]);
    number(page, "Suspend", &spec["suspend"]);
    number(page, "Backoff Limit", &spec["backoffLimit"]);
    number(page, "TTL Seconds After Finished", &spec["ttlSecondsAfterFinished"]);
    times(view, page);
    if spec["activeDeadlineSeconds"].is_number() {
        page.field(0, "Active Deadline Seconds", format!("{}s", plain(&spec["activeDeadlineSeconds"])));
    }
    let ready = if status["ready"].is_number() { format!(" ({} Ready)", plain(&status["ready"])) } else { String::new() };
    let count = |field: &str| int(&status[field]);
    page.field(
        0,
        "Pods Statuses",
        format!("{} Active{ready} / {} Succeeded / {} Failed", count("active"), count("succeeded"), count("failed")),
    );
    if spec["completionMode"] == "Indexed" {
        page.field(0, "Completed Indexes", indexes(text(&status["completedIndexes"])));
    }
    pod_template(page, &spec["template"], view.clock);
    page.events(view.events, view.clock);
}

/// A number or truth, if there is one.
fn number(page: &mut Page, title: &str, value: &Value) {
    if !value.is_null() {
        page.field(0, title, plain(value));
    }
}

fn times(view: &View<'_>, page: &mut Page) {
    let status = &view.object["status"];
    for (title, field) in [("Start Time", "startTime"), ("Completed At", "completionTime")] {
        if status[field].is_string() {
            page.field(0, title, view.clock.date(&status[field]));
        }
    }
    if let (Some(start), Some(end)) = (time(&status["startTime"]), time(&status["completionTime"])) {
        page.field(0, "Duration", mini_api::age::human(end.duration_since(start).as_secs()));
    }
}

fn indexes(indexes: &str) -> String {
    let cut = indexes.get(LONGEST_INDEXES..).and_then(|rest| rest.find(','));
    match cut {
        _ if indexes.is_empty() => "<none>".to_owned(),
        Some(at) => format!("{}...", &indexes[..=LONGEST_INDEXES + at]),
        None => indexes.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_indexes_are_cut() {
        let long = "0,".repeat(30) + "1";
        for (whole, shown) in [("", "<none>".to_owned()), ("0-2,5", "0-2,5".to_owned()), (&long, "0,".repeat(26) + "...")] {
            assert_eq!(indexes(whole), shown, "{whole}");
        }
    }
}

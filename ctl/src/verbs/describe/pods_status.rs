//! How many of the pods that a controller has made are in which phase.

use serde_json::Value;

use super::{
    View,
    page::{Page, is_controlled_by},
};
use crate::{
    server::{escape, with_query},
    value::text,
};

/// What has to be read for that: the pods with the labels that it selects.
pub(super) fn related(owner: &Value, selector: &str) -> Vec<(&'static str, String)> {
    let namespace = escape(text(&owner["metadata"]["namespace"]));
    vec![("pods", with_query(&format!("/api/v1/namespaces/{namespace}/pods"), &[("labelSelector", selector)]))]
}

/// The line that says it.
pub(super) fn show(view: &View<'_>, page: &mut Page) {
    let status = match view.answer("pods") {
        Some(Err(error)) => format!("error in fetching pods: {error}"),
        _ => count(view.object, view.objects("pods").unwrap_or_default()),
    };
    page.field(0, "Pods Status", status);
}

fn count(owner: &Value, pods: &[Value]) -> String {
    let own = || pods.iter().filter(|pod| is_controlled_by(pod, &owner["metadata"]["uid"]));
    let count = |phase: &str| own().filter(|pod| text(&pod["status"]["phase"]) == phase).count();
    format!("{} Running / {} Waiting / {} Succeeded / {} Failed", count("Running"), count("Pending"), count("Succeeded"), count("Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_its_own_pods_are_counted() {
        let pod = |owner: &str, phase: &str| json!({"metadata": {"ownerReferences": [{"controller": true, "uid": owner}]}, "status": {"phase": phase}});
        let pods = [pod("s", "Running"), pod("s", "Running"), pod("s", "Failed"), pod("s", "Pending"), pod("other", "Running")];
        assert_eq!(count(&json!({"metadata": {"uid": "s"}}), &pods), "2 Running / 1 Waiting / 0 Succeeded / 1 Failed");
    }
}

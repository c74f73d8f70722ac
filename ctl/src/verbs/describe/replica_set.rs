//! The page of a ReplicaSet.

use serde_json::Value;

use super::{
    Describer, View,
    page::{Page, controller, is_controlled_by, selector, selector_query},
    template::pod_template,
};
use crate::{
    server::{escape, with_query},
    value::{int, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "apps", kind: "ReplicaSet", related, render };

fn related(set: &Value) -> Vec<(&'static str, String)> {
    let namespace = escape(text(&set["metadata"]["namespace"]));
    let labels = selector_query(&set["spec"]["selector"]);
    vec![("pods", with_query(&format!("/api/v1/namespaces/{namespace}/pods"), &[("labelSelector", &labels)]))]
}

fn render(view: &View<'_>, page: &mut Page) {
    let set = view.object;
    page.identity(set);
    page.field(0, "Selector", selector(&set["spec"]["selector"]));
    page.labels_and_annotations(set);
    if let Some(controller) = controller(set) {
        page.field(0, "Controlled By", controller);
    }
    page.field(0, "Replicas", format!("{} current / {} desired", int(&set["status"]["replicas"]), int(&set["spec"]["replicas"])));
    match view.answer("pods") {
        Some(Err(error)) => page.field(0, "Pods Status", format!("error in fetching pods: {error}")),
        _ => page.field(0, "Pods Status", pods_status(set, view.objects("pods").unwrap_or_default())),
    }
    pod_template(page, &set["spec"]["template"], view.clock);
    page.conditions(&set["status"]["conditions"]);
    page.events(view.events, view.clock);
}

/// How many of its pods are in which phase.
fn pods_status(set: &Value, pods: &[Value]) -> String {
    let own = || pods.iter().filter(|pod| is_controlled_by(pod, &set["metadata"]["uid"]));
    let count = |phase: &str| own().filter(|pod| text(&pod["status"]["phase"]) == phase).count();
    format!("{} Running / {} Waiting / {} Succeeded / {} Failed", count("Running"), count("Pending"), count("Succeeded"), count("Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// The head of `kubectl describe rs`, as recorded.
    #[test]
    fn as_kubectl_prints_it() {
        let set = json!({
            "metadata": {"name": "web-66bbcf89f8", "namespace": "default", "uid": "s", "labels": {"app": "web", "pod-template-hash": "66bbcf89f8"},
                "annotations": {"deployment.kubernetes.io/desired-replicas": "3", "deployment.kubernetes.io/max-replicas": "4", "deployment.kubernetes.io/revision": "1"},
                "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": true, "uid": "d"}]},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web", "pod-template-hash": "66bbcf89f8"}},
                "template": {"metadata": {"labels": {"app": "web", "pod-template-hash": "66bbcf89f8"}}, "spec": {"containers": []}}},
            "status": {"replicas": 3},
        });
        let pod = |owner: &str| json!({"metadata": {"ownerReferences": [{"controller": true, "uid": owner}]}, "status": {"phase": "Running"}});
        let pods = json!({"items": [pod("s"), pod("s"), pod("s"), pod("other")]});
        let text = described(&DESCRIBER, &set, vec![("pods", Ok(pods))], &[]);
        let head = "\
Name:           web-66bbcf89f8
Namespace:      default
Selector:       app=web,pod-template-hash=66bbcf89f8
Labels:         app=web
                pod-template-hash=66bbcf89f8
Annotations:    deployment.kubernetes.io/desired-replicas: 3
                deployment.kubernetes.io/max-replicas: 4
                deployment.kubernetes.io/revision: 1
Controlled By:  Deployment/web
Replicas:       3 current / 3 desired
Pods Status:    3 Running / 0 Waiting / 0 Succeeded / 0 Failed
Pod Template:
  Labels:  app=web
           pod-template-hash=66bbcf89f8
";
        assert!(text.starts_with(head), "{text}");
    }
}

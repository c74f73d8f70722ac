//! The page of a ReplicaSet.

use serde_json::Value;

use super::{
    Describer, View, events,
    page::{Page, controller},
    pods_status,
    selector::{query, selector},
    template::pod_template,
};
use crate::value::int;

pub(super) const DESCRIBER: Describer = Describer { group: "apps", kind: "ReplicaSet", related, events: events::own, render };

fn related(set: &Value) -> Vec<(&'static str, String)> {
    pods_status::related(set, &query(&set["spec"]["selector"]))
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
    pods_status::show(view, page);
    pod_template(page, &set["spec"]["template"], view.clock);
    page.conditions(&set["status"]["conditions"]);
    page.events(view.events, view.clock);
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

//! The page of a Deployment.

use serde_json::Value;

use super::{
    Describer, View, events,
    page::{Page, is_controlled_by},
    selector::query,
    template::pod_template,
};
use crate::{
    server::{escape, with_query},
    value::{int, map_mut, name, plain, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "apps", kind: "Deployment", related, events: events::own, render };

/// The label by which the ReplicaSets of a Deployment differ.
const HASH: &str = "pod-template-hash";

fn related(deployment: &Value) -> Vec<(&'static str, String)> {
    let namespace = escape(text(&deployment["metadata"]["namespace"]));
    let labels = query(&deployment["spec"]["selector"]);
    vec![("replicasets", with_query(&format!("/apis/apps/v1/namespaces/{namespace}/replicasets"), &[("labelSelector", &labels)]))]
}

fn render(view: &View<'_>, page: &mut Page) {
    let deployment = view.object;
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    page.identity(deployment);
    page.field(0, "CreationTimestamp", view.clock.date(&deployment["metadata"]["creationTimestamp"]));
    page.labels_and_annotations(deployment);
    page.field(0, "Selector", query(&spec["selector"]));
    page.field(
        0,
        "Replicas",
        format!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            int(&spec["replicas"]),
            int(&status["updatedReplicas"]),
            int(&status["replicas"]),
            int(&status["availableReplicas"]),
            int(&status["unavailableReplicas"])
        ),
    );
    page.field(0, "StrategyType", text(&spec["strategy"]["type"]));
    page.field(0, "MinReadySeconds", int(&spec["minReadySeconds"]).to_string());
    let rolling = &spec["strategy"]["rollingUpdate"];
    if rolling.is_object() {
        let limits = format!("{} max unavailable, {} max surge", plain(&rolling["maxUnavailable"]), plain(&rolling["maxSurge"]));
        page.field(0, "RollingUpdateStrategy", limits);
    }
    pod_template(page, &spec["template"], view.clock);
    page.conditions(&status["conditions"]);
    if let Some(sets) = view.objects("replicasets") {
        let (old, new) = old_and_new(deployment, sets);
        if !old.is_empty() || !new.is_empty() {
            page.field(0, "OldReplicaSets", summary(&old));
            page.field(0, "NewReplicaSet", summary(&new));
        }
    }
    page.events(view.events, view.clock);
}

/// The Deployment's own ReplicaSets, the oldest first, apart from the one that has its present template.
fn old_and_new<'a>(deployment: &Value, sets: &'a [Value]) -> (Vec<&'a Value>, Vec<&'a Value>) {
    let mut own: Vec<&Value> = sets.iter().filter(|set| is_controlled_by(set, &deployment["metadata"]["uid"])).collect();
    own.sort_by_key(|set| (text(&set["metadata"]["creationTimestamp"]), name(set)));
    let present = own.iter().position(|set| without_hash(&set["spec"]["template"]) == without_hash(&deployment["spec"]["template"]));
    let new = present.map(|at| own.remove(at)).into_iter().collect();
    (own, new)
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if template["metadata"]["labels"].is_object() {
        map_mut(&mut template["metadata"]["labels"]).remove(HASH);
    }
    template
}

fn summary(sets: &[&Value]) -> String {
    let one = |set: &&Value| format!("{} ({}/{} replicas created)", name(set), int(&set["status"]["replicas"]), int(&set["spec"]["replicas"]));
    if sets.is_empty() { "<none>".to_owned() } else { sets.iter().map(one).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    fn template(image: &str) -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
            {"name": "nginx", "image": image, "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}})
    }

    fn set(name: &str, image: &str, replicas: i64, created: &str) -> Value {
        let mut template = template(image);
        template["metadata"]["labels"][HASH] = name.into();
        json!({"metadata": {"name": name, "creationTimestamp": created, "ownerReferences": [{"controller": true, "uid": "d"}]},
            "spec": {"replicas": replicas, "template": template}, "status": {"replicas": replicas}})
    }

    /// `kubectl describe deployment web`, as recorded.
    #[test]
    fn as_kubectl_prints_it() {
        let deployment = json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "d", "creationTimestamp": "2026-11-20T22:39:37Z", "labels": {"app": "web"},
                "annotations": {"deployment.kubernetes.io/revision": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template("nginx:1.7.9"),
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}},
            "status": {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]},
        });
        let sets = json!({"items": [set("web-66bbcf89f8", "nginx:1.7.9", 3, "2026-11-20T22:39:37Z")]});
        let event = json!({"type": "Normal", "reason": "ScalingReplicaSet", "message": "Scaled up replica set web-66bbcf89f8 from 0 to 3",
            "firstTimestamp": "2026-11-20T22:39:37Z", "lastTimestamp": "2026-11-20T22:39:37Z", "count": 1, "source": {"component": "deployment-controller"}});
        assert_eq!(
            described(&DESCRIBER, &deployment, vec![("replicasets", Ok(sets))], &[event]),
            "\
Name:                   web
Namespace:              default
CreationTimestamp:      Fri, 20 Nov 2026 22:39:37 +0000
Labels:                 app=web
Annotations:            deployment.kubernetes.io/revision: 1
Selector:               app=web
Replicas:               3 desired | 3 updated | 3 total | 3 available | 0 unavailable
StrategyType:           RollingUpdate
MinReadySeconds:        0
RollingUpdateStrategy:  25% max unavailable, 25% max surge
Pod Template:
  Labels:  app=web
  Containers:
   nginx:
    Image:         nginx:1.7.9
    Port:          80/TCP
    Host Port:     0/TCP
    Environment:   <none>
    Mounts:        <none>
  Volumes:         <none>
  Node-Selectors:  <none>
  Tolerations:     <none>
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Available      True    MinimumReplicasAvailable
  Progressing    True    NewReplicaSetAvailable
OldReplicaSets:  <none>
NewReplicaSet:   web-66bbcf89f8 (3/3 replicas created)
Events:
  Type    Reason             Age   From                   Message
  ----    ------             ----  ----                   -------
  Normal  ScalingReplicaSet  4s    deployment-controller  Scaled up replica set web-66bbcf89f8 from 0 to 3
"
        );
    }

    #[test]
    fn old_replica_sets_are_those_with_another_template() {
        let deployment = json!({"metadata": {"uid": "d"}, "spec": {"template": template("nginx:2")}});
        let mut foreign = set("foreign", "nginx:2", 1, "2026-11-20T00:00:00Z");
        foreign["metadata"]["ownerReferences"] = json!([]);
        let sets = [set("b", "nginx:1", 0, "2026-11-20T02:00:00Z"), set("c", "nginx:2", 2, "2026-11-20T03:00:00Z"), set("a", "nginx:0", 0, "2026-11-20T01:00:00Z"), foreign];
        let (old, new) = old_and_new(&deployment, &sets);
        assert_eq!(summary(&old), "a (0/0 replicas created), b (0/0 replicas created)");
        assert_eq!(summary(&new), "c (2/2 replicas created)");
    }
}

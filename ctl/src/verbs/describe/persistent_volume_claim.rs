//! The page of a PersistentVolumeClaim, and what of it a volume shows that is made for one pod only.

use serde_json::Value;

use super::{
    Describer, View, events,
    page::{Clock, Page, go_list, quantity},
};
use crate::{
    server::escape,
    value::{list, name, some_text, text},
};

pub(super) const DESCRIBER: Describer =
    Describer { group: "", kind: "PersistentVolumeClaim", related, events: events::own, render };

/// Where the class stood before there was a field for it.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

fn related(claim: &Value) -> Vec<(&'static str, String)> {
    vec![("pods", format!("/api/v1/namespaces/{}/pods", escape(text(&claim["metadata"]["namespace"]))))]
}

fn render(view: &View<'_>, page: &mut Page) {
    let claim = view.object;
    page.identity(claim);
    page.field(0, "StorageClass", class(claim));
    page.field(0, "Status", state(claim, view.clock));
    page.field(0, "Volume", text(&claim["spec"]["volumeName"]));
    page.labels_and_annotations(claim);
    page.field(0, "Finalizers", go_list(&claim["metadata"]["finalizers"]));
    room(page, claim);
    page.column(0, "Used By", users(claim, view.objects("pods").unwrap_or_default()));
    conditions(view, page);
    page.events(view.events, view.clock);
}

/// The claim inside a volume: without what only a real one has.
pub(super) fn template(page: &mut Page, claim: &Value) {
    page.field(0, "StorageClass", class(claim));
    page.field(0, "Volume", text(&claim["spec"]["volumeName"]));
    page.labels_and_annotations(claim);
    room(page, claim);
}

fn room(page: &mut Page, claim: &Value) {
    let (spec, status) = (&claim["spec"], &claim["status"]);
    let bound = some_text(&spec["volumeName"]).is_some();
    page.field(0, "Capacity", if bound { quantity(&status["capacity"]["storage"]) } else { String::new() });
    page.field(0, "Access Modes", if bound { access_modes(&status["accessModes"]) } else { String::new() });
    if spec["volumeMode"].is_string() {
        page.field(0, "VolumeMode", text(&spec["volumeMode"]));
    }
    let source = &spec["dataSource"];
    if source.is_object() {
        page.line(0, "DataSource:");
        if source["apiGroup"].is_string() {
            page.field(1, "APIGroup", text(&source["apiGroup"]));
        }
        page.field(1, "Kind", text(&source["kind"]));
        page.field(1, "Name", text(&source["name"]));
    }
}

/// The names of the pods that use the claim, or own it.
fn users(claim: &Value, pods: &[Value]) -> Vec<String> {
    let owners = list(&claim["metadata"]["ownerReferences"]);
    let uses = |pod: &Value| list(&pod["spec"]["volumes"]).iter().any(|volume| volume["persistentVolumeClaim"]["claimName"] == name(claim));
    let owns = |pod: &Value| owners.iter().any(|owner| owner["kind"] == "Pod" && owner["uid"] == pod["metadata"]["uid"]);
    let mut names: Vec<String> = pods.iter().filter(|pod| uses(pod) || owns(pod)).map(|pod| name(pod).to_owned()).collect();
    names.sort_unstable();
    names
}

fn conditions(view: &View<'_>, page: &mut Page) {
    let conditions = list(&view.object["status"]["conditions"]);
    if conditions.is_empty() {
        return;
    }
    page.line(0, "Conditions:");
    page.line(1, "Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage");
    page.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for condition in conditions {
        let field = |name: &str| text(&condition[name]);
        let (probed, changed) = (view.clock.date(&condition["lastProbeTime"]), view.clock.date(&condition["lastTransitionTime"]));
        let (reason, message) = (field("reason"), field("message"));
        page.line(1, &format!("{} \t{} \t{probed} \t{changed} \t{reason} \t{message}", field("type"), field("status")));
    }
}

/// The storage class of a claim or a volume.
pub(super) fn class(object: &Value) -> &str {
    object["metadata"]["annotations"][OLD_CLASS].as_str().unwrap_or_else(|| text(&object["spec"]["storageClassName"]))
}

/// The phase, unless it is about to go.
pub(super) fn state(object: &Value, clock: &Clock) -> String {
    let deleted = &object["metadata"]["deletionTimestamp"];
    if deleted.is_string() { format!("Terminating (lasts {})", clock.ago(deleted)) } else { text(&object["status"]["phase"]).to_owned() }
}

/// Access modes in short: `RWO,ROX`.
pub(super) fn access_modes(modes: &Value) -> String {
    let all = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let has = |mode: &str| list(modes).iter().any(|known| known == mode);
    all.into_iter().filter(|(mode, _)| has(mode)).map(|(_, short)| short).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn as_kubectl_prints_it() {
        let claim = json!({
            "metadata": {"name": "bound", "namespace": "default", "finalizers": ["kubernetes.io/pvc-protection"], "ownerReferences": [{"kind": "Pod", "uid": "o"}]},
            "spec": {"storageClassName": "none", "volumeName": "nfs", "volumeMode": "Filesystem", "dataSource": {"apiGroup": "x.io", "kind": "A", "name": "b"}},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"]},
        });
        let pod = |name: &str, uid: &str, claim: &str| json!({"metadata": {"name": name, "uid": uid}, "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": claim}}]}});
        let pods = json!({"items": [pod("user", "u", "bound"), pod("owner", "o", "other"), pod("nobody", "n", "other")]});
        assert_eq!(
            described(&DESCRIBER, &claim, vec![("pods", Ok(pods))], &[]),
            "\
Name:          bound
Namespace:     default
StorageClass:  none
Status:        Bound
Volume:        nfs
Labels:        <none>
Annotations:   <none>
Finalizers:    [kubernetes.io/pvc-protection]
Capacity:      1Gi
Access Modes:  RWX
VolumeMode:    Filesystem
DataSource:
  APIGroup:  x.io
  Kind:      A
  Name:      b
Used By:     owner
             user
Events:      <none>
"
        );
    }
}

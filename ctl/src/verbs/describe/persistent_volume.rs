//! The page of a PersistentVolume.

use serde_json::Value;

use super::{
    Describer, View, events, nothing_else,
    page::{Page, go_list, joined, quantity},
    persistent_volume_claim::{access_modes, class, state},
    volumes,
};
use crate::value::{list, name, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "", kind: "PersistentVolume", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let volume = view.object;
    let (spec, status) = (&volume["spec"], &volume["status"]);
    page.field(0, "Name", name(volume));
    page.labels_and_annotations(volume);
    page.field(0, "Finalizers", go_list(&volume["metadata"]["finalizers"]));
    page.field(0, "StorageClass", class(volume));
    page.field(0, "Status", state(volume, view.clock));
    let claim = &spec["claimRef"];
    let claim = if claim.is_object() { format!("{}/{}", text(&claim["namespace"]), text(&claim["name"])) } else { String::new() };
    page.field(0, "Claim", claim);
    page.field(0, "Reclaim Policy", text(&spec["persistentVolumeReclaimPolicy"]));
    page.field(0, "Access Modes", access_modes(&spec["accessModes"]));
    if spec["volumeMode"].is_string() {
        page.field(0, "VolumeMode", text(&spec["volumeMode"]));
    }
    page.field(0, "Capacity", quantity(&spec["capacity"]["storage"]));
    node_affinity(page, &spec["nodeAffinity"]["required"]);
    page.field(0, "Message", text(&status["message"]));
    page.line(0, "Source:");
    volumes::persistent(page, spec);
    page.events(view.events, view.clock);
}

/// From which nodes it can be reached.
fn node_affinity(page: &mut Page, required: &Value) {
    if !required.is_object() {
        page.field(0, "Node Affinity", "<none>");
        return;
    }
    page.field(0, "Node Affinity", "");
    let terms = list(&required["nodeSelectorTerms"]);
    page.field(1, "Required Terms", if terms.is_empty() { "<none>" } else { "" });
    for (at, term) in terms.iter().enumerate() {
        page.column(2, &format!("Term {at}"), list(&term["matchExpressions"]).iter().map(requirement));
    }
}

/// `kubernetes.io/hostname in [a, b]`
fn requirement(requirement: &Value) -> String {
    let known = format!("{} {}", text(&requirement["key"]), text(&requirement["operator"]).to_lowercase());
    match list(&requirement["values"]) {
        [] => known,
        _ => format!("{known} [{}]", joined(&requirement["values"], ", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn as_kubectl_prints_it() {
        let volume = json!({
            "metadata": {"name": "local", "finalizers": ["kubernetes.io/pv-protection"]},
            "spec": {"storageClassName": "s", "volumeMode": "Block", "capacity": {"storage": "1536Mi"}, "persistentVolumeReclaimPolicy": "Retain",
                "accessModes": ["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany"], "local": {"path": "/d"}, "claimRef": {"namespace": "n", "name": "c"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["a", "b"]}, {"key": "x", "operator": "Exists"}]}, {}]}}},
            "status": {"phase": "Available"},
        });
        assert_eq!(
            described(&DESCRIBER, &volume, Vec::new(), &[]),
            "\
Name:              local
Labels:            <none>
Annotations:       <none>
Finalizers:        [kubernetes.io/pv-protection]
StorageClass:      s
Status:            Available
Claim:             n/c
Reclaim Policy:    Retain
Access Modes:      RWO,ROX,RWX
VolumeMode:        Block
Capacity:          1536Mi
Node Affinity:     \n  Required Terms:  \n    Term 0:        kubernetes.io/hostname in [a, b]
                   x exists
    Term 1:        <none>
Message:           \nSource:
    Type:  LocalVolume (a persistent volume backed by local storage on a node)
    Path:  /d
Events:    <none>
"
        );
    }
}

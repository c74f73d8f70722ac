//! The page of a StorageClass.

use serde_json::Value;

use super::{
    Describer, View, events, nothing_else,
    page::{Page, joined, truth},
    selector::labels,
};
use crate::value::{list, name, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "storage.k8s.io", kind: "StorageClass", related: nothing_else, events: events::own, render };

/// The annotations that make a class the one for claims that name none.
const DEFAULT: [&str; 2] = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

fn render(view: &View<'_>, page: &mut Page) {
    let class = view.object;
    let annotations = &class["metadata"]["annotations"];
    page.field(0, "Name", name(class));
    page.field(0, "IsDefaultClass", if DEFAULT.iter().any(|key| annotations[*key] == "true") { "Yes" } else { "No" });
    page.field(0, "Annotations", labels(annotations));
    page.field(0, "Provisioner", text(&class["provisioner"]));
    page.field(0, "Parameters", labels(&class["parameters"]));
    page.field(0, "AllowVolumeExpansion", truth(&class["allowVolumeExpansion"]));
    let options = list(&class["mountOptions"]);
    page.line(0, if options.is_empty() { "MountOptions:\t<none>" } else { "MountOptions:" });
    options.iter().for_each(|option| page.line(1, text(option)));
    for (title, field) in [("ReclaimPolicy", "reclaimPolicy"), ("VolumeBindingMode", "volumeBindingMode")] {
        if class[field].is_string() {
            page.field(0, title, text(&class[field]));
        }
    }
    if class["allowedTopologies"].is_array() {
        topologies(page, list(&class["allowedTopologies"]));
    }
    page.events(view.events, view.clock);
}

fn topologies(page: &mut Page, terms: &[Value]) {
    page.field(0, "AllowedTopologies", if terms.is_empty() { "<none>" } else { "" });
    for (at, term) in terms.iter().enumerate() {
        let requirements = list(&term["matchLabelExpressions"]).iter();
        page.column(1, &format!("Term {at}"), requirements.map(|one| format!("{} in [{}]", text(&one["key"]), joined(&one["values"], ", "))));
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
        let class = json!({
            "metadata": {"name": "slow", "annotations": {DEFAULT[0]: "true", "a": "line\n"}}, "provisioner": "example.com/p", "parameters": {"b": "c", "a": "d"},
            "allowVolumeExpansion": true, "mountOptions": ["x", "yy"], "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Retain",
            "allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}, {"key": "x", "values": ["yy"]}]}],
        });
        assert_eq!(
            described(&DESCRIBER, &class, Vec::new(), &[]),
            "\
Name:            slow
IsDefaultClass:  Yes
Annotations:     a=line
,storageclass.kubernetes.io/is-default-class=true
Provisioner:           example.com/p
Parameters:            a=d,b=c
AllowVolumeExpansion:  True
MountOptions:
  x
  yy
ReclaimPolicy:      Retain
VolumeBindingMode:  WaitForFirstConsumer
AllowedTopologies:  \n  Term 0:           zone in [a, b]
                    x in [yy]
Events:             <none>
"
        );
    }
}

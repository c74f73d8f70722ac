//! The page of an EndpointSlice.

use serde_json::Value;

use super::{
    Describer, View, nothing_else,
    page::{Page, ports},
};
use crate::value::{list, plain, some_text, text};

pub(super) const DESCRIBER: Describer = Describer { group: "discovery.k8s.io", kind: "EndpointSlice", related: nothing_else, render };

fn render(view: &View<'_>, page: &mut Page) {
    let slice = view.object;
    page.identity(slice);
    page.labels_and_annotations(slice);
    page.field(0, "AddressType", text(&slice["addressType"]));
    if list(&slice["ports"]).is_empty() {
        page.line(0, "Ports: <unset>");
    } else {
        page.line(0, "Ports:");
        ports(page, 1, &slice["ports"]);
    }
    if list(&slice["endpoints"]).is_empty() {
        page.line(0, "Endpoints: <none>");
    } else {
        page.line(0, "Endpoints:");
    }
    list(&slice["endpoints"]).iter().for_each(|one| endpoint(page, one));
    page.events(view.events, view.clock);
}

fn endpoint(page: &mut Page, endpoint: &Value) {
    let addresses: Vec<&str> = list(&endpoint["addresses"]).iter().map(text).collect();
    page.line(1, &format!("- Addresses:\t{}", if addresses.is_empty() { "<none>".to_owned() } else { addresses.join(", ") }));
    let ready = &endpoint["conditions"]["ready"];
    page.line(2, "Conditions:");
    page.field(3, "Ready", if ready.is_boolean() { plain(ready) } else { "<unset>".to_owned() });
    let or_unset = |field: &str| some_text(&endpoint[field]).unwrap_or("<unset>");
    page.field(2, "Hostname", or_unset("hostname"));
    let target = &endpoint["targetRef"];
    if target.is_object() {
        page.field(2, "TargetRef", format!("{}/{}", text(&target["kind"]), text(&target["name"])));
    }
    page.field(2, "NodeName", or_unset("nodeName"));
    page.field(2, "Zone", or_unset("zone"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn as_kubectl_prints_it() {
        let slice = json!({"metadata": {"name": "web-p4lzj", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.244.2.2"], "conditions": {"ready": true}, "nodeName": "k8s-node-2", "targetRef": {"kind": "Pod", "name": "web-1"}}]});
        assert_eq!(
            described(&DESCRIBER, &slice, Vec::new(), &[]),
            "\
Name:         web-p4lzj
Namespace:    default
Labels:       kubernetes.io/service-name=web
Annotations:  <none>
AddressType:  IPv4
Ports:
  Name  Port  Protocol
  ----  ----  --------
  http  80    TCP
Endpoints:
  - Addresses:  10.244.2.2
    Conditions:
      Ready:    true
    Hostname:   <unset>
    TargetRef:  Pod/web-1
    NodeName:   k8s-node-2
    Zone:       <unset>
Events:         <none>
"
        );
        let empty = described(&DESCRIBER, &json!({"metadata": {"name": "a"}, "addressType": "IPv4"}), Vec::new(), &[]);
        assert!(empty.ends_with("Ports: <unset>\nEndpoints: <none>\nEvents:  <none>\n"), "{empty}");
    }
}

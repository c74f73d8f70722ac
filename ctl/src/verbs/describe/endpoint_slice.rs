//! The page of an EndpointSlice.

use serde_json::Value;

use super::{
    Describer, View, events, nothing_else,
    page::Page,
};
use crate::value::{int, list, plain, some_text, text};

pub(super) const DESCRIBER: Describer = Describer { group: "discovery.k8s.io", kind: "EndpointSlice", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    let slice = view.object;
    page.identity(slice);
    page.labels_and_annotations(slice);
    page.field(0, "AddressType", text(&slice["addressType"]));
    if list(&slice["ports"]).is_empty() {
        page.line(0, "Ports: <unset>");
    } else {
        page.line(0, "Ports:");
        page.line(1, "Name\tPort\tProtocol");
        page.line(1, "----\t----\t--------");
        for port in list(&slice["ports"]) {
            let name = some_text(&port["name"]).unwrap_or("<unset>");
            let number = if port["port"].is_null() { "<unset>".to_owned() } else { plain(&port["port"]) };
            page.line(1, &format!("{name}\t{number}\t{}", text(&port["protocol"])));
        }
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
    let or_unset = |field: &str| endpoint[field].as_str().unwrap_or("<unset>");
    page.field(2, "Hostname", or_unset("hostname"));
    let target = &endpoint["targetRef"];
    if target.is_object() {
        page.field(2, "TargetRef", format!("{}/{}", text(&target["kind"]), text(&target["name"])));
    }
    page.field(2, "NodeName", or_unset("nodeName"));
    page.field(2, "Zone", or_unset("zone"));
}

/// How many endpoints are named before they are only counted.
const NAMED: usize = 3;

/// The first ready addresses with the port of that name, and how many more there are.
pub(super) fn addresses(slices: &[&Value], port_name: &str) -> String {
    let (mut named, mut count, mut more) = (Vec::new(), 0, false);
    for slice in slices {
        let ports: Vec<Option<i64>> = match list(&slice["ports"]) {
            [] => vec![None],
            ports => ports.iter().filter(|port| text(&port["name"]) == port_name).map(|port| Some(int(&port["port"]))).collect(),
        };
        for port in ports {
            for endpoint in list(&slice["endpoints"]) {
                // Whatever comes after those that are named makes kubectl count, ready or not.
                more |= named.len() == NAMED;
                let Some(address) = list(&endpoint["addresses"]).first().map(text) else { continue };
                if endpoint["conditions"]["ready"] == false {
                    continue;
                }
                count += 1;
                if !more {
                    named.push(match port {
                        None => address.to_owned(),
                        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
                        Some(port) => format!("{address}:{port}"),
                    });
                }
            }
        }
    }
    match named.join(",") {
        // No slice at all and slices without a ready address look different in kubectl, and do so here.
        _ if slices.is_empty() => "<none>".to_owned(),
        named if more => format!("{named} + {} more...", count - NAMED),
        named => named,
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

    #[test]
    fn three_addresses_are_named() {
        let slice = |ready: &[bool]| {
            let endpoints: Vec<Value> =
                ready.iter().enumerate().map(|(at, ready)| json!({"addresses": [format!("10.0.0.{at}")], "conditions": {"ready": ready}})).collect();
            json!({"ports": [{"name": "a", "port": 1}], "endpoints": endpoints})
        };
        for (ready, shown) in [
            (&[false][..], ""),
            (&[true, false, true], "10.0.0.0:1,10.0.0.2:1"),
            (&[true; 5], "10.0.0.0:1,10.0.0.1:1,10.0.0.2:1 + 2 more..."),
            (&[true, true, true, false], "10.0.0.0:1,10.0.0.1:1,10.0.0.2:1 + 0 more..."),
        ] {
            assert_eq!(addresses(&[&slice(ready)], "a"), shown);
        }
        assert_eq!(addresses(&[], ""), "<none>");
        assert_eq!(addresses(&[&slice(&[true])], "b"), "");
        assert_eq!(addresses(&[&json!({"ports": [{"name": "a", "port": 1}], "endpoints": [{"addresses": ["fd00::1"]}]})], "a"), "[fd00::1]:1");
    }
}

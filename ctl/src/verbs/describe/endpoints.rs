//! The page of Endpoints.

use super::{
    Describer, View, events, nothing_else,
    page::Page,
};
use crate::value::{int, list, some_text, text};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Endpoints", related: nothing_else, events: events::own, render };

fn render(view: &View<'_>, page: &mut Page) {
    page.identity(view.object);
    page.labels_and_annotations(view.object);
    page.line(0, "Subsets:");
    for subset in list(&view.object["subsets"]) {
        for (title, field) in [("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")] {
            let addresses: Vec<&str> = list(&subset[field]).iter().map(|address| text(&address["ip"])).collect();
            page.field(1, title, if addresses.is_empty() { "<none>".to_owned() } else { addresses.join(",") });
        }
        if !list(&subset["ports"]).is_empty() {
            page.line(1, "Ports:");
            page.line(2, "Name\tPort\tProtocol");
            page.line(2, "----\t----\t--------");
            for port in list(&subset["ports"]) {
                let name = some_text(&port["name"]).unwrap_or("<unset>");
                page.line(2, &format!("{name}\t{}\t{}", int(&port["port"]), text(&port["protocol"])));
            }
        }
        page.line(0, "");
    }
    page.events(view.events, view.clock);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn as_kubectl_prints_it() {
        let object = json!({"metadata": {"name": "web", "namespace": "default"}, "subsets": [
            {"addresses": [{"ip": "10.244.2.2"}, {"ip": "10.244.3.2"}], "ports": [{"name": "alt", "port": 8081, "protocol": "TCP"}, {"port": 80, "protocol": "TCP"}]}]});
        assert_eq!(
            described(&DESCRIBER, &object, Vec::new(), &[]),
            "\
Name:         web
Namespace:    default
Labels:       <none>
Annotations:  <none>
Subsets:
  Addresses:          10.244.2.2,10.244.3.2
  NotReadyAddresses:  <none>
  Ports:
    Name     Port  Protocol
    ----     ----  --------
    alt      8081  TCP
    <unset>  80    TCP

Events:  <none>
"
        );
    }
}

//! The page of a NetworkPolicy: what it lets in, and out.

use serde_json::Value;

use super::{
    Describer, View, events, nothing_else,
    page::{Page, joined, none_if_empty},
    selector::selector,
};
use crate::value::{list, plain, text};

pub(super) const DESCRIBER: Describer =
    Describer { group: "networking.k8s.io", kind: "NetworkPolicy", related: nothing_else, events: events::none, render };

/// The words for one direction of traffic.
struct Direction {
    kind: &'static str,
    rules: &'static str,
    peers: &'static str,
    title: &'static str,
    end: &'static str,
}

const INGRESS: Direction = Direction { kind: "Ingress", rules: "ingress", peers: "from", title: "From", end: "source" };
const EGRESS: Direction = Direction { kind: "Egress", rules: "egress", peers: "to", title: "To", end: "destination" };

fn render(view: &View<'_>, page: &mut Page) {
    let policy = view.object;
    let spec = &policy["spec"];
    page.identity(policy);
    page.field(0, "Created on", view.clock.plain_date(&policy["metadata"]["creationTimestamp"]));
    page.labels_and_annotations(policy);
    page.line(0, "Spec:");
    page.put(1, "PodSelector: ");
    match selector(&spec["podSelector"]).as_str() {
        "<none>" => page.line(2, "<none> (Allowing the specific traffic to all pods in this namespace)"),
        pods => page.line(2, pods),
    }
    for direction in [INGRESS, EGRESS] {
        if list(&spec["policyTypes"]).iter().any(|kind| kind == direction.kind) {
            page.line(1, &format!("Allowing {} traffic:", direction.rules));
            page.nested(2, |page| rules(page, list(&spec[direction.rules]), &direction));
        } else {
            page.line(1, &format!("Not affecting {} traffic", direction.rules));
        }
    }
    page.line(1, &format!("Policy Types: {}", none_if_empty(joined(&spec["policyTypes"], ", "))));
}

fn rules(page: &mut Page, rules: &[Value], direction: &Direction) {
    if rules.is_empty() {
        page.line(0, &format!("<none> (Selected pods are isolated for {} connectivity)", direction.rules));
    }
    for (at, rule) in rules.iter().enumerate() {
        if at != 0 {
            page.line(0, "----------");
        }
        ports(page, list(&rule["ports"]));
        let peers = list(&rule[direction.peers]);
        if peers.is_empty() {
            page.line(0, &format!("{}: <any> (traffic not restricted by {})", direction.title, direction.end));
        }
        for one in peers {
            page.line(0, &format!("{}:", direction.title));
            peer(page, one);
        }
    }
}

fn ports(page: &mut Page, ports: &[Value]) {
    if ports.is_empty() {
        page.line(0, "To Port: <any> (traffic allowed to all ports)");
    }
    for port in ports {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let number = if port["port"].is_null() { "<nil>".to_owned() } else { plain(&port["port"]) };
        if port["endPort"].is_null() {
            page.line(0, &format!("To Port: {number}/{protocol}"));
        } else {
            page.line(0, &format!("To Port Range: {number}-{}/{protocol}", plain(&port["endPort"])));
        }
    }
}

/// Who may be at the other end.
fn peer(page: &mut Page, peer: &Value) {
    let selectors = [("NamespaceSelector", &peer["namespaceSelector"]), ("PodSelector", &peer["podSelector"])];
    if selectors.iter().any(|(_, value)| value.is_object()) {
        for (title, value) in selectors.into_iter().filter(|(_, value)| value.is_object()) {
            page.line(1, &format!("{title}: {}", selector(value)));
        }
    } else if peer["ipBlock"].is_object() {
        page.line(1, "IPBlock:");
        page.line(2, &format!("CIDR: {}", text(&peer["ipBlock"]["cidr"])));
        page.line(2, &format!("Except: {}", joined(&peer["ipBlock"]["except"], ", ")));
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
        let policy = json!({"metadata": {"name": "np", "namespace": "default", "creationTimestamp": "2026-11-30T02:48:46Z"}, "spec": {
            "podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 1000, "endPort": 2000, "protocol": "TCP"}, {"protocol": "SCTP"}],
                    "from": [{"namespaceSelector": {}, "podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.0.0/16"]}}]},
                {},
            ]}});
        assert_eq!(
            described(&DESCRIBER, &policy, Vec::new(), &[]),
            "\
Name:         np
Namespace:    default
Created on:   2026-11-30 02:48:46 +0000 UTC
Labels:       <none>
Annotations:  <none>
Spec:
  PodSelector:     a=b
  Allowing ingress traffic:
    To Port: 80/TCP
    To Port Range: 1000-2000/TCP
    To Port: <nil>/SCTP
    From:
      NamespaceSelector: <none>
      PodSelector: <none>
    From:
      IPBlock:
        CIDR: 10.0.0.0/8
        Except: 10.1.0.0/16, 10.2.0.0/16
    ----------
    To Port: <any> (traffic allowed to all ports)
    From: <any> (traffic not restricted by source)
  Allowing egress traffic:
    <none> (Selected pods are isolated for egress connectivity)
  Policy Types: Ingress, Egress
"
        );
    }

    #[test]
    fn a_policy_for_all_pods_that_lets_everything_out() {
        let text = described(&DESCRIBER, &json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}}), Vec::new(), &[]);
        assert!(
            text.ends_with(
                "\
  PodSelector:     <none> (Allowing the specific traffic to all pods in this namespace)
  Not affecting ingress traffic
  Allowing egress traffic:
    To Port: <any> (traffic allowed to all ports)
    To: <any> (traffic not restricted by destination)
  Policy Types: Egress
"
            ),
            "{text}"
        );
    }
}

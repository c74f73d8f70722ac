//! The page of a Service.

use serde_json::Value;

use super::{
    Describer, View,
    endpoint_slice::addresses,
    events,
    page::{Page, joined, none_if_empty},
    selector,
};
use crate::{
    server::{escape, with_query},
    value::{int, list, name, plain, some_text, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Service", related, events: events::own, render };

fn related(service: &Value) -> Vec<(&'static str, String)> {
    let namespace = escape(text(&service["metadata"]["namespace"]));
    let labels = format!("kubernetes.io/service-name={}", name(service));
    vec![("endpointslices", with_query(&format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"), &[("labelSelector", &labels)]))]
}

fn render(view: &View<'_>, page: &mut Page) {
    let service = view.object;
    let spec = &service["spec"];
    page.identity(service);
    page.labels_and_annotations(service);
    page.field(0, "Selector", selector::labels(&spec["selector"]));
    page.field(0, "Type", text(&spec["type"]));
    page.optional(0, "IP Family Policy", &spec["ipFamilyPolicy"]);
    page.field(0, "IP Families", none_if_empty(joined(&spec["ipFamilies"], ",")));
    page.field(0, "IP", text(&spec["clusterIP"]));
    page.field(0, "IPs", none_if_empty(joined(&spec["clusterIPs"], ",")));
    if !list(&spec["externalIPs"]).is_empty() {
        page.field(0, "External IPs", joined(&spec["externalIPs"], ","));
    }
    page.optional(0, "Desired LoadBalancer IP", &spec["loadBalancerIP"]);
    page.optional(0, "External Name", &spec["externalName"]);
    let ingress: Vec<String> = list(&service["status"]["loadBalancer"]["ingress"]).iter().map(ingress).collect();
    if !ingress.is_empty() {
        page.field(0, "LoadBalancer Ingress", ingress.join(", "));
    }
    let slices: Vec<&Value> = view.objects("endpointslices").unwrap_or_default().iter().collect();
    list(&spec["ports"]).iter().for_each(|service_port| port(page, service_port, &slices));
    page.field(0, "Session Affinity", text(&spec["sessionAffinity"]));
    page.optional(0, "External Traffic Policy", &spec["externalTrafficPolicy"]);
    page.optional(0, "Internal Traffic Policy", &spec["internalTrafficPolicy"]);
    if int(&spec["healthCheckNodePort"]) != 0 {
        page.field(0, "HealthCheck NodePort", int(&spec["healthCheckNodePort"]).to_string());
    }
    if !list(&spec["loadBalancerSourceRanges"]).is_empty() {
        page.field(0, "LoadBalancer Source Ranges", joined(&spec["loadBalancerSourceRanges"], ","));
    }
    page.events(view.events, view.clock);
}

fn port(page: &mut Page, port: &Value, slices: &[&Value]) {
    let (name, protocol) = (some_text(&port["name"]).unwrap_or("<unset>"), text(&port["protocol"]));
    page.field(0, "Port", format!("{name}\t{}/{protocol}", int(&port["port"])));
    page.field(0, "TargetPort", format!("{}/{protocol}", plain(&port["targetPort"])));
    if int(&port["nodePort"]) != 0 {
        page.field(0, "NodePort", format!("{name}\t{}/{protocol}", int(&port["nodePort"])));
    }
    page.field(0, "Endpoints", addresses(slices, text(&port["name"])));
}

fn ingress(ingress: &Value) -> String {
    match (some_text(&ingress["ip"]), some_text(&ingress["ipMode"])) {
        (Some(address), Some(mode)) => format!("{address} ({mode})"),
        (Some(address), None) => address.to_owned(),
        (None, _) => text(&ingress["hostname"]).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// `kubectl describe svc web-np`, as recorded.
    #[test]
    fn as_kubectl_prints_it() {
        let service = json!({
            "metadata": {"name": "web-np", "namespace": "default", "labels": {"app": "web"}},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
                "clusterIP": "10.254.134.104", "clusterIPs": ["10.254.134.104"], "sessionAffinity": "None",
                "externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster",
                "ports": [{"port": 8080, "targetPort": 80, "nodePort": 32264, "protocol": "TCP"}]},
            "status": {"loadBalancer": {}},
        });
        let endpoint = |address: &str, ready: bool| json!({"addresses": [address], "conditions": {"ready": ready}});
        let slices = json!({"items": [{"ports": [{"name": "", "port": 80}], "endpoints": [
            endpoint("10.0.0.30", true), endpoint("10.0.0.31", false), endpoint("10.0.0.32", true), endpoint("10.0.0.33", true), endpoint("10.0.0.34", true), endpoint("10.0.0.35", true)]}]});
        assert_eq!(
            described(&DESCRIBER, &service, vec![("endpointslices", Ok(slices))], &[]),
            "\
Name:                     web-np
Namespace:                default
Labels:                   app=web
Annotations:              <none>
Selector:                 app=web
Type:                     NodePort
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.254.134.104
IPs:                      10.254.134.104
Port:                     <unset>  8080/TCP
TargetPort:               80/TCP
NodePort:                 <unset>  32264/TCP
Endpoints:                10.0.0.30:80,10.0.0.32:80,10.0.0.33:80 + 2 more...
Session Affinity:         None
External Traffic Policy:  Cluster
Internal Traffic Policy:  Cluster
Events:                   <none>
"
        );
    }
}

//! The page of a Service.

use serde_json::Value;

use super::{Describer, View, page::Page};
use crate::{
    server::{escape, with_query},
    value::{int, list, name, plain, some_text, strings, text},
};

pub(super) const DESCRIBER: Describer = Describer { group: "", kind: "Service", related, render };

/// How many endpoints are named before they are only counted.
const NAMED_ENDPOINTS: usize = 3;

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
    let labels: Vec<String> = strings(&spec["selector"]).map(|(key, value)| format!("{key}={value}")).collect();
    page.field(0, "Selector", none_if_empty(labels.join(",")));
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
    let slices = view.objects("endpointslices").unwrap_or_default();
    list(&spec["ports"]).iter().for_each(|service_port| port(page, service_port, slices));
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

fn port(page: &mut Page, port: &Value, slices: &[Value]) {
    let (name, protocol) = (some_text(&port["name"]).unwrap_or("<unset>"), text(&port["protocol"]));
    page.field(0, "Port", format!("{name}\t{}/{protocol}", int(&port["port"])));
    page.field(0, "TargetPort", format!("{}/{protocol}", plain(&port["targetPort"])));
    if int(&port["nodePort"]) != 0 {
        page.field(0, "NodePort", format!("{name}\t{}/{protocol}", int(&port["nodePort"])));
    }
    page.field(0, "Endpoints", endpoints(slices, text(&port["name"])));
}

/// The first ready addresses with the port of that name, and how many more there are.
fn endpoints(slices: &[Value], port_name: &str) -> String {
    let mut found = Vec::new();
    for slice in slices {
        let ready = || {
            list(&slice["endpoints"])
                .iter()
                .filter(|endpoint| endpoint["conditions"]["ready"] != false)
                .filter_map(|endpoint| list(&endpoint["addresses"]).first().map(text))
        };
        if list(&slice["ports"]).is_empty() {
            found.extend(ready().map(str::to_owned));
        }
        for port in list(&slice["ports"]).iter().filter(|port| text(&port["name"]) == port_name) {
            found.extend(ready().map(|address| if address.contains(':') { format!("[{address}]:{}", int(&port["port"])) } else { format!("{address}:{}", int(&port["port"])) }));
        }
    }
    let named = found.iter().take(NAMED_ENDPOINTS).cloned().collect::<Vec<_>>().join(",");
    match found.len().checked_sub(NAMED_ENDPOINTS) {
        // No slice at all and slices without a ready address look different in kubectl, and do so here.
        _ if slices.is_empty() => "<none>".to_owned(),
        Some(more @ 1..) => format!("{named} + {more} more..."),
        _ => named,
    }
}

fn ingress(ingress: &Value) -> String {
    let address = some_text(&ingress["ip"]).unwrap_or_else(|| text(&ingress["hostname"]));
    match some_text(&ingress["ipMode"]) {
        Some(mode) => format!("{address} ({mode})"),
        None => address.to_owned(),
    }
}

fn joined(values: &Value, separator: &str) -> String {
    list(values).iter().map(text).collect::<Vec<_>>().join(separator)
}

fn none_if_empty(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
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

    #[test]
    fn no_slices_no_endpoints() {
        assert_eq!(endpoints(&[], ""), "<none>");
        assert_eq!(endpoints(&[json!({"ports": [{"name": "a", "port": 1}], "endpoints": [{"addresses": ["fd00::1"]}]})], "a"), "[fd00::1]:1");
    }
}

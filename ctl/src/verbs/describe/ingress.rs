//! The page of an Ingress, with the endpoints behind each path.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Describer, View,
    endpoint_slice::addresses,
    events,
    page::{Page, joined},
};
use crate::{
    error::Error,
    server::escape,
    value::{int, list, name, some_text, text},
};

pub(super) const DESCRIBER: Describer =
    Describer { group: "networking.k8s.io", kind: "Ingress", related, events: events::own, render };

/// The label that says whose endpoints a slice holds.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

fn related(ingress: &Value) -> Vec<(&'static str, String)> {
    let namespace = escape(text(&ingress["metadata"]["namespace"]));
    vec![
        ("services", format!("/api/v1/namespaces/{namespace}/services")),
        ("endpointslices", format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")),
    ]
}

fn render(view: &View<'_>, page: &mut Page) {
    let ingress = view.object;
    let spec = &ingress["spec"];
    page.field(0, "Name", name(ingress));
    page.labels("Labels", &ingress["metadata"]["labels"]);
    page.field(0, "Namespace", text(&ingress["metadata"]["namespace"]));
    page.field(0, "Address", address(ingress));
    page.field(0, "Ingress Class", spec["ingressClassName"].as_str().unwrap_or("<none>"));
    let default = if spec["defaultBackend"].is_object() { backend(view, &spec["defaultBackend"]) } else { "<default>".to_owned() };
    page.field(0, "Default backend", &default);
    if !list(&spec["tls"]).is_empty() {
        page.line(0, "TLS:");
    }
    for tls in list(&spec["tls"]) {
        let hosts = joined(&tls["hosts"], ",");
        match some_text(&tls["secretName"]) {
            Some(secret) => page.line(1, &format!("{secret} terminates {hosts}")),
            None => page.line(1, &format!("SNI routes {hosts}")),
        }
    }
    page.line(0, "Rules:\n  Host\tPath\tBackends");
    page.line(1, "----\t----\t--------");
    let rules = || list(&spec["rules"]).iter().filter(|rule| rule["http"].is_object());
    for rule in rules() {
        page.line(1, &format!("{}\t", some_text(&rule["host"]).unwrap_or("*")));
        for path in list(&rule["http"]["paths"]) {
            page.line(2, &format!("\t{} \t{}", text(&path["path"]), backend(view, &path["backend"])));
        }
    }
    if rules().next().is_none() {
        page.line(1, &format!("*\t*\t{default}"));
    }
    page.annotations("Annotations", &ingress["metadata"]["annotations"]);
    page.events(view.events, view.clock);
}

/// Under which addresses or names it is reached.
fn address(ingress: &Value) -> String {
    let one = |ingress: &'_ Value| some_text(&ingress["ip"]).or_else(|| some_text(&ingress["hostname"])).map(str::to_owned);
    let addresses: BTreeSet<String> = list(&ingress["status"]["loadBalancer"]["ingress"]).iter().filter_map(one).collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}

/// A backend, and what stands behind it.
fn backend(view: &View<'_>, backend: &Value) -> String {
    let (service, resource) = (&backend["service"], &backend["resource"]);
    if service.is_object() {
        let port = match int(&service["port"]["number"]) {
            0 => text(&service["port"]["name"]).to_owned(),
            number => number.to_string(),
        };
        return format!("{}:{port} ({})", text(&service["name"]), endpoints(view, service));
    }
    if resource.is_object() {
        let group = resource["apiGroup"].as_str().unwrap_or("<none>");
        return format!("APIGroup: {group}, Kind: {}, Name: {}", text(&resource["kind"]), text(&resource["name"]));
    }
    String::new()
}

fn endpoints(view: &View<'_>, reference: &Value) -> String {
    let failed = ["endpointslices", "services"].into_iter().find_map(|name| view.answer(name)?.as_ref().err());
    if let Some(error) = failed {
        return format!("<error: {}>", error.refusal().map_or_else(|| Error::to_string(error), |refusal| refusal.message.clone()));
    }
    let wanted = text(&reference["name"]);
    let Some(service) = view.objects("services").unwrap_or_default().iter().find(|service| name(service) == wanted) else {
        return format!("<error: services {wanted:?} not found>");
    };
    let asked = &reference["port"];
    let fits = |port: &&Value| {
        let (number, name) = (int(&asked["number"]), text(&asked["name"]));
        number != 0 && number == int(&port["port"]) || !name.is_empty() && name == text(&port["name"])
    };
    let port = list(&service["spec"]["ports"]).iter().rfind(fits).map(|port| text(&port["name"])).unwrap_or_default();
    let slices = view.objects("endpointslices").unwrap_or_default().iter();
    addresses(&slices.filter(|slice| slice["metadata"]["labels"][SERVICE_NAME] == wanted).collect::<Vec<_>>(), port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::describe::tests::described;
    use serde_json::json;

    /// What kubectl 1.32 printed of our own server's object.
    #[test]
    fn as_kubectl_prints_it() {
        let service = |name: &str, port: u16| json!({"service": {"name": name, "port": {"number": port}}});
        let ingress = json!({"metadata": {"name": "front", "namespace": "default", "annotations": {"x": "y"}}, "spec": {
            "ingressClassName": "main", "tls": [{"hosts": ["a", "b"], "secretName": "s"}, {"hosts": ["c"]}], "defaultBackend": service("plain", 80),
            "rules": [
                {"host": "a.example.com", "http": {"paths": [{"path": "/x", "backend": service("nope", 80)}, {"backend": {"resource": {"kind": "Bucket", "name": "b"}}}]}},
                {"http": {"paths": [{"path": "/y", "backend": service("plain", 81)}]}},
                {"host": "empty.example.com"},
            ]}});
        let services = json!({"items": [{"metadata": {"name": "plain"}, "spec": {"ports": [{"port": 80, "name": "http"}]}}]});
        let slices = json!({"items": [{"metadata": {"labels": {SERVICE_NAME: "plain"}}, "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": ["10.244.3.4"]}, {"addresses": ["10.244.1.3"]}]}]});
        assert_eq!(
            described(&DESCRIBER, &ingress, vec![("services", Ok(services)), ("endpointslices", Ok(slices))], &[]),
            "\
Name:             front
Labels:           <none>
Namespace:        default
Address:          \nIngress Class:    main
Default backend:  plain:80 (10.244.3.4:8080,10.244.1.3:8080)
TLS:
  s terminates a,b
  SNI routes c
Rules:
  Host           Path  Backends
  ----           ----  --------
  a.example.com  \n                 /x   nope:80 (<error: services \"nope\" not found>)
                      APIGroup: <none>, Kind: Bucket, Name: b
  *              \n                 /y   plain:81 ()
Annotations:     x: y
Events:          <none>
"
        );
    }

    #[test]
    fn without_rules_everything_goes_to_the_default_backend() {
        let text = described(&DESCRIBER, &json!({"status": {"loadBalancer": {"ingress": [{"ip": "b"}, {"hostname": "a"}]}}}), Vec::new(), &[]);
        assert!(text.contains("Address:          a,b\n"), "{text}");
        assert!(text.contains("  *           *     <default>\n"), "{text}");
    }
}

//! The table of Services.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use serde_json::Value;

use super::super::{
    rules::{Column, column},
    selector::labels_cell,
    unset::{list, text},
};

/// The columns.
pub(super) const COLUMNS: &[Column<Service>] = &[
    Column::name(),
    column("Type", |service: &Service, _| Value::from(service.spec.as_ref().map(|spec| text(&spec.type_)).unwrap_or_default())),
    column("Cluster-IP", |service: &Service, _| {
        let ips = service.spec.as_ref().map(|spec| list(&spec.cluster_ips)).unwrap_or_default();
        Value::from(ips.first().map_or("<none>", String::as_str))
    }),
    column("External-IP", |service: &Service, _| Value::from(external_ip(service))),
    column("Port(s)", |service: &Service, _| Value::from(service.spec.as_ref().map(ports).unwrap_or_default())),
    Column::age(),
    column("Selector", |service: &Service, _| Value::from(labels_cell(service.spec.as_ref().and_then(|spec| spec.selector.as_ref()))))
        .wide(),
];

fn external_ip(service: &Service) -> String {
    let Some(spec) = &service.spec else { return "<unknown>".to_owned() };
    let mut external: Vec<&str> = list(&spec.external_ips).iter().map(String::as_str).collect();
    match text(&spec.type_) {
        "ClusterIP" | "NodePort" if external.is_empty() => "<none>".to_owned(),
        "ClusterIP" | "NodePort" => external.join(","),
        "LoadBalancer" => {
            let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
            let given = balancer.iter().flat_map(|balancer| list(&balancer.ingress));
            let mut all: Vec<&str> = given
                .map(|ingress| if text(&ingress.ip).is_empty() { text(&ingress.hostname) } else { text(&ingress.ip) })
                .filter(|address| !address.is_empty())
                .collect();
            all.append(&mut external);
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        "ExternalName" => text(&spec.external_name).to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// `80/TCP,443:30443/TCP`.
fn ports(spec: &ServiceSpec) -> String {
    let shown = |port: &ServicePort| match port.node_port.filter(|number| *number > 0) {
        Some(number) => format!("{}:{number}/{}", port.port, text(&port.protocol)),
        None => format!("{}/{}", port.port, text(&port.protocol)),
    };
    let ports = list(&spec.ports);
    if ports.is_empty() { "<none>".to_owned() } else { ports.iter().map(shown).collect::<Vec<_>>().join(",") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells() {
        for (json, address, shown_ports) in [
            (json!({"spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}}), "<none>", "80/TCP"),
            (
                json!({"spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}]}}),
                "<none>",
                "80:30001/TCP",
            ),
            (json!({"spec": {"type": "LoadBalancer"}}), "<pending>", "<none>"),
            (
                json!({"spec": {"type": "LoadBalancer", "externalIPs": ["1.1.1.1"]}, "status": {"loadBalancer": {"ingress": [{"hostname": "a.b"}]}}}),
                "a.b,1.1.1.1",
                "<none>",
            ),
            (json!({"spec": {"type": "ExternalName", "externalName": "a.b.c"}}), "a.b.c", "<none>"),
        ] {
            let service: Service = serde_json::from_value(json).unwrap();
            assert_eq!((external_ip(&service).as_str(), ports(service.spec.as_ref().unwrap()).as_str()), (address, shown_ports));
        }
    }
}

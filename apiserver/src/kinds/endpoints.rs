//! Endpoints: the old form of EndpointSlices.

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, Endpoints};
use mini_api::name;
use serde_json::Value;

use super::{
    address,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::{default_text, list, list_mut, text},
};

/// What everyone who uses Endpoints is told.
pub(super) const DEPRECATED: &str = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";

/// How many endpoints a cell of a table shows.
const SHOWN: usize = 3;

/// What is special about Endpoints.
pub(super) const RULES: Rules<Endpoints> = Rules {
    defaults: |endpoints| {
        for port in list_mut(&mut endpoints.subsets).iter_mut().flat_map(|subset| list_mut(&mut subset.ports)) {
            default_text(&mut port.protocol, "TCP");
        }
    },
    validate,
    columns: &[Column::name(), column("Endpoints", |endpoints: &Endpoints, _| Value::from(cell(endpoints))), Column::age()],
    ..Rules::NONE
};

fn validate(endpoints: &Endpoints, errors: &mut Errors) {
    let path = Path::new("subsets");
    for (index, subset) in list(&endpoints.subsets).iter().enumerate() {
        let path = path.index(index);
        if list(&subset.addresses).is_empty() && list(&subset.not_ready_addresses).is_empty() {
            errors.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for (field, addresses) in [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)] {
            let path = path.child(field);
            for (index, address) in list(addresses).iter().enumerate() {
                self::address(address, &path.index(index), errors);
            }
        }
        let ports = list(&subset.ports);
        let path = path.child("ports");
        for (index, port) in ports.iter().enumerate() {
            self::port(port, ports.len() > 1, &path.index(index), errors);
        }
    }
}

fn address(address: &EndpointAddress, path: &Path<'_>, errors: &mut Errors) {
    let ip = path.child("ip");
    address::ip(&address.ip, &ip, errors);
    let hostname = text(&address.hostname);
    if !hostname.is_empty() {
        errors.invalid_all(&path.child("hostname"), hostname, name::dns1123_label(hostname));
    }
    if let Some(node) = &address.node_name {
        errors.invalid_all(&path.child("nodeName"), node, name::dns1123_subdomain(node));
    }
    address::endpoint_ip(&address.ip, &ip, errors);
}

fn port(port: &EndpointPort, needs_name: bool, path: &Path<'_>, errors: &mut Errors) {
    let name = text(&port.name);
    if !name.is_empty() {
        errors.invalid_all(&path.child("name"), name, name::dns1123_label(name));
    } else if needs_name {
        errors.required(&path.child("name"), "");
    }
    address::port(port.port, &path.child("port"), errors);
    address::protocol(text(&port.protocol), &path.child("protocol"), errors);
    if let Some(protocol) = &port.app_protocol {
        errors.invalid_all(&path.child("appProtocol"), protocol, name::qualified_name(protocol));
    }
}

/// The first few endpoints: `10.0.0.1:80,10.0.0.2:80`.
fn cell(endpoints: &Endpoints) -> String {
    if list(&endpoints.subsets).is_empty() {
        return "<none>".to_owned();
    }
    let mut all = Vec::new();
    for subset in list(&endpoints.subsets) {
        let addresses = list(&subset.addresses).iter().map(|address| address.ip.as_str());
        if list(&subset.ports).is_empty() {
            all.extend(addresses.clone().map(str::to_owned));
        }
        for port in list(&subset.ports) {
            all.extend(
                addresses.clone().map(|ip| if ip.contains(':') { format!("[{ip}]:{}", port.port) } else { format!("{ip}:{}", port.port) }),
            );
        }
    }
    some_of(&all)
}

/// A list as tables show it: `a,b,c + 2 more...`.
pub(super) fn some_of(all: &[String]) -> String {
    let shown = all[..all.len().min(SHOWN)].join(",");
    if all.len() > SHOWN { format!("{shown} + {} more...", all.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subsets() {
        let endpoints: Endpoints = serde_json::from_value(json!({"subsets": [
            {"ports": [{"port": 80}, {"port": 0, "name": "b"}]},
            {"addresses": [{"ip": "127.0.0.1"}]},
        ]}))
        .unwrap();
        let mut errors = Errors::new();
        let mut defaulted = endpoints;
        (RULES.defaults)(&mut defaulted);
        validate(&defaulted, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`, subsets[0].ports[0].name: Required value, subsets[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive, subsets[1].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)]"
        );
    }

    #[test]
    fn cells() {
        let addresses: Vec<Value> = (1..=5).map(|n| json!({"ip": format!("10.0.0.{n}")})).collect();
        let endpoints: Endpoints = serde_json::from_value(json!({"subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]})).unwrap();
        assert_eq!(cell(&endpoints), "10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...");
        assert_eq!(cell(&Endpoints::default()), "<none>");
    }
}

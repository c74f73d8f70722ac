//! EndpointSlices: where the pods of a Service are.

use std::{collections::BTreeSet, net::IpAddr};

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use mini_api::name;
use serde_json::Value;

use super::{
    address, endpoints,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    selector,
    unset::{default_text, list, list_mut, text},
};

const MAX_ENDPOINTS: usize = 1000;
const MAX_PORTS: usize = 20_000;
const MAX_ADDRESSES: usize = 100;
const MAX_TOPOLOGY: usize = 16;
const MAX_HINTS: usize = 8;

/// What is special about an EndpointSlice.
pub(super) const RULES: Rules<EndpointSlice> = Rules {
    defaults,
    validate,
    validate_update: |new, old, errors| {
        if new.address_type != old.address_type {
            errors.invalid(&Path::new("addressType"), &new.address_type, "field is immutable");
        }
    },
    columns: &[
        Column::name(),
        column("AddressType", |slice: &EndpointSlice, _| Value::from(slice.address_type.clone())),
        column("Ports", |slice: &EndpointSlice, _| Value::from(ports_cell(slice))),
        column("Endpoints", |slice: &EndpointSlice, _| Value::from(endpoints_cell(slice))),
        Column::age(),
    ],
    ..Rules::NONE
};

fn defaults(slice: &mut EndpointSlice) {
    for port in list_mut(&mut slice.ports) {
        port.name.get_or_insert_default();
        default_text(&mut port.protocol, "TCP");
    }
    for endpoint in list_mut(&mut slice.endpoints) {
        endpoint.conditions.get_or_insert_default();
    }
}

fn validate(slice: &EndpointSlice, errors: &mut Errors) {
    let kind = slice.address_type.as_str();
    match kind {
        "IPv4" | "IPv6" | "FQDN" => {}
        "" => errors.required(&Path::new("addressType"), ""),
        kind => errors.unsupported(&Path::new("addressType"), kind, &["FQDN", "IPv4", "IPv6"]),
    }
    let path = Path::new("endpoints");
    let endpoints = list(&slice.endpoints);
    if endpoints.len() > MAX_ENDPOINTS {
        errors.too_many(&path, endpoints.len(), MAX_ENDPOINTS);
    } else {
        for (index, endpoint) in endpoints.iter().enumerate() {
            self::endpoint(endpoint, kind, &path.index(index), errors);
        }
    }
    ports(list(&slice.ports), &Path::new("ports"), errors);
}

fn endpoint(endpoint: &Endpoint, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let addresses = path.child("addresses");
    if endpoint.addresses.is_empty() {
        errors.required(&addresses, "must contain at least 1 address");
    } else if endpoint.addresses.len() > MAX_ADDRESSES {
        errors.too_many(&addresses, endpoint.addresses.len(), MAX_ADDRESSES);
    }
    for (index, value) in endpoint.addresses.iter().enumerate() {
        address(value, kind, &addresses.index(index), errors);
    }
    if let Some(node) = &endpoint.node_name {
        errors.invalid_all(&path.child("nodeName"), node, name::dns1123_subdomain(node));
    }
    let topology = path.child("deprecatedTopology");
    if let Some(labels) = endpoint.deprecated_topology.as_ref().filter(|labels| labels.len() > MAX_TOPOLOGY) {
        errors.too_many(&topology, labels.len(), MAX_TOPOLOGY);
    }
    selector::labels(endpoint.deprecated_topology.as_ref(), &topology, errors);
    if let Some(hostname) = &endpoint.hostname {
        errors.invalid_all(&path.child("hostname"), hostname, name::dns1123_label(hostname));
    }
    let hints = path.child("hints");
    let Some(given) = &endpoint.hints else { return };
    let zones = list(&given.for_zones).iter().map(|zone| zone.name.as_str()).collect();
    self::hints(zones, name::label_value, &hints.child("forZones"), errors);
    let nodes = list(&given.for_nodes).iter().map(|node| node.name.as_str()).collect();
    self::hints(nodes, name::dns1123_subdomain, &hints.child("forNodes"), errors);
}

fn hints(names: Vec<&str>, rule: fn(&str) -> Vec<String>, path: &Path<'_>, errors: &mut Errors) {
    if names.len() > MAX_HINTS {
        return errors.too_many(path, names.len(), MAX_HINTS);
    }
    let mut seen = BTreeSet::new();
    for (index, name) in names.into_iter().enumerate() {
        let path = path.index(index);
        let path = path.child("name");
        if !seen.insert(name) {
            errors.duplicate(&path, name);
        } else if name.is_empty() {
            errors.required(&path, "");
        } else {
            errors.invalid_all(&path, name, rule(name));
        }
    }
}

fn address(value: &str, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    match kind {
        "IPv4" | "IPv6" => {
            if !address::ip(value, path, errors) {
                return;
            }
            let is_v4 = value.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4());
            if is_v4 != (kind == "IPv4") {
                errors.invalid(path, value, if is_v4 { "must be an IPv6 address" } else { "must be an IPv4 address" });
            }
            address::endpoint_ip(value, path, errors);
        }
        "FQDN" if value.is_empty() => errors.required(path, ""),
        "FQDN" => {
            let domain = value.strip_suffix('.').unwrap_or(value);
            let wrong = name::dns1123_subdomain(domain);
            if !wrong.is_empty() {
                errors.invalid_all(path, value, wrong);
            } else if !domain.contains('.') {
                errors.invalid(path, value, "should be a domain with at least two segments separated by dots");
            }
        }
        _ => {}
    }
}

fn ports(ports: &[EndpointPort], path: &Path<'_>, errors: &mut Errors) {
    if ports.len() > MAX_PORTS {
        return errors.too_many(path, ports.len(), MAX_PORTS);
    }
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = text(&port.name);
        if !name.is_empty() {
            errors.invalid_all(&path.child("name"), name, name::dns1123_label(name));
        }
        if !names.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
        address::protocol(text(&port.protocol), &path.child("protocol"), errors);
        if let Some(protocol) = &port.app_protocol {
            errors.invalid_all(&path.child("appProtocol"), protocol, name::qualified_name(protocol));
        }
    }
}

fn ports_cell(slice: &EndpointSlice) -> String {
    let shown = |port: &EndpointPort| match (port.port, &port.name) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "*".to_owned(),
    };
    or_unset(endpoints::some_of(&list(&slice.ports).iter().map(shown).collect::<Vec<_>>()))
}

fn endpoints_cell(slice: &EndpointSlice) -> String {
    let addresses: Vec<String> = list(&slice.endpoints).iter().flat_map(|endpoint| &endpoint.addresses).cloned().collect();
    or_unset(endpoints::some_of(&addresses))
}

fn or_unset(cell: String) -> String {
    if cell.is_empty() { "<unset>".to_owned() } else { cell }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(json: Value) -> EndpointSlice {
        let mut slice = serde_json::from_value(json).unwrap();
        defaults(&mut slice);
        slice
    }

    #[test]
    fn slices() {
        for (json, want) in [
            (json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}], "ports": [{"port": 80}]}), ""),
            (json!({"addressType": "", "endpoints": []}), "addressType: Required value"),
            (
                json!({"addressType": "IPv4", "endpoints": [{"addresses": []}]}),
                "endpoints[0].addresses: Required value: must contain at least 1 address",
            ),
            (
                json!({"addressType": "IPv4", "endpoints": [{"addresses": ["fd00::1"]}]}),
                "endpoints[0].addresses[0]: Invalid value: \"fd00::1\": must be an IPv4 address",
            ),
            (
                json!({"addressType": "FQDN", "endpoints": [{"addresses": ["a"]}]}),
                "endpoints[0].addresses[0]: Invalid value: \"a\": should be a domain with at least two segments separated by dots",
            ),
            (json!({"addressType": "IPv4", "endpoints": [], "ports": [{"port": 1}, {"port": 2}]}), "ports[1].name: Duplicate value: \"\""),
        ] {
            let mut errors = Errors::new();
            validate(&slice(json), &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn a_minimal_one() {
        let slice = slice(json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.2.3"]}], "ports": [{"port": 80}]}));
        assert_eq!(serde_json::to_value(&slice.ports).unwrap(), json!([{"name": "", "port": 80, "protocol": "TCP"}]));
        assert_eq!(serde_json::to_value(&slice.endpoints).unwrap()[0]["conditions"], json!({}));
        assert_eq!((ports_cell(&slice), endpoints_cell(&slice)), ("80".to_owned(), "10.1.2.3".to_owned()));
        assert_eq!(ports_cell(&EndpointSlice::default()), "<unset>");
    }
}

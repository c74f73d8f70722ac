//! NetworkPolicies: which connections to and from pods are allowed.

use k8s_openapi::{
    api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use serde_json::Value;

use super::{
    Conversion,
    address::{self, Network},
    field::{Errors, Path},
    rules::{Column, Rules, column},
    selector,
    unset::{list, list_mut},
};

/// What a policy can be about.
const TYPES: &[&str] = &["Ingress", "Egress"];

/// The version of the first NetworkPolicies, and no different.
pub(super) const EXTENSIONS_V1BETA1: Conversion = Conversion {
    warning: Some("extensions/v1beta1 NetworkPolicy is deprecated in v1.9+, unavailable in v1.16+; use networking.k8s.io/v1 NetworkPolicy"),
    ..Conversion::NONE
};

/// What is special about a NetworkPolicy.
pub(super) const RULES: Rules<NetworkPolicy> = Rules {
    defaults,
    validate,
    columns: &[
        Column::name(),
        column("Pod-Selector", |policy: &NetworkPolicy, _| {
            let selected = policy.spec.as_ref().and_then(|spec| spec.pod_selector.as_ref());
            Value::from(selected.map_or_else(|| selector::cell(&LabelSelector::default()), selector::cell))
        }),
        Column::age(),
    ],
    ..Rules::NONE
};

fn defaults(policy: &mut NetworkPolicy) {
    let spec = policy.spec.get_or_insert_default();
    spec.pod_selector.get_or_insert_default();
    let ingress = list_mut(&mut spec.ingress).iter_mut().flat_map(|rule| list_mut(&mut rule.ports));
    let egress = list_mut(&mut spec.egress).iter_mut().flat_map(|rule| list_mut(&mut rule.ports));
    for port in ingress.chain(egress) {
        port.protocol.get_or_insert_with(|| "TCP".to_owned());
    }
    if list(&spec.policy_types).is_empty() {
        let count = if list(&spec.egress).is_empty() { 1 } else { 2 };
        spec.policy_types = Some(TYPES[..count].iter().map(|&kind| kind.to_owned()).collect());
    }
}

fn validate(policy: &NetworkPolicy, errors: &mut Errors) {
    let Some(spec) = &policy.spec else { return };
    let path = Path::new("spec");
    if let Some(selected) = &spec.pod_selector {
        selector::label_selector(selected, &path.child("podSelector"), errors);
    }
    validate_rules(spec, &path, errors);
    let types = path.child("policyTypes");
    let given = list(&spec.policy_types);
    if given.len() > TYPES.len() {
        return errors.invalid(&types, given, "may not specify more than two policyTypes");
    }
    for (index, kind) in given.iter().enumerate().filter(|(_, kind)| !TYPES.contains(&kind.as_str())) {
        errors.unsupported(&types.index(index), kind, TYPES);
    }
}

fn validate_rules(spec: &NetworkPolicySpec, path: &Path<'_>, errors: &mut Errors) {
    let mut rule = |ports: &[NetworkPolicyPort], peers: &[NetworkPolicyPeer], side: &str, path: &Path<'_>| {
        let (at_ports, at_peers) = (path.child("ports"), path.child(side));
        for (index, port) in ports.iter().enumerate() {
            validate_port(port, &at_ports.index(index), errors);
        }
        for (index, peer) in peers.iter().enumerate() {
            validate_peer(peer, &at_peers.index(index), errors);
        }
    };
    let (ingress, egress) = (path.child("ingress"), path.child("egress"));
    for (index, one) in list(&spec.ingress).iter().enumerate() {
        rule(list(&one.ports), list(&one.from), "from", &ingress.index(index));
    }
    for (index, one) in list(&spec.egress).iter().enumerate() {
        rule(list(&one.ports), list(&one.to), "to", &egress.index(index));
    }
}

fn validate_port(port: &NetworkPolicyPort, path: &Path<'_>, errors: &mut Errors) {
    if let Some(protocol) = port.protocol.as_deref().filter(|protocol| !address::PROTOCOLS.contains(protocol)) {
        errors.unsupported(&path.child("protocol"), protocol, &["TCP", "UDP", "SCTP"]);
    }
    let at_end = path.child("endPort");
    match (&port.port, port.end_port) {
        (Some(IntOrString::Int(first)), end) => {
            address::port(*first, &path.child("port"), errors);
            if let Some(end) = end {
                if end < *first {
                    errors.invalid(&at_end, end, "must be greater than or equal to `port`");
                }
                address::port(end, &at_end, errors);
            }
        }
        (Some(named), end) => {
            if let Some(end) = end {
                errors.invalid(&at_end, end, "may not be specified when `port` is non-numeric");
            }
            address::port_or_name(named, &path.child("port"), errors);
        }
        (None, Some(end)) => errors.invalid(&at_end, end, "may not be specified when `port` is not specified"),
        (None, None) => {}
    }
}

fn validate_peer(peer: &NetworkPolicyPeer, path: &Path<'_>, errors: &mut Errors) {
    if let Some(selected) = &peer.pod_selector {
        selector::label_selector(selected, &path.child("podSelector"), errors);
    }
    if let Some(selected) = &peer.namespace_selector {
        selector::label_selector(selected, &path.child("namespaceSelector"), errors);
    }
    let selects = peer.pod_selector.is_some() || peer.namespace_selector.is_some();
    match &peer.ip_block {
        Some(block) => {
            validate_block(block, &path.child("ipBlock"), errors);
            if selects {
                errors.forbidden(path, "may not specify both ipBlock and another peer");
            }
        }
        None if !selects => errors.required(path, "must specify a peer"),
        None => {}
    }
}

fn validate_block(block: &IPBlock, path: &Path<'_>, errors: &mut Errors) {
    if block.cidr.is_empty() {
        return errors.required(&path.child("cidr"), "");
    }
    address::cidr(&block.cidr, &path.child("cidr"), errors);
    let Some(all) = Network::parse(&block.cidr) else { return };
    let path = path.child("except");
    for (index, except) in list(&block.except).iter().enumerate() {
        let path = path.index(index);
        address::cidr(except, &path, errors);
        if Network::parse(except).is_some_and(|except| !all.strictly_contains(except)) {
            errors.invalid(&path, except, "must be a strict subset of `cidr`");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(spec: Value) -> NetworkPolicy {
        let mut policy = serde_json::from_value(json!({ "spec": spec })).unwrap();
        defaults(&mut policy);
        policy
    }

    fn said(spec: Value) -> String {
        let mut errors = Errors::new();
        validate(&policy(spec), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn egress_rules_make_it_a_policy_of_egress() {
        let types = |spec| policy(spec).spec.unwrap().policy_types.unwrap();
        assert_eq!(types(json!({})), ["Ingress"]);
        assert_eq!(types(json!({"egress": [{}]})), ["Ingress", "Egress"]);
        assert_eq!(types(json!({"policyTypes": ["Egress"]})), ["Egress"]);
    }

    #[test]
    fn ports() {
        assert_eq!(said(json!({"ingress": [{"ports": [{"port": 80, "endPort": 90}, {"port": "http"}]}]})), "");
        assert_eq!(
            said(json!({"ingress": [{"ports": [{"port": 80, "endPort": 79}]}]})),
            "spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`"
        );
        assert_eq!(
            said(json!({"egress": [{"ports": [{"endPort": 79, "protocol": "X"}]}]})),
            "spec.egress[0].ports[0].protocol: Unsupported value: \"X\": supported values: \"TCP\", \"UDP\", \"SCTP\"; \
             spec.egress[0].ports[0].endPort: Invalid value: 79: may not be specified when `port` is not specified"
        );
    }

    #[test]
    fn peers() {
        assert_eq!(said(json!({"ingress": [{"from": [{"podSelector": {}, "namespaceSelector": {}}]}]})), "");
        assert_eq!(said(json!({"ingress": [{"from": [{}]}]})), "spec.ingress[0].from[0]: Required value: must specify a peer");
        assert_eq!(
            said(
                json!({"egress": [{"to": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8", "fd00::/64", "10.1.0.0/16"]}}]}]})
            ),
            "spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`; \
             spec.egress[0].to[0].ipBlock.except[1]: Invalid value: \"fd00::/64\": must be a strict subset of `cidr`; \
             spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer"
        );
    }

    #[test]
    fn types() {
        assert_eq!(
            said(json!({"policyTypes": ["Ingress", "Egress", "Ingress"]})),
            "spec.policyTypes: Invalid value: [\"Ingress\",\"Egress\",\"Ingress\"]: may not specify more than two policyTypes"
        );
    }
}

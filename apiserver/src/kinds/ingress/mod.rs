//! Ingresses: which HTTP requests from outside lead to which Services.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{Ingress, IngressSpec, IngressStatus};
use serde_json::Value;

use super::{
    rules::{Column, Rules, column, parts},
    unset::{list, text},
};

pub(super) mod v1beta1;
mod validate;

/// How files named the class before there was a field for it.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// How many hosts a table shows.
const HOSTS_SHOWN: usize = 3;

/// What is special about an Ingress.
pub(super) const RULES: Rules<Ingress> = Rules {
    defaults,
    on_create: |ingress| ingress.status = Some(blank_status()),
    validate: validate::ingress,
    validate_create: validate::class_is_one,
    validate_status: |new, _, errors| validate::status(new, errors),
    warnings,
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn blank_status() -> IngressStatus {
    IngressStatus { load_balancer: Some(k8s_openapi::api::networking::v1::IngressLoadBalancerStatus::default()) }
}

fn defaults(ingress: &mut Ingress) {
    ingress.spec.get_or_insert_default();
    ingress.status.get_or_insert_default().load_balancer.get_or_insert_default();
}

fn warnings(ingress: &Ingress) -> Vec<String> {
    let has_class = ingress.spec.as_ref().is_some_and(|spec| spec.ingress_class_name.is_some());
    if has_class || !ingress.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(CLASS_ANNOTATION)) {
        return Vec::new();
    }
    vec![format!("annotation {CLASS_ANNOTATION:?} is deprecated, please use 'spec.ingressClassName' instead")]
}

const COLUMNS: &[Column<Ingress>] = &[
    Column::name(),
    column("Class", |ingress: &Ingress, _| {
        let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
        Value::from(class.unwrap_or("<none>"))
    })
    .about("The name of the IngressClass resource that should be used for additional configuration"),
    column("Hosts", |ingress: &Ingress, _| Value::from(ingress.spec.as_ref().map_or_else(|| "*".to_owned(), hosts)))
        .about("Hosts that incoming requests are matched against before the ingress rule"),
    column("Address", |ingress: &Ingress, _| Value::from(addresses(ingress)))
        .about("Address is a list containing ingress points for the load-balancer"),
    column("Ports", |ingress: &Ingress, _| {
        let is_plain = ingress.spec.as_ref().is_none_or(|spec| list(&spec.tls).is_empty());
        Value::from(if is_plain { "80" } else { "80, 443" })
    })
    .about("Ports of TLS configurations that open"),
    Column::age(),
];

fn hosts(spec: &IngressSpec) -> String {
    let rules = list(&spec.rules);
    let all: Vec<&str> = rules.iter().map(|rule| text(&rule.host)).filter(|host| !host.is_empty()).collect();
    if all.is_empty() {
        return "*".to_owned();
    }
    // As upstream: once enough are shown, rules are counted, whether they have a host or not.
    let after = rules.iter().scan(0, |shown, rule| {
        let is_full = *shown == HOSTS_SHOWN;
        *shown += usize::from(!is_full && !text(&rule.host).is_empty());
        Some(is_full)
    });
    let shown = all[..all.len().min(HOSTS_SHOWN)].join(",");
    if after.into_iter().any(|is_full| is_full) { format!("{shown} + {} more...", rules.len() - HOSTS_SHOWN) } else { shown }
}

fn addresses(ingress: &Ingress) -> String {
    let balancer = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let points = balancer.iter().flat_map(|balancer| list(&balancer.ingress));
    let shown: BTreeSet<&str> = points
        .map(|point| if text(&point.ip).is_empty() { text(&point.hostname) } else { text(&point.ip) })
        .filter(|address| !address.is_empty())
        .collect();
    shown.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ingress(json: Value) -> Ingress {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn hosts_are_shown_up_to_three() {
        let shown = |hosts: &[&str]| {
            let rules: Vec<Value> = hosts.iter().map(|host| json!({ "host": host })).collect();
            super::hosts(&ingress(json!({"spec": {"rules": rules}})).spec.unwrap())
        };
        assert_eq!(shown(&[]), "*");
        assert_eq!(shown(&["a", "", "b", "c"]), "a,b,c");
        assert_eq!(shown(&["a", "b", "c", "d", "e"]), "a,b,c + 2 more...");
    }

    #[test]
    fn addresses_are_a_sorted_set() {
        let ingress =
            ingress(json!({"status": {"loadBalancer": {"ingress": [{"hostname": "b.c"}, {"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}, {}]}}}));
        assert_eq!(addresses(&ingress), "1.1.1.1,b.c");
    }

    #[test]
    fn the_annotation_of_the_class_is_of_old() {
        let annotated = json!({"metadata": {"annotations": {"kubernetes.io/ingress.class": "n"}}});
        assert_eq!(
            warnings(&ingress(annotated)),
            ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"]
        );
        assert!(warnings(&ingress(json!({"spec": {"ingressClassName": "n"}}))).is_empty());
    }
}

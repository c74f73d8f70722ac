//! What is wrong with an Ingress.

use k8s_openapi::api::{
    core::v1::TypedLocalObjectReference,
    networking::v1::{HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressTLS},
};
use mini_api::name;

use super::{
    super::{
        address,
        field::{Errors, Path},
        unset::{list, text},
    },
    CLASS_ANNOTATION,
};

const PATH_TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
/// What a path that is compared step by step must not contain, and how it must not end.
const BAD_SEQUENCES: &[&str] = &["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS: &[&str] = &["/..", "/."];

/// What is wrong with the spec.
pub(super) fn ingress(ingress: &Ingress, errors: &mut Errors) {
    let Some(spec) = &ingress.spec else { return };
    let path = Path::new("spec");
    let rules = list(&spec.rules);
    if rules.is_empty() && spec.default_backend.is_none() {
        errors.invalid(&path, &spec.rules, "either `defaultBackend` or `rules` must be specified");
    }
    if let Some(backend) = &spec.default_backend {
        validate_backend(backend, &path.child("defaultBackend"), errors);
    }
    let at_rules = path.child("rules");
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, &at_rules.index(index), errors);
    }
    let at_tls = path.child("tls");
    for (index, tls) in list(&spec.tls).iter().enumerate() {
        validate_tls(tls, &at_tls.index(index), errors);
    }
    if let Some(class) = &spec.ingress_class_name {
        errors.invalid_all(&path.child("ingressClassName"), class, name::dns1123_subdomain(class));
    }
}

/// A new Ingress does not name two classes.
pub(super) fn class_is_one(ingress: &Ingress, errors: &mut Errors) {
    let annotated = ingress.metadata.annotations.as_ref().and_then(|annotations| annotations.get(CLASS_ANNOTATION));
    let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_ref());
    if let (Some(annotated), Some(class)) = (annotated, class)
        && annotated != class
    {
        let path = Path::new("annotations");
        errors.invalid(&path.child(CLASS_ANNOTATION), annotated, "must match `ingressClassName` when both are specified");
    }
}

/// What is wrong with the status.
pub(super) fn status(ingress: &Ingress, errors: &mut Errors) {
    let status = Path::new("status");
    let balancer = status.child("loadBalancer");
    let path = balancer.child("ingress");
    let points = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref()).map(|balancer| list(&balancer.ingress));
    for (index, point) in points.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        let (ip, hostname) = (text(&point.ip), text(&point.hostname));
        if !ip.is_empty() {
            address::ip(ip, &path.child("ip"), errors);
        }
        if !hostname.is_empty() {
            address::hostname(hostname, &path.child("hostname"), errors);
        }
    }
}

/// A host that requests are for: all of its subdomains if it begins with `*.`.
fn validate_host(host: &str, path: &Path<'_>, errors: &mut Errors) {
    errors.invalid_all(path, host, if host.contains('*') { name::wildcard_subdomain(host) } else { name::dns1123_subdomain(host) });
}

fn validate_tls(tls: &IngressTLS, path: &Path<'_>, errors: &mut Errors) {
    let hosts = path.child("hosts");
    for (index, host) in list(&tls.hosts).iter().enumerate() {
        validate_host(host, &hosts.index(index), errors);
    }
    let secret = text(&tls.secret_name);
    if !secret.is_empty() {
        errors.invalid_all(&path.child("secretName"), secret, name::dns1123_subdomain(secret));
    }
}

fn validate_rule(rule: &IngressRule, path: &Path<'_>, errors: &mut Errors) {
    let host = text(&rule.host);
    if !host.is_empty() {
        let path = path.child("host");
        if address::parse(host).is_some() {
            errors.invalid(&path, host, "must be a DNS name, not an IP address");
        }
        validate_host(host, &path, errors);
    }
    if let Some(http) = &rule.http {
        let path = path.child("http");
        let path = path.child("paths");
        if http.paths.is_empty() {
            errors.required(&path, "");
        }
        for (index, one) in http.paths.iter().enumerate() {
            validate_path(one, &path.index(index), errors);
        }
    }
}

fn validate_path(one: &HTTPIngressPath, path: &Path<'_>, errors: &mut Errors) {
    let value = text(&one.path);
    let at_path = path.child("path");
    match one.path_type.as_str() {
        "" => return errors.required(&path.child("pathType"), "pathType must be specified"),
        "Exact" | "Prefix" => {
            if !value.starts_with('/') {
                errors.invalid(&at_path, value, "must be an absolute path");
            }
            for bad in BAD_SEQUENCES.iter().filter(|bad| value.contains(**bad)) {
                errors.invalid(&at_path, value, &format!("must not contain '{bad}'"));
            }
            for bad in BAD_ENDS.iter().filter(|bad| value.ends_with(**bad)) {
                errors.invalid(&at_path, value, &format!("cannot end with '{bad}'"));
            }
        }
        "ImplementationSpecific" => {
            if !value.is_empty() && !value.starts_with('/') {
                errors.invalid(&at_path, value, "must be an absolute path");
            }
        }
        kind => errors.unsupported(&path.child("pathType"), kind, PATH_TYPES),
    }
    validate_backend(&one.backend, &path.child("backend"), errors);
}

fn validate_backend(backend: &IngressBackend, path: &Path<'_>, errors: &mut Errors) {
    match (&backend.resource, &backend.service) {
        (Some(_), Some(_)) => errors.invalid(path, "", "cannot set both resource and service backends"),
        (Some(resource), None) => validate_resource(resource, &path.child("resource"), errors),
        (None, Some(service)) => validate_service(service, path, errors),
        (None, None) => errors.invalid(path, "", "resource or service backend is required"),
    }
}

fn validate_service(service: &IngressServiceBackend, path: &Path<'_>, errors: &mut Errors) {
    let at_service = path.child("service");
    if service.name.is_empty() {
        errors.required(&at_service.child("name"), "");
    } else {
        errors.invalid_all(&at_service.child("name"), &service.name, name::dns1123_label(&service.name));
    }
    let at_port = at_service.child("port");
    let port_name = service.port.as_ref().map(|port| text(&port.name)).unwrap_or_default();
    let number = service.port.as_ref().and_then(|port| port.number).unwrap_or_default();
    match (port_name, number) {
        ("", 0) => errors.required(path, "port name or number is required"),
        ("", number) => address::port(number, &at_port.child("number"), errors),
        (port_name, 0) => errors.invalid_all(&at_port.child("name"), port_name, name::port_name(port_name)),
        _ => errors.invalid(path, "", "cannot set both port name & port number"),
    }
}

fn validate_resource(resource: &TypedLocalObjectReference, path: &Path<'_>, errors: &mut Errors) {
    if let Some(group) = &resource.api_group {
        errors.invalid_all(&path.child("apiGroup"), group, name::dns1123_subdomain(group));
    }
    for (field, value) in [("kind", &resource.kind), ("name", &resource.name)] {
        if value.is_empty() {
            errors.required(&path.child(field), "");
        } else {
            errors.invalid_all(&path.child(field), value, name::path_segment(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(spec: Value) -> Ingress {
        serde_json::from_value(json!({ "spec": spec })).unwrap()
    }

    fn said(spec: Value) -> String {
        let mut errors = Errors::new();
        ingress(&of(spec), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    fn with_path(path: Value) -> String {
        said(json!({"rules": [{"http": {"paths": [path]}}]}))
    }

    #[test]
    fn something_must_be_said() {
        assert_eq!(said(json!({})), "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified");
        assert_eq!(said(json!({"defaultBackend": {"service": {"name": "s", "port": {"name": "http"}}}})), "");
        assert_eq!(said(json!({"rules": [{"http": {"paths": []}}]})), "spec.rules[0].http.paths: Required value");
    }

    #[test]
    fn paths() {
        let backend = json!({"service": {"name": "s", "port": {"number": 80}}});
        let at = "spec.rules[0].http.paths[0]";
        for (kind, path, want) in [
            ("Prefix", "/a", String::new()),
            ("ImplementationSpecific", "", String::new()),
            ("Exact", "", format!("{at}.path: Invalid value: \"\": must be an absolute path")),
            ("Prefix", "/a//b", format!("{at}.path: Invalid value: \"/a//b\": must not contain '//'")),
            ("Prefix", "/a/..", format!("{at}.path: Invalid value: \"/a/..\": cannot end with '/..'")),
            (
                "Regex",
                "/",
                format!("{at}.pathType: Unsupported value: \"Regex\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\""),
            ),
        ] {
            assert_eq!(with_path(json!({"path": path, "pathType": kind, "backend": backend})), want, "{kind} {path}");
        }
    }

    #[test]
    fn backends() {
        let at = "spec.defaultBackend";
        for (backend, want) in [
            (json!({}), format!("{at}: Invalid value: \"\": resource or service backend is required")),
            (json!({"service": {"name": "s"}}), format!("{at}: Required value: port name or number is required")),
            (
                json!({"service": {"name": "s", "port": {"number": 80, "name": "http"}}}),
                format!("{at}: Invalid value: \"\": cannot set both port name & port number"),
            ),
            (
                json!({"service": {"name": "s", "port": {"number": 70000}}}),
                format!("{at}.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive"),
            ),
            (json!({"resource": {"kind": "K", "name": ""}}), format!("{at}.resource.name: Required value")),
        ] {
            assert_eq!(said(json!({ "defaultBackend": backend })), want);
        }
    }

    #[test]
    fn hosts_are_names() {
        assert_eq!(
            said(json!({"rules": [{"host": "10.1.2.3"}]})),
            "spec.rules[0].host: Invalid value: \"10.1.2.3\": must be a DNS name, not an IP address"
        );
        assert_eq!(said(json!({"rules": [{"host": "*.a.b"}], "tls": [{"hosts": ["*.a.b"], "secretName": "s"}]})), "");
    }

    #[test]
    fn two_classes_must_be_the_same() {
        let mut one = of(json!({"ingressClassName": "a"}));
        one.metadata.annotations = Some([(CLASS_ANNOTATION.to_owned(), "b".to_owned())].into());
        let mut errors = Errors::new();
        class_is_one(&one, &mut errors);
        assert_eq!(
            errors.to_string(),
            "annotations.kubernetes.io/ingress.class: Invalid value: \"b\": must match `ingressClassName` when both are specified"
        );
    }
}

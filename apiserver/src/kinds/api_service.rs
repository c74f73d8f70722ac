//! APIServices: group-versions of the API, and who serves them.

use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceCondition, APIServiceSpec, APIServiceStatus, ServiceReference,
};
use mini_api::name;
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    rules::{Column, Rules, column, parts},
    unset::{default_number, flag, list, text},
};

const STATES: &[&str] = &["True", "False", "Unknown"];

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some(
        "apiregistration.k8s.io/v1beta1 APIService is deprecated in v1.19+, unavailable in v1.22+; use apiregistration.k8s.io/v1 APIService",
    ),
    ..Conversion::NONE
};

/// What is special about an APIService.
pub(super) const RULES: Rules<APIService> = Rules {
    defaults: |service| {
        service.status.get_or_insert_default();
        if let Some(reference) = &mut service.spec.get_or_insert_default().service {
            default_number(&mut reference.port, 443);
        }
    },
    on_create,
    validate,
    validate_status: |new, _, errors| {
        let status = Path::new("status");
        let path = status.child("conditions");
        for (index, condition) in conditions(new).iter().enumerate().filter(|(_, one)| !STATES.contains(&one.status.as_str())) {
            errors.unsupported(&path.index(index).child("status"), &condition.status, STATES);
        }
    },
    columns: &[
        Column::name(),
        column("Service", |service: &APIService, _| {
            let reference = service.spec.as_ref().and_then(|spec| spec.service.as_ref());
            let shown = |reference: &ServiceReference| format!("{}/{}", text(&reference.namespace), text(&reference.name));
            Value::from(reference.map_or_else(|| "Local".to_owned(), shown))
        })
        .about("The reference to the service that hosts this API endpoint."),
        column("Available", |service: &APIService, _| Value::from(available(service))).about("Whether this service is available."),
        Column::age(),
    ],
    parts: parts![status],
    ..Rules::NONE
};

/// What this API server serves itself is there at once.
fn on_create(service: &mut APIService) {
    let mut status = APIServiceStatus::default();
    if service.spec.as_ref().is_none_or(|spec| spec.service.is_none()) {
        status.conditions = Some(vec![APIServiceCondition {
            type_: "Available".to_owned(),
            status: "True".to_owned(),
            last_transition_time: service.metadata.creation_timestamp.clone(),
            reason: Some("Local".to_owned()),
            message: Some("Local APIServices are always available".to_owned()),
        }]);
    }
    service.status = Some(status);
}

fn validate(service: &APIService, errors: &mut Errors) {
    let empty = APIServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&empty);
    let (group, version) = (text(&spec.group), text(&spec.version));
    let (metadata, path) = (Path::new("metadata"), Path::new("spec"));
    let (given, wanted) = (service.metadata.name.as_deref().unwrap_or_default(), format!("{version}.{group}"));
    if name::path_segment(given).is_empty() && given != wanted {
        errors.invalid(&metadata.child("name"), given, &format!("must be `spec.version+\".\"+spec.group`: {wanted:?}"));
    }
    if !group.is_empty() {
        errors.invalid_all(&path.child("group"), group, name::dns1123_subdomain(group));
    } else if version != "v1" {
        errors.required(&path.child("group"), "only v1 may have an empty group and it better be legacy kube");
    }
    errors.invalid_all(&path.child("version"), version, name::dns1035_label(version));
    for (field, priority, most) in
        [("groupPriorityMinimum", spec.group_priority_minimum, 20_000), ("versionPriority", spec.version_priority, 1000)]
    {
        if !(1..=most).contains(&priority) {
            errors.invalid(&path.child(field), priority, &format!("must be positive and less than {most}"));
        }
    }
    validate_service(spec, &path, errors);
}

fn validate_service(spec: &APIServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let insecure = flag(spec.insecure_skip_tls_verify);
    let bundle = spec.ca_bundle.as_ref().map_or(0, |bundle| bundle.0.len());
    let insecure_path = path.child("insecureSkipTLSVerify");
    let Some(reference) = &spec.service else {
        if bundle > 0 {
            errors.invalid(&path.child("caBundle"), format!("{bundle} bytes"), "local APIServices may not have a caBundle");
        }
        if insecure {
            errors.invalid(&insecure_path, insecure, "local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    };
    let path = path.child("service");
    for (field, value) in [("namespace", &reference.namespace), ("name", &reference.name)] {
        if text(value).is_empty() {
            errors.required(&path.child(field), "");
        }
    }
    let port = reference.port.unwrap_or_default();
    for detail in name::port(port) {
        errors.invalid(&path.child("port"), port, &format!("port is not valid: {detail}"));
    }
    if insecure && bundle > 0 {
        errors.invalid(&insecure_path, insecure, "may not be true if caBundle is present");
    }
}

fn conditions(service: &APIService) -> &[APIServiceCondition] {
    service.status.as_ref().map(|status| list(&status.conditions)).unwrap_or_default()
}

/// `True`, or `False (MissingEndpoints)`.
fn available(service: &APIService) -> String {
    match conditions(service).iter().find(|condition| condition.type_ == "Available") {
        Some(condition) if condition.status == "True" => condition.status.clone(),
        Some(condition) => format!("{} ({})", condition.status, text(&condition.reason)),
        None => "Unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, more: Value) -> APIService {
        let mut spec = json!({"group": "example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut service = serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap();
        (RULES.defaults)(&mut service);
        on_create(&mut service);
        service
    }

    #[test]
    fn what_is_wrong() {
        for (name, more, want) in [
            ("v1.example.com", json!({}), "[]"),
            ("other", json!({}), "metadata.name: Invalid value: \"other\": must be `spec.version+\".\"+spec.group`: \"v1.example.com\""),
            (
                "v1.example.com",
                json!({"versionPriority": 0}),
                "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
            ),
            (
                "v1.example.com",
                json!({"insecureSkipTLSVerify": true}),
                "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            ),
            ("v1.example.com", json!({"service": {"name": "s"}}), "spec.service.namespace: Required value"),
        ] {
            let mut errors = Errors::new();
            validate(&service(name, more), &mut errors);
            assert_eq!(errors.to_string(), want);
        }
    }

    #[test]
    fn what_is_ours_is_there() {
        assert_eq!(available(&service("v1.example.com", json!({}))), "True");
        let elsewhere = service("v1.example.com", json!({"service": {"name": "s", "namespace": "n"}}));
        assert_eq!(available(&elsewhere), "Unknown");
        assert_eq!(elsewhere.spec.unwrap().service.unwrap().port, Some(443));
    }
}

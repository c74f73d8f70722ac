//! IngressClasses: which controller serves which Ingresses.

use k8s_openapi::api::networking::v1::{IngressClass, IngressClassParametersReference, IngressClassSpec};
use mini_api::name;
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::text,
};

/// How long the name of a controller may be.
const MOST_CONTROLLER: usize = 250;
/// Which characters the path of a controller's name may have besides letters and digits.
const PATH_MARKS: &[u8] = br"/\-._~%!$&'()*+,;=:";

/// The version before v1, and no different.
pub(super) const V1BETA1: Conversion = Conversion {
    warning: Some(
        "networking.k8s.io/v1beta1 IngressClass is deprecated in v1.19+, unavailable in v1.22+; use networking.k8s.io/v1 IngressClass",
    ),
    ..Conversion::NONE
};

/// What is special about an IngressClass.
pub(super) const RULES: Rules<IngressClass> = Rules {
    defaults,
    validate,
    validate_update: |new, old, errors| {
        let controller = |class: &IngressClass| class.spec.as_ref().map(|spec| text(&spec.controller).to_owned()).unwrap_or_default();
        if controller(new) != controller(old) {
            let spec = Path::new("spec");
            errors.invalid(&spec.child("controller"), controller(new), "field is immutable");
        }
    },
    columns: &[
        Column::name(),
        column("Controller", |class: &IngressClass, _| {
            Value::from(class.spec.as_ref().map(|spec| text(&spec.controller)).unwrap_or_default())
        })
        .about("Controller that is responsible for handling this class"),
        column("Parameters", |class: &IngressClass, _| {
            Value::from(class.spec.as_ref().and_then(|spec| spec.parameters.as_ref()).map_or_else(|| "<none>".to_owned(), parameters_cell))
        })
        .about("A reference to a resource with additional parameters"),
        Column::age(),
    ],
    ..Rules::NONE
};

fn defaults(class: &mut IngressClass) {
    let spec = class.spec.get_or_insert_default();
    if let Some(parameters) = &mut spec.parameters {
        parameters.scope.get_or_insert_with(|| "Cluster".to_owned());
    }
}

fn validate(class: &IngressClass, errors: &mut Errors) {
    let path = Path::new("spec");
    let empty = IngressClassSpec::default();
    let spec = class.spec.as_ref().unwrap_or(&empty);
    validate_controller(text(&spec.controller), &path.child("controller"), errors);
    if let Some(parameters) = &spec.parameters {
        validate_parameters(parameters, &path.child("parameters"), errors);
    }
}

/// A domain and a path, such as `acme.io/foo`.
fn validate_controller(controller: &str, path: &Path<'_>, errors: &mut Errors) {
    if controller.is_empty() {
        return errors.required(path, "");
    }
    if controller.len() > MOST_CONTROLLER {
        errors.too_long(path, MOST_CONTROLLER);
    }
    let Some((domain, rest)) = controller.split_once('/').filter(|(domain, rest)| !domain.is_empty() && !rest.is_empty()) else {
        return errors.invalid(path, controller, "must be a domain-prefixed path (such as \"acme.io/foo\")");
    };
    errors.invalid_all(path, domain, name::dns1123_subdomain(domain));
    if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || PATH_MARKS.contains(&byte)) {
        errors.invalid(path, rest, r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')");
    }
}

fn validate_parameters(parameters: &IngressClassParametersReference, path: &Path<'_>, errors: &mut Errors) {
    if let Some(group) = &parameters.api_group {
        errors.invalid_all(&path.child("apiGroup"), group, name::dns1123_subdomain(group));
    }
    for (field, value) in [("kind", &parameters.kind), ("name", &parameters.name)] {
        if value.is_empty() {
            errors.required(&path.child(field), "");
        } else {
            errors.invalid_all(&path.child(field), value, name::path_segment(value));
        }
    }
    let at_namespace = path.child("namespace");
    match (parameters.scope.as_deref(), &parameters.namespace) {
        (None, _) => errors.required(&path.child("scope"), ""),
        (Some("Namespace"), None) => errors.required(&at_namespace, "`parameters.scope` is set to 'Namespace'"),
        (Some("Namespace"), Some(namespace)) => errors.invalid_all(&at_namespace, namespace, name::dns1123_label(namespace)),
        (Some("Cluster"), Some(_)) => errors.forbidden(&at_namespace, "`parameters.scope` is set to 'Cluster'"),
        (Some("Cluster"), None) => {}
        (Some(scope), _) => errors.unsupported(&path.child("scope"), scope, &["Cluster", "Namespace"]),
    }
}

fn parameters_cell(parameters: &IngressClassParametersReference) -> String {
    match &parameters.api_group {
        Some(group) => format!("{}.{group}/{}", parameters.kind, parameters.name),
        None => format!("{}/{}", parameters.kind, parameters.name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: Value) -> String {
        let mut class: IngressClass = serde_json::from_value(json!({ "spec": spec })).unwrap();
        defaults(&mut class);
        let mut errors = Errors::new();
        validate(&class, &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn controllers_are_paths_of_domains() {
        assert_eq!(said(json!({"controller": "acme.io/a/b"})), "");
        assert_eq!(said(json!({})), "spec.controller: Required value");
        assert_eq!(
            said(json!({"controller": "acme"})),
            "spec.controller: Invalid value: \"acme\": must be a domain-prefixed path (such as \"acme.io/foo\")"
        );
        assert_eq!(
            said(json!({"controller": "a.b/c d"})),
            "spec.controller: Invalid value: \"c d\": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"
        );
    }

    #[test]
    fn parameters_have_a_scope() {
        let with = |parameters: Value| said(json!({"controller": "a.b/c", "parameters": parameters}));
        assert_eq!(with(json!({"kind": "K", "name": "n"})), "");
        assert_eq!(
            with(json!({"kind": "K", "name": "n", "scope": "Namespace"})),
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"
        );
        assert_eq!(
            with(json!({"kind": "K", "name": "n", "namespace": "a"})),
            "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"
        );
    }
}

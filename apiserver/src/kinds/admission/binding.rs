//! ValidatingAdmissionPolicyBindings: where a policy counts, with which parameters, and what follows.

use std::{collections::BTreeSet, fmt::Write as _};

use k8s_openapi::{
    api::admissionregistration::v1::{ParamRef, ValidatingAdmissionPolicyBinding},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use mini_api::name;
use serde_json::Value;

use super::{
    super::{
        field::{Errors, Path},
        rules::{Column, Rules, column},
        selector,
        unset::{list, text},
    },
    default_match, one_of, validate_match,
};

const ACTIONS: &[&str] = &["Audit", "Deny", "Warn"];

/// What is special about a ValidatingAdmissionPolicyBinding.
pub(in super::super) const RULES: Rules<ValidatingAdmissionPolicyBinding> = Rules {
    defaults: |binding| binding.spec.match_resources.iter_mut().for_each(default_match),
    validate,
    columns: &[
        Column::name(),
        column("PolicyName", |binding: &ValidatingAdmissionPolicyBinding, _| Value::from(binding.spec.policy_name.clone()))
            .about("PolicyName indicates the policy definition which the policy binding binded to"),
        column("ParamRef", |binding: &ValidatingAdmissionPolicyBinding, _| {
            Value::from(binding.spec.param_ref.as_ref().map_or_else(|| "<unset>".to_owned(), param_cell))
        })
        .about("ParamRef indicates the param resource which sets the configration param"),
        Column::age(),
    ],
    ..Rules::NONE
};

fn validate(binding: &ValidatingAdmissionPolicyBinding, errors: &mut Errors) {
    let path = Path::new("spec");
    let spec = &binding.spec;
    let at_policy = path.child("policyName");
    if spec.policy_name.is_empty() {
        errors.required(&at_policy, "");
    } else {
        errors.invalid_all(&at_policy, &spec.policy_name, name::dns1123_subdomain(&spec.policy_name));
    }
    if let Some(param) = &spec.param_ref {
        validate_param(param, &path.child("paramRef"), errors);
    }
    if let Some(resources) = &spec.match_resources {
        validate_match(resources, &path.child("matchResources"), errors);
    }
    validate_actions(&spec.validation_actions, &path.child("validationActions"), errors);
}

fn validate_param(param: &ParamRef, path: &Path<'_>, errors: &mut Errors) {
    const EXCLUSIVE: &str = "name and selector are mutually exclusive";
    let (name, at_name, at_selector) = (text(&param.name), path.child("name"), path.child("selector"));
    if !name.is_empty() {
        errors.invalid_all(&at_name, name, name::path_segment(name));
        if param.selector.is_some() {
            errors.forbidden(&at_name, EXCLUSIVE);
        }
    }
    match &param.selector {
        Some(chosen) => {
            selector::label_selector(chosen, &at_selector, errors);
            if !name.is_empty() {
                errors.forbidden(&at_selector, EXCLUSIVE);
            }
        }
        None if name.is_empty() => errors.required(path, "one of name or selector must be specified"),
        None => {}
    }
    let at_action = path.child("parameterNotFoundAction");
    match text(&param.parameter_not_found_action) {
        "" => errors.required(&at_action, ""),
        action => one_of(action, &["Deny", "Allow"], &at_action, errors),
    }
}

fn validate_actions(actions: &[String], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, action) in actions.iter().enumerate() {
        one_of(action, ACTIONS, &path.index(index), errors);
        if !seen.insert(action.as_str()) {
            errors.duplicate(&path.index(index), action);
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let why = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and \
                   headers serves no purpose)";
        errors.invalid(path, actions, why);
    }
    if actions.is_empty() {
        errors.required(path, "at least one validation action is required");
    }
}

fn param_cell(param: &ParamRef) -> String {
    match (text(&param.namespace), text(&param.name), &param.selector) {
        (_, "", Some(selector)) => go_string(selector),
        (_, "", None) => "<unset>".to_owned(),
        ("", name, _) => format!("*/{name}"),
        (namespace, name, _) => format!("{namespace}/{name}"),
    }
}

/// A selector as Go prints the struct, which is what upstream's table shows.
fn go_string(selector: &LabelSelector) -> String {
    let mut text = "&LabelSelector{MatchLabels:map[string]string{".to_owned();
    for (key, value) in selector.match_labels.iter().flatten() {
        let _ = write!(text, "{key}: {value},");
    }
    text.push_str("},MatchExpressions:[]LabelSelectorRequirement{");
    for requirement in list(&selector.match_expressions) {
        let values = list(&requirement.values).join(" ");
        let _ = write!(text, "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},", requirement.key, requirement.operator);
    }
    text + "},}"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn binding(spec: Value) -> ValidatingAdmissionPolicyBinding {
        serde_json::from_value(json!({ "spec": spec })).unwrap()
    }

    fn said(spec: Value) -> String {
        let mut errors = Errors::new();
        validate(&binding(spec), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_binding_names_a_policy_and_what_follows() {
        assert_eq!(said(json!({"policyName": "p", "validationActions": ["Deny"]})), "");
        assert_eq!(
            said(json!({"policyName": "", "validationActions": []})),
            "spec.policyName: Required value; spec.validationActions: Required value: at least one validation action is required"
        );
        assert_eq!(
            said(json!({"policyName": "p", "validationActions": ["Warn", "Deny"]})),
            "spec.validationActions: Invalid value: [\"Warn\",\"Deny\"]: must not contain both Deny and Warn (repeating the same \
             validation failure information in the API response and headers serves no purpose)"
        );
    }

    #[test]
    fn parameters_are_named_or_selected() {
        let with = |param: Value| said(json!({"policyName": "p", "validationActions": ["Deny"], "paramRef": param}));
        assert_eq!(with(json!({"name": "a", "parameterNotFoundAction": "Deny"})), "");
        assert_eq!(
            with(json!({"parameterNotFoundAction": "Maybe"})),
            "spec.paramRef: Required value: one of name or selector must be specified; \
             spec.paramRef.parameterNotFoundAction: Unsupported value: \"Maybe\": supported values: \"Deny\", \"Allow\""
        );
    }

    #[test]
    fn parameters_in_tables() {
        let cell = |param: Value| param_cell(&serde_json::from_value(param).unwrap());
        assert_eq!(cell(json!({"name": "a"})), "*/a");
        assert_eq!(cell(json!({"name": "a", "namespace": "n"})), "n/a");
        assert_eq!(
            cell(json!({"selector": {"matchLabels": {"a": "b"}}})),
            "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}"
        );
    }
}

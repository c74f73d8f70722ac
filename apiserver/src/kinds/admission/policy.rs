//! ValidatingAdmissionPolicies: what expressions say about writes. That the expressions mean something is not checked.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::{
    AuditAnnotation, MatchResources, ParamKind, ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec, ValidatingAdmissionPolicyStatus,
    Validation, Variable,
};
use mini_api::name;
use serde::Serialize;
use serde_json::Value;

use super::{
    super::{
        field::{Errors, Path},
        rules::{Column, Rules, column, parts},
        unset::{list, text},
    },
    FAILURE_POLICIES, default_match, one_of, validate_conditions, validate_match,
};

const REASONS: &[&str] = &["Forbidden", "Invalid", "RequestEntityTooLarge"];
/// Words that are no names in CEL.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
const MOST_ANNOTATIONS: usize = 20;
const MOST_ANNOTATION_BYTES: usize = 5 * 1024;

/// What is special about a ValidatingAdmissionPolicy.
pub(in super::super) const RULES: Rules<ValidatingAdmissionPolicy> = Rules {
    defaults: |policy| {
        policy.status.get_or_insert_default();
        let spec = policy.spec.get_or_insert_default();
        spec.failure_policy.get_or_insert_with(|| "Fail".to_owned());
        spec.match_constraints.iter_mut().for_each(default_match);
    },
    on_create: |policy| policy.status = Some(ValidatingAdmissionPolicyStatus::default()),
    validate: |policy, errors| {
        if let Some(spec) = &policy.spec {
            validate(spec, text(&policy.metadata.name), errors);
        }
    },
    validate_status: |new, _, errors| validate_status(new, errors),
    columns: &[
        Column::name(),
        column("Validations", |policy: &ValidatingAdmissionPolicy, _| {
            Value::from(policy.spec.as_ref().map_or(0, |spec| list(&spec.validations).len()))
        })
        .integer()
        .about("Validations indicates the number of validation rules defined in this configuration"),
        column("ParamKind", |policy: &ValidatingAdmissionPolicy, _| {
            let kind = policy.spec.as_ref().and_then(|spec| spec.param_kind.as_ref());
            Value::from(kind.map_or_else(|| "<unset>".to_owned(), |kind| format!("{}/{}", text(&kind.api_version), text(&kind.kind))))
        })
        .about("ParamKind specifies the kind of resources used to parameterize this policy"),
        Column::age(),
    ],
    parts: parts![status],
    ..Rules::NONE
};

fn validate(spec: &ValidatingAdmissionPolicySpec, policy: &str, errors: &mut Errors) {
    let path = Path::new("spec");
    one_of(text(&spec.failure_policy), FAILURE_POLICIES, &path.child("failurePolicy"), errors);
    if let Some(kind) = &spec.param_kind {
        validate_param_kind(kind, &path.child("paramKind"), errors);
    }
    validate_constraints(spec.match_constraints.as_ref(), &path.child("matchConstraints"), errors);
    validate_conditions(list(&spec.match_conditions), &path.child("matchConditions"), errors);
    let at_variables = path.child("variables");
    for (index, variable) in list(&spec.variables).iter().enumerate() {
        validate_variable(variable, &at_variables.index(index), errors);
    }
    let (validations, annotations) = (list(&spec.validations), list(&spec.audit_annotations));
    let (at_validations, at_annotations) = (path.child("validations"), path.child("auditAnnotations"));
    if validations.is_empty() && annotations.is_empty() {
        for path in [&at_validations, &at_annotations] {
            errors.required(path, "validations or auditAnnotations must contain at least one item");
        }
    }
    for (index, validation) in validations.iter().enumerate() {
        validate_validation(validation, &at_validations.index(index), errors);
    }
    validate_annotations(annotations, policy, &at_annotations, errors);
}

fn validate_constraints(constraints: Option<&MatchResources>, path: &Path<'_>, errors: &mut Errors) {
    let Some(constraints) = constraints else { return errors.required(path, "") };
    validate_match(constraints, path, errors);
    if list(&constraints.resource_rules).is_empty() {
        errors.required(&path.child("resourceRules"), "");
    }
}

fn validate_param_kind(param: &ParamKind, path: &Path<'_>, errors: &mut Errors) {
    let at_version = path.child("apiVersion");
    let api_version = text(&param.api_version);
    match api_version.split('/').collect::<Vec<_>>().as_slice() {
        [""] => errors.required(&at_version, ""),
        [version] => validate_version(version, api_version, &at_version, errors),
        [group, version] => {
            let wrong = name::dns1123_subdomain(group);
            if !group.is_empty() && !wrong.is_empty() {
                errors.invalid(&at_version, group, &wrong.join(","));
            }
            validate_version(version, api_version, &at_version, errors);
        }
        _ => errors.invalid(&at_version, api_version, &format!("unexpected GroupVersion string: {api_version}")),
    }
    let kind = text(&param.kind);
    let wrong = name::dns1035_label(&kind.to_lowercase());
    if kind.is_empty() {
        errors.required(&path.child("kind"), "");
    } else if !wrong.is_empty() {
        errors.invalid(&path.child("kind"), kind, &format!("may have mixed case, but should otherwise match: {}", wrong.join(",")));
    }
}

fn validate_version(version: &str, api_version: &str, path: &Path<'_>, errors: &mut Errors) {
    let wrong = name::dns1035_label(version);
    if version.is_empty() {
        errors.invalid(path, api_version, "version must be specified");
    } else if !wrong.is_empty() {
        errors.invalid(path, version, &wrong.join(","));
    }
}

fn validate_variable(variable: &Variable, path: &Path<'_>, errors: &mut Errors) {
    let name = variable.name.as_str();
    let is_identifier = !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
        && !RESERVED.contains(&name);
    if name.trim().is_empty() {
        errors.required(&path.child("name"), "name is not specified");
    } else if !is_identifier {
        errors.invalid(&path.child("name"), name, "must be a valid CEL identifier");
    }
    if variable.expression.trim().is_empty() {
        errors.required(&path.child("expression"), "expression is not specified");
    }
}

fn validate_validation(validation: &Validation, path: &Path<'_>, errors: &mut Errors) {
    if validation.expression.trim().is_empty() {
        errors.required(&path.child("expression"), "expression is not specified");
    }
    for (field, value) in [("messageExpression", text(&validation.message_expression)), ("message", text(&validation.message))] {
        if !value.is_empty() && value.trim().is_empty() {
            errors.invalid(&path.child(field), value, "must be non-empty if specified");
        } else if field == "message" && value.trim().contains(['\n', '\r']) {
            errors.invalid(&path.child(field), value, "must not contain line breaks");
        }
    }
    if let Some(reason) = &validation.reason {
        one_of(reason, REASONS, &path.child("reason"), errors);
    }
}

fn validate_annotations(annotations: &[AuditAnnotation], policy: &str, path: &Path<'_>, errors: &mut Errors) {
    /// An annotation as messages show it.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown<'a> {
        key: &'a str,
        value_expression: &'a str,
    }
    if annotations.len() > MOST_ANNOTATIONS {
        let shown: Vec<_> = annotations.iter().map(|one| Shown { key: &one.key, value_expression: &one.value_expression }).collect();
        errors.invalid(path, shown, &format!("must not have more than {MOST_ANNOTATIONS} auditAnnotations"));
    }
    let mut seen = BTreeSet::new();
    for (index, annotation) in annotations.iter().enumerate() {
        let path = path.index(index);
        let (at_key, at_value) = (path.child("key"), path.child("valueExpression"));
        let full = format!("{policy}/{}", annotation.key);
        errors.invalid_all(&at_key, &full, name::qualified_name(&full));
        match annotation.value_expression.trim().len() {
            0 => errors.required(&at_value, "valueExpression is not specified"),
            length if length > MOST_ANNOTATION_BYTES => {
                errors.required(&at_value, &format!("must not exceed {MOST_ANNOTATION_BYTES} bytes in length"));
            }
            _ => {}
        }
        if !seen.insert(&annotation.key) {
            errors.duplicate(&at_key, &annotation.key);
        }
    }
}

fn validate_status(policy: &ValidatingAdmissionPolicy, errors: &mut Errors) {
    let checking = policy.status.as_ref().and_then(|status| status.type_checking.as_ref());
    let path = Path::new("status");
    let path = path.child("typeChecking");
    let path = path.child("expressionWarnings");
    for (index, warning) in checking.map(|checking| list(&checking.expression_warnings)).unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        if warning.warning.is_empty() {
            errors.required(&path.child("warning"), "");
        }
        if warning.field_ref.trim().is_empty() {
            errors.required(&path.child("fieldRef"), "");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(extra: Value) -> String {
        let mut policy = json!({"metadata": {"name": "p.example.com"}, "spec": {
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
            ]},
            "validations": [{"expression": "true"}],
        }});
        policy["spec"].as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut policy: ValidatingAdmissionPolicy = serde_json::from_value(policy).unwrap();
        (RULES.defaults)(&mut policy);
        let mut errors = Errors::new();
        (RULES.validate)(&policy, &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_policy_validates_something() {
        assert_eq!(said(json!({})), "");
        assert_eq!(
            said(json!({"validations": []})),
            "spec.validations: Required value: validations or auditAnnotations must contain at least one item; \
             spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item"
        );
        assert_eq!(said(json!({"matchConstraints": {}})), "spec.matchConstraints.resourceRules: Required value");
        assert_eq!(
            said(json!({"validations": [{"expression": " ", "message": "a\nb", "reason": "No"}]})),
            "spec.validations[0].expression: Required value: expression is not specified; \
             spec.validations[0].message: Invalid value: \"a\\nb\": must not contain line breaks; \
             spec.validations[0].reason: Unsupported value: \"No\": supported values: \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\""
        );
    }

    #[test]
    fn names_in_expressions() {
        assert_eq!(said(json!({"variables": [{"name": "a_1", "expression": "1"}]})), "");
        for bad in ["1a", "a-b", "while"] {
            assert_eq!(
                said(json!({"variables": [{"name": bad, "expression": "1"}]})),
                format!("spec.variables[0].name: Invalid value: {bad:?}: must be a valid CEL identifier")
            );
        }
    }

    #[test]
    fn parameters_have_a_version_and_a_kind() {
        assert_eq!(said(json!({"paramKind": {"apiVersion": "a.b/v1", "kind": "ConfigMap"}})), "");
        assert_eq!(
            said(json!({"paramKind": {"apiVersion": "a/b/c", "kind": ""}})),
            "spec.paramKind.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c; spec.paramKind.kind: Required value"
        );
    }
}

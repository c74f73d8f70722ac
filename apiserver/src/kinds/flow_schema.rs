//! FlowSchemas: which requests have which priority at the API server.

use std::collections::BTreeSet;

use k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, FlowSchemaSpec, FlowSchemaStatus, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule,
    ServiceAccountSubject, Subject,
};
use mini_api::name;
use serde::Serialize;
use serde_json::Value;

use super::{
    field::{Errors, Path},
    rules::{Column, Rules, column, parts},
    unset::{default_number, flag, list, text},
};

const DISTINGUISHERS: &[&str] = &["ByNamespace", "ByUser"];
const SUBJECTS: &[&str] = &["Group", "ServiceAccount", "User"];
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];
/// The last in line.
const PRECEDENCE_MAX: i32 = 10_000;

/// What is special about a FlowSchema.
pub(super) const RULES: Rules<FlowSchema> = Rules {
    defaults: |schema| {
        schema.status.get_or_insert_default();
        default_number(&mut schema.spec.get_or_insert_default().matching_precedence, 1000);
    },
    on_create: |schema| schema.status = Some(FlowSchemaStatus::default()),
    validate,
    validate_status: |new, _, errors| {
        let conditions = new.status.as_ref().map(|status| list(&status.conditions)).unwrap_or_default();
        condition_types(conditions.iter().map(|condition| text(&condition.type_)), errors);
    },
    columns: COLUMNS,
    parts: parts![status],
    ..Rules::NONE
};

fn validate(schema: &FlowSchema, errors: &mut Errors) {
    let Some(spec) = &schema.spec else { return };
    let path = Path::new("spec");
    precedence(spec, schema.metadata.name.as_deref().unwrap_or_default(), &path.child("matchingPrecedence"), errors);
    if let Some(method) = spec.distinguisher_method.as_ref().filter(|method| !DISTINGUISHERS.contains(&method.type_.as_str())) {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Shown<'a> {
            r#type: &'a str,
        }
        errors.unsupported(&path.child("distinguisherMethod").child("type"), Shown { r#type: &method.type_ }, DISTINGUISHERS);
    }
    let level = spec.priority_level_configuration.name.as_str();
    let level_path = path.child("priorityLevelConfiguration");
    if level.is_empty() {
        errors.required(&level_path.child("name"), "must reference a priority level");
    } else {
        errors.invalid_all(&level_path.child("name"), level, name::dns1123_subdomain(level));
    }
    let path = path.child("rules");
    for (index, rule) in list(&spec.rules).iter().enumerate() {
        validate_rule(rule, &path.index(index), errors);
    }
}

fn precedence(spec: &FlowSchemaSpec, name: &str, path: &Path<'_>, errors: &mut Errors) {
    let precedence = spec.matching_precedence.unwrap_or_default();
    if precedence <= 0 {
        errors.invalid(path, precedence, "must be a positive value");
    }
    if precedence > PRECEDENCE_MAX {
        errors.invalid(path, precedence, &format!("must not be greater than {PRECEDENCE_MAX}"));
    }
    if precedence == 1 && name != "exempt" {
        errors.invalid(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
    }
}

fn validate_rule(rule: &PolicyRulesWithSubjects, path: &Path<'_>, errors: &mut Errors) {
    let subjects = path.child("subjects");
    if rule.subjects.is_empty() {
        errors.required(&subjects, "subjects must contain at least one value");
    }
    for (index, subject) in rule.subjects.iter().enumerate() {
        validate_subject(subject, &subjects.index(index), errors);
    }
    let (resource, other) = (list(&rule.resource_rules), list(&rule.non_resource_rules));
    if resource.is_empty() && other.is_empty() {
        errors.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty");
    }
    let rules = path.child("resourceRules");
    for (index, rule) in resource.iter().enumerate() {
        resource_rule(rule, &rules.index(index), errors);
    }
    let rules = path.child("nonResourceRules");
    for (index, rule) in other.iter().enumerate() {
        other_rule(rule, &rules.index(index), errors);
    }
}

fn validate_subject(subject: &Subject, path: &Path<'_>, errors: &mut Errors) {
    let kind = subject.kind.as_str();
    if !SUBJECTS.contains(&kind) {
        return errors.unsupported(&path.child("kind"), kind, SUBJECTS);
    }
    let of_kind = [
        ("serviceAccount", "ServiceAccount", subject.service_account.is_some()),
        ("user", "User", subject.user.is_some()),
        ("group", "Group", subject.group.is_some()),
    ];
    for (field, own, there) in of_kind {
        if own == kind && !there {
            errors.required(&path.child(field), &format!("{field} is required when subject kind is '{own}'"));
        }
    }
    match kind {
        "ServiceAccount" => {
            subject.service_account.iter().for_each(|account| service_account(account, &path.child("serviceAccount"), errors))
        }
        "User" if subject.user.as_ref().is_some_and(|user| user.name.is_empty()) => errors.required(&path.child("user").child("name"), ""),
        "Group" if subject.group.as_ref().is_some_and(|group| group.name.is_empty()) => {
            errors.required(&path.child("group").child("name"), "");
        }
        _ => {}
    }
    for (field, own, there) in of_kind {
        if own != kind && there {
            errors.forbidden(&path.child(field), &format!("{field} is forbidden when subject kind is not '{own}'"));
        }
    }
}

fn service_account(account: &ServiceAccountSubject, path: &Path<'_>, errors: &mut Errors) {
    let (name_path, namespace_path) = (path.child("name"), path.child("namespace"));
    match account.name.as_str() {
        "" => errors.required(&name_path, ""),
        "*" => {}
        name => errors.invalid_all(&name_path, name, name::dns1123_subdomain(name)),
    }
    if account.namespace.is_empty() {
        errors.required(&namespace_path, "must specify namespace for service account");
    } else {
        errors.invalid_all(&namespace_path, &account.namespace, name::dns1123_label(&account.namespace));
    }
}

fn is_any(values: &[String]) -> bool {
    values.iter().any(|value| value == "*")
}

/// `*` stands alone; whether it is there.
fn wildcard(values: &[String], what: &str, path: &Path<'_>, errors: &mut Errors) -> bool {
    if is_any(values) && values.len() > 1 {
        errors.invalid(path, values, &format!("if '*' is present, must not specify other {what}"));
    }
    is_any(values)
}

fn verbs(verbs: &[String], path: &Path<'_>, errors: &mut Errors) {
    if verbs.is_empty() {
        errors.required(path, "verbs must contain at least one value");
    } else if !wildcard(verbs, "verbs", path, errors) && verbs.iter().any(|verb| !VERBS.contains(&verb.as_str())) {
        errors.unsupported(path, verbs, VERBS);
    }
}

fn resource_rule(rule: &ResourcePolicyRule, path: &Path<'_>, errors: &mut Errors) {
    verbs(&rule.verbs, &path.child("verbs"), errors);
    for (field, values, one, all) in
        [("apiGroups", &rule.api_groups, "api group", "api groups"), ("resources", &rule.resources, "resource", "resources")]
    {
        let path = path.child(field);
        if values.is_empty() {
            errors.required(&path, &format!("resource rules must supply at least one {one}"));
        }
        wildcard(values, all, &path, errors);
    }
    let (namespaces, path) = (list(&rule.namespaces), path.child("namespaces"));
    if namespaces.is_empty() && !flag(rule.cluster_scope) {
        errors.required(&path, "resource rules that are not cluster scoped must supply at least one namespace");
    } else if !wildcard(namespaces, "namespaces", &path, errors) {
        for (index, namespace) in namespaces.iter().enumerate() {
            for wrong in name::dns1123_label(namespace) {
                errors.invalid(
                    &path.index(index),
                    namespace,
                    &format!("each member of this list must be '*' or a DNS-1123 label; {wrong}"),
                );
            }
        }
    }
}

fn other_rule(rule: &NonResourcePolicyRule, path: &Path<'_>, errors: &mut Errors) {
    verbs(&rule.verbs, &path.child("verbs"), errors);
    let (urls, path) = (rule.non_resource_urls.as_slice(), path.child("nonResourceURLs"));
    if urls.is_empty() {
        errors.required(&path, "nonResourceURLs must contain at least one value");
    } else if !wildcard(urls, "non-resource URLs", &path, errors) {
        for (index, url) in urls.iter().enumerate() {
            if let Some(why) = wrong_url(url) {
                errors.invalid(&path.index(index), url, why);
            }
        }
    }
}

fn wrong_url(url: &str) -> Option<&'static str> {
    match url {
        "" => Some("must not be empty"),
        "/" => None,
        url if !url.starts_with('/') => Some("must start with slash"),
        url if url.contains(' ') => Some("must not contain white-space"),
        url if url.contains("//") => Some("must not contain double slash"),
        url if url.trim_end_matches("/*").contains('*') || url.matches('*').count() > 1 => Some("wildcard can only do suffix matching"),
        _ => None,
    }
}

/// A condition has a type, and each type is there once.
pub(super) fn condition_types<'a>(types: impl Iterator<Item = &'a str>, errors: &mut Errors) {
    let status = Path::new("status");
    let path = status.child("conditions");
    let mut seen = BTreeSet::new();
    for (index, kind) in types.enumerate() {
        let path = path.index(index);
        if !seen.insert(kind) {
            errors.duplicate(&path.child("type"), kind);
        }
        if kind.is_empty() {
            errors.required(&path.child("type"), "must not be empty");
        }
    }
}

const COLUMNS: &[Column<FlowSchema>] = &[
    Column::name(),
    column("PriorityLevel", |schema: &FlowSchema, _| {
        Value::from(schema.spec.as_ref().map(|spec| spec.priority_level_configuration.name.as_str()).unwrap_or_default())
    }),
    column("MatchingPrecedence", |schema: &FlowSchema, _| {
        Value::from(schema.spec.as_ref().and_then(|spec| spec.matching_precedence).unwrap_or_default())
    }),
    column("DistinguisherMethod", |schema: &FlowSchema, _| {
        let method = schema.spec.as_ref().and_then(|spec| spec.distinguisher_method.as_ref());
        Value::from(method.map_or("<none>", |method| method.type_.as_str()))
    }),
    Column::age(),
    column("MissingPL", |schema: &FlowSchema, _| {
        let conditions = schema.status.as_ref().map(|status| list(&status.conditions)).unwrap_or_default();
        let dangling = conditions.iter().find(|condition| text(&condition.type_) == "Dangling");
        Value::from(dangling.map_or("?", |condition| text(&condition.status)))
    })
    .about("references a broken or non-existent PriorityLevelConfiguration"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: Value) -> String {
        let mut spec = spec;
        spec.as_object_mut().unwrap().entry("priorityLevelConfiguration").or_insert(json!({"name": "l"}));
        let mut schema: FlowSchema = serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": spec})).unwrap();
        (RULES.defaults)(&mut schema);
        let mut errors = Errors::new();
        validate(&schema, &mut errors);
        errors.to_string()
    }

    #[test]
    fn what_is_wrong() {
        let rule = |subject: Value, urls: Value| json!({"rules": [{"subjects": [subject], "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": urls}]}]});
        let user = json!({"kind": "User", "user": {"name": "u"}});
        for (spec, want) in [
            (json!({}), "[]"),
            (
                json!({"matchingPrecedence": 1}),
                "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
            ),
            (
                json!({"priorityLevelConfiguration": {"name": ""}}),
                "spec.priorityLevelConfiguration.name: Required value: must reference a priority level",
            ),
            (
                json!({"distinguisherMethod": {"type": "Odd"}}),
                "spec.distinguisherMethod.type: Unsupported value: {\"Type\":\"Odd\"}: supported values: \"ByNamespace\", \"ByUser\"",
            ),
            (rule(user.clone(), json!(["/a/*"])), "[]"),
            (
                rule(user.clone(), json!(["/a*"])),
                "spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: \"/a*\": wildcard can only do suffix matching",
            ),
            (
                rule(json!({"kind": "User", "group": {"name": "g"}}), json!(["*"])),
                "[spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User', spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group']",
            ),
            (
                json!({"rules": [{"subjects": [user]}]}),
                "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty",
            ),
        ] {
            assert_eq!(said(spec), want);
        }
    }
}

//! ValidatingWebhookConfigurations and MutatingWebhookConfigurations: whom to ask about writes.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::admissionregistration::v1::{
        MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference, ValidatingWebhook,
        ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use mini_api::name;
use serde_json::Value;

use super::{
    super::{
        field::{Errors, Path},
        rules::{Column, Rules, column},
        selector,
        unset::{list, list_mut, text},
    },
    FAILURE_POLICIES, MATCH_POLICIES, Rule, default_scope, one_of, validate_conditions, validate_rule,
};

const REINVOCATION_POLICIES: &[&str] = &["IfNeeded", "Never"];
const SIDE_EFFECTS: &[&str] = &["None", "NoneOnDryRun"];
/// The versions of AdmissionReview that are known, one of which a webhook must understand.
const REVIEW_VERSIONS: &[&str] = &["v1", "v1beta1"];
/// How the address of a webhook looks.
const FORM: &str = "; desired format: https://host[/path]";

/// Fills in what both types of webhook have: they share no trait.
macro_rules! default_hook {
    ($hook:expr) => {
        $hook.failure_policy.get_or_insert_with(|| "Fail".to_owned());
        $hook.match_policy.get_or_insert_with(|| "Equivalent".to_owned());
        $hook.namespace_selector.get_or_insert_default();
        $hook.object_selector.get_or_insert_default();
        $hook.timeout_seconds.get_or_insert(10);
        list_mut(&mut $hook.rules).iter_mut().for_each(|rule| default_scope(&mut rule.scope));
        if let Some(service) = &mut $hook.client_config.service {
            service.port.get_or_insert(443);
        }
    };
}

/// What is special about a ValidatingWebhookConfiguration.
pub(in super::super) const VALIDATING: Rules<ValidatingWebhookConfiguration> = Rules {
    defaults: |configuration| {
        for hook in list_mut(&mut configuration.webhooks) {
            default_hook!(hook);
        }
    },
    validate: |configuration, errors| {
        validate(&list(&configuration.webhooks).iter().map(Hook::from).collect::<Vec<_>>(), errors);
    },
    columns: &[
        Column::name(),
        column("Webhooks", |configuration: &ValidatingWebhookConfiguration, _| Value::from(list(&configuration.webhooks).len()))
            .integer()
            .about("Webhooks indicates the number of webhooks configured in this configuration"),
        Column::age(),
    ],
    ..Rules::NONE
};

/// What is special about a MutatingWebhookConfiguration.
pub(in super::super) const MUTATING: Rules<MutatingWebhookConfiguration> = Rules {
    defaults: |configuration| {
        for hook in list_mut(&mut configuration.webhooks) {
            default_hook!(hook);
            hook.reinvocation_policy.get_or_insert_with(|| "Never".to_owned());
        }
    },
    validate: |configuration, errors| {
        validate(&list(&configuration.webhooks).iter().map(Hook::from).collect::<Vec<_>>(), errors);
    },
    columns: &[
        Column::name(),
        column("Webhooks", |configuration: &MutatingWebhookConfiguration, _| Value::from(list(&configuration.webhooks).len()))
            .integer()
            .about("Webhooks indicates the number of webhooks configured in this configuration"),
        Column::age(),
    ],
    ..Rules::NONE
};

/// A webhook, whichever type it is written in.
struct Hook<'a> {
    name: &'a str,
    client: &'a WebhookClientConfig,
    rules: &'a [RuleWithOperations],
    failure_policy: Option<&'a str>,
    match_policy: Option<&'a str>,
    reinvocation_policy: Option<&'a str>,
    side_effects: &'a str,
    timeout: Option<i32>,
    selectors: [(&'static str, Option<&'a LabelSelector>); 2],
    conditions: &'a [MatchCondition],
    review_versions: &'a [String],
}

/// How a type of webhook is seen as a [`Hook`].
macro_rules! hook_from {
    ($kind:ty, $reinvocation:expr) => {
        impl<'a> From<&'a $kind> for Hook<'a> {
            fn from(hook: &'a $kind) -> Self {
                let reinvocation: fn(&$kind) -> Option<&str> = $reinvocation;
                Hook {
                    name: &hook.name,
                    client: &hook.client_config,
                    rules: list(&hook.rules),
                    failure_policy: hook.failure_policy.as_deref(),
                    match_policy: hook.match_policy.as_deref(),
                    reinvocation_policy: reinvocation(hook),
                    side_effects: &hook.side_effects,
                    timeout: hook.timeout_seconds,
                    selectors: [("namespaceSelector", hook.namespace_selector.as_ref()), ("objectSelector", hook.object_selector.as_ref())],
                    conditions: list(&hook.match_conditions),
                    review_versions: &hook.admission_review_versions,
                }
            }
        }
    };
}
hook_from!(ValidatingWebhook, |_| None);
hook_from!(MutatingWebhook, |hook| hook.reinvocation_policy.as_deref());

fn validate(hooks: &[Hook<'_>], errors: &mut Errors) {
    let path = Path::new("webhooks");
    let mut seen = BTreeSet::new();
    for (index, hook) in hooks.iter().enumerate() {
        let path = path.index(index);
        validate_hook(hook, &path, errors);
        validate_review_versions(hook.review_versions, &path.child("admissionReviewVersions"), errors);
        if !hook.name.is_empty() && !seen.insert(hook.name) {
            errors.duplicate(&path.child("name"), hook.name);
        }
    }
}

fn validate_hook(hook: &Hook<'_>, path: &Path<'_>, errors: &mut Errors) {
    validate_name(hook.name, &path.child("name"), errors);
    let at_rules = path.child("rules");
    for (index, rule) in hook.rules.iter().enumerate() {
        validate_rule(&Rule::from(rule), &at_rules.index(index), errors);
    }
    for (field, policy, known) in
        [("failurePolicy", hook.failure_policy, FAILURE_POLICIES), ("matchPolicy", hook.match_policy, MATCH_POLICIES)]
    {
        if let Some(policy) = policy {
            one_of(policy, known, &path.child(field), errors);
        }
    }
    let at_effects = path.child("sideEffects");
    match hook.side_effects {
        "" => errors.required(&at_effects, &format!("must specify one of {}", SIDE_EFFECTS.join(", "))),
        effects => one_of(effects, SIDE_EFFECTS, &at_effects, errors),
    }
    if let Some(seconds) = hook.timeout.filter(|seconds| !(1..=30).contains(seconds)) {
        errors.invalid(&path.child("timeoutSeconds"), seconds, "the timeout value must be between 1 and 30 seconds");
    }
    for (field, chosen) in hook.selectors {
        if let Some(chosen) = chosen {
            selector::label_selector(chosen, &path.child(field), errors);
        }
    }
    if let Some(policy) = hook.reinvocation_policy {
        one_of(policy, REINVOCATION_POLICIES, &path.child("reinvocationPolicy"), errors);
    }
    let at_client = path.child("clientConfig");
    match (&hook.client.url, &hook.client.service) {
        (Some(url), None) => validate_url(url, &at_client.child("url"), errors),
        (None, Some(service)) => validate_service(service, &at_client.child("service"), errors),
        _ => errors.required(&at_client, "exactly one of url or service is required"),
    }
    validate_conditions(hook.conditions, &path.child("matchConditions"), errors);
}

/// A webhook's name is fully qualified.
fn validate_name(given: &str, path: &Path<'_>, errors: &mut Errors) {
    let wrong = name::dns1123_subdomain(given);
    if given.is_empty() {
        errors.required(path, "");
    } else if !wrong.is_empty() {
        errors.invalid(path, given, &wrong.join(","));
    } else if given.split('.').count() < 3 {
        errors.invalid(path, given, "should be a domain with at least three segments separated by dots");
    }
}

fn validate_review_versions(versions: &[String], path: &Path<'_>, errors: &mut Errors) {
    let known = REVIEW_VERSIONS.join(", ");
    if versions.is_empty() {
        return errors.required(path, &format!("must specify one of {known}"));
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        if seen.insert(version) {
            errors.invalid_all(&path.index(index), version, name::dns1035_label(version));
        } else {
            errors.invalid(&path.index(index), version, "duplicate version");
        }
    }
    if !versions.iter().any(|version| REVIEW_VERSIONS.contains(&version.as_str())) {
        errors.invalid(path, versions, &format!("must include at least one of {known}"));
    }
}

/// An address is `https://host/path` and nothing else.
fn validate_url(url: &str, path: &Path<'_>, errors: &mut Errors) {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    let (scheme, rest) = rest.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", rest));
    let authority = rest.strip_prefix("//").map(|rest| rest.split('/').next().unwrap_or_default()).unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    if let Some(port) = port.filter(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) {
        let why = format!("parse {url:?}: invalid port {:?} after host", format!(":{port}"));
        return errors.required(path, &format!("url must be a valid URL: {why}{FORM}"));
    }
    let scheme = scheme.to_lowercase();
    if scheme != "https" {
        errors.invalid(path, scheme, &format!("'https' is the only allowed URL scheme{FORM}"));
    }
    if host.is_empty() {
        errors.invalid(path, "", &format!("host must be specified{FORM}"));
    }
    if let Some(user) = user {
        errors.invalid(path, user, "user information is not permitted in the URL");
    }
    if !fragment.is_empty() {
        errors.invalid(path, fragment, "fragments are not permitted in the URL");
    }
    if !query.is_empty() {
        errors.invalid(path, query, "query parameters are not permitted in the URL");
    }
}

fn validate_service(service: &ServiceReference, path: &Path<'_>, errors: &mut Errors) {
    if service.name.is_empty() {
        errors.required(&path.child("name"), "service name is required");
    }
    if service.namespace.is_empty() {
        errors.required(&path.child("namespace"), "service namespace is required");
    }
    let port = service.port.unwrap_or_default();
    let wrong = name::port(port);
    if !wrong.is_empty() {
        errors.invalid(&path.child("port"), port, &format!("port is not valid: {}", wrong.join(", ")));
    }
    validate_service_path(text(&service.path), &path.child("path"), errors);
}

/// Each segment of the path of a URL is a DNS name.
fn validate_service_path(url_path: &str, path: &Path<'_>, errors: &mut Errors) {
    match url_path {
        "" | "/" => return,
        "//" => return errors.invalid(path, url_path, "segment[0] may not be empty"),
        _ => {}
    }
    if !url_path.starts_with('/') {
        errors.invalid(path, url_path, "must start with a '/'");
    }
    // As upstream: the first character is not looked at, whatever it is.
    let mut segments = url_path.chars();
    segments.next();
    let segments = segments.as_str();
    for (index, segment) in segments.strip_suffix('/').unwrap_or(segments).split('/').enumerate() {
        if segment.is_empty() {
            errors.invalid(path, url_path, &format!("segment[{index}] may not be empty"));
            continue;
        }
        for wrong in name::dns1123_subdomain(segment) {
            errors.invalid(path, url_path, &format!("segment[{index}]: {wrong}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(extra: Value) -> String {
        let mut hook = json!({
            "name": "a.b.c", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "https://h/x"},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        });
        hook.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut configuration: MutatingWebhookConfiguration = serde_json::from_value(json!({"webhooks": [hook]})).unwrap();
        (MUTATING.defaults)(&mut configuration);
        let mut errors = Errors::new();
        (MUTATING.validate)(&configuration, &mut errors);
        let causes = errors.causes().iter().map(|cause| format!("{}: {}", cause.field.trim_start_matches("webhooks[0]."), cause.message));
        causes.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_webhook_is_named_and_promises_no_side_effects() {
        assert_eq!(said(json!({})), "");
        assert_eq!(
            said(json!({"name": "a.b"})),
            "name: Invalid value: \"a.b\": should be a domain with at least three segments separated by dots"
        );
        assert_eq!(said(json!({"sideEffects": ""})), "sideEffects: Required value: must specify one of None, NoneOnDryRun");
        assert_eq!(
            said(json!({"sideEffects": "Some"})),
            "sideEffects: Unsupported value: \"Some\": supported values: \"None\", \"NoneOnDryRun\""
        );
        assert_eq!(
            said(json!({"timeoutSeconds": 31})),
            "timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"
        );
        assert_eq!(
            said(json!({"admissionReviewVersions": ["v2"]})),
            "admissionReviewVersions: Invalid value: [\"v2\"]: must include at least one of v1, v1beta1"
        );
    }

    #[test]
    fn a_webhook_is_reached_by_url_or_by_service() {
        assert_eq!(said(json!({"clientConfig": {}})), "clientConfig: Required value: exactly one of url or service is required");
        let url = |url: &str| said(json!({"clientConfig": {"url": url}}));
        assert_eq!(url("https://h:8443/x"), "");
        assert_eq!(
            url("http://h"),
            "clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]"
        );
        assert_eq!(
            url("https://u:p@h/x?q#f"),
            "clientConfig.url: Invalid value: \"u:p\": user information is not permitted in the URL; \
             clientConfig.url: Invalid value: \"f\": fragments are not permitted in the URL; \
             clientConfig.url: Invalid value: \"q\": query parameters are not permitted in the URL"
        );
        let service = |service: Value| said(json!({"clientConfig": {"service": service}}));
        assert_eq!(service(json!({"name": "s", "namespace": "n", "path": "/a/b/"})), "");
        assert_eq!(
            service(json!({"name": "", "namespace": "n", "path": "a", "port": 0})),
            "clientConfig.service.name: Required value: service name is required; \
             clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive; \
             clientConfig.service.path: Invalid value: \"a\": must start with a '/'; \
             clientConfig.service.path: Invalid value: \"a\": segment[0] may not be empty"
        );
    }
}

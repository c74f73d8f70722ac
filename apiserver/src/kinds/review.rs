//! Reviews: questions about who asks and what is allowed. They are answered and never stored.
//!
//! There is no authentication and no authorization yet: everybody is anonymous, and everything is allowed.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        authentication::v1::{SelfSubjectReview, SelfSubjectReviewStatus, TokenReview, TokenReviewStatus, UserInfo},
        authorization::v1::{
            LocalSubjectAccessReview, NonResourceAttributes, NonResourceRule, ResourceAttributes, ResourceRule, SelfSubjectAccessReview,
            SelfSubjectRulesReview, SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus, SubjectRulesReviewStatus,
        },
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use serde::Serialize;

use super::{
    field::{Errors, Path},
    row::Compute,
    rules::{Rules, cast_mut},
    subresource::Moment,
    unset::{list, text},
};
use crate::{
    error::ApiError,
    tokens::{Claims, ISSUER, Named},
};

/// Who somebody is of whom nothing is known.
pub(super) const ANONYMOUS: &str = "system:anonymous";
/// The group of whoever is not known.
pub(super) const UNAUTHENTICATED: &str = "system:unauthenticated";

/// What is special about a SubjectAccessReview.
pub(super) const SUBJECT_ACCESS: Rules<SubjectAccessReview> = Rules {
    validate: |review, errors| {
        validate_subject(&review.spec, errors);
        validate_metadata(&review.metadata, false, errors);
    },
    ..Rules::NONE
};

/// What is special about a LocalSubjectAccessReview.
pub(super) const LOCAL_SUBJECT_ACCESS: Rules<LocalSubjectAccessReview> = Rules {
    validate: |review, errors| {
        validate_subject(&review.spec, errors);
        validate_metadata(&review.metadata, true, errors);
        validate_local(review, errors);
    },
    ..Rules::NONE
};

/// What is special about a SelfSubjectAccessReview.
pub(super) const SELF_SUBJECT_ACCESS: Rules<SelfSubjectAccessReview> = Rules {
    validate: |review, errors| {
        let spec = &review.spec;
        validate_what(spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref(), errors);
        validate_attributes(spec.resource_attributes.as_ref(), errors);
        validate_metadata(&review.metadata, false, errors);
    },
    ..Rules::NONE
};

/// May they?
pub(super) const ALLOW: Compute = |object, _| {
    cast_mut::<SubjectAccessReview>(object).status = Some(allowed());
    Ok(())
};

/// May they, in one namespace?
pub(super) const ALLOW_LOCALLY: Compute = |object, _| {
    cast_mut::<LocalSubjectAccessReview>(object).status = Some(allowed());
    Ok(())
};

/// May I?
pub(super) const ALLOW_SELF: Compute = |object, _| {
    cast_mut::<SelfSubjectAccessReview>(object).status = Some(allowed());
    Ok(())
};

/// What may I?
pub(super) const LIST_RULES: Compute = |object, _| {
    let review: &mut SelfSubjectRulesReview = cast_mut(object);
    if text(&review.spec.namespace).is_empty() {
        return Err(ApiError::bad_request("no namespace on request"));
    }
    let all = || vec!["*".to_owned()];
    review.status = Some(SubjectRulesReviewStatus {
        resource_rules: vec![ResourceRule { verbs: all(), api_groups: Some(all()), resources: Some(all()), resource_names: None }],
        non_resource_rules: vec![NonResourceRule { verbs: all(), non_resource_urls: Some(all()) }],
        incomplete: false,
        evaluation_error: None,
    });
    Ok(())
};

/// Who am I?
pub(super) const TELL_SELF: Compute = |object, moment| {
    let user = UserInfo { username: Some(ANONYMOUS.to_owned()), groups: Some(vec![UNAUTHENTICATED.to_owned()]), ..UserInfo::default() };
    let review: &mut SelfSubjectReview = cast_mut(object);
    review.metadata = ObjectMeta { creation_timestamp: Some(Time(moment.now)), ..ObjectMeta::default() };
    review.status = Some(SelfSubjectReviewStatus { user_info: Some(user) });
    Ok(())
};

/// Whose is this token?
pub(super) const JUDGE_TOKEN: Compute = |object, moment| {
    let review: &mut TokenReview = cast_mut(object);
    if review.spec.token.is_empty() {
        return Err(ApiError::bad_request("token is required for TokenReview in authentication"));
    }
    let claims = moment.tokens.read(&review.spec.token, moment.now).filter(|claims| counts(claims, moment));
    let default = [ISSUER.to_owned()];
    let wanted = Some(list(&review.spec.audiences)).filter(|wanted| !wanted.is_empty()).unwrap_or(&default);
    review.status = Some(match claims {
        None => refused("invalid bearer token".to_owned()),
        Some(claims) => {
            let audiences: Vec<String> = claims.aud.iter().filter(|audience| wanted.contains(audience)).cloned().collect();
            if audiences.is_empty() {
                let (said, wanted) = (quoted(&claims.aud), quoted(wanted));
                refused(format!("[invalid bearer token, token audiences {said} is invalid for the target audiences {wanted}]"))
            } else {
                let (user, audiences) = (Some(user(&claims)), Some(audiences));
                TokenReviewStatus { authenticated: Some(true), user, audiences, ..TokenReviewStatus::default() }
            }
        }
    });
    Ok(())
};

fn refused(error: String) -> TokenReviewStatus {
    TokenReviewStatus { user: Some(UserInfo::default()), error: Some(error), ..TokenReviewStatus::default() }
}

fn quoted(all: &[String]) -> String {
    let quoted: Vec<String> = all.iter().map(|one| format!("{one:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

/// Whether the account, and what the token is bound to, are still there.
fn counts(claims: &Claims, moment: &Moment<'_>) -> bool {
    let there = |kind: &str, named: &Named| {
        let (plural, namespace) = match kind {
            "node" if claims.kubernetes.objects.contains_key("pod") => return true,
            "node" => ("nodes".to_owned(), ""),
            kind => (format!("{kind}s"), claims.kubernetes.namespace.as_str()),
        };
        (moment.find)(&plural, namespace, &named.name).is_some_and(|object| object.meta().uid.as_ref() == Some(&named.uid))
    };
    claims.kubernetes.objects.iter().all(|(kind, named)| there(kind, named))
}

/// Who bears the token.
fn user(claims: &Claims) -> UserInfo {
    let namespace = &claims.kubernetes.namespace;
    let mut extra = BTreeMap::from([("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={}", claims.jti)])]);
    for (kind, named) in claims.kubernetes.objects.iter().filter(|(kind, _)| matches!(kind.as_str(), "pod" | "node")) {
        extra.insert(format!("authentication.kubernetes.io/{kind}-name"), vec![named.name.clone()]);
        extra.insert(format!("authentication.kubernetes.io/{kind}-uid"), vec![named.uid.clone()]);
    }
    let accounts = "system:serviceaccounts";
    UserInfo {
        username: Some(claims.sub.clone()),
        uid: claims.kubernetes.objects.get("serviceaccount").map(|account| account.uid.clone()),
        groups: Some(vec![accounts.to_owned(), format!("{accounts}:{namespace}"), "system:authenticated".to_owned()]),
        extra: Some(extra),
    }
}

fn allowed() -> SubjectAccessReviewStatus {
    SubjectAccessReviewStatus { allowed: true, ..SubjectAccessReviewStatus::default() }
}

fn validate_subject(spec: &SubjectAccessReviewSpec, errors: &mut Errors) {
    validate_what(spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref(), errors);
    if text(&spec.user).is_empty() && list(&spec.groups).is_empty() {
        let path = Path::new("spec");
        errors.invalid(&path.child("user"), "", "at least one of user or group must be specified");
    }
    validate_attributes(spec.resource_attributes.as_ref(), errors);
}

/// A path as messages show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownPath<'a> {
    path: &'a str,
    verb: &'a str,
}

impl<'a> From<&'a NonResourceAttributes> for ShownPath<'a> {
    fn from(attributes: &'a NonResourceAttributes) -> Self {
        ShownPath { path: text(&attributes.path), verb: text(&attributes.verb) }
    }
}

/// The question is about a resource or about a path.
fn validate_what(resource: Option<&ResourceAttributes>, path: Option<&NonResourceAttributes>, errors: &mut Errors) {
    let spec = Path::new("spec");
    match (resource, path) {
        (Some(_), Some(path)) => {
            let why = "cannot be specified in combination with resourceAttributes";
            errors.invalid(&spec.child("nonResourceAttributes"), ShownPath::from(path), why);
        }
        (None, None) => {
            // Upstream shows the other of the two, which is not there either.
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.invalid(&spec.child("resourceAttributes"), "null", why);
        }
        _ => {}
    }
}

/// A selector is given as text or as requirements.
fn validate_attributes(attributes: Option<&ResourceAttributes>, errors: &mut Errors) {
    let Some(attributes) = attributes else { return };
    let spec = Path::new("spec");
    let path = spec.child("resourceAttributes");
    let fields = attributes.field_selector.as_ref().map(|chosen| (text(&chosen.raw_selector), list(&chosen.requirements).len()));
    let labels = attributes.label_selector.as_ref().map(|chosen| (text(&chosen.raw_selector), list(&chosen.requirements).len()));
    for (field, chosen) in [("fieldSelector", fields), ("labelSelector", labels)] {
        let path = path.child(field);
        match chosen {
            Some(("", 0)) => {
                let why = format!("when {path} is specified, requirements or rawSelector is required");
                errors.required(&path.child("requirements"), &why);
            }
            Some((raw, 1..)) if !raw.is_empty() => {
                errors.invalid(&path.child("rawSelector"), raw, "may not specified at the same time as requirements");
            }
            _ => {}
        }
    }
}

/// A question has no name, no labels, nothing.
fn validate_metadata(metadata: &ObjectMeta, is_namespaced: bool, errors: &mut Errors) {
    let namespace = metadata.namespace.clone().filter(|_| is_namespaced);
    let managed_fields = metadata.managed_fields.clone();
    if *metadata != (ObjectMeta { namespace, managed_fields, ..ObjectMeta::default() }) {
        errors.invalid(&Path::new("metadata"), metadata, "must be empty");
    }
}

fn validate_local(review: &LocalSubjectAccessReview, errors: &mut Errors) {
    let spec = Path::new("spec");
    if let Some(resource) = &review.spec.resource_attributes
        && text(&resource.namespace) != text(&review.metadata.namespace)
    {
        let path = spec.child("resourceAttributes");
        errors.invalid(&path.child("namespace"), text(&resource.namespace), "must match metadata.namespace");
    }
    if let Some(path) = &review.spec.non_resource_attributes {
        errors.invalid(&spec.child("nonResourceAttributes"), ShownPath::from(path), "disallowed on this kind of request");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(review: Value) -> String {
        let mut errors = Errors::new();
        (SUBJECT_ACCESS.validate)(&serde_json::from_value(review).unwrap(), &mut errors);
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_question_is_about_somebody_and_something() {
        assert_eq!(said(json!({"spec": {"user": "u", "resourceAttributes": {"verb": "get", "resource": "pods"}}})), "");
        assert_eq!(
            said(json!({"metadata": {"name": "n"}, "spec": {}})),
            "spec.resourceAttributes: Invalid value: \"null\": exactly one of nonResourceAttributes or resourceAttributes must be specified; \
             spec.user: Invalid value: \"\": at least one of user or group must be specified; \
             metadata: Invalid value: {\"name\":\"n\"}: must be empty"
        );
        assert_eq!(
            said(json!({"spec": {"groups": ["g"], "resourceAttributes": {}, "nonResourceAttributes": {"path": "/x", "verb": "get"}}})),
            "spec.nonResourceAttributes: Invalid value: {\"Path\":\"/x\",\"Verb\":\"get\"}: cannot be specified in combination with resourceAttributes"
        );
        assert_eq!(
            said(json!({"spec": {"user": "u", "resourceAttributes": {"labelSelector": {}}}})),
            "spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector is specified, \
             requirements or rawSelector is required"
        );
    }

    #[test]
    fn a_local_question_is_about_its_namespace() {
        let review = json!({"metadata": {"namespace": "a"}, "spec": {"user": "u", "resourceAttributes": {"namespace": "b"}}});
        let mut errors = Errors::new();
        (LOCAL_SUBJECT_ACCESS.validate)(&serde_json::from_value(review).unwrap(), &mut errors);
        assert_eq!(errors.to_string(), "spec.resourceAttributes.namespace: Invalid value: \"b\": must match metadata.namespace");
    }

    #[test]
    fn everything_is_allowed() {
        let mut review = SelfSubjectRulesReview::default();
        assert!(Moment::alone(|moment| LIST_RULES(&mut review, moment)).is_err());
        review.spec.namespace = Some("default".to_owned());
        assert!(Moment::alone(|moment| LIST_RULES(&mut review, moment)).is_ok());
        assert_eq!(
            serde_json::to_value(&review.status).unwrap(),
            json!({
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": false,
            })
        );
    }

    #[test]
    fn everybody_is_anonymous() {
        let mut review = SelfSubjectReview::default();
        assert!(Moment::alone(|moment| TELL_SELF(&mut review, moment)).is_ok());
        let json = serde_json::to_value(&review).unwrap();
        assert_eq!(json["metadata"], json!({"creationTimestamp": "1970-01-01T00:00:00Z"}));
        assert_eq!(json["status"]["userInfo"], json!({"username": "system:anonymous", "groups": ["system:unauthenticated"]}));
    }

    #[test]
    fn no_token_is_known() {
        let mut review: TokenReview = serde_json::from_value(json!({"spec": {"token": "t"}})).unwrap();
        assert!(Moment::alone(|moment| JUDGE_TOKEN(&mut review, moment)).is_ok());
        assert_eq!(serde_json::to_value(&review.status).unwrap(), json!({"user": {}, "error": "invalid bearer token"}));
    }
}

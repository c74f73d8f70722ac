//! Roles and ClusterRoles: which verbs on which resources are allowed; and the versions of RBAC that old files still use.

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, PolicyRule, Role},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use mini_api::selector::Selector;

use super::{
    Conversion,
    field::{Errors, Path},
    rules::Rules,
    selector,
    unset::list,
};

/// The Role before v1, and no different.
pub(super) const ROLE_V1BETA1: Conversion = Conversion {
    warning: Some(
        "rbac.authorization.k8s.io/v1beta1 Role is deprecated in v1.17+, unavailable in v1.22+; use rbac.authorization.k8s.io/v1 Role",
    ),
    ..Conversion::NONE
};

/// The ClusterRole before v1, and no different.
pub(super) const CLUSTER_ROLE_V1BETA1: Conversion = Conversion {
    warning: Some(
        "rbac.authorization.k8s.io/v1beta1 ClusterRole is deprecated in v1.17+, unavailable in v1.22+; use rbac.authorization.k8s.io/v1 ClusterRole",
    ),
    ..Conversion::NONE
};

/// What is special about a Role.
pub(super) const ROLE: Rules<Role> = Rules { validate: |role, errors| validate_rules(list(&role.rules), true, errors), ..Rules::NONE };

/// What is special about a ClusterRole.
pub(super) const CLUSTER_ROLE: Rules<ClusterRole> = Rules {
    validate: |role, errors| {
        validate_rules(list(&role.rules), false, errors);
        if let Some(aggregation) = &role.aggregation_rule {
            validate_aggregation(list(&aggregation.cluster_role_selectors), errors);
        }
    },
    ..Rules::NONE
};

fn validate_rules(rules: &[PolicyRule], is_namespaced: bool, errors: &mut Errors) {
    let path = Path::new("rules");
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, is_namespaced, &path.index(index), errors);
    }
}

fn validate_rule(rule: &PolicyRule, is_namespaced: bool, path: &Path<'_>, errors: &mut Errors) {
    let (groups, resources, urls) = (list(&rule.api_groups), list(&rule.resources), list(&rule.non_resource_urls));
    if rule.verbs.is_empty() {
        errors.required(&path.child("verbs"), "verbs must contain at least one value");
    }
    if !urls.is_empty() {
        let path = path.child("nonResourceURLs");
        if is_namespaced {
            errors.invalid(&path, urls, "namespaced rules cannot apply to non-resource URLs");
        }
        if !(groups.is_empty() && resources.is_empty() && list(&rule.resource_names).is_empty()) {
            errors.invalid(&path, urls, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if groups.is_empty() {
        errors.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
    }
    if resources.is_empty() {
        errors.required(&path.child("resources"), "resource rules must supply at least one resource");
    }
}

fn validate_aggregation(selectors: &[LabelSelector], errors: &mut Errors) {
    let path = Path::new("aggregationRule");
    let path = path.child("clusterRoleSelectors");
    if selectors.is_empty() {
        errors.required(&path, "at least one clusterRoleSelector required if aggregationRule is non-nil");
    }
    for (index, selector) in selectors.iter().enumerate() {
        let path = path.index(index);
        selector::label_selector(selector, &path, errors);
        if Selector::from_label_selector(selector).is_err() {
            // Upstream shows what came of the selector, which is nothing.
            errors.invalid(&path, "null", "invalid label selector.");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(json: Value, is_namespaced: bool) -> String {
        let mut errors = Errors::new();
        let rules = json!({ "rules": [json] });
        if is_namespaced {
            (ROLE.validate)(&serde_json::from_value(rules).unwrap(), &mut errors);
        } else {
            (CLUSTER_ROLE.validate)(&serde_json::from_value(rules).unwrap(), &mut errors);
        }
        errors.causes().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_rule_is_about_resources_or_about_urls() {
        let urls = json!({"verbs": ["get"], "nonResourceURLs": ["/x"]});
        assert_eq!(said(urls.clone(), false), "");
        assert_eq!(
            said(urls, true),
            "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to non-resource URLs"
        );
        assert_eq!(
            said(json!({"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["pods"]}), false),
            "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: rules cannot apply to both regular resources and non-resource URLs"
        );
        assert_eq!(
            said(json!({"verbs": ["get"], "apiGroups": [""]}), true),
            "rules[0].resources: Required value: resource rules must supply at least one resource"
        );
        assert_eq!(said(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}), true), "");
    }

    #[test]
    fn aggregation_needs_selectors() {
        let mut errors = Errors::new();
        (CLUSTER_ROLE.validate)(&serde_json::from_value(json!({"aggregationRule": {}})).unwrap(), &mut errors);
        assert_eq!(
            errors.to_string(),
            "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
        );
    }
}

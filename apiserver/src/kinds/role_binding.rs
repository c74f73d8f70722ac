//! RoleBindings and ClusterRoleBindings: who has a role; and the versions of RBAC that old files still use.

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use mini_api::name;
use serde::Serialize;
use serde_json::Value;

use super::{
    Conversion,
    field::{Errors, Path},
    rules::{Column, Rules, column},
    unset::{default_text, list, list_mut, text},
};

/// The group of roles, users and groups.
const GROUP: &str = "rbac.authorization.k8s.io";

/// The RoleBinding before v1, and no different.
pub(super) const ROLE_BINDING_V1BETA1: Conversion = Conversion {
    warning: Some(
        "rbac.authorization.k8s.io/v1beta1 RoleBinding is deprecated in v1.17+, unavailable in v1.22+; use rbac.authorization.k8s.io/v1 RoleBinding",
    ),
    ..Conversion::NONE
};

/// The ClusterRoleBinding before v1, and no different.
pub(super) const CLUSTER_ROLE_BINDING_V1BETA1: Conversion = Conversion {
    warning: Some(
        "rbac.authorization.k8s.io/v1beta1 ClusterRoleBinding is deprecated in v1.17+, unavailable in v1.22+; use rbac.authorization.k8s.io/v1 ClusterRoleBinding",
    ),
    ..Conversion::NONE
};

/// What is special about a RoleBinding.
pub(super) const ROLE_BINDING: Rules<RoleBinding> = Rules {
    defaults: |binding| defaults(&mut binding.role_ref, list_mut(&mut binding.subjects)),
    validate: |binding, errors| validate(&binding.role_ref, list(&binding.subjects), true, errors),
    validate_update: |new, old, errors| immutable(&new.role_ref, &old.role_ref, errors),
    columns: &[
        Column::name(),
        column("Role", |binding: &RoleBinding, _| role(&binding.role_ref)),
        Column::age(),
        column("Users", |binding: &RoleBinding, _| subjects(&binding.subjects, "User")).wide(),
        column("Groups", |binding: &RoleBinding, _| subjects(&binding.subjects, "Group")).wide(),
        column("ServiceAccounts", |binding: &RoleBinding, _| subjects(&binding.subjects, "ServiceAccount")).wide(),
    ],
    ..Rules::NONE
};

/// What is special about a ClusterRoleBinding.
pub(super) const CLUSTER_ROLE_BINDING: Rules<ClusterRoleBinding> = Rules {
    defaults: |binding| defaults(&mut binding.role_ref, list_mut(&mut binding.subjects)),
    validate: |binding, errors| validate(&binding.role_ref, list(&binding.subjects), false, errors),
    validate_update: |new, old, errors| immutable(&new.role_ref, &old.role_ref, errors),
    columns: &[
        Column::name(),
        column("Role", |binding: &ClusterRoleBinding, _| role(&binding.role_ref)),
        Column::age(),
        column("Users", |binding: &ClusterRoleBinding, _| subjects(&binding.subjects, "User")).wide(),
        column("Groups", |binding: &ClusterRoleBinding, _| subjects(&binding.subjects, "Group")).wide(),
        column("ServiceAccounts", |binding: &ClusterRoleBinding, _| subjects(&binding.subjects, "ServiceAccount")).wide(),
    ],
    ..Rules::NONE
};

fn defaults(role: &mut RoleRef, subjects: &mut [Subject]) {
    default_text(&mut role.api_group, GROUP);
    for subject in subjects {
        if matches!(subject.kind.as_str(), "User" | "Group") {
            default_text(&mut subject.api_group, GROUP);
        }
    }
}

fn validate(role: &RoleRef, subjects: &[Subject], is_namespaced: bool, errors: &mut Errors) {
    let path = Path::new("roleRef");
    if text(&role.api_group) != GROUP {
        errors.unsupported(&path.child("apiGroup"), text(&role.api_group), &[GROUP]);
    }
    let kinds: &[&str] = if is_namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&role.kind.as_str()) {
        errors.unsupported(&path.child("kind"), &role.kind, kinds);
    }
    if role.name.is_empty() {
        errors.required(&path.child("name"), "");
    } else {
        errors.invalid_all(&path.child("name"), &role.name, name::path_segment(&role.name));
    }
    let path = Path::new("subjects");
    for (index, subject) in subjects.iter().enumerate() {
        validate_subject(subject, is_namespaced, &path.index(index), errors);
    }
}

fn validate_subject(subject: &Subject, is_namespaced: bool, path: &Path<'_>, errors: &mut Errors) {
    if subject.name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    let group = text(&subject.api_group);
    match subject.kind.as_str() {
        "ServiceAccount" => {
            if !subject.name.is_empty() {
                errors.invalid_all(&path.child("name"), &subject.name, name::dns1123_subdomain(&subject.name));
            }
            if !group.is_empty() {
                errors.unsupported(&path.child("apiGroup"), group, &[""]);
            }
            if !is_namespaced && text(&subject.namespace).is_empty() {
                errors.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.unsupported(&path.child("apiGroup"), group, &[GROUP]);
            }
        }
        kind => errors.unsupported(&path.child("kind"), kind, &["ServiceAccount", "User", "Group"]),
    }
}

/// A binding stays with its role: what it grants could not be reviewed otherwise.
fn immutable(new: &RoleRef, old: &RoleRef, errors: &mut Errors) {
    /// The role as messages show it.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown<'a> {
        #[serde(rename = "APIGroup")]
        api_group: &'a str,
        kind: &'a str,
        name: &'a str,
    }
    if new != old {
        let shown = Shown { api_group: text(&new.api_group), kind: &new.kind, name: &new.name };
        errors.invalid(&Path::new("roleRef"), shown, "cannot change roleRef");
    }
}

fn role(role: &RoleRef) -> Value {
    Value::from(format!("{}/{}", role.kind, role.name))
}

/// The subjects of one kind as tables show them.
fn subjects(all: &Option<Vec<Subject>>, kind: &str) -> Value {
    let shown = |subject: &Subject| match kind {
        "ServiceAccount" => format!("{}/{}", text(&subject.namespace), subject.name),
        _ => subject.name.clone(),
    };
    Value::from(list(all).iter().filter(|subject| subject.kind == kind).map(shown).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn binding(json: Value) -> RoleBinding {
        let mut binding = serde_json::from_value(json).unwrap();
        (ROLE_BINDING.defaults)(&mut binding);
        binding
    }

    #[test]
    fn subjects_are_users_groups_and_service_accounts() {
        for (subject, want) in [
            (json!({"kind": "User", "name": "u"}), ""),
            (json!({"kind": "ServiceAccount", "name": "s", "namespace": "n"}), ""),
            (
                json!({"kind": "ServiceAccount", "name": "s", "apiGroup": "x"}),
                "subjects[0].apiGroup: Unsupported value: \"x\": supported values: \"\"",
            ),
            (
                json!({"kind": "Robot", "name": "r"}),
                "subjects[0].kind: Unsupported value: \"Robot\": supported values: \"ServiceAccount\", \"User\", \"Group\"",
            ),
            (json!({"kind": "Group", "name": ""}), "subjects[0].name: Required value"),
        ] {
            let binding = binding(json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [subject]}));
            let mut errors = Errors::new();
            (ROLE_BINDING.validate)(&binding, &mut errors);
            assert_eq!(if errors.is_empty() { String::new() } else { errors.to_string() }, want);
        }
    }

    #[test]
    fn a_cluster_role_binding_needs_a_cluster_role_and_a_namespace() {
        let mut binding: ClusterRoleBinding = serde_json::from_value(
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "s"}]}),
        )
        .unwrap();
        (CLUSTER_ROLE_BINDING.defaults)(&mut binding);
        let mut errors = Errors::new();
        (CLUSTER_ROLE_BINDING.validate)(&binding, &mut errors);
        assert_eq!(
            errors.to_string(),
            "[roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\", subjects[0].namespace: Required value]"
        );
    }

    #[test]
    fn the_role_does_not_change() {
        let of = |name: &str| binding(json!({"roleRef": {"kind": "Role", "name": name}}));
        let mut errors = Errors::new();
        (ROLE_BINDING.validate_update)(&of("b"), &of("a"), &mut errors);
        assert_eq!(
            errors.to_string(),
            "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"Role\",\"Name\":\"b\"}: cannot change roleRef"
        );
    }
}

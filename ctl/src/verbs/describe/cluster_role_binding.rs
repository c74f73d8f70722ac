//! The page of a ClusterRoleBinding.

use super::{Describer, events, nothing_else, role_binding};

pub(super) const DESCRIBER: Describer = Describer {
    group: "rbac.authorization.k8s.io",
    kind: "ClusterRoleBinding",
    related: nothing_else,
    events: events::none,
    render: role_binding::render,
};

//! Who is bound to a role.

use serde_json::{Value, json};

use crate::error::{Result, usage};

pub(super) const RBAC: &str = "rbac.authorization.k8s.io";

/// The flags that say who.
#[derive(clap::Args, Debug)]
pub(super) struct Subjects {
    /// A user.
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// A group.
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// A service account: NAMESPACE:NAME.
    #[arg(long, value_name = "NAMESPACE:NAME")]
    serviceaccount: Vec<String>,
}

impl Subjects {
    /// Puts them, and the role, into a binding.
    ///
    /// # Errors
    /// Service accounts without a namespace.
    pub(super) fn bind(&self, binding: &mut Value, kind: &str, name: &str) -> Result<()> {
        binding["roleRef"] = json!({"apiGroup": RBAC, "kind": kind, "name": name});
        let named = |kind: &'static str| move |name: &String| json!({"apiGroup": RBAC, "kind": kind, "name": name});
        let mut subjects: Vec<Value> = self.user.iter().map(named("User")).chain(self.group.iter().map(named("Group"))).collect();
        for account in &self.serviceaccount {
            let (namespace, name) = account
                .split_once(':')
                .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains(':'))
                .ok_or_else(|| usage("serviceaccount must be <namespace>:<name>"))?;
            subjects.push(json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}));
        }
        if !subjects.is_empty() {
            binding["subjects"] = subjects.into();
        }
        Ok(())
    }
}

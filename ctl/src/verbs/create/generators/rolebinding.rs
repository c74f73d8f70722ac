//! `create rolebinding`.

use super::{
    Generating,
    subjects::{RBAC, Subjects},
};
use crate::{
    context::Context,
    error::{Result, usage},
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: RBAC, version: "v1", kind: "RoleBinding", plural: "rolebindings", namespaced: true };

/// Create a role binding for a particular role or cluster role.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// The role.
    #[arg(long, value_name = "NAME", default_value = "")]
    role: String,
    /// The cluster role.
    #[arg(long, value_name = "NAME", default_value = "")]
    clusterrole: String,
    #[command(flatten)]
    subjects: Subjects,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut binding = KIND.named(args.generating.name("rolebinding")?);
    let (kind, name) = match (args.role.as_str(), args.clusterrole.as_str()) {
        (role, "") if !role.is_empty() => ("Role", role),
        ("", role) if !role.is_empty() => ("ClusterRole", role),
        _ => return Err(usage("exactly one of clusterrole or role must be specified")),
    };
    args.subjects.bind(&mut binding, kind, name)?;
    args.generating.create(context, &KIND, binding).await.map_err(failed("create rolebinding"))
}

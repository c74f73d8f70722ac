//! `create clusterrolebinding`.

use super::{
    Generating, required,
    subjects::{RBAC, Subjects},
};
use crate::{
    context::Context,
    error::Result,
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: RBAC, version: "v1", kind: "ClusterRoleBinding", plural: "clusterrolebindings", namespaced: false };

/// Create a cluster role binding for a particular cluster role.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    /// The cluster role.
    #[arg(long, value_name = "NAME")]
    clusterrole: Option<String>,
    #[command(flatten)]
    subjects: Subjects,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let role = required(args.clusterrole.as_ref(), "clusterrole")?;
    let mut binding = KIND.named(args.generating.name("clusterrolebinding")?);
    args.subjects.bind(&mut binding, "ClusterRole", role)?;
    args.generating.create(context, &KIND, binding).await.map_err(failed("create clusterrolebinding"))
}

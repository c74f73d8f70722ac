//! `create role`.

use super::{Generating, rules::Rules};
use crate::{
    context::Context,
    error::{Result, usage},
    making::Kind,
};

const KIND: Kind = Kind { group: "rbac.authorization.k8s.io", version: "v1", kind: "Role", plural: "roles", namespaced: true };

/// Create a role with single rule.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
    #[command(flatten)]
    rules: Rules,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut role = KIND.named(args.generating.name("role")?);
    let verbs = args.rules.verbs()?;
    if args.rules.resources().is_empty() {
        return Err(usage("at least one resource must be specified"));
    }
    role["rules"] = args.rules.for_resources(context.catalog().await?, &verbs)?.into();
    args.generating.create(context, &KIND, role).await
}

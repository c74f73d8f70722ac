//! `create serviceaccount`.

use super::Generating;
use crate::{
    context::Context,
    error::Result,
    making::{Kind, failed},
};

const KIND: Kind = Kind { group: "", version: "v1", kind: "ServiceAccount", plural: "serviceaccounts", namespaced: true };

/// Create a service account with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "sa")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let account = KIND.named(args.generating.name("serviceaccount")?);
    args.generating.create(context, &KIND, account).await.map_err(failed("create serviceaccount"))
}

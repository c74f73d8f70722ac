//! `create namespace`.

use serde_json::json;

use super::Generating;
use crate::{context::Context, error::Result, making::Kind};

const KIND: Kind = Kind { group: "", version: "v1", kind: "Namespace", plural: "namespaces", namespaced: false };

/// Create a namespace with the specified name.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ns")]
pub(super) struct Args {
    #[command(flatten)]
    generating: Generating,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let mut namespace = KIND.named(args.generating.name("namespace")?);
    namespace["spec"] = json!({});
    namespace["status"] = json!({});
    args.generating.create(context, &KIND, namespace).await
}

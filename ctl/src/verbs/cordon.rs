//! `cordon`: no new pods for nodes.

use crate::{
    context::Context,
    error::Result,
    nodes::{self, Choice},
};

/// Mark node as unschedulable.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let chosen = args.choice.read(context, "cordon").await?;
    nodes::cordon(context, &chosen, args.choice.dry_run, true).await
}

//! `uncordon`: new pods for nodes again.

use crate::{
    context::Context,
    error::Result,
    nodes::{self, Choice},
};

/// Mark node as schedulable.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    choice: Choice,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let chosen = args.choice.read(context, "uncordon").await?;
    nodes::cordon(context, &chosen, args.choice.dry_run, false).await
}

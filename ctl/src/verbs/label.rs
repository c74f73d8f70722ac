//! `label`: sets, removes and lists labels.

use crate::{
    context::Context,
    error::Result,
    marks::{self, Flags, Marks},
};

/// Update the labels on a resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    marks::run(Marks::Labels, args.flags, context).await
}

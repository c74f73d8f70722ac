//! `annotate`: sets, removes and lists annotations.

use crate::{
    context::Context,
    error::Result,
    marks::{self, Flags, Marks},
};

/// Update the annotations on a resource.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    marks::run(Marks::Annotations, args.flags, context).await
}

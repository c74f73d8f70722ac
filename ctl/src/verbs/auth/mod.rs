//! `auth`: what one may do, and who one is.

mod can_i;
mod whoami;

use crate::{context::Context, error::Result};

/// Inspect authorization.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Check whether an action is allowed.
    #[command(name = "can-i")]
    CanI(can_i::Args),
    /// Check self subject attributes.
    Whoami(whoami::Args),
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    match args.what {
        What::CanI(args) => can_i::run(args, context).await,
        What::Whoami(args) => whoami::run(args, context).await,
    }
}

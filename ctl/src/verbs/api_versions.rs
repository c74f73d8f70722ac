//! `api-versions`: every group-version the server serves.

use std::collections::BTreeSet;

use crate::{
    context::Context,
    error::{Result, usage},
    print::print,
};

/// Print the supported API versions on the server, in the form of "group/version".
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[arg(hide = true)]
    words: Vec<String>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    if !args.words.is_empty() {
        return Err(usage(format!("unexpected arguments: [{}]\nSee 'mini-ctl api-versions -h' for help and examples", args.words.join(" "))));
    }
    let versions: BTreeSet<String> = context.catalog().await?.resources().iter().map(crate::discover::Resource::group_version).collect();
    print(&versions.into_iter().map(|version| version + "\n").collect::<String>())
}
